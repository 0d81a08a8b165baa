//! `appointd dev`: a complete development system with a private PostgreSQL and demo data.

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
use chrono::{Days, Utc};
use tokio_postgres::{Config as DatabaseUrl, error::SqlState};
use uuid::Uuid;

use crate::{
    config::DEFAULT_CONNECTIONS,
    db::{
        Db,
        cluster::{self, Cluster},
        migrate,
    },
    demo::{self, DEMOS},
    http::{
        captcha::Captcha,
        client::Network,
        limit::{Limits, Rates},
        secret,
        token::{SigningKey, Tokens},
    },
    identity::passwords::{Passwords, Policy},
    messaging::mail::Mailer,
    scheduling::slots::{
        listing::People,
        load::{self, AvailabilityQuery},
    },
    server::{Capacity, Parts, Server, StopSignal},
    sql,
};

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
    // Before anything slow, so that a wrong address or a second instance is reported at once.
    let listener = TcpListener::bind(options.listen).map_err(|error| {
        format!(
            "cannot listen on {}: {error}; choose another address with --listen (port 0 selects a free port)",
            options.listen
        )
    })?;
    fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    let _lock = lock(folder)?;
    let (cluster, server, welcome) = tokio::select! {
        biased;
        () = stop.received() => return Ok(()),
        up = bring_up(folder, options.reset, listener) => up?,
    };
    // Fails if the output was closed, which does not matter.
    let _ = io::stdout().write_all(welcome.as_bytes());

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

async fn bring_up(
    folder: &Path,
    reset: bool,
    listener: TcpListener,
) -> Result<(Cluster, Server, String), Box<dyn Error>> {
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
    let mails = folder.join("mail");
    fs::create_dir_all(&mails)?;
    let mail_url = format!("file://{}", fs::canonicalize(&mails)?.display());
    let host = listener.local_addr()?;
    let parts = Parts {
        database: database.clone(),
        tokens: Arc::new(
            Tokens::new(&[key(folder, "token_key")?], &[key(folder, "link_key")?])
                .ok_or("the token keys cannot be used")?,
        ),
        passwords: Arc::new(Passwords::new(Policy::Development)),
        mailer: Mailer::new(
            Some(&mail_url),
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
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        connections: DEFAULT_CONNECTIONS,
        capacity: Capacity::DEFAULT,
    };
    let server = Server::start(parts, listener)?;
    let welcome = welcome(&cluster, server.address(), &database, &mails).await?;
    Ok((cluster, server, welcome))
}

fn say(step: &str) {
    eprintln!("appointd: {step} …");
}

/// Locks the folder for one instance. The lock ends with the process.
fn lock(folder: &Path) -> Result<fs::File, Box<dyn Error>> {
    let path = folder.join("lock");
    let file = fs::File::options().create(true).append(true).open(&path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(format!(
            "another `appointd dev` uses {}; stop it, or choose another folder with --data-dir",
            folder.display()
        ))?,
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
        demo::load(&Db::new(&database, 4), Utc::now()).await?;
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

/// The text for the terminal once everything runs.
async fn welcome(
    cluster: &Cluster,
    address: SocketAddr,
    database: &DatabaseUrl,
    mails: &Path,
) -> Result<String, Box<dyn Error>> {
    use std::fmt::Write as _;

    let host = match address {
        address if address.ip().is_unspecified() => format!("127.0.0.1:{}", address.port()),
        address => address.to_string(),
    };
    let mut text = String::new();
    writeln!(text, "\nappointd is running at http://{host}. Ctrl-C stops it; its data is kept.\n")?;
    writeln!(text, "API docs       http://{host}/docs")?;
    writeln!(text, "E-mails        {}\n", mails.display())?;
    writeln!(text, "Sign-ins       {:<22} {:<12} role   organization", "e-mail", "password")?;
    for demo in &DEMOS {
        for (email, password, _, role) in demo.sign_ins {
            writeln!(
                text,
                "               {email:<22} {password:<12} {role:<6} {} ({}, {})",
                demo.organization, demo.trade, demo.time_zone
            )?;
        }
    }
    writeln!(
        text,
        "               Passwords only need 8 characters here; `serve` also requires them to be hard to guess.\n"
    )?;
    let roles = [
        ("superuser", "postgres"),
        ("owner", "appointd_owner"),
        ("api", "appointd_api"),
        ("auditor", "appointd_auditor"),
    ];
    for (index, (name, role)) in roles.iter().enumerate() {
        let title = if index == 0 { "Databases" } else { "" };
        writeln!(text, "{title:<14} {name:<10} psql '{}'", cluster.url(role, "appointd"))?;
    }
    match free_slot(database).await? {
        Some((service, starts_at)) => {
            let (email, password, ..) = DEMOS[0].sign_ins[0];
            let slug = DEMOS[0].slug;
            writeln!(text, "\nBook an appointment (a second time, the slot is taken):\n")?;
            writeln!(
                text,
                r#"curl -i http://{host}/api/v1/appointments -H "authorization: Bearer $(curl -s http://{host}/api/v1/auth/login -H 'content-type: application/json' -d '{{"email":"{email}","password":"{password}","organization_slug":"{slug}"}}' | sed 's/.*"access_token":"\([^"]*\)".*/\1/')" -H 'content-type: application/json' -d '{{"service_id":"{service}","provider_id":"{}","starts_at":"{starts_at}","contact":{{"first_name":"Ada","last_name":"Lovelace"}}}}'"#,
                starts_at.1,
                starts_at = starts_at.0,
            )?;
        }
        None => writeln!(
            text,
            "\nThe demo organization has no free slot in the next two weeks; `appointd dev --reset` starts over."
        )?,
    }
    writeln!(text)?;
    Ok(text)
}

/// A free slot of the first demo organization, for the printed command: service, start and provider.
async fn free_slot(database: &DatabaseUrl) -> Result<Option<(Uuid, (String, Uuid))>, Box<dyn Error>> {
    let db = Db::new(database, 1);
    let Some(context) = demo::enter_first(&db).await? else {
        return Ok(None);
    };
    let services = db
        .all(
            context,
            sql!("scheduling/services_list.sql"),
            &[&Uuid::nil(), &1i64, &None::<chrono::DateTime<chrono::Utc>>],
        )
        .await?;
    let Some(service) = services.first().map(|row| row.get::<_, Uuid>(0)) else {
        return Ok(None);
    };
    let now = Utc::now();
    let (from, to) = (now + Days::new(1), now + Days::new(15));
    let mut tx = db.begin(context);
    let services = [service];
    let query =
        AvailabilityQuery { services: &services, provider: None, contacts: &[], from, to, ignored: &[], now };
    let availability = load::to_list(&mut tx, &query).await.map_err(|failure| format!("{failure:?}"))?;
    tx.commit().await?;
    let slots = availability.slots(from, to, People::default(), availability.zone, false).unwrap_or_default();
    let slot = slots.first().and_then(|slot| {
        let start = slot.starts_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        Some((service, (start, *slot.provider_ids.first()?)))
    });
    Ok(slot)
}
