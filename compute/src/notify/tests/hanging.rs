//! A server that hangs leaves the others' notifications theirs.

use super::site::*;
use super::*;
use crate::mail::tests::server::{Manners, Says, Smtp};
use crate::outgoing::tests::server::{Answer, Server};
use crate::worker::{Worked, Worker};

/// Nobody knows that it answers well, so there is one place at it.
#[tokio::test]
async fn a_push_service_that_hangs_holds_no_more_than_its_places() {
    let mut dead = Server::answering(Answer::Stuck("")).await;
    let alive = saying(&["201 Created"]).await;
    let mut site = Site::open(Has::channels(pushing_within(120_000))).await;
    // Its devices count as one: they are told at once.
    let (first, second) = (browser(&dead, 1).1, browser(&dead, 2).1);
    site.device(&first).await;
    site.device(&second).await;
    site.tell(&notification(NOW, "a")).await;
    let (worker, task) = (site.worker.clone(), site.task());
    let working = tokio::spawn(async move { worker.work(&task).await });
    for _ in 0..2 {
        dead.request_bytes().await;
    }
    site.tell(&notification(NOW, "c")).await;
    assert_eq!(site.work().await, Worked::Busy { wait_ms: 1_000 });
    assert_eq!(dead.waiting(), 0, "nothing was sent");
    // One that is also for others goes to them, and only the dead server's part waits.
    let device = browser(&alive, 1).1;
    site.device(&device).await;
    site.tell(&notification(NOW, "d")).await;
    assert!(site.run().await.is_some());
    assert_eq!((dead.waiting(), alive.waiting()), (0, 1));
    let progress = &site.progress().await[0];
    assert_eq!(progress[device.id().to_string()]["state"], "sent");
    assert_eq!(progress[first.id().to_string()]["tries"], 0);
    assert_eq!(site.outcomes(), [(Channel::Push, Outcome::Sent)]);
    working.abort();
}

#[tokio::test]
async fn a_mail_server_that_hangs_holds_no_more_than_its_places() {
    let hangs = Manners {
        taken: Says::Hangs,
        ..Manners::default()
    };
    let mut letters = Smtp::with(hangs).await;
    let push = saying(&["201 Created"]).await;
    let channels = Channels {
        mail: mailing(letters.port),
        ..pushing()
    };
    let has = Has {
        pool: 4,
        ..Has::channels(channels)
    };
    let mut site = Site::open(has).await;
    let address = "ada@example.com".to_owned();
    site.device(&device(Reached::Mail { address })).await;
    site.device(&browser(&push, 1).1).await;
    let by_mail = |key| Notification {
        channels: vec![Channel::Mail],
        ..notification(NOW, key)
    };
    site.tell(&by_mail("a")).await;
    let (worker, task) = (site.worker.clone(), site.task());
    let working = tokio::spawn(async move { worker.work(&task).await });
    letters.letter().await;
    site.tell(&by_mail("b")).await;
    assert!(matches!(site.work().await, Worked::Busy { .. }));
    site.tell(&notification(NOW, "c")).await;
    assert_eq!(site.run().await, None);
    assert_eq!((letters.waiting(), push.waiting()), (0, 1));
    working.abort();
}
