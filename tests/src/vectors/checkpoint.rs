//! The family `checkpoint`: checkpoints, and the keys of a log one after the other.

use super::file::Vector;
use super::log::{
    KEYS, LOG, NEXT, ONE, ORIGIN, ROTATED, TYPE_LOG, TYPE_WITNESS, WITNESS_ONE, base64, checkpoint_text,
    example_checkpoint, example_leaves, example_text, keys, leaves, line, log_line, log_vkey, next_vkey, note,
    one_vkey, root, rotated, signature, text_at, vkey,
};
use super::token::b64;

fn checkpoint(name: &str, comment: &str, note: impl Into<Vec<u8>>) -> Vector {
    Vector::new("checkpoint", format!("checkpoint_{name}"), comment, note).with("keys", KEYS)
}

fn good(name: &str, comment: &str, note: impl Into<Vec<u8>>, size: u64, root: &[u8; 32]) -> Vector {
    checkpoint(name, comment, note).with("expect", "accept").with("size", &size.to_string()).with("root", &b64(root))
}

fn refused(name: &str, comment: &str, note: impl Into<Vec<u8>>, code: &str) -> Vector {
    checkpoint(name, comment, note).with("expect", code)
}

/// A text that is no checkpoint, signed.
fn no_checkpoint(name: &str, comment: &str, text: &str) -> Vector {
    refused(name, comment, note(text, LOG), "bad-checkpoint")
}

fn forms() -> Vec<Vector> {
    let root_3 = root(&example_leaves());
    let text = example_text();
    let encoded = base64(root_3);
    let sized = |size: &str| text.replace("\n3\n", &format!("\n{size}\n"));
    let rooted = |root: &str| text.replace(&encoded, root);
    let empty = checkpoint_text(ORIGIN, 0, &root(&[]));
    vec![
        good("good", "the page's example", note(&text, LOG), 3, &root_3),
        good("good_cosigned", "with a cosignature", example_checkpoint(), 3, &root_3),
        good("good_empty", "of the empty log", note(&empty, LOG), 0, &root(&[])),
        good("good_extension", "with a further line", note(&format!("{text}more\n"), LOG), 3, &root_3),
        good(
            "good_extensions",
            "with two further lines, one a number",
            note(&format!("{text}7\n— x\n"), LOG),
            3,
            &root_3,
        ),
        good("good_largest", "of 2^48 entries", note(&sized("281474976710656"), LOG), 1 << 48, &root_3),
        no_checkpoint("too_large", "of 2^48 + 1 entries", &sized("281474976710657")),
        no_checkpoint("size_2_64", "a size that overflows 64 bits to 3", &sized("18446744073709551619")),
        no_checkpoint("leading_zero", "a size with a leading zero", &sized("03")),
        no_checkpoint("two_zeros", "the size 00", &sized("00")),
        no_checkpoint("size_with_plus", "a size with a plus", &sized("+3")),
        no_checkpoint("size_with_minus", "a size below zero", &sized("-3")),
        no_checkpoint("size_with_a_blank", "a size with a blank behind", &sized("3 ")),
        no_checkpoint("size_hexadecimal", "a size in hexadecimal", &sized("0x3")),
        no_checkpoint("size_with_a_point", "a size with a fraction", &sized("3.0")),
        no_checkpoint("size_in_other_digits", "a size in Arabic digits", &sized("٣")),
        no_checkpoint("size_missing", "no size", &text.replace("3\n", "")),
        no_checkpoint("size_empty", "an empty line for the size", &sized("")),
        no_checkpoint("root_missing", "no root", &rooted("").replace("\n\n", "\n")),
        no_checkpoint("root_of_31_bytes", "a root of 31 bytes", &rooted(&base64([7; 31]))),
        no_checkpoint("root_of_33_bytes", "a root of 33 bytes", &rooted(&base64([7; 33]))),
        no_checkpoint("root_unpadded", "a root without padding", &rooted(encoded.trim_end_matches('='))),
        no_checkpoint("root_stray_bits", "a root with unused bits set", &rooted(&encoded.replace("g=", "h="))),
        no_checkpoint(
            "root_base64url",
            "a root in the alphabet of base64url",
            &rooted(&base64([0xff; 32]).replace('/', "_")),
        ),
        no_checkpoint("root_with_a_blank", "a root with a blank in front", &rooted(&format!(" {encoded}"))),
        no_checkpoint("origin_empty", "no origin", &text.replace(ORIGIN, "")),
        no_checkpoint("extension_empty", "an empty further line", &format!("{text}\n")),
        refused(
            "other_origin",
            "another log's, signed by this one's key",
            note(&text.replace(ORIGIN, "other"), LOG),
            "other-log",
        ),
        refused("origin_case", "the origin in another case", note(&text.replace(ORIGIN, "Files"), LOG), "other-log"),
        refused(
            "origin_with_a_blank",
            "the origin with a blank behind",
            note(&text.replace(ORIGIN, "files "), LOG),
            "other-log",
        ),
        refused("no_note", "the text alone", text.clone(), "bad-checkpoint"),
        refused(
            "two_empty_lines",
            "a second empty line before the signature",
            note(&text, LOG).replace("\n\n", "\n\n\n"),
            "bad-checkpoint",
        ),
    ]
}

fn signatures() -> Vec<Vector> {
    let root_3 = root(&example_leaves());
    let text = example_text();
    let witness = line(ONE, TYPE_WITNESS, WITNESS_ONE, &signature(WITNESS_ONE, &text));
    let by_other_name = log_line(&text, "another.example", LOG);
    let under = |lines: &str| format!("{text}\n{lines}");
    let old = note(&text, LOG);
    let (root_2, root_4) = (root(&leaves(2)), root(&leaves(4)));
    let both = |text: &str| note(text, LOG) + &log_line(text, ORIGIN, NEXT);
    let rotated = |vector: Vector| vector.with("keys", ROTATED);
    vec![
        refused("not_signed", "signed by a witness alone", under(&witness), "not-signed"),
        refused("other_name", "signed by the log's key, under another name", under(&by_other_name), "not-signed"),
        refused("other_key", "signed by a key that is not the log's, under its name", note(&text, NEXT), "not-signed"),
        refused("size_changed", "another size than was signed", old.replace("\n3\n", "\n4\n"), "bad-signature"),
        refused(
            "root_changed",
            "another root than was signed",
            old.replace(&base64(root_3), &base64([0; 32])),
            "bad-signature",
        ),
        refused(
            "extension_added",
            "a further line that was not signed",
            old.replace("\n\n", "\nmore\n\n"),
            "bad-signature",
        ),
        rotated(good(
            "rotated_old_before",
            "signed by the retired key, below its size",
            note(&text_at(2), LOG),
            2,
            &root_2,
        )),
        rotated(good("rotated_old_last", "signed by the retired key, at its size", note(&text, LOG), 3, &root_3)),
        rotated(refused(
            "rotated_old_after",
            "a retired key that comes back",
            note(&text_at(4), LOG),
            "key-not-in-force",
        )),
        rotated(good(
            "rotated_new_first",
            "signed by the next key, at its first size",
            note(&text_at(4), NEXT),
            4,
            &root_4,
        )),
        rotated(refused(
            "rotated_new_early",
            "the next key, at the last size of the one before",
            note(&text, NEXT),
            "key-not-in-force",
        )),
        rotated(refused(
            "rotated_new_at_0",
            "the next key, for the empty log",
            note(&text_at(0), NEXT),
            "key-not-in-force",
        )),
        rotated(good("rotated_both", "signed by both keys, as if to be safe", both(&text_at(4)), 4, &root_4)),
        rotated(good(
            "rotated_old_bad",
            "signed by the key in force, with a bad line in the retired one's name",
            note(&text_at(4), NEXT) + &line(ORIGIN, TYPE_LOG, LOG, &[0; 64]),
            4,
            &root_4,
        )),
        rotated(refused(
            "rotated_new_bad",
            "signed by the retired key, with a bad line in the name of the one in force",
            note(&text_at(4), LOG) + &line(ORIGIN, TYPE_LOG, NEXT, &[0; 64]),
            "bad-signature",
        )),
        rotated(refused(
            "rotated_neither",
            "signed by neither key",
            format!("{}\n{witness}", text_at(4)),
            "not-signed",
        )),
    ]
}

fn log_keys() -> Vec<Vector> {
    let (one, two, three) = (log_vkey(), next_vkey(), vkey(ORIGIN, TYPE_LOG, 9));
    let of = |name: &str, comment: &str, lines: String, expect: &str| {
        Vector::new("log-keys", format!("checkpoint_keys_{name}"), comment, lines).with("expect", expect)
    };
    let refused = |name: &str, comment: &str, lines: String| of(name, comment, lines, "refuse");
    vec![
        of("good", "one key", keys(), "accept"),
        of("good_rotated", "the page's example", rotated(), "accept"),
        of("good_three", "three keys", format!("{one} until 3\n{two} until 281474976710656\n{three}\n"), "accept"),
        refused("none", "no key", String::new()),
        refused(
            "order",
            "a key that was retired at a smaller size than the one before",
            format!("{one} until 3\n{two} until 2\n{three}\n"),
        ),
        refused(
            "same_size",
            "two keys that were retired at one size",
            format!("{one} until 3\n{two} until 3\n{three}\n"),
        ),
        refused("twice", "a retired key that is in force again", format!("{one} until 3\n{one}\n")),
        refused("twice_retired", "a key that was retired twice", format!("{one} until 3\n{one} until 4\n{two}\n")),
        refused("none_in_force", "all keys retired", format!("{one} until 3\n{two} until 4\n")),
        refused("two_in_force", "two keys in force", format!("{one}\n{two}\n")),
        refused("two_names", "two names", format!("{one} until 3\n{}\n", vkey("other", TYPE_LOG, NEXT))),
        refused("witness", "a witness's key", format!("{}\n", one_vkey())),
        refused("size_leading_zero", "a size with a leading zero", format!("{one} until 03\n{two}\n")),
        refused("size_too_large", "a size above 2^48", format!("{one} until 281474976710657\n{two}\n")),
        refused("size_missing", "no size", format!("{one} until \n{two}\n")),
        refused("two_blanks", "two blanks before the size", format!("{one} until  3\n{two}\n")),
        refused("other_word", "another word than until", format!("{one} up to 3\n{two}\n")),
        refused("vkey", "a line that is no key", "files\n".to_owned()),
    ]
}

/// The family.
pub fn vectors() -> Vec<Vector> {
    [forms(), signatures(), log_keys()].concat()
}
