//! Renders the templates of messages. An organization writes them, so they run in a sandbox: no access to anything but
//! the variables, no other templates, and bounds of work and length. A variable that does not exist is an error, not an
//! empty text.

use std::{collections::BTreeSet, sync::LazyLock};

use minijinja::{
    AutoEscape, Environment, ErrorKind, UndefinedBehavior,
    value::{Serde, Value},
};

use super::mail::one_line;

/// How many steps a template may take.
const FUEL: u64 = 20_000;

/// How many characters a rendered text may have.
const LONGEST: usize = 20_000;

/// How many characters of a rendered subject are sent.
const LONGEST_SUBJECT: usize = 200;

/// What the variables of a template hold.
pub struct Variables(Value);

impl From<serde_json::Value> for Variables {
    fn from(json: serde_json::Value) -> Self {
        Self(Value::from(Serde(json)))
    }
}

/// What is wrong with a template.
#[derive(Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The code of the field.
    pub code: &'static str,
    pub detail: String,
}

static SANDBOX: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut sandbox = Environment::new();
    sandbox.set_undefined_behavior(UndefinedBehavior::Strict);
    // The text is plain; HTML is made of it afterwards.
    sandbox.set_auto_escape_callback(|_| AutoEscape::None);
    sandbox.set_fuel(Some(FUEL));
    // Functions: texts need none.
    for function in ["debug", "dict", "namespace", "range"] {
        sandbox.remove_global(function);
    }
    sandbox
});

/// Renders a text.
pub fn render(template: &str, variables: &Variables) -> Result<String, Mistake> {
    let template = SANDBOX.template_from_str(template).map_err(mistake)?;
    let text = tidy(&template.render(&variables.0).map_err(mistake)?);
    if text.chars().count() > LONGEST {
        let detail = format!("expected a template that makes at most {LONGEST} characters");
        return Err(Mistake { code: "too_long", detail });
    }
    Ok(text)
}

/// Without white space at the end of lines, and with one empty line at most between two paragraphs: conditions leave
/// some.
fn tidy(text: &str) -> String {
    let mut tidy = String::with_capacity(text.len());
    let mut empty = 0;
    for line in text.lines().map(str::trim_end) {
        empty = if line.is_empty() { empty + 1 } else { 0 };
        if empty < 2 {
            tidy.push_str(line);
            tidy.push('\n');
        }
    }
    tidy.trim_matches('\n').to_owned()
}

/// Renders a subject: one line.
pub fn render_subject(template: &str, variables: &Variables) -> Result<String, Mistake> {
    Ok(one_line(&render(template, variables)?).chars().take(LONGEST_SUBJECT).collect())
}

/// Checks that a template uses known variables only and can be rendered with each of the samples.
pub fn check(template: &str, known: &[&str], samples: &[Variables]) -> Result<(), Mistake> {
    let compiled = SANDBOX.template_from_str(template).map_err(mistake)?;
    let used: BTreeSet<String> = compiled.undeclared_variables(true).into_iter().collect();
    if let Some(unknown) = used.iter().find(|name| !known.contains(&name.as_str())) {
        let detail =
            format!("expected a variable of this message, not {unknown}; it has {}", known.join(", "));
        return Err(Mistake { code: "unknown_variable", detail });
    }
    samples.iter().try_for_each(|sample| render(template, sample).map(drop))
}

fn mistake(error: minijinja::Error) -> Mistake {
    let line = error.line().map(|line| format!(" in line {line}")).unwrap_or_default();
    let said = error.detail().unwrap_or("it cannot be read");
    let (code, detail) = match error.kind() {
        ErrorKind::OutOfFuel => {
            ("template_too_complex", "expected a template that takes fewer steps".to_owned())
        }
        ErrorKind::UnknownFilter | ErrorKind::UnknownTest | ErrorKind::UnknownFunction => {
            ("unknown_filter", format!("expected a known filter, test or function{line}: {said}"))
        }
        ErrorKind::UndefinedError => {
            ("unknown_variable", format!("expected a variable of this message{line}: {said}"))
        }
        _ => ("invalid_template", format!("expected a template{line}: {said}")),
    };
    Mistake { code, detail: detail.chars().take(300).collect() }
}
