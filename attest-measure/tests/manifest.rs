//! What the digest of a set of files depends on, and what it does not.
#![allow(clippy::unwrap_used, reason = "a helper of tests fails its test")]

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use attest_core::digest::Digest;
use attest_measure::{FileSet, Manifest, Progress};

fn manifest(path: &Path) -> Manifest {
    FileSet::new([path]).manifest(&|_| {}).unwrap().value
}

/// A small model.
fn model() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[("config.json", b"{}"), ("shards/b.bin", b"second"), ("shards/a.bin", b"first.")]);
    dir
}

fn write(dir: &Path, files: &[(&str, &[u8])]) {
    for (name, content) in files {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

fn names(manifest: &Manifest) -> Vec<&str> {
    manifest.files.iter().map(|f| f.name.as_str()).collect()
}

#[test]
fn a_manifest_lists_names_sizes_and_digests_in_order() {
    let dir = model();
    let manifest = manifest(dir.path());
    assert_eq!(names(&manifest), ["config.json", "shards/a.bin", "shards/b.bin"]);
    assert_eq!(manifest.files[2].digest, Digest::of("second"));
    assert_eq!(manifest.files[2].size, 6);
    assert_eq!(manifest.size(), 14);
    assert_eq!(manifest.digest, Digest::of(manifest.canonical()));
}

#[test]
fn one_flipped_bit_anywhere_changes_the_digest() {
    let dir = tempfile::tempdir().unwrap();
    // Longer than one read, and not a multiple of it.
    let mut bytes: Vec<u8> = (0..(1 << 20) + 4321u32).map(|i| (i % 251) as u8).collect();
    let path = dir.path().join("model.bin");
    fs::write(&path, &bytes).unwrap();
    let before = manifest(dir.path());
    assert_eq!(before.files[0].digest, Digest::of(&bytes));
    for at in [0, 1, (1 << 20) - 1, 1 << 20, bytes.len() - 1] {
        bytes[at] ^= 1;
        fs::write(&path, &bytes).unwrap();
        assert_ne!(manifest(dir.path()).digest, before.digest, "byte {at}");
        bytes[at] ^= 1;
    }
    fs::write(&path, &bytes).unwrap();
    assert_eq!(manifest(dir.path()), before);
}

#[test]
fn a_renamed_added_removed_or_swapped_file_changes_the_digest() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 6] = [
        ("renamed", |d| fs::rename(d.join("config.json"), d.join("Config.json")).unwrap()),
        ("moved", |d| fs::rename(d.join("shards/a.bin"), d.join("a.bin")).unwrap()),
        ("removed", |d| fs::remove_file(d.join("shards/a.bin")).unwrap()),
        ("added, empty and hidden", |d| fs::write(d.join(".hidden"), b"").unwrap()),
        ("one byte moved over", |d| write(d, &[("shards/a.bin", b"first"), ("shards/b.bin", b".second")])),
        ("swapped", |d| write(d, &[("shards/a.bin", b"second"), ("shards/b.bin", b"first.")])),
    ];
    for (name, change) in changes {
        let dir = model();
        let before = manifest(dir.path());
        change(dir.path());
        assert_ne!(manifest(dir.path()).digest, before.digest, "{name}");
    }
}

#[test]
fn place_times_modes_empty_folders_and_the_order_of_creation_do_not_count() {
    let one = model();
    let other = tempfile::tempdir().unwrap();
    let dir = other.path().join("elsewhere");
    write(&dir, &[("shards/a.bin", b"first."), ("shards/b.bin", b"second"), ("config.json", b"{}")]);
    fs::create_dir(dir.join("empty")).unwrap();
    fs::set_permissions(dir.join("config.json"), std::os::unix::fs::PermissionsExt::from_mode(0o400)).unwrap();
    assert_eq!(manifest(one.path()), manifest(&dir));
}

#[test]
fn many_files_are_listed_in_order_whatever_order_the_folder_gives() {
    let wanted: Vec<String> = (0..600).map(|i| format!("{i:03}")).collect();
    let dir = tempfile::tempdir().unwrap();
    // 7 and 600 have no common factor, so this visits every number once.
    for i in (0..600).map(|i| i * 7 % 600) {
        fs::write(dir.path().join(&wanted[i]), wanted[i].as_bytes()).unwrap();
    }
    let manifest = manifest(dir.path());
    assert_eq!(names(&manifest), wanted);
    assert!(manifest.files.iter().all(|f| f.digest == Digest::of(&f.name)), "each digest beside its own name");
}

#[test]
fn a_link_inside_the_folder_counts_as_a_file_of_its_own_name() {
    let linked = tempfile::tempdir().unwrap();
    write(linked.path(), &[("blobs/1", b"weights")]);
    symlink("blobs/1", linked.path().join("model.bin")).unwrap();
    symlink("blobs", linked.path().join("same")).unwrap();
    let plain = tempfile::tempdir().unwrap();
    write(plain.path(), &[("blobs/1", b"weights"), ("model.bin", b"weights"), ("same/1", b"weights")]);
    assert_eq!(manifest(linked.path()), manifest(plain.path()));
}

#[test]
fn a_cache_with_links_between_its_folders_is_measured_when_that_is_allowed() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[("blobs/1", b"weights"), ("snapshots/rev/README", b"")]);
    symlink("../../blobs/1", dir.path().join("snapshots/rev/model.bin")).unwrap();
    let snapshot = dir.path().join("snapshots/rev");
    assert!(FileSet::new([&snapshot]).manifest(&|_| {}).is_err());
    let allowed = FileSet::new([&snapshot]).links_within(dir.path()).manifest(&|_| {}).unwrap();
    assert_eq!(names(&allowed.value), ["README", "model.bin"]);
    assert_eq!(allowed.value.files[1].digest, Digest::of("weights"));
}

#[test]
fn a_single_file_goes_by_its_own_name_and_through_any_link() {
    let dir = model();
    let file = manifest(&dir.path().join("config.json"));
    assert_eq!(names(&file), ["config.json"]);
    let link = tempfile::tempdir().unwrap();
    symlink(dir.path(), link.path().join("current")).unwrap();
    assert_eq!(manifest(&link.path().join("current")), manifest(dir.path()));
}

#[test]
fn of_several_paths_each_name_begins_with_the_paths_own() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[("base/config.json", b"1"), ("lora/config.json", b"2"), ("tokenizer.model", b"3")]);
    let set = FileSet::new(["lora", "tokenizer.model", "base"].map(|p| dir.path().join(p)));
    let manifest = set.manifest(&|_| {}).unwrap().value;
    assert_eq!(names(&manifest), ["base/config.json", "lora/config.json", "tokenizer.model"]);
    let turned = FileSet::new(["base", "lora", "tokenizer.model"].map(|p| dir.path().join(p)));
    assert_eq!(turned.manifest(&|_| {}).unwrap().value, manifest, "the order of the paths does not count");
}

#[test]
fn a_sparse_file_counts_with_its_zeros() {
    let dir = tempfile::tempdir().unwrap();
    File::create(dir.path().join("model.bin")).unwrap().set_len(9_000_001).unwrap();
    let manifest = manifest(dir.path());
    assert_eq!(manifest.files[0].size, 9_000_001);
    assert_eq!(manifest.files[0].digest, Digest::of(vec![0; 9_000_001]));
}

#[test]
fn progress_rises_to_the_total() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[("a", &[1; 3_000_000]), ("b", &[2; 2_500_000]), ("c", b"")]);
    let seen: Mutex<Vec<Progress>> = Mutex::default();
    FileSet::new([dir.path()]).manifest(&|p| seen.lock().unwrap().push(p)).unwrap();
    let seen = seen.into_inner().unwrap();
    assert!(seen.iter().all(|p| p.total == 5_500_000 && p.done <= p.total));
    assert_eq!(seen.iter().map(|p| p.done).max(), Some(5_500_000));
    assert!(seen.len() >= 6, "after every mebibyte: {}", seen.len());
}

#[test]
fn python_computes_the_same_digest_from_the_same_files() {
    const SCRIPT: &str = r#"
import base64, hashlib, json, os, sys
root, lines = sys.argv[1], []
b64 = lambda b: base64.urlsafe_b64encode(hashlib.sha256(b).digest()).rstrip(b"=").decode()
for folder, _, files in os.walk(root):
    for file in files:
        path = os.path.join(folder, file)
        data = open(path, "rb").read()
        lines.append({"name": os.path.relpath(path, root), "size": len(data), "digest": b64(data)})
lines.sort(key=lambda line: line["name"].encode())
print(b64(json.dumps(lines, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()))
"#;
    let dir = model();
    // Orders that differ between bytes, UTF-16 code units and "a/b" against "a-b"; characters that JSON escapes.
    let odd: [(&str, &[u8]); 7] = [
        ("\u{ffee}", b"1"),
        ("\u{1f9e0}", b"2"),
        ("shards-b", b"3"),
        ("caf\u{e9}", b"4"),
        ("cafe\u{301}", b"5"),
        ("quote\"back\\slash", b"6"),
        ("line\nfeed\ttab\u{1}", b""),
    ];
    write(dir.path(), &odd);
    let output = match Command::new("python3").args(["-c", SCRIPT]).arg(dir.path()).output() {
        Err(_) if std::env::var_os("CI").is_none() => return,
        output => output.unwrap(),
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let theirs = String::from_utf8(output.stdout).unwrap();
    assert_eq!(manifest(dir.path()).digest.to_b64(), theirs.trim());
}

#[test]
fn the_digest_of_a_known_model_stays_what_it_is() {
    // From the script above, so that a change of the format is noticed where there is no Python too.
    assert_eq!(manifest(model().path()).digest.to_b64(), "Do-JZsvBFsOqTrMOieFkZgjUWg9zfIbzay4okHs63BA");
}

#[test]
fn a_manifest_is_read_back_from_its_canonical_bytes_and_from_no_others() {
    use attest_measure::ManifestError;
    let dir = tempfile::tempdir().unwrap();
    for name in ["a", "b"] {
        fs::write(dir.path().join(name), name).unwrap();
    }
    let manifest = FileSet::new([dir.path()]).manifest(&|_| {}).unwrap().value;
    let bytes = manifest.canonical();
    assert_eq!(Manifest::from_canonical(&bytes), Ok(manifest));
    let text = String::from_utf8(bytes).unwrap();
    let refused = |text: String| Manifest::from_canonical(text.as_bytes()).unwrap_err();
    assert_eq!(refused(format!("{text}\n")), ManifestError::NotCanonical);
    assert_eq!(refused(text.replacen("\"size\":1", "\"size\":1.0", 1)), ManifestError::NotCanonical);
    assert_eq!(refused(text.replacen("\"size\":1", "\"size\":1,\"x\":1", 1)), ManifestError::NotCanonical);
    let (first, second) = text[1..text.len() - 1].split_once("},").unwrap();
    assert_eq!(refused(format!("[{second},{first}}}]")), ManifestError::NotCanonical);
    assert!(matches!(refused(text.replace("\"b\"", "\"A\"")), ManifestError::SameName { .. }));
    assert!(matches!(refused(text.replace("\"b\"", "\"a\"")), ManifestError::SameName { .. }));
    assert_eq!(refused(text.replacen("\"size\":1", "\"size\":-1", 1)), ManifestError::Form);
    assert_eq!(refused("[]".into()), ManifestError::Form);
    assert_eq!(refused("{}".into()), ManifestError::Form);
    assert!(matches!(refused(text[..text.len() - 1].into()), ManifestError::Json(_)));
}
