//! What a verdict costs, everything up to the log, beside peers in the same run and in turns:
//! `cargo run --release -p attest-benches --bin verdict [rounds] [verdicts per round] [only]`.

use std::hint::black_box;
use std::io::Write as _;

use attest_benches::Outcome;
use attest_benches::calls::CALL;
use attest_benches::clock::{cpu, now};
use attest_benches::figures::Spread;
use attest_benches::parties::Parties;
use attest_benches::peer::{Peer, PeerChain};
use attest_benches::policies::{all_apply, mixed};
use attest_benches::tenuo::Tenuo;
use attest_core::json;
use ed25519_dalek::{Signer as _, SigningKey};
use server_verifier::Gate;

/// Tokens from the root to the agent.
const HOPS: usize = 3;
/// What every other figure is a multiple of.
const LIMIT: &str = "limit: one verify_strict over 820 bytes";
/// Calls signed beforehand; each is judged again and again, as none of them is in the log.
const SIGNED: usize = 32;

/// Somebody with a verdict to reach, over and over.
type Contender = (String, Box<dyn FnMut(usize) -> Outcome<()>>);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let rounds: usize = arguments.next().map_or(Ok(40), |text| text.parse())?;
    let verdicts: usize = arguments.next().map_or(Ok(512), |text| text.parse())?;
    let only = arguments.next().unwrap_or_default();
    let folder = tempfile::tempdir()?;
    let mut contenders: Vec<Contender> = vec![limit()];
    for (kind, policies) in [
        ("no policy".to_owned(), None),
        ("20 policies, few apply".to_owned(), Some(mixed(20, "issues#search_issues"))),
        ("20 policies, all apply".to_owned(), Some(all_apply(20))),
        ("200 policies, few apply".to_owned(), Some(mixed(200, "issues#search_issues"))),
        ("200 policies, all apply".to_owned(), Some(all_apply(200))),
    ] {
        let folder = folder.path().join(kind.replace([' ', ','], "-"));
        std::fs::create_dir(&folder)?;
        contenders.push(ours(&kind, &folder, policies.as_deref()).await?);
    }
    contenders.extend([chain_alone()?, tenuo()?, tenuo_chain()?, signet()?, signet_chain()?]);
    contenders.retain(|(name, _)| name.contains(&only) || name == LIMIT);
    let mut turns: Vec<Vec<f64>> = contenders.iter().map(|_| Vec::new()).collect();
    // The first round warms caches and clocks up and is thrown away.
    for round in 0..=rounds {
        for ((name, verdict), turns) in contenders.iter_mut().zip(&mut turns) {
            let begun = cpu();
            for n in 0..verdicts {
                verdict(n).map_err(|error| format!("{name}: {error}"))?;
            }
            if round > 0 {
                turns.push(cpu().saturating_sub(begun).as_secs_f64() / verdicts as f64);
            }
        }
    }
    report(&contenders, &turns, verdicts)
}

fn report(contenders: &[Contender], turns: &[Vec<f64>], verdicts: usize) -> Outcome<()> {
    let mut out = std::io::stdout().lock();
    let limit = turns.first().ok_or("no turns")?;
    writeln!(out, "{} rounds of {verdicts}, in turns; µs of CPU time each.\n", limit.len())?;
    writeln!(out, "{:<52} {:>7} {:>7} {:>7}   {:>8}", "", "best", "median", "worst", "limits")?;
    for ((name, _), own) in contenders.iter().zip(turns) {
        let spread = Spread::of(own.iter().map(|seconds| seconds * 1e6));
        let limits = Spread::of(own.iter().zip(limit).map(|(own, limit)| own / limit)).middle;
        writeln!(out, "{name:<52} {:>7.1} {:>7.1} {:>7.1}   {limits:>8.2}", spread.low, spread.middle, spread.high)?;
    }
    Ok(())
}

fn limit() -> Contender {
    let (key, message) = (SigningKey::from_bytes(&[3; 32]), [b'x'; 820]);
    let (signature, public) = (key.sign(&message), key.verifying_key());
    let verify = move |_| Ok(public.verify_strict(black_box(&message), &signature)?);
    (LIMIT.to_owned(), Box::new(verify))
}

/// A guard's own path from the line to the verdict: read, every check up to the log, policies.
async fn ours(kind: &str, folder: &std::path::Path, policies: Option<&str>) -> Outcome<Contender> {
    let parties = Parties::new(HOPS)?;
    let gate = Gate::open(parties.guard(folder, policies)?).await?;
    let lines = (0..SIGNED).map(|_| parties.sign(CALL.as_bytes())).collect::<Outcome<Vec<_>>>()?;
    let verdict = move |n: usize| {
        let line = lines.get(n % SIGNED).ok_or("no line")?;
        let message = json::parse(black_box(line))?;
        gate.dry_run(&message).map_err(|refusal| format!("refused: {}", refusal.reason.code()).into())
    };
    Ok((format!("attest, warm, chain of {HOPS}, {kind}"), Box::new(verdict)))
}

/// The chain's tokens, by a verifier that keeps nothing between one and the next.
fn chain_alone() -> Outcome<Contender> {
    let parties = Parties::new(HOPS)?;
    let (verifier, now) = (parties.verifier(), now()?);
    let verdict = move |_| {
        let tokens: Vec<&str> = parties.chain().iter().map(String::as_str).collect();
        let checked = verifier.check_chain(black_box(&tokens), now, &mut ());
        checked.map(drop).map_err(|refusal| refusal.reason.code().into())
    };
    Ok((format!("attest, cold, chain of {HOPS} alone, from text"), Box::new(verdict)))
}

fn tenuo() -> Outcome<Contender> {
    let tenuo = Tenuo::new(HOPS)?;
    let proof = tenuo.sign()?;
    Ok((
        format!("tenuo 0.3.5, chain of {HOPS} and call, in memory"),
        Box::new(move |_| tenuo.verify(black_box(&proof))),
    ))
}

fn tenuo_chain() -> Outcome<Contender> {
    let tenuo = Tenuo::new(HOPS)?;
    Ok((format!("tenuo 0.3.5, chain of {HOPS} alone, in memory"), Box::new(move |_| tenuo.verify_chain())))
}

fn signet() -> Outcome<Contender> {
    let (chain, peer) = (PeerChain::new(u32::try_from(HOPS)?)?, Peer::new()?);
    let receipt = peer.sign()?;
    let verdict = move |_| {
        black_box(chain.verify()?);
        peer.verify(black_box(&receipt))
    };
    Ok((format!("signet-core 0.11, chain of {HOPS} and call, in memory"), Box::new(verdict)))
}

fn signet_chain() -> Outcome<Contender> {
    let chain = PeerChain::new(u32::try_from(HOPS)?)?;
    let verdict = move |_| chain.verify().map(drop);
    Ok((format!("signet-core 0.11, chain of {HOPS} alone, in memory"), Box::new(verdict)))
}
