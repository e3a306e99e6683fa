//! One run of one server: an observer, and the recorder that it reports to.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use attest_core::digest::{Digest, Jti, Salt};
use attest_core::json::Value;
use attest_core::seen::{self, Server, What};

use crate::drawn::Drawn;
use crate::how::How;
use crate::observer::{Draft, Listed, Moment, Observer};
use crate::recorder::{Recorder, Recording, Unwritten, Verdict};

/// See the module.
pub struct Session {
    recorder: Arc<Recorder>,
    observer: Mutex<Observer>,
    server: Arc<str>,
    /// The TLS name of a remote server, and the key that it showed last.
    host: Option<String>,
    key: Mutex<Option<Digest>>,
    id: Jti,
    clock: Clock,
}

impl Session {
    /// Begins a session with the server of this name; `how` says how it is reached, secrets taken out already.
    ///
    /// # Errors
    /// [`Unwritten`].
    pub async fn begin(recorder: Arc<Recorder>, server: &str, how: Option<&How>) -> Result<Self, Unwritten> {
        let clock = Clock::start().map_err(|error| Unwritten(error.to_string().into()))?;
        let id = Jti(clock.salt().0);
        recorder.session(id).await?;
        let host = how.and_then(How::host);
        let how = how.map(|how| how.draft(clock.salt()));
        let server = Arc::from(seen::name(server));
        let session = Self { recorder, observer: Mutex::default(), server, host, key: Mutex::default(), id, clock };
        session.record(how.into_iter().collect()).await?;
        Ok(session)
    }

    /// What a message of the host is to the trail. `call` is the hash of the call's proof, where it has one.
    pub fn client(&self, exchange: u64, message: &Value<'_>, call: Option<Digest>) -> Vec<Draft> {
        self.observer().client(exchange, message, call, &self.clock)
    }

    /// What a message of the server is to the trail.
    pub fn server(&self, exchange: u64, line: &[u8], message: Option<&Value<'_>>) -> Vec<Draft> {
        self.observer().server(exchange, line, message, &self.clock)
    }

    /// The server showed this TLS key (SubjectPublicKeyInfo, DER); an event where it showed none or another before.
    pub fn met(&self, key: &[u8]) -> Option<Draft> {
        let key = Some(Digest::of(key));
        let mut known = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        if *known == key {
            return None;
        }
        *known = key;
        let server = Server { host: self.host.clone(), key, ..Server::default() };
        Some(Draft { what: What::Server(server), kept: None })
    }

    /// The tools as the server listed them last: name, digest of the description, digest of the input schema.
    pub fn tools(&self) -> Vec<(String, Digest, Digest)> {
        self.observer().tools().map(|(name, description, schema)| (name.to_owned(), description, schema)).collect()
    }

    /// What the server's last listing says that this tool can do; `None` where it was not listed.
    pub fn listed(&self, tool: &str) -> Option<Listed> {
        self.observer().listed(tool)
    }

    /// Writes it down.
    ///
    /// # Errors
    /// [`Unwritten`]: the message must not pass.
    pub async fn record(&self, drafts: Vec<Draft>) -> Result<Verdict, Unwritten> {
        self.recorder.record(&self.server, self.id, drafts).await
    }

    /// The first half of [`Session::record`]: see [`Recorder::recording`].
    pub async fn recording(&self, drafts: Vec<Draft>) -> Recording {
        self.recorder.recording(&self.server, self.id, drafts).await
    }

    fn observer(&self) -> std::sync::MutexGuard<'_, Observer> {
        self.observer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Time since the session began, and random values.
struct Clock {
    began: Instant,
    drawn: Mutex<Drawn>,
}

impl Clock {
    fn start() -> Result<Self, getrandom::Error> {
        Ok(Self { began: Instant::now(), drawn: Mutex::new(Drawn::new()?) })
    }

    fn drawn(&self) -> std::sync::MutexGuard<'_, Drawn> {
        self.drawn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Moment for Clock {
    fn salt(&self) -> Salt {
        self.drawn().salt()
    }

    fn name(&self) -> Digest {
        self.drawn().name()
    }

    fn since(&self) -> Duration {
        self.began.elapsed()
    }
}
