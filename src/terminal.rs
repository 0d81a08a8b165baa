//! What the commands have in common: the terminal, the log, and running a task.

use std::{
    error::Error,
    io::{self, ErrorKind, IsTerminal as _, Write as _},
};

use tracing::Level;

use crate::{
    config::{Database, LogFormat, Mistakes},
    db::DatabaseUrl,
};

/// Writes to standard output. A reader that closes the pipe, as `head` does, has read what it wanted.
pub fn print(text: &[u8]) -> io::Result<()> {
    let mut output = io::stdout();
    match output.write_all(text).and_then(|()| output.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// The text of mistakes: one, or a list.
pub fn list(mistakes: Mistakes) -> String {
    match mistakes.0.as_slice() {
        [one] => one.clone(),
        several => format!("several errors:\n  - {}", several.join("\n  - ")),
    }
}

/// The database of a command, which warns if the connection can be read or changed on the way.
pub fn database(database: Database, given: Option<&str>) -> Result<DatabaseUrl, String> {
    let url = database.read(given).map_err(list)?;
    if let Some(risk) = url.risk() {
        eprintln!("appointd: warning: {}: {risk}", database.setting());
    }
    Ok(url)
}

/// Raises the limit of open files: every connection takes one, and the usual soft limit is for interactive programs.
pub fn raise_open_files() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // Some systems have a lower limit than they report; then it stays as it is.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// Runs a task to its end on this thread.
pub fn block_on<T>(task: impl Future<Output = Result<T, Box<dyn Error>>>) -> Result<T, Box<dyn Error>> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(task)
}

/// Writes the log to standard error.
pub fn log_to_stderr(level: Level, format: LogFormat) {
    let builder = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr);
    match format {
        LogFormat::Json => {
            builder.json().flatten_event(true).with_current_span(true).with_span_list(false).init()
        }
        LogFormat::Text => builder.with_target(false).init(),
    }
}
