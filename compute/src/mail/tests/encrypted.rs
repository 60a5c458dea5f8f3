//! TLS: who cannot show a certificate for its name is told nothing, and neither is who speaks without.

use lettre::transport::smtp::client::Certificate;

use super::*;
use crate::outgoing::names::Names;
use crate::outgoing::tests::names::Answers;
use crate::outgoing::tests::tls;

fn of(scheme: &str, host: &str, port: u16) -> MailConfig {
    MailConfig {
        url: Secret::new(format!("{scheme}://ada:hidden@{host}:{port}?tls=required")),
        ..at(port)
    }
}

fn from_start(host: &str, port: u16) -> MailConfig {
    MailConfig {
        url: Secret::new(format!("smtps://ada:hidden@{host}:{port}")),
        ..at(port)
    }
}

fn trusting(config: &MailConfig) -> MailService {
    let certificate = Certificate::from_pem(tls::CERTIFICATE.as_bytes()).unwrap();
    MailService::trusting(config, Arc::new(System), vec![certificate]).unwrap()
}

fn encrypted(is_encrypted_from_start: bool) -> Manners {
    Manners {
        tls: Some(tls::config()),
        is_encrypted_from_start,
        ..Manners::default()
    }
}

#[tokio::test]
async fn letters_are_handed_over_by_tls_from_the_start_and_by_starttls() {
    for is_from_start in [true, false] {
        let mut server = Smtp::with(encrypted(is_from_start)).await;
        let config = match is_from_start {
            true => from_start("127.0.0.1", server.port),
            false => of("smtp", "127.0.0.1", server.port),
        };
        let mailed = trusting(&config).send(&letter(), NOW).await;
        assert_eq!(mailed, Mailed::Sent, "{is_from_start}");
        let received = server.letter().await;
        assert!(received.is_encrypted && received.login.is_some());
        // Nothing is said before it is encrypted but what leads there.
        let before: &[&str] = match is_from_start {
            true => &["EHLO", "AUTH", "MAIL", "RCPT", "DATA"],
            false => &["EHLO", "STARTTLS", "EHLO", "AUTH", "MAIL", "RCPT", "DATA"],
        };
        assert_eq!(server.heard()[..before.len()], *before);
    }
}

#[tokio::test]
async fn a_server_with_a_certificate_of_its_own_making_gets_nothing() {
    for is_from_start in [true, false] {
        let server = Smtp::with(encrypted(is_from_start)).await;
        let config = match is_from_start {
            true => from_start("127.0.0.1", server.port),
            false => of("smtp", "127.0.0.1", server.port),
        };
        let mailed = MailService::of(&config).unwrap().send(&letter(), NOW).await;
        let Mailed::Failed(error) = mailed else {
            panic!("another end: {mailed:?}");
        };
        assert!(error.as_str().contains("certificate"), "{}", error.as_str());
        assert_eq!(server.waiting(), 0);
    }
}

/// Also one of whom somebody between took that it offers STARTTLS.
#[tokio::test]
async fn a_server_that_does_not_encrypt_is_not_told_who_we_are() {
    let server = Smtp::new().await;
    let config = of("smtp", "127.0.0.1", server.port);
    let mailed = trusting(&config).send(&letter(), NOW).await;
    let Mailed::Failed(error) = mailed else {
        panic!("another end: {mailed:?}");
    };
    assert!(error.as_str().starts_with("mail_failed: STARTTLS: "));
    assert_eq!(server.waiting(), 0);
}

/// What is not of the cluster is not sent into it.
#[tokio::test]
async fn nothing_is_sent_to_a_name_of_this_machine() {
    let server = Smtp::with(encrypted(true)).await;
    let names = Answers::of(&[&["127.0.0.1"]]);
    let config = MailConfig {
        private: false,
        ..from_start("mail.example", server.port)
    };
    let service = MailService::trusting(&config, names as Arc<dyn Names>, Vec::new()).unwrap();
    let Mailed::Failed(error) = service.send(&letter(), NOW).await else {
        panic!("another end");
    };
    let expected = "mail_failed: connecting: address_refused: 127.0.0.1 is loopback";
    assert_eq!(error.as_str(), expected);
}
