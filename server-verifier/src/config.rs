//! `guard.toml`: whom this verifier trusts, and where it writes. `spec/trust.md`.
//!
//! Trust sentence: whoever can change this file decides who is let in; it belongs to the server's operator, and neither the
//! agent nor the server behind should be able to write it.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};

use attest_core::digest::Digest;
use attest_core::jwk::{KeyError, PublicKey};
use attest_core::measurement::{Component, Grade};
use attest_core::reply::Shape;
use attest_core::trust::{Attester, DEFAULT_SKEW, Reference, References, Root, Scope, Trust, TrustError};
use attest_keys::KeySource;
use mcp_relay::http::Limits;
use serde::Deserialize;
use serde::de::{self, MapAccess, Visitor, value::MapAccessDeserializer};

use crate::methods::{Methods, MethodsError, Setting};

pub use http::Http;
pub use witness::{Witnesses, WitnessesError};

/// A verifier's configuration, read and checked.
#[derive(Debug)]
pub struct Config {
    /// Whom it trusts.
    pub trust: Trust,
    /// The log's file.
    pub log: PathBuf,
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
    /// The witnesses of the log, where there are any.
    pub witness: Option<Witnesses>,
    /// Digest of the file's exact bytes: every entry of the log names it.
    pub policy: Digest,
}

/// Why a configuration is refused. Nothing is started with a half-understood one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}; `attest init` writes a guard.toml to start from", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not TOML of the expected form.
    #[error("{path}: {source}", path = path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// Where and what.
        source: Box<toml::de::Error>,
    },
    /// A key that is refused.
    #[error("{path}: the jwk of {entry}: {source}", path = path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Which entry.
        entry: String,
        /// Why.
        source: KeyError,
    },
    /// A scope that is not `<audience>#<tool>`.
    #[error("{path}: {scope:?} is not <audience>#<tool> or <audience>#*", path = path.display())]
    Scope {
        /// The file.
        path: PathBuf,
        /// The text.
        scope: String,
    },
    /// Keys or names that contradict each other.
    #[error("{path}: {source}", path = path.display())]
    Trust {
        /// The file.
        path: PathBuf,
        /// What.
        source: TrustError,
    },
    /// Settings of methods that make no sense.
    #[error("{path}: [methods]: {source}", path = path.display())]
    Methods {
        /// The file.
        path: PathBuf,
        /// What.
        source: MethodsError,
    },
    /// The log's key.
    #[error("{path}: log_key: {source}", path = path.display())]
    LogKey {
        /// The file.
        path: PathBuf,
        /// What.
        source: attest_keys::KeyError,
    },
    /// The witnesses.
    #[error("{path}: [witness]: {source}", path = path.display())]
    Witness {
        /// The file.
        path: PathBuf,
        /// What.
        source: WitnessesError,
    },
    /// Only one half of what TLS needs.
    #[error("{path}: [http] names only one of tls_certificate and tls_key; name both, or neither", path = path.display())]
    HalfTls {
        /// The file.
        path: PathBuf,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    audience: String,
    log: PathBuf,
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
    agents: HashMap<String, BTreeMap<ComponentName, ReferenceEntry>>,
    #[serde(default)]
    methods: BTreeMap<String, Setting>,
    #[serde(default)]
    http: Http,
    witness: Option<witness::Section>,
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

#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(try_from = "String")]
struct ComponentName(Component);

impl TryFrom<String> for ComponentName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let known = || Component::ALL.iter().map(|c| c.as_str()).collect::<Vec<_>>().join(", ");
        Component::parse(&name).map(Self).ok_or_else(|| format!("no such component {name:?}; there are {}", known()))
    }
}

/// `"any"`, or a table of digests and the weakest accepted grade.
struct ReferenceEntry(Reference);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReferenceTable {
    digests: Vec<String>,
    grade: Option<String>,
}

/// The weakest grade that is accepted where the configuration does not say: the signer hashed the files itself.
const DEFAULT_GRADE: Grade = Grade::OnDisk;

impl<'de> Deserialize<'de> for ReferenceEntry {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = ReferenceEntry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"any\", or { digests = [\"…\"], grade = \"on-disk\" }")
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<ReferenceEntry, E> {
                if word != "any" {
                    return Err(E::invalid_value(de::Unexpected::Str(word), &self));
                }
                Ok(ReferenceEntry(Reference { digests: None, grade: Grade::Asserted }))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ReferenceEntry, A::Error> {
                let table = ReferenceTable::deserialize(MapAccessDeserializer::new(map))?;
                let digest = |text: &String| {
                    Digest::from_b64(text)
                        .ok_or_else(|| de::Error::custom(format!("{text:?} is not a SHA-256 digest in base64url")))
                };
                if table.digests.is_empty() {
                    return Err(de::Error::custom("no digest at all: list the accepted ones, or write \"any\""));
                }
                let grade = match &table.grade {
                    None => DEFAULT_GRADE,
                    Some(name) => Grade::parse(name).ok_or_else(|| {
                        de::Error::custom(format!("no such grade {name:?}; there are asserted, on-disk, in-use"))
                    })?,
                };
                let digests = table.digests.iter().map(digest).collect::<Result<_, _>>()?;
                Ok(ReferenceEntry(Reference { digests: Some(digests), grade }))
            }
        }
        deserializer.deserialize_any(Either)
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
        let file: File =
            toml::from_str(text).map_err(|source| ConfigError::Form { path: at(), source: Box::new(source) })?;
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
                issuer: entry.issuer,
            });
        }
        let agents = file.agents.into_iter().map(|(agent, components)| {
            let references: References = components.into_iter().map(|(name, entry)| (name.0, entry.0)).collect();
            (agent, references)
        });
        let skew = file.skew_seconds.unwrap_or(DEFAULT_SKEW);
        let trust = Trust::new(file.audience, attesters, roots, agents.collect()).and_then(|t| t.with_skew(skew));
        let trust = trust.map_err(|source| ConfigError::Trust { path: at(), source })?;
        let methods = Methods::new(file.methods).map_err(|source| ConfigError::Methods { path: at(), source })?;
        let max_request = file.max_request_bytes.unwrap_or(attest_core::limits::MAX_REQUEST);
        let max_answer = file.max_answer_bytes.unwrap_or(Limits::default().answer);
        let folder = path.parent().unwrap_or(Path::new(""));
        let http = file.http.within(folder, max_request, max_answer);
        if http.tls_certificate.is_some() != http.tls_key.is_some() {
            return Err(ConfigError::HalfTls { path: at() });
        }
        let witness = file.witness.map(|section| section.within(folder)).transpose();
        let log_key = file.log_key.as_deref().map(|text| KeySource::within(text, folder)).transpose();
        Ok(Self {
            log_origin: file.log_origin.unwrap_or_else(|| trust.audience().to_owned()),
            trust,
            log: folder.join(file.log),
            log_key: log_key.map_err(|source| ConfigError::LogKey { path: at(), source })?,
            receipts: file.receipts.unwrap_or(true),
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
            policy: Digest::of(text),
        })
    }
}

mod http;
#[cfg(test)]
mod tests;
mod witness;
