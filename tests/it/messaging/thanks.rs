//! Thanks after appointments: when they are sent, and how often.

use mail_parser::MessageParser;
use serde_json::{Value, json};

use crate::harness::{
    mail_server::MailServer,
    planned::{SETTINGS, fixture, state, states, subjects, until},
    system,
};

#[tokio::test]
async fn thanks_follow_a_completed_appointment_once_and_only_if_they_are_switched_on() {
    let (fixture, _) = fixture(json!({})).await;
    let tenant = &fixture.tenant;
    let server = MailServer::start([]).await;
    let tell = async || system().tell_by(tenant.id, &server.mailer).await;
    let complete = async |id: &str, minutes: i64| {
        until(&fixture, id, minutes).await;
        for action in ["start", "complete"] {
            fixture.act(id, action, json!({})).await.expect(200);
        }
        tell().await;
    };
    let unthanked = fixture.book("2031-05-05T09:00:00Z").await;
    complete(&unthanked, -400).await;
    assert_eq!(states(tenant, &unthanked).await, Vec::<[Value; 2]>::new(), "off by default");

    let notifications =
        json!({ "thanks_after_minutes": 60, "review_url": "https://reviews.example.com/acme" });
    tenant.admin.patch(SETTINGS, json!({ "notifications": notifications })).await.expect(200);
    let id = fixture.book("2031-05-05T10:00:00Z").await;
    complete(&id, 0).await;
    assert_eq!(states(tenant, &id).await, [state("queued", None)]);
    // It was completed by mistake, and is completed later.
    fixture.act(&id, "undo", json!({})).await.expect(200);
    until(&fixture, &id, -61).await;
    tell().await;
    assert_eq!(states(tenant, &id).await, [state("skipped", Some("stale"))]);
    fixture.act(&id, "complete", json!({})).await.expect(200);
    tell().await;
    assert_eq!(states(tenant, &id).await, [state("queued", None)]);
    until(&fixture, &id, -122).await;
    tell().await;
    assert_eq!(states(tenant, &id).await, [state("sent", None)]);
    let last = server.texts().pop().expect("a mail");
    let mail = MessageParser::default().parse(last.as_bytes()).expect("a mail");
    assert!(
        mail.subject().is_some_and(|subject| subject.starts_with("Thank you for your visit: ")),
        "{last}"
    );
    assert!(
        mail.body_text(0).is_some_and(|text| text.contains("here:\r\n\r\nhttps://reviews.example.com/acme")),
        "{last}"
    );
    let html = mail.body_html(0).expect("a page");
    assert!(
        html.contains("href=\"https://reviews.example.com/acme\"") && html.contains("Leave a review"),
        "{html}"
    );
    // Once.
    for action in ["undo", "complete"] {
        fixture.act(&id, action, json!({})).await.expect(200);
    }
    until(&fixture, &id, -200).await;
    tell().await;
    assert_eq!(states(tenant, &id).await, [state("sent", None)]);
    assert_eq!(subjects(&server).iter().filter(|subject| subject.starts_with("Thank you")).count(), 1);
}
