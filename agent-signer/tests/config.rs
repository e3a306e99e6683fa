//! What an `agent.toml` may not say.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use agent_signer::Config;

fn refused(measure: &str) -> Option<String> {
    let keys = "key = \"call.key\"\nattester_key = \"attester.key\"\ndelegation = \"d\"\nlog = \"l.db\"\n";
    let text = format!("agent = \"a\"\nissuer = \"i\"\n{keys}[measure]\n{measure}");
    Config::parse(&text, Path::new("agent.toml")).err().map(|error| error.to_string())
}

#[test]
fn tools_are_measured_only_where_a_trail_sees_them() {
    assert!(refused("signer = true\ntools = true\n").unwrap().contains("[trail]"));
    assert_eq!(refused("signer = true\ntools = true\n[trail]\n"), None);
}

#[test]
fn something_is_measured_before_the_first_request_to_a_model() {
    let turns = "turns = [\"system-prompt\", \"config\"]\n";
    for nothing in ["", turns, &format!("system_prompt = \"p\"\nconfig = \"c.toml\"\n{turns}")] {
        assert!(refused(nothing).unwrap().contains("from the start"), "{nothing}");
    }
    assert_eq!(refused(&format!("signer = true\n{turns}")), None);
    assert_eq!(refused(&format!("config = \"c.toml\"\n{}", turns.replace(", \"config\"", ""))), None);
}
