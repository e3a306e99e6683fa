//! The vectors about what is wrong between the entries of a log.

use std::collections::BTreeSet;
use std::sync::Arc;

use attest_core::audit::{Bases, Basis, Fault, Names, Own, Sequence, Tables, look};
use attest_core::digest::Digest;
use attest_core::refusal::Token;

use super::each;

/// A store that has no token.
struct Empty;

impl Bases for Empty {
    fn basis(&mut self, _: &Digest, _: &[Digest]) -> Result<Arc<Basis>, Fault> {
        Err(Fault::TokenMissing(Token::Attestation))
    }
}

#[test]
fn each_log_is_whole_or_wrong_as_its_vector_says() {
    each("audit", |vector| {
        let (mut names, mut findings) = (Names::new(), Vec::new());
        let horizon = vector.get("horizon").map_or(0, |horizon| horizon.parse().unwrap());
        let forgotten = vector.get("forgotten").map_or(0, |forgotten| forgotten.parse().unwrap());
        let mut sequence = Sequence::new(Tables { horizon, forgotten, ..Tables::default() });
        for (index, line) in vector.body.strip_suffix(b"\n").unwrap().split(|byte| *byte == b'\n').enumerate() {
            // No canonical JSON has a tab.
            let mut parts = line.splitn(2, |byte| *byte == b'\t');
            let entry = parts.next().unwrap();
            let own = parts.next().map(|token| str::from_utf8(token).unwrap());
            let own = if own.is_none() && (index as u64) < forgotten { Own::LetGo } else { own.into() };
            let noted = look(index as u64, entry, own, &mut Empty, &mut names, &mut findings);
            sequence.next(&noted, |name| name, &mut findings);
        }
        sequence.end(&mut findings);
        let found: BTreeSet<_> = findings.iter().map(|finding| (finding.index, finding.fault.check())).collect();
        let mut found = found.into_iter();
        let verdict = match (found.next(), found.next()) {
            (None, _) => return "whole".to_owned(),
            // None of the log as a whole.
            (Some((index, check)), None) => {
                let index = index.map(|index| index.to_string());
                assert_eq!(index.as_deref(), vector.get("index"), "{}", vector.name);
                check
            }
            _ => panic!("{}: {findings:?}", vector.name),
        };
        verdict.to_owned()
    });
}
