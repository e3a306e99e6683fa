//! Signed and verified calls per CPU-second, ours beside signet-core and beside the bare signature, in turns:
//! `cargo run --release -p attest-benches --bin pairs [rounds] [pairs per round] [only]`; `only` is part of the name of the
//! one to run, for a profiler.

use std::hint::black_box;
use std::io::Write as _;
use std::time::Duration;

use attest_benches::calls::CALL;
use attest_benches::clock::cpu;
use attest_benches::figures::Spread;
use attest_benches::parties::{Parties, verify};
use attest_benches::peer::Peer;
use attest_benches::{Outcome, figures};
use attest_core::verifier::Verifier;
use ed25519_dalek::{Signature, Signer as _, SigningKey};
use signet_core::Receipt;

/// Calls signed before they are verified: few enough to stay in the cache, enough that reading the clock costs nothing.
const BATCH: usize = 32;
/// What the two ratios are to.
const LIMIT: &str = "limit: the same over a call proof's bytes";
const PEER: &str = "signet-core 0.11, values in memory";

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let rounds: usize = arguments.next().map_or(Ok(60), |text| text.parse())?;
    let pairs: usize = arguments.next().map_or(Ok(1_024), |text| text.parse())?;
    let only = arguments.next().unwrap_or_default();
    let input = signing_input()?;
    let size = input.len();
    let mut contenders: Vec<Box<dyn Contender>> = vec![
        Box::new(Bare::new("ed25519 sign + verify_strict, 32 bytes", vec![b'x'; 32])),
        Box::new(Bare::new(LIMIT, input)),
        Box::new(Ours::new()?),
        Box::new(InMemory::new()?),
        Box::new(OnTheWire::new()?),
    ];
    contenders.retain(|c| c.name().contains(&only));
    let mut turns: Vec<Vec<Turn>> = contenders.iter().map(|_| Vec::new()).collect();
    // The first round warms caches and clocks up and is thrown away.
    for round in 0..=rounds {
        for (contender, turns) in contenders.iter_mut().zip(&mut turns) {
            let turn = Turn::take(contender.as_mut(), pairs.div_ceil(BATCH))?;
            if round > 0 {
                turns.push(turn);
            }
        }
    }
    report(&contenders, &turns, pairs, size)
}

/// Somebody who signs a batch and verifies what was signed.
trait Contender {
    fn name(&self) -> &'static str;
    fn sign(&mut self) -> Outcome<()>;
    fn verify(&mut self) -> Outcome<()>;
}

/// CPU time per call of one contender in one round.
#[derive(Clone, Copy)]
struct Turn {
    sign: f64,
    verify: f64,
}

impl Turn {
    fn take(contender: &mut dyn Contender, batches: usize) -> Outcome<Self> {
        let (mut signing, mut verifying) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..batches {
            let begun = cpu();
            contender.sign()?;
            let signed = cpu();
            contender.verify()?;
            signing += signed.saturating_sub(begun);
            verifying += cpu().saturating_sub(signed);
        }
        let calls = (batches * BATCH) as f64;
        Ok(Self { sign: signing.as_secs_f64() / calls, verify: verifying.as_secs_f64() / calls })
    }

    fn rate(self) -> f64 {
        (self.sign + self.verify).recip()
    }
}

fn report(contenders: &[Box<dyn Contender>], turns: &[Vec<Turn>], pairs: usize, size: usize) -> Outcome<()> {
    let mut out = std::io::stdout().lock();
    let rounds = turns.first().map_or(0, Vec::len);
    writeln!(
        out,
        "{rounds} rounds of {pairs} pairs each, in turns; CPU time. A call proof signs {size} bytes. Backend of ours and of \
         the bare signature: {}.\n",
        backend()
    )?;
    writeln!(
        out,
        "{:<42} {:>8} {:>8}   {:>9} {:>9} {:>9}   {:>8} {:>8}",
        "", "sign", "verify", "pairs per", "CPU-s", "", "of the", "times"
    )?;
    writeln!(
        out,
        "{:<42} {:>8} {:>8}   {:>9} {:>9} {:>9}   {:>8} {:>8}",
        "", "µs, med.", "µs, med.", "best", "median", "worst", "limit", "Signet"
    )?;
    let named = |name| contenders.iter().position(|c| c.name() == name).and_then(|n| turns.get(n));
    let (limit, peer) = (named(LIMIT), named(PEER));
    for (contender, own) in contenders.iter().zip(turns) {
        let rate = Spread::of(own.iter().map(|t| t.rate()));
        let micros =
            |part: fn(&Turn) -> f64| figures::quantile(&mut own.iter().map(part).collect::<Vec<_>>(), 50) * 1e6;
        writeln!(
            out,
            "{:<42} {:>8.2} {:>8.2}   {:>9.0} {:>9.0} {:>9.0}   {:>7.0}% {:>8.2}",
            contender.name(),
            micros(|t| t.sign),
            micros(|t| t.verify),
            rate.high,
            rate.middle,
            rate.low,
            100.0 * ratio(own, limit),
            ratio(own, peer),
        )?;
    }
    Ok(())
}

/// The median over the rounds of one rate over another's in the same round.
fn ratio(of: &[Turn], to: Option<&Vec<Turn>>) -> f64 {
    let to = to.into_iter().flatten();
    Spread::of(of.iter().zip(to).map(|(a, b)| a.rate() / b.rate())).middle
}

#[allow(unexpected_cfgs, reason = "the flag is curve25519-dalek's, and what it is set to is the question")]
fn backend() -> &'static str {
    if !cfg!(curve25519_dalek_backend = "avx512") {
        return "curve25519-dalek's default";
    }
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx512ifma") {
        return "AVX-512";
    }
    "AVX-512 asked for, but not on this machine"
}

/// One Ed25519 signature and one strict check of it, with nothing around them.
struct Bare {
    name: &'static str,
    key: SigningKey,
    message: Vec<u8>,
    signed: Vec<Signature>,
}

impl Bare {
    fn new(name: &'static str, message: Vec<u8>) -> Self {
        Self { name, key: SigningKey::from_bytes(&[3; 32]), message, signed: Vec::new() }
    }
}

/// What the signature of a call proof is over.
fn signing_input() -> Outcome<Vec<u8>> {
    let line = Parties::new(1)?.sign(CALL.as_bytes())?;
    let message: serde_json::Value = serde_json::from_slice(&line)?;
    let meta = message.pointer("/params/_meta").and_then(serde_json::Value::as_object);
    let carrier = meta.into_iter().flatten().find_map(|(_, member)| member.get("prf"));
    let proof = carrier.and_then(serde_json::Value::as_str).ok_or("no call proof")?;
    let (input, _) = proof.rsplit_once('.').ok_or("no token")?;
    Ok(input.as_bytes().to_vec())
}

impl Contender for Bare {
    fn name(&self) -> &'static str {
        self.name
    }

    fn sign(&mut self) -> Outcome<()> {
        self.signed.clear();
        for _ in 0..BATCH {
            self.signed.push(self.key.sign(black_box(&self.message)));
        }
        Ok(())
    }

    fn verify(&mut self) -> Outcome<()> {
        let key = self.key.verifying_key();
        for signature in &self.signed {
            key.verify_strict(black_box(&self.message), signature)?;
        }
        Ok(())
    }
}

/// attest-core: line in, signed line out; signed line in, verdict and line to forward out; attestation and chain known.
struct Ours {
    parties: Parties,
    verifier: Verifier,
    signed: Vec<Vec<u8>>,
}

impl Ours {
    fn new() -> Outcome<Self> {
        let parties = Parties::new(1)?;
        Ok(Self { verifier: parties.verifier(), parties, signed: Vec::new() })
    }
}

impl Contender for Ours {
    fn name(&self) -> &'static str {
        "attest-core, line to line"
    }

    fn sign(&mut self) -> Outcome<()> {
        self.signed.clear();
        for _ in 0..BATCH {
            self.signed.push(self.parties.sign(black_box(CALL.as_bytes()))?);
        }
        Ok(())
    }

    fn verify(&mut self) -> Outcome<()> {
        for line in &self.signed {
            black_box(verify(&self.verifier, line)?);
        }
        Ok(())
    }
}

/// signet-core, `sign` and `verify` on values in memory: what its own documentation measures.
struct InMemory {
    peer: Peer,
    signed: Vec<Receipt>,
}

impl InMemory {
    fn new() -> Outcome<Self> {
        Ok(Self { peer: Peer::new()?, signed: Vec::new() })
    }
}

impl Contender for InMemory {
    fn name(&self) -> &'static str {
        PEER
    }

    fn sign(&mut self) -> Outcome<()> {
        self.signed.clear();
        for _ in 0..BATCH {
            self.signed.push(self.peer.sign()?);
        }
        Ok(())
    }

    fn verify(&mut self) -> Outcome<()> {
        self.signed.iter().try_for_each(|receipt| self.peer.verify(receipt))
    }
}

/// signet-core, line to line like ours.
struct OnTheWire {
    peer: Peer,
    signed: Vec<Vec<u8>>,
}

impl OnTheWire {
    fn new() -> Outcome<Self> {
        Ok(Self { peer: Peer::new()?, signed: Vec::new() })
    }
}

impl Contender for OnTheWire {
    fn name(&self) -> &'static str {
        "signet-core 0.11, line to line"
    }

    fn sign(&mut self) -> Outcome<()> {
        self.signed.clear();
        for _ in 0..BATCH {
            self.signed.push(self.peer.sign_line(black_box(CALL.as_bytes()))?);
        }
        Ok(())
    }

    fn verify(&mut self) -> Outcome<()> {
        for line in &self.signed {
            black_box(self.peer.verify_line(line)?);
        }
        Ok(())
    }
}
