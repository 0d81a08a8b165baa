//! `appointd health`: asks a server of this machine whether it is ready, for images without a shell or curl.

use std::{
    error::Error,
    io::{BufRead as _, BufReader, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    time::Duration,
};

use clap::Args;

use crate::config::{DEFAULT_LISTEN, listen_flag};

pub(super) const EXAMPLES: &str = "\
Examples:
  appointd health                          # a server with the same settings
  appointd health --listen 10.0.0.5:8080
  appointd health --live";

/// Longer than the server waits for the database.
const PATIENCE: Duration = Duration::from_secs(4);

#[derive(Args)]
pub(super) struct HealthArgs {
    /// Address and port of the server
    #[arg(
        long,
        env = "APPOINTD_LISTEN",
        default_value = DEFAULT_LISTEN,
        value_name = "ADDRESS",
        value_parser = listen_flag
    )]
    listen: SocketAddr,
    /// The listener for the operator. If it is set, it is asked instead: a worker has no other
    #[arg(long, env = "APPOINTD_OPERATIONS_LISTEN", value_name = "ADDRESS", value_parser = listen_flag)]
    operations_listen: Option<SocketAddr>,
    /// Certificate of the server. If it is set, the listener for the operator has to be set too
    #[arg(long, env = "APPOINTD_TLS_CERTIFICATE", value_name = "FILE")]
    tls_certificate: Option<String>,
    /// Ask whether it is alive, which does not depend on the database
    #[arg(long)]
    live: bool,
}

pub(super) fn health(args: &HealthArgs) -> Result<(), Box<dyn Error>> {
    let speaks_tls = args.tls_certificate.as_ref().is_some_and(|file| !file.is_empty());
    if speaks_tls && args.operations_listen.is_none() {
        Err(
            "clients of the server speak TLS; set APPOINTD_OPERATIONS_LISTEN, where this command can ask without it",
        )?;
    }
    let address = reachable(args.operations_listen.unwrap_or(args.listen));
    let path = if args.live { "/health/live" } else { "/health/ready" };
    let failed = |error| format!("no answer from {address}: {error}");
    let (status, body) = ask(address, path).map_err(failed)?;
    match status.as_str() {
        "200" => Ok(()),
        status => Err(format!("{address} answers {path} with {status}: {body}"))?,
    }
}

/// One that listens everywhere is asked on this machine.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

/// The status and the last line of an answer.
fn ask(address: SocketAddr, path: &str) -> std::io::Result<(String, String)> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let lines = BufReader::new(stream).lines().collect::<Result<Vec<_>, _>>()?;
    let status = lines.first().and_then(|line| line.split(' ').nth(1)).unwrap_or("nothing");
    Ok((status.to_owned(), lines.last().cloned().unwrap_or_default()))
}
