//! What was seen only ever takes away: labels, what tokens release, and whole calls.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use attest_core::cause::Cause;
use attest_core::checkpoint::LogKeys;
use attest_core::digest::Digest;
use attest_core::entry::Status;
use attest_core::flow::Flow;
use attest_core::labels::Labels;
use attest_core::note::{Kind, Vkey};
use attest_core::receipt::Receipt;
use attest_core::refusal::Reason;
use attest_core::response::Outcome;
use attest_core::sign::{MemoryKey, Sign};
use attest_core::signing::Lineage;
use attest_core::trust::FlowTrust;
use attest_core::verifier::Verifier;
use common::{NOW, REQUEST, World, check};
use proptest::prelude::*;

const TOOL: &str = "files#read_file";

/// Many enough that a union can grow past its bound, and every label among them.
fn labels() -> impl Strategy<Value = Labels> {
    let some = prop::collection::btree_set(0..45u8, 0..30);
    let some = some.prop_map(|set| Labels::of(&set.iter().map(|n| format!("l{n}")).collect::<Vec<_>>()).unwrap());
    prop_oneof![12 => some, 1 => Just(Labels::Every)]
}

/// Of three labels, so that they meet.
fn few() -> impl Strategy<Value = Labels> {
    prop::collection::btree_set(prop::sample::select(&["a", "b", "c"][..]), 0..3)
        .prop_map(|set| Labels::of(&set.into_iter().collect::<Vec<_>>()).unwrap())
}

fn released(by: impl Strategy<Value = Labels>) -> impl Strategy<Value = Flow> {
    let tool = prop::sample::select(&[TOOL, "*", "files#other"][..]);
    let release = prop::collection::btree_map(tool.prop_map(str::to_owned), by, 0..3);
    (prop::bool::weighted(0.7), release).prop_map(|(of_own_accord, release)| {
        let release = release.into_iter().filter(|(_, labels)| !labels.is_empty()).collect();
        Flow { of_own_accord, release }
    })
}

/// A receipt with labels, or one of a log that nobody pins.
#[derive(Clone, Debug)]
struct Shown(Labels, bool);

/// What a caller shows of what it has seen.
#[derive(Clone, Debug)]
struct Seen {
    claimed: Labels,
    receipts: Vec<Shown>,
    cause: Option<Labels>,
}

fn seen() -> impl Strategy<Value = Seen> {
    let shown = (few(), prop::bool::weighted(0.1)).prop_map(|(labels, strange)| Shown(labels, strange));
    (few(), prop::collection::vec(shown, 0..3), prop::option::of(few())).prop_map(|(claimed, receipts, cause)| Seen {
        claimed,
        receipts,
        cause,
    })
}

impl Seen {
    /// All of it.
    fn labels(&self) -> Labels {
        let receipts =
            self.receipts.iter().map(|Shown(labels, strange)| if *strange { &Labels::Every } else { labels });
        receipts.chain(&self.cause).fold(self.claimed.clone(), Labels::and)
    }

    fn and(&self, more: &Self) -> Self {
        Self {
            claimed: self.claimed.clone().and(&more.claimed),
            receipts: self.receipts.iter().chain(&more.receipts).cloned().collect(),
            cause: self.cause.clone().or(more.cause.clone()),
        }
    }
}

fn log() -> MemoryKey {
    MemoryKey::from_seed(&[5; 32])
}

fn receipt(Shown(labels, strange): &Shown) -> (Digest, Arc<str>) {
    let receipt = Receipt {
        call: Digest::of("a call"),
        issued_at: NOW - 1_000,
        index: 1,
        labels: labels.clone(),
        log: if *strange { "elsewhere" } else { "files" }.to_owned(),
        policy: Digest::of("config"),
        outcome: Outcome { status: Status::Unknown, digest: None },
    };
    let text = receipt.sign(&log()).unwrap();
    (Digest::of(&text), text.into())
}

/// The verdict on a call of somebody who has seen this, under a chain that says so about flow.
fn verdict(flows: [Option<&Flow>; 2], seen: &Seen) -> Result<Labels, Reason> {
    let world =
        World { flows: flows.map(|flow| flow.cloned()), labels: Labels::of(&["a", "b", "c"]).unwrap(), ..World::new() };
    let receipts: Vec<_> = seen.receipts.iter().map(receipt).collect();
    let cause = seen.cause.as_ref().map(|labels| {
        let cause = Cause {
            audience: "planner".to_owned(),
            call: Digest::of("a call"),
            expires: NOW + 100,
            issued_at: NOW - 100,
            key: MemoryKey::from_seed(&[4; 32]).public().thumbprint().clone(),
            labels: labels.clone(),
            leaf: Digest::of("a leaf"),
            log: "files".to_owned(),
        };
        cause.sign(&log()).unwrap()
    });
    let lineage =
        Lineage { labels: Some(&seen.claimed), receipts: &receipts, cause: cause.as_deref(), ..Lineage::default() };
    let [message, _] = world.forms_of(REQUEST, "files", lineage);
    let keys = Vkey::new("files", Kind::Log, log().public().clone()).unwrap();
    let logs = vec![LogKeys::parse(&[keys.to_string()]).unwrap()];
    let trust = world.trust().with_flow(FlowTrust { logs, ..FlowTrust::default() }).unwrap();
    let verdict = check(&Verifier::new(trust), &message, NOW).0;
    verdict.map(|accepted| accepted.flow.labels).map_err(|refusal| refusal.reason)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn a_union_holds_both_whatever_their_order_and_never_shrinks(a in labels(), b in labels(), c in labels()) {
        let both = a.clone().and(&b);
        prop_assert!(a.within(&both) && b.within(&both));
        prop_assert_eq!(&both, &b.clone().and(&a));
        prop_assert_eq!(both.clone().and(&c), a.clone().and(&b.clone().and(&c)));
        if a.within(&c) {
            prop_assert!(both.within(&c.and(&b)));
        }
    }

    #[test]
    fn taking_away_takes_no_more_than_was_named(a in labels(), b in labels()) {
        let rest = a.without(&b);
        prop_assert!(rest.within(&a));
        prop_assert!(a.within(&rest.and(&b)));
    }

    #[test]
    fn a_grant_releases_less_of_more_labels_and_more_when_it_grows(
        flow in released(labels()), more in released(labels()), a in labels(), b in labels(),
    ) {
        let both = a.clone().and(&b);
        if flow.releases(TOOL, &both) {
            prop_assert!(flow.releases(TOOL, &a));
        }
        if flow.releases(TOOL, &a) {
            let mut grown = flow.release.clone();
            for (tool, labels) in &more.release {
                let entry: &mut Labels = grown.entry(tool.clone()).or_default();
                *entry = std::mem::take(entry).and(labels);
            }
            let grown = Flow { of_own_accord: flow.of_own_accord, release: grown };
            prop_assert!(grown.releases(TOOL, &a));
        }
    }

    #[test]
    fn nothing_leaves_without_every_label_of_it_being_released(a in labels(), name in 0..45u8) {
        let name = format!("l{name}");
        let one = Labels::one(&name).unwrap();
        let flow = Flow { of_own_accord: true, release: BTreeMap::from([(TOOL.to_owned(), one.clone())]) };
        prop_assert_eq!(flow.releases(TOOL, &a), a.within(&one));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_receipt_a_label_or_a_cause_more_never_lets_through_what_was_refused_for_flow(
        root in prop::option::of(released(few())), leaf in prop::option::of(released(few())), less in seen(), more in seen(),
    ) {
        let flows = [root.as_ref(), leaf.as_ref()];
        if verdict(flows, &less) == Err(Reason::FlowNotGranted) {
            prop_assert_eq!(verdict(flows, &less.and(&more)), Err(Reason::FlowNotGranted));
        }
    }

    /// So a token that says nothing takes nothing away, and gives nothing: what is left is what the others say.
    #[test]
    fn a_call_passes_exactly_where_each_token_by_itself_lets_it(
        root in prop::option::of(released(few())), leaf in prop::option::of(released(few())), seen in seen(),
    ) {
        let each = [Some(root.as_ref().unwrap_or(Flow::public())), leaf.as_ref()];
        let each: Vec<&Flow> = each.into_iter().flatten().collect();
        let labels = seen.labels();
        let expected = if seen.cause.is_none() && !each.iter().all(|flow| flow.of_own_accord) {
            Err(Reason::OriginNotGranted)
        } else if each.iter().all(|flow| flow.releases(TOOL, &labels)) {
            Ok(labels)
        } else {
            Err(Reason::FlowNotGranted)
        };
        prop_assert_eq!(verdict([root.as_ref(), leaf.as_ref()], &seen), expected);
        // Without the leaf's word the root's holds all the same, and with it never more.
        if verdict([root.as_ref(), leaf.as_ref()], &seen).is_ok() {
            prop_assert!(verdict([root.as_ref(), None], &seen).is_ok());
        }
    }
}
