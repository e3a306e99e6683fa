//! The family `comparison`: what is disclosed with a call, and what a rule makes of it.

use serde_json::{Value, json};

use super::call::{Call, Sent, measurement};
use super::file::Vector;
use super::token::{canonical, hash};

const PROMPT: &str = "system-prompt";
const TENSORS: &str = "model-tensors";
const TODAY: &str = "Today is 2027-01-15. Be careful.\n";

/// What `rules.json` adds for the newcomer.
pub fn references() -> Value {
    json!({
        PROMPT: {"digests": [hash("the prompt")], "grade": "on-disk", "template": "Today is {{date}}. Be careful.\n"},
        TENSORS: {"digests": [], "grade": "on-disk", "listing": {"like": tensors("base"), "may_differ": ["*lora*"]}},
        "tool-manifest": {"digests": "any", "grade": "asserted"},
    })
}

fn tensor(name: &str, bytes: &str, dtype: &str) -> Value {
    json!({"digest": hash(bytes), "dtype": dtype, "name": name, "shape": [2, 3]})
}

/// A model's tensors, the first of which has these bytes.
fn tensors(bytes: &str) -> Value {
    json!([{"file": "model.safetensors", "header": hash("the header"), "tensors": [
        tensor("a.lora_A", bytes, "F16"), tensor("a.weight", "weight", "F16"),
    ]}])
}

fn text(list: &Value) -> String {
    String::from_utf8(canonical(list)).unwrap()
}

fn newcomer(prompt: &str, list: &Value) -> Call {
    Call::with(|call| {
        call.attestation.claims["sub"] = json!("newcomer");
        let m = &mut call.attestation.claims["measurements"];
        let tensors = measurement(TENSORS, &hash(text(list)), 1);
        *m = json!([tensors, measurement(PROMPT, &hash(prompt), 1), m[1]]);
    })
}

/// A newcomer's call: prompt and tensors are these, and `disclosed` goes with it.
fn shown(name: &str, comment: &str, prompt: &str, list: &Value, disclosed: &Value) -> (Vector, Call) {
    let call = newcomer(prompt, list);
    let sent = call.sign().with(|sent| {
        if !disclosed.is_null() {
            sent.carrier["dis"] = disclosed.clone();
        }
    });
    let vector = Vector::request(format!("comparison_{name}"), comment, sent.bytes());
    (vector.with("trust", super::RULES_FILE), call)
}

fn calls() -> Vec<Vector> {
    let tuned = tensors("tuned");
    let both = json!([TODAY, text(&tuned)]);
    let accepted = |name: &str, comment: &str, prompt: &str, list: &Value, disclosed: &Value| {
        let (vector, call) = shown(name, comment, prompt, list, disclosed);
        vector.accepted(&call.forward())
    };
    let refused = |name: &str, comment: &str, about: &str, prompt: &str, list: &Value, disclosed: &Value| {
        shown(name, comment, prompt, list, disclosed).0.refused("state-mismatch").about(about)
    };
    let malformed = |name: &str, comment: &str, disclosed: &Value| {
        shown(name, comment, TODAY, &tuned, disclosed).0.refused("bad-carrier")
    };
    let other = "Today is 2027-01-15. Be careless.\n";
    let mut more = tuned.clone();
    more[0]["tensors"][1] = tensor("a.weight", "other", "F16");
    let mut typed = tuned.clone();
    typed[0]["tensors"][0] = tensor("a.lora_A", "tuned", "BF16");
    let mut header = tuned.clone();
    header[0]["header"] = json!(hash("another header"));
    let rule = |list: &Value| json!([TODAY, text(list)]);
    vec![
        accepted("good", "a prompt with another date, and another adapter", TODAY, &tuned, &both),
        accepted("good_turned", "the same in another order", TODAY, &tuned, &json!([text(&tuned), TODAY])),
        accepted(
            "listed_digest",
            "a listed prompt, which needs no disclosure",
            "the prompt",
            &tuned,
            &json!([text(&tuned)]),
        ),
        refused("nothing_disclosed", "nothing is disclosed", TENSORS, TODAY, &tuned, &Value::Null),
        refused("prompt_not_disclosed", "the prompt is not disclosed", PROMPT, TODAY, &tuned, &json!([text(&tuned)])),
        refused("tensors_not_disclosed", "the tensors are not disclosed", TENSORS, TODAY, &tuned, &json!([TODAY])),
        refused("prompt_other", "another sentence", PROMPT, other, &tuned, &json!([other, text(&tuned)])),
        refused("tensor_other", "a tensor that may not differ", TENSORS, TODAY, &more, &rule(&more)),
        refused("tensor_type", "a tensor that may differ, of another type", TENSORS, TODAY, &typed, &rule(&typed)),
        refused("tensor_header", "another header", TENSORS, TODAY, &header, &rule(&header)),
        again("full_again", "tokens that were accepted with a disclosure, in full and without it", &tuned, |_| ())
            .0
            .refused("state-mismatch")
            .about(TENSORS),
        {
            let comment = "tokens that were accepted with a disclosure, in shorthand";
            let (vector, call) = again("short", comment, &tuned, super::carrier::shorten);
            vector.accepted(&call.forward())
        },
        malformed("unmeasured", "a text that no digest is over", &json!([TODAY, "another"])),
        malformed("twice", "a text twice", &json!([TODAY, TODAY])),
        malformed("none", "an empty list of texts", &json!([])),
        malformed("five", "more texts than four", &json!([TODAY, "1", "2", "3", "4"])),
        malformed("text", "a text in place of the list", &json!(TODAY)),
        malformed("number", "a number among the texts", &json!([TODAY, 7])),
    ]
}

/// A second call with the tokens of the good one.
fn again(name: &str, comment: &str, list: &Value, change: impl FnOnce(&mut Sent)) -> (Vector, Call) {
    let mut call = newcomer(TODAY, list);
    call.proof.claims["jti"] = json!(super::token::b64([2; 16]));
    let sent = call.sign().with(change);
    let vector = Vector::request(format!("comparison_{name}"), comment, sent.bytes());
    (vector.with("trust", super::RULES_FILE).with("after", "comparison_good.vec"), call)
}

fn template(name: &str, comment: &str, expect: &str, template: &str, text: &str) -> Vector {
    let body = json!({"template": template, "text": text});
    Vector::new("template", format!("comparison_template_{name}"), comment, body.to_string()).with("expect", expect)
}

fn templates() -> Vec<Vector> {
    let slot = |name: &str, comment: &str, expect: &str, slot: &str, value: &str| {
        template(name, comment, expect, &format!("It is {{{{{slot}}}}}."), &format!("It is {value}."))
    };
    let unreadable = |name: &str, comment: &str, text: &str| template(name, comment, "unreadable", text, "x");
    vec![
        slot("date", "a day", "yes", "date", "2024-02-29"),
        slot("date_no_day", "a day that there is not", "no", "date", "2026-02-29"),
        slot("date_month", "a thirteenth month", "no", "date", "2026-13-01"),
        slot("date_form", "a date in another form", "no", "date", "15.01.2027"),
        slot("time", "hours and minutes", "yes", "time", "09:30"),
        slot("time_seconds", "with seconds", "yes", "time", "09:30:59"),
        slot("time_24", "an hour that there is not", "no", "time", "24:00"),
        slot("time_short", "one digit of the hour", "no", "time", "9:30"),
        slot("time_leap", "a leap second", "no", "time", "23:59:60"),
        slot("datetime", "in UTC", "yes", "datetime", "2027-01-15T09:30:00Z"),
        slot("datetime_offset", "with a fraction and an offset", "yes", "datetime", "2027-01-15T09:30:00.25-11:30"),
        slot("datetime_local", "without an offset", "no", "datetime", "2027-01-15T09:30:00"),
        slot("datetime_case", "a t in lower case", "no", "datetime", "2027-01-15t09:30:00Z"),
        slot("datetime_fraction", "ten digits of a second", "no", "datetime", "2027-01-15T09:30:00.1234567890Z"),
        slot("uuid", "a UUID, in both cases", "yes", "uuid", "550e8400-E29B-41d4-a716-446655440000"),
        slot("uuid_letter", "a letter that is no digit", "no", "uuid", "550e8400-e29b-41d4-a716-44665544000g"),
        slot("number", "twenty digits, the most", "yes", "number", "01234567890123456789"),
        slot("number_long", "one digit more", "no", "number", "012345678901234567890"),
        slot("number_sign", "a sign", "no", "number", "-1"),
        slot("number_script", "a digit of another script", "no", "number", "\u{663}"),
        slot("number_none", "no digit", "no", "number", ""),
        slot("word", "64 characters, the most", "yes", "word", &"aZ09_-xy".repeat(8)),
        slot("word_long", "one character more", "no", "word", &"x".repeat(65)),
        slot("word_blank", "two words", "no", "word", "two words"),
        slot("word_letter", "a letter outside ASCII", "no", "word", "\u{e9}"),
        template("end", "more behind the end", "no", "On {{date}}.", "On 2027-01-15.\n"),
        template("begin", "more before the beginning", "no", "On {{date}}.", " On 2027-01-15."),
        template("two", "two slots", "yes", "{{date}}T{{time}}", "2027-01-15T09:30"),
        template("braces", "braces that begin no slot", "yes", "{a} }} {{word}}}}", "{a} }} b}}"),
        unreadable("no_slot", "no slot", "Be careful."),
        unreadable("unknown", "a slot that there is not", "Do {{text}}."),
        unreadable("blanks", "blanks within a slot", "On {{ date }}."),
        unreadable("open", "a slot without an end", "On {{date"),
        unreadable("three", "three braces", "On {{{date}}}."),
        unreadable("touching", "two slots without a character between them", "{{date}}{{time}}"),
        unreadable("word_word", "a word before a letter", "{{word}}s"),
        unreadable("number_digit", "a number before a digit", "{{number}}0"),
        unreadable("time_colon", "a time before a colon", "{{time}}:00"),
        unreadable("many", "65 slots", &"{{date}} ".repeat(65)),
    ]
}

fn listing(name: &str, comment: &str, expect: &str, component: &str, parts: (&Value, &Value, &str)) -> Vector {
    let (like, may_differ, list) = parts;
    let body = json!({"component": component, "like": like, "list": list, "may_differ": may_differ});
    Vector::new("listing", format!("comparison_listing_{name}"), comment, body.to_string()).with("expect", expect)
}

fn listings() -> Vec<Vector> {
    let files = |bytes: &str, size: u64| json!([{"digest": hash(bytes), "name": "sub/model.bin", "size": size}]);
    let of_files = |name: &str, comment: &str, expect: &str, pattern: &str, list: &Value| {
        let parts = (&files("1", 4), &json!([pattern]), &*text(list));
        listing(name, comment, expect, "model-weights", parts)
    };
    let of_tensors = |name: &str, comment: &str, expect: &str, patterns: &Value, list: &str| {
        listing(name, comment, expect, TENSORS, (&tensors("base"), patterns, list))
    };
    let (base, tuned) = (tensors("base"), tensors("tuned"));
    let mut fewer = base.clone();
    fewer[0]["tensors"].as_array_mut().unwrap().pop();
    let mut moved = base.clone();
    moved[0]["file"] = json!("other.safetensors");
    let mut extra = base.clone();
    extra[0]["note"] = json!(1);
    let mut shaped = base.clone();
    shaped[0]["tensors"][0]["shape"] = json!([3, 2]);
    let lora = json!(["*lora*"]);
    let changed = files("2", 4);
    vec![
        of_tensors("tensors", "a tensor that may differ", "yes", &lora, &text(&tuned)),
        of_tensors("tensors_same", "the same tensors", "yes", &lora, &text(&base)),
        of_tensors("tensors_fewer", "a tensor is missing", "no", &lora, &text(&fewer)),
        of_tensors("tensors_file", "in another file", "no", &lora, &text(&moved)),
        of_tensors("tensors_shape", "of another shape", "no", &lora, &text(&shaped)),
        of_tensors("tensors_member", "a member that a file does not have", "no", &lora, &text(&extra)),
        of_tensors("tensors_white_space", "not in canonical form", "no", &lora, &format!("{} ", text(&base))),
        of_tensors("tensors_none", "no tensor at all", "no", &lora, "[]"),
        of_tensors("text", "no JSON", "no", &lora, "a text"),
        of_tensors("no_pattern", "nothing may differ", "unreadable", &json!([]), &text(&base)),
        of_tensors("pattern_empty", "a pattern of no characters", "unreadable", &json!([""]), &text(&base)),
        of_tensors(
            "pattern_unused",
            "a pattern that names nothing",
            "unreadable",
            &json!(["*lora*", "x"]),
            &text(&base),
        ),
        of_tensors("patterns_many", "65 patterns", "unreadable", &json!(vec!["*"; 65]), &text(&base)),
        listing("of_config", "a list of what is none", "unreadable", "config", (&base, &lora, &text(&base))),
        listing(
            "of_files_in_tensors",
            "a list of files where tensors are listed",
            "unreadable",
            TENSORS,
            (&files("1", 4), &json!(["*"]), &text(&base)),
        ),
        of_files("files", "a file that may differ", "yes", "*.bin", &changed),
        of_files("files_size", "of another size", "no", "*.bin", &files("2", 5)),
        of_files("star_slash", "a star for a slash too", "yes", "s*l.bin", &changed),
        of_files("star_none", "a star for no character", "yes", "sub/*model.bin", &changed),
        of_files("star_question", "a question mark stands for itself", "unreadable", "sub/model.bi?", &changed),
        of_files(
            "star_overlap",
            "beginning and end that would share characters",
            "unreadable",
            "sub/mod*model.bin",
            &changed,
        ),
    ]
}

/// The family.
pub fn vectors() -> Vec<Vector> {
    [calls(), templates(), listings()].concat()
}
