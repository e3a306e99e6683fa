//! The signer as a process: listens on a Unix socket, looks who is there, serves until nobody comes any more.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use attest_core::b64;
use attest_core::digest::Digest;
use attest_core::entry::Status;
use attest_core::json;
use attest_core::refusal::{Reason, Refusal};
use attest_core::reply::{self, Shape};
use attest_core::request::{Message, classify};
use attest_core::response::Outcome;
use bytes::Bytes;
use tokio::io::{AsyncWriteExt as _, BufReader, BufWriter};
use tokio::net::{UnixListener, UnixStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

use crate::config::Config;
use crate::launch::{LaunchError, socket_of};
use crate::service::{Signer, StartError};
use crate::wire::{self, Ended, Frame, Hello, Kind, Signed, Welcome};

/// Why a signer's process ends with an error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DaemonError {
    /// It did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// No place to listen.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// Cannot listen.
    #[error("cannot listen at {path}: {source}", path = path.display())]
    Listen {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another one listens.
    #[error("a signer listens at {path} already; `attest signer stop` ends it", path = path.display())]
    Running {
        /// The socket.
        path: PathBuf,
    },
}

/// Runs the signer; calls `ready` when it listens. Returns when nobody has been connected for the configured time, or on
/// SIGTERM, SIGINT, or a stop frame.
pub async fn run(config: Config, ready: impl FnOnce(&Path)) -> Result<(), DaemonError> {
    // No core dumps, and no reading of our memory by processes of the same user.
    if let Err(error) = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable) {
        tracing::warn!("this process stays readable for debuggers of its own user: {error}");
    }
    let socket = socket_of(&config)?;
    if UnixStream::connect(&socket).await.is_ok() {
        return Err(DaemonError::Running { path: socket });
    }
    let idle = Duration::from_secs(config.idle_seconds);
    let allowed = Allowed { own: rustix::process::geteuid().as_raw(), others: config.allow_users.clone() };
    // The log's lock is what makes it one signer per agent; only its holder may take the socket's place.
    let signer = Arc::new(Signer::start(config).await?);
    let listener = listen(&socket, &allowed).map_err(|source| DaemonError::Listen { path: socket.clone(), source })?;
    ready(&socket);
    let ended = serve(&listener, &signer, &allowed, idle).await;
    let _ = std::fs::remove_file(&socket);
    signer.close();
    ended.map_err(|source| DaemonError::Listen { path: socket, source })
}

fn listen(socket: &Path, allowed: &Allowed) -> io::Result<UnixListener> {
    match std::fs::remove_file(socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(socket)?;
    // With other users allowed, everybody may knock, and the peer's credentials decide.
    let mode = if allowed.others.is_empty() { 0o600 } else { 0o666 };
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(mode))?;
    Ok(listener)
}

/// Who may have calls signed.
struct Allowed {
    own: u32,
    others: Vec<u32>,
}

async fn serve(listener: &UnixListener, signer: &Arc<Signer>, allowed: &Allowed, idle: Duration) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (stop, mut stopped) = mpsc::channel::<()>(1);
    // Each connection holds a receiver, so the count of receivers tells whether anybody is there.
    let (here, _) = watch::channel(());
    loop {
        let nobody = here.receiver_count() == 0;
        let waiting = tokio::time::sleep(idle);
        tokio::select! {
            connection = listener.accept() => {
                let (stream, _) = connection?;
                let uid = stream.peer_cred()?.uid();
                if uid != allowed.own && !allowed.others.contains(&uid) {
                    tracing::warn!("user {uid} knocked and was turned away; `allow_users` in agent.toml lets it in");
                    continue;
                }
                let (signer, stop, guest) = (signer.clone(), stop.clone(), here.subscribe());
                // Only the signer's own user may end it.
                let stop = (uid == allowed.own).then_some(stop);
                tokio::spawn(async move {
                    if let Err(error) = attend(stream, signer, stop).await {
                        tracing::warn!("a connection broke: {error}");
                    }
                    drop(guest);
                });
            }
            () = here.closed(), if !nobody => {}
            () = waiting, if nobody => return Ok(()),
            _ = stopped.recv() => return Ok(()),
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
        }
    }
}

/// Serves one connection. Calls are signed at the same time; each answer bears its question's number.
async fn attend(stream: UnixStream, signer: Arc<Signer>, stop: Option<mpsc::Sender<()>>) -> io::Result<()> {
    let (read, write) = stream.into_split();
    let mut read = BufReader::with_capacity(1 << 16, read);
    let (answers, outbox) = mpsc::channel(256);
    let writer = tokio::spawn(write_all(write, outbox));
    let mut audience: Arc<str> = "".into();
    while let Some(frame) = wire::read(&mut read).await? {
        match frame.kind {
            Kind::Hello => {
                let hello: Hello = serde_json::from_slice(&frame.payload)?;
                audience = hello.audience.unwrap_or_default().into();
                let welcome = Welcome {
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                    pid: std::process::id(),
                    agent: signer.config().agent.clone(),
                    context: b64::encode(signer.context().0),
                };
                let payload = serde_json::to_vec(&welcome)?.into();
                let _ = answers.send(Frame { payload, ..frame }).await;
            }
            Kind::Call => {
                let (signer, audience, answers) = (signer.clone(), audience.clone(), answers.clone());
                tokio::spawn(async move {
                    let (kind, payload) = sign(&signer, &audience, &frame.payload).await;
                    let _ = answers.send(Frame { kind, number: frame.number, payload }).await;
                });
            }
            Kind::Ended => ended(&signer, &audience, &frame.payload).await,
            Kind::Stop => {
                if let Some(stop) = &stop {
                    let _ = stop.send(()).await;
                }
            }
            Kind::Signed | Kind::Refused => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
    drop(answers);
    writer.await?
}

async fn write_all(write: tokio::net::unix::OwnedWriteHalf, mut outbox: mpsc::Receiver<Frame>) -> io::Result<()> {
    let mut write = BufWriter::with_capacity(1 << 16, write);
    while let Some(frame) = outbox.recv().await {
        wire::write(&mut write, &frame).await?;
        if outbox.is_empty() {
            write.flush().await?;
        }
    }
    write.shutdown().await
}

/// Signs one call; what comes back is the frame's kind and payload.
async fn sign(signer: &Signer, audience: &str, line: &[u8]) -> (Kind, Bytes) {
    let refuse = |id: Option<&json::Value<'_>>, refusal: Refusal| {
        (Kind::Refused, Bytes::from(reply::refuse(id, &refusal, Shape::Error)))
    };
    let message = match json::parse(line) {
        Ok(message) => message,
        Err(error) => return refuse(None, error.into()),
    };
    let id = message.as_object().and_then(|m| m.get("id"));
    let call = match classify(&message) {
        Ok(Message::Call(call)) => call,
        Ok(Message::Other) => return refuse(id, Reason::BadRequest.into()),
        Err(error) => return refuse(id, error.into()),
    };
    match signer.sign(&call, audience).await {
        Ok(out) => {
            let signed = Signed { call: out.call, salt: out.salt, line: out.request.into() };
            (Kind::Signed, signed.to_payload())
        }
        Err(refusal) => refuse(id, refusal),
    }
}

async fn ended(signer: &Signer, audience: &str, payload: &[u8]) {
    let Ok(Ended { call, status, result }) = serde_json::from_slice(payload) else {
        return;
    };
    let status = [Status::Result, Status::ToolError, Status::Error].into_iter().find(|s| s.as_str() == status);
    let outcome =
        Outcome { status: status.unwrap_or(Status::Unknown), digest: result.as_deref().and_then(Digest::from_b64) };
    if let Some(call) = Digest::from_b64(&call) {
        signer.ended(call, outcome, audience).await;
    }
}
