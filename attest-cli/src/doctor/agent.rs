//! An agent: its configuration, keys, delegation, log and signer.

use std::path::Path;

use agent_signer::Config;
use attest_core::delegation::Delegation;
use attest_core::jws::Unverified;
use attest_core::sign::Sign as _;
use attest_keys::{Key, KeySource};

use super::remote::Remote;
use super::{Findings, logs};

/// An agent that could be read.
pub(super) struct Agent {
    pub config: Config,
    pub attester: Option<Key>,
    pub chain: Vec<String>,
}

/// A delegation that ends within this many seconds is worth a word.
const SOON: u64 = 7 * 86_400;

pub(super) fn look(path: &Path, now: u64, findings: &mut Findings) -> Option<Agent> {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let config = match Config::read(&path) {
        Ok(config) => config,
        Err(error) => {
            findings.wrong("config", error);
            return None;
        }
    };
    references(&config, findings);
    let call = key("key", &config.key, findings);
    let attester = key("attester_key", &config.attester_key, findings);
    if let Some(source) = &config.log_key {
        key("log_key", source, findings);
    }
    let chain = delegation(&config, call.as_ref(), now, findings);
    if config.receipts == Some(agent_signer::config::Receipts::Required) && config.log_keys.is_empty() {
        findings.wrong(
            "receipts",
            "agent.toml requires receipts and pins no log's key; add [[server]] with what `attest log key` prints",
        );
    }
    logs::look(&attest_log::Place::new(&config.log), findings);
    signer(&path, &config, findings);
    Some(Agent { config, attester, chain })
}

/// Files that the configuration names and that are not there.
fn references(config: &Config, findings: &mut Findings) {
    let measure = &config.measure;
    let files = measure.weights.iter().chain(&measure.harness).chain(&measure.system_prompt).chain(&measure.config);
    let missing: Vec<_> = files.filter(|file| !file.exists()).collect();
    for file in &missing {
        findings.wrong(
            "config",
            format_args!("{} names {}, which is not there; correct [measure]", config.path.display(), file.display()),
        );
    }
    if missing.is_empty() {
        findings.ok("config", format_args!("{} can be read; what it measures is there", config.path.display()));
    }
}

/// A key's own errors say what to do.
pub(super) fn key(name: &str, source: &KeySource, findings: &mut Findings) -> Option<Key> {
    match source.load() {
        Ok(key) => {
            findings.ok("key", format_args!("{name} at {source}: {}", key.public().thumbprint()));
            Some(key)
        }
        Err(error) => {
            findings.wrong("key", format_args!("{name}: {error}"));
            None
        }
    }
}

fn delegation(config: &Config, key: Option<&Key>, now: u64, findings: &mut Findings) -> Vec<String> {
    const ABOUT: &str = "delegation";
    let path = config.delegation.display();
    let text = match std::fs::read_to_string(&config.delegation) {
        Ok(text) => text,
        Err(error) => {
            findings.wrong(ABOUT, format_args!("cannot read {path}: {error}; `attest delegate` writes one"));
            return Vec::new();
        }
    };
    let before = findings.0.len();
    let (mut ends, mut leaf) = (u64::MAX, None);
    for (at, token) in text.split_whitespace().enumerate() {
        let number = at + 1;
        match Unverified::<Delegation>::read(token) {
            Ok(token) => {
                let said = token.peek();
                if said.expires <= now {
                    findings.wrong(
                        ABOUT,
                        format_args!(
                            "{path}: token {number} expired {}; renew it with `attest delegate`",
                            since(now - said.expires)
                        ),
                    );
                }
                if said.issued_at > now + attest_core::trust::DEFAULT_SKEW {
                    findings.wrong(ABOUT, format_args!("{path}: token {number} is from the future; check the clock"));
                }
                ends = ends.min(said.expires);
                leaf = Some(said.key.clone());
            }
            Err(error) => {
                findings.wrong(
                    ABOUT,
                    format_args!("{path}: token {number}: {error}; write it again with `attest delegate`"),
                );
            }
        }
    }
    match (&leaf, key) {
        (None, _) => findings.wrong(ABOUT, format_args!("{path} holds no token; `attest delegate` writes one")),
        (Some(leaf), Some(key)) if leaf != key.public() => findings.wrong(
            ABOUT,
            format_args!(
                "{path} is held by the key {}, but the agent's key is {}; delegate to the agent's key",
                leaf.thumbprint(),
                key.public().thumbprint()
            ),
        ),
        _ => {}
    }
    if findings.0.len() == before {
        let left = ends.saturating_sub(now);
        let text = format!("{path} is good for another {}", span(left));
        if left < SOON {
            findings.warning(ABOUT, format_args!("{text}; renew it with `attest delegate`"));
        } else {
            findings.ok(ABOUT, text);
        }
    }
    text.split_whitespace().map(str::to_owned).collect()
}

fn since(seconds: u64) -> String {
    format!("{} ago", span(seconds))
}

fn span(seconds: u64) -> String {
    let largest = [(86_400, "d"), (3_600, "h"), (60, "min")].into_iter().find(|(size, _)| seconds >= *size);
    largest.map_or_else(|| format!("{seconds} s"), |(size, unit)| format!("{} {unit}", seconds / size))
}

fn signer(path: &Path, config: &Config, findings: &mut Findings) {
    const ABOUT: &str = "signer";
    let socket = match agent_signer::launch::socket_of(config) {
        Ok(socket) => socket,
        Err(error) => return findings.wrong(ABOUT, error),
    };
    match agent_signer::args::signer_status(path) {
        Ok(Some(_)) => findings.ok(ABOUT, format_args!("runs at {}", socket.display())),
        Ok(None) if socket.symlink_metadata().is_ok() => findings.warning(
            ABOUT,
            format_args!(
                "nobody listens at {}; the signer there ended by force. Run: rm '{}'",
                socket.display(),
                socket.display()
            ),
        ),
        Ok(None) => findings.ok(ABOUT, "does not run; the first wrap starts it"),
        Err(error) => findings.wrong(ABOUT, error),
    }
}

impl Agent {
    /// The remote servers whose address stands in the configuration, with their header fields.
    pub fn remotes(&self, findings: &mut Findings) -> Vec<Remote> {
        let mut remotes = Vec::new();
        for (name, remote) in &self.config.upstream {
            let Some(url) = &remote.url else { continue };
            match remote.connect(url) {
                Ok(upstream) => remotes.push(Remote { name: name.clone(), upstream }),
                Err(error) => findings.wrong("upstream", format_args!("{name}: {error}")),
            }
        }
        remotes
    }
}
