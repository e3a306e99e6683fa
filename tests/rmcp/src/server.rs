//! The server that the conformance suite is run against: each tool, prompt and resource that the suite's scenarios ask for.
//! It is what a plain rmcp server does, and knows nothing of attest.

mod completion;
mod handler;
mod prompts;
mod resources;
mod subscribers;
mod tools;

use std::io;
use std::path::Path;
use std::sync::Arc;

use rmcp::model::RequestStateCodec;
use rmcp::task_manager::TaskManager;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use tokio_util::sync::CancellationToken;

pub use self::handler::Handler;
use self::subscribers::Subscribers;
use crate::runs::Runs;

/// How long a client may keep an answer that does not change while the server lives, in milliseconds.
const CACHE_TTL_MS: u64 = 60_000;

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The file for the runs cannot be opened.
    #[error("cannot append to the file given by --runs: {0}")]
    Runs(io::Error),
    /// The system gives no randomness for the key over request states.
    #[error("the system gives no randomness: {0}")]
    Randomness(#[from] getrandom::Error),
    /// The key over request states is not accepted.
    #[error("rmcp does not accept the key over request states: {0}")]
    Key(#[from] rmcp::model::RequestStateError),
}

/// What all sessions of one server share: its tasks, its subscriptions, and the note of which tools ran. Cheap to clone.
#[derive(Clone)]
pub struct Fixture(Arc<Shared>);

struct Shared {
    runs: Runs,
    states: RequestStateCodec,
    subscribers: Subscribers,
    tasks: TaskManager,
}

impl Fixture {
    /// A server without tasks or subscriptions yet; notes each tool run in `runs`, where that is given.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened, or the system gives no randomness.
    pub fn new(runs: Option<&Path>) -> Result<Self, StartError> {
        let runs = runs.map(Runs::open).transpose().map_err(StartError::Runs)?.unwrap_or_default();
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        Ok(Self(Arc::new(Shared {
            runs,
            states: RequestStateCodec::try_new(key)?,
            subscribers: Subscribers::default(),
            tasks: TaskManager::new(),
        })))
    }

    /// The handler of one session, or of one request where the protocol knows no sessions; also what to serve over stdio.
    pub fn session(&self) -> Handler {
        Handler::new(self.clone())
    }
}

/// The Streamable HTTP endpoint, both eras: sessions for 2025-11-25, none for 2026-07-28. Accepts only loopback names in
/// `Host`. All its streams end when `stop` is cancelled.
pub fn service(fixture: &Fixture, stop: &CancellationToken) -> StreamableHttpService<Handler, LocalSessionManager> {
    let fixture = fixture.clone();
    let config = StreamableHttpServerConfig::default().with_cancellation_token(stop.child_token());
    StreamableHttpService::new(move || Ok(fixture.session()), Arc::new(LocalSessionManager::default()), config)
}
