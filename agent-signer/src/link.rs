//! A wrap's line to its signer.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use attest_core::checkpoint::{LogKeys, LogKeysError};
use attest_trail::How;
use bytes::Bytes;
use tokio::io::{AsyncWriteExt as _, BufReader, BufWriter};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::config::Receipts;
use crate::launch::{self, LaunchError, Target};
use crate::lineage::Saw;
use crate::wire::{self, Frame, Hello, Kind, Welcome};

/// Why a line cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    #[error(transparent)]
    Launch(#[from] LaunchError),
    #[error("the signer does not answer: {0}")]
    Io(#[from] io::Error),
    #[error(
        "the signer is of version {theirs}, this is {ours}; end it with `attest signer stop`, it starts again by itself"
    )]
    Version { theirs: String, ours: &'static str },
    #[error(
        "agent.toml asks for receipts, and pins no key of the log of {audience:?}: add [[server]] with its audience and \
         log_keys, which `attest log key` prints where the log is"
    )]
    NoLogKey { audience: String },
    #[error("the signer names a key of the log of {audience:?} that cannot be read: {source}")]
    LogKeys { audience: String, source: LogKeysError },
}

/// An open connection. Questions go out at the same time; each answer finds its question by number.
pub(crate) struct Link {
    /// Taken when the link is closed. Unbounded: what is in it is bounded by the calls in flight.
    outbox: Mutex<Option<mpsc::UnboundedSender<Frame>>>,
    writer: Mutex<Option<JoinHandle<io::Result<()>>>>,
    waiting: Arc<Mutex<Waiting>>,
    pub welcome: Welcome,
    /// What is asked of receipts.
    pub demand: Arc<Demand>,
}

/// What is asked of the receipts of one server.
pub(crate) enum Demand {
    /// Nothing.
    Nothing,
    /// That those which come hold, by these keys; and, where `always`, that they come.
    Receipts { keys: LogKeys, audience: String, always: bool },
}

impl Demand {
    fn of(welcome: &Welcome, audience: Option<&str>) -> Result<Self, LinkError> {
        // One that only asks who is there makes no calls.
        let Some(audience) = audience.filter(|_| welcome.receipts != Receipts::Ignored).map(str::to_owned) else {
            return Ok(Self::Nothing);
        };
        if welcome.log_keys.is_empty() {
            return Err(LinkError::NoLogKey { audience });
        }
        match LogKeys::parse(&welcome.log_keys) {
            Ok(keys) => Ok(Self::Receipts { keys, audience, always: welcome.receipts == Receipts::Required }),
            Err(source) => Err(LinkError::LogKeys { audience, source }),
        }
    }
}

#[derive(Default)]
struct Waiting {
    next: u32,
    answers: HashMap<u32, oneshot::Sender<Frame>>,
    gone: bool,
}

impl Link {
    /// Connects and introduces itself; starts the signer if there is none.
    pub async fn open(target: &Target, server: Option<(&str, &How)>) -> Result<Self, LinkError> {
        let mut stream = launch::connect(target).await?;
        let audience = server.map(|(audience, _)| audience);
        let hello = Hello {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            audience: audience.map(str::to_owned),
            how: server.map(|(_, how)| how.clone()),
        };
        let payload = serde_json::to_vec(&hello).map_err(io::Error::from)?.into();
        wire::write(&mut stream, &Frame { kind: Kind::Hello, number: 0, payload }).await?;
        let answer = wire::read(&mut stream).await?.ok_or(io::ErrorKind::UnexpectedEof).map_err(io::Error::from)?;
        let welcome: Welcome = serde_json::from_slice(&answer.payload).map_err(io::Error::from)?;
        if welcome.version != env!("CARGO_PKG_VERSION") {
            return Err(LinkError::Version { theirs: welcome.version, ours: env!("CARGO_PKG_VERSION") });
        }
        let demand = Demand::of(&welcome, audience)?;
        Ok(Self::over(stream, welcome, demand.into()))
    }

    fn over(stream: UnixStream, welcome: Welcome, demand: Arc<Demand>) -> Self {
        let (read, write) = stream.into_split();
        let (outbox, mut frames) = mpsc::unbounded_channel::<Frame>();
        let waiting = Arc::<Mutex<Waiting>>::default();
        let writer = tokio::spawn(async move {
            let mut write = BufWriter::with_capacity(1 << 16, write);
            while let Some(frame) = frames.recv().await {
                wire::write(&mut write, &frame).await?;
                if frames.is_empty() {
                    write.flush().await?;
                }
            }
            write.shutdown().await
        });
        let answers = waiting.clone();
        tokio::spawn(async move {
            let mut read = BufReader::with_capacity(1 << 16, read);
            while let Ok(Some(frame)) = wire::read(&mut read).await {
                let question = locked(&answers).answers.remove(&frame.number);
                if let Some(question) = question {
                    let _ = question.send(frame);
                }
            }
            // Dropping the senders tells everyone who waits that no answer will come.
            let mut waiting = locked(&answers);
            waiting.gone = true;
            waiting.answers.clear();
        });
        Self { outbox: Mutex::new(Some(outbox)), writer: Mutex::new(Some(writer)), waiting, welcome, demand }
    }

    /// Whether the signer has hung up.
    pub fn is_gone(&self) -> bool {
        locked(&self.waiting).gone
    }

    /// Asks, and waits for the answer; `None` when the signer is gone.
    pub async fn ask(&self, kind: Kind, payload: Bytes) -> Option<Frame> {
        let (sender, answer) = oneshot::channel();
        let number = {
            let mut waiting = locked(&self.waiting);
            if waiting.gone {
                return None;
            }
            waiting.next = waiting.next.wrapping_add(1);
            let number = waiting.next;
            waiting.answers.insert(number, sender);
            number
        };
        self.put(Frame { kind, number, payload })?;
        answer.await.ok()
    }

    /// Tells what the host is about to see, and waits until it counts.
    pub async fn saw(&self, saw: &Saw) -> Option<()> {
        let payload = serde_json::to_vec(saw).ok()?.into();
        self.ask(Kind::Saw, payload).await.filter(|frame| frame.kind == Kind::Noted).map(|_| ())
    }

    /// Says something that has no answer.
    pub fn tell(&self, kind: Kind, payload: Bytes) {
        let _ = self.put(Frame { kind, number: 0, payload });
    }

    fn put(&self, frame: Frame) -> Option<()> {
        locked(&self.outbox).as_ref()?.send(frame).ok()
    }

    /// Says nothing more, and waits until all that was said has left.
    pub async fn close(&self) {
        drop(locked(&self.outbox).take());
        let writer = locked(&self.writer).take();
        if let Some(writer) = writer {
            let _ = writer.await;
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
