//! Lines to the host.

use std::io;
use std::pin::pin;

use bytes::Bytes;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

/// Writes each line and an LF, until nobody is left who could send one. The one place that writes: an exchange may be
/// dropped at any moment, and a line must not be cut by that.
pub(super) async fn write(out: impl AsyncWrite, mut queue: mpsc::Receiver<Bytes>) -> io::Result<()> {
    let mut out = pin!(out);
    while let Some(line) = queue.recv().await {
        out.write_all(&line).await?;
        out.write_all(b"\n").await?;
        if queue.is_empty() {
            out.flush().await?;
        }
    }
    out.shutdown().await
}
