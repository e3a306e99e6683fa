//! The header of a GGUF file, read by `gguf-rs-lib`.
//!
//! The parser is bounded: counts (100,000 settings, 1,000,000 tensors), names, nesting, and the memory that settings take; lengths are read in
//! small steps, so that one which lies ends at the file's end. It refuses duplicate names, unknown types and overlaps. The tests hold each.

use std::fs::File;
use std::io::{BufReader, ErrorKind};

use gguf_rs_lib::GGUFError;
use gguf_rs_lib::reader::file_reader::{GGUFFileReader, GGUFReaderConfig};

use super::TensorError;
use super::layout::{Failed, Layout, Part};

/// Bytes of settings, in the file and in memory: a vocabulary of 256,000 words and its merges takes some 30 MB in memory.
const MAX_SETTINGS: usize = 128 << 20;
/// Characters of the parser's words that are shown.
const DETAIL: usize = 200;

/// Reads the places of all tensors. `size` is the file's.
pub(super) fn layout(file: &File, size: u64) -> Result<Layout, Failed> {
    let config = GGUFReaderConfig {
        max_metadata_size: MAX_SETTINGS,
        max_decoded_metadata_size: MAX_SETTINGS,
        ..GGUFReaderConfig::default()
    };
    let reader = GGUFFileReader::with_config(BufReader::new(file), config).map_err(refused)?;
    let start = reader.tensor_data_offset();
    let mut parts = Vec::with_capacity(reader.tensor_count());
    for info in reader.tensor_infos() {
        let length = info.checked_expected_data_size().map_err(refused)?;
        let begin = start.checked_add(info.data_offset()).ok_or(TensorError::Size)?;
        parts.push(Part {
            name: info.name().to_owned(),
            dtype: info.tensor_type().name().to_owned(),
            shape: info.shape().dims().to_vec(),
            start: begin,
            end: begin.checked_add(length).ok_or(TensorError::Size)?,
        });
    }
    parts.sort_by_key(|part| (part.start, part.end));
    // A file without tensors may end before the place where they would begin.
    Ok(Layout { header: start.min(size), parts })
}

fn refused(error: GGUFError) -> Failed {
    match error {
        GGUFError::UnexpectedEof => return TensorError::CutOff.into(),
        GGUFError::Io(error) if error.kind() == ErrorKind::UnexpectedEof => return TensorError::CutOff.into(),
        GGUFError::Io(error) => return error.into(),
        _ => {}
    }
    // The parser's messages hold names of the file.
    let detail = error.to_string().chars().flat_map(char::escape_debug).take(DETAIL).collect();
    TensorError::Gguf { detail }.into()
}
