//! `appointd dev`, run as at a terminal.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use appointd::db::migrate;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::harness::{Folder, eventually};

/// A running `appointd dev` and what it has printed.
pub struct Dev {
    child: Child,
    welcome: Vec<String>,
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_appointd"));
    command
        .args(["dev", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(folder)
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

impl Dev {
    pub fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut child = command(folder, arguments).spawn().expect("the program runs");
        let mut errors = child.stderr.take().expect("a pipe");
        // Read, or the program would wait for us.
        let errors = std::thread::spawn(move || {
            let mut text = String::new();
            let _ = errors.read_to_string(&mut text);
            text
        });
        let mut welcome = Vec::new();
        for line in BufReader::new(child.stdout.take().expect("a pipe")).lines() {
            let line = line.expect("text");
            let last = line == "SQL";
            welcome.push(line);
            if last {
                return Self { child, welcome };
            }
        }
        let status = child.wait();
        panic!("it ended instead: {status:?} {welcome:?} {:?}", errors.join());
    }

    /// Books by pasting what was printed, where there is a curl to take it.
    #[track_caller]
    fn paste(&self, expected: &str) {
        paste(&self.welcome, expected);
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().expect("an id")), signal).expect("it runs");
    }

    fn stop(mut self, signal: Signal) {
        self.signal(signal);
        let started = Instant::now();
        assert!(self.child.wait().expect("an end").success(), "it ends in order");
        assert!(started.elapsed() < Duration::from_secs(20));
    }

    pub fn address(&self) -> String {
        let line = self.welcome.iter().find(|line| line.contains("running at")).expect("where it runs");
        line.split("http://").nth(1).expect("an address").to_owned()
    }

    /// The line that begins to enter an organization.
    fn psql_of_the_last(&self) -> &str {
        self.welcome.iter().find(|line| line.contains("postgresql:") && line.ends_with('\\')).expect("a line")
    }

    fn urls(&self) -> Vec<String> {
        let urls: Vec<_> = self
            .welcome
            .iter()
            .filter_map(|line| line.split('\'').nth(1).filter(|url| url.starts_with("postgresql:")))
            .map(ToOwned::to_owned)
            .collect();
        assert_eq!(urls.len(), 5, "{:#?}", self.welcome);
        urls
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks a database by one of the printed URLs, with psql where there is one.
fn ask(url: &str, sql: &str) -> String {
    match Command::new("psql").args([url, "-Atc", sql]).output() {
        Ok(output) => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        Err(_) => tokio::runtime::Runtime::new().expect("a runtime starts").block_on(async {
            let client = migrate::connect(&url.parse().expect("a URL")).await.expect("the database answers");
            let sql = format!("select ({sql})::text");
            client.query_one(&sql, &[]).await.expect("a row").get(0)
        }),
    }
}

#[test]
#[ignore = "brings a whole system up three times"]
fn printed_commands_work_and_data_outlives_restarts() {
    let folder = Folder::new();
    // A long and odd name works, too.
    let data = folder.0.join(format!("it's 100% \"ours\" & {}", "x".repeat(60)));
    let first = Dev::start(&data, &[]);
    assert!(first.welcome.iter().any(|line| line.contains("admin@acme.com") && line.contains("admin123")));
    for (url, role) in
        first.urls().iter().zip(["postgres", "appointd_owner", "appointd_api", "appointd_auditor"])
    {
        assert_eq!(ask(url, "select current_user"), role);
    }
    first.paste("HTTP/1.1 201 Created");
    first.paste("HTTP/1.1 409 Conflict");
    roles_see_what_is_printed(&first);

    outbox_shows_mails_and_webhooks(&first);

    // The same port, as when the command is typed a second time, or another.
    let address = first.address();
    for listen in [address.as_str(), "127.0.0.1:0"] {
        let mut second = Command::new(env!("CARGO_BIN_EXE_appointd"));
        second.args(["dev", "--listen", listen, "--data-dir"]).arg(&data);
        let said = refused(&mut second);
        assert!(said.contains("another `appointd dev` uses") && said.contains("--show"), "{said}");
    }
    let shown = command(&data, &["--show"]).output().expect("the program runs");
    let shown: Vec<_> =
        String::from_utf8(shown.stdout).expect("text").lines().map(ToOwned::to_owned).collect();
    assert_eq!(shown.len(), first.welcome.len() + 1, "{shown:#?}");
    assert!(shown.iter().any(|line| line.contains(&format!("running at http://{address}"))));
    // For now: the slot of before is taken, and another is free.
    paste(&shown, "HTTP/1.1 201 Created");

    let count = |dev: &Dev| {
        ask(&dev.urls()[0], "select count(*) from scheduling.appointments").parse::<u32>().expect("a count")
    };
    let booked = count(&first);
    assert!(booked > 200, "some weeks of appointments: {booked}");
    first.stop(Signal::SIGTERM);
    assert!(!data.join("cluster/data/postmaster.pid").exists(), "PostgreSQL has stopped, too");
    let said = refused(&mut command(&data, &["--show"]));
    assert!(said.contains("no `appointd dev` is running in"), "{said}");

    let again = Dev::start(&data, &[]);
    assert_eq!(count(&again), booked, "a second start keeps the data, and loads nothing twice");
    again.signal(Signal::SIGKILL);
    drop(again);
    let recovered = Dev::start(&data, &[]);
    assert_eq!(count(&recovered), booked);
    recovered.paste("HTTP/1.1 201 Created");
    let last = "select id from scheduling.appointments order by created_at desc limit 1";
    let last = ask(&recovered.urls()[0], last);
    recovered.stop(Signal::SIGINT);

    let reset = Dev::start(&data, &["--reset"]);
    let kept = format!("select count(*) from scheduling.appointments where id = '{last}'");
    assert_eq!(ask(&reset.urls()[0], &kept), "0", "the booking of the last one is gone");
    reset.stop(Signal::SIGTERM);
}

/// The lines from one that begins like this to the next that is empty, as they are copied.
#[track_caller]
fn block(welcome: &[String], first: &str) -> String {
    let from = welcome.iter().position(|line| line.starts_with(first)).expect(first);
    let lines: Vec<_> = welcome[from..].iter().take_while(|line| !line.is_empty()).cloned().collect();
    lines.join("\n")
}

/// What a shell says to lines that are pasted into it; none where it lacks a program.
fn pasted(lines: &str) -> Option<Output> {
    let output = Command::new("sh").args(["-c", lines]).output().expect("sh runs");
    if output.status.code() == Some(127) {
        eprintln!("not tried, a program is missing here: {lines}");
        return None;
    }
    Some(output)
}

#[track_caller]
fn paste(welcome: &[String], expected: &str) {
    if let Some(output) = pasted(&block(welcome, "TOKEN=")) {
        let answer = String::from_utf8_lossy(&output.stdout);
        assert_eq!(answer.lines().next(), Some(expected), "{answer}");
    }
}

/// The lines that send events to the outbox work, and it shows them and e-mails as text.
fn outbox_shows_mails_and_webhooks(dev: &Dev) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let sign_in = block(&dev.welcome, "TOKEN=").split("\ncurl").next().expect("a sign-in").to_owned();
    let lines = block(&dev.welcome, &format!("curl -i http://{}/api/v1/webhook-endpoints", dev.address()));
    let Some(output) = pasted(&format!("{sign_in}\n{lines}")) else { return };
    let answer = String::from_utf8_lossy(&output.stdout);
    assert_eq!(answer.lines().next(), Some("HTTP/1.1 201 Created"), "{answer}");
    let line = dev.welcome.iter().find(|line| line.starts_with("Outbox")).expect("where it is");
    let outbox = line.split_whitespace().nth(1).expect("a URL");
    runtime.block_on(async {
        let client = reqwest::Client::new();
        let email = client.post(format!("http://{}/api/v1/auth/password/forgot", dev.address()));
        let email = email.header("content-type", "application/json").body(r#"{"email":"admin@acme.com"}"#);
        assert!(email.send().await.expect("an answer").status().is_success());
        eventually(async || {
            let page = client.get(outbox).send().await.expect("a page").text().await.expect("text");
            let all = [
                "webhook-signature: v1,",
                "webhook_endpoint.created",
                "Set a new password",
                "&lt;appointd@localhost",
            ];
            all.iter().all(|part| page.contains(part)).then_some(())
        })
        .await;
    });
}

/// The lines for psql show what is said above them.
fn roles_see_what_is_printed(dev: &Dev) {
    let said = |lines: &str| {
        let output = pasted(lines)?;
        let text = [output.stdout, output.stderr].concat();
        Some(String::from_utf8(text).expect("text"))
    };
    let lines: Vec<_> = dev.welcome.iter().filter(|line| line.contains("-c 'select count(*)")).collect();
    let expected = ["", "would be affected", "  0", "permission denied"];
    assert_eq!(lines.len(), expected.len());
    for (line, expected) in lines.into_iter().zip(expected) {
        let Some(said) = said(line) else { return };
        assert!(said.contains(expected), "{line}: {said}");
    }
    let of_acme = "select count(*) from scheduling.appointments
        where tenant_id = (select id from tenancy.organizations where slug = 'acme')";
    let (all, own) =
        (ask(&dev.urls()[0], "select count(*) from scheduling.appointments"), ask(&dev.urls()[0], of_acme));
    let line = dev.welcome.iter().find(|line| line.contains("user=postgres")).expect("a line");
    assert!(said(line).expect("psql").contains(&all));
    let entered = said(&block(&dev.welcome, dev.psql_of_the_last())).expect("psql");
    let row =
        entered.lines().find(|line| line.contains('|') && !line.contains("organizations")).expect("a row");
    let row: Vec<_> = row.split('|').map(str::trim).collect();
    assert_eq!(row, [own.as_str(), "1"], "{entered}");
    assert_ne!(own, all);
}

#[test]
fn sign_ins_that_are_printed_let_in_and_the_text_fits_a_terminal() {
    let folder = Folder::new();
    let dev = Dev::start(&folder.0.join("data"), &[]);
    for line in
        dev.welcome.iter().filter(|line| !line.contains("postgresql:") && !line.starts_with("E-mails"))
    {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let table = dev.welcome.iter().skip_while(|line| !line.starts_with("e-mail"));
    let rows: Vec<Vec<&str>> = table
        .skip(1)
        .take_while(|line| !line.is_empty())
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert!(rows.len() > 7, "{:#?}", dev.welcome);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    for row in rows {
        let body = format!(r#"{{"email":"{}","password":"{}"}}"#, row[0], row[1]);
        let (status, answer) = runtime.block_on(async {
            let request = reqwest::Client::new().post(format!("http://{}/api/v1/auth/login", dev.address()));
            let answer = request.header("content-type", "application/json").body(body).send().await;
            let answer = answer.expect("an answer");
            (answer.status().as_u16(), answer.text().await.expect("text"))
        });
        // Of two organizations they have to say which.
        assert!(status == 200 || answer.contains("organization_ambiguous"), "{row:?}: {answer}");
    }
    dev.stop(Signal::SIGTERM);
}

#[test]
#[ignore = "brings a whole system up five times"]
fn stop_signal_during_start_stops_in_order() {
    let folder = Folder::new();
    let data = folder.0.join("data");
    for millis in [50, 700, 1500, 2500] {
        let mut child = command(&data, &["--reset"]).spawn().expect("the program runs");
        std::thread::sleep(Duration::from_millis(millis));
        kill(Pid::from_raw(child.id().try_into().expect("an id")), Signal::SIGTERM).expect("it runs");
        let status = child.wait().expect("an end");
        // At 50 ms the program does not handle the signal yet, and is ended by it.
        assert!(status.success() || millis == 50, "{millis}: {status}");
        assert!(!data.join("cluster/data/postmaster.pid").exists(), "{millis}: PostgreSQL has stopped, too");
    }
    Dev::start(&data, &[]).stop(Signal::SIGTERM);
}

#[test]
fn address_in_use_is_reported_at_once() {
    let folder = Folder::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let started = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_appointd"))
        .args(["dev", "--listen", &address, "--data-dir"])
        .arg(folder.0.join("data"))
        .output()
        .expect("the program runs");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains(&address) && said.contains("--listen"), "{said}");
    assert!(!folder.0.join("data").exists());
    assert!(started.elapsed() < Duration::from_secs(5));
}

/// What a program that fails says, in one line.
#[track_caller]
fn refused(command: &mut Command) -> String {
    let output = command.output().expect("the program runs");
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(!output.status.success() && said.lines().count() == 1, "{said}");
    said
}

#[test]
fn failure_to_start_prints_one_line_and_leaves_no_folder() {
    let folder = Folder::new();
    let data = folder.0.join("data");
    let said = refused(command(&data, &[]).env("APPOINTD_POSTGRES_BIN", "/nonexistent"));
    assert!(said.contains("no PostgreSQL 15 or newer"), "{said}");
    assert!(!data.exists());
    let said = refused(&mut command(&data, &["--show"]));
    assert!(said.contains("no `appointd dev` is running in"), "{said}");
    assert!(!data.exists());
    fs::write(&data, "a file").expect("a file in the way");
    let said = refused(&mut command(&data, &[]));
    assert!(said.contains(data.to_str().expect("text")), "{said}");
}
