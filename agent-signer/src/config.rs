//! `agent.toml`: what the agent is, which keys it has, what was delegated to it.
//!
//! Trust sentence: whoever can change this file decides what is measured and in whose name; it belongs to the person who
//! runs the agent, and the agent itself should not be able to write it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use attest_core::checkpoint::LogKeys;
use attest_core::claims::is_name;
use attest_core::labels::Labels;
use attest_core::limits::{MAX_ATTESTATION_LIFE, MAX_CALL_LIFE};
use attest_core::measurement::{Component, Measurement};
use attest_core::status::StatusRef;
use attest_keys::KeySource;
use attest_measure::{Cancel, FileSet};
use attest_policy::Policy;
use attest_policy::table;
use serde::{Deserialize, Serialize};
use subgrant::SubgrantTable;

pub use crate::lineage::FlowTable;
pub use error::ConfigError;
pub use platform::{DEFAULT_HANDLE, Platform};
pub use subgrant::{Subgrant, SubgrantError};
pub use upstream::{Remote, RemoteError};

/// An agent's configuration. All paths are absolute, or relative to the working directory like the file's own.
#[derive(Debug)]
pub struct Config {
    /// The file itself.
    pub path: PathBuf,
    /// The agent's name, `sub` of its attestations.
    pub agent: String,
    /// Who attests, `iss` of its attestations.
    pub issuer: String,
    /// The call key.
    pub key: KeySource,
    /// The attester's key.
    pub attester_key: KeySource,
    /// File with the chain of delegation: one token a line, root first.
    pub delegation: PathBuf,
    /// The caller's log.
    pub log: PathBuf,
    /// The log's own key; `None` for the file beside the log.
    pub log_key: Option<KeySource>,
    /// The log's name.
    pub log_origin: String,
    /// Where the signer listens; `None` for the place that follows from the file's own path.
    pub socket: Option<PathBuf>,
    /// User ids that may have calls signed, beside the signer's own.
    pub allow_users: Vec<u32>,
    /// Seconds for which an attestation is good.
    pub attestation_seconds: u64,
    /// Seconds for which a call proof is good.
    pub call_seconds: u64,
    /// Seconds without a client after which the signer ends.
    pub idle_seconds: u64,
    /// Whether the caller's entry is durable before a call leaves.
    pub strict: bool,
    /// What is measured.
    pub measure: Measure,
    /// The folder in which files that are held open are shown, of an agent that was started with them. No part of the file.
    pub view: Option<PathBuf>,
    /// What the program that this signer is part of measured itself, as it loaded it; stands in the place of what is on disk. No part of the
    /// file.
    pub loaded: Vec<Measurement>,
    /// Ends measuring: at the start, and again whenever files were touched. No part of the file.
    pub cancel: Cancel,
    /// The trail of every message that matters, in the caller's log; `None` for none.
    pub trail: Option<attest_trail::Table>,
    /// What is asked of receipts; `None` for what follows from the pinned keys.
    pub receipts: Option<Receipts>,
    /// The pinned keys of servers' logs, by audience.
    pub log_keys: BTreeMap<String, LogKeys>,
    /// Whether and how what the agent's contexts have seen is kept; `None` for not at all.
    pub flow: Option<FlowTable>,
    /// The labels of what servers say without a receipt, by audience.
    pub labels: BTreeMap<String, Labels>,
    /// What the agents behind servers are granted with each call, by audience.
    pub grants: BTreeMap<String, Subgrant>,
    /// Remote servers, by the name that their guard goes by.
    pub upstream: BTreeMap<String, Remote>,
    /// The machine's TPM; `None` for attestations without its quote.
    pub platform: Option<Platform>,
    /// Where it is said whether this agent's attestations still count; `None` for nowhere.
    pub status: Option<StatusRef>,
    /// What is asked of each call before it is signed; `None` for nothing.
    pub policy: Option<Policy>,
    /// The files that it and the grants were read from, besides this one.
    pub policy_files: Vec<PathBuf>,
}

/// What is measured.
#[derive(Debug, Default)]
pub struct Measure {
    /// The model's files, or the folder that holds them.
    pub weights: Vec<PathBuf>,
    /// Whether the tensors in them are measured one by one: a second hash over the same bytes, so half the rate.
    pub tensors: bool,
    /// Paths below the weights' folder that do not count as the model's: a signature that lies beside it, a `.git`.
    pub weights_except: Vec<String>,
    /// A hosted model.
    pub model: Option<Model>,
    /// The file that holds the system prompt.
    pub system_prompt: Option<PathBuf>,
    /// The settings' file, TOML or JSON.
    pub config: Option<PathBuf>,
    /// Environment variables that belong to the settings.
    pub config_env: Vec<String>,
    /// The host program's files.
    pub harness: Vec<PathBuf>,
    /// Whether the signer's own executable and this configuration are measured.
    pub signer: bool,
    /// Whether the tools that the agent's servers list are measured.
    pub tools: bool,
    /// What is measured in requests to the model, in place of what stands on disk.
    pub turns: Vec<FromTurns>,
    /// Whether the digests of files that nobody touched are taken from the last time.
    pub cache: bool,
    /// Seconds after which one file, picked by chance, is read again, whatever its times say; 0 for never.
    pub recheck_seconds: u64,
    /// What servers are shown beside the digests, for their comparison rules, each once. Every server that is called sees it.
    pub disclose: Vec<Component>,
}

/// What can be disclosed: what there are comparison rules for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Disclose {
    SystemPrompt,
    ModelTensors,
    ModelWeights,
    Harness,
}

impl From<Disclose> for Component {
    fn from(disclose: Disclose) -> Self {
        match disclose {
            Disclose::SystemPrompt => Self::SystemPrompt,
            Disclose::ModelTensors => Self::ModelTensors,
            Disclose::ModelWeights => Self::ModelWeights,
            Disclose::Harness => Self::Harness,
        }
    }
}

/// A component that requests to the model show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FromTurns {
    /// The system prompt as sent.
    SystemPrompt,
    /// Provider and model as named.
    ModelRef,
    /// Settings and tools as sent.
    Config,
}

impl From<FromTurns> for Component {
    fn from(from: FromTurns) -> Self {
        match from {
            FromTurns::SystemPrompt => Self::SystemPrompt,
            FromTurns::ModelRef => Self::ModelRef,
            FromTurns::Config => Self::Config,
        }
    }
}

/// What is asked of the receipt that comes with the answer to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Receipts {
    /// An answer without one that holds is withheld.
    Required,
    /// One that does not hold has the answer withheld; one that is missing is written down.
    Checked,
    /// Nobody looks at it.
    Ignored,
}

/// A hosted model, by name.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Who serves it.
    pub provider: String,
    /// Its name there.
    pub model: String,
    /// Which of its versions.
    pub snapshot: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    agent: String,
    issuer: String,
    key: String,
    attester_key: String,
    delegation: PathBuf,
    log: PathBuf,
    log_key: Option<String>,
    log_origin: Option<String>,
    socket: Option<PathBuf>,
    #[serde(default)]
    allow_users: Vec<u32>,
    #[serde(default = "five_minutes")]
    attestation_seconds: u64,
    #[serde(default = "one_minute")]
    call_seconds: u64,
    #[serde(default = "half_an_hour")]
    idle_seconds: u64,
    #[serde(default)]
    strict: bool,
    measure: MeasureTable,
    receipts: Option<Receipts>,
    trail: Option<attest_trail::Table>,
    #[serde(default)]
    server: Vec<ServerTable>,
    #[serde(default)]
    upstream: BTreeMap<String, Remote>,
    platform: Option<Platform>,
    flow: Option<FlowTable>,
    status: Option<StatusTable>,
    policy: Option<table::Table>,
}

/// `[status]`: a place in a list that somebody else keeps.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StatusTable {
    uri: String,
    idx: u64,
}

fn yes() -> bool {
    true
}

fn five_minutes() -> u64 {
    300
}

fn one_minute() -> u64 {
    60
}

fn half_an_hour() -> u64 {
    1_800
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ServerTable {
    audience: String,
    #[serde(default)]
    log_keys: Vec<String>,
    #[serde(default)]
    labels: Vec<String>,
    grant: Option<PathBuf>,
    grant_to: Option<PathBuf>,
    grant_life: Option<String>,
    grant_passes: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MeasureTable {
    #[serde(default)]
    weights: Vec<PathBuf>,
    #[serde(default)]
    tensors: bool,
    #[serde(default)]
    weights_except: Vec<String>,
    model: Option<Model>,
    system_prompt: Option<PathBuf>,
    config: Option<PathBuf>,
    #[serde(default)]
    config_env: Vec<String>,
    #[serde(default)]
    harness: Vec<PathBuf>,
    #[serde(default)]
    signer: bool,
    #[serde(default)]
    tools: bool,
    #[serde(default)]
    turns: Vec<FromTurns>,
    #[serde(default = "yes")]
    cache: bool,
    #[serde(default)]
    disclose: Vec<Disclose>,
    #[serde(default = "five_minutes")]
    recheck_seconds: u64,
}

impl Config {
    /// Reads and checks the file. Paths in it are relative to its folder.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path);
        Self::parse(&text.map_err(|source| ConfigError::Read { path: path.to_owned(), source })?, path)
    }

    /// Checks the text of a file that is, or is to be, at `path`.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let at = || path.to_owned();
        let file: File =
            toml::from_str(text).map_err(|source| ConfigError::Form { path: at(), source: Box::new(source) })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let join = |p: &Path| folder.join(p);
        let key = |text: &str| {
            KeySource::within(text, folder).map_err(|source| ConfigError::Key { path: at(), source: Box::new(source) })
        };
        let range = |value: u64, field, longest| match value {
            n if (1..=longest).contains(&n) => Ok(n),
            _ => Err(ConfigError::Range { path: at(), field, longest }),
        };
        let m = file.measure;
        let measure = Measure {
            weights: m.weights.iter().map(|p| join(p)).collect(),
            tensors: m.tensors,
            weights_except: m.weights_except,
            model: m.model,
            system_prompt: m.system_prompt.as_deref().map(join),
            config: m.config.as_deref().map(join),
            config_env: m.config_env,
            harness: m.harness.iter().map(|p| join(p)).collect(),
            signer: m.signer,
            tools: m.tools,
            turns: m.turns,
            cache: m.cache,
            disclose: m.disclose.into_iter().map(Component::from).collect(),
            recheck_seconds: m.recheck_seconds,
        };
        if measure.is_empty() {
            return Err(ConfigError::NothingMeasured { path: at() });
        }
        if measure.tools && file.trail.is_none() {
            return Err(ConfigError::ToolsUnseen { path: at() });
        }
        measure.check(path)?;
        if file.platform.is_some() && cfg!(not(feature = "tpm")) {
            return Err(ConfigError::BuiltWithoutTpm { path: at() });
        }
        let status = file.status.map(|StatusTable { uri, idx }| StatusRef { index: idx, uri });
        if status.as_ref().is_some_and(|status| !is_name(&status.uri) || status.index >= 1 << 53) {
            return Err(ConfigError::Status { path: at() });
        }
        let (mut log_keys, mut labels, mut grants) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for server in file.server {
            let ServerTable { audience, log_keys: lines, labels: listed, .. } = server;
            let ServerTable { grant, grant_to: to, grant_life: life, grant_passes: passes, .. } = server;
            let of =
                Labels::of(&listed).ok_or_else(|| ConfigError::Labels { path: at(), audience: audience.clone() })?;
            let known = labels.insert(audience.clone(), of).is_some();
            if !is_name(&audience) || audience.contains('#') || known {
                return Err(ConfigError::Server { path: at(), audience });
            }
            let grant = SubgrantTable { grant, to, life, passes }.read(folder);
            let grant =
                grant.map_err(|source| ConfigError::Subgrant { path: at(), audience: audience.clone(), source })?;
            let says_more = !listed.is_empty() || grant.is_some();
            grants.extend(grant.map(|grant| (audience.clone(), grant)));
            if lines.is_empty() && says_more {
                continue;
            }
            let keys = LogKeys::parse(&lines).map_err(|source| ConfigError::LogKeys {
                path: at(),
                audience: audience.clone(),
                source,
            })?;
            log_keys.insert(audience, keys);
        }
        let policy = file.policy.map(|table| table.read(folder, |path| std::fs::read_to_string(path))).transpose();
        let policy = policy.map_err(|source| ConfigError::Policy { path: at(), source })?;
        if policy.as_ref().is_some_and(|read| read.policy.hold.is_some()) {
            return Err(ConfigError::Held { path: at() });
        }
        let (policy, policy_files) = policy.map(|read| (read.policy, read.files)).unzip();
        let mut policy_files = policy_files.unwrap_or_default();
        policy_files.extend(grants.values().flat_map(|grant| grant.files.iter().cloned()));
        Ok(Self {
            path: at(),
            policy,
            policy_files,
            grants,
            log_key: file.log_key.as_deref().map(key).transpose()?,
            log_origin: file.log_origin.unwrap_or_else(|| format!("{}/calls", file.agent)),
            agent: file.agent,
            issuer: file.issuer,
            key: key(&file.key)?,
            attester_key: key(&file.attester_key)?,
            delegation: join(&file.delegation),
            log: join(&file.log),
            socket: file.socket.as_deref().map(join),
            allow_users: file.allow_users,
            attestation_seconds: range(file.attestation_seconds, "attestation_seconds", MAX_ATTESTATION_LIFE)?,
            call_seconds: range(file.call_seconds, "call_seconds", MAX_CALL_LIFE)?,
            idle_seconds: range(file.idle_seconds, "idle_seconds", 365 * 86_400)?,
            strict: file.strict,
            measure,
            view: None,
            loaded: Vec::new(),
            cancel: Cancel::default(),
            receipts: file.receipts,
            trail: file.trail.map(|table| table.within(folder)),
            log_keys,
            flow: file.flow.map(|table| table.within(folder)),
            labels,
            upstream: file.upstream.into_iter().map(|(name, remote)| (name, remote.within(folder))).collect(),
            platform: file.platform,
            status,
        })
    }
}

impl Config {
    /// What is asked of receipts of the server that goes by `audience`, and the keys that they are checked with. Without a
    /// pinned key nothing can be checked.
    pub fn receipts_of(&self, audience: &str) -> (Receipts, Option<&LogKeys>) {
        let keys = self.log_keys.get(audience);
        let asked = self.receipts.unwrap_or(if keys.is_some() { Receipts::Required } else { Receipts::Ignored });
        (asked, keys)
    }

    /// The labels of what this server says without a receipt; `None` where nothing is kept of what was seen.
    pub(crate) fn labels_of(&self, audience: &str) -> Option<Vec<String>> {
        self.flow.as_ref()?;
        Some(self.labels.get(audience).into_iter().flat_map(Labels::iter).map(str::to_owned).collect())
    }
}

impl Measure {
    /// The model's files.
    pub fn weights(&self) -> FileSet {
        FileSet::new(&self.weights).except(&self.weights_except)
    }

    /// Whether its parts fit each other. `path` is the file's, for the message.
    pub fn check(&self, path: &Path) -> Result<(), ConfigError> {
        if self.tensors && self.weights.is_empty() {
            return Err(ConfigError::TensorsOfNothing { path: path.to_owned() });
        }
        for (n, component) in self.disclose.iter().enumerate() {
            let measured = match component {
                Component::SystemPrompt => self.system_prompt.is_some(),
                Component::ModelTensors => self.tensors,
                Component::Harness => !self.harness.is_empty(),
                _ => !self.weights.is_empty(),
            };
            if !measured || self.disclose.iter().take(n).any(|earlier| earlier == component) {
                return Err(ConfigError::Undisclosed { path: path.to_owned(), component: *component });
            }
        }
        Ok(())
    }

    /// Whether nothing is measured before the first request to a model: an attestation of nothing proves nothing.
    fn is_empty(&self) -> bool {
        let files = self.weights.is_empty() && self.harness.is_empty();
        let file = |is: bool, from| is && !self.turns.contains(&from);
        let model = file(self.model.is_some(), FromTurns::ModelRef);
        let prompt = file(self.system_prompt.is_some(), FromTurns::SystemPrompt);
        let config = file(self.config.is_some(), FromTurns::Config);
        files && !model && !prompt && !config && !self.signer
    }
}

mod error;
mod platform;
mod subgrant;
mod upstream;
