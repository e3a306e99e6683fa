//! What people leave at a request, and how they find it.

use attest_core::b64;
use attest_core::claims::Claims;
use attest_core::digest::{Digest, Jti, Salt};
use attest_core::json;
use attest_core::limits::{MAX_APPROVALS, MAX_TOKEN};

use super::request::{Request, RequestError};
use super::requests::{Files, Requests, RequestsError};

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
    /// Where it lies.
    #[error(transparent)]
    Requests(#[from] RequestsError),
}

/// Every open request that can be read, the oldest first.
///
/// # Errors
/// Where they lie cannot be read; a folder that is not there holds no request.
pub fn open_requests(requests: &Requests, now: u64) -> Result<Vec<Request>, LeftError> {
    requests.look(|files| {
        let mut open = Vec::new();
        for id in files.requests()? {
            match Request::read(files, id) {
                Ok(request) if request.expires > now => open.push(request),
                Err(RequestError::Read(error)) if error.is_away() => return Err(error.into()),
                _ => {}
            }
        }
        open.sort_by_key(|request| (request.asked, request.id));
        Ok(open)
    })
}

/// The one open request whose name begins so.
///
/// # Errors
/// [`LeftError`]: there is none, or more than one.
pub fn find(requests: &Requests, prefix: &str, now: u64) -> Result<Request, LeftError> {
    let mut found = open_requests(requests, now)?.into_iter().filter(|request| request.id.to_b64().starts_with(prefix));
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
pub fn leave(requests: &Requests, request: Digest, id: Jti, salt: &Salt, token: &str) -> Result<(), LeftError> {
    requests.change(|files| {
        let there = look(files, request)?.ok_or(LeftError::Ended)?;
        if there.refused {
            return Err(LeftError::Refused);
        }
        if there.approvals.len() >= MAX_APPROVALS {
            return Err(LeftError::Full);
        }
        let text = format!("{{\"salt\":\"{}\",\"token\":\"{token}\"}}", b64::encode(salt.0));
        add(files, request, &format!("{}{APPROVAL}", b64::encode(id.0)), text.as_bytes())
    })
}

/// Refuses a request. It cannot be taken back.
///
/// # Errors
/// [`LeftError`]: the request is over, or cannot be written to.
pub fn refuse(requests: &Requests, request: Digest) -> Result<(), LeftError> {
    requests.change(|files| match look(files, request)? {
        None => Err(LeftError::Ended),
        Some(there) if there.refused => Ok(()),
        Some(_) => add(files, request, REFUSED, b""),
    })
}

/// A request in a folder may end meanwhile.
fn add(files: &dyn Files, request: Digest, name: &str, bytes: &[u8]) -> Result<(), LeftError> {
    files.write(request, name, bytes).map_err(|error| match error {
        RequestsError::Folder { source, .. } if source.kind() == std::io::ErrorKind::NotFound => LeftError::Ended,
        error => error.into(),
    })
}

/// What lies at a request. A file that is no approval is left out, as one is that does not hold.
///
/// # Errors
/// [`LeftError::Ended`], or it cannot be read.
pub fn left(requests: &Requests, request: Digest) -> Result<Left, LeftError> {
    requests.look(|files| look(files, request)?.ok_or(LeftError::Ended))
}

/// That; `None` where the request has ended.
pub(super) fn look(files: &dyn Files, request: Digest) -> Result<Option<Left>, RequestsError> {
    let Some(names) = files.names(request)? else { return Ok(None) };
    let mut approvals = Vec::new();
    for name in names.iter().filter(|name| name.ends_with(APPROVAL)).take(MAX_APPROVALS) {
        match files.read(request, name, MAX_TOKEN + 64) {
            Ok(text) => approvals.extend(text.as_deref().and_then(approval)),
            Err(error) if error.is_away() => return Err(error),
            // No file of ours.
            Err(_) => {}
        }
    }
    Ok(Some(Left { approvals, refused: names.contains(REFUSED) }))
}

fn approval(text: &[u8]) -> Option<(Salt, String)> {
    let value = json::parse(text).ok()?;
    let mut claims = Claims::of(&value).ok()?;
    let salt = Salt(b64::decode_exact(claims.text("salt").ok()?)?);
    let token = claims.text("token").ok()?.to_owned();
    claims.finish().ok()?;
    Some((salt, token))
}
