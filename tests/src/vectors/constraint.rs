//! The family `constraint`: what a constraint allows, and which constraint is certainly narrower than which.

mod allows;
mod narrows;

use super::file::Vector;
use allows::ALLOWS;
use narrows::NARROWS;

/// Name, comment, parent, a child that is wider, and a value that both allow.
pub const WIDER: &[(&str, &str, &str, &str, &str)] = &[
    (
        "exact_to_wildcard",
        "exact widened to wildcard",
        r#"{"constraint_type":"exact","value":"/a"}"#,
        r#"{"constraint_type":"wildcard"}"#,
        r#""/a""#,
    ),
    (
        "exact_to_one_of",
        "exact widened to one_of",
        r#"{"constraint_type":"exact","value":"/a"}"#,
        r#"{"constraint_type":"one_of","values":["/a","/b"]}"#,
        r#""/a""#,
    ),
    (
        "range_max",
        "a range with a higher limit",
        r#"{"constraint_type":"range","max":5}"#,
        r#"{"constraint_type":"range","max":6}"#,
        "1",
    ),
    (
        "range_min",
        "a range with a lower limit",
        r#"{"constraint_type":"range","min":5}"#,
        r#"{"constraint_type":"range","min":4.5}"#,
        "7",
    ),
    (
        "range_inclusive",
        "a range that takes in its limit",
        r#"{"constraint_type":"range","max":5,"max_inclusive":false}"#,
        r#"{"constraint_type":"range","max":5}"#,
        "1",
    ),
    (
        "range_open",
        "a range without a limit that its parent has",
        r#"{"constraint_type":"range","max":5,"min":0}"#,
        r#"{"constraint_type":"range","max":5}"#,
        "1",
    ),
    (
        "one_of",
        "one_of with a value more",
        r#"{"constraint_type":"one_of","values":["/a"]}"#,
        r#"{"constraint_type":"one_of","values":["/a","/b"]}"#,
        r#""/a""#,
    ),
    (
        "not_one_of",
        "not_one_of with an exclusion fewer",
        r#"{"constraint_type":"not_one_of","excluded":["/b","/c"]}"#,
        r#"{"constraint_type":"not_one_of","excluded":["/b"]}"#,
        r#""/a""#,
    ),
    (
        "not_one_of_to_exact",
        "exact with a value that is excluded",
        r#"{"constraint_type":"not_one_of","excluded":["/b"]}"#,
        r#"{"constraint_type":"any","constraints":[{"constraint_type":"exact","value":"/b"},{"constraint_type":"exact","value":"/a"}]}"#,
        r#""/a""#,
    ),
    (
        "contains",
        "contains with a requirement fewer",
        r#"{"constraint_type":"contains","required":[1,2]}"#,
        r#"{"constraint_type":"contains","required":[1]}"#,
        "[1,2]",
    ),
    (
        "subset",
        "subset with an element more",
        r#"{"allowed":[1],"constraint_type":"subset"}"#,
        r#"{"allowed":[1,2],"constraint_type":"subset"}"#,
        "[1]",
    ),
    (
        "path_prefix",
        "path_prefix of the folder above",
        r#"{"constraint_type":"io.github.agent-attest/path_prefix","prefix":"/srv/a"}"#,
        r#"{"constraint_type":"io.github.agent-attest/path_prefix","prefix":"/srv"}"#,
        r#""/srv/a/b""#,
    ),
    (
        "all",
        "all with a clause fewer",
        r#"{"constraint_type":"all","constraints":[{"constraint_type":"range","min":0},{"constraint_type":"range","max":5}]}"#,
        r#"{"constraint_type":"all","constraints":[{"constraint_type":"range","min":0}]}"#,
        "1",
    ),
    (
        "any",
        "any with a clause more",
        r#"{"constraint_type":"any","constraints":[{"constraint_type":"exact","value":1}]}"#,
        r#"{"constraint_type":"any","constraints":[{"constraint_type":"exact","value":1},{"constraint_type":"exact","value":2}]}"#,
        "1",
    ),
];

type Row<'a> = (&'a str, &'a str, &'a str, &'a str, &'a str);

/// Name, comment, tools of the parent, tools of the child, verdict.
const TOOLS: &[Row<'_>] = &[
    ("none", "no tool at all", r#"{"a#b":{}}"#, "{}", "yes"),
    (
        "same",
        "the same tools",
        r#"{"a#b":{"x":{"constraint_type":"wildcard"}}}"#,
        r#"{"a#b":{"x":{"constraint_type":"wildcard"}}}"#,
        "yes",
    ),
    ("other_server", "the same tool of another server", r#"{"a#b":{}}"#, r#"{"c#b":{}}"#, "no"),
    ("hash_in_tool", "the name is split at the first #", r#"{"a#b#c":{}}"#, r#"{"a#b#c":{}}"#, "yes"),
    ("case", "a tool in another case", r#"{"a#b":{}}"#, r#"{"a#B":{}}"#, "no"),
    ("star", "a star is a tool's name here, not all tools", r#"{"a#*":{}}"#, r#"{"a#b":{}}"#, "no"),
    ("unreadable", "a name without a server", r#"{"b":{}}"#, "{}", "unreadable"),
];

/// Name, comment, tools, verdict: what a token may hold at most.
fn most() -> Vec<(&'static str, &'static str, String, &'static str)> {
    let object = |n: usize, member: &dyn Fn(usize) -> String| {
        format!("{{{}}}", (0..n).map(member).collect::<Vec<_>>().join(","))
    };
    let tools = |n: usize| object(n, &|i| format!(r#""a#{i}":{{}}"#));
    let arguments =
        |n: usize| format!(r#"{{"a#b":{}}}"#, object(n, &|i| format!(r#""{i}":{{"constraint_type":"wildcard"}}"#)));
    // One for the constraint, and one for each value.
    let listed = |n: usize| format!(r#"{{"constraint_type":"one_of","values":[{}]}}"#, vec!["1"; n - 1].join(","));
    let two = |a: usize, b: usize| format!(r#"{{"a#b":{{"x":{}}},"a#c":{{"x":{}}}}}"#, listed(a), listed(b));
    let nested = r#"{"constraint_type":"all","constraints":[{"constraint_type":"exact","value":1},{"constraint_type":"range","max":1,"min":0}]}"#;
    let with_nested = |n: usize| format!(r#"{{"a#b":{{"x":{},"y":{nested}}}}}"#, listed(n));
    vec![
        ("256", "256 tools, the most", tools(256), "yes"),
        ("257", "257 tools", tools(257), "unreadable"),
        ("64_arguments", "64 constrained arguments of one tool, the most", arguments(64), "yes"),
        ("65_arguments", "65 constrained arguments of one tool", arguments(65), "unreadable"),
        ("1024_nodes", "constraints and values of two tools that cost 1024, the most", two(512, 512), "yes"),
        ("1025_nodes", "constraints and values of two tools that cost 1025", two(512, 513), "unreadable"),
        (
            "1024_nodes_nested",
            "an all of two clauses costs three, their values and bounds nothing",
            with_nested(1_021),
            "yes",
        ),
        ("1025_nodes_nested", "an all of two clauses costs three", with_nested(1_022), "unreadable"),
    ]
}

/// The family.
pub fn vectors() -> Vec<Vector> {
    let table = |rows: &[Row<'_>], kind: &str, first: &str, second: &str| -> Vec<Vector> {
        let vector = |(name, comment, one, two, verdict): &Row<'_>| {
            let stem = kind.replace('-', "_");
            let body = format!("{{\"{first}\":{one},\"{second}\":{two}}}");
            Vector::new(kind, format!("constraint_{stem}_{name}"), comment, body).with("expect", verdict)
        };
        rows.iter().map(vector).collect()
    };
    let wider: Vec<Row<'_>> = WIDER.iter().map(|(n, c, parent, child, _)| (*n, *c, *parent, *child, "no")).collect();
    // What is narrower the other way round, where the table lists the pair.
    let listed = WIDER.iter().filter(|row| row.0 != "not_one_of_to_exact");
    let turned: Vec<(String, String, &str, &str)> = listed
        .map(|(n, c, parent, child, _)| (format!("{n}_turned"), format!("the other way round: {c}"), *child, *parent))
        .collect();
    let narrower: Vec<Row<'_>> =
        turned.iter().map(|(n, c, parent, child)| (&**n, &**c, *parent, *child, "yes")).collect();
    let mut all = [
        table(NARROWS, "narrows", "parent", "child"),
        table(&wider, "narrows", "parent", "child"),
        table(&narrower, "narrows", "parent", "child"),
        table(ALLOWS, "allows", "constraint", "value"),
        table(TOOLS, "tools-narrow", "parent", "child"),
    ]
    .concat();
    let nested = |depth: usize| {
        let open = r#"{"constraint_type":"all","constraints":["#.repeat(depth - 1);
        format!(r#"{open}{{"constraint_type":"wildcard"}}{}"#, "]}".repeat(depth - 1))
    };
    let deepest = ("depth_16", "constraints 16 deep, the deepest that are read", &*nested(16), "1", "yes");
    let too_deep = ("depth_17", "constraints 17 deep", &*nested(17), "1", "unreadable");
    all.extend(table(&[deepest, too_deep], "allows", "constraint", "value"));
    let clauses = |count: usize| {
        let clauses = vec![r#"{"constraint_type":"wildcard"}"#; count].join(",");
        format!(r#"{{"constraint_type":"any","constraints":[{clauses}]}}"#)
    };
    let (widest, too_wide) = (clauses(128), clauses(129));
    let wide = [
        ("clauses_128", "as many clauses as one constraint may have", &*widest, "1", "yes"),
        ("clauses_129", "a clause more than one constraint may have", &*too_wide, "1", "unreadable"),
    ];
    all.extend(table(&wide, "allows", "constraint", "value"));
    let ones = |count: usize| format!("[{}]", vec!["1"; count].join(","));
    let (fits, too_many) = (ones(4_096), ones(4_097));
    let subset = r#"{"allowed":[1],"constraint_type":"subset"}"#;
    let contains = r#"{"constraint_type":"contains","required":[1]}"#;
    let long = [
        ("subset_4096", "the longest array that is compared", subset, &*fits, "yes"),
        ("subset_4097", "an array that is too long to compare", subset, &*too_many, "no"),
        ("contains_4097", "an array that is too long to compare", contains, &*too_many, "no"),
    ];
    all.extend(table(&long, "allows", "constraint", "value"));
    let none_long = (
        "contains_none_4097",
        "contains of nothing allows no array that is too long",
        r#"{"constraint_type":"contains","required":[]}"#,
        &*too_many,
        "no",
    );
    all.extend(table(&[none_long], "allows", "constraint", "value"));
    all.extend(table(
        &most().iter().map(|(n, c, t, v)| (*n, *c, &**t, "{}", *v)).collect::<Vec<_>>(),
        "tools-narrow",
        "parent",
        "child",
    ));
    all
}
