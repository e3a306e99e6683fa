//! Status lists at the verifier: had from files and web servers, had again before they are stale, and kept beside the log.
//!
//! What is kept is the last good list of each name, so that a restart, or a web server that is down, opens no hole; a list that is older than the one
//! that was had before is not taken, wherever it comes from.
//!
//! Trust: who can write `<log>.statuses` can at most keep the newest list from being known until it is had again: each is verified when it is read.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use attest_core::limits::MAX_STATUS_TOKEN;
use attest_core::status::Statuses;
use attest_core::trust::Trust;
use attest_core::verifier::Verifier;
use attest_log::clock::now;
use bytes::Bytes;
use http_body_util::Full;
use mcp_relay::http::{Backend as _, Unread, Upstream, collect, with_causes};
use tokio::sync::{Mutex, Notify};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, timeout};

use crate::config::{Config, From, StatusSource, StatusSources};
use crate::rules::Current;

/// How long a web server may take for its answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How soon a list that was not had is asked for again.
const AGAIN: Duration = Duration::from_secs(5);
/// How often a file is looked at, whatever the kernel says of it.
const LOOK: Duration = Duration::from_secs(5);
/// The longest that nobody asks.
const LONGEST: Duration = Duration::from_secs(3_600);

/// The lists of one gate.
pub(crate) struct Lists {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    rules: Current,
    kept: PathBuf,
    held: Mutex<Held>,
    wanted: Notify,
}

#[derive(Default)]
struct Held {
    sources: Vec<StatusSource>,
    /// The newest good token of each list.
    texts: BTreeMap<String, String>,
    /// When each is asked for next.
    due: HashMap<String, Instant>,
    /// What is wrong with each source, so that it is said once.
    failures: HashMap<String, String>,
}

/// What is held of these sources without asking anybody but the disk: for whoever looks at tokens without a guard.
pub fn on_disk(config: &Config) -> Statuses {
    let mut statuses = Statuses::default();
    let kept = read_kept(&kept_beside(&config.beside)).unwrap_or_default();
    let files = config.statuses.0.iter().filter_map(|source| match &source.from {
        From::File(path) => Some((source.uri.clone(), read_file(path).ok()?)),
        From::Web(_) => None,
    });
    for (uri, text) in kept.into_iter().chain(files) {
        // What does not hold is not there; whoever asks is told that nothing is known.
        let _ = statuses.take(&uri, &text, &config.trust, now());
    }
    statuses
}

impl Lists {
    /// With what was kept; then asks everybody once, before the first call.
    pub(crate) async fn open(log: &Path, sources: StatusSources, rules: Current) -> Self {
        let kept = kept_beside(log);
        let texts = read_kept(&kept).unwrap_or_else(|error| {
            tracing::warn!("the status lists kept in {} are not used: {error}", kept.display());
            BTreeMap::new()
        });
        let held = Held { texts, sources: sources.0, ..Held::default() };
        let shared = Arc::new(Shared { rules, kept, held: Mutex::new(held), wanted: Notify::new() });
        {
            let held = shared.held.lock().await;
            held.give(&shared.rules.get().verifier);
        }
        shared.refresh().await;
        let task = tokio::spawn(Arc::clone(&shared).work());
        Self { shared, task }
    }

    /// Goes on with other sources, under other rules, which take effect here, with what is held of their lists.
    pub(crate) async fn change(&self, sources: StatusSources, rules: crate::rules::Rules) {
        {
            let mut held = self.shared.held.lock().await;
            held.sources = sources.0;
            held.due.clear();
            // What a file says is known with the first call under the new rules.
            let files = held.sources.iter().filter_map(|source| match &source.from {
                From::File(path) => Some((source.uri.clone(), read_file(path).ok()?)),
                From::Web(_) => None,
            });
            let files: Vec<_> = files.collect();
            held.give(&rules.verifier);
            let mut statuses = (*rules.verifier.statuses()).clone();
            for (uri, text) in files {
                if statuses.take(&uri, &text, rules.verifier.trust(), now()).is_ok() {
                    held.texts.insert(uri, text);
                }
            }
            rules.verifier.hold(Arc::new(statuses));
            self.shared.keep(&held.texts);
            self.shared.rules.set(rules);
        }
        self.shared.wanted.notify_one();
    }

    /// Looks at every file now: one was touched.
    pub(crate) async fn look(&self) {
        {
            let mut held = self.shared.held.lock().await;
            let Held { sources, due, .. } = &mut *held;
            let files = sources.iter().filter(|source| matches!(source.from, From::File(_)));
            files.for_each(|source| {
                due.remove(&source.uri);
            });
        }
        self.shared.refresh().await;
    }
}

impl Drop for Lists {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    async fn work(self: Arc<Self>) {
        loop {
            let next = self.held.lock().await.next();
            tokio::select! {
                () = tokio::time::sleep_until(next) => {}
                () = self.wanted.notified() => {}
            }
            self.refresh().await;
        }
    }

    /// Asks for each list that is due, all at once, and takes what comes.
    async fn refresh(&self) {
        let due: Vec<StatusSource> = self.held.lock().await.due();
        let mut asked = JoinSet::new();
        for source in due {
            asked.spawn(async move {
                let had = match &source.from {
                    From::File(path) => read_file(path).map_err(|error| format!("{}: {error}", path.display())),
                    From::Web(upstream) => get(upstream).await,
                };
                (source, had)
            });
        }
        while let Some(Ok((source, had))) = asked.join_next().await {
            self.take(source, had).await;
        }
    }

    /// A list that is not kept counts all the same: that something was taken back must not wait for a disk.
    fn keep(&self, texts: &BTreeMap<String, String>) {
        if !texts.is_empty()
            && let Err(error) = write_kept(&self.kept, texts)
        {
            tracing::error!("the status lists are not kept in {}: {error}", self.kept.display());
        }
    }

    async fn take(&self, source: StatusSource, had: Result<String, String>) {
        let StatusSource { uri, from } = source;
        let mut held = self.held.lock().await;
        // The configuration may have changed meanwhile: the rules in force decide.
        let rules = self.rules.get();
        let mut statuses = (*rules.verifier.statuses()).clone();
        let taken = had.and_then(|text| {
            let same = held.texts.get(&uri) == Some(&text);
            let trust = rules.verifier.trust();
            // What was verified before is not verified again each time that somebody looks.
            if let Some(list) = statuses.held(&uri, trust).filter(|_| same) {
                return Ok((text, same, trust.staleness().until(list)));
            }
            match statuses.take(&uri, &text, trust, now()) {
                Ok(until) => Ok((text, same, until)),
                Err(error) => Err(error.to_string()),
            }
        });
        let wait = match taken {
            Ok((text, same, until)) => {
                rules.verifier.hold(Arc::new(statuses));
                if !same {
                    held.texts.insert(uri.clone(), text);
                    self.keep(&held.texts);
                }
                if held.failures.remove(&uri).is_some() {
                    tracing::warn!("the status list {uri} is had again");
                }
                let left = Duration::from_secs(until.saturating_sub(now()));
                match from {
                    From::File(_) => LOOK,
                    // Before it ends, so that no call has to do without.
                    From::Web(_) if left.is_zero() => AGAIN,
                    From::Web(_) => (left / 3 * 2).clamp(Duration::from_secs(1), LONGEST),
                }
            }
            Err(why) => {
                if held.failures.get(&uri) != Some(&why) {
                    tracing::error!(
                        "the status list {uri} is not had: {why}; the last one is used as long as it is fresh"
                    );
                    held.failures.insert(uri.clone(), why);
                }
                AGAIN
            }
        };
        held.due.insert(uri, Instant::now() + wait);
    }
}

impl Held {
    /// Those whose time has come.
    fn due(&self) -> Vec<StatusSource> {
        let now = Instant::now();
        let due = |source: &&StatusSource| self.due.get(&source.uri).is_none_or(|at| *at <= now);
        self.sources.iter().filter(due).cloned().collect()
    }

    fn next(&self) -> Instant {
        let next = self.sources.iter().map(|source| self.due.get(&source.uri).copied().unwrap_or_else(Instant::now));
        next.min().unwrap_or_else(|| Instant::now() + LONGEST)
    }

    /// Gives a verifier every list that is held and that its own configuration takes.
    fn give(&self, verifier: &Verifier) {
        let mut statuses = Statuses::default();
        for (uri, text) in &self.texts {
            if let Err(error) = statuses.take(uri, text, verifier.trust(), now()) {
                tracing::warn!("the status list {uri} that was kept is not used: {error}");
            }
        }
        verifier.hold(Arc::new(statuses));
    }
}

/// The text at a web server: 200, no coding, no redirection, bounded in size and time.
async fn get(upstream: &Upstream) -> Result<String, String> {
    let request = http::Request::get(upstream.uri())
        .header(http::header::ACCEPT, "application/statuslist+jwt")
        .header(http::header::USER_AGENT, concat!("attest/", env!("CARGO_PKG_VERSION")))
        .body(Full::new(Bytes::new()));
    let request = request.map_err(|error| error.to_string())?;
    let late = || format!("no answer within {} s", PATIENCE.as_secs());
    let answer = timeout(PATIENCE, upstream.ask(request)).await.map_err(|_| late())?;
    let answer = answer.map_err(|error| with_causes(&*error))?;
    if answer.status() != http::StatusCode::OK {
        return Err(format!("the web server answers with status {}", answer.status().as_u16()));
    }
    if answer.headers().contains_key(http::header::CONTENT_ENCODING) {
        return Err("the web server sends it in a coding although it was not asked to".to_owned());
    }
    let body = collect(answer.into_body(), MAX_STATUS_TOKEN + 2, PATIENCE, |_| true).await;
    let body = body.map_err(|unread| match unread {
        Unread::TooLong => format!("it is longer than {MAX_STATUS_TOKEN} bytes"),
        Unread::Late => late(),
        Unread::Broken | Unread::NoRoom => "the answer broke off".to_owned(),
    })?;
    text(body.into())
}

fn read_file(path: &Path) -> io::Result<String> {
    use io::Read as _;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MAX_STATUS_TOKEN as u64 + 3).read_to_end(&mut bytes)?;
    text(bytes).map_err(io::Error::other)
}

/// A token, with the line's end that editors and web servers like to put behind it.
fn text(bytes: Vec<u8>) -> Result<String, String> {
    if bytes.len() > MAX_STATUS_TOKEN + 2 {
        return Err(format!("it is longer than {MAX_STATUS_TOKEN} bytes"));
    }
    let text = String::from_utf8(bytes).map_err(|_| "it is no text".to_owned())?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// `<log>.statuses`: lines of name and token, a TAB between them, which no name has.
fn kept_beside(log: &Path) -> PathBuf {
    let mut name = log.as_os_str().to_owned();
    name.push(".statuses");
    name.into()
}

fn read_kept(path: &Path) -> io::Result<BTreeMap<String, String>> {
    let text = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        text => text?,
    };
    let line = |line: &str| line.split_once('\t').map(|(uri, token)| (uri.to_owned(), token.to_owned()));
    Ok(text.lines().filter_map(line).collect())
}

/// In one step, and on the disk before it counts.
fn write_kept(path: &Path, texts: &BTreeMap<String, String>) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".attest-").tempfile_in(folder)?;
    for (uri, text) in texts {
        writeln!(file, "{uri}\t{text}")?;
    }
    file.as_file().sync_all()?;
    file.persist(path)?;
    std::fs::File::open(folder)?.sync_all()
}

/// Whether a configuration's lists can be given to this trust at all: for messages at the start.
pub(crate) fn warn_of_staleness(trust: &Trust) {
    for level in attest_core::status::Level::ALL {
        if trust.staleness().accepts(level) {
            tracing::warn!(
                "calls of the level {} pass without a fresh status list, because the configuration says \"accept\"",
                level.as_str()
            );
        }
    }
}
