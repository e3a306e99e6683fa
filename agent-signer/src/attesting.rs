//! Measurements into an attestation, and that into what calls are presented with.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use attest_core::attestation::Attestation;
use attest_core::digest::Jti;
use attest_core::measurement::{Component, Measurement};
use attest_core::nonce::Nonce;
use attest_core::sign::Sign as _;
use attest_core::signing::Credentials;
use attest_keys::Key;
use attest_log::clock::now;

use crate::config::Config;
use crate::grant::Grant;
use crate::service::StartError;
use crate::state::State;

/// What calls are presented with.
pub(crate) struct Presented {
    pub credentials: Credentials,
    /// Whether its tokens are durable in the log.
    pub logged: AtomicBool,
}

/// What is attested at present.
pub(crate) struct Current {
    pub state: State,
    pub grant: Grant,
    pub presented: Arc<Presented>,
    /// What is attested of what the agent was given, and how often that had changed.
    pub given: (u64, Vec<Measurement>),
    /// Seconds since 1970 from when on the state is measured again although no file changed.
    pub renew_at: u64,
}

/// Measures once and attests: for a look at the token, or for a signer elsewhere.
pub fn issue(config: &Config, state: State) -> Result<String, StartError> {
    let measurements = measurements(config, &state, &[]);
    attestation(config, (&config.attester_key.load()?, &config.key.load()?), measurements, None)
}

/// What is attested, in ascending order: what stands on disk, but for what is measured in requests to the model, and what the
/// agent was given.
pub(crate) fn measurements(config: &Config, state: &State, given: &[Measurement]) -> Vec<Measurement> {
    let replaced = |m: &Measurement| config.measure.turns.iter().any(|from| Component::from(*from) == m.component);
    let loaded = &config.loaded;
    let on_disk = state.measurements.iter().filter(|m| !loaded.iter().any(|l| l.component == m.component));
    let on_disk = on_disk.chain(loaded).filter(|m| !replaced(m));
    let mut all: Vec<Measurement> = on_disk.chain(given).copied().collect();
    all.sort_by_key(|m| m.component);
    all
}

fn attestation(
    config: &Config,
    (attester, key): (&Key, &Key),
    measurements: Vec<Measurement>,
    nonce: Option<Nonce>,
) -> Result<String, StartError> {
    let now = now();
    let attestation = Attestation {
        issuer: config.issuer.clone(),
        agent: config.agent.clone(),
        issued_at: now,
        expires: now + config.attestation_seconds,
        id: Jti(random()?),
        key: key.public().clone(),
        measurements,
        platform: None,
        nonce,
        status: config.status.clone(),
    };
    Ok(quoted(attestation, config)?.sign(attester)?)
}

/// With the quote of the machine's TPM, where one is configured: without it nothing is attested.
#[cfg(feature = "tpm")]
fn quoted(mut attestation: Attestation, config: &Config) -> Result<Attestation, StartError> {
    if let Some(platform) = &config.platform {
        attestation.platform = Some(crate::tpm::Tpm::open(platform)?.quote(attestation.quoted())?);
    }
    Ok(attestation)
}

#[cfg(not(feature = "tpm"))]
fn quoted(attestation: Attestation, _: &Config) -> Result<Attestation, StartError> {
    // A configuration that names a TPM was refused.
    Ok(attestation)
}

/// What calls are presented with, over this state.
pub(crate) fn credentials(
    config: &Config,
    keys: (&Key, &Key),
    state: &State,
    grant: &Grant,
    given: &[Measurement],
    nonce: Option<Nonce>,
) -> Result<Credentials, StartError> {
    let measurements = measurements(config, state, given);
    let disclosed = state.disclosed(&measurements);
    let attestation = attestation(config, keys, measurements, nonce)?;
    let empty = || StartError::Delegation { path: config.delegation.clone(), what: "holds no token".to_owned() };
    Ok(Credentials::new(&attestation, &grant.tokens).ok_or_else(empty)?.disclosing(disclosed))
}

pub(crate) fn attest(
    config: &Config,
    attester: &Key,
    key: &Key,
    state: State,
    grant: Grant,
    given: (u64, Vec<Measurement>),
) -> Result<Current, StartError> {
    let credentials = credentials(config, (attester, key), &state, &grant, &given.1, None)?;
    // Two thirds of its life leave time to measure again, and for clocks that differ.
    let presented = Arc::new(Presented { credentials, logged: AtomicBool::new(false) });
    Ok(Current { state, grant, presented, given, renew_at: now() + config.attestation_seconds * 2 / 3 })
}

/// Twice 128 random bits.
pub(crate) fn random_bits() -> Result<[[u8; 16]; 2], getrandom::Error> {
    let mut bits = [[0; 16]; 2];
    getrandom::fill(bits.as_flattened_mut())?;
    Ok(bits)
}

pub(crate) fn random() -> Result<[u8; 16], StartError> {
    let [bits, _] = random_bits()?;
    Ok(bits)
}
