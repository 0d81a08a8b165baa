//! What is known of an e-mail after the conversation with a mail server.

use appointd::messaging::smtp::{Smtp, Unsent};

use crate::harness::mail_server::{Behaviour, MailServer};

async fn send(behaviour: Behaviour) -> (Result<(), Unsent>, usize) {
    let server = MailServer::start([behaviour]).await;
    let smtp = Smtp::parse(&server.url).expect("a URL");
    let address = |text: &str| text.parse().expect("an address");
    let text = b"Subject: x\r\n\r\n.begins with a dot\r\n";
    let sent = smtp.send(address("a@example.com"), address("b@example.com"), text).await;
    (sent, server.texts().len())
}

#[tokio::test]
async fn mail_is_taken_refused_or_unknown() {
    for (behaviour, expected, texts) in [
        (Behaviour::CloseEarly, "not now", 0),
        (Behaviour::AnswerRecipient("450 busy"), "not now", 0),
        (Behaviour::AnswerRecipient("550 5.1.1 no such user"), "refused", 0),
        (Behaviour::AnswerText("451 later"), "not now", 1),
        (Behaviour::AnswerText("554 spam"), "refused", 1),
        (Behaviour::CloseAfterText, "unknown", 1),
    ] {
        let (sent, taken) = send(behaviour).await;
        let found = match &sent {
            Ok(()) => "sent",
            Err(Unsent::NotNow(_)) => "not now",
            Err(Unsent::Refused(_)) => "refused",
            Err(Unsent::Unknown(_)) => "unknown",
        };
        assert_eq!((found, taken), (expected, texts), "{behaviour:?}: {sent:?}");
    }
}

#[tokio::test]
async fn server_that_cannot_be_reached_has_taken_nothing() {
    let smtp = Smtp::parse("smtp://127.0.0.1:1").expect("a URL");
    let address = || "a@example.com".parse().expect("an address");
    assert!(matches!(smtp.send(address(), address(), b"x").await, Err(Unsent::NotNow(_))));
}

#[test]
fn url_says_how_to_reach_the_server() {
    for good in [
        "smtp://mail.example.com",
        "smtp://user:p%40ss@mail.example.com:2525",
        "smtp://mail.example.com?tls=required",
        "smtp://mail.example.com?tls=opportunistic",
        "smtps://user:password@mail.example.com/our.name",
    ] {
        assert!(Smtp::parse(good).is_some(), "{good}");
    }
    for bad in ["http://mail.example.com", "smtp://mail.example.com?tls=maybe", "mail.example.com", ""] {
        assert!(Smtp::parse(bad).is_none(), "{bad}");
    }
}
