//! The texts of messages: default ones in four languages, and those of organizations.

use appointd::{
    api,
    http::values::TimeZone,
    messaging::{
        mail::Mailer,
        notices::Sample,
        rendering::{self, Variables},
        voice::Voice,
    },
};
use serde_json::{Value, json};

use crate::harness::{Tenant, address, booking::BookingFixture, merged, system};

const TEMPLATES: &str = "/api/v1/message-templates";

fn template(changes: Value) -> Value {
    let template = json!({
        "event": "appointment.created", "recipient": "contact", "language": "en",
        "subject": "Soon at {{ organization.name }}",
        "body": "Dear {{ recipient.name }},\n\n{{ appointment.list }}\n\n{{ appointment.link }}",
    });
    merged(template, &changes)
}

#[test]
fn default_texts_exist_in_every_language_and_can_be_rendered() {
    let book = api::notices(&Mailer::nowhere());
    let voice = Voice {
        name: "Acme".to_owned(),
        address: None,
        logo_url: None,
        color: None,
        language: "en".to_owned(),
        date_format: "ymd_dashes".to_owned(),
        time_format: "h24".to_owned(),
        time_zone: TimeZone::parse("UTC").expect("a zone"),
    };
    let mut texts = 0;
    for (notice, text) in book.all() {
        let (_, module) = book.find(notice.event, notice.recipient).expect("a module");
        let samples = [Sample::Full, Sample::Sparse, Sample::Hostile]
            .map(|sample| Variables::from(module.sample(notice, &voice, text.language, sample).0));
        for template in [text.subject, text.body] {
            let checked = rendering::check(template, notice.variables, &samples);
            assert_eq!(checked, Ok(()), "{} {:?} {}", notice.event, notice.recipient, text.language);
        }
        assert!(text.body.contains("{{ appointment.list }}"), "{} {}", notice.event, text.language);
        texts += 1;
    }
    assert_eq!(texts, 4 * 14);
}

#[tokio::test]
async fn defaults_are_listed_with_their_variables() {
    let tenant = Tenant::new().await;
    let path = format!("{TEMPLATES}/defaults");
    let all = tenant.manager.get(&path).await.expect(200);
    assert_eq!(all["items"].as_array().map(Vec::len), Some(56));
    let german = tenant.manager.get(&format!("{path}?language=de")).await.expect(200);
    let items = german["items"].as_array().expect("items");
    assert_eq!(items.len(), 14);
    let created = items.iter().find(|item| item["event"] == "appointment.created").expect("a text");
    assert_eq!(created["subject"], "Ihr Termin bei {{ organization.name }}");
    assert!(created["variables"].as_array().expect("variables").contains(&json!("appointment.link")));
    tenant.staff.get(&path).await.refused(403, "role_too_low");
    tenant.manager.get(&format!("{path}?language=german")).await.invalid("language", "invalid_value");
}

#[tokio::test]
async fn template_with_a_mistake_is_refused_by_the_name_of_its_field() {
    let tenant = Tenant::new().await;
    for (changes, field, code) in [
        (json!({ "body": "{{ contact.frist_name }}" }), "body", "unknown_variable"),
        (json!({ "subject": "{{ customer.name }}" }), "subject", "unknown_variable"),
        (json!({ "body": "{{ appointment.list | shout }}" }), "body", "unknown_filter"),
        (json!({ "body": "{% if %}" }), "body", "invalid_template"),
        (json!({ "event": "contact.created" }), "event", "invalid_value"),
        (json!({ "recipient": "owner" }), "recipient", "invalid_value"),
        (json!({ "language": "english" }), "language", "invalid_value"),
        (json!({ "subject": "" }), "subject", "too_short"),
        (json!({ "body": "x".repeat(5001) }), "body", "too_long"),
    ] {
        for path in [TEMPLATES.to_owned(), format!("{TEMPLATES}/preview")] {
            let refused = tenant.admin.post(&path, template(changes.clone())).await;
            refused.invalid(field, code);
        }
    }
    let id = tenant.admin.post(TEMPLATES, template(json!({}))).await.created();
    let path = format!("{TEMPLATES}/{id}");
    tenant.admin.patch(&path, json!({ "body": "{{ x }}" })).await.invalid("body", "unknown_variable");
    let again = template(json!({ "subject": "Another" }));
    tenant.admin.post(TEMPLATES, again).await.refused(409, "template_exists");
    // Those who write texts are admins; managers read them.
    tenant.manager.post(TEMPLATES, template(json!({ "language": "de" }))).await.refused(403, "role_too_low");
    tenant.manager.get(&path).await.expect(200);
    tenant.staff.get(&path).await.refused(403, "role_too_low");
    let other = Tenant::new().await;
    other.owner.get(&path).await.refused(404, "not_found");
    other.owner.delete(&path).await.refused(404, "not_found");
}

#[tokio::test]
async fn preview_shows_both_forms_in_the_colours_of_the_organization() {
    let tenant = Tenant::new().await;
    let branding = json!({
        "display_name": "Acme & Co", "logo_url": "https://cdn.example.com/logo.svg", "primary_color": "#1f6feb",
        "address": "1 Main Street\nSpringfield",
    });
    tenant.admin.patch("/api/v1/organizations/me/branding", branding).await.expect(200);
    let settings = json!({ "date_format": "dmy_dots", "time_format": "h12" });
    tenant.admin.patch("/api/v1/organizations/me/settings", settings).await.expect(200);
    let body = template(
        json!({ "body": "<b>Hi</b> {{ recipient.name }},\n\n{{ appointment.list }}\n\n{{ appointment.link }}" }),
    );
    let shown = tenant.manager.post(&format!("{TEMPLATES}/preview"), body).await.expect(200);
    assert_eq!(shown["subject"], "Soon at Acme & Co");
    let (text, html) = (shown["text"].as_str().expect("a text"), shown["html"].as_str().expect("a page"));
    assert!(text.starts_with("<b>Hi</b> Grace Hopper,\n\n  Haircut with Ada, "), "{text}");
    assert!(text.contains(".05.2031 ") && text.contains(" am (UTC)"), "{text}");
    assert!(text.ends_with("-- \nAcme & Co\n1 Main Street\nSpringfield\n"), "{text}");
    for said in [
        "&lt;b&gt;Hi&lt;/b&gt; Grace Hopper",
        "https://cdn.example.com/logo.svg",
        "#1f6feb",
        "Acme &amp; Co<br>\n1 Main Street<br>\nSpringfield",
        "View the appointment",
    ] {
        assert!(html.contains(said), "{said}: {html}");
    }
    let listed = tenant.manager.get(TEMPLATES).await.expect(200);
    assert_eq!(listed["items"], json!([]), "nothing is stored");
}

#[tokio::test]
async fn text_of_the_organization_replaces_the_default_in_its_language_alone() {
    let fixture = BookingFixture::new().await;
    let email = address();
    let contact = format!("/api/v1/contacts/{}", fixture.contact);
    fixture.tenant.staff.patch(&contact, json!({ "email": email })).await.expect(200);
    let own = template(json!({ "language": "de", "subject": "Bis bald, {{ recipient.name }}" }));
    let id = fixture.tenant.admin.post(TEMPLATES, own).await.created();
    let mut subjects = Vec::new();
    for (language, start) in
        [("en", "2031-05-05T09:00:00Z"), ("de-CH", "2031-05-05T10:00:00Z"), ("it", "2031-05-05T11:00:00Z")]
    {
        let settings = json!({ "language": language });
        fixture.tenant.admin.patch("/api/v1/organizations/me/settings", settings).await.expect(200);
        let appointment = fixture.book(start).await;
        system().tell(fixture.tenant.id).await;
        let path = format!("/api/v1/messages?subject_id={appointment}");
        let told = fixture.tenant.staff.get(&path).await.expect(200);
        subjects.push((told["items"][0]["title"].clone(), told["items"][0]["language"].clone()));
    }
    let name = fixture.tenant.viewer.get("/api/v1/organizations/me").await.expect(200)["name"].clone();
    let english = json!(format!("Your appointment with {}", name.as_str().expect("a name")));
    assert_eq!(
        subjects,
        [
            (english.clone(), json!("en")),
            (json!("Bis bald, Grace Hopper"), json!("de")),
            // A language without texts.
            (english, json!("en")),
        ]
    );
    fixture.tenant.admin.delete(&format!("{TEMPLATES}/{id}")).await.expect(204);
}
