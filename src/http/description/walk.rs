//! Walking through the description.

use serde_json::{Map, Value};

/// Every operation, with its method.
pub fn operations(document: &mut Value) -> impl Iterator<Item = (&String, &mut Map<String, Value>)> {
    document["paths"]
        .as_object_mut()
        .into_iter()
        .flat_map(|paths| paths.values_mut())
        .filter_map(Value::as_object_mut)
        .flat_map(|item| item.iter_mut())
        .filter_map(|(method, operation)| Some((method, operation.as_object_mut()?)))
}

/// `book_as_guest` as `BookAsGuest`.
pub fn pascal_case(name: &str) -> String {
    name.split(['_', '-', '.'])
        .flat_map(|word| {
            let mut letters = word.chars();
            letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>())
        })
        .collect()
}
