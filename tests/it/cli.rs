//! The commands: their help, what completes them, their manual pages.

use std::{
    io::Read as _,
    net::SocketAddr,
    process::{Command, Stdio},
};

use appointd::cli;

fn appointd(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_appointd"));
    command.args(arguments);
    command
}

fn printed(arguments: &[&str]) -> String {
    let output = appointd(arguments).env("COLUMNS", "80").output().expect("the program runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// The words of every command but `help`, the program itself first.
fn commands() -> Vec<Vec<String>> {
    fn walk(command: &clap::Command, path: &[String], found: &mut Vec<Vec<String>>) {
        found.push(path.to_vec());
        for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
            walk(below, &[path, &[below.get_name().to_owned()]].concat(), found);
        }
    }
    let mut found = Vec::new();
    walk(&cli::command(), &[], &mut found);
    assert!(found.len() > 15, "{found:?}");
    found
}

#[test]
fn help_of_each_command_has_examples_that_parse_and_fits_a_terminal() {
    for path in commands() {
        let mut arguments: Vec<_> = path.iter().map(String::as_str).collect();
        arguments.push("--help");
        let help = printed(&arguments);
        for line in help.lines() {
            assert!(line.chars().count() <= 80, "{path:?}: {line}");
        }
        let examples: Vec<_> = help
            .lines()
            .skip_while(|line| !line.starts_with("Example"))
            .filter_map(|line| line.strip_prefix("  "))
            .filter(|line| line.starts_with("appointd "))
            .collect();
        let own =
            ["appointd"].into_iter().chain(path.iter().map(String::as_str)).collect::<Vec<_>>().join(" ");
        assert!(examples.iter().any(|example| example.starts_with(&own)), "{path:?} has an example: {help}");
        for example in examples {
            let line = example.split(" #").next().and_then(|line| line.split(" >").next()).expect("a line");
            let line = line.trim_end();
            match cli::command().try_get_matches_from(line.split_whitespace()) {
                Err(error) if !line.ends_with("--help") => panic!("{line}: {error}"),
                _ => {}
            }
        }
    }
}

#[test]
fn completions_of_each_shell_name_the_commands() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = printed(&["completions", shell]);
        assert!(script.contains("serve") && script.contains("data-dir"), "{shell}: {script}");
    }
    let output = appointd(&["completions", "tcsh"]).output().expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("possible values: bash"), "{said}");
}

#[test]
fn manual_page_of_each_command_is_printed() {
    for path in commands() {
        let mut arguments = vec!["man"];
        arguments.extend(path.iter().map(String::as_str));
        let page = printed(&arguments);
        let name =
            ["appointd"].into_iter().chain(path.iter().map(String::as_str)).collect::<Vec<_>>().join("-");
        assert!(page.contains(&format!(".TH {name} 1")), "{path:?}: {page}");
        assert!(page.contains("Example"), "{path:?}: {page}");
    }
    let output = appointd(&["man", "tenant", "list", "all"]).output().expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said, "appointd: `appointd tenant list` has no commands\n");
    let output = appointd(&["man", "sevre"]).output().expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.starts_with("appointd: `appointd` has no command sevre; it has dev, serve, "), "{said}");
}

#[test]
fn output_that_is_not_read_to_its_end_is_no_error() {
    let mut child = appointd(&["openapi"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut start = [0; 1];
    child.stdout.take().expect("a pipe").read_exact(&mut start).expect("a brace");
    let output = child.wait_with_output().expect("an end");
    assert_eq!((output.status.success(), String::from_utf8_lossy(&output.stderr).as_ref()), (true, ""));
}

#[test]
fn address_to_listen_on_may_be_a_port_alone() {
    let listen = |text: &str| {
        let matches = cli::command().try_get_matches_from(["appointd", "dev", "--listen", text]);
        let matches = matches.map_err(|error| error.to_string())?;
        let (_, dev) = matches.subcommand().expect("a command");
        Ok::<_, String>(*dev.get_one::<SocketAddr>("listen").expect("an address"))
    };
    for (text, address) in [
        ("8081", "127.0.0.1:8081"),
        ("localhost:8081", "127.0.0.1:8081"),
        ("0.0.0.0:80", "0.0.0.0:80"),
        ("[::1]:0", "[::1]:0"),
    ] {
        assert_eq!(listen(text), Ok(address.parse().expect("an address")), "{text}");
    }
    for text in ["", "localhost", "80800", ":8080", "example.com:8080", "127.0.0.1"] {
        let said = listen(text).expect_err("no address");
        assert!(said.contains("expected an IP address and a port, such as 127.0.0.1:8080"), "{text}: {said}");
    }
}

#[test]
fn exit_codes_are_those_of_the_help() {
    let help = printed(&["--help"]);
    assert!(help.contains("Exit codes:\n  0    done"), "{help}");
    let docs = include_str!("../../docs/deploy.md");
    for (arguments, code) in [
        (&["openapi"][..], 0),
        // Nothing is set.
        (&["serve"], 1),
        (&["migrate"], 1),
        (&["health", "--listen", "127.0.0.1:1"], 1),
        (&["serve", "--no-such-flag"], 2),
        (&["audit"], 2),
    ] {
        let status = appointd(arguments).env_clear().output().expect("the program runs").status;
        assert_eq!(status.code(), Some(code), "{arguments:?}");
        assert!(
            help.contains(&format!("\n  {code}    ")) && docs.contains(&format!("\n| {code} |")),
            "{code}"
        );
    }
}
