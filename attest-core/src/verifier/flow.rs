//! Check 11: whether what the caller has seen may reach this tool. `spec/verification.md`, *Flow*.

use std::sync::MutexGuard;

use super::CallId;
use super::cache::Cache;
use super::rules::Clock;
use crate::call_proof::CallProof;
use crate::carrier::Carrier;
use crate::cause::Cause;
use crate::chain::Chain;
use crate::declassification::Declassification;
use crate::digest::Digest;
use crate::jws::{Unverified, Verified};
use crate::labels::Labels;
use crate::limits::{MAX_CAUSE_LIFE, MAX_DECLASSIFICATION_LIFE};
use crate::once::Once;
use crate::receipt::Receipt;
use crate::refusal::{About, Caller, Reason, Refusal, Token};
use crate::tools::qualified;
use crate::trust::{MAX_SKEW, Trust};

/// What comes with a call besides its tokens, read and not verified.
pub(super) struct Brought {
    receipts: Vec<(Digest, Unverified<Receipt>)>,
    cause: Option<Unverified<Cause>>,
    declassifications: Vec<Unverified<Declassification>>,
}

/// What a call brought with it, verified.
#[derive(Clone, Debug, Default)]
pub struct Lineage {
    /// The labels of everything that the caller's context has seen, as far as it can be told.
    pub labels: Labels,
    /// Receipts and cause, each with its hash, for the log.
    pub seen: Vec<(Digest, Box<str>)>,
    /// The declassifications that the call uses up.
    pub declassified: Vec<Single>,
    /// A chain that the caller passes on to the server, root first. Nobody looked at it: it is for the server to use or not.
    pub grant: Vec<Box<str>>,
}

/// A token that serves one call.
#[derive(Clone, Debug)]
pub struct Single {
    /// What must be new to the log.
    pub id: CallId,
    /// Hash of the token.
    pub token: Digest,
    /// Its exact characters.
    pub text: Box<str>,
}

impl Brought {
    /// Reads every token; verifies none.
    pub(super) fn read(carrier: &Carrier<'_>) -> Result<Self, Refusal> {
        let receipts = carrier.receipts.iter().enumerate().map(|(n, text)| {
            let read = Unverified::<Receipt>::read(text).map_err(|e| Refusal::of_token(e, Token::Receipt(n)))?;
            Ok((Digest::of(text), read))
        });
        let cause = carrier.cause.map(Unverified::<Cause>::read).transpose();
        let declassifications = carrier.declassifications.iter().enumerate().map(|(n, (_, text))| {
            Unverified::<Declassification>::read(text).map_err(|e| Refusal::of_token(e, Token::Declassification(n)))
        });
        Ok(Self {
            receipts: receipts.collect::<Result<_, Refusal>>()?,
            cause: cause.map_err(|e| Refusal::of_token(e, Token::Cause))?,
            declassifications: declassifications.collect::<Result<_, Refusal>>()?,
        })
    }

    /// Part of check 3. Receipts have no end: what was seen stays seen.
    pub(super) fn times(&self, clock: &Clock) -> Result<(), Refusal> {
        if let Some(cause) = &self.cause {
            let Cause { issued_at, expires, .. } = cause.peek();
            clock.check(Token::Cause, *issued_at, *expires, MAX_CAUSE_LIFE)?;
        }
        self.declassifications.iter().enumerate().try_for_each(|(n, token)| {
            let Once { issued_at, expires, .. } = &token.peek().once;
            clock.check(Token::Declassification(n), *issued_at, *expires, MAX_DECLASSIFICATION_LIFE)
        })
    }

    /// Part of check 6: these are the receipts and the cause that the call proof names.
    pub(super) fn binds(&self, proof: &CallProof) -> bool {
        let cause = self.cause.as_ref().map(|cause| Digest::of(cause.text()));
        self.receipts.iter().map(|(hash, _)| hash).eq(&proof.parents) && cause == proof.cause
    }
}

/// What the check is about, besides what came with the call.
pub(super) struct Asked<'a> {
    pub carrier: &'a Carrier<'a>,
    pub proof: &'a CallProof,
    pub params: &'a [u8],
    pub chain: &'a Chain,
    pub caller: &'a Caller,
    pub trust: &'a Trust,
}

/// The check. Receipts that verified are remembered by their hashes: a context shows the same ones with each call.
pub(super) fn check<'c>(
    brought: Brought,
    asked: &Asked<'_>,
    cache: impl Fn() -> MutexGuard<'c, Cache>,
) -> Result<Lineage, Refusal> {
    let Asked { carrier, proof, chain, caller, trust, .. } = asked;
    let Brought { receipts, cause, declassifications } = brought;
    let mut lineage = Lineage { labels: proof.labels.clone(), ..Lineage::default() };
    // Hashed when the call proof was held against them.
    let hashes = proof.parents.iter().copied().chain(proof.cause);
    let texts = carrier.receipts.iter().copied().chain(carrier.cause).map(Box::from);
    lineage.seen.extend(hashes.zip(texts));
    lineage.grant = carrier.grant.iter().map(|text| Box::from(*text)).collect();
    for (hash, receipt) in receipts {
        let known = cache().receipt(&hash).cloned();
        let labels = known.unwrap_or_else(|| {
            let labels = labels_of(receipt, trust);
            cache().keep_receipt(hash, labels.clone());
            labels
        });
        lineage.labels = lineage.labels.and(&labels);
    }
    match cause {
        Some(cause) => {
            let cause = by_log(cause, trust).ok_or(Reason::UnknownCause)?;
            if !chain.passes_through(&cause.key) {
                return Err(Reason::CauseNotInChain.into());
            }
            lineage.labels = lineage.labels.and(&cause.labels);
        }
        None if !chain.is_of_own_accord() => return Err(Reason::OriginNotGranted.into()),
        None => {}
    }
    let asks = trust.flow_of(proof.tool.as_deref().unwrap_or_default());
    let unkept = asks.lineage && !trust.keeps_lineage(&caller.agent);
    if unkept {
        lineage.labels = Labels::Every;
    }
    let mut flowing = lineage.labels.clone();
    for ((salt, text), token) in carrier.declassifications.iter().zip(declassifications) {
        let owner = trust.declassifier(token.kid()).ok_or(Reason::BadDeclassification)?;
        let token = token.verify(&owner.key).map_err(|_| Reason::BadDeclassification)?;
        let fits = token.labels.within(&owner.labels)
            && token.once.audience == trust.audience()
            && token.once.key == caller.key
            && Some(&token.once.tool) == proof.tool.as_ref()
            && token.once.params == Digest::salted(salt, asked.params);
        if !fits {
            return Err(Reason::BadDeclassification.into());
        }
        flowing = flowing.without(&token.labels);
        let owner = owner.key.thumbprint().clone();
        lineage.declassified.push(token.once.single(owner, (token.token(), text), MAX_SKEW));
    }
    // Of another method than a tool's, what the chain releases to everything.
    let name = proof.tool.as_deref().map(|tool| qualified(trust.audience(), tool)).unwrap_or_default();
    if !chain.releases(&name, &flowing) || !flowing.within(&asks.accepts) {
        let reason = if unkept { Reason::LineageRequired } else { Reason::FlowNotGranted };
        return Err(Refusal::about(reason, About::Labels(flowing)));
    }
    Ok(lineage)
}

/// The labels of a receipt: every label, if it is by no key of a pinned log. Whoever shows what cannot be judged has seen anything.
fn labels_of(receipt: Unverified<Receipt>, trust: &Trust) -> Labels {
    let Some(keys) = trust.log(&receipt.peek().log) else { return Labels::Every };
    // Receipts are signed by the key in force when the tree held the decision, which is at least of this size.
    let size = receipt.peek().index.saturating_add(1);
    let key = keys.all().iter().find(|(vkey, until)| *until >= size && vkey.key().thumbprint() == receipt.kid());
    let verified = key.and_then(|(vkey, _)| receipt.verify(vkey.key()).ok());
    verified.map_or(Labels::Every, |receipt| receipt.labels.clone())
}

/// The decision, if it is by the key that is in force of a pinned log.
fn by_log(cause: Unverified<Cause>, trust: &Trust) -> Option<Verified<Cause>> {
    let (vkey, _) = trust.log(&cause.peek().log)?.all().last()?;
    cause.verify(vkey.key()).ok()
}
