//! Files held open, so that what was measured is what gets loaded.
//!
//! A name in a folder can be pointed at other bytes between the measurement and the moment in which a program opens it. A
//! [`View`] opens every file once and shows it under its name in a folder of its own, as a link to the open descriptor: whoever
//! opens the link, the measurement or the agent, gets the same file, whatever became of the name. Small files are copied into
//! memory and sealed: their bytes can change no more, by nobody's hand. A large file can still be written to in place by whoever may
//! write to it; that shows in its times ([`FileSet::changed`]).

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{DirBuilderExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

use crate::error::MeasureError;
use crate::fileset::FileSet;
use crate::open;

/// Largest file that is copied: prompts and settings.
const MAX_COPY: u64 = 64 << 20;

/// A folder of links to files that are held open. It goes when this goes, and with this process.
#[derive(Debug)]
pub struct View {
    folder: PathBuf,
    held: Vec<File>,
}

impl View {
    /// A view in this folder, which only we can enter. A folder of that name that an ended process left is replaced; its parent must
    /// be there.
    ///
    /// # Errors
    /// [`MeasureError::Io`].
    pub fn new(folder: &Path) -> Result<Self, MeasureError> {
        let failed = |source| MeasureError::Io { path: folder.into(), source };
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        fs::DirBuilder::new().mode(0o700).create(folder).map_err(failed)?;
        Ok(Self { folder: folder.into(), held: Vec::new() })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Opens every file of a set and shows it below `name`, under the name that it has in the set's manifest. Returns the folder
    /// `name`.
    ///
    /// # Errors
    /// [`MeasureError`].
    pub fn hold(&mut self, name: &str, set: &FileSet) -> Result<PathBuf, MeasureError> {
        let folder = self.folder.join(name);
        for (name, found) in set.named(&set.look(SystemTime::now())?.0)? {
            let at = folder.join(name);
            self.show(&at, open::open(found)?)?;
        }
        Ok(folder)
    }

    /// Copies one small file into memory that nobody can write to, and shows it as `name`.
    ///
    /// # Errors
    /// [`MeasureError`].
    pub fn copy(&mut self, name: &str, path: &Path) -> Result<PathBuf, MeasureError> {
        let (bytes, _) = open::read_whole(path, MAX_COPY)?;
        let failed = |source: io::Error| MeasureError::Io { path: path.into(), source };
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let memory = memfd_create(name, flags).map_err(|e| failed(e.into()))?;
        let mut file = File::from(memory);
        file.write_all(&bytes).map_err(failed)?;
        let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
        fcntl_add_seals(&file, seals).map_err(|e| failed(e.into()))?;
        let at = self.folder.join(name);
        self.show(&at, file)?;
        Ok(at)
    }

    fn show(&mut self, at: &Path, file: File) -> Result<(), MeasureError> {
        let failed = |source| MeasureError::Io { path: at.into(), source };
        if let Some(parent) = at.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(failed)?;
        }
        symlink(format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd()), at).map_err(failed)?;
        self.held.push(file);
        Ok(())
    }
}

impl Drop for View {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn folders() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let outer = tempfile::tempdir().unwrap();
        let weights = outer.path().join("weights");
        fs::create_dir_all(weights.join("sub")).unwrap();
        fs::write(weights.join("a"), b"one").unwrap();
        fs::write(weights.join("sub/b"), b"two").unwrap();
        let view = outer.path().join("view");
        (outer, weights, view)
    }

    fn digest(set: &FileSet) -> String {
        set.manifest(&|_| {}).unwrap().value.digest.to_b64()
    }

    #[test]
    fn what_takes_a_files_place_later_is_not_what_is_seen_through_the_view() {
        let (outer, weights, at) = folders();
        let on_disk = digest(&FileSet::new([&weights]));
        let mut view = View::new(&at).unwrap();
        let held = view.hold("weights", &FileSet::new([&weights])).unwrap();
        assert_eq!(digest(&FileSet::held(&held)), on_disk, "the same names and bytes");
        // Replaced, removed, the folder gone.
        fs::write(outer.path().join("new"), b"bad").unwrap();
        fs::rename(outer.path().join("new"), weights.join("a")).unwrap();
        assert_ne!(digest(&FileSet::new([&weights])), on_disk);
        fs::remove_dir_all(&weights).unwrap();
        assert_eq!(digest(&FileSet::held(&held)), on_disk);
        assert_eq!(fs::read(held.join("a")).unwrap(), b"one", "an agent reads what was measured");
        drop(view);
        assert!(!at.exists());
    }

    #[test]
    fn what_is_written_in_place_is_noticed() {
        let (_outer, weights, at) = folders();
        let mut view = View::new(&at).unwrap();
        let held = FileSet::held(view.hold("weights", &FileSet::new([&weights])).unwrap());
        let (_, before) = held.look(SystemTime::now() + Duration::from_secs(60)).unwrap();
        assert!(!held.changed(&before));
        std::thread::sleep(Duration::from_millis(20));
        fs::write(weights.join("a"), b"bad").unwrap();
        assert!(held.changed(&before));
    }

    #[test]
    fn a_copied_file_can_be_written_to_by_nobody() {
        let (outer, _, at) = folders();
        let prompt = outer.path().join("prompt.txt");
        fs::write(&prompt, b"Be careful.").unwrap();
        let mut view = View::new(&at).unwrap();
        let copy = view.copy("system-prompt", &prompt).unwrap();
        fs::write(&prompt, b"Be careless.").unwrap();
        assert_eq!(fs::read(&copy).unwrap(), b"Be careful.");
        let writing = File::options().write(true).open(&copy).and_then(|mut file| file.write_all(b"x"));
        assert!(writing.is_err());
        assert_eq!(crate::prompt(&copy).unwrap().value.digest, attest_core::digest::Digest::of("Be careful."));
    }

    #[test]
    fn a_view_takes_the_place_of_one_that_was_left_behind_and_of_nothing_else() {
        let (outer, _, at) = folders();
        std::mem::forget(View::new(&at).unwrap());
        View::new(&at).unwrap();
        let file = outer.path().join("file");
        fs::write(&file, b"").unwrap();
        assert!(View::new(&file).is_err());
    }
}
