//! The vectors about what of people's approvals counts.

use std::collections::{BTreeSet, HashMap};

use attest_core::approval::{Approver, Asked, Unfit, count};
use attest_core::b64;
use attest_core::digest::{Digest, Salt};
use attest_core::json::{self, Value};
use attest_core::jwk::{PublicKey, Thumbprint};
use attest_core::trust::Trust;

use super::each;

fn word(unfit: &Unfit) -> &'static str {
    match unfit {
        Unfit::Token(_) => "form",
        Unfit::UnknownApprover(_) => "unknown-approver",
        Unfit::Signature => "signature",
        Unfit::Expired => "expired",
        Unfit::NotYetValid => "not-yet-valid",
        Unfit::LifeTooLong => "life-too-long",
        Unfit::Audience => "audience",
        Unfit::Caller => "caller",
        Unfit::Leaf => "leaf",
        Unfit::State => "state",
        Unfit::Tool => "tool",
        Unfit::Params => "params",
        Unfit::Request => "request",
        Unfit::OwnCall(_) => "own-call",
        Unfit::SamePerson(_) => "same-person",
        other => panic!("no vector says {other}"),
    }
}

fn member<'a, 'v>(value: &'a Value<'v>, name: &str) -> &'a Value<'v> {
    value.as_object().unwrap().get(name).unwrap()
}

fn text(value: &Value<'_>, name: &str) -> String {
    member(value, name).as_str().unwrap().to_owned()
}

fn texts(value: &Value<'_>, name: &str) -> BTreeSet<String> {
    member(value, name).as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect()
}

fn person(value: &Value<'_>) -> Approver {
    Approver {
        name: text(value, "name"),
        groups: texts(value, "groups"),
        operates: texts(value, "operates"),
        keys: member(value, "keys").as_array().unwrap().iter().map(|key| PublicKey::from_jwk(key).unwrap()).collect(),
    }
}

#[test]
fn each_approval_counts_or_is_left_out_as_its_vector_says() {
    each("approval", |vector| {
        let body = json::parse(&vector.body).unwrap();
        let asked = member(&body, "asked");
        let approvers = member(&body, "approvers").as_array().unwrap().iter().map(person).collect();
        let trust = Trust::new(text(asked, "audience"), Vec::new(), Vec::new(), HashMap::new()).unwrap();
        assert_eq!(trust.skew(), member(&body, "skew").as_u53().unwrap());
        let trust = trust.with_approvers(approvers).unwrap();
        let digest = |name| Digest::from_b64(&text(asked, name)).unwrap();
        let (agent, tool, params) = (text(asked, "agent"), text(asked, "tool"), text(asked, "params"));
        let key = Thumbprint::parse(&text(asked, "key")).unwrap();
        let call = Asked {
            agent: &agent,
            key: &key,
            leaf: digest("leaf"),
            state: digest("state"),
            tool: &tool,
            params: params.as_bytes(),
            request: digest("request"),
        };
        let approvals = member(&body, "approvals").as_array().unwrap().iter();
        let approvals: Vec<_> =
            approvals.map(|one| (Salt(b64::decode_exact(text(one, "salt")).unwrap()), text(one, "token"))).collect();
        let now = vector.get("now").unwrap().parse().unwrap();
        let approved = count(approvals.iter().map(|(salt, token)| (*salt, token.as_str())), &call, &trust, now);
        let left: Vec<_> = approved.left_out.iter().map(|(n, unfit)| format!("{n} {}", word(unfit))).collect();
        assert_eq!(vector.get("left").unwrap_or_default(), left.join(" "), "{}", vector.name);
        let counts: Vec<_> = approved.numbers().iter().map(|(group, n)| format!("{group} {n}")).collect();
        if counts.is_empty() { "(nobody)".to_owned() } else { counts.join(" ") }
    });
}
