//! What goes down with a call: a child of the chain that the call is made under, held by the agent behind the server. `spec/cause.md`,
//! *What a caller grants*.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use attest_core::derivation::{DerivationError, Parent, Terms};
use attest_core::digest::{Digest, Jti};
use attest_core::sign::Sign as _;
use attest_core::signing::Credentials;
use attest_keys::{Key, KeyError};

use crate::config::Subgrant;

/// Why a call has nothing to go down with, and so does not leave.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubgrantFailure {
    /// The chain does not give it.
    #[error(transparent)]
    Derivation(#[from] DerivationError),
    /// It would stay with this agent.
    #[error("grant_to is a key of this agent; name the call key of the agent behind the server")]
    Own,
    /// The key did not sign.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The system gives no random bits.
    #[error("the system gives no random bits: {0}")]
    Random(#[from] getrandom::Error),
}

/// What is granted to whom, and what was made of it last: one for each server, however many chains calls are made under.
#[derive(Debug, Default)]
pub(crate) struct Subgrants(BTreeMap<String, (Subgrant, Mutex<Option<Made>>)>);

#[derive(Clone, Debug)]
struct Made {
    /// Names what it was derived from, and by whom in which state.
    under: Digest,
    /// Seconds since 1970, from when on it is made anew.
    renew_at: u64,
    chain: Arc<[Arc<str>]>,
}

impl Subgrants {
    pub fn new(configured: &BTreeMap<String, Subgrant>) -> Self {
        Self(configured.iter().map(|(audience, grant)| (audience.clone(), (grant.clone(), Mutex::default()))).collect())
    }

    /// Makes each of them, so that one that cannot be made is known before anybody calls; else the server that it is for, and why.
    pub fn check(&self, credentials: &Credentials, key: &Key, now: u64) -> Result<(), (String, SubgrantFailure)> {
        let mut made = self.0.keys().map(|audience| (audience, self.of(audience, credentials, key, now)));
        made.try_for_each(|(audience, made)| made.map(|_| ()).map_err(|failure| (audience.clone(), failure)))
    }

    /// What goes down with a call to `audience` that is made under these credentials; nothing where nothing is configured.
    pub fn of(
        &self,
        audience: &str,
        credentials: &Credentials,
        key: &Key,
        now: u64,
    ) -> Result<Arc<[Arc<str>]>, SubgrantFailure> {
        let Some((grant, made)) = self.0.get(audience) else { return Ok(Arc::default()) };
        let held = locked(made).clone();
        if let Some(made) = held.filter(|made| made.under == credentials.name() && now < made.renew_at) {
            return Ok(made.chain);
        }
        let new = derive(grant, credentials, key, now)?;
        let chain = new.chain.clone();
        *locked(made) = Some(new);
        Ok(chain)
    }
}

fn derive(grant: &Subgrant, credentials: &Credentials, key: &Key, now: u64) -> Result<Made, SubgrantFailure> {
    let above: Vec<Arc<str>> = credentials.delegation().iter().map(|(_, text)| text.clone()).collect();
    let parent = Parent::read(&above)?;
    let mut id = [0; 16];
    getrandom::fill(&mut id)?;
    let child = parent.child(
        key.public(),
        grant.granted.clone(),
        Terms {
            holder: grant.holder.clone(),
            id: Jti(id),
            now,
            life: grant.life,
            passes: Some(grant.passes),
            // Where nobody asks for it, it would only tie the child to whoever attests this agent.
            by: parent.pins_its_holder().then_some(&*credentials.attestation().1),
            status: None,
        },
    )?;
    let token = if key.may_wait() { tokio::task::block_in_place(|| child.sign(key)) } else { child.sign(key) }?;
    // Who gets it has half of its life for what he was asked, at least.
    let renew_at = now + (child.expires - now) / 2;
    Ok(Made { under: credentials.name(), renew_at, chain: above.into_iter().chain([token.into()]).collect() })
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
