//! A million entries: how long each thing takes that a person waits for. Not run with the others; it prints figures and asserts none.

use std::time::Instant;

use attest_core::alert::{Action, Alert, Severity};
use attest_core::digest::{Digest, Jti};
use attest_core::entry::{Entry, Status};
use attest_core::refusal::Reason;
use attest_core::seen::{Called, Event, What};
use attest_tests::page::Page;

use crate::made::Made;

#[test]
#[ignore = "minutes: cargo test --test ui -- --ignored --nocapture million"]
fn a_million_entries() {
    let made = Made::new("log", 0);
    let begun = Instant::now();
    let entries: u64 = std::env::var("ENTRIES").ok().and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    made.growing("log").put((0..entries).map(|n| {
        let (time, call) = (1_764_000_000_000 + n * 250, Digest::of((n / 2).to_string()));
        match n % 200 {
            199 => Entry::alert(&alert(call), time).to_bytes(),
            97 => Entry::refused(Reason::NoProof, 1, time, "server", time).to_bytes(),
            k if k % 2 == 1 => Entry::outcome(call, Status::Result, Some(call), Some("server"), time).to_bytes(),
            k => {
                let event = Event {
                    session: Jti([1; 16]),
                    server: format!("server-{}", k % 7),
                    what: What::Refused {
                        call: Some(call),
                        called: Called::Tool(format!("tool-{}", n % 50)),
                        reason: "no-grant".to_owned(),
                    },
                };
                Entry::seen(event, time).to_bytes()
            }
        }
    }));
    println!("{entries} entries written in {:.1?}", begun.elapsed());
    let begun = Instant::now();
    let page = Page::open(made.ui());
    println!("indexed and serving after {:.1?}", begun.elapsed());
    let call = page.get("api/rows?most=1").json()["rows"][0]["row"]["call"].as_str().unwrap().to_owned();
    for what in [
        "api/logs",
        "api/rows?most=100",
        "api/rows?most=100&below=500000",
        "api/rows?tool=tool-7&most=100",
        "api/rows?verdict=deny&most=100",
        "api/rows?tool=none",
        "api/rows?type=alert&since=2025-11-25T00:00:00Z",
        "api/rows?since=2025-11-24T16:00:00Z&until=2025-11-24T17:00:00Z&most=100",
        "api/alerts",
        "api/states",
        &format!("api/trace?call={call}"),
        &format!("api/rows?from={entries}"),
    ] {
        let mut times: Vec<_> = (0..5)
            .map(|_| {
                let begun = Instant::now();
                let reply = page.get(what);
                assert_eq!(reply.status, 200, "{what}: {}", reply.body);
                (begun.elapsed(), reply.body.len())
            })
            .collect();
        times.sort_unstable();
        println!("{:>9.2?} median, {:>9.2?} worst, {:>7} bytes  {what}", times[2].0, times[4].0, times[2].1);
    }
}

fn alert(call: Digest) -> Alert {
    Alert {
        action: Action::Note,
        call: Some(call),
        entries: vec![0],
        reason: "many calls".to_owned(),
        rule: "burst".to_owned(),
        server: "server".to_owned(),
        session: Jti([1; 16]),
        severity: Severity::Medium,
        tool: None,
    }
}
