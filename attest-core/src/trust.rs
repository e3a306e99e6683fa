//! What a verifier trusts: plain data, built from its configuration. `spec/trust.md`.
//!
//! Trust sentence: whoever can change this decides who is let in, with what, in which state.

mod error;
mod reference;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::approval::Approver;
use crate::attestation::Attestation;
use crate::checkpoint::LogKeys;
use crate::claims::is_name;
use crate::digest::Digest;
use crate::jwk::{PublicKey, Thumbprint};
use crate::jws::{Unverified, Verified};
use crate::labels::Labels;
use crate::measurement::{Component, Grade, Measurement};
use crate::platform::{PlatformKey, Quote};
use crate::refusal::Reason;
use crate::status::{Staleness, StatusIssuer};

pub use error::TrustError;
pub use reference::{AcceptedDigest, Reference, References};

/// A key that may attest, and for whom.
#[derive(Clone, Debug)]
pub struct Attester {
    /// The pinned key.
    pub key: PublicKey,
    /// The `iss` that its attestations must bear.
    pub issuer: String,
    /// The agents it may attest, by exact name.
    pub agents: Vec<String>,
}

/// A key that may start delegation chains, and over which tools.
#[derive(Clone, Debug)]
pub struct Root {
    /// The pinned key.
    pub key: PublicKey,
    /// The `iss` that its tokens must bear.
    pub issuer: String,
    /// The tools it may speak for.
    pub tools: Vec<Scope>,
    /// The labels that it may release.
    pub labels: Labels,
}

/// A TPM's key, and which agents run on its machine.
#[derive(Clone, Debug)]
pub struct PinnedPlatform {
    /// The pinned key.
    pub key: PlatformKey,
    /// The agents that it may speak for, by exact name.
    pub agents: Vec<String>,
    /// The accepted digests of PCR 0 to 7; `None` where the operator wrote `any`.
    pub pcrs: Option<Vec<Digest>>,
}

impl PinnedPlatform {
    /// Whether the machine was started in an accepted state.
    pub fn accepts(&self, quote: &Quote) -> bool {
        self.pcrs.as_ref().is_none_or(|accepted| accepted.contains(&quote.pcrs))
    }
}

/// One tool of one server, or all tools of one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The server's audience.
    pub audience: String,
    /// The tool; `None` for all.
    pub tool: Option<String>,
}

impl Scope {
    /// Reads `<audience>#<tool>` or `<audience>#*`.
    pub fn parse(text: &str) -> Option<Self> {
        let (audience, tool) = crate::tools::split(text)?;
        Some(Self { audience: audience.to_owned(), tool: (tool != "*").then(|| tool.to_owned()) })
    }

    /// Whether the tool is in scope.
    pub fn covers(&self, audience: &str, tool: &str) -> bool {
        self.audience == audience && self.tool.as_deref().is_none_or(|t| t == tool)
    }
}

/// A key that may declassify, and what.
#[derive(Clone, Debug)]
pub struct Declassifier {
    /// The pinned key.
    pub key: PublicKey,
    /// The labels that it owns.
    pub labels: Labels,
}

/// What a tool asks of the data that may reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolFlow {
    /// The labels that it takes at all, whatever a chain releases.
    pub accepts: Labels,
    /// Whether a caller counts as having seen everything that is not accepted as keeping its lineage.
    pub lineage: bool,
}

impl Default for ToolFlow {
    /// It takes what a chain releases, and believes who says that it saw nothing.
    fn default() -> Self {
        Self { accepts: Labels::Every, lineage: false }
    }
}

/// What a verifier knows of flow.
#[derive(Clone, Debug, Default)]
pub struct FlowTrust {
    /// The keys of logs whose receipts and decisions are believed.
    pub logs: Vec<LogKeys>,
    /// Who may declassify.
    pub declassifiers: Vec<Declassifier>,
    /// The agents whose signers are accepted as keeping what their contexts have seen.
    pub lineage: BTreeSet<String>,
    /// By tool; by the empty name for those that are not listed.
    pub tools: BTreeMap<String, ToolFlow>,
}

/// What one verifier trusts.
#[derive(Clone, Debug)]
pub struct Trust {
    audience: String,
    attesters: HashMap<Thumbprint, Attester>,
    roots: HashMap<Thumbprint, Root>,
    agents: HashMap<String, References>,
    platforms: HashMap<Digest, PinnedPlatform>,
    hardware: BTreeSet<String>,
    logs: HashMap<String, LogKeys>,
    declassifiers: HashMap<Thumbprint, Declassifier>,
    approvers: Vec<Approver>,
    lineage: BTreeSet<String>,
    tool_flows: BTreeMap<String, ToolFlow>,
    statuses: HashMap<String, StatusIssuer>,
    staleness: Staleness,
    skew: u64,
}

/// Largest allowed difference of clocks, in seconds; each second lengthens the life of every token.
pub const MAX_SKEW: u64 = 300;

/// By how many seconds clocks may differ where the configuration does not say.
pub const DEFAULT_SKEW: u64 = 30;

impl Trust {
    /// Puts the parts together; a key in two roles is a configuration error.
    pub fn new(
        audience: String,
        attesters: Vec<Attester>,
        roots: Vec<Root>,
        agents: HashMap<String, References>,
    ) -> Result<Self, TrustError> {
        if !is_name(&audience) || audience.contains('#') {
            return Err(TrustError::Audience(audience));
        }
        let mut trust = Self {
            audience,
            attesters: HashMap::new(),
            roots: HashMap::new(),
            agents,
            platforms: HashMap::new(),
            hardware: BTreeSet::new(),
            logs: HashMap::new(),
            declassifiers: HashMap::new(),
            approvers: Vec::new(),
            lineage: BTreeSet::new(),
            tool_flows: BTreeMap::new(),
            statuses: HashMap::new(),
            staleness: Staleness::default(),
            skew: DEFAULT_SKEW,
        };
        for attester in attesters {
            let kid = attester.key.thumbprint().clone();
            if trust.attesters.insert(kid.clone(), attester).is_some() {
                return Err(TrustError::KeyTwice(kid));
            }
        }
        for root in roots {
            let kid = root.key.thumbprint().clone();
            if trust.attesters.contains_key(&kid) || trust.roots.insert(kid.clone(), root).is_some() {
                return Err(TrustError::KeyTwice(kid));
            }
        }
        let listed = |agent: &String| trust.attesters.values().any(|a| a.agents.contains(agent));
        if let Some(agent) = trust.agents.keys().find(|agent| !listed(agent)) {
            return Err(TrustError::NoAttester(agent.clone()));
        }
        Ok(trust)
    }

    /// The same, with clocks that may differ by `skew` seconds.
    pub fn with_skew(self, skew: u64) -> Result<Self, TrustError> {
        if skew > MAX_SKEW { Err(TrustError::Skew) } else { Ok(Self { skew, ..self }) }
    }

    /// The same, with the agents of which hardware is required, and the platforms that show it.
    pub fn with_platforms(
        mut self,
        platforms: Vec<PinnedPlatform>,
        hardware: BTreeSet<String>,
    ) -> Result<Self, TrustError> {
        if let Some(agent) = hardware.iter().find(|agent| !self.agents.contains_key(*agent)) {
            return Err(TrustError::HardwareOfNobody(agent.clone()));
        }
        let listed: BTreeSet<&String> = platforms.iter().flat_map(|platform| &platform.agents).collect();
        if let Some(agent) = listed.iter().find(|agent| !hardware.contains(**agent)) {
            return Err(TrustError::HardwareNotRequired((*agent).clone()));
        }
        if let Some(agent) = hardware.iter().find(|agent| !listed.contains(agent)) {
            return Err(TrustError::NoPlatform(agent.clone()));
        }
        for platform in platforms {
            let thumbprint = platform.key.thumbprint();
            if self.platforms.insert(thumbprint, platform).is_some() {
                return Err(TrustError::PlatformTwice(thumbprint));
            }
        }
        self.hardware = hardware;
        Ok(self)
    }

    /// The same, with what it knows of flow.
    ///
    /// # Errors
    /// A key in two roles, a log twice, or an agent that is not let in.
    pub fn with_flow(mut self, flow: FlowTrust) -> Result<Self, TrustError> {
        let FlowTrust { logs, declassifiers, lineage, tools } = flow;
        for declassifier in declassifiers {
            let kid = declassifier.key.thumbprint().clone();
            if self.has_role(&kid) {
                return Err(TrustError::KeyTwice(kid));
            }
            self.declassifiers.insert(kid, declassifier);
        }
        for keys in logs {
            self = self.with_log(keys)?;
        }
        if let Some(agent) = lineage.iter().find(|agent| !self.agents.contains_key(*agent)) {
            return Err(TrustError::LineageOfNobody(agent.clone()));
        }
        (self.lineage, self.tool_flows) = (lineage, tools);
        Ok(self)
    }

    /// The same, with one more log among those that are believed. A log that is pinned already stays as it is: nobody takes its name.
    ///
    /// # Errors
    /// A log of this name, or a key that has a role.
    pub fn with_log(mut self, keys: LogKeys) -> Result<Self, TrustError> {
        let origin = keys.origin().to_owned();
        if self.logs.contains_key(&origin) {
            return Err(TrustError::LogTwice(origin));
        }
        if let Some((vkey, _)) = keys.all().iter().find(|(vkey, _)| self.has_role(vkey.key().thumbprint())) {
            return Err(TrustError::KeyTwice(vkey.key().thumbprint().clone()));
        }
        self.logs.insert(origin, keys);
        Ok(self)
    }

    /// The pinned keys of the log of this name, for receipts and decisions.
    pub fn log(&self, origin: &str) -> Option<&LogKeys> {
        self.logs.get(origin)
    }

    /// The pinned declassifier of this thumbprint.
    pub fn declassifier(&self, kid: &Thumbprint) -> Option<&Declassifier> {
        self.declassifiers.get(kid)
    }

    /// Whether the signer of this agent is accepted as keeping what its contexts have seen.
    pub fn keeps_lineage(&self, agent: &str) -> bool {
        self.lineage.contains(agent)
    }

    /// What a tool asks of the data that may reach it.
    pub fn flow_of(&self, tool: &str) -> ToolFlow {
        self.tool_flows.get(tool).or_else(|| self.tool_flows.get("")).cloned().unwrap_or_default()
    }

    /// The same, with the persons who may approve.
    ///
    /// # Errors
    /// A key in two roles or of two persons, a person twice, or one that has no key or no name.
    pub fn with_approvers(mut self, approvers: Vec<Approver>) -> Result<Self, TrustError> {
        for approver in approvers {
            let named = approver.groups.iter().chain(&approver.operates).all(|name| is_name(name));
            if approver.keys.is_empty() || !named || !is_name(&approver.name) {
                return Err(TrustError::Approver(approver.name));
            }
            if self.approvers.iter().any(|other| other.name == approver.name) {
                return Err(TrustError::ApproverTwice(approver.name));
            }
            let mut own = BTreeSet::new();
            let mut kids = approver.keys.iter().map(PublicKey::thumbprint);
            if let Some(kid) = kids.find(|kid| self.has_role(kid) || !own.insert(kid.as_str())) {
                return Err(TrustError::KeyTwice(kid.clone()));
            }
            self.approvers.push(approver);
        }
        Ok(self)
    }

    /// Everybody who may approve.
    pub fn approvers(&self) -> &[Approver] {
        &self.approvers
    }

    /// The person whose key this is, and the key.
    pub fn approver(&self, kid: &Thumbprint) -> Option<(&Approver, &PublicKey)> {
        self.approvers.iter().find_map(|approver| {
            let key = approver.keys.iter().find(|key| key.thumbprint() == kid)?;
            Some((approver, key))
        })
    }

    /// The same, with status lists, the keys that sign them, and how old they may be.
    pub fn with_statuses(mut self, issuers: Vec<StatusIssuer>, staleness: Staleness) -> Result<Self, TrustError> {
        for issuer in issuers {
            if !is_name(&issuer.uri) {
                return Err(TrustError::StatusName(issuer.uri));
            }
            // Whoever attests or delegates would else say of his own word that it still holds.
            let kid = issuer.key.thumbprint();
            if self.has_role(kid) && !self.signs_statuses(kid) {
                return Err(TrustError::KeyTwice(issuer.key.thumbprint().clone()));
            }
            if let Some(twice) = self.statuses.insert(issuer.uri.clone(), issuer) {
                return Err(TrustError::StatusTwice(twice.uri));
            }
        }
        self.staleness = staleness;
        Ok(self)
    }

    /// The same for another audience, whose name is one already.
    pub fn with_audience(self, audience: &Self) -> Self {
        Self { audience: audience.audience.clone(), ..self }
    }

    /// Who signs this status list.
    pub fn status_issuer(&self, uri: &str) -> Option<&StatusIssuer> {
        self.statuses.get(uri)
    }

    /// How old status lists may be, and what passes without a fresh one.
    pub fn staleness(&self) -> &Staleness {
        &self.staleness
    }

    /// Seconds by which clocks may differ.
    pub fn skew(&self) -> u64 {
        self.skew
    }

    /// The name that every call to this server must be made out to.
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// The pinned attester of this thumbprint.
    pub fn attester(&self, kid: &Thumbprint) -> Option<&Attester> {
        self.attesters.get(kid)
    }

    /// The attestation, if it is by a pinned attester that may speak for its issuer and agent, and over a key that has no role here.
    ///
    /// # Errors
    /// [`Reason::UnknownAttester`], [`Reason::AttestationSignature`] and [`Reason::KeyRole`].
    pub fn attested(&self, token: Unverified<Attestation>) -> Result<Verified<Attestation>, Reason> {
        let attester = self.attester(token.kid()).ok_or(Reason::UnknownAttester)?;
        let attestation = token.verify(&attester.key).map_err(|_| Reason::AttestationSignature)?;
        if attestation.issuer != attester.issuer || !attester.agents.contains(&attestation.agent) {
            return Err(Reason::UnknownAttester);
        }
        if self.has_role(attestation.key.thumbprint()) {
            return Err(Reason::KeyRole);
        }
        Ok(attestation)
    }

    /// The pinned delegation root of this thumbprint.
    pub fn root(&self, kid: &Thumbprint) -> Option<&Root> {
        self.roots.get(kid)
    }

    /// The pinned platform of this thumbprint.
    pub fn platform(&self, key: Digest) -> Option<&PinnedPlatform> {
        self.platforms.get(&key)
    }

    /// Whether this agent is let in with a quote of its machine's TPM only.
    pub fn requires_hardware(&self, agent: &str) -> bool {
        self.hardware.contains(agent)
    }

    /// The agents that are let in however their machines were started, because `any` was written out.
    pub fn any_start(&self) -> BTreeSet<&str> {
        let any = self.platforms.values().filter(|platform| platform.pcrs.is_none());
        any.flat_map(|platform| &platform.agents).map(String::as_str).collect()
    }

    /// Whether the key of this thumbprint has a role of its own here and so can be nobody's call key.
    pub fn has_role(&self, kid: &Thumbprint) -> bool {
        self.attesters.contains_key(kid)
            || self.roots.contains_key(kid)
            || self.declassifiers.contains_key(kid)
            || self.approver(kid).is_some()
            || self.logs.values().any(|keys| keys.all().iter().any(|(vkey, _)| vkey.key().thumbprint() == kid))
            || self.signs_statuses(kid)
    }

    /// One key may sign several lists.
    fn signs_statuses(&self, kid: &Thumbprint) -> bool {
        self.statuses.values().any(|issuer| issuer.key.thumbprint() == kid)
    }

    /// The accepted state of this agent.
    pub fn references(&self, agent: &str) -> Option<&References> {
        self.agents.get(agent)
    }

    /// Every agent with its accepted state, in no order that means anything.
    pub fn agents(&self) -> impl Iterator<Item = (&str, &References)> {
        self.agents.iter().map(|(agent, references)| (agent.as_str(), references))
    }

    /// What an attestation shows, in the verifier's own words: each component with its grade, and whether its digest is an
    /// endorsed one. A component that is not accepted is not endorsed.
    pub fn grades(&self, attestation: &Attestation) -> Vec<(Component, Grade, bool)> {
        let references = self.references(&attestation.agent);
        let endorsed = |m: &Measurement| {
            let reference = references.and_then(|references| references.get(&m.component));
            reference.is_some_and(|reference| reference.accept(m, false) == Ok(true))
        };
        attestation.measurements.iter().map(|m| (m.component, m.grade, endorsed(m))).collect()
    }

    /// All components for which `any` was written out, to be warned about: (agent, component).
    pub fn anything_goes(&self) -> Vec<(&str, Component)> {
        let mut found: Vec<_> = self
            .agents
            .iter()
            .flat_map(|(agent, references)| {
                references.iter().filter(|(_, r)| r.digests.is_none()).map(|(c, _)| (agent.as_str(), *c))
            })
            .collect();
        found.sort_unstable();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::{Kind, Vkey};
    use crate::sign::{MemoryKey, Sign as _};

    #[test]
    fn a_log_that_is_pinned_is_not_replaced_and_its_key_has_no_other_role() {
        let key = |seed| MemoryKey::from_seed(&[seed; 32]).public().clone();
        let log = |name: &'static str, seed| {
            LogKeys::new(Vec::new(), Vkey::new(name, Kind::Log, key(seed)).unwrap()).unwrap()
        };
        let root = Root { key: key(1), issuer: "owner".to_owned(), tools: Vec::new(), labels: Labels::None };
        let trust = Trust::new("files".to_owned(), Vec::new(), vec![root], HashMap::new()).unwrap();
        let with = |logs: &[(&'static str, u8)]| {
            logs.iter().try_fold(trust.clone(), |trust, &(name, seed)| trust.with_log(log(name, seed)))
        };
        assert!(with(&[("files", 2), ("mail", 3)]).is_ok());
        assert!(matches!(with(&[("files", 2), ("files", 3)]), Err(TrustError::LogTwice(name)) if name == "files"));
        assert!(
            matches!(with(&[("files", 2), ("mail", 2)]), Err(TrustError::KeyTwice(kid)) if kid == *key(2).thumbprint())
        );
        assert!(matches!(with(&[("files", 1)]), Err(TrustError::KeyTwice(kid)) if kid == *key(1).thumbprint()));
    }
}
