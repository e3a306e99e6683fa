//! What the digest of tensors depends on, and which files are refused.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a helper of tests fails its test")]

mod common;

use std::fs;
use std::path::Path;

use attest_core::digest::Digest;
use attest_measure::{FileSet, MeasureError, TensorError, TensorManifest};
use common::{gguf, gguf_file, gguf_info, gguf_setting, gguf_text, measure, raw, safetensors, sharded};
use safetensors::Dtype;

fn tensors(path: &Path) -> TensorManifest {
    measure(path).unwrap().1
}

/// Why a single file of this name with these bytes is refused.
fn refused(name: &str, bytes: &[u8]) -> TensorError {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(name), bytes).unwrap();
    match measure(dir.path()).unwrap_err() {
        MeasureError::Tensors { error, .. } => error,
        other => panic!("{other}"),
    }
}

fn gguf_refused(bytes: &[u8], word: &str) {
    match refused("m.gguf", bytes) {
        TensorError::CutOff => assert_eq!(word, "", "cut off, and not {word:?}"),
        TensorError::Gguf { detail } if !word.is_empty() => {
            assert!(detail.contains(word), "{detail:?} should hold {word:?}")
        }
        other => panic!("{other}"),
    }
}

#[test]
fn every_tensor_of_a_sharded_model_has_its_own_digest_and_the_files_digest_is_the_same_as_without() {
    let dir = tempfile::tempdir().unwrap();
    sharded(dir.path());
    let (files, tensors) = measure(dir.path()).unwrap();
    assert_eq!(FileSet::new([dir.path()]).manifest(&|_| {}).unwrap().value, files);
    let names: Vec<&str> = tensors.files.iter().flat_map(|f| &f.tensors).map(|t| t.name.as_str()).collect();
    assert_eq!(names, ["model.bias", "model.embed.weight", "lm_head.weight"]);
    let embed = &tensors.files[0].tensors[1];
    assert_eq!((embed.dtype.as_str(), &embed.shape[..], embed.digest), ("F32", &[2, 3][..], Digest::of([1; 24])));
    assert_eq!(tensors.files[1].tensors[0].digest, Digest::of([2; 12]));
    let bytes = fs::read(dir.path().join(&tensors.files[1].file)).unwrap();
    assert_eq!(tensors.files[1].header, Digest::of(&bytes[..bytes.len() - 12]));
    assert_eq!(tensors.digest, Digest::of(tensors.canonical()));
    assert_eq!(tensors.count(), 3);
}

#[test]
fn the_manifest_is_the_canonical_json_of_the_specification() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.safetensors");
    fs::write(&path, safetensors(&[("w", Dtype::U8, &[3], b"abc")])).unwrap();
    let manifest = tensors(&path);
    let expected = format!(
        r#"[{{"file":"a.safetensors","header":"{}","tensors":[{{"digest":"{}","dtype":"U8","name":"w","shape":[3]}}]}}]"#,
        manifest.files[0].header,
        Digest::of("abc"),
    );
    assert_eq!(manifest.canonical(), expected.as_bytes());
}

#[test]
fn one_changed_byte_changes_its_tensor_and_no_other_wherever_reads_are_cut() {
    // Longer than two reads, with a tensor across each of their ends.
    let big: Vec<u8> = (0..(2 << 20) + 100u32).map(|i| (i % 251) as u8).collect();
    let given = [
        ("a", Dtype::U8, &[5][..], &b"first"[..]),
        ("b", Dtype::U8, &[big.len()], &big[..]),
        ("c", Dtype::U8, &[4], b"last"),
    ];
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m.safetensors");
    let mut bytes = safetensors(&given);
    fs::write(&path, &bytes).unwrap();
    let before = tensors(&path).files.remove(0).tensors;
    for (tensor, (.., data)) in before.iter().zip(given) {
        assert_eq!(tensor.digest, Digest::of(data), "{}", tensor.name);
    }
    let start = bytes.len() - big.len() - 9;
    for (at, changed) in
        [(start, "a"), (start + 5, "b"), (1 << 20, "b"), (start + 4 + big.len(), "b"), (bytes.len() - 4, "c")]
    {
        bytes[at] ^= 1;
        fs::write(&path, &bytes).unwrap();
        bytes[at] ^= 1;
        let after = tensors(&path).files.remove(0).tensors;
        let differ: Vec<&str> =
            before.iter().zip(&after).filter(|(a, b)| a != b).map(|(a, _)| a.name.as_str()).collect();
        assert_eq!(differ, [changed], "byte {at}");
    }
}

#[test]
fn a_tensor_without_bytes_is_one() {
    let dir = tempfile::tempdir().unwrap();
    let given = [("empty", Dtype::F32, &[0, 4][..], &b""[..]), ("w", Dtype::U8, &[1], b"x")];
    fs::write(dir.path().join("a.safetensors"), safetensors(&given)).unwrap();
    fs::write(dir.path().join("b.safetensors"), safetensors(&given[..1])).unwrap();
    let found = tensors(dir.path());
    assert_eq!(found.count(), 3);
    assert_eq!(found.files[1].tensors[0].digest, Digest::of(""));
}

#[test]
fn files_without_tensors_are_not_in_it_and_a_model_without_any_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("none.safetensors"), raw("{}", b"")).unwrap();
    fs::write(dir.path().join("pytorch_model.bin"), b"PK").unwrap();
    assert!(matches!(measure(dir.path()), Err(MeasureError::NoTensors { .. })));
    fs::write(dir.path().join("one.safetensors"), safetensors(&[("w", Dtype::U8, &[1], b"x")])).unwrap();
    assert_eq!(tensors(dir.path()).files.len(), 1);
}

#[test]
fn the_name_behind_a_link_says_what_a_file_is() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("blobs")).unwrap();
    fs::create_dir_all(dir.path().join("snapshots/1")).unwrap();
    fs::write(dir.path().join("blobs/9f86d081"), safetensors(&[("w", Dtype::U8, &[1], b"x")])).unwrap();
    std::os::unix::fs::symlink("../../blobs/9f86d081", dir.path().join("snapshots/1/model.safetensors")).unwrap();
    let set = FileSet::new([dir.path().join("snapshots/1")]).links_within(dir.path());
    let found = set.manifest_and_tensors(&|_| {}).unwrap().value.1;
    assert_eq!(found.files[0].file, "model.safetensors");
}

#[test]
fn a_header_that_lies_about_its_length_is_refused_before_memory_is_taken() {
    for (length, limit) in [(1u64 << 40, 2), (u64::MAX, 2), (3, 2)] {
        let bytes = [&length.to_le_bytes()[..], b"{}"].concat();
        assert_eq!(refused("m.safetensors", &bytes), TensorError::HeaderLength { length, limit });
    }
    assert!(matches!(refused("m.safetensors", b"short"), TensorError::HeaderLength { .. }));
    // A file with room for it, and a header longer than the form allows: sparse, so that it takes no disk.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m.safetensors");
    fs::write(&path, 100_000_001u64.to_le_bytes()).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_len(200_000_000).unwrap();
    let error = measure(&path).unwrap_err();
    let limit = TensorError::HeaderLength { length: 100_000_001, limit: 100_000_000 };
    assert!(matches!(error, MeasureError::Tensors { error, .. } if error == limit));
}

#[test]
fn a_header_of_very_many_parts_is_refused_before_memory_is_taken() {
    let header = format!(r#"{{"w":{{"dtype":"U8","shape":[{}1],"data_offsets":[0,1]}}}}"#, "1,".repeat(4_000_000));
    assert_eq!(refused("m.safetensors", &raw(&header, b"x")), TensorError::TooManyParts { limit: 4_000_000 });
}

#[test]
fn headers_with_two_meanings_or_tensors_that_do_not_fit_the_file_are_refused() {
    let tensor = |dtype: &str, shape: &str, offsets: &str| {
        format!(r#"{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}"#)
    };
    let (w, x) = (tensor("U8", "[2]", "[0,2]"), tensor("U8", "[2]", "[2,4]"));
    let one = |t: &str| format!("{{\"w\":{t}}}");
    let two = |a: &str, b: &str| format!("{{\"w\":{a},\"x\":{b}}}");
    let form = |about: &str| TensorError::Form { about: about.into() };
    let offset = |tensor: &str| TensorError::Offset { tensor: tensor.into() };
    let cases = [
        ("hole", two(&w, &tensor("U8", "[1]", "[3,4]")), offset("x")),
        ("overlap", two(&w, &tensor("U8", "[3]", "[1,4]")), offset("x")),
        ("first byte without a tensor", one(&tensor("U8", "[3]", "[1,4]")), offset("w")),
        ("backwards", one(&tensor("U8", "[0]", "[4,0]")), offset("w")),
        ("shape of another size", one(&tensor("U8", "[3]", "[0,4]")), TensorError::Size),
        ("shape that overflows", one(&tensor("U8", "[4294967296,4294967296,4294967296]", "[0,4]")), TensorError::Size),
        ("bytes without a tensor at the end", one(&w), TensorError::End { end: 0, size: 0 }),
        ("cut off", two(&w, &tensor("U8", "[9]", "[2,11]")), TensorError::End { end: 0, size: 0 }),
        (
            "unknown type",
            one(&tensor("F7", "[4]", "[0,4]")),
            TensorError::Dtype { tensor: "w".into(), dtype: "F7".into() },
        ),
        ("fraction", one(&tensor("U8", "[4]", "[0,4.5]")), form("w")),
        ("negative", one(&tensor("U8", "[4]", "[-4,0]")), form("w")),
        ("another member", one(r#"{"dtype":"U8","shape":[4],"data_offsets":[0,4],"a":1}"#), form("w")),
        ("a member missing", one(r#"{"dtype":"U8","shape":[4]}"#), form("w")),
        ("three offsets", one(&tensor("U8", "[4]", "[0,2,4]")), form("w")),
        ("metadata of numbers", format!(r#"{{"__metadata__":{{"a":1}},"w":{w},"x":{x}}}"#), form("__metadata__")),
        ("no object", "[]".into(), form("header")),
    ];
    for (case, header, expected) in cases {
        let error = refused("m.safetensors", &raw(&header, b"abcd"));
        match (&error, &expected) {
            (TensorError::End { end, size }, TensorError::End { .. }) => assert_ne!(end, size, "{case}"),
            _ => assert_eq!(error, expected, "{case}"),
        }
    }
    for twice in [two(&w, &x).replace("\"x\"", "\"w\""), two(&w, &x).replace("\"x\"", "\"\\u0077\"")] {
        assert!(matches!(refused("m.safetensors", &raw(&twice, b"abcd")), TensorError::Json(_)), "{twice}");
    }
}

#[test]
fn an_index_and_its_files_name_the_same_tensors() {
    let (first, second) = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors");
    let (embed, bias, head) = (("model.embed.weight", first), ("model.bias", first), ("lm_head.weight", second));
    let text = |(tensor, file): (&str, &str)| (tensor.to_owned(), file.to_owned());
    let cases: [(&[(&str, &str)], TensorError); 4] = [
        (&[embed, head], {
            let (tensor, file) = text(bias);
            TensorError::NotIndexed { tensor, file }
        }),
        (&[embed, bias, head, ("extra", first)], {
            let (tensor, file) = text(("extra", first));
            TensorError::IndexTensor { tensor, file }
        }),
        (&[embed, (bias.0, second), head], {
            let (tensor, file) = text(bias);
            TensorError::NotIndexed { tensor, file }
        }),
        (&[embed, bias, head, ("w", "model-00003-of-00002.safetensors")], {
            TensorError::IndexFile { file: "model-00003-of-00002.safetensors".into() }
        }),
    ];
    for (map, expected) in cases {
        let dir = tempfile::tempdir().unwrap();
        let below = dir.path().join("model");
        fs::create_dir(&below).unwrap();
        sharded(&below);
        measure(dir.path()).unwrap();
        common::index(&below, map);
        match measure(dir.path()).unwrap_err() {
            MeasureError::Tensors { error, .. } => assert_eq!(error, expected),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn an_index_without_a_map_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    sharded(dir.path());
    for text in ["{}", r#"{"weight_map":[]}"#, r#"{"weight_map":{"w":1}}"#, r#"{"weight_map":{},"weight_map":{}}"#] {
        fs::write(dir.path().join("model.safetensors.index.json"), text).unwrap();
        assert!(matches!(measure(dir.path()), Err(MeasureError::Tensors { .. })), "{text}");
    }
}

#[test]
fn the_tensors_of_a_gguf_file_are_hashed_without_what_aligns_them() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m.gguf");
    let block = [7u8; 18];
    let bytes = gguf(&[("blk.0.w", 0, &[3], &[1; 12]), ("blk.1.w", 2, &[32], &block), ("a", 1, &[2], &[3; 4])]);
    fs::write(&path, &bytes).unwrap();
    let found = tensors(&path).files.remove(0);
    let rows: Vec<_> = found.tensors.iter().map(|t| (t.name.as_str(), t.dtype.as_str(), t.digest)).collect();
    let expected = [
        ("a", "F16", Digest::of([3; 4])),
        ("blk.0.w", "F32", Digest::of([1; 12])),
        ("blk.1.w", "Q4_0", Digest::of(block)),
    ];
    assert_eq!(rows, expected);
    assert_eq!(found.header, Digest::of(&bytes[..bytes.len() - 96]));
}

#[test]
fn hostile_gguf_headers_are_refused() {
    let good = gguf(&[("w", 0, &[4], &[1; 16])]);
    let with = |at: usize, value: u64| {
        let mut bytes = good.clone();
        bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        bytes
    };
    gguf_refused(b"GGML and more than that, and more", "magic");
    gguf_refused(&with(8, 1 << 40), "1099511627776");
    gguf_refused(&with(8, 900_000), "too long");
    gguf_refused(&with(16, 1 << 40), "1099511627776");
    // The length of a setting's key, then that of its value.
    gguf_refused(&with(24, 1 << 40), "too long");
    gguf_refused(&with(24 + 8 + 12 + 4, 1 << 40), "budget");
    gguf_refused(&good[..good.len() - 20], "");
    for cut in [3, 7, 20, 30, 50, 70, 90] {
        gguf_refused(&good[..cut], "");
    }
    gguf_refused(&gguf(&[("w", 0, &[4], &[1; 16]), ("w", 0, &[4], &[1; 16])]), "w");
    gguf_refused(&gguf(&[("w", 77, &[4], &[1; 16])]), "77");
    let overlap = [gguf_info("a", 0, &[16], 0), gguf_info("b", 0, &[16], 32)].concat();
    gguf_refused(&gguf_file(2, &[], &overlap, &[0; 96]), "overlap");
    gguf_refused(&gguf_file(1, &[], &gguf_info("a", 0, &[1 << 29, 1 << 29, 1 << 29], 0), &[0; 96]), "overflow");
    gguf_refused(&gguf_file(1, &[], &gguf_info(&"a".repeat(5_000), 0, &[1], 0), &[0; 32]), "5000");
}

#[test]
fn arrays_in_a_gguf_header_are_bounded_in_depth_and_length() {
    let array = |kind: u32, count: u64, rest: &[u8]| [&kind.to_le_bytes()[..], &count.to_le_bytes(), rest].concat();
    let info = gguf_info("w", 0, &[4], 0);
    let file = |value: &[u8]| gguf_file(1, &[gguf_setting("k", 9, value)], &info, &[1; 32]);
    gguf_refused(&file(&array(4, 1 << 40, b"")), "budget");
    // A byte in the file is a whole value in memory: 16 million of them are refused by what they would take.
    gguf_refused(&file(&array(0, 16 << 20, &vec![0; 16 << 20])), "budget");
    let deep = (0..100_000).fold(array(4, 0, b""), |inner, _| inner);
    let nested: Vec<u8> = (0..100_000).flat_map(|_| array(9, 1, b"")).chain(deep).collect();
    gguf_refused(&file(&nested), "nest");
    let dir = tempfile::tempdir().unwrap();
    let words: Vec<u8> = (0..1_000).flat_map(|i| gguf_text(&format!("word {i}"))).collect();
    fs::write(dir.path().join("m.gguf"), file(&array(8, 1_000, &words))).unwrap();
    assert_eq!(tensors(dir.path()).count(), 1);
}
