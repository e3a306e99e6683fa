//! The state of files without their content: what a cheap look can tell.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, SystemTime};

use crate::tree::Found;

/// How coarse a file system's times may be. A file written twice within one step of its clock has the same times after
/// both; FAT counts in two seconds, ext4 and XFS in some milliseconds.
const STEP: Duration = Duration::from_secs(2);

/// One file's identity, size and times. Two equal stamps mean that nobody wrote to the file in between, as far as its
/// file system's clock can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FileStamp {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) size: u64,
    pub(crate) modified: (i64, i64),
    /// Set by the kernel at every change of content, mode, owner or name; unlike `modified` no program can set it back.
    pub(crate) changed: (i64, i64),
}

impl FileStamp {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Whether the last change is so close to `now` that a further one could leave the same times. A change in the
    /// future (the clock was set back since) is no such case: the next one would be stamped with today's time.
    pub(crate) fn is_recent(&self, now: SystemTime) -> bool {
        let Ok(now) = now.duration_since(SystemTime::UNIX_EPOCH) else {
            return true;
        };
        let (seconds, nanos) = self.changed;
        let changed = i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
        now.as_nanos().cast_signed().abs_diff(changed) < STEP.as_nanos()
    }
}

/// The state of a set of files at one moment: which there are, and each one's identity, size and times.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// Index of the path of the set, name below it, state; in that order.
    files: Vec<(usize, String, FileStamp)>,
    recent: bool,
}

impl Stamp {
    /// `now` is a moment before the files were looked at.
    pub(crate) fn new(found: &[Found], now: SystemTime) -> Self {
        Self {
            files: found.iter().map(|f| (f.root, f.name.clone(), f.stamp)).collect(),
            recent: found.iter().any(|f| f.stamp.is_recent(now)),
        }
    }

    /// How many files there are.
    #[allow(clippy::len_without_is_empty, reason = "a set without files has no stamp")]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether a file was written so shortly before this stamp (two seconds) that another write could go unseen.
    /// [`FileSet::changed`](crate::FileSet::changed) then says yes, and the stamp of the next measurement settles it.
    pub fn is_recent(&self) -> bool {
        self.recent
    }

    pub(crate) fn same_files(&self, other: &Self) -> bool {
        self.files == other.files
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(changed: (i64, i64)) -> FileStamp {
        FileStamp { device: 1, inode: 1, size: 1, modified: (0, 0), changed }
    }

    #[test]
    fn a_change_within_two_seconds_is_recent_and_one_far_in_the_future_is_not() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        for (changed, recent) in [
            ((1000, 0), true),
            ((998, 1), true),
            ((998, 0), false),
            ((10, 0), false),
            ((1001, 999_999_999), true),
            ((1002, 0), false),
            ((90_000, 0), false),
        ] {
            assert_eq!(stamp(changed).is_recent(now), recent, "{changed:?}");
        }
        assert!(stamp((0, 0)).is_recent(SystemTime::UNIX_EPOCH - Duration::from_secs(1)));
    }
}
