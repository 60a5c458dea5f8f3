//! Addresses that something is to be sent to, and what is wrong with one.

use std::net::IpAddr;

use reqwest::Url;

use super::guard::Reach;

/// Bytes of an address.
pub const URL_BYTES_MAX: usize = 2 << 10;

/// The ports of a server that names none and is not in the cluster.
const WEB_PORTS: [u16; 2] = [443, 80];

/// Looks at an address. `ports` are those it may be at beside 443 and 80; in the cluster it may be at
/// any. What can be read of it, and everything that is wrong: it may be sent to if there is nothing.
pub(crate) fn checked(text: &str, reach: Reach, ports: &[u16]) -> (Option<Url>, Vec<String>) {
    let url = Url::parse(text)
        .ok()
        .filter(|_| text.len() <= URL_BYTES_MAX);
    let Some(url) = url.filter(Url::has_host) else {
        let why = format!("not an address with a host, of at most {URL_BYTES_MAX} bytes");
        return (None, vec![why]);
    };
    let mut wrong = Vec::new();
    match (url.scheme(), reach) {
        ("https", _) | ("http", Reach::Cluster) => {}
        ("http", Reach::Public) => {
            wrong.push("http is for what is private; others need https".to_owned());
        }
        _ => return (None, vec!["neither https nor http".to_owned()]),
    }
    wrong.extend(check_host(&url, reach).err());
    let port = url.port_or_known_default().unwrap_or_default();
    let named = WEB_PORTS.contains(&port) || ports.contains(&port);
    if port == 0 || (reach == Reach::Public && !named) {
        wrong.push(format!("port {port} is neither 443, 80 nor in `ports`"));
    }
    (Some(url), wrong)
}

/// A plain address is never asked of the names' guard, so it is looked at here. Parsing has brought
/// every way to write one into one form.
fn check_host(url: &Url, reach: Reach) -> Result<(), String> {
    let host = url.host_str().unwrap_or_default();
    let plain = host.trim_start_matches('[').trim_end_matches(']');
    match plain.parse::<IpAddr>() {
        Ok(address) => reach.check(address).map_err(|refused| refused.to_string()),
        Err(_) => {
            let name = host.trim_end_matches('.');
            let is_own = name == "localhost" || name.ends_with(".localhost");
            match is_own && reach == Reach::Public {
                true => Err(format!("address_refused: {host} is this machine")),
                false => Ok(()),
            }
        }
    }
}
