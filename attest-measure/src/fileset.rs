//! A set of files to measure and to watch.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::cache::Cache;
use crate::cancel::Cancel;
use crate::error::MeasureError;
use crate::stamp::Stamp;
use crate::tree::{self, Found};

/// Paths, each a file or a folder with everything below it.
///
/// In a folder, a symbolic link to a file or folder inside the same folder is followed: the target's bytes count, under
/// the link's name. A link that leads out of the folder, nowhere, or in a circle is refused, and so are pipes, sockets and
/// devices. A path of the set may itself be a link.
#[derive(Clone, Debug)]
pub struct FileSet {
    pub(crate) paths: Vec<PathBuf>,
    links: Links,
    left_out: Vec<String>,
    pub(crate) cache: Option<Arc<Cache>>,
    pub(crate) cancel: Cancel,
}

/// What symbolic links below a folder may lead to.
#[derive(Clone, Debug, Default)]
pub(crate) enum Links {
    /// What lies in the folder, or in the repository that it is a snapshot of.
    #[default]
    Inside,
    /// What lies in this wider one.
    Within(PathBuf),
    /// Open files: what they lead to has no name to compare.
    Held,
}

impl FileSet {
    /// The set of these paths. Nothing is read yet.
    pub fn new(paths: impl IntoIterator<Item = impl Into<PathBuf>>) -> Self {
        Self {
            paths: paths.into_iter().map(Into::into).collect(),
            links: Links::Inside,
            left_out: Vec::new(),
            cache: None,
            cancel: Cancel::default(),
        }
    }

    /// Allows links that lead out of their folder as long as they stay within `folder`. For a snapshot in a Hugging Face cache that
    /// is not needed: `models--x/snapshots/<revision>/…` may link into `models--x`, where its blobs are.
    #[must_use]
    pub fn links_within(mut self, folder: impl Into<PathBuf>) -> Self {
        self.links = Links::Within(folder.into());
        self
    }

    /// The files below a folder of a [`View`](crate::View), under the names that they have there.
    pub fn held(folder: impl Into<PathBuf>) -> Self {
        Self { links: Links::Held, ..Self::new([folder]) }
    }

    /// Files whose digests are known from before are not read again, and those that are read are kept for the next time. Tensors are always
    /// read.
    #[must_use]
    pub fn remembered(mut self, cache: Option<Arc<Cache>>) -> Self {
        self.cache = cache;
        self
    }

    /// Ends reading when `cancel` is asked for, with [`MeasureError::Cancelled`]. A look without reading takes no time that matters, and goes on.
    #[must_use]
    pub fn cancelled_by(mut self, cancel: Cancel) -> Self {
        self.cancel = cancel;
        self
    }

    /// Leaves out these paths below each measured folder, parts joined by `/`, with everything below them. They are neither
    /// looked at nor watched, and the digest is the one of a folder that never had them: what the agent reads from them, nobody
    /// knows of. For a signature that lies beside the files it is over, or a `.git`.
    #[must_use]
    pub fn except(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let plain = |name: String| name.trim_start_matches("./").trim_end_matches('/').to_owned();
        self.left_out = names.into_iter().map(|name| plain(name.into())).filter(|name| !name.is_empty()).collect();
        self
    }

    /// The names that are left out.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// Whether a file at this path is, or would be, measured: one that lies in a measured folder and is not left out.
    pub fn holds(&self, path: &Path) -> bool {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let (Ok(folder), Some(name)) = (folder.canonicalize(), path.file_name()) else {
            return false;
        };
        let path = folder.join(name);
        let inside = |root: &PathBuf| {
            let root = root.canonicalize().ok()?;
            let below = path.strip_prefix(root).ok()?;
            Some(!self.left_out.iter().any(|out| below.starts_with(out)))
        };
        self.paths.iter().any(|root| inside(root).unwrap_or(false))
    }

    /// The paths, as they were given.
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// The state of the files now: every folder is listed and every file looked at once, none is read.
    ///
    /// # Errors
    /// [`MeasureError`], for everything but what only reading shows.
    pub fn stamp(&self) -> Result<Stamp, MeasureError> {
        self.look(SystemTime::now()).map(|(_, stamp)| stamp)
    }

    /// Whether the files may differ from when `since` was taken: one was written, replaced, renamed, removed or added, one
    /// cannot be looked at now, or `since` was too soon after a write to tell. Then measure again; an error comes out there.
    #[must_use]
    pub fn changed(&self, since: &Stamp) -> bool {
        since.is_recent() || self.stamp().map_or(true, |now| !now.same_files(since))
    }

    /// The files, and their stamp. `now` must not be later than this moment.
    pub(crate) fn look(&self, now: SystemTime) -> Result<(Vec<Found>, Stamp), MeasureError> {
        let found = tree::list(&self.paths, &self.links, &self.left_out)?;
        let stamp = Stamp::new(&found, now);
        Ok((found, stamp))
    }

    /// Refuses a state that is not the one of `before`: called when everything has been read.
    pub(crate) fn settled(&self, before: &Stamp) -> Result<(), MeasureError> {
        if self.stamp()?.same_files(before) {
            return Ok(());
        }
        // Which file it was does not matter enough to search for it.
        Err(MeasureError::Changed { path: self.first() })
    }

    /// The path by which an error names the set.
    pub(crate) fn first(&self) -> PathBuf {
        self.paths.first().cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;
    use std::time::Duration;

    /// A stamp that is not recent, as if the files had been written long ago.
    fn settled_stamp(set: &FileSet) -> Stamp {
        set.look(SystemTime::now() + Duration::from_secs(60)).unwrap().1
    }

    /// Returns when the file system's clock has moved on since `path` was written.
    fn next_tick(dir: &Path, path: &Path) {
        use std::os::unix::fs::MetadataExt as _;
        let time = |p: &Path| fs::metadata(p).map(|m| (m.ctime(), m.ctime_nsec())).unwrap();
        let probe = dir.join("probe");
        loop {
            fs::write(&probe, b"x").unwrap();
            if time(&probe) > time(path) {
                return;
            }
        }
    }

    #[test]
    fn untouched_files_are_unchanged_and_every_kind_of_change_is_seen() {
        type Change = fn(&Path);
        let changes: [(&str, Change); 9] = [
            ("same-size write", |d| fs::write(d.join("a"), b"two").unwrap()),
            ("same bytes written again", |d| fs::write(d.join("a"), b"one").unwrap()),
            ("longer", |d| fs::write(d.join("a"), b"longer").unwrap()),
            ("new file", |d| fs::write(d.join("sub/new"), b"").unwrap()),
            ("removed", |d| fs::remove_file(d.join("b")).unwrap()),
            ("renamed", |d| fs::rename(d.join("b"), d.join("c")).unwrap()),
            ("replaced", |d| {
                fs::write(d.join("../spare"), b"one").unwrap();
                fs::rename(d.join("../spare"), d.join("a")).unwrap();
            }),
            ("two swapped", |d| {
                fs::rename(d.join("a"), d.join("../t")).unwrap();
                fs::rename(d.join("b"), d.join("a")).unwrap();
                fs::rename(d.join("../t"), d.join("b")).unwrap();
            }),
            ("folder gone", |d| fs::rename(d, d.join("../gone")).unwrap()),
        ];
        for (name, change) in changes {
            let outer = tempfile::tempdir().unwrap();
            let dir = outer.path().join("weights");
            fs::create_dir_all(dir.join("sub")).unwrap();
            fs::write(dir.join("a"), b"one").unwrap();
            fs::write(dir.join("b"), b"111").unwrap();
            fs::write(dir.join("sub/c"), b"c").unwrap();
            let set = FileSet::new([&dir]);
            let before = settled_stamp(&set);
            next_tick(outer.path(), &dir.join("sub/c"));
            assert!(!set.changed(&before), "{name}: nothing has happened yet");
            change(&dir);
            assert!(set.changed(&before), "{name}");
        }
    }

    #[test]
    fn a_write_that_puts_the_modification_time_back_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, b"one").unwrap();
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        let set = FileSet::new([&path]);
        let before = settled_stamp(&set);
        next_tick(dir.path(), &path);
        fs::write(&path, b"two").unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
        assert!(set.changed(&before));
    }

    #[test]
    fn a_link_that_is_pointed_elsewhere_is_seen() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        for name in ["one", "two"] {
            fs::write(dir.path().join(name), b"same").unwrap();
        }
        symlink("one", dir.path().join("link")).unwrap();
        let set = FileSet::new([dir.path()]);
        let before = settled_stamp(&set);
        fs::remove_file(dir.path().join("link")).unwrap();
        symlink("two", dir.path().join("link")).unwrap();
        assert!(set.changed(&before));
    }

    #[test]
    fn files_are_listed_by_name_so_that_two_stamps_can_be_compared() {
        let dir = tempfile::tempdir().unwrap();
        for i in (0..300).map(|i| i * 7 % 300) {
            fs::write(dir.path().join(format!("{i:03}")), b"").unwrap();
        }
        let (found, _) = FileSet::new([dir.path()]).look(SystemTime::now()).unwrap();
        assert!(found.is_sorted_by(|a, b| a.name < b.name));
    }

    #[test]
    fn what_is_left_out_is_neither_listed_nor_watched_and_a_name_that_only_begins_alike_is() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join(".git/objects")).unwrap();
        for name in ["model.bin", "model.sig", "model.sig2", ".git/HEAD", ".git/objects/x"] {
            fs::write(dir.path().join(name), name).unwrap();
        }
        symlink("/nowhere", dir.path().join(".git/dangling")).unwrap();
        let set = FileSet::new([dir.path()]).except(["./.git/", "model.sig"]);
        let (found, _) = set.look(SystemTime::now()).unwrap();
        assert_eq!(found.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), ["model.bin", "model.sig2"]);
        let before = settled_stamp(&set);
        fs::write(dir.path().join("model.sig"), b"another").unwrap();
        assert!(!set.changed(&before));
        let holds = |name: &str| set.holds(&dir.path().join(name));
        assert_eq!((holds("new"), holds("model.sig"), holds(".git/x"), holds("../x")), (true, false, false, false));
    }

    #[test]
    fn a_stamp_taken_right_after_a_write_settles_nothing() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), b"one").unwrap();
        let set = FileSet::new([dir.path()]);
        let (_, stamp) = set.look(SystemTime::now()).unwrap();
        assert!(stamp.is_recent());
        assert!(set.changed(&stamp));
    }
}
