//! What an outsider needs, in one file: `spec/bundle.md`.

mod check;
mod read;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use attest_core::b64;
use attest_core::canon::jcs;
use attest_core::digest::{Digest, Salt};
use attest_core::entry::Written;
use attest_core::merkle::Hash;
use attest_kept::Kept;
use serde::Serialize;

use crate::error::ForensicsError;
use crate::evidence::Evidence;
use crate::row::Row;
use crate::search::Search;

pub use check::{Fault, LogReport, Report};
pub use read::{BundleError, MAX_BUNDLE};

/// The word by which a bundle is known.
pub const FORM: &str = "attest-bundle/1";

/// Parts of logs, each entry with its proof, with the tokens that they name, and perhaps texts that were kept.
#[derive(Debug, Default)]
pub struct Bundle {
    logs: Vec<Part>,
    tokens: HashMap<Digest, String>,
    disclosed: Vec<Disclosed>,
}

/// Part of one log.
#[derive(Debug)]
struct Part {
    origin: String,
    /// The keys that the log names, as lines.
    keys: Vec<String>,
    /// The checkpoint that all entries are proved under, with whatever signatures it bears.
    checkpoint: String,
    /// Its size, as it says.
    size: u64,
    owner: Option<String>,
    entries: BTreeMap<u64, (Vec<u8>, Vec<Hash>)>,
    about: HashMap<Digest, BTreeSet<u64>>,
    led_to: HashMap<Digest, BTreeSet<u64>>,
}

/// A text that a commitment in an entry is to.
#[derive(Clone, Debug)]
struct Disclosed {
    commitment: Digest,
    salt: Salt,
    text: String,
}

#[derive(Serialize)]
struct Wire<'a> {
    bundle: &'a str,
    disclosed: Vec<WireText<'a>>,
    logs: Vec<WireLog<'a>>,
    tokens: Vec<&'a str>,
}

#[derive(Serialize)]
struct WireText<'a> {
    commitment: String,
    salt: String,
    text: &'a str,
}

#[derive(Serialize)]
struct WireLog<'a> {
    checkpoint: &'a str,
    entries: Vec<WireEntry<'a>>,
    keys: &'a [String],
    origin: &'a str,
}

#[derive(Serialize)]
struct WireEntry<'a> {
    body: &'a str,
    index: u64,
    path: Vec<String>,
}

impl Bundle {
    /// Of these entries of each log (in the order of the search), with what is needed to read them: the first entry of each log, the starts
    /// and configurations before them, and every token they name. `disclose` adds what was kept of them.
    ///
    /// # Errors
    /// [`ForensicsError`].
    pub fn of(search: &Search, entries: &[BTreeSet<u64>], disclose: bool) -> Result<Self, ForensicsError> {
        let mut bundle = Self::default();
        for ((evidence, index), wanted) in search.all().zip(entries) {
            if wanted.is_empty() {
                continue;
            }
            let mut wanted = wanted.clone();
            wanted.insert(0);
            if let Some(last) = wanted.last().copied() {
                wanted.extend(index.framing(last)?);
            }
            bundle.add(evidence, &wanted, disclose)?;
        }
        Ok(bundle)
    }

    fn add(&mut self, evidence: &Evidence, wanted: &BTreeSet<u64>, disclose: bool) -> Result<(), ForensicsError> {
        let last = wanted.last().copied().unwrap_or(0);
        // One that witnesses saw says more, if it is over all of this.
        let cosigned = evidence.reader.last_cosigned()?.filter(|(size, _)| last < *size && *size <= evidence.size());
        let (size, checkpoint) = cosigned.unwrap_or_else(|| (evidence.size(), evidence.note().to_owned()));
        let kept = disclose && evidence.path().with_added_extension("kept").exists();
        let kept = if kept { Some(Kept::open(evidence.path())?) } else { None };
        let mut part = Part::new(evidence.origin().to_owned(), evidence.keys().to_lines(), checkpoint, size);
        for index in wanted {
            let body = evidence.entry(*index)?;
            let path = evidence.reader.inclusion(*index, size)?;
            if let Ok(written) = Written::read(&body) {
                for hash in written.tokens() {
                    if let Some(text) = evidence.reader.token(&hash.0)? {
                        self.tokens.insert(hash, text);
                    }
                }
                if let (Some(hash), Some(text)) = (written.own_token(), evidence.reader.own_token(*index)?) {
                    self.tokens.insert(hash, text);
                }
            }
            for commitment in kept.iter().flat_map(|_| Row::of(*index, &body).commitments) {
                let row = kept.as_ref().map(|kept| kept.get(&commitment)).transpose()?.flatten();
                // What was redacted cannot be checked by anybody.
                let whole =
                    row.as_ref().and_then(|row| row.salts.iter().find(|salted| salted.commitment == commitment));
                if let (Some(row), Some(salted)) = (&row, whole)
                    && Digest::salted(&salted.salt, row.text.as_bytes()) == commitment
                {
                    self.disclosed.push(Disclosed { commitment, salt: salted.salt, text: row.text.clone() });
                }
            }
            part.put(*index, body, path);
        }
        self.logs.push(part);
        Ok(())
    }

    /// The file: canonical JSON.
    pub fn to_bytes(&mut self) -> Vec<u8> {
        self.index();
        let mut tokens: Vec<&str> = self.tokens.values().map(String::as_str).collect();
        tokens.sort_unstable();
        let disclosed = self.disclosed.iter().map(|disclosed| WireText {
            commitment: disclosed.commitment.to_b64(),
            salt: b64::encode(disclosed.salt.0),
            text: &disclosed.text,
        });
        let logs = self.logs.iter().map(|part| WireLog {
            checkpoint: &part.checkpoint,
            entries: part
                .entries
                .iter()
                .map(|(index, (body, path))| WireEntry {
                    body: core::str::from_utf8(body).unwrap_or_default(),
                    index: *index,
                    path: path.iter().map(b64::encode).collect(),
                })
                .collect(),
            keys: &part.keys,
            origin: &part.origin,
        });
        jcs(&Wire { bundle: FORM, disclosed: disclosed.collect(), logs: logs.collect(), tokens })
    }

    /// The names of the logs, and how many of their entries are here.
    pub fn logs(&self) -> impl Iterator<Item = (&str, usize)> {
        self.logs.iter().map(|part| (part.origin.as_str(), part.entries.len()))
    }

    /// Finds out which entries are about which call.
    fn index(&mut self) {
        let Self { logs, tokens, .. } = self;
        for part in logs {
            part.index(tokens);
        }
    }
}

impl Part {
    fn new(origin: String, keys: Vec<String>, checkpoint: String, size: u64) -> Self {
        let (about, led_to) = (HashMap::new(), HashMap::new());
        Self { origin, keys, checkpoint, size, owner: None, entries: BTreeMap::new(), about, led_to }
    }

    fn put(&mut self, index: u64, body: Vec<u8>, path: Vec<Hash>) {
        if let (0, Ok(Written::Context { agent, .. })) = (index, Written::read(&body)) {
            self.owner = Some(agent.into_owned());
        }
        self.entries.insert(index, (body, path));
    }

    fn index(&mut self, tokens: &HashMap<Digest, String>) {
        for (index, (body, _)) in &self.entries {
            let Ok(written) = Written::read(body) else { continue };
            if let Some(call) = Row::of_written(*index, &written).call {
                self.about.entry(call).or_default().insert(*index);
            }
            let of = |hash: &Digest| Ok(tokens.get(hash).cloned());
            for (from, _) in crate::index::fill::came_from(&written, of).unwrap_or_default() {
                self.led_to.entry(from).or_default().insert(*index);
            }
        }
    }
}
