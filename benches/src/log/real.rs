//! A log of real calls, to be verified: each entry with its signed tokens, as a guard writes it.

use std::path::Path;

use attest_core::digest::Digest;
use attest_core::entry::{Entry, Status};
use attest_core::response::Outcome as Ended;
use attest_log::{Record, ReplayKey, Token};

use crate::calls::CALL;
use crate::parties::{AUDIENCE, Parties, verify};
use crate::{Outcome, clock};

/// Writes `calls` calls, each a decision and its outcome, and answers the key to pin. All of them were signed and checked for
/// real; nobody waits for anybody, so that this takes no longer than it must.
///
/// # Errors
/// The log's.
pub fn write(path: &Path, calls: usize) -> Outcome<String> {
    let parties = Parties::new(3)?;
    let verifier = parties.verifier();
    let policy = Digest::of("bench");
    let log = std::sync::Arc::new(super::open_named(path, AUDIENCE)?);
    let vkey = attest_log::Reader::open(path)?.log_keys()?.all().last().map(|(key, _)| key.to_string());
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        let now = clock::now()?;
        let start = Entry::Start {
            audience: AUDIENCE.to_owned(),
            policy: policy.to_b64(),
            shared: false,
            time: now * 1_000,
            version: "0".to_owned(),
        };
        log.append(Record::new(start.to_bytes()), now).await?;
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..calls {
            let line = parties.sign(CALL.as_bytes())?;
            let accepted = verify(&verifier, &line)?;
            let now = clock::now()?;
            let entry = Entry::allow(&accepted, AUDIENCE, &policy, now * 1_000);
            let call = accepted.caller.call;
            let decision = Record {
                body: entry.to_bytes(),
                tokens: accepted.evidence.tokens().map(|(hash, text)| Token::hashed(hash.0, text.clone())).collect(),
                token: Some(Token::hashed(call.0, &*accepted.proof_text)),
                replay: Some(ReplayKey::new(
                    accepted.call_id.key.as_str().as_bytes(),
                    &accepted.call_id.id.0,
                    accepted.call_id.until,
                )?),
                opens: Some(call.0),
                ..Record::default()
            };
            let ended = Ended { status: Status::Result, digest: Some(Digest::of("result")) };
            let outcome = Entry::outcome(call, ended.status, ended.digest, Some(AUDIENCE), now * 1_000);
            let outcome = Record { closes: Some(call.0), ..Record::new(outcome.to_bytes()) };
            let log = log.clone();
            tasks.spawn(async move {
                log.append(decision, now).await.map_err(|e| e.to_string())?;
                log.append(outcome, now).await.map_err(|e| e.to_string())
            });
            // As many under way as a busy guard has.
            while tasks.len() >= 256 {
                tasks.join_next().await.ok_or("no task")???;
            }
        }
        while let Some(done) = tasks.join_next().await {
            done??;
        }
        Outcome::Ok(())
    })?;
    log.close()?;
    vkey.ok_or_else(|| "the log has no key".into())
}
