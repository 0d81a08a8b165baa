//! The fields of forms, and what is wrong with them.

use super::language::Language;
use crate::{
    crm::contacts::NewContact,
    http::{
        name::Name,
        problem::Problem,
        values::{EmailAddress, Text},
    },
};

/// A field of a form.
pub struct Field {
    pub id: &'static str,
    /// The type of the input.
    pub kind: &'static str,
    pub long: bool,
    pub label: String,
    pub hint: Option<String>,
    pub error: Option<String>,
    pub value: String,
    pub autocomplete: &'static str,
    pub required: bool,
    /// The maximum number of characters.
    pub most: usize,
}

impl Field {
    /// A line of text that is required. Its label is the text with the key `field-{id}`.
    pub fn new(language: &Language, id: &'static str, autocomplete: &'static str) -> Self {
        Self {
            id,
            kind: "text",
            long: false,
            label: language.text(&format!("field-{}", id.replace('_', "-"))),
            hint: None,
            error: None,
            value: String::new(),
            autocomplete,
            required: true,
            most: 200,
        }
    }

    pub fn kind(self, kind: &'static str) -> Self {
        Self { kind, ..self }
    }

    pub fn hint(self, hint: String) -> Self {
        Self { hint: Some(hint), ..self }
    }

    pub fn value(self, value: Option<&str>) -> Self {
        Self { value: value.unwrap_or_default().to_owned(), ..self }
    }

    pub fn required(self, required: bool) -> Self {
        Self { required, ..self }
    }

    pub fn most(self, most: usize) -> Self {
        Self { most, ..self }
    }

    pub fn long(self, most: usize) -> Self {
        Self { long: true, required: false, most, ..self }
    }

    /// The ids of what describes it.
    pub fn described(&self) -> Option<String> {
        let id = |name: &str| format!("{}-{name}", self.id);
        let by: Vec<_> = [self.hint.as_ref().map(|_| id("hint")), self.error.as_ref().map(|_| id("error"))]
            .into_iter()
            .flatten()
            .collect();
        (!by.is_empty()).then(|| by.join(" "))
    }
}

/// A form, and what is wrong with it as a whole.
#[derive(Default)]
pub struct Form {
    pub fields: Vec<Field>,
    pub alert: Option<String>,
}

impl Form {
    pub fn of(fields: Vec<Field>) -> Self {
        Self { fields, alert: None }
    }

    pub fn has_errors(&self) -> bool {
        self.fields.iter().any(|field| field.error.is_some())
    }

    /// Reads the value of a field. What is wrong with it stands at the field.
    pub fn read<T>(
        &mut self,
        language: &Language,
        id: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let field = self.fields.iter_mut().find(|field| field.id == id)?;
        if field.value.is_empty() {
            if field.required {
                field.error = Some(language.text("error-required"));
            }
            return None;
        }
        match parse(&field.value) {
            Ok(value) => Some(value),
            Err(_) => {
                let key = match id {
                    "email" => "error-email",
                    "first_name" | "last_name" | "full_name" => "error-name",
                    "token" => "error-token",
                    _ => "error-invalid",
                };
                field.error = Some(language.text(key));
                None
            }
        }
    }

    /// Shows a problem: at the fields that it is about, else above the form.
    pub fn refuse(&mut self, language: &Language, problem: &Problem) {
        for error in &problem.errors {
            let name = error.field.rsplit('.').next().unwrap_or_default();
            let id = if name == "new_password" { "password" } else { name };
            if let Some(field) = self.fields.iter_mut().find(|field| field.id == id) {
                let text = match (id, error.code.as_str()) {
                    (_, "required") => language.text("error-required"),
                    ("password", _) => language.text("error-password"),
                    ("email", _) => language.text("error-email"),
                    ("token", _) => language.text("error-token"),
                    _ => language.text("error-invalid"),
                };
                field.error = Some(text);
            }
        }
        if !self.has_errors() {
            self.alert = Some(match problem.errors.first() {
                Some(error) if error.field == "token" => language.text("error-token"),
                _ => language.problem(problem),
            });
        }
    }
}

/// The fields with which a guest gives their details.
pub fn contact_fields(language: &Language, email_required: bool, phone_required: bool) -> Vec<Field> {
    let email_hint = language.text(if email_required { "hint-email-required" } else { "hint-email" });
    vec![
        Field::new(language, "first_name", "given-name").most(100),
        Field::new(language, "last_name", "family-name").most(100),
        Field::new(language, "email", "email")
            .kind("email")
            .most(254)
            .required(email_required)
            .hint(email_hint),
        Field::new(language, "phone", "tel").kind("tel").most(50).required(phone_required),
    ]
}

/// The guest's details.
pub fn read_contact(form: &mut Form, language: &Language) -> Option<NewContact> {
    let first_name = form.read(language, "first_name", Name::parse);
    let last_name = form.read(language, "last_name", Name::parse);
    let email = form.read(language, "email", EmailAddress::parse);
    let phone = form.read(language, "phone", Text::parse);
    if form.has_errors() {
        return None;
    }
    Some(NewContact { first_name: first_name?, last_name: last_name?, email, phone })
}
