//! What is written.

use super::*;

/// A letter as it comes, with lines put together that a header was folded into.
async fn written(letter: &Letter) -> String {
    let mut server = Smtp::new().await;
    let service = MailService::of(&at(server.port)).unwrap();
    assert_eq!(service.send(letter, NOW).await, Mailed::Sent);
    let received = server.letter().await;
    assert_eq!(received.from, "todo@example.com");
    assert_eq!(received.to, [letter.to.as_str()]);
    received.text.replace("\r\n ", " ")
}

fn headers(text: &str) -> Vec<&str> {
    let (head, _) = text.split_once("\r\n\r\n").unwrap();
    head.split("\r\n").collect()
}

#[tokio::test]
async fn a_letter_has_its_words_twice_and_says_what_it_is() {
    let text = written(&letter()).await;
    for header in [
        "From: Todo <todo@example.com>",
        "To: ada@example.com",
        "Subject: Buy milk",
        "Date: Tue, 24 Nov 2026 10:00:00 +0000",
        "Message-ID: <n1.d1@example.com>",
        "Auto-Submitted: auto-generated",
    ] {
        let found = headers(&text)
            .iter()
            .filter(|found| **found == header)
            .count();
        assert_eq!(found, 1, "{header} in {text}");
    }
    assert!(text.contains("Content-Type: multipart/alternative;"));
    assert!(text.contains("text/plain; charset=utf-8\r\n"));
    assert!(
        text.contains("Buy milk\r\n\r\nIt is due at 10:00.\r\n"),
        "{text}"
    );
    assert!(text.contains("<strong>Buy milk</strong></p>\r\n<p>It is due at 10:00.</p>"));
}

#[tokio::test]
async fn a_letter_without_a_body_says_its_title() {
    let letter = Letter {
        body: String::new(),
        ..letter()
    };
    let text = written(&letter).await;
    assert!(text.contains("7bit\r\n\r\nBuy milk\r\n\r\n--"), "{text}");
}

#[tokio::test]
async fn a_letter_without_a_heading_is_its_body() {
    let letter = Letter {
        subject: "Today".to_owned(),
        heading: None,
        body: "Hello,\n\nbuy milk.".to_owned(),
        ..letter()
    };
    let text = written(&letter).await;
    assert!(headers(&text).contains(&"Subject: Today"));
    assert!(
        text.contains("7bit\r\n\r\nHello,\r\n\r\nbuy milk.\r\n"),
        "{text}"
    );
    assert!(!text.contains("<strong>"));
}

/// The names of headers are those of an ordinary letter, whatever the title is.
#[tokio::test]
async fn nobody_adds_a_header_or_a_recipient_by_a_title() {
    let names = |text: &str| -> Vec<String> {
        let of = |line: &&str| line.split(':').next().unwrap().to_owned();
        headers(text).iter().map(of).collect()
    };
    let ordinary = names(&written(&letter()).await);
    for title in [
        "a\r\nBcc: eve@example.com",
        "a\nBcc: eve@example.com",
        "a\rBcc: eve@example.com",
        "a\r\n\r\nanother body",
        "\r\nBcc: eve@example.com",
        "ä\r\nBcc: eve@example.com",
        "a\u{85}Bcc: eve@example.com\u{2028}X: y\u{0}",
        "=?utf-8?q?a=0D=0ABcc:_eve@example.com?=",
    ] {
        let letter = Letter {
            subject: title.to_owned(),
            heading: Some(title.to_owned()),
            ..letter()
        };
        assert_eq!(names(&written(&letter).await), ordinary, "{title:?}");
    }
}

#[tokio::test]
async fn nobody_ends_a_letter_by_a_line_with_a_dot() {
    let letter = Letter {
        body: "a\r\n.\r\nMAIL FROM:<eve@example.com>\r\n..\r\nb".to_owned(),
        ..letter()
    };
    let text = written(&letter).await;
    assert!(
        text.contains("a\r\n.\r\nMAIL FROM:<eve@example.com>\r\n..\r\nb\r\n"),
        "{text}"
    );
}

#[tokio::test]
async fn nothing_in_the_words_is_taken_for_markup() {
    let letter = Letter {
        subject: "</title>".to_owned(),
        heading: Some("<b>a</b>".to_owned()),
        body: "<script>x</script>\n\"&'".to_owned(),
        language: "\"><i>".to_owned(),
        ..letter()
    };
    let html = letter.html();
    assert!(
        html.contains("<strong>&lt;b&gt;a&lt;/b&gt;</strong>"),
        "{html}"
    );
    assert!(html.contains("<title>&lt;/title&gt;</title>"), "{html}");
    assert!(html.contains("&lt;script&gt;x&lt;/script&gt;<br>\n&quot;&amp;&#39;"));
    assert!(html.contains("lang=\"&quot;&gt;&lt;i&gt;\""));
}

#[tokio::test]
async fn who_is_written_to_is_one_address() {
    let server = Smtp::new().await;
    let service = MailService::of(&at(server.port)).unwrap();
    for to in [
        "",
        "ada",
        "ada@",
        "ada@example.com, eve@example.com",
        "ada@example.com\r\nBcc: eve@example.com",
        "ada@example.com>\r\nRCPT TO:<eve@example.com",
        "Ada <ada@example.com>",
        "\"ada\r\nBcc: eve\"@example.com",
        "\"ada\u{0}\"@example.com",
    ] {
        let letter = Letter {
            to: to.to_owned(),
            ..letter()
        };
        let Mailed::Hopeless(error) = service.send(&letter, NOW).await else {
            panic!("{to:?}: another end");
        };
        assert_eq!(error.as_str(), "mail_refused: the address is none");
    }
    assert_eq!(server.waiting(), 0);
}
