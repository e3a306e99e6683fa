//! What a person can do with requests, from the command line or the page.

use std::path::Path;

use attest_core::approval::{Approval, Approved, count};
use attest_core::digest::{Digest, Jti, Salt};
use attest_core::limits::MAX_APPROVAL_LIFE;
use attest_core::once::Once;
use attest_core::sign::Sign as _;
use attest_core::trust::Trust;
use attest_keys::Key;
use attest_log::Place;
use attest_log::clock::now;
use server_verifier::Config;
use server_verifier::approvals::{self, LeftError, Request, Requests};

use super::words::plain;

pub(crate) type Failure = Box<dyn std::error::Error>;

/// Where the requests of a log's guards lie, and whom they trust.
pub(crate) struct Desk {
    requests: Requests,
    trust: Trust,
}

/// What was said to a request so far.
pub(crate) struct Standing {
    /// The approvals.
    pub approved: Approved,
    /// Whether somebody refused.
    pub refused: bool,
}

impl Desk {
    /// As a guard's configuration says, but for where its log is, where that is said besides.
    pub(super) fn open(config: &Path, log: Option<&Path>) -> Result<Self, Failure> {
        let config = Config::read(config)?;
        let log = log.map_or(config.log, Place::from);
        Ok(Self { requests: Requests::of(&log), trust: config.trust })
    }

    pub(crate) fn requests(&self) -> Result<Vec<Request>, Failure> {
        Ok(approvals::open_requests(&self.requests, now())?)
    }

    pub(super) fn find(&self, prefix: &str) -> Result<Request, Failure> {
        Ok(approvals::find(&self.requests, prefix, now())?)
    }

    pub(crate) fn standing(&self, request: &Request) -> Result<Standing, Failure> {
        Ok(standing(&self.requests, request, &self.trust)?)
    }

    /// Who approves with this key.
    pub(super) fn person(&self, key: &Key) -> Result<&str, Failure> {
        let kid = key.public().thumbprint();
        let approver = self.trust.approver(kid);
        let unknown = || format!("the key {kid} is no approver's; guard.toml lists approvers' keys under [[approver]]");
        Ok(approver.map(|(approver, _)| approver.name.as_str()).ok_or_else(unknown)?)
    }

    /// Signs, and leaves it where the guard looks; says who approved. What would not count is not left.
    pub(super) fn approve(&self, request: &Request, key: &Key) -> Result<String, Failure> {
        let person = self.person(key)?.to_owned();
        let approver = self.trust.approver(key.public().thumbprint()).map(|(approver, _)| approver);
        let asked_of = |group: &String| request.needs.iter().any(|(_, needed)| needed == group);
        if !approver.is_some_and(|approver| approver.groups.iter().any(asked_of)) {
            return Err(format!("{:?} is in none of the groups that this request needs", plain(&person)).into());
        }
        let mut bits = [[0; 16]; 2];
        getrandom::fill(bits.as_flattened_mut())?;
        let [id, salt] = bits;
        let (id, salt, now) = (Jti(id), Salt(salt), now());
        let asked = request.asked();
        let once = Once {
            audience: request.audience.clone(),
            expires: request.expires.min(now + MAX_APPROVAL_LIFE),
            issued_at: now,
            id,
            key: asked.key.clone(),
            params: Digest::salted(&salt, asked.params),
            tool: asked.tool.to_owned(),
        };
        let approval = Approval { once, leaf: asked.leaf, request: asked.request, state: asked.state };
        let token = approval.sign(key)?;
        let before = approvals::left(&self.requests, request.id)?.approvals;
        let tokens = before.iter().map(|(salt, text)| (*salt, text.as_str())).chain([(salt, token.as_str())]);
        let counted = count(tokens, &asked, &self.trust, now);
        if let Some((_, unfit)) = counted.left_out.into_iter().find(|(n, _)| *n == before.len()) {
            return Err(format!("it would not count: {unfit}").into());
        }
        approvals::leave(&self.requests, request.id, id, &salt, &token)?;
        Ok(person)
    }

    pub(super) fn refuse(&self, request: &Request) -> Result<(), Failure> {
        Ok(approvals::refuse(&self.requests, request.id)?)
    }
}

/// What was said to a request, by those whom `trust` names.
pub(crate) fn standing(requests: &Requests, request: &Request, trust: &Trust) -> Result<Standing, LeftError> {
    let left = approvals::left(requests, request.id)?;
    let tokens = left.approvals.iter().map(|(salt, text)| (*salt, text.as_str()));
    Ok(Standing { approved: count(tokens, &request.asked(), trust, now()), refused: left.refused })
}
