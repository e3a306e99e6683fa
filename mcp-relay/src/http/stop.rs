//! The end of a process that serves.

use std::future::poll_fn;
use std::io;
use std::task::Poll;

use tokio::signal::unix::{SignalKind, signal};

/// Resolves at SIGTERM, SIGINT or SIGHUP, which from now on do nothing else.
///
/// # Errors
/// The system gives no handler.
pub fn told_to_stop() -> io::Result<impl Future<Output = ()>> {
    let kinds = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()];
    let mut signals = kinds.into_iter().map(signal).collect::<Result<Vec<_>, _>>()?;
    Ok(poll_fn(move |cx| {
        let told = signals.iter_mut().any(|signal| signal.poll_recv(cx).is_ready());
        if told { Poll::Ready(()) } else { Poll::Pending }
    }))
}
