//! What the rules cost a call, and what the scan costs a megabyte.
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark")]

use std::hint::black_box;

use attest_core::digest::{Digest, Jti};
use attest_core::entry::Status;
use attest_core::seen::*;
use attest_watch::{Rules, Watch, scan};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn events() -> Vec<Event> {
    let event = |server: u64, what| Event { session: Jti([5; 16]), server: format!("server-{server}"), what };
    let mut all = Vec::new();
    for n in 0..10_000u64 {
        let call = Call {
            call: Digest::of(n.to_le_bytes()),
            called: Called::Tool(format!("tool-{}", n % 40)),
            arguments: Digest::of("arguments"),
            size: 100,
            shape: Digest::of((n % 9).to_le_bytes()),
            outside: Vec::new(),
            destinations: Destinations::of([format!("h{}.example", n % 300), "mail.example".to_owned()]),
            marks: Marks::default(),
            notification: false,
        };
        let answer = Answer {
            call: call.call,
            status: Status::Result,
            size: 1_000,
            latency: 3,
            result: None,
            marks: Marks::default(),
            destinations: Destinations::default(),
            held: false,
        };
        all.push(event(n % 5, What::Call(Box::new(call))));
        all.push(event(n % 5, What::Answer(Box::new(answer))));
    }
    all
}

fn rules(c: &mut Criterion) {
    let events = events();
    let mut watch = Watch::new(Rules::default());
    let (mut index, mut time) = (0u64, 1_800_000_000_000u64);
    let mut pairs = events.chunks(2).cycle();
    c.bench_function("rules/a call and its answer", |b| {
        b.iter(|| {
            for event in pairs.next().unwrap() {
                (index, time) = (index + 1, time + 500);
                black_box(watch.see(index, time, event));
            }
        });
    });
}

fn text(c: &mut Criterion) {
    let words = "The quick brown fox of the north jumped, as it had done on every day before that, over one lazy dog; and \
                 nobody who saw it (there were few) thought that it meant anything at all. ";
    let prose = words.repeat((1 << 20) / words.len());
    let mut group = c.benchmark_group("scan");
    group.throughput(Throughput::Bytes(prose.len() as u64));
    group.bench_function("prose", |b| b.iter(|| black_box(scan::text(black_box(&prose)))));
    // Words that are each looked around, with nothing to find.
    for word in ["ignore ", "instruction ", "\nsystem: ", "ignore pravioux instrmctiona "] {
        let worst = word.repeat((1 << 20) / word.len());
        group.throughput(Throughput::Bytes(worst.len() as u64));
        group.bench_function(format!("{:?} again and again", word.trim()), |b| {
            b.iter(|| black_box(scan::text(black_box(&worst))));
        });
    }
    group.finish();
}

criterion_group!(benches, rules, text);
criterion_main!(benches);
