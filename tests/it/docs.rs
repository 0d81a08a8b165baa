//! The lines of the README and the docs that a reader pastes into a shell, run as they stand: page by page, in order,
//! in one shell, in the folder of a running `appointd dev`. Answers have the statuses that the text above the lines
//! names in code, such as `409 Conflict`; where it names none, they succeed. Counts are those that it names in bold.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::{
    dev::Dev,
    harness::{Folder, system},
};

/// Blocks that are not run here: the page, the first line, and why.
const NOT_RUN: &[(&str, &str, &str)] = &[
    ("README.md", "cargo run --release -- dev", "starts what the other lines are run against"),
    ("README.md", "cargo test", "is what runs this test"),
    ("docs/benchmarks.md", "cargo bench --bench load", "takes the whole machine for minutes"),
    ("docs/dba.md", "psql -v ON_ERROR_STOP=1 -d postgres", "sets up a cluster; db/dba.rs tries it"),
    ("docs/dba.md", "APPOINTD_AUDITOR_DATABASE_URL=postgresql://appointd_auditor@db/", "names a host"),
    (
        "docs/dba.md",
        "openssl req -x509",
        "says on standard error what it does; harness/encrypted.rs tries it",
    ),
    ("docs/dba.md", "pg_dump --format=custom", "restores into another cluster; db/dba.rs tries it"),
    ("docs/deploy.md", "psql -v ON_ERROR_STOP=1 -f sql/setup/roles.sql", "sets up a cluster"),
    ("docs/deploy.md", "appointd tenant list", "needs a database of its own; tenant_commands/ tries it"),
    ("docs/security.md", "cargo test isolation", "is a part of the tests"),
];

/// The address that the pages name, for which a server on another port answers here.
const NAMED: &str = "127.0.0.1:8080";

/// Lines to paste, and the text above them.
#[derive(Debug)]
struct Block {
    line: usize,
    above: String,
    lines: String,
}

impl Block {
    /// Those of a page, in order.
    fn all(page: &str) -> Vec<Self> {
        let (mut blocks, mut above, mut open) = (Vec::new(), String::new(), None::<Self>);
        for (number, line) in page.lines().enumerate() {
            match (&mut open, line) {
                (Some(_), "```") => blocks.extend(open.take()),
                (Some(block), line) => _ = writeln!(block.lines, "{line}"),
                (None, "```sh") => {
                    let above = above.clone();
                    open = Some(Self { line: number + 2, above, lines: String::new() });
                }
                // The last paragraph.
                (None, "") => above.push('\n'),
                (None, line) => {
                    if above.ends_with('\n') {
                        above.clear();
                    }
                    above.push_str(line);
                    above.push(' ');
                }
            }
        }
        blocks
    }

    /// The statuses that the text promises: `201`, `409 Conflict`.
    fn statuses(&self) -> Vec<u16> {
        let codes = self.above.split('`').skip(1).step_by(2);
        codes
            .filter_map(|code| code.split(' ').next()?.parse().ok())
            .filter(|status| *status >= 100)
            .collect()
    }

    /// The counts that the text promises: **0**.
    fn counts(&self) -> Vec<u64> {
        self.above.split("**").skip(1).step_by(2).filter_map(|bold| bold.parse().ok()).collect()
    }
}

/// A shell in a folder, whose curl asks a server.
struct Shell<'a> {
    folder: &'a Path,
    address: &'a str,
}

/// What a shell wrote about a block after it.
const END: &str = "@@end";
/// What curl writes about an answer.
const STATUS: &str = "@@status ";

impl Shell<'_> {
    /// What runs blocks, one after the other, in one shell; none where a program is missing.
    fn run(&self, blocks: &[Block]) -> Option<Output> {
        for program in ["curl", "psql"] {
            if Command::new(program).arg("--version").output().is_err() {
                eprintln!("not tried, {program} is missing here: the lines of the docs");
                return None;
            }
        }
        let settings = format!(
            "connect-to = \"{NAMED}:{}\"\nwrite-out = \"%{{stderr}}\\n{STATUS}%{{http_code}}\\n\"\n",
            self.address
        );
        fs::write(self.folder.join(".curlrc"), settings).expect("a file");
        let mut script = String::new();
        for block in blocks {
            let _ = write!(script, "{}\n{{ echo \"{END} $?\" >&2; echo; echo {END}; }}\n", block.lines);
        }
        let mut shell = Command::new("sh");
        // A reader has no file of settings that would change the answers.
        shell.args(["-c", &script]).current_dir(self.folder).env("CURL_HOME", self.folder);
        shell.env("PSQLRC", "/dev/null").env("PAGER", "cat").env("LC_ALL", "C.UTF-8");
        Some(shell.output().expect("a shell runs"))
    }

    /// What a page promises and its lines do not do.
    fn mistakes(&self, name: &str, blocks: &[Block]) -> Vec<String> {
        let Some(output) = self.run(blocks) else {
            return Vec::new();
        };
        let [output, errors] =
            [output.stdout, output.stderr].map(|text| String::from_utf8(text).expect("text"));
        let (mut outputs, mut errors) = (output.split(END), errors.split(END));
        let mut mistakes = Vec::new();
        for block in blocks {
            let output = outputs.next().unwrap_or_default();
            let mut said = errors.next().unwrap_or_default();
            // The exit status of the block before stands in front.
            if let Some((_, rest)) = said.strip_prefix(' ').and_then(|rest| rest.split_once('\n')) {
                said = rest;
            }
            let mut wrong = |what: String| mistakes.push(format!("{name}:{}: {what}", block.line));
            let statuses: Vec<u16> =
                said.lines().filter_map(|line| line.strip_prefix(STATUS)?.parse().ok()).collect();
            let promised = block.statuses();
            let others = statuses.len().saturating_sub(promised.len());
            if statuses.len() < promised.len() || statuses[others..] != promised {
                wrong(format!("promised are {promised:?}, the answers are {statuses:?}: {output}"));
            } else if statuses[..others].iter().any(|status| !(200..300).contains(status)) {
                wrong(format!("the answers are {statuses:?}: {output}"));
            }
            let complaints: Vec<&str> =
                said.lines().filter(|line| !line.is_empty() && !line.starts_with(STATUS)).collect();
            if !complaints.is_empty() {
                wrong(complaints.join("\n"));
            }
            let counts: Vec<u64> = output.lines().filter_map(|line| line.trim().parse().ok()).collect();
            let promised = block.counts();
            let (kept, more) = counts.split_at(promised.len().min(counts.len()));
            if kept != promised || more.contains(&0) {
                wrong(format!("promised are {promised:?}, the counts are {counts:?}"));
            }
            let ended = errors.clone().next().and_then(|rest| rest.trim_start().split('\n').next());
            if ended != Some("0") {
                wrong(format!("the last line ends with status {ended:?}"));
            }
        }
        mistakes
    }
}

fn pages() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = fs::read_dir(root.join("docs")).expect("a folder").map(|file| file.expect("a file").path());
    let mut files: Vec<PathBuf> =
        docs.filter(|file| file.extension().is_some_and(|kind| kind == "md")).collect();
    files.sort();
    files.insert(0, root.join("README.md"));
    let named = |file: &PathBuf| file.strip_prefix(root).expect("below").display().to_string();
    files.iter().map(|file| (named(file), fs::read_to_string(file).expect("text"))).collect()
}

#[test]
fn lines_of_the_pages_do_what_the_text_says() {
    let folder = Folder::new();
    let dev = Dev::start(&folder.0.join(".appointd"), &[]);
    let address = dev.address();
    let shell = Shell { folder: &folder.0, address: &address };
    let (mut tried, mut left, mut mistakes) = (0, NOT_RUN.to_vec(), Vec::new());
    for (name, page) in pages() {
        let mut blocks = Block::all(&page);
        blocks.retain(|block| {
            let listed = left.iter().position(|(of, first, _)| *of == name && block.lines.starts_with(first));
            listed.map(|listed| left.remove(listed)).is_none()
        });
        tried += blocks.len();
        if !blocks.is_empty() {
            mistakes.extend(shell.mistakes(&name, &blocks));
        }
    }
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n\n"));
    assert!(left.is_empty(), "listed, and in no page: {left:?}");
    assert!(tried > 5, "{tried} blocks");
}

#[tokio::test]
async fn broken_line_of_a_page_is_found() {
    let folder = Folder::new();
    let live = "curl -s http://127.0.0.1:8080/health/live; echo";
    let missing = "curl -s http://127.0.0.1:8080/api/v1/nothing; echo";
    for (text, lines, mistake) in [
        ("It answers.", live, ""),
        ("It answers `200 OK`.", live, ""),
        ("The answer is `404`: `unknown_path`.", missing, ""),
        ("There are **0** and more.", "echo 0; echo 3", ""),
        ("A variable is kept.", "MISSING=1", ""),
        ("A path with a typo.", missing, "the answers are [404]"),
        ("It answers `201 Created`.", live, "promised are [201], the answers are [200]"),
        ("First `200`, then `404`.", live, "promised are [200, 404], the answers are [200]"),
        ("A misspelled program.", "crul -s http://127.0.0.1:8080/health/live", "not found"),
        ("A pattern that finds nothing.", "echo a | grep b", "the last line ends with status Some(\"1\")"),
        ("There are **0**.", "echo 1", "promised are [0], the counts are [1]"),
        ("There are **0** and more.", "echo 0; echo 0", "promised are [0], the counts are [0, 0]"),
        ("No shell understands this.", "if true; do", "yntax error"),
    ] {
        let page = format!("# A page\n\n{text}\n\n```sh\n{lines}\n```\n\nThe end.\n\n```sh\n{live}\n```\n");
        let blocks = Block::all(&page);
        assert_eq!((blocks.len(), blocks[0].line), (2, 6), "{blocks:?}");
        let address = system().address.to_string();
        let folder = folder.0.clone();
        let mistakes = tokio::task::spawn_blocking(move || {
            Shell { folder: &folder, address: &address }.mistakes("page.md", &blocks)
        });
        let mistakes = mistakes.await.expect("no panic").join("\n");
        assert_eq!(mistakes.is_empty(), mistake.is_empty(), "{text} {mistakes}");
        assert!(
            mistakes.contains(mistake) || mistakes.contains("the lines of the docs"),
            "{text} {mistakes}"
        );
    }
}
