//! One entry by itself, with the tokens that it names.

use super::basis::{Bases, in_time, life};
use super::fact::{Fact, Names, Noted, Proof};
use super::{Fault, Finding};
use crate::approval::Approval;
use crate::call_proof::CallProof;
use crate::checkpoint::Checkpoint;
use crate::declassification::Declassification;
use crate::digest::{Digest, Jti};
use crate::entry::{Called, Checked, Lineage, Verdict, Written};
use crate::json;
use crate::jws::{TokenError, Unverified};
use crate::limits::MAX_CALL_LIFE;
use crate::merkle;
use crate::note::Note;
use crate::once::{Once, OneTime};
use crate::receipt::{self, Carried, Defect, Receipt};
use crate::refusal::{Reason, Refusal, Token};
use crate::seen::What;
use crate::tlog_proof::TlogProof;
use crate::trust::MAX_SKEW;

/// The token that came with an entry alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Own<'t> {
    /// This text.
    Token(&'t str),
    /// None.
    None,
    /// It is not there, and the log says that it was let go: what rests on it is not checked.
    LetGo,
}

impl<'t> From<Option<&'t str>> for Own<'t> {
    fn from(own: Option<&'t str>) -> Self {
        own.map_or(Self::None, Self::Token)
    }
}

impl<'t> Own<'t> {
    fn text(self) -> Result<&'t str, Fault> {
        if let Self::Token(text) = self { Ok(text) } else { Err(Fault::OwnTokenMissing) }
    }
}

/// Looks at one entry: its form, the token of its own, what that rests on, and whether they agree. What is wrong goes to
/// `faults`.
pub fn look<'t>(
    index: u64,
    body: &[u8],
    own: impl Into<Own<'t>>,
    bases: &mut impl Bases,
    names: &mut Names,
    faults: &mut Vec<Finding>,
) -> Noted {
    let written = match Written::read(body) {
        Ok(written) => written,
        Err(error) => {
            faults.push(Finding::at(index, error));
            return Noted { time: 0, fact: Fact::Nothing };
        }
    };
    let (time, own) = (written.time(), own.into());
    let mut wrong = |fault: Fault| faults.push(Finding::at(index, fault));
    if written.own_token().is_none() && matches!(own, Own::Token(_)) {
        wrong(Fault::OwnTokenExtra);
    }
    let fact = match written {
        Written::Start { audience, policy, shared, .. } => {
            Fact::Start { audience: names.number(&audience), policy, shared }
        }
        Written::Config { audience, policy, .. } => Fact::Config { audience: names.number(&audience), policy },
        Written::Decision { audience, facts, policy, verdict: Verdict::Deny { .. }, .. } => {
            facts.map_or(Ok(()), |facts| bases.beside(&facts, Token::Facts)).unwrap_or_else(&mut wrong);
            Fact::Deny { audience: names.number(&audience), policy }
        }
        Written::Decision {
            agent,
            audience,
            call,
            called,
            facts,
            key,
            policy,
            verdict: Verdict::Allow { attestation, context, delegation, lineage, notification, params },
            ..
        } => {
            let said = Said {
                attestation,
                audience: &audience,
                call,
                called: &called,
                context,
                delegation: &delegation,
                params,
                of: Some((&agent, key)),
                lineage: Some(&lineage),
            };
            let proof = said.check(time, own, bases).map_err(&mut wrong).ok();
            let proof = proof.and_then(|(proof, _)| proof);
            for (n, receipt) in lineage.receipts.iter().enumerate() {
                bases.beside(receipt, Token::Receipt(n)).unwrap_or_else(&mut wrong);
            }
            facts.map_or(Ok(()), |facts| bases.beside(&facts, Token::Facts)).unwrap_or_else(&mut wrong);
            lineage.cause.map_or(Ok(()), |cause| bases.beside(&cause, Token::Cause)).unwrap_or_else(&mut wrong);
            let (audience, declassified) = (names.number(&audience), lineage.declassified.into());
            Fact::Allow { call, audience, policy, declassified, opens: !notification, proof }
        }
        Written::Call { attestation, audience, call, called, context, delegation, notification, params, .. } => {
            let said = Said {
                attestation,
                audience: &audience,
                call,
                called: &called,
                context,
                delegation: &delegation,
                params,
                of: None,
                lineage: None,
            };
            let checked = said.check(time, own, bases).map_err(&mut wrong).ok();
            Fact::Call {
                call,
                audience: names.number(&audience),
                context,
                opens: !notification,
                proof: checked.as_ref().and_then(|(proof, _)| *proof),
                agent: checked.map(|(_, basis)| names.number(&basis.agent)),
            }
        }
        Written::Outcome { audience, call, .. } => {
            Fact::Outcome { call, audience: audience.map(|audience| names.number(&audience)) }
        }
        Written::Refused { audience, .. } => Fact::Refused { audience: names.number(&audience) },
        Written::Used { audience, call, token, .. } => {
            let proof = match own {
                Own::LetGo => None,
                own => used(time, token, &audience, own).map_err(&mut wrong).ok(),
            };
            Fact::Used { audience: names.number(&audience), call, token, proof }
        }
        Written::Closed { alert, audience, .. } => Fact::Closed { audience: names.number(&audience), alert },
        Written::Accepted { audience, .. } => Fact::Accepted { audience: names.number(&audience) },
        Written::Context { agent, context, .. } => Fact::Context { agent: names.number(&agent), context },
        Written::Receipt { audience, call, checked, kept, .. } => {
            if let Some(kept) = kept
                && own != Own::LetGo
            {
                receipt(&audience, call, &checked, kept, own, bases).unwrap_or_else(&mut wrong);
            }
            Fact::Receipt { call, audience: names.number(&audience) }
        }
        Written::Trail { session, .. } => Fact::Trail { session },
        Written::Seen { event, .. } => {
            let (opens, ends) = match &event.what {
                What::Call(call) => (Some(call.call).filter(|_| !call.notification), None),
                What::Read(read) => (Some(read.call), None),
                What::Answer(answer) => (None, Some(answer.call)),
                _ => (None, None),
            };
            Fact::Seen { session: event.session, opens, ends }
        }
        Written::Alert { alert, .. } => Fact::Alert { last: alert.entries.last().copied().unwrap_or(u64::MAX) },
        Written::Key { key, previous, .. } => Fact::Key(Box::new((*previous, *key))),
        Written::Adopted { size, .. } => Fact::Adopted { size },
        Written::Forgotten { before, .. } => Fact::Forgotten { before },
    };
    Noted { time, fact }
}

/// What was used, by the token beside its entry. Whose key may sign such a token is the configuration's to say, which a log does not have.
fn used(time: u64, named: Digest, audience: &str, own: Own<'_>) -> Result<Proof, Fault> {
    let text = own.text()?;
    if Digest::of(text) != named {
        return Err(Fault::OwnTokenHash);
    }
    match Unverified::<Declassification>::read(text) {
        // It may be of the other type: its header says which.
        Err(TokenError::Header) => held(Unverified::<Approval>::read(text), Token::Approval(0), time, audience),
        token => held(token, Token::Declassification(0), time, audience),
    }
}

fn held<T: OneTime>(
    token: Result<Unverified<T>, TokenError>,
    name: Token,
    time: u64,
    audience: &str,
) -> Result<Proof, Fault> {
    let token = token.map_err(|error| Fault::Evidence(Refusal::of_token(error, name).reason))?;
    let key = Digest::from_b64(token.kid().as_str()).ok_or(Fault::Evidence(Reason::TokenHeader))?;
    let Once { audience: of, issued_at, expires, id, .. } = token.peek().once();
    if of != audience {
        return Err(Fault::Disagrees("audience"));
    }
    let (from, to) = life(*issued_at, *expires, T::LIFE)?;
    if !in_time(from, to, time) {
        return Err(Fault::OutOfTime(name));
    }
    Ok(Proof { key, id: *id, issued_at: *issued_at, until: expires.saturating_add(MAX_SKEW) })
}

/// What an entry says of a call that its tokens must bear out.
struct Said<'e> {
    attestation: Digest,
    audience: &'e str,
    call: Digest,
    called: &'e Called<'e>,
    context: Jti,
    delegation: &'e [Digest],
    params: Digest,
    /// Agent and call key, in a verifier's entry.
    of: Option<(&'e str, Digest)>,
    /// What the caller had seen, in a verifier's entry.
    lineage: Option<&'e Lineage>,
}

impl Said<'_> {
    fn check<B: Bases>(
        &self,
        time: u64,
        own: Own<'_>,
        bases: &mut B,
    ) -> Result<(Option<Proof>, std::sync::Arc<super::Basis>), Fault> {
        if own == Own::LetGo {
            let basis = bases.basis(&self.attestation, self.delegation)?;
            self.rests_on(&basis, time)?;
            return Ok((None, basis));
        }
        let text = own.text()?;
        let other = || Digest::of(text) != self.call;
        let proof = Unverified::<CallProof>::read(text).map_err(|error| match other() {
            true => Fault::OwnTokenHash,
            false => Fault::Evidence(Refusal::of_token(error, Token::CallProof).reason),
        })?;
        let basis = bases.basis(&self.attestation, self.delegation);
        let basis = basis.map_err(|fault| if other() { Fault::OwnTokenHash } else { fault })?;
        let proof = proof.verify(&basis.key).map_err(|_| match other() {
            true => Fault::OwnTokenHash,
            false => Fault::Evidence(Reason::CallSignature),
        })?;
        if proof.token() != self.call {
            return Err(Fault::OwnTokenHash);
        }
        let (tool, method) = match self.called {
            Called::Tool(tool) => (Some(&**tool), None),
            Called::Method(method) => (None, Some(&**method)),
        };
        let same = [
            (proof.audience == self.audience, "audience"),
            (proof.attestation == self.attestation, "attestation"),
            (proof.delegation == basis.leaf, "delegation"),
            (
                proof.tool.as_deref() == tool && proof.other_method() == method,
                if tool.is_some() { "tool" } else { "method" },
            ),
            (proof.params == self.params, "params"),
            (proof.context == self.context, "context"),
            (self.lineage.is_none_or(|lineage| lineage.cause == proof.cause), "cause"),
            (self.lineage.is_none_or(|lineage| lineage.receipts == proof.parents), "receipts"),
            // A claim counts: the verifier only adds to it.
            (self.lineage.is_none_or(|lineage| proof.labels.within(&lineage.labels)), "labels"),
        ];
        if let Some((_, member)) = same.iter().find(|(same, _)| !same) {
            return Err(Fault::Disagrees(member));
        }
        let (from, to) = life(proof.issued_at, proof.expires, MAX_CALL_LIFE)?;
        if !in_time(from, to, time) {
            return Err(Fault::OutOfTime(Token::CallProof));
        }
        self.rests_on(&basis, time)?;
        let until = proof.expires.saturating_add(MAX_SKEW);
        Ok((Some(Proof { key: basis.key_name, id: proof.id, issued_at: proof.issued_at, until }), basis))
    }

    /// Holds the entry against attestation and chain alone.
    fn rests_on(&self, basis: &super::Basis, time: u64) -> Result<(), Fault> {
        let (agent, key) = self.of.map_or((true, true), |(agent, key)| (agent == basis.agent, key == basis.key_name));
        if let Some((_, member)) = [(agent, "agent"), (key, "key")].iter().find(|(same, _)| !same) {
            return Err(Fault::Disagrees(member));
        }
        let tool = if let Called::Tool(tool) = self.called { Some(&**tool) } else { None };
        // A caller signs what it is asked to; whether it may is the verifier's to say.
        if self.of.is_some() && !basis.grants(self.audience, tool) {
            let reason = if tool.is_some() { Reason::ToolNotGranted } else { Reason::MethodNotGranted };
            return Err(Fault::Evidence(reason));
        }
        if let Some(token) = basis.out_of_time(time) {
            return Err(Fault::OutOfTime(token));
        }
        if basis.is_stale(time) {
            return Err(Fault::Evidence(Reason::HolderStale));
        }
        Ok(())
    }
}

/// Holds what is kept of a receipt against what the entry says of it. With the key of the verifier's log all of it is checked;
/// without, that the texts say what the entry says.
fn receipt<B: Bases>(
    audience: &str,
    call: Digest,
    checked: &Checked<'_>,
    kept: Digest,
    own: Own<'_>,
    bases: &mut B,
) -> Result<(), Fault> {
    let text = own.text()?;
    if Digest::of(text) != kept {
        return Err(Fault::OwnTokenHash);
    }
    // Of one that did not hold, nothing more is said than that it came.
    let Checked::Good { index, log, size } = checked else { return Ok(()) };
    let value = json::parse(text.as_bytes()).map_err(|_| Fault::Receipt(Defect::Form))?;
    let carried = Carried::read(&value).ok_or(Fault::Receipt(Defect::Form))?;
    let said = match bases.log_keys(log) {
        Some(keys) => (*receipt::open(carried, keys).map_err(Fault::Receipt)?.receipt).clone(),
        None => {
            let token = Unverified::<Receipt>::read(carried.receipt).map_err(|_| Fault::Receipt(Defect::Token))?;
            token.peek().clone()
        }
    };
    let unproven = |_| Fault::Receipt(Defect::Proof);
    let proof = TlogProof::parse(carried.proof).map_err(|_| Fault::Receipt(Defect::Proof))?;
    let note = Note::parse(proof.checkpoint.as_bytes()).map_err(|_| Fault::Receipt(Defect::Proof))?;
    let checkpoint = Checkpoint::parse(note.text()).map_err(|_| Fault::Receipt(Defect::Proof))?;
    let entry = proof.entry.as_deref().ok_or(Fault::Receipt(Defect::Proof))?;
    let leaf = merkle::leaf(entry);
    merkle::check_inclusion(&leaf, proof.index, checkpoint.size, &proof.path, &checkpoint.root).map_err(unproven)?;
    let Ok(Written::Decision { audience: by, call: decided, verdict: Verdict::Allow { .. }, .. }) =
        Written::read(entry)
    else {
        return Err(Fault::Receipt(Defect::Entry));
    };
    let same = [
        (said.call == call && decided == call, "call"),
        (by == audience, "audience"),
        (said.index == *index && proof.index == *index, "index"),
        (said.log == *log && checkpoint.origin == *log, "log"),
        (checkpoint.size == *size, "size"),
    ];
    same.iter().find(|(same, _)| !same).map_or(Ok(()), |(_, member)| Err(Fault::Disagrees(member)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jwk::Thumbprint;
    use crate::limits::MAX_APPROVAL_LIFE;
    use crate::sign::{MemoryKey, Sign as _};

    const NOW: u64 = 1_800_000_000;

    #[test]
    fn an_approval_that_was_used_is_known_by_its_type_and_held_to_its_own_life() {
        let key = MemoryKey::from_seed(&[1; 32]);
        let digest = Digest::of("d");
        let once = Once {
            audience: "files".to_owned(),
            expires: NOW + MAX_APPROVAL_LIFE,
            issued_at: NOW,
            id: Jti([1; 16]),
            key: Thumbprint::parse(&digest.to_b64()).unwrap(),
            params: digest,
            tool: "pay".to_owned(),
        };
        let approval = Approval { once, leaf: digest, request: digest, state: digest };
        let text = approval.sign(&key).unwrap();
        let look = |time: u64, audience| used(time * 1000, Digest::of(&text), audience, Own::Token(&text));
        let proof = look(NOW + 5, "files").unwrap();
        assert_eq!((proof.id, proof.until), (Jti([1; 16]), NOW + MAX_APPROVAL_LIFE + MAX_SKEW));
        assert_eq!(proof.key.to_b64(), key.public().thumbprint().to_string());
        assert_eq!(look(NOW + 5, "mail"), Err(Fault::Disagrees("audience")));
        assert_eq!(look(NOW + 2 * MAX_APPROVAL_LIFE, "files"), Err(Fault::OutOfTime(Token::Approval(0))));
    }
}
