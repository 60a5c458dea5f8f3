//! Hands letters to a server.
//!
//! | what happens | means |
//! |---|---|
//! | the letter is taken | it is sent, as far as we can know |
//! | 5xx to the letter, an address that is none | the same letter gets it again |
//! | 4xx, no answer in time, no connection | it may be tried again |
//! | anything about TLS or who we are | likewise: somebody mends it |
//!
//! Each letter has a connection of its own, which nothing that was stopped in the middle is left in.
//! What the server says in words is not kept, since it repeats addresses; its code is.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use lettre::Message;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::DEFAULT_MECHANISMS;
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use syncline_protocol::stamp::WallMs;
use syncline_storage::jobs::JobError;
use tokio::time::timeout;

use super::config::{Checked, Encrypted, MailConfig};
use super::letter::{Letter, NoAddress};
use crate::outgoing::names::{Names, System, allowed};

/// How long a server has to take leave, in milliseconds. Nobody waits for it.
const QUIT_MS: u64 = 5_000;

/// What became of a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mailed {
    /// The server has it.
    Sent,
    /// Not now.
    Failed(JobError),
    /// Not in this way, however often it is tried.
    Hopeless(JobError),
}

/// Hands letters to the server of the config.
pub struct MailService {
    checked: Checked,
    names: Arc<dyn Names>,
    /// `None`: nothing is ever encrypted.
    tls: Option<TlsParameters>,
}

impl fmt::Debug for MailService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MailService({})", self.server())
    }
}

impl MailService {
    /// Errors: everything that is wrong with the config, a sentence each.
    pub fn of(config: &MailConfig) -> Result<MailService, Vec<String>> {
        MailService::trusting(config, Arc::new(System), Vec::new())
    }

    /// The same, with other names, and certificates that are trusted beside the machine's.
    pub(super) fn trusting(
        config: &MailConfig,
        names: Arc<dyn Names>,
        certificates: Vec<Certificate>,
    ) -> Result<MailService, Vec<String>> {
        let checked = config.check()?;
        let tls = match checked.encrypted {
            Encrypted::Never => None,
            Encrypted::FromStart | Encrypted::Starttls => {
                let tls = TlsParameters::builder(checked.host.clone());
                let tls = certificates
                    .into_iter()
                    .fold(tls, |tls, one| tls.add_root_certificate(one));
                let tls = tls.build();
                Some(tls.map_err(|error| vec![format!("mail: {error}")])?)
            }
        };
        Ok(MailService {
            checked,
            names,
            tls,
        })
    }

    /// The server: host and port.
    pub fn server(&self) -> String {
        format!("{}:{}", self.checked.host, self.checked.port)
    }

    /// Hands a letter over once. A server that took one and did not say so is handed it again by
    /// whoever tries again, under the same id.
    pub async fn send(&self, letter: &Letter, now_ms: WallMs) -> Mailed {
        let message = match letter.message(&self.checked.from, now_ms) {
            Ok(message) => message,
            Err(NoAddress) => {
                return Mailed::Hopeless(JobError::new("mail_refused: the address is none"));
            }
        };
        let within = self.checked.timeout;
        match timeout(within, self.handed_over(&message)).await {
            Ok(mailed) => mailed,
            Err(_) => failed(format!("no answer within {} ms", within.as_millis())),
        }
    }

    async fn handed_over(&self, message: &Message) -> Mailed {
        let mut connection = match self.connected().await {
            Ok(connection) => connection,
            Err(why) => return failed(why),
        };
        let sent = connection
            .send(message.envelope(), &message.formatted())
            .await;
        match sent {
            Ok(_) => {
                // What it has it has, whatever becomes of the connection.
                let quit = async move { connection.abort().await };
                tokio::spawn(timeout(Duration::from_millis(QUIT_MS), quit));
                Mailed::Sent
            }
            // The address needs what the server does not have.
            Err(error) if error.is_permanent() || error.is_client() => {
                Mailed::Hopeless(JobError::new(&format!("mail_refused: {}", said(&error))))
            }
            Err(error) => failed(said(&error)),
        }
    }

    /// A connection that letters may be handed over by. Errors: why there is none.
    async fn connected(&self) -> Result<AsyncSmtpConnection, String> {
        let Checked {
            host, port, reach, ..
        } = &self.checked;
        let found = self.names.addresses(host).await;
        let found = found.and_then(|found| allowed(found, *reach));
        let mut addresses = found.map_err(|error| format!("connecting: {error}"))?;
        for address in &mut addresses {
            address.set_port(*port);
        }
        let hello = ClientId::Domain(self.checked.from.email.domain().to_owned());
        let is_encrypted = self.checked.encrypted == Encrypted::FromStart;
        let from_start = self.tls.clone().filter(|_| is_encrypted);
        let within = Some(self.checked.timeout);
        let connected =
            AsyncSmtpConnection::connect_tokio1(&addresses[..], within, &hello, from_start, None);
        let mut connection = connected
            .await
            .map_err(|error| format!("connecting: {}", said(&error)))?;
        if let (Encrypted::Starttls, Some(tls)) = (self.checked.encrypted, &self.tls) {
            let begun = connection.starttls(tls.clone(), &hello).await;
            begun.map_err(|error| format!("STARTTLS: {}", said(&error)))?;
        }
        if let Some(login) = &self.checked.login {
            let known = connection.auth(DEFAULT_MECHANISMS, login).await;
            known.map_err(|error| format!("AUTH: {}", said(&error)))?;
        }
        Ok(connection)
    }
}

/// A failure, for another try.
fn failed(why: impl fmt::Display) -> Mailed {
    Mailed::Failed(JobError::new(&format!("mail_failed: {why}")))
}

/// What went wrong, without what the server says in words.
fn said(error: &Error) -> String {
    match error.status() {
        Some(code) => code.to_string(),
        None if error.is_response() => "an answer that is none of SMTP".to_owned(),
        None => error.to_string(),
    }
}
