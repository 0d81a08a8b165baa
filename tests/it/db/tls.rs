//! TLS to PostgreSQL: what each `sslmode` accepts and refuses, and that nothing goes past it.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use appointd::{
    db::{DatabaseUrl, Db, UrlError},
    sql,
};

use crate::harness::{
    connect,
    encrypted::{Encrypted, PASSWORD, Wiretap, authority, certify, openssl},
    eventually,
    program::{Serve, appointd, status, text},
};

/// The first bytes of a request for TLS, and of the TLS that follows.
const ENCRYPTED: [u8; 9] = [0, 0, 0, 8, 4, 210, 22, 47, 22];

// Starting a program blocks the thread, and the wiretap goes on meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_connection_of_the_program_is_encrypted() {
    let database = Encrypted::start().await;
    certify(&database.files.0, "appointd_auditor", "ca", "keyUsage=digitalSignature", &[]);
    let wiretap = Wiretap::before(&database.address).await;
    let port = wiretap.address.port();
    // Without sslmode: the host is one of a network.
    let url = |role: &str, more: &str| {
        let url = database.url(role, &format!("sslrootcert={}{more}", database.file("ca.crt")));
        url.replace("db.internal/", &format!("db.internal:{port}/")).replace(&database.address, "127.0.0.1")
    };
    database.expect(&url("appointd_owner", ""), Ok(())).await;

    let owner = ("APPOINTD_OWNER_DATABASE_URL", url("appointd_owner", ""));
    for command in [&["migrate"][..], &["tenant", "list"], &["tenant", "purge"]] {
        let output = appointd(command, std::slice::from_ref(&owner)).await;
        assert!(output.status.success(), "{command:?}: {}", text(&output.stderr));
    }
    let (certificate, key) = (database.file("appointd_auditor.crt"), database.file("appointd_auditor.key"));
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("a mode");
    let auditor = url("appointd_auditor", &format!("&sslcert={certificate}&sslkey={key}"));
    let environment = [
        ("APPOINTD_AUDITOR_DATABASE_URL", auditor),
        ("APPOINTD_DATABASE_URL", url("appointd_api", "&channel_binding=require")),
    ];
    let output = appointd(&["audit", "--matrix"], &environment).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let output = appointd(&["audit"], &environment).await;
    assert!(output.status.code() != Some(2), "{}", text(&output.stderr));

    let server = Serve::reaching(&url("appointd_api", ""), &url("appointd_worker", ""));
    assert_eq!(status(server.url("/health/ready")).await.0, 200);
    let sessions = "select usename::text, bool_and(ssl) from pg_stat_ssl join pg_stat_activity using (pid)
                    where client_addr is not null group by 1 order by 1";
    eventually(async || {
        let rows = database.superuser.query(sessions, &[]).await.expect("sessions");
        let rows: Vec<(String, bool)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        (rows == [("appointd_api".to_owned(), true), ("appointd_worker".to_owned(), true)]).then_some(())
    })
    .await;
    drop(server);

    // A request that is dropped while its statement waits. Without a limit of time, only a cancellation ends it.
    let unlimited =
        "alter role appointd_api set lock_timeout = 0; alter role appointd_api set statement_timeout = 0";
    database.superuser.batch_execute(unlimited).await.expect("no limits");
    // By a session of its own: within a transaction PostgreSQL shows the same pg_stat_activity again and again.
    let lock = connect(&database.cluster, "postgres", "appointd").await;
    lock.batch_execute("begin; lock table app.migrations").await.expect("a lock");
    let sessions_become = async |expected: i64, filter: &str| {
        let count = format!(
            "select count(*) from pg_stat_activity where application_name = 'to be cancelled' and {filter}"
        );
        eventually(async || {
            let found = database.superuser.query_one(&count, &[]).await.expect("sessions");
            (found.get::<_, i64>(0) == expected).then_some(())
        })
        .await;
    };
    let api: DatabaseUrl = url("appointd_api", "").parse().expect("a URL");
    let before = wiretap.heard().len();
    let db = Db::new(&api.named("to be cancelled"), 1);
    let request = tokio::spawn({
        let db = db.clone();
        async move { db.gate(sql!("operations/migrations_last.sql"), &[]).await.map(drop) }
    });
    sessions_become(1, "wait_event_type = 'Lock'").await;
    request.abort();
    sessions_become(0, "true").await;
    assert!(wiretap.heard().len() >= before + 2, "it was cancelled by another connection");

    let heard = wiretap.heard();
    assert!(heard.len() > 10, "{}", heard.len());
    for first in heard {
        // One that the end of the server cut short has sent less.
        assert!(ENCRYPTED.starts_with(&first), "{first:?}");
    }
}

/// A certificate that was valid in a year that is past.
fn expired(folder: &Path) {
    let settings = "[ca]\ndefault_ca=all\n[all]\ndatabase=index\nnew_certs_dir=.\nrand_serial=yes\ndefault_md=sha256\n\
                    policy=any\ncertificate=ca.crt\nprivate_key=ca.key\n[any]\ncommonName=supplied\n";
    fs::write(folder.join("settings"), settings).expect("a file");
    fs::write(folder.join("index"), "").expect("a file");
    openssl(
        folder,
        "ca -batch -config settings -in server.csr -out expired.crt -extfile extensions -notext \
         -startdate 20200101000000Z -enddate 20210101000000Z",
    );
}

#[tokio::test]
async fn server_is_verified_as_sslmode_says() {
    let database = Encrypted::start().await;
    let folder = database.files.0.as_path();
    expired(folder);
    authority(folder, "other");
    certify(folder, "elsewhere", "ca", "subjectAltName=DNS:elsewhere.internal,IP:10.1.2.3", &[]);
    certify(folder, "nameless", "ca", "keyUsage=digitalSignature", &[]);
    certify(folder, "strong", "ca", "subjectAltName=DNS:db.internal", &["-sha512"]);
    certify(folder, "foreign", "other", "subjectAltName=DNS:db.internal", &[]);
    let both = [fs::read(folder.join("other.crt")), fs::read(folder.join("ca.crt"))];
    fs::write(folder.join("both.crt"), both.map(|file| file.expect("a file")).concat()).expect("a file");
    let root = |file: &str| format!("sslrootcert={}", database.file(file));
    let (ours, full) = (root("ca.crt"), format!("sslmode=verify-full&{}", root("ca.crt")));
    let ca = format!("sslmode=verify-ca&{ours}");
    let unverified = ["sslmode=require", "sslmode=prefer"];

    for accepted in [&*full, &*ca, &format!("sslmode=require&{ours}"), unverified[0], unverified[1]] {
        database.expect(&database.url("appointd_api", accepted), Ok(())).await;
    }
    database.expect(&database.url("appointd_api", &root("both.crt")), Ok(())).await;
    let bound = format!("{full}&channel_binding=require");
    database.expect(&database.url("appointd_api", &bound), Ok(())).await;
    // Without encryption the server would refuse it.
    let plain = database.url("appointd_api", "sslmode=disable");
    database.expect(&plain, Err("set sslmode=verify-full")).await;

    for (certificate, key, parameters, expected) in [
        ("elsewhere", "elsewhere", &*full, Err("is for elsewhere.internal, 10.1.2.3, not for db.internal")),
        ("elsewhere", "elsewhere", &*ca, Ok(())),
        ("nameless", "nameless", &*full, Err("names no host; make an authority")),
        ("nameless", "nameless", &*ca, Ok(())),
        ("expired", "server", &*full, Err("expired on 2021-01-01 00:00 UTC")),
        ("expired", "server", &*ca, Err("expired on 2021-01-01")),
        ("expired", "server", unverified[0], Ok(())),
        (
            "strong",
            "strong",
            &*full,
            Err("signed in a way that is not supported; sign with RSA or ECDSA P-256"),
        ),
        ("ca", "ca", &*full, Err("that of an authority (CA:TRUE); make an authority")),
        ("foreign", "foreign", &*full, Err("an authority that is not in ")),
        ("foreign", "foreign", &*ca, Err("an authority that is not in ")),
        ("foreign", "foreign", &*format!("sslmode=require&{ours}"), Err("an authority that is not in ")),
        ("foreign", "foreign", "sslmode=verify-full", Err("this machine does not trust; set sslrootcert")),
        ("foreign", "foreign", unverified[0], Ok(())),
        ("foreign", "foreign", unverified[1], Ok(())),
    ] {
        println!("{certificate} with {parameters}");
        database.encrypt(certificate, key).await;
        database.expect(&database.url("appointd_api", parameters), expected).await;
    }
    openssl(folder, "req -x509 -newkey ed25519 -nodes -keyout ed.key -out ed.crt -days 3 -subj /CN=ed");
    certify(folder, "signed", "ed", "subjectAltName=DNS:db.internal", &[]);
    database.encrypt("signed", "signed").await;
    let bound = format!("{}&channel_binding=require", root("ed.crt"));
    database.expect(&database.url("appointd_api", &root("ed.crt")), Ok(())).await;
    database.expect(&database.url("appointd_api", &bound), Err("signed with RSA or ECDSA")).await;
    // The role of a certificate, without it.
    let auditor = database.url("appointd_auditor", &root("ed.crt"));
    database.expect(&auditor, Err("certificate")).await;
}

#[tokio::test]
async fn host_of_a_network_is_verified_unless_the_url_says_otherwise() {
    let database = Encrypted::plain().await;
    let far = |parameters: &str| database.url("appointd_api", parameters);
    database.expect(&far(""), Err("the server offers no TLS; switch it on there (ssl = on)")).await;
    database.expect(&far("sslmode=require"), Err("the server offers no TLS")).await;
    database.expect(&far("sslmode=prefer"), Ok(())).await;
    database.expect(&far("sslmode=disable"), Ok(())).await;
    // This machine and its sockets need no TLS.
    let near = far("").replace("db.internal", "localhost");
    database.expect(&near, Ok(())).await;
    database.expect(&near.replace("localhost", &database.address), Ok(())).await;
    let socket = database.cluster.url("appointd_api", "appointd");
    database.expect(&socket, Ok(())).await;
    database.expect(&format!("{socket}&sslmode=verify-full&sslrootcert=/nowhere"), Ok(())).await;

    let risk = |url: &str| url.parse::<DatabaseUrl>().expect("a URL").risk();
    for (parameters, words) in [
        ("sslmode=disable", Some("not encrypted")),
        ("sslmode=prefer", Some("may be unencrypted")),
        ("sslmode=require", Some("not verified")),
        ("sslmode=verify-full", None),
        ("", None),
    ] {
        let risk = risk(&far(parameters));
        assert_eq!(risk.is_some(), words.is_some(), "{parameters}: {risk:?}");
        assert!(risk.unwrap_or_default().contains(words.unwrap_or_default()), "{parameters}: {risk:?}");
    }
    assert_eq!((risk(&near), risk(&socket)), (None, None));
    // The operator is told.
    let output = appointd(
        &["tenant", "list"],
        &[("APPOINTD_OWNER_DATABASE_URL", database.url("appointd_owner", "sslmode=disable"))],
    )
    .await;
    assert!(output.status.success());
    let said = text(&output.stderr);
    assert!(said.contains("warning: APPOINTD_OWNER_DATABASE_URL: sslmode=disable"), "{said}");
}

#[test]
fn mistakes_of_tls_are_reported_all_at_once() {
    let mistakes = |parameters: &str| match format!("postgresql://me:{PASSWORD}@db.internal/x?{parameters}")
        .parse::<DatabaseUrl>()
    {
        Err(UrlError::Tls(mistakes)) => mistakes,
        read => panic!("{parameters}: {read:?}"),
    };
    let folder = crate::harness::Folder::new();
    let (certificate, key) = (folder.0.join("c.crt"), folder.0.join("c.key"));
    openssl(&folder.0, "req -x509 -newkey ed25519 -nodes -keyout c.key -out c.crt -days 3 -subj /CN=c");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("a mode");
    let all = mistakes(&format!(
        "sslmode=allow&sslrootcert=/none&sslcert={}&sslkey={}",
        certificate.display(),
        key.display()
    ));
    assert_eq!(all.len(), 3, "{all:?}");
    for (mistake, words) in
        all.iter().zip(["\"allow\"", "\"/none\" cannot be read: No such file", "chmod 600"])
    {
        assert!(mistake.contains(words), "{mistake}");
    }
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("a mode");
    for (parameters, words) in [
        ("sslmode=verify-ca", "sslmode=verify-ca needs sslrootcert"),
        ("sslmode=verify-ca&sslrootcert=system", "sslrootcert=system needs sslmode=verify-full"),
        ("sslmode=prefer&sslrootcert=/x", "sslrootcert means nothing"),
        ("sslmode=disable&channel_binding=require", "channel_binding=require needs TLS"),
        ("sslmode=prefer&sslnegotiation=direct", "sslnegotiation=direct needs sslmode=require"),
        ("sslmode=require&sslcert=/x", "only one of sslcert and sslkey is set"),
        (&format!("sslrootcert={}", key.display()), "has no certificate in PEM form"),
        (&format!("sslmode=require&sslcert={0}&sslkey={0}", certificate.display()), "can be read by others"),
    ] {
        let found = mistakes(parameters);
        assert!(found.len() == 1 && found[0].contains(words), "{parameters}: {found:?}");
    }
    let mixed = format!("postgresql://db.internal,%2Frun/x?sslmode=require&user={PASSWORD}");
    let mixed = mixed.parse::<DatabaseUrl>().expect_err("sockets have no TLS").to_string();
    assert!(mixed.contains("Unix sockets have no TLS"), "{mixed}");
    let form = "host=db.internal user=me".parse::<DatabaseUrl>().expect_err("no URL").to_string();
    assert!(form.contains("does not begin with postgresql://"), "{form}");
    // What the driver reads itself stays, as does a password with a question mark.
    let url: DatabaseUrl =
        "postgresql://me:a?b@localhost/x?sslmode=disable&connect_timeout=3".parse().expect("a URL");
    assert!(format!("{url:?}").contains("connect_timeout: Some(3s)"), "{url:?}");
    assert!(!format!("{url:?}").contains("a?b"), "{url:?}");
}
