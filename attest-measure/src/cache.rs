//! Digests of files that were hashed before, so that a model which nobody touched is not read again.
//!
//! A digest is kept under what the kernel says of the file: device, inode, size, time of the last write and of the last
//! change of any kind. The last of these no program can set. Each line is authenticated with a key that only its owner can read:
//! who can write the file, and not read the key, can make us hash again and nothing else.
//!
//! Whoever is the same user, or can set the machine's clock, can make it say anything, as he can make anything else of that
//! user's. Where that matters nothing is cached (`strict` in `agent.toml`).

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use attest_core::b64;
use attest_core::digest::Digest;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rustix::fs::OFlags;
use sha2::Sha256;

use crate::stamp::FileStamp;

const NAME: &str = "digests";
const KEY: &str = "digests.key";
/// Says what a line's fields are; another form gets another word.
const FORM: &str = "1";
/// Lines are some 150 bytes; a hundred thousand files fit.
const MAX_BYTES: u64 = 16 << 20;

/// Why there is no cache.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// The operating system refused.
    #[error("cannot use the cache of digests at {path}: {source}; files are hashed every time", path = path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Its words.
        source: io::Error,
    },
    /// Others can read or write what must be one's own.
    #[error("{path} belongs to user {owner} and has mode {mode:o}; it must be yours alone (chmod go= …), or be removed", path = path.display())]
    NotOwn {
        /// The file.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// Its mode.
        mode: u32,
    },
}

/// See the module. Several processes may use one folder at the same time.
#[derive(Debug)]
pub struct Cache {
    /// As long as a block of the hash.
    key: [u8; 64],
    known: HashMap<FileStamp, (Digest, [u8; 32])>,
    file: Mutex<File>,
}

impl Cache {
    /// The cache in this folder, which is made if it is not there.
    ///
    /// # Errors
    /// [`CacheError`]. Lines that nobody authenticated are no error: they are passed over.
    pub fn open(folder: &Path) -> Result<Self, CacheError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| CacheError::Io { path, source }
        };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed(folder))?;
        let key = key(&folder.join(KEY))?;
        let path = folder.join(NAME);
        let mut file = own(&path, OpenOptions::new().read(true).append(true).create(true))?;
        if file.metadata().map_err(failed(&path))?.len() > MAX_BYTES {
            // Hashing again costs time, and keeping what nobody may ever ask for costs space without end.
            file.set_len(0).map_err(failed(&path))?;
        }
        let mut text = Vec::new();
        (&mut file).take(2 * MAX_BYTES).read_to_end(&mut text).map_err(failed(&path))?;
        // Later lines stand for later measurements.
        let known = String::from_utf8_lossy(&text).lines().filter_map(read).collect();
        Ok(Self { key, known, file: Mutex::new(file) })
    }

    /// The digest that this file had when it was hashed.
    pub(crate) fn get(&self, stamp: &FileStamp) -> Option<Digest> {
        let (digest, tag) = self.known.get(stamp)?;
        self.mac(&body(stamp, digest)).verify_slice(tag).ok()?;
        Some(*digest)
    }

    /// Keeps a digest. It is no failure of the measurement if it cannot be kept.
    pub(crate) fn put(&self, stamp: &FileStamp, digest: &Digest) -> io::Result<()> {
        let body = body(stamp, digest);
        let tag = b64::encode(self.mac(&body).finalize().into_bytes());
        let mut file = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // In one piece, behind a line break of its own: what a process that was killed left behind it spoils no more than itself.
        file.write_all(format!("\n{body} {tag}\n").as_bytes())
    }

    fn mac(&self, body: &str) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new(&self.key.into());
        mac.update(body.as_bytes());
        mac
    }
}

fn body(stamp: &FileStamp, digest: &Digest) -> String {
    let FileStamp { device, inode, size, modified, changed } = stamp;
    let ((modified, modified_ns), (changed, changed_ns)) = (modified, changed);
    format!("{FORM} {device} {inode} {size} {modified} {modified_ns} {changed} {changed_ns} {}", digest.to_b64())
}

fn read(line: &str) -> Option<(FileStamp, (Digest, [u8; 32]))> {
    let mut fields = line.split(' ');
    (fields.next()? == FORM).then_some(())?;
    let mut number = || fields.next()?.parse::<u64>().ok();
    let (device, inode, size) = (number()?, number()?, number()?);
    let mut signed = || fields.next()?.parse::<i64>().ok();
    let (modified, changed) = ((signed()?, signed()?), (signed()?, signed()?));
    let digest = Digest::from_b64(fields.next()?)?;
    let tag = b64::decode_exact(fields.next()?)?;
    Some((FileStamp { device, inode, size, modified, changed }, (digest, tag)))
}

/// The key, made at first use.
fn key(path: &Path) -> Result<[u8; 64], CacheError> {
    let failed = |source| CacheError::Io { path: path.to_owned(), source };
    for _ in 0..2 {
        let mut key = [0; 64];
        match own(path, OpenOptions::new().read(true)) {
            Ok(mut file) => match file.read_exact(&mut key) {
                Ok(()) => return Ok(key),
                Err(source) => return Err(failed(source)),
            },
            Err(CacheError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        getrandom::fill(&mut key).map_err(|error| failed(io::Error::other(error)))?;
        // Whole or not at all, and never in the place of one that another process has made meanwhile.
        let new = path.with_extension(format!("{}.new", std::process::id()));
        let mut file = own(&new, OpenOptions::new().write(true).create(true).truncate(true))?;
        let linked = file.write_all(&key).and_then(|()| fs::hard_link(&new, path));
        let _ = fs::remove_file(&new);
        match linked {
            Err(source) if source.kind() != io::ErrorKind::AlreadyExists => return Err(failed(source)),
            _ => {}
        }
    }
    Err(failed(io::Error::other("its key comes and goes")))
}

/// Opens a file that is this user's and nobody else's.
fn own(path: &Path, options: &mut OpenOptions) -> Result<File, CacheError> {
    let failed = |source| CacheError::Io { path: path.to_owned(), source };
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = options.mode(0o600).custom_flags(flags.bits().cast_signed()).open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let (owner, mode) = (metadata.uid(), metadata.mode() & 0o777);
    if owner != rustix::process::geteuid().as_raw() || mode & 0o077 != 0 || !metadata.is_file() {
        return Err(CacheError::NotOwn { path: path.to_owned(), owner, mode });
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FileSet;
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::Arc;

    fn stamp(inode: u64) -> FileStamp {
        FileStamp { device: 1, inode, size: 3, modified: (7, 8), changed: (-9, 10) }
    }

    #[test]
    fn a_digest_is_found_again_under_the_same_state_of_the_file_alone() {
        let folder = tempfile::tempdir().unwrap();
        let digest = Digest::of("abc");
        let cache = Cache::open(folder.path()).unwrap();
        cache.put(&stamp(1), &Digest::of("before")).unwrap();
        cache.put(&stamp(1), &digest).unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        assert_eq!(cache.get(&stamp(1)), Some(digest), "the last word counts");
        let other = stamp(1);
        for other in [
            FileStamp { device: 2, ..other },
            FileStamp { inode: 2, ..other },
            FileStamp { size: 2, ..other },
            FileStamp { modified: (7, 9), ..other },
            FileStamp { changed: (-9, 9), ..other },
        ] {
            assert_eq!(cache.get(&other), None, "{other:?}");
        }
    }

    #[test]
    fn a_line_that_was_not_written_with_the_key_counts_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(NAME);
        let cache = Cache::open(folder.path()).unwrap();
        cache.put(&stamp(1), &Digest::of("abc")).unwrap();
        let honest = fs::read_to_string(&file).unwrap();
        let forged = |from: &str, to: &str| {
            fs::write(&file, honest.replacen(from, to, 1)).unwrap();
            Cache::open(folder.path()).unwrap()
        };
        let other = Digest::of("other").to_b64();
        assert_eq!(forged(&Digest::of("abc").to_b64(), &other).get(&stamp(1)), None, "another digest");
        assert_eq!(forged("1 1 1 3", "1 1 2 3").get(&stamp(2)), None, "another file");
        assert_eq!(forged("1 1", "1 1").get(&stamp(1)), Some(Digest::of("abc")));
        // A new key: what the old one wrote is nobody's word.
        fs::remove_file(folder.path().join(KEY)).unwrap();
        assert_eq!(Cache::open(folder.path()).unwrap().get(&stamp(1)), None);
    }

    #[test]
    fn half_a_line_and_rubbish_spoil_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(NAME);
        let cache = Cache::open(folder.path()).unwrap();
        cache.put(&stamp(1), &Digest::of("one")).unwrap();
        let mut bytes = fs::read(&file).unwrap();
        bytes.truncate(bytes.len() - 10);
        bytes.extend_from_slice(b"\xff\xfe 1 1 1");
        fs::write(&file, bytes).unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        cache.put(&stamp(2), &Digest::of("two")).unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        assert_eq!((cache.get(&stamp(1)), cache.get(&stamp(2))), (None, Some(Digest::of("two"))));
    }

    #[test]
    fn what_others_can_read_or_write_is_refused() {
        for name in [NAME, KEY] {
            let folder = tempfile::tempdir().unwrap();
            Cache::open(folder.path()).unwrap();
            let path = folder.path().join(name);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
            let error = Cache::open(folder.path()).unwrap_err();
            assert!(matches!(error, CacheError::NotOwn { mode: 0o640, .. }), "{error}");
            fs::remove_file(&path).unwrap();
            std::os::unix::fs::symlink("elsewhere", &path).unwrap();
            assert!(matches!(Cache::open(folder.path()).unwrap_err(), CacheError::Io { .. }));
        }
    }

    #[test]
    fn files_that_nobody_touched_are_taken_from_the_cache_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let (weights, at) = (folder.path().join("weights"), folder.path().join("cache"));
        fs::write(&weights, b"bytes").unwrap();
        let kept = || fs::read_to_string(at.join(NAME)).unwrap().lines().filter(|line| !line.is_empty()).count();
        let measured = |remember: bool| {
            let cache = remember.then(|| Arc::new(Cache::open(&at).unwrap()));
            let set = FileSet::new([&weights]).remembered(cache);
            set.manifest(&|_| {}).unwrap().value.files.first().unwrap().digest
        };
        // So soon after a write another one could leave the same times.
        measured(true);
        assert_eq!(kept(), 0);
        std::thread::sleep(std::time::Duration::from_millis(2100));
        let honest = measured(true);
        assert_eq!(kept(), 1);
        // What the cache says is believed, and not made again.
        let other = Digest::of("other");
        let stamp = FileStamp::of(&fs::metadata(&weights).unwrap());
        Cache::open(&at).unwrap().put(&stamp, &other).unwrap();
        assert_eq!(measured(true), other);
        assert_eq!(measured(false), honest);
        fs::write(&weights, b"bytes").unwrap();
        assert_eq!(measured(true), honest, "touched");
    }

    #[test]
    fn what_grew_too_large_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        cache.put(&stamp(1), &Digest::of("one")).unwrap();
        let file = OpenOptions::new().write(true).open(folder.path().join(NAME)).unwrap();
        file.set_len(MAX_BYTES + 1).unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        assert_eq!(cache.get(&stamp(1)), None);
        cache.put(&stamp(2), &Digest::of("two")).unwrap();
        assert_eq!(Cache::open(folder.path()).unwrap().get(&stamp(2)), Some(Digest::of("two")));
    }
}
