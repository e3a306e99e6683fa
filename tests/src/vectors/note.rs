//! The family `note`: keys of notes, and notes.

use super::file::Vector;
use super::log::{
    LOG, NEXT, ONE, ORIGIN, TYPE_LOG, TYPE_WITNESS, WITNESS_ONE, base64, hex, key_id, line, line_of, log_line,
    log_vkey, note, one_vkey, signature, vkey, vkey_of,
};
use super::points;
use super::token::{hash, key};
use attest_core::sign::Sign;

/// The text of the page's example.
const TEXT: &str = "Who calls is known.\n\nWhat was called is written down.\n";
/// The example of C2SP signed-note, and its key.
const C2SP_VKEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const C2SP_NOTE: &str = "This is an example message.\n\n— example.com/foo \
    Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
/// The example of the Go package golang.org/x/mod/sumdb/note, and its key.
const GO_VKEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const GO_NOTE: &str = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n\
    — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

fn is_key(name: &str, comment: &str, vkey: &str, kind: &str) -> Vector {
    Vector::new("vkey", format!("note_vkey_{name}"), comment, vkey).with("expect", "accept").with("type", kind)
}

fn no_key(name: &str, comment: &str, vkey: impl Into<Vec<u8>>) -> Vector {
    Vector::new("vkey", format!("note_vkey_{name}"), comment, vkey).with("expect", "refuse")
}

fn keys() -> Vec<Vector> {
    let good = log_vkey();
    let log = key(LOG);
    let bytes = log.public().as_bytes();
    let named = |name: &str| vkey_of(name, TYPE_LOG, bytes);
    let id = hex(key_id(ORIGIN, TYPE_LOG, bytes));
    // An id with a letter, so that the case of letters is something.
    let lettered =
        (9..).map(|seed| vkey(ORIGIN, TYPE_LOG, seed)).find(|v| v[6..14].contains(char::is_alphabetic)).unwrap();
    let mut all = vec![
        is_key("log", "the log's", &good, "log"),
        is_key("witness", "a witness's", &one_vkey(), "witness"),
        is_key("c2sp", "the example of C2SP signed-note", C2SP_VKEY, "log"),
        is_key("go", "the example of Go's package note", GO_VKEY, "log"),
        is_key("longest_name", "a name of 256 bytes", &named(&"n".repeat(256)), "log"),
        is_key("name_beyond_ascii", "a name beyond ASCII", &named("büro/日誌"), "log"),
        no_key(
            "id",
            "another key's id",
            good.replace(&id, &hex(key_id(ORIGIN, TYPE_LOG, key(NEXT).public().as_bytes()))),
        ),
        no_key("id_of_another_name", "the id of another name", good.replace(ORIGIN, "other")),
        no_key(
            "id_of_another_type",
            "the id of the other type",
            good.replace(&id, &hex(key_id(ORIGIN, TYPE_WITNESS, bytes))),
        ),
        no_key(
            "id_upper_case",
            "the id in upper case",
            format!("{ORIGIN}+{}{}", lettered[6..14].to_uppercase(), &lettered[14..]),
        ),
        no_key("id_short", "an id of six digits", good.replace(&id, &id[2..])),
        no_key("two_parts", "no key behind the id", format!("{ORIGIN}+{id}")),
        no_key("base64url", "a key in the alphabet of base64url", base64url()),
        no_key("line_feed", "a line feed behind", format!("{good}\n")),
        no_key("blank", "a blank in front", format!(" {good}")),
        no_key("padded", "padding that is too much", format!("{good}====")),
        no_key("no_bytes", "no bytes of key", vkey_of(ORIGIN, TYPE_LOG, &[])),
        no_key("31_bytes", "a key of 31 bytes", vkey_of(ORIGIN, TYPE_LOG, &bytes[..31])),
        no_key("33_bytes", "a key of 33 bytes", vkey_of(ORIGIN, TYPE_LOG, &[&bytes[..], &[0]].concat())),
        no_key("name_empty", "no name", named("")),
        no_key("name_of_257_bytes", "a name of 257 bytes", named(&"n".repeat(257))),
        no_key("name_with_a_blank", "a name with a blank", named("the files")),
        no_key("name_with_a_no_break_space", "a name with a blank that does not break", named("the\u{a0}files")),
        no_key("name_with_an_ideographic_space", "a name with an ideographic space", named("the\u{3000}files")),
        no_key("name_with_a_next_line", "a name with U+0085", named("the\u{85}files")),
        no_key("name_with_delete", "a name with U+007F", named("files\u{7f}")),
        no_key("name_with_escape", "a name with U+001B", named("files\u{1b}")),
        no_key("off_the_curve", "no point of the curve", vkey_of(ORIGIN, TYPE_LOG, &points::off_curve())),
        no_key(
            "small_order",
            "a key of small order, by which anybody can sign",
            vkey_of(ORIGIN, TYPE_LOG, &points::small_order()[1]),
        ),
        no_key(
            "mixed_order",
            "a good key plus a point of order eight",
            vkey_of(ORIGIN, TYPE_LOG, &points::mixed_order(LOG)),
        ),
        no_key("second_spelling", "y + p in place of y", vkey_of(ORIGIN, TYPE_LOG, &points::second_spelling())),
    ];
    for kind in [0, 2, 3, 5, 6, 0xff] {
        let comment = format!("type {kind:02x}, which is neither a log nor a witness with an Ed25519 key");
        all.push(no_key(&format!("type_{kind:02x}"), &comment, vkey_of(ORIGIN, kind, bytes)));
    }
    all
}

/// A log's vkey whose key has a character that the two alphabets spell differently, in the wrong one. The plus signs that
/// part name, id and key stay.
fn base64url() -> String {
    let key_of = |vkey: &String| vkey.splitn(3, '+').nth(2).unwrap().to_owned();
    let vkey = (9..).map(|seed| vkey(ORIGIN, TYPE_LOG, seed)).find(|v| key_of(v).contains('/')).unwrap();
    vkey.replace('/', "_")
}

fn signed(name: &str, comment: &str, note: impl Into<Vec<u8>>, text: &str) -> Vector {
    let vector = Vector::new("note", format!("note_{name}"), comment, note);
    vector.with("vkey", &log_vkey()).with("expect", "accept").with("digest", &hash(text))
}

fn refused(name: &str, comment: &str, note: impl Into<Vec<u8>>, code: &str) -> Vector {
    Vector::new("note", format!("note_{name}"), comment, note).with("vkey", &log_vkey()).with("expect", code)
}

/// A right note around a text.
fn of_text(name: &str, comment: &str, text: &str) -> Vector {
    signed(name, comment, note(text, LOG), text)
}

/// The text, and this in place of the signature lines.
fn under(name: &str, comment: &str, lines: impl AsRef<[u8]>, code: &str) -> Vector {
    refused(name, comment, [TEXT.as_bytes(), b"\n", lines.as_ref()].concat(), code)
}

fn with_lines(name: &str, comment: &str, lines: &str) -> Vector {
    signed(name, comment, format!("{TEXT}\n{lines}"), TEXT)
}

fn forms() -> Vec<Vector> {
    let good = log_line(TEXT, ORIGIN, LOG);
    let whole = note(TEXT, LOG);
    let encoded = good.trim_end().rsplit(' ').next().unwrap().to_owned();
    let other = line("another.example", TYPE_LOG, NEXT, &signature(NEXT, TEXT));
    let many = |count: usize| other.repeat(count);
    let control = |byte: u8| {
        let text = format!("a{}b\n", char::from(byte));
        note(&text, LOG)
    };
    let longest = |length: usize| "x".repeat(length - note("", LOG).len() - 1) + "\n";
    vec![
        of_text("good", "the page's example", TEXT),
        Vector::new("note", "note_c2sp", "the example of C2SP signed-note", C2SP_NOTE)
            .with("vkey", C2SP_VKEY)
            .with("expect", "accept")
            .with("digest", &hash("This is an example message.\n")),
        Vector::new("note", "note_go", "the example of Go's package note", GO_NOTE)
            .with("vkey", GO_VKEY)
            .with("expect", "accept")
            .with("digest", &hash(GO_NOTE.split_once("\n\n").unwrap().0.to_owned() + "\n")),
        of_text("good_empty_lines", "empty lines at both ends of the text, which belong to it", "\n\na\n\n\n"),
        of_text("good_one_empty_line", "a text of one empty line", "\n"),
        of_text("good_text_like_a_signature", "a text that looks like a signature line", &format!("a\n\n{good}")),
        of_text("good_delete", "U+007F, which signed-note allows in a text", "a\u{7f}b\n"),
        of_text("good_beyond_ascii", "text beyond ASCII", "Ognuno sta solo sul cuor della terra è 日\u{85}\u{2028}\n"),
        of_text("good_longest", "131,072 bytes", &longest(131_072)),
        refused("too_long", "131,073 bytes", note(&longest(131_073), LOG), "bad-note"),
        with_lines("good_among_others", "lines of unknown keys before and behind", &format!("{other}{good}{other}")),
        with_lines("good_64_lines", "64 signature lines", &format!("{}{good}", many(63))),
        under("65_lines", "65 signature lines", format!("{}{good}", many(64)), "bad-note"),
        with_lines(
            "good_other_id",
            "a line of the same name by an unknown key, with a signature that is none",
            &format!("{good}{}", line(ORIGIN, TYPE_LOG, NEXT, &[0; 64])),
        ),
        with_lines(
            "good_other_name",
            "a line with the same id under another name, with a signature that is none",
            &format!("{}{good}", line_of("other", key_id(ORIGIN, TYPE_LOG, key(LOG).public().as_bytes()), &[0; 64])),
        ),
        with_lines(
            "good_other_length",
            "a line of an unknown key with one byte of signature",
            &format!("{}{good}", line_of("pq", [1; 4], &[9])),
        ),
        with_lines("good_twice", "the same line twice", &format!("{good}{good}")),
        refused("utf_8", "bytes that are no UTF-8, in the text", bad_utf_8(), "bad-note"),
        refused(
            "utf_8_name",
            "bytes that are no UTF-8, in an unknown key's name",
            [whole.as_bytes(), b"\xe2\x80\x94 \xff AAAAAAA=\n"].concat(),
            "bad-note",
        ),
        refused("nul", "a zero byte in the text", control(0), "bad-note"),
        refused("tab", "a tab in the text", control(9), "bad-note"),
        refused("escape", "an escape in the text", control(0x1b), "bad-note"),
        refused("unit_separator", "the byte 1f in the text", control(0x1f), "bad-note"),
        refused("cr", "CR LF for the line feeds, signed so", note(&TEXT.replace('\n', "\r\n"), LOG), "bad-note"),
        refused("no_empty_line", "no empty line", format!("a\n{}", log_line("a\n", ORIGIN, LOG)), "bad-note"),
        refused("no_lines", "no signature lines", format!("{TEXT}\n"), "bad-note"),
        refused("text_alone", "a text alone", "a\n", "bad-note"),
        refused("empty", "no bytes at all", "", "bad-note"),
        refused("two_line_feeds", "an empty line alone", "\n\n", "bad-note"),
        refused("cut_off", "the last line feed is missing", whole.trim_end(), "bad-note"),
        refused("empty_line_behind", "an empty line behind the signature lines", format!("{whole}\n"), "bad-note"),
        refused("text_behind", "a line behind the signature lines that is none", format!("{whole}text\n"), "bad-note"),
        under("hyphen", "a hyphen in place of the dash", good.replace('—', "-"), "bad-note"),
        under("en_dash", "an en dash in place of the dash", good.replace('—', "–"), "bad-note"),
        under("no_blank", "no blank behind the dash", good.replacen(' ', "", 1), "bad-note"),
        under("two_blanks", "two blanks before the signature", good.replacen("files ", "files  ", 1), "bad-note"),
        under("blank_behind", "a blank behind the signature", good.replace('\n', " \n"), "bad-note"),
        under("no_name", "no name", good.replacen("files ", "", 1), "bad-note"),
        under(
            "name_with_plus",
            "an unknown key's name with a plus",
            format!("{good}{}", line_of("a+b", [1; 4], &[0; 64])),
            "bad-note",
        ),
        under(
            "name_with_a_space",
            "an unknown key's name with U+2003",
            format!("{good}{}", line_of("a\u{2003}b", [1; 4], &[0; 64])),
            "bad-note",
        ),
        under(
            "name_too_long",
            "an unknown key's name of 257 bytes",
            format!("{good}{}", line_of(&"n".repeat(257), [1; 4], &[0; 64])),
            "bad-note",
        ),
        under("no_padding", "the signature without padding", good.replace('=', ""), "bad-note"),
        under("stray_bits", "base64 with unused bits set", good.replace(&encoded, &stray(&encoded)), "bad-note"),
        under(
            "base64url",
            "a signature in the alphabet of base64url, of an unknown key",
            format!("{good}— other {}\n", base64([0xff; 68]).replace('/', "_")),
            "bad-note",
        ),
        under(
            "no_signature",
            "an id and no signature, of an unknown key",
            format!("{good}{}", line_of("other", [1; 4], &[])),
            "bad-note",
        ),
        under(
            "short_id",
            "three bytes of id, of an unknown key",
            format!("{good}— other {}\n", base64([1; 3])),
            "bad-note",
        ),
    ]
}

fn signatures() -> Vec<Vector> {
    let good = signature(LOG, TEXT);
    let by_log = |bytes: &[u8]| line(ORIGIN, TYPE_LOG, LOG, bytes);
    let mut flipped = good.clone();
    flipped[63] ^= 1;
    let mut flipped_r = good.clone();
    flipped_r[0] ^= 1;
    let id = key_id(ORIGIN, TYPE_LOG, key(LOG).public().as_bytes());
    let witness = line(ONE, TYPE_WITNESS, WITNESS_ONE, &signature(WITNESS_ONE, TEXT));
    vec![
        under("other_name", "the right signature under another name", line_of("other", id, &good), "not-signed"),
        under(
            "other_case",
            "the right signature under the name in upper case",
            line_of("FILES", id, &good),
            "not-signed",
        ),
        under("wrong_id", "the right signature under another id", line(ORIGIN, TYPE_LOG, NEXT, &good), "not-signed"),
        under(
            "id_of_the_other_type",
            "the right signature under the id of type 04",
            line(ORIGIN, TYPE_WITNESS, LOG, &good),
            "not-signed",
        ),
        under(
            "other_key",
            "signed by another key, under its own id",
            line(ORIGIN, TYPE_LOG, NEXT, &signature(NEXT, TEXT)),
            "not-signed",
        ),
        under(
            "signed_by_another_key",
            "signed by another key, under this one's id",
            by_log(&signature(NEXT, TEXT)),
            "bad-signature",
        ),
        under("flipped", "a bit of S flipped", by_log(&flipped), "bad-signature"),
        under("flipped_r", "a bit of R flipped", by_log(&flipped_r), "bad-signature"),
        under("other_text", "the signature of another text", by_log(&signature(LOG, "other\n")), "bad-signature"),
        under(
            "without_line_feed",
            "a signature over the text without its last line feed",
            by_log(&signature(LOG, TEXT.trim_end())),
            "bad-signature",
        ),
        under(
            "with_empty_line",
            "a signature over the text with the empty line",
            by_log(&signature(LOG, format!("{TEXT}\n"))),
            "bad-signature",
        ),
        under("63_bytes", "a signature of 63 bytes", by_log(&good[..63]), "bad-signature"),
        under("65_bytes", "a signature of 65 bytes", by_log(&[&good[..], &[0]].concat()), "bad-signature"),
        under(
            "unreduced",
            "a signature with S + L for S",
            by_log(&points::unreduced_s(LOG, TEXT.as_bytes())),
            "bad-signature",
        ),
        under(
            "small_order_r",
            "a signature whose R is of small order",
            by_log(&points::small_order_r(LOG, TEXT.as_bytes())),
            "bad-signature",
        ),
        under(
            "second_line",
            "a second line in the key's name that is not its own",
            by_log(&good) + &by_log(&flipped),
            "bad-signature",
        ),
        under("second_line_first", "the same, the other way round", by_log(&flipped) + &by_log(&good), "bad-signature"),
        under("witness", "a text signed like a log's, by a key of type 04", witness, "bad-signature")
            .with("vkey", &one_vkey()),
    ]
}

fn bad_utf_8() -> Vec<u8> {
    let text = b"a\xff\n";
    [&text[..], b"\n", line(ORIGIN, TYPE_LOG, LOG, &signature(LOG, text)).as_bytes()].concat()
}

/// 68 bytes end in one character before the padding that has unused bits.
fn stray(encoded: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let at = encoded.find('=').unwrap() - 1;
    let value = ALPHABET.iter().position(|c| *c == encoded.as_bytes()[at]).unwrap();
    format!("{}{}{}", &encoded[..at], char::from(ALPHABET[value + 1]), &encoded[at + 1..])
}

/// The family.
pub fn vectors() -> Vec<Vector> {
    [keys(), forms(), signatures()].concat()
}
