//! Small models, written here.
#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use attest_measure::{FileSet, Manifest, MeasureError, TensorManifest};
use safetensors::Dtype;
use safetensors::tensor::TensorView;

/// What one tensor is: name, type, shape, bytes.
pub type Given<'a> = (&'a str, Dtype, &'a [usize], &'a [u8]);

/// A file as the `safetensors` crate writes it.
pub fn safetensors(tensors: &[Given<'_>]) -> Vec<u8> {
    let views = tensors
        .iter()
        .map(|(name, dtype, shape, data)| (*name, TensorView::new(*dtype, shape.to_vec(), data).unwrap()));
    safetensors::serialize(views, None).unwrap()
}

/// A file with this very header.
pub fn raw(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
}

/// A GGUF file (version 3, alignment 32) of tensors given by name, number of type, dimensions and bytes.
pub fn gguf(tensors: &[(&str, u32, &[u64], &[u8])]) -> Vec<u8> {
    let mut data = Vec::new();
    let mut infos = Vec::new();
    for (name, kind, dims, bytes) in tensors {
        infos.extend(gguf_info(name, *kind, dims, data.len() as u64));
        data.extend_from_slice(bytes);
        data.resize(data.len().next_multiple_of(32), 0);
    }
    let setting = gguf_setting("general.name", 8, &gguf_text("small"));
    gguf_file(tensors.len() as u64, &[setting], &infos, &data)
}

pub fn gguf_text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}

pub fn gguf_setting(key: &str, kind: u32, value: &[u8]) -> Vec<u8> {
    [&gguf_text(key)[..], &kind.to_le_bytes(), value].concat()
}

pub fn gguf_info(name: &str, kind: u32, dims: &[u64], offset: u64) -> Vec<u8> {
    let mut out = gguf_text(name);
    out.extend((dims.len() as u32).to_le_bytes());
    out.extend(dims.iter().flat_map(|d| d.to_le_bytes()));
    out.extend(kind.to_le_bytes());
    out.extend(offset.to_le_bytes());
    out
}

pub fn gguf_file(tensors: u64, settings: &[Vec<u8>], infos: &[u8], data: &[u8]) -> Vec<u8> {
    let mut out = b"GGUF".to_vec();
    out.extend(3u32.to_le_bytes());
    out.extend(tensors.to_le_bytes());
    out.extend((settings.len() as u64).to_le_bytes());
    out.extend(settings.concat());
    out.extend(infos);
    out.resize(out.len().next_multiple_of(32), 0);
    out.extend_from_slice(data);
    out
}

/// A model in two shards with an index, a tokenizer and settings.
pub fn sharded(dir: &Path) {
    let (a, b) = ([1u8; 24], [2u8; 12]);
    let one = [("model.embed.weight", Dtype::F32, &[2, 3][..], &a[..]), ("model.bias", Dtype::F16, &[2], &b[..4])];
    let two = [("lm_head.weight", Dtype::F16, &[2, 3][..], &b[..])];
    fs::write(dir.join("model-00001-of-00002.safetensors"), safetensors(&one)).unwrap();
    fs::write(dir.join("model-00002-of-00002.safetensors"), safetensors(&two)).unwrap();
    let (first, second) = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors");
    index(dir, &[("model.embed.weight", first), ("model.bias", first), ("lm_head.weight", second)]);
    fs::write(dir.join("tokenizer.json"), b"{}").unwrap();
    fs::write(dir.join("config.json"), b"{}").unwrap();
}

/// Writes the index.
pub fn index(dir: &Path, map: &[(&str, &str)]) {
    let map: BTreeMap<&str, &str> = map.iter().copied().collect();
    let lines: Vec<String> = map.iter().map(|(tensor, file)| format!("{tensor:?}: {file:?}")).collect();
    let text = format!("{{\"metadata\": {{\"total_size\": 40}}, \"weight_map\": {{{}}}}}", lines.join(", "));
    fs::write(dir.join("model.safetensors.index.json"), text).unwrap();
}

/// Files and tensors below a path.
pub fn measure(path: &Path) -> Result<(Manifest, TensorManifest), MeasureError> {
    FileSet::new([path]).manifest_and_tensors(&|_| {}).map(|measured| measured.value)
}
