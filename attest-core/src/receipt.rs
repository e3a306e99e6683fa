//! Receipts: what a verifier's log says of one call, in the answer to it. `spec/receipt.md`.
//!
//! The token says how the call ended; the proof beside it shows that the log held the decision before the call ran. Both are
//! the log's own word, so whoever keeps them can hold the log to it later, without asking anybody.

use crate::checkpoint::{CheckpointError, LogKeys};
use crate::claims::{Claims, ClaimsError};
use crate::digest::Digest;
use crate::entry::{self, Status, Written};
use crate::json::{self, Object, Value, splice, write_string};
use crate::jws::{self, Statement, Unverified, Verified};
use crate::labels::Labels;
use crate::names::RECEIPT;
use crate::refusal::Reason;
use crate::response::Outcome;
use crate::sign::Sign;
use crate::tlog_proof::{TlogProof, TlogProofError};

/// Most receipts in one answer: it may end a call, and the task that the call asks about.
pub const MAX_RECEIPTS: usize = 2;
/// Longest receipt with its proof, in bytes of its canonical form: what a log keeps beside one entry.
pub const MAX_RECEIPT: usize = 262_144;

/// The decision of which there are receipts.
const ALLOW: &str = "allow";

/// What a log says of a call that was let through and ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Hash of the call proof.
    pub call: Digest,
    /// Seconds since 1970, by the verifier's clock.
    pub issued_at: u64,
    /// Index of the decision's entry.
    pub index: u64,
    /// The labels of the answer: those of the call, and what the server puts on it.
    pub labels: Labels,
    /// The log's name.
    pub log: String,
    /// Digest of the configuration that the call was judged by.
    pub policy: Digest,
    /// How the call ended.
    pub outcome: Outcome,
}

impl Receipt {
    /// Signs it into a token, with the key of the log.
    pub fn sign<S: Sign>(&self, key: &S) -> Result<String, S::Error> {
        jws::sign(Self::TYP, &self.payload(), key)
    }

    /// The canonical payload. Written member by member, in canonical order: this runs on every call. What is not escaped is
    /// base64url, a number, or a word of ours.
    fn payload(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(384);
        let mut put = |parts: &[&str]| parts.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
        let (issued_at, index) = (self.issued_at.to_string(), self.index.to_string());
        put(&["{\"call\":\"", &self.call.to_b64(), "\",\"decision\":\"", ALLOW, "\",\"iat\":", &issued_at]);
        put(&[",\"idx\":", &index]);
        if !self.labels.is_empty() {
            out.extend_from_slice(b",\"labels\":");
            self.labels.write(&mut out);
        }
        out.extend_from_slice(b",\"log\":");
        write_string(&self.log, &mut out);
        let mut put = |parts: &[&str]| parts.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
        put(&[",\"policy\":\"", &self.policy.to_b64(), "\""]);
        if let Some(digest) = self.outcome.digest {
            put(&[",\"result\":\"", &digest.to_b64(), "\""]);
        }
        put(&[",\"status\":\"", self.outcome.status.as_str(), "\"}"]);
        out
    }
}

impl Statement for Receipt {
    const TYP: &'static str = "mcp-receipt+jwt";

    fn is_written_as(&self, payload: &[u8]) -> bool {
        self.payload() == payload
    }

    fn read(claims: &mut Claims<'_, '_>) -> Result<Self, ClaimsError> {
        if claims.text("decision")? != ALLOW {
            return Err(ClaimsError::Invalid("decision"));
        }
        let status = claims.text("status")?;
        let status = Status::ALL.into_iter().find(|known| known.as_str() == status);
        let digest = match claims.optional("result") {
            None => None,
            Some(value) => Some(value.as_str().and_then(Digest::from_b64).ok_or(ClaimsError::Invalid("result"))?),
        };
        // Where there is none the claim is absent: one form for one meaning.
        let labels = match claims.optional("labels") {
            None => Labels::None,
            Some(labels) => Labels::read(labels).filter(|l| !l.is_empty()).ok_or(ClaimsError::Invalid("labels"))?,
        };
        let receipt = Self {
            call: claims.digest("call")?,
            issued_at: claims.number("iat")?,
            index: claims.number("idx")?,
            labels,
            log: claims.name("log")?,
            policy: claims.digest("policy")?,
            outcome: Outcome { status: status.ok_or(ClaimsError::Invalid("status"))?, digest },
        };
        claims.finish()?;
        Ok(receipt)
    }
}

/// A receipt as it travels and as it is kept: the token, and the proof that the decision is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carried<'a> {
    /// The token.
    pub receipt: &'a str,
    /// The proof ([`TlogProof`]), with the decision's entry in it.
    pub proof: &'a str,
}

impl<'a> Carried<'a> {
    /// Reads one element of our member, or what was kept of it.
    pub fn read(value: &'a Value<'_>) -> Option<Self> {
        let object = value.as_object().filter(|object| object.len() == 2)?;
        let text = |name| object.get(name).and_then(Value::as_str);
        Some(Self { receipt: text("receipt")?, proof: text("proof")? })
    }

    /// The canonical text: what a log keeps, under its hash.
    pub fn to_text(&self) -> String {
        let mut out = Vec::with_capacity(self.receipt.len() + self.proof.len() + 128);
        self.write(&mut out);
        // Made of strings, by a writer that keeps them whole.
        String::from_utf8(out).unwrap_or_default()
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"proof\":");
        write_string(self.proof, out);
        out.extend_from_slice(b",\"receipt\":");
        write_string(self.receipt, out);
        out.push(b'}');
    }
}

/// Where our member stands in each kind of message, by the members it is to be found under.
const PLACES: [(&str, &str); 3] = [("result", "_meta"), ("error", "data"), ("params", "_meta")];

/// The object of a message that our member belongs into: what holds it, and the object itself where there is one. `None`
/// where there is no such place: neither a result nor an error, or both; a value in the way that is no object.
fn holder<'m, 'v>(
    message: &'m Value<'v>,
) -> Option<((&'static str, &'static str), &'m Object<'v>, Option<&'m Object<'v>>)> {
    let message = message.as_object()?;
    let [result, error, told] = PLACES;
    let place = match (message.get("method"), message.get("result"), message.get("error")) {
        (None, Some(_), None) => result,
        (None, None, Some(_)) => error,
        // A notification that tells a task's end.
        (Some(_), None, None) => told,
        _ => return None,
    };
    let outer = message.get(place.0)?.as_object()?;
    match outer.get(place.1) {
        None => Some((place, outer, None)),
        Some(inner) => Some((place, outer, Some(inner.as_object()?))),
    }
}

/// Where receipts are put into the text of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    at: usize,
    /// The object that is to be made around our member, if it is not there.
    around: Option<&'static str>,
    /// Whether members follow.
    more: bool,
}

impl Place {
    /// In `text`, of which `message` was read; `None` where a message of this form carries no receipt.
    pub fn of(text: &[u8], message: &Value<'_>) -> Option<Self> {
        let ((outer_name, inner_name), outer, inner) = holder(message)?;
        let outer_at = splice::inside(text, splice::find(text, splice::inside(text, 0)?, outer_name)?.value.start)?;
        match inner {
            None => Some(Self { at: outer_at, around: Some(inner_name), more: !outer.is_empty() }),
            Some(inner) => {
                let at = splice::inside(text, splice::find(text, outer_at, inner_name)?.value.start)?;
                Some(Self { at, around: None, more: !inner.is_empty() })
            }
        }
    }

    /// The text with these receipts, every other byte as it was.
    pub fn put(&self, text: &[u8], receipts: &[Carried<'_>]) -> Vec<u8> {
        let size: usize = receipts.iter().map(|carried| carried.receipt.len() + carried.proof.len() + 64).sum();
        let mut out = Vec::with_capacity(text.len() + size + 128);
        let (before, after) = text.split_at_checked(self.at).unwrap_or((text, &[]));
        out.extend_from_slice(before);
        if let Some(around) = self.around {
            write_string(around, &mut out);
            out.extend_from_slice(b":{");
        }
        write_string(RECEIPT, &mut out);
        out.extend_from_slice(b":[");
        for (n, carried) in receipts.iter().enumerate() {
            if n > 0 {
                out.push(b',');
            }
            carried.write(&mut out);
        }
        out.push(b']');
        if self.around.is_some() {
            out.push(b'}');
        }
        if self.more {
            out.push(b',');
        }
        out.extend_from_slice(after);
        out
    }
}

/// The text without receipts, and without the object around them where it held nothing else: the message as it was before
/// [`Place::put`]. `None` where there are none. `message` was read of `text`.
pub fn without_receipts(text: &[u8], message: &Value<'_>) -> Option<Vec<u8>> {
    let object = message.as_object()?;
    let mut cuts = Vec::new();
    for (outer_name, inner_name) in PLACES {
        let outer = object.get(outer_name).and_then(Value::as_object);
        let inner = outer.and_then(|outer| outer.get(inner_name)).and_then(Value::as_object);
        let Some(inner) = inner.filter(|inner| inner.get(RECEIPT).is_some()) else { continue };
        let outer_at = splice::inside(text, splice::find(text, splice::inside(text, 0)?, outer_name)?.value.start)?;
        let whole = splice::find(text, outer_at, inner_name)?;
        let alone = inner.len() == 1;
        cuts.push(if alone {
            whole.cut
        } else {
            splice::find(text, splice::inside(text, whole.value.start)?, RECEIPT)?.cut
        });
    }
    if cuts.is_empty() {
        return None;
    }
    cuts.sort_by_key(|cut| cut.start);
    let mut out = Vec::with_capacity(text.len());
    let mut from = 0;
    for cut in cuts {
        out.extend_from_slice(text.get(from..cut.start)?);
        from = cut.end;
    }
    out.extend_from_slice(text.get(from..)?);
    Some(out)
}

/// Whether a message bears our member, where it belongs.
pub fn is_in(message: &Value<'_>) -> bool {
    holder(message).and_then(|(_, _, inner)| inner?.get(RECEIPT)).is_some()
}

/// What is wrong with the receipt of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Defect {
    /// There is none.
    #[error("the answer bears no receipt for this call")]
    Missing,
    /// The member is not of its form.
    #[error("the member is not an array of one or two objects of exactly a receipt and a proof")]
    Form,
    /// Not a token of this type.
    #[error("the receipt is not a token of its form")]
    Token,
    /// Not a proof, or one without an entry, or one that does not lead to the checkpoint's root.
    #[error("the proof does not show that the entry is in the log")]
    Proof,
    /// The checkpoint of the proof, or the receipt, is of another log.
    #[error("another log's")]
    Log,
    /// The checkpoint of the proof is not signed by the key of the log that is in force at its size.
    #[error("the checkpoint is not signed by the log's key")]
    Checkpoint,
    /// The receipt is not signed by that key.
    #[error("the receipt is not signed by the log's key")]
    Signature,
    /// Receipt and proof are about different entries.
    #[error("receipt and proof name different entries")]
    Index,
    /// The entry does not say that a call was let through.
    #[error("the entry in the proof is no decision that lets a call through")]
    Entry,
    /// About another call.
    #[error("the receipt of another call")]
    Call,
    /// The entry names another audience.
    #[error("the decision of another audience")]
    Audience,
    /// The entry was made over other parameters.
    #[error("the decision is about other parameters")]
    Params,
    /// The receipt names another configuration than the entry.
    #[error("receipt and entry name different configurations")]
    Policy,
    /// The receipt says that the call ended in another way.
    #[error("the receipt says that the call ended otherwise")]
    Status,
    /// The receipt is about another answer.
    #[error("the receipt is about another answer")]
    Result,
}

impl Defect {
    /// Every defect.
    pub const ALL: [Self; 15] = [
        Self::Missing,
        Self::Form,
        Self::Token,
        Self::Proof,
        Self::Log,
        Self::Checkpoint,
        Self::Signature,
        Self::Index,
        Self::Entry,
        Self::Call,
        Self::Audience,
        Self::Params,
        Self::Policy,
        Self::Status,
        Self::Result,
    ];

    /// The reason that the answer is refused for.
    pub fn reason(self) -> Reason {
        match self {
            Self::Missing => Reason::NoReceipt,
            _ => Reason::BadReceipt,
        }
    }

    /// The word in the caller's log: where it is wrong.
    pub fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Form => "form",
            Self::Token => "token",
            Self::Proof => "proof",
            Self::Log => "log",
            Self::Checkpoint => "checkpoint",
            Self::Signature => "signature",
            Self::Index => "index",
            Self::Entry => "entry",
            Self::Call => "call",
            Self::Audience => "audience",
            Self::Params => "params",
            Self::Policy => "policy",
            Self::Status => "status",
            Self::Result => "result",
        }
    }
}

/// A call that an answer ends, as its caller knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Hash of the call proof.
    pub call: Digest,
    /// The salted digest of the parameters that the call proof holds.
    pub params: Digest,
    /// What the answer says of it, as the caller itself computes it.
    pub outcome: Outcome,
}

/// What a receipt that holds proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proved {
    /// Index of the decision's entry.
    pub index: u64,
    /// The log's name.
    pub log: String,
    /// The labels of the answer.
    pub labels: Labels,
    /// Size of the tree that the entry was shown to be in.
    pub size: u64,
    /// Receipt and proof, to be kept.
    pub text: String,
}

impl Proved {
    /// The receipt's token, out of what is kept.
    pub fn token(&self) -> Option<String> {
        let value = json::parse(self.text.as_bytes()).ok()?;
        Carried::read(&value).map(|carried| carried.receipt.to_owned())
    }
}

/// What became of the check.
pub type Verdict = Result<Proved, Bad>;

/// A receipt that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{defect}")]
pub struct Bad {
    /// What is wrong.
    pub defect: Defect,
    /// Receipt and proof, where the answer had them: evidence of what was wrong.
    pub text: Option<String>,
}

impl From<Defect> for Bad {
    fn from(defect: Defect) -> Self {
        Self { defect, text: None }
    }
}

/// The text that is to be kept of a receipt, whatever became of it.
pub fn kept(verdict: &Verdict) -> Option<&str> {
    match verdict {
        Ok(proved) => Some(&proved.text),
        Err(bad) => bad.text.as_deref(),
    }
}

/// Checks the receipts of an answer (`None` in place of one that has no canonical form) against the calls that it ends, one
/// verdict for each, by the pinned keys of the audience's log.
pub fn check(answer: Option<&Value<'_>>, keys: &LogKeys, audience: &str, ended: &[Ended]) -> Vec<Verdict> {
    let read = carried(answer).and_then(|carried| {
        let tokens: Option<Vec<_>> = carried.iter().map(|one| Unverified::<Receipt>::read(one.receipt).ok()).collect();
        Ok((tokens.ok_or(Defect::Token)?, carried))
    });
    let (mut tokens, carried) = match read {
        Ok((tokens, carried)) if carried.len() <= ended.len() => (tokens.into_iter().map(Some).collect(), carried),
        // A receipt that belongs to no call that ended.
        Ok((_, carried)) => return ended.iter().map(|_| Err(bad(Defect::Call, carried.first()))).collect(),
        Err(defect) => return ended.iter().map(|_| Err(defect.into())).collect(),
    };
    let all = carried.len() == ended.len();
    let verdict = |ended: &Ended, tokens: &mut Vec<Option<Unverified<Receipt>>>| {
        let mine = |token: &Option<Unverified<Receipt>>| token.as_ref().is_some_and(|t| t.peek().call == ended.call);
        let found = tokens.iter().position(mine).and_then(|at| Some((tokens.get_mut(at)?.take()?, carried.get(at)?)));
        let Some((token, carried)) = found else {
            return Err(if all { bad(Defect::Call, carried.first()) } else { Defect::Missing.into() });
        };
        check_one(token, *carried, keys, audience, ended).map_err(|defect| bad(defect, Some(carried)))
    };
    ended.iter().map(|ended| verdict(ended, &mut tokens)).collect()
}

fn bad(defect: Defect, carried: Option<&Carried<'_>>) -> Bad {
    Bad { defect, text: carried.map(Carried::to_text) }
}

fn carried<'m>(answer: Option<&'m Value<'_>>) -> Result<Vec<Carried<'m>>, Defect> {
    let (_, _, inner) = answer.and_then(holder).ok_or(Defect::Missing)?;
    let member = inner.and_then(|inner| inner.get(RECEIPT)).ok_or(Defect::Missing)?;
    let array = member.as_array().filter(|array| (1..=MAX_RECEIPTS).contains(&array.len())).ok_or(Defect::Form)?;
    let carried = array.iter().map(Carried::read).collect::<Option<Vec<_>>>().ok_or(Defect::Form)?;
    if carried.iter().any(|one| one.to_text().len() > MAX_RECEIPT) { Err(Defect::Form) } else { Ok(carried) }
}

/// A receipt that holds in itself: by the log's key, over an entry of that log.
#[derive(Clone, Debug)]
pub struct Opened {
    /// What it says.
    pub receipt: Verified<Receipt>,
    /// The audience of the decision.
    pub audience: String,
    /// The salted digest of the call's parameters, as the decision has it.
    pub params: Digest,
    /// Size of the tree that the decision was shown to be in.
    pub size: u64,
}

/// Checks what can be checked of a receipt without knowing the call: for whoever reads it later.
///
/// # Errors
/// [`Defect`].
pub fn open(carried: Carried<'_>, keys: &LogKeys) -> Result<Opened, Defect> {
    let token = Unverified::read(carried.receipt).map_err(|_| Defect::Token)?;
    open_read(token, carried, keys)
}

fn open_read(token: Unverified<Receipt>, carried: Carried<'_>, keys: &LogKeys) -> Result<Opened, Defect> {
    let proof = TlogProof::parse(carried.proof).map_err(|_| Defect::Proof)?;
    let (entry, checkpoint) = proof.check(keys).map_err(|error| match error {
        TlogProofError::Checkpoint(CheckpointError::Origin) => Defect::Log,
        TlogProofError::Checkpoint(CheckpointError::Form) => Defect::Proof,
        TlogProofError::Checkpoint(_) => Defect::Checkpoint,
        _ => Defect::Proof,
    })?;
    let key = keys.at(checkpoint.size).ok_or(Defect::Checkpoint)?;
    let receipt = token.verify(key.key()).map_err(|_| Defect::Signature)?;
    let Ok(Written::Decision { audience, call, policy, verdict: entry::Verdict::Allow { params, .. }, .. }) =
        Written::read(entry)
    else {
        return Err(Defect::Entry);
    };
    first_of(&[
        (receipt.log == keys.origin(), Defect::Log),
        (receipt.index == proof.index, Defect::Index),
        (receipt.call == call, Defect::Call),
        (receipt.policy == policy, Defect::Policy),
    ])?;
    Ok(Opened { receipt, audience: audience.into_owned(), params, size: checkpoint.size })
}

fn check_one(
    token: Unverified<Receipt>,
    carried: Carried<'_>,
    keys: &LogKeys,
    audience: &str,
    ended: &Ended,
) -> Result<Proved, Defect> {
    let Opened { receipt, audience: decided_by, params, size } = open_read(token, carried, keys)?;
    first_of(&[
        (receipt.call == ended.call, Defect::Call),
        (decided_by == audience, Defect::Audience),
        (params == ended.params, Defect::Params),
        (receipt.outcome.status == ended.outcome.status, Defect::Status),
        (receipt.outcome.digest == ended.outcome.digest, Defect::Result),
    ])?;
    let (index, labels) = (receipt.index, receipt.labels.clone());
    Ok(Proved { index, labels, log: keys.origin().to_owned(), size, text: carried.to_text() })
}

/// The first rule that does not hold.
fn first_of(rules: &[(bool, Defect)]) -> Result<(), Defect> {
    rules.iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, defect)| Err(*defect))
}
