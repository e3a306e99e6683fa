//! `request.json`: what people are asked, whole, and in a form that is read as strictly as what others send.

use attest_core::approval::{Asked, state_of};
use attest_core::attestation::Attestation;
use attest_core::canon::jcs;
use attest_core::claims::{Claims, ClaimsError};
use attest_core::digest::Digest;
use attest_core::json::{self, JsonError, Value};
use attest_core::jwk::Thumbprint;
use attest_core::labels::Labels;
use attest_core::measurement::{Component, Grade, Measurement};
use attest_core::trust::Trust;
use serde::Serialize;

use super::Why;
use super::requests::{Files, REQUEST, RequestsError};

/// Longest file: parameters as escaped text, a chain, and words.
const MAX_FILE: usize = 4 << 20;

/// By which measure a component's digest was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standard {
    /// The operator, or a publisher, listed it.
    Listed,
    /// A comparison rule allows it.
    Rule,
    /// Anything is accepted.
    Any,
}

impl Standard {
    const ALL: [Self; 3] = [Self::Listed, Self::Rule, Self::Any];

    /// The word in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Listed => "listed",
            Self::Rule => "rule",
            Self::Any => "any",
        }
    }
}

/// One component of the caller's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// What was measured.
    pub measured: Measurement,
    /// By which measure it was accepted.
    pub standard: Standard,
}

/// A call that waits for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its name.
    pub id: Digest,
    /// The agent.
    pub agent: String,
    /// The server.
    pub audience: String,
    /// Thumbprint of the call key.
    pub key: Thumbprint,
    /// The chain, root first; at least one token.
    pub chain: Vec<String>,
    /// The tool.
    pub tool: String,
    /// The canonical parameters without `_meta`.
    pub params: String,
    /// What its caller has seen.
    pub labels: Labels,
    /// The risk, in a word.
    pub risk: String,
    /// The policies that ask.
    pub by: Vec<String>,
    /// Their reason.
    pub reason: String,
    /// How many persons of which group.
    pub needs: Vec<(u32, String)>,
    /// The measured state.
    pub state: Vec<Shown>,
    /// Seconds since 1970.
    pub asked: u64,
    /// Seconds since 1970; it is open before it.
    pub expires: u64,
}

/// Why a file is no request.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// It cannot be read.
    #[error("cannot read it: {0}")]
    Read(#[from] RequestsError),
    /// It has ended.
    #[error("it is not there")]
    Ended,
    /// Not strict JSON.
    #[error("it is not strict JSON: {0}")]
    Json(JsonError),
    /// Not what a guard writes.
    #[error("it is not what a guard writes: {0}")]
    Members(#[from] ClaimsError),
}

#[derive(Serialize)]
struct Wire<'a> {
    agent: &'a str,
    asked: u64,
    audience: &'a str,
    by: &'a [String],
    chain: &'a [String],
    expires: u64,
    key: &'a str,
    labels: &'a Labels,
    needs: Vec<Need<'a>>,
    params: &'a str,
    reason: &'a str,
    risk: &'a str,
    state: Vec<Part<'a>>,
    tool: &'a str,
}

#[derive(Serialize)]
struct Need<'a> {
    group: &'a str,
    persons: u32,
}

#[derive(Serialize)]
struct Part<'a> {
    component: &'a str,
    digest: String,
    grade: &'a str,
    standard: &'a str,
}

/// The caller's state, in the verifier's words. It was accepted before, so what is neither listed nor free is within a rule.
pub(super) fn shown(attestation: &Attestation, trust: &Trust) -> Vec<Shown> {
    let references = trust.references(&attestation.agent);
    let standard = |measured: &Measurement| match references
        .and_then(|references| references.get(&measured.component)?.digests.as_ref())
    {
        None => Standard::Any,
        Some(listed) if listed.iter().any(|accepted| accepted.digest == measured.digest) => Standard::Listed,
        Some(_) => Standard::Rule,
    };
    attestation.measurements.iter().map(|m| Shown { measured: *m, standard: standard(m) }).collect()
}

impl Request {
    pub(super) fn new(
        asked: &Asked<'_>,
        audience: &str,
        chain: Vec<String>,
        state: Vec<Shown>,
        why: &Why<'_>,
        (since, expires): (u64, u64),
    ) -> Self {
        Self {
            id: asked.request,
            agent: asked.agent.to_owned(),
            audience: audience.to_owned(),
            key: asked.key.clone(),
            chain,
            tool: asked.tool.to_owned(),
            // Canonical JSON is UTF-8 by construction.
            params: String::from_utf8_lossy(asked.params).into_owned(),
            labels: why.labels.clone(),
            risk: why.risk.to_owned(),
            by: why.by.to_vec(),
            reason: why.reason.to_owned(),
            needs: why.needs.to_vec(),
            state,
            asked: since,
            expires,
        }
    }

    /// The call as an approval must name it.
    pub fn asked(&self) -> Asked<'_> {
        Asked {
            agent: &self.agent,
            key: &self.key,
            leaf: self.chain.last().map_or(Digest([0; 32]), Digest::of),
            state: state_of(&self.state.iter().map(|shown| shown.measured).collect::<Vec<_>>()),
            tool: &self.tool,
            params: self.params.as_bytes(),
            request: self.id,
        }
    }

    /// Writes it where it belongs, unless it stands there already.
    pub(super) fn write(&self, files: &dyn Files) -> Result<(), RequestsError> {
        let bytes = self.to_bytes();
        if files.read(self.id, REQUEST, MAX_FILE).is_ok_and(|there| there.is_some_and(|there| there == bytes)) {
            return Ok(());
        }
        files.write(self.id, REQUEST, &bytes)
    }

    fn to_bytes(&self) -> Vec<u8> {
        let part = |shown: &Shown| Part {
            component: shown.measured.component.as_str(),
            digest: shown.measured.digest.to_b64(),
            grade: shown.measured.grade.as_str(),
            standard: shown.standard.as_str(),
        };
        jcs(&Wire {
            agent: &self.agent,
            asked: self.asked,
            audience: &self.audience,
            by: &self.by,
            chain: &self.chain,
            expires: self.expires,
            key: self.key.as_str(),
            labels: &self.labels,
            needs: self.needs.iter().map(|(persons, group)| Need { group, persons: *persons }).collect(),
            params: &self.params,
            reason: &self.reason,
            risk: &self.risk,
            state: self.state.iter().map(part).collect(),
            tool: &self.tool,
        })
    }

    /// Reads what lies there under this name.
    ///
    /// # Errors
    /// [`RequestError`].
    pub(super) fn read(files: &dyn Files, id: Digest) -> Result<Self, RequestError> {
        let bytes = files.read(id, REQUEST, MAX_FILE)?.ok_or(RequestError::Ended)?;
        let value = json::parse(&bytes).map_err(RequestError::Json)?;
        let mut claims = Claims::of(&value)?;
        let texts = |claims: &mut Claims<'_, '_>, name: &'static str| {
            let texts = claims.array(name)?.iter().map(|text| text.as_str().map(str::to_owned));
            texts.collect::<Option<Vec<_>>>().ok_or(ClaimsError::Invalid(name))
        };
        let request = Self {
            id,
            agent: claims.name("agent")?,
            asked: claims.number("asked")?,
            audience: claims.name("audience")?,
            by: texts(&mut claims, "by")?,
            chain: texts(&mut claims, "chain")?,
            expires: claims.number("expires")?,
            key: Thumbprint::parse(claims.text("key")?).ok_or(ClaimsError::Invalid("key"))?,
            labels: claims.labels("labels")?,
            needs: claims.array("needs")?.iter().map(need).collect::<Result<_, _>>()?,
            params: claims.text("params")?.to_owned(),
            reason: claims.text("reason")?.to_owned(),
            risk: claims.text("risk")?.to_owned(),
            state: claims.array("state")?.iter().map(part).collect::<Result<_, _>>()?,
            tool: claims.name("tool")?,
        };
        claims.finish()?;
        if request.chain.is_empty() { Err(ClaimsError::Invalid("chain").into()) } else { Ok(request) }
    }
}

fn need(value: &Value<'_>) -> Result<(u32, String), ClaimsError> {
    let mut claims = Claims::of(value)?;
    let persons = u32::try_from(claims.number("persons")?).map_err(|_| ClaimsError::Invalid("persons"))?;
    let group = claims.text("group")?.to_owned();
    claims.finish()?;
    Ok((persons, group))
}

fn part(value: &Value<'_>) -> Result<Shown, ClaimsError> {
    let mut claims = Claims::of(value)?;
    let component = Component::parse(claims.text("component")?).ok_or(ClaimsError::Invalid("component"))?;
    let digest = claims.digest("digest")?;
    let grade = Grade::parse(claims.text("grade")?).ok_or(ClaimsError::Invalid("grade"))?;
    let word = claims.text("standard")?;
    let standard = Standard::ALL.into_iter().find(|standard| standard.as_str() == word);
    let standard = standard.ok_or(ClaimsError::Invalid("standard"))?;
    claims.finish()?;
    Ok(Shown { measured: Measurement { component, digest, grade }, standard })
}
