//! JSON pointers (RFC 6901).

use attest_core::json::{Value, folds_to};
use serde::{Deserialize, Deserializer, de};

use super::Unreadable;

/// Longest pointer, in bytes.
const MAX_POINTER: usize = 1_024;

/// Where a value stands below the arguments.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pointer {
    text: String,
    /// Each name, and the same in lower case, by which `folds_to` compares.
    tokens: Vec<(String, String)>,
}

/// Why a text is no pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a JSON pointer begins with / and has no ~ but in ~0 and ~1 (RFC 6901): \"/to\", \"/to/0\", \"/address/city\"")]
pub struct PointerError;

impl Pointer {
    /// Reads a pointer to something below the arguments.
    ///
    /// # Errors
    /// [`PointerError`]
    pub fn parse(text: &str) -> Result<Self, PointerError> {
        let below = text.strip_prefix('/').filter(|_| text.len() <= MAX_POINTER).ok_or(PointerError)?;
        let tokens = below.split('/').map(|token| {
            if token.replace("~0", "").replace("~1", "").contains('~') {
                return Err(PointerError);
            }
            let token = token.replace("~1", "/").replace("~0", "~");
            let low = token.to_ascii_lowercase();
            Ok((token, low))
        });
        Ok(Self { text: text.to_owned(), tokens: tokens.collect::<Result<_, _>>()? })
    }

    /// The pointer as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What stands there; none where nothing does, or where the way to it ends in `null`.
    ///
    /// # Errors
    /// [`Unreadable::NoObject`] and [`Unreadable::Case`].
    pub fn find<'a>(&self, arguments: &'a Value<'a>) -> Result<Option<&'a Value<'a>>, Unreadable> {
        let mut at = arguments;
        for (token, low) in &self.tokens {
            let below = match at {
                Value::Object(members) => {
                    if members.iter().any(|(name, _)| name != token && folds_to(name, low)) {
                        return Err(Unreadable::Case);
                    }
                    members.get(token)
                }
                Value::Array(items) => index(token).ok_or(Unreadable::NoObject).map(|index| items.get(index))?,
                Value::Null => None,
                _ => return Err(Unreadable::NoObject),
            };
            match below {
                Some(value) => at = value,
                None => return Ok(None),
            }
        }
        Ok(Some(at))
    }
}

impl<'de> Deserialize<'de> for Pointer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// RFC 6901: digits without a zero in front.
fn index(token: &str) -> Option<usize> {
    let digits = token.bytes().all(|c| c.is_ascii_digit()) && (token == "0" || !token.starts_with('0'));
    if digits { token.parse().ok() } else { None }
}
