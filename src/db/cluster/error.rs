use std::io;

/// The oldest PostgreSQL version that supports the migrations.
pub const OLDEST: u32 = 15;

/// Why a cluster cannot be used, for the person at the terminal.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "no PostgreSQL {OLDEST} or newer found (looked in $APPOINTD_POSTGRES_BIN, PATH, pg_config and the usual folders); \
         install it (Debian and Ubuntu: apt-get install postgresql; macOS: brew install postgresql@17)"
    )]
    NotFound,
    #[error("{what}: {why}")]
    Failed { what: String, why: String },
}

/// Says what was being done when the system failed.
pub fn failed(what: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
    let what = what.into();
    move |error| Error::Failed { what, why: error.to_string() }
}
