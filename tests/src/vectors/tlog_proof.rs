//! The family `tlog_proof`: an entry, its place, and the checkpoint, in one text.

use super::file::Vector;
use super::log::{
    ENTRIES, KEYS, LOG, NEXT, ORIGIN, ROTATED, base64, checkpoint_text, example_leaves, example_proof, example_text,
    leaf, leaves, line, lines, note, path, root, signature, text_at,
};
use super::token::b64;

fn proof(name: &str, comment: &str, text: impl Into<Vec<u8>>) -> Vector {
    Vector::new("tlog-proof", format!("tlog_proof_{name}"), comment, text).with("keys", KEYS)
}

fn good(name: &str, comment: &str, text: String, index: usize, size: usize) -> Vector {
    let vector = proof(name, comment, text).with("expect", "accept");
    vector.with("index", &index.to_string()).with("size", &size.to_string())
}

fn refused(name: &str, comment: &str, text: impl Into<Vec<u8>>, code: &str) -> Vector {
    proof(name, comment, text).with("expect", code)
}

/// A proof without an entry in it.
fn bare(index: usize, path: &[[u8; 32]], checkpoint: &str) -> String {
    format!("c2sp.org/tlog-proof@v1\nindex {index}\n{}\n{checkpoint}", lines(path))
}

/// The family.
pub fn vectors() -> Vec<Vector> {
    let example = example_proof();
    let hashes = path(1, &example_leaves());
    let checkpoint = note(&example_text(), LOG);
    let extra = format!("extra {}\n", base64(ENTRIES[1]));
    let changed = |from: &str, to: &str| {
        assert!(example.contains(from), "{from} stands nowhere");
        example.replacen(from, to, 1)
    };
    let with_entry = |vector: Vector, entry: &str| vector.with("entry", &b64(entry));
    let of_signed =
        |checkpoint: &str| format!("c2sp.org/tlog-proof@v1\n{extra}index 1\n{}\n{checkpoint}", lines(&hashes));
    let big = leaves(100);
    let at_100 = note(&text_at(100), LOG);
    let many = |count: usize| lines(&vec![hashes[0]; count]);
    let one = leaf("0");
    let mut all = vec![
        good("good", "the page's example, cosigned", example.clone(), 1, 3),
        with_entry(
            good("good_entry_apart", "the entry given beside the proof", bare(1, &hashes, &checkpoint), 1, 3),
            ENTRIES[1],
        ),
        with_entry(good("good_of_100", "an entry of 100", bare(77, &path(77, &big), &at_100), 77, 100), "77"),
        with_entry(
            good(
                "good_of_1",
                "no hashes: the only entry",
                bare(0, &[], &note(&checkpoint_text(ORIGIN, 1, &one), LOG)),
                0,
                1,
            ),
            "0",
        ),
        with_entry(
            good(
                "good_entry_given",
                "another entry came along; the one given counts",
                changed(&extra, "extra AAAA\n"),
                1,
                3,
            ),
            ENTRIES[1],
        ),
        refused("no_entry", "no entry in the proof and none given", bare(1, &hashes, &checkpoint), "no-entry"),
        with_entry(
            refused("entry_given", "another entry is given than came along", example.clone(), "wrong-root"),
            ENTRIES[2],
        ),
        refused(
            "entry",
            "another entry came along",
            changed(&extra, &format!("extra {}\n", base64(ENTRIES[2]))),
            "wrong-root",
        ),
        refused("entry_empty", "the empty entry", changed(&extra, "extra \n"), "wrong-root"),
        refused("index", "another index of the same shape", changed("index 1", "index 0"), "wrong-root"),
        refused("index_shape", "an index with a shorter proof", changed("index 1", "index 2"), "proof-length"),
        refused("index_outside", "an index that is the size", changed("index 1", "index 3"), "outside-tree"),
        refused(
            "index_largest",
            "the largest index there is",
            changed("index 1", &format!("index {}", u64::MAX)),
            "outside-tree",
        ),
        refused(
            "index_2_64",
            "an index that overflows 64 bits to 1",
            changed("index 1", "index 18446744073709551617"),
            "bad-proof",
        ),
        refused("index_leading_zero", "an index with a leading zero", changed("index 1", "index 01"), "bad-proof"),
        refused("index_minus", "an index below zero", changed("index 1", "index -1"), "bad-proof"),
        refused("index_missing", "no index", changed("index 1\n", ""), "bad-proof"),
        refused(
            "index_before_entry",
            "the index before the entry",
            changed(&format!("{extra}index 1\n"), &format!("index 1\n{extra}")),
            "bad-proof",
        ),
        refused("index_twice", "the index twice", changed("index 1\n", "index 1\nindex 1\n"), "bad-proof"),
        refused("two_entries", "two entries", changed(&extra, &format!("{extra}{extra}")), "bad-proof"),
        refused("entry_base64", "an entry without padding", changed("n0=", "n0"), "bad-proof"),
        refused("no_head", "no first line", changed("c2sp.org/tlog-proof@v1\n", ""), "bad-proof"),
        refused("other_version", "another version", changed("@v1", "@v2"), "bad-proof"),
        refused("blank_line_in_front", "an empty line in front", format!("\n{example}"), "bad-proof"),
        refused("cr", "CR LF for the line feeds", example.replace('\n', "\r\n"), "bad-proof"),
        refused("no_empty_line", "no empty line before the checkpoint", changed("\n\n", "\n"), "bad-proof"),
        refused("short_hash", "a hash of 31 bytes", changed(&base64(hashes[0]), &base64([0; 31])), "bad-proof"),
        refused("hash_stray_bits", "a hash with unused bits set", changed("vs=", "vt="), "bad-proof"),
        refused("hash_with_a_blank", "a blank behind a hash", changed("vs=", "vs= "), "bad-proof"),
        refused("64_hashes", "64 hashes", changed(&lines(&hashes), &many(64)), "bad-proof"),
        refused("63_hashes", "63 hashes, which can be read", changed(&lines(&hashes), &many(63)), "proof-length"),
        refused(
            "utf_8",
            "bytes that are no UTF-8 in the checkpoint",
            [example.as_bytes(), &[0xff, b'\n']].concat(),
            "bad-proof",
        ),
        refused("empty", "no bytes at all", "", "bad-proof"),
        refused("hash_flipped", "another hash", changed(&base64(hashes[1]), &base64([0; 32])), "wrong-root"),
        refused("hash_dropped", "a hash left out", changed(&format!("{}\n", base64(hashes[1])), ""), "proof-length"),
        refused(
            "hash_added",
            "a hash too many",
            changed(&lines(&hashes), &(lines(&hashes) + &many(1))),
            "proof-length",
        ),
        refused(
            "swapped",
            "the hashes swapped",
            changed(&lines(&hashes), &lines(&[hashes[1], hashes[0]])),
            "wrong-root",
        ),
        refused("checkpoint_form", "a checkpoint that is none", of_signed(&note("files\n3\n", LOG)), "bad-checkpoint"),
        refused("checkpoint_missing", "no checkpoint", of_signed(""), "bad-checkpoint"),
        refused(
            "other_log",
            "another log's checkpoint",
            of_signed(&note(&example_text().replace(ORIGIN, "other"), LOG)),
            "other-log",
        ),
        refused("other_key", "a checkpoint by another key", of_signed(&note(&example_text(), NEXT)), "not-signed"),
        refused(
            "signature",
            "a checkpoint whose signature does not verify",
            of_signed(&format!("{}\n{}", example_text(), line(ORIGIN, 1, LOG, &signature(LOG, "x")))),
            "bad-signature",
        ),
        refused(
            "other_root",
            "a checkpoint of the log over another tree of this size",
            of_signed(&note(&text_at(3), LOG)),
            "wrong-root",
        ),
    ];
    let rotated = |vector: Vector| with_entry(vector.with("keys", ROTATED), "1");
    let of = |size: usize, seed: u8| {
        bare(1, &path(1, &leaves(size)), &note(&checkpoint_text(ORIGIN, size, &root(&leaves(size))), seed))
    };
    all.extend([
        rotated(good("rotated_old", "under a key that was retired since", of(3, LOG), 1, 3)),
        rotated(good("rotated_new", "under the key that followed", of(4, NEXT), 1, 4)),
        rotated(refused("rotated_back", "under a retired key, at a later size", of(4, LOG), "key-not-in-force")),
    ]);
    all
}
