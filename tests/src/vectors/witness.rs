//! The family `witness`: what a witness decides, and how its answer is read.

use super::file::Vector;
use super::log::{
    KEYS, LOG, NEXT, ONE, ORIGIN, ROTATED, TIME, TWO, TYPE_LOG, TYPE_WITNESS, WITNESS_ONE, WITNESS_TWO, base64,
    checkpoint_text, consistency, cosignature, example_leaves, example_request, example_text, leaves, line, line_of,
    lines, log_line, note, one_vkey, root, text_at, witness_line,
};
use super::token::b64;

type Hash = [u8; 32];

fn record(size: usize, root: &Hash) -> String {
    format!("{size} {}", b64(root))
}

/// What a witness remembers of the first entries `0`, `1`, …
fn seen(size: usize) -> String {
    record(size, &root(&leaves(size)))
}

fn request(old: usize, proof: &[Hash], checkpoint: &str) -> String {
    format!("old {old}\n{}\n{checkpoint}", lines(proof))
}

/// A right request from `old` to `size`.
fn from_to(old: usize, size: usize) -> String {
    request(old, &consistency(old, &leaves(size)), &note(&text_at(size), LOG))
}

fn ask(name: &str, comment: &str, request: impl Into<Vec<u8>>, status: &str) -> Vector {
    Vector::new("add-checkpoint", format!("witness_{name}"), comment, request).with("keys", KEYS).with("expect", status)
}

fn granted(name: &str, comment: &str, request: String, recorded: &str) -> Vector {
    ask(name, comment, request, "200").with("recorded", recorded)
}

fn decisions() -> Vec<Vector> {
    let example = example_request();
    let two = record(2, &root(&example_leaves()[..2]));
    let three = record(3, &root(&example_leaves()));
    let empty = checkpoint_text(ORIGIN, 0, &root(&[]));
    let with = |vector: Vector, record: &str| vector.with("record", record);
    let after_five = |vector: Vector| with(vector, &seen(5));
    let conflict = |name: &str, comment: &str, request: String, size: usize| {
        ask(name, comment, request, "409").with("latest", &size.to_string())
    };
    let proof = consistency(5, &leaves(13));
    let signed = note(&text_at(13), LOG);
    let with_proof = |proof: &[Hash]| request(5, proof, &signed);
    let mut flipped = proof.clone();
    flipped[1][0] ^= 1;
    let forked = checkpoint_text(ORIGIN, 13, &root(&leaves(14)[1..]));
    let forked_5 = checkpoint_text(ORIGIN, 5, &root(&leaves(6)[1..]));
    let bad_line = line(ORIGIN, TYPE_LOG, LOG, &[0; 64]);
    let unsigned = format!("{}\n{}", text_at(13), log_line(&text_at(13), ORIGIN, NEXT));
    let rotated = |vector: Vector| vector.with("keys", ROTATED);
    let longer = format!("{}more\n", text_at(13));
    let extended = format!("{signed}{}", witness_line(&text_at(13), TIME, TWO, WITNESS_TWO));
    vec![
        with(granted("good", "the page's example", example.clone(), &three), &two),
        granted("good_first", "the first checkpoint that is seen of a log", from_to(0, 13), &seen(13)),
        after_five(granted("good_grown", "from 5 to 13", from_to(5, 13), &seen(13))),
        with(granted("good_same", "the same checkpoint once more", from_to(13, 13), &seen(13)), &seen(13)),
        granted("good_empty", "the empty log", request(0, &[], &note(&empty, LOG)), &seen(0)),
        with(granted("good_from_empty", "from the empty log, which was cosigned", from_to(0, 13), &seen(13)), &seen(0)),
        after_five(granted(
            "good_cosigned",
            "a checkpoint that another witness cosigned already",
            request(5, &proof, &extended),
            &seen(13),
        )),
        after_five(granted(
            "good_extension",
            "a checkpoint with a further line",
            request(5, &proof, &note(&longer, LOG)),
            &seen(13),
        )),
        rotated(granted(
            "good_rotated_old",
            "signed by the key that was in force at this size",
            from_to(0, 3),
            &seen(3),
        )),
        rotated(granted(
            "good_rotated_new",
            "signed by the next key",
            request(0, &[], &note(&text_at(4), NEXT)),
            &seen(4),
        )),
        with(ask("old_missing", "no old size", example.replacen("old 2\n", "", 1), "400"), &two),
        with(
            ask("old_leading_zero", "an old size with a leading zero", example.replacen("old 2", "old 02", 1), "400"),
            &two,
        ),
        with(ask("old_word", "another word", example.replacen("old 2", "size 2", 1), "400"), &two),
        with(
            ask("old_two_blanks", "two blanks before the old size", example.replacen("old 2", "old  2", 1), "400"),
            &two,
        ),
        with(
            ask(
                "old_2_64",
                "an old size that overflows 64 bits to 2",
                example.replacen("old 2", "old 18446744073709551618", 1),
                "400",
            ),
            &two,
        ),
        with(ask("cr", "CR LF for the line feeds", example.replace('\n', "\r\n"), "400"), &two),
        with(
            ask("no_empty_line", "no empty line before the checkpoint", example.replacen("\n\n", "\n", 1), "400"),
            &two,
        ),
        with(ask("empty", "no bytes at all", "", "400"), &two),
        with(ask("no_checkpoint", "no checkpoint", "old 2\n\n", "400"), &two),
        with(
            ask(
                "utf_8",
                "bytes that are no UTF-8, in an unknown key's name",
                [example.as_bytes(), "— ".as_bytes(), b"\xff AAAAAAA=\n"].concat(),
                "400",
            ),
            &two,
        ),
        after_five(ask(
            "short_hash",
            "a hash of 31 bytes",
            with_proof(&proof).replacen(&base64(proof[0]), &base64([0; 31]), 1),
            "400",
        )),
        after_five(ask("hash_unpadded", "a hash without padding", with_proof(&proof).replacen('=', "", 1), "400")),
        after_five(ask("64_hashes", "64 hashes", with_proof(&[[0; 32]; 64]), "400")),
        after_five(ask(
            "checkpoint_form",
            "a size with a leading zero in the checkpoint",
            request(5, &proof, &note(&text_at(13).replace("\n13\n", "\n013\n"), LOG)),
            "400",
        )),
        after_five(ask(
            "checkpoint_text",
            "a checkpoint without signature lines",
            request(5, &proof, &text_at(13)),
            "400",
        )),
        after_five(ask(
            "too_long",
            "more bytes than a request may have",
            request(5, &proof, &note(&format!("{}{}\n", text_at(13), "x".repeat(140_000)), LOG)),
            "400",
        )),
        after_five(ask(
            "backwards",
            "a checkpoint below the old size",
            request(5, &[], &note(&text_at(4), LOG)),
            "400",
        )),
        ask(
            "unknown_log",
            "a log that is not watched",
            request(
                0,
                &[],
                &format!(
                    "{}\n{}",
                    text_at(13).replace(ORIGIN, "other"),
                    log_line(&text_at(13).replace(ORIGIN, "other"), "other", LOG)
                ),
            ),
            "404",
        ),
        after_five(ask("unsigned", "signed by an unknown key", request(5, &proof, &unsigned), "403")),
        after_five(ask(
            "bad_signature",
            "a line in the log's name that is not its own",
            request(5, &proof, &format!("{}\n{bad_line}", text_at(13))),
            "403",
        )),
        after_five(ask(
            "second_signature",
            "a second line in the log's name that is not its own",
            request(5, &proof, &(signed.clone() + &bad_line)),
            "403",
        )),
        after_five(ask(
            "other_name",
            "signed by the log's key under another name",
            request(5, &proof, &format!("{}\n{}", text_at(13), log_line(&text_at(13), "other", LOG))),
            "403",
        )),
        rotated(ask("rotated_back", "signed by a retired key", from_to(0, 4), "403")),
        rotated(ask(
            "rotated_early",
            "signed by the next key, too early",
            request(0, &[], &note(&text_at(3), NEXT)),
            "403",
        )),
        after_five(conflict("old_low", "an old size below the record's", from_to(4, 13), 5)),
        after_five(conflict("old_high", "an old size above the record's", from_to(6, 13), 5)),
        after_five(conflict("old_0", "an old size of 0, to find out", from_to(0, 13), 5)),
        after_five(conflict("rolled_back", "a log that was set back to 4 entries", from_to(4, 4), 5)),
        conflict("old_never_seen", "an old size where nothing was cosigned", from_to(5, 13), 0),
        after_five(ask("flipped", "another hash", with_proof(&flipped), "422")),
        after_five(ask("dropped", "a hash left out", with_proof(&proof[1..]), "422")),
        after_five(ask("added", "a hash too many", with_proof(&[&proof[..], &[[0; 32]]].concat()), "422")),
        after_five(ask("no_hashes", "no hashes at all", with_proof(&[]), "422")),
        after_five(ask("63_hashes", "63 hashes, which can be read", with_proof(&[[0; 32]; 63]), "422")),
        after_five(ask(
            "forked",
            "a tree that does not begin with the one that was cosigned",
            request(5, &proof, &note(&forked, LOG)),
            "422",
        )),
        after_five(ask("second_root", "a second root at one size", request(5, &[], &note(&forked_5, LOG)), "422")),
        after_five(ask(
            "same_and_a_hash",
            "a hash between equal sizes",
            request(5, &[[0; 32]], &note(&text_at(5), LOG)),
            "422",
        )),
        ask("first_and_a_hash", "a hash from the empty tree", request(0, &[[0; 32]], &signed), "422"),
        ask(
            "empty_root",
            "the empty log with another root",
            request(0, &[], &note(&checkpoint_text(ORIGIN, 0, &[0; 32]), LOG)),
            "422",
        ),
        with(
            ask(
                "empty_second_root",
                "the same, where the empty log was cosigned",
                request(0, &[], &note(&checkpoint_text(ORIGIN, 0, &[0; 32]), LOG)),
                "422",
            ),
            &seen(0),
        ),
    ]
}

fn answers() -> Vec<Vector> {
    let text = example_text();
    let right = witness_line(&text, TIME, ONE, WITNESS_ONE);
    let two = witness_line(&text, TIME, TWO, WITNESS_TWO);
    let answer = |name: &str, comment: &str, body: String, expect: &str| {
        let vector = Vector::new("witness-answer", format!("witness_answer_{name}"), comment, body);
        vector.with("vkey", &one_vkey()).with("text", &b64(&text)).with("expect", expect)
    };
    let good =
        |name: &str, comment: &str, body: String| answer(name, comment, body, "accept").with("time", &TIME.to_string());
    let other = witness_line(&text_at(5), TIME, ONE, WITNESS_ONE);
    vec![
        good("good", "the page's example", right.clone()),
        good(
            "good_among_others",
            "lines of other keys before and behind",
            format!("{two}{right}{}", line_of("pq", [1; 4], &[7; 2_428])),
        ),
        answer("nothing", "no bytes at all", String::new(), "bad-note"),
        answer("cut_off", "the last line feed is missing", right.trim_end().to_owned(), "bad-note"),
        answer("checkpoint", "the whole checkpoint", format!("{text}\n{right}"), "bad-note"),
        answer("empty_line", "an empty line in front", format!("\n{right}"), "bad-note"),
        answer("cr", "CR LF for the line feed", right.replace('\n', "\r\n"), "bad-note"),
        answer("65_lines", "65 lines", right.repeat(65), "bad-note"),
        answer("another_witness", "another witness's line alone", two, "not-signed"),
        answer("another_checkpoint", "a cosignature of another checkpoint", other, "bad-signature"),
        answer("time_0", "a cosignature at no time", witness_line(&text, 0, ONE, WITNESS_ONE), "bad-signature"),
        answer(
            "by_another",
            "by another key, under this one's id",
            line(ONE, TYPE_WITNESS, WITNESS_ONE, &cosignature(&text, TIME, WITNESS_TWO)),
            "bad-signature",
        ),
    ]
}

/// The family.
pub fn vectors() -> Vec<Vector> {
    [decisions(), answers()].concat()
}
