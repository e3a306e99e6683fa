//! The time in which a signer measures and does not listen yet: for a large model, minutes. All that can be asked of it is to end.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use attest_measure::Cancel;
use bytes::Bytes;
use tokio::io::BufReader;
use tokio::net::{UnixListener, UnixStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::config::{Config, Receipts};
use crate::wire::{self, Frame, Kind, Trailing, Welcome};

/// Ends the signer, whatever it is at: what measures stops, and whoever serves goes home.
#[derive(Clone, Debug)]
pub(crate) struct Stop {
    cancel: Cancel,
    end: mpsc::Sender<()>,
}

impl Stop {
    /// One that stops what `cancel` stops, and gives a word to the receiver.
    pub(crate) fn new(cancel: Cancel) -> (Self, mpsc::Receiver<()>) {
        let (end, ended) = mpsc::channel(1);
        (Self { cancel, end }, ended)
    }

    pub(crate) fn now(&self) {
        self.cancel.cancel();
        // Where a word waits already another says no more.
        let _ = self.end.try_send(());
    }

    /// Ends the signer on SIGTERM and SIGINT, from now on and for as long as the process lives.
    pub(crate) fn on_signals(&self) -> io::Result<()> {
        for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
            let (mut signals, stop) = (signal(kind)?, self.clone());
            tokio::spawn(async move {
                while signals.recv().await.is_some() {
                    stop.now();
                }
            });
        }
        Ok(())
    }
}

/// The socket of a signer that measures. It goes when this goes; connections stay.
pub(crate) struct Starting {
    path: PathBuf,
    task: JoinHandle<()>,
}

impl Starting {
    /// Attends to those who want it to end.
    pub(crate) fn new(path: &Path, listener: UnixListener, config: &Config, stop: Stop) -> io::Result<Self> {
        let own = rustix::process::geteuid().as_raw();
        let welcome = Welcome {
            labels: None,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            agent: config.agent.clone(),
            // There is none yet.
            context: String::new(),
            receipts: Receipts::Ignored,
            log_keys: Vec::new(),
            trail: Trailing::Off,
        };
        let welcome = Bytes::from(serde_json::to_vec(&welcome)?);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if stream.peer_cred().is_ok_and(|peer| peer.uid() == own) {
                    tokio::spawn(attend(stream, welcome.clone(), stop.clone()));
                }
            }
        });
        Ok(Self { path: path.to_owned(), task })
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        self.task.abort();
        let _ = fs::remove_file(&self.path);
    }
}

/// Until the other one goes, or the process ends: that is how he knows that it did.
async fn attend(stream: UnixStream, welcome: Bytes, stop: Stop) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    while let Some(frame) = wire::read(&mut read).await? {
        match frame.kind {
            Kind::Hello => wire::write(&mut write, &Frame { payload: welcome.clone(), ..frame }).await?,
            Kind::Stop => stop.now(),
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
    Ok(())
}
