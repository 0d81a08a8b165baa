//! Requests, byte for byte.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::system;

/// Sends bytes as they are, and reads until the server closes or has sent nothing for two seconds.
pub async fn send_raw(request: &[u8]) -> String {
    let mut stream = TcpStream::connect(system().address).await.expect("a connection");
    // The server may close before it has read everything.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    while let Ok(Ok(1..)) = timeout(Duration::from_secs(2), stream.read_buf(&mut answer)).await {}
    String::from_utf8_lossy(&answer).into_owned()
}
