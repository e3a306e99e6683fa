//! `guard.toml`: whom this verifier trusts, and where it writes. `spec/trust.md`.
//!
//! Trust sentence: whoever can change this file decides who is let in; it belongs to the server's operator, and neither the
//! agent nor the server behind should be able to write it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use attest_core::digest::Digest;
use attest_core::jwk::{KeyError, PublicKey};
use attest_core::reply::Shape;
use attest_core::trust::{Attester, DEFAULT_SKEW, References, Root, Scope, Trust};
use attest_keys::KeySource;
use attest_log::Place;
use attest_policy::Policy;
use attest_policy::table;
use mcp_relay::http::Limits;
use serde::Deserialize;

use crate::methods::{Methods, Setting};

pub(crate) use fixed::Fixed;

use accepted::AcceptedTable;
use agent::AgentTable;
use approvers::ApproverTable;
use closed::ClosedTable;
use flow::{DeclassifierTable, FlowTable, LogTable};
use platform::PlatformTable;
use status::Read;

pub use crate::open_calls::OpenCallsTable;
pub use accepted::{Acceptance, AcceptedError};
pub use closed::Closing;
pub use edit::{EditError, accept, close};
pub use error::{ConfigError, LogFault};
pub use flow::{Flow, FlowError};
pub use http::Http;
pub use metrics::{MetricsTable, TelemetryTable};
pub use platform::PlatformError;
pub use reference::ReferenceError;
pub use sharing::{Sharing, SharingError};
pub use status::{From, StatusSource, StatusSources, StatusesError};
pub use witness::{Witnesses, WitnessesError};

/// A verifier's configuration, read and checked.
#[derive(Debug)]
pub struct Config {
    /// The file.
    pub path: PathBuf,
    /// Whom it trusts.
    pub trust: Trust,
    /// The log.
    pub log: Place,
    /// What the names of what lies beside the log begin with.
    pub beside: PathBuf,
    /// The log's own key; `None` for the file beside the log.
    pub log_key: Option<KeySource>,
    /// The log's name.
    pub log_origin: String,
    /// Whether answers bring receipts.
    pub receipts: bool,
    /// The trail of what passes, with its alerts; `None` for none.
    pub trail: Option<attest_trail::Table>,
    /// The shape of refusals.
    pub deny_as: Shape,
    /// Longest request in bytes.
    pub max_request: usize,
    /// Longest answer of the server in bytes. It is read into values some thirty times its size, in the worst case.
    pub max_answer: usize,
    /// What becomes of each method.
    pub methods: Methods,
    /// The guard as an HTTP server.
    pub http: Http,
    /// Where what is counted can be read.
    pub metrics: MetricsTable,
    /// Where a span of each call goes.
    pub telemetry: TelemetryTable,
    /// Where the signer of the agent behind asks for what it works; `None` for nowhere.
    pub open_calls: Option<OpenCallsTable>,
    /// The witnesses of the log, where there are any.
    pub witness: Option<Witnesses>,
    /// States that a person accepted by hand, in the order of the file.
    pub accepted: Vec<Acceptance>,
    /// Alerts that a person closed, in the order of the file.
    pub closed: Vec<Closing>,
    /// What becomes of labels.
    pub flow: Flow,
    /// What is asked of each call besides its proof; `None` for nothing.
    pub judging: Option<Policy>,
    /// Where status lists are had.
    pub statuses: StatusSources,
    /// Who signs the documents that guards share, where any are.
    pub shared: Option<PublicKey>,
    /// The file itself, and every file that was read for it: when one is touched, the configuration is read again.
    pub files: Vec<PathBuf>,
    /// What of it cannot change while a guard runs.
    pub(crate) fixed: Fixed,
    /// Digest of the file's exact bytes, of what its references take from other files and of the platforms' keys: every entry of the log
    /// names it.
    pub policy: Digest,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    audience: String,
    log: PathBuf,
    side: Option<PathBuf>,
    log_key: Option<String>,
    log_origin: Option<String>,
    receipts: Option<bool>,
    trail: Option<attest_trail::Table>,
    #[serde(default)]
    deny_as: DenyAs,
    skew_seconds: Option<u64>,
    max_request_bytes: Option<usize>,
    max_answer_bytes: Option<usize>,
    #[serde(default)]
    attester: Vec<AttesterEntry>,
    #[serde(default)]
    root: Vec<RootEntry>,
    #[serde(default)]
    platform: Vec<PlatformTable>,
    #[serde(default)]
    server: Vec<LogTable>,
    #[serde(default)]
    declassifier: Vec<DeclassifierTable>,
    #[serde(default)]
    approver: Vec<ApproverTable>,
    #[serde(default)]
    flow: FlowTable,
    policy: Option<table::Table>,
    #[serde(default)]
    agents: BTreeMap<String, AgentTable>,
    #[serde(default)]
    accepted: Vec<AcceptedTable>,
    #[serde(default)]
    closed: Vec<ClosedTable>,
    #[serde(default)]
    methods: BTreeMap<String, Setting>,
    #[serde(default)]
    http: Http,
    #[serde(default)]
    metrics: MetricsTable,
    open_calls: Option<OpenCallsTable>,
    #[serde(default)]
    telemetry: TelemetryTable,
    witness: Option<witness::Section>,
    #[serde(default)]
    status: status::Section,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
enum DenyAs {
    #[default]
    Error,
    ToolResult,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AttesterEntry {
    issuer: String,
    agents: Vec<String>,
    jwk: Jwk,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RootEntry {
    issuer: String,
    tools: Vec<String>,
    #[serde(default)]
    labels: Vec<String>,
    jwk: Jwk,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Jwk {
    kty: String,
    crv: String,
    x: String,
}

impl Jwk {
    fn key(&self) -> Result<PublicKey, KeyError> {
        if self.kty != "OKP" || self.crv != "Ed25519" {
            return Err(KeyError::Shape);
        }
        PublicKey::from_x(&self.x)
    }
}

impl Config {
    /// Reads and checks the file. Paths in it are relative to its folder.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let bytes =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        Self::parse(&bytes, path)
    }

    fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let at = || path.to_owned();
        let (file, shared) = match Sharing::of(text, path)? {
            Some((sharing, table)) => (table.try_into(), Some(sharing.key)),
            None => (toml::from_str(text), None),
        };
        let file: File = file.map_err(|source| ConfigError::Form { path: at(), source: Box::new(source) })?;
        let key = |jwk: &Jwk, entry: String| jwk.key().map_err(|source| ConfigError::Key { path: at(), entry, source });
        let mut attesters = Vec::new();
        for entry in file.attester {
            let named = format!("the attester {:?}", entry.issuer);
            attesters.push(Attester { key: key(&entry.jwk, named)?, issuer: entry.issuer, agents: entry.agents });
        }
        let mut roots = Vec::new();
        for entry in file.root {
            let scope =
                |text: &String| Scope::parse(text).ok_or(ConfigError::Scope { path: at(), scope: text.clone() });
            roots.push(Root {
                key: key(&entry.jwk, format!("the root {:?}", entry.issuer))?,
                tools: entry.tools.iter().map(scope).collect::<Result<_, _>>()?,
                labels: flow::labels(&entry.labels, "[[root]] labels")
                    .map_err(|source| ConfigError::Flow { path: at(), source })?,
                issuer: entry.issuer,
            });
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        // The entries name what was trusted. A publisher's word and a rule come from other files, so what they came to counts as well.
        let mut policy = text.as_bytes().to_vec();
        let mut files = vec![at()];
        let mut agents = HashMap::new();
        let (mut hardware, mut lineage, mut publishers) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
        for (agent, AgentTable { hardware: required, lineage: keeps, components }) in file.agents {
            if keeps {
                lineage.insert(agent.clone());
            }
            let mut references = References::new();
            if required {
                hardware.insert(agent.clone());
            }
            for (component, entry) in components {
                publishers.extend(entry.publishers(folder));
                files.extend(entry.files(folder));
                let reference = entry.reference(component, folder).map_err(|source| ConfigError::Reference {
                    path: at(),
                    agent: agent.clone(),
                    component,
                    source: Box::new(source),
                })?;
                let endorsed = reference.digests.iter().flatten().filter(|accepted| accepted.endorsed);
                endorsed.for_each(|accepted| policy.extend(accepted.digest.0));
                policy.extend(reference.rule.iter().flat_map(|rule| rule.digest().0));
                references.insert(component, reference);
            }
            agents.insert(agent, references);
        }
        let accepted = numbered(file.accepted, path, "accepted")?;
        let closed = numbered(file.closed, path, "closed")?;
        files.extend(file.platform.iter().map(|platform| folder.join(platform.file())));
        let platforms = platform::pinned(file.platform, folder, &publishers)
            .map_err(|source| ConfigError::Platform { path: at(), source })?;
        platforms.iter().for_each(|platform| policy.extend(platform.key.thumbprint().0));
        let flow = file.flow.read(file.server, file.declassifier, lineage);
        let (flow_trust, flow) = flow.map_err(|source| ConfigError::Flow { path: at(), source })?;
        let judging =
            match file.policy.map(|table| table.read(folder, |path| std::fs::read_to_string(path))).transpose() {
                Ok(None) => None,
                Ok(Some(table::Read { policy: judging, bytes, files: named })) => {
                    policy.extend(bytes);
                    files.extend(named);
                    Some(judging)
                }
                Err(source) => return Err(ConfigError::Policy { path: at(), source }),
            };
        let mut approvers = Vec::new();
        for table in file.approver {
            let entry = format!("the approver {:?}", table.name);
            approvers.push(table.read().map_err(|source| ConfigError::Key { path: at(), entry, source })?);
        }
        let status = file.status.within(folder);
        let Read { issuers, staleness, sources, files: named } =
            status.map_err(|source| ConfigError::Statuses { path: at(), source: Box::new(source) })?;
        files.extend(named);
        let skew = file.skew_seconds.unwrap_or(DEFAULT_SKEW);
        let trust = Trust::new(file.audience, attesters, roots, agents)
            .and_then(|trust| trust.with_platforms(platforms, hardware))
            .and_then(|trust| trust.with_flow(flow_trust))
            .and_then(|trust| trust.with_approvers(approvers))
            .and_then(|trust| trust.with_statuses(issuers, staleness))
            .and_then(|trust| trust.with_skew(skew));
        let trust = trust.map_err(|source| ConfigError::Trust { path: at(), source })?;
        if let Some(key) = shared.as_ref().filter(|key| trust.has_role(key.thumbprint())) {
            let source = SharingError::KeyTwice(key.thumbprint().clone());
            return Err(ConfigError::Shared { path: at(), source });
        }
        let methods = Methods::new(file.methods).map_err(|source| ConfigError::Methods { path: at(), source })?;
        let max_request = file.max_request_bytes.unwrap_or(attest_core::limits::MAX_REQUEST);
        let max_answer = file.max_answer_bytes.unwrap_or(Limits::default().answer);
        let http = file.http.within(folder, max_request, max_answer);
        if http.tls_certificate.is_some() != http.tls_key.is_some() {
            return Err(ConfigError::HalfTls { path: at() });
        }
        let witness = file.witness.map(|section| section.within(folder)).transpose();
        let (log, beside) = place(file.log, file.side, folder).map_err(|what| ConfigError::Log { path: at(), what })?;
        if let (Place::Shared(_), None) = (&log, &file.log_key) {
            return Err(ConfigError::Log { path: at(), what: LogFault::NoKey });
        }
        if matches!(log, Place::Shared(_)) && flow.has_stores() {
            return Err(ConfigError::Log { path: at(), what: LogFault::Stores });
        }
        let log_key = file.log_key.as_deref().map(|text| KeySource::within(text, folder)).transpose();
        Ok(Self {
            path: at(),
            log_origin: file.log_origin.unwrap_or_else(|| trust.audience().to_owned()),
            trust,
            log,
            beside,
            log_key: log_key.map_err(|source| ConfigError::LogKey { path: at(), source })?,
            receipts: file.receipts.unwrap_or(true),
            metrics: file.metrics,
            open_calls: file.open_calls.map(|table| table.within(folder)),
            telemetry: file.telemetry.within(folder),
            trail: file.trail.map(|table| table.within(folder)),
            deny_as: match file.deny_as {
                DenyAs::Error => Shape::Error,
                DenyAs::ToolResult => Shape::ToolResult,
            },
            max_request,
            max_answer,
            methods,
            http,
            witness: witness.map_err(|source| ConfigError::Witness { path: at(), source })?,
            accepted,
            closed,
            flow,
            judging,
            statuses: sources,
            shared,
            files,
            fixed: Fixed::of(text),
            policy: Digest::of(policy),
        })
    }
}

/// Where the log is, and what lies beside it.
fn place(log: PathBuf, side: Option<PathBuf>, folder: &Path) -> Result<(Place, PathBuf), LogFault> {
    match (Place::new(log), side) {
        (Place::File(path), None) => {
            let path = folder.join(path);
            Ok((Place::File(path.clone()), path))
        }
        (Place::File(_), Some(_)) => Err(LogFault::Side),
        (shared, Some(side)) => {
            let place = shared.with_side(folder.join(side));
            let beside = place.beside().ok_or(LogFault::NoSide)?;
            Ok((place, beside))
        }
        (_, None) => Err(LogFault::NoSide),
    }
}

/// The tables of a list, each read; an error says which.
fn numbered<T, U: TryFrom<T, Error = AcceptedError>>(
    tables: Vec<T>,
    path: &Path,
    list: &'static str,
) -> Result<Vec<U>, ConfigError> {
    let read = tables.into_iter().enumerate().map(|(n, table)| {
        let error = |source| ConfigError::Accepted { path: path.to_owned(), list, number: n + 1, source };
        table.try_into().map_err(error)
    });
    read.collect()
}

pub(crate) mod accepted;
mod agent;
mod approvers;
mod closed;
mod edit;
mod error;
mod fixed;
mod flow;
mod http;
mod metrics;
mod platform;
mod reference;
mod sharing;
mod status;
#[cfg(test)]
mod tests;
mod witness;
