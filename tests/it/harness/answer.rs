use appointd::http::event_stream::EVENT_STREAM;
use reqwest::{Method, Response, header::HeaderMap};
use serde_json::Value;

use super::description;

/// What the server answered. Reading it checks it against the description: a status or a field that is not described
/// fails every test.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// Null where there is no body, or one that is not JSON.
    pub body: Value,
    pub text: String,
}

impl Answer {
    pub async fn read(method: &Method, path: &str, mut response: Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        // A stream has no end: how it begins is its answer.
        let is_stream = headers.get("content-type").is_some_and(|kind| kind == EVENT_STREAM);
        let text = if is_stream {
            let first = response.chunk().await.expect("a stream").unwrap_or_default();
            String::from_utf8(first.to_vec()).expect("text")
        } else {
            response.text().await.expect("a body of text")
        };
        let answer = Self { status, headers, body: serde_json::from_str(&text).unwrap_or_default(), text };
        assert!(answer.headers.contains_key("x-request-id"), "every answer has an id: {answer:?}");
        if status >= 400 && method != Method::HEAD {
            assert_eq!(answer.header("content-type"), "application/problem+json", "{answer:?}");
            assert_eq!(answer.body["status"], status);
            assert_eq!(answer.body["request_id"], answer.header("x-request-id"));
        }
        description::check(method.as_str(), path, &answer);
        answer
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a header of text"))
    }

    /// The body, where the status is this one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.body
    }

    /// The id of what was created.
    #[track_caller]
    pub fn created(self) -> String {
        let location = self.header("location").to_owned();
        let body = self.expect(201);
        let id = body["id"].as_str().expect("an id").to_owned();
        assert!(location.ends_with(&id), "{location} leads to {id}");
        id
    }

    /// Status and code of a refusal.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.body["code"], code, "{}", self.text);
        self.body
    }

    /// A 422 (or a 400 about parameters) whose first error is about this field, with this code.
    #[track_caller]
    pub fn invalid(self, field: &str, code: &str) {
        assert!(matches!(self.status, 400 | 422), "{}", self.text);
        let error = &self.body["errors"][0];
        assert_eq!((&error["field"], &error["code"]), (&field.into(), &code.into()), "{}", self.text);
    }
}

/// How many were created, and how many were refused for this reason.
pub fn outcomes(answers: &[Answer], refusal: &str) -> (usize, usize) {
    let created = answers.iter().filter(|answer| answer.status == 201).count();
    let refused =
        answers.iter().filter(|answer| answer.status == 409 && answer.body["code"] == refusal).count();
    (created, refused)
}
