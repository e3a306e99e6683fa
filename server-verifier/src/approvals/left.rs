//! What people leave in a request's folder, and how they find it.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use attest_core::b64;
use attest_core::claims::Claims;
use attest_core::digest::{Digest, Jti, Salt};
use attest_core::json;
use attest_core::limits::{MAX_APPROVALS, MAX_TOKEN};

use super::request::Request;

/// What a person's approval is called: its `jti`, and this.
const APPROVAL: &str = ".approval";
/// There where a person refused.
const REFUSED: &str = "refused";

/// What people left.
#[derive(Clone, Debug, Default)]
pub struct Left {
    /// Approvals, each with the salt of its parameters; not verified.
    pub approvals: Vec<(Salt, String)>,
    /// Whether somebody refused.
    pub refused: bool,
}

/// Why nothing can be left at a request.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LeftError {
    /// No such request.
    #[error("no open request begins with {0:?}; `attest approvals list` shows those that are open")]
    None(String),
    /// More than one.
    #[error("more than one open request begins with {0:?}; give more of its id")]
    Many(String),
    /// It is over.
    #[error("the request has ended: it was used, refused, or has expired")]
    Ended,
    /// Somebody refused it.
    #[error("the request was refused")]
    Refused,
    /// Too many approvals.
    #[error("the request has {MAX_APPROVALS} approvals already; no more are read")]
    Full,
    /// The folder.
    #[error("{path}: {source}", path = path.display())]
    Folder {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Every open request that can be read, the oldest first.
///
/// # Errors
/// The folder cannot be read; one that is not there holds no request.
pub fn open_requests(folder: &Path, now: u64) -> Result<Vec<Request>, LeftError> {
    let failed = |source| LeftError::Folder { path: folder.to_owned(), source };
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let read = folders(folder).map_err(failed)?.into_iter().filter_map(|(id, place)| Request::read(&place, id).ok());
    let mut requests: Vec<_> = read.filter(|request| request.expires > now).collect();
    requests.sort_by_key(|request| (request.asked, request.id));
    Ok(requests)
}

/// The one open request whose name begins so.
///
/// # Errors
/// [`LeftError`]: there is none, or more than one.
pub fn find(folder: &Path, prefix: &str, now: u64) -> Result<Request, LeftError> {
    let mut found = open_requests(folder, now)?.into_iter().filter(|request| request.id.to_b64().starts_with(prefix));
    match (found.next(), found.next()) {
        (Some(request), None) => Ok(request),
        (None, _) => Err(LeftError::None(prefix.to_owned())),
        (Some(_), Some(_)) => Err(LeftError::Many(prefix.to_owned())),
    }
}

/// Leaves an approval.
///
/// # Errors
/// [`LeftError`]: the request is over, or cannot be written to.
pub fn leave(folder: &Path, request: Digest, id: Jti, salt: &Salt, token: &str) -> Result<(), LeftError> {
    let there = look(folder, request)?;
    if there.refused {
        return Err(LeftError::Refused);
    }
    if there.approvals.len() >= MAX_APPROVALS {
        return Err(LeftError::Full);
    }
    let text = format!("{{\"salt\":\"{}\",\"token\":\"{token}\"}}", b64::encode(salt.0));
    add(folder, request, &format!("{}{APPROVAL}", b64::encode(id.0)), text.as_bytes())
}

/// Refuses a request. It cannot be taken back.
///
/// # Errors
/// [`LeftError`]: the request is over, or cannot be written to.
pub fn refuse(folder: &Path, request: Digest) -> Result<(), LeftError> {
    if look(folder, request)?.refused { Ok(()) } else { add(folder, request, REFUSED, b"") }
}

fn look(folder: &Path, request: Digest) -> Result<Left, LeftError> {
    left(folder, request).map_err(|source| ended(source, place(folder, request)))
}

fn add(folder: &Path, request: Digest, name: &str, bytes: &[u8]) -> Result<(), LeftError> {
    let path = place(folder, request).join(name);
    write(&path, bytes).map_err(|source| ended(source, path))
}

fn ended(source: io::Error, path: PathBuf) -> LeftError {
    if source.kind() == io::ErrorKind::NotFound { LeftError::Ended } else { LeftError::Folder { path, source } }
}

/// What lies at a request. A file that is no approval is left out, as one is that does not hold.
///
/// # Errors
/// The folder is gone, or cannot be read.
pub fn left(folder: &Path, request: Digest) -> io::Result<Left> {
    let place = place(folder, request);
    let names = names(&place)?;
    let is_approval = |name: &&OsString| name.to_str().is_some_and(|name| name.ends_with(APPROVAL));
    let approvals = names.iter().filter(is_approval).take(MAX_APPROVALS);
    let approvals = approvals.filter_map(|name| approval(&place.join(name))).collect();
    Ok(Left { approvals, refused: names.iter().any(|name| name == REFUSED) })
}

fn approval(path: &Path) -> Option<(Salt, String)> {
    let text = read(path, MAX_TOKEN + 64).ok()?;
    let value = json::parse(&text).ok()?;
    let mut claims = Claims::of(&value).ok()?;
    let salt = Salt(b64::decode_exact(claims.text("salt").ok()?)?);
    let token = claims.text("token").ok()?.to_owned();
    claims.finish().ok()?;
    Some((salt, token))
}

/// Where a request lies.
pub(super) fn place(folder: &Path, request: Digest) -> PathBuf {
    folder.join(request.to_b64())
}

/// The folders that bear the name of a request.
pub(super) fn folders(folder: &Path) -> io::Result<Vec<(Digest, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let id = entry.file_name().to_str().and_then(Digest::from_b64);
        // A link is no folder here.
        if let Some(id) = id.filter(|_| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
            found.push((id, entry.path()));
        }
    }
    Ok(found)
}

/// The files of a folder, but for what is being written.
pub(super) fn names(place: &Path) -> io::Result<BTreeSet<OsString>> {
    let names = fs::read_dir(place)?.map(|entry| Ok(entry?.file_name()));
    let whole =
        |name: &io::Result<OsString>| !name.as_ref().is_ok_and(|name| name.as_encoded_bytes().starts_with(b"."));
    names.filter(whole).collect()
}

/// The bytes of a file that is none of somebody else's by way of a link, and not longer than `most`.
pub(super) fn read(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    let no_link = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(no_link.bits()).map_err(io::Error::other)?;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a file"));
    }
    let mut bytes = Vec::new();
    file.take(most as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > most { Err(io::Error::other("longer than it may be")) } else { Ok(bytes) }
}

/// Writes a file for its owner alone, whole or not at all.
pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    File::open(folder)?.sync_all()
}

/// Makes a folder that its owner alone may enter; refuses one that others may.
pub(super) fn make_private(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let found = fs::symlink_metadata(folder)?;
    if !found.is_dir() || found.mode() & 0o077 != 0 {
        let text = format!("{} must be a folder that its owner alone may enter (chmod 700)", folder.display());
        return Err(io::Error::other(text));
    }
    Ok(())
}
