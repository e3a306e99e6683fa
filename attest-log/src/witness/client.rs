//! Asks witnesses for their cosignatures over a log's newest checkpoint (C2SP tlog-witness, `add-checkpoint`).
//!
//! Trust: what comes back is believed as far as a pinned key signed it. Who answers in a witness's place can keep its
//! cosignature from us, and no more; so plain `http:` is no risk but to privacy.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use attest_core::checkpoint::Checkpoint;
use attest_core::log_policy::LogPolicy;
use attest_core::note::{Note, NoteError, Vkey};
use attest_core::witness::{AddCheckpoint, read_answer, read_size};
use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::task::JoinSet;

use crate::error::ReadError;
use crate::reader::Reader;

/// Longest answer that is read: the lines of a witness that cosigns with a few keys.
const MAX_ANSWER: usize = 65_536;
/// Longest that a connection without requests is kept. Rounds are often farther apart, and a witness may close it any time.
const IDLE: Duration = Duration::from_secs(4);

/// Times of a [`Client`].
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// How long one witness may take for one request, connecting included.
    pub request: Duration,
    /// How long the others are waited for once there are enough.
    pub rest: Duration,
    /// By how many seconds the clocks of log and witnesses may differ: a cosignature of another time does not count.
    pub skew: u64,
}

impl Default for Times {
    fn default() -> Self {
        Self { request: Duration::from_secs(5), rest: Duration::from_secs(1), skew: 30 }
    }
}

/// Why witnesses cannot be asked at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// A URL.
    #[error("the witness {name}: {url:?} is not an http:// or https:// URL")]
    Url {
        /// Its name in the policy.
        name: String,
        /// The URL.
        url: String,
    },
    /// No cosignature is needed, so nobody would be asked.
    #[error("the policy's quorum is `none`: name witnesses, or leave [witness] out")]
    NoQuorum,
    /// Too few can be asked.
    #[error("the witnesses that have a URL in the policy are too few for its quorum")]
    TooFew,
    /// A file of certificate authorities.
    #[error("{path}: {why}", path = path.display())]
    Roots {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// No authorities to check `https:` witnesses against.
    #[error("this system has no certificate authorities ({0}); install ca-certificates, or name a file of your own")]
    NoRoots(String),
    /// TLS.
    #[error(transparent)]
    Tls(#[from] rustls::Error),
}

/// Why a witness's cosignature was not had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failed {
    /// Nobody there, or not in time.
    #[error("it does not answer: {0}")]
    Unreachable(String),
    /// It watches no such log.
    #[error("it does not watch this log; give its operator the line of `attest log key`")]
    UnknownLog,
    /// It does not know the key that signed.
    #[error("it does not know the key of this log; give its operator the lines of `attest log key`")]
    UnknownKey,
    /// It has cosigned a longer log.
    #[error(
        "it has cosigned this log at {cosigned} entries, and it has {size}: the log was set back, or somebody else signs with its key"
    )]
    Behind {
        /// What the witness has seen.
        cosigned: u64,
        /// What there is.
        size: u64,
    },
    /// It has cosigned another tree.
    #[error(
        "it has cosigned another tree of this log at {cosigned} entries: the log was changed, or somebody else signs with its key"
    )]
    Forked {
        /// The size that was asked from.
        cosigned: u64,
    },
    /// A status that the protocol does not have here.
    #[error("it answers with status {0}")]
    Status(u16),
    /// A 200 without its cosignature.
    #[error("its answer holds no cosignature by its key: {0}")]
    Answer(NoteError),
    /// A cosignature of another time than now.
    #[error("it says that it cosigned at {said}, and it is {now} (seconds since 1970): compare the clocks")]
    Clock {
        /// The witness's time.
        said: u64,
        /// Ours.
        now: u64,
    },
    /// Our own log cannot be read.
    #[error("the log cannot be read: {0}")]
    Log(String),
}

impl Failed {
    /// Whether this says that somebody is shown another log than somebody else.
    pub fn is_alarm(&self) -> bool {
        matches!(self, Self::Behind { .. } | Self::Forked { .. })
    }
}

/// What came of asking all witnesses once.
#[derive(Clone, Debug)]
pub struct Round {
    /// Entries of the checkpoint.
    pub size: u64,
    /// The checkpoint with all cosignatures that came, where they are enough.
    pub note: Option<String>,
    /// Each witness that was asked and that answered or failed in time, by its name in the policy.
    pub answers: Vec<(String, Result<u64, Failed>)>,
}

/// The client of the witnesses of one policy, for one log.
pub struct Client {
    policy: LogPolicy,
    targets: Vec<Target>,
    http: Http,
    times: Times,
}

#[derive(Clone)]
struct Target {
    /// Index in the policy.
    at: usize,
    vkey: Vkey,
    url: Uri,
    /// Size of what it cosigned last, as far as we know.
    seen: u64,
}

type Http = hyper_util::client::legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// What one witness says.
struct Said {
    at: usize,
    seen: u64,
    /// Time and line of its cosignature.
    verdict: Result<(u64, String), Failed>,
}

impl Client {
    /// `roots` is a file of certificate authorities to believe instead of the system's.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn new(policy: LogPolicy, roots: Option<&Path>, times: Times) -> Result<Self, ClientError> {
        if policy.is_none() {
            return Err(ClientError::NoQuorum);
        }
        if !policy.satisfied_by(|_, witness| witness.url.is_some()) {
            return Err(ClientError::TooFew);
        }
        let mut targets = Vec::new();
        for (at, witness) in policy.witnesses().iter().enumerate() {
            let Some(prefix) = &witness.url else { continue };
            let wrong = || ClientError::Url { name: witness.name.clone(), url: prefix.clone() };
            let url: Uri = format!("{}/add-checkpoint", prefix.trim_end_matches('/')).parse().map_err(|_| wrong())?;
            if !matches!(url.scheme_str(), Some("http" | "https")) || url.query().is_some() {
                return Err(wrong());
            }
            targets.push(Target { at, vkey: witness.vkey.clone(), url, seen: 0 });
        }
        let tls = targets.iter().any(|target| target.url.scheme_str() == Some("https"));
        let http = connect(authorities(tls, roots)?, times.request)?;
        Ok(Self { policy, targets, http, times })
    }

    /// The policy.
    pub fn policy(&self) -> &LogPolicy {
        &self.policy
    }

    /// Asks all witnesses, at `now` (seconds since 1970), about `checkpoint`, a signed note of this very log, which `reader`
    /// reads. Returns when all have answered, when there are enough and the rest takes its time, or when time is up.
    pub async fn round(&mut self, checkpoint: &str, reader: &Arc<Mutex<Reader>>, now: u64) -> Round {
        let size = size_of(checkpoint);
        let mut asked = JoinSet::new();
        for target in &self.targets {
            let question = Question {
                target: target.clone(),
                checkpoint: checkpoint.to_owned(),
                size,
                reader: Arc::clone(reader),
                http: self.http.clone(),
                times: self.times,
                now,
            };
            asked.spawn(question.ask());
        }
        let mut said: Vec<Said> = Vec::new();
        // Each request has its own end, so this one is never reached.
        let mut until = tokio::time::Instant::now() + 3 * self.times.request;
        while let Ok(Some(answer)) = tokio::time::timeout_at(until, asked.join_next()).await {
            let Ok(answer) = answer else { continue };
            said.push(answer);
            if self.met(&said) {
                until = until.min(tokio::time::Instant::now() + self.times.rest);
            }
        }
        said.sort_by_key(|said| said.at);
        for said in &said {
            if let Some(target) = self.targets.iter_mut().find(|target| target.at == said.at) {
                target.seen = said.seen;
            }
        }
        let note = self.met(&said).then(|| {
            let lines = said.iter().filter_map(|said| Some(said.verdict.as_ref().ok()?.1.as_str()));
            std::iter::once(checkpoint).chain(lines).collect()
        });
        let name = |at: usize| self.policy.witnesses().get(at).map(|witness| witness.name.clone()).unwrap_or_default();
        let answers = said.into_iter().map(|said| (name(said.at), said.verdict.map(|(time, _)| time))).collect();
        Round { size, note, answers }
    }

    fn met(&self, said: &[Said]) -> bool {
        self.policy.satisfied_by(|at, _| said.iter().any(|said| said.at == at && said.verdict.is_ok()))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("targets", &self.targets.len()).finish_non_exhaustive()
    }
}

/// Entries of the tree that a checkpoint is of.
pub fn size_of(checkpoint: &str) -> u64 {
    let read = Note::parse(checkpoint.as_bytes()).ok().and_then(|note| Checkpoint::parse(note.text()).ok());
    read.map_or(0, |checkpoint| checkpoint.size)
}

/// What one witness is asked.
struct Question {
    target: Target,
    checkpoint: String,
    size: u64,
    reader: Arc<Mutex<Reader>>,
    http: Http,
    times: Times,
    now: u64,
}

impl Question {
    async fn ask(mut self) -> Said {
        let verdict = self.cosignature().await;
        if verdict.is_ok() {
            self.target.seen = self.size;
        }
        Said { at: self.target.at, seen: self.target.seen, verdict }
    }

    async fn cosignature(&mut self) -> Result<(u64, String), Failed> {
        // What it has seen of a longer tree it tells, asked from nothing.
        let old = if self.target.seen > self.size { 0 } else { self.target.seen };
        let (status, body) = self.post(old).await?;
        if status != StatusCode::CONFLICT {
            return self.read(old, status, &body);
        }
        let old = read_size(&body).ok_or(Failed::Status(409))?;
        self.target.seen = old;
        if old > self.size {
            return Err(Failed::Behind { cosigned: old, size: self.size });
        }
        let (status, body) = self.post(old).await?;
        self.read(old, status, &body)
    }

    async fn post(&self, old: u64) -> Result<(StatusCode, Bytes), Failed> {
        let (reader, size) = (Arc::clone(&self.reader), self.size);
        let proof = tokio::task::spawn_blocking(move || {
            reader.lock().unwrap_or_else(PoisonError::into_inner).consistency(old, size)
        });
        let proof = proof.await.map_err(|error| Failed::Log(error.to_string()))?;
        let proof = proof.map_err(|error: ReadError| Failed::Log(error.to_string()))?;
        let body = AddCheckpoint { old, proof, checkpoint: self.checkpoint.clone() }.to_text();
        let request = Request::builder()
            .method(Method::POST)
            .uri(self.target.url.clone())
            .header(http::header::CONTENT_TYPE, "text/plain; charset=utf-8")
            .header(http::header::USER_AGENT, concat!("attest/", env!("CARGO_PKG_VERSION")))
            .body(Full::new(Bytes::from(body)));
        let gone = |error: &dyn std::error::Error| Failed::Unreachable(root_of(error));
        let request = request.map_err(|error| gone(&error))?;
        let exchange = async {
            let answer = self.http.request(request).await.map_err(|error| gone(&error))?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
            Ok((status, body.map_err(|error| gone(&*error))?.to_bytes()))
        };
        let late = |_| Failed::Unreachable(format!("not within {} ms", self.times.request.as_millis()));
        tokio::time::timeout(self.times.request, exchange).await.map_err(late)?
    }

    fn read(&self, old: u64, status: StatusCode, body: &[u8]) -> Result<(u64, String), Failed> {
        match status.as_u16() {
            200 => {
                let note = Note::parse(self.checkpoint.as_bytes()).map_err(Failed::Answer)?;
                let (time, line) = read_answer(note.text(), body, &self.target.vkey).map_err(Failed::Answer)?;
                let now = self.now;
                let until = now.saturating_add(self.times.skew).saturating_add(3 * self.times.request.as_secs());
                if !(now.saturating_sub(self.times.skew)..=until).contains(&time) {
                    return Err(Failed::Clock { said: time, now });
                }
                Ok((time, line.to_owned()))
            }
            403 => Err(Failed::UnknownKey),
            404 => Err(Failed::UnknownLog),
            422 => Err(Failed::Forked { cosigned: old }),
            other => Err(Failed::Status(other)),
        }
    }
}

/// The last cause: hyper's own words are `client error (Connect)`.
fn root_of(error: &dyn std::error::Error) -> String {
    let mut root = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root.to_string()
}

fn connect(roots: RootCertStore, patience: Duration) -> Result<Http, ClientError> {
    let config = rustls::ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(patience));
    tcp.enforce_http(false);
    let connector =
        HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1().wrap_connector(tcp);
    let builder = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .build(connector);
    Ok(builder)
}

/// Whom to believe about `https:` witnesses; nobody where there are none.
fn authorities(tls: bool, roots: Option<&Path>) -> Result<RootCertStore, ClientError> {
    let mut store = RootCertStore::empty();
    match roots {
        Some(path) => {
            let wrong = |why: String| ClientError::Roots { path: path.into(), why };
            let certificates = CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))?;
            for certificate in certificates {
                let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
                store.add(certificate).map_err(|error| wrong(error.to_string()))?;
            }
            if store.is_empty() {
                return Err(wrong("holds no certificate".to_owned()));
            }
        }
        None if tls => {
            let found = rustls_native_certs::load_native_certs();
            let (good, _) = store.add_parsable_certificates(found.certs);
            if good == 0 {
                let why = found.errors.first().map_or_else(|| "none found".to_owned(), ToString::to_string);
                return Err(ClientError::NoRoots(why));
            }
        }
        None => {}
    }
    Ok(store)
}
