//! The rules of the audit.

use serde::Serialize;

use super::files;

/// The severity of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Isolation is broken, or something it depends on is missing.
    Error,
    /// Isolation holds but is fragile or slow.
    Warning,
    /// Information only.
    Note,
}

/// A rule of the audit.
#[derive(Debug)]
pub struct Rule {
    /// `<theme>/<rule>`, as in its file name.
    pub id: &'static str,
    pub severity: Severity,
    pub title: &'static str,
    /// The reason, in paragraphs.
    pub why: String,
    pub sql: &'static str,
}

/// All rules, in the order of their ids.
pub fn rules() -> &'static [Rule] {
    static RULES: std::sync::OnceLock<Vec<Rule>> = std::sync::OnceLock::new();
    RULES.get_or_init(|| files::RULES.iter().map(|(id, sql)| Rule::of(id, sql)).collect())
}

impl Rule {
    fn of(id: &'static str, sql: &'static str) -> Self {
        Self::read(id, sql)
            .unwrap_or_else(|| panic!("sql/audit/{id}.sql: its first line says no severity and title"))
    }

    /// Reads the comment at the head of a file: `-- <severity>: <title>`, an empty line, why.
    fn read(id: &'static str, sql: &'static str) -> Option<Self> {
        let mut comment = sql.lines().map_while(|line| line.strip_prefix("--").map(str::trim_start));
        let (severity, title) = comment.next()?.split_once(": ")?;
        let severity = match severity {
            "error" => Severity::Error,
            "warning" => Severity::Warning,
            "note" => Severity::Note,
            _ => return None,
        };
        let why = comment.skip(1).collect::<Vec<_>>().join("\n");
        Some(Self { id, severity, title, why, sql })
    }
}

/// The rule with an id.
pub fn rule(id: &str) -> Result<&'static Rule, String> {
    rules()
        .iter()
        .find(|rule| rule.id == id)
        .ok_or_else(|| format!("unknown rule {id}; `appointd audit --list` lists all rules"))
}
