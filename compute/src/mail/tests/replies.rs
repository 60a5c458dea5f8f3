//! What becomes of a letter by what the server says.

use super::*;

/// What a server does at one point.
type Change = Box<dyn Fn(&mut Manners)>;

fn failed(mailed: &Mailed) -> &str {
    match mailed {
        Mailed::Failed(error) => error.as_str(),
        other => panic!("did not fail: {other:?}"),
    }
}

fn with(change: impl Fn(&mut Manners)) -> Manners {
    let mut manners = Manners::default();
    change(&mut manners);
    manners
}

#[tokio::test]
async fn what_is_taken_is_sent_however_the_server_takes_leave() {
    for quit in [Says::Well, Says::Hangs, Says::Closes, Says::Line("500 no")] {
        let (mailed, server) = sent_to(with(|manners| manners.quit = quit)).await;
        assert_eq!(mailed, Mailed::Sent);
        assert_eq!(server.waiting(), 1);
    }
}

#[tokio::test]
async fn what_may_go_well_later_failed() {
    let later = Says::Line("451 ada@example.com later");
    let points: [(&str, Change); 7] = [
        (
            "connecting: 421",
            Box::new(|m| m.greeting = Says::Line("421 busy")),
        ),
        ("451", Box::new(move |m| m.mail = later)),
        ("451", Box::new(move |m| m.rcpt = later)),
        ("451", Box::new(move |m| m.data = later)),
        ("451", Box::new(move |m| m.taken = later)),
        (
            "an answer that is none of SMTP",
            Box::new(|m| m.mail = Says::Line("x ada")),
        ),
        (
            "connecting: 554",
            Box::new(|m| m.greeting = Says::Line("554 no")),
        ),
    ];
    for (why, change) in points {
        let (mailed, _) = sent_to(with(change)).await;
        assert_eq!(failed(&mailed), format!("mail_failed: {why}"));
    }
    for says in [Says::Closes] {
        let (mailed, _) = sent_to(with(|manners| manners.taken = says)).await;
        assert!(failed(&mailed).starts_with("mail_failed: "));
    }
}

#[tokio::test]
async fn what_is_refused_for_good_is_hopeless_and_addresses_are_not_repeated() {
    let never = Says::Line("550 5.1.1 ada@example.com is nobody");
    let points: [Change; 4] = [
        Box::new(move |manners| manners.mail = never),
        Box::new(move |manners| manners.rcpt = never),
        Box::new(move |manners| manners.data = never),
        Box::new(move |manners| manners.taken = never),
    ];
    for change in points {
        let (mailed, _) = sent_to(with(change)).await;
        let Mailed::Hopeless(error) = mailed else {
            panic!("another end: {mailed:?}");
        };
        assert_eq!(error.as_str(), "mail_refused: 550");
    }
}

/// The whole of it, wherever it hangs.
#[tokio::test]
async fn a_server_that_hangs_is_cut() {
    let points: [Change; 4] = [
        Box::new(|manners| manners.greeting = Says::Hangs),
        Box::new(|manners| manners.rcpt = Says::Hangs),
        Box::new(|manners| manners.data = Says::Hangs),
        Box::new(|manners| manners.taken = Says::Hangs),
    ];
    for change in points {
        let server = Smtp::with(with(change)).await;
        let config = MailConfig {
            timeout_ms: TIMEOUT_MS_MIN,
            ..at(server.port)
        };
        let service = MailService::of(&config).unwrap();
        let mailed = service.send(&letter(), NOW).await;
        assert_eq!(failed(&mailed), "mail_failed: no answer within 100 ms");
    }
}

#[tokio::test]
async fn nobody_there_is_tried_again() {
    let gone = Smtp::new().await.port;
    let service = MailService::of(&at(gone)).unwrap();
    let mailed = service.send(&letter(), NOW).await;
    assert!(failed(&mailed).starts_with("mail_failed: connecting: "));
}

/// Somebody mends the password, and the letter is not lost.
#[tokio::test]
async fn who_the_server_does_not_know_tries_again() {
    let no = Says::Line("535 5.7.8 no");
    let server = Smtp::with(with(|manners| manners.auth = no)).await;
    let config = MailConfig {
        url: Secret::new(format!("smtp://ada:hidden@127.0.0.1:{}", server.port)),
        ..at(server.port)
    };
    let mailed = MailService::of(&config).unwrap().send(&letter(), NOW).await;
    assert_eq!(failed(&mailed), "mail_failed: AUTH: 535");
}

#[tokio::test]
async fn user_and_password_are_said_as_they_are() {
    let mut server = Smtp::new().await;
    let url = format!("smtp://a%40b:p%3Ass%20w@127.0.0.1:{}", server.port);
    let config = MailConfig {
        url: Secret::new(url),
        ..at(server.port)
    };
    let service = MailService::of(&config).unwrap();
    assert_eq!(service.send(&letter(), NOW).await, Mailed::Sent);
    let (user, password) = server.letter().await.login.unwrap();
    assert_eq!((&*user, &*password), ("a@b", "p:ss w"));
}
