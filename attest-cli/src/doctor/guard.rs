//! A guard: its configuration, keys and log, and whether it lets an agent in.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use attest_core::chain;
use attest_core::delegation::Delegation;
use attest_core::jws::Unverified;
use attest_core::sign::Sign as _;
use attest_keys::KeySource;
use mcp_relay::http::{HostName, Upstream};
use server_verifier::config::Config;

use super::agent::{Agent, key};
use super::remote::Remote;
use super::{Findings, logs};

const ABOUT: &str = "guard";

pub(super) fn look(path: &Path, findings: &mut Findings) -> Option<(PathBuf, Config)> {
    let config = match Config::read(path) {
        Ok(config) => config,
        Err(error) => {
            findings.wrong("config", error);
            return None;
        }
    };
    findings.ok("config", format_args!("{} can be read", path.display()));
    let beside = KeySource::File(config.beside.with_added_extension("key"));
    if config.beside.exists() || config.log_key.is_some() {
        key("log_key", config.log_key.as_ref().unwrap_or(&beside), findings);
    }
    if let Some((certificate, tls_key)) = config.http.tls() {
        for file in [certificate, tls_key].into_iter().filter(|file| !file.exists()) {
            findings.wrong("config", format_args!("{} names {}, which is not there", path.display(), file.display()));
        }
        match tls_key.metadata() {
            Ok(meta) if meta.mode() & 0o077 != 0 => findings.wrong(
                "key",
                format_args!(
                    "tls_key {} is open to other users; run: chmod 600 '{}'",
                    tls_key.display(),
                    tls_key.display()
                ),
            ),
            _ => {}
        }
    }
    for (agent, component) in config.trust.anything_goes() {
        findings.warning(
            ABOUT,
            format_args!("any {} of the agent {agent} is accepted; pin its digest", component.as_str()),
        );
    }
    for agent in config.trust.any_start() {
        findings.warning(
            ABOUT,
            format_args!("the machine of the agent {agent} may be started in any way; pin the digest of its PCRs"),
        );
    }
    logs::look(&config.log, findings);
    Some((path.to_owned(), config))
}

/// Whether this guard lets this agent in, as far as keys and names go.
pub(super) fn agrees(path: &Path, guard: &Config, agent: &Agent, findings: &mut Findings) {
    let (path, trust, config) = (path.display(), &guard.trust, &agent.config);
    let before = findings.0.len();
    if let Some(key) = &agent.attester {
        let kid = key.public().thumbprint();
        match trust.attester(kid) {
            None => findings.wrong(
                ABOUT,
                format_args!(
                    "{path} does not pin the attester's key {kid} of {}; add an [[attester]] with its jwk",
                    config.path.display()
                ),
            ),
            Some(pinned) if pinned.issuer != config.issuer => findings.wrong(
                ABOUT,
                format_args!(
                    "{path} knows the attester as {:?}, {} as {:?}; write one name",
                    pinned.issuer,
                    config.path.display(),
                    config.issuer
                ),
            ),
            Some(pinned) if !pinned.agents.contains(&config.agent) => findings.wrong(
                ABOUT,
                format_args!(
                    "{path}: the attester may not speak for the agent {:?}; add it to its agents",
                    config.agent
                ),
            ),
            Some(_) if trust.references(&config.agent).is_none() => findings.wrong(
                ABOUT,
                format_args!(
                    "{path} has no reference values for the agent {:?}; add [agents.{:?}]",
                    config.agent, config.agent
                ),
            ),
            Some(_) => {}
        }
    }
    let tokens: Result<Vec<_>, _> = agent.chain.iter().map(|token| Unverified::<Delegation>::read(token)).collect();
    if let Ok(tokens) = tokens
        && !tokens.is_empty()
        && let Err(error) = chain::verify(tokens, trust)
    {
        let file = config.delegation.display();
        findings.wrong(
            ABOUT,
            format_args!("{path} does not accept {file}: {error}; delegate again from a root that it pins"),
        );
    }
    if findings.0.len() == before {
        findings.ok(ABOUT, format_args!("{path} pins the keys of {}", config.path.display()));
    }
}

/// The endpoint behind, where it is one.
pub(super) fn remote(path: &Path, guard: &Config, findings: &mut Findings) -> Option<Remote> {
    let url = guard.http.upstream.as_deref()?;
    match Upstream::new(url, HostName::Servers, guard.http.upstream_roots.as_deref()) {
        Ok(upstream) => Some(Remote { name: url.to_owned(), upstream }),
        Err(error) => {
            findings.wrong("upstream", format_args!("{}: {error}", path.display()));
            None
        }
    }
}
