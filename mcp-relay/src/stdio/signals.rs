//! Signals that reach the relay and are meant for the server.

use std::future::poll_fn;
use std::io;
use std::task::Poll;

use rustix::fs::{Mode, OFlags};
use rustix::process::Signal;
use tokio::signal::unix::{self, SignalKind};

/// Whose SIGHUP is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sighup {
    /// The server's, as it would be without us.
    #[default]
    Passed,
    /// The caller's own: it is neither taken over nor passed on.
    Kept,
}

/// The signals passed on.
pub(super) struct Signals(Vec<(Signal, unix::Signal)>);

impl Signals {
    /// Starts to listen. To be called before the server starts, so that no signal ends the relay and spares the server.
    /// SIGHUP is left alone where `sighup` says that it means something to the caller.
    pub fn listen(sighup: Sighup) -> io::Result<Self> {
        let ignored = ignored();
        let kinds = [
            (Signal::INT, SignalKind::interrupt()),
            (Signal::TERM, SignalKind::terminate()),
            (Signal::HUP, SignalKind::hangup()),
        ];
        let mut listening = Vec::new();
        let kinds = kinds.into_iter().filter(|(signal, _)| *signal != Signal::HUP || sighup == Sighup::Passed);
        for (signal, kind) in kinds {
            // A signal that was ignored when we started (`nohup`, a shell's `&`) is to be ignored by the server too. It
            // inherits that only if we leave it alone.
            if ignored & (1 << (kind.as_raw_value() - 1)) == 0 {
                listening.push((signal, unix::signal(kind)?));
            }
        }
        Ok(Self(listening))
    }

    /// The next signal to pass on.
    pub async fn next(&mut self) -> Signal {
        loop {
            let signal = poll_fn(|cx| {
                let mut arrived = self.0.iter_mut().filter_map(|(signal, stream)| match stream.poll_recv(cx) {
                    Poll::Ready(Some(())) => Some(*signal),
                    _ => None,
                });
                arrived.next().map_or(Poll::Pending, Poll::Ready)
            })
            .await;
            if signal != Signal::INT || !terminal_tells_all() {
                return signal;
            }
        }
    }
}

/// Whether we are in the foreground of a terminal. Its interrupt key then reaches every process of the group, the server
/// included, and a second SIGINT would make some servers skip their clean-up.
fn terminal_tells_all() -> bool {
    let flags = OFlags::RDONLY | OFlags::NOCTTY | OFlags::CLOEXEC;
    let foreground = rustix::fs::open("/dev/tty", flags, Mode::empty()).and_then(rustix::termios::tcgetpgrp);
    foreground.is_ok_and(|group| group == rustix::process::getpgrp())
}

/// Whether SIGHUP was ignored when this process started (`nohup`). What it starts is to ignore it too, which it does only if we leave it alone.
pub fn ignores_sighup() -> bool {
    ignored() & (1 << (SignalKind::hangup().as_raw_value() - 1)) != 0
}

/// The signals ignored by this process, signal n at bit n - 1. Zero where `/proc` does not tell.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0)
}
