//! The signer itself: `signer`.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use attest_core::canon::jcs;
use attest_core::digest::Digest;
use serde::Serialize;

use crate::Measured;
use crate::cancel::Cancel;
use crate::error::{Kind, MeasureError};
use crate::fileset::FileSet;
use crate::hash;

/// What a signer is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignerFiles {
    /// SHA-256 of the executable.
    pub executable: Digest,
    /// SHA-256 of the policy's file, where there is one; of several, over JCS of the array of their digests.
    pub policy: Option<Digest>,
    /// SHA-256 over JCS of `{"executable":"…","policy":"…"}`, the second `null` where there is no policy.
    pub digest: Digest,
}

#[derive(Serialize)]
struct Wire {
    executable: String,
    policy: Option<String>,
}

/// Hashes the executable and the policy.
///
/// # Errors
/// [`MeasureError`].
pub fn signer(executable: &Path, policy: &[PathBuf]) -> Result<Measured<SignerFiles>, MeasureError> {
    let paths: Vec<&Path> = std::iter::once(executable).chain(policy.iter().map(PathBuf::as_path)).collect();
    if let Some(folder) = paths.iter().find(|p| p.is_dir()) {
        return Err(MeasureError::NotAFile { path: folder.into(), kind: Kind::Folder });
    }
    let set = FileSet::new(paths);
    let (found, stamp) = set.look(SystemTime::now())?;
    let digests = hash::hash_all(&found, &Cancel::default())?;
    set.settled(&stamp)?;
    let (executable, policy) = match digests.as_slice() {
        // Another number: a folder was put in a file's place just now.
        [executable, rest @ ..] if rest.len() == policy.len() => {
            let policy = match rest {
                [] => None,
                [one] => Some(*one),
                several => Some(Digest::of(jcs(&several.iter().map(|one| one.to_b64()).collect::<Vec<_>>()))),
            };
            (*executable, policy)
        }
        _ => {
            return Err(MeasureError::Changed { path: executable.into() });
        }
    };
    let wire = Wire { executable: executable.to_b64(), policy: policy.map(Digest::to_b64) };
    let digest = Digest::of(jcs(&wire));
    Ok(Measured { value: SignerFiles { executable, policy, digest }, stamp })
}

/// Where this process's executable can be read. On Linux the link that leads to the very file that is running, even after
/// another was installed under its name; elsewhere its path.
///
/// # Errors
/// [`MeasureError::Io`] where the system does not say.
pub fn own_executable() -> Result<PathBuf, MeasureError> {
    if cfg!(target_os = "linux") {
        return Ok("/proc/self/exe".into());
    }
    std::env::current_exe().map_err(|source| MeasureError::Io { path: "the running executable".into(), source })
}
