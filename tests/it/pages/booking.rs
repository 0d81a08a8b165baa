//! Booking on pages, as a browser without scripts does it.

use appointd::http::token::Tokens;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{
    address,
    booking::{BookingFixture, expect_sound_bookings},
    people::{Shown, Visitor, hidden, page_server},
    system,
};

/// The appointments of an organization.
async fn appointments(fixture: &BookingFixture) -> Vec<Value> {
    let path = "/api/v1/appointments?from=2026-01-01T00:00:00Z&to=2027-01-01T00:00:00Z";
    let all = fixture.tenant.viewer.get(&path.replace("2026", &year(0)).replace("2027", &year(2))).await;
    all.expect(200)["items"].as_array().expect("items").clone()
}

fn year(later: i32) -> String {
    use chrono::Datelike as _;
    (chrono::Utc::now().year() + later).to_string()
}

/// The hold that the details of a page are about.
fn hold_of(tokens: &Tokens, details: &Shown) -> Uuid {
    tokens.named_hold(&details.value("hold")).expect("a hold").1
}

#[tokio::test]
async fn guest_books_at_the_host_of_an_organization_and_below_its_slug() {
    let server = page_server().await;
    let fixture = BookingFixture::new().await;
    let host = fixture.host().await;
    let slug = fixture.tenant.slug().await;
    for (at, base) in [(host.as_str(), String::new()), ("localhost", format!("/o/{slug}"))] {
        let visitor = Visitor::at(&server, at);
        let services = visitor.get(&format!("{base}/book?utm_source=x&fbclid=y")).await.expect(200);
        assert!(!services.html.contains("utm_source"), "{}", services.html);
        let to = services.link("/book/");
        assert_eq!(to, format!("{base}/book/{}", fixture.service));
        let (_, details) = fixture.choose(&visitor, &base).await;
        details.says("This time is kept for you until");
        let (email, form) = (address(), hidden(&details));
        let confirm = format!("{base}/book/{}/confirm", fixture.service);
        let (to, done) = visitor.follow(&confirm, &fixture.filled(&form, &email)).await;
        assert!(to.starts_with(&format!("{base}/book/done?booking=")), "{to}");
        done.says("You are booked");
        let calendar = visitor.get(&done.link("/book/calendar.ics")).await.expect(200);
        assert!(calendar.html.contains("BEGIN:VEVENT"), "{}", calendar.html);
        // Sent again, and opened again: the same appointment.
        let again = visitor.post(&confirm, &fixture.filled(&form, &email)).await;
        assert!(again.location().contains("/book/done?"), "{}", again.location());
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&form).finish();
        let details = format!("{base}/book/{}/details?{query}", fixture.service);
        assert!(visitor.get(&details).await.location().contains("/book/done?"));
        system().tell(fixture.tenant.id).await;
        assert!(system().mail_to(&email).await.contains("manage-appointment#token="));
    }
    assert_eq!(appointments(&fixture).await.len(), 2);
    expect_sound_bookings(&fixture.tenant).await;
}

#[tokio::test]
async fn form_sent_twice_at_once_books_once() {
    let server = page_server().await;
    let fixture = BookingFixture::new().await;
    let visitor = Visitor::at(&server, &fixture.host().await);
    let (_, details) = fixture.choose(&visitor, "").await;
    let (form, email) = (hidden(&details), address());
    let (filled, path) = (fixture.filled(&form, &email), format!("/book/{}/confirm", fixture.service));
    let (one, other) = tokio::join!(visitor.post(&path, &filled), visitor.post(&path, &filled));
    for answer in [one, other] {
        assert!(answer.location().starts_with("/book/done?"), "{}", answer.location());
    }
    assert_eq!(appointments(&fixture).await.len(), 1);
}

#[tokio::test]
async fn expired_hold_books_if_the_time_is_free_and_offers_others_if_it_is_taken() {
    let server = page_server().await;
    let fixture = BookingFixture::new().await;
    let visitor = Visitor::at(&server, &fixture.host().await);
    let confirm = format!("/book/{}/confirm", fixture.service);

    let (to, details) = fixture.choose(&visitor, "").await;
    fixture.expire(&hold_of(&system().tokens, &details).to_string()).await;
    visitor.get(&to).await.expect(200).says("This time is no longer kept for you.");
    let (form, email) = (hidden(&details), address());
    let done = visitor.post(&confirm, &fixture.filled(&form, &email)).await;
    assert!(done.location().starts_with("/book/done?"), "{}", done.location());

    let (_, details) = fixture.choose(&visitor, "").await;
    let (form, email) = (hidden(&details), address());
    fixture.expire(&hold_of(&system().tokens, &details).to_string()).await;
    fixture.book(&details.value("starts_at")).await;
    let refused = visitor.post(&confirm, &fixture.filled(&form, &email)).await.expect(409);
    refused.says("This time has just been taken.");
    refused.says(&email);
    let instead = refused.value("instead");
    let again = hidden(&refused);
    let mut filled = fixture.filled(&again, &email);
    filled.push(("instead", &instead));
    let done = visitor.post(&confirm, &filled).await;
    assert!(done.location().starts_with("/book/done?"), "{}", done.location());
    assert_eq!(appointments(&fixture).await.len(), 3);
    expect_sound_bookings(&fixture.tenant).await;
}

#[tokio::test]
async fn time_that_is_taken_meanwhile_leads_to_other_times() {
    let server = page_server().await;
    let fixture = BookingFixture::new().await;
    let visitor = Visitor::at(&server, &fixture.host().await);
    let times = visitor.get(&format!("/book/{}", fixture.service)).await.expect(200);
    let starts_at = times.values("starts_at").pop().expect("a time");
    fixture.book(&starts_at).await;
    let form = [("key", times.value("key")), ("with", String::new()), ("starts_at", starts_at.clone())];
    let form: Vec<_> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let refused = visitor.post(&format!("/book/{}/hold", fixture.service), &form).await.expect(409);
    refused.says("This time has just been taken.");
    assert!(!refused.values("starts_at").contains(&starts_at));
    assert!(refused.values("starts_at").len() > 3, "alternatives and the times of the day");
}

#[tokio::test]
async fn details_with_mistakes_come_back_with_all_of_them_and_what_was_typed() {
    let server = page_server().await;
    let fixture = BookingFixture::with(json!({ "guest_requires": ["email", "phone"] })).await;
    let visitor = Visitor::at(&server, &fixture.host().await);
    let (_, details) = fixture.choose(&visitor, "").await;
    let form = hidden(&details);
    let mut filled: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    filled.extend([("first_name", "<b>Grace</b> \"H\""), ("last_name", ""), ("email", "gracie@")]);
    let path = format!("/book/{}/confirm", fixture.service);
    let refused = visitor.post(&path, &filled).await.expect(422);
    for id in ["last_name", "email", "phone"] {
        refused.says(&format!("<a href=\"#{id}\">"));
        refused.says(&format!("id=\"{id}-error\""));
    }
    refused.says("value=\"gracie@\"");
    assert!(!refused.html.contains("<b>Grace"), "what was typed is text: {}", refused.html);
    assert_eq!(refused.value("hold"), details.value("hold"));
}

#[tokio::test]
async fn release_gives_the_time_back_at_once() {
    let server = page_server().await;
    let fixture = BookingFixture::new().await;
    let visitor = Visitor::at(&server, &fixture.host().await);
    let (_, details) = fixture.choose(&visitor, "").await;
    let times = format!("/book/{}", fixture.service);
    let start = details.value("starts_at");
    let day = &start[..10];
    let of_day = format!("{times}?month={}&day={day}", &day[..7]);
    assert!(!visitor.get(&of_day).await.values("starts_at").contains(&start));
    let hold = details.value("hold");
    let released = visitor.post(&format!("{times}/release"), &[("hold", &hold)]).await;
    assert_eq!(released.location(), times);
    assert!(visitor.get(&of_day).await.values("starts_at").contains(&start));
}

#[tokio::test]
async fn service_that_verifies_addresses_is_booked_when_the_guest_says_so_not_when_the_link_is_opened() {
    let server = page_server().await;
    let fixture = BookingFixture::with(json!({ "guest_verification": "email" })).await;
    let visitor = Visitor::at(&server, &fixture.host().await);
    let (_, details) = fixture.choose(&visitor, "").await;
    let (form, email) = (hidden(&details), address());
    let path = format!("/book/{}/confirm", fixture.service);
    let (to, sent) = visitor.follow(&path, &fixture.filled(&form, &email)).await;
    assert!(to.starts_with("/book/check-mail?"), "{to}");
    sent.expect(200).says("Check your mail");
    let mail = system().mail_to(&email).await;
    let token = mail.split("verify-booking#token=").nth(1).and_then(|rest| rest.split_whitespace().next());
    let guest = Visitor::at(&server, "localhost");
    let (_, asks) = guest.follow("/verify-booking/open", &[("token", token.expect("a link"))]).await;
    asks.expect(200).says("Confirm your booking");
    assert_eq!(appointments(&fixture).await.len(), 0);
    let (to, shown) = guest.follow("/verify-booking", &[]).await;
    assert_eq!(to, "/manage-appointment");
    shown.expect(200).says("Your appointment");
    assert_eq!(appointments(&fixture).await.len(), 1);
}

#[tokio::test]
async fn formats_and_language_are_those_of_the_organization_until_the_visitor_chooses() {
    let server = page_server().await;
    let fixture = BookingFixture::new().await;
    let host = fixture.host().await;
    let settings = json!({ "language": "de", "time_format": "h12", "date_format": "dmy_dots" });
    fixture.tenant.admin.patch("/api/v1/organizations/me/settings", settings).await.expect(200);
    let times = format!("/book/{}", fixture.service);
    let german = Visitor::at(&server, &host).reading("xx").get(&times).await.expect(200);
    german.says("<html lang=\"de\" dir=\"ltr\">");
    german.says("nachm.");
    let english = Visitor::at(&server, &host);
    let shown = english.get(&times).await.expect(200);
    shown.says("<html lang=\"en\"");
    shown.says(" pm</time>");
    assert!(!shown.html.contains(">13:00<"), "{}", shown.html);
    let arabic = english.get(&format!("{times}?lang=ar")).await.expect(200);
    arabic.says("<html lang=\"ar\" dir=\"rtl\">");
    assert!(arabic.link("month=").contains("lang=ar"), "links keep the language");
    let (_, details) = fixture.choose(&english, "").await;
    let date = details.value("starts_at")[..10].split('-').rev().collect::<Vec<_>>().join(".");
    details.says(&date);
}

#[tokio::test]
async fn pages_have_a_policy_without_inline_code_and_are_in_no_frame() {
    let server = page_server().await;
    let fixture = BookingFixture::new().await;
    let visitor = Visitor::at(&server, &fixture.host().await);
    let service = format!("/book/{}", fixture.service);
    for path in ["/book", &service, "/manage-appointment", "/book/done"] {
        let shown = visitor.get(path).await;
        let policy = shown.headers["content-security-policy"].to_str().expect("text").to_owned();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
        assert!(!policy.contains("unsafe") && policy.ends_with("frame-ancestors 'none'"), "{policy}");
        for inline in ["style=\"", "<style", "<script>", " onclick", "javascript:"] {
            assert!(!shown.html.contains(inline), "{path}: {inline}");
        }
        // All it loads is of this host.
        for part in shown.html.split("<link rel=\"stylesheet\" href=\"").skip(1) {
            let sheet = part.split('"').next().expect("an address");
            let loaded = visitor.get(sheet).await.expect(200);
            assert_eq!(loaded.headers["cache-control"], "public, max-age=31536000, immutable");
        }
    }
    let branding = json!({ "primary_color": "#ffdd00" });
    fixture.tenant.subscribe("enterprise").await;
    fixture.tenant.admin.patch("/api/v1/organizations/me/branding", branding).await.expect(200);
    visitor.get("/book").await.says("/assets/brand-ffdd00.css");
    visitor.get("/assets/brand-ffdd00.css").await.expect(200).says("--on-brand:#000000");
}

#[tokio::test]
async fn front_page_is_for_people_and_hosts_of_organizations_begin_with_booking() {
    let server = page_server().await;
    let fixture = BookingFixture::new().await;
    let host = fixture.host().await;
    let front = Visitor::at(&server, "localhost").get("/").await.expect(200);
    assert_eq!(front.link("/docs"), "/docs");
    assert_eq!(Visitor::at(&server, &host).get("/").await.location(), "/book");
    let slug = fixture.tenant.slug().await;
    let named = Visitor::at(&server, "localhost").get(&format!("/o/{slug}")).await;
    assert_eq!(named.location(), format!("/o/{slug}/book"));
}

#[tokio::test]
async fn page_below_a_former_slug_leads_to_the_present_one() {
    let server = page_server().await;
    let fixture = BookingFixture::new().await;
    let old = fixture.tenant.slug().await;
    let new = format!("n{old}");
    fixture.tenant.admin.patch("/api/v1/organizations/me", json!({ "slug": new })).await.expect(200);
    let visitor = Visitor::at(&server, "localhost");
    for path in ["/book".to_owned(), format!("/book/{}?lang=de&month=2031-05", fixture.service)] {
        let shown = visitor.get(&format!("/o/{old}{path}")).await;
        let to = format!("/o/{new}{path}");
        assert_eq!((shown.status, shown.headers["location"].to_str().ok()), (307, Some(&*to)));
        visitor.get(&format!("/o/{new}{path}")).await.expect(200);
    }
    // A form that was open meanwhile is sent on as it is.
    let sent = visitor.post(&format!("/o/{old}/book/{}/hold", fixture.service), &[("at", "x")]).await;
    let to = format!("/o/{new}/book/{}/hold", fixture.service);
    assert_eq!((sent.status, sent.headers["location"].to_str().ok()), (307, Some(&*to)));
}
