//! What a later version removes, said once: a module lists it as [`Module::DEPRECATED`](super::module::Module). The
//! description follows from the list (`deprecated: true`, a sentence, the headers of each answer), and the headers of
//! answers from the description, which the edge reads: `Deprecation` (RFC 9745) and `Sunset` (RFC 8594).

use chrono::{NaiveDate, NaiveTime, TimeDelta};
use poem_openapi::registry::{MetaApi, MetaHeader, MetaOperation, MetaSchema, MetaSchemaRef, Registry};
use serde_json::Value;

/// The headers. Each is described with its value, as an enumeration of one.
pub const HEADERS: [&str; 2] = ["Deprecation", "Sunset"];

/// The least time between the two days: see "Versions" in docs/api.md.
const NOTICE: TimeDelta = TimeDelta::days(180);

/// An operation, a parameter or a field that a later version removes.
#[derive(Clone, Copy, Debug)]
pub struct Deprecated {
    pub part: Part,
    /// The day from which on it is deprecated.
    pub since: NaiveDate,
    /// The day from which on it may be missing.
    pub sunset: NaiveDate,
    /// What to use from now on, as a sentence: "Use `GET /api/v1/services`."
    pub instead: &'static str,
}

/// What is deprecated. Answers announce the end of an operation in their headers; of a parameter or a field only the
/// description does, because the headers are about the whole operation.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    /// By its `operationId`.
    Operation(&'static str),
    /// By the `operationId` and its name.
    Parameter(&'static str, &'static str),
    /// By the schema and its name.
    Field(&'static str, &'static str),
}

/// A day of the calendar.
pub const fn day(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).expect("a day of the calendar")
}

impl Deprecated {
    fn sentence(&self) -> String {
        let Self { since, sunset, instead, part } = self;
        assert!(*sunset - *since >= NOTICE, "deprecated for too short a time: {part:?}");
        format!("Deprecated since {since}; may be missing from {sunset} on. {instead}")
    }

    /// A description with the sentence at its end. The registry keeps text for as long as the program runs.
    fn told(&self, description: Option<&str>) -> &'static str {
        let description = description.map(|text| format!("{text}\n\n")).unwrap_or_default();
        Box::leak(format!("{description}{}", self.sentence()).into_boxed_str())
    }

    fn headers(&self) -> [MetaHeader; 2] {
        let at_midnight = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
        let values = [
            format!("@{}", at_midnight(self.since).timestamp()),
            at_midnight(self.sunset).format("%a, %d %b %Y %H:%M:%S GMT").to_string(),
        ];
        let about =
            ["Since when the operation is deprecated (RFC 9745).", "When the operation ends (RFC 8594)."];
        [0, 1].map(|index| MetaHeader {
            name: HEADERS[index].to_owned(),
            description: Some(about[index].to_owned()),
            required: true,
            deprecated: false,
            schema: MetaSchemaRef::Inline(Box::new(MetaSchema {
                enum_items: vec![Value::from(values[index].as_str())],
                ..MetaSchema::new("string")
            })),
        })
    }

    fn announce_operation(&self, operation: &mut MetaOperation) {
        operation.deprecated = true;
        operation.description = Some(self.told(operation.description));
        // Of one answer; the completed description has them in all: see `description::responses`.
        let answer = operation.responses.responses.first_mut();
        answer.into_iter().for_each(|answer| answer.headers.extend(self.headers()));
    }

    fn announce_parameter(&self, operation: &mut MetaOperation, name: &str) -> Option<()> {
        if let Some(parameter) = operation.params.iter_mut().find(|parameter| parameter.name == name) {
            parameter.deprecated = true;
            parameter.description = Some(self.told(parameter.description.as_deref()).to_owned());
            return Some(());
        }
        // A group of parameters is one object.
        operation.params.iter_mut().find_map(|group| match &mut group.schema {
            MetaSchemaRef::Inline(schema) => self.announce_field(schema, name),
            MetaSchemaRef::Reference(_) => None,
        })
    }

    fn announce_field(&self, schema: &mut MetaSchema, name: &str) -> Option<()> {
        let (_, field) = schema.properties.iter_mut().find(|(field, _)| *field == name)?;
        let description = match field {
            MetaSchemaRef::Inline(schema) => schema.description,
            MetaSchemaRef::Reference(_) => None,
        };
        let said =
            MetaSchema { deprecated: true, description: Some(self.told(description)), ..MetaSchema::ANY };
        *field = field.clone().merge(said);
        Some(())
    }
}

/// Describes deprecated operations and parameters. Panics if the list names one that does not exist.
pub fn announce_operations(list: &[Deprecated], apis: &mut [MetaApi]) {
    for deprecated in list {
        let (Part::Operation(id) | Part::Parameter(id, _)) = deprecated.part else {
            continue;
        };
        let operation = apis
            .iter_mut()
            .flat_map(|api| &mut api.paths)
            .flat_map(|path| &mut path.operations)
            .find(|operation| operation.operation_id == Some(id));
        let found = operation.and_then(|operation| match deprecated.part {
            Part::Parameter(_, name) => deprecated.announce_parameter(operation, name),
            _ => {
                deprecated.announce_operation(operation);
                Some(())
            }
        });
        assert!(found.is_some(), "deprecated, but does not exist: {:?}", deprecated.part);
    }
}

/// Describes deprecated fields. Panics if the list names one that does not exist.
pub fn announce_fields(list: &[Deprecated], registry: &mut Registry) {
    for deprecated in list {
        if let Part::Field(schema, name) = deprecated.part {
            let schema = registry.schemas.get_mut(schema);
            let found = schema.and_then(|schema| deprecated.announce_field(schema, name));
            assert!(found.is_some(), "deprecated, but does not exist: {:?}", deprecated.part);
        }
    }
}
