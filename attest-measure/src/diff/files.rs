//! Files added, removed and changed.

use std::collections::{BTreeMap, BTreeSet};

use attest_core::measurement::Component;
use serde::Serialize;

use super::counted;
use crate::manifest::{FileEntry, Manifest};

/// A file that is in both, with other bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChangedFile {
    /// Its name.
    pub name: String,
    /// Its size in A and in B.
    pub sizes: [u64; 2],
}

/// What became of a component's files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FilesChange {
    /// The component.
    pub component: &'static str,
    /// Names in B alone.
    pub added: Vec<String>,
    /// Names in A alone.
    pub removed: Vec<String>,
    /// In both, with other bytes.
    pub changed: Vec<ChangedFile>,
    /// How many are the same.
    pub same: usize,
    /// In words: `tokenizer changed, weights not`.
    pub summary: String,
}

/// What a model's file is for, as far as its name tells.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Weights,
    Tokenizer,
    Settings,
    Other,
}

impl Kind {
    fn of(name: &str) -> Self {
        let name = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
        let end = name.rsplit_once('.').map_or("", |(_, end)| end);
        let tokens = ["tokenizer", "vocab", "merges", "special_tokens", "added_tokens", "sentencepiece", "spiece"];
        if tokens.iter().any(|start| name.starts_with(start)) || matches!(end, "model" | "tiktoken") {
            return Self::Tokenizer;
        }
        if name.ends_with(".index.json") {
            return Self::Weights;
        }
        match end {
            "safetensors" | "gguf" | "bin" | "pt" | "pth" | "ckpt" | "onnx" | "h5" | "msgpack" | "npz" => Self::Weights,
            "json" | "toml" | "yaml" | "yml" | "jinja" => Self::Settings,
            _ => Self::Other,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Weights => "weights",
            Self::Tokenizer => "tokenizer",
            Self::Settings => "settings",
            Self::Other => "other files",
        }
    }
}

/// Compares two lists of files.
pub fn files(component: Component, a: &Manifest, b: &Manifest) -> FilesChange {
    let by_name = |list: &Manifest| -> BTreeMap<String, FileEntry> {
        list.files.iter().map(|file| (file.name.clone(), file.clone())).collect()
    };
    let (a, b) = (by_name(a), by_name(b));
    let only = |these: &BTreeMap<String, FileEntry>, others: &BTreeMap<String, FileEntry>| -> Vec<String> {
        these.keys().filter(|name| !others.contains_key(*name)).cloned().collect()
    };
    let (added, removed) = (only(&b, &a), only(&a, &b));
    let both = || a.values().filter_map(|in_a| Some((in_a, b.get(&in_a.name)?)));
    let changed: Vec<ChangedFile> = both()
        .filter(|(in_a, in_b)| in_a != in_b)
        .map(|(in_a, in_b)| ChangedFile { name: in_a.name.clone(), sizes: [in_a.size, in_b.size] })
        .collect();
    let same = both().count() - changed.len();
    let touched = || added.iter().chain(&removed).chain(changed.iter().map(|file| &file.name));
    let summary = if component == Component::ModelWeights && touched().next().is_some() {
        kinds(touched(), a.keys().chain(b.keys()))
    } else {
        counts(added.len(), removed.len(), changed.len(), same)
    };
    FilesChange { component: component.as_str(), added, removed, changed, same, summary }
}

fn kinds<'a>(touched: impl Iterator<Item = &'a String>, all: impl Iterator<Item = &'a String>) -> String {
    let changed: BTreeSet<Kind> = touched.map(|name| Kind::of(name)).collect();
    let still: BTreeSet<Kind> = all.map(|name| Kind::of(name)).filter(|kind| !changed.contains(kind)).collect();
    let words = |kinds: BTreeSet<Kind>| kinds.into_iter().map(Kind::word).collect::<Vec<_>>().join(" and ");
    if still.is_empty() {
        format!("{} changed", words(changed))
    } else {
        format!("{} changed, {} not", words(changed), words(still))
    }
}

fn counts(added: usize, removed: usize, changed: usize, same: usize) -> String {
    let parts = [(added, "added"), (removed, "removed"), (changed, "changed"), (same, "the same")];
    let parts = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{} {what}", counted(*count, "file", "files")));
    parts.collect::<Vec<_>>().join(", ")
}
