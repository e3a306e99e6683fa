//! For a program that loads its model itself: the bytes in its hands are what is measured.

use attest_core::digest::Digest;
use attest_core::measurement::{Component, Grade, Measurement};

use crate::error::MeasureError;
use crate::manifest::{FileEntry, MAX_SIZE, Manifest, distinct};

/// The files of a model as they are loaded, one after the other; the digest is the one of a folder that holds them under these names.
///
/// ```
/// let mut loading = attest_measure::Loading::default();
/// let bytes = b"the bytes of a shard, as they are handed to the model".to_vec();
/// loading.file("model-00001-of-00001.safetensors", &bytes)?;
/// let measurement = loading.measurement()?;
/// assert_eq!(measurement.grade, attest_core::measurement::Grade::InUse);
/// # Ok::<(), attest_measure::MeasureError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Loading(Vec<FileEntry>);

impl Loading {
    /// Hashes a file's bytes. `name` is its path below the model's folder, parts joined by `/`.
    ///
    /// # Errors
    /// [`MeasureError::TooLarge`].
    pub fn file(&mut self, name: &str, bytes: &[u8]) -> Result<(), MeasureError> {
        let size = bytes.len() as u64;
        if size > MAX_SIZE {
            return Err(MeasureError::TooLarge { path: name.into(), limit: MAX_SIZE });
        }
        self.0.push(FileEntry { name: name.to_owned(), size, digest: Digest::of(bytes) });
        Ok(())
    }

    /// What is to be attested as `model-weights`.
    ///
    /// # Errors
    /// [`MeasureError::NoPaths`] where nothing was loaded, [`MeasureError::SameName`].
    pub fn measurement(self) -> Result<Measurement, MeasureError> {
        if self.0.is_empty() {
            return Err(MeasureError::NoPaths);
        }
        distinct(self.0.iter().map(|file| &file.name))
            .map_err(|(first, second)| MeasureError::SameName { first, second })?;
        let digest = Manifest::of(self.0).digest;
        Ok(Measurement { component: Component::ModelWeights, digest, grade: Grade::InUse })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FileSet;

    #[test]
    fn what_is_loaded_has_the_digest_of_the_folder_that_it_was_loaded_from() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        std::fs::write(folder.path().join("b"), b"two").unwrap();
        std::fs::write(folder.path().join("sub/a"), b"one").unwrap();
        let mut loading = Loading::default();
        loading.file("sub/a", b"one").unwrap();
        loading.file("b", b"two").unwrap();
        let on_disk = FileSet::new([folder.path()]).manifest(&|_| {}).unwrap().value.digest;
        assert_eq!(loading.clone().measurement().unwrap().digest, on_disk);
        loading.file("B", b"").unwrap();
        assert!(matches!(loading.measurement(), Err(MeasureError::SameName { .. })));
        assert!(matches!(Loading::default().measurement(), Err(MeasureError::NoPaths)));
    }
}
