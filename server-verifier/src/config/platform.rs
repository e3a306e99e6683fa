//! `[[platform]]` in `guard.toml`: the key of a machine's TPM, and which agents run on that machine.
//!
//! Trust sentence: whoever can change the key's file can run these agents' signers on any machine of his own.

use std::path::{Path, PathBuf};

use attest_core::digest::Digest;
use attest_core::trust::PinnedPlatform;
use attest_keys::{KeyError, read_platform_key};
use serde::Deserialize;

/// Why a machine's key is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlatformError {
    /// The key.
    #[error("key: {0}")]
    Key(#[from] KeyError),
    /// Another word than `any`, an empty list, or something that is no digest.
    #[error(
        "pcrs: {0:?} is neither \"any\" nor SHA-256 digests in base64url; `attest platform show` prints that of its machine"
    )]
    Pcrs(String),
    /// A publisher's key.
    #[error("{path} is the key of a publisher too; a key has one role", path = path.display())]
    Publisher {
        /// The publisher's file.
        path: PathBuf,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlatformTable {
    key: PathBuf,
    agents: Vec<String>,
    pcrs: Pcrs,
}

impl PlatformTable {
    /// The key's file.
    pub(super) fn file(&self) -> &Path {
        &self.key
    }
}

/// How the machine must have been started.
#[derive(Deserialize)]
#[serde(untagged)]
enum Pcrs {
    One(String),
    Several(Vec<String>),
}

impl Pcrs {
    fn accepted(self) -> Result<Option<Vec<Digest>>, PlatformError> {
        let list = match self {
            Self::One(word) if word == "any" => return Ok(None),
            Self::One(digest) => vec![digest],
            Self::Several(list) if list.is_empty() => return Err(PlatformError::Pcrs("[]".to_owned())),
            Self::Several(list) => list,
        };
        let digest = |text: String| Digest::from_b64(&text).ok_or(PlatformError::Pcrs(text));
        list.into_iter().map(digest).collect::<Result<_, _>>().map(Some)
    }
}

/// Reads the machines' keys. None of them may be the key of one of these publishers.
pub(super) fn pinned(
    tables: Vec<PlatformTable>,
    folder: &Path,
    publishers: &[PathBuf],
) -> Result<Vec<PinnedPlatform>, PlatformError> {
    let mut all = Vec::new();
    for PlatformTable { key, agents, pcrs } in tables {
        let key = read_platform_key(&folder.join(key))?;
        let same = |path: &&PathBuf| read_platform_key(path).is_ok_and(|publisher| publisher == key);
        if let Some(path) = publishers.iter().find(same) {
            return Err(PlatformError::Publisher { path: path.clone() });
        }
        all.push(PinnedPlatform { key, agents, pcrs: pcrs.accepted()? });
    }
    Ok(all)
}
