//! The texts of the API description are plain technical English. A reader who is not a native speaker has to read some
//! words and constructions twice; none of them may come back.

use std::collections::BTreeMap;

use appointd::http::description;
use serde_json::Value;

/// Words, or words in a row, in lower case.
const AVOIDED: &[&str] = &[
    "whoever",
    "whomever",
    "whosever",
    "whatever",
    "somebody",
    "nobody",
    "anybody",
    "everybody",
    "anew",
    "where not given",
    "is over",
    "are over",
    "there is",
    "there are",
    "is there",
    "there was",
    "there were",
    "no such",
];

#[test]
fn texts_of_the_description_use_plain_words() {
    let document: Value = serde_json::from_str(description::COMMITTED).expect("openapi.json is JSON");
    let mut texts = Vec::new();
    collect("", &document, &mut texts);
    assert!(texts.len() > 1000, "texts are found: {}", texts.len());
    // Many texts are in several places; one is enough to find them.
    let places: BTreeMap<&str, String> = texts.into_iter().map(|(place, text)| (text, place)).collect();
    let faults: Vec<String> = places
        .iter()
        .flat_map(|(text, place)| avoided(text).map(move |words| format!("{place}: {words:?} in {text:?}")))
        .collect();
    assert!(faults.is_empty(), "{} texts to rewrite:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn avoided_words_are_found_across_lines_and_punctuation() {
    let found = |text| avoided(text).collect::<Vec<_>>();
    assert_eq!(found("Somebody may. Maximum 50 where\nnot given."), ["somebody", "where not given"]);
    assert_eq!(found("Once the notice is over, there\nare none."), ["is over", "there are"]);
    assert!(found("Overlapping times are there; this override is overdue.").is_empty());
}

fn avoided(text: &str) -> impl Iterator<Item = &'static str> {
    let words: Vec<String> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    AVOIDED.iter().copied().filter(move |avoided| {
        let avoided: Vec<&str> = avoided.split(' ').collect();
        words.windows(avoided.len()).any(|row| row == avoided)
    })
}

/// Every summary and description below a value, with its place.
fn collect<'a>(place: &str, value: &'a Value, texts: &mut Vec<(String, &'a str)>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                let place = format!("{place}/{name}");
                match field {
                    Value::String(text) if ["summary", "description"].contains(&name.as_str()) => {
                        texts.push((place, text));
                    }
                    field => collect(&place, field, texts),
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(&format!("{place}/{index}"), item, texts);
            }
        }
        _ => {}
    }
}
