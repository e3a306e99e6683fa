//! Mutations of a document's members and values, before it is bytes.

use super::random::Random;
use super::seeds::Seeds;
use super::spell::{misspelled, recased, respelled};
use super::tree::{Tree, quoted};

/// Numbers that some reader takes, or takes for another, or none takes.
const NUMBERS: [&str; 30] = [
    "-0",
    "0.0",
    "-0.0e5",
    "1.0",
    "1E5",
    "1e+2",
    "1e-7",
    "1e21",
    "1e400",
    "-1e400",
    "1e-400",
    "9007199254740991",
    "9007199254740992",
    "9007199254740993",
    "123456789012345678901234567890",
    "1e20",
    "0.1",
    "4.35",
    "2.5e-324",
    "179769313486231580000e289",
    "01",
    "+1",
    ".5",
    "5.",
    "0x10",
    "1_000",
    "NaN",
    "Infinity",
    "-Infinity",
    "1e",
];
/// Members with a meaning of their own to some language or library.
const MAGIC: [&str; 9] = [
    "__proto__",
    "constructor",
    "toString",
    "$serde_json::private::RawValue",
    "$serde_json::private::Number",
    "$type",
    "__class__",
    "",
    "@type",
];
const METHODS: [&str; 15] = [
    r#""Tools/Call""#,
    r#""TOOLS/CALL""#,
    r#""tools/call ""#,
    r#"" tools/call""#,
    r#""tools/call\u0000""#,
    r#""tools/call\u0000x""#,
    r#"["tools/call"]"#,
    r#"[["tools/call"]]"#,
    r#"{"toString":"tools/call"}"#,
    "\"t\u{43e}\u{43e}ls/call\"",
    "\"\u{ff54}ools/call\"",
    r#""tools/ca\u006cl""#,
    r#""tools\/call""#,
    "null",
    r#""tools/call/""#,
];
/// Names that are none of JSON-RPC's to us; each stands for one of them to somebody, or might.
const NAMES: [(&str, &str); 12] = [
    ("method", "meth\u{43e}d"),
    ("method", "\u{ff4d}ethod"),
    ("method", "me\u{301}thod"),
    ("params", "param\u{17f}"),
    ("params", "par\u{430}ms"),
    ("id", "\u{131}d"),
    ("id", "\u{130}d"),
    ("jsonrpc", "j\u{17f}onrpc"),
    ("method", "method "),
    ("method", "\u{feff}method"),
    ("method", "'method'"),
    ("method", "me\u{200b}thod"),
];

/// Changes the tree in one place.
pub fn mutate(tree: &mut Tree, seeds: &Seeds, random: &mut Random) {
    match random.below(17) {
        0 | 1 => repeat(tree, seeds, random),
        2 => recase(tree, random),
        3 | 4 => respell(tree, random),
        5 => misspell(tree, random),
        6 => place(tree, random, random_number),
        7 => nest(tree, random),
        8 => magic(tree, seeds, random),
        9 => enclose(tree, seeds, random),
        10 => {
            if let Some(method) = tree.member("method") {
                *method = Tree::Raw(random.pick(&METHODS).as_bytes().to_vec());
            }
        }
        11 => rename(tree, random),
        12 => {
            if let Some(members) = tree.object(random) {
                let at = random.below(members.len());
                members.swap(0, at);
            }
        }
        13 => {
            if let Some(members) = tree.object(random) {
                let at = random.below(members.len());
                members.remove(at);
            }
        }
        14 => place(tree, random, |random| {
            random
                .pick(&["null", "true", "[]", "{}", "\"\"", "True", "undefined", "nul", "'x'", "[1,]", "/**/1"])
                .to_string()
        }),
        15 => {
            if let (Some(members), other) = (tree.object(random), seeds.any(random)) {
                members.push((quoted("extra"), other));
            }
        }
        _ => set_off(tree, seeds, random),
    }
}

/// A whole message as a member's value, alone on a line to whoever ends lines at more than a line feed.
fn set_off(tree: &mut Tree, seeds: &Seeds, random: &mut Random) {
    let mark = *random.pick(&["\r", "\r", "\n", "\r\n", "\u{2028}", "\u{85}", "\u{b}"]);
    let mut text = mark.as_bytes().to_vec();
    seeds.any(random).write(random, false, &mut text);
    text.extend_from_slice(mark.as_bytes());
    if let Some(members) = tree.object(random) {
        let at = random.below(members.len() + 1);
        members.insert(at, (quoted("extra"), Tree::Raw(text)));
    }
}

fn random_number(random: &mut Random) -> String {
    if random.once_in(4) {
        // Whole numbers about where doubles end to hold them, and where exponents begin.
        let digits: String = (0..random.below(9) + 14).map(|_| char::from(b'0' + random.below(10) as u8)).collect();
        format!("{}1{digits}{}", random.pick(&["", "-"]), random.pick(&["", ".0", ".5", "e0", "E+1"]))
    } else if random.once_in(3) {
        // Any double, in digits of any length.
        let value = f64::from_bits(random.next());
        if random.once_in(2) { format!("{value:e}") } else { format!("{:.*}", random.below(25), value % 1e6) }
    } else {
        (*random.pick(&NUMBERS)).to_owned()
    }
}

/// Puts a raw text where some value is, not the outermost.
fn place(tree: &mut Tree, random: &mut Random, made: fn(&mut Random) -> String) {
    let n = 1 + random.below(tree.size());
    if n < tree.size() {
        *tree.nth(n) = Tree::Raw(made(random).into_bytes());
    }
}

/// A member twice: the same or another value, before or after, spelled as it was or not.
fn repeat(tree: &mut Tree, seeds: &Seeds, random: &mut Random) {
    let Some(members) = tree.object(random) else { return };
    let (name, value) = random.pick(members).clone();
    let value = match (random.below(4), name.as_slice()) {
        (0, _) => value,
        (1 | 2, b"\"method\"") => {
            Tree::Raw(quoted(random.pick::<&str>(&["ping", "tools/call", "tools/list", "notifications/x"])))
        }
        (1 | 2, b"\"params\"") => seeds.call(random).member("params").cloned().unwrap_or(value),
        (3, _) => seeds.any(random),
        _ => Tree::Raw(quoted("other")),
    };
    let name = match random.below(4) {
        0 => respelled(&name, random),
        1 => recased(&name, random),
        _ => name,
    };
    let at = random.below(members.len() + 1);
    members.insert(at, (name, value));
}

fn recase(tree: &mut Tree, random: &mut Random) {
    let Some(members) = tree.object(random) else { return };
    let at = random.below(members.len());
    members[at].0 = recased(&members[at].0, random);
}

/// Some text of the tree, a name or a value, to be spelled anew.
fn some_text<'t>(tree: &'t mut Tree, random: &mut Random) -> Option<&'t mut Vec<u8>> {
    if random.once_in(2) {
        let members = tree.object(random)?;
        let at = random.below(members.len());
        return Some(&mut members[at].0);
    }
    let (size, start) = (tree.size(), random.below(tree.size()));
    let at = (start..size).find(|n| matches!(tree.nth(*n), Tree::Raw(text) if text.starts_with(b"\"")))?;
    match tree.nth(at) {
        Tree::Raw(text) => Some(text),
        _ => None,
    }
}

fn respell(tree: &mut Tree, random: &mut Random) {
    if let Some(text) = some_text(tree, random) {
        *text = respelled(text, random);
    }
}

fn misspell(tree: &mut Tree, random: &mut Random) {
    if let Some(text) = some_text(tree, random) {
        *text = misspelled(text, random);
    }
}

fn nest(tree: &mut Tree, random: &mut Random) {
    let depth = *random.pick(&[1, 2, 3, 40, 58, 59, 60, 61, 62, 63, 64, 65, 66, 200, 1500]);
    let (open, close) = *random.pick(&[("[", "]"), ("{\"a\":", "}")]);
    let n = random.below(tree.size());
    let inner = tree.nth(n);
    let mut text = open.repeat(depth).into_bytes();
    inner.write(random, false, &mut text);
    text.extend_from_slice(close.repeat(depth).as_bytes());
    *inner = Tree::Raw(text);
}

fn magic(tree: &mut Tree, seeds: &Seeds, random: &mut Random) {
    let name = *random.pick(&MAGIC);
    let value = match random.below(3) {
        0 => seeds.call(random),
        1 => {
            let mut text = Vec::new();
            seeds.call(random).write(random, false, &mut text);
            Tree::Raw(quoted(&String::from_utf8_lossy(&text)))
        }
        _ => Tree::Raw(quoted("x")),
    };
    if let Some(members) = tree.object(random) {
        // Alone, where a reader is to look behind it.
        if name == "__proto__" && random.once_in(2) {
            members.retain(|(name, _)| !matches!(name.as_slice(), b"\"method\"" | b"\"params\""));
        }
        members.insert(0, (quoted(name), value));
    }
}

fn enclose(tree: &mut Tree, seeds: &Seeds, random: &mut Random) {
    let inner = std::mem::replace(tree, Tree::Array(Vec::new()));
    *tree = match random.below(5) {
        0 => Tree::Array(vec![inner]),
        1 => Tree::Array(vec![seeds.any(random), inner]),
        2 => Tree::Array(vec![Tree::Array(vec![inner])]),
        3 => Tree::Object(vec![(quoted(random.pick::<&str>(&["message", "params", "batch", ""])), inner)]),
        _ => {
            let mut text = Vec::new();
            inner.write(random, false, &mut text);
            Tree::Raw(quoted(&String::from_utf8_lossy(&text)))
        }
    };
}

/// A member of JSON-RPC under a name that looks like its own.
fn rename(tree: &mut Tree, random: &mut Random) {
    let (from, to) = *random.pick(&NAMES);
    if let Tree::Object(members) = tree {
        let found = members.iter_mut().find(|(name, _)| *name == quoted(from));
        if let Some((name, _)) = found {
            *name = quoted(to);
        }
    }
}
