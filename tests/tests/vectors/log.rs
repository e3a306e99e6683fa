//! The vectors about the log: trees, notes, checkpoints, proofs, tiles, witnesses, policies.

use std::fs;

use attest_core::b64;
use attest_core::checkpoint::LogKeys;
use attest_core::cosignature;
use attest_core::digest::Digest;
use attest_core::log_policy::LogPolicy;
use attest_core::merkle::{self, Growing, Hash};
use attest_core::note::{Kind, Note, Vkey};
use attest_core::tile::{self, Resource, Tile};
use attest_core::tlog_proof::{TlogProof, TlogProofError};
use attest_core::witness::{AddCheckpoint, Declined, Record, read_answer, read_size, size_text};
use attest_tests::vectors::directory;
use attest_tests::vectors::file::Vector;
use attest_tests::vectors::log::examples;
use attest_tests::vectors::receipt;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::each;

const ACCEPT: &str = "accept";
const REFUSE: &str = "refuse";

/// The lines of a body: what is before the last blank of each, and the hash or number behind it.
fn lines(vector: &Vector) -> Vec<(String, String)> {
    let body = str::from_utf8(&vector.body).unwrap();
    let split = |line: &str| {
        line.rsplit_once(' ').map_or((String::new(), line.to_owned()), |(a, b)| (a.to_owned(), b.to_owned()))
    };
    body.lines().map(split).collect()
}

fn hash(text: &str) -> Hash {
    STANDARD.decode(text).unwrap().try_into().unwrap()
}

fn vkey(vector: &Vector) -> Vkey {
    Vkey::parse(vector.get("vkey").unwrap()).unwrap()
}

fn read_keys(text: &[u8]) -> Option<LogKeys> {
    let lines: Vec<&str> = str::from_utf8(text).unwrap().lines().collect();
    LogKeys::parse(&lines).ok()
}

fn keys(vector: &Vector) -> LogKeys {
    read_keys(&fs::read(directory().join(vector.get("keys").unwrap())).unwrap()).unwrap()
}

/// Asserts that the header says the same.
fn same(vector: &Vector, key: &str, is: Option<String>) {
    assert_eq!(vector.get(key), is.as_deref(), "{}: {key}", vector.name);
}

#[test]
fn each_inclusion_proof_is_checked_as_its_vector_says() {
    each("inclusion", |vector| {
        let lines = lines(vector);
        let [(_, leaf), (_, index), (_, size), (_, root), path @ ..] = &lines[..] else { panic!("{}", vector.name) };
        let path: Vec<Hash> = path.iter().map(|(_, line)| hash(line)).collect();
        let (index, size) = (index.parse().unwrap(), size.parse().unwrap());
        let verdict = merkle::check_inclusion(&hash(leaf), index, size, &path, &hash(root));
        verdict.map_or_else(|error| error.code(), |()| "good").to_owned()
    });
}

#[test]
fn each_consistency_proof_is_checked_as_its_vector_says() {
    each("consistency", |vector| {
        let lines = lines(vector);
        let [(old, old_root), (new, root), path @ ..] = &lines[..] else { panic!("{}", vector.name) };
        let number = |text: &str, word| text.strip_prefix(word).unwrap().parse().unwrap();
        let path: Vec<Hash> = path.iter().map(|(_, line)| hash(line)).collect();
        let (old, new) = (number(old, "old "), number(new, "new "));
        let verdict = merkle::check_consistency(old, &hash(old_root), new, &hash(root), &path);
        verdict.map_or_else(|error| error.code(), |()| "good").to_owned()
    });
}

#[test]
fn each_key_of_a_note_is_read_as_its_vector_says() {
    each("vkey", |vector| {
        let text = str::from_utf8(&vector.body).unwrap();
        let Ok(key) = Vkey::parse(text) else { return REFUSE.to_owned() };
        assert_eq!(key.to_string(), text, "{}", vector.name);
        let kind = if key.kind() == Kind::Log { "log" } else { "witness" };
        same(vector, "type", Some(kind.to_owned()));
        ACCEPT.to_owned()
    });
}

#[test]
fn each_note_is_checked_as_its_vector_says() {
    each("note", |vector| {
        let verdict = Note::parse(&vector.body).and_then(|note| note.verify(&vkey(vector)).map(|()| note.text()));
        match verdict {
            Ok(text) => {
                same(vector, "digest", Some(Digest::of(text).to_b64()));
                ACCEPT.to_owned()
            }
            Err(error) => error.code().to_owned(),
        }
    });
}

#[test]
fn each_checkpoint_is_checked_as_its_vector_says() {
    each("checkpoint", |vector| match keys(vector).open(&vector.body) {
        Ok(checkpoint) => {
            same(vector, "size", Some(checkpoint.size.to_string()));
            same(vector, "root", Some(b64::encode(checkpoint.root)));
            ACCEPT.to_owned()
        }
        Err(error) => error.code().to_owned(),
    });
}

#[test]
fn each_list_of_a_logs_keys_is_read_as_its_vector_says() {
    each("log-keys", |vector| read_keys(&vector.body).map_or(REFUSE, |_| ACCEPT).to_owned());
}

#[test]
fn each_cosignature_is_checked_as_its_vector_says() {
    each("cosignature", |vector| {
        let verdict = Note::parse(&vector.body).and_then(|note| cosignature::check(&note, &vkey(vector)));
        same(vector, "time", verdict.ok().map(|time| time.to_string()));
        verdict.map_or_else(|error| error.code(), |_| ACCEPT).to_owned()
    });
}

#[test]
fn each_answer_of_a_witness_is_checked_as_its_vector_says() {
    each("witness-answer", |vector| {
        let text = String::from_utf8(b64::decode(vector.get("text").unwrap()).unwrap()).unwrap();
        let verdict = read_answer(&text, &vector.body, &vkey(vector));
        same(vector, "time", verdict.ok().map(|(time, _)| time.to_string()));
        if let Ok((_, line)) = verdict {
            assert!(String::from_utf8_lossy(&vector.body).contains(line) && line.ends_with('\n'), "{}", vector.name);
        }
        verdict.map_or_else(|error| error.code(), |_| ACCEPT).to_owned()
    });
}

#[test]
fn each_proof_of_an_entry_is_checked_as_its_vector_says() {
    each("tlog-proof", |vector| {
        let given = vector.get("entry").map(|entry| b64::decode(entry).unwrap());
        let keys = keys(vector);
        let read = str::from_utf8(&vector.body).map_err(|_| TlogProofError::Form).and_then(TlogProof::parse);
        let verdict = read.and_then(|proof| {
            assert_eq!(proof.to_text().as_bytes(), vector.body, "{}", vector.name);
            let checkpoint = match &given {
                Some(entry) => proof.check_entry(entry, &keys)?,
                None => proof.check(&keys)?.1,
            };
            Ok((proof.index, checkpoint.size))
        });
        same(vector, "index", verdict.as_ref().ok().map(|(index, _)| index.to_string()));
        same(vector, "size", verdict.as_ref().ok().map(|(_, size)| size.to_string()));
        verdict.map_or_else(|error| error.code(), |_| ACCEPT).to_owned()
    });
}

#[test]
fn each_path_is_read_as_its_vector_says() {
    each("tile-path", |vector| {
        let path = str::from_utf8(&vector.body).unwrap();
        let Some(resource) = Resource::parse(path) else { return REFUSE.to_owned() };
        assert_eq!(resource.to_string(), path, "{}", vector.name);
        let is = match resource {
            Resource::Checkpoint => "checkpoint".to_owned(),
            Resource::Tile(tile) => format!("tile {} {} {}", tile.level(), tile.index(), tile.width()),
            Resource::Entries(tile) => format!("entries {} {}", tile.index(), tile.width()),
        };
        same(vector, "is", Some(is));
        ACCEPT.to_owned()
    });
}

#[test]
fn each_tile_of_a_tree_has_the_width_that_its_vector_says() {
    each("tile-of-tree", |vector| {
        let numbers: Vec<u64> = str::from_utf8(&vector.body).unwrap().split(' ').map(|n| n.parse().unwrap()).collect();
        let tile = Tile::of_tree(u8::try_from(numbers[0]).unwrap(), numbers[1], numbers[2]);
        tile.map_or("none".to_owned(), |tile| tile.width().to_string())
    });
}

#[test]
fn each_bundle_is_read_as_its_vector_says() {
    each("bundle", |vector| {
        let width = vector.get("width").unwrap().parse().unwrap();
        let Some(entries) = tile::read_bundle(&vector.body, width) else { return REFUSE.to_owned() };
        assert_eq!(tile::write_bundle(&entries).as_deref(), Some(&vector.body[..]), "{}", vector.name);
        let mut tree = Growing::new();
        entries.iter().for_each(|entry| tree.push(merkle::leaf(entry)));
        same(vector, "root", Some(b64::encode(tree.root())));
        ACCEPT.to_owned()
    });
}

#[test]
fn each_request_to_a_witness_is_decided_as_its_vector_says() {
    let recorded = |record: &Record| format!("{} {}", record.size, b64::encode(record.root));
    each("add-checkpoint", |vector| {
        let keys = keys(vector);
        let record = vector.get("record").map(|text| {
            let (size, root) = text.split_once(' ').unwrap();
            Record { size: size.parse().unwrap(), root: b64::decode_exact(root).unwrap() }
        });
        let request = AddCheckpoint::parse(&vector.body);
        let decision = request.as_ref().map_err(|error| *error).and_then(|request| {
            assert_eq!(request.to_text().as_bytes(), vector.body, "{}", vector.name);
            let watched = request.origin()? == keys.origin();
            request.decide(watched.then_some(&keys), record.as_ref())
        });
        same(vector, "recorded", decision.as_ref().ok().map(|cosign| recorded(&cosign.record)));
        match decision {
            Ok(cosign) => {
                let note = &request.as_ref().unwrap().checkpoint;
                assert!(
                    note.starts_with(&format!("{}\n", cosign.text)) && note.starts_with(&cosign.origin),
                    "{}",
                    vector.name
                );
                "200".to_owned()
            }
            Err(declined) => {
                let latest =
                    if let Declined::OldSize(size) = declined { read_size(size_text(size).as_bytes()) } else { None };
                same(vector, "latest", latest.map(|size| size.to_string()));
                declined.status().to_string()
            }
        }
    });
}

#[test]
fn each_policy_is_read_and_satisfied_as_its_vector_says() {
    each("log-policy", |vector| match LogPolicy::parse(&vector.body) {
        Err(error) => {
            same(vector, "line", error.line.map(|line| line.to_string()));
            REFUSE.to_owned()
        }
        Ok(policy) => {
            let by: Vec<&str> = vector.get("by").unwrap_or_default().split(' ').collect();
            if policy.satisfied_by(|_, witness| by.contains(&witness.name.as_str())) { "yes" } else { "no" }.to_owned()
        }
    });
}

#[test]
fn each_checkpoint_is_witnessed_as_its_vector_says() {
    each("witnessed", |vector| {
        let policy = fs::read(directory().join(vector.get("policy").unwrap())).unwrap();
        let policy = LogPolicy::parse(&policy).unwrap();
        let witnessed =
            match Note::parse(&vector.body).and_then(|note| Ok((policy.witnessed(&note)?, policy.open_note(&note)))) {
                Err(error) => return error.code().to_owned(),
                Ok((witnessed, opened)) => {
                    same(vector, "log", Some(opened.map_or_else(|error| error.code(), |_| ACCEPT).to_owned()));
                    witnessed
                }
            };
        let names = witnessed.cosigned.iter().map(|(at, time)| format!("{} {time}", policy.witnesses()[*at].name));
        let names: Vec<String> = names.collect();
        same(vector, "witnesses", (!names.is_empty()).then(|| names.join(" ")));
        let met = match (vector.get("from"), vector.get("to")) {
            (Some(from), Some(to)) => policy.met_within(&witnessed, &(from.parse().unwrap()..=to.parse().unwrap())),
            _ => witnessed.met,
        };
        if met { "yes" } else { "no" }.to_owned()
    });
}

#[test]
fn the_pages_about_the_log_open_with_what_is_true_of_the_test_keys() {
    for (page, example) in examples().into_iter().chain(receipt::examples()) {
        let path = directory().join("..").join(format!("{page}.md"));
        assert!(fs::read_to_string(path).unwrap().contains(&example), "{page}.md does not have\n{example}");
    }
}
