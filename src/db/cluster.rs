//! A private PostgreSQL for development and tests. Clients connect over a Unix socket in a folder that only its owner
//! can enter, so it needs no password and no port.
//!
//! PostgreSQL refuses to run as root, so root starts it as an ordinary user. It ends with this process, even if this
//! process is killed: a shell between the two holds a pipe from this process and stops the server when the pipe closes.

mod binaries;
mod error;

pub use error::Error;

use std::{
    fs,
    io::{ErrorKind, Write as _},
    os::unix::{
        fs::{DirBuilderExt as _, MetadataExt as _, lchown, symlink},
        net::UnixStream,
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::unistd::{Gid, Uid, User};

use binaries::Binaries;
use error::failed;

pub use binaries::{find_programs, psql};

/// The longest path of a Unix socket, one terminating byte included, is 108 bytes on Linux and 104 on macOS.
const LONGEST_SOCKET: usize = 103;
const SOCKET: &str = ".s.PGSQL.5432";
/// Where a cluster is stored if the user that PostgreSQL runs as cannot enter the requested folder.
const ELSEWHERE: &str = "/var/lib/appointd";
const START: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(30);

/// The purpose of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// Survives a crash of the machine.
    Keep,
    /// Not crash-safe, and faster.
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
    /// Starts the cluster in `folder`, and creates it first if necessary. Calls `progress` for steps that take a while.
    pub fn start(folder: &Path, settings: &[&str], progress: &dyn Fn(&str)) -> Result<Self, Error> {
        let made_by = fs::read_to_string(folder.join("cluster/data/PG_VERSION")).ok();
        let binaries = Binaries::find(made_by.and_then(|version| version.trim().parse().ok()))?;
        let user = ordinary_user()?;
        let home = settle(folder, user.as_ref())?;
        Self::start_in(home, Runner { binaries, user, purpose: Purpose::Keep }, settings, progress)
    }

    /// Starts a new, fast, non-durable cluster in a temporary folder. It is removed when this process ends, even if it
    /// is killed.
    pub fn temporary(settings: &[&str]) -> Result<Self, Error> {
        Self::start_temporary(None, settings)
    }

    /// Like [`temporary`](Self::temporary), but with a copy of the data folder of a cluster that has stopped.
    pub fn copy_of(data: &Path, settings: &[&str]) -> Result<Self, Error> {
        Self::start_temporary(Some(data), settings)
    }

    fn start_temporary(template: Option<&Path>, settings: &[&str]) -> Result<Self, Error> {
        let binaries = Binaries::find(None)?;
        let user = ordinary_user()?;
        let parent = match &user {
            Some(user) if !can_enter(user, &std::env::temp_dir()) => PathBuf::from("/tmp"),
            _ => std::env::temp_dir(),
        };
        let home = parent.join(format!("appointd-{}", uuid::Uuid::new_v4().simple()));
        private_folder(&home, user.as_ref())?;
        let runner = Runner { binaries, user, purpose: Purpose::Discard };
        if let Some(template) = template {
            runner.copy(template, &home.join("data"))?;
        }
        Self::start_in(home, runner, settings, &|_| ())
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
        let sockets = runner.socket_folder(&home)?;
        if answers(&sockets) {
            progress("recovering: PostgreSQL was not stopped the last time");
            runner.stop_leftover(&data);
        }
        progress("starting PostgreSQL");
        let mut keeper = runner.spawn(&home, &data, &sockets, &log, settings)?;
        let lifeline = keeper.stdin.take();
        let mut cluster = Self { sockets, keeper, lifeline };
        cluster.wait_until_ready(&data, &log)?;
        Ok(cluster)
    }

    /// The URL of `database` for `role`, for psql and for this program.
    pub fn url(&self, role: &str, database: &str) -> String {
        url(&self.sockets, role, database)
    }

    /// The folder of its Unix socket.
    pub fn sockets(&self) -> &Path {
        &self.sockets
    }

    /// Waits until the lock file says that the server is ready.
    fn wait_until_ready(&mut self, data: &Path, log: &Path) -> Result<(), Error> {
        let deadline = Instant::now() + START;
        loop {
            // The eighth line of the lock file is the server's state; pg_ctl looks there too.
            let status = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
            // A lock file left by a crash says so too, but then no server answers.
            if status.lines().nth(7).is_some_and(|line| line.trim() == "ready") && answers(&self.sockets) {
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
        // Removes the socket folder if it is outside the cluster's folder. A folder in use is not empty and stays.
        let _ = fs::remove_dir(&self.sockets);
    }
}

/// The URL for `role` to reach `database` of the cluster whose Unix socket is in a folder.
pub fn url(sockets: &Path, role: &str, database: &str) -> String {
    format!("postgresql:///{database}?host={}&user={role}", percent_encode(&sockets.to_string_lossy()))
}

/// Removes a stopped cluster and everything in it.
pub fn remove(folder: &Path) -> Result<(), Error> {
    let path = folder.join("cluster");
    let removing = |path: &Path| failed(format!("cannot remove {}", path.display()));
    match fs::symlink_metadata(&path) {
        Ok(found) if found.is_symlink() => {
            if let Some(home) = elsewhere(&path).filter(|home| home.exists()) {
                fs::remove_dir_all(&home).map_err(removing(&home))?;
            }
            fs::remove_file(&path).map_err(removing(&path))
        }
        Ok(_) => fs::remove_dir_all(&path).map_err(removing(&path)),
        Err(_) => Ok(()),
    }
}

/// The target of a link, if [`settle`] could have created it. Other links are not followed: a folder prepared by
/// another person must not decide what is written or removed.
fn elsewhere(link: &Path) -> Option<PathBuf> {
    let target = fs::read_link(link).ok()?;
    let name = target.file_name()?.to_str()?;
    (target.parent()? == Path::new(ELSEWHERE) && uuid::Uuid::try_parse(name).is_ok()).then_some(target)
}

/// Whether a server listens in this folder.
fn answers(sockets: &Path) -> bool {
    UnixStream::connect(sockets.join(SOCKET)).is_ok()
}

/// The user that PostgreSQL runs as instead of root; `None` if this process does not run as root.
fn ordinary_user() -> Result<Option<User>, Error> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    ["postgres", "nobody"].iter().find_map(|name| User::from_name(name).ok().flatten()).map(Some).ok_or_else(
        || Error::Failed {
            what: "PostgreSQL refuses to run as root".into(),
            why: "and no user `postgres` or `nobody` exists to run it as".into(),
        },
    )
}

/// The folder of the cluster: `folder/cluster`. If the user that PostgreSQL runs as cannot enter it, `folder/cluster`
/// is a link to a separate folder.
fn settle(folder: &Path, user: Option<&User>) -> Result<PathBuf, Error> {
    let making = |path: &Path| failed(format!("cannot make {}", path.display()));
    fs::create_dir_all(folder).map_err(making(folder))?;
    let folder = folder.canonicalize().map_err(making(folder))?;
    let link = folder.join("cluster");
    if fs::symlink_metadata(&link).is_ok_and(|found| found.is_symlink()) {
        if let Some(home) = elsewhere(&link).filter(|home| home.is_dir()) {
            return Ok(home);
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
    as_user(Command::new("/bin/sh"), Some(user))
        .args(["-c", r#"test -x "$1""#, "sh"])
        .arg(folder)
        .status()
        .is_ok_and(|status| status.success())
}

/// Creates a folder that only `user` can enter. Its parent must not be writable by others, or its name must not be
/// guessable. An existing folder must belong to `user`: another person may have created it as a trap.
fn private_folder(path: &Path, user: Option<&User>) -> Result<(), Error> {
    let making = || failed(format!("cannot make {}", path.display()));
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => expect_own(path, user),
        result => {
            result.map_err(making())?;
            match user {
                Some(user) => {
                    lchown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).map_err(making())
                }
                None => Ok(()),
            }
        }
    }
}

fn expect_own(path: &Path, user: Option<&User>) -> Result<(), Error> {
    let owner = user.map_or_else(Uid::effective, |user| user.uid);
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() && found.uid() == owner.as_raw() => Ok(()),
        _ => Err(Error::Failed {
            what: format!("{} is in the way", path.display()),
            why: format!(
                "it is no folder, or not one of user {owner}; remove it, or choose another --data-dir"
            ),
        }),
    }
}

fn as_user(mut command: Command, user: Option<&User>) -> Command {
    if let Some(User { uid, gid, .. }) = user {
        command.uid(Uid::as_raw(*uid)).gid(Gid::as_raw(*gid));
    }
    // That user may not be able to enter the current folder.
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

    /// Creates the data folder under a temporary name, so that an incomplete one is never used.
    fn initialize(&self, home: &Path, data: &Path, progress: &dyn Fn(&str)) -> Result<(), Error> {
        if let Ok(made_by) = fs::read_to_string(data.join("PG_VERSION")) {
            if made_by.trim() == self.binaries.version.to_string() {
                return Ok(());
            }
            return Err(Error::Failed {
                what: format!("{} was made by PostgreSQL {}", data.display(), made_by.trim()),
                why: format!(
                    "but {} is version {}; set APPOINTD_POSTGRES_BIN to the older one, or delete the data with --reset",
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

    /// Copies a data folder, as the user who can read it.
    fn copy(&self, template: &Path, data: &Path) -> Result<(), Error> {
        let status = self.command(Path::new("/bin/cp")).arg("-a").args([template, data]).status();
        let (copied, what) = (status.map_err(failed("cannot run cp"))?, template.display());
        let refused = || Error::Failed { what: format!("cannot copy {what}"), why: copied.to_string() };
        copied.success().then_some(()).ok_or_else(refused)
    }

    /// A server that outlived its keeper still holds the data.
    fn stop_leftover(&self, data: &Path) {
        // If this fails, starting the server reports why.
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
            // Derived from the long path, so that printed URLs stay valid after a restart.
            let name = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, near.as_os_str().as_encoded_bytes());
            Path::new("/tmp").join(format!("appointd-{}", name.simple()))
        };
        // Runs as the user, who controls the folder: root would follow a link placed there.
        let mkdir = self
            .command(Path::new("/bin/mkdir"))
            .args(["-m", "700"])
            .arg(&folder)
            .stderr(Stdio::null())
            .status();
        mkdir.map_err(failed(format!("cannot make {}", folder.display())))?;
        expect_own(&folder, self.user.as_ref())?;
        Ok(folder)
    }

    /// Starts the shell that supervises the server: it starts the server, stops it when our end of the pipe closes, and
    /// removes a temporary cluster.
    fn spawn(
        &self,
        home: &Path,
        data: &Path,
        sockets: &Path,
        log: &Path,
        settings: &[&str],
    ) -> Result<Child, Error> {
        // The shell opens the log as the user it runs as. It ends when the server ends.
        const KEEP: &str = r#"
            log=$1 home=$2; shift 2
            exec 3<&0 >>"$log" 2>&1
            "$@" </dev/null 3<&- & server=$!
            (cat <&3 >/dev/null; kill -INT "$server" 2>/dev/null) & watcher=$!
            exec 3<&-
            wait "$server"
            kill "$watcher" 2>/dev/null
            test -z "$home" || rm -rf "$home"
        "#;
        let mut keeper = self.command(Path::new("/bin/sh"));
        keeper.args(["-c", KEEP, "appointd-postgres"]).arg(log);
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
            .stdout(Stdio::null())
            .stderr(Stdio::null())
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
