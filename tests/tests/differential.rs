//! No reader of a document that passes as something else reads a call in it, and all readers of a call that is forwarded
//! read the same one: our reader against those of Node and Python, and against what servers make of them.
//!
//! A document is its seed. `ATTEST_SEED=N` begins elsewhere, `ATTEST_ONE=I` looks at the document I of that seed alone,
//! `ATTEST_LONG=1` looks at a million.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "what a test rests on is there, or the test fails at that line"
)]

#[path = "differential/bytes.rs"]
mod bytes;
#[path = "differential/lines.rs"]
mod lines;
#[path = "differential/oracle.rs"]
mod oracle;
#[path = "differential/ours.rs"]
mod ours;
#[path = "differential/random.rs"]
mod random;
#[path = "differential/run.rs"]
mod run;
#[path = "differential/seeds.rs"]
mod seeds;
#[path = "differential/shape.rs"]
mod shape;
#[path = "differential/spell.rs"]
mod spell;
#[path = "differential/tree.rs"]
mod tree;

use run::{Run, document};
use seeds::Seeds;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

#[test]
fn no_reader_finds_a_call_that_passes_as_something_else_or_another_call_than_the_one_forwarded() {
    let seed = number("ATTEST_SEED").unwrap_or(1);
    if let Some(one) = number("ATTEST_ONE") {
        let mut run = Run::start(seed);
        run.look_at(vec![(one, document(seed, one, &Seeds::new()))]);
        return run.report();
    }
    let wanted = if std::env::var_os("ATTEST_LONG").is_some() { 1_000_000 } else { 20_000 };
    let seeds = Seeds::new();
    let mut run = Run::start(seed);
    for start in (0..wanted).step_by(2_000) {
        run.look_at((start..start + 2_000).map(|index| (index, document(seed, index, &seeds))).collect());
    }
    run.report();
    run.must_have_seen_enough(wanted);
}
