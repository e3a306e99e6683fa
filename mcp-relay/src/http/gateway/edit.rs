//! Values put in the place of others in a message.

use attest_core::json::{Value, write_canonical, write_string};
use bytes::Bytes;

/// A member, named by the way to it, and what it becomes.
pub(super) type Edit<'e> = (&'e [&'e str], &'e Value<'e>);

/// The canonical bytes of `message` with each edited member replaced. A member that is not there stays away. Never by
/// replacing text: the same digits may stand anywhere in a message.
pub(super) fn edited(message: &Value<'_>, edits: &[Edit<'_>]) -> Bytes {
    let mut out = Vec::with_capacity(512);
    write(message, edits, &mut out);
    out.into()
}

fn write(value: &Value<'_>, edits: &[Edit<'_>], out: &mut Vec<u8>) {
    if let Some((_, new)) = edits.iter().find(|(path, _)| path.is_empty()) {
        return write_canonical(new, out);
    }
    let Some(object) = value.as_object().filter(|_| !edits.is_empty()) else {
        return write_canonical(value, out);
    };
    out.push(b'{');
    for (i, (name, member)) in object.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write_string(name, out);
        out.push(b':');
        let below: Vec<Edit<'_>> = edits
            .iter()
            .filter_map(|(path, new)| {
                path.split_first().filter(|(first, _)| **first == name).map(|(_, rest)| (rest, *new))
            })
            .collect();
        write(member, &below, out);
    }
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use attest_core::json::parse;

    use super::*;

    #[test]
    fn only_the_named_members_change() {
        let text = br#"{ "id":1, "params":{"id":1,"_meta":{"progressToken":1,"x":[1,"1"]}}, "method":"1" }"#;
        let (seven, name) = (Value::Number(7.0), Value::String("a\"b".into()));
        let edits: [Edit<'_>; 3] = [
            (&["id"], &seven),
            (&["params", "_meta", "progressToken"], &name),
            (&["params", "missing", "deeper"], &seven),
        ];
        assert_eq!(
            edited(&parse(text).unwrap(), &edits),
            r#"{"id":7,"method":"1","params":{"_meta":{"progressToken":"a\"b","x":[1,"1"]},"id":1}}"#
        );
    }

    #[test]
    fn a_way_that_leads_through_no_object_changes_nothing() {
        let value = Value::Number(7.0);
        assert_eq!(edited(&parse(br#"{"a":[{"b":1}]}"#).unwrap(), &[(&["a", "b"], &value)]), r#"{"a":[{"b":1}]}"#);
    }
}
