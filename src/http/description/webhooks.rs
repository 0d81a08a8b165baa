//! The requests that the server sends. OpenAPI 3.0 has no place for them; tools read `x-webhooks` as 3.1's `webhooks`.

use serde_json::{Map, Value, json};

use super::examples;

/// The name of the schema of their bodies.
const BODY: &str = "WebhookEvent";

/// Adds a request for each type of events, which is given with its meaning. What all have in common is said once: it is
/// most of a request.
pub fn complete(document: &mut Value, types: &[(&str, &str)]) {
    // Of OpenAPI 3.1, and without the types.
    if let Some(document) = document.as_object_mut() {
        document.remove("webhooks");
    }
    examples::add(document, BODY);
    document["components"]["requestBodies"][BODY] = json!({
        "required": true,
        "content": { "application/json": { "schema": { "$ref": format!("#/components/schemas/{BODY}") } } },
    });
    let request = |(name, meaning): &(&str, &str)| {
        let post = json!({
            "operationId": format!("receive_{}", name.replace('.', "_")),
            "summary": meaning,
            "requestBody": { "$ref": format!("#/components/requestBodies/{BODY}") },
            "responses": { "2XX": { "description": "The event was received." } },
        });
        ((*name).to_owned(), json!({ "post": post }))
    };
    document["x-webhooks"] = types.iter().map(request).collect::<Map<_, _>>().into();
}
