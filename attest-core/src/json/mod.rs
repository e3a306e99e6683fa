//! Strict JSON in (I-JSON, RFC 7493, but that noncharacters pass), canonical JSON (JCS, RFC 8785) out.
//!
//! What others send is read here and nowhere else. A general parser is unfit for it: `serde_json::Value` keeps the last of
//! duplicate members, rounds large integers, and, when any crate in the build turns on its `raw_value` or
//! `arbitrary_precision` feature, turns certain objects into something else altogether. Whatever one reader of a message
//! sees and another does not is a way past the verifier.
//!
//! The rules, in `spec/json.md`: UTF-8 without a byte-order mark; one value and nothing after it; no duplicate member at any
//! depth, compared after escapes are resolved; no lone surrogate; no number that is infinite, and none whose value is
//! integral with 2^53 ≤ |v| < 10^21 in any spelling; nesting of at most [`MAX_DEPTH`].

mod canonical;
mod error;
mod fold;
mod number;
mod reader;
pub(crate) mod splice;
mod value;

pub(crate) use canonical::write_members;
pub use canonical::{write_canonical, write_string};
pub use error::{JsonError, JsonErrorKind};
pub use fold::folds_to;
pub use reader::{MAX_DEPTH, parse};
pub use value::{Object, Value};
