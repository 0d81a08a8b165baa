//! E-mail by SMTP, to a server of the test's own.

use std::time::Duration;

use appointd::messaging::{
    budget::OnBehalf,
    mail::{Mail, Mailer},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use crate::harness::system;

/// Takes one mail (RFC 5321) and returns what was said, commands and all.
async fn take_mail(stream: TcpStream) -> String {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    let mut said = String::new();
    writer.write_all(b"220 mail.example.com\r\n").await.expect("a greeting");
    let mut in_data = false;
    while let Some(line) = lines.next_line().await.expect("a line") {
        said.push_str(&line);
        said.push('\n');
        let answer: &[u8] = match line.split(' ').next().unwrap_or_default() {
            "." if in_data => {
                in_data = false;
                b"250 taken\r\n"
            }
            _ if in_data => continue,
            "DATA" => {
                in_data = true;
                b"354 go on\r\n"
            }
            "QUIT" => {
                writer.write_all(b"221 bye\r\n").await.expect("a goodbye");
                break;
            }
            _ => b"250 ok\r\n",
        };
        writer.write_all(answer).await.expect("an answer");
    }
    said
}

#[tokio::test]
async fn mail_is_sent_by_smtp_and_retried() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("smtp://{}", listener.local_addr().expect("an address"));
    let from = "Acme <noreply@acme.example>".parse().expect("an address");
    let mailer = Mailer::new(Some(&url), from, "https://pages.example.com/".into())
        .expect("a mailer")
        .asking(system().db(1));
    mailer.send(Mail {
        to: "grace@example.com".to_owned(),
        subject: "Grüße\r\nBcc: all@example.com".to_owned(),
        body: format!("Look here: {}\n", mailer.link("verify-email", "a-secret")),
        on_behalf: OnBehalf::Account,
    });
    // The first connection is closed.
    drop(listener.accept().await.expect("a connection"));
    let (stream, _) = timeout(Duration::from_secs(10), listener.accept())
        .await
        .expect("another attempt")
        .expect("a connection");
    let said = timeout(Duration::from_secs(10), take_mail(stream)).await.expect("a mail");
    assert!(said.contains("MAIL FROM:<noreply@acme.example>"), "{said}");
    assert!(said.contains("RCPT TO:<grace@example.com>"), "{said}");
    assert_eq!(said.matches("RCPT TO").count(), 1);
    assert!(!said.lines().any(|line| line.starts_with("Bcc:")), "no header in a subject: {said}");
    assert!(said.contains("https://pages.example.com/verify-email#token"), "{said}");
}

#[test]
fn malformed_mail_url_is_reported_without_its_password() {
    let from = || "a@example.com".parse().expect("an address");
    for url in ["pigeon://me:hunter2@host", "smtp//host", ""] {
        let refused = Mailer::new(Some(url), from(), String::new()).map(drop);
        assert!(refused.is_err_and(|error| !error.contains("hunter2")), "{url}");
    }
}
