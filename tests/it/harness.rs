//! What tests are written with: a [`System`] to test, [`Tenant`]s with a person for each role, [`Answer`]s that are
//! checked against the description before a test sees them.

mod actor;
mod answer;
mod description;
mod system;
mod tenant;

pub use actor::Actor;
pub use answer::Answer;
pub use description::{Operation, document, operations, scopes, uuids_of_body};
pub use system::{KEY, private_database, private_system, schemas, system, within};
pub use tenant::{Furnished, PASSWORD, Tenant, add_rows, enter, person};

use std::path::PathBuf;

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
