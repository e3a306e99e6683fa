//! A child process that appends as fast as it can and says on its standard output what was acknowledged, and the check
//! of what it left behind. A test file that uses it has a test `child` that calls [`child_main`].
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "test code outside a #[test] function")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use attest_core::sign::MemoryKey;
use attest_log::{AppendError, Hash, Log, LogKey, Options, Reader, Record, ReplayKey, Testing, Token};
use rusqlite::{Connection, OpenFlags};

pub const NOW: u64 = 1_000_000;

/// The key that logs of these tests are signed with.
pub fn test_key() -> LogKey {
    LogKey::new("log.example/test", MemoryKey::from_seed(&[5; 32])).unwrap()
}

/// One append of the child: which call, and whether it is its decision or its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step {
    pub round: u64,
    pub caller: u64,
    pub seq: u64,
    pub outcome: u64,
}

impl Step {
    pub fn body(self) -> Vec<u8> {
        let Self { round, caller, seq, outcome } = self;
        let pad = "x".repeat(600);
        format!(r#"{{"caller":{caller},"outcome":{outcome},"pad":"{pad}","round":{round},"seq":{seq}}}"#).into_bytes()
    }

    pub fn parse(body: &[u8]) -> Self {
        let text = std::str::from_utf8(body).unwrap();
        let numbers: Vec<u64> =
            text.split(|c: char| !c.is_ascii_digit()).filter(|s| !s.is_empty()).map(|s| s.parse().unwrap()).collect();
        let [caller, outcome, round, seq] = numbers[..] else { panic!("{text}") };
        Self { round, caller, seq, outcome }
    }

    pub fn key(self) -> ReplayKey {
        let scope = format!("key-{}", self.caller);
        ReplayKey::new(scope.as_bytes(), format!("{}-{}", self.round, self.seq).as_bytes(), NOW + 300).unwrap()
    }

    pub fn call(self) -> Hash {
        *Token::new(format!("{}-{}-{}", self.round, self.caller, self.seq)).hash()
    }

    pub fn token(self) -> Token {
        Token::new(format!("attestation-{}-{}", self.round, self.caller))
    }

    pub fn record(self) -> Record {
        let decision = self.outcome == 0;
        Record {
            body: self.body(),
            tokens: vec![self.token()],
            token: decision.then(|| Token::new(format!("proof-{}-{}-{}", self.round, self.caller, self.seq))),
            replay: decision.then(|| self.key()),
            opens: decision.then(|| self.call()),
            closes: (!decision).then(|| self.call()),
            prove: decision,
            next_key: None,
        }
    }
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// Does nothing unless the environment says that this process is the child.
///
/// Says `O` when the log is open, `X` when it was refused, `A index round caller seq outcome` per acknowledged append,
/// `V` when one was acknowledged that began after the log had stopped, `S reason` when it stopped, and then `R` when
/// everything acknowledged can still be read.
pub fn child_main() {
    let Ok(path) = std::env::var("ATTEST_LOG_CHILD") else {
        return;
    };
    let round = variable("ATTEST_LOG_ROUND").unwrap_or(0);
    let appends = variable("ATTEST_LOG_APPENDS").unwrap_or(u64::MAX);
    // Small, so that a short run meets checkpoints and a write-ahead file that starts anew.
    let testing = Testing { checkpoint_pages: Some(30), ..Testing::default() };
    let opened = Log::open(&path, test_key(), Options { testing, ..Options::default() });
    let (log, _) = match opened {
        Ok(opened) => opened,
        Err(error) => return say(&format!("X {error}")),
    };
    say("O");
    let stopped = AtomicBool::new(false);
    let ledger = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for caller in 0..8 {
            let (log, stopped, ledger) = (&log, &stopped, &ledger);
            scope.spawn(move || {
                let all = (0..appends).flat_map(|seq| [0, 1].map(|outcome| Step { round, caller, seq, outcome }));
                for step in all {
                    let late = stopped.load(Ordering::SeqCst);
                    match log.append_blocking(step.record(), NOW).map(|a| a.index) {
                        Ok(_) if late => return say("V"),
                        Ok(index) => {
                            say(&format!("A {index} {round} {caller} {} {}", step.seq, step.outcome));
                            ledger.lock().unwrap().insert(index, step);
                        }
                        Err(AppendError::Stopped(_)) if late => return,
                        Err(AppendError::Stopped(_)) => stopped.store(true, Ordering::SeqCst),
                        Err(other) => return say(&format!("V {other}")),
                    }
                }
            });
        }
    });
    if let Some(reason) = log.stopped() {
        say(&format!("S {reason}"));
        let reader = Reader::open(log.place()).unwrap();
        for (index, step) in ledger.lock().unwrap().iter() {
            assert_eq!(reader.entry(*index).unwrap(), Some(step.body()));
        }
        say("R");
    }
}

/// One write call per line, so that a kill leaves no half line but the last.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // The harness has written the test's name without ending that line.
    out.write_all(format!("\n{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

/// What a child said.
#[derive(Debug, Default)]
pub struct Ledger {
    pub acknowledged: BTreeMap<u64, Step>,
    pub opened: bool,
    pub refused: Option<String>,
    pub stopped: Option<String>,
    pub read_after_stop: bool,
    pub violations: Vec<String>,
}

impl Ledger {
    /// Takes one line; `true` for an acknowledgement.
    pub fn take(&mut self, line: &str) -> bool {
        match line.split_at_checked(1) {
            Some(("A", rest)) => {
                let numbers: Vec<u64> = rest.split_whitespace().map(|s| s.parse().unwrap()).collect();
                let [index, round, caller, seq, outcome] = numbers[..] else { panic!("{line}") };
                let twice = self.acknowledged.insert(index, Step { round, caller, seq, outcome });
                assert_eq!(twice, None, "index {index} was handed out twice");
                return true;
            }
            Some(("O", "")) => self.opened = true,
            Some(("X", rest)) => self.refused = Some(rest.trim().into()),
            Some(("S", rest)) => self.stopped = Some(rest.trim().into()),
            Some(("R", "")) => self.read_after_stop = true,
            Some(("V", rest)) => self.violations.push(rest.into()),
            _ => {}
        }
        false
    }

    /// Reads to the end. A line without its end is none: the child died in it.
    pub fn drain(&mut self, out: &mut impl BufRead) {
        let mut line = String::new();
        while out.read_line(&mut line).unwrap() > 0 {
            if line.ends_with('\n') {
                self.take(line.trim_end());
            }
            line.clear();
        }
    }
}

/// Arguments that make this test executable run `child` alone.
pub const CHILD: [&str; 3] = ["--exact", "child", "--nocapture"];

pub fn spawn(command: &mut Command, path: &Path, round: u64, appends: Option<u64>) -> (Child, BufReader<ChildStdout>) {
    command.env("ATTEST_LOG_CHILD", path).env("ATTEST_LOG_ROUND", round.to_string());
    if let Some(appends) = appends {
        command.env("ATTEST_LOG_APPENDS", appends.to_string());
    }
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    (child, out)
}

/// Opens the log again and holds it against the ledger: everything acknowledged is there, under its index; indexes have
/// no gap; entries and replay keys correspond one to one; every token is there; what has no outcome is listed.
pub fn check(path: &Path, acknowledged: &BTreeMap<u64, Step>) -> usize {
    let (log, recovery) = Log::open(path, test_key(), Options::default()).unwrap();
    let reader = Reader::open(path).unwrap();
    let mut entries = Vec::new();
    for entry in reader.entries(0..u64::MAX) {
        let entry = entry.unwrap();
        assert_eq!(entry.index, entries.len() as u64);
        entries.push(Step::parse(&entry.body));
        assert_eq!(entry.body, entries.last().unwrap().body());
    }
    assert_eq!(recovery.next, entries.len() as u64);
    for (index, step) in acknowledged {
        assert_eq!(entries.get(usize::try_from(*index).unwrap()), Some(step), "acknowledged entry {index}");
    }
    let mut keys = BTreeSet::new();
    let mut open = BTreeMap::new();
    for (index, step) in entries.iter().enumerate() {
        assert_eq!(reader.token(step.token().hash()).unwrap().as_deref(), Some(step.token().text()));
        if step.outcome == 0 {
            assert!(log.seen(&step.key()), "entry {index} is without its replay key");
            assert_eq!(log.append_blocking(step.record(), NOW).map(|a| a.index), Err(AppendError::Replay));
            keys.insert((format!("key-{}", step.caller), format!("{}-{}", step.round, step.seq)));
            open.insert(step.call(), index as u64);
        } else {
            assert!(open.remove(&step.call()).is_some(), "outcome {index} before its decision");
        }
    }
    let listed: BTreeMap<_, _> = recovery.open_calls.iter().map(|c| (c.hash, c.index)).collect();
    assert_eq!(listed, open);
    assert_eq!(stored_keys(path), keys, "a replay key without its entry would refuse a call that never ran");
    entries.len()
}

fn stored_keys(path: &Path) -> BTreeSet<(String, String)> {
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut statement = db.prepare("SELECT scope, jti FROM replay").unwrap();
    let rows = statement.query_map([], |row| {
        let text = |i| row.get::<_, Vec<u8>>(i).map(|bytes| String::from_utf8(bytes).unwrap());
        Ok((text(0)?, text(1)?))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

/// `short` rounds, or `long` ones where `ATTEST_LONG=1` asks for them.
pub fn rounds(short: u64, long: u64) -> u64 {
    if std::env::var("ATTEST_LONG").is_ok_and(|v| v == "1") { long } else { short }
}

/// A number below `limit`.
pub fn random(limit: u64) -> u64 {
    getrandom::u64().unwrap() % limit
}
