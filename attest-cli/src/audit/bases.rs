//! What calls rest on, made once for all workers; and the store of tokens held against what the entries name.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use attest_core::audit::{Bases, Basis, Fault, Finding};
use attest_core::digest::Digest;
use attest_core::entry::Written;
use attest_core::refusal::Token;
use attest_core::trust::Trust;
use attest_log::{ReadError, Reader};

use super::{Findings, Unverified};

/// Bases that are remembered. A call names one that is some minutes old at the most, so nothing older is asked for again.
const REMEMBERED: usize = 8_192;
/// Bases that a worker has at hand without asking: the calls of a few agents are interleaved.
const AT_HAND: usize = 4;

/// The first half of a token's hash, which nobody can give another token.
type Short = [u8; 16];
/// An attestation, and a chain.
type Key = (Digest, Box<[Digest]>);
type Made = Result<Arc<Basis>, Fault>;

/// What all workers share.
pub(super) struct Shared<'t> {
    trust: Option<&'t Trust>,
    bases: Mutex<HashMap<Key, Arc<OnceLock<Made>>>>,
    named: Mutex<HashSet<Short>>,
    /// Signatures of attestations and chains: checked, and with unknown keys.
    counts: [AtomicU64; 2],
}

impl<'t> Shared<'t> {
    pub(super) fn new(trust: Option<&'t Trust>) -> Self {
        Self { trust, bases: Mutex::default(), named: Mutex::default(), counts: Default::default() }
    }

    /// Signatures of attestations and chains that were checked, and those that were not.
    pub(super) fn counts(&self) -> (u64, u64) {
        let [checked, unchecked] = &self.counts;
        (checked.load(Ordering::Relaxed), unchecked.load(Ordering::Relaxed))
    }

    /// Whether the store has the tokens that the first `size` entries name, each under its hash, and no other; how many it
    /// has. A token that came with a later entry is none too many.
    pub(super) fn hold_against(&self, reader: &Reader, size: u64, findings: &mut Findings) -> Result<u64, Unverified> {
        let named = lock(&self.named);
        let mut unnamed = HashSet::new();
        let mut count = 0;
        reader.tokens(|hash, text| -> Result<(), Unverified> {
            count += 1;
            if Digest::of(text).0 != *hash {
                findings.add(Finding::of_the_log(Fault::TokenHash));
            }
            let short = short(hash);
            if !named.contains(&short) {
                unnamed.insert(short);
            }
            Ok(())
        })?;
        if !unnamed.is_empty() {
            reader.walk(size..u64::MAX, |_, body, _| -> Result<(), Unverified> {
                if let Ok(entry) = Written::read(body) {
                    for token in entry.tokens() {
                        unnamed.remove(&short(&token.0));
                    }
                }
                Ok(())
            })?;
        }
        for _ in unnamed {
            findings.add(Finding::of_the_log(Fault::TokenUnnamed));
        }
        Ok(count)
    }
}

/// One worker's view.
pub(super) struct Mine<'r, 's> {
    reader: &'r Reader,
    shared: &'s Shared<'s>,
    /// The last ones that were asked for, the newest first.
    at_hand: Vec<(Key, Made)>,
    /// Why the store could not be read.
    pub(super) failed: Option<ReadError>,
}

impl<'r, 's> Mine<'r, 's> {
    pub(super) fn new(reader: &'r Reader, shared: &'s Shared<'_>) -> Self {
        Self { reader, shared, at_hand: Vec::new(), failed: None }
    }

    fn make(&mut self, attestation: &Digest, delegation: &[Digest]) -> Made {
        let key: Key = (*attestation, delegation.into());
        let place = {
            let mut bases = lock(&self.shared.bases);
            if bases.len() >= REMEMBERED {
                bases.clear();
            }
            Arc::clone(bases.entry(key).or_default())
        };
        place.get_or_init(|| self.read(attestation, delegation)).clone()
    }

    fn read(&mut self, attestation: &Digest, delegation: &[Digest]) -> Made {
        {
            let mut named = lock(&self.shared.named);
            named.insert(short(&attestation.0));
            named.extend(delegation.iter().map(|hash| short(&hash.0)));
        }
        let attested = self.token(attestation, Token::Attestation)?;
        let mut chain = Vec::with_capacity(delegation.len());
        for (n, hash) in delegation.iter().enumerate() {
            chain.push(self.token(hash, Token::Delegation(n))?);
        }
        let chain: Vec<&str> = chain.iter().map(String::as_str).collect();
        let basis = Basis::read(&attested, &chain, self.shared.trust)?;
        let [checked, unchecked] = &self.shared.counts;
        checked.fetch_add(basis.checked, Ordering::Relaxed);
        unchecked.fetch_add(basis.unchecked, Ordering::Relaxed);
        Ok(Arc::new(basis))
    }

    fn token(&mut self, hash: &Digest, which: Token) -> Result<String, Fault> {
        match self.reader.token(&hash.0) {
            Ok(Some(text)) => Ok(text),
            Ok(None) => Err(Fault::TokenMissing(which)),
            Err(ReadError::WrongToken { .. }) => Err(Fault::TokenHash),
            Err(error) => {
                self.failed = Some(error);
                Err(Fault::TokenMissing(which))
            }
        }
    }
}

impl Bases for Mine<'_, '_> {
    fn basis(&mut self, attestation: &Digest, delegation: &[Digest]) -> Made {
        let is_it = |((of, chain), _): &(Key, Made)| of == attestation && **chain == *delegation;
        match self.at_hand.iter().position(is_it) {
            Some(0) => {}
            Some(at) => self.at_hand.swap(0, at),
            None => {
                let made = self.make(attestation, delegation);
                self.at_hand.truncate(AT_HAND - 1);
                self.at_hand.insert(0, ((*attestation, delegation.into()), made));
            }
        }
        self.at_hand.first().map_or(Err(Fault::TokenMissing(Token::Attestation)), |(_, made)| made.clone())
    }

    fn beside(&mut self, hash: &Digest, which: Token) -> Result<(), Fault> {
        lock(&self.shared.named).insert(short(&hash.0));
        self.token(hash, which).map(|_| ())
    }
}

fn short(hash: &[u8]) -> Short {
    let mut short = Short::default();
    short.iter_mut().zip(hash).for_each(|(to, from)| *to = *from);
    short
}

/// A thread that panicked with the lock held left a set that is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
