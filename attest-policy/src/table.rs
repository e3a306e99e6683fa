//! `[policy]` in `guard.toml` and `agent.toml`: what is asked of each call besides its proof. `docs/policy.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use attest_core::digest::Digest;
use serde::Deserialize;

use crate::policies::Policies;
use crate::problem::Problem;
use crate::risk::{self, RiskError, RiskRules};

/// Policies, the rules of risk, and who is in which group.
pub struct Policy {
    /// The policies.
    pub policies: Policies,
    /// The rules of risk.
    pub risk: RiskRules,
    /// For how long a request that waits for people is held open; `None` for not at all.
    pub hold: Option<Duration>,
    /// By agent.
    groups: BTreeMap<String, BTreeSet<String>>,
}

impl std::fmt::Debug for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Policy").field("digest", &self.policies.digest()).finish_non_exhaustive()
    }
}

impl Policy {
    /// The groups that an agent is in.
    pub fn groups_of(&self, agent: &str) -> BTreeSet<String> {
        self.groups.get(agent).cloned().unwrap_or_default()
    }
}

/// Why there is no policy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// A file that cannot be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Policies with something wrong.
    #[error("the policies are not in order: {}; `attest policy check` shows all of it", .0.first().map(ToString::to_string).unwrap_or_default())]
    Policies(Vec<Problem>),
    /// Rules of risk that are none.
    #[error("{path}: {source}", path = path.display())]
    Risk {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: Box<RiskError>,
    },
    /// A hold that is none, or too long.
    #[error("hold = {text:?}: {why}; a request can be held for up to {} seconds, such as \"120s\"", MAX_HOLD.as_secs())]
    Hold {
        /// As it is written.
        text: String,
        /// What is wrong.
        why: String,
    },
    /// Nothing to go by.
    #[error("name files, or write default = true for the four levels of `attest policy show-default`")]
    Nothing,
}

/// The table as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    #[serde(default)]
    default: bool,
    #[serde(default)]
    files: Vec<PathBuf>,
    risk: Option<PathBuf>,
    hold: Option<String>,
    #[serde(default)]
    groups: BTreeMap<String, BTreeSet<String>>,
}

/// What was read.
#[derive(Debug)]
pub struct Read {
    /// The policy.
    pub policy: Policy,
    /// What its files came to: another where any of them says anything else.
    pub bytes: Vec<u8>,
    /// The files.
    pub files: Vec<PathBuf>,
}

/// Longest hold: with the minute of a nonce before it, as long as a call proof can be good.
const MAX_HOLD: Duration = Duration::from_secs(240);

fn hold_of(text: String) -> Result<Duration, TableError> {
    let why = match humantime::parse_duration(&text) {
        Ok(hold) if hold < Duration::from_secs(1) => "shorter than a second; leave it out to hold none".to_owned(),
        Ok(hold) if hold > MAX_HOLD => "longer than what a caller signs can be good".to_owned(),
        Ok(hold) => return Ok(hold),
        Err(error) => error.to_string(),
    };
    Err(TableError::Hold { text, why })
}

impl Table {
    /// Reads what it names; paths are relative to `folder`, and `text` is what stands in a file.
    ///
    /// # Errors
    /// [`TableError`].
    pub fn read(self, folder: &Path, text: impl Fn(&Path) -> io::Result<String>) -> Result<Read, TableError> {
        let hold = self.hold.map(hold_of).transpose()?;
        let text = |path: &Path| text(path).map_err(|source| TableError::Read { path: path.to_owned(), source });
        let mut files: Vec<PathBuf> = self.files.iter().map(|path| folder.join(path)).collect();
        let mut texts = Vec::new();
        if self.default {
            texts.push(("default.cedar".to_owned(), crate::DEFAULT.to_owned()));
        }
        for path in &files {
            texts.push((path.display().to_string(), text(path)?));
        }
        if texts.is_empty() {
            return Err(TableError::Nothing);
        }
        let named: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (&**name, &**text)).collect();
        let policies = Policies::read(&named).map_err(TableError::Policies)?;
        let mut bytes = policies.digest().0.to_vec();
        let (path, rules) = match self.risk.map(|path| folder.join(path)) {
            None => (PathBuf::from("default-risk.toml"), risk::DEFAULT.to_owned()),
            Some(path) => {
                files.push(path.clone());
                let text = text(&path)?;
                (path, text)
            }
        };
        bytes.extend(Digest::of(&rules).0);
        let risk = RiskRules::parse(&rules).map_err(|source| TableError::Risk { path, source: Box::new(source) })?;
        let mut groups: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (group, agents) in self.groups {
            for agent in agents {
                groups.entry(agent).or_default().insert(group.clone());
            }
        }
        Ok(Read { policy: Policy { policies, risk, hold, groups }, bytes, files })
    }
}
