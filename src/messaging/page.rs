//! The two forms of a message, made of its text: plain, and HTML. In HTML, paragraphs are separated by empty lines,
//! lines that begin with two spaces are set apart, and the link of the message is a button. No HTML comes from a
//! template. Both end with the name and the address of the organization, and with the link that switches such messages
//! off, if they can be.

use std::fmt::Write as _;

use super::voice::Voice;

/// The colour of an organization that has chosen none.
const COLOR: &str = "#1f2937";

/// A link that the text contains in a line of its own.
#[derive(Clone, Debug)]
pub struct Button {
    pub url: String,
    pub label: &'static str,
}

/// The plain text. `unsubscribe` is the page that switches such messages off.
pub fn plain(voice: &Voice, language: &str, text: &str, unsubscribe: Option<&str>) -> String {
    let address = voice.address.as_deref().map(|address| format!("\n{address}")).unwrap_or_default();
    let end = unsubscribe.map(|url| format!("\n\n{}: {url}", unsubscribing(language))).unwrap_or_default();
    format!("{text}\n\n-- \n{}{address}{end}\n", voice.name)
}

/// What the link says that switches such messages off.
fn unsubscribing(language: &str) -> &'static str {
    match language {
        "de" => "Solche E-Mails abbestellen",
        "fr" => "Ne plus recevoir ces e-mails",
        "es" => "Dejar de recibir estos correos",
        _ => "Unsubscribe from such e-mails",
    }
}

/// The HTML, a whole page, of a subject and a text.
pub fn html(
    voice: &Voice,
    language: &str,
    (subject, text): (&str, &str),
    button: Option<&Button>,
    unsubscribe: Option<&str>,
) -> String {
    let color = voice.color.as_deref().unwrap_or(COLOR);
    let name = escaped(&voice.name);
    let head = match &voice.logo_url {
        Some(logo) => {
            format!(
                r#"<img src="{}" alt="{name}" height="48" style="display:block;border:0">"#,
                escaped(logo)
            )
        }
        None => format!(r#"<p style="margin:0;font-size:20px;font-weight:bold;color:{color}">{name}</p>"#),
    };
    let mut body = String::new();
    for paragraph in
        text.split("\n\n").map(|part| part.trim_matches('\n')).filter(|part| !part.trim().is_empty())
    {
        let lines = lines(paragraph);
        // Writing into a String does not fail.
        let _ = match button {
            Some(Button { url, label }) if paragraph.trim() == url => writeln!(
                body,
                "<p style=\"margin:0 0 16px\"><a href=\"{}\" style=\"display:inline-block;padding:10px 18px;\
                 background:{color};color:#ffffff;text-decoration:none;border-radius:4px\">{}</a></p>",
                escaped(url),
                escaped(label)
            ),
            _ if paragraph.lines().all(|line| line.starts_with("  ")) => writeln!(
                body,
                "<p style=\"margin:0 0 16px;padding:4px 12px;border-left:4px solid {color}\">{lines}</p>"
            ),
            _ => writeln!(body, "<p style=\"margin:0 0 16px\">{lines}</p>"),
        };
    }
    let address =
        voice.address.as_deref().map(|address| format!("<br>\n{}", lines(address))).unwrap_or_default();
    let end = unsubscribe.map(|url| {
        format!(
            "<br>\n<a href=\"{}\" style=\"color:#6b7280\">{}</a>",
            escaped(url),
            escaped(unsubscribing(language))
        )
    });
    let end = end.unwrap_or_default();
    format!(
        "<!doctype html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{}</title>\n</head>\n\
         <body style=\"margin:0;padding:24px;font-family:sans-serif;font-size:16px;line-height:1.5;color:#111827\">\n\
         <div style=\"max-width:600px;margin:0 auto\">\n{head}\n\
         <div style=\"margin:24px 0;border-top:3px solid {color};padding-top:24px\">\n{body}</div>\n\
         <p style=\"margin:0;font-size:13px;color:#6b7280\">{name}{address}{end}</p>\n</div>\n</body>\n</html>\n",
        escaped(language),
        escaped(subject),
    )
}

/// Lines as HTML.
fn lines(text: &str) -> String {
    text.lines().map(|line| escaped(line.trim())).collect::<Vec<_>>().join("<br>\n")
}

/// Text for HTML, also in attributes.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            character => escaped.push(character),
        }
    }
    escaped
}
