//! An answer that ends two calls, and has a receipt for each.

use attest_core::digest::{Digest, Salt};
use serde_json::{Value, json};

use super::{CALL, Making, PARAMS, SALT, good, member};
use crate::vectors::file::Vector;
use crate::vectors::token::{b64, canonical};

/// Another call, whose decision is entry 3.
pub(super) const OTHER: &str = "bPYVq09xMdaYMKKRWlRHlXjwgxCNHjXM0OTQrM7jDFw";
pub(super) const OTHER_SALT: [u8; 16] = [9; 16];

/// The answer to a signed `tasks/cancel` that says that the task is cancelled: it ends both.
pub(super) fn cancel(receipts: &[Value]) -> String {
    let carried = member(&Value::Array(receipts.to_vec()));
    format!(r#"{{"id":9,"jsonrpc":"2.0","result":{{"_meta":{{{carried}}},"status":"cancelled","taskId":"t"}}}}"#)
}

pub(super) fn for_both(vector: Vector) -> Vector {
    let (salt, other) = (b64(SALT), b64(OTHER_SALT));
    vector.with("ended", &format!("{OTHER}/{PARAMS}/{other}/answer {CALL}/{PARAMS}/{salt}/state"))
}

pub(super) fn of_both(call: &str) -> Value {
    let both = Making::entry("call", OTHER).entries[1].clone();
    let making = match call {
        OTHER => Making::with(|m| {
            let committed = canonical(&json!({"status": "cancelled", "taskId": "t"}));
            m.token.claims["call"] = OTHER.into();
            m.token.claims["idx"] = 3.into();
            m.token.claims["result"] = Digest::salted(&Salt(OTHER_SALT), &committed).to_b64().into();
            m.entries.push(both);
            m.index = 3;
        }),
        _ => {
            let mut making = Making::of("cancelled", None);
            making.entries.push(both);
            making
        }
    };
    making.carried()
}

pub(super) fn two(name: &str, comment: &str, calls: &[&str]) -> Vector {
    let receipts: Vec<_> = calls.iter().map(|call| of_both(call)).collect();
    let seen = r#"{"id":9,"jsonrpc":"2.0","result":{"status":"cancelled","taskId":"t"}}"#;
    for_both(good(name, comment, cancel(&receipts), seen))
}
