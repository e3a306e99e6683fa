//! The index of a model in several safetensors files: `model.safetensors.index.json`.

use std::collections::{BTreeMap, BTreeSet};

use attest_core::digest::Digest;
use attest_core::json::Value;

use super::{FileTensors, TensorError, strict};
use crate::error::MeasureError;
use crate::manifest::FileEntry;
use crate::open;
use crate::tree::Found;

/// How such a file's name ends.
const INDEX: &str = ".safetensors.index.json";
/// A line for each of a million tensors.
const MAX_INDEX: u64 = 64 << 20;

/// Holds every index among the files against the tensors that are there. A file that no index names is let be: a folder may hold the same
/// model twice, or an adapter beside it.
pub(crate) fn check(found: &[Found], files: &[FileEntry], tensors: &[FileTensors]) -> Result<(), MeasureError> {
    let by_file: BTreeMap<&str, &FileTensors> = tensors.iter().map(|t| (t.file.as_str(), t)).collect();
    for (found, entry) in found.iter().zip(files).filter(|(_, entry)| entry.name.ends_with(INDEX)) {
        let (bytes, _) = open::read_whole(&found.path, MAX_INDEX)?;
        // These must be the bytes that were hashed, not some that lay there for a moment.
        if Digest::of(&bytes) != entry.digest {
            return Err(MeasureError::Changed { path: found.path.clone() });
        }
        let folder = entry.name.rfind('/').and_then(|at| entry.name.get(..=at)).unwrap_or_default();
        one(&bytes, folder, &by_file).map_err(|error| MeasureError::Tensors { path: found.path.clone(), error })?;
    }
    Ok(())
}

/// `folder` is what the names of the index's files begin with.
fn one(index: &[u8], folder: &str, by_file: &BTreeMap<&str, &FileTensors>) -> Result<(), TensorError> {
    const MAP: &str = "weight_map";
    let value = strict(index)?;
    let map = value.as_object().and_then(|o| o.get(MAP)).and_then(Value::as_object);
    let map = map.ok_or_else(|| TensorError::Form { about: MAP.into() })?;
    let mut named: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (tensor, file) in map.iter() {
        let file = file.as_str().ok_or_else(|| TensorError::Form { about: tensor.to_owned() })?;
        named.entry(file).or_default().insert(tensor);
    }
    for (file, named) in named {
        let found = by_file.get([folder, file].concat().as_str());
        let found = found.ok_or_else(|| TensorError::IndexFile { file: file.to_owned() })?;
        let there: BTreeSet<&str> = found.tensors.iter().map(|t| t.name.as_str()).collect();
        if let Some(tensor) = named.difference(&there).next() {
            return Err(TensorError::IndexTensor { tensor: (*tensor).to_owned(), file: file.to_owned() });
        }
        if let Some(tensor) = there.difference(&named).next() {
            return Err(TensorError::NotIndexed { tensor: (*tensor).to_owned(), file: file.to_owned() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::SystemTime;

    use super::*;
    use crate::fileset::FileSet;

    #[test]
    fn an_index_that_is_not_the_one_that_was_hashed_is_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let text = br#"{"weight_map":{}}"#;
        fs::write(dir.path().join("model.safetensors.index.json"), text).unwrap();
        let (found, _) = FileSet::new([dir.path()]).look(SystemTime::now()).unwrap();
        let entry = |digest| FileEntry { name: found[0].name.clone(), size: text.len() as u64, digest };
        check(&found, &[entry(Digest::of(text))], &[]).unwrap();
        let other = check(&found, &[entry(Digest::of("other"))], &[]);
        assert!(matches!(other, Err(MeasureError::Changed { .. })));
    }
}
