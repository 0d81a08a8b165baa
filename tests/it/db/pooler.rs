//! Behind PgBouncer: sessions work, transactions are noticed, and nothing is mixed up.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use appointd::db::cluster::Cluster;
use serde_json::json;
use uuid::Uuid;

use crate::harness::{
    Tenant, private_system,
    program::{Serve, appointd, status, text},
    within,
};

/// A PgBouncer in front of a cluster, with one way to it for each role. Ends when dropped.
struct PgBouncer {
    folder: PathBuf,
    child: Child,
}

impl PgBouncer {
    /// Where the program is. None: it is not installed, which a machine that decides must not pass over.
    fn program() -> Option<PathBuf> {
        let found = [
            "/usr/sbin/pgbouncer",
            "/usr/bin/pgbouncer",
            "/usr/local/bin/pgbouncer",
            "/opt/homebrew/bin/pgbouncer",
        ]
        .iter()
        .map(PathBuf::from)
        .find(|path| path.exists());
        if found.is_none() {
            assert!(std::env::var_os("CI").is_none(), "pgbouncer is missing: .ci/run installs it");
            println!("skipped: pgbouncer is not installed (Debian and Ubuntu: apt-get install pgbouncer)");
        }
        found
    }

    fn folder() -> PathBuf {
        let folder = PathBuf::from(format!("/tmp/appointd-pb-{}", Uuid::new_v4().simple()));
        fs::create_dir(&folder).expect("a folder");
        folder
    }

    /// `folder` stays the same from one start to the next, so that clients find the next where the last one was.
    fn start(
        program: &Path,
        folder: &Path,
        cluster: &Cluster,
        mode: &str,
        size: usize,
        in_turn: bool,
    ) -> Self {
        let url = cluster.url("postgres", "appointd");
        let (_, host) = url.rsplit_once("host=").expect("a socket");
        let host = host.split('&').next().unwrap_or_default().replace("%2F", "/");
        let users = ["appointd_api", "appointd_door", "appointd_owner", "postgres"]
            .map(|user| format!("\"{user}\" \"\"\n"))
            .concat();
        fs::write(folder.join("users"), users).expect("a file");
        let settings = format!(
            "[databases]\nappointd = host={host} port=5432 dbname=appointd\n[pgbouncer]\nlisten_addr =\n\
             unix_socket_dir = {0}\nlisten_port = 6432\nauth_type = trust\nauth_file = {0}/users\npool_mode = {mode}\n\
             default_pool_size = {size}\nserver_round_robin = {1}\nmax_client_conn = 200\n",
            folder.display(),
            u8::from(in_turn),
        );
        fs::write(folder.join("ini"), settings).expect("a file");
        // As the user PostgreSQL runs as, who may enter the folder of its socket; PgBouncer refuses to be root.
        let owner = fs::metadata(&host).expect("the folder of the socket");
        let mut command = if nix::unistd::Uid::effective().is_root() {
            chown(folder, Some(owner.uid()), Some(owner.gid())).expect("a folder of theirs");
            let mut command = Command::new("setpriv");
            command
                .arg(format!("--reuid={}", owner.uid()))
                .arg(format!("--regid={}", owner.gid()))
                .args(["--clear-groups", "--"])
                .arg(program);
            command
        } else {
            Command::new(program)
        };
        let child = command
            .arg("-q")
            .arg(folder.join("ini"))
            .current_dir("/")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("pgbouncer starts");
        let began = Instant::now();
        while std::os::unix::net::UnixStream::connect(folder.join(".s.PGSQL.6432")).is_err() {
            assert!(began.elapsed() < Duration::from_secs(10), "pgbouncer listens");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { folder: folder.to_owned(), child }
    }

    fn url(&self, role: &str) -> String {
        let folder = self.folder.display().to_string().replace('/', "%2F");
        format!("postgresql://{role}@/appointd?host={folder}&port=6432")
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(self.folder.join(".s.PGSQL.6432"));
        let _ = fs::remove_file(self.folder.join(".s.PGSQL.6432.lock"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transaction_pool_is_refused_and_session_pool_serves() {
    let Some(program) = PgBouncer::program() else { return };
    let system = private_system(&["max_connections=100"]).await;
    within(system, async {
        let tenant = Tenant::new().await;
        let folder = PgBouncer::folder();
        for (size, in_turn) in [(1, false), (3, false), (3, true), (20, true)] {
            let pooler = PgBouncer::start(&program, &folder, &system.cluster, "transaction", size, in_turn);
            for (command, setting, role) in [
                (&["serve", "--no-worker"][..], "APPOINTD_DATABASE_URL", "appointd_api"),
                (&["migrate"], "APPOINTD_OWNER_DATABASE_URL", "appointd_owner"),
            ] {
                let output = appointd(command, &[(setting, pooler.url(role))]).await;
                let said = text(&output.stderr);
                assert!(!output.status.success(), "{command:?}, {size}, {in_turn}");
                assert!(said.contains("pool_mode = session"), "{command:?}, {size}, {in_turn}: {said}");
            }
        }
        let pooler = PgBouncer::start(&program, &folder, &system.cluster, "session", 40, false);
        let serve = Serve::start(&pooler.url("appointd_api"));
        let token = serve.log_in(&tenant).await;
        for _ in 0..20 {
            let contact = json!({ "first_name": "Grace", "last_name": "Hopper" });
            assert_eq!(serve.post("/api/v1/contacts", Some(&token), &contact).await.0, 201);
        }
        let url = pooler.url("appointd_owner");
        let output = appointd(&["migrate"], &[("APPOINTD_OWNER_DATABASE_URL", url)]).await;
        assert!(output.status.success(), "{}", text(&output.stderr));
        drop(serve);
        drop(pooler);
        fs::remove_dir_all(folder).expect("the folder goes");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pool_switched_to_transactions_is_detected_and_mixes_no_statements() {
    let Some(program) = PgBouncer::program() else { return };
    let system = private_system(&["max_connections=100"]).await;
    within(system, async {
        let tenant = Tenant::new().await;
        let folder = PgBouncer::folder();
        let pooler = PgBouncer::start(&program, &folder, &system.cluster, "session", 40, false);
        let serves = [Serve::start(&pooler.url("appointd_api")), Serve::start(&pooler.url("appointd_api"))];
        let tokens = [serves[0].log_in(&tenant).await, serves[1].log_in(&tenant).await];
        let mut contacts = Vec::new();
        for _ in 0..20 {
            contacts.push(tenant.contact().await);
        }
        let superuser = system.superuser().await;
        let left = async || -> i64 {
            let count = "select count(*) from crm.contacts where tenant_id = $1";
            superuser.query_one(count, &[&tenant.id]).await.expect("a count").get(0)
        };
        assert_eq!(left().await, 20);
        drop(pooler);
        let pooler = PgBouncer::start(&program, &folder, &system.cluster, "transaction", 3, true);

        // Reading, deleting what is not there and listing: statements of the same parameters, in another order in each
        // server.
        let client = reqwest::Client::new();
        let ask = async |number: usize| {
            let (serve, token) = (&serves[number % 2], &tokens[number % 2]);
            let contact = &contacts[number % contacts.len()];
            let missing = Uuid::new_v4();
            let request = match (number / 2 + number % 2) % 4 {
                0 => client.get(serve.url(&format!("/api/v1/contacts/{contact}"))),
                1 => client.delete(serve.url(&format!("/api/v1/contacts/{missing}"))),
                2 => client.get(serve.url("/api/v1/contacts?limit=5")),
                _ => client.get(serve.url(&format!("/api/v1/services/{missing}"))),
            };
            let wanted = [200, 404, 200, 404][(number / 2 + number % 2) % 4];
            let answer = request.bearer_auth(token).send().await.expect("an answer");
            let status = answer.status().as_u16();
            let body: serde_json::Value =
                serde_json::from_str(&answer.text().await.expect("text")).unwrap_or_default();
            if status == 503 {
                let code = body["code"].as_str().unwrap_or_default().to_owned();
                assert!(
                    ["pooler_detected", "database_unavailable", "busy", "organization_busy"]
                        .contains(&code.as_str()),
                    "{body}"
                );
                return code;
            }
            assert_eq!(status, wanted, "{number}: {body}");
            if wanted == 200 && body.get("items").is_none() {
                assert_eq!(body["id"], json!(contact));
            }
            "served".to_owned()
        };
        let mut codes = std::collections::BTreeMap::<String, usize>::new();
        for round in 0..60 {
            let asked = futures_util::future::join_all((0..8).map(|client| ask(round * 8 + client))).await;
            for code in asked {
                *codes.entry(code).or_default() += 1;
            }
        }
        assert!(codes.get("pooler_detected").is_some_and(|count| *count > 10), "{codes:?}");
        assert_eq!(left().await, 20, "nothing was deleted: {codes:?}");
        let deleted =
            "select count(*) from operations.audit_events where tenant_id = $1 and action = 'delete'";
        assert_eq!(superuser.query_one(deleted, &[&tenant.id]).await.expect("a count").get::<_, i64>(0), 0);
        // Several at once: one alone may find its own session again and again.
        let mut not_ready = false;
        for _ in 0..20 {
            let asked = (0..8).map(|number: usize| status(serves[number % 2].url("/health/ready")));
            for (status, problem) in futures_util::future::join_all(asked).await {
                not_ready |= status == 503 && problem["code"] == json!("pooler_detected");
            }
        }
        assert!(not_ready);
        assert!(!serves[0].logged("the database failed").is_empty());
        drop(serves);
        drop(pooler);
        fs::remove_dir_all(folder).expect("the folder goes");
    })
    .await;
}
