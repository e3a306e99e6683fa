//! Proofs with one thing wrong.

use std::collections::BTreeMap;

use attest_core::constraint::Constraint;
use attest_core::delegation::{Delegation, thumbprint_uri};
use attest_core::digest::Digest;
use attest_core::jws::Unverified;
use attest_core::measurement::{Component, Grade};
use attest_core::sign::Sign as _;
use attest_core::trust::DEFAULT_SKEW;
use attest_core::{b64, limits};
use attest_keys::SecretKey;
use attest_tests::client::reason;
use attest_tests::forge::{Forge, with_proof};
use attest_tests::world::World;
use serde_json::{Value, json};

/// What has to become of a forged call: its reason on the wire, and in the log.
struct Case {
    name: &'static str,
    line: String,
    wire: &'static str,
    logged: &'static str,
}

fn cases(world: &World) -> Vec<Case> {
    let good = || Forge::of(world);
    let case = |name, line: String, wire, logged| Case { name, line, wire, logged };
    let plain = |forge: &Forge| forge.call(7, "echo", json!({"n": 1})).line;
    let stranger = || SecretKey::generate().unwrap();
    let refused = |name, change: &dyn Fn(&mut Forge), wire, logged| {
        let mut forge = good();
        change(&mut forge);
        case(name, plain(&forge), wire, logged)
    };
    let proof = |name, change: &dyn Fn(&mut Value), logged| {
        case(name, with_proof(&plain(&good()), change), "malformed", logged)
    };
    let none = |token: &str| {
        let (_, rest) = token.split_once('.').unwrap();
        let (payload, _) = rest.split_once('.').unwrap();
        (b64::encode(r#"{"alg":"none","typ":"JWT"}"#), payload.to_owned())
    };
    let unsigned = |token: &Value| {
        let (header, payload) = none(token.as_str().unwrap());
        json!(format!("{header}.{payload}."))
    };
    let half_signed = |token: &Value| {
        let (header, payload) = none(token.as_str().unwrap());
        let (_, signature) = token.as_str().unwrap().rsplit_once('.').unwrap();
        json!(format!("{header}.{payload}.{signature}"))
    };
    let hmac = |token: &Value| {
        let text = token.as_str().unwrap();
        let (header, rest) = text.split_once('.').unwrap();
        let header = String::from_utf8(b64::decode(header).unwrap()).unwrap();
        json!(format!("{}.{rest}", b64::encode(header.replace("Ed25519", "HS256"))))
    };
    let broken = |token: &Value| {
        let text = token.as_str().unwrap();
        let (input, _) = text.rsplit_once('.').unwrap();
        json!(format!("{input}.{}", b64::encode([7; 64])))
    };
    let long = |n: usize| json!("A".repeat(n));
    let child = |forge: &mut Forge, change: &dyn Fn(&mut Delegation)| {
        // The agent passes its own grant on to itself, and puts something in.
        let parent = Unverified::<Delegation>::read(&forge.chain[0]).unwrap();
        let mut child = Delegation {
            issuer: thumbprint_uri(parent.peek().key.thumbprint()),
            depth: 1,
            parent: Some(Digest::of(parent.signing_input())),
            ..parent.peek().clone()
        };
        change(&mut child);
        forge.chain.push(child.sign(&forge.agent).unwrap());
    };
    let skew = i64::try_from(DEFAULT_SKEW).unwrap();
    vec![
        refused("another call key", &|f| f.agent = stranger(), "unauthenticated", "call-signature"),
        refused("another attester's key", &|f| f.attester = stranger(), "unauthenticated", "unknown-attester"),
        refused(
            "the root's key as the attester's",
            &|f| f.attester = SecretKey::read(&world.path("keys/root.key")).unwrap(),
            "unauthenticated",
            "unknown-attester",
        ),
        refused(
            "an agent that the attester may not speak for",
            &|f| f.attestation.agent = "other".into(),
            "unauthenticated",
            "unknown-attester",
        ),
        refused(
            "another issuer of the attester's key",
            &|f| f.attestation.issuer = "other".into(),
            "unauthenticated",
            "unknown-attester",
        ),
        refused(
            "the attester's key as the call key",
            &|f| {
                f.agent = SecretKey::read(&world.path("keys/attester.key")).unwrap();
                f.attestation.key = f.agent.public().clone();
            },
            "unauthenticated",
            "key-role",
        ),
        refused(
            "another delegation's holder",
            &|f| {
                f.agent = stranger();
                f.attestation.key = f.agent.public().clone();
            },
            "holder-mismatch",
            "holder-mismatch",
        ),
        refused("another audience", &|f| f.audience = "mail".into(), "wrong-audience", "wrong-audience"),
        refused(
            "another state",
            &|f| f.attestation.measurements[0].digest = Digest::of("x"),
            "state-mismatch",
            "state-mismatch",
        ),
        refused(
            "a weaker grade",
            &|f| f.attestation.measurements[0].grade = Grade::Asserted,
            "grade-too-low",
            "grade-too-low",
        ),
        refused(
            "no measurement",
            &|f| f.attestation.measurements[0].component = Component::Harness,
            "component-missing",
            "component-missing",
        ),
        refused(
            "a root that signed itself",
            &|f| {
                let root = Unverified::<Delegation>::read(&f.chain[0]).unwrap().peek().clone();
                f.chain = vec![root.sign(&f.agent).unwrap()];
            },
            "unknown-root",
            "unknown-root",
        ),
        refused(
            "a child that grants more",
            &|f| child(f, &|c| drop(c.tools.0.insert("tools#rm".into(), Default::default()))),
            "widened",
            "widened",
        ),
        refused("a child that lives longer", &|f| child(f, &|c| c.expires += 1), "chain-lifetime", "chain-lifetime"),
        refused(
            "a child that may be passed on more often",
            &|f| child(f, &|c| c.max_depth += 1),
            "chain-depth",
            "chain-depth",
        ),
        refused(
            "a child of another token",
            &|f| child(f, &|c| c.parent = Some(Digest::of("x"))),
            "chain-linkage",
            "chain-linkage",
        ),
        refused(
            "a child without the tool",
            &|f| child(f, &|c| drop(c.tools.0.remove("tools#echo"))),
            "tool-not-granted",
            "tool-not-granted",
        ),
        refused(
            "a child with other arguments",
            &|f| {
                child(f, &|c| {
                    c.tools.0.insert("tools#echo".into(), [("m".to_owned(), Constraint::Wildcard)].into());
                })
            },
            "arguments-not-granted",
            "arguments-not-granted",
        ),
        refused("a clock that is ahead", &|f| f.ahead = skew + 30, "stale", "not-yet-valid"),
        refused("a clock that is behind", &|f| f.ahead = -(skew + 60 + 30), "stale", "expired"),
        refused("a proof that lives too long", &|f| f.life = limits::MAX_CALL_LIFE + 1, "stale", "life-too-long"),
        proof("alg none in the call proof", &|p| p["prf"] = unsigned(&p["prf"]), "token-encoding"),
        proof("alg none with a signature in the call proof", &|p| p["prf"] = half_signed(&p["prf"]), "token-header"),
        proof("alg none with a signature in the attestation", &|p| p["att"] = half_signed(&p["att"]), "token-header"),
        proof("alg none with a signature in the root", &|p| p["del"][0] = half_signed(&p["del"][0]), "token-header"),
        proof("alg HS256 in the attestation", &|p| p["att"] = hmac(&p["att"]), "token-header"),
        proof("the attestation as the call proof", &|p| p["prf"] = p["att"].clone(), "token-header"),
        proof("a padded token", &|p| p["prf"] = json!(format!("{}=", p["prf"].as_str().unwrap())), "token-encoding"),
        proof("a token over its limit", &|p| p["prf"] = long(limits::MAX_TOKEN + 1), "too-large"),
        proof(
            "tokens over their common limit",
            &|p| p["del"] = json!(vec![long(limits::MAX_TOKEN - 1); 4]),
            "too-large",
        ),
        proof(
            "a chain over its limit",
            &|p| p["del"] = json!(vec![p["del"][0].clone(); limits::MAX_CHAIN + 1]),
            "too-large",
        ),
        proof("no chain", &|p| p["del"] = json!([]), "bad-carrier"),
        proof("two chains", &|p| p["del"] = json!([p["del"], p["del"]]), "bad-carrier"),
        proof("a member more", &|p| p["jwk"] = json!({}), "bad-carrier"),
        proof("a proof that is text", &|p| *p = json!("trust me"), "bad-carrier"),
        case(
            "a broken signature of the attestation",
            with_proof(&plain(&good()), |p| p["att"] = broken(&p["att"])),
            "unauthenticated",
            "attestation-signature",
        ),
        case(
            "a broken signature of the call proof",
            with_proof(&plain(&good()), |p| p["prf"] = broken(&p["prf"])),
            "unauthenticated",
            "call-signature",
        ),
        case(
            "other arguments",
            plain(&good()).replacen(r#"{"n":1}"#, r#"{"n":2}"#, 1),
            "params-mismatch",
            "params-mismatch",
        ),
        case(
            "another tool",
            plain(&good()).replacen(r#""name":"echo""#, r#""name":"fail""#, 1),
            "tool-mismatch",
            "tool-mismatch",
        ),
        case(
            "no arguments for empty ones",
            good().call(7, "echo", json!({})).line.replacen(r#","arguments":{}"#, "", 1).replacen(
                r#""arguments":{},"#,
                "",
                1,
            ),
            "params-mismatch",
            "params-mismatch",
        ),
        case(
            "another attestation beside the same proof",
            {
                let (one, two) = (plain(&good()), plain(&good()));
                let two: Value = serde_json::from_str(&two).unwrap();
                let other = two.pointer("/params/_meta/io.github.agent-attest~1proof/att").unwrap().clone();
                with_proof(&one, |p| p["att"] = other)
            },
            "wrong-attestation",
            "wrong-attestation",
        ),
        case(
            "another salt",
            with_proof(&plain(&good()), |p| p["salt"] = json!(b64::encode([9; 16]))),
            "params-mismatch",
            "params-mismatch",
        ),
        case(
            "a tool that nobody granted",
            good().call(7, "rm", json!({})).line,
            "tool-not-granted",
            "tool-not-granted",
        ),
    ]
}

#[test]
fn a_proof_with_one_thing_wrong_runs_nothing_and_is_refused_for_that_thing() {
    let world = World::new();
    let mut client = world.start_guard();
    let mut expected = BTreeMap::new();
    for case in cases(&world) {
        client.send(&case.line);
        let answer = client.answer(7);
        assert_eq!(reason(&answer), case.wire, "{}: {answer}", case.name);
        *expected.entry(case.logged).or_insert(0) += 1;
    }
    client.end();
    let log = world.log("guard.db");
    let of = |kind: &'static str| log.iter().filter(move |entry| entry["type"] == kind);
    let mut found = BTreeMap::new();
    for entry in of("decision") {
        *found.entry(entry["reason"].as_str().unwrap()).or_insert(0) += 1;
    }
    // What only the agent can bring about stands there one by one; what anybody can, once, and then counted.
    assert_eq!(found["tool-not-granted"], 2);
    assert_eq!((found["params-mismatch"], found.get("call-signature")), (1, None));
    for entry in of("refused") {
        *found.entry(entry["reason"].as_str().unwrap()).or_insert(0) += entry["count"].as_u64().unwrap();
    }
    assert_eq!(found, expected);
    assert_eq!(world.runs(), [] as [Value; 0]);
}

#[test]
fn the_same_proof_with_nothing_wrong_runs_and_so_it_does_at_the_edge_of_the_clocks() {
    let world = World::new();
    let skew = i64::try_from(DEFAULT_SKEW).unwrap();
    let mut client = world.start_guard();
    for (id, ahead) in [(1, 0), (2, skew - 20), (3, 20 - skew - 60)] {
        let forge = Forge { ahead, ..Forge::of(&world) };
        client.send(forge.call(id, "echo", json!({ "n": id })).line);
        let answer = client.answer(id);
        assert_eq!(reason(&answer), "", "{answer}");
    }
    assert_eq!(world.runs().len(), 3);
}

#[test]
fn a_call_that_was_made_once_is_refused_for_ever_also_after_a_restart() {
    let world = World::new();
    let forged = Forge::of(&world).call(7, "echo", json!({}));
    let again = forged.line.replacen(r#""id":7"#, r#""id":8"#, 1);
    let mut client = world.start_guard();
    client.send(&forged.line);
    assert_eq!(reason(&client.answer(7)), "");
    client.send(&again);
    assert_eq!(reason(&client.answer(8)), "replay");
    client.end();
    let mut client = world.start_guard();
    client.send(&again);
    assert_eq!(reason(&client.answer(8)), "replay");
    assert_eq!(world.runs().len(), 1);
    assert_eq!(world.entries("guard.db", &[("reason", "replay"), ("call", &forged.call)]).len(), 2);
}

#[test]
fn of_two_copies_of_a_call_sent_at_once_one_runs() {
    let world = World::new();
    let forged = Forge::of(&world).call(7, "echo", json!({}));
    let mut client = world.start_guard();
    let copies: Vec<String> =
        (100..120).map(|id| forged.line.replacen(r#""id":7"#, &format!(r#""id":{id}"#), 1)).collect();
    client.send(copies.join("\n"));
    let answers: Vec<Value> = (100..120).map(|id| client.answer(id)).collect();
    assert_eq!(answers.iter().filter(|a| reason(a).is_empty()).count(), 1);
    assert_eq!(answers.iter().filter(|a| reason(a) == "replay").count(), 19);
    assert_eq!(world.runs().len(), 1);
}
