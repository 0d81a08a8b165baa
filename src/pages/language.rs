//! The languages of the pages. Their texts are in `locales`, one file for each language (Project Fluent), all with the
//! same keys.

use std::sync::LazyLock;

use fluent_bundle::{FluentArgs, FluentResource, FluentValue, concurrent::FluentBundle};

use crate::http::{captcha, problem::Problem};

/// A language in which pages are shown.
pub struct Language {
    /// BCP 47.
    pub code: &'static str,
    /// In the language itself.
    pub name: &'static str,
    pub direction: &'static str,
    bundle: FluentBundle<FluentResource>,
}

/// Values of a text, by name.
pub type Values<'a> = &'a [(&'static str, FluentValue<'a>)];

macro_rules! language {
    ($code:literal, $name:literal, $direction:literal) => {
        Language::new($code, $name, $direction, include_str!(concat!("locales/", $code, ".ftl")))
    };
}

/// All languages. The first is shown if the visitor and the organization ask for none of them.
pub static LANGUAGES: LazyLock<[Language; 5]> = LazyLock::new(|| {
    [
        language!("en", "English", "ltr"),
        language!("de", "Deutsch", "ltr"),
        language!("fr", "Français", "ltr"),
        language!("es", "Español", "ltr"),
        language!("ar", "العربية", "rtl"),
    ]
});

impl Language {
    fn new(code: &'static str, name: &'static str, direction: &'static str, texts: &str) -> Self {
        let mut bundle = FluentBundle::new_concurrent(vec![code.parse().expect("a language tag")]);
        // Marks around values keep Latin names in order in a right-to-left sentence.
        bundle.set_use_isolating(direction == "rtl");
        // A file with a mistake keeps its other texts; a test finds the mistake.
        let resource =
            FluentResource::try_new(texts.to_owned()).unwrap_or_else(|(resource, _mistakes)| resource);
        bundle.add_resource_overriding(resource);
        Self { code, name, direction, bundle }
    }

    /// A text without values.
    pub fn text(&self, key: &str) -> String {
        self.with(key, &[])
    }

    /// A text with values.
    pub fn with(&self, key: &str, values: Values<'_>) -> String {
        self.find(key, values).unwrap_or_else(|| {
            tracing::error!(key, language = self.code, "a text of the pages is missing");
            key.to_owned()
        })
    }

    fn find(&self, key: &str, values: Values<'_>) -> Option<String> {
        let pattern = self.bundle.get_message(key)?.value()?;
        let values: FluentArgs<'_> = values.iter().cloned().collect();
        let mut mistakes = Vec::new();
        Some(self.bundle.format_pattern(pattern, Some(&values), &mut mistakes).into_owned())
    }

    /// What a problem means for a visitor.
    pub fn problem(&self, problem: &Problem) -> String {
        let code = match problem.errors.first() {
            Some(error) if error.field == captcha::HEADER => "captcha_required",
            _ => problem.code,
        };
        let by_status = match problem.status.as_u16() {
            401 => "problem-401",
            404 => "problem-404",
            429 => "problem-429",
            503 => "problem-503",
            _ => "problem-other",
        };
        self.find(&format!("problem-{code}"), &[]).unwrap_or_else(|| self.text(by_status))
    }
}

/// The language with this tag, or the one that the tag is a variety of.
pub fn of_tag(tag: &str) -> Option<&'static Language> {
    let main = tag.split(['-', '_']).next().unwrap_or_default();
    LANGUAGES.iter().find(|language| language.code.eq_ignore_ascii_case(main))
}

/// The first language of an `Accept-Language` (RFC 9110 section 12.5.4), by weight, that pages have.
pub fn accepted(lines: &[&str]) -> Option<&'static Language> {
    let mut wanted: Vec<(&str, f32)> = lines
        .iter()
        .flat_map(|line| line.split(','))
        .map(|range| match range.split_once(';') {
            Some((tag, weight)) => {
                let weight = weight.trim().strip_prefix("q=").and_then(|weight| weight.trim().parse().ok());
                (tag.trim(), weight.unwrap_or(0.0))
            }
            None => (range.trim(), 1.0),
        })
        .filter(|(_, weight)| *weight > 0.0)
        .collect();
    wanted.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    wanted.into_iter().find_map(|(tag, _)| of_tag(tag))
}
