//! `sql/schema/<module>.sql` is the schema as it is, for people to read: what the migrations make, one after the other,
//! each table, policy and function in one place. Read from the catalog, so that it cannot differ from it.

use std::{collections::BTreeMap, ops::Range};

use super::statements::{files_below, root};
use crate::harness::{snapshot, system};

const WIDTH: usize = 120;

const HEAD: &str = "\
-- The schema as it is: what sql/migrations makes, read from the catalog by tests/it/db/schema.sql. To read, not to run
-- and not to edit. After a migration: APPOINTD_UPDATE_SNAPSHOTS=1 cargo test schema
";

#[tokio::test]
async fn schema_files_are_what_the_migrations_make() {
    let auditor = system().connect("appointd_auditor").await;
    auditor.batch_execute("set search_path = pg_catalog, pg_temp").await.expect("a setting");
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for row in auditor.query(include_str!("schema.sql"), &[]).await.expect("the catalog") {
        let file = files.entry(row.get("schema")).or_insert_with(|| format!("{HEAD}\n"));
        let text: &str = row.get("text");
        for line in text.lines() {
            match row.get("verbatim") {
                true => file.push_str(line),
                false => file.push_str(&laid_out(line)),
            }
            file.push('\n');
        }
    }
    for (schema, text) in &files {
        snapshot(&format!("sql/schema/{schema}.sql"), text);
    }
    let stored = files_below(&root().join("sql/schema"), "sql");
    assert_eq!(stored.len(), files.len(), "a file of a schema there is no more: {stored:?}");
}

/// A line of the catalog in the layout of our files: lower case, and at most so wide.
fn laid_out(line: &str) -> String {
    let text = line.trim_start();
    let indent = line.len() - text.len();
    let mut lines = Vec::new();
    match text.strip_prefix("-- ") {
        Some(comment) => fill(&format!("{:indent$}-- ", ""), comment.split(' '), &mut lines),
        None => lay(&plain(text), indent, &mut lines),
    }
    lines.join("\n")
}

/// As many on a line as there is room for.
fn fill<'a>(prefix: &str, words: impl Iterator<Item = &'a str>, lines: &mut Vec<String>) {
    let mut line = prefix.to_owned();
    for word in words {
        if line.len() > prefix.len() && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(std::mem::replace(&mut line, prefix.to_owned()));
        }
        if line.len() > prefix.len() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line.trim_end().to_owned());
}

/// Breaks a line that is too long: before words that join conditions or begin a clause, then after commas, then around
/// what stands in its longest parentheses.
fn lay(text: &str, indent: usize, lines: &mut Vec<String>) {
    let prefix = " ".repeat(indent);
    if indent + text.chars().count() <= WIDTH {
        return lines.push(prefix + text);
    }
    let (spaces, groups) = scan(text);
    let cut = |here: &dyn Fn(&str, &str) -> bool| -> Vec<&str> {
        let outside = spaces.iter().filter(|(_, depth)| *depth == 0).map(|(at, _)| *at);
        let at: Vec<usize> = outside.filter(|at| here(&text[..*at], &text[at + 1..])).collect();
        let starts = std::iter::once(0).chain(at.iter().map(|at| at + 1));
        starts.zip(at.iter().copied().chain([text.len()])).map(|(start, end)| &text[start..end]).collect()
    };
    let clauses = ["from ", "join ", "left join ", "where ", "group by ", "order by ", "limit "];
    for words in [&["and "][..], &["or "], &["when ", "else "], &clauses] {
        let parts = cut(&|_, after| words.iter().any(|word| after.starts_with(word)));
        if parts.len() > 1 {
            return parts.into_iter().for_each(|part| lay(part, indent, lines));
        }
    }
    let listed = cut(&|before, _| before.ends_with(','));
    if listed.len() > 1 && listed.iter().all(|part| indent + part.chars().count() <= WIDTH) {
        return fill(&prefix, listed.into_iter(), lines);
    }
    if listed.len() > 1 {
        return listed.into_iter().for_each(|part| lay(part, indent, lines));
    }
    match groups.into_iter().max_by_key(Range::len) {
        Some(group) if group.len() > 20 => {
            lines.push(prefix + text[..group.start].trim_end());
            lay(&text[group.clone()], indent + 4, lines);
            lay(text[group.end..].trim_start(), indent, lines);
        }
        _ => fill(&prefix, text.split(' '), lines),
    }
}

/// The spaces outside of quotes, each with how many parentheses and cases are open there, and what the outermost of
/// those enclose.
fn scan(text: &str) -> (Vec<(usize, usize)>, Vec<Range<usize>>) {
    let (mut spaces, mut groups, mut open, mut quote) = (Vec::new(), Vec::new(), Vec::new(), None);
    for (at, letter) in text.char_indices() {
        let begins_word = at == 0 || text[..at].ends_with([' ', '(']);
        match (quote, letter) {
            (Some(mark), _) => quote = (letter != mark).then_some(mark),
            (None, '\'' | '"') => quote = Some(letter),
            (None, ' ') => spaces.push((at, open.len())),
            (None, '(') => open.push((at + 1, ')')),
            (None, 'c') if begins_word && text[at..].starts_with("case ") => open.push((at + 5, 'e')),
            (None, ')' | 'e')
                if open.last().is_some_and(|(_, closing)| *closing == letter)
                    && (letter == ')' || begins_word && text[at..].starts_with("end")) =>
            {
                let (start, _) = open.pop().expect("it is open");
                if open.is_empty() {
                    groups.push(start..text[..at].trim_end().len());
                }
            }
            _ => {}
        }
    }
    (spaces, groups)
}

/// As people write it: in lower case, without the casts and names that PostgreSQL adds when it prints an expression.
fn plain(text: &str) -> String {
    let mut quote = None;
    let lower: String = text
        .chars()
        .map(|letter| match (quote, letter) {
            (Some(mark), _) => {
                quote = (letter != mark).then_some(mark);
                letter
            }
            (None, '\'' | '"') => {
                quote = Some(letter);
                letter
            }
            _ => letter.to_ascii_lowercase(),
        })
        .collect();
    let mut plain = lower
        .replace("'::text[]", "'")
        .replace("'::text", "'")
        .replace(" as \"nullif\")", ")")
        .replace(" as \"current_user\")", ")")
        .replace("app.tenant() as tenant)", "app.tenant())")
        .replace("app.account() as account)", "app.account())")
        .replace("app.subject() as subject)", "app.subject())")
        .replace("app.role() as role)", "app.role())")
        .replace("( select", "(select")
        .replace("timestamp with time zone", "timestamptz");
    while let Some((outer, inner)) = doubled(&plain) {
        plain.replace_range(inner, "");
        plain.replace_range(outer, "");
    }
    plain
}

/// The first parenthesis, and its counterpart, that enclose others and nothing else.
fn doubled(text: &str) -> Option<(Range<usize>, Range<usize>)> {
    let mut pairs = Vec::new();
    let (mut open, mut quoted) = (Vec::new(), false);
    for (at, letter) in text.char_indices() {
        match letter {
            '\'' => quoted = !quoted,
            '(' if !quoted => open.push(at),
            ')' if !quoted => pairs.push((open.pop()?, at)),
            _ => {}
        }
    }
    let redundant = |(start, end): &(usize, usize)| {
        let before = text[..*start].trim_end();
        // Those of a call, and those that ANY and CHECK ask for, are not.
        let called = text[..*start].ends_with(|letter: char| letter.is_alphanumeric() || letter == '_')
            || ["any", "all", "check", "in"].iter().any(|word| before.ends_with(word));
        !called && pairs.contains(&(start + 1, end - 1))
    };
    let (start, end) = *pairs.iter().find(|pair| redundant(pair))?;
    Some((start..start + 1, end..end + 1))
}

#[test]
fn lines_are_broken_where_a_reader_would_break_them() {
    let long = "x = 1 and (".to_owned()
        + &"y = 2 or ".repeat(14)
        + "z in (1, 2)) AND (( SELECT 'A  AND b'::text)) = c";
    assert_eq!(
        laid_out(&format!("    using ({long})")),
        "    using (\n        x = 1\n        and (\n".to_owned()
            + "            y = 2\n"
            + &"            or y = 2\n".repeat(13)
            + "            or z in (1, 2)\n        )\n        and (select 'A  AND b') = c\n    )"
    );
    assert_eq!(laid_out("    a integer default 1,"), "    a integer default 1,");
    let long = "word ".repeat(30);
    assert_eq!(
        laid_out(&format!("-- {}", long.trim())),
        format!("-- {}\n-- {}", "word ".repeat(23).trim(), "word ".repeat(7).trim())
    );
}
