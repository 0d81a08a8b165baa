use std::{net::SocketAddr, path::PathBuf};

/// Where a running system is reached.
pub struct Running {
    pub address: SocketAddr,
    /// The folder of PostgreSQL's Unix socket.
    pub sockets: PathBuf,
    /// The folder of e-mails.
    pub mails: PathBuf,
    /// The address of the page of e-mails and webhooks.
    pub outbox: SocketAddr,
}
