//! The link at the end of reminders and thanks: what it switches off, and what does not.

use appointd::{
    crm::preferences::{MessageKind, UnsubscribeLink},
    db::Pass,
};
use mail_parser::MessageParser;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{
    Tenant, address,
    booking::BookingFixture,
    mail_server::MailServer,
    people::{Shown, Visitor, page_server},
    planned::{fixture, state, states, until},
    system,
};

const START: &str = "2031-05-05T09:00:00Z";

/// What mail programs send (RFC 8058 section 3.2): from no page of ours, without a cookie.
async fn one_click(visitor: &Visitor, path: &str) -> Shown {
    let from_elsewhere = &[("sec-fetch-site", "cross-site"), ("origin", "https://mail.example")];
    visitor.send(Method::POST, path, &[("List-Unsubscribe", "One-Click")], from_elsewhere).await
}

/// Books an appointment, and lets time pass until so many minutes before it, when its reminder is due: the mails since
/// then, and the messages about it that were planned.
async fn remind(
    fixture: &BookingFixture,
    server: &MailServer,
    minutes: i64,
) -> (Vec<String>, Vec<[Value; 2]>) {
    let before = server.texts().len();
    let id = fixture.book(START).await;
    system().tell_by(fixture.tenant.id, &server.mailer).await;
    until(fixture, &id, minutes).await;
    system().tell_by(fixture.tenant.id, &server.mailer).await;
    (server.texts().split_off(before), states(&fixture.tenant, &id).await)
}

async fn wants(tenant: &Tenant, contact: &str) -> [bool; 2] {
    let path = format!("/api/v1/contacts/{contact}/message-preferences");
    let preferences = tenant.viewer.get(&path).await.expect(200);
    ["reminders", "thanks"].map(|kind| preferences[kind].as_bool().expect("a truth value"))
}

/// The header fields with a name, on one line each.
fn headers(mail: &str, name: &str) -> Vec<String> {
    let (head, _) = mail.split_once("\r\n\r\n").expect("a head and a body");
    let head = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    let fields = head.split("\r\n").filter_map(|line| line.split_once(':'));
    fields.filter(|(known, _)| *known == name).map(|(_, value)| value.trim().to_owned()).collect()
}

/// The path of the link in the header of a mail, which must be that at the end of its texts.
fn link(mail: &str) -> String {
    assert_eq!(headers(mail, "List-Unsubscribe-Post"), ["List-Unsubscribe=One-Click"], "{mail}");
    let fields = headers(mail, "List-Unsubscribe");
    let [field] = fields.as_slice() else { panic!("{fields:?}") };
    let url = field.strip_prefix('<').and_then(|field| field.strip_suffix('>')).expect("one address");
    let parsed = MessageParser::default().parse(mail.as_bytes()).expect("a mail");
    let (text, html) = (parsed.body_text(0).expect("a text"), parsed.body_html(0).expect("a page"));
    assert!(text.trim_end().ends_with(&format!("\r\nUnsubscribe from such e-mails: {url}")), "{text}");
    assert!(html.contains(&format!("<a href=\"{url}\"")), "{html}");
    url.strip_prefix("https://pages.example.com").expect("an address of ours").to_owned()
}

fn read(path: &str) -> UnsubscribeLink {
    let mut parts = path.split('/').skip(2);
    let parts = (parts.next().expect("a kind"), parts.next().expect("a token"));
    UnsubscribeLink::read(parts.0, parts.1).expect("a link")
}

#[tokio::test]
async fn link_of_a_reminder_switches_reminders_off_when_it_is_used_and_not_when_it_is_opened() {
    let (fixture, _) = fixture(json!({ "reminder_minutes": [300], "thanks_after_minutes": 0 })).await;
    let (tenant, contact) = (&fixture.tenant, &fixture.contact);
    let server = MailServer::start([]).await;
    let (mails, found) = remind(&fixture, &server, 299).await;
    assert_eq!(found, [state("sent", None)]);
    let [confirmation, reminder] = mails.as_slice() else { panic!("{mails:?}") };
    assert_eq!(headers(confirmation, "List-Unsubscribe"), [""; 0], "it cannot be switched off");
    assert_eq!(headers(confirmation, "List-Unsubscribe-Post"), [""; 0]);
    let path = link(reminder);
    assert!(path.starts_with("/unsubscribe/reminders/"), "{path}");

    // Programs that look at links, and people who look.
    let pages = page_server().await;
    let visitor = Visitor::at(&pages, "localhost");
    for method in [Method::GET, Method::HEAD, Method::GET] {
        let shown = visitor.send(method, &path, &[], &[]).await;
        assert_eq!(shown.status, 200, "{}", shown.html);
        assert!(shown.headers["cache-control"].to_str().is_ok_and(|text| text.contains("no-store")));
    }
    let shown = visitor.get(&path).await.expect(200);
    shown.says("will no longer remind you");
    shown.says(&format!("<form method=\"post\" action=\"{path}\""));
    assert_eq!(wants(tenant, contact).await, [true, true]);

    let done = one_click(&visitor, &path).await.expect(200);
    done.says("You are unsubscribed");
    assert!(!done.headers.contains_key("set-cookie"));
    assert_eq!(wants(tenant, contact).await, [false, true]);
    let (mails, found) = remind(&fixture, &server, 200).await;
    assert_eq!((mails.len(), found), (1, vec![state("skipped", Some("opted_out"))]));
    // Again, and with the button: nothing changes.
    one_click(&visitor, &path).await.expect(200);
    visitor.post(&path, &[]).await.expect(200);
    let changes = "select count(*) from operations.audit_events
                   where tenant_id = $1 and relation = 'crm.message_preferences'";
    let changes = system().superuser().await.query_one(changes, &[&tenant.id]).await.expect("a count");
    assert_eq!(changes.get::<_, i64>(0), 1);

    // Thanks are another kind. Their link switches them off alone.
    let preferences = format!("/api/v1/contacts/{contact}/message-preferences");
    tenant.staff.patch(&preferences, json!({ "reminders": true })).await.expect(200);
    let complete = async |minutes: i64| {
        let before = server.texts().len();
        let id = fixture.book(START).await;
        until(&fixture, &id, minutes).await;
        for action in ["start", "complete"] {
            fixture.act(&id, action, json!({})).await.expect(200);
        }
        system().tell_by(tenant.id, &server.mailer).await;
        (server.texts().split_off(before), states(tenant, &id).await.pop())
    };
    let (mails, found) = complete(-60).await;
    assert_eq!(found, Some(state("sent", None)));
    let thanks = link(mails.last().expect("thanks"));
    assert!(thanks.starts_with("/unsubscribe/thanks/"), "{thanks}");
    visitor.get(&thanks).await.expect(200).says("will no longer thank you");
    one_click(&visitor, &thanks).await.expect(200);
    assert_eq!(wants(tenant, contact).await, [true, false]);
    let (_, found) = complete(-120).await;
    assert_eq!(found, Some(state("skipped", Some("opted_out"))));
    // Few mails go to one address.
    let email = json!({ "email": address() });
    tenant.staff.patch(&format!("/api/v1/contacts/{contact}"), email).await.expect(200);
    let (_, found) = remind(&fixture, &server, 100).await;
    assert_eq!(found, [state("sent", None)], "on again");
}

#[tokio::test]
async fn link_is_of_one_kind_and_one_contact_at_the_hosts_of_its_organization() {
    let (fixture, _) = fixture(json!({ "reminder_minutes": [300] })).await;
    let (tenant, contact, other) = (&fixture.tenant, &fixture.contact, fixture.tenant.contact().await);
    let server = MailServer::start([]).await;
    let (mails, _) = remind(&fixture, &server, 299).await;
    let path = link(mails.last().expect("a reminder"));
    let link = read(&path);
    assert_eq!(format!("/{}", link.path()), path);
    let (neighbour, stranger) = (BookingFixture::new().await, Uuid::now_v7());
    let mut proof = link.proof;
    proof.0[15] ^= 1;
    let id = |text: &str| text.parse::<Uuid>().expect("an id");
    let pages = page_server().await;
    let visitor = Visitor::at(&pages, "localhost");
    let refused = async |visitor: &Visitor, path: &str| {
        visitor.get(path).await.expect(404);
        one_click(visitor, path).await.expect(404);
        visitor.post(path, &[]).await.expect(404);
    };
    for forged in [
        UnsubscribeLink { kind: MessageKind::Thanks, ..link },
        UnsubscribeLink { contact: id(&other), ..link },
        UnsubscribeLink { contact: stranger, ..link },
        UnsubscribeLink { organization: neighbour.tenant.id, ..link },
        UnsubscribeLink { organization: neighbour.tenant.id, contact: id(&neighbour.contact), ..link },
        UnsubscribeLink { organization: stranger, ..link },
        UnsubscribeLink { proof, ..link },
        UnsubscribeLink { proof: Pass::default(), ..link },
    ] {
        refused(&visitor, &format!("/{}", forged.path())).await;
    }
    let token = path.rsplit('/').next().expect("a token");
    for malformed in [
        "/unsubscribe/reminders/x".to_owned(),
        format!("/unsubscribe/reminders/{}", &token[..63]),
        format!("/unsubscribe/reminders/{token}A"),
        format!("/unsubscribe/confirmations/{token}"),
        format!("/unsubscribe/Reminders/{token}"),
        format!("/unsubscribe/%72eminders/{token}"),
        "/unsubscribe/reminders/".to_owned(),
        "/unsubscribe/reminders".to_owned(),
        "/unsubscribe/".to_owned(),
    ] {
        refused(&visitor, &malformed).await;
    }
    // At the host of another organization.
    refused(&Visitor::at(&pages, &neighbour.host().await), &path).await;
    assert_eq!(wants(tenant, contact).await, [true, true]);
    assert_eq!(wants(tenant, &other).await, [true, true]);
    assert_eq!(wants(&neighbour.tenant, &neighbour.contact).await, [true, true]);
    // At its own.
    one_click(&Visitor::at(&pages, &fixture.host().await), &path).await.expect(200);
    assert_eq!(wants(tenant, contact).await, [false, true]);
}

#[tokio::test]
async fn link_ends_with_its_contact_and_while_its_organization_is_suspended() {
    let (fixture, _) = fixture(json!({ "reminder_minutes": [300] })).await;
    let tenant = &fixture.tenant;
    let server = MailServer::start([]).await;
    let (mails, _) = remind(&fixture, &server, 299).await;
    let path = link(mails.last().expect("a reminder"));
    let pages = page_server().await;
    let visitor = Visitor::at(&pages, "localhost");
    let proof = "select app.proof('unsubscribe thanks', $1, $2)";
    let deleted = tenant.contact().await;
    let subject: Uuid = deleted.parse().expect("an id");
    let row = system().superuser().await.query_one(proof, &[&tenant.id, &subject]).await.expect("a proof");
    let proof = Pass::read(row.get(0)).expect("a proof");
    let gone =
        UnsubscribeLink { kind: MessageKind::Thanks, organization: tenant.id, contact: subject, proof };
    let gone = format!("/{}", gone.path());
    visitor.get(&gone).await.expect(200);
    tenant.manager.delete(&format!("/api/v1/contacts/{deleted}")).await.expect(204);
    visitor.get(&gone).await.expect(404);
    one_click(&visitor, &gone).await.expect(404);

    tenant.suspend().await;
    visitor.get(&path).await.expect(404);
    one_click(&visitor, &path).await.expect(404);
    let left = "select count(*) from crm.message_preferences where tenant_id = $1";
    let left = system().superuser().await.query_one(left, &[&tenant.id]).await.expect("a count");
    assert_eq!(left.get::<_, i64>(0), 0);
}
