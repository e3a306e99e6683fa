//! Every vector of `spec/vectors` against attest-core, from the committed files: exact bytes in, the verdict out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a vector of another form than its kind's fails its test"
)]

#[path = "vectors/approvals.rs"]
mod approvals;
#[path = "vectors/audit.rs"]
mod audit;
#[path = "vectors/declared.rs"]
mod declared;
#[path = "vectors/flow.rs"]
mod flow;
#[path = "vectors/log.rs"]
mod log;
#[path = "vectors/receipts.rs"]
mod receipts;
#[path = "vectors/status.rs"]
mod status;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use attest_core::b64;
use attest_core::comparison::{Listing, Template};
use attest_core::constraint::Constraint;
use attest_core::digest::{Digest, Salt};
use attest_core::entry::{EntryError, Written};
use attest_core::json::{self, Value};
use attest_core::jwk::PublicKey;
use attest_core::limits::MAX_CONSTRAINT_NODES;
use attest_core::measurement::Component;
use attest_core::nonce::Nonce;
use attest_core::refusal::{About, Check, Reason, Refusal, StepUp, Token};
use attest_core::reply::{Shape, refuse};
use attest_core::request::{Message, attested, classify};
use attest_core::response::{Outcome, as_untrusted, without_ours};
use attest_core::status::Level;
use attest_core::tools::Tools;
use attest_core::verifier::{CallId, Verifier};
use attest_tests::vectors::call::{Call, NOW};
use attest_tests::vectors::file::Vector;
use attest_tests::vectors::{directory, files, trust};

/// What became of a message.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Pass,
    /// What is forwarded, and the labels that the decision names, with a blank between two.
    Accept(Vec<u8>, String),
    Refuse(Refusal),
}

fn committed() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for entry in fs::read_dir(directory()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "vec") {
            let name = path.file_stem().unwrap().to_str().unwrap();
            vectors.push(Vector::parse(name, &fs::read(&path).unwrap()).expect(name));
        }
    }
    vectors.sort_by(|a, b| a.name.cmp(&b.name));
    vectors
}

fn of_kind(kind: &str) -> Vec<Vector> {
    let all: Vec<_> = committed().into_iter().filter(|v| v.get("kind") == Some(kind)).collect();
    assert!(!all.is_empty(), "no vector of kind {kind}");
    all
}

fn expected(vector: &Vector) -> &str {
    vector.get("expect").unwrap_or_else(|| panic!("{}: no expect", vector.name))
}

/// Runs `verdict` over every vector of `kind` and names all whose verdict is not the expected one.
fn each(kind: &str, verdict: impl Fn(&Vector) -> String) {
    let wrong: Vec<String> = of_kind(kind)
        .iter()
        .filter_map(|vector| {
            let verdict = verdict(vector);
            (verdict != expected(vector)).then(|| format!("{}: {verdict}, not {}", vector.name, expected(vector)))
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn verifier(vector: &Vector) -> Verifier {
    let path = directory().join(vector.get("trust").unwrap());
    let verifier = Verifier::new(trust::read(&fs::read(path).unwrap()).expect("a readable trust configuration"));
    if let Some(file) = vector.get("lists") {
        verifier.hold(status::lists(file, verifier.trust()).into());
    }
    verifier
}

/// `methods` are those besides `tools/call` that need a proof.
fn judge(verifier: &Verifier, message: &[u8], now: u64, seen: Option<&str>, methods: &str) -> Verdict {
    judge_at(Level::Critical, verifier, message, now, seen, methods)
}

fn judge_at(level: Level, verifier: &Verifier, message: &[u8], now: u64, seen: Option<&str>, methods: &str) -> Verdict {
    let seen = |id: &CallId| Some(format!("{}/{}", id.key, b64::encode(id.id.0)).as_str()) == seen;
    let value = match json::parse(message) {
        Ok(value) => value,
        Err(error) => return Verdict::Refuse(error.into()),
    };
    let method = value.as_object().and_then(|m| m.get("method")).and_then(Value::as_str);
    let needs_proof = method.is_some_and(|method| methods.split(' ').any(|m| m == method));
    let message = match classify(&value) {
        Ok(Message::Other) if needs_proof => attested(&value).map(Message::Call),
        message => message,
    };
    match message {
        Err(error) => Verdict::Refuse(error.into()),
        Ok(Message::Other) => Verdict::Pass,
        Ok(Message::Call(call)) => match verifier.check_at(level, &call, now, seen, &mut ()) {
            Ok(accepted) => Verdict::Accept(accepted.forward, flow::listed(&accepted.flow.labels)),
            Err(refusal) => Verdict::Refuse(refusal),
        },
    }
}

fn judge_vector(vector: &Vector, verifier: &Verifier) -> Verdict {
    if let Some(file) = vector.get("after") {
        let before = Vector::parse(file, &fs::read(directory().join(file)).unwrap()).expect(file);
        assert_eq!(mismatch(&before, &judge_vector(&before, verifier)), None, "{}", vector.name);
    }
    let now = vector.get("now").unwrap().parse().unwrap();
    let level = vector.get("level").map_or(Level::Critical, |word| Level::parse(word).expect(word));
    judge_at(level, verifier, &vector.body, now, vector.get("seen"), vector.get("methods").unwrap_or_default())
}

/// What the vector's header says, word for word.
fn words(about: &About) -> Option<String> {
    match about {
        About::Component(component) => Some(component.to_string()),
        About::Token(Token::Attestation) => Some("attestation".to_owned()),
        About::Token(Token::Delegation(n)) => Some(format!("delegation {n}")),
        About::Token(Token::CallProof) => Some("call proof".to_owned()),
        About::Token(Token::Receipt(n)) => Some(format!("receipt {n}")),
        About::Token(Token::Cause) => Some("cause".to_owned()),
        About::Token(Token::Declassification(n)) => Some(format!("declassification {n}")),
        About::Labels(labels) => Some(flow::listed(labels)),
        About::Undeclared => Some("extension".to_owned()),
        // Where in a text a reader notices is its own affair.
        _ => None,
    }
}

/// Why `verdict` is not what the vector expects.
fn mismatch(vector: &Vector, verdict: &Verdict) -> Option<String> {
    let wrong = |what: &str| Some(format!("{}: {what}: {verdict:?}", vector.name));
    match (expected(vector), verdict) {
        ("pass", Verdict::Pass) => None,
        ("accept", Verdict::Accept(forward, labels)) => {
            let same = vector.get("forward") == Some(b64::encode(forward).as_str());
            if vector.get("labels").unwrap_or_default() != labels {
                wrong("with other labels")
            } else if same {
                None
            } else {
                wrong(&format!("forwards {}", String::from_utf8_lossy(forward)))
            }
        }
        (code, Verdict::Refuse(refusal)) if refusal.reason.code() == code => {
            let about = refusal.about.as_ref().and_then(words);
            if vector.get("wire") != Some(refusal.reason.on_the_wire()) {
                wrong("another reason on the wire")
            } else if vector.get("about") != about.as_deref() {
                wrong("about something else")
            } else if refusal.caller.is_some() != (refusal.reason.check() >= Check::Bindings) {
                wrong("a caller is named exactly where one was authenticated")
            } else {
                None
            }
        }
        (code, _) => wrong(&format!("not {code}")),
    }
}

fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} of the vectors\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn each_request_has_its_verdict() {
    let wrong: Vec<_> = of_kind("request").iter().filter_map(|v| mismatch(v, &judge_vector(v, &verifier(v)))).collect();
    assert_none(&wrong);
}

#[test]
fn an_accepted_request_is_accepted_again_from_memory() {
    let accepted = of_kind("request").into_iter().filter(|v| expected(v) == "accept");
    for vector in accepted {
        let verifier = verifier(&vector);
        let (cold, warm) = (judge_vector(&vector, &verifier), judge_vector(&vector, &verifier));
        assert_eq!(cold, warm, "{}", vector.name);
        assert_eq!(mismatch(&vector, &warm), None);
    }
}

#[test]
fn each_request_has_the_same_verdict_where_the_good_call_is_remembered() {
    let good = Call::default().bytes();
    let wrong: Vec<String> = of_kind("request")
        .iter()
        .filter_map(|vector| {
            let verifier = verifier(vector);
            assert!(matches!(judge(&verifier, &good, NOW, None, ""), Verdict::Accept(..)));
            mismatch(vector, &judge_vector(vector, &verifier))
        })
        .collect();
    assert_none(&wrong);
}

#[test]
fn what_is_forwarded_is_canonical_and_a_call_without_proof() {
    for vector in of_kind("request").iter().filter(|v| expected(v) == "accept") {
        let forward = b64::decode(vector.get("forward").unwrap()).unwrap();
        let value = json::parse(&forward).unwrap();
        assert_eq!(value.to_canonical(), forward, "{}", vector.name);
        let call = attested(&value).unwrap_or_else(|error| panic!("{}: {error}", vector.name));
        assert!(call.proof().is_none(), "{}", vector.name);
        let is_call = matches!(classify(&value), Ok(Message::Call(_)));
        assert_eq!(is_call, vector.get("methods").is_none(), "{}", vector.name);
    }
}

#[test]
fn each_reason_of_the_pure_checks_has_a_vector() {
    let shown: BTreeSet<String> = of_kind("request").iter().map(|v| expected(v).to_owned()).collect();
    // Raised by what stands around the pure checks: the transport, and the operator's setting for a method.
    let elsewhere = [Reason::BadHttp, Reason::HeaderMismatch, Reason::MethodDenied];
    let pure = |reason: &&Reason| reason.check() <= Check::Flow && !elsewhere.contains(reason);
    let missing: Vec<_> = Reason::ALL.iter().filter(pure).filter(|r| !shown.contains(r.code())).collect();
    assert!(missing.is_empty(), "no vector for {missing:?}");
}

#[test]
fn each_text_is_read_or_refused_as_its_vector_says() {
    each("json", |vector| match json::parse(&vector.body) {
        Err(error) => Refusal::from(error).reason.code().to_owned(),
        Ok(value) => {
            let canonical = value.to_canonical();
            let again = json::parse(&canonical).map(|v| v.to_canonical());
            assert_eq!(again.as_ref(), Ok(&canonical), "{}: not idempotent", vector.name);
            match vector.get("canonical") {
                Some(wanted) if wanted == b64::encode(&canonical) => "accept".to_owned(),
                _ => format!("accept as {}", String::from_utf8_lossy(&canonical)),
            }
        }
    });
}

#[test]
fn each_key_is_accepted_or_refused_as_its_vector_says() {
    each("jwk", |vector| match PublicKey::from_jwk(&json::parse(&vector.body).unwrap()) {
        Err(_) => "refuse".to_owned(),
        Ok(key) => {
            assert_eq!(vector.get("thumbprint"), Some(key.thumbprint().as_str()), "{}", vector.name);
            "accept".to_owned()
        }
    });
}

#[test]
fn each_trust_configuration_is_accepted_or_refused_as_its_vector_says() {
    each("trust", |vector| match trust::read(&vector.body) {
        Some(_) => "accept".to_owned(),
        None => "refuse".to_owned(),
    });
}

/// The two members of the body.
fn pair<T>(vector: &Vector, [first, second]: [&str; 2], with: impl FnOnce(&Value<'_>, &Value<'_>) -> T) -> T {
    let body = json::parse(&vector.body).unwrap();
    let member = |name| body.as_object().unwrap().get(name).unwrap();
    with(member(first), member(second))
}

fn constraint(value: &Value<'_>) -> Option<Constraint> {
    Constraint::read(value, &mut MAX_CONSTRAINT_NODES.clone()).ok()
}

#[test]
fn each_template_fits_what_its_vector_says() {
    each("template", |vector| {
        let text = |value: &Value<'_>| value.as_str().unwrap().to_owned();
        yes_or_no(pair(vector, ["template", "text"], |template, disclosed| {
            Some(Template::parse(&text(template)).ok()?.fits(&text(disclosed)))
        }))
    });
}

#[test]
fn each_listing_fits_what_its_vector_says() {
    each("listing", |vector| {
        let body = json::parse(&vector.body).unwrap();
        let member = |name| body.as_object().unwrap().get(name).unwrap();
        let component = Component::parse(member("component").as_str().unwrap()).unwrap();
        let like = String::from_utf8(member("like").to_canonical()).unwrap();
        let patterns: Vec<_> = member("may_differ").as_array().unwrap().iter().map(|p| p.as_str().unwrap()).collect();
        let listing = Listing::new(component, &like, &patterns).ok();
        yes_or_no(listing.map(|listing| listing.fits(member("list").as_str().unwrap())))
    });
}

fn yes_or_no(verdict: Option<bool>) -> String {
    verdict.map_or("unreadable", |yes| if yes { "yes" } else { "no" }).to_owned()
}

#[test]
fn each_constraint_allows_what_its_vector_says() {
    each("allows", |vector| {
        yes_or_no(pair(vector, ["constraint", "value"], |c, value| constraint(c).map(|c| c.allows(value))))
    });
}

#[test]
fn each_constraint_narrows_as_its_vector_says() {
    each("narrows", |vector| {
        yes_or_no(pair(vector, ["parent", "child"], |parent, child| {
            Some(constraint(child)?.narrows(&constraint(parent)?))
        }))
    });
}

#[test]
fn each_grant_narrows_as_its_vector_says() {
    each("tools-narrow", |vector| {
        yes_or_no(pair(vector, ["parent", "child"], |parent, child| {
            Some(Tools::read(child).ok()?.narrows(&Tools::read(parent).ok()?))
        }))
    });
}

#[test]
fn each_answer_has_the_outcome_that_its_vector_says() {
    each("outcome", |vector| {
        let salt = Salt(b64::decode_exact(vector.get("salt").unwrap()).unwrap());
        let outcome = Outcome::of(json::parse(&vector.body).ok().as_ref(), &salt);
        let digest = outcome.digest.map(|d| d.to_b64());
        assert_eq!(digest.as_deref(), vector.get("digest"), "{}", vector.name);
        outcome.status.as_str().to_owned()
    });
}

#[test]
fn each_answer_is_rid_of_our_names_as_its_vector_says() {
    each("answer", |vector| {
        let message = json::parse(&vector.body).unwrap();
        let forward = without_ours(&message).map(|clean| clean.to_canonical());
        assert_eq!(forward.as_ref().map(b64::encode).as_deref(), vector.get("forward"), "{}", vector.name);
        if forward.is_some() { "cleaned" } else { "unchanged" }.to_owned()
    });
}

#[test]
fn each_result_is_marked_as_its_vector_says() {
    each("label", |vector| {
        let forward = json::parse(&vector.body).ok().and_then(|message| Some(as_untrusted(&message)?.to_canonical()));
        assert_eq!(forward.as_ref().map(b64::encode).as_deref(), vector.get("forward"), "{}", vector.name);
        if forward.is_some() { "marked" } else { "unchanged" }.to_owned()
    });
}

#[test]
fn each_text_and_value_has_the_digest_that_its_vector_says() {
    each("digest", |vector| Digest::of(&vector.body).to_b64());
    each("commitment", |vector| {
        let salt = Salt(b64::decode_exact(vector.get("salt").unwrap()).unwrap());
        Digest::salted(&salt, &json::parse(&vector.body).unwrap().to_canonical()).to_b64()
    });
}

#[test]
fn each_entry_is_read_or_refused_as_its_vector_says() {
    each("entry", |vector| {
        let error = match Written::read(&vector.body) {
            Ok(_) => return "accept".to_owned(),
            Err(error) => error,
        };
        assert_eq!(error.member(), vector.get("about"), "{}", vector.name);
        match error {
            EntryError::TooLong => "too-long",
            EntryError::Json(error) => Refusal::from(error).reason.code(),
            EntryError::NotAnObject => "not-an-object",
            EntryError::NotCanonical => "not-canonical",
            EntryError::Missing(_) => "missing",
            EntryError::Invalid(_) => "invalid",
            EntryError::Unknown(_) => "unknown",
            other => panic!("{}: {other}", vector.name),
        }
        .to_owned()
    });
}

#[test]
fn each_value_has_the_shape_that_its_vector_says() {
    each("shape", |vector| attest_watch::scan::shape(&json::parse(&vector.body).unwrap()).to_b64());
}

fn reason(code: &str) -> Reason {
    *Reason::ALL.iter().find(|reason| reason.code() == code).unwrap()
}

#[test]
fn each_refusal_reads_as_its_vector_says() {
    each("refusal", |vector| {
        let body = json::parse(&vector.body).unwrap();
        let object = body.as_object().unwrap();
        let text = |name| object.get(name).and_then(Value::as_str);
        let about = text("component").map(|name| About::Component(Component::parse(name).unwrap()));
        let undeclared = object.get("undeclared").and_then(Value::as_bool) == Some(true);
        let about = about.or(undeclared.then_some(About::Undeclared));
        let about = about.or(text("nonce").map(|nonce| {
            let required = object.get("required").and_then(Value::as_array).unwrap().iter();
            let word =
                |value: &Value<'_>| StepUp::WORDS.into_iter().find(|word| Some(*word) == value.as_str()).unwrap();
            let nonce = Nonce::from_b64(nonce).unwrap();
            About::StepUp(Box::new(StepUp { nonce, required: required.map(word).collect(), by: Vec::new() }))
        }));
        let refusal = Refusal { about, ..reason(text("reason").unwrap()).into() };
        let shape = match text("shape").unwrap() {
            "error" => Shape::Error,
            "tool-result" => Shape::ToolResult,
            other => panic!("{}: no shape {other}", vector.name),
        };
        let reply = refuse(object.get("id"), &refusal, shape);
        assert_eq!(json::parse(&reply).unwrap().to_canonical(), reply, "{}: not canonical", vector.name);
        assert_eq!(
            vector.get("reply"),
            Some(&*b64::encode(&reply)),
            "{}: {}",
            vector.name,
            String::from_utf8_lossy(&reply)
        );
        refusal.reason.on_the_wire().to_owned()
    });
}

#[test]
fn each_reason_that_is_told_has_a_refusal() {
    let shown: BTreeSet<Reason> = of_kind("refusal")
        .iter()
        .map(|vector| {
            reason(json::parse(&vector.body).unwrap().as_object().unwrap().get("reason").unwrap().as_str().unwrap())
        })
        .collect();
    // A call without an id gets no answer.
    let missing: Vec<_> = Reason::ALL.iter().filter(|r| **r != Reason::NoId && !shown.contains(r)).collect();
    assert!(missing.is_empty(), "no refusal for {missing:?}");
}

#[test]
fn the_committed_files_are_what_the_generator_writes() {
    let mut lying: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for entry in fs::read_dir(directory()).unwrap() {
        let entry = entry.unwrap();
        lying.insert(entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap());
    }
    lying.remove("README.md").expect("a page that describes the files");
    let written = files();
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&lying), names(&written), "run `cargo run -p attest-tests --bin make-vectors`");
    let changed: Vec<_> =
        written.iter().filter(|(name, bytes)| lying[*name] != **bytes).map(|(name, _)| name).collect();
    assert!(changed.is_empty(), "run `cargo run -p attest-tests --bin make-vectors`: {changed:?}");
}

#[test]
fn each_file_is_of_a_kind_that_is_run_and_bears_the_name_of_its_family() {
    let kinds = [
        "request",
        "json",
        "digest",
        "commitment",
        "entry",
        "jwk",
        "trust",
        "allows",
        "narrows",
        "tools-narrow",
        "outcome",
        "answer",
        "receipt",
        "refusal",
        "declare",
        "era",
        "offer",
        "offered",
        "withhold",
        "task-created",
        "task-asked",
        "task-told",
        "task-outcome",
        "inclusion",
        "consistency",
        "vkey",
        "note",
        "checkpoint",
        "log-keys",
        "cosignature",
        "declassification",
        "tlog-proof",
        "tile-path",
        "tile-of-tree",
        "bundle",
        "add-checkpoint",
        "witness-answer",
        "log-policy",
        "witnessed",
        "shape",
        "audit",
        "label",
        "template",
        "listing",
        "status-list",
        "nonce",
        "labels",
        "labelling",
        "tell",
        "told",
        "approval",
        "shared-document",
    ];
    let families = [
        "alert",
        "approval",
        "attestation",
        "audit",
        "call_proof",
        "carrier",
        "cause",
        "chain",
        "checkpoint",
        "comparison",
        "constraint",
        "cosignature",
        "declassification",
        "delegation",
        "digest",
        "entry",
        "extension",
        "flow",
        "json",
        "jwk",
        "jws",
        "labels",
        "log_policy",
        "measurement",
        "merkle",
        "nonce",
        "note",
        "pins",
        "platform",
        "receipt",
        "refusals",
        "request",
        "response",
        "seen",
        "shared_document",
        "status",
        "task",
        "tile",
        "tlog_proof",
        "trust",
        "verification",
        "witness",
    ];
    for vector in committed() {
        assert!(kinds.contains(&vector.get("kind").unwrap()), "{}", vector.name);
        let family = families.iter().find(|f| vector.name.starts_with(&format!("{f}_")));
        assert!(family.is_some(), "{}", vector.name);
        assert!(vector.get("comment").is_some_and(|c| !c.is_empty()), "{}", vector.name);
    }
}
