//! The one pass: all words at once, and a short look around those that alone say too little.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use attest_core::seen::Mark;

use super::{dropped, hosts, invisible, role};

/// What was found.
pub(super) enum Hit<'t> {
    Mark(Mark),
    Host(&'t str),
}

/// What to do where a word was found.
#[derive(Clone, Copy)]
enum Then {
    /// It says enough.
    Mark(Mark),
    /// It does if this holds of the text and the place.
    If(fn(&str, usize, usize) -> bool, Mark),
    /// Characters that nobody sees: the whole run counts once.
    Invisible,
    /// `://`
    Url,
    /// `@`
    Mail,
}

struct Words {
    automaton: Option<AhoCorasick>,
    then: Vec<Then>,
}

/// How far before and after a word is looked, in bytes: what makes the pass linear, whatever the text.
const AROUND: usize = 96;

static WORDS: LazyLock<Words> = LazyLock::new(|| {
    let (patterns, then): (Vec<&[u8]>, Vec<Then>) = words().into_iter().unzip();
    let automaton = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::LeftmostLongest)
        .kind(Some(AhoCorasickKind::DFA))
        .build(patterns);
    // It fails for more words than these alone, which the tests would see.
    Words { automaton: automaton.ok(), then }
});

/// Calls `found` for each hit, in the text's order.
pub(super) fn each<'t>(text: &'t str, mut found: impl FnMut(Hit<'t>)) {
    let Some(automaton) = &WORDS.automaton else { return };
    let mut run_until = 0;
    for hit in automaton.find_iter(text) {
        let (start, end) = (hit.start(), hit.end());
        match WORDS.then.get(hit.pattern().as_usize()) {
            Some(Then::Mark(mark)) => found(Hit::Mark(*mark)),
            Some(Then::If(holds, mark)) if holds(text, start, end) => found(Hit::Mark(*mark)),
            Some(Then::Invisible) if start >= run_until => {
                let (until, suspicious) = invisible::run(text, start);
                run_until = until;
                if suspicious {
                    found(Hit::Mark(Mark::Invisible));
                }
            }
            Some(Then::Url) => hosts::of_url(text, end).into_iter().for_each(|host| found(Hit::Host(host))),
            Some(Then::Mail) => hosts::of_mail(text, end).into_iter().for_each(|host| found(Hit::Host(host))),
            _ => {}
        }
    }
}

/// Say enough by themselves.
const ADDRESSED: [&str; 36] = [
    "you must now ",
    "from now on you",
    "from now on, you",
    "new instructions:",
    "your new instructions",
    "your new task is",
    "<important>",
    "</important>",
    "<information>",
    "important!!!",
    "important message from",
    "before using this tool",
    "before you use this tool",
    "before using any other tool",
    "before calling this tool",
    "the user has already approved",
    "the user already approved",
    "you do not need to ask the user",
    "important instructions",
    "pass its content as",
    // Tokens of chat templates (ChatML, Llama 2 and 3, Gemma, Mistral, Phi, DeepSeek): where they are not taken out of what a
    // tool says, they begin another turn. Else they stand only in texts about models.
    "<|im_start|>",
    "<|im_end|>",
    "<|system|>",
    "<|user|>",
    "<|assistant|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "<|start_header_id|>",
    "<|begin_of_text|>",
    "<start_of_turn>",
    "<end_of_turn>",
    "<<sys>>",
    "<</sys>>",
    "[/inst]",
    "<\u{ff5c}user\u{ff5c}>",
    "<\u{ff5c}assistant\u{ff5c}>",
];
const NOT_SAY: [&str; 13] = [
    "do not tell",
    "don't tell",
    "don\u{2019}t tell",
    "do not mention",
    "don't mention",
    "don\u{2019}t mention",
    "never mention",
    "never tell",
    "do not inform",
    "don't inform",
    "without telling",
    "without informing",
    "do not notify",
];
const MARKUP: [&str; 12] = [
    "<!--",
    "<script",
    "<iframe",
    "<object ",
    "<embed ",
    "javascript:",
    "vbscript:",
    "data:text/",
    "display:none",
    "display: none",
    "visibility:hidden",
    "visibility: hidden",
];
const SECRETS: [&str; 21] = [
    ".ssh/",
    ".ssh\\",
    "id_rsa",
    "id_ed25519",
    "id_ecdsa",
    "mcp.json",
    ".aws/credentials",
    ".git-credentials",
    ".netrc",
    ".npmrc",
    ".pypirc",
    ".kube/config",
    ".docker/config.json",
    "/etc/shadow",
    "claude_desktop_config",
    ".bash_history",
    ".zsh_history",
    "wallet.dat",
    ".gnupg/",
    "authorized_keys",
    ".vault-token",
];
const BIDI: [&str; 9] =
    ["\u{202a}", "\u{202b}", "\u{202c}", "\u{202d}", "\u{202e}", "\u{2066}", "\u{2067}", "\u{2068}", "\u{2069}"];
/// First bytes of characters that nobody sees; `invisible` knows which of them are.
const INVISIBLE: [&[u8]; 15] = [
    b"\xe2\x80\x8b",
    b"\xe2\x80\x8c",
    b"\xe2\x80\x8d",
    b"\xe2\x81\xa0",
    b"\xe2\x81\xa1",
    b"\xe2\x81\xa2",
    b"\xe2\x81\xa3",
    b"\xe2\x81\xa4",
    b"\xef\xb8",
    b"\xf3\xa0\x80",
    b"\xf3\xa0\x81",
    b"\xf3\xa0\x84",
    b"\xf3\xa0\x85",
    b"\xf3\xa0\x86",
    b"\xf3\xa0\x87",
];

fn words() -> Vec<(&'static [u8], Then)> {
    let all = |words: &'static [&'static str], then: Then| words.iter().map(move |word| (word.as_bytes(), then));
    let mut list: Vec<(&[u8], Then)> = all(&ADDRESSED, Then::Mark(Mark::Addressed)).collect();
    list.extend(all(&dropped::VERBS, Then::If(dropped::follows, Mark::Addressed)));
    list.extend(all(&[dropped::NOUN], Then::If(dropped::precedes, Mark::Addressed)));
    list.extend(all(&NOT_SAY, Then::If(user_follows, Mark::Addressed)));
    list.extend(all(&["[inst]"], Then::If(role::turn_follows, Mark::Addressed)));
    list.extend(all(&role::ROLES, Then::If(role::pretended, Mark::Addressed)));
    list.extend(all(&MARKUP, Then::Mark(Mark::Markup)));
    list.extend(all(&["](http"], Then::If(is_image_with_query, Mark::Markup)));
    list.extend(all(&["<img "], Then::If(has_query, Mark::Markup)));
    list.extend(all(&SECRETS, Then::Mark(Mark::SecretPath)));
    list.extend(all(&[".env"], Then::If(is_a_file, Mark::SecretPath)));
    list.extend(all(&BIDI, Then::Mark(Mark::Bidi)));
    list.extend(all(&["\u{1b}", "\u{9b}"], Then::Mark(Mark::Escape)));
    list.extend(INVISIBLE.iter().map(|bytes| (*bytes, Then::Invisible)));
    list.extend([(&b"\xef\xbb\xbf"[..], Then::Invisible), (b"://", Then::Url), (b"@", Then::Mail)]);
    list
}

/// What stands right after a word.
pub(super) fn after(text: &str, end: usize) -> &str {
    let rest = text.get(end..).unwrap_or_default();
    rest.get(..rest.floor_char_boundary(AROUND)).unwrap_or(rest)
}

/// What stands right before it.
pub(super) fn before(text: &str, start: usize) -> &str {
    let before = text.get(..start).unwrap_or_default();
    before.get(before.ceil_char_boundary(before.len().saturating_sub(AROUND))..).unwrap_or_default()
}

/// Whether one of the next words is one of these.
fn says(text: &str, words: usize, wanted: &[&str]) -> bool {
    let next = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).take(words);
    next.into_iter().any(|word| wanted.iter().any(|wanted| word.eq_ignore_ascii_case(wanted)))
}

fn user_follows(text: &str, _: usize, end: usize) -> bool {
    says(after(text, end), 6, &["user", "users", "human", "anyone", "anybody"])
}

/// `![text](http…?…)`: an image that is fetched at once, and tells its server the query.
fn is_image_with_query(text: &str, start: usize, end: usize) -> bool {
    let alt = before(text, start);
    let is_image = alt.rfind('[').is_some_and(|at| alt.get(..at).is_some_and(|before| before.ends_with('!')));
    is_image && after(text, end).split([')', '\n']).next().is_some_and(|link| link.contains('?'))
}

fn has_query(text: &str, _: usize, end: usize) -> bool {
    after(text, end).split('>').next().is_some_and(|tag| tag.contains('?'))
}

/// `.env`, `.env.local` and `/app/.env`, but neither `process.env` nor `.environment`.
fn is_a_file(text: &str, start: usize, end: usize) -> bool {
    let before = text.get(..start).and_then(|before| before.chars().next_back());
    let next = text.get(end..).and_then(|rest| rest.chars().next());
    let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | ')' | ']');
    !before.is_some_and(word) && !next.is_some_and(|c| c.is_alphanumeric() || c == '_')
}
