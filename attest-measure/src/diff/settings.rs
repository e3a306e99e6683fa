//! Settings: which members differ. Their values are not in it, since one may be a secret.

use attest_core::json::Value;
use serde::Serialize;

use super::Change;

/// A place in the settings that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SettingChange {
    /// Where, as a JSON Pointer (RFC 6901).
    pub path: String,
    /// What became of it.
    pub change: Change,
}

/// Compares two settings member by member, arrays element by element, in the order of A's members and then of those that B alone has.
pub fn settings(a: &Value<'_>, b: &Value<'_>) -> Vec<SettingChange> {
    let mut out = Vec::new();
    compare("", a, b, &mut out);
    out
}

/// The strict reader has bounded the depth.
fn compare(path: &str, a: &Value<'_>, b: &Value<'_>, out: &mut Vec<SettingChange>) {
    let mut say = |path: String, change| out.push(SettingChange { path, change });
    match (a, b) {
        (Value::Object(in_a), Value::Object(in_b)) => {
            for (name, value) in in_a.iter() {
                let path = format!("{path}/{}", token(name));
                match in_b.get(name) {
                    Some(other) => compare(&path, value, other, out),
                    None => out.push(SettingChange { path, change: Change::OnlyInA }),
                }
            }
            for (name, _) in in_b.iter().filter(|(name, _)| in_a.get(name).is_none()) {
                out.push(SettingChange { path: format!("{path}/{}", token(name)), change: Change::OnlyInB });
            }
        }
        (Value::Array(in_a), Value::Array(in_b)) => {
            for i in 0..in_a.len().max(in_b.len()) {
                let path = format!("{path}/{i}");
                match (in_a.get(i), in_b.get(i)) {
                    (Some(a), Some(b)) => compare(&path, a, b, out),
                    (Some(_), None) => out.push(SettingChange { path, change: Change::OnlyInA }),
                    _ => out.push(SettingChange { path, change: Change::OnlyInB }),
                }
            }
        }
        _ if a == b => {}
        _ => say(path.to_owned(), Change::Changed),
    }
}

fn token(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
