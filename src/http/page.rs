//! Pagination: pages in a stable order, each with a cursor to the next one.

use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use poem::{Request, RequestBody, Result};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions, Object,
    param::Query,
    registry::{MetaParamIn, MetaSchema, MetaSchemaRef},
    types::{ParseFromJSON, ParseFromParameter, ToJSON, Type},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{
    schema::{schema_type, serde_error},
    values::{List, Number},
};

/// The maximum number of items of a page, 1 to 100.
type PageSize = Number<1, 100>;

/// The default page size.
const DEFAULT_PAGE_SIZE: PageSize = Number(50);

/// The query parameters of every list: `limit` and `cursor`.
#[derive(Clone, Copy, Debug)]
pub struct Paging {
    size: PageSize,
    cursor: Option<Cursor>,
    list: ListKey,
}

impl Paging {
    /// The largest page after an id, for pages that show a whole list.
    pub fn largest(after: Uuid) -> Self {
        Self { size: Number(100), cursor: Some(Cursor::id(after)), list: ListKey::default() }
    }

    /// The number of rows to fetch: one more than fits, which shows whether more follow.
    pub fn rows(self) -> i64 {
        i64::from(self.size.0) + 1
    }

    /// Where the page begins. None: at the beginning of the list.
    pub fn cursor(self) -> Option<Cursor> {
        self.cursor
    }

    /// The id after which the page begins, for lists in the order of ids.
    pub fn after_id(self) -> Uuid {
        self.cursor.map_or(Uuid::nil(), |cursor| cursor.id)
    }

    /// The position after which the page begins, for lists in the order of time that begin at `from`. Every id is
    /// greater than the nil UUID.
    pub fn after(self, from: DateTime<Utc>) -> Cursor {
        self.cursor.filter(|cursor| cursor.time >= from).unwrap_or(Cursor::new(from, Uuid::nil()))
    }

    /// The positions between which the page lies, for lists of a period in either order.
    pub fn between(self, from: DateTime<Utc>, to: DateTime<Utc>, order: Order) -> (Cursor, Cursor) {
        let end = Cursor::new(to, Uuid::nil());
        match order {
            Order::Ascending => (self.after(from), end),
            Order::Descending => {
                let before = self.cursor.filter(|cursor| cursor.time < to).unwrap_or(end);
                (Cursor::new(from, Uuid::nil()), before)
            }
        }
    }

    /// The page made of the fetched [`rows`](Self::rows).
    pub fn of<T>(self, mut items: Vec<T>, cursor: impl FnOnce(&T) -> Cursor) -> Page<T>
    where
        T: ParseFromJSON + ToJSON + Type + Send + Sync,
    {
        let size = self.size.0 as usize;
        let more = items.len() > size;
        items.truncate(size);
        let next_cursor = items.last().filter(|_| more).map(|last| cursor(last).of(self.list).encode());
        Page { items, next_cursor }
    }
}

impl<'a> ApiExtractor<'a> for Paging {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];
    type ParamType = ();
    type ParamRawType = ();

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Query)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        Some(group(vec![
            ("limit", PageSize::schema_ref(), "Items per page. Defaults to 50."),
            ("cursor", Cursor::schema_ref(), "The `next_cursor` of the previous page, of the same list."),
        ]))
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> Result<Self> {
        let size = query(request, body, "limit").await?.unwrap_or(DEFAULT_PAGE_SIZE);
        // That it is a cursor of this list is checked with the query.
        let cursor = query(request, body, "cursor").await?;
        Ok(Self { size, cursor, list: ListKey::of(request) })
    }
}

/// Which list a cursor belongs to: a digest of its path, filters and order. In another list, or another order of it,
/// the position would mean other items, and pages would lack some of them or repeat them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListKey([u8; 6]);

impl ListKey {
    /// The list that a request reads.
    pub fn of(request: &Request) -> Self {
        // What changes neither the items nor their order.
        const ASIDE: [&str; 5] = ["cursor", "limit", "include", "page", "page_size"];
        let query = form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes());
        let parameters: BTreeSet<_> = query.filter(|(name, _)| !ASIDE.contains(&name.as_ref())).collect();
        let mut digest = Sha256::new_with_prefix(request.uri().path());
        for (name, value) in parameters {
            // Neither a path nor a parameter contains NUL: the texts cannot run into each other.
            for text in [name, value] {
                digest.update(b"\0");
                digest.update(text.as_bytes());
            }
        }
        let mut key = Self::default();
        key.0.copy_from_slice(&digest.finalize()[..6]);
        key
    }
}

/// The order of a list by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Ascending,
    Descending,
}

impl Order {
    /// The requested order. Defaults to ascending.
    pub fn of(sort: Option<SortByStart>) -> Self {
        sort.map_or(Self::Ascending, |sort| sort.0)
    }
}

/// The order of a list by start, as the parameter `sort` says it: `starts_at`, or `-starts_at` for the latest first.
/// Not an enumeration, whose two values generators of some languages could not tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortByStart(pub Order);

impl SortByStart {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "starts_at" => Ok(Self(Order::Ascending)),
            "-starts_at" => Ok(Self(Order::Descending)),
            _ => Err(serde_error("invalid_value", "expected starts_at or -starts_at")),
        }
    }
}

impl Serialize for SortByStart {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self.0 {
            Order::Ascending => "starts_at",
            Order::Descending => "-starts_at",
        })
    }
}

impl<'de> Deserialize<'de> for SortByStart {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

schema_type!(
    SortByStart,
    "sort",
    MetaSchema { pattern: Some("^-?starts_at$".into()), ..MetaSchema::new("string") }
);

/// The query parameter `ids` of a list: only the items with these ids. None, which is null for statements: all items.
#[derive(Clone, Debug, Default)]
pub struct Ids(pub Option<Vec<Uuid>>);

/// The ids as they are sent.
type SentIds = List<Uuid, 0, 100>;

impl<'a> ApiExtractor<'a> for Ids {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];
    type ParamType = ();
    type ParamRawType = ();

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Query)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        let about = "Only items with these ids. Can be repeated, up to 100 times.";
        Some(group(vec![("ids", SentIds::schema_ref(), about)]))
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> Result<Self> {
        let options = ExtractParamOptions { name: "ids", ..ExtractParamOptions::default() };
        let ids = Query::<SentIds>::from_request(request, body, options).await?.0;
        Ok(Self(any_of(ids.into_iter().collect())))
    }
}

/// The schema of parameters that one extractor reads: an object, which [`description`](super::description) writes as a
/// parameter for each property.
fn group(parameters: Vec<(&'static str, MetaSchemaRef, &'static str)>) -> MetaSchemaRef {
    let property = |(name, schema, description): (&'static str, MetaSchemaRef, &'static str)| {
        (name, schema.merge(MetaSchema { description: Some(description), ..MetaSchema::ANY }))
    };
    MetaSchemaRef::Inline(Box::new(MetaSchema {
        properties: parameters.into_iter().map(property).collect(),
        ..MetaSchema::new("object")
    }))
}

/// The values of a repeatable filter. None, which is null for statements: any value.
pub fn any_of<T>(values: Vec<T>) -> Option<Vec<T>> {
    (!values.is_empty()).then_some(values)
}

async fn query<T: ParseFromParameter>(
    request: &Request,
    body: &mut RequestBody,
    name: &'static str,
) -> Result<Option<T>> {
    let options = ExtractParamOptions { name, ..ExtractParamOptions::default() };
    Ok(Query::<Option<T>>::from_request(request, body, options).await?.0)
}

/// A page of a list.
#[derive(Debug, Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub struct Page<T: ParseFromJSON + ToJSON + Type + Send + Sync> {
    pub items: Vec<T>,
    /// Send this as `cursor` to get the next page. Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

impl<T: ParseFromJSON + ToJSON + Type + Send + Sync> Page<T> {
    /// The page of a list with `updated_since`, with the instant up to which all changes are included.
    pub fn as_of(self, as_of: DateTime<Utc>) -> PageAsOf<T> {
        PageAsOf { items: self.items, next_cursor: self.next_cursor, as_of }
    }
}

/// A page of a list with `updated_since`. It says the time, so that no two pages are the same: it has no `ETag`.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "Page", skip_serializing_if_is_none)]
pub struct PageAsOf<T: ParseFromJSON + ToJSON + Type + Send + Sync> {
    pub items: Vec<T>,
    /// Send this as `cursor` to get the next page. Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    // Short, because the description has it once for each list: docs/api.md says more.
    /// Send the value of the first page as `updated_since` next time.
    pub as_of: DateTime<Utc>,
}

/// The position of a page: after the item with this id and, in lists ordered by time, this time. Opaque to clients but
/// not secret: a forged cursor shows only what the policies allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub time: DateTime<Utc>,
    pub id: Uuid,
    list: ListKey,
}

impl Cursor {
    /// 30 bytes in base64url, of which the first nine bits are 0.
    const PATTERN: &str = "^A[A-H][A-Za-z0-9_-]{38}$";

    pub fn new(time: DateTime<Utc>, id: Uuid) -> Self {
        Self { time, id, list: ListKey::default() }
    }

    /// A cursor for lists ordered by id.
    pub fn id(id: Uuid) -> Self {
        Self::new(DateTime::UNIX_EPOCH, id)
    }

    pub fn parse(text: &str) -> Result<Self, String> {
        let expected = "expected the unchanged next_cursor of a previous page";
        Self::decode(text).ok_or_else(|| serde_error("invalid_value", expected))
    }

    /// The same position in this list.
    fn of(self, list: ListKey) -> Self {
        Self { list, ..self }
    }

    /// Fails unless the text is a cursor of this list.
    pub fn check(text: &str, list: ListKey) -> Result<(), String> {
        if Self::parse(text)?.list == list {
            return Ok(());
        }
        let expected =
            "expected the next_cursor of a page of this list, with the same filters and the same order";
        Err(serde_error("invalid_value", expected))
    }

    fn encode(self) -> String {
        let mut bytes = [0; 30];
        bytes[..8].copy_from_slice(&self.time.timestamp_micros().to_be_bytes());
        bytes[8..24].copy_from_slice(self.id.as_bytes());
        bytes[24..].copy_from_slice(&self.list.0);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn decode(text: &str) -> Option<Self> {
        let bytes: [u8; 30] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (time, rest) = bytes.split_at(8);
        let (id, list) = rest.split_at(16);
        // From 1970 to the year 3111, as `PATTERN` says; PostgreSQL may reject others.
        let micros = i64::from_be_bytes(time.try_into().ok()?);
        (0..1 << 55).contains(&micros).then_some(Self {
            time: DateTime::from_timestamp_micros(micros)?,
            id: Uuid::from_slice(id).ok()?,
            list: ListKey(list.try_into().ok()?),
        })
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.encode())
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

schema_type!(
    Cursor,
    "cursor",
    MetaSchema { pattern: Some(Cursor::PATTERN.into()), ..MetaSchema::new_with_format("string", "cursor") }
);
