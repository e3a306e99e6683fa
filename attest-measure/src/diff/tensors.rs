//! Tensors as counts.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::tensors::{Tensor, TensorManifest};

/// What became of one tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// Of the same shape and type, with other bytes.
    Changed,
    /// Of the same shape, with another type; whether the numbers are as near as the types allow, nobody looked.
    Dtype,
    /// Of another shape.
    Shape,
    /// In B alone.
    Added,
    /// In A alone.
    Removed,
}

/// A tensor that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TensorChange {
    /// Its name; behind its file's and a colon where a name is in several files.
    pub name: String,
    /// What became of it.
    pub what: What,
}

/// What became of a model's tensors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TensorsChange {
    /// How many there are in A and in B.
    pub totals: [usize; 2],
    /// How many are the same, in whichever file.
    pub same: usize,
    /// How many of those are in another file than before.
    pub moved: usize,
    /// Those that differ, in ascending order.
    pub differ: Vec<TensorChange>,
    /// In words: ``3 of 291 tensors differ, all `lora` ``. Names are escaped.
    pub summary: String,
}

type ByName<'a> = BTreeMap<String, (&'a str, &'a Tensor)>;

/// Compares the tensors by their names: the same tensor in another shard is the same.
pub fn tensors(a: &TensorManifest, b: &TensorManifest) -> TensorsChange {
    let apart = repeats(a) || repeats(b);
    let (in_a, in_b) = (by_name(a, apart), by_name(b, apart));
    let (mut same, mut moved, mut differ, mut still) = (0, 0, Vec::new(), Vec::new());
    let mut dtypes = BTreeSet::new();
    for (name, (file, tensor)) in &in_a {
        let what = match in_b.get(name) {
            None => What::Removed,
            Some((_, other)) if other.shape != tensor.shape => What::Shape,
            Some((_, other)) if other.dtype != tensor.dtype => {
                dtypes.insert(format!("{} to {}", tensor.dtype, other.dtype));
                What::Dtype
            }
            Some((_, other)) if other.digest != tensor.digest => What::Changed,
            Some((other, _)) => {
                same += 1;
                moved += usize::from(other != file);
                still.push(name.as_str());
                continue;
            }
        };
        differ.push(TensorChange { name: name.clone(), what });
    }
    let new = in_b.keys().filter(|name| !in_a.contains_key(*name));
    differ.extend(new.map(|name| TensorChange { name: name.clone(), what: What::Added }));
    differ.sort_by(|a, b| a.name.as_bytes().cmp(b.name.as_bytes()));
    let mut change = TensorsChange { totals: [in_a.len(), in_b.len()], same, moved, differ, summary: String::new() };
    change.summary = change.in_words(&still, &dtypes, a.digest == b.digest);
    change
}

fn repeats(manifest: &TensorManifest) -> bool {
    let mut seen = BTreeSet::new();
    manifest.files.iter().flat_map(|file| &file.tensors).any(|tensor| !seen.insert(&tensor.name))
}

/// `apart`: where a name is in several files its file tells them apart.
fn by_name(manifest: &TensorManifest, apart: bool) -> ByName<'_> {
    let file = |file: &str| if apart { format!("{file}:") } else { String::new() };
    let all = manifest.files.iter().flat_map(|f| f.tensors.iter().map(move |tensor| (f.file.as_str(), tensor)));
    all.map(|(f, tensor)| (file(f) + &tensor.name, (f, tensor))).collect()
}

impl TensorsChange {
    fn in_words(&self, still: &[&str], dtypes: &BTreeSet<String>, equal: bool) -> String {
        let count = |what| self.differ.iter().filter(|change| change.what == what).count();
        let all = self.same + self.differ.len();
        if self.differ.is_empty() {
            return match (equal, self.moved) {
                (true, _) => format!("all {all} tensors are the same"),
                (false, 0) => format!("all {all} tensors are the same, what the files say of themselves is not"),
                (false, moved) => format!("all {all} tensors are the same, {moved} of them in other files"),
            };
        }
        let kinds = [
            (What::Changed, "changed"),
            (What::Dtype, "of another type"),
            (What::Shape, "of another shape"),
            (What::Added, "added"),
            (What::Removed, "removed"),
        ];
        let present: Vec<(usize, &str)> =
            kinds.iter().map(|(what, word)| (count(*what), *word)).filter(|(count, _)| *count > 0).collect();
        let types = dtypes.iter().take(3).map(|pair| pair.escape_debug().to_string()).collect::<Vec<_>>().join(", ");
        if count(What::Dtype) == all {
            return format!("same {all} tensors, other dtype ({types})");
        }
        let how = match present.as_slice() {
            [(_, "changed")] => String::new(),
            [(_, one)] => format!(" ({one})"),
            several => {
                let parts: Vec<String> = several.iter().map(|(count, word)| format!("{count} {word}")).collect();
                format!(" ({})", parts.join(", "))
            }
        };
        let names: Vec<&str> = self.differ.iter().map(|change| change.name.as_str()).collect();
        let shared = shared(&names, still).map_or_else(String::new, |part| format!(", all `{}`", part.escape_debug()));
        format!("{} of {all} tensors differ{how}{shared}", names.len())
    }
}

/// The part of their names that all these tensors share and not all the others do; `lora` before any other.
fn shared(differ: &[&str], still: &[&str]) -> Option<String> {
    const LORA: &str = "lora";
    let parts = |name: &str| -> BTreeSet<String> {
        let parts = name.split(|c: char| !c.is_alphanumeric()).filter(|p| !p.is_empty());
        parts.filter(|p| !p.bytes().all(|b| b.is_ascii_digit())).map(str::to_ascii_lowercase).collect()
    };
    let all =
        |names: &[&str]| names.iter().map(|name| parts(name)).reduce(|a, b| a.intersection(&b).cloned().collect());
    let mut common = all(differ)?;
    if common.contains(LORA) {
        return Some(LORA.to_owned());
    }
    // What every other tensor has too says nothing, and where there is no other, nothing does.
    let ordinary = all(still)?;
    common.retain(|part| !ordinary.contains(part));
    common.into_iter().max_by_key(String::len)
}
