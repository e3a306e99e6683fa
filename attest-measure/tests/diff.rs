//! What is said of two states that differ, and which documents are not believed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a helper of tests fails its test")]

mod common;

use std::fs;
use std::path::Path;

use attest_core::digest::Digest;
use attest_core::json;
use attest_core::measurement::{Component, Grade, Measurement};
use attest_measure::diff::{self, Change, TensorsChange, What};
use attest_measure::{Document, DocumentError, Lists};
use common::{Given, measure, safetensors, sharded};
use safetensors::Dtype;

fn document(path: &Path) -> Document {
    let (weights, tensors) = measure(path).unwrap();
    let row = |component, digest| Measurement { component, digest, grade: Grade::OnDisk };
    Document {
        agent: "a".into(),
        measurements: vec![row(Component::ModelTensors, tensors.digest), row(Component::ModelWeights, weights.digest)],
        lists: Lists { harness: None, weights: Some(weights), tensors: Some(tensors) },
    }
}

/// What is said of the tensors of two files, given as bytes.
fn of_bytes(a: &[u8], b: &[u8]) -> TensorsChange {
    let dir = tempfile::tempdir().unwrap();
    let [a, b] = [("a", a), ("b", b)].map(|(name, bytes)| {
        fs::create_dir(dir.path().join(name)).unwrap();
        fs::write(dir.path().join(name).join("m.safetensors"), bytes).unwrap();
        measure(&dir.path().join(name)).unwrap().1
    });
    diff::tensors(&a, &b)
}

fn summary(a: &[Given<'_>], b: &[Given<'_>]) -> String {
    of_bytes(&safetensors(a), &safetensors(b)).summary
}

#[test]
fn a_manifest_reads_back_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    sharded(dir.path());
    let document = document(dir.path());
    let text = document.to_json();
    assert_eq!(Document::parse(&text).unwrap(), document);
    assert_eq!(json::parse(&text).unwrap().to_canonical(), text);
    let bare = Document { lists: Lists::default(), ..document };
    assert_eq!(Document::parse(&bare.to_json()).unwrap(), bare);
}

#[test]
fn a_manifest_whose_lists_are_not_what_its_digests_stand_for_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    sharded(dir.path());
    let text = String::from_utf8(document(dir.path()).to_json()).unwrap();
    let cases = [
        (text.replacen("tokenizer.json", "tokenizer.jsoo", 1), DocumentError::OtherDigest(Component::ModelWeights)),
        (text.replacen("lm_head", "lm_heaa", 1), DocumentError::OtherDigest(Component::ModelTensors)),
        (text.replacen("\"F16\"", "\"F32\"", 1), DocumentError::OtherDigest(Component::ModelTensors)),
        (text.replacen("\"config.json\"", "\"zonfig.json\"", 1), DocumentError::Order("model-weights")),
        (text.replacen("model.bias", "z", 1), DocumentError::Order("tensors")),
        (text.replacen("manifest/1", "manifest/2", 1), DocumentError::Form("format")),
        (text.replacen("on-disk", "on-tape", 1), DocumentError::Form("grade")),
        (text.replacen("{\"agent\"", "{\"a\":1,\"agent\"", 1), DocumentError::Form("a member that it does not have")),
        (
            text.replacen("\"model-weights\":[", "\"model-weighty\":[", 1),
            DocumentError::Form("a member that it does not have"),
        ),
        (text.replacen("\"agent\":\"a\",", "", 1), DocumentError::Form("agent")),
        ("[]".into(), DocumentError::Form("an element")),
    ];
    for (text, expected) in cases {
        assert_eq!(Document::parse(text.as_bytes()).unwrap_err(), expected);
    }
    assert!(matches!(Document::parse(b"{\"format\":1,\"format\":1}"), Err(DocumentError::Json(_))));
    let many = format!("[{}0]", "0,".repeat(4_000_000));
    assert_eq!(Document::parse(many.as_bytes()).unwrap_err(), DocumentError::TooManyParts { limit: 4_000_000 });
    // A list without its component has no digest to be held against.
    let mut listless = document(dir.path());
    listless.measurements.pop();
    assert_eq!(Document::parse(&listless.to_json()).unwrap_err(), DocumentError::OtherDigest(Component::ModelWeights));
}

#[test]
fn a_changed_tokenizer_is_named_and_the_weights_are_said_not_to_have_changed() {
    let dir = tempfile::tempdir().unwrap();
    sharded(dir.path());
    let before = document(dir.path());
    fs::write(dir.path().join("tokenizer.json"), b"{\"a\":1}").unwrap();
    fs::write(dir.path().join("tokenizer.model"), b"").unwrap();
    let report = diff::documents(&before, &document(dir.path()));
    assert!(report.differs());
    let changes: Vec<_> = report.components.iter().map(|c| (c.component, c.change)).collect();
    assert_eq!(changes, [("model-tensors", Change::Same), ("model-weights", Change::Changed)]);
    let files = &report.files[0];
    assert_eq!(files.summary, "tokenizer changed, weights and settings not");
    assert_eq!((&files.added[..], files.removed.len(), files.same), (&["tokenizer.model".to_owned()][..], 0, 4));
    assert_eq!((files.changed[0].name.as_str(), files.changed[0].sizes), ("tokenizer.json", [2, 7]));
    assert_eq!(report.tensors.unwrap().summary, "all 3 tensors are the same");
}

#[test]
fn the_same_state_does_not_differ_and_another_grade_or_a_missing_component_does() {
    let dir = tempfile::tempdir().unwrap();
    sharded(dir.path());
    let a = document(dir.path());
    assert!(!diff::documents(&a, &a).differs());
    let mut b = a.clone();
    b.measurements[1].grade = Grade::InUse;
    let report = diff::documents(&a, &b);
    assert!(report.differs());
    assert_eq!(report.components[1].change, Change::Same);
    assert_eq!(report.components[1].grades, [Some("on-disk"), Some("in-use")]);
    b.measurements.pop();
    b.measurements.push(Measurement {
        component: Component::SystemPrompt,
        digest: Digest::of(""),
        grade: Grade::OnDisk,
    });
    let report = diff::documents(&a, &b);
    let changes: Vec<_> = report.components.iter().map(|c| (c.component, c.change)).collect();
    let expected =
        [("model-tensors", Change::Same), ("model-weights", Change::OnlyInA), ("system-prompt", Change::OnlyInB)];
    assert_eq!(changes, expected);
    assert!(report.differs());
}

#[test]
fn tensors_that_differ_are_counted_and_what_their_names_share_is_said() {
    let w = |name: &'static str, data: &'static [u8]| -> Given<'static> { (name, Dtype::U8, &[2][..], data) };
    let base = [
        w("blk.0.q.weight", b"ab"),
        w("blk.1.q.weight", b"cd"),
        w("blk.0.q.lora_A.weight", b"ef"),
        w("blk.1.q.lora_B.weight", b"gh"),
    ];
    let mut tuned = base;
    (tuned[2], tuned[3]) = (w("blk.0.q.lora_A.weight", b"EF"), w("blk.1.q.lora_B.weight", b"GH"));
    assert_eq!(summary(&base, &tuned), "2 of 4 tensors differ, all `lora`");
    assert_eq!(summary(&base[..2], &base), "2 of 4 tensors differ (added), all `lora`");
    assert_eq!(summary(&base, &base[..3]), "1 of 4 tensors differ (removed), all `lora`");
    assert_eq!(summary(&base, &base), "all 4 tensors are the same");
    let one = [w("blk.0.q.weight", b"ab"), w("blk.1.q.weight", b"CD")];
    assert_eq!(summary(&base[..2], &one), "1 of 2 tensors differ");
    let head = [w("blk.0.q.weight", b"ab"), w("head.weight", b"cd")];
    assert_eq!(summary(&head, &[head[0], w("head.weight", b"CD")]), "1 of 2 tensors differ, all `head`");
    let mixed = [w("blk.0.q.weight", b"AB"), ("new", Dtype::U8, &[2][..], &b"xy"[..])];
    assert_eq!(summary(&base[..2], &mixed), "3 of 3 tensors differ (1 changed, 1 added, 1 removed)");
}

#[test]
fn the_same_tensors_in_another_type_or_shape_are_told_from_changed_ones() {
    let f32s = [("a", Dtype::F32, &[2][..], &[0; 8][..]), ("b", Dtype::F32, &[1], &[0; 4])];
    let f16s = [("a", Dtype::F16, &[2][..], &[0; 4][..]), ("b", Dtype::F16, &[1], &[0; 2])];
    assert_eq!(summary(&f32s, &f16s), "same 2 tensors, other dtype (F32 to F16)");
    assert_eq!(summary(&f32s, &[f16s[0], f32s[1]]), "1 of 2 tensors differ (of another type), all `a`");
    let wide = [("a", Dtype::F32, &[1, 2][..], &[0; 8][..]), f32s[1]];
    let change = of_bytes(&safetensors(&f32s), &safetensors(&wide));
    assert_eq!((change.differ[0].name.as_str(), change.differ[0].what), ("a", What::Shape));
}

#[test]
fn a_tensor_that_moved_to_another_shard_is_the_same() {
    let (x, y) = (("x", Dtype::U8, &[1][..], &b"x"[..]), ("y", Dtype::U8, &[1][..], &b"y"[..]));
    let dir = tempfile::tempdir().unwrap();
    let [a, b] = [("a", &[x, y][..], &[][..]), ("b", &[x][..], &[y][..])].map(|(name, one, two)| {
        let below = dir.path().join(name);
        fs::create_dir(&below).unwrap();
        fs::write(below.join("1.safetensors"), safetensors(one)).unwrap();
        fs::write(below.join("2.safetensors"), safetensors(two)).unwrap();
        measure(&below).unwrap().1
    });
    let change = diff::tensors(&a, &b);
    assert_eq!((change.summary.as_str(), change.moved), ("all 2 tensors are the same, 1 of them in other files", 1));
}

#[test]
fn tensors_of_one_name_in_several_files_are_told_apart_by_the_file() {
    let dir = tempfile::tempdir().unwrap();
    for (file, data) in [("1.safetensors", b"1"), ("2.safetensors", b"2")] {
        fs::write(dir.path().join(file), safetensors(&[("w", Dtype::U8, &[1], data)])).unwrap();
    }
    let a = measure(dir.path()).unwrap().1;
    fs::write(dir.path().join("2.safetensors"), safetensors(&[("w", Dtype::U8, &[1], b"3")])).unwrap();
    let change = diff::tensors(&a, &measure(dir.path()).unwrap().1);
    assert_eq!((change.totals, change.differ[0].name.as_str()), ([2, 2], "2.safetensors:w"));
}

#[test]
fn a_header_that_says_something_else_of_the_same_tensors_is_not_passed_over() {
    let tensor = r#""w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}"#;
    let a = common::raw(&format!(r#"{{"__metadata__":{{"format":"pt"}},{tensor}}}"#), b"x");
    let b = common::raw(&format!(r#"{{"__metadata__":{{"format":"tf"}},{tensor}}}"#), b"x");
    assert_eq!(of_bytes(&a, &b).summary, "all 1 tensors are the same, what the files say of themselves is not");
}

#[test]
fn settings_are_compared_by_their_places_and_no_value_is_told() {
    let a = json::parse(br#"{"a":{"b":1,"gone":"secret"},"l":[1,2,3],"s/~":true,"same":[{"x":null}]}"#).unwrap();
    let b = json::parse(br#"{"a":{"b":2,"new":"secret"},"l":[1,5],"s/~":"true","same":[{"x":null}]}"#).unwrap();
    let changes: Vec<_> = diff::settings(&a, &b).into_iter().map(|c| (c.path, c.change)).collect();
    let expected = [
        ("/a/b", Change::Changed),
        ("/a/gone", Change::OnlyInA),
        ("/a/new", Change::OnlyInB),
        ("/l/1", Change::Changed),
        ("/l/2", Change::OnlyInA),
        ("/s~1~0", Change::Changed),
    ];
    assert_eq!(changes, expected.map(|(path, change)| (path.to_owned(), change)));
    assert!(diff::settings(&a, &a).is_empty());
}

#[test]
fn prompts_are_compared_line_by_line_and_a_missing_line_feed_is_a_difference() {
    let change = diff::text("one\ntwo\nthree\n", "one\n2\nthree\n");
    assert_eq!((change.added, change.removed), (1, 1));
    assert_eq!(change.unified, "@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n");
    assert_eq!(diff::text("same\n", "same\n").unified, "");
    assert!(!diff::text("same\n", "same").unified.is_empty());
}

#[test]
fn two_long_texts_without_anything_in_common_are_compared_in_bounded_time() {
    let text =
        |salt: u32| (0..200_000u32).map(|i| format!("{}\n", i.wrapping_mul(2_654_435_761) ^ salt)).collect::<String>();
    let change = diff::text(&text(1), &text(1 << 31));
    assert!(change.added + change.removed > 0);
}
