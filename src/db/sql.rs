//! Statements as values: [`sql!`](crate::sql) reads one from a file below `sql/queries` at compile time.

use std::marker::PhantomData;

use tokio_postgres::types::ToSql;

use super::error::Error;

/// Parameters of a statement, without the `$1` that the door binds.
pub type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A statement that the server may send, and what its rows are read as. Only [`sql!`](crate::sql) creates it, from a
/// file below `sql/queries`, so every statement is a file that a DBA can read.
pub struct Sql<R = ()> {
    pub(super) name: &'static str,
    pub(super) text: &'static str,
    pub(super) binds: Binds,
    rows: PhantomData<fn() -> R>,
}

impl<R> Clone for Sql<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Sql<R> {}

/// What the door, never a handler, binds as `$1`. The first line of the file says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binds {
    /// `-- $1 tenant_id`: the tenant that was entered.
    Tenant,
    /// `-- $1 account_id`: the signed-in account.
    Account,
    Nothing,
}

impl<R> Sql<R> {
    #[doc(hidden)]
    pub const fn from_file(name: &'static str, text: &'static str) -> Self {
        // After the name, which `sql!` writes in front.
        let at = name.len() + "-- \n".len();
        let binds = if has_at(text, at, "-- $1 tenant_id") {
            Binds::Tenant
        } else if has_at(text, at, "-- $1 account_id") {
            Binds::Account
        } else {
            Binds::Nothing
        };
        Self { name, text, binds, rows: PhantomData }
    }

    /// The statement without its type of rows, for code that sends it and reads no row.
    pub(super) const fn unread(self) -> Sql {
        Sql { name: self.name, text: self.text, binds: self.binds, rows: PhantomData }
    }

    /// The error for a column of its rows that this version cannot read.
    pub fn unreadable(self, column: &str) -> Error {
        Error::unreadable(self.name, column)
    }

    /// The file, relative to `sql/queries`.
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

const fn has_at(text: &str, start: usize, part: &str) -> bool {
    let (text, part) = (text.as_bytes(), part.as_bytes());
    if text.len() < start + part.len() {
        return false;
    }
    let mut at = 0;
    while at < part.len() {
        if text[start + at] != part[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// The statement in `sql/queries/<file>`, read at compile time. Its name is its first line, for `pg_stat_statements`,
/// `pg_stat_activity` and the log of PostgreSQL. Behind the file, `as Contact` names what its rows are read as: a
/// type with a `row!`, an `Option` of one, or a tuple of one or two columns.
#[macro_export]
macro_rules! sql {
    ($file:literal) => {
        $crate::sql!($file as ())
    };
    ($file:literal as $row:ty) => {
        const {
            $crate::db::sql::Sql::<$row>::from_file(
                $file,
                concat!(
                    "-- ",
                    $file,
                    "\n",
                    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/sql/queries/", $file))
                ),
            )
        }
    };
}
