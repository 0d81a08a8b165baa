//! Every request, every answer and every code of a problem has an example in the description, which fits its schema and
//! the clock.

use std::collections::{BTreeMap, BTreeSet};

use appointd::http::description::{COMMITTED, dated, day};
use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;

use crate::harness::{Actor, document, misfits, operations, resolve};

/// The example of a media type: its own, or that of its schema.
fn example(content: &Value) -> &Value {
    match &content["example"] {
        Value::Null => &resolve(&content["schema"])["example"],
        example => example,
    }
}

#[test]
fn requests_and_answers_have_an_example_that_fits() {
    let mut seen = 0;
    for operation in operations() {
        let responses = operation.value["responses"].as_object().expect("responses");
        let good = responses.iter().filter(|(status, _)| status.starts_with('2'));
        let bodies = good
            .map(|(status, response)| (status.as_str(), response))
            .chain([("request", &operation.value["requestBody"])]);
        for (what, body) in bodies {
            for (media_type, content) in body["content"].as_object().into_iter().flatten() {
                let at = format!("{} {what} {media_type}", operation.id());
                let example = example(content);
                assert!(!example.is_null(), "{at} has no example");
                assert_eq!(misfits(example, &content["schema"]), Vec::<String>::new(), "{at}");
                let formats = formats(example, &content["schema"]);
                assert_eq!(formats, Vec::<String>::new(), "{at}");
                seen += 1;
            }
        }
    }
    assert!(seen > 200, "{seen}");
}

/// The strings of an example that do not have the format of their schema.
fn formats(value: &Value, schema: &Value) -> Vec<String> {
    let schema = resolve(schema);
    let parts = schema["allOf"].as_array().into_iter().flatten().flat_map(|part| formats(value, part));
    let fields = value.as_object().into_iter().flatten();
    let fields = fields.flat_map(|(name, field)| formats(field, &schema["properties"][name]));
    let items = value.as_array().into_iter().flatten().flat_map(|item| formats(item, &schema["items"]));
    let text = value.as_str().unwrap_or_default();
    let fits = match schema["format"].as_str() {
        Some("uuid") => text.parse::<uuid::Uuid>().is_ok_and(|id| !id.is_nil()),
        Some("date-time") => text.parse::<DateTime<Utc>>().is_ok(),
        Some("date") => text.parse::<NaiveDate>().is_ok(),
        _ => true,
    };
    let own = (!value.is_null() && !fits).then(|| format!("{text} is not a {}", schema["format"]));
    parts.chain(fields).chain(items).chain(own).collect()
}

#[test]
fn every_code_of_problems_has_an_example() {
    let components = &document()["components"];
    let examples = components["examples"].as_object().expect("examples");
    let codes = components["schemas"]["ProblemCode"]["x-extensible-enum"].as_array().expect("codes");
    let codes: BTreeSet<&str> = codes.iter().filter_map(Value::as_str).collect();
    assert_eq!(examples.keys().map(String::as_str).collect::<BTreeSet<_>>(), codes);
    for (code, example) in examples {
        let value = &example["value"];
        assert_eq!(value["code"], **code);
        let schema = &components["schemas"]["Problem"];
        assert_eq!(misfits(value, schema), Vec::<String>::new(), "{code}");
    }
}

#[test]
fn every_refusal_of_an_operation_has_examples_of_its_status() {
    let known = &document()["components"]["examples"];
    let mut used = BTreeMap::<String, usize>::new();
    for operation in operations() {
        for (status, response) in operation.value["responses"].as_object().expect("responses") {
            let Some(content) = response["content"].get("application/problem+json") else { continue };
            let examples = content["examples"].as_object().into_iter().flatten();
            let mut count = 0;
            for (code, reference) in examples {
                assert_eq!(reference["$ref"], format!("#/components/examples/{code}"));
                assert_eq!(known[code]["value"]["status"].to_string(), *status, "{} {code}", operation.id());
                *used.entry(code.clone()).or_default() += 1;
                count += 1;
            }
            assert!(count > 0, "{} {status} has no example", operation.id());
        }
    }
    for code in known.as_object().expect("examples").keys() {
        assert!(used.contains_key(code), "no operation has {code}");
    }
}

#[test]
fn dates_of_examples_are_of_one_year_so_that_they_move() {
    fn walk(at: &str, value: &Value, inside: bool, found: &mut usize) {
        match value {
            Value::Object(fields) => {
                for (name, field) in fields {
                    // An example beside a schema, not a property of that name.
                    let inside = inside || ["example", "examples"].contains(&name.as_str());
                    walk(&format!("{at}/{name}"), field, inside, found);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| walk(at, item, inside, found)),
            Value::String(text) if inside => {
                let date = text.get(..10).and_then(|date| date.parse::<NaiveDate>().ok());
                if let Some(date) = date {
                    assert!(date.to_string().starts_with("2031-"), "{at}: {text}");
                    *found += 1;
                }
            }
            _ => {}
        }
    }
    let mut found = 0;
    walk("", document(), false, &mut found);
    assert!(found > 200, "{found}");
    let elsewhere = COMMITTED.matches("2031").count();
    assert!(dated(COMMITTED, "2027-03-02".parse().expect("a day")).matches("2031").count() < elsewhere / 100);
}

#[tokio::test]
async fn served_examples_book_time_to_come() {
    let served = Actor::anonymous().get("/openapi.json").await.expect(200);
    let example = &served["components"]["schemas"]["NewAppointment"]["example"];
    let start: DateTime<Utc> = example["starts_at"].as_str().expect("a start").parse().expect("an instant");
    assert_eq!(start.date_naive(), day(Utc::now()));
    assert!(start > Utc::now() + chrono::Days::new(7));
    let created = &served["components"]["schemas"]["Appointment"]["example"]["created_at"];
    assert!(created.as_str().expect("an instant").parse::<DateTime<Utc>>().expect("an instant") < Utc::now());
}
