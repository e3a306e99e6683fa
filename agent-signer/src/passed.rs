//! A grant that travels down a call: a chain for the agent behind a server, made by the signer of the agent that calls it.
//!
//! So the agent behind need not be configured with one beforehand, and has it only for as long as it works for this one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use attest_core::b64;
use attest_core::digest::{Digest, Jti};
use attest_core::jwk::PublicKey;
use attest_core::passing::{Granted, Passing, PassingError, pass_on, pins_its_holder};
use attest_core::signing::Credentials;
use attest_keys::{Key, KeyError};
use attest_log::clock::now;

/// What is granted to the agent behind one server.
#[derive(Clone, Debug)]
pub struct PassOn {
    /// Its call key.
    pub to: PublicKey,
    /// What it gets of what this agent has.
    pub granted: Granted,
    /// Seconds.
    pub life: u64,
    /// How many more times it may be passed on.
    pub passes: u64,
}

/// Chains that were made, by server.
#[derive(Default)]
pub(crate) struct Passed(Mutex<BTreeMap<String, Made>>);

struct Made {
    /// Names the chain that it was derived from, and the attestation in it.
    from: Digest,
    /// From when on another is made.
    stale: u64,
    chain: Vec<Arc<str>>,
}

/// Why none is made.
pub(crate) type Refused = PassingError<KeyError>;

impl Passed {
    /// The chain that goes with a call of `audience`: made anew when half its life is over, or the chain above is another.
    pub fn on(
        &self,
        audience: &str,
        what: &PassOn,
        credentials: &Credentials,
        (key, id): (&Key, Jti),
    ) -> Result<Vec<Arc<str>>, Refused> {
        let (now, from) = (now(), credentials.name());
        if let Some(made) = self.lock().get(audience).filter(|made| made.from == from && now < made.stale) {
            return Ok(made.chain.clone());
        }
        let chain: Vec<Arc<str>> = credentials.delegation().iter().map(|(_, text)| text.clone()).collect();
        let by = if pins_its_holder(&chain)? { Some(&*credentials.attestation().1) } else { None };
        let chain = made(&chain, what, by, (key, id))?;
        let made = Made { from, stale: now + what.life / 2, chain: chain.clone() };
        self.lock().insert(audience.to_owned(), made);
        Ok(chain)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Made>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn made(above: &[Arc<str>], what: &PassOn, by: Option<&str>, (key, id): (&Key, Jti)) -> Result<Vec<Arc<str>>, Refused> {
    let passing = Passing {
        to: what.to.clone(),
        granted: what.granted.clone(),
        id: b64::encode(id.0),
        now: now(),
        life: what.life,
        passes: Some(what.passes),
        by,
        status: None,
    };
    let child = pass_on(above, passing, key)?;
    Ok(above.iter().cloned().chain([child.into()]).collect())
}
