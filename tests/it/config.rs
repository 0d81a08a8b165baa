//! Settings: mistakes are named all at once, and what is shown can be loaded.

use std::process::Command;

use crate::harness::program::temporary;

#[test]
fn example_settings_can_be_loaded_by_a_shell() {
    let shown =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/.env.example")).expect("a file");
    // With every setting in use.
    let all: String = shown
        .lines()
        .map(|line| {
            line.strip_prefix("#APPOINTD").map_or(line.to_owned(), |rest| format!("APPOINTD{rest}")) + "\n"
        })
        .collect();
    let path = temporary("env");
    std::fs::write(&path, &all).expect("a file");
    let output = Command::new("sh")
        .args(["-ec", &format!("set -a; . {}; env", path.display())])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .output()
        .expect("sh runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let loaded = String::from_utf8(output.stdout).expect("text");
    let mut settings = 0;
    for line in all.lines().filter(|line| line.starts_with("APPOINTD")) {
        let line = line.replace('\'', "");
        assert!(loaded.lines().any(|loaded| loaded == line), "{line} is not in {loaded}");
        settings += 1;
    }
    assert!(settings >= 15, "{settings}");
    assert!(loaded.contains("APPOINTD_MAIL_FROM=appointd <noreply@appointd.example>"));
}

#[test]
fn wrong_settings_are_reported_all_at_once_without_secrets() {
    let run = |arguments: &[&str], environment: &[(&str, &str)]| {
        let output = Command::new(env!("CARGO_BIN_EXE_appointd"))
            .args(arguments)
            .env_clear()
            .envs(environment.iter().copied())
            .output()
            .expect("the program runs");
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let said = run(&["serve"], &[]);
    for name in ["DATABASE_URL", "DOOR_DATABASE_URL", "WORKER_DATABASE_URL", "TOKEN_KEYS", "LINK_KEYS"] {
        assert!(said.contains(&format!("APPOINTD_{name} is not set")), "{said}");
    }
    let one = "kMRmSXkcnBAvq1CXgkD2QhlVtWq7vS0nAwPz9uYeabA=";
    let said = run(&["serve"], &[("APPOINTD_TOKEN_KEYS", one), ("APPOINTD_LINK_KEYS", one)]);
    assert!(said.contains("have a key in common") && !said.contains(one), "{said}");
    let said = run(
        &["serve"],
        &[
            ("APPOINTD_DATABASE_URL", "postgresql://me:hunter2@host:port/db"),
            ("APPOINTD_TOKEN_KEYS", "hunter2"),
            ("APPOINTD_LINK_KEYS", "hunter2"),
            ("APPOINTD_LISTEN", "example.com:80"),
            ("APPOINTD_THREADS", "0"),
            ("APPOINTD_CONNECTIONS", "many"),
            ("APPOINTD_BASE_DOMAIN", "a b"),
            ("APPOINTD_TRUSTED_PROXIES", "proxy"),
            ("APPOINTD_RATE_LIMITS", "person=1"),
            ("APPOINTD_MAIL_URL", "pigeon://me:hunter2@host"),
            ("APPOINTD_MAIL_FROM", "no address"),
            ("APPOINTD_PUBLIC_URL", "here"),
            ("APPOINTD_DNS", "dns"),
            ("APPOINTD_WEBHOOK_NETWORKS", "networks"),
            ("APPOINTD_LOG", "loud"),
            ("APPOINTD_LOG_FORMAT", "xml"),
        ],
    );
    for name in ["DATABASE_URL", "TOKEN_KEYS", "LISTEN", "THREADS", "CONNECTIONS", "LOG ", "LOG_FORMAT"] {
        assert!(said.contains(&format!("APPOINTD_{name}")), "{name}: {said}");
    }
    assert!(!said.contains("hunter2"), "{said}");
    for weak in ["change-me-change-me-change-me-change-me", "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE="] {
        let environment = [("APPOINTD_DATABASE_URL", "postgresql:///x"), ("APPOINTD_TOKEN_KEYS", weak)];
        let said = run(&["serve"], &environment);
        assert!(said.contains("32 random bytes") && !said.contains(weak), "{said}");
    }
    // Each names its own role, in what is not set and in what leads nowhere.
    for (command, setting, role) in [
        (&["migrate"][..], "APPOINTD_OWNER_DATABASE_URL", "appointd_owner"),
        (&["tenant", "list"], "APPOINTD_OWNER_DATABASE_URL", "appointd_owner"),
        (&["audit"], "APPOINTD_AUDITOR_DATABASE_URL", "appointd_auditor"),
        (&["serve", "--no-worker"], "APPOINTD_DATABASE_URL", "appointd_api"),
    ] {
        let keys = [
            ("APPOINTD_DOOR_DATABASE_URL", "postgresql://appointd_door@127.0.0.1:1/db"),
            ("APPOINTD_TOKEN_KEYS", one),
            ("APPOINTD_LINK_KEYS", "bGlua3Mgb2YgZ3Vlc3RzLCBhIGtleSBvZiAzMiBieXQ="),
        ];
        let with = |url: &str| run(command, &[&keys[..], &[(setting, url)]].concat());
        assert_eq!(
            run(command, &keys),
            format!(
                "appointd: {setting} is not set; it is a URL such as postgresql://{role}@localhost/appointd\n"
            )
        );
        assert_eq!(
            with("postgresql://me:hunter2@127.0.0.1:1/db"),
            "appointd: cannot connect to 127.0.0.1:1 (database db, role me): Connection refused (os error 111)\n"
        );
        let said = with("postgresql:///db?host=/nonexistent&user=me");
        assert!(
            said.contains("cannot connect to /nonexistent/.s.PGSQL.5432 (database db, role me): "),
            "{said}"
        );
        let said = with("postgresql://me:hunter2@127.0.0.1:1/db?sslmode=allow");
        assert_eq!(
            said,
            format!(
                "appointd: {setting}: sslmode is \"allow\"; it must be disable, prefer, require, verify-ca or \
                 verify-full\n"
            )
        );
        let said = with("postgresql:///appointd");
        assert!(said.contains("names no host") && said.contains(&format!("user={role}")), "{said}");
    }
}
