//! What we make of a document: the reader, the classification, and the bytes that a verifier would forward.

use std::fmt::Write as _;

use attest_core::digest::Salt;
use attest_core::json::{self, Value};
use attest_core::request::{Message, classify};

/// What becomes of a document.
#[derive(Debug)]
pub enum Verdict {
    /// It goes nowhere.
    Refused,
    /// It passes, byte for byte.
    Other,
    /// It is a call, to be verified.
    Call {
        /// The bytes that go on in its place.
        forward: Vec<u8>,
        /// Its tool and arguments, in the oracles' normal form.
        form: Vec<u8>,
    },
}

/// The verdict, and the document in normal form where the reader takes it.
pub fn judge(document: &[u8]) -> (Verdict, Option<Vec<u8>>) {
    let Ok(value) = json::parse(document) else { return (Verdict::Refused, None) };
    let mut whole = Vec::new();
    write(&value, &mut whole);
    let verdict = match classify(&value) {
        Err(_) => Verdict::Refused,
        Ok(Message::Other) => Verdict::Other,
        Ok(Message::Call(call)) => {
            // Whatever can be bound is, as by a signer; a call that no signer could sign is verified by nobody.
            let salt = Salt([7; 16]);
            match call.bind_meta(&salt) {
                None => Verdict::Refused,
                Some(binding) => Verdict::Call {
                    forward: call.verified(&call.canonical_params(), &binding),
                    form: form_of_call(&value),
                },
            }
        }
    };
    (verdict, Some(whole))
}

/// Read from the value and not from the call: what `classify` hands out is what is to be tested.
fn form_of_call(value: &Value<'_>) -> Vec<u8> {
    let params = value.as_object().and_then(|m| m.get("params")).and_then(Value::as_object).unwrap();
    let mut form = Vec::new();
    write(params.get("name").unwrap(), &mut form);
    match params.get("arguments") {
        Some(arguments) => write(arguments, &mut form),
        None => form.push(b'-'),
    }
    form
}

fn write(value: &Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(b'n'),
        Value::Bool(true) => out.push(b't'),
        Value::Bool(false) => out.push(b'f'),
        Value::Number(n) => {
            let mut digits = String::from("d");
            write!(digits, "{:016x}", n.to_bits()).unwrap();
            out.extend_from_slice(digits.as_bytes());
        }
        Value::String(text) => write_text(text, out),
        Value::Array(items) => {
            out.extend_from_slice(format!("a{}:", items.len()).as_bytes());
            items.iter().for_each(|item| write(item, out));
        }
        Value::Object(object) => {
            let mut members: Vec<_> = object.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            out.extend_from_slice(format!("o{}:", members.len()).as_bytes());
            for (name, value) in members {
                write_text(name, out);
                write(value, out);
            }
        }
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("s{}:{text}", text.len()).as_bytes());
}
