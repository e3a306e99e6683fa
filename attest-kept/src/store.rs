//! The store: a thread that writes in groups, and a connection that reads and erases.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;

use attest_core::digest::{Digest, Salt};
use attest_redact::{Salted, check};

use crate::error::KeptError;
use crate::sqlite::File;

/// Rows that wait for the writer. When it falls behind by so many, [`Kept::put`] waits for it.
const QUEUE: usize = 4_096;
/// Most rows of one transaction.
const GROUP: usize = 1_024;

/// What is kept of one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The entry's commitment, which is in the log.
    pub entry: Digest,
    /// The session that it belongs to.
    pub session: String,
    /// When, in milliseconds since 1970.
    pub time_ms: u64,
    /// What it is, such as `arguments`.
    pub what: String,
    /// The redacted text.
    pub text: String,
    /// The salts of its placeholders.
    pub salts: Vec<Salted>,
}

/// What is to be erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Erase {
    /// What is kept of this entry.
    Entry(Digest),
    /// Everything of this session.
    Session(String),
    /// Everything older than this, in milliseconds since 1970.
    Before(u64),
}

/// What became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    /// It is the value that was redacted.
    Holds,
    /// It is another value.
    Differs,
    /// The salt is not here: erased, or never kept. Nobody can tell any more.
    Forgotten,
}

enum Job {
    Put(Box<Row>),
    Flush(SyncSender<()>),
}

/// The file beside a log.
#[derive(Debug)]
pub struct Kept {
    path: PathBuf,
    jobs: Option<SyncSender<Job>>,
    writer: Option<JoinHandle<()>>,
    failed: Arc<OnceLock<String>>,
    reader: Mutex<File>,
}

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("File")
    }
}

impl Kept {
    /// Opens `<log>.kept`, and makes it where there is none.
    pub fn open(log: &Path) -> Result<Self, KeptError> {
        let mut path = log.as_os_str().to_owned();
        path.push(".kept");
        let path = PathBuf::from(path);
        let reader = Mutex::new(File::open(&path)?);
        let file = File::open(&path)?;
        let failed = Arc::new(OnceLock::new());
        let (jobs, queue) = sync_channel(QUEUE);
        let writer = {
            let failed = Arc::clone(&failed);
            std::thread::Builder::new().name("kept".into()).spawn(move || write(file, &queue, &failed))
        };
        let writer = writer.map_err(|source| KeptError::Io { path: path.clone(), source })?;
        Ok(Self { path, jobs: Some(jobs), writer: Some(writer), failed, reader })
    }

    /// Keeps a row, in place of one of the same entry. Returns before it is written; the writer takes many at once.
    pub fn put(&self, row: Row) -> Result<(), KeptError> {
        self.send(Job::Put(Box::new(row)))
    }

    /// Waits until what was put is in the file.
    pub fn flush(&self) -> Result<(), KeptError> {
        let (done, wait) = sync_channel(1);
        self.send(Job::Flush(done))?;
        let done = wait.recv().is_ok();
        if done && self.failed.get().is_none() { Ok(()) } else { Err(self.stopped()) }
    }

    /// What is kept of an entry.
    pub fn get(&self, entry: &Digest) -> Result<Option<Row>, KeptError> {
        self.flush()?;
        self.file().get(entry)
    }

    /// Shows `each` the salt of every whole text that is kept, with its commitment: to try a value against them.
    pub fn salts(&self, each: impl FnMut(&Digest, &Salt)) -> Result<(), KeptError> {
        self.flush()?;
        self.file().salts(each)
    }

    /// Erases, and returns how many rows went. Takes time with the size of the file, all of which is written anew.
    pub fn erase(&self, which: &Erase) -> Result<usize, KeptError> {
        self.flush()?;
        self.file().erase(which)
    }

    /// Whether `claimed` is what stood where the placeholder of an entry's text has `commitment`.
    pub fn check(&self, entry: &Digest, commitment: &Digest, claimed: &str) -> Result<Checked, KeptError> {
        let row = self.get(entry)?;
        let left = row.and_then(|row| row.salts.into_iter().find(|left| left.commitment == *commitment));
        Ok(match left {
            None => Checked::Forgotten,
            Some(left) if check(&left.commitment, &left.salt, claimed) => Checked::Holds,
            Some(_) => Checked::Differs,
        })
    }

    fn file(&self) -> std::sync::MutexGuard<'_, File> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, job: Job) -> Result<(), KeptError> {
        if self.failed.get().is_some() {
            return Err(self.stopped());
        }
        self.jobs.as_ref().ok_or_else(|| self.stopped())?.send(job).map_err(|_| self.stopped())
    }

    fn stopped(&self) -> KeptError {
        let reason = self.failed.get().cloned().unwrap_or_else(|| "the writer ended".to_owned());
        KeptError::Stopped { path: self.path.clone(), reason }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(writer) = self.writer.take() {
            // It ends with the queue; a writer that panicked has nothing more to say.
            let _ = writer.join();
        }
    }
}

fn write(mut file: File, queue: &Receiver<Job>, failed: &OnceLock<String>) {
    let mut rows = Vec::new();
    while let Ok(first) = queue.recv() {
        let mut waiting = Vec::new();
        let mut job = Some(first);
        while let Some(next) = job {
            match next {
                Job::Put(row) => rows.push(*row),
                Job::Flush(done) => waiting.push(done),
            }
            job = if rows.len() < GROUP { queue.try_recv().ok() } else { None };
        }
        if let Err(error) = file.put(&rows) {
            // Nobody may believe that something is kept which is not.
            let _ = failed.set(error.to_string());
            return;
        }
        rows.clear();
        for done in waiting {
            let _ = done.send(());
        }
    }
}
