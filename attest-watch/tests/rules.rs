//! Each rule has a case in which it fires, and one like it in which it stays silent.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs, reason = "a test fails there")]

#[allow(dead_code, reason = "each test uses its part")]
mod common;

use attest_core::digest::Digest;
use attest_core::measurement::Component;
use attest_core::seen::*;
use common::*;

#[test]
fn outside_schema() {
    let mut log = Log::new("");
    log.at("mail", tool("send", "", OUT, &[]));
    let outside = Call { outside: vec!["/to".to_owned()], ..call(1, "send", &[]) };
    assert!(log.of("outside-schema", "mail", calls(0, "send", &[])).is_empty());
    let found = log.of("outside-schema", "mail", What::Call(Box::new(outside)));
    assert_eq!(found[0].entries, [1, 3]);
    assert_eq!(found[0].call, Some(Digest::of("1")));
    assert!(!found[0].reason.contains("/to"), "a pointer is made of arguments");
}

#[test]
fn unlike_before() {
    let mut log = Log::new("[unlike-before]\nafter = 3");
    let other = |n: u64, shape: &str| What::Call(Box::new(Call { shape: Digest::of(shape), ..call(n, "read", &[]) }));
    for n in 0..3 {
        assert!(log.of("unlike-before", "files", other(n, &n.to_string())).is_empty(), "too few calls to know");
    }
    assert!(log.of("unlike-before", "files", other(3, "1")).is_empty(), "it had this shape before");
    assert_eq!(log.of("unlike-before", "files", other(4, "new")).len(), 1);
    assert!(log.of("unlike-before", "files", other(5, "new")).is_empty(), "no longer new");
    assert!(log.of("unlike-before", "others", other(6, "new2")).is_empty(), "another server's tool");
}

#[test]
fn frequency() {
    let rules = "[frequency]\ntool = 3\nserver = 5\ndestination = 2\nseconds = 10";
    let mut log = Log::new(rules);
    for n in 0..3 {
        assert!(log.of("frequency", "files", calls(n, "read", &[])).is_empty());
    }
    let found = log.of("frequency", "files", calls(3, "read", &[]));
    assert_eq!((found.len(), &found[0].entries[..]), (1, &[1, 4][..]));
    assert!(log.of("frequency", "files", calls(4, "list", &[])).is_empty());
    assert!(log.of("frequency", "files", calls(5, "list", &[]))[0].reason.contains("calls of files"));
    // The same calls, each out of the window of those before.
    let mut slow = Log::new(rules);
    for n in 0..20 {
        slow.time += 10_000;
        assert!(slow.of("frequency", "files", calls(n, "read", &["a.example"])).is_empty());
    }
    let mut log = Log::new(rules);
    for (n, server) in [(0, "a"), (1, "b")] {
        assert!(log.of("frequency", server, calls(n, "read", &["x.example"])).is_empty());
    }
    assert!(log.of("frequency", "c", calls(2, "read", &["x.example"]))[0].reason.contains("x.example"));
}

#[test]
fn denial_streak_and_refused() {
    let mut log = Log::new("[denial-streak]\nafter = 3");
    for n in 0..2 {
        assert!(log.of("denial-streak", "files", refused(n)).is_empty());
    }
    log.at("files", calls(7, "read", &[]));
    log.at("files", answer(7, &[], &[]));
    assert!(log.of("denial-streak", "files", refused(3)).is_empty(), "a result came in between");
    assert!(log.of("denial-streak", "others", refused(4)).is_empty(), "another server");
    log.at("files", refused(5));
    let found = log.at("files", refused(6));
    let rules: Vec<&str> = found.iter().map(|finding| &*finding.rule).collect();
    assert_eq!(rules, ["refused", "denial-streak"]);
    assert_eq!(found[1].entries, [5, 7, 8]);
    assert!(log.of("refused", "files", answer(9, &[], &[])).is_empty());
}

#[test]
fn out_after_suspicion_by_a_description_of_any_server() {
    let mut log = Log::new("");
    log.at("mail", tool("send", "", OUT, &[]));
    log.at("mail", tool("count", "", NONE, &[]));
    assert!(log.of("out-after-suspicion", "mail", calls(1, "send", &[])).is_empty(), "nothing suspicious yet");
    log.at("evil", tool("add", "bad", NONE, &[Mark::SecretPath]));
    assert!(log.of("out-after-suspicion", "mail", calls(2, "count", &[])).is_empty(), "it carries nothing out");
    assert_eq!(log.of("out-after-suspicion", "mail", calls(3, "send", &[]))[0].entries, [4, 6]);
    assert_eq!(log.of("out-after-suspicion", "mail", calls(4, "count", &["h.example"])).len(), 1, "it names a host");
    assert_eq!(
        log.of("out-after-suspicion", "mail", calls(5, "unlisted", &[])).len(),
        1,
        "nobody knows what it can do"
    );
    log.at("evil", What::ToolGone { tool: "add".to_owned() });
    assert!(log.of("out-after-suspicion", "mail", calls(6, "send", &[])).is_empty(), "no longer listed");
}

#[test]
fn out_after_suspicion_by_a_result_for_a_time() {
    let mut log = Log::new("");
    log.at("mail", tool("send", "", OUT, &[]));
    log.at("web", calls(1, "fetch", &[]));
    log.at("web", answer(1, &[Mark::Markup], &[]));
    assert!(log.of("out-after-suspicion", "mail", calls(2, "send", &[])).is_empty(), "markup is common");
    log.at("web", calls(3, "fetch", &[]));
    log.at("web", answer(3, &[Mark::Addressed], &[]));
    assert_eq!(log.of("out-after-suspicion", "mail", calls(4, "send", &[])).len(), 1);
    log.time += 3_600_000;
    assert!(log.of("out-after-suspicion", "mail", calls(5, "send", &[])).is_empty(), "long ago");
}

#[test]
fn danger_after_suspicion_by_a_description_and_by_a_result_for_a_time() {
    let mut log = Log::new("");
    let rule = "danger-after-suspicion";
    log.at("bank", tool("update_password", "", DANGER, &[]));
    log.at("bank", tool("balance", "", NONE, &[]));
    assert!(log.of(rule, "bank", calls(1, "update_password", &[])).is_empty(), "nothing suspicious yet");
    log.at("web", calls(2, "fetch", &[]));
    log.at("web", answer(2, &[Mark::Addressed], &[]));
    assert!(log.of(rule, "bank", calls(3, "balance", &[])).is_empty(), "it does no harm");
    assert!(log.of(rule, "bank", calls(4, "balance", &["h.example"])).is_empty(), "what names a host carries out");
    assert_eq!(log.of(rule, "bank", calls(5, "update_password", &[]))[0].entries, [5, 8]);
    assert_eq!(log.of(rule, "bank", calls(6, "unlisted", &[])).len(), 1, "nobody knows what it can do");
    log.time += 3_600_000;
    assert!(log.of(rule, "bank", calls(7, "update_password", &[])).is_empty(), "long ago");
    log.at("evil", tool("add", "bad", NONE, &[Mark::SecretPath]));
    assert_eq!(log.of(rule, "bank", calls(8, "update_password", &[])).len(), 1);
    log.at("evil", tool("add", "bad", NONE, &[]));
    assert!(log.of(rule, "bank", calls(9, "update_password", &[])).is_empty(), "it is another now");
}

#[test]
fn what_only_the_rule_of_harm_looks_for_is_remembered() {
    let mut log = Log::new("[danger-after-suspicion]\nmarks = [\"markup\"]");
    log.at("bank", tool("update_password", "", DANGER, &[]));
    log.at("web", calls(1, "fetch", &[]));
    log.at("web", answer(1, &[Mark::Markup], &[]));
    let found = log.at("bank", calls(2, "update_password", &[]));
    assert_eq!(found.iter().map(|finding| &*finding.rule).collect::<Vec<_>>(), ["danger-after-suspicion"]);
}

#[test]
fn tool_changed() {
    let mut log = Log::new("");
    log.at("mail", tool("send", "good", OUT, &[]));
    assert!(log.of("tool-changed", "mail", tool("send", "good", OUT, &[])).is_empty());
    assert!(log.of("tool-changed", "other", tool("send", "bad", OUT, &[])).is_empty(), "another server's");
    log.at("mail", What::ToolGone { tool: "send".to_owned() });
    let found = log.of("tool-changed", "mail", tool("send", "bad", OUT, &[]));
    assert_eq!(found[0].entries, [2, 5], "that it was gone in between hides nothing");
    assert!(found[0].reason.starts_with("description of"));
}

#[test]
fn server_asks_in_both_eras() {
    let asked =
        |method: &str, call| What::Asked(Asked { method: method.to_owned(), call, size: 1, marks: Marks::default() });
    let mut log = Log::new("[server-asks]\nmethods = [\"sampling/createMessage\"]");
    // As a request of the server, and within the result of a call (2026-07-28).
    for call in [None, Some(Digest::of("1"))] {
        let found = log.of("server-asks", "mail", asked("sampling/createMessage", call));
        assert_eq!((found.len(), found[0].call), (1, call));
        assert!(log.of("server-asks", "mail", asked("roots/list", call)).is_empty());
    }
}

#[test]
fn hidden_instructions() {
    let mut log = Log::new("");
    let server = |of: &[Mark]| What::Server(Server { marks: marks(of), ..Server::default() });
    assert!(log.of("hidden-instructions", "mail", server(&[Mark::Markup])).is_empty());
    assert_eq!(log.of("hidden-instructions", "mail", server(&[Mark::Addressed])).len(), 1);
    assert!(log.of("hidden-instructions", "mail", tool("a", "", NONE, &[])).is_empty());
    assert_eq!(log.of("hidden-instructions", "mail", tool("b", "", NONE, &[Mark::Invisible])).len(), 1);
    log.at("mail", calls(1, "a", &[]));
    assert!(log.of("hidden-instructions", "mail", answer(1, &[], &[])).is_empty());
    log.at("mail", calls(2, "a", &[]));
    let found = log.of("hidden-instructions", "mail", answer(2, &[Mark::Bidi, Mark::Escape], &[]));
    assert_eq!((&found[0].entries[..], found[0].tool.as_deref()), (&[7, 8][..], Some("a")));
    assert!(found[0].reason.ends_with("bidi, escape"));
}

#[test]
fn uses_poisoned_at_once_and_again() {
    let mut log = Log::new("");
    log.at("web", calls(1, "fetch", &[]));
    log.at("web", answer(1, &[], &[]));
    assert!(log.of("uses-poisoned", "mail", calls(2, "send", &["evil.example"])).is_empty());
    log.at("web", answer(2, &[Mark::Addressed], &["evil.example"]));
    assert_eq!(log.of("uses-poisoned", "mail", calls(3, "list", &[]))[0].entries, [4, 5], "at once");
    assert!(log.of("uses-poisoned", "mail", calls(4, "send", &["good.example"])).is_empty());
    let again = log.of("uses-poisoned", "mail", calls(5, "send", &["evil.example"]));
    assert!(again[0].reason.contains("evil.example"), "again");
    log.time += 90_000_000;
    assert!(log.of("uses-poisoned", "mail", calls(6, "send", &["evil.example"])).is_empty(), "long ago");
}

#[test]
fn first_seen() {
    let mut log = Log::new("[first-seen]\nafter = 2");
    assert!(log.of("first-seen", "mail", tool("send", "", OUT, &[])).is_empty(), "all is new in a new log");
    log.at("mail", calls(1, "send", &["a.example"]));
    log.at("mail", calls(2, "send", &["a.example"]));
    assert!(log.of("first-seen", "mail", calls(3, "send", &["a.example"])).is_empty());
    assert_eq!(log.of("first-seen", "mail", calls(4, "send", &["b.example"])).len(), 1);
    assert_eq!(log.of("first-seen", "mail", tool("read", "", OUT, &[])).len(), 1);
    assert!(log.of("first-seen", "mail", tool("read", "new", OUT, &[])).is_empty(), "that is a change");
    let server = || What::Server(Server::default());
    assert_eq!(log.of("first-seen", "web", server()).len(), 1);
    assert!(log.of("first-seen", "web", server()).is_empty());
}

#[test]
fn state_drift_and_opaque() {
    let mut log = Log::new("[opaque]\non = false");
    assert_eq!(log.at("mail", What::State(vec![Component::Config]))[0].rule, "state-drift");
    assert!(log.at("mail", What::Opaque { from: From::Server, size: 3 }).is_empty(), "it is off");
    let found = Log::new("").at("mail", What::Opaque { from: From::Server, size: 3 });
    assert_eq!(found[0].rule, "opaque");
    assert!(Log::new("").of("state-drift", "mail", calls(1, "a", &[])).is_empty());
}

#[test]
fn clock_jump() {
    let mut log = Log::new("");
    for n in 0..5 {
        assert!(log.of("clock-jump", "mail", calls(n, "a", &[])).is_empty());
        assert!(log.of("clock-jump", "mail", answer(n, &[], &[])).is_empty());
    }
    log.time -= 3_000;
    assert!(log.of("clock-jump", "mail", calls(6, "a", &[])).is_empty(), "a little");
    log.time -= 60_000;
    assert_eq!(log.of("clock-jump", "mail", calls(7, "a", &[])).len(), 1, "back");
    log.time += 3_600_000;
    assert_eq!(log.of("clock-jump", "mail", answer(7, &[], &[])).len(), 1, "an hour within a call that took a second");
    log.time += 604_802_000;
    assert_eq!(log.of("clock-jump", "mail", calls(8, "a", &[])).len(), 1, "ahead by more than a week");
}

#[test]
fn a_schema_that_changed_under_the_same_description_is_a_change() {
    let mut log = Log::new("");
    let with = |schema: &str| match tool("send", "good", OUT, &[]) {
        What::Tool(tool) => What::Tool(Tool { schema: Digest::of(schema), ..tool }),
        other => other,
    };
    log.at("mail", with("a"));
    assert!(log.of("tool-changed", "mail", with("b"))[0].reason.starts_with("schema of"));
    assert!(log.of("tool-changed", "mail", with("b")).is_empty());
}

#[test]
fn a_request_of_the_server_may_hide_instructions() {
    let asked = |of: &[Mark]| {
        let method = "sampling/createMessage".to_owned();
        What::Asked(Asked { method, call: None, size: 1, marks: marks(of) })
    };
    let mut log = Log::new("");
    assert!(log.of("hidden-instructions", "mail", asked(&[])).is_empty());
    assert_eq!(log.of("hidden-instructions", "mail", asked(&[Mark::Addressed])).len(), 1);
}

#[test]
fn a_servers_marked_instructions_make_what_goes_out_suspicious() {
    let mut log = Log::new("");
    log.at("mail", tool("send", "", OUT, &[]));
    let server = |of: &[Mark]| What::Server(Server { marks: marks(of), ..Server::default() });
    log.at("evil", server(&[Mark::Addressed]));
    assert_eq!(log.of("out-after-suspicion", "mail", calls(1, "send", &[]))[0].entries, [2, 3]);
    log.at("evil", server(&[]));
    assert!(log.of("out-after-suspicion", "mail", calls(2, "send", &[])).is_empty(), "it says nothing of the kind now");
}

#[test]
fn what_was_held_back_poisons_no_call() {
    let mut log = Log::new("");
    let held = |n, held| match answer(n, &[Mark::Addressed], &[]) {
        What::Answer(answer) => What::Answer(Box::new(Answer { held, ..*answer })),
        other => other,
    };
    log.at("web", held(1, true));
    assert!(log.of("uses-poisoned", "mail", calls(2, "list", &[])).is_empty());
    log.at("web", held(3, false));
    assert_eq!(log.of("uses-poisoned", "mail", calls(4, "list", &[])).len(), 1);
}

#[test]
fn what_is_read_counts_as_a_call_does() {
    let read = |n: u64, to: &[&str]| {
        let (call, name) = (Digest::of(n.to_string()), Digest::of("name"));
        let method = "resources/read".to_owned();
        What::Read(Box::new(Read { call, method, name, size: 1, destinations: Destinations::of(to) }))
    };
    let mut log = Log::new("[frequency]\ndestination = 2\n[first-seen]\nafter = 2");
    log.at("web", read(1, &["a.example"]));
    log.at("web", read(2, &["a.example"]));
    assert_eq!(log.of("frequency", "web", read(3, &["a.example"])).len(), 1);
    log.at("web", answer(3, &[Mark::Addressed], &[]));
    assert_eq!(log.of("uses-poisoned", "web", read(4, &[])).len(), 1);
    assert_eq!(log.of("first-seen", "mail", calls(5, "never_listed", &[])).len(), 1);
    assert!(log.of("first-seen", "mail", calls(6, "never_listed", &[])).is_empty());
}

#[test]
fn a_streak_of_calls_too_many_is_told_once_and_then_counted_anew() {
    let mut log = Log::new("[frequency]\ntool = 3\nserver = 900");
    let told = (0..12).filter(|n| !log.of("frequency", "files", calls(*n, "read", &[])).is_empty());
    assert_eq!(told.collect::<Vec<_>>(), [3, 7, 11]);
}
