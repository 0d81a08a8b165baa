//! Lists, read to their end.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;

use super::Actor;

/// All pages of a list, and the `as_of` of the first.
pub async fn read_all(actor: &Actor, path: &str) -> (Vec<Value>, String) {
    let (mut items, mut as_of, mut cursor) = (Vec::new(), None, None::<String>);
    loop {
        let separator = if path.contains('?') { '&' } else { '?' };
        let next = cursor.map_or(String::new(), |cursor| format!("&cursor={cursor}"));
        let mut page = actor.get(&format!("{path}{separator}limit=2{next}")).await.expect(200);
        as_of.get_or_insert_with(|| page["as_of"].as_str().expect("an instant").to_owned());
        items.append(page["items"].as_array_mut().expect("items"));
        cursor = page["next_cursor"].as_str().map(ToOwned::to_owned);
        if cursor.is_none() {
            return (items, as_of.expect("an instant"));
        }
    }
}

/// The path with a parameter that is the instant.
pub fn since(path: &str, parameter: &str, instant: &str) -> String {
    let instant: DateTime<Utc> = instant.parse().expect("an instant");
    format!("{path}?{parameter}={}", instant.to_rfc3339_opts(SecondsFormat::Micros, true))
}
