//! The core alone, wall time by criterion: `cargo bench -p attest-benches --bench core`.

use std::hint::black_box;

use attest_benches::Outcome;
use attest_benches::calls::CALL;
use attest_benches::clock;
use attest_benches::parties::{Parties, verify};
use attest_benches::peer::{Peer, PeerChain};
use attest_core::json;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use ed25519_dalek::{Signer as _, SigningKey};

/// Lengths of chains: `attest init` makes one token; eight stand for the longest that make sense.
const CHAINS: [u32; 3] = [1, 3, 8];

fn main() -> Outcome<()> {
    let mut criterion = Criterion::default().configure_from_args();
    forms(&mut criterion)?;
    signatures(&mut criterion);
    calls(&mut criterion)?;
    chains(&mut criterion)?;
    criterion.final_summary();
    Ok(())
}

/// Strict reading and the canonical form, beside serde_json and serde_jcs.
fn forms(criterion: &mut Criterion) -> Outcome<()> {
    let text = CALL.as_bytes();
    let ours = json::parse(text)?.to_canonical();
    if ours != serde_jcs::to_vec(&serde_json::from_slice::<serde_json::Value>(text)?)? {
        return Err("the two canonical forms differ".into());
    }
    let mut group = criterion.benchmark_group("json");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("read/attest", |b| b.iter(|| json::parse(black_box(text))));
    group.bench_function("read/serde_json", |b| {
        b.iter(|| serde_json::from_slice::<serde_json::Value>(black_box(text)));
    });
    group.bench_function("canonical/attest", |b| {
        b.iter(|| json::parse(black_box(text)).map(|v| v.to_canonical()));
    });
    group.bench_function("canonical/serde_json+serde_jcs", |b| {
        b.iter(|| serde_json::from_slice::<serde_json::Value>(black_box(text)).map(|v| serde_jcs::to_vec(&v)));
    });
    group.finish();
    Ok(())
}

/// One signature and one strict check over 1,024 bytes, a little more than a call proof signs.
fn signatures(criterion: &mut Criterion) {
    let (key, message) = (SigningKey::from_bytes(&[3; 32]), [b'x'; 1_024]);
    let (signature, public) = (key.sign(&message), key.verifying_key());
    let mut group = criterion.benchmark_group("ed25519");
    group.bench_function("sign", |b| b.iter(|| key.sign(black_box(&message))));
    group.bench_function("verify_strict", |b| {
        b.iter(|| public.verify_strict(black_box(&message), &signature));
    });
    group.finish();
}

/// A call from line to line, everything that can be remembered being remembered; then nothing being.
fn calls(criterion: &mut Criterion) -> Outcome<()> {
    let (parties, peer) = (Parties::new(1)?, Peer::new()?);
    let (verifier, signed) = (parties.verifier(), parties.sign(CALL.as_bytes())?);
    let (receipt, signed_by_peer) = (peer.sign()?, peer.sign_line(CALL.as_bytes())?);
    verify(&verifier, &signed)?;
    peer.verify(&receipt)?;
    peer.verify_line(&signed_by_peer)?;
    let mut group = criterion.benchmark_group("call");
    group.bench_function("sign/attest", |b| b.iter(|| parties.sign(black_box(CALL.as_bytes()))));
    group.bench_function("sign/signet-core in memory", |b| b.iter(|| peer.sign()));
    group.bench_function("sign/signet-core", |b| b.iter(|| peer.sign_line(black_box(CALL.as_bytes()))));
    group.bench_function("verify steady/attest", |b| b.iter(|| verify(&verifier, black_box(&signed))));
    group.bench_function("verify/signet-core in memory", |b| b.iter(|| peer.verify(black_box(&receipt))));
    group.bench_function("verify/signet-core", |b| b.iter(|| peer.verify_line(black_box(&signed_by_peer))));
    for hops in CHAINS {
        let parties = Parties::new(hops as usize)?;
        let signed = parties.sign(CALL.as_bytes())?;
        verify(&parties.verifier(), &signed)?;
        group.bench_function(BenchmarkId::new("verify cold/attest", hops), |b| {
            b.iter_batched_ref(|| parties.verifier(), |fresh| verify(fresh, black_box(&signed)), BatchSize::SmallInput);
        });
    }
    group.finish();
    Ok(())
}

/// A chain on its own, never seen before. Ours is read from tokens, Signet's is in memory already.
fn chains(criterion: &mut Criterion) -> Outcome<()> {
    let mut group = criterion.benchmark_group("chain");
    for hops in CHAINS {
        let (parties, peer) = (Parties::new(hops as usize)?, PeerChain::new(hops)?);
        let tokens: Vec<&str> = parties.chain().iter().map(String::as_str).collect();
        let (verifier, now) = (parties.verifier(), clock::now()?);
        let check = || verifier.check_chain(black_box(&tokens), now, &mut ());
        check().map_err(|refusal| refusal.reason.code())?;
        peer.verify()?;
        group.bench_function(BenchmarkId::new("attest", hops), |b| b.iter(check));
        group.bench_function(BenchmarkId::new("signet-core", hops), |b| b.iter(|| peer.verify()));
    }
    group.finish();
    Ok(())
}
