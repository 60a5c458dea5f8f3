//! Letters to a mail server of this machine.

mod config;
mod encrypted;
mod letters;
mod replies;
pub(crate) mod server;

use std::sync::Arc;

use super::*;
use crate::outgoing::names::System;
use crate::outgoing::secret::Secret;
use server::{Manners, Says, Smtp};

/// 2026-11-24T10:00:00.123Z.
const NOW: u64 = 1_795_514_400_123;

/// A server of the cluster.
pub(crate) fn at(port: u16) -> MailConfig {
    MailConfig {
        url: Secret::new(format!("smtp://127.0.0.1:{port}")),
        from: "Todo <todo@example.com>".to_owned(),
        timeout_ms: TIMEOUT_MS,
        private: true,
    }
}

fn letter() -> Letter {
    Letter {
        to: "ada@example.com".to_owned(),
        id: "n1.d1".to_owned(),
        subject: "Buy milk".to_owned(),
        heading: Some("Buy milk".to_owned()),
        body: "It is due at 10:00.".to_owned(),
        language: "en".to_owned(),
    }
}

async fn sent_to(manners: Manners) -> (Mailed, Smtp) {
    let server = Smtp::with(manners).await;
    let service = MailService::of(&at(server.port)).unwrap();
    (service.send(&letter(), NOW).await, server)
}
