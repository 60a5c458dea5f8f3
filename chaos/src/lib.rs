//! What the measuring programs share: a hub process, cheap HTTP to it, quantiles.

pub mod http;
pub mod hub;

/// The value below which `share` of the sorted values are.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = ((sorted.len() as f64 - 1.0) * share).round() as usize;
    sorted.get(at).copied().unwrap_or(f64::NAN)
}
