//! The attacks.

use std::collections::BTreeSet;

use attest_core::call_proof::CallProof;
use attest_core::digest::Digest;
use attest_core::entry::{Verdict, Written};
use attest_core::jws::Unverified;
use attest_core::sign::MemoryKey;
use attest_core::tlog_proof::TlogProof;
use attest_core::trust::MAX_SKEW;
use attest_log::danger::Copy;
use attest_log::{Log, LogKey, Options, Record, ReplayKey};
use serde_json::Value;

use super::edits::{self, Edit};
use super::original::{Kept, Original};
use super::{Act, By, Done, Mute, Who, reader};

/// What came of an attempt.
pub(super) enum Acted {
    /// This log has nothing that it could be done to.
    Not,
    /// It was done.
    Done,
    /// It was tried on something that answered at once, and these noticed.
    Answered(Vec<By>),
}

pub(super) struct Case {
    pub name: String,
    pub who: Who,
    /// At least one of these has to notice; where there is none, nothing can.
    pub must: &'static [By],
    /// It is done to a copy whose entries are sealed as the log's are; others before they are sealed again.
    pub on_sealed: bool,
    pub act: Act,
}

pub(super) const VERIFY: &[By] = &[By::Verify];
const START: &[By] = &[By::Start];
const OUTSIDE: &[By] = &[By::Receipt, By::Witness];
const RECEIPT: &[By] = &[By::Receipt];

/// All that can be tried on this log. What needs the key is left out where it is not there; `shared` says that it is judged as one that several
/// verifiers write.
pub(super) fn all(original: &Original, key: Option<&LogKey>, shared: bool) -> Vec<Case> {
    let mut cases = Vec::new();
    edited(original, key.is_some(), &mut cases);
    moved(key.is_some(), &mut cases);
    beside(shared, &mut cases);
    asked(&mut cases);
    if key.is_some() {
        signed(&mut cases);
    }
    cases
}

pub(super) fn case(
    name: impl Into<String>,
    who: Who,
    must: &'static [By],
    act: impl Fn(&Copy, &Original, Option<&LogKey>) -> Done<Acted> + 'static,
) -> Case {
    Case { name: name.into(), who, must, on_sealed: false, act: Box::new(act) }
}

/// The same by a writer and by whoever holds the key, who makes tree and checkpoint anew.
fn both(cases: &mut Vec<Case>, key: bool, name: &str, act: impl Fn(&Copy, &Original) -> Done<bool> + Clone + 'static) {
    let by_writer = act.clone();
    cases.push(case(name, Who::Writer, VERIFY, move |copy, original, _| done(by_writer(copy, original)?)));
    if key {
        let again = move |copy: &Copy, original: &Original, key: Option<&LogKey>| {
            let acted = act(copy, original)?;
            sign(copy, key)?;
            done(acted)
        };
        cases.push(case(format!("{name}, all signed anew"), Who::KeyHolder, OUTSIDE, again));
    }
}

pub(super) fn done(acted: bool) -> Done<Acted> {
    Ok(if acted { Acted::Done } else { Acted::Not })
}

fn sign(copy: &Copy, key: Option<&LogKey>) -> Done<()> {
    copy.sign_anew(key.ok_or("the key is not here")?)?;
    Ok(())
}

/// Each member of each type of entry that the log has.
fn edited(original: &Original, key: bool, cases: &mut Vec<Case>) {
    let mut seen = BTreeSet::new();
    for (index, Kept { body, .. }) in (0u64..).zip(&original.entries) {
        let kind = edits::kind(body);
        if !seen.insert(kind.clone()) {
            continue;
        }
        for Edit { member, body } in edits::of(body) {
            both(cases, key, &format!("edit {kind}: {member}"), move |copy, _| {
                copy.set_body(index, &body)?;
                Ok(true)
            });
        }
    }
    cases.push(case("edit an entry, all tiles made anew", Who::Writer, VERIFY, |copy, original, _| {
        let Some(at) = first_outcome(original) else { return Ok(Acted::Not) };
        let time = time_of(original.at(at)?).saturating_add(1);
        copy.set_body(at, &edits::with(&original.at(at)?.body, &[("time", time.into())]))?;
        copy.retile()?;
        done(true)
    }));
}

fn moved(key: bool, cases: &mut Vec<Case>) {
    both(cases, key, "swap two entries", |copy, original| {
        if original.size() < 2 {
            return Ok(false);
        }
        // Two that differ by more than their order: the first says who writes.
        copy.swap(0, original.size() - 1)?;
        Ok(true)
    });
    both(cases, key, "insert an entry", |copy, original| {
        let Some(at) = first_outcome(original) else { return Ok(false) };
        copy.insert(at + 1, &original.at(at)?.body, None)?;
        Ok(true)
    });
    both(cases, key, "delete a decision", |copy, original| {
        let Some(at) = original.find(|entry| entry.tokens().next().is_some()) else { return Ok(false) };
        copy.delete(at)?;
        Ok(true)
    });
    both(cases, key, "delete a call, from its decision to its end", |copy, original| {
        let Some(at) = original.find(|entry| entry.tokens().next().is_some()) else { return Ok(false) };
        let call = Written::read(&original.at(at)?.body)?.own_token();
        let is_its = |entry: &Kept| match Written::read(&entry.body) {
            Ok(Written::Outcome { call: of, .. } | Written::Receipt { call: of, .. }) => Some(of) == call,
            Ok(entry) => entry.tokens().next().is_some() && entry.own_token() == call,
            Err(_) => false,
        };
        let all = (0u64..).zip(&original.entries).filter(|(_, entry)| is_its(entry)).map(|(at, _)| at);
        for at in all.collect::<Vec<_>>().into_iter().rev() {
            copy.delete(at)?;
        }
        drop_unnamed(copy, original.entries.iter().filter(|entry| !is_its(entry)))?;
        Ok(true)
    });
    both(cases, key, "drop an outcome", |copy, original| {
        let Some(at) = first_outcome(original) else { return Ok(false) };
        copy.delete(at)?;
        Ok(true)
    });
    both(cases, key, "drop an outcome, its call listed as open", |copy, original| {
        // Of the last call: at the next start each open call would have its outcome written.
        let Some(at) = original.entries.iter().rposition(|kept| edits::kind(&kept.body) == "outcome") else {
            return Ok(false);
        };
        let Ok(Written::Outcome { call, .. }) = Written::read(&original.at(at as u64)?.body) else { return Ok(false) };
        let opened = original.find(|entry| entry.tokens().next().is_some() && entry.own_token() == Some(call));
        // The receipt of the call, in a caller's log, has to go with it.
        let receipt = original.find(|entry| matches!(entry, Written::Receipt { call: of, .. } if *of == call));
        if let Some(receipt) = receipt {
            copy.delete(receipt)?;
        }
        copy.delete(at as u64)?;
        copy.open_call(&call.0, opened.unwrap_or(0))?;
        Ok(true)
    });
    cases.push(case("truncate the tail", Who::Writer, VERIFY, |copy, original, _| {
        copy.truncate(original.size() - original.size() / 4 - 1)?;
        done(original.size() > 1)
    }));
}

/// What stands beside the entries.
fn beside(shared: bool, cases: &mut Vec<Case>) {
    let mut add = |name: &str, must, act: fn(&Copy, &Original) -> Done<bool>| {
        cases.push(case(name, Who::Writer, must, move |copy, original, _| done(act(copy, original)?)));
    };
    fn two_tokens(original: &Original) -> Option<(Digest, Digest)> {
        original.entries.iter().find_map(|kept| {
            let entry = Written::read(&kept.body).ok()?;
            let mut tokens = entry.tokens();
            Some((tokens.next()?, tokens.next()?))
        })
    }
    fn with_token(original: &Original) -> Option<u64> {
        original.entries.iter().position(|kept| kept.token.is_some()).map(|at| at as u64)
    }
    add("replace a token in the store by another", VERIFY, |copy, original| {
        let Some((a, b)) = two_tokens(original) else { return Ok(false) };
        let other = reader(copy.path())?.token(&b.0)?.unwrap_or_default();
        copy.set_token(&a.0, &other)?;
        Ok(true)
    });
    add("take a token out of the store", VERIFY, |copy, original| {
        let Some((a, _)) = two_tokens(original) else { return Ok(false) };
        copy.remove_token(&a.0)?;
        Ok(true)
    });
    add("put a token into the store that no entry names", VERIFY, |copy, _| {
        copy.add_token(&Digest::of("a.b.c").0, "a.b.c")?;
        Ok(true)
    });
    add("replace the call proof beside an entry by another", VERIFY, |copy, original| {
        let Some(first) = with_token(original) else { return Ok(false) };
        let own = original.at(first)?.token.as_deref();
        let other = original.entries.iter().rev().find_map(|kept| kept.token.as_deref().filter(|t| Some(*t) != own));
        copy.set_own_token(first, other)?;
        Ok(other.is_some())
    });
    add("change a signature beside an entry", VERIFY, |copy, original| {
        let Some(first) = with_token(original) else { return Ok(false) };
        let mut token = original.at(first)?.token.clone().unwrap_or_default();
        // One of the signature's characters that has no unused bits.
        let at = token.len().saturating_sub(20);
        let to = if token.get(at..=at) == Some("A") { "B" } else { "A" };
        token.replace_range(at..=at, to);
        copy.set_own_token(first, Some(&token))?;
        Ok(true)
    });
    add("take the call proof beside an entry away", VERIFY, |copy, original| {
        let Some(first) = with_token(original) else { return Ok(false) };
        copy.set_own_token(first, None)?;
        Ok(true)
    });
    add("put a token beside an entry that has none", VERIFY, |copy, original| {
        // Of those before there is no file to put it into.
        let none =
            (original.forgotten..original.size()).find(|at| original.at(*at).is_ok_and(|kept| kept.token.is_none()));
        copy.set_own_token(none.unwrap_or(0), Some("a.b.c"))?;
        Ok(none.is_some())
    });
    add("free a used call in the replay window", VERIFY, |copy, original| {
        let mut last = None;
        reader(copy.path())?.snapshot(|row| last = Some(row.index))?;
        let _ = original;
        let Some(last) = last else { return Ok(false) };
        copy.forget(last)?;
        Ok(true)
    });
    add("make a used call be forgotten sooner", VERIFY, |copy, _| {
        let mut last = None;
        reader(copy.path())?.snapshot(|row| last = Some((row.index, row.expires)))?;
        let Some((last, expires)) = last else { return Ok(false) };
        copy.set_expiry(last, expires.saturating_sub(600))?;
        Ok(true)
    });
    add("list a call as open that has ended", VERIFY, |copy, original| {
        let Some(at) = original.find(|entry| matches!(entry, Written::Outcome { .. })) else { return Ok(false) };
        let Ok(Written::Outcome { call, .. }) = Written::read(&original.at(at)?.body) else { return Ok(false) };
        copy.open_call(&call.0, at)?;
        Ok(true)
    });
    add("change a tile of level 0", VERIFY, |copy, _| Ok(copy.break_tile(0, 0)?));
    add("change a tile of level 1", VERIFY, |copy, _| Ok(copy.break_tile(1, 0)?));
    add("change the mark of a taking over", VERIFY, |copy, _| {
        copy.set_since(1)?;
        Ok(true)
    });
    // Of several verifiers one that has no record may be new.
    if !shared {
        add("remove the record of what was published", START, |copy, _| {
            copy.remove_head()?;
            Ok(true)
        });
    }
    add("garble the record of what was published", START, |copy, _| {
        copy.garble_head()?;
        Ok(true)
    });
    add("put a forged cosigned checkpoint in", VERIFY, |copy, original| {
        let forged = original.checkpoint.replacen(&format!("\n{}\n", original.size()), "\n1\n", 1);
        copy.add_cosigned(1, &forged)?;
        Ok(original.size() > 1)
    });
    add("sign everything anew with a key of one's own", VERIFY, |copy, original| {
        let stranger = LogKey::new(original.keys.origin(), MemoryKey::from_seed(&[0x5a; 32]))?;
        copy.set_keys(&[(0, stranger.vkey().to_string())])?;
        copy.sign_anew(&stranger)?;
        Ok(true)
    });
}

/// The call proof of the last call of a verifier's log.
fn last_proof(original: &Original) -> Option<(Digest, CallProof)> {
    original.entries.iter().rev().find_map(|kept| {
        let Ok(Written::Decision { key, verdict: Verdict::Allow { .. }, .. }) = Written::read(&kept.body) else {
            return None;
        };
        Some((key, Unverified::<CallProof>::read(kept.token.as_deref()?).ok()?.peek().clone()))
    })
}

/// Attacks that are answered at once: a proof that is shown, a call that is made again.
fn asked(cases: &mut Vec<Case>) {
    cases.push(case("edit a proof that somebody holds, each line of it", Who::Writer, RECEIPT, |copy, original, _| {
        let reader = reader(copy.path())?;
        let (index, size) = (original.size() / 2, original.size());
        let entry = original.at(index)?.body.clone();
        let path = reader.inclusion(index, size)?;
        let proof = TlogProof { entry: Some(entry), index, path, checkpoint: original.checkpoint.clone() }.to_text();
        let holds = |text: &str| TlogProof::parse(text).is_ok_and(|proof| proof.check(&original.keys).is_ok());
        if !holds(&proof) {
            return Err("the log's own proof does not hold".into());
        }
        let lines: Vec<&str> = proof.split('\n').collect();
        let mut refused = true;
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| !line.is_empty()) {
            // In the middle of the line, a character that changes what it means.
            let middle = line.len() / 2;
            let Some(there) = line.get(middle..=middle) else { continue };
            let mut line = (*line).to_owned();
            line.replace_range(middle..=middle, if there == "7" { "8" } else { "7" });
            let mut changed: Vec<&str> = lines.clone();
            if let Some(place) = changed.get_mut(at) {
                *place = &line;
            }
            refused &= !holds(&changed.join("\n"));
        }
        Ok(Acted::Answered(if refused { vec![By::Receipt] } else { Vec::new() }))
    }));
    cases.push(case("make a call again after a restart", Who::Writer, START, |copy, original, _| {
        let Some((key, proof)) = last_proof(original) else { return Ok(Acted::Not) };
        let until = proof.expires.saturating_add(MAX_SKEW);
        let key = ReplayKey::new(key.to_b64().as_bytes(), &proof.id.0, until)?;
        let Some((vkey, _)) = original.keys.all().last() else { return Ok(Acted::Not) };
        let mute = LogKey::new(vkey.name(), Mute(vkey.key().clone()))?;
        let (log, _) = Log::open(copy.path(), mute, Options::default())?;
        let record = Record { replay: Some(key), ..Record::new("again") };
        let refused = log
            .append_blocking(record, proof.issued_at)
            .is_err_and(|error| matches!(error, attest_log::AppendError::Replay | attest_log::AppendError::Expired));
        Ok(Acted::Answered(if refused { vec![By::Start] } else { Vec::new() }))
    }));
    cases.push(case("put a call into another verifier's log", Who::KeyHolder, VERIFY, |copy, original, key| {
        // As that log's owner would have to write it: all audiences changed, the proof as it is.
        let Some(key) = key else { return Ok(Acted::Not) };
        let mut any = false;
        for (index, kept) in (0u64..).zip(&original.entries) {
            let named = serde_json::from_slice::<Value>(&kept.body).is_ok_and(|entry| entry.get("audience").is_some());
            if named && !matches!(Written::read(&kept.body), Ok(Written::Call { .. })) {
                copy.set_body(index, &edits::with(&kept.body, &[("audience", "another".into())]))?;
                any |=
                    matches!(Written::read(&kept.body), Ok(Written::Decision { verdict: Verdict::Allow { .. }, .. }));
            }
        }
        copy.sign_anew(key)?;
        done(any)
    }));
}

/// Attacks of whoever holds the key.
fn signed(cases: &mut Vec<Case>) {
    // Behind an outcome, as a copy is that was made of a log at rest.
    fn old(original: &Original) -> u64 {
        let most = original.entries.len() - original.entries.len() / 4;
        let ended = original.entries.iter().take(most).rposition(|kept| edits::kind(&kept.body) == "outcome");
        ended.map_or(1, |at| at as u64 + 1)
    }
    let mut add = |name: &str, must, act: fn(&Copy, &Original, &LogKey) -> Done<bool>| {
        cases.push(case(name, Who::KeyHolder, must, move |copy, original, key| {
            done(act(copy, original, key.ok_or("the key is not here")?)?)
        }));
    };
    add("put an old copy in place", START, |copy, original, key| {
        cut(copy, original, old(original))?;
        copy.sign_anew(key)?;
        // What the log had published is not the copy's.
        copy.set_head(&original.checkpoint)?;
        Ok(original.size() > 1)
    });
    add("put an old copy in place, the record of what was published too", OUTSIDE, |copy, original, key| {
        cut(copy, original, old(original))?;
        copy.sign_anew(key)?;
        Ok(original.size() > 1)
    });
    add("fork: the same log with another end", OUTSIDE, |copy, original, key| {
        let from = old(original);
        cut(copy, original, from)?;
        let (first, last) = (original.at(0)?, original.at(from.saturating_sub(1))?);
        // Another start: what could have been.
        copy.insert(from, &edits::with(&first.body, &[("time", time_of(last).into())]), None)?;
        copy.sign_anew(key)?;
        Ok(original.size() > 1)
    });
    add("backdate an entry by an hour", VERIFY, |copy, original, key| backdate(copy, original, key, 3_600_000));
    add("backdate an entry by a minute", OUTSIDE, |copy, original, key| backdate(copy, original, key, 60_000));
    add("free a used call in the replay window, all signed anew", VERIFY, |copy, _, key| {
        let mut last = None;
        reader(copy.path())?.snapshot(|row| last = Some(row.index))?;
        let Some(last) = last else { return Ok(false) };
        copy.forget(last)?;
        copy.sign_anew(key)?;
        Ok(true)
    });
    add("sign a checkpoint in another log's name", VERIFY, |copy, _, key| {
        copy.sign_as(key, "another.example/log")?;
        Ok(true)
    });
    add("sign everything with another key from the beginning", VERIFY, |copy, original, _| {
        let other = LogKey::new(original.keys.origin(), MemoryKey::from_seed(&[0x5b; 32]))?;
        copy.set_keys(&[(0, other.vkey().to_string())])?;
        copy.sign_anew(&other)?;
        Ok(true)
    });
    add("sign on with a key that was retired", VERIFY, |copy, original, key| {
        let next = LogKey::new(original.keys.origin(), MemoryKey::from_seed(&[0x5c; 32]))?;
        let (log, _) = Log::open(copy.path(), key.clone(), Options::default())?;
        let time = time_of(original.at(original.size().saturating_sub(1))?);
        let entry = attest_core::entry::Entry::key(key.vkey(), next.vkey(), time);
        let next_key = Some(Box::new(next.vkey().clone()));
        log.append_blocking(Record { next_key, ..Record::new(entry.to_bytes()) }, 0)?;
        log.close()?;
        let refused = Log::open(copy.path(), key.clone(), Options::default()).is_err();
        let refusal = attest_core::entry::Entry::refused(
            attest_core::refusal::Reason::NoProof,
            1,
            time,
            original.keys.origin(),
            time,
        );
        copy.insert(original.size() + 1, &refusal.to_bytes(), None)?;
        copy.sign_anew(key)?;
        if !refused {
            return Err("a log opened with its retired key".into());
        }
        Ok(true)
    });
}

/// Leaves what the log was at this size: no token that came later either.
fn cut(copy: &Copy, original: &Original, size: u64) -> Done<()> {
    copy.truncate(size)?;
    drop_unnamed(copy, original.entries.iter().take(usize::try_from(size)?))
}

/// Takes the tokens out of the store that none of these entries names.
fn drop_unnamed<'e>(copy: &Copy, entries: impl Iterator<Item = &'e Kept>) -> Done<()> {
    let mut named = BTreeSet::new();
    for kept in entries {
        named.extend(Written::read(&kept.body)?.tokens());
    }
    let mut others = Vec::new();
    reader(copy.path())?.tokens(|hash, _| -> Result<(), attest_log::ReadError> {
        let hash = hash.try_into().map(Digest).ok();
        others.extend(hash.filter(|hash| !named.contains(hash)));
        Ok(())
    })?;
    others.iter().try_for_each(|hash| copy.remove_token(&hash.0))?;
    Ok(())
}

fn first_outcome(original: &Original) -> Option<u64> {
    original.find(|entry| matches!(entry, Written::Outcome { .. }))
}

fn time_of(kept: &Kept) -> u64 {
    Written::read(&kept.body).map_or(0, |entry| entry.time())
}

/// The last outcome, or else the last entry, dated back.
fn backdate(copy: &Copy, original: &Original, key: &LogKey, by: u64) -> Done<bool> {
    let outcome = original.entries.iter().rposition(|kept| edits::kind(&kept.body) == "outcome");
    let Some(at) = outcome else { return Ok(false) };
    let kept = original.at(at as u64)?;
    copy.set_body(at as u64, &edits::with(&kept.body, &[("time", time_of(kept).saturating_sub(by).into())]))?;
    copy.sign_anew(key)?;
    Ok(true)
}
