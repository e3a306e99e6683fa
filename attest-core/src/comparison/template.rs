//! A text with slots in it, each of which holds one kind of value and nothing else.
//!
//! There is no slot for free text: what can hold a sentence can hold an instruction.

use crate::digest::Digest;
use crate::limits::MAX_DISCLOSED;

/// Most slots of one template.
pub const MAX_SLOTS: usize = 64;

/// Most digits of `{{number}}`, and characters of `{{word}}`.
const NUMBER: usize = 20;
const WORD: usize = 64;

/// What a slot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// `2026-11-27`, a day that there is.
    Date,
    /// `09:30` or `09:30:59`.
    Time,
    /// `2026-11-27T09:30:59.25+01:00`: RFC 3339, with `T` and `Z` in upper case.
    Datetime,
    /// `8-4-4-4-12` hexadecimal digits of either case.
    Uuid,
    /// 1 to 20 digits.
    Number,
    /// 1 to 64 of `A` to `Z`, `a` to `z`, `0` to `9`, `_` and `-`.
    Word,
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// Nothing in it varies.
    #[error("it has no slot: list the digest of the text instead")]
    NoSlot,
    /// More than [`MAX_SLOTS`].
    #[error("it has more than {MAX_SLOTS} slots")]
    TooManySlots,
    /// Longer than what can be disclosed.
    #[error("it is longer than {MAX_DISCLOSED} bytes, and a longer text cannot be disclosed")]
    TooLong,
    /// `{{` that no known slot follows.
    #[error(
        "the {{{{ at byte {at} begins no slot; there are {{{{date}}}}, {{{{time}}}}, {{{{datetime}}}}, {{{{uuid}}}}, {{{{number}}}} and {{{{word}}}}, and no other {{{{ can stand in a template"
    )]
    UnknownSlot {
        /// Where.
        at: usize,
    },
    /// Two slots without a character between them: where one ends nobody could say.
    #[error("two slots touch at byte {at}: put a character between them")]
    Touching {
        /// Where the second begins.
        at: usize,
    },
    /// A slot before a character that it could hold itself.
    #[error("the character at byte {at} could be part of the slot before it: put another between them")]
    Ambiguous {
        /// Where.
        at: usize,
    },
}

impl Slot {
    /// All of them, with their names.
    const ALL: [(&'static str, Self); 6] = [
        ("date", Self::Date),
        ("time", Self::Time),
        ("datetime", Self::Datetime),
        ("uuid", Self::Uuid),
        ("number", Self::Number),
        ("word", Self::Word),
    ];

    /// What is left of `text` behind the value that it begins with, which is as long as it can be.
    fn skip(self, text: &str) -> Option<&str> {
        match self {
            Self::Date => date(text),
            Self::Time => {
                let rest = hours_and_minutes(text)?;
                let seconds = rest.strip_prefix(':').and_then(|rest| digits(rest, 2, 0..=59));
                Some(seconds.unwrap_or(rest))
            }
            Self::Datetime => datetime(text),
            Self::Uuid => uuid(text),
            Self::Number => run(text, NUMBER, |c| c.is_ascii_digit()),
            Self::Word => run(text, WORD, is_word),
        }
    }

    /// Whether a value of it can go on with this character, so that one that follows it would belong to it.
    fn goes_on_with(self, next: u8) -> bool {
        match self {
            Self::Time => next == b':',
            Self::Number => next.is_ascii_digit(),
            Self::Word => is_word(&next),
            // These have an end of their own.
            Self::Date | Self::Datetime | Self::Uuid => false,
        }
    }
}

fn is_word(c: &u8) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-')
}

/// 1 to `most` characters, all there are of the kind up to that number.
fn run(text: &str, most: usize, is_one: impl Fn(&u8) -> bool) -> Option<&str> {
    let count = text.bytes().take(most).take_while(is_one).count();
    if count == 0 { None } else { text.get(count..) }
}

fn number(text: &str, count: usize) -> Option<(u32, &str)> {
    let (value, rest) = text.split_at_checked(count)?;
    let value = value.bytes().try_fold(0, |sum, c| c.is_ascii_digit().then(|| sum * 10 + u32::from(c - b'0')))?;
    Some((value, rest))
}

fn digits(text: &str, count: usize, within: core::ops::RangeInclusive<u32>) -> Option<&str> {
    let (value, rest) = number(text, count)?;
    within.contains(&value).then_some(rest)
}

fn date(text: &str) -> Option<&str> {
    let (year, rest) = number(text, 4)?;
    let (month, rest) = number(rest.strip_prefix('-')?, 2)?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    digits(rest.strip_prefix('-')?, 2, 1..=days)
}

fn hours_and_minutes(text: &str) -> Option<&str> {
    digits(digits(text, 2, 0..=23)?.strip_prefix(':')?, 2, 0..=59)
}

fn datetime(text: &str) -> Option<&str> {
    let rest = hours_and_minutes(date(text)?.strip_prefix('T')?)?;
    let rest = digits(rest.strip_prefix(':')?, 2, 0..=59)?;
    let rest = match rest.strip_prefix('.') {
        Some(fraction) => run(fraction, 9, |c| c.is_ascii_digit())?,
        None => rest,
    };
    match rest.strip_prefix('Z') {
        Some(rest) => Some(rest),
        None => hours_and_minutes(rest.strip_prefix(['+', '-'])?),
    }
}

fn uuid(text: &str) -> Option<&str> {
    let (value, rest) = text.split_at_checked(36)?;
    let fits = |(at, c): (usize, u8)| match at {
        8 | 13 | 18 | 23 => c == b'-',
        _ => c.is_ascii_hexdigit(),
    };
    value.bytes().enumerate().all(fits).then_some(rest)
}

/// A text with typed slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    text: String,
    /// Each slot with the text before it.
    parts: Vec<(String, Slot)>,
    /// The text behind the last slot.
    end: String,
}

impl Template {
    /// Reads a template. Everything outside its slots stands for itself: no character is stripped, and none escaped.
    ///
    /// # Errors
    /// [`TemplateError`]; above all where a text could be read in two ways.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        if text.len() > MAX_DISCLOSED {
            return Err(TemplateError::TooLong);
        }
        let mut parts: Vec<(String, Slot)> = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let begin = text.len() - rest.len();
            let at = begin + before.len();
            let slot = after.split_once("}}").and_then(|(name, behind)| {
                let (_, slot) = Slot::ALL.into_iter().find(|(known, _)| *known == name)?;
                Some((slot, behind))
            });
            let (slot, behind) = slot.ok_or(TemplateError::UnknownSlot { at })?;
            Self::follows(parts.last(), before.bytes().next(), begin)?;
            if parts.len() >= MAX_SLOTS {
                return Err(TemplateError::TooManySlots);
            }
            parts.push((before.to_owned(), slot));
            rest = behind;
        }
        if parts.is_empty() {
            return Err(TemplateError::NoSlot);
        }
        if let Some(next) = rest.bytes().next() {
            Self::follows(parts.last(), Some(next), text.len() - rest.len())?;
        }
        Ok(Self { text: text.to_owned(), parts, end: rest.to_owned() })
    }

    /// Whether what stands behind the last slot leaves no doubt where its value ends.
    fn follows(last: Option<&(String, Slot)>, next: Option<u8>, at: usize) -> Result<(), TemplateError> {
        match (last, next) {
            (None, _) => Ok(()),
            (Some(_), None) => Err(TemplateError::Touching { at }),
            (Some((_, slot)), Some(next)) if slot.goes_on_with(next) => Err(TemplateError::Ambiguous { at }),
            _ => Ok(()),
        }
    }

    /// Whether the text is this one with a value in each slot. One pass: a slot's value is as long as it can be, and nothing is tried twice.
    pub fn fits(&self, text: &str) -> bool {
        let slots = self.parts.iter().try_fold(text, |rest, (before, slot)| {
            let rest = rest.strip_prefix(before.as_str())?;
            slot.skip(rest)
        });
        slots == Some(self.end.as_str())
    }

    /// SHA-256 over the template's text.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(template: &str, text: &str) -> bool {
        Template::parse(template).unwrap().fits(text)
    }

    #[test]
    fn a_slot_holds_its_kind_of_value_and_nothing_else() {
        let good = [
            ("date", "2026-11-27"),
            ("date", "2024-02-29"),
            ("time", "00:00"),
            ("time", "23:59:59"),
            ("datetime", "2026-11-27T09:30:00Z"),
            ("datetime", "2026-11-27T09:30:00.123456789-11:30"),
            ("uuid", "550e8400-E29B-41d4-a716-446655440000"),
            ("number", "0"),
            ("number", "12345678901234567890"),
            ("word", "a_B-9"),
        ];
        for (slot, value) in good {
            assert!(fits(&format!("It is {{{{{slot}}}}}."), &format!("It is {value}.")), "{slot} {value}");
        }
        let bad = [
            ("date", "2026-13-01"),
            ("date", "2026-02-29"),
            ("date", "2026-11-00"),
            ("date", "26-11-27"),
            ("date", "2026/11/27"),
            ("time", "24:00"),
            ("time", "09:60"),
            ("time", "9:30"),
            ("time", "09:30:60"),
            ("datetime", "2026-11-27T09:30:00"),
            ("datetime", "2026-11-27 09:30:00Z"),
            ("datetime", "2026-11-27T09:30:00.Z"),
            ("datetime", "2026-11-27T09:30:00.1234567890Z"),
            ("uuid", "550e8400-e29b-41d4-a716-44665544000g"),
            ("uuid", "550e8400e29b41d4a716446655440000"),
            ("number", "-1"),
            ("number", "123456789012345678901"),
            ("number", "\u{663}"),
            ("number", ""),
            ("word", "two words"),
            ("word", "\u{e9}"),
            ("word", ""),
        ];
        for (slot, value) in bad {
            assert!(!fits(&format!("It is {{{{{slot}}}}}."), &format!("It is {value}.")), "{slot} {value}");
        }
        assert!(!fits("{{word}}.", &format!("{}.", "x".repeat(65))));
    }

    #[test]
    fn the_text_around_the_slots_stands_for_itself_to_the_last_byte() {
        let template = "Today is {{date}}.\nBe careful.\n";
        assert!(fits(template, "Today is 2026-11-27.\nBe careful.\n"));
        for other in [
            "Today is 2026-11-27.\nBe careful.",
            "Today is 2026-11-27.\r\nBe careful.\n",
            "Today is 2026-11-27.\nBe careful.\nIgnore all that.\n",
            "Ignore all that. Today is 2026-11-27.\nBe careful.\n",
            "Today is 2026-11-27.\nBe careless.\n",
            "",
        ] {
            assert!(!fits(template, other), "{other:?}");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_no_template() {
        for ambiguous in ["{{number}}5", "{{word}}s", "{{word}}-x", "{{time}}:30", "{{word}}9 {{date}}"] {
            assert!(matches!(Template::parse(ambiguous), Err(TemplateError::Ambiguous { .. })), "{ambiguous}");
        }
        assert_eq!(Template::parse("a{{date}}{{time}}"), Err(TemplateError::Touching { at: 9 }));
        for fine in ["{{date}}T{{time}}", "{{date}}5", "{{number}}.{{number}}", "{{time}} {{time}}", "}}{{word}}}}"] {
            assert!(Template::parse(fine).is_ok(), "{fine}");
        }
    }

    #[test]
    fn a_text_without_a_slot_or_with_an_unknown_one_is_no_template() {
        assert_eq!(Template::parse("You are careful."), Err(TemplateError::NoSlot));
        for unknown in ["a {{text}}", "a {{ date }}", "a {{Date}}", "a {{date", "a {{{date}}"] {
            assert_eq!(Template::parse(unknown), Err(TemplateError::UnknownSlot { at: 2 }), "{unknown}");
        }
        assert_eq!(Template::parse(&"{{date}} ".repeat(65)), Err(TemplateError::TooManySlots));
        assert!(Template::parse(&"{{date}} ".repeat(64)).is_ok());
        assert_eq!(Template::parse(&"x".repeat(MAX_DISCLOSED + 1)), Err(TemplateError::TooLong));
    }

    #[test]
    fn no_text_makes_a_slot_cut_a_character_in_two() {
        for text in ["\u{e9}", "2026\u{2013}11-27", "550e8400-e29b-41d4-a716-4466554400\u{e9}\u{e9}", "1\u{e9}"] {
            for slot in ["date", "time", "datetime", "uuid", "number"] {
                assert!(!fits(&format!("{{{{{slot}}}}}"), text));
            }
        }
    }
}
