//! PostgreSQL clusters of a test's own.

use std::path::PathBuf;

use appointd::{
    db::{cluster::Cluster, migrate},
    dev,
};
use tokio::task::spawn_blocking;
use tokio_postgres::Client;

/// A connection as `role` to a database of a cluster.
pub async fn connect(cluster: &Cluster, role: &str, database: &str) -> Client {
    let url = cluster.url(role, database).parse().expect("a URL of ours");
    migrate::connect(&url).await.expect("the database answers")
}

/// A cluster with nothing in it.
pub async fn temporary_cluster(settings: &'static [&'static str]) -> Cluster {
    let starting = spawn_blocking(move || Cluster::temporary(settings).expect("PostgreSQL starts"));
    starting.await.expect("no panic")
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
    let cluster = temporary_cluster(settings).await;
    dev::set_up(&cluster).await.expect("the database is set up");
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
        let name = format!("appointd-test-{}", uuid::Uuid::new_v4().simple());
        let mut new = Self { folder: std::env::temp_dir().join(name), cluster: None };
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
        self.folder.join("cluster").canonicalize().expect("a folder").join("data")
    }
}

impl Drop for Restartable {
    fn drop(&mut self) {
        drop(self.cluster.take());
        let _ = appointd::db::cluster::remove(&self.folder);
        let _ = std::fs::remove_dir_all(&self.folder);
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
