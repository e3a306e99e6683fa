//! The list's token: `typ` `statuslist+jwt`.

use miniz_oxide::deflate::compress_to_vec_zlib;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_COMPUTE_ADLER32, TINFL_FLAG_PARSE_ZLIB_HEADER, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};
use serde::Serialize;

use crate::b64;
use crate::canon::jcs;
use crate::claims::{Claims, ClaimsError};
use crate::jws::{self, Statement};
use crate::limits::{MAX_STATUS_LIST, MAX_STATUS_TOKEN};
use crate::sign::Sign;

/// How many bits each place has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bits {
    /// Valid or not.
    One,
    /// Room for suspension.
    Two,
    /// Room for twelve more, which all count as not valid.
    Four,
    /// A byte for each.
    Eight,
}

impl Bits {
    /// Of this number.
    pub fn of(number: u64) -> Option<Self> {
        match number {
            1 => Some(Self::One),
            2 => Some(Self::Two),
            4 => Some(Self::Four),
            8 => Some(Self::Eight),
            _ => None,
        }
    }

    /// The number.
    pub fn number(self) -> u8 {
        match self {
            Self::One => 1,
            Self::Two => 2,
            Self::Four => 4,
            Self::Eight => 8,
        }
    }

    /// The largest value that fits.
    fn mask(self) -> u8 {
        u8::MAX >> (8 - self.number())
    }

    /// How many places a byte has.
    fn per_byte(self) -> u64 {
        u64::from(8 / self.number())
    }
}

/// What a list says of one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// 0.
    Valid,
    /// 1: taken back.
    Invalid,
    /// 2: taken back, perhaps not for ever.
    Suspended,
    /// What the draft leaves to applications, or to later. Nothing is known here that would make it valid.
    Other(u8),
}

impl Standing {
    /// The number in the list.
    pub fn number(self) -> u8 {
        match self {
            Self::Valid => 0,
            Self::Invalid => 1,
            Self::Suspended => 2,
            Self::Other(number) => number,
        }
    }
}

impl From<u8> for Standing {
    fn from(number: u8) -> Self {
        match number {
            0 => Self::Valid,
            1 => Self::Invalid,
            2 => Self::Suspended,
            other => Self::Other(other),
        }
    }
}

/// A place that the list does not have, or a standing that its places have no room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the list has no such place, or its places have no room for this")]
pub struct Full;

/// What a list's issuer says of every place in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusList {
    /// `sub`: which list this is.
    pub uri: String,
    /// Seconds since 1970.
    pub issued_at: u64,
    /// Seconds since 1970; the list is good before it.
    pub expires: Option<u64>,
    /// Seconds after its making for which it is fresh.
    pub ttl: Option<u64>,
    bits: Bits,
    places: Vec<u8>,
}

impl StatusList {
    /// A list in which all is valid, with room for at least `size` places. `None` for none, or for more than fit.
    pub fn new(uri: String, bits: Bits, size: u64) -> Option<Self> {
        let bytes = usize::try_from(size.div_ceil(bits.per_byte())).ok()?;
        let fits = (1..=MAX_STATUS_LIST).contains(&bytes);
        fits.then(|| Self { uri, issued_at: 0, expires: None, ttl: None, bits, places: vec![0; bytes] })
    }

    /// How many bits each place has.
    pub fn bits(&self) -> Bits {
        self.bits
    }

    /// How many places there are.
    pub fn size(&self) -> u64 {
        self.places.len() as u64 * self.bits.per_byte()
    }

    /// What is said of a place; `None` where there is none of this number.
    pub fn standing(&self, index: u64) -> Option<Standing> {
        let (byte, shift) = self.place(index);
        let byte = self.places.get(byte?)?;
        Some((byte >> shift & self.bits.mask()).into())
    }

    /// Says it.
    ///
    /// # Errors
    /// [`Full`].
    pub fn set(&mut self, index: u64, standing: Standing) -> Result<(), Full> {
        let (byte, shift) = self.place(index);
        let (number, mask) = (standing.number(), self.bits.mask());
        let byte = byte.and_then(|byte| self.places.get_mut(byte)).filter(|_| number <= mask).ok_or(Full)?;
        *byte = *byte & !(mask << shift) | number << shift;
        Ok(())
    }

    /// Every place that is not valid, in order.
    pub fn marked(&self) -> impl Iterator<Item = (u64, Standing)> + '_ {
        // Most bytes are zero.
        let bytes = (0u64..).zip(&self.places).filter(|(_, byte)| **byte != 0);
        let places = bytes.flat_map(|(n, _)| n * self.bits.per_byte()..(n + 1) * self.bits.per_byte());
        places.filter_map(|index| Some((index, self.standing(index)?))).filter(|(_, s)| *s != Standing::Valid)
    }

    /// Which byte, and by how much its bits are shifted: the lowest come first (section 4.1 of the draft).
    fn place(&self, index: u64) -> (Option<usize>, u8) {
        let per_byte = self.bits.per_byte();
        // Less than eight, so it fits.
        let within = (index % per_byte) as u8;
        (usize::try_from(index / per_byte).ok(), within * self.bits.number())
    }

    /// Signs it into a token.
    pub fn sign<S: Sign>(&self, key: &S) -> Result<String, S::Error> {
        let payload = jcs(&Wire {
            exp: self.expires,
            iat: self.issued_at,
            status_list: Inner { bits: self.bits.number(), lst: b64::encode(compress_to_vec_zlib(&self.places, 9)) },
            sub: &self.uri,
            ttl: self.ttl,
        });
        jws::sign(Self::TYP, &payload, key)
    }
}

impl Statement for StatusList {
    const TYP: &'static str = "statuslist+jwt";
    const LONGEST: usize = MAX_STATUS_TOKEN;

    fn read(claims: &mut Claims<'_, '_>) -> Result<Self, ClaimsError> {
        let number = |claims: &mut Claims<'_, '_>, name| match claims.optional(name) {
            None => Ok(None),
            Some(value) => value.as_u53().map(Some).ok_or(ClaimsError::Invalid(name)),
        };
        let invalid = ClaimsError::Invalid("status_list");
        let (bits, places) = claims.object("status_list", |list| {
            let bits = Bits::of(list.number("bits")?).ok_or(invalid)?;
            let compressed = b64::decode(list.text("lst")?).ok_or(invalid)?;
            Ok((bits, inflate(&compressed).ok_or(invalid)?))
        })?;
        let list = Self {
            uri: claims.name("sub")?,
            issued_at: claims.number("iat")?,
            expires: number(claims, "exp")?,
            ttl: number(claims, "ttl")?,
            bits,
            places,
        };
        claims.finish()?;
        // Times that say nothing are a mistake of whoever wrote them.
        if list.ttl == Some(0) || list.expires.is_some_and(|expires| expires <= list.issued_at) {
            return Err(ClaimsError::Invalid(if list.ttl == Some(0) { "ttl" } else { "exp" }));
        }
        Ok(list)
    }
}

/// The bytes that a ZLIB stream (RFC 1950) holds: at least one, at most [`MAX_STATUS_LIST`], the whole of the input and no more.
fn inflate(compressed: &[u8]) -> Option<Vec<u8>> {
    // One byte more than is allowed, to tell what just fits from what does not. Room is taken as it is written to, so what a few
    // bytes of input say of their size costs nothing before it is there.
    let mut out = vec![0; MAX_STATUS_LIST + 1];
    let flags = TINFL_FLAG_PARSE_ZLIB_HEADER | TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF | TINFL_FLAG_COMPUTE_ADLER32;
    let (status, read, written) = decompress(&mut DecompressorOxide::new(), compressed, &mut out, 0, flags);
    let whole = status == TINFLStatus::Done && read == compressed.len();
    if !whole || !(1..=MAX_STATUS_LIST).contains(&written) {
        return None;
    }
    out.truncate(written);
    out.shrink_to_fit();
    Some(out)
}

#[derive(Serialize)]
struct Wire<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<u64>,
    iat: u64,
    status_list: Inner,
    sub: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<u64>,
}

#[derive(Serialize)]
struct Inner {
    bits: u8,
    lst: String,
}
