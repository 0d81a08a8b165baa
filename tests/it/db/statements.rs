//! Every statement is a file, is used, fits the migrated schema, and has the columns that its rows are read from.
//! Parameters and columns are checked in beside this, so that a migration that changes a type shows in review.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use crate::harness::{snapshot, system};

pub fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

/// The files below a folder whose names end so, in the order of their paths.
pub fn files_below(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("a folder")
        .flat_map(|entry| {
            let path = entry.expect("an entry").path();
            if path.is_dir() { files_below(&path, ending) } else { vec![path] }
        })
        .filter(|path| path.extension().is_some_and(|extension| extension == ending))
        .collect();
    files.sort();
    files
}

/// Name and text of every statement the server may send.
pub fn files() -> Vec<(String, String)> {
    let folder = root().join("sql/queries");
    files_below(&folder, "sql")
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&folder).expect("below it").to_string_lossy().into_owned();
            (name, fs::read_to_string(path).expect("a file"))
        })
        .collect()
}

/// Path, from the root of the project, and text of every source below a folder.
pub fn sources(folder: &str) -> Vec<(String, String)> {
    files_below(&root().join(folder), "rs")
        .into_iter()
        .map(|path| (path.to_string_lossy().into_owned(), fs::read_to_string(path).expect("a file")))
        .collect()
}

/// A source without its comments.
fn code(text: &str) -> String {
    let code = |line: &str| line.split("//").next().unwrap_or_default().to_owned();
    text.lines().map(code).collect::<Vec<_>>().join("\n")
}

/// The text up to the bracket that closes the one before it.
fn until_closed(text: &str) -> &str {
    let mut depth = 0;
    for (at, letter) in text.char_indices() {
        match letter {
            '(' | '{' => depth += 1,
            ')' | '}' if depth == 0 => return &text[..at],
            ')' | '}' => depth -= 1,
            _ => {}
        }
    }
    panic!("brackets close: {text}");
}

/// What the rows of each statement are read as: statement, type and file, one for each `sql!("…" as …)`.
fn readings() -> Vec<(String, String, String)> {
    let mut readings = Vec::new();
    for (file, text) in sources("src") {
        for call in code(&text).split("sql!(").skip(1).map(until_closed) {
            // The macro itself has no name of a file.
            if let Some((statement, read)) =
                call.trim().strip_prefix('"').and_then(|call| call.split_once('"'))
            {
                let read: String = read.split_whitespace().collect::<Vec<_>>().join(" ");
                let row = read.strip_prefix("as ").unwrap_or("()");
                readings.push((statement.to_owned(), row.to_owned(), file.clone()));
            }
        }
    }
    assert!(readings.len() > 200, "statements are found");
    readings
}

/// What a field of a type is read from: see `row!` in src/db/row.rs.
enum Source {
    Column(String),
    Part(String),
}

/// The fields of each type that has a `row!`. Each type has one.
fn rows() -> BTreeMap<String, Vec<Source>> {
    let mut rows = BTreeMap::new();
    for (file, text) in sources("src") {
        let code = code(&text);
        for (at, _) in code.match_indices("row!").filter(|(at, _)| !code[..*at].ends_with("::")) {
            let body = until_closed(code[at + "row!".len()..].trim_start().trim_start_matches(['{', '(']));
            let (name, fields) = body.split_once('{').expect("a type and its fields");
            let fields = until_closed(fields).split(';').next().unwrap_or_default();
            let source = |field: &str| match (field.split_once(':'), field.split_once('=')) {
                (Some((_, part)), _) => Source::Part(part.trim().to_owned()),
                (None, column) => {
                    let column = column.map_or(field, |(_, column)| column);
                    Source::Column(column.split_whitespace().next().expect("a column").to_owned())
                }
            };
            let fields = fields.split(',').map(str::trim).filter(|field| !field.is_empty());
            let before = rows.insert(name.trim().to_owned(), fields.map(source).collect());
            assert!(before.is_none(), "{file}: there is another {name}");
        }
    }
    assert!(rows.len() > 50, "rows are found");
    rows
}

/// The columns that a type is read from; `None` if it has no `row!`.
fn columns_of<'a>(rows: &'a BTreeMap<String, Vec<Source>>, row: &str) -> Option<Vec<&'a str>> {
    let row = row.strip_prefix("Option<").and_then(|row| row.strip_suffix('>')).unwrap_or(row);
    let mut columns = Vec::new();
    for source in rows.get(row)? {
        match source {
            Source::Column(column) => columns.push(column.as_str()),
            Source::Part(part) => columns.extend(columns_of(rows, part)?),
        }
    }
    Some(columns)
}

/// Whether rows of these columns can be read as a type.
fn readable(rows: &BTreeMap<String, Vec<Source>>, row: &str, columns: &[&str]) -> Result<(), String> {
    if let Some(parts) = row.strip_prefix('(').and_then(|row| row.strip_suffix(')')) {
        // Without commas between inner brackets.
        let mut depth = 0;
        let commas = parts.chars().filter(|letter| {
            depth += match letter {
                '<' | '(' | '[' => 1,
                '>' | ')' | ']' => -1,
                _ => 0,
            };
            *letter == ',' && depth == 0
        });
        let length = match (parts, commas.count()) {
            ("", _) => return Ok(()),
            (parts, commas) if parts.ends_with(',') => commas,
            (_, commas) => commas + 1,
        };
        return if length == columns.len() { Ok(()) } else { Err(format!("has columns {columns:?}")) };
    }
    let read = columns_of(rows, row).ok_or("has no row!")?;
    let missing: Vec<_> = read.into_iter().filter(|column| !columns.contains(column)).collect();
    if missing.is_empty() { Ok(()) } else { Err(format!("lacks {missing:?}")) }
}

#[test]
fn rows_of_modules_are_read_by_name_alone() {
    let (rows, readings) = (rows(), readings());
    for name in rows.keys() {
        let is_read = |read: &str| [name.clone(), format!("Option<{name}>")].contains(&read.to_owned());
        let parts =
            rows.values().flatten().any(|source| matches!(source, Source::Part(part) if is_read(part)));
        assert!(parts || readings.iter().any(|(_, row, _)| is_read(row)), "no statement is read as {name}");
    }
    for (name, text) in sources("src") {
        // The commands of a database's owner have their own connections.
        let of_the_owner = ["src/wall_audit", "src/tenant_commands"].iter().any(|part| name.contains(part));
        if !of_the_owner && !name.contains("src/db/") {
            assert!(!text.contains("tokio_postgres::Row") && !text.contains("::{Row"), "{name}");
            assert!(!text.contains("FromRow for"), "{name}");
        }
    }
}

#[tokio::test]
async fn every_statement_fits_the_schema() {
    let api = system().connect("appointd_api").await;
    let mut text = String::new();
    let (rows, readings) = (rows(), readings());
    let mut mistakes = Vec::new();
    for (name, sql) in files() {
        let statement = api.prepare(&sql).await.unwrap_or_else(|error| {
            panic!("{name}: {}", error.as_db_error().map_or("", |error| error.message()))
        });
        let names: Vec<&str> = statement.columns().iter().map(|column| column.name()).collect();
        for (_, row, file) in readings.iter().filter(|(read, ..)| *read == name) {
            if let Err(mistake) = readable(&rows, row, &names) {
                mistakes.push(format!("{file}: {name} as {row} {mistake}"));
            }
        }
        let parameters: Vec<_> = statement.params().iter().map(ToString::to_string).collect();
        let columns: Vec<_> = statement
            .columns()
            .iter()
            .map(|column| format!("{} {}", column.name(), column.type_()))
            .collect();
        writeln!(text, "{name}\n    ({})\n    -> {}", parameters.join(", "), columns.join(", "))
            .expect("text");
        if sql.starts_with("-- $1 tenant_id") {
            assert_eq!(parameters[0], "uuid", "{name}");
        }
    }
    assert!(mistakes.is_empty(), "{mistakes:#?}");
    snapshot("tests/it/statements.txt", &text);
}

#[test]
fn every_statement_is_used_and_names_its_parameters() {
    let readings = readings();
    for (name, sql) in files() {
        assert!(readings.iter().any(|(statement, ..)| *statement == name), "{name} is not used");
        // Up to the first empty line of the comment.
        let head: Vec<_> = sql.lines().map_while(|line| line.strip_prefix("-- ")).collect();
        let head = head.join(" ");
        assert!(head.starts_with("$1 ") || head.starts_with("no parameters; "), "{name}: {head}");
        let highest = (1..).take_while(|n| sql.contains(&format!("${n}"))).last().unwrap_or(0);
        for n in 1..=highest {
            assert!(head.contains(&format!("${n}")), "{name} does not say what ${n} is");
        }
        for line in sql.lines().filter(|line| !line.trim_start().starts_with("--")) {
            // The name of a collation.
            let line = line.replace("\"C\"", "\"c\"");
            assert_eq!(line.to_lowercase(), line, "{name} is in lower case");
        }
    }
}

/// One statement in a message: what is brought into it cannot become a second one.
#[test]
fn only_the_connection_and_the_operator_send_several_statements_at_once() {
    for (name, text) in sources("src") {
        let code = code(&text);
        assert!(!code.contains("simple_query"), "{name}");
        let of_the_operator = ["src/wall_audit", "src/tenant_commands", "src/db/migrate.rs", "src/dev.rs"]
            .iter()
            .any(|part| name.contains(part));
        let constant = ["src/db/connection.rs", "src/db/listen.rs"].iter().any(|part| name.ends_with(part));
        if !of_the_operator && !constant {
            assert!(!code.contains("batch_execute"), "{name}");
        }
    }
}

#[test]
fn source_contains_no_sql_statement() {
    let words = ["select ", "insert into ", "update ", "delete from ", "set local ", "truncate "];
    for (name, text) in sources("src") {
        for (number, line) in text.lines().enumerate() {
            let line = line.trim_start();
            if line.starts_with("//") {
                continue;
            }
            for word in words {
                let statement = line.contains(&format!("\"{word}"))
                    || line.to_lowercase().contains(&format!("r#\"{word}"));
                assert!(!statement, "{name}:{}: {line}", number + 1);
            }
        }
        // The only ways to a statement that is no file.
        if !name.ends_with("src/db/sql.rs") {
            assert!(!text.contains("Sql::from_file"), "{name}");
        }
    }
}

/// pgbench gets the statements of the server, with a parameter for each `$n`: `@file parameters` in the benchmark.
#[test]
fn benchmark_fills_every_parameter_of_its_statements() {
    let statements: BTreeMap<String, String> = files().into_iter().collect();
    let benchmark = fs::read_to_string(root().join("benches/load.rs")).expect("the benchmark");
    let mut seen = 0;
    for line in benchmark.lines().filter_map(|line| line.strip_prefix('@')) {
        let (file, parameters) = line.split_once(' ').expect("parameters");
        let text = statements.get(file).unwrap_or_else(|| panic!("no statement {file}"));
        let code: String = text.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
        let wanted: BTreeSet<usize> = code
            .split('$')
            .skip(1)
            .filter_map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok())
            .collect();
        assert_eq!(wanted, (1..=parameters.split(' ').count()).collect(), "{line}");
        seen += 1;
    }
    assert!(seen >= 10, "{seen}");
}

/// A claim without one of the fields that the function reads is not the server's claim.
#[tokio::test]
async fn benchmark_fills_every_field_of_a_claim() {
    let benchmark = fs::read_to_string(root().join("benches/load.rs")).expect("the benchmark");
    let owner = system().connect("appointd_owner").await;
    let function = "select pg_get_functiondef('scheduling.take_time'::regproc)";
    let function: String = owner.query_one(function, &[]).await.expect("the function").get(0);
    let record =
        function.split_once("as c (").and_then(|(_, rest)| rest.split_once(')')).expect("a record").0;
    let fields: Vec<_> = record.split(',').filter_map(|field| field.split_whitespace().next()).collect();
    assert!(fields.len() >= 10, "{fields:?}");
    // A booking of pgbench is not part of a group.
    for field in fields.into_iter().filter(|&field| field != "group_key") {
        assert!(benchmark.contains(&format!("'{field}',")), "{field}");
    }
}

#[tokio::test]
async fn functions_that_statements_share_are_part_of_their_plans() {
    let api = system().connect("appointd_api").await;
    for (function, call) in [
        (
            "hours_of",
            "select f.* from scheduling.providers as p cross join lateral scheduling.hours_of(p.tenant_id, p.id, '2031-01-01', '2031-01-02') as f",
        ),
        (
            "segments_of",
            "select (select f.segments from scheduling.segments_of(a.tenant_id, a.id) as f) from scheduling.appointments as a",
        ),
        (
            "names_of",
            "select f.* from scheduling.appointments as a cross join lateral scheduling.names_of(a.tenant_id, '{contact}', a.contact_id, a.service_id, a.provider_id) as f",
        ),
    ] {
        let plan = api.query(&format!("explain (verbose) {call}"), &[]).await.expect("a plan");
        let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
        let called = plan.iter().find(|line| line.contains(function));
        assert_eq!(called, None, "{function} is called, for it cannot be inlined");
    }
}
