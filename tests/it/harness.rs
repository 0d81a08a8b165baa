//! What tests are written with: a [`system`] to test, [`Tenant`]s with a person for each role, [`Answer`]s that are
//! checked against the description before a test sees them, and fixtures for what many tests begin with.

mod actor;
mod answer;
pub mod booking;
pub mod browser;
mod clusters;
mod description;
pub mod encrypted;
mod furnished;
pub mod guests;
pub mod hosts;
pub mod lists;
pub mod mail_server;
pub mod metrics;
pub mod people;
pub mod planned;
pub mod program;
pub mod raw;
pub mod receiver;
pub mod rules;
pub mod shared_person;
pub mod stream;
mod system;
mod tenant;
pub mod waiting;
pub mod walking;

pub use actor::{Actor, secret_of};
pub use answer::{Answer, outcomes};
pub use clusters::{
    Folder, Restartable, connect, load_demo, private_database, private_database_with, schemas,
    temporary_cluster, unmigrated_database,
};
pub use description::{Operation, document, misfits, operations, resolve, scopes, uuids_of_body};
pub use furnished::{Furnished, add_rows};
pub use system::{KEY, LINK_KEY, private_system, system, within};
pub use tenant::{PASSWORD, Tenant, enter, person, proofs, week};

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use serde_json::Value;

/// An e-mail address that no other test uses.
pub fn address() -> String {
    format!("a{}@example.com", uuid::Uuid::new_v4().simple())
}

/// An object with the fields of another put into it.
pub fn merged(mut object: Value, fields: &Value) -> Value {
    for (name, value) in fields.as_object().expect("an object") {
        object[name] = value.clone();
    }
    object
}

/// Asks again and again until there is an answer, for half a minute at most: what servers do every few seconds is done
/// by then.
pub async fn eventually<T>(ask: impl AsyncFn() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "it does not come about");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Compares a generated text with the one checked in. With `APPOINTD_UPDATE_SNAPSHOTS` set, writes it instead.
pub fn snapshot(file: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("APPOINTD_UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, text).expect("the snapshot can be written");
        return;
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    if committed == text {
        return;
    }
    let difference =
        committed.lines().zip(text.lines()).enumerate().find(|(_, (committed, now))| committed != now);
    panic!(
        "{file} is not current. First difference (line, committed, now): {difference:#?}\n\
         Review the change, and write it with: APPOINTD_UPDATE_SNAPSHOTS=1 cargo test"
    );
}
