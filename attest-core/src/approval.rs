//! Approval: a person lets one call through that the policy leaves to people. `spec/approval.md`.

use std::collections::{BTreeMap, BTreeSet};

use crate::canon::jcs;
use crate::claims::{Claims, ClaimsError};
use crate::digest::{Digest, Salt};
use crate::jwk::{PublicKey, Thumbprint};
use crate::jws::{self, Statement, TokenError, Unverified};
use crate::limits::MAX_APPROVAL_LIFE;
use crate::measurement::Measurement;
use crate::once::{Claim, Once, OneTime};
use crate::trust::{MAX_SKEW, Trust};
use crate::verifier::Single;

/// A person who may approve, and which keys are that person's.
#[derive(Clone, Debug)]
pub struct Approver {
    /// The person. Keys are many, a person is one.
    pub name: String,
    /// The groups that the person speaks for.
    pub groups: BTreeSet<String>,
    /// The agents that the person runs, and so does not approve.
    pub operates: BTreeSet<String>,
    /// The pinned keys; at least one.
    pub keys: Vec<PublicKey>,
}

/// One person's word on one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// The call.
    pub once: Once,
    /// Hash of the last token of the caller's chain.
    pub leaf: Digest,
    /// The request that the person was shown.
    pub request: Digest,
    /// Digest of the caller's measured state: [`state_of`].
    pub state: Digest,
}

impl Approval {
    /// Signs it into a token, with a key of the person.
    pub fn sign<S: crate::sign::Sign>(&self, key: &S) -> Result<String, S::Error> {
        let digests = [("leaf", self.leaf), ("request", self.request), ("state", self.state)];
        jws::sign(Self::TYP, &self.once.payload(digests.map(|(name, digest)| (name, Claim::Own(digest.to_b64())))), key)
    }
}

impl Statement for Approval {
    const TYP: &'static str = "mcp-approval+jwt";

    fn read(claims: &mut Claims<'_, '_>) -> Result<Self, ClaimsError> {
        let read = Self {
            once: Once::read(claims)?,
            leaf: claims.digest("leaf")?,
            request: claims.digest("request")?,
            state: claims.digest("state")?,
        };
        claims.finish()?;
        Ok(read)
    }
}

impl OneTime for Approval {
    const LIFE: u64 = MAX_APPROVAL_LIFE;

    fn once(&self) -> &Once {
        &self.once
    }
}

/// The digest of a state: of the canonical list of component, digest and grade, in the order of the attestation, which is that of the
/// names. Whatever drifts, an approval for the state before is none for this one.
pub fn state_of(measurements: &[Measurement]) -> Digest {
    let list: Vec<_> = measurements
        .iter()
        .map(|Measurement { component, digest, grade }| (component.as_str(), digest.to_b64(), grade.as_str()))
        .collect();
    Digest::of(jcs(&list))
}

/// The call that is to be approved, in the verifier's own words.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The agent.
    pub agent: &'a str,
    /// Thumbprint of its call key.
    pub key: &'a Thumbprint,
    /// Hash of the last token of its chain.
    pub leaf: Digest,
    /// [`state_of`] its attestation.
    pub state: Digest,
    /// The tool.
    pub tool: &'a str,
    /// The canonical parameters without `_meta`.
    pub params: &'a [u8],
    /// The request that stands for it.
    pub request: Digest,
}

/// Why an approval does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unfit {
    /// Not a token of this type.
    #[error("it is no approval: {0}")]
    Token(TokenError),
    /// By no approver's key.
    #[error("it is by the key {0}, which no [[approver]] has")]
    UnknownApprover(Thumbprint),
    /// Another key's signature.
    #[error("its signature is not by its key")]
    Signature,
    /// Too late.
    #[error("it has expired")]
    Expired,
    /// From the future.
    #[error("it is not valid yet")]
    NotYetValid,
    /// Made to live for more than [`MAX_APPROVAL_LIFE`].
    #[error("its life is longer than a day")]
    LifeTooLong,
    /// Another server.
    #[error("it is for another server")]
    Audience,
    /// Another caller.
    #[error("it is for another caller")]
    Caller,
    /// Another grant.
    #[error("it is for a call under another grant")]
    Leaf,
    /// The agent changed.
    #[error("it is for another state of the agent")]
    State,
    /// Another tool.
    #[error("it is for another tool")]
    Tool,
    /// Other parameters.
    #[error("it is for other arguments")]
    Params,
    /// Another request.
    #[error("it is for another request")]
    Request,
    /// A person's own agent.
    #[error("it is by {0:?}, who operates this agent: nobody approves a call of his own")]
    OwnCall(String),
    /// A person's second one.
    #[error("it is the second one by {0:?}: a person counts once")]
    SamePerson(String),
}

/// An approval that counts.
#[derive(Clone, Debug)]
pub struct Counted {
    /// The person.
    pub person: String,
    /// Seconds since 1970.
    pub issued_at: u64,
    /// Seconds since 1970.
    pub expires: u64,
    /// What the call uses up.
    pub single: Single,
}

/// What a heap of approvals comes to.
#[derive(Clone, Debug, Default)]
pub struct Approved {
    /// The persons of each group.
    pub persons: BTreeMap<String, BTreeSet<String>>,
    /// The approvals that count, one for each person, in the order that they came in.
    pub counted: Vec<Counted>,
    /// The others: which one, from 0, and why.
    pub left_out: Vec<(usize, Unfit)>,
}

impl Approved {
    /// How many persons of each group.
    pub fn numbers(&self) -> BTreeMap<String, u32> {
        let number = |persons: &BTreeSet<String>| u32::try_from(persons.len()).unwrap_or(u32::MAX);
        self.persons.iter().map(|(group, persons)| (group.clone(), number(persons))).collect()
    }
}

/// Counts persons. `tokens` are approvals as somebody left them, each with the salt of its parameters; one that does not hold is left
/// out, and so can only make a call wait.
pub fn count<'t>(
    tokens: impl IntoIterator<Item = (Salt, &'t str)>,
    asked: &Asked<'_>,
    trust: &Trust,
    now: u64,
) -> Approved {
    let mut approved = Approved::default();
    for (n, (salt, text)) in tokens.into_iter().enumerate() {
        let held = holds(&salt, text, asked, trust, now).and_then(|(approver, counted)| {
            let before = approved.counted.iter().any(|other| other.person == approver.name);
            if before { Err(Unfit::SamePerson(approver.name.clone())) } else { Ok((approver, counted)) }
        });
        match held {
            Ok((approver, counted)) => {
                for group in &approver.groups {
                    approved.persons.entry(group.clone()).or_default().insert(approver.name.clone());
                }
                approved.counted.push(counted);
            }
            Err(unfit) => approved.left_out.push((n, unfit)),
        }
    }
    approved
}

fn holds<'a>(
    salt: &Salt,
    text: &str,
    asked: &Asked<'_>,
    trust: &'a Trust,
    now: u64,
) -> Result<(&'a Approver, Counted), Unfit> {
    let token = Unverified::<Approval>::read(text).map_err(Unfit::Token)?;
    let kid = token.kid().clone();
    let (approver, key) = trust.approver(&kid).ok_or_else(|| Unfit::UnknownApprover(kid.clone()))?;
    let token = token.verify(key).map_err(|_| Unfit::Signature)?;
    let Once { issued_at, expires, .. } = token.once;
    if expires.saturating_add(trust.skew()) <= now {
        return Err(Unfit::Expired);
    }
    if issued_at > now.saturating_add(trust.skew()) {
        return Err(Unfit::NotYetValid);
    }
    if expires <= issued_at || expires - issued_at > MAX_APPROVAL_LIFE {
        return Err(Unfit::LifeTooLong);
    }
    let same = [
        (token.once.audience == trust.audience(), Unfit::Audience),
        (token.once.key == *asked.key, Unfit::Caller),
        (token.leaf == asked.leaf, Unfit::Leaf),
        (token.state == asked.state, Unfit::State),
        (token.once.tool == asked.tool, Unfit::Tool),
        (token.once.params == Digest::salted(salt, asked.params), Unfit::Params),
        (token.request == asked.request, Unfit::Request),
    ];
    if let Some((_, unfit)) = same.into_iter().find(|(same, _)| !same) {
        return Err(unfit);
    }
    // A call key has no role, so the first is for a configuration that was changed under way.
    if kid == *asked.key || approver.operates.contains(asked.agent) {
        return Err(Unfit::OwnCall(approver.name.clone()));
    }
    let single = token.once.single(kid, (token.token(), text), MAX_SKEW);
    Ok((approver, Counted { person: approver.name.clone(), issued_at, expires, single }))
}

#[cfg(test)]
mod tests;
