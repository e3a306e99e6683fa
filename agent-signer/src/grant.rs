//! What was delegated to the agent: the chain's file, read again when it is touched.

use attest_core::delegation::Delegation;
use attest_core::jws::Unverified;
use attest_core::sign::Sign as _;
use attest_keys::Key;
use attest_measure::{FileSet, Stamp};

use crate::config::Config;
use crate::service::StartError;

/// The tokens of the chain, root first, and the state of the file they were read from.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub tokens: Vec<String>,
    file: FileSet,
    stamp: Stamp,
}

impl Grant {
    /// Reads the chain and checks what can be checked without the verifier's trust: that every token can be read, and that
    /// the leaf is held by our key, so that a mix-up shows here and not at the first refused call.
    pub fn read(config: &Config, key: &Key) -> Result<Self, StartError> {
        let path = &config.delegation;
        let wrong = |what: String| StartError::Delegation { path: path.clone(), what };
        let file = FileSet::new([path]);
        // Looked at before it is read: a change in between shows as one.
        let stamp = file.stamp()?;
        let text = std::fs::read_to_string(path).map_err(|e| wrong(format!("{e}; `attest delegate` writes one")))?;
        let tokens: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        let mut leaf = None;
        for (n, token) in tokens.iter().enumerate() {
            let read = Unverified::<Delegation>::read(token).map_err(|e| wrong(format!("token {}: {e}", n + 1)))?;
            leaf = Some(read);
        }
        let leaf = leaf.ok_or_else(|| wrong("holds no token; write one per line, root first".to_owned()))?;
        if leaf.peek().key != *key.public() {
            return Err(wrong(format!(
                "the last token is held by the key {}, but the agent's key is {}; delegate to the agent's key",
                leaf.peek().key.thumbprint(),
                key.public().thumbprint()
            )));
        }
        Ok(Self { tokens, file, stamp })
    }

    /// Whether the file was touched since.
    pub fn may_have_changed(&self) -> bool {
        self.file.changed(&self.stamp)
    }
}
