//! The signer as a process: listens on a Unix socket, looks who is there, serves until nobody comes any more.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use attest_core::b64;
use attest_core::checkpoint::LogKeys;
use attest_core::claims::is_name;
use attest_core::digest::Digest;
use attest_core::entry::Status;
use attest_core::json;
use attest_core::refusal::{Check, Reason, Refusal};
use attest_core::reply::{self, Shape};
use attest_core::request::{self, attested};
use attest_core::response::Outcome;
use attest_core::seen::{self, Called, What};
use attest_measure::ToolEntry;
use attest_trail::observer::Draft;
use attest_trail::{Judged, Session};
use bytes::Bytes;
use mcp_relay::local::{Users, listen};
use tokio::io::{AsyncWriteExt as _, BufReader, BufWriter};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, watch};

use crate::config::Config;
use crate::launch::{LaunchError, STARTING, socket_of};
use crate::service::{Asked, Signer, StartError};
use crate::starting::{Starting, Stop};
use crate::watcher;
use crate::wire::{self, Checked, Ended, Frame, Hello, Kind, Passing, Sent, Signed, Trailing, Welcome};

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
    /// Another one is about to.
    #[error("a signer measures this agent already, and listens when it is done; `attest signer stop` ends it")]
    Measuring,
}

/// Runs the signer; calls `ready` when it listens. Returns when nobody has been connected for the configured time, or on
/// SIGTERM, SIGINT, or a stop frame. One of these during a measurement ends that too; before there was a first one, with an error.
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
    let (stop, stopped) = Stop::new(config.cancel.clone());
    stop.on_signals().map_err(|source| DaemonError::Listen { path: socket.clone(), source })?;
    let starting = starting(&socket, &config, &stop).await?;
    let allowed = Users::own_and(config.allow_users.clone());
    // The log's lock is what makes it one signer per agent; only its holder may take the socket's place.
    let signer = Arc::new(Signer::start(config).await?);
    let listener = listen(&socket, &allowed).map_err(|source| DaemonError::Listen { path: socket.clone(), source })?;
    drop(starting);
    ready(&socket);
    let watcher = tokio::spawn(watcher::watch(signer.clone()));
    serve(&listener, &signer, allowed, idle, (&stop, stopped)).await;
    watcher.abort();
    let _ = std::fs::remove_file(&socket);
    signer.close().await;
    Ok(())
}

/// Lets this signer be ended while it measures. One that cannot be is no worse a signer.
async fn starting(socket: &Path, config: &Config, stop: &Stop) -> Result<Option<Starting>, DaemonError> {
    let path = socket.with_added_extension(STARTING);
    if UnixStream::connect(&path).await.is_ok() {
        return Err(DaemonError::Measuring);
    }
    let own = Users::own_and(Vec::new());
    let starting = listen(&path, &own).and_then(|listener| Starting::new(&path, listener, config, stop.clone()));
    Ok(starting.inspect_err(|error| tracing::warn!("until it has measured, a signal alone ends it: {error}")).ok())
}

/// Most connections of one user. A host starts one wrap per server; whoever wants more wants something else.
const MOST_CONNECTIONS: usize = 128;
/// Most calls of one connection that are being signed at the same time.
const MOST_CALLS: usize = 256;
/// Pause after a connection could not be taken, for example for want of descriptors.
const PAUSE: Duration = Duration::from_millis(100);
/// At the end: how long nothing must have come, and how long is waited for that at most.
const QUIET: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(5);

/// What all connections share.
struct Daemon {
    signer: Arc<Signer>,
    allowed: Users,
    /// Connections by user. A count at zero for long ends the signer.
    guests: watch::Sender<HashMap<u32, usize>>,
    /// Users that were turned away and reported.
    strangers: Mutex<HashSet<u32>>,
    /// Counts frames, so that the end can wait until none comes any more.
    frames: AtomicU64,
    /// Counts connections, which are told apart by it.
    connections: AtomicU64,
}

async fn serve(
    listener: &UnixListener,
    signer: &Arc<Signer>,
    allowed: Users,
    idle: Duration,
    (stop, mut stopped): (&Stop, mpsc::Receiver<()>),
) {
    let guests = watch::Sender::new(HashMap::new());
    let mut changed = guests.subscribe();
    let daemon = Arc::new(Daemon {
        signer: signer.clone(),
        allowed,
        guests,
        strangers: Mutex::default(),
        frames: AtomicU64::new(0),
        connections: AtomicU64::new(0),
    });
    loop {
        let nobody = changed.borrow_and_update().is_empty();
        tokio::select! {
            // A connection that cannot be taken is its owner's trouble; the signer goes on for the others.
            connection = listener.accept() => match connection {
                Ok((stream, _)) => daemon.welcome(stream, stop),
                Err(error) => {
                    tracing::warn!("a connection could not be taken: {error}");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            _ = changed.changed() => {}
            () = tokio::time::sleep(idle), if nobody => break,
            _ = stopped.recv() => break,
        }
    }
    // Whoever waits for a measurement is refused: this process does not outlive its end by the time that one takes.
    stop.now();
    daemon.drain().await;
}

impl Daemon {
    fn welcome(self: &Arc<Self>, stream: UnixStream, stop: &Stop) {
        let Ok(uid) = stream.peer_cred().map(|peer| peer.uid()) else { return };
        let known = self.allowed.admit(uid);
        let mut room = known;
        self.guests.send_if_modified(|guests| {
            room = known && guests.get(&uid).is_none_or(|count| *count < MOST_CONNECTIONS);
            if room {
                *guests.entry(uid).or_default() += 1;
            }
            room
        });
        if !room {
            // Once per user: whoever knocks must not be able to fill the file that the messages go to.
            let first = { locked(&self.strangers).len() < MOST_CONNECTIONS && locked(&self.strangers).insert(uid) };
            match (first, known) {
                (true, false) => tracing::warn!(
                    "user {uid} knocked and was turned away; `allow_users` in agent.toml says who may come"
                ),
                (true, true) => tracing::warn!("user {uid} has {MOST_CONNECTIONS} connections, and gets no more"),
                (false, _) => {}
            }
            return;
        }
        // Only the signer's own user may end it.
        let stop = self.allowed.is_own(uid).then(|| stop.clone());
        let daemon = self.clone();
        tokio::spawn(async move {
            let connection = daemon.connections.fetch_add(1, Ordering::Relaxed);
            if let Err(error) = daemon.attend(stream, stop, connection).await {
                tracing::warn!("a connection broke: {error}");
            }
            daemon.signer.given().gone(connection);
            daemon.guests.send_modify(|guests| {
                if let Some(count) = guests.get_mut(&uid) {
                    *count -= 1;
                }
                guests.retain(|_, count| *count > 0);
            });
        });
    }

    /// Waits until what was on its way has been dealt with: outcomes that wraps have sent and nobody has read yet.
    async fn drain(&self) {
        let until = tokio::time::Instant::now() + PATIENCE;
        let mut seen = self.frames.load(Ordering::Relaxed);
        while tokio::time::Instant::now() < until {
            tokio::time::sleep(QUIET).await;
            let now = self.frames.load(Ordering::Relaxed);
            if now == seen {
                return;
            }
            seen = now;
        }
    }

    /// Serves one connection. Calls are signed at the same time; each answer bears its question's number.
    async fn attend(&self, stream: UnixStream, stop: Option<Stop>, connection: u64) -> io::Result<()> {
        let (read, write) = stream.into_split();
        let mut read = BufReader::with_capacity(1 << 16, read);
        let (answers, outbox) = mpsc::channel(256);
        let writer = tokio::spawn(write_all(write, outbox));
        let mut audience: Arc<str> = "".into();
        let mut session: Option<Arc<Session>> = None;
        // The calls that this connection had signed and that have not ended: it can say how these ended, and no others.
        let open = Arc::<Mutex<HashSet<Digest>>>::default();
        let room = Arc::new(Semaphore::new(MOST_CALLS));
        while let Some(frame) = wire::read(&mut read).await? {
            self.frames.fetch_add(1, Ordering::Relaxed);
            match frame.kind {
                Kind::Hello => {
                    let hello: Hello = serde_json::from_slice(&frame.payload)?;
                    let named = hello.audience.unwrap_or_default();
                    if !named.is_empty() && (!is_name(&named) || named.contains('#')) {
                        return Err(io::Error::other("an audience is 1 to 256 bytes without # and control characters"));
                    }
                    audience = named.into();
                    // Whoever may have calls signed has them written down, whatever he says of his server.
                    if let Some(recorder) = self.signer.trail().filter(|_| !audience.is_empty()) {
                        let begun = Session::begin(recorder.clone(), &audience, hello.how.as_ref()).await;
                        session = Some(Arc::new(begun.map_err(io::Error::other)?));
                    }
                    let trail = match (&session, self.signer.trail()) {
                        (Some(_), Some(recorder)) if recorder.is_awaited() => Trailing::Asked,
                        (Some(_), _) => Trailing::Told,
                        (None, _) => Trailing::Off,
                    };
                    let (receipts, keys) = self.signer.config().receipts_of(&audience);
                    let welcome = Welcome {
                        version: env!("CARGO_PKG_VERSION").to_owned(),
                        pid: std::process::id(),
                        agent: self.signer.config().agent.clone(),
                        context: b64::encode(self.signer.context().0),
                        receipts,
                        log_keys: keys.map(LogKeys::to_lines).unwrap_or_default(),
                        trail,
                        labels: self.signer.config().labels_of(&audience),
                    };
                    let payload = serde_json::to_vec(&welcome)?.into();
                    let _ = answers.send(Frame { payload, ..frame }).await;
                }
                Kind::Call | Kind::CallShort | Kind::CallAgain => {
                    let short = frame.kind == Kind::CallShort;
                    let again = frame.kind == Kind::CallAgain;
                    let Ok(place) = room.clone().acquire_owned().await else { break };
                    let (signer, audience, answers) = (self.signer.clone(), audience.clone(), answers.clone());
                    let (open, session) = (open.clone(), session.clone());
                    let read = |payload: Bytes| match again {
                        true => wire::Again::from_payload(payload).map(|again| {
                            let asked = Asked { nonce: again.nonce, reattest: again.reattest };
                            (again.exchange, again.line, Some(asked))
                        }),
                        false => wire::call_of(payload).map(|(exchange, line)| (exchange, line, None)),
                    };
                    let (exchange, line, asked) = read(frame.payload).ok_or(io::ErrorKind::InvalidData)?;
                    tokio::spawn(async move {
                        let how = (short, asked);
                        let signed = sign(&signer, &audience, &line, how, session.as_deref(), exchange).await;
                        let (kind, payload) = match signed {
                            Ok((signed, answered)) => {
                                if answered {
                                    locked(&open).insert(signed.call);
                                }
                                (Kind::Signed, signed.to_payload())
                            }
                            Err(reply) => (Kind::Refused, reply),
                        };
                        let _ = answers.send(Frame { kind, number: frame.number, payload }).await;
                        drop(place);
                    });
                }
                Kind::Ended => {
                    let Ok(ended) = serde_json::from_slice::<Ended>(&frame.payload) else { continue };
                    let call = Digest::from_b64(&ended.call).filter(|call| locked(&open).remove(call));
                    if let Some(call) = call {
                        self.signer.ended(call, ended.outcome(), &audience).await;
                        if let Some(verdict) = ended.receipt.and_then(Checked::verdict) {
                            self.signer.receipt(call, &verdict, &audience).await;
                        }
                    }
                }
                Kind::Passing => {
                    let passing = Passing::from_payload(frame.payload).ok_or(io::ErrorKind::InvalidData)?;
                    let Some(session) = &session else { continue };
                    let message = json::parse(&passing.line).ok();
                    let drafts = match (passing.from_server, &message) {
                        (true, message) => session.server(passing.exchange, &passing.line, message.as_ref()),
                        (false, Some(message)) => session.client(passing.exchange, message, None),
                        (false, None) => Vec::new(),
                    };
                    drop(message);
                    // Before the next frame: a call that follows is made with these tools.
                    if drafts.iter().any(|draft| matches!(draft.what, What::Tool(_) | What::ToolGone { .. })) {
                        self.signer.given().tools(connection, listed(&audience, session));
                    }
                    // In the order in which they came; only the waiting for a verdict goes on beside.
                    let recorded = session.recording(drafts).await;
                    if frame.number != 0 {
                        let answers = answers.clone();
                        tokio::spawn(async move {
                            let payload = Bytes::copy_from_slice(&[Judged::of(&recorded.verdict().await) as u8]);
                            let frame = Frame { kind: Kind::Judged, number: frame.number, payload };
                            let _ = answers.send(frame).await;
                        });
                    }
                }
                Kind::Met => {
                    if let Some(session) = &session {
                        let met = session.met(&frame.payload);
                        session.recording(met.into_iter().collect()).await;
                    }
                }
                Kind::Turn => {
                    // A wrap passes on what servers say; of the model it knows nothing.
                    let sent = Some(&frame.payload).filter(|_| audience.is_empty());
                    let sent = sent.and_then(|payload| serde_json::from_slice::<Sent>(payload).ok());
                    let turn = sent.and_then(|sent| sent.turn()).ok_or(io::ErrorKind::InvalidData)?;
                    self.signer.given().turn(connection, turn);
                    let _ =
                        answers.send(Frame { kind: Kind::Noted, number: frame.number, payload: Bytes::new() }).await;
                }
                Kind::Saw => {
                    let saw = serde_json::from_slice(&frame.payload).map_err(io::Error::from)?;
                    // Here and not beside: what is signed after it is signed by somebody who knows it.
                    self.signer.saw(&saw);
                    let _ =
                        answers.send(Frame { kind: Kind::Noted, number: frame.number, payload: Bytes::new() }).await;
                }
                Kind::Stop => {
                    if let Some(stop) = &stop {
                        stop.now();
                    }
                }
                Kind::Signed | Kind::Refused | Kind::Judged | Kind::Noted => {
                    return Err(io::ErrorKind::InvalidData.into());
                }
            }
        }
        // A wrap that went away tells no more ends.
        let left: Vec<Digest> = locked(&open).drain().collect();
        for call in left {
            self.signer.ended(call, Outcome { status: Status::Unknown, digest: None }, &audience).await;
        }
        drop(answers);
        writer.await?
    }
}

/// The tools of this session's server.
fn listed(audience: &str, session: &Session) -> Vec<ToolEntry> {
    let tools = session.tools().into_iter();
    tools
        .map(|(name, description, schema)| ToolEntry { server: audience.to_owned(), name, description, schema })
        .collect()
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ended {
    fn outcome(&self) -> Outcome {
        let status = Status::ALL.into_iter().find(|status| status.as_str() == self.status);
        Outcome { status: status.unwrap_or(Status::Unknown), digest: self.result.as_deref().and_then(Digest::from_b64) }
    }
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

fn called(call: &request::Call<'_, '_>) -> Called {
    match call.tool() {
        Some(tool) => Called::Tool(seen::name(tool)),
        None => Called::Method(seen::name(call.method())),
    }
}

/// Signs one message; on an error what comes back is the line to answer the client with. Also whether it will be answered.
async fn sign(
    signer: &Signer,
    audience: &str,
    line: &[u8],
    (short, asked): (bool, Option<Asked>),
    session: Option<&Session>,
    exchange: u64,
) -> Result<(Signed, bool), Bytes> {
    let refuse =
        |id: Option<&json::Value<'_>>, refusal: Refusal| Err(Bytes::from(reply::refuse(id, &refusal, Shape::Error)));
    let message = match json::parse(line) {
        Ok(message) => message,
        Err(error) => return refuse(None, error.into()),
    };
    let id = message.as_object().and_then(|m| m.get("id"));
    // Which methods are signed is the wrap's to choose: it knows what the server asks for.
    let call = match attested(&message) {
        Ok(call) => call,
        Err(error) => return refuse(id, error.into()),
    };
    if audience.is_empty() {
        return refuse(id, Reason::NotSigned.into());
    }
    let signed = match signer.sign_for(&call, audience, short, asked, session).await {
        Ok(signed) => signed,
        Err(refusal) => {
            if let (Some(session), Check::Policy) = (session, refusal.reason.check()) {
                let what =
                    What::Refused { call: None, called: called(&call), reason: refusal.reason.code().to_owned() };
                // The refusal stands whether or not it can be written.
                let _ = session.record(vec![Draft { what, kept: None }]).await;
            }
            return refuse(id, refusal);
        }
    };
    let answered = call.id().is_some();
    let Some(session) = session else { return Ok((signed, answered)) };
    let recorded = session.record(session.client(exchange, &message, Some(signed.call))).await;
    let Some(reason) = Judged::of(&recorded).refuses() else { return Ok((signed, answered)) };
    // It was signed, and does not leave.
    if answered {
        signer.ended(signed.call, Outcome { status: Status::Cancelled, digest: None }, audience).await;
    }
    refuse(id, reason.into())
}
