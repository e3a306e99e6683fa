//! How fast redaction is, over what holds no secrets and over what does. One core, release build:
//! `cargo bench -p attest-redact`.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark that cannot start may stop at that line"
)]

use attest_core::digest::Salt;
use attest_core::json::{self, write_string};
use attest_redact::Rules;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Words of English text, a fixed order for each run.
fn prose(bytes: usize) -> String {
    let words = "the a call of one tool is written down with what went in and what came out, so that later somebody \
        can tell who asked for it: nothing here is secret. Reading files, listing folders (and their dates) takes most of \
        the time; errors are rare, but they do happen. In 2026 there were 365 days";
    let words: Vec<&str> = words.split(' ').collect();
    let mut state = 1u32;
    let mut out = String::new();
    while out.len() < bytes {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        out.push_str(words[(state >> 16) as usize % words.len()]);
        out.push(' ');
    }
    out
}

fn result(text: &str, parts: usize) -> Vec<u8> {
    let mut out = br#"{"content":["#.to_vec();
    for part in 0..parts {
        if part > 0 {
            out.push(b',');
        }
        out.extend_from_slice(br#"{"type":"text","annotations":{"audience":["user"],"priority":0.5},"text":"#);
        write_string(text, &mut out);
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
    out
}

fn redact(c: &mut Criterion) {
    let rules = Rules::defaults();
    let secrets = format!("{} ana@example.org {} password=hunter2 ", prose(500), prose(500));
    for (name, text) in [
        ("prose, 4 KiB strings", result(&prose(4_096), 64)),
        ("prose, 200 B strings", result(&prose(200), 1_024)),
        ("prose, 2 secrets per KiB", result(&secrets, 256)),
    ] {
        let value = json::parse(&text).unwrap();
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function("read", |b| b.iter(|| json::parse(&text).unwrap()));
        group.bench_function("write", |b| b.iter(|| value.to_canonical()));
        group.bench_function("redact", |b| b.iter(|| rules.value(&value, &mut || Salt([7; 16]))));
        group.finish();
    }
}

criterion_group!(benches, redact);
criterion_main!(benches);
