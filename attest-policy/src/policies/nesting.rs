//! How deep a text can nest, before it is parsed: parser and validator go down one call for each level, and a stack has an end.

/// Most brackets within each other.
const MAX_BRACKETS: usize = 48;
/// Most operators and dots in one policy: `a && b && c` nests by one for each.
const MAX_OPERATORS: usize = 250;

/// The byte at which a text goes past what is read; none where it does not.
pub(super) fn too_deep(text: &str) -> Option<usize> {
    let (mut brackets, mut operators) = (0_usize, 0_usize);
    let mut bytes = text.bytes().enumerate().peekable();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => loop {
                match bytes.next() {
                    Some((_, b'\\')) => _ = bytes.next(),
                    Some((_, b'"')) | None => break,
                    Some(_) => {}
                }
            },
            b'/' if bytes.peek().is_some_and(|(_, next)| *next == b'/') => {
                while bytes.next_if(|(_, next)| *next != b'\n').is_some() {}
            }
            b'(' | b'[' | b'{' => brackets += 1,
            b')' | b']' | b'}' => brackets = brackets.saturating_sub(1),
            b';' => operators = 0,
            b'&' | b'|' => {
                bytes.next_if(|(_, next)| *next == byte);
                operators += 1;
            }
            b'i' if bytes.peek().is_some_and(|(_, next)| *next == b'f') => operators += 1,
            b'+' | b'-' | b'*' | b'!' | b'.' => operators += 1,
            _ => {}
        }
        if brackets > MAX_BRACKETS || operators > MAX_OPERATORS {
            return Some(at);
        }
    }
    None
}
