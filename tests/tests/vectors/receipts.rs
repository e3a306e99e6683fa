//! The vectors about receipts.

use std::fs;

use attest_core::b64;
use attest_core::checkpoint::LogKeys;
use attest_core::digest::{Digest, Salt};
use attest_core::json::{self, Value};
use attest_core::receipt::{self, Carried, Ended, Place};
use attest_core::response::Outcome;
use attest_core::task::{self, Asked};
use attest_tests::vectors::directory;
use attest_tests::vectors::file::Vector;
use mcp_relay::Kind;

use super::each;

/// A call that the answer ends, as the header has it: call, params, salt, and how it was asked for.
fn ended(text: &str, answer: Option<&Value<'_>>) -> Ended {
    let parts: Vec<&str> = text.split('/').collect();
    let digest = |at: usize| Digest::from_b64(parts[at]).unwrap();
    let salt = Salt(b64::decode_exact(parts[2]).unwrap());
    let outcome = match parts[3] {
        "answer" => Outcome::of(answer, &salt),
        "state" => task::outcome(Asked::State, answer, &salt).unwrap(),
        "result" => task::outcome(Asked::Result, answer, &salt).unwrap(),
        "told" => task::outcome_told(answer.unwrap(), &salt).unwrap(),
        other => panic!("no way to ask: {other}"),
    };
    Ended { call: digest(0), params: digest(1), outcome }
}

fn keys(vector: &Vector) -> LogKeys {
    let text = fs::read_to_string(directory().join(vector.get("keys").unwrap())).unwrap();
    LogKeys::parse(&text.lines().collect::<Vec<_>>()).unwrap()
}

#[test]
fn each_receipt_is_checked_as_its_vector_says() {
    each("receipt", |vector| {
        let message = json::parse(&vector.body).ok();
        let ended: Vec<_> = vector.get("ended").unwrap().split(' ').map(|text| ended(text, message.as_ref())).collect();
        let plain =
            message.as_ref().filter(|m| matches!(Kind::of(m), Kind::Response { .. } | Kind::Notification { .. }));
        let verdicts = receipt::check(plain, &keys(vector), vector.get("audience").unwrap(), &ended);
        assert_eq!(verdicts.len(), ended.len(), "{}", vector.name);
        let bad = verdicts.iter().find_map(|verdict| verdict.as_ref().err());
        assert_eq!(vector.get("about"), bad.map(|bad| bad.defect.word()), "{}", vector.name);
        if let Some(bad) = bad {
            return bad.defect.reason().code().to_owned();
        }
        let bare = receipt::without_receipts(&vector.body, message.as_ref().unwrap());
        assert_eq!(bare.as_ref().map(b64::encode).as_deref(), vector.get("forward"), "{}", vector.name);
        "accept".to_owned()
    });
}

#[test]
fn what_was_put_into_an_answer_is_what_is_found_and_taken_out_again() {
    for vector in super::of_kind("receipt") {
        let Some(forward) = vector.get("forward") else { continue };
        let (bare, with) = (b64::decode(forward).unwrap(), json::parse(&vector.body).unwrap());
        let carrier = |message: &Value<'_>| {
            let [result, error, params] = ["result", "error", "params"].map(|n| {
                message
                    .as_object()?
                    .get(n)?
                    .as_object()?
                    .get(if n == "error" { "data" } else { "_meta" })?
                    .as_object()?
                    .get("io.github.agent-attest/receipt")
                    .cloned()
                    .map(Value::into_owned)
            });
            result.or(error).or(params).unwrap()
        };
        let receipts = carrier(&with);
        let carried: Vec<_> = receipts.as_array().unwrap().iter().map(|one| Carried::read(one).unwrap()).collect();
        let place = Place::of(&bare, &json::parse(&bare).unwrap()).unwrap();
        let put = place.put(&bare, &carried);
        let message = json::parse(&put).unwrap();
        assert_eq!(carrier(&message), receipts, "{}", vector.name);
        assert_eq!(receipt::without_receipts(&put, &message).as_deref(), Some(&*bare), "{}", vector.name);
        for one in &carried {
            let text = one.to_text();
            assert_eq!(Carried::read(&json::parse(text.as_bytes()).unwrap()), Some(*one), "{}", vector.name);
        }
    }
}
