//! The page of the API description in a real browser: headless Chromium, by its driver. A machine without them skips
//! this with a line; CI does not.

use std::{path::PathBuf, time::Duration};

use appointd::http::description::INTERNAL_PATHS;
use fantoccini::{Client, Locator, elements::Element, wd::TimeoutConfiguration};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use crate::{
    dev::Dev,
    harness::{
        Folder,
        browser::{Driver, HEIGHT},
        operations, resolve, system,
    },
};

/// The page with the description.
struct Page(Client);

impl Page {
    async fn open(browser: Client, address: &str) -> Self {
        let page = Self(browser);
        page.reload(address).await;
        page
    }

    async fn reload(&self, address: &str) {
        // Without the operation that the location names, which would be open.
        self.0.goto("about:blank").await.expect("a page");
        self.0.goto(&format!("http://{address}/docs")).await.expect("the page opens again");
        self.find(".opblock-tag").await;
    }

    /// The first element, once there is one.
    async fn find(&self, selector: &str) -> Element {
        let wait = self.0.wait().at_most(Duration::from_secs(20));
        wait.for_element(Locator::Css(selector)).await.unwrap_or_else(|error| panic!("{selector}: {error}"))
    }

    async fn texts(&self, selector: &str) -> Vec<String> {
        let mut texts = Vec::new();
        for element in self.0.find_all(Locator::Css(selector)).await.expect("elements") {
            texts.push(element.text().await.expect("text"));
        }
        texts
    }

    async fn click(&self, selector: &str) {
        self.find(selector).await.click().await.unwrap_or_else(|error| panic!("{selector}: {error}"));
    }

    /// Opens an operation in its tag.
    async fn unfold(&self, tag: &str, id: &str) -> String {
        let operation = format!(".opblock[id$='-{id}']");
        if self.0.find_all(Locator::Css(&operation)).await.expect("elements").is_empty() {
            self.click(&format!("[id='operations-tag-{}']", tag.replace(' ', "_"))).await;
        }
        self.click(&format!("{operation} .opblock-summary-control")).await;
        operation
    }

    /// Opens an operation, presses `Execute` and nothing else, and returns the status and the body of the answer.
    async fn execute(&self, tag: &str, id: &str) -> (String, Value) {
        let operation = self.unfold(tag, id).await;
        self.click(&format!("{operation} button.execute")).await;
        let status =
            self.find(&format!("{operation} .live-responses-table .response .response-col_status")).await;
        let status = status.text().await.expect("text");
        self.picture(id).await;
        let body = self.find(&format!("{operation} .live-responses-table .highlight-code code")).await;
        let body = body.prop("textContent").await.expect("a property").unwrap_or_default();
        (
            status.lines().next().unwrap_or_default().to_owned(),
            serde_json::from_str(&body).unwrap_or_default(),
        )
    }

    /// Keeps what the page looks like, for people.
    async fn picture(&self, name: &str) {
        let picture = self.0.screenshot().await.expect("a picture");
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("docs-{name}.png"));
        std::fs::write(path, picture).expect("a file");
    }
}

#[tokio::test]
#[ignore = "books in a browser: a minute"]
async fn docs_sign_in_and_book_by_pressing_execute_four_times() {
    let Some(driver) = Driver::start() else { return };
    let folder = Folder::new();
    let data = folder.0.join("data");
    let dev = spawn_blocking(move || Dev::start(&data, &[])).await.expect("it starts");
    let page = Page::open(driver.browser(&[]).await, &dev.address()).await;
    page.picture("first").await;

    let (status, tokens) = page.execute("Sign-in", "log_in").await;
    assert_eq!(status, "200", "{tokens}");
    for (tag, id, expected) in [
        ("Services", "list_services", "200"),
        ("Slots", "list_slots", "200"),
        ("Appointments", "create_appointment", "201"),
    ] {
        let (status, body) = page.execute(tag, id).await;
        assert_eq!(status, expected, "{id}: {body}");
    }
    // Authorization survives, and there is another slot.
    page.reload(&dev.address()).await;
    let (status, body) = page.execute("Appointments", "create_appointment").await;
    assert_eq!(status, "201", "{body}");

    let account = page.find("#account").await;
    account.select_by_label("admin@harbour.com · owner of Harbour Homes").await.expect("an account");
    page.click("#sign-in button").await;
    page.0.wait().for_element(Locator::Css("#signed-in:not(:empty)")).await.expect("a sentence");
    assert_eq!(page.texts("#signed-in").await, ["Signed in as admin@harbour.com."]);
    let (status, services) = page.execute("Services", "list_services").await;
    assert_eq!((status.as_str(), &services["items"][0]["name"]), ("200", &json!("Viewing")));
    page.0.close().await.expect("the browser ends");
}

/// Opens each of some operations alone, and returns their heights in pixels; -1 for one that does not open.
const HEIGHTS: &str = "
    const [operations, done] = arguments
    const next = () => new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))
    const measure = async () => {
        const heights = {}
        for (const [tag, id] of operations) {
            ui.layoutActions.show(['operations-tag', tag], true)
            ui.layoutActions.show(['operations', tag, id], true)
            const block = () => document.querySelector('.opblock.is-open .responses-inner')
            for (let tries = 0; tries < 200 && !block(); tries += 1) await next()
            await next()
            heights[id] = block() ? block().closest('.opblock').offsetHeight : -1
            ui.layoutActions.show(['operations', tag, id], false)
            ui.layoutActions.show(['operations-tag', tag], false)
            await next()
        }
        return heights
    }
    measure().then(done, (error) => done(String(error)))
";

/// Tag and id of the operations that say most before their answers, which are folded.
fn longest() -> Vec<(Value, String)> {
    let mut operations: Vec<_> = operations()
        .into_iter()
        .filter(|operation| !operation.path.starts_with(INTERNAL_PATHS))
        .map(|operation| {
            let said = [&operation.value["description"], &operation.value["parameters"]];
            let body = &operation.value["requestBody"]["content"]["application/json"];
            let example = &resolve(&body["schema"])["example"];
            let lines = serde_json::to_string_pretty(example).expect("JSON").lines().count();
            let length = said.iter().map(|part| part.to_string().len()).sum::<usize>() + 60 * lines;
            (length, operation.value["tags"][0].clone(), operation.id().to_owned())
        })
        .collect();
    operations.sort_by_key(|(length, ..)| std::cmp::Reverse(*length));
    operations.into_iter().take(10).map(|(_, tag, id)| (tag, id)).collect()
}

#[tokio::test]
#[ignore = "measures pages in a browser"]
async fn docs_group_and_find_operations_and_the_longest_are_two_screens_high() {
    let Some(driver) = Driver::start() else { return };
    let address = system().address.to_string();
    let page = Page::open(driver.browser(&[]).await, &address).await;
    assert_eq!(
        page.texts(".tag-group").await,
        ["IDENTITY", "TENANCY", "SCHEDULING", "CRM", "WORK", "MESSAGING", "OPERATIONS"]
    );
    assert!(
        !page.find("#sign-in").await.is_displayed().await.expect("a state"),
        "only dev has demo accounts"
    );

    page.find(".operation-filter-input").await.send_keys("undo appoint").await.expect("keys");
    page.find(".opblock[id$='-undo_appointment_transition']").await;
    assert_eq!(page.texts(".opblock-summary-operation-id").await, ["undo_appointment_transition"]);
    assert_eq!(page.texts(".tag-group").await, ["SCHEDULING"]);
    page.reload(&address).await;

    page.0.update_timeouts(patient()).await.expect("patience");
    let heights = page.0.execute_async(HEIGHTS, vec![json!(longest())]).await.expect("heights");
    for (id, height) in heights.as_object().expect("heights") {
        let height = height.as_i64().expect("pixels");
        assert!((1..=2 * HEIGHT).contains(&height), "{id} is {height} pixels high");
    }
    page.unfold("Slots", "list_slots").await;
    page.picture("opened").await;
    page.0.close().await.expect("the browser ends");
}

/// For a script that opens operations.
fn patient() -> TimeoutConfiguration {
    TimeoutConfiguration::new(Some(Duration::from_secs(100)), None, None)
}
