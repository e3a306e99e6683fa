//! Reading claims: each exactly once, each of its type, none left over.

use crate::digest::{Digest, Jti};
use crate::json::{Object, Value};
use crate::jwk::{KeyError, PublicKey};
use crate::labels::Labels;
use crate::limits::MAX_NAME;

/// What is wrong with a payload's claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimsError {
    /// The payload is not an object.
    #[error("the payload is not a JSON object")]
    NotAnObject,
    /// A required claim is absent.
    #[error("the claim {0:?} is missing")]
    Missing(&'static str),
    /// A claim is of the wrong type, form or range.
    #[error("the claim {0:?} is not what it should be")]
    Invalid(&'static str),
    /// A key inside is refused.
    #[error("the claim {0:?} holds a key that is refused: {1}")]
    Key(&'static str, KeyError),
    /// A claim that this type of token does not have.
    #[error("there is a claim that this type of token does not have")]
    Unknown,
}

/// A cursor over the members of one object.
pub struct Claims<'o, 'v> {
    object: &'o Object<'v>,
    taken: usize,
}

impl<'o, 'v> Claims<'o, 'v> {
    /// Over the members of `value`.
    pub fn of(value: &'o Value<'v>) -> Result<Self, ClaimsError> {
        value.as_object().map(Self::over).ok_or(ClaimsError::NotAnObject)
    }

    /// Over the members of `object`.
    pub fn over(object: &'o Object<'v>) -> Self {
        Self { object, taken: 0 }
    }

    /// A claim that may be absent.
    pub fn optional(&mut self, name: &'static str) -> Option<&'o Value<'v>> {
        let value = self.object.get(name)?;
        self.taken += 1;
        Some(value)
    }

    /// A claim that must be there.
    pub fn required(&mut self, name: &'static str) -> Result<&'o Value<'v>, ClaimsError> {
        self.optional(name).ok_or(ClaimsError::Missing(name))
    }

    /// A name: a non-empty string of at most [`MAX_NAME`] bytes without control characters.
    pub fn name(&mut self, name: &'static str) -> Result<String, ClaimsError> {
        let text = self.text(name)?;
        if is_name(text) { Ok(text.to_owned()) } else { Err(ClaimsError::Invalid(name)) }
    }

    /// A string.
    pub fn text(&mut self, name: &'static str) -> Result<&'o str, ClaimsError> {
        self.required(name)?.as_str().ok_or(ClaimsError::Invalid(name))
    }

    /// A whole number from 0 to 2^53 − 1; times are in seconds since 1970 (RFC 7519, NumericDate).
    pub fn number(&mut self, name: &'static str) -> Result<u64, ClaimsError> {
        self.required(name)?.as_u53().ok_or(ClaimsError::Invalid(name))
    }

    /// A SHA-256 digest.
    pub fn digest(&mut self, name: &'static str) -> Result<Digest, ClaimsError> {
        Digest::from_b64(self.text(name)?).ok_or(ClaimsError::Invalid(name))
    }

    /// 128 bits.
    pub fn jti(&mut self, name: &'static str) -> Result<Jti, ClaimsError> {
        crate::b64::decode_exact(self.text(name)?).map(Jti).ok_or(ClaimsError::Invalid(name))
    }

    /// A set of labels.
    pub fn labels(&mut self, name: &'static str) -> Result<Labels, ClaimsError> {
        Labels::read(self.required(name)?).ok_or(ClaimsError::Invalid(name))
    }

    /// An object, read by `read`, none of its members left over.
    pub fn object<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut Claims<'o, 'v>) -> Result<T, ClaimsError>,
    ) -> Result<T, ClaimsError> {
        let object = self.required(name)?.as_object().ok_or(ClaimsError::Invalid(name))?;
        let mut inner = Claims::over(object);
        let value = read(&mut inner)?;
        inner.finish()?;
        Ok(value)
    }

    /// An array.
    pub fn array(&mut self, name: &'static str) -> Result<&'o [Value<'v>], ClaimsError> {
        self.required(name)?.as_array().ok_or(ClaimsError::Invalid(name))
    }

    /// The key of a `cnf` claim (RFC 7800): exactly one `jwk`.
    pub fn confirmation(&mut self) -> Result<PublicKey, ClaimsError> {
        self.object("cnf", |cnf| PublicKey::from_jwk(cnf.required("jwk")?).map_err(|e| ClaimsError::Key("cnf", e)))
    }

    /// Refuses members that nobody took.
    pub fn finish(&self) -> Result<(), ClaimsError> {
        if self.taken == self.object.len() { Ok(()) } else { Err(ClaimsError::Unknown) }
    }
}

/// Whether `text` can be a name on the wire: 1 to [`MAX_NAME`] bytes, no control characters.
pub fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_NAME && !text.chars().any(char::is_control)
}
