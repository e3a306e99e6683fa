//! `grant` of a `[[server]]` in `agent.toml`: what the agent behind that server is granted with each call.
//!
//! Trust sentence: whoever can change the file can grant what the agent itself was granted, and no more, to the key that is named.

use std::path::{Path, PathBuf};
use std::time::Duration;

use attest_core::derivation::Granted;
use attest_core::flow::Flow;
use attest_core::jwk::PublicKey;
use attest_core::labels::Labels;
use attest_core::limits::{MAX_CAUSE_LIFE, MAX_CHAIN};
use attest_keys::{KeyError, read_public};

use crate::grant_file::{self, GrantFileError};

/// What goes down with each call to a server.
#[derive(Clone, Debug)]
pub struct Subgrant {
    /// The files that say it.
    pub files: [PathBuf; 2],
    /// What is granted, tools always.
    pub granted: Granted,
    /// The key of the agent behind the server.
    pub holder: PublicKey,
    /// Seconds for which it is good.
    pub life: u64,
    /// How many more times it may be passed on.
    pub passes: u64,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubgrantError {
    /// One without the other.
    #[error(
        "grant says what is granted and grant_to (a public key file) to whom; grant_life and grant_passes go with both"
    )]
    Half,
    /// Everything.
    #[error("{path} names no tools; a grant that goes down with calls names them", path = path.display())]
    NoTools {
        /// The file.
        path: PathBuf,
    },
    /// Not a time.
    #[error("grant_life is a time from 1s to 1day, as in \"10m\"")]
    Life,
    /// Too often.
    #[error("grant_passes is from 0 to {most}", most = MAX_CHAIN - 2)]
    Passes,
    /// The file.
    #[error(transparent)]
    File(#[from] GrantFileError),
    /// The key.
    #[error("grant_to: {0}")]
    Key(#[from] KeyError),
}

/// As it stands in a `[[server]]`, there with `grant_` before each name but the first.
pub(super) struct SubgrantTable {
    pub grant: Option<PathBuf>,
    pub to: Option<PathBuf>,
    pub life: Option<String>,
    pub passes: Option<u64>,
}

/// What lasts no longer than most calls, and is not renewed for each.
const LIFE: Duration = Duration::from_secs(600);

impl SubgrantTable {
    /// Reads both files. Paths are relative to `folder`.
    pub(super) fn read(self, folder: &Path) -> Result<Option<Subgrant>, SubgrantError> {
        let Self { grant, to, life, passes } = self;
        let (path, to) = match (grant, to) {
            (Some(path), Some(to)) => (folder.join(path), folder.join(to)),
            (None, None) if life.is_none() && passes.is_none() => return Ok(None),
            _ => return Err(SubgrantError::Half),
        };
        let life = life.map_or(Ok(LIFE), |text| humantime::parse_duration(&text));
        let life = life.map_err(|_| SubgrantError::Life)?.as_secs();
        if !(1..=MAX_CAUSE_LIFE).contains(&life) {
            return Err(SubgrantError::Life);
        }
        let passes = passes.unwrap_or(0);
        // A root, and the child itself.
        if passes > MAX_CHAIN as u64 - 2 {
            return Err(SubgrantError::Passes);
        }
        let mut granted = grant_file::read(&path)?;
        if granted.tools.is_none() {
            return Err(SubgrantError::NoTools { path });
        }
        granted.flow.get_or_insert_with(on_behalf);
        let holder = read_public(&to)?;
        Ok(Some(Subgrant { files: [path, to], granted, holder, life, passes }))
    }
}

/// Where the file says nothing of flow: on this agent's behalf alone, and data as the tokens above say.
fn on_behalf() -> Flow {
    Flow { of_own_accord: false, release: [("*".to_owned(), Labels::Every)].into() }
}
