//! What a tool can do, as far as its listing tells.
//!
//! A guess on purpose to the wide side: annotations are a server's own word, so they can add to what the words say and
//! never take from it.

use attest_core::json::Value;
use attest_core::seen::Can;

/// Words of names that send something away.
const OUT: [&str; 31] = [
    "send",
    "post",
    "publish",
    "upload",
    "email",
    "mail",
    "message",
    "share",
    "push",
    "notify",
    "tweet",
    "webhook",
    "request",
    "http",
    "invite",
    "forward",
    "reply",
    "comment",
    "submit",
    "export",
    "sms",
    "fetch",
    "curl",
    "navigate",
    "browse",
    "visit",
    "crawl",
    "scrape",
    "sync",
    "transfer",
    "broadcast",
];
/// Words of names that bring in what strangers wrote.
const INWARD: [&str; 22] = [
    "fetch", "get", "read", "search", "browse", "download", "list", "web", "inbox", "receive", "navigate", "visit",
    "crawl", "scrape", "import", "load", "open", "view", "http", "issues", "messages", "emails",
];
/// Words of names that change, take away or bind: what cannot be had back as it was.
const DANGER: [&str; 36] = [
    "delete",
    "remove",
    "exec",
    "execute",
    "shell",
    "bash",
    "write",
    "drop",
    "kill",
    "pay",
    "buy",
    "reset",
    "deploy",
    "sudo",
    "eval",
    "overwrite",
    "destroy",
    "terminate",
    "revoke",
    "wipe",
    "edit",
    "update",
    "modify",
    "rename",
    "replace",
    "cancel",
    "reserve",
    "withdraw",
    "refund",
    "disable",
    "uninstall",
    "erase",
    "purge",
    "truncate",
    "unsubscribe",
    "ban",
];
/// The same, but what is only looked at has these in its name too: `get_order`, `list_permissions`.
const DANGER_UNLESS_READ: [&str; 21] = [
    "run",
    "command",
    "transfer",
    "payment",
    "purchase",
    "merge",
    "book",
    "order",
    "charge",
    "block",
    "reservation",
    "booking",
    "patch",
    "change",
    "archive",
    "password",
    "passwd",
    "credential",
    "credentials",
    "permission",
    "permissions",
];
/// Words of names that only look.
const READS: [&str; 14] = [
    "get", "list", "read", "search", "find", "view", "show", "count", "describe", "check", "query", "lookup", "browse",
    "download",
];
/// In a description these say it by themselves; single words there say little.
const OUT_PHRASES: [&str; 12] = [
    "send a",
    "send an",
    "sends a",
    "sends an",
    "send email",
    "sends email",
    "post to",
    "posts to",
    "upload",
    "webhook",
    "http request",
    "publish",
];
const IN_PHRASES: [&str; 7] =
    ["fetch", "web page", "from the internet", "search the web", "download", "inbox", "http request"];
const DANGER_PHRASES: [&str; 8] = [
    "delete",
    "execute",
    "run a command",
    "runs a command",
    "shell command",
    "overwrite",
    "irreversibl",
    "arbitrary code",
];
/// Arguments that say where to.
const OUT_FIELDS: [&str; 20] = [
    "url",
    "uri",
    "to",
    "recipient",
    "recipients",
    "webhook",
    "channel",
    "endpoint",
    "host",
    "hostname",
    "email",
    "bcc",
    "cc",
    "address",
    "iban",
    "participants",
    "phone",
    "destination",
    "domain",
    "link",
];
const IN_FIELDS: [&str; 3] = ["url", "uri", "link"];
const DANGER_FIELDS: [&str; 10] =
    ["command", "cmd", "code", "script", "sql", "shell", "exec", "amount", "iban", "password"];

/// How much of a description is read, in bytes.
const MAX_DESCRIPTION: usize = 16 << 10;
/// How many members of a schema are looked at.
const MAX_MEMBERS: usize = 1_024;

/// What the tool can do.
pub fn capability(name: &str, description: &str, schema: Option<&Value<'_>>, annotations: Option<&Value<'_>>) -> Can {
    let mut can = Can::default();
    let mut reads = false;
    for word in words(name) {
        reads |= READS.contains(&&*word);
        can.out |= OUT.contains(&&*word);
        can.inward |= INWARD.contains(&&*word);
        can.danger |= DANGER.contains(&&*word) || (!reads && DANGER_UNLESS_READ.contains(&&*word));
    }
    let read = description.get(..description.floor_char_boundary(MAX_DESCRIPTION)).unwrap_or(description);
    let description = read.to_ascii_lowercase();
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| description.contains(phrase));
    can.out |= says(&OUT_PHRASES);
    can.inward |= says(&IN_PHRASES);
    can.danger |= says(&DANGER_PHRASES);
    if let Some(schema) = schema {
        fields(schema, &mut can, &mut MAX_MEMBERS.clone());
    }
    let hint =
        |name: &str| annotations.and_then(Value::as_object).and_then(|all| all.get(name)).and_then(Value::as_bool);
    if hint("openWorldHint") == Some(true) {
        can.out = true;
        can.inward = true;
    }
    can.danger |= hint("destructiveHint") == Some(true);
    can
}

/// Names below any `properties`, wherever it stands.
fn fields(schema: &Value<'_>, can: &mut Can, left: &mut usize) {
    let below: Vec<(&str, &Value<'_>)> = match schema {
        Value::Object(object) => object.iter().collect(),
        Value::Array(items) => items.iter().map(|item| ("", item)).collect(),
        _ => return,
    };
    for (name, value) in below {
        if *left == 0 {
            return;
        }
        *left -= 1;
        if name == "properties"
            && let Some(properties) = value.as_object()
        {
            for (field, _) in properties.iter().take(MAX_MEMBERS) {
                for word in words(field) {
                    can.out |= OUT_FIELDS.contains(&&*word);
                    can.inward |= IN_FIELDS.contains(&&*word);
                    can.danger |= DANGER_FIELDS.contains(&&*word);
                }
            }
        }
        fields(value, can, left);
    }
}

/// `sendEmail`, `send_email` and `send-email` are the words `send` and `email`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut lower_before = false;
    for c in name.chars().take(256) {
        let new = !c.is_alphanumeric() || (c.is_uppercase() && lower_before);
        if new {
            words.push(String::new());
        }
        if let (true, Some(word)) = (c.is_alphanumeric(), words.last_mut()) {
            word.extend(c.to_lowercase());
        }
        lower_before = c.is_lowercase() || c.is_numeric();
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use attest_core::json::parse;

    fn of(name: &str, description: &str, schema: &str, annotations: &str) -> Vec<&'static str> {
        let (schema, annotations) = (parse(schema.as_bytes()).unwrap(), parse(annotations.as_bytes()).unwrap());
        capability(name, description, Some(&schema), Some(&annotations)).words()
    }

    #[test]
    fn what_a_tool_can_do_is_told_by_name_description_and_schema() {
        assert_eq!(of("add", "Adds two numbers", r#"{"properties":{"a":{},"b":{}}}"#, "{}"), [""; 0]);
        assert_eq!(of("sendEmail", "", "{}", "{}"), ["out"]);
        assert_eq!(of("helper", "Posts to the team's chat", "{}", "{}"), ["out"]);
        assert_eq!(of("helper", "", r#"{"properties":{"recipient_id":{}}}"#, "{}"), ["out"]);
        assert_eq!(of("helper", "", r#"{"anyOf":[{"properties":{"command":{}}}]}"#, "{}"), ["danger"]);
        assert_eq!(of("fetch", "", "{}", "{}"), ["in", "out"]);
    }

    #[test]
    fn what_takes_away_changes_or_binds_is_danger_and_what_looks_is_not() {
        for name in [
            "delete_file",
            "updatePassword",
            "reserve_hotel",
            "remove_user_from_slack",
            "book_flight",
            "hotels.book",
            "orders-cancel",
        ] {
            assert_eq!(of(name, "", "{}", "{}"), ["danger"], "{name}");
        }
        assert_eq!(of("login", "", r#"{"properties":{"password":{}}}"#, "{}"), ["danger"]);
        for name in [
            "get_order",
            "list_permissions",
            "library_search_book",
            "get_payment_status",
            "readRunLog",
            "updates_since",
        ] {
            assert!(!of(name, "", "{}", "{}").contains(&"danger"), "{name}");
        }
        // To look first and then to take away is to take away.
        assert!(of("find_and_delete", "", "{}", "{}").contains(&"danger"));
    }

    #[test]
    fn annotations_only_raise() {
        let good = r#"{"readOnlyHint":true,"openWorldHint":false,"destructiveHint":false}"#;
        assert_eq!(of("delete_mail", "", "{}", good), ["danger", "out"]);
        assert_eq!(of("helper", "", "{}", r#"{"openWorldHint":true,"destructiveHint":true}"#), ["danger", "in", "out"]);
    }
}
