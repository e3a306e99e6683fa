//! What can be done to a log by whoever can write its files, tried out on copies of it: who notices, and who does not.
//! `spec/attacks.md` has the table.

mod cases;
mod edits;
mod original;
mod sealed;

use std::error::Error;
use std::path::Path;

use attest_core::checkpoint::LogKeys;
use attest_core::jwk::PublicKey;
use attest_core::log_policy::LogPolicy;
use attest_core::sign::Sign;
use attest_core::trust::Trust;
use attest_log::danger::{self, Copy};
use attest_log::sealed::SealedPart;
use attest_log::{Log, LogKey, Options, Place, Reader};

use crate::audit::{self, Ask};

pub(crate) use original::Original;

/// What the attacks are tried with.
pub(crate) struct Arms<'a> {
    /// The log.
    pub log: &'a Path,
    /// Its key: for the attacks of whoever holds it.
    pub key: Option<LogKey>,
    /// The keys that others pin.
    pub pinned: LogKeys,
    /// Its witnesses.
    pub policy: Option<LogPolicy>,
    /// Whose attestations and roots count.
    pub trust: Option<Trust>,
    /// A database that the copies are put into before they are judged: its log, if it has one, is lost.
    pub through: Option<&'a Path>,
}

/// Who could do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Who {
    /// Whoever can write the files.
    Writer,
    /// Whoever holds the log's key too.
    KeyHolder,
}

/// What notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum By {
    /// The log does not start, or what it is asked to do it refuses.
    Start,
    /// `attest log verify`.
    Verify,
    /// Who holds a receipt of the last call, or a proof.
    Receipt,
    /// A witness that saw the log before.
    Witness,
}

/// One attack, tried.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Row {
    /// What was done.
    pub attack: String,
    /// Who could do it.
    pub who: Who,
    /// What noticed.
    pub caught_by: Vec<By>,
    /// What a verification found first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// Whether something that should have noticed did.
    pub as_it_should: bool,
}

type Done<T> = Result<T, Box<dyn Error>>;

/// Tries everything; `progress` is told how many of how many are done.
pub(crate) fn run(arms: &Arms<'_>, progress: impl Fn(u64, u64)) -> Done<Vec<Row>> {
    let folder = std::env::temp_dir().join(format!("attest-attack-{}-{:016x}", std::process::id(), getrandom::u64()?));
    // Tokens of sealed entries lie in files there.
    std::os::unix::fs::DirBuilderExt::mode(&mut std::fs::DirBuilder::new(), 0o700).create(&folder)?;
    let rows = Stage { arms, folder: &folder, parts: Vec::new() }.run(progress);
    let _ = std::fs::remove_dir_all(&folder);
    rows
}

/// Where the copies are made.
struct Stage<'a> {
    arms: &'a Arms<'a>,
    folder: &'a Path,
    /// What the log has sealed, and so each copy when it is judged.
    parts: Vec<SealedPart>,
}

impl Stage<'_> {
    fn run(mut self, progress: impl Fn(u64, u64)) -> Done<Vec<Row>> {
        // Copied once, so that a log that goes on growing is the same for every attack.
        let base = self.folder.join("base.db");
        // Made without a write-ahead file, and opened by nobody but readers from here on: it can be copied as a file.
        self.parts = danger::copy(self.arms.log, &base)?.unseal(self.arms.log)?;
        let forgotten = self.parts.iter().filter(|part| part.forgotten).map(|part| part.until).max();
        let original = Original::read(&base, &self.arms.pinned, forgotten.unwrap_or(0))?;
        let as_it_is = self.fresh()?;
        as_it_is.seal(&self.parts)?;
        if !self.verify(&Place::from(as_it_is.path()))?.is_empty() {
            return Err("this log is not whole as it is: see `attest log verify`".into());
        }
        let mut cases = cases::all(&original, self.arms.key.as_ref(), self.arms.through.is_some());
        sealed::all(&self.parts, &mut cases);
        let total = cases.len() as u64;
        let mut rows = Vec::new();
        for (n, case) in (1..).zip(cases) {
            if let Some(row) = self.attempt(&original, &case)? {
                rows.push(row);
            }
            progress(n, total);
        }
        Ok(rows)
    }

    /// A copy in which nothing is sealed.
    fn fresh(&self) -> Done<Copy> {
        let path = self.folder.join("copy.db");
        for suffix in ["", "-wal", "-shm", "-journal", ".head", ".lock"] {
            let _ = std::fs::remove_file(self.folder.join(format!("copy.db{suffix}")));
        }
        for suffix in ["", ".head"] {
            std::fs::copy(self.folder.join(format!("base.db{suffix}")), self.folder.join(format!("copy.db{suffix}")))?;
        }
        let copy = Copy::open(&path)?;
        let _ = std::fs::remove_dir_all(copy.sealed_at());
        Ok(copy)
    }

    fn attempt(&self, original: &Original, case: &cases::Case) -> Done<Option<Row>> {
        let copy = self.fresh()?;
        if case.on_sealed {
            copy.seal(&self.parts)?;
        }
        let mut caught_by = match (case.act)(&copy, original, self.arms.key.as_ref())? {
            cases::Acted::Not => return Ok(None),
            cases::Acted::Done => Vec::new(),
            // The attack was against something that answers at once.
            cases::Acted::Answered(caught) => {
                let as_it_should = !caught.is_empty();
                let attack = case.name.clone();
                return Ok(Some(Row { attack, who: case.who, caught_by: caught, found: None, as_it_should }));
            }
        };
        if !case.on_sealed {
            copy.seal(&self.parts)?;
        }
        let path = copy.path().to_owned();
        let (path, place) = match self.arms.through {
            None => (path.clone(), Place::File(path)),
            Some(url) => {
                let place = Place::from(url).with_side(self.folder.join("side"));
                match &place {
                    Place::Shared(shared) if danger::pour(&copy, shared)? => (url.to_owned(), place),
                    // What it was turned into cannot be in such a database.
                    _ => return Ok(None),
                }
            }
        };
        drop(copy);
        let found = self.verify(&place)?;
        if !found.is_empty() {
            caught_by.push(By::Verify);
        }
        if !original.is_honoured_by(&path)? {
            caught_by.push(By::Receipt);
        }
        if !original.is_continued_by(&path)? {
            caught_by.push(By::Witness);
        }
        // Last, since a start writes.
        if !self.starts(&place) {
            caught_by.insert(0, By::Start);
        }
        let as_it_should = case.must.iter().any(|by| caught_by.contains(by)) || case.must.is_empty();
        let found = found.into_iter().next();
        Ok(Some(Row { attack: case.name.clone(), who: case.who, caught_by, found, as_it_should }))
    }

    fn verify(&self, log: &Place) -> Done<Vec<String>> {
        let ask = Ask {
            log,
            pinned: Some(&self.arms.pinned),
            policy: self.arms.policy.as_ref(),
            trust: self.arms.trust.as_ref(),
            threads: 1,
        };
        match audit::run(&ask, |_, _| ()) {
            Ok(report) => Ok(report
                .findings
                .iter()
                .map(|finding| match finding.index {
                    Some(index) => format!("entry {index}: {}", finding.fault),
                    None => finding.fault.to_string(),
                })
                .collect()),
            // What cannot be read is noticed too.
            Err(error) => Ok(vec![error.to_string()]),
        }
    }

    /// Whether a guard or signer with the log's right key would start with this.
    fn starts(&self, log: &Place) -> bool {
        let Some((vkey, _)) = self.arms.pinned.all().last() else { return false };
        // Opening a log that exists signs nothing.
        let mute = LogKey::new(vkey.name(), Mute(vkey.key().clone()));
        mute.is_ok_and(|key| Log::open(log, key, Options::default()).is_ok())
    }
}

/// A key of which only the public half is there.
pub(crate) struct Mute(pub PublicKey);

impl Sign for Mute {
    type Error = &'static str;

    fn public(&self) -> &PublicKey {
        &self.0
    }

    fn sign(&self, _: &[u8]) -> Result<[u8; 64], Self::Error> {
        Err("the private key is not here")
    }
}

/// A copy opened for reading.
fn reader(log: &Path) -> Done<Reader> {
    Ok(Reader::open(log)?)
}

/// An attack on a copy.
type Act = Box<dyn Fn(&Copy, &Original, Option<&LogKey>) -> Done<cases::Acted>>;
