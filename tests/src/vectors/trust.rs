//! The trust configuration of the vectors, its JSON form, and the family `trust`.

use std::collections::{BTreeMap, HashMap};

use attest_core::digest::Digest;
use attest_core::json::{self, Value as Strict};
use attest_core::jwk::PublicKey;
use attest_core::measurement::{Component, Grade};
use attest_core::trust::{Attester, Reference, References, Root, Scope, Trust};
use serde_json::{Value, json};

use super::call::{ATTESTER, NARROW_ROOT, ROOT};
use super::file::Vector;
use super::token::{hash, jwk};

/// What the request vectors are checked with.
pub fn default_trust() -> Value {
    json!({
        "audience": "files",
        "skew": 30,
        "attesters": [{"key": jwk(ATTESTER), "issuer": "acme", "agents": ["analyst", "newcomer"]}],
        "roots": [
            {"key": jwk(ROOT), "issuer": "owner", "tools": ["files#*"]},
            {"key": jwk(NARROW_ROOT), "issuer": "deputy", "tools": ["files#read_file"]},
        ],
        "agents": {"analyst": {
            "system-prompt": {"digests": [hash("the prompt"), hash("the next prompt")], "grade": "on-disk"},
            "tool-manifest": {"digests": "any", "grade": "asserted"},
        }},
    })
}

/// Reads the JSON form; `None` where something in it is refused.
pub fn read(text: &[u8]) -> Option<Trust> {
    let value = json::parse(text).ok()?;
    let object = value.as_object()?;
    let list = |name| object.get(name).and_then(Strict::as_array);
    let attesters = list("attesters")?.iter().map(attester).collect::<Option<_>>()?;
    let roots = list("roots")?.iter().map(root).collect::<Option<_>>()?;
    let agents = object
        .get("agents")?
        .as_object()?
        .iter()
        .map(|(agent, components)| Some((agent.to_owned(), references(components)?)))
        .collect::<Option<HashMap<_, _>>>()?;
    let audience = object.get("audience")?.as_str()?.to_owned();
    let mut trust = Trust::new(audience, attesters, roots, agents).ok()?;
    trust.skew = object.get("skew")?.as_u53()?;
    Some(trust)
}

fn texts(value: &Strict<'_>, name: &str) -> Option<Vec<String>> {
    let items = value.as_object()?.get(name)?.as_array()?;
    items.iter().map(|item| item.as_str().map(str::to_owned)).collect()
}

fn key_and_issuer(value: &Strict<'_>) -> Option<(PublicKey, String)> {
    let object = value.as_object()?;
    let key = PublicKey::from_jwk(object.get("key")?).ok()?;
    Some((key, object.get("issuer")?.as_str()?.to_owned()))
}

fn attester(value: &Strict<'_>) -> Option<Attester> {
    let (key, issuer) = key_and_issuer(value)?;
    let agents = texts(value, "agents")?;
    Some(Attester { key, issuer, agents })
}

fn root(value: &Strict<'_>) -> Option<Root> {
    let (key, issuer) = key_and_issuer(value)?;
    let tools = texts(value, "tools")?.iter().map(|text| Scope::parse(text)).collect::<Option<_>>()?;
    Some(Root { key, issuer, tools })
}

fn references(components: &Strict<'_>) -> Option<References> {
    let components = components.as_object()?.iter().map(|(name, reference)| {
        let accepted = reference.as_object()?.get("digests")?;
        let digests = match accepted.as_str() {
            Some("any") => None,
            Some(_) => return None,
            None => Some(texts(reference, "digests")?.iter().map(|d| Digest::from_b64(d)).collect::<Option<_>>()?),
        };
        let grade = Grade::parse(reference.as_object()?.get("grade")?.as_str()?)?;
        Some((Component::parse(name)?, Reference { digests, grade }))
    });
    components.collect::<Option<BTreeMap<_, _>>>()
}

/// The family `trust`.
pub fn vectors() -> Vec<Vector> {
    let vector = |name: &str, comment, expect, edit: fn(&mut Value)| {
        let mut trust = default_trust();
        edit(&mut trust);
        Vector::new("trust", format!("trust_{name}"), comment, trust.to_string()).with("expect", expect)
    };
    vec![
        vector("good", "the configuration of the other vectors", "accept", |_| {}),
        vector("no_keys", "nothing is pinned: allowed, and every call is refused", "accept", |t| {
            t["attesters"] = json!([]);
            t["roots"] = json!([]);
        }),
        vector("key_in_two_roles", "the attester's key is a delegation root too", "refuse", |t| {
            t["roots"][0]["key"] = jwk(ATTESTER);
        }),
        vector("attester_twice", "one key stands in two entries of attesters", "refuse", |t| {
            t["attesters"] = json!([t["attesters"][0], t["attesters"][0]]);
        }),
        vector("root_twice", "one key stands in two entries of roots", "refuse", |t| {
            t["roots"][1]["key"] = jwk(ROOT);
        }),
        vector("audience_with_hash", "an audience that no qualified tool name can hold", "refuse", |t| {
            t["audience"] = json!("files#a");
        }),
        vector("audience_empty", "an empty audience", "refuse", |t| t["audience"] = json!("")),
        vector("audience_with_control", "an audience with a control character", "refuse", |t| {
            t["audience"] = json!("files\n");
        }),
        vector("scope_without_tool", "a root's scope without a tool", "refuse", |t| {
            t["roots"][0]["tools"] = json!(["files"]);
        }),
        vector("key_of_small_order", "a pinned key of small order", "refuse", |t| {
            t["attesters"][0]["key"]["x"] = json!(super::token::b64(super::points::small_order()[0]));
        }),
    ]
}
