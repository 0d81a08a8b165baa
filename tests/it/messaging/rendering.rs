//! The sandbox that templates of organizations run in.

use appointd::messaging::rendering::{Variables, check, render, render_subject};
use serde_json::json;

const KNOWN: &[&str] = &["contact.name", "contact.note"];

fn variables(name: &str) -> Variables {
    Variables::from(json!({ "contact": { "name": name, "note": "" } }))
}

fn checked(template: &str) -> Result<(), &'static str> {
    check(template, KNOWN, &[variables("Grace")]).map_err(|mistake| mistake.code)
}

#[test]
fn template_with_a_mistake_is_refused_by_its_code() {
    let loops = "{% for a in x %}{% for b in x %}{% for c in x %}{% for d in x %}.{% endfor %}{% endfor %}{% endfor %}\
                 {% endfor %}";
    let list = format!("{{% set x = [{}] %}}{loops}", "1,".repeat(40));
    for (template, code) in [
        ("{{ contact.frist_name }}", "unknown_variable"),
        ("{{ organization }}", "unknown_variable"),
        ("{{ contact }}", "unknown_variable"),
        ("{{ range(9) }}", "unknown_variable"),
        ("{{ debug() }}", "unknown_variable"),
        ("{{ contact.name | shout }}", "unknown_filter"),
        ("{{ contact.name", "invalid_template"),
        ("{% include 'other' %}", "invalid_template"),
        ("{% extends 'other' %}", "invalid_template"),
        ("{% macro x() %}{% endmacro %}", "invalid_template"),
        (list.as_str(), "template_too_complex"),
    ] {
        assert_eq!(checked(template), Err(code), "{template}");
    }
    let unknown = check("{{ contact.frist_name }}", KNOWN, &[]).expect_err("a mistake");
    assert!(
        unknown.detail.contains("contact.frist_name") && unknown.detail.contains("contact.name"),
        "{unknown:?}"
    );
}

#[test]
fn text_that_grows_without_end_is_refused() {
    for template in [
        "{% set x = 'x' %}{% for a in [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20] %}{{ contact.name * 2000 }}{% endfor %}",
        "{{ 'x' * 1000000000 }}",
        "{{ contact.name | replace('', contact.name * 20000) }}",
    ] {
        let refused = checked(template).expect_err(template);
        assert!(
            ["too_long", "template_too_complex", "invalid_template"].contains(&refused),
            "{template}: {refused}"
        );
    }
}

#[test]
fn values_are_neither_templates_nor_headers() {
    let hostile = variables("{{ 7 * 7 }}\r\nBcc: all@example.com");
    assert_eq!(
        render("Dear {{ contact.name }}", &hostile).expect("a text"),
        "Dear {{ 7 * 7 }}\nBcc: all@example.com"
    );
    let subject = render_subject("For {{ contact.name }}", &hostile).expect("a subject");
    assert_eq!(subject, "For {{ 7 * 7 }} Bcc: all@example.com");
}

#[test]
fn conditions_leave_one_empty_line_at_most() {
    let template = "First.\n\n{% if contact.note %}{{ contact.note }}{% endif %}\n\n  {{ contact.name }}\n\n";
    assert_eq!(render(template, &variables("Grace")).expect("a text"), "First.\n\n  Grace");
}
