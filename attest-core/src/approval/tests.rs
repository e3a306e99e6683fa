use std::collections::HashMap;

use super::*;
use crate::b64;
use crate::digest::Jti;
use crate::measurement::{Component, Grade};
use crate::sign::{MemoryKey, Sign as _};
use crate::trust::TrustError;

const NOW: u64 = 1_800_000_000;
const SALT: Salt = Salt([7; 16]);
const PARAMS: &[u8] = br#"{"arguments":{"to":"bob"},"name":"pay"}"#;

fn key(seed: u8) -> MemoryKey {
    MemoryKey::from_seed(&[seed; 32])
}

fn person(name: &str, seeds: &[u8]) -> Approver {
    Approver {
        name: name.to_owned(),
        groups: BTreeSet::from(["finance".to_owned()]),
        operates: BTreeSet::new(),
        keys: seeds.iter().map(|seed| key(*seed).public().clone()).collect(),
    }
}

fn trusting(approvers: Vec<Approver>) -> Result<Trust, TrustError> {
    Trust::new("files".to_owned(), Vec::new(), Vec::new(), HashMap::new())?.with_approvers(approvers)
}

fn trust() -> Trust {
    let mut carol = person("carol", &[4]);
    carol.operates.insert("own".to_owned());
    carol.groups.insert("legal".to_owned());
    trusting(vec![person("alice", &[1, 2]), person("bob", &[3]), carol]).unwrap()
}

fn caller() -> Thumbprint {
    key(9).public().thumbprint().clone()
}

fn asked<'a>(key: &'a Thumbprint) -> Asked<'a> {
    Asked {
        agent: "a1",
        key,
        leaf: Digest::of("leaf"),
        state: Digest::of("state"),
        tool: "pay",
        params: PARAMS,
        request: Digest::of("request"),
    }
}

fn approval() -> Approval {
    let once = Once {
        audience: "files".to_owned(),
        expires: NOW + 600,
        issued_at: NOW - 5,
        id: Jti([1; 16]),
        key: caller(),
        params: Digest::salted(&SALT, PARAMS),
        tool: "pay".to_owned(),
    };
    let (leaf, request, state) = (Digest::of("leaf"), Digest::of("request"), Digest::of("state"));
    Approval { once, leaf, request, state }
}

fn signed(seed: u8, change: impl FnOnce(&mut Approval)) -> String {
    let mut approval = approval();
    change(&mut approval);
    approval.sign(&key(seed)).unwrap()
}

fn counted(tokens: &[String], asked: &Asked<'_>) -> Approved {
    count(tokens.iter().map(|text| (SALT, text.as_str())), asked, &trust(), NOW)
}

fn unfit(token: String) -> Unfit {
    let caller = caller();
    let mut approved = counted(&[token], &asked(&caller));
    assert!(approved.counted.is_empty() && approved.persons.is_empty());
    approved.left_out.remove(0).1
}

#[test]
fn persons_are_counted_and_not_keys() {
    let caller = caller();
    let tokens = [1, 2, 3, 4].map(|seed| signed(seed, |approval| approval.once.id = Jti([seed; 16])));
    let two_keys = counted(&tokens[..2], &asked(&caller));
    assert_eq!(two_keys.numbers(), BTreeMap::from([("finance".to_owned(), 1)]));
    assert_eq!(two_keys.left_out, [(1, Unfit::SamePerson("alice".to_owned()))]);
    let all = counted(&tokens, &asked(&caller));
    assert_eq!(all.numbers(), BTreeMap::from([("finance".to_owned(), 3), ("legal".to_owned(), 1)]));
    let used: Vec<_> = all.counted.iter().map(|counted| counted.single.id.id).collect();
    assert_eq!(used, [Jti([1; 16]), Jti([3; 16]), Jti([4; 16])], "one for each person, each to be used up");
}

#[test]
fn what_is_not_for_this_very_call_does_not_count() {
    let other = || Digest::of("other");
    assert_eq!(unfit(signed(1, |a| a.once.audience = "mail".to_owned())), Unfit::Audience);
    assert_eq!(unfit(signed(1, |a| a.once.key = key(8).public().thumbprint().clone())), Unfit::Caller);
    assert_eq!(unfit(signed(1, |a| a.leaf = other())), Unfit::Leaf);
    assert_eq!(unfit(signed(1, |a| a.state = other())), Unfit::State);
    assert_eq!(unfit(signed(1, |a| a.once.tool = "read".to_owned())), Unfit::Tool);
    assert_eq!(unfit(signed(1, |a| a.once.params = Digest::salted(&SALT, b"{}"))), Unfit::Params);
    assert_eq!(unfit(signed(1, |a| a.once.params = Digest::of(PARAMS))), Unfit::Params, "unsalted");
    assert_eq!(unfit(signed(1, |a| a.request = other())), Unfit::Request);
}

#[test]
fn it_counts_in_its_time_only() {
    let skew = trust().skew();
    assert_eq!(unfit(signed(1, |a| a.once.expires = NOW - skew)), Unfit::Expired);
    assert_eq!(unfit(signed(1, |a| a.once.issued_at = NOW + skew + 1)), Unfit::NotYetValid);
    assert_eq!(unfit(signed(1, |a| a.once.expires = a.once.issued_at + MAX_APPROVAL_LIFE + 1)), Unfit::LifeTooLong);
    let caller = caller();
    let longest = signed(1, |a| a.once.expires = a.once.issued_at + MAX_APPROVAL_LIFE);
    assert_eq!(counted(&[longest], &asked(&caller)).counted.len(), 1);
}

#[test]
fn strangers_former_approvers_and_broken_tokens_do_not_count() {
    assert_eq!(unfit(signed(5, |_| {})), Unfit::UnknownApprover(key(5).public().thumbprint().clone()));
    // Bob was taken out of the configuration after he approved.
    let caller = caller();
    let without = trusting(vec![person("alice", &[1])]).unwrap();
    let token = signed(3, |_| {});
    let approved = count([(SALT, token.as_str())], &asked(&caller), &without, NOW);
    assert!(matches!(approved.left_out[..], [(0, Unfit::UnknownApprover(_))]));
    let flipped = {
        let (rest, signature) = token.rsplit_once('.').unwrap();
        let mut bytes = b64::decode(signature).unwrap();
        bytes[10] ^= 1;
        format!("{rest}.{}", b64::encode(bytes))
    };
    assert_eq!(unfit(flipped), Unfit::Signature);
    assert_eq!(unfit("no token".to_owned()), Unfit::Token(TokenError::Encoding));
}

#[test]
fn nobody_approves_a_call_of_his_own() {
    let caller = caller();
    let own = Asked { agent: "own", ..asked(&caller) };
    let approved = counted(&[signed(4, |_| {}), signed(3, |a| a.once.id = Jti([3; 16]))], &own);
    assert_eq!(approved.left_out, [(0, Unfit::OwnCall("carol".to_owned()))]);
    assert_eq!(approved.numbers(), BTreeMap::from([("finance".to_owned(), 1)]), "bob's still counts");
    // A key that is a person's and a caller's at once.
    let alice = key(1).public().thumbprint().clone();
    let approved = counted(&[signed(1, |a| a.once.key = alice.clone())], &asked(&alice));
    assert!(matches!(approved.left_out[..], [(0, Unfit::OwnCall(_))]));
    assert!(trust().has_role(&alice), "and so the call key of nobody");
}

#[test]
fn a_key_is_one_persons_and_a_person_has_one_entry() {
    let refused = |approvers| trusting(approvers).unwrap_err();
    let twice = TrustError::KeyTwice(key(1).public().thumbprint().clone());
    assert_eq!(refused(vec![person("alice", &[1]), person("bob", &[1])]), twice);
    assert_eq!(refused(vec![person("alice", &[1, 1])]), twice);
    let again = TrustError::ApproverTwice("alice".to_owned());
    assert_eq!(refused(vec![person("alice", &[1]), person("alice", &[2])]), again);
    assert_eq!(refused(vec![person("alice", &[])]), TrustError::Approver("alice".to_owned()));
    assert_eq!(refused(vec![person("", &[1])]), TrustError::Approver(String::new()));
}

#[test]
fn another_digest_grade_or_component_is_another_state() {
    let measured = |component, text: &str, grade| Measurement { component, digest: Digest::of(text), grade };
    let state = |config: &str, grade| {
        state_of(&[measured(Component::Config, config, grade), measured(Component::SystemPrompt, "p", Grade::OnDisk)])
    };
    let one = state("c", Grade::OnDisk);
    assert_ne!(one, state("d", Grade::OnDisk));
    assert_ne!(one, state("c", Grade::InUse));
    assert_ne!(one, state_of(&[measured(Component::Config, "c", Grade::OnDisk)]));
}
