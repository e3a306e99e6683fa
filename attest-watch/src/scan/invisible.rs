//! Characters that nobody sees, but a model reads.

/// Where the run of such characters that starts at `start` ends, and whether it is more than what scripts and emoji need.
pub(super) fn run(text: &str, start: usize) -> (usize, bool) {
    let rest = text.get(start..).unwrap_or_default();
    let mut length = 0;
    let (mut count, mut tags, mut joiners) = (0, 0, 0);
    let mut last = None;
    for c in rest.chars().take_while(|c| is_one(*c)) {
        length += c.len_utf8();
        count += 1;
        tags += usize::from(is_tag(c));
        // A selector and then a joiner stand within emoji of several people or things.
        joiners += usize::from(c == '\u{200d}' && last == Some('\u{fe0f}'));
        last = Some(c);
    }
    let before = text.get(..start).unwrap_or_default();
    let suspicious = if tags > 0 {
        // The flags of England, Scotland and Wales are a black flag and at most six tags.
        !(before.ends_with('\u{1f3f4}') && count == tags && tags <= 6)
    } else {
        count >= 2 && !(count == 2 && joiners == 1)
    };
    (start + length, suspicious)
}

fn is_tag(c: char) -> bool {
    matches!(c, '\u{e0000}'..='\u{e007f}')
}

fn is_one(c: char) -> bool {
    is_tag(c)
        || matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}
