//! Calls that wait for people. `spec/approval.md`.
//!
//! Each open request has files of its own, by its digest: what is asked, and what people left. Guards alone make and remove requests; people
//! add files. They lie in a folder beside the log's file, or, where guards share a log, in a table beside it, so that what is said at one of them
//! counts at all. Arguments lie there in plain text while a request is open, and no longer.
//!
//! Trust sentence: whoever can write there can refuse every request and change the words that people are shown beside a call; an
//! approval is bound to the call itself, so he can let nothing through. Whoever can read it sees the arguments.

mod folder;
mod left;
mod request;
mod requests;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use attest_core::approval::{Asked, count, state_of};
use attest_core::digest::{Digest, Salt};
use attest_core::json::{self, Value};
use attest_core::labels::Labels;
use attest_core::limits::MAX_APPROVAL_LIFE;
use attest_core::trust::Trust;
use attest_core::verifier::{Accepted, Single};

pub use left::{Left, LeftError, find, leave, left, open_requests, refuse};
pub use request::{Request, RequestError, Shown, Standard};
pub use requests::{Requests, RequestsError};

use requests::Files;

/// Most open requests of one agent.
pub const MAX_OF_AGENT: usize = 64;
/// Most open requests in all.
pub const MAX_OPEN: usize = 1_024;
/// Longest parameters that people are asked about, in bytes: nobody reads more.
pub const MAX_PARAMS: usize = 256 << 10;

/// The requests that are open.
#[derive(Debug)]
pub struct Approvals {
    requests: Requests,
    life: u64,
    /// What is known of those that are there; other guards may have made, or ended, some of them.
    open: Mutex<BTreeMap<Digest, Open>>,
}

#[derive(Debug)]
struct Open {
    agent: String,
    asked: u64,
    expires: u64,
    /// The files that were there when it was asked last.
    seen: BTreeSet<String>,
}

/// Why people are asked.
#[derive(Clone, Debug)]
pub struct Why<'a> {
    /// The policies that ask for it.
    pub by: &'a [String],
    /// Their reason, in words.
    pub reason: &'a str,
    /// How many persons of which group; all of it is needed.
    pub needs: &'a [(u32, String)],
    /// The risk of the call, in a word.
    pub risk: &'a str,
    /// The labels of what its caller has seen.
    pub labels: &'a Labels,
}

/// How a request stands.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Its name.
    pub request: Digest,
    /// How many persons of each group approved it.
    pub persons: BTreeMap<String, u32>,
    /// What the call uses up if it goes through.
    pub singles: Vec<Single>,
    /// Whether a person refused it.
    pub refused: bool,
}

/// Why people cannot be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApprovalsError {
    /// Nobody can say what he would approve.
    #[error("only a tools/call can be approved by people")]
    NotATool,
    /// The arguments are not those that would run.
    #[error("the arguments to show are not those of the verified request")]
    NotBound,
    /// Too long to be read.
    #[error("the parameters have more than {MAX_PARAMS} bytes; nobody could read what he approves")]
    TooLong,
    /// Too many of one agent.
    #[error("the agent {0:?} has {MAX_OF_AGENT} requests open already; approve, refuse or await those")]
    AgentFull(String),
    /// Too many.
    #[error("{MAX_OPEN} requests are open already; approve, refuse or await those")]
    Full,
    /// Where requests lie cannot be read or written.
    #[error(transparent)]
    Requests(#[from] RequestsError),
}

impl Approvals {
    /// Opens what is there, or makes it. Requests that cannot be read, or that nobody finished, are removed.
    ///
    /// # Errors
    /// It cannot be made, read or written, or others than its owner may enter the folder.
    pub fn open(requests: Requests, life: Duration) -> Result<Self, RequestsError> {
        requests.prepare()?;
        let mut open = BTreeMap::new();
        requests.change(|files| {
            secret(files, &requests)?;
            refresh(files, &mut open)
        })?;
        let life = life.as_secs().clamp(1, MAX_APPROVAL_LIFE);
        Ok(Self { requests, life, open: Mutex::new(open) })
    }

    /// Puts a call before people, or says how it stands with those who were asked about the same call already: same caller, grant, state,
    /// tool and parameters. `arguments` are those of the call.
    ///
    /// # Errors
    /// [`ApprovalsError`]; then nobody is asked, and the call must not pass.
    pub fn ask(
        &self,
        trust: &Trust,
        accepted: &Accepted,
        arguments: Option<&Value<'_>>,
        why: &Why<'_>,
        now: u64,
    ) -> Result<Standing, ApprovalsError> {
        let params = params(accepted, arguments)?;
        let tool = accepted.proof.tool.as_deref().ok_or(ApprovalsError::NotATool)?;
        let attestation = accepted.evidence.attestation();
        let mut asked = Asked {
            agent: &accepted.caller.agent,
            key: &accepted.caller.key,
            leaf: accepted.evidence.chain().leaf().token(),
            state: state_of(&attestation.measurements),
            tool,
            params: &params,
            request: Digest([0; 32]),
        };
        let mut open = self.lock();
        let left = self.requests.change(|files| {
            asked.request = name_of(&secret(files, &self.requests)?, trust.audience(), &asked);
            refresh(files, &mut open)?;
            sweep(files, &mut open, now)?;
            let (since, expires) = match open.get(&asked.request) {
                Some(open) => (open.asked, open.expires),
                None => {
                    if open.len() >= MAX_OPEN {
                        return Err(ApprovalsError::Full);
                    }
                    if open.values().filter(|open| open.agent == asked.agent).count() >= MAX_OF_AGENT {
                        return Err(ApprovalsError::AgentFull(asked.agent.to_owned()));
                    }
                    (now, now.saturating_add(self.life))
                }
            };
            let tokens = accepted.evidence.tokens().skip(1).map(|(_, text)| text.to_string()).collect();
            let shown = request::shown(attestation, trust);
            let request = Request::new(&asked, trust.audience(), tokens, shown, why, (since, expires));
            // What the policy asks for may have changed since it was asked first.
            request.write(files)?;
            let seen = files.names(asked.request)?.unwrap_or_default();
            open.insert(asked.request, Open { agent: asked.agent.to_owned(), asked: since, expires, seen });
            Ok(left::look(files, asked.request)?.unwrap_or_default())
        });
        drop(open);
        let Left { approvals, refused } = left?;
        let approved = count(approvals.iter().map(|(salt, text)| (*salt, text.as_str())), &asked, trust, now);
        for (_, unfit) in &approved.left_out {
            tracing::warn!("an approval of the request {} does not count: {unfit}", asked.request);
        }
        let persons = approved.numbers();
        let singles = approved.counted.into_iter().map(|counted| counted.single).collect();
        Ok(Standing { request: asked.request, persons, singles, refused })
    }

    /// Whether something is there, or gone, that was not when the request was asked about last. What cannot be looked at has not changed:
    /// it is asked about again in any case.
    pub fn has_changed(&self, request: Digest) -> bool {
        let names = self.requests.look(|files| files.names(request));
        names.is_ok_and(|now| self.lock().get(&request).is_none_or(|open| Some(&open.seen) != now.as_ref()))
    }

    /// The request is over: used, expired or refused. Its arguments go.
    pub fn end(&self, request: Digest) {
        self.lock().remove(&request);
        if let Err(error) = self.requests.change(|files| files.remove(request)) {
            tracing::error!("the request {request} cannot be removed, and holds arguments until it expires: {error}");
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Digest, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Learns of requests that other guards made or ended. What cannot be read is no request: a crash left it half-made, or somebody
/// changed it.
fn refresh(files: &dyn Files, open: &mut BTreeMap<Digest, Open>) -> Result<(), RequestsError> {
    let there = files.requests()?;
    open.retain(|request, _| there.contains(request));
    for id in there {
        if open.contains_key(&id) {
            continue;
        }
        match Request::read(files, id) {
            Ok(Request { agent, asked, expires, .. }) => {
                open.insert(id, Open { agent, asked, expires, seen: BTreeSet::new() });
            }
            Err(RequestError::Read(error)) if error.is_away() => return Err(error),
            Err(_) => files.remove(id)?,
        }
    }
    Ok(())
}

fn sweep(files: &dyn Files, open: &mut BTreeMap<Digest, Open>, now: u64) -> Result<(), RequestsError> {
    for (request, _) in open.extract_if(.., |_, open| open.expires <= now) {
        files.remove(request)?;
    }
    Ok(())
}

/// The canonical parameters without `_meta`: of what would be forwarded, and held against what the caller signed.
fn params(accepted: &Accepted, arguments: Option<&Value<'_>>) -> Result<Vec<u8>, ApprovalsError> {
    let request = json::parse(&accepted.forward).map_err(|_| ApprovalsError::NotBound)?;
    let params = request.as_object().and_then(|request| request.get("params")).and_then(Value::as_object);
    let params = params.ok_or(ApprovalsError::NotATool)?;
    let same = params.get("arguments").map(Value::to_canonical) == arguments.map(Value::to_canonical);
    let params = Value::Object(params.without("_meta")).to_canonical();
    if !same || Digest::salted(&accepted.salt, &params) != accepted.proof.params {
        return Err(ApprovalsError::NotBound);
    }
    if params.len() > MAX_PARAMS { Err(ApprovalsError::TooLong) } else { Ok(params) }
}

/// A request's name: the same for the same call, and without the secret good for no guess at its arguments.
fn name_of(secret: &Salt, audience: &str, asked: &Asked<'_>) -> Digest {
    let Asked { key, leaf, state, tool, params, .. } = asked;
    let parts = [audience, key.as_str(), &leaf.to_b64(), &state.to_b64(), tool, &Digest::of(params).to_b64()];
    let mut name = Digest::salted(secret, &attest_core::canon::jcs(&parts));
    // One that begins with `-` would be an option where a person types it.
    while name.to_b64().starts_with('-') {
        name = Digest::salted(secret, &name.0);
    }
    name
}

/// What names are made with; made when it is first asked for. Names must say nothing of the arguments, since they stand in tokens, and
/// those in the log.
fn secret(files: &dyn Files, requests: &Requests) -> Result<Salt, RequestsError> {
    if let Some(bytes) = files.secret()? {
        let bytes = bytes.try_into().map_err(|_| RequestsError::Secret(requests.secret_name()))?;
        return Ok(Salt(bytes));
    }
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(RequestsError::Random)?;
    files.set_secret(&Salt(bytes))?;
    Ok(Salt(bytes))
}
