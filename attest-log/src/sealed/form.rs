//! The files of a part, besides those of an export: tokens, 256 entries a file, and the table.

use std::ops::Range;

use attest_core::tile::{FULL, Resource};

use crate::record::MAX_TOKEN;

/// The name of a bundle of entries.
pub(crate) fn entries(bundle: u64) -> Option<String> {
    Resource::entries(bundle, FULL).map(|resource| resource.to_string())
}

/// The name of the file with the tokens that came with these entries.
pub(crate) fn tokens(bundle: u64) -> Option<String> {
    entries(bundle).and_then(|name| name.strip_prefix("tile/entries/").map(|path| format!("token/{path}")))
}

/// The name of the table of a part.
pub(super) fn table(part: &Range<u64>) -> String {
    format!("part/{}-{}.parquet", part.start, part.end)
}

/// Tokens as a file: each as four bytes of length, big-endian, and its bytes; none as a length of 0.
pub(crate) fn write_tokens(tokens: &[Option<String>]) -> Option<Vec<u8>> {
    let mut file = Vec::new();
    for token in tokens {
        let token = token.as_deref().unwrap_or_default();
        file.extend_from_slice(&u32::try_from(token.len()).ok()?.to_be_bytes());
        file.extend_from_slice(token.as_bytes());
    }
    (tokens.len() == usize::from(FULL)).then_some(file)
}

/// Reads such a file; `None` where it does not have exactly 256. A token that is no UTF-8 is the empty text.
pub(super) fn read_tokens(file: &[u8]) -> Option<Vec<Option<String>>> {
    let mut tokens = Vec::with_capacity(usize::from(FULL));
    let mut rest = file;
    while tokens.len() < usize::from(FULL) {
        let (length, behind) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok().filter(|length| *length <= MAX_TOKEN)?;
        let (token, behind) = behind.split_at_checked(length)?;
        tokens.push((length > 0).then(|| std::str::from_utf8(token).unwrap_or_default().to_owned()));
        rest = behind;
    }
    rest.is_empty().then_some(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_tokens_has_exactly_256_of_them_each_as_long_as_it_says() {
        let mut tokens = vec![None; 256];
        tokens[1] = Some("a.b.c".to_owned());
        tokens[255] = Some("d".repeat(MAX_TOKEN));
        let file = write_tokens(&tokens).unwrap();
        assert_eq!(&file[..13], b"\0\0\0\0\0\0\0\x05a.b.c");
        assert_eq!(read_tokens(&file), Some(tokens.clone()));
        assert_eq!(read_tokens(&file[..file.len() - 1]), None);
        assert_eq!(read_tokens(&[file.as_slice(), b"\0"].concat()), None);
        assert_eq!(write_tokens(&tokens[1..]), None);
        tokens[255] = Some("d".repeat(MAX_TOKEN + 1));
        assert_eq!(read_tokens(&write_tokens(&tokens).unwrap()), None);
    }

    #[test]
    fn files_are_named_like_the_tiles_that_they_stand_beside() {
        assert_eq!(entries(1_234).as_deref(), Some("tile/entries/x001/234"));
        assert_eq!(tokens(1_234).as_deref(), Some("token/x001/234"));
        assert_eq!(table(&(0..512)), "part/0-512.parquet");
        assert_eq!(tokens(u64::MAX), None);
    }
}
