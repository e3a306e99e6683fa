//! What the families about the log share: a small log, its keys and witnesses, and writers of notes and trees that can be
//! made to do it wrong. Written from C2SP and RFC 6962, a second time beside attest-core.

use attest_core::sign::Sign;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::token::{Seed, key};

/// The log's key.
pub const LOG: Seed = 5;
/// The witnesses' keys.
pub const WITNESS_ONE: Seed = 6;
/// The second.
pub const WITNESS_TWO: Seed = 7;
/// The log's next key.
pub const NEXT: Seed = 8;

/// The log's name.
pub const ORIGIN: &str = "files";
/// The first witness's name.
pub const ONE: &str = "witness-one.example";
/// The second's.
pub const TWO: &str = "witness-two.example";
/// When the first cosigned the example, in seconds.
pub const TIME: u64 = 1_800_000_001;

/// Signature types of C2SP signed-note.
pub const TYPE_LOG: u8 = 1;
/// Of a cosignature.
pub const TYPE_WITNESS: u8 = 4;

/// Names of the files of keys, and of the policy, that lie beside the vectors.
pub const KEYS: &str = "log.keys";
/// A log whose first key was retired at size 3.
pub const ROTATED: &str = "rotated.keys";
/// One of two witnesses is enough.
pub const POLICY: &str = "witness.policy";

/// The entries of `spec/entry.md` that a verifier's log begins with: start, decision, outcome.
pub const ENTRIES: [&str; 3] = [
    r#"{"audience":"files","policy":"-nly06BcN2MUdM2Sy9CMOYaoS1256IS2_d-ootQbrk0","time":1800000000000,"type":"start","version":"0.1.0"}"#,
    r#"{"agent":"a1","attestation":"6hpAzpP5xpy9DBdhfeo40iDZbYJVatlloaS0yHGlSTw","audience":"files","call":"x4Cph6bmATHRMxxVnKfzduWtZgvUjL5Ga1b2McGziHM","context":"BQUFBQUFBQUFBQUFBQUFBQ","decision":"allow","delegation":["IngmSD6TOSQJ35uOkgH18H0jp9LADM8WBeK55weMMg8","HGflKhyOrI9whKcUNudBP8HhvbDxNrWcXHvjVTWCH94"],"key":"nRIE2VmKdMjL1JD7tbV7fXVgXxmv0GKnMFWRUJMTf9Q","params":"QixF7LHoaKo7MatPvu43eamCOQTe4KyDPHemzr5wQ6Q","policy":"-nly06BcN2MUdM2Sy9CMOYaoS1256IS2_d-ootQbrk0","time":1800000000005,"tool":"read_file","type":"decision"}"#,
    r#"{"audience":"files","call":"x4Cph6bmATHRMxxVnKfzduWtZgvUjL5Ga1b2McGziHM","result":"XMN1HZ55JTHJCNULzH0xc9niFtgej08BHyUvGCg-uHM","status":"result","time":1800000000040,"type":"outcome"}"#,
];

/// A hash.
pub type Hash = [u8; 32];

/// Padded base64.
pub fn base64(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

/// Hash of an entry.
pub fn leaf(entry: impl AsRef<[u8]>) -> Hash {
    Sha256::new().chain_update([0]).chain_update(entry).finalize().into()
}

/// Hash of two subtrees.
pub fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// The largest power of two below `n`.
fn split(n: usize) -> usize {
    (n - 1).checked_ilog2().map_or(0, |bits| 1 << bits)
}

/// MTH of RFC 6962, section 2.1, over hashes of entries.
pub fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Sha256::digest([]).into(),
        [one] => *one,
        more => {
            let (left, right) = more.split_at(split(more.len()));
            node(&root(left), &root(right))
        }
    }
}

/// PATH of RFC 6962, section 2.1.1.
pub fn path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let at = split(leaves.len());
    let (left, right) = leaves.split_at(at);
    let (mut path, other) =
        if index < at { (path(index, left), root(right)) } else { (path(index - at, right), root(left)) };
    path.push(other);
    path
}

/// PROOF of RFC 6962, section 2.1.2; empty where there is nothing to prove.
pub fn consistency(old: usize, leaves: &[Hash]) -> Vec<Hash> {
    if old == 0 { Vec::new() } else { subproof(old, leaves, true) }
}

fn subproof(old: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if whole { Vec::new() } else { vec![root(leaves)] };
    }
    let at = split(leaves.len());
    let (left, right) = leaves.split_at(at);
    let (mut proof, other) = if old <= at {
        (subproof(old, left, whole), root(right))
    } else {
        (subproof(old - at, right, false), root(left))
    };
    proof.push(other);
    proof
}

/// The root that `path` leads to in a tree too large to be made: the definition of PATH, read backwards.
pub fn root_of_path(leaf: &Hash, index: u64, size: u64, path: &[Hash]) -> Hash {
    if size == 1 {
        assert!(path.is_empty(), "too many hashes");
        return *leaf;
    }
    let (sibling, path) = path.split_last().expect("too few hashes");
    let at = 1 << (size - 1).ilog2();
    if index < at {
        node(&root_of_path(leaf, index, at, path), sibling)
    } else {
        node(sibling, &root_of_path(leaf, index - at, size - at, path))
    }
}

/// Hashes of `n` entries, the texts `0`, `1`, …
pub fn leaves(n: usize) -> Vec<Hash> {
    (0..n).map(|i| leaf(i.to_string())).collect()
}

/// Hashes of the example's entries.
pub fn example_leaves() -> Vec<Hash> {
    ENTRIES.iter().map(leaf).collect()
}

/// Id of a key.
pub fn key_id(name: &str, kind: u8, key: &[u8]) -> [u8; 4] {
    let hash = Sha256::new().chain_update(name).chain_update([b'\n', kind]).chain_update(key).finalize();
    [hash[0], hash[1], hash[2], hash[3]]
}

/// The id in hexadecimal.
pub fn hex(id: [u8; 4]) -> String {
    id.iter().map(|b| format!("{b:02x}")).collect()
}

/// A verifier key of any bytes.
pub fn vkey_of(name: &str, kind: u8, key: &[u8]) -> String {
    format!("{name}+{}+{}", hex(key_id(name, kind, key)), base64([&[kind], key].concat()))
}

/// A seed's verifier key.
pub fn vkey(name: &str, kind: u8, seed: Seed) -> String {
    vkey_of(name, kind, key(seed).public().as_bytes())
}

/// The log's.
pub fn log_vkey() -> String {
    vkey(ORIGIN, TYPE_LOG, LOG)
}

/// The log's next one.
pub fn next_vkey() -> String {
    vkey(ORIGIN, TYPE_LOG, NEXT)
}

/// The first witness's.
pub fn one_vkey() -> String {
    vkey(ONE, TYPE_WITNESS, WITNESS_ONE)
}

/// The second witness's.
pub fn two_vkey() -> String {
    vkey(TWO, TYPE_WITNESS, WITNESS_TWO)
}

/// A signature line around any bytes, under a seed's id.
pub fn line(name: &str, kind: u8, seed: Seed, bytes: &[u8]) -> String {
    line_of(name, key_id(name, kind, key(seed).public().as_bytes()), bytes)
}

/// A signature line of any id.
pub fn line_of(name: &str, id: [u8; 4], bytes: &[u8]) -> String {
    format!("— {name} {}\n", base64([&id, bytes].concat()))
}

/// A signature.
pub fn signature(seed: Seed, message: impl AsRef<[u8]>) -> Vec<u8> {
    key(seed).sign(message.as_ref()).unwrap().to_vec()
}

/// A log's line under a text.
pub fn log_line(text: &str, name: &str, seed: Seed) -> String {
    line(name, TYPE_LOG, seed, &signature(seed, text))
}

/// A text and its log's line.
pub fn note(text: &str, seed: Seed) -> String {
    format!("{text}\n{}", log_line(text, ORIGIN, seed))
}

/// What a witness signs.
pub fn cosigned_message(text: &str, time: u64) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

/// A cosignature's bytes.
pub fn cosignature(text: &str, time: u64, seed: Seed) -> Vec<u8> {
    [&time.to_be_bytes()[..], &signature(seed, cosigned_message(text, time))].concat()
}

/// A witness's line under a text.
pub fn witness_line(text: &str, time: u64, name: &str, seed: Seed) -> String {
    line(name, TYPE_WITNESS, seed, &cosignature(text, time, seed))
}

/// A checkpoint's text.
pub fn checkpoint_text(origin: &str, size: usize, root: &Hash) -> String {
    format!("{origin}\n{size}\n{}\n", base64(root))
}

/// Text of the checkpoint of the first `size` of the entries `0`, `1`, …
pub fn text_at(size: usize) -> String {
    checkpoint_text(ORIGIN, size, &root(&leaves(size)))
}

/// Text of the example's checkpoint.
pub fn example_text() -> String {
    checkpoint_text(ORIGIN, ENTRIES.len(), &root(&example_leaves()))
}

/// The example's checkpoint, cosigned by the first witness.
pub fn example_checkpoint() -> String {
    let text = example_text();
    note(&text, LOG) + &witness_line(&text, TIME, ONE, WITNESS_ONE)
}

/// Hashes, one a line.
pub fn lines(hashes: &[Hash]) -> String {
    hashes.iter().map(|hash| format!("{}\n", base64(hash))).collect()
}

/// The example's proof of its decision.
pub fn example_proof() -> String {
    format!(
        "c2sp.org/tlog-proof@v1\nextra {}\nindex 1\n{}\n{}",
        base64(ENTRIES[1]),
        lines(&path(1, &example_leaves())),
        example_checkpoint()
    )
}

/// The example's request to a witness that cosigned the first two entries.
pub fn example_request() -> String {
    let proof = lines(&consistency(2, &example_leaves()));
    format!("old 2\n{proof}\n{}", note(&example_text(), LOG))
}

/// The text of [`KEYS`].
pub fn keys() -> String {
    format!("{}\n", log_vkey())
}

/// The text of [`ROTATED`].
pub fn rotated() -> String {
    format!("{} until 3\n{}\n", log_vkey(), next_vkey())
}

/// The text of [`POLICY`], which is the example of its page.
pub fn policy() -> String {
    format!(
        "# The log of the files server, seen by one of two.\nlog {}\nwitness one {} https://witness-one.example/\nwitness two {} \
         https://witness-two.example/attest/\ngroup both any one two\nquorum both\n",
        log_vkey(),
        one_vkey(),
        two_vkey()
    )
}

/// What the pages open with, page by page: a test looks whether it stands there.
pub fn examples() -> Vec<(&'static str, String)> {
    let leaves = example_leaves();
    let hash = |hash: &Hash| base64(hash);
    let merkle = format!(
        "leaf 0                      {}\nleaf 1                      {}\nleaf 2                      {}\nnode of leaves 0 and 1      {}\nroot of 3                   {}\n\
         inclusion of 1 in 3         {}\n                            {}\nconsistency of 2 with 3     {}\n",
        hash(&leaves[0]),
        hash(&leaves[1]),
        hash(&leaves[2]),
        hash(&root(&leaves[..2])),
        hash(&root(&leaves)),
        hash(&path(1, &leaves)[0]),
        hash(&path(1, &leaves)[1]),
        hash(&consistency(2, &leaves)[0]),
    );
    let text = "Who calls is known.\n\nWhat was called is written down.\n";
    vec![
        ("merkle", merkle),
        ("note", format!("```\n{}```", note(text, LOG))),
        ("note", format!("`{}`", log_vkey())),
        ("checkpoint", format!("```\n{}```", note(&example_text(), LOG))),
        ("checkpoint", format!("```\n{}```", rotated())),
        ("cosignature", format!("```\n{}```", example_checkpoint())),
        ("cosignature", format!("```\n{}```", cosigned_message(&example_text(), TIME))),
        ("cosignature", format!("`{}`", one_vkey())),
        ("tlog-proof", format!("```\n{}```", example_proof())),
        ("witness", format!("```\n{}```", example_request())),
        ("witness", format!("```\n{}```", witness_line(&example_text(), TIME, ONE, WITNESS_ONE))),
        ("log-policy", format!("```\n{}```", policy())),
        ("README", format!("`{}`", log_vkey())),
        ("README", format!("`{}`", one_vkey())),
        ("README", format!("`{}`", two_vkey())),
        ("README", format!("`{}`", next_vkey())),
    ]
}
