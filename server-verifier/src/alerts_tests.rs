use attest_core::alert::{Action, Severity};
use attest_core::digest::Jti;

use super::*;

fn alert(rule: &str, call: Option<Digest>) -> Alert {
    Alert {
        action: Action::Note,
        call,
        entries: vec![0],
        reason: "r".to_owned(),
        rule: rule.to_owned(),
        server: "files".to_owned(),
        session: Jti([1; 16]),
        severity: Severity::High,
        tool: None,
    }
}

fn call(n: usize) -> Digest {
    Digest::of(n.to_be_bytes())
}

/// The context that a hash names.
fn of(hash: &Hash) -> Half {
    *hash.first_chunk().unwrap()
}

#[test]
fn an_alert_is_its_calls_and_one_about_a_call_that_nobody_knows_is_everybodys() {
    let alerts = OpenAlerts::default();
    alerts.held().remember(call(1), [1; 16]);
    assert_eq!(of(&alerts.raised(&alert("a", Some(call(1)))).unwrap()), [1; 16]);
    assert_eq!(of(&alerts.raised(&alert("a", Some(call(2)))).unwrap()), EVERYBODY);
    assert_eq!(alerts.raised(&alert("a", None)), None, "of this kind one is open on everybody already");
    assert_eq!(of(&alerts.raised(&alert("b", None)).unwrap()), EVERYBODY);
}

#[test]
fn what_is_refused_opens_nothing() {
    let alerts = OpenAlerts::default();
    assert!(["refused", "denial-streak"].iter().all(|rule| alerts.raised(&alert(rule, None)).is_none()));
    assert!(alerts.held().open.is_empty());
}

#[test]
fn what_is_remembered_is_bounded_and_beyond_it_alerts_are_everybodys() {
    let alerts = OpenAlerts::default();
    for n in 0..=MOST {
        alerts.held().remember(call(n), half(&[&n.to_be_bytes()]));
        let _ = alerts.raised(&alert("a", Some(call(n))));
    }
    let held = alerts.held();
    assert_eq!((held.calls.len(), held.order.len()), (CALLS, CALLS));
    assert!(!held.calls.contains_key(&call(0)), "the oldest goes first");
    let everybodys = held.open.keys().filter(|hash| of(hash) == EVERYBODY).count();
    assert_eq!((held.open.len(), everybodys), (MOST + 1, 1));
}

#[test]
fn an_alert_that_comes_while_another_of_its_kind_is_being_closed_is_not_closed_with_it() {
    let alerts = OpenAlerts::default();
    let opened = alerts.raised(&alert("a", None)).unwrap();
    assert_eq!(alerts.closing(7), None, "it does not stand there yet");
    alerts.written(&opened, 7);
    assert_eq!(alerts.closing(7), Some(opened));
    assert_eq!(alerts.raised(&alert("a", None)), None);
    alerts.closed(&opened);
    assert!(alerts.held().open.contains_key(&opened));
    assert_eq!(alerts.closing(7), None, "the log holds nothing open that could be closed again");

    let alerts = OpenAlerts::default();
    let opened = alerts.raised(&alert("a", None)).unwrap();
    alerts.written(&opened, 7);
    alerts.closing(7).unwrap();
    alerts.closed(&opened);
    assert!(alerts.held().open.is_empty());
    assert_eq!(alerts.raised(&alert("a", None)), Some(opened), "the next one opens anew");
}
