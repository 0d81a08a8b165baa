//! The wall around pages: no page of one organization shows another's, and no form of another site is taken.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::json;

use crate::{
    db::statements::root,
    harness::{
        address,
        booking::BookingFixture,
        people::{Shown, Visitor, hidden, page_server},
    },
};

/// What takes a form, and changes or opens something.
const FORMS: &[&str] = &[
    "/book/{service}/hold",
    "/book/{service}/confirm",
    "/book/{service}/release",
    "/book/{service}/waitlist",
    "/o/{slug}/book/{service}/hold",
    "/o/{slug}/book/{service}/confirm",
    "/manage-appointment/open",
    "/manage-appointment/move",
    "/manage-appointment/cancel",
    "/verify-booking",
    "/verify-booking/open",
    "/waitlist-entry/open",
    "/waitlist-entry/accept",
    "/waitlist-entry/decline",
    "/waitlist-entry/withdraw",
    "/forgot-password",
    "/reset-password",
    "/verify-email",
    "/accept-invitation/open",
    "/accept-invitation/accept",
];

/// The paths of `src/pages.rs` that take a form.
fn routes() -> BTreeSet<String> {
    let code = std::fs::read_to_string(root().join("src/pages.rs")).expect("a file");
    let takes = |route: &&str| route.contains("sent_to(") || route.contains("post(page(");
    let path = |route: &str| Some(route.split('"').nth(1)?.replace(":service", "{service}"));
    let body = code.split("/// What a form is sent to").next().expect("routes");
    body.split(".at(").skip(1).filter(takes).filter_map(path).collect()
}

#[tokio::test]
async fn forms_of_other_sites_are_refused() {
    let tried = FORMS.iter().filter(|path| !path.starts_with("/o/")).map(|path| (*path).to_owned());
    assert_eq!(tried.collect::<BTreeSet<_>>(), routes());
    let server = page_server().await;
    let fixture = BookingFixture::new().await;
    let host = fixture.host().await;
    let slug = fixture.tenant.slug().await;
    let visitor = Visitor::at(&server, &host);
    let own = format!("http://{host}:{}", server.address().port());
    let own = own.as_str();
    let ours = format!("https://{host}:{}", server.address().port());
    for path in FORMS {
        let path = path.replace("{service}", &fixture.service).replace("{slug}", &slug);
        let send = async |headers: &[(&str, &str)]| {
            visitor.send(Method::POST, &path, &[("token", "x")], headers).await.status
        };
        for forged in [
            &[][..],
            &[("sec-fetch-site", "cross-site")],
            // A neighbour below the same domain.
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "none")],
            &[("sec-fetch-site", "same-site"), ("origin", own)],
            &[("origin", "null")],
            &[("origin", "https://evil.example")],
            &[("origin", "http://evil.localhost")],
        ] {
            assert_eq!(send(forged).await, 403, "{path} {forged:?}");
        }
        for taken in [&[("sec-fetch-site", "same-origin")], &[("origin", own)], &[("origin", &*ours)]] {
            assert_ne!(send(taken).await, 403, "{path} {taken:?}");
        }
    }
}

/// What is the same on both pages although the request is another.
fn same(shown: Shown) -> (u16, String) {
    let text = shown.html.split("<p class=\"small soft\">").next().unwrap_or_default().to_owned();
    (shown.status, text)
}

#[tokio::test]
async fn page_of_one_organization_shows_nothing_of_another() {
    let server = page_server().await;
    let (mine, other) = (BookingFixture::new().await, BookingFixture::new().await);
    let (host, other_host) = (mine.host().await, other.host().await);
    let visitor = Visitor::at(&server, &host);
    let other_slug = other.tenant.slug().await;

    // A foreign service is answered as one that does not exist.
    let missing = uuid::Uuid::now_v7().to_string();
    for path in ["/book/{}", "/book/{}/details?starts_at=2031-05-05T09:00:00Z", "/book/{}/waitlist"] {
        let foreign = same(visitor.get(&path.replace("{}", &other.service)).await);
        let nothing = same(visitor.get(&path.replace("{}", &missing)).await);
        assert_eq!(foreign.0, 404, "{path}");
        assert_eq!(foreign.1.replace(&other.service, &missing), nothing.1, "{path}");
    }
    // Another organization's slug at this host leads nowhere.
    visitor.get(&format!("/o/{other_slug}/book")).await.expect(404);
    visitor.get(&format!("/o/{other_slug}/book/{}", other.service)).await.expect(404);

    // A hold and an appointment of the other organization, in addresses and forms of this one.
    let guest = Visitor::at(&server, &other_host);
    let (_, details) = other.choose(&guest, "").await;
    let hold = details.value("hold");
    let mine_released = format!("/book/{}/release", mine.service);
    visitor.post(&mine_released, &[("hold", &hold)]).await.location();
    let (form, email) = (hidden(&details), address());
    let path = format!("/book/{}/confirm", other.service);
    visitor.post(&path, &other.filled(&form, &email)).await.expect(404);
    let (to, _) = guest.follow(&path, &other.filled(&form, &email)).await;
    for (at, path) in [
        (host.as_str(), to.clone()),
        ("localhost", format!("/o/{}{to}", mine.tenant.slug().await)),
        (host.as_str(), to.replace("/book/done", "/book/calendar.ics")),
    ] {
        Visitor::at(&server, at).get(&path).await.expect(404);
    }
    guest.get(&to).await.expect(200);

    // The link of a guest of the other organization, at this host.
    let body = other.guest_body("2031-05-05T09:00:00Z", Some(&address()));
    let booked = other.as_guest("appointments", body).await.expect(201);
    let token = booked["manage_token"].as_str().expect("a token");
    visitor.post("/manage-appointment/open", &[("token", token)]).await.location();
    for path in ["/manage-appointment", "/manage-appointment/move", "/manage-appointment/cancel"] {
        let refused = visitor.get(path).await.expect(404);
        assert!(!refused.html.contains("Ada"), "{}", refused.html);
    }
    for path in ["/manage-appointment/cancel", "/manage-appointment/move", "/waitlist-entry/accept"] {
        let refused = visitor.post(path, &[("starts_at", "2031-05-05T10:00:00Z")]).await;
        assert_eq!(refused.status, 404, "{path}: {}", refused.html);
    }
    visitor.get("/waitlist-entry").await.expect(404);
    let body = json!({ "token": token });
    let seen = crate::harness::Actor::anonymous().post("/api/v1/guest/appointment", body).await.expect(200);
    assert_eq!(seen["status"], "confirmed");
}

#[tokio::test]
async fn names_that_people_wrote_are_text() {
    let server = page_server().await;
    let fixture =
        BookingFixture::with(json!({ "name": "<img src=x onerror=alert(1)>", "description": "\"><script>" }))
            .await;
    let visitor = Visitor::at(&server, &fixture.host().await);
    for path in ["/book".to_owned(), format!("/book/{}", fixture.service)] {
        let shown = visitor.get(&path).await.expect(200);
        assert!(!shown.html.contains("<img src=x") && !shown.html.contains("\"><script>"), "{}", shown.html);
        shown.says("img src=x onerror");
    }
}
