//! The record of the last published checkpoint, kept outside the database: `<log>.head`.
//!
//! A database that is older than what the log has published, or goes another way, is told by it at opening. Written after
//! each commit, before anybody hears of it, so it is never ahead of the database; synced now and then, since a record that
//! a power cut sets back only tells less.
//!
//! Trust: who can write this file and the database can set both back; that is seen by witnesses and by whoever holds a
//! receipt. Who can write it alone can keep the log from starting.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use attest_core::checkpoint::{Checkpoint, LogKeys};
use rustix::fs::OFlags;

use crate::place::Place;

/// Two slots written in turns, so that a torn write leaves the other. A checkpoint with the longest name fits.
const SLOT: usize = 1_024;

pub(crate) struct Head {
    file: File,
    second: bool,
}

/// What the record says.
#[derive(Debug)]
pub enum Found {
    /// There is no such file.
    None,
    /// No slot holds a checkpoint that a key of this log signed.
    Unreadable,
    /// The later of the slots' checkpoints.
    Checkpoint(Checkpoint),
}

impl Found {
    /// What the log at `log` published last, by the record beside it. Of a shared log whose folder is not named, nothing is known.
    ///
    /// # Errors
    /// The system's.
    pub fn of_log(log: impl Into<Place>, keys: &LogKeys) -> io::Result<Self> {
        let Some(beside) = log.into().beside() else { return Ok(Self::None) };
        let mut name = beside.into_os_string();
        name.push(".head");
        Head::read(Path::new(&name), keys)
    }
}

impl Head {
    /// Reads the record without changing anything.
    pub(crate) fn read(path: &Path, keys: &LogKeys) -> io::Result<Found> {
        // Of a log that somebody else hands over, this file may be anything: neither a pipe is waited for nor an end.
        let opened = OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path);
        let file = match opened {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::None),
            Err(error) => return Err(error),
        };
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the record of what was published is no file"));
        }
        let mut bytes = Vec::with_capacity(2 * SLOT);
        file.take(2 * SLOT as u64).read_to_end(&mut bytes)?;
        let slots = bytes.chunks(SLOT).take(2).filter_map(|slot| {
            let note = slot.split(|byte| *byte == 0).next()?;
            keys.open(note).ok()
        });
        Ok(slots.max_by_key(|checkpoint| checkpoint.size).map_or(Found::Unreadable, Found::Checkpoint))
    }

    /// Opens the record for writing, making it where there is none, and writes `note` into both slots.
    pub(crate) fn open(path: &Path, note: &str) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(path)?;
        let mut head = Self { file, second: false };
        head.write(note)?;
        head.sync()?;
        head.write(note)?;
        head.sync()?;
        // The name, too, is to outlast a power cut.
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())?;
        Ok(head)
    }

    pub(crate) fn write(&mut self, note: &str) -> io::Result<()> {
        let mut slot = [0; SLOT];
        let room = slot.get_mut(..note.len()).ok_or(io::ErrorKind::InvalidInput)?;
        room.copy_from_slice(note.as_bytes());
        self.file.write_all_at(&slot, if self.second { SLOT as u64 } else { 0 })?;
        self.second = !self.second;
        Ok(())
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}
