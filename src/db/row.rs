//! Rows as values. `row!` lists the columns of a type once, beside the type; tests/it/db/statements.rs compares them
//! with the columns of every statement that is read as that type. What cannot be read is an error that names the
//! statement and the column, and never the value.

use std::{cell::Cell, marker::PhantomData};

use serde::de::DeserializeOwned;
use tokio_postgres::{
    Row,
    types::{FromSql, FromSqlOwned, Type},
};

pub use super::error::Error;

/// A value that is read from a row. Modules implement it only with `row!`.
pub trait FromRow: Sized {
    fn from_row(row: &Columns<'_>) -> Result<Self, Error>;
}

/// A value whose first column is its key and never null. `Option` of such a value is `None` if that column is null: an
/// outer join, or a function that always returns a row, found nothing.
pub trait Keyed: FromRow {
    const KEY: &'static str;
}

/// The columns of one row, by name.
pub struct Columns<'a> {
    row: &'a Row,
    statement: &'static str,
    /// Where to look first for the next column, because most are read in their order.
    next: Cell<usize>,
}

impl<'a> Columns<'a> {
    pub(super) fn new(statement: &'static str, row: &'a Row) -> Self {
        Self { row, statement, next: Cell::new(0) }
    }

    /// The value of a column.
    pub fn read<T: FromSqlOwned>(&self, column: &str) -> Result<T, Error> {
        let columns = self.row.columns();
        let next = self.next.get();
        let at = match columns.get(next) {
            Some(found) if found.name() == column => Some(next),
            _ => columns.iter().position(|found| found.name() == column),
        };
        let at = at.ok_or_else(|| Error::unreadable(self.statement, column))?;
        self.next.set(at + 1);
        self.at(at)
    }

    /// The value of a JSON column. SQL's null is read as JSON's `null`.
    pub fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T, Error> {
        let json: Option<serde_json::Value> = self.read(column)?;
        serde_json::from_value(json.unwrap_or_default())
            .map_err(|_| Error::unreadable(self.statement, column))
    }

    fn at<T: FromSqlOwned>(&self, at: usize) -> Result<T, Error> {
        self.row.try_get(at).map_err(|_| {
            let column = self.row.columns().get(at).map_or("missing", |column| column.name());
            Error::unreadable(self.statement, column)
        })
    }
}

/// Whether a column of any type is null.
struct IsNull(bool);

impl FromSql<'_> for IsNull {
    fn from_sql(_: &Type, _: &[u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(false))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(true))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

impl<T: Keyed> FromRow for Option<T> {
    fn from_row(row: &Columns<'_>) -> Result<Self, Error> {
        let start = row.next.get();
        if row.read::<IsNull>(T::KEY)?.0 {
            return Ok(None);
        }
        row.next.set(start);
        T::from_row(row).map(Some)
    }
}

/// A row of which only the existence matters.
impl FromRow for () {
    fn from_row(_: &Columns<'_>) -> Result<Self, Error> {
        Ok(())
    }
}

/// The only column of a row.
impl<A: FromSqlOwned> FromRow for (A,) {
    fn from_row(row: &Columns<'_>) -> Result<Self, Error> {
        Ok((row.at(0)?,))
    }
}

/// The two columns of a row. For more columns, define a type with names.
impl<A: FromSqlOwned, B: FromSqlOwned> FromRow for (A, B) {
    fn from_row(row: &Columns<'_>) -> Result<Self, Error> {
        Ok((row.at(0)?, row.at(1)?))
    }
}

/// Rows that are read later, when no connection is held.
pub struct Unread<R> {
    statement: &'static str,
    rows: Vec<Row>,
    of: PhantomData<fn() -> R>,
}

impl<R: FromRow> Unread<R> {
    pub(super) fn new(statement: &'static str, rows: Vec<Row>) -> Self {
        Self { statement, rows, of: PhantomData }
    }

    /// The number of rows.
    pub fn count(&self) -> usize {
        self.rows.len()
    }

    /// Reads the rows one after the other.
    pub fn read(&self) -> impl Iterator<Item = Result<R, Error>> {
        self.rows.iter().map(|row| R::from_row(&Columns::new(self.statement, row)))
    }
}

/// Lists the columns of a type: `row! { Contact { id, name, … } }`. A field is read from the column with its name,
/// unless `from = from_instant` names another one. `segments as json` is read from JSON. `limits: Limits` is read from
/// columns of the same row, and `offer: Option<Offer>` is `None` if the first of them is null. Fields after a semicolon
/// have no column.
macro_rules! row {
    ($name:ident {
        $($field:ident $(= $column:ident)? $(as $json:ident)? $(: $part:ty)?),+ $(,)?
        $(; $($other:ident: $value:expr),+ $(,)?)?
    }) => {
        impl $crate::db::row::FromRow for $name {
            fn from_row(row: &$crate::db::row::Columns<'_>) -> Result<Self, $crate::db::row::Error> {
                Ok(Self {
                    $($field: $crate::db::row::row!(@read row $field [$($column)?] [$($json)?] [$($part)?]),)+
                    $($($other: $value,)+)?
                })
            }
        }

        impl $crate::db::row::Keyed for $name {
            const KEY: &'static str = [$($crate::db::row::row!(@name $field [$($column)?])),+][0];
        }
    };
    (@read $row:ident $field:ident [] [] [$part:ty]) => {
        <$part as $crate::db::row::FromRow>::from_row($row)?
    };
    (@read $row:ident $field:ident [$($column:ident)?] [json] []) => {
        $row.json($crate::db::row::row!(@name $field [$($column)?]))?
    };
    (@read $row:ident $field:ident [$($column:ident)?] [] []) => {
        $row.read($crate::db::row::row!(@name $field [$($column)?]))?
    };
    (@name $field:ident []) => { stringify!($field) };
    (@name $field:ident [$column:ident]) => { stringify!($column) };
}
pub(crate) use row;
