//! A guard goes on with another configuration, without dropping a call: at SIGHUP, and when a file that the configuration was read from is touched.
//!
//! A call goes on by the rules that it began with. A configuration with anything wrong changes nothing, and is named once. What took effect is in the
//! log: an entry `config`, before any decision under it.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use attest_core::entry::Entry;
use attest_log::Place;
use attest_log::clock::now_ms;
use attest_measure::Touched;
use mcp_relay::stdio::ignores_sighup;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::config::Config;
use crate::gate::{Gate, GateError, warn_of_nobody};
use crate::rules::Rules;
use crate::shared::Mirror;
use crate::status::warn_of_staleness;

/// How long after a first touch the rest of a change may take to come.
const SETTLES: Duration = Duration::from_millis(200);
/// How often it is asked whether a shared document is another one.
const ASKED: Duration = Duration::from_secs(1);
/// How soon what is wrong is looked at again, where the kernel cannot say that it was touched.
const AGAIN: Duration = Duration::from_secs(10);

/// What came of a configuration that was read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reloaded {
    /// It is the one in force.
    Same,
    /// It is in force from here on, but for the settings of these names, which stay as they were until a restart.
    Changed(Vec<&'static str>),
}

impl Gate {
    /// Goes on with another configuration. Calls that are under way go on by the one they began with.
    ///
    /// # Errors
    /// A key of the gate's own that the configuration trusts, or a log that takes no entry. Then the one before stays in force.
    pub async fn reload(&self, config: Config) -> Result<Reloaded, GateError> {
        // One at a time.
        let running = self.running.lock().await;
        let before = self.rules();
        let trust = config.trust.with_audience(before.verifier.trust());
        let trust = running.admits(trust, config.shared.as_ref())?;
        if config.policy == before.policy {
            self.lists.look().await;
            return Ok(Reloaded::Same);
        }
        // The log stays, whatever the new configuration says of it.
        if matches!(running.log, Place::Shared(_)) && config.flow.has_stores() {
            return Err(GateError::Stores);
        }
        let stay = running.fixed.changed(&config.fixed);
        warn_of_staleness(&trust);
        warn_of_nobody(&trust, config.judging.as_ref());
        // First, so that whatever is decided under it stands behind it.
        let entry =
            Entry::Config { audience: self.audience().to_owned(), policy: config.policy.to_b64(), time: now_ms() };
        let index = self.write(entry).await?;
        self.stores.fill(&config.flow, &running.log)?;
        let flow = config.flow.clone();
        let rules = Rules::new(trust, config.policy, config.deny_as, config.methods, config.flow, config.judging);
        self.lists.change(config.statuses, rules).await;
        // What was written into a new store by the rules before, until now.
        self.stores.fill(&flow, &running.log)?;
        self.write_accepted(&running.log, index + 1, config.accepted).await?;
        self.follow_alerts(config.closed).await?;
        Ok(Reloaded::Changed(stay))
    }
}

/// The files of a configuration, and the signal that asks to read them again: taken over from the moment this is made.
pub(crate) struct Reloading {
    path: PathBuf,
    files: Vec<PathBuf>,
    /// Copies of what guards share; none for a guard with a log of its own.
    mirror: Option<Arc<Mutex<Mirror>>>,
    /// None under `nohup`, where files alone are looked at.
    hangups: Option<Signal>,
}

/// Ends with what holds it.
pub(crate) struct Kept(JoinHandle<()>);

impl Drop for Kept {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Reloading {
    pub(crate) fn of(config: &Config) -> io::Result<Self> {
        let hangups = if ignores_sighup() { None } else { Some(signal(SignalKind::hangup())?) };
        let shares = matches!(config.log, Place::Shared(_));
        let mirror = shares.then(|| Arc::new(Mutex::new(Mirror::of(&config.path))));
        Ok(Self { path: config.path.clone(), files: config.files.clone(), mirror, hangups })
    }

    /// Keeps the gate by its files.
    pub(crate) fn keep(self, gate: Arc<Gate>) -> Kept {
        Kept(tokio::spawn(self.work(gate)))
    }

    async fn work(mut self, gate: Arc<Gate>) {
        let mut wrong: Option<String> = None;
        let mirror = self.mirror.clone();
        loop {
            // Before they are read: what is touched between the two is looked at again.
            let mut watch = self.watch();
            let failed = self.read(&gate).await.err();
            if let Some(error) = &failed
                && failed != wrong
            {
                tracing::error!("the configuration before stays in force: {error}");
            }
            if failed.is_none() && wrong.is_some() {
                tracing::warn!("{} is in order again", self.path.display());
            }
            wrong = failed;
            let blind = watch.is_none();
            tokio::select! {
                () = until(watch.as_mut()) => sleep(SETTLES).await,
                () = asked(self.hangups.as_mut()) => {}
                () = brought(mirror.as_ref()) => {}
                // A file that was not there yet is watched by nobody.
                () = sleep(AGAIN), if wrong.is_some() || blind => {}
            }
        }
    }

    fn watch(&self) -> Option<Touched> {
        let there = self.files.iter().filter(|file| file.exists());
        let watch = Touched::watch(there);
        watch.inspect_err(|error| tracing::warn!("changed files are looked for, not told of: {error}")).ok()
    }

    /// Reads all of it and puts it in force, or nothing.
    async fn read(&mut self, gate: &Gate) -> Result<(), String> {
        let (path, mirror) = (self.path.clone(), self.mirror.clone());
        let read = move || {
            // What it names may be new.
            if let Some(mirror) = mirror {
                bring(&mirror);
            }
            Config::read(&path)
        };
        let config = tokio::task::spawn_blocking(read).await;
        let config = config.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        let files = config.files.clone();
        let reloaded = gate.reload(config).await.map_err(|error| error.to_string())?;
        self.files = files;
        if let Reloaded::Changed(stay) = reloaded {
            tracing::warn!("{} was changed, and is in force", self.path.display());
            if !stay.is_empty() {
                tracing::warn!("what cannot change before a restart stays as it was: {}", stay.join(", "));
            }
        }
        Ok(())
    }
}

async fn asked(hangups: Option<&mut Signal>) {
    match hangups {
        Some(hangups) => drop(hangups.recv().await),
        None => std::future::pending().await,
    }
}

/// Until a copy of a shared document became another one. The folder of copies may be one that is not watched yet.
async fn brought(mirror: Option<&Arc<Mutex<Mirror>>>) {
    let Some(mirror) = mirror else { return std::future::pending().await };
    loop {
        sleep(ASKED).await;
        let mirror = Arc::clone(mirror);
        // A thread that was lost tells nothing.
        if tokio::task::spawn_blocking(move || bring(&mirror)).await.unwrap_or(false) {
            return;
        }
    }
}

fn bring(mirror: &Mutex<Mirror>) -> bool {
    mirror.lock().unwrap_or_else(PoisonError::into_inner).bring()
}

async fn until(touched: Option<&mut Touched>) {
    match touched {
        Some(touched) => touched.wait().await,
        None => std::future::pending().await,
    }
}
