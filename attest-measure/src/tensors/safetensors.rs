//! The header of a safetensors file.
//!
//! Eight bytes of length, then JSON, then the tensors without gaps. The crate `safetensors` accepts a name twice (the last one wins), so
//! the JSON is read by the strict reader, and the crate is asked for what it knows best: the types and whether the layout holds.

use std::fs::File;
use std::io::Read as _;

use ::safetensors::tensor::{Metadata, SafeTensorError, TensorInfo};
use attest_core::json::Value;
use serde::Deserialize as _;
use serde::de::IntoDeserializer as _;
use serde::de::value::{Error as DtypeError, StrDeserializer};

use super::layout::{Failed, Layout, Part};
use super::{TensorError, strict};

/// Bytes of the length.
const LENGTH: u64 = 8;
/// The longest header, as the form has it.
const MAX_HEADER: u64 = 100_000_000;
/// The one member that is no tensor.
const METADATA: &str = "__metadata__";

/// Reads the places of all tensors. `size` is the file's.
pub(super) fn layout(file: &mut File, size: u64) -> Result<Layout, Failed> {
    let mut length = [0; LENGTH as usize];
    let rest = size.checked_sub(LENGTH).ok_or(TensorError::HeaderLength { length: size, limit: 0 })?;
    file.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    // The file's own word is not enough to allocate by; what it has room for is.
    let limit = rest.min(MAX_HEADER);
    if length > limit {
        return Err(TensorError::HeaderLength { length, limit }.into());
    }
    let mut header = Vec::new();
    file.take(length).read_to_end(&mut header)?;
    Ok(parse(&header, size)?)
}

fn parse(header: &[u8], size: u64) -> Result<Layout, TensorError> {
    let value = strict(header)?;
    let object = value.as_object().ok_or_else(|| TensorError::Form { about: "header".into() })?;
    let mut tensors = Vec::with_capacity(object.len());
    for (name, value) in object.iter() {
        if name == METADATA {
            let texts = value.as_object().is_some_and(|o| o.iter().all(|(_, v)| v.as_str().is_some()));
            texts.then_some(()).ok_or_else(|| TensorError::Form { about: METADATA.into() })?;
        } else {
            tensors.push((name.to_owned(), info(name, value)?));
        }
    }
    tensors.sort_by_key(|(_, info)| info.data_offsets);
    let metadata = Metadata::new(None, tensors.clone()).map_err(|error| match error {
        SafeTensorError::InvalidOffset(tensor) => TensorError::Offset { tensor },
        _ => TensorError::Size,
    })?;
    let start = LENGTH + header.len() as u64;
    let end = start.saturating_add(metadata.data_len() as u64);
    if end != size {
        return Err(TensorError::End { end, size });
    }
    let part = |(name, info): (String, TensorInfo)| Part {
        name,
        dtype: info.dtype.to_string(),
        shape: info.shape.iter().map(|n| *n as u64).collect(),
        start: start + info.data_offsets.0 as u64,
        end: start + info.data_offsets.1 as u64,
    };
    Ok(Layout { header: start, parts: tensors.into_iter().map(part).collect() })
}

fn info(name: &str, value: &Value<'_>) -> Result<TensorInfo, TensorError> {
    let form = || TensorError::Form { about: name.to_owned() };
    let object = value.as_object().filter(|o| o.len() == 3).ok_or_else(form)?;
    let numbers = |member: &str| -> Option<Vec<usize>> {
        object.get(member)?.as_array()?.iter().map(|n| usize::try_from(n.as_u53()?).ok()).collect()
    };
    let dtype = object.get("dtype").and_then(Value::as_str).ok_or_else(form)?;
    let shape = numbers("shape").ok_or_else(form)?;
    let Some([start, end]) = numbers("data_offsets").and_then(|n| <[usize; 2]>::try_from(n).ok()) else {
        return Err(form());
    };
    let known: StrDeserializer<'_, DtypeError> = dtype.into_deserializer();
    let known = ::safetensors::Dtype::deserialize(known);
    let dtype = known.map_err(|_| TensorError::Dtype { tensor: name.to_owned(), dtype: dtype.to_owned() })?;
    Ok(TensorInfo { dtype, shape, data_offsets: (start, end) })
}
