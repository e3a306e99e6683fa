//! What in a text gives reason to look.

use core::fmt;

/// A kind of mark; in the order of the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// Text that addresses the model.
    Addressed,
    /// Characters that turn the direction of text around.
    Bidi,
    /// A long run of base64 or hex within other text.
    Encoded,
    /// Control sequences of terminals.
    Escape,
    /// Characters that nobody sees.
    Invisible,
    /// Markup that hides something or leads away.
    Markup,
    /// Names of files that hold secrets.
    SecretPath,
}

impl Mark {
    /// All of them, in order.
    pub const ALL: [Self; 7] =
        [Self::Addressed, Self::Bidi, Self::Encoded, Self::Escape, Self::Invisible, Self::Markup, Self::SecretPath];

    /// The word in the event.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Addressed => "addressed",
            Self::Bidi => "bidi",
            Self::Encoded => "encoded",
            Self::Escape => "escape",
            Self::Invisible => "invisible",
            Self::Markup => "markup",
            Self::SecretPath => "secret-path",
        }
    }

    /// The mark of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mark| mark.as_str() == word)
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How often each mark was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks([u32; Mark::ALL.len()]);

impl Marks {
    /// One more of this kind.
    pub fn add(&mut self, mark: Mark) {
        self.set(mark, self.get(mark).saturating_add(1));
    }

    /// How many of this kind.
    pub fn get(&self, mark: Mark) -> u32 {
        self.0.get(mark as usize).copied().unwrap_or_default()
    }

    /// So many of this kind.
    pub fn set(&mut self, mark: Mark, count: u32) {
        if let Some(place) = self.0.get_mut(mark as usize) {
            *place = count;
        }
    }

    /// Those of another text as well.
    pub fn join(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine = mine.saturating_add(theirs);
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|count| *count == 0)
    }

    /// Those that were found, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Mark, u32)> + '_ {
        Mark::ALL.into_iter().zip(self.0).filter(|(_, count)| *count > 0)
    }
}

/// Their words, with a blank between two.
impl fmt::Display for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (mark, _)) in self.iter().enumerate() {
            write!(f, "{}{mark}", if n == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

impl serde::Serialize for Marks {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(mark, count)| (mark.as_str(), count)))
    }
}
