//! The shape of arguments: `spec/seen.md`, rule 7.

use std::collections::BTreeSet;

use attest_core::digest::Digest;
use attest_core::json::{Value, write_string};

/// The digest of the shape: names and types, no values.
pub fn shape(value: &Value<'_>) -> Digest {
    let mut out = Vec::with_capacity(256);
    write(value, &mut out);
    Digest::of(out)
}

fn write(value: &Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(b'0'),
        Value::Bool(_) => out.push(b'b'),
        Value::Number(_) => out.push(b'n'),
        Value::String(_) => out.push(b's'),
        Value::Array(items) => {
            out.push(b'[');
            let mut shapes = BTreeSet::new();
            for item in items {
                let mut shape = Vec::new();
                write(item, &mut shape);
                shapes.insert(shape);
            }
            shapes.iter().for_each(|shape| out.extend_from_slice(shape));
            out.push(b']');
        }
        Value::Object(object) => {
            out.push(b'{');
            for (name, value) in object.iter() {
                write_string(name, out);
                out.push(b':');
                write(value, out);
                out.push(b',');
            }
            out.push(b'}');
        }
    }
}
