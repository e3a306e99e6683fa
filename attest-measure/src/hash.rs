//! Hashing many large files with little memory.

use std::fs::File;
use std::io::{self, Read as _};
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::SystemTime;

use attest_core::digest::Digest;
use sha2::{Digest as _, Sha256};

use crate::cache::Cache;
use crate::cancel::Cancel;
use crate::error::MeasureError;
use crate::open;
use crate::tensors::{FileTensors, Layout, Pass};
use crate::tree::Found;

/// Bytes read at a time, and the memory each thread takes.
const CHUNK: usize = 1 << 20;
/// Two threads: one hashes while the other waits for the disk, and no more, because an agent is at work beside us.
const THREADS: usize = 2;

/// How far a measurement has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes hashed so far, over all files.
    pub done: u64,
    /// Bytes there are to hash.
    pub total: u64,
}

/// Called after every mebibyte, from either thread.
pub(crate) type Report<'a> = &'a (dyn Fn(Progress) + Sync);

/// What was hashed of one file.
pub(crate) struct Hashed {
    pub(crate) digest: Digest,
    /// Its tensors, without its name, where they were asked for and the file is of a form that has them.
    pub(crate) tensors: Option<FileTensors>,
}

/// The digest of each file, in the order given.
pub(crate) fn hash_all(files: &[Found], cancel: &Cancel) -> Result<Vec<Digest>, MeasureError> {
    Ok(hash_each(files, false, None, cancel, &|_| {})?.into_iter().map(|hashed| hashed.digest).collect())
}

/// The digest of each file, in the order given; with `tensors` those of the tensors in it too, at the price of a second hash over the
/// same bytes.
pub(crate) fn hash_each(
    files: &[Found],
    tensors: bool,
    cache: Option<(&Cache, SystemTime)>,
    cancel: &Cancel,
    report: Report<'_>,
) -> Result<Vec<Hashed>, MeasureError> {
    // The largest first, so that no thread is left alone with it at the end.
    let mut order: Vec<(usize, &Found)> = files.iter().enumerate().collect();
    order.sort_by_key(|(_, file)| std::cmp::Reverse(file.stamp.size));
    let job = Job {
        order: &order,
        next: AtomicUsize::new(0),
        done: AtomicU64::new(0),
        total: files.iter().fold(0, |sum, f| sum.saturating_add(f.stamp.size)),
        stop: AtomicBool::new(false),
        tensors,
        cache,
        cancel,
        report,
    };
    let mut hashed = thread::scope(|scope| {
        let helpers: Vec<_> = (1..THREADS.min(files.len())).map(|_| scope.spawn(|| job.work())).collect();
        let mut all = job.work();
        for helper in helpers {
            let part = helper.join().unwrap_or_else(|panic| resume_unwind(panic));
            // Of two errors the first is kept; either is the truth.
            all = all.and_then(|mut all| {
                all.append(&mut part?);
                Ok(all)
            });
        }
        all
    })?;
    hashed.sort_by_key(|(index, _)| *index);
    Ok(hashed.into_iter().map(|(_, hashed)| hashed).collect())
}

struct Job<'a> {
    order: &'a [(usize, &'a Found)],
    next: AtomicUsize,
    done: AtomicU64,
    total: u64,
    /// Set after an error, so that the other thread does not hash a hundred gigabytes for nothing.
    stop: AtomicBool,
    tensors: bool,
    /// And the moment since which the files must not have changed for their digests to be kept.
    cache: Option<(&'a Cache, SystemTime)>,
    cancel: &'a Cancel,
    report: Report<'a>,
}

impl Job<'_> {
    fn work(&self) -> Result<Vec<(usize, Hashed)>, MeasureError> {
        let mut buffer = vec![0; CHUNK];
        let mut all = Vec::new();
        while let Some((index, file)) = self.order.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            match self.hash(file, &mut buffer) {
                Ok(Some(hashed)) => all.push((*index, hashed)),
                Ok(None) => break,
                Err(error) => {
                    self.stop.store(true, Ordering::Relaxed);
                    return Err(error);
                }
            }
        }
        Ok(all)
    }

    /// `None` when the other thread has failed.
    fn hash(&self, found: &Found, buffer: &mut [u8]) -> Result<Option<Hashed>, MeasureError> {
        self.cancel.check()?;
        let cache = self.cache.filter(|(_, now)| !self.tensors && !found.stamp.is_recent(*now));
        if let Some(digest) = cache.and_then(|(cache, _)| cache.get(&found.stamp)) {
            self.progress(found.stamp.size);
            return Ok(Some(Hashed { digest, tensors: None }));
        }
        let mut file = open::open(found)?;
        let layout = if self.tensors { Layout::read(&mut file, found)? } else { None };
        let mut pass = layout.map(Pass::new);
        let mut hash = Sha256::new();
        let mut read = 0;
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            self.cancel.check()?;
            let n = fill(&mut file, buffer).map_err(|source| MeasureError::Io { path: found.path.clone(), source })?;
            if n == 0 {
                break;
            }
            let chunk = buffer.get(..n).unwrap_or_default();
            hash.update(chunk);
            if let Some(pass) = &mut pass {
                pass.update(chunk);
            }
            read += n as u64;
            // A file that grows as fast as it is read would never end.
            if read > found.stamp.size {
                return Err(MeasureError::Changed { path: found.path.clone() });
            }
            self.progress(n as u64);
        }
        open::unchanged(&file, found)?;
        let changed = || MeasureError::Changed { path: found.path.clone() };
        if read != found.stamp.size {
            return Err(changed());
        }
        // The places of the tensors were within the file's size, so all of them were seen if the file is the same.
        let tensors = pass.map(|pass| pass.finish().ok_or_else(changed)).transpose()?;
        let digest = Digest(hash.finalize().into());
        if let Some((cache, _)) = cache {
            // At once, so that who is interrupted goes on where he was. A digest that is not kept is made again.
            let _ = cache.put(&found.stamp, &digest);
        }
        Ok(Some(Hashed { digest, tensors }))
    }

    fn progress(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        (self.report)(Progress { done, total: self.total });
    }
}

/// Reads until the buffer is full or the file ends.
fn fill(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut len = 0;
    while let Some(rest) = buffer.get_mut(len..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(n) => len += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(len)
}
