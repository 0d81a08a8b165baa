//! Which files of `src` name which: imports wherever they stand, and paths in code and in macros.

use std::collections::{BTreeMap, BTreeSet};

use crate::db::statements::sources;

/// `src/scheduling/hours/closures.rs` is `crate::scheduling::hours::closures`.
pub fn module_of(file: &str) -> String {
    let path = file.rsplit_once("src/").map_or(file, |(_, path)| path);
    match path.trim_end_matches(".rs") {
        "lib" => "crate".to_owned(),
        path => format!("crate::{}", path.replace('/', "::")),
    }
}

/// All files of `src`, by the module that each is.
pub struct Sources {
    texts: BTreeMap<String, String>,
    /// `crate::sql` is a macro of `crate::db::sql`.
    macros: BTreeMap<String, String>,
}

impl Sources {
    pub fn read() -> Self {
        Self::new(sources("src").into_iter().map(|(name, text)| (module_of(&name), text)).collect())
    }

    fn new(texts: BTreeMap<String, String>) -> Self {
        let macros = texts
            .iter()
            .flat_map(|(module, text)| {
                text.split("#[macro_export]\nmacro_rules! ")
                    .skip(1)
                    .filter_map(|rest| rest.split(' ').next())
                    .map(move |name| (format!("crate::{name}"), module.clone()))
            })
            .collect();
        Self { texts, macros }
    }

    /// The modules that each module names.
    pub fn arrows(&self) -> BTreeMap<String, BTreeSet<String>> {
        self.texts
            .iter()
            .map(|(own, text)| {
                let paths = paths(own, text).into_iter().filter_map(|path| self.module(&path));
                (own.clone(), paths.filter(|module| module != own).collect())
            })
            .collect()
    }

    /// The longest module that a path begins with.
    fn module(&self, path: &str) -> Option<String> {
        if let Some(module) = self.macros.get(path) {
            return Some(module.clone());
        }
        let mut path = path;
        while !self.texts.contains_key(path) {
            path = path.rsplit_once("::")?.0;
        }
        Some(path.to_owned())
    }
}

/// Every path into the crate that a file has, written out from `crate`.
fn paths(own: &str, text: &str) -> Vec<String> {
    let words = words(text);
    // What begins a path here, and where it leads: modules of the file's own, and what it imports.
    let mut known =
        BTreeMap::from([("crate".to_owned(), "crate".to_owned()), ("self".to_owned(), own.to_owned())]);
    known.insert(env!("CARGO_PKG_NAME").to_owned(), "crate".to_owned());
    for pair in words.windows(3) {
        if pair[0] == "mod" && pair[2] == ";" {
            known.insert(pair[1].to_owned(), format!("{own}::{}", pair[1]));
        }
    }
    let mut found = Vec::new();
    // How deep in braces, and at which depths a module within the file begins.
    let (mut depth, mut inner) = (0, Vec::new());
    let (mut at, mut imports) = (0, false);
    while at < words.len() {
        match words[at] {
            "{" => {
                depth += 1;
                if at > 1 && words[at - 2] == "mod" {
                    inner.push(depth);
                }
            }
            "}" => {
                if inner.last() == Some(&depth) {
                    inner.pop();
                }
                depth -= 1;
            }
            "use" => imports = true,
            ";" => imports = false,
            word if is_name(word)
                && words.get(at + 1) == Some(&"::")
                && (at == 0 || words[at - 1] != "::") =>
            {
                let mut named = Vec::new();
                at = tree(&words, at, "", &mut named);
                for (path, alias) in named {
                    let path = absolute(&path, own, inner.len(), &known);
                    if let Some(path) = path {
                        if imports {
                            known.entry(alias).or_insert_with(|| path.clone());
                        }
                        found.push(path);
                    }
                }
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// A path from `crate` on; none if it leads out of the crate.
fn absolute(path: &str, own: &str, inner: usize, known: &BTreeMap<String, String>) -> Option<String> {
    let ups = path.split("::").take_while(|part| *part == "super").count();
    if ups > 0 {
        // Out of a module within the file it leads into the file.
        let mut module = own;
        for _ in inner..ups {
            module = module.rsplit_once("::")?.0;
        }
        let rest: Vec<_> = path.split("::").skip(ups).collect();
        return Some([&[module], &rest[..]].concat().join("::"));
    }
    let (head, rest) = path.split_once("::").unwrap_or((path, ""));
    let head = known.get(head)?;
    Some(if rest.is_empty() { head.clone() } else { format!("{head}::{rest}") })
}

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Reads `a::{b, c::{d, e as f}}` as `a::b`, `a::c::d` and `a::c::e`, each with the name it has from then on. Returns
/// where it ends.
fn tree(words: &[&str], mut at: usize, before: &str, found: &mut Vec<(String, String)>) -> usize {
    let mut path = before.to_owned();
    loop {
        match words.get(at).copied() {
            Some("{") => {
                at += 1;
                while words.get(at).is_some_and(|word| *word != "}") {
                    at = tree(words, at, &path, found);
                    if words.get(at) == Some(&",") {
                        at += 1;
                    }
                }
                return at + 1;
            }
            Some(word) if is_name(word) => {
                if word != "self" || path.is_empty() {
                    path = if path.is_empty() { word.to_owned() } else { format!("{path}::{word}") };
                }
                at += 1;
                if words.get(at) == Some(&"::") {
                    at += 1;
                    continue;
                }
                let last = path.rsplit("::").next().unwrap_or_default().to_owned();
                if words.get(at) == Some(&"as") && words.get(at + 1).is_some() {
                    found.push((path, words[at + 1].to_owned()));
                    return at + 2;
                }
                found.push((path, last));
                return at;
            }
            // `*`, or the parameters of a type.
            _ => {
                found.push((path, String::new()));
                return at + usize::from(words.get(at) == Some(&"*"));
            }
        }
    }
}

/// Names, `::` and what else there is, letter by letter; without comments, and without what stands in quotation marks.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            _ if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            _ if rest.starts_with("r\"") || rest.starts_with("r#\"") => {
                let (start, end) = if rest.starts_with("r#") { (3, "\"#") } else { (2, "\"") };
                rest[start..].find(end).map_or(rest.len(), |found| start + found + end.len())
            }
            '"' => {
                let mut escaped = false;
                let closes = |(_, letter): &(usize, char)| {
                    let closes = *letter == '"' && !escaped;
                    escaped = *letter == '\\' && !escaped;
                    closes
                };
                rest.char_indices().skip(1).find(closes).map_or(rest.len(), |(found, _)| found + 1)
            }
            // A letter in quotation marks; or a lifetime.
            '\'' => match rest[1..].chars().next() {
                Some('\\') => rest[3..].find('\'').map_or(rest.len(), |found| found + 4),
                Some(letter) if rest[1 + letter.len_utf8()..].starts_with('\'') => letter.len_utf8() + 2,
                _ => 1,
            },
            _ if rest.starts_with("::") => {
                words.push(&rest[..2]);
                2
            }
            letter if letter.is_alphanumeric() || letter == '_' => {
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                words.push(&rest[..end]);
                end
            }
            letter => {
                if !letter.is_whitespace() {
                    words.push(&rest[..letter.len_utf8()]);
                }
                letter.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    words
}

#[test]
fn paths_are_found_wherever_they_stand() {
    let text = r##"
        //! crate::comment::X
        mod child;
        use crate::{a::{B, c::{self, D as E}}, f::*};
        pub use child::Part;
        fn f() {
            use super::g::H;
            let x = "crate::text::X"; let y = '"'; let z: &'static str = r#"crate::raw::X"#;
            E::new(crate::h::i(), c::deep::j(), std::mem::take(x));
        }
        macro_rules! m { () => { $crate::k::L } }
        mod tests { use super::M; mod more { use super::super::super::n::O; } }
    "##;
    let found = paths("crate::own::file", text);
    let expected = [
        "crate::a::B",
        "crate::a::c",
        "crate::a::c::D",
        "crate::f",
        "crate::own::file::child::Part",
        "crate::own::g::H",
        "crate::a::c::D::new",
        "crate::h::i",
        "crate::a::c::deep::j",
        "crate::k::L",
        "crate::own::file::M",
        "crate::own::n::O",
    ];
    assert_eq!(found, expected);
}

#[test]
fn file_knows_the_longest_module_of_a_path_and_the_file_of_a_macro() {
    let files = [
        ("crate", "pub mod a;"),
        ("crate::a", "mod b; pub use b::B;"),
        ("crate::a::b", "pub struct B; #[macro_export]\nmacro_rules! make { () => { $crate::a::B } }"),
        ("crate::c", "use crate::{a::B, make}; fn f() { super::a::b::g() }"),
    ];
    let texts = files.map(|(module, text)| (module.to_owned(), text.to_owned())).into();
    let arrows: Vec<_> = Sources::new(texts)
        .arrows()
        .into_iter()
        .map(|(module, known)| format!("{module}: {}", known.into_iter().collect::<Vec<_>>().join(" ")))
        .collect();
    let expected =
        ["crate: ", "crate::a: crate::a::b", "crate::a::b: crate::a", "crate::c: crate::a crate::a::b"];
    assert_eq!(arrows, expected);
}
