//! The family `log_policy`: policies, and who satisfies them.

use super::file::Vector;
use super::log::{
    LOG, NEXT, ONE, ORIGIN, POLICY, TIME, TWO, TYPE_LOG, TYPE_WITNESS, WITNESS_ONE, WITNESS_TWO, example_checkpoint,
    example_text, line, log_vkey, next_vkey, note, one_vkey, policy, two_vkey, vkey, vkey_of, witness_line,
};
use super::points;
use super::token::Seed;

/// Whether those in `by` satisfy a policy.
fn satisfied(name: &str, comment: &str, policy: impl Into<Vec<u8>>, by: &str, expect: &str) -> Vector {
    let vector = Vector::new("log-policy", format!("log_policy_{name}"), comment, policy);
    let vector = if by.is_empty() { vector } else { vector.with("by", by) };
    vector.with("expect", expect)
}

/// `line` is 0 where the whole is at fault.
fn refused(name: &str, comment: &str, policy: impl Into<Vec<u8>>, line: usize) -> Vector {
    let vector = satisfied(name, comment, policy, "", "refuse");
    if line == 0 { vector } else { vector.with("line", &line.to_string()) }
}

fn witness(name: &str, seed: Seed) -> String {
    format!("witness {name} {}\n", vkey(&format!("{name}.example"), TYPE_WITNESS, seed))
}

/// C2SP's example: two of X1, X2, X3 and one of Y1, Y2, Y3.
fn c2sp() -> String {
    let mut text = format!("log {}\n\n", log_vkey());
    for (at, name) in ["X1", "X2", "X3"].iter().enumerate() {
        text += &witness(name, 20 + at as u8);
    }
    text += "group X-witnesses 2 X1 X2 X3\n\n";
    for (at, name) in ["Y1", "Y2", "Y3"].iter().enumerate() {
        text += &witness(name, 23 + at as u8);
    }
    text + "group Y-witnesses any Y1 Y2 Y3\n\ngroup X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n"
}

fn decisions() -> Vec<Vector> {
    let abc = witness("a", 20) + &witness("b", 21) + &witness("c", 22);
    let mut all = Vec::new();
    for (at, (by, expect)) in [
        ("", "no"),
        ("X1 X2 X3", "no"),
        ("Y1 Y2 Y3", "no"),
        ("X1 Y1", "no"),
        ("X1 X2 Y3", "yes"),
        ("X1 X3 Y1", "yes"),
        ("X1 X2 X3 Y1 Y2 Y3", "yes"),
        ("X3 Y1 Y2 Y3", "no"),
    ]
    .into_iter()
    .enumerate()
    {
        all.push(satisfied(
            &format!("c2sp_{at}"),
            "C2SP's example, with other witnesses each time",
            c2sp(),
            by,
            expect,
        ));
    }
    let group = |needed: &str| format!("{abc}group g {needed} a b c\nquorum g\n");
    for (needed, by, expect) in [
        ("all", "a b", "no"),
        ("all", "a b c", "yes"),
        ("any", "", "no"),
        ("any", "c", "yes"),
        ("1", "b", "yes"),
        ("2", "b", "no"),
        ("2", "a c", "yes"),
        ("3", "a c", "no"),
        ("3", "a b c", "yes"),
    ] {
        let name = format!("{needed}_of_3_{}", by.split(' ').filter(|w| !w.is_empty()).count());
        all.push(satisfied(&name, &format!("{needed} of three"), group(needed), by, expect));
    }
    let named = |name: &str| format!("witness {name} {}\nquorum {name}\n", one_vkey());
    let mut limit = String::new();
    for at in 0..32u8 {
        limit += &format!(
            "log {}\n{}group g{at} any w{at}\n",
            vkey(ORIGIN, TYPE_LOG, 100 + at),
            witness(&format!("w{at}"), 150 + at)
        );
    }
    limit += "quorum g31\n";
    all.extend([
        satisfied("page", "the page's example", policy(), "two", "yes"),
        satisfied("page_nobody", "the page's example, nobody cosigned", policy(), "", "no"),
        satisfied("none", "no witness is needed", "quorum none\n", "", "yes"),
        satisfied(
            "none_with_witnesses",
            "no witness is needed, though some are named",
            format!("{abc}quorum none\n"),
            "",
            "yes",
        ),
        satisfied("one_witness", "one witness for a quorum", format!("{abc}quorum b\n"), "b", "yes"),
        satisfied("other_witness", "another than that one", format!("{abc}quorum b\n"), "a c", "no"),
        satisfied(
            "unused_group",
            "a group that the quorum does not name",
            format!("{abc}group g all a b\nquorum c\n"),
            "c",
            "yes",
        ),
        satisfied(
            "member_as_quorum",
            "a member of a group for a quorum",
            format!("{abc}group g all a b\nquorum a\n"),
            "a",
            "yes",
        ),
        satisfied(
            "group_of_one",
            "a group of a group of one",
            format!("{abc}group g 1 a\ngroup h all g\nquorum h\n"),
            "a",
            "yes",
        ),
        satisfied(
            "blanks",
            "tabs and blanks",
            format!(" \t witness\ta  {} \t\n\t\nquorum \t a \n", one_vkey()),
            "a",
            "yes",
        ),
        satisfied(
            "comments",
            "comments, one of bytes that are no UTF-8",
            [b"# a\n  #\xff\n\t# quorum b\n".as_slice(), named("a").as_bytes()].concat(),
            "a",
            "yes",
        ),
        satisfied(
            "keywords_as_names",
            "words of the form for names",
            named("any") + "group all any any\n",
            "any",
            "yes",
        ),
        satisfied("no_break_space", "U+00A0 in a name, which parts no words", named("a\u{a0}b"), "a\u{a0}b", "yes"),
        satisfied(
            "quorum_first",
            "a quorum before lines that do not matter to it",
            format!("{}{}", named("a"), witness("b", 21)),
            "a",
            "yes",
        ),
        satisfied("limit", "32 logs, 32 witnesses and 32 groups", limit.clone(), "w31", "yes"),
        refused("33_witnesses", "a witness more", limit.replace("quorum", &format!("{}quorum", witness("x", 200))), 97),
        refused(
            "33_logs",
            "a log more",
            limit.replace("quorum", &format!("log {}\nquorum", vkey(ORIGIN, TYPE_LOG, 200))),
            97,
        ),
        refused("33_groups", "a group more", limit.replace("quorum", "group x any g0\nquorum"), 97),
    ]);
    all
}

fn defects() -> Vec<Vector> {
    let (one, two, log) = (one_vkey(), two_vkey(), log_vkey());
    let a = format!("witness a {one}\n");
    let ab = format!("{a}witness b {two}\n");
    let key_of_log = vkey(ORIGIN, TYPE_WITNESS, LOG);
    vec![
        refused("no_quorum", "no quorum", a.clone(), 0),
        refused("empty", "no bytes at all", "", 0),
        refused("two_quorums", "the quorum twice", format!("{a}quorum a\nquorum a\n"), 3),
        refused("too_long", "65,537 bytes", format!("quorum none\n#{}\n", "x".repeat(65_537 - 14)), 0),
        satisfied("longest", "65,536 bytes", format!("quorum none\n#{}\n", "x".repeat(65_536 - 14)), "", "yes"),
        refused("quorum_later", "a quorum that is defined later", format!("quorum a\n{a}"), 1),
        refused("quorum_unknown", "a quorum that is not defined", format!("{a}quorum b\n"), 2),
        refused("quorum_case", "a quorum in another case", format!("{a}quorum A\n"), 2),
        refused("quorum_by_key", "a quorum named by the key's name", format!("{a}quorum {ONE}\n"), 2),
        refused("quorum_two_names", "two names for the quorum", format!("{ab}quorum a b\n"), 3),
        refused("quorum_no_name", "no name for the quorum", format!("{a}quorum\n"), 2),
        refused("keyword", "an unknown word", format!("{a}threshold 1\nquorum a\n"), 2),
        refused("keyword_case", "a word in upper case", format!("{a}Quorum a\n"), 2),
        refused("byte_order_mark", "a byte order mark", format!("\u{feff}{a}quorum a\n"), 1),
        refused("cut_off", "the last line feed is missing", format!("{a}quorum a"), 2),
        refused("cr", "CR LF for the line feeds", format!("{a}quorum a\n").replace('\n', "\r\n"), 1),
        refused("nul", "a zero byte in a comment", "# \0\nquorum none\n", 1),
        refused("delete", "the byte 7f", "quorum none\n#\x7f\n", 2),
        refused(
            "utf_8",
            "a name that is no UTF-8",
            [b"witness \xff ".as_slice(), one.as_bytes(), b"\nquorum none\n"].concat(),
            1,
        ),
        refused("group_no_members", "a group without members", format!("{a}group g any\nquorum a\n"), 2),
        refused("group_0", "none of a group", format!("{a}group g 0 a\nquorum g\n"), 2),
        refused("group_too_many", "two of a group of one", format!("{a}group g 2 a\nquorum g\n"), 2),
        refused("group_leading_zero", "a number with a leading zero", format!("{a}group g 01 a\nquorum g\n"), 2),
        refused("group_minus", "a number below zero", format!("{a}group g -1 a\nquorum g\n"), 2),
        refused(
            "group_2_64",
            "a number that overflows 64 bits to 1",
            format!("{a}group g 18446744073709551617 a\nquorum g\n"),
            2,
        ),
        refused("group_some", "an unknown word for the number", format!("{a}group g some a\nquorum g\n"), 2),
        refused(
            "group_later",
            "a member that is defined later",
            format!("{a}group g any a b\nwitness b {two}\nquorum g\n"),
            2,
        ),
        refused("group_itself", "a group that has itself for a member", format!("{a}group g any a g\nquorum g\n"), 2),
        refused("group_none", "none as a member", format!("{a}group g any a none\nquorum g\n"), 2),
        refused("group_twice", "a member twice in one group", format!("{ab}group g 2 a a\nquorum g\n"), 3),
        refused(
            "group_two_groups",
            "a member of two groups",
            format!("{ab}group g any a b\ngroup h any a\nquorum g\n"),
            4,
        ),
        refused(
            "group_twice_nested",
            "a witness in a group, and beside that group",
            format!("{ab}group g any a\ngroup h 2 g a\nquorum h\n"),
            4,
        ),
        refused("name_twice", "two witnesses of one name", format!("{a}witness a {two}\nquorum a\n"), 2),
        refused("name_of_a_witness", "a group with a witness's name", format!("{ab}group a any b\nquorum a\n"), 3),
        refused(
            "name_of_a_group",
            "a witness with a group's name",
            format!("{a}group g any a\nwitness g {two}\nquorum g\n"),
            3,
        ),
        refused("name_none", "a witness named none", format!("witness none {one}\nquorum none\n"), 1),
        refused("group_named_none", "a group named none", format!("{a}group none any a\nquorum none\n"), 2),
        refused("key_twice", "one key for two witnesses", format!("{a}witness b {one}\nquorum a\n"), 2),
        refused(
            "key_twice_renamed",
            "the same, under another key name",
            format!("{a}witness b {}\nquorum a\n", vkey("other.example", TYPE_WITNESS, WITNESS_ONE)),
            2,
        ),
        refused(
            "log_twice",
            "one key for two logs",
            format!("log {log}\nlog {}\nquorum none\n", vkey("other", TYPE_LOG, LOG)),
            2,
        ),
        refused(
            "log_as_witness",
            "a log's key as a witness's",
            format!("log {log}\nwitness a {key_of_log}\nquorum a\n"),
            2,
        ),
        refused(
            "witness_type",
            "a witness with a key of type 01",
            format!("witness a {}\nquorum a\n", vkey(ONE, TYPE_LOG, WITNESS_ONE)),
            1,
        ),
        refused("log_type", "a log with a key of type 04", format!("log {key_of_log}\nquorum none\n"), 1),
        refused(
            "vkey",
            "a key whose id is another's",
            format!("log {}\nquorum none\n", log.replace("07db9150", "07db9151")),
            1,
        ),
        refused(
            "vkey_small_order",
            "a witness's key of small order",
            format!("witness a {}\nquorum a\n", vkey_of(ONE, TYPE_WITNESS, &points::small_order()[1])),
            1,
        ),
        refused("log_no_key", "no key", "log\nquorum none\n", 1),
        refused(
            "log_four_words",
            "a word too many for a log",
            format!("log {log} https://a.example/ b\nquorum none\n"),
            1,
        ),
        refused("witness_no_key", "no key for a witness", "witness a\nquorum none\n", 1),
        refused(
            "witness_five_words",
            "a word too many for a witness",
            format!("witness a {one} https://a.example/ b\nquorum none\n"),
            1,
        ),
        refused("second_line_first", "the first of two defects is told", "threshold\nquorum x\n", 1),
    ]
}

fn witnessed() -> Vec<Vector> {
    let text = example_text();
    let plain = note(&text, LOG);
    let one = witness_line(&text, TIME, ONE, WITNESS_ONE);
    let two = witness_line(&text, TIME + 60, TWO, WITNESS_TWO);
    let bad = line(ONE, TYPE_WITNESS, WITNESS_ONE, &[0; 72]);
    let of = |name: &str, comment: &str, note: String, expect: &str, witnesses: &str| {
        let vector =
            Vector::new("witnessed", format!("log_policy_witnessed_{name}"), comment, note).with("policy", POLICY);
        let vector = vector.with("expect", expect);
        if witnesses.is_empty() { vector } else { vector.with("witnesses", witnesses) }
    };
    let (at_one, at_two) = (format!("one {TIME}"), format!("two {}", TIME + 60));
    let both = format!("{at_one} {at_two}");
    let during =
        |vector: Vector, from: u64, to: u64| vector.with("from", &from.to_string()).with("to", &to.to_string());
    let all = || plain.clone() + &two + &one;
    let other = text.replace(ORIGIN, "other");
    vec![
        of("one", "the checkpoint of its page", example_checkpoint(), "yes", &at_one).with("log", "accept"),
        of("both", "both witnesses", all(), "yes", &both).with("log", "accept"),
        of("nobody", "no witness", plain.clone(), "no", "").with("log", "accept"),
        of("unknown", "an unknown witness", plain.clone() + &witness_line(&text, TIME, "x.example", 20), "no", "")
            .with("log", "accept"),
        of("bad", "a line in a witness's name that is not its own", plain.clone() + &bad, "bad-signature", ""),
        of("bad_beside_good", "the same, beside the other witness's", plain.clone() + &bad + &two, "bad-signature", ""),
        of("no_note", "a text alone", text.clone(), "bad-note", ""),
        during(
            of("in_time", "cosigned in the span that is asked for", plain.clone() + &one, "yes", &at_one)
                .with("log", "accept"),
            TIME,
            TIME,
        ),
        during(
            of("too_old", "cosigned before it", plain.clone() + &one, "no", &at_one).with("log", "accept"),
            TIME + 1,
            TIME + 60,
        ),
        during(
            of("in_future", "cosigned after it, by a clock that is ahead", plain.clone() + &two, "no", &at_two)
                .with("log", "accept"),
            TIME,
            TIME + 59,
        ),
        during(
            of("one_in_time", "one in it and one after it", all(), "yes", &both).with("log", "accept"),
            TIME - 60,
            TIME + 5,
        ),
        of("other_key", "signed by a key that is no log's of the policy", note(&text, NEXT) + &one, "yes", &at_one)
            .with("log", "not-signed"),
        of(
            "log_bad",
            "a line in the log's name that is not its own",
            format!("{text}\n{}{one}", line(ORIGIN, TYPE_LOG, LOG, &[0; 64])),
            "yes",
            &at_one,
        )
        .with("log", "bad-signature"),
        of(
            "other_log",
            "another log's checkpoint",
            note(&other, LOG) + &witness_line(&other, TIME, ONE, WITNESS_ONE),
            "yes",
            &at_one,
        )
        .with("log", "other-log"),
        of(
            "two_keys",
            "signed by the log's key, beside one that is unknown",
            format!("{plain}{}{one}", super::log::log_line(&text, ORIGIN, NEXT)),
            "yes",
            &at_one,
        )
        .with("log", "accept"),
    ]
}

/// The family.
pub fn vectors() -> Vec<Vector> {
    let next = format!("log {}\nlog {}\nquorum none\n", log_vkey(), next_vkey());
    let two_keys = satisfied("two_keys_of_a_log", "two keys of one log", next, "", "yes");
    [decisions(), defects(), witnessed(), vec![two_keys]].concat()
}
