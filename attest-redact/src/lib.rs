//! Takes secrets out of what is kept of a call, and leaves a commitment in the place of each.
//!
//! Pure: no clock, file or random source. Salts come from a closure, and go back beside the text, never in it.
//!
//! ```
//! use attest_core::{digest::Salt, json};
//! use attest_redact::{Rules, check};
//!
//! let rules = Rules::defaults();
//! let value = json::parse(br#"{"path":"/tmp/a","password":"hunter2"}"#).unwrap();
//! let kept = rules.value(&value, &mut || Salt([7; 16]));
//! assert!(!kept.text.contains("hunter2"));
//! let left = &kept.salts[0];
//! assert!(check(&left.commitment, &left.salt, "hunter2"));
//! assert!(!check(&left.commitment, &left.salt, "hunter3"));
//! ```
//!
//! A value that goes whole becomes `{"redacted":"<kind>","commitment":"<43 characters>"}`; a part of a text becomes
//! `[redacted:<kind>:<43 characters>]`. The commitment is [`Digest::salted`](attest_core::digest::Digest::salted) over the
//! characters of the string, or the canonical JSON of any other value. Whoever has the salt can check a claimed value; when
//! the salt is forgotten the commitment says nothing, however few values there could be. What a caller sends may itself
//! look like a placeholder; no salt fits such a one.
//!
//! # What is found
//!
//! | kind | what |
//! |---|---|
//! | `field` | the value of a member, variable, flag or header with a secret's name; behind `name=` and `name:` in texts; `value` beside a `name` |
//! | of the rule | the value at a path |
//! | of the rule | keys of known services, by prefix |
//! | `jwt` | JSON Web Tokens |
//! | `credentials` | behind `Bearer`, and behind `Basic` if base64 of `user:password` |
//! | `private-key` | PEM blocks, also cut ones |
//! | `card` | payment cards with a right check digit, in strings and as numbers |
//! | `mail` | mail addresses |
//! | `url-user` | user and password in front of a URL's host |
//! | `random` | words of 20 characters or more that look random, such as keys, digests, base64 |
//! | `cut` | the rest of a string longer than the rules keep |
//! | `too-many` | all of a document with more than 2,048 secrets |
//!
//! JSON escapes are resolved before anything is looked at, names of members are looked at as values are, JSON inside a
//! string is read as JSON (three levels), and words with `%xx`, `\uxxxx` or `\/` are looked at decoded (two layers).
//!
//! # What is not found
//!
//! - a secret without shape or name: `the code word is swordfish`, a short password as an argument of its own without a flag
//!   (`mysql -phunter2`, `curl -u me:hunter2`), letters of one case only without a known prefix;
//! - a secret in pieces: over two strings, members, lines or arguments; with blanks put in (cards may have single ones);
//! - a short secret in base64 or hexadecimal (under 20 characters), and any encoding not named above (rot13, gzip, UTF-7);
//!   longer ones are found as `random` nearly always, and not by what they decode to;
//! - UUIDs, which name more than they open; IP addresses; names, phone numbers and addresses of people;
//! - what a JSON Schema says of a property with a secret's name in its `description`; its `default`, `const`, `enum` and
//!   `examples` are redacted.
//!
//! So redaction is a net, not a wall: what must not be kept needs a rule by path.

mod commitment;
mod config;
mod find;
mod names;
mod path;
mod redact;
mod rules;

pub use commitment::{Salted, check};
pub use config::RulesError;
pub use redact::Redacted;
pub use rules::Rules;
