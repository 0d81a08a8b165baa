//! Pages in a real browser: at a desk and on a telephone, with and without scripts, in a right-to-left language, and by
//! the rules of axe (WCAG 2.2 A and AA).

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use appointd::server::Server;
use fantoccini::{Client, Locator, elements::Element};
use serde_json::{Value, json};

use crate::harness::{
    Actor, PASSWORD, address, booking::BookingFixture, browser::Driver, guests::contact, people::page_server,
    system,
};

/// A telephone that is small, and a window on a desk.
const WIDTHS: [u32; 2] = [360, 1280];

/// The rules of axe, which `.ci/run` fetches.
fn axe() -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/axe-core/axe.min.js");
    let rules = std::fs::read_to_string(path).ok();
    if rules.is_none() {
        let required = std::env::var_os("APPOINTD_TOOLS_REQUIRED").is_some_and(|value| !value.is_empty());
        assert!(!required, "run .ci/axe, which fetches axe-core");
        eprintln!("not checked with axe: .ci/axe fetches it");
    }
    rules
}

/// Someone who walks through pages of a host.
struct Walk {
    browser: Client,
    base: String,
    axe: Option<String>,
}

impl Walk {
    fn new(browser: Client, server: &Server, host: &str) -> Self {
        Self { browser, base: format!("http://{host}:{}", server.address().port()), axe: axe() }
    }

    async fn open(&self, path: &str) {
        self.browser.goto(&format!("{}{path}", self.base)).await.expect("a page");
    }

    async fn find(&self, selector: &str) -> Element {
        let wait = self.browser.wait().at_most(Duration::from_secs(20));
        let found = wait.for_element(Locator::Css(selector)).await;
        match found {
            Ok(element) => element,
            Err(error) => panic!("{selector}: {error}\n{}", self.browser.source().await.unwrap_or_default()),
        }
    }

    async fn click(&self, selector: &str) {
        self.find(selector).await.click().await.unwrap_or_else(|error| panic!("{selector}: {error}"));
    }

    async fn type_into(&self, selector: &str, text: &str) {
        self.find(selector).await.send_keys(text).await.expect("keys");
    }

    async fn heading(&self) -> String {
        self.find("h1").await.text().await.expect("text")
    }

    async fn path(&self) -> String {
        let url = self.browser.current_url().await.expect("an address");
        format!("{}{}", url.path(), url.fragment().map(|fragment| format!("#{fragment}")).unwrap_or_default())
    }

    async fn run(&self, script: &str) -> Value {
        self.browser.execute(script, vec![]).await.expect("a value")
    }

    /// A picture of the page at each width, which nothing overflows, and which axe finds nothing in.
    async fn check(&self, name: &str) {
        for width in WIDTHS {
            self.browser.set_window_size(width, 1300).await.expect("a size");
            let measured = self
                .run(
                    "const { clientWidth, scrollWidth } = document.documentElement
                    return [innerWidth, scrollWidth - clientWidth, performance.getEntriesByType('resource')
                        .map((one) => new URL(one.name).origin)
                        .filter((origin) => origin !== location.origin && origin !== 'null')]",
                )
                .await;
            assert_eq!(measured[0], json!(width), "{name}");
            assert_eq!(measured[1], json!(0), "{name} overflows at {width}");
            assert_eq!(measured[2], json!([]), "{name}: nothing is loaded from elsewhere");
            self.picture(&format!("{name}-{width}")).await;
            if let Some(axe) = &self.axe {
                self.run(axe).await;
                let found = self.browser.execute_async(AXE, vec![]).await.expect("findings");
                assert_eq!(found, json!([]), "{name} at {width}");
            }
        }
    }

    async fn picture(&self, name: &str) {
        let picture = self.browser.screenshot().await.expect("a picture");
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("pages-{name}.png"));
        std::fs::write(path, picture).expect("a file");
    }

    async fn end(self) {
        self.browser.close().await.expect("the browser ends");
    }
}

/// What axe finds, by its rules and where.
const AXE: &str = "
    const done = arguments[arguments.length - 1]
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
    const where = (found) => found.nodes.map((node) => node.target.join(' ') + ' ' + node.failureSummary)
    axe.run(document, { runOnly: tags }).then(
        (result) => done(result.violations.map((found) => [found.id, where(found)])),
        (error) => done(String(error)),
    )
";

/// An organization with two providers and a few services.
async fn salon() -> BookingFixture {
    let rules = json!({
        "name": "Cut and finish", "duration_minutes": 45, "slot_step_minutes": 45, "price_amount": 4200,
        "price_currency": "EUR", "description": "Wash, cut, blow-dry. For every length of hair.",
        "cancellation_notice_minutes": 1440,
    });
    let fixture = BookingFixture::with(rules).await;
    fixture.tenant.provider().await;
    for (name, minutes, price) in [("Colour", 120, 9500), ("Beard trim", 20, 1800)] {
        let service = json!({
            "name": name, "duration_minutes": minutes, "slot_step_minutes": 30, "price_amount": price,
            "price_currency": "EUR", "requires_approval": minutes == 120,
        });
        fixture.tenant.service_with(service).await;
    }
    let branding = json!({ "display_name": "Acme Hair & Beard" });
    fixture.tenant.admin.patch("/api/v1/organizations/me/branding", branding).await.expect(200);
    fixture
}

/// The link of a page in the latest e-mail that has one.
async fn link(email: &str, mails: usize, page: &str) -> String {
    let mails = system().mails_to(email, mails).await;
    let link = mails.iter().rev().find_map(|mail| mail.split(&format!("{page}#token=")).nth(1));
    format!("/{page}#token={}", link.expect("a link").split_whitespace().next().expect("a token"))
}

/// From the services to the confirmation, by clicking.
async fn book(walk: &Walk, email: &str, checks: bool) {
    let check = async |name: &str| {
        if checks {
            walk.check(name).await;
        }
    };
    walk.open("/book").await;
    check("services").await;
    walk.click("a.service").await;
    assert_eq!(walk.heading().await, "Choose a time");
    walk.click(".who a:nth-of-type(2)").await;
    walk.find(".who a:nth-of-type(2)[aria-current]").await;
    // Of the next month, near its end: long enough from now that it can be moved.
    walk.click(".monthbar a:last-child").await;
    walk.click("tbody tr:last-child td a").await;
    assert!(walk.path().await.ends_with("#times"), "the times of the day are in view");
    check("when").await;
    walk.click(".slots li:last-child button").await;
    walk.find("#first_name").await;
    check("details").await;
    walk.click("form[novalidate] button").await;
    walk.find("#email").await;
    walk.find("[role=alert]").await;
    check("mistakes").await;
    walk.type_into("#first_name", "Grace").await;
    walk.type_into("#last_name", "Hopper").await;
    walk.type_into("#email", email).await;
    walk.click("form[novalidate] button").await;
    walk.find(".ok").await;
    assert_eq!(walk.heading().await, "You are booked");
    check("booked").await;
}

#[tokio::test]
#[ignore = "walks through pages in a browser"]
async fn guest_books_moves_and_cancels_in_a_browser() {
    let Some(driver) = Driver::start() else { return };
    let (server, fixture) = (page_server().await, salon().await);
    let host = fixture.host().await;
    let walk = Walk::new(driver.browser(&[]).await, &server, &host);
    let email = address();
    book(&walk, &email, true).await;
    walk.browser.refresh().await.expect("again");
    walk.find(".ok").await;
    // Back, to what was refused, and sent again: the same appointment.
    walk.browser.back().await.expect("back");
    walk.find("[role=alert]").await;
    for (field, text) in [("#first_name", "Grace"), ("#last_name", "Hopper")] {
        walk.find(field).await.clear().await.expect("a field");
        walk.type_into(field, text).await;
    }
    walk.click("form[novalidate] button").await;
    walk.find(".ok").await;
    let now = chrono::Utc::now();
    let (from, to) = (now.date_naive(), now.date_naive() + chrono::Days::new(60));
    let path = format!("/api/v1/appointments?from={from}&to={to}");
    let booked = fixture.tenant.viewer.get(&path).await.expect(200);
    assert_eq!(booked["items"].as_array().expect("items").len(), 1);

    let guest = Walk::new(driver.browser(&[]).await, &server, "localhost");
    system().tell(fixture.tenant.id).await;
    guest.open(&link(&email, 1, "manage-appointment").await).await;
    guest.find(".date").await;
    assert_eq!(guest.path().await, "/manage-appointment", "no secret is in the address");
    guest.check("manage").await;
    guest.click("a[href$='/move']").await;
    guest.find("table.month").await;
    guest.check("move").await;
    guest.click(".monthbar a:last-child").await;
    guest.click("tbody tr:last-child td a").await;
    guest.click(".slots li:first-child button").await;
    guest.find("[role=status]").await;
    guest.check("moved").await;
    guest.click("a[href$='/cancel']").await;
    guest.find("textarea").await;
    guest.check("cancel").await;
    guest.click("button.danger").await;
    guest.find("[role=status]").await;
    guest.check("cancelled").await;
    walk.end().await;
    guest.end().await;
}

#[tokio::test]
#[ignore = "walks through pages in a browser"]
async fn guest_books_without_scripts() {
    let Some(driver) = Driver::start() else { return };
    let (server, fixture) = (page_server().await, salon().await);
    let host = fixture.host().await;
    let walk = Walk::new(driver.without_scripts().await, &server, &host);
    let email = address();
    book(&walk, &email, false).await;
    // Without scripts the secret is pasted.
    system().tell(fixture.tenant.id).await;
    let token = link(&email, 1, "manage-appointment").await.split_once('=').expect("a token").1.to_owned();
    walk.open("/manage-appointment").await;
    walk.type_into("#token", &token).await;
    walk.click("form button").await;
    walk.find(".date").await;
    walk.picture("without-scripts").await;
    walk.end().await;
}

#[tokio::test]
#[ignore = "walks through pages in a browser"]
async fn month_is_walked_by_keys_and_the_own_time_stands_beside() {
    let Some(driver) = Driver::start() else { return };
    let (server, fixture) = (page_server().await, salon().await);
    let host = fixture.host().await;
    let zone = json!({ "time_zone": "Asia/Tokyo" });
    fixture.tenant.admin.patch("/api/v1/organizations/me", zone).await.expect(200);
    for (language, on) in [("en", "ArrowRight"), ("ar", "ArrowLeft")] {
        let walk = Walk::new(driver.browser(&[]).await, &server, &host);
        walk.open(&format!("/book/{}?lang={language}", fixture.service)).await;
        let focus = "document.querySelectorAll('td a')[0].focus()";
        walk.run(focus).await;
        let press = |key: &str| {
            format!(
                "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {{ key: '{key}', bubbles: true }}));
                 return [...document.querySelectorAll('td a')].indexOf(document.activeElement)"
            )
        };
        let last = walk.run("return document.querySelectorAll('td a').length - 1").await;
        if last.as_i64() > Some(0) {
            assert_eq!(walk.run(&press(on)).await, json!(1), "{language}");
        }
        assert_eq!(walk.run(&press("End")).await, last);
        assert_eq!(walk.run(&press("Home")).await, json!(0));
        let own = walk.find(".slot .own").await.text().await.expect("text");
        assert!(own.contains(':'), "{own}");
        walk.check(&format!("when-{language}")).await;
        walk.end().await;
    }
}

#[tokio::test]
#[ignore = "walks through pages in a browser"]
async fn person_sets_a_password_accepts_an_invitation_and_takes_an_offer_in_a_browser() {
    let Some(driver) = Driver::start() else { return };
    let (server, fixture) = (page_server().await, salon().await);
    let walk = Walk::new(driver.browser(&[]).await, &server, "localhost");
    walk.open("/").await;
    walk.check("front").await;
    walk.open("/book").await;
    walk.check("not-found").await;

    let email = address();
    let slug = format!("r{}", uuid::Uuid::new_v4().simple());
    let body = json!({
        "email": email, "password": PASSWORD, "organization_name": "Registered", "organization_slug": slug,
    });
    Actor::anonymous().post("/api/v1/auth/register", body).await.expect(201);
    walk.open(&link(&email, 1, "verify-email").await).await;
    walk.find("#password").await;
    walk.check("verify-email").await;
    walk.open("/forgot-password").await;
    walk.check("forgot-password").await;
    walk.type_into("#email", &email).await;
    walk.click("form button").await;
    walk.find("h1").await;
    walk.open(&link(&email, 2, "reset-password").await).await;
    walk.find("#password").await;
    assert_eq!(walk.path().await, "/reset-password", "no secret is in the address");
    assert!(!walk.find("#token").await.is_displayed().await.expect("a state"));
    walk.check("reset-password").await;
    walk.type_into("#password", "seven quiet copper lanterns").await;
    walk.click("form button").await;
    walk.find("h1 ~ p, .card p").await;
    assert_eq!(walk.heading().await, "Your password is set");

    let invited = address();
    let body = json!({ "email": invited, "role": "staff" });
    fixture.tenant.admin.post("/api/v1/invitations", body).await.expect(201);
    walk.open(&link(&invited, 1, "accept-invitation").await).await;
    walk.find("#password").await;
    walk.check("accept-invitation").await;

    // Of both providers.
    for _ in 0..2 {
        let other = json!({
            "service_id": fixture.service, "contact_id": fixture.tenant.contact().await,
            "starts_at": "2031-05-05T09:00:00Z",
        });
        fixture.tenant.staff.post("/api/v1/appointments", other).await.expect(201);
    }
    let waiting = json!({
        "service_id": fixture.service, "provider_id": fixture.provider, "contact": contact(&address()),
        "from": "2031-05-05T09:00:00Z", "to": "2031-05-05T09:15:00Z",
    });
    let slug = fixture.tenant.slug().await;
    let path = format!("/api/v1/guest/waitlist?organization_slug={slug}");
    let entry = Actor::anonymous().post(&path, waiting).await.expect(201);
    let token = entry["manage_token"].as_str().expect("a token");
    walk.open(&format!("/waitlist-entry#token={token}")).await;
    walk.find("form button.second").await;
    walk.check("waiting").await;
    walk.open(&format!("/o/{slug}/book/{}/waitlist", fixture.service)).await;
    walk.check("join-waitlist").await;
    walk.end().await;
}
