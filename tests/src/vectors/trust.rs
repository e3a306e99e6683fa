//! The trust configuration of the vectors, its JSON form, and the family `trust`.

mod reading;

use serde_json::{Value, json};

use super::call::{ATTESTER, NARROW_ROOT, ROOT};
use super::file::Vector;
use super::platform::{MACHINE, machine, registers};
use super::token::{Seed, b64, hash, jwk};

pub use reading::read;

/// What the request vectors are checked with.
pub fn default_trust() -> Value {
    json!({
        "audience": "files",
        "skew": 30,
        "attesters": [{"key": jwk(ATTESTER), "issuer": "acme", "agents": ["analyst", "blank", "newcomer"]}],
        "roots": [
            {"key": jwk(ROOT), "issuer": "owner", "tools": ["files#*"]},
            {"key": jwk(NARROW_ROOT), "issuer": "deputy", "tools": ["files#read_file"]},
        ],
        "agents": {"analyst": {
            "system-prompt": {"digests": [hash("the prompt"), hash("the next prompt")], "grade": "on-disk"},
            "tool-manifest": {"digests": "any", "grade": "asserted"},
        }, "blank": {}},
    })
}

/// As the default, and the newcomer is let in: with weights that a publisher endorses, not with those that the operator lists.
pub fn endorsed_trust() -> Value {
    let mut trust = default_trust();
    trust["agents"]["newcomer"] = trust["agents"]["analyst"].clone();
    trust["agents"]["newcomer"]["model-weights"] =
        json!({"digests": [hash("listed weights")], "endorsed": [hash("endorsed weights")], "grade": "endorsed"});
    trust
}

/// As the default, and the newcomer is let in with a state that may differ from the accepted one.
pub fn rules_trust() -> Value {
    let mut trust = default_trust();
    trust["agents"]["newcomer"] = super::comparison::references();
    trust
}

/// The owner of two labels.
pub const OWNER: Seed = 9;
/// The key of another server's log.
pub const MAIL: Seed = 11;

/// As the default, with labels, logs, an owner of labels and a newcomer whose signer keeps its lineage.
pub fn flow_trust() -> Value {
    let mut trust = default_trust();
    trust["agents"]["newcomer"] = trust["agents"]["analyst"].clone();
    trust["roots"][0]["labels"] = json!(["hr", "pay", "untrusted"]);
    trust["logs"] = json!([super::log::rotated().lines().collect::<Vec<_>>(), [super::log::vkey("mail", 1, MAIL)]]);
    trust["declassifiers"] = json!([{"key": jwk(OWNER), "labels": ["hr", "pay"]}]);
    trust["lineage"] = json!(["newcomer"]);
    trust["flow"] = json!({
        "": {},
        "post": {"accepts": ["hr"]},
        "ledger": {"lineage": true},
    });
    trust
}

/// As the default, and the newcomer is let in, from one machine as it was started.
pub fn platform_trust() -> Value {
    let mut trust = default_trust();
    trust["agents"]["newcomer"] = trust["agents"]["analyst"].clone();
    for agent in ["newcomer", "blank"] {
        trust["agents"][agent]["hardware"] = json!(true);
    }
    trust["platforms"] = json!([
        {"agents": ["newcomer"], "key": machine(MACHINE), "pcrs": [b64([0; 32]), b64(registers())]},
        {"agents": ["blank"], "key": machine(MACHINE + 1), "pcrs": "any"},
    ]);
    trust
}

/// The family `trust`.
pub fn vectors() -> Vec<Vector> {
    let vector = |name: &str, comment, expect, edit: fn(&mut Value)| {
        let mut trust = default_trust();
        edit(&mut trust);
        Vector::new("trust", format!("trust_{name}"), comment, super::token::text(&trust)).with("expect", expect)
    };
    vec![
        vector("good", "the configuration of the other vectors", "accept", |_| {}),
        vector("no_keys", "nothing is pinned: allowed, and every call is refused", "accept", |t| {
            for member in ["attesters", "roots"] {
                t[member] = json!([]);
            }
            t["agents"] = json!({});
        }),
        vector("empty_lists", "keys that may speak for nobody and over nothing", "accept", |t| {
            t["attesters"][0]["agents"] = json!([]);
            t["roots"][0]["tools"] = json!([]);
            t["agents"] = json!({});
        }),
        vector("repeats", "an agent, a scope and a digest twice", "accept", |t| {
            t["attesters"][0]["agents"] = json!(["analyst", "blank", "analyst"]);
            t["roots"][0]["tools"] = json!(["files#*", "files#*"]);
            t["agents"]["analyst"]["system-prompt"]["digests"] = json!([hash("the prompt"), hash("the prompt")]);
        }),
        vector("issuer_empty", "issuers that no token can bear are no error", "accept", |t| {
            t["attesters"][0]["issuer"] = json!("");
            t["roots"][0]["issuer"] = json!("a\n");
        }),
        vector("issuer_number", "an issuer that is a number", "refuse", |t| t["roots"][0]["issuer"] = json!(7)),
        vector("agent_not_listed", "an agent that no attester lists", "refuse", |t| {
            t["agents"]["stranger"] = json!({});
        }),
        vector("skew_none", "clocks that may not differ", "accept", |t| t["skew"] = json!(0)),
        vector("skew_300", "the largest skew", "accept", |t| t["skew"] = json!(300)),
        vector("skew_301", "a skew of a second too much", "refuse", |t| t["skew"] = json!(301)),
        vector("skew_fraction", "a skew with a fraction", "refuse", |t| t["skew"] = json!(0.5)),
        vector("skew_negative", "a skew below zero", "refuse", |t| t["skew"] = json!(-1)),
        vector("no_skew", "no skew", "refuse", |t| drop(t.as_object_mut().unwrap().remove("skew"))),
        vector("extra_member", "a member that a configuration does not have", "refuse", |t| t["policy"] = json!({})),
        vector("attester_member", "a member that an attester does not have", "refuse", |t| {
            t["attesters"][0]["tools"] = json!([]);
        }),
        vector("root_member", "a member that a root does not have", "refuse", |t| t["roots"][0]["agents"] = json!([])),
        vector("reference_member", "a member that a reference does not have", "refuse", |t| {
            t["agents"]["analyst"]["system-prompt"]["name"] = json!("x");
        }),
        vector("unknown_component", "a component that is not measured", "refuse", |t| {
            t["agents"]["analyst"]["mood"] = json!({"digests": "any", "grade": "asserted"});
        }),
        vector("unknown_grade", "a grade that there is not", "refuse", |t| {
            t["agents"]["analyst"]["system-prompt"]["grade"] = json!("attested");
        }),
        vector("no_grade", "a reference without a grade", "refuse", |t| {
            t["agents"]["analyst"]["system-prompt"] = json!({"digests": "any"});
        }),
        vector("digests_empty", "no digest that would be accepted", "refuse", |t| {
            t["agents"]["analyst"]["system-prompt"]["digests"] = json!([]);
        }),
        vector("digests_all", "another word than any", "refuse", |t| {
            t["agents"]["analyst"]["system-prompt"]["digests"] = json!("all");
        }),
        vector("digest_short", "a digest of 31 bytes", "refuse", |t| {
            t["agents"]["analyst"]["system-prompt"]["digests"] = json!([b64([1; 31])]);
        }),
        vector("endorsed", "weights that a publisher endorses, beside others", "accept", |t| *t = endorsed_trust()),
        vector("endorsed_alone", "no digest but the endorsed one, and a grade of the signer's", "accept", |t| {
            *t = endorsed_trust();
            t["agents"]["newcomer"]["model-weights"]["digests"] = json!([]);
            t["agents"]["newcomer"]["model-weights"]["grade"] = json!("in-use");
        }),
        vector("endorsed_empty", "an empty list of endorsed digests", "refuse", |t| {
            *t = endorsed_trust();
            t["agents"]["newcomer"]["model-weights"]["endorsed"] = json!([]);
        }),
        vector("endorsed_any", "endorsed digests beside `any`", "refuse", |t| {
            *t = endorsed_trust();
            t["agents"]["newcomer"]["model-weights"]["digests"] = json!("any");
        }),
        vector("endorsed_nothing", "the grade `endorsed` without an endorsed digest", "refuse", |t| {
            t["agents"]["analyst"]["model-weights"] = json!({"digests": [hash("listed weights")], "grade": "endorsed"});
        }),
        vector("endorsed_prompt", "an endorsed digest of what is no set of files", "refuse", |t| {
            t["agents"]["analyst"]["system-prompt"]["endorsed"] = json!([hash("the prompt")]);
        }),
        vector("rules", "a prompt with a slot, and tensors that may differ", "accept", |t| *t = rules_trust()),
        vector("rule_any", "a rule beside `any`", "refuse", |t| {
            *t = rules_trust();
            t["agents"]["newcomer"]["system-prompt"]["digests"] = json!("any");
        }),
        vector("rule_two", "a template and a listing of one component", "refuse", |t| {
            *t = rules_trust();
            t["agents"]["newcomer"]["model-tensors"]["template"] = json!("{{date}}");
        }),
        vector("rule_template_of_config", "a template of what is no prompt", "refuse", |t| {
            t["agents"]["analyst"]["config"] = json!({"digests": [], "grade": "on-disk", "template": "{{date}}"});
        }),
        vector("rule_template_no_slot", "a template without a slot", "refuse", |t| {
            t["agents"]["analyst"]["system-prompt"]["template"] = json!("Be careful.");
        }),
        vector("rule_listing_of_prompt", "a listing of what is no list", "refuse", |t| {
            *t = rules_trust();
            t["agents"]["newcomer"]["system-prompt"] = t["agents"]["newcomer"]["model-tensors"].clone();
        }),
        vector("rule_listing_no_pattern", "a listing of which nothing may differ", "refuse", |t| {
            *t = rules_trust();
            t["agents"]["newcomer"]["model-tensors"]["listing"]["may_differ"] = json!([]);
        }),
        vector("rule_listing_member", "a member that a listing does not have", "refuse", |t| {
            *t = rules_trust();
            t["agents"]["newcomer"]["model-tensors"]["listing"]["except"] = json!([]);
        }),
        vector("platforms", "machines whose keys are pinned", "accept", |t| *t = platform_trust()),
        vector("platforms_none", "an empty list of machines, and nobody of whom one is required", "accept", |t| {
            t["platforms"] = json!([]);
        }),
        vector("hardware_false", "hardware that is said not to be required", "refuse", |t| {
            t["agents"]["analyst"]["hardware"] = json!(false);
        }),
        vector("hardware_without_platform", "hardware is required, and no machine is pinned", "refuse", |t| {
            t["agents"]["analyst"]["hardware"] = json!(true);
        }),
        vector("platform_not_required", "a machine of an agent of which none is required", "refuse", |t| {
            *t = platform_trust();
            t["platforms"][0]["agents"] = json!(["newcomer", "analyst"]);
        }),
        vector("platform_twice", "one machine's key in two entries", "refuse", |t| {
            *t = platform_trust();
            t["platforms"][1]["key"] = machine(MACHINE);
        }),
        vector("platform_member", "a member that a machine does not have", "refuse", |t| {
            *t = platform_trust();
            t["platforms"][0]["issuer"] = json!("acme");
        }),
        vector("platform_no_pcrs", "nothing is said of how a machine is started", "refuse", |t| {
            *t = platform_trust();
            t["platforms"][0].as_object_mut().unwrap().remove("pcrs");
        }),
        vector("platform_pcrs_empty", "no way in which a machine may be started", "refuse", |t| {
            *t = platform_trust();
            t["platforms"][0]["pcrs"] = json!([]);
        }),
        vector("platform_pcrs_all", "another word than any", "refuse", |t| {
            *t = platform_trust();
            t["platforms"][0]["pcrs"] = json!("all");
        }),
        vector("platform_key_ed25519", "a machine's key of another kind", "refuse", |t| {
            *t = platform_trust();
            t["platforms"][0]["key"] = jwk(MACHINE);
        }),
        vector("platform_key_off_the_curve", "a machine's key that is no point of the curve", "refuse", |t| {
            *t = platform_trust();
            t["platforms"][0]["key"]["y"] = t["platforms"][0]["key"]["x"].clone();
        }),
        vector("platform_key_private", "a machine's private key", "refuse", |t| {
            *t = platform_trust();
            t["platforms"][0]["key"]["d"] = json!(b64([MACHINE; 32]));
        }),
        vector(
            "flow",
            "labels, logs, owners of labels, agents that keep their lineage, and what tools take",
            "accept",
            |t| {
                *t = flow_trust();
            },
        ),
        vector("flow_nothing", "the same members with nothing in them", "accept", |t| {
            for member in ["declassifiers", "lineage", "logs"] {
                t[member] = json!([]);
            }
            t["flow"] = json!({});
        }),
        vector("flow_every_label", "a root and an owner of every label, and a tool that takes each", "accept", |t| {
            *t = flow_trust();
            t["roots"][0]["labels"] = json!(["*"]);
            t["declassifiers"][0]["labels"] = json!(["*"]);
            t["flow"][""] = json!({"accepts": ["*"], "lineage": false});
        }),
        vector("root_labels_order", "labels of a root that are not ascending", "refuse", |t| {
            t["roots"][0]["labels"] = json!(["pay", "hr"]);
        }),
        vector("root_labels_text", "one label of a root that is no list", "refuse", |t| {
            t["roots"][0]["labels"] = json!("hr");
        }),
        vector("declassifier_is_a_root", "an owner's key that is a delegation root too", "refuse", |t| {
            *t = flow_trust();
            t["declassifiers"][0]["key"] = jwk(ROOT);
        }),
        vector("declassifier_twice", "one owner's key in two entries", "refuse", |t| {
            *t = flow_trust();
            t["declassifiers"] = json!([t["declassifiers"][0], t["declassifiers"][0]]);
        }),
        vector("declassifier_no_labels", "an owner of whom nothing is said", "refuse", |t| {
            *t = flow_trust();
            t["declassifiers"][0].as_object_mut().unwrap().remove("labels");
        }),
        vector("log_is_an_attester", "a log's key that is an attester too", "refuse", |t| {
            t["logs"] = json!([[super::log::vkey("files", 1, ATTESTER)]]);
        }),
        vector("log_is_an_owner", "a log's key that is an owner's too", "refuse", |t| {
            *t = flow_trust();
            t["logs"][0] = json!([super::log::vkey("files", 1, OWNER)]);
        }),
        vector("log_twice", "two logs of one name", "refuse", |t| {
            *t = flow_trust();
            t["logs"][1] = json!([super::log::vkey("files", 1, MAIL)]);
        }),
        vector("log_key_twice", "one key of two logs", "refuse", |t| {
            *t = flow_trust();
            t["logs"][1] = json!([super::log::vkey("mail", 1, super::log::NEXT)]);
        }),
        vector("log_empty", "a log without a key", "refuse", |t| t["logs"] = json!([[]])),
        vector("log_text", "a key that stands in no list of its log's", "refuse", |t| {
            t["logs"] = json!([super::log::log_vkey()]);
        }),
        vector("lineage_of_nobody", "an agent that keeps its lineage and is not let in", "refuse", |t| {
            t["lineage"] = json!(["newcomer"]);
        }),
        vector("flow_member", "a member that a tool's rule does not have", "refuse", |t| {
            t["flow"] = json!({"post": {"releases": []}});
        }),
        vector("flow_lineage_text", "a word for lineage", "refuse", |t| {
            t["flow"] = json!({"post": {"lineage": "yes"}});
        }),
        vector("flow_accepts_unknown", "what a tool takes is no label", "refuse", |t| {
            t["flow"] = json!({"post": {"accepts": ["HR"]}});
        }),
        vector("key_in_two_roles", "the attester's key is a delegation root too", "refuse", |t| {
            t["roots"][0]["key"] = jwk(ATTESTER);
        }),
        vector("status", "status lists, how old they may be, and what passes without one", "accept", |t| {
            *t = super::status::trust();
        }),
        vector("status_none", "an empty list of status lists, and nothing said of levels", "accept", |t| {
            t["statuses"] = json!([]);
            t["stale"] = json!({});
        }),
        vector("status_twice", "one status list twice", "refuse", |t| {
            *t = super::status::trust();
            t["statuses"][1]["uri"] = t["statuses"][0]["uri"].clone();
        }),
        vector("status_by_the_attester", "the attester's key signs a status list too", "refuse", |t| {
            *t = super::status::trust();
            t["statuses"][0]["key"] = jwk(ATTESTER);
        }),
        vector("status_by_a_root", "a delegation root's key signs a status list too", "refuse", |t| {
            *t = super::status::trust();
            t["statuses"][0]["key"] = jwk(ROOT);
        }),
        vector("status_unnamed", "a status list without a name", "refuse", |t| {
            *t = super::status::trust();
            t["statuses"][0]["uri"] = json!("");
        }),
        vector("status_member", "a member that a status list does not have", "refuse", |t| {
            *t = super::status::trust();
            t["statuses"][0]["file"] = json!("a.jwt");
        }),
        vector("stale_level", "a level that there is not", "refuse", |t| t["stale"] = json!({"lowest": "accept"})),
        vector("stale_word", "neither accept nor refuse", "refuse", |t| t["stale"] = json!({"low": "warn"})),
        vector("stale_array", "levels as a list", "refuse", |t| t["stale"] = json!(["low"])),
        vector("status_age_zero", "no list is ever fresh", "refuse", |t| t["status_age"] = json!(0)),
        vector("status_age_long", "a second more than a day", "refuse", |t| t["status_age"] = json!(86_401)),
        vector("attester_twice", "one key stands in two entries of attesters", "refuse", |t| {
            t["attesters"] = json!([t["attesters"][0], t["attesters"][0]]);
        }),
        vector("root_twice", "one key stands in two entries of roots", "refuse", |t| {
            t["roots"][1]["key"] = jwk(ROOT);
        }),
        vector("audience_with_hash", "an audience that no qualified tool name can hold", "refuse", |t| {
            t["audience"] = json!("files#a");
        }),
        vector("audience_empty", "an empty audience", "refuse", |t| t["audience"] = json!("")),
        vector("audience_with_control", "an audience with a control character", "refuse", |t| {
            t["audience"] = json!("files\n");
        }),
        vector("scope_without_tool", "a root's scope without a tool", "refuse", |t| {
            t["roots"][0]["tools"] = json!(["files"]);
        }),
        vector("key_of_small_order", "a pinned key of small order", "refuse", |t| {
            t["attesters"][0]["key"]["x"] = json!(b64(super::points::small_order()[0]));
        }),
    ]
}
