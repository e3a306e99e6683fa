//! The end of a process that serves.

use std::future::poll_fn;
use std::io;
use std::task::Poll;

use tokio::signal::unix::{SignalKind, signal};

use crate::stdio::Sighup;

/// Resolves at SIGTERM, SIGINT or, where that is nobody's own, SIGHUP, which from now on do nothing else.
///
/// # Errors
/// The system gives no handler.
pub fn told_to_stop(sighup: Sighup) -> io::Result<impl Future<Output = ()>> {
    let mut kinds = vec![SignalKind::terminate(), SignalKind::interrupt()];
    kinds.extend((sighup == Sighup::Passed).then(SignalKind::hangup));
    let mut signals = kinds.into_iter().map(signal).collect::<Result<Vec<_>, _>>()?;
    Ok(poll_fn(move |cx| {
        let told = signals.iter_mut().any(|signal| signal.poll_recv(cx).is_ready());
        if told { Poll::Ready(()) } else { Poll::Pending }
    }))
}
