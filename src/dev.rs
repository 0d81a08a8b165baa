//! `appointd dev`: a complete development system with a private PostgreSQL and demo data.

mod bookable;
mod examples;
mod outbox;
mod running;
mod welcome;

use std::{
    error::Error,
    fs,
    io::{self, Write as _},
    net::{SocketAddr, TcpListener},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::Utc;
use tokio_postgres::error::SqlState;

use outbox::Outbox;
use running::Running;

use crate::{
    config::DEFAULT_CONNECTIONS,
    db::{
        DatabaseUrl, Db, FrontDoor, WorkerDb,
        cluster::{self, Cluster},
        migrate,
    },
    demo,
    http::{
        captcha::Captcha,
        client::Network,
        limit::{Limits, Rates},
        secret,
        token::{SigningKey, Tokens},
    },
    identity::passwords::{Passwords, Policy},
    messaging::{
        mail::Mailer,
        webhooks::{addresses::Reach, secrets::SecretKeys},
        worker::DEFAULT_PLACES,
    },
    server::{Bounds, Capacity, Parts, Server, StopSignal, publisher},
};

/// The file whose lock says that a system runs in a folder, and whose lines say where: an address, a folder of sockets,
/// and the address of the outbox.
const LOCK: &str = "lock";
/// The folder e-mails are written to.
const MAILS: &str = "mail";
/// The folder that webhooks to the outbox are written to.
const WEBHOOKS: &str = "webhooks";

/// The options of `appointd dev`.
pub struct Options {
    pub data_dir: PathBuf,
    pub listen: SocketAddr,
    pub reset: bool,
}

/// Starts everything, prints how to use it, and waits for the signal to stop.
pub async fn run(options: Options) -> Result<(), Box<dyn Error>> {
    let mut stop = StopSignal::listen()?;
    let folder = &options.data_dir;
    // Before anything slow, so that a mistake is reported at once.
    cluster::find_programs()?;
    if is_running(folder)? {
        return Err(in_use(folder).into());
    }
    let listener = TcpListener::bind(options.listen).map_err(|error| {
        format!(
            "cannot listen on {}: {error}; choose another address with --listen (port 0 selects a free port)",
            options.listen
        )
    })?;
    fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    let mut lock = lock(folder)?;
    let (cluster, server, running) = tokio::select! {
        biased;
        () = stop.received() => return Ok(()),
        up = bring_up(folder, options.reset, listener) => up?,
    };
    write!(lock, "{}\n{}\n{}\n", running.address, running.sockets.display(), running.outbox)?;
    let text = welcome::text(&running).await?;
    // A reader that has closed the pipe needs no text.
    let _ = io::stdout().write_all(text.as_bytes());

    stop.received().await;
    say("stopping");
    // A second signal ends the process at once.
    tokio::spawn(async move {
        stop.received().await;
        std::process::exit(130);
    });
    // Not on this thread, which still serves our own connections.
    tokio::task::spawn_blocking(move || server.stop()).await?;
    tokio::task::spawn_blocking(move || drop(cluster)).await?;
    Ok(())
}

/// How to use the system that runs in a folder: what it printed when it had started, for now.
pub async fn show(folder: &Path) -> Result<String, Box<dyn Error>> {
    if !is_running(folder)? {
        return Err(format!(
            "no `appointd dev` is running in {}; start it with `appointd dev`, or name its folder with --data-dir",
            folder.display()
        ))?;
    }
    let said = fs::read_to_string(folder.join(LOCK))?;
    let mut lines = said.lines();
    let (Some(address), Some(sockets), Some(outbox)) = (lines.next(), lines.next(), lines.next()) else {
        return Err(format!(
            "the `appointd dev` in {} is starting; try again in a moment",
            folder.display()
        ))?;
    };
    let running = Running {
        address: address.parse()?,
        sockets: sockets.into(),
        mails: fs::canonicalize(folder.join(MAILS))?,
        outbox: outbox.parse()?,
    };
    welcome::text(&running).await
}

async fn bring_up(
    folder: &Path,
    reset: bool,
    listener: TcpListener,
) -> Result<(Cluster, Server, Running), Box<dyn Error>> {
    let prepared = folder.join("prepared");
    if reset || !prepared.exists() {
        // An incomplete cluster was never served, so it is removed.
        forget(&prepared)?;
        cluster::remove(folder)?;
    }
    let cluster = Cluster::start(folder, &[], &say)?;
    let database = prepare(&cluster, !prepared.exists()).await?;
    if !prepared.exists() {
        fs::write(&prepared, "The cluster is migrated and holds the demo data.\n")?;
    }
    let mails = folder.join(MAILS);
    fs::create_dir_all(&mails)?;
    let mails = fs::canonicalize(&mails)?;
    let webhooks = folder.join(WEBHOOKS);
    fs::create_dir_all(&webhooks)?;
    let caught = outbox::listen(folder)?;
    let outbox = caught.local_addr()?;
    tokio::spawn(Outbox { mails: mails.clone(), webhooks }.serve(caught));
    let host = listener.local_addr()?;
    let parts = Parts {
        door: Some(cluster.url("appointd_door", "appointd").parse()?),
        worker: Some(cluster.url("appointd_worker", "appointd").parse()?),
        database,
        tokens: Arc::new(
            Tokens::new(&[key(folder, "token_key")?], &[key(folder, "link_key")?])
                .ok_or("the token keys cannot be used")?,
        ),
        passwords: Arc::new(Passwords::new(Policy::Development)),
        mailer: Mailer::new(
            Some(&format!("file://{}", mails.display())),
            "appointd <appointd@localhost>".parse()?,
            format!("http://{host}"),
        )?,
        dns: None,
        captcha: Captcha::default(),
        // Browsers and curl resolve every name below localhost to this machine.
        network: Arc::new(Network {
            base_domain: Some("localhost".to_owned()),
            // Pages in development are served from another port.
            local_pages: true,
            ..Network::default()
        }),
        limits: Arc::new(Limits::new(&Rates::DEFAULT)),
        webhook_keys: SecretKeys::new(&[key(folder, "link_key")?]),
        webhook_reach: Reach::new(&["127.0.0.0/8".parse()?, "::1/128".parse()?]),
        places: DEFAULT_PLACES,
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        connections: DEFAULT_CONNECTIONS,
        tls: None,
        capacity: Capacity::DEFAULT,
        streams: Bounds::DEFAULT,
        demo: Some(examples::demo()),
    };
    let server = Server::start(parts, listener)?;
    let running = Running { address: server.address(), sockets: cluster.sockets().to_owned(), mails, outbox };
    Ok((cluster, server, running))
}

fn say(step: &str) {
    eprintln!("appointd: {step} …");
}

/// Whether a system runs in a folder.
fn is_running(folder: &Path) -> Result<bool, Box<dyn Error>> {
    use io::ErrorKind::{NotADirectory, NotFound};

    let path = folder.join(LOCK);
    let locked = match fs::File::open(&path) {
        Err(error) if matches!(error.kind(), NotFound | NotADirectory) => return Ok(false),
        file => file.map_err(fs::TryLockError::Error).and_then(|file| file.try_lock()),
    };
    match locked {
        Ok(()) => Ok(false),
        Err(fs::TryLockError::WouldBlock) => Ok(true),
        Err(fs::TryLockError::Error(error)) => Err(format!("cannot read {}: {error}", path.display()))?,
    }
}

fn in_use(folder: &Path) -> String {
    format!(
        "another `appointd dev` uses {}: `appointd dev --show` prints how to use it. Stop it, or choose another folder \
         with --data-dir and another port with --listen",
        folder.display()
    )
}

/// Locks the folder for one instance. The lock ends with the process.
fn lock(folder: &Path) -> Result<fs::File, Box<dyn Error>> {
    let path = folder.join(LOCK);
    let file = fs::File::options().create(true).append(true).open(&path)?;
    match file.try_lock() {
        Ok(()) => {
            // The old text describes an instance that has ended.
            file.set_len(0)?;
            Ok(file)
        }
        Err(fs::TryLockError::WouldBlock) => Err(in_use(folder))?,
        Err(fs::TryLockError::Error(error)) => Err(format!("cannot lock {}: {error}", path.display()))?,
    }
}

fn forget(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// A key for signing tokens or links. Stored, so that sessions and links survive a restart.
fn key(folder: &Path, name: &str) -> io::Result<SigningKey> {
    let path = folder.join(name);
    if let Some(key) = fs::read_to_string(&path).ok().and_then(|text| SigningKey::parse(&text)) {
        return Ok(key);
    }
    let bytes = secret::random();
    fs::File::options()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)?
        .write_all(STANDARD.encode(bytes).as_bytes())?;
    Ok(SigningKey::from_bytes(bytes))
}

/// Creates roles, database and, if requested, the demo data. Returns the URL for the server.
async fn prepare(cluster: &Cluster, load_demo: bool) -> Result<DatabaseUrl, Box<dyn Error>> {
    set_up(cluster).await?;
    let database: DatabaseUrl = cluster.url("appointd_api", "appointd").parse()?;
    if load_demo {
        say("loading the demo data");
        let db = Db::new(&database, 4);
        let door = FrontDoor::new(&cluster.url("appointd_door", "appointd").parse()?, 1);
        let organizations = demo::load(&db, &door, Utc::now()).await?;
        let worker = WorkerDb::new(&cluster.url("appointd_worker", "appointd").parse()?, 2);
        publisher(&worker).publish_all().await?;
        demo::notify(&db, &organizations).await?;
    }
    Ok(database)
}

/// Creates roles and database and runs the migrations, in a cluster that may have them already.
pub async fn set_up(cluster: &Cluster) -> Result<(), Box<dyn Error>> {
    let maintenance = migrate::connect(&cluster.url("postgres", "postgres").parse()?).await?;
    maintenance.batch_execute(include_str!("../sql/setup/roles.sql")).await?;
    let created = maintenance.batch_execute(include_str!("../sql/setup/create_database.sql")).await;
    match created {
        Err(error) if error.code() == Some(&SqlState::DUPLICATE_DATABASE) => {}
        result => result?,
    }
    let superuser = migrate::connect(&cluster.url("postgres", "appointd").parse()?).await?;
    superuser.batch_execute(include_str!("../sql/setup/database.sql")).await?;
    let applied = migrate::run(&cluster.url("appointd_owner", "appointd").parse()?).await?;
    if !applied.is_empty() {
        say(&format!("applied {} migrations", applied.len()));
    }
    Ok(())
}
