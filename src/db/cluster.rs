//! A private PostgreSQL for development and tests: found, initialized, started, stopped. Reached over a Unix socket in
//! a folder only its owner can enter, so it needs no password and no port.
//!
//! PostgreSQL refuses to run as root; started by root, it runs as an ordinary user. It ends with this process, however
//! that ends: a shell between the two holds a pipe from us and stops the server when the pipe closes.

use std::{
    fs,
    io::{self, ErrorKind, Write as _},
    os::unix::{
        fs::{DirBuilderExt as _, PermissionsExt as _, symlink},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::unistd::{Gid, Uid, User};

/// The oldest PostgreSQL that has what the migrations use.
const OLDEST: u32 = 15;
/// The longest path of a Unix socket, one terminating byte included, is 108 bytes on Linux and 104 on macOS.
const LONGEST_SOCKET: usize = 103;
const SOCKET: &str = ".s.PGSQL.5432";
/// Where a cluster lives when the folder asked for is closed to the user PostgreSQL runs as.
const ELSEWHERE: &str = "/var/lib/appointd";
const START: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(30);

/// What went wrong, in words for the person at the terminal.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "no PostgreSQL {OLDEST} or newer found (looked in $APPOINTD_POSTGRES_BIN, PATH, pg_config and the usual folders); \
         install it (Debian and Ubuntu: apt-get install postgresql; macOS: brew install postgresql@17) \
         or set APPOINTD_DATABASE_URL and run `appointd serve` against a server of yours"
    )]
    NotFound,
    #[error("{what}: {why}")]
    Failed { what: String, why: String },
}

fn failed(what: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
    let what = what.into();
    move |error| Error::Failed { what, why: error.to_string() }
}

/// The programs of one PostgreSQL installation.
#[derive(Clone, Debug)]
pub struct Binaries {
    folder: PathBuf,
    /// The major version.
    pub version: u32,
}

impl Binaries {
    /// The first PostgreSQL new enough, in the order of the error message that says there is none.
    pub fn find() -> Result<Self, Error> {
        let named = std::env::var_os("APPOINTD_POSTGRES_BIN").map(PathBuf::from);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let pg_config = Command::new("pg_config")
            .arg("--bindir")
            .output()
            .ok()
            .map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
        named
            .into_iter()
            .chain(std::env::split_paths(&path))
            .chain(pg_config)
            .chain(usual_folders())
            .find_map(|folder| Self::in_folder(&folder))
            .ok_or(Error::NotFound)
    }

    fn in_folder(folder: &Path) -> Option<Self> {
        let postgres = folder.join("postgres");
        if !folder.join("initdb").is_file() || !postgres.is_file() {
            return None;
        }
        let output = Command::new(postgres).arg("--version").output().ok()?;
        // postgres (PostgreSQL) 15.18 (Debian …)
        let version = String::from_utf8_lossy(&output.stdout)
            .split_whitespace()
            .nth(2)?
            .split(|c: char| !c.is_ascii_digit())
            .next()?
            .parse()
            .ok()?;
        (version >= OLDEST).then(|| Self { folder: folder.to_owned(), version })
    }
}

/// Where distributions put the programs, newest version first.
fn usual_folders() -> Vec<PathBuf> {
    let versioned = [
        ("/usr/lib/postgresql", "bin"),
        ("/usr", "bin"),
        ("/opt/homebrew/opt", "bin"),
        ("/usr/local/opt", "bin"),
        ("/Applications/Postgres.app/Contents/Versions", "bin"),
        ("/Library/PostgreSQL", "bin"),
    ];
    let mut folders: Vec<PathBuf> = versioned
        .iter()
        .flat_map(|(parent, bin)| {
            let entries = fs::read_dir(parent).into_iter().flatten().flatten();
            let mut found: Vec<_> = entries
                .filter(|entry| {
                    let name = entry.file_name();
                    let name = name.to_string_lossy();
                    name.starts_with("pgsql-")
                        || name.starts_with("postgresql")
                        || name.parse::<f32>().is_ok()
                })
                .map(|entry| entry.path().join(bin))
                .collect();
            found.sort();
            found.into_iter().rev()
        })
        .collect();
    folders.push("/usr/local/pgsql/bin".into());
    folders
}

/// What the cluster is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// Survives a crash of the machine.
    Keep,
    /// Survives nothing, and is faster for it.
    Discard,
}

/// A running PostgreSQL. Stops when dropped.
#[derive(Debug)]
pub struct Cluster {
    sockets: PathBuf,
    keeper: Child,
    lifeline: Option<ChildStdin>,
}

impl Cluster {
    /// Starts the cluster kept in `folder`, made first where there is none. `progress` is told about steps that take
    /// longer than a moment.
    pub fn start(folder: &Path, settings: &[&str], progress: &dyn Fn(&str)) -> Result<Self, Error> {
        let binaries = Binaries::find()?;
        let user = ordinary_user()?;
        let home = settle(folder, user.as_ref())?;
        Self::start_in(home, Runner { binaries, user, purpose: Purpose::Keep }, settings, progress)
    }

    /// Starts a new cluster that is as fast as it is forgetful, in a temporary folder. It is gone when this process is,
    /// even when that is killed.
    pub fn temporary(settings: &[&str]) -> Result<Self, Error> {
        let binaries = Binaries::find()?;
        let user = ordinary_user()?;
        let parent = match &user {
            Some(user) if !can_enter(user, &std::env::temp_dir()) => PathBuf::from("/tmp"),
            _ => std::env::temp_dir(),
        };
        let home = parent.join(format!("appointd-{}", uuid::Uuid::new_v4().simple()));
        private_folder(&home, user.as_ref())?;
        Self::start_in(home, Runner { binaries, user, purpose: Purpose::Discard }, settings, &|_| ())
    }

    fn start_in(
        home: PathBuf,
        runner: Runner,
        settings: &[&str],
        progress: &dyn Fn(&str),
    ) -> Result<Self, Error> {
        let data = home.join("data");
        let log = home.join("postgres.log");
        runner.initialize(&home, &data, progress)?;
        runner.stop_leftover(&data, progress);
        let sockets = runner.socket_folder(&home)?;
        progress("starting PostgreSQL");
        let mut keeper = runner.spawn(&home, &data, &sockets, &log, settings)?;
        let lifeline = keeper.stdin.take();
        let mut cluster = Self { sockets, keeper, lifeline };
        cluster.wait_until_ready(&data, &log)?;
        Ok(cluster)
    }

    /// A URL for `role` to reach `database`, for psql and for us.
    pub fn url(&self, role: &str, database: &str) -> String {
        format!(
            "postgresql:///{database}?host={}&user={role}",
            percent_encode(&self.sockets.to_string_lossy())
        )
    }

    /// Waits for the lock file to say so.
    fn wait_until_ready(&mut self, data: &Path, log: &Path) -> Result<(), Error> {
        let deadline = Instant::now() + START;
        loop {
            // The eighth line of the lock file is the server's state; pg_ctl looks there too.
            let status = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
            if status.lines().nth(7).is_some_and(|line| line.trim() == "ready") {
                return Ok(());
            }
            let ended = self.keeper.try_wait().ok().flatten().is_some();
            if ended || Instant::now() > deadline {
                return Err(Error::Failed { what: "PostgreSQL did not start".into(), why: last_lines(log) });
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        let deadline = Instant::now() + STOP;
        while Instant::now() < deadline && matches!(self.keeper.try_wait(), Ok(None)) {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Removes a stopped cluster and everything in it.
pub fn remove(folder: &Path) -> Result<(), Error> {
    let link = folder.join("cluster");
    let home = fs::read_link(&link).unwrap_or_else(|_| link.clone());
    for path in [&home, &link] {
        match fs::symlink_metadata(path) {
            Ok(found) if found.is_symlink() => fs::remove_file(path),
            Ok(_) => fs::remove_dir_all(path),
            Err(_) => Ok(()),
        }
        .map_err(failed(format!("cannot remove {}", path.display())))?;
    }
    Ok(())
}

/// The user PostgreSQL runs as in place of root; none where we are not root.
fn ordinary_user() -> Result<Option<User>, Error> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    ["postgres", "nobody"].iter().find_map(|name| User::from_name(name).ok().flatten()).map(Some).ok_or_else(
        || Error::Failed {
            what: "PostgreSQL refuses to run as root".into(),
            why: "and there is no user `postgres` or `nobody` to run it as".into(),
        },
    )
}

/// The folder the cluster lives in: `folder/cluster`, or where that cannot be reached by the user PostgreSQL runs as, a
/// place of its own that `folder/cluster` then links to.
fn settle(folder: &Path, user: Option<&User>) -> Result<PathBuf, Error> {
    let making = |path: &Path| failed(format!("cannot make {}", path.display()));
    fs::create_dir_all(folder).map_err(making(folder))?;
    let folder = folder.canonicalize().map_err(making(folder))?;
    let link = folder.join("cluster");
    if let Ok(elsewhere) = fs::read_link(&link) {
        if elsewhere.is_dir() {
            return Ok(elsewhere);
        }
        fs::remove_file(&link).map_err(failed(format!("cannot remove {}", link.display())))?;
    }
    let home = match user {
        Some(user) if !can_enter(user, &folder) => {
            let home = Path::new(ELSEWHERE).join(uuid::Uuid::new_v4().simple().to_string());
            fs::create_dir_all(ELSEWHERE).map_err(making(&home))?;
            symlink(&home, &link).map_err(making(&link))?;
            home
        }
        _ => link,
    };
    private_folder(&home, user)?;
    Ok(home)
}

fn can_enter(user: &User, folder: &Path) -> bool {
    as_user(Command::new("test"), Some(user))
        .arg("-x")
        .arg(folder)
        .status()
        .is_ok_and(|status| status.success())
}

fn private_folder(path: &Path, user: Option<&User>) -> Result<(), Error> {
    let making = || failed(format!("cannot make {}", path.display()));
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        result => result.map_err(making())?,
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(making())?;
    if let Some(user) = user {
        std::os::unix::fs::chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).map_err(making())?;
    }
    Ok(())
}

fn as_user(mut command: Command, user: Option<&User>) -> Command {
    if let Some(User { uid, gid, .. }) = user {
        command.uid(Uid::as_raw(*uid)).gid(Gid::as_raw(*gid));
    }
    // The folder we were started in may be closed to that user.
    command.current_dir("/");
    command
}

struct Runner {
    binaries: Binaries,
    user: Option<User>,
    purpose: Purpose,
}

impl Runner {
    fn command(&self, program: &Path) -> Command {
        let mut command = as_user(Command::new(program), self.user.as_ref());
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("LC_ALL", "C")
            .stdin(Stdio::null());
        command
    }

    /// Makes the data folder beside its final place, so that one half made is never taken for a whole one.
    fn initialize(&self, home: &Path, data: &Path, progress: &dyn Fn(&str)) -> Result<(), Error> {
        if let Ok(made_by) = fs::read_to_string(data.join("PG_VERSION")) {
            if made_by.trim() == self.binaries.version.to_string() {
                return Ok(());
            }
            return Err(Error::Failed {
                what: format!("{} was made by PostgreSQL {}", data.display(), made_by.trim()),
                why: format!(
                    "but {} is version {}; set APPOINTD_POSTGRES_BIN to the older one, or start anew with --reset",
                    self.binaries.folder.display(),
                    self.binaries.version
                ),
            });
        }
        progress("making a PostgreSQL cluster");
        let unfinished = home.join("data.unfinished");
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished)
                .map_err(failed(format!("cannot remove {}", unfinished.display())))?;
        }
        private_folder(&unfinished, self.user.as_ref())?;
        let mut initdb = self.command(&self.binaries.folder.join("initdb"));
        initdb
            .args([
                "--username=postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--no-locale",
                "--no-instructions",
            ])
            .args((self.purpose == Purpose::Discard).then_some("--no-sync"))
            .arg("--pgdata")
            .arg(&unfinished);
        let output = initdb.output().map_err(failed("cannot run initdb"))?;
        if !output.status.success() {
            return Err(Error::Failed {
                what: "initdb failed".into(),
                why: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            });
        }
        fs::rename(&unfinished, data).map_err(failed("cannot finish the cluster"))
    }

    /// A server that outlived its keeper still holds the data; pg_ctl ends it, and does nothing about a stale lock file.
    fn stop_leftover(&self, data: &Path, progress: &dyn Fn(&str)) {
        if !data.join("postmaster.pid").exists() {
            return;
        }
        progress("recovering: PostgreSQL was not stopped the last time");
        let _ = self
            .command(&self.binaries.folder.join("pg_ctl"))
            .args(["stop", "--mode=fast", "--wait", "--silent", "--pgdata"])
            .arg(data)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }

    fn socket_folder(&self, home: &Path) -> Result<PathBuf, Error> {
        let near = home.join("run");
        let folder = if near.join(SOCKET).as_os_str().len() <= LONGEST_SOCKET {
            near
        } else {
            // Derived from the long path, so that printed URLs stay true from one start to the next.
            let name = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, near.as_os_str().as_encoded_bytes());
            Path::new("/tmp").join(format!("appointd-{}", name.simple()))
        };
        private_folder(&folder, self.user.as_ref())?;
        Ok(folder)
    }

    /// The shell that keeps the server: starts it, waits for our end of the pipe to close, stops it, and removes what is
    /// not to be kept.
    fn spawn(
        &self,
        home: &Path,
        data: &Path,
        sockets: &Path,
        log: &Path,
        settings: &[&str],
    ) -> Result<Child, Error> {
        const KEEP: &str = r#"
            home=$1; shift
            "$@" </dev/null & server=$!
            cat >/dev/null
            kill -INT "$server" 2>/dev/null
            wait "$server"
            test -z "$home" || rm -rf "$home"
        "#;
        let writing = || failed(format!("cannot write {}", log.display()));
        let log = fs::File::options().create(true).append(true).open(log).map_err(writing())?;
        let mut keeper = self.command(Path::new("/bin/sh"));
        keeper.args(["-c", KEEP, "appointd-postgres"]);
        match self.purpose {
            Purpose::Keep => keeper.arg(""),
            Purpose::Discard => keeper.arg(home),
        };
        keeper
            .arg(self.binaries.folder.join("postgres"))
            .arg("-D")
            .arg(data)
            .arg("-k")
            .arg(sockets)
            .args(["-c", "listen_addresses=", "-c", "unix_socket_permissions=0700"])
            .args(["-c", "log_timezone=UTC", "-c", "timezone=UTC"]);
        if self.purpose == Purpose::Discard {
            keeper.args(["-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off"]);
        }
        for setting in settings {
            keeper.args(["-c", setting]);
        }
        keeper
            .stdin(Stdio::piped())
            .stdout(log.try_clone().map_err(writing())?)
            .stderr(log)
            // Ctrl-C is for us; we then stop the server in order.
            .process_group(0)
            .spawn()
            .map_err(failed("cannot start PostgreSQL"))
    }
}

fn last_lines(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    format!("the end of {}:\n{}", log.display(), lines[lines.len().saturating_sub(8)..].join("\n"))
}

/// For the query part of a URL (RFC 3986 section 3.4).
fn percent_encode(text: &str) -> String {
    let mut encoded = Vec::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            encoded.push(byte);
        } else {
            // Writing to a Vec does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    String::from_utf8_lossy(&encoded).into_owned()
}
