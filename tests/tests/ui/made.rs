//! Logs that no guard wrote.

use std::path::PathBuf;
use std::process::Command;

use attest_core::alert::{Action, Alert, Severity};
use attest_core::digest::{Digest, Jti};
use attest_core::entry::{Entry, Status};
use attest_core::refusal::Reason;
use attest_core::sign::MemoryKey;
use attest_log::{Log, LogKey, Options, Record};
use tempfile::TempDir;

use crate::attest_in;

/// A folder with logs.
pub struct Made {
    folder: TempDir,
}

/// One of them, which can grow.
pub struct Growing {
    path: PathBuf,
    origin: &'static str,
}

impl Made {
    pub fn new(origin: &'static str, entries: u64) -> Self {
        let made = Self { folder: tempfile::Builder::new().prefix("attest-test-").tempdir().unwrap() };
        made.more(origin, entries);
        made
    }

    /// One more log.
    pub fn more(&self, origin: &'static str, entries: u64) -> Growing {
        let growing = Growing { path: self.path(origin), origin };
        growing.append(entries);
        growing
    }

    /// A log of alerts whose every free text is markup, or turns the direction of writing.
    pub fn hostile(origin: &'static str) -> Self {
        let made = Self::new(origin, 0);
        let nasty = "<script>document.title='owned'</script>";
        let alert = Alert {
            action: Action::Note,
            call: Some(Digest::of("call")),
            entries: vec![0],
            reason: format!("{nasty}\u{202e}<img src=x onerror=\"document.title='owned'\">"),
            rule: "rule".to_owned(),
            server: format!("{nasty}\u{202e}"),
            session: Jti([0; 16]),
            severity: Severity::High,
            tool: Some("\"><img src=x onerror=document.title='owned'>".to_owned()),
        };
        made.growing(origin).put((0..3).map(|n| Entry::alert(&alert, 1_764_000_000_000 + n).to_bytes()));
        made
    }

    /// One of the logs.
    pub fn growing(&self, origin: &'static str) -> Growing {
        Growing { path: self.path(origin), origin }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn attest(&self, words: &[&str]) -> Command {
        attest_in(self.folder.path(), words)
    }

    /// The page of the first log.
    pub fn ui(&self) -> Command {
        self.attest(&["ui", "log"])
    }

    /// What somebody does to a log who can write its file.
    pub fn sql(&self, log: &str, statement: &str) {
        let changed = rusqlite::Connection::open(self.path(log)).unwrap().execute(statement, []).unwrap();
        assert_eq!(changed, 1, "{statement}");
    }
}

impl Growing {
    /// Refusals and ends of calls, in turns.
    pub fn append(&self, entries: u64) {
        self.put((0..entries).map(|n| {
            let time = 1_764_000_000_000 + n * 10;
            if n % 3 == 0 {
                Entry::outcome(Digest::of(n.to_string()), Status::Result, None, Some("server"), time).to_bytes()
            } else {
                Entry::refused(Reason::NoProof, n, time, self.origin, time).to_bytes()
            }
        }));
    }

    pub fn put(&self, bodies: impl Iterator<Item = Vec<u8>>) {
        let key = LogKey::new(self.origin, MemoryKey::from_seed(&[1; 32])).unwrap();
        let (log, _) = Log::open(&self.path, key, Options::default()).unwrap();
        let log = std::sync::Arc::new(log);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut bodies = bodies.peekable();
            while bodies.peek().is_some() {
                // In order, and many in one commit.
                let some: Vec<_> = bodies.by_ref().take(4_000).collect();
                let mut tasks = tokio::task::JoinSet::new();
                for body in some {
                    let log = log.clone();
                    tasks.spawn(async move { log.append(Record::new(body), 1_764_000_000).await });
                }
                while let Some(appended) = tasks.join_next().await {
                    appended.unwrap().unwrap();
                }
            }
        });
        log.close().unwrap();
    }
}
