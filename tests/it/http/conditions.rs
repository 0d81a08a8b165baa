//! Conditions of changes: the versions that an object has in its several forms, and operations without conditions.

use reqwest::Method;

use crate::harness::{
    Furnished, Operation, operations, resolve,
    walking::{actor_of, id_of, parameters, send_with},
};

use super::versions::{furnished, path_of, reading, takes_if_match};

/// Values for the query parameters of an operation: each alone, and all together.
fn forms(read: &Operation, furnished: &Furnished) -> Vec<String> {
    let parameters = read.value["parameters"].as_array().into_iter().flatten();
    let mut pairs = Vec::new();
    for parameter in parameters.filter(|parameter| parameter["in"] == "query") {
        let name = parameter["name"].as_str().expect("a name");
        let schema = &parameter["schema"];
        let schema = if schema["items"].is_object() { &schema["items"] } else { schema };
        let schema = resolve(schema);
        match schema["enum"].as_array() {
            Some(values) => {
                pairs.extend(values.iter().map(|value| format!("{name}={}", value.as_str().expect("text"))));
            }
            None if schema["format"] == "time-zone" => pairs.push(format!("{name}=Pacific/Auckland")),
            None if schema["format"] == "uuid" => pairs.push(format!("{name}={}", id_of(furnished)(name))),
            None => panic!("{}: a value for {name}: teach this test", read.id()),
        }
    }
    let all = pairs.join("&");
    pairs.push(all);
    pairs
}

#[tokio::test]
async fn version_of_every_form_of_an_object_does_for_a_change_of_it() {
    let (tenant, furnished, my_hold) = furnished().await;
    let (mut tried, mut read_in_forms) = (0, 0);
    for operation in operations().iter().filter(|operation| takes_if_match(operation)) {
        let read = reading(operation).expect("an object");
        if !parameters(&read).iter().any(|name| ["include", "time_zone"].contains(name)) {
            let has_query = read.value["parameters"].as_array().into_iter().flatten();
            assert!(!has_query.into_iter().any(|parameter| parameter["in"] == "query"), "{}", read.id());
            continue;
        }
        let actor = actor_of(&tenant, operation);
        let (path, object) = (path_of(operation, &furnished, &my_hold), path_of(&read, &furnished, &my_hold));
        for form in forms(&read, &furnished) {
            read_in_forms += 1;
            let plain = actor.get(&object).await;
            let shown = actor.get(&format!("{object}?{form}")).await;
            let (of_plain, of_form) = (plain.header("etag").to_owned(), shown.header("etag").to_owned());
            assert_ne!(plain.text, shown.text, "{form}");
            assert_ne!(of_plain, of_form, "another representation has another tag: {form}");
            let again = async |query: &str, held: &str| {
                let request = actor.request(Method::GET, &format!("{object}{query}"));
                actor.send(request.header("if-none-match", held)).await.status
            };
            let query = format!("?{form}");
            // A client is told that it has what it asks for only if it has.
            assert_eq!((again(&query, &of_form).await, again(&query, &of_plain).await), (304, 200), "{form}");
            assert_eq!((again("", &of_plain).await, again("", &of_form).await), (304, 200), "{form}");
            let changed = send_with(actor, operation, &path, ("if-match", &of_form)).await;
            // In whatever state the others left it.
            assert_ne!(changed.status, 412, "{} {form}: {}", operation.id(), changed.text);
            tried += usize::from(changed.status == 200);
            let outdated = of_form.replacen(&of_plain[1..9], "AAAAAAAA", 1);
            let refused = send_with(actor, operation, &path, ("if-match", &outdated)).await;
            assert!(matches!(refused.status, 409 | 412), "{} {form}: {}", operation.id(), refused.text);
        }
    }
    assert!(read_in_forms > 10 && tried > 3, "{read_in_forms} {tried}");
}

#[tokio::test]
async fn if_match_is_refused_by_every_operation_that_does_not_take_it() {
    let (tenant, furnished, my_hold) = furnished().await;
    let mut refused = 0;
    for operation in operations().iter().filter(|operation| !takes_if_match(operation)) {
        // They lack a service, which is said first.
        if operation.path.ends_with("/availability") {
            continue;
        }
        let path = path_of(operation, &furnished, &my_hold);
        let answer = send_with(actor_of(&tenant, operation), operation, &path, ("if-match", "\"a\"")).await;
        if answer.status == 401 {
            // Credentials of guests come first.
            continue;
        }
        assert_eq!(answer.body["errors"][0]["field"], "If-Match", "{}: {}", operation.id(), answer.text);
        answer.refused(400, "invalid_header");
        refused += 1;
    }
    assert!(refused > 100, "{refused}");
}
