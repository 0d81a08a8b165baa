//! PostgreSQL clusters of a test's own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

use appointd::{
    db::{
        Db, FrontDoor,
        cluster::{Cluster, remove},
        migrate,
    },
    demo, dev,
};
use chrono::{DateTime, Utc};
use tokio::task::spawn_blocking;
use tokio_postgres::Client;

/// A connection as `role` to a database of a cluster.
pub async fn connect(cluster: &Cluster, role: &str, database: &str) -> Client {
    let url = cluster.url(role, database).parse().expect("a URL of ours");
    migrate::connect(&url).await.expect("the database answers")
}

/// Loads the demo data into a migrated cluster.
pub async fn load_demo(cluster: &Cluster, now: DateTime<Utc>) {
    let url = |role| cluster.url(role, "appointd").parse().expect("a URL of ours");
    let (db, door) = (Db::new(&url("appointd_api"), 4), FrontDoor::new(&url("appointd_door"), 1));
    demo::load(&db, &door, now).await.expect("the demo data");
}

/// A cluster with nothing in it.
pub async fn temporary_cluster(settings: &'static [&'static str]) -> Cluster {
    let starting = spawn_blocking(move || Cluster::temporary(settings).expect("PostgreSQL starts"));
    starting.await.expect("no panic")
}

/// A migrated cluster, as a copy of one that is set up once for all tests: that takes a tenth of the time. Blocks.
pub fn migrated_cluster(settings: &[&str]) -> Cluster {
    static TEMPLATE: OnceLock<Template> = OnceLock::new();
    Cluster::copy_of(&TEMPLATE.get_or_init(Template::new).data, settings).expect("PostgreSQL starts")
}

/// A migrated cluster that has stopped. Removed by a shell when this process ends, even if it is killed.
struct Template {
    data: PathBuf,
    _remover: Child,
}

impl Template {
    fn new() -> Self {
        let folder = new_folder();
        let remover = Command::new("sh")
            .args(["-c", r#"cat; rm -rf "$(readlink -f "$1/cluster")" "$1""#, "remover"])
            .arg(&folder)
            .stdin(Stdio::piped())
            .spawn()
            .expect("a shell");
        let cluster = Cluster::start(&folder, &["fsync=off"], &|_| ()).expect("PostgreSQL starts");
        let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
        runtime.block_on(dev::set_up(&cluster)).expect("the database is set up");
        drop(cluster);
        Self { data: data_of(&folder), _remover: remover }
    }
}

fn new_folder() -> PathBuf {
    std::env::temp_dir().join(format!("appointd-test-{}", uuid::Uuid::new_v4().simple()))
}

/// A folder that goes with the test, and so does the cluster in its folder `data`.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        let path = new_folder();
        fs::create_dir(&path).expect("a folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = remove(&self.0.join("data"));
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The data folder of the cluster in a folder.
fn data_of(folder: &Path) -> PathBuf {
    folder.join("cluster").canonicalize().expect("a folder").join("data")
}

/// A prepared database that was never migrated, and a connection to it that no policy holds.
pub async fn unmigrated_database() -> (Cluster, Client) {
    let cluster = temporary_cluster(&[]).await;
    let maintenance = connect(&cluster, "postgres", "postgres").await;
    maintenance.batch_execute(include_str!("../../../sql/setup/roles.sql")).await.expect("roles");
    maintenance
        .batch_execute(include_str!("../../../sql/setup/create_database.sql"))
        .await
        .expect("a database");
    let superuser = connect(&cluster, "postgres", "appointd").await;
    superuser.batch_execute(include_str!("../../../sql/setup/database.sql")).await.expect("a schema");
    (cluster, superuser)
}

/// A migrated database of a test's own, to take apart, and a connection to it that no policy holds.
pub async fn private_database() -> (Cluster, Client) {
    private_database_with(&[]).await
}

/// The same, of a cluster with these settings.
pub async fn private_database_with(settings: &'static [&'static str]) -> (Cluster, Client) {
    let cluster = spawn_blocking(|| migrated_cluster(settings)).await.expect("no panic");
    let superuser = connect(&cluster, "postgres", "appointd").await;
    (cluster, superuser)
}

/// A migrated cluster that can be stopped and started again at the same place.
pub struct Restartable {
    folder: PathBuf,
    cluster: Option<Cluster>,
}

impl Restartable {
    pub async fn new() -> Self {
        let mut new = Self { folder: new_folder(), cluster: None };
        new.start().await;
        dev::set_up(new.running()).await.expect("the database is set up");
        new
    }

    pub async fn start(&mut self) {
        let folder = self.folder.clone();
        let starting = spawn_blocking(move || Cluster::start(&folder, &[], &|_| ()));
        self.cluster = Some(starting.await.expect("no panic").expect("PostgreSQL starts"));
    }

    pub async fn stop(&mut self) {
        let cluster = self.cluster.take();
        spawn_blocking(move || drop(cluster)).await.expect("no panic");
    }

    pub fn running(&self) -> &Cluster {
        self.cluster.as_ref().expect("it runs")
    }

    /// The data folder of PostgreSQL.
    pub fn data(&self) -> PathBuf {
        data_of(&self.folder)
    }
}

impl Drop for Restartable {
    fn drop(&mut self) {
        drop(self.cluster.take());
        let _ = remove(&self.folder);
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Every schema of a database but those of PostgreSQL itself.
pub async fn schemas(client: &Client) -> Vec<String> {
    client
        .query_one(
            "select array_agg(nspname::text order by nspname) from pg_namespace
             where nspname !~ '^pg_' and nspname <> 'information_schema'",
            &[],
        )
        .await
        .expect("schemas")
        .get(0)
}
