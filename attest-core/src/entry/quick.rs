//! Entries as nearly all are, read in one pass over canonical bytes: a verification of a whole log reads each once.
//!
//! Only what is certainly an entry in canonical form is accepted; whatever else there is, the full reading judges.

use std::borrow::Cow;

use super::read::{Called, Verdict, Written};
use super::{MAX_ENTRY, Status};
use crate::b64;
use crate::claims::is_name;
use crate::digest::{Digest, Jti};
use crate::limits::MAX_CHAIN;

pub(super) fn read(body: &[u8]) -> Option<Written<'_>> {
    let text = core::str::from_utf8(body).ok().filter(|_| body.len() <= MAX_ENTRY)?;
    let mut at = Cursor(text);
    let written = match text.as_bytes().get(2..5)? {
        b"age" => allow(&mut at)?,
        b"aud" | b"cal" => outcome(&mut at)?,
        b"att" => call(&mut at)?,
        _ => return None,
    };
    at.0.is_empty().then_some(written)
}

fn allow<'a>(at: &mut Cursor<'a>) -> Option<Written<'a>> {
    at.skip("{\"agent\":\"")?;
    let agent = at.name()?;
    at.skip(",\"attestation\":\"")?;
    let attestation = at.digest()?;
    at.skip(",\"audience\":\"")?;
    let audience = at.name()?;
    at.skip(",\"call\":\"")?;
    let call = at.digest()?;
    at.skip(",\"context\":\"")?;
    let context = at.jti()?;
    at.skip(",\"decision\":\"allow\",\"delegation\":[\"")?;
    let delegation = at.chain()?;
    at.skip(",\"key\":\"")?;
    let key = at.digest()?;
    at.skip(",\"params\":\"")?;
    let params = at.digest()?;
    at.skip(",\"policy\":\"")?;
    let policy = at.digest()?;
    at.skip(",\"time\":")?;
    let time = at.number()?;
    at.skip(",\"tool\":\"")?;
    let called = Called::Tool(at.name()?);
    at.skip(",\"type\":\"decision\"}")?;
    // One that has seen something is read in full.
    let lineage = Box::default();
    let verdict = Verdict::Allow { attestation, context, delegation, lineage, notification: false, params };
    Some(Written::Decision { facts: None, agent, audience, call, called, key, policy, time, verdict })
}

fn outcome<'a>(at: &mut Cursor<'a>) -> Option<Written<'a>> {
    let audience = match at.skip("{\"audience\":\"") {
        Some(()) => {
            let name = at.name()?;
            at.skip(",\"call\":\"")?;
            Some(name)
        }
        None => {
            at.skip("{\"call\":\"")?;
            None
        }
    };
    let call = at.digest()?;
    let result = match at.skip(",\"result\":\"") {
        Some(()) => Some(at.digest()?),
        None => None,
    };
    at.skip(",\"status\":\"")?;
    let status = Status::parse(&at.name()?)?;
    at.skip(",\"time\":")?;
    let time = at.number()?;
    at.skip(",\"type\":\"outcome\"}")?;
    Some(Written::Outcome { audience, call, result, status, time })
}

fn call<'a>(at: &mut Cursor<'a>) -> Option<Written<'a>> {
    at.skip("{\"attestation\":\"")?;
    let attestation = at.digest()?;
    at.skip(",\"audience\":\"")?;
    let audience = at.name()?;
    at.skip(",\"call\":\"")?;
    let call = at.digest()?;
    at.skip(",\"context\":\"")?;
    let context = at.jti()?;
    at.skip(",\"delegation\":[\"")?;
    let delegation = at.chain()?;
    at.skip(",\"params\":\"")?;
    let params = at.digest()?;
    at.skip(",\"time\":")?;
    let time = at.number()?;
    at.skip(",\"tool\":\"")?;
    let called = Called::Tool(at.name()?);
    at.skip(",\"type\":\"call\"}")?;
    Some(Written::Call { attestation, audience, call, called, context, delegation, notification: false, params, time })
}

/// What is left of the text.
struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    fn skip(&mut self, literal: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(literal)?;
        Some(())
    }

    fn take(&mut self, bytes: usize) -> Option<&'a str> {
        let (taken, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(taken)
    }

    /// The rest of a string, with its closing quote, that has no escape and is a name: its canonical form is itself.
    fn name(&mut self) -> Option<Cow<'a, str>> {
        let end = memchr::memchr2(b'"', b'\\', self.0.as_bytes())?;
        let name = self.take(end)?;
        self.skip("\"")?;
        is_name(name).then_some(Cow::Borrowed(name))
    }

    /// 43 characters and the closing quote.
    fn digest(&mut self) -> Option<Digest> {
        let digest = b64::decode_exact(self.take(43)?)?;
        self.skip("\"")?;
        Some(Digest(digest))
    }

    fn jti(&mut self) -> Option<Jti> {
        let jti = b64::decode_exact(self.take(22)?)?;
        self.skip("\"")?;
        Some(Jti(jti))
    }

    fn chain(&mut self) -> Option<Vec<Digest>> {
        let mut chain = Vec::with_capacity(2);
        loop {
            chain.push(self.digest()?);
            if self.skip("]").is_some() {
                return (chain.len() <= MAX_CHAIN).then_some(chain);
            }
            self.skip(",\"")?;
        }
    }

    /// A whole number below 2^53 in its one spelling, of at most 15 digits: all times of this millennium.
    fn number(&mut self) -> Option<u64> {
        let digits = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let text = self.take(digits)?;
        let plain = (1..=15).contains(&digits) && (digits == 1 || !text.starts_with('0'));
        plain.then(|| text.parse().ok()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Written;

    const ENTRIES: [&str; 4] = [
        r#"{"agent":"a1","attestation":"6hpAzpP5xpy9DBdhfeo40iDZbYJVatlloaS0yHGlSTw","audience":"files","call":"x4Cph6bmATHRMxxVnKfzduWtZgvUjL5Ga1b2McGziHM","context":"BQUFBQUFBQUFBQUFBQUFBQ","decision":"allow","delegation":["IngmSD6TOSQJ35uOkgH18H0jp9LADM8WBeK55weMMg8","HGflKhyOrI9whKcUNudBP8HhvbDxNrWcXHvjVTWCH94"],"key":"nRIE2VmKdMjL1JD7tbV7fXVgXxmv0GKnMFWRUJMTf9Q","params":"QixF7LHoaKo7MatPvu43eamCOQTe4KyDPHemzr5wQ6Q","policy":"-nly06BcN2MUdM2Sy9CMOYaoS1256IS2_d-ootQbrk0","time":1800000000005,"tool":"read_file","type":"decision"}"#,
        r#"{"audience":"files","call":"x4Cph6bmATHRMxxVnKfzduWtZgvUjL5Ga1b2McGziHM","result":"XMN1HZ55JTHJCNULzH0xc9niFtgej08BHyUvGCg-uHM","status":"result","time":1800000000040,"type":"outcome"}"#,
        r#"{"call":"x4Cph6bmATHRMxxVnKfzduWtZgvUjL5Ga1b2McGziHM","status":"unknown","time":0,"type":"outcome"}"#,
        r#"{"attestation":"6hpAzpP5xpy9DBdhfeo40iDZbYJVatlloaS0yHGlSTw","audience":"files","call":"x4Cph6bmATHRMxxVnKfzduWtZgvUjL5Ga1b2McGziHM","context":"BQUFBQUFBQUFBQUFBQUFBQ","delegation":["IngmSD6TOSQJ35uOkgH18H0jp9LADM8WBeK55weMMg8"],"params":"QixF7LHoaKo7MatPvu43eamCOQTe4KyDPHemzr5wQ6Q","time":1800000000002,"tool":"read_file","type":"call"}"#,
    ];

    #[test]
    fn the_short_cut_takes_the_entries_that_it_is_for_and_reads_them_as_the_full_reading_does() {
        for entry in ENTRIES {
            let quick = super::read(entry.as_bytes()).expect(entry);
            assert_eq!(Ok(quick), Written::read_in_full(entry.as_bytes()));
        }
    }

    proptest! {
        /// What the short cut accepts, the full reading accepts too, as the same.
        #[test]
        fn the_short_cut_accepts_nothing_more(
            which in 0..ENTRIES.len(),
            edits in prop::collection::vec((0usize..800, any::<u8>(), 0..3u8), 0..4),
        ) {
            let mut body = ENTRIES[which].as_bytes().to_vec();
            for (at, byte, how) in edits {
                let at = at % body.len();
                match how {
                    0 => body[at] = byte,
                    1 => body.insert(at, byte),
                    _ => { body.remove(at); }
                }
            }
            if let Some(quick) = super::read(&body) {
                prop_assert_eq!(Ok(quick), Written::read_in_full(&body));
            }
        }
    }
}
