//! A list of files or tensors like an accepted one, but for the digests of some.
//!
//! Compared is what is left of a list when the digests that may differ are taken out. So all that is not such a digest has to be
//! the same: files, names, sizes, headers, types, shapes, and their number.

use crate::claims::Claims;
use crate::digest::Digest;
use crate::json::{self, Value, write_string};
use crate::limits::MAX_DISCLOSED;
use crate::measurement::Component;

/// Most patterns of one rule.
pub const MAX_PATTERNS: usize = 64;
/// Longest pattern, in bytes.
const MAX_PATTERN: usize = 256;

/// What a list is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Files: the bytes of `model-weights` and `harness`.
    Files,
    /// Tensors by file: the bytes of `model-tensors`.
    Tensors,
}

/// Why there is no such rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ListingError {
    /// A component that is no list.
    #[error("{0} is no list of files or tensors; there are harness, model-tensors and model-weights")]
    NoList(Component),
    /// Not a list of this component's form.
    #[error("it is not the list of a {0}")]
    Form(Component),
    /// Nothing may differ.
    #[error("no pattern says what may differ: list the digest instead")]
    NoPattern,
    /// Longer than what can be disclosed.
    #[error("it is longer than {MAX_DISCLOSED} bytes, and a longer list cannot be disclosed")]
    TooLong,
    /// More than [`MAX_PATTERNS`].
    #[error("there are more than {MAX_PATTERNS} patterns")]
    TooManyPatterns,
    /// A pattern of no characters, or of too many.
    #[error("a pattern has 1 to {MAX_PATTERN} bytes")]
    Pattern,
    /// A pattern that means nothing.
    #[error("the pattern {:?} is the name of nothing in the list", .0)]
    Unused(String),
}

/// An accepted list, and the names of that whose digest may be another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    kind: Kind,
    patterns: Vec<Pattern>,
    /// Over the accepted list.
    accepted: Digest,
    /// Over what every list must have in common with it.
    common: Digest,
}

impl Listing {
    /// The rule that a list is like `accepted`, the bytes that a digest of `component` is over, but for the digests of what one of the patterns
    /// names. In a pattern `*` stands for any characters, `.` and `/` too, and everything else for itself.
    ///
    /// # Errors
    /// [`ListingError`].
    pub fn new(component: Component, accepted: &str, patterns: &[impl AsRef<str>]) -> Result<Self, ListingError> {
        let kind = match component {
            Component::ModelTensors => Kind::Tensors,
            Component::ModelWeights | Component::Harness => Kind::Files,
            _ => return Err(ListingError::NoList(component)),
        };
        if accepted.len() > MAX_DISCLOSED {
            return Err(ListingError::TooLong);
        }
        match patterns.len() {
            0 => return Err(ListingError::NoPattern),
            count if count > MAX_PATTERNS => return Err(ListingError::TooManyPatterns),
            _ => {}
        }
        let patterns: Option<Vec<_>> = patterns.iter().map(|pattern| Pattern::parse(pattern.as_ref())).collect();
        let patterns = patterns.ok_or(ListingError::Pattern)?;
        let mut used = vec![false; patterns.len()];
        let named = |name: &str| {
            let mut any = false;
            for (pattern, used) in patterns.iter().zip(&mut used) {
                let fits = pattern.fits(name);
                (any, *used) = (any | fits, *used | fits);
            }
            any
        };
        let common = common(kind, accepted, named).ok_or(ListingError::Form(component))?;
        if let Some((pattern, _)) = patterns.iter().zip(&used).find(|(_, used)| !**used) {
            return Err(ListingError::Unused(pattern.text.clone()));
        }
        Ok(Self { kind, patterns, accepted: Digest::of(accepted), common })
    }

    pub(super) fn is_of(&self, component: Component) -> bool {
        match self.kind {
            Kind::Tensors => component == Component::ModelTensors,
            Kind::Files => matches!(component, Component::ModelWeights | Component::Harness),
        }
    }

    /// Whether this list, the bytes that a digest is over, differs from the accepted one in nothing but what may.
    pub fn fits(&self, list: &str) -> bool {
        let named = |name: &str| self.patterns.iter().any(|pattern| pattern.fits(name));
        common(self.kind, list, named) == Some(self.common)
    }

    /// SHA-256 over the accepted list.
    pub fn digest(&self) -> Digest {
        self.accepted
    }
}

/// Digest over a list without the digests of what is named; `None` where it is no list, or not in canonical form.
fn common(kind: Kind, list: &str, mut named: impl FnMut(&str) -> bool) -> Option<Digest> {
    let value = json::parse(list.as_bytes()).ok()?;
    if value.to_canonical() != list.as_bytes() {
        return None;
    }
    let mut out = Vec::with_capacity(list.len());
    let lines = value.as_array().filter(|lines| !lines.is_empty())?;
    for line in lines {
        match kind {
            Kind::Files => file(line, &mut named, &mut out)?,
            Kind::Tensors => {
                let mut members = Claims::of(line).ok()?;
                let (name, header) = (members.text("file").ok()?, members.digest("header").ok()?);
                let tensors = members.array("tensors").ok().filter(|tensors| !tensors.is_empty())?;
                members.finish().ok()?;
                text(name, &mut out);
                out.extend(header.0);
                count(tensors.len() as u64, &mut out);
                tensors.iter().try_for_each(|line| tensor(line, &mut named, &mut out))?;
            }
        }
    }
    Some(Digest::of(out))
}

fn file(line: &Value<'_>, named: &mut impl FnMut(&str) -> bool, out: &mut Vec<u8>) -> Option<()> {
    let mut members = Claims::of(line).ok()?;
    let (name, size, digest) =
        (members.text("name").ok()?, members.number("size").ok()?, members.digest("digest").ok()?);
    members.finish().ok()?;
    text(name, out);
    count(size, out);
    unless(named(name), digest, out);
    Some(())
}

fn tensor(line: &Value<'_>, named: &mut impl FnMut(&str) -> bool, out: &mut Vec<u8>) -> Option<()> {
    let mut members = Claims::of(line).ok()?;
    let (name, dtype, digest) =
        (members.text("name").ok()?, members.text("dtype").ok()?, members.digest("digest").ok()?);
    let shape: Vec<u64> = members.array("shape").ok()?.iter().map(Value::as_u53).collect::<Option<_>>()?;
    members.finish().ok()?;
    text(name, out);
    text(dtype, out);
    count(shape.len() as u64, out);
    shape.into_iter().for_each(|length| count(length, out));
    unless(named(name), digest, out);
    Some(())
}

/// With its quotes a text ends where it ends, so that no two lists run together into the same bytes.
fn text(text: &str, out: &mut Vec<u8>) {
    write_string(text, out);
}

fn count(number: u64, out: &mut Vec<u8>) {
    out.extend(number.to_be_bytes());
}

fn unless(free: bool, digest: Digest, out: &mut Vec<u8>) {
    out.push(u8::from(free));
    if !free {
        out.extend(digest.0);
    }
}

/// A name in which `*` stands for any characters.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    text: String,
}

impl Pattern {
    fn parse(text: &str) -> Option<Self> {
        (1..=MAX_PATTERN).contains(&text.len()).then(|| Self { text: text.to_owned() })
    }

    /// Each piece between two stars is looked for behind the one before it, once: what is found first leaves the most for the rest.
    fn fits(&self, name: &str) -> bool {
        let Some((first, rest)) = self.text.split_once('*') else {
            return self.text == name;
        };
        let Some(name) = name.strip_prefix(first) else {
            return false;
        };
        let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
        let Some(mut name) = name.strip_suffix(last) else {
            return false;
        };
        middle.split('*').all(|piece| match name.find(piece) {
            Some(at) => {
                name = name.get(at + piece.len()..).unwrap_or_default();
                true
            }
            None => false,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tensors(rows: &[(&str, &str, &str, u64)]) -> String {
        let row = |(name, digest, dtype, size): &(&str, &str, &str, u64)| {
            format!(
                r#"{{"digest":"{}","dtype":"{dtype}","name":"{name}","shape":[{size}]}}"#,
                Digest::of(digest).to_b64()
            )
        };
        let rows: Vec<_> = rows.iter().map(row).collect();
        format!(
            r#"[{{"file":"m.safetensors","header":"{}","tensors":[{}]}}]"#,
            Digest::of("header").to_b64(),
            rows.join(",")
        )
    }

    const BASE: [(&str, &str, &str, u64); 3] =
        [("a.lora_A", "1", "F16", 4), ("a.weight", "2", "F16", 4), ("b.lora_A", "3", "F16", 4)];

    fn rule() -> Listing {
        Listing::new(Component::ModelTensors, &tensors(&BASE), &["*lora*"]).unwrap()
    }

    #[test]
    fn named_tensors_may_have_other_bytes_and_nothing_else_may_differ() {
        let rule = rule();
        let with = |at: usize, row| {
            let mut rows = BASE;
            rows[at] = row;
            tensors(&rows)
        };
        assert!(rule.fits(&tensors(&BASE)));
        assert!(rule.fits(&with(0, ("a.lora_A", "other", "F16", 4))));
        assert!(!rule.fits(&with(1, ("a.weight", "other", "F16", 4))), "a tensor that no pattern names");
        assert!(!rule.fits(&with(0, ("a.lora_A", "1", "BF16", 4))), "another type");
        assert!(!rule.fits(&with(0, ("a.lora_A", "1", "F16", 8))), "another shape");
        assert!(!rule.fits(&with(0, ("a.lora_0", "1", "F16", 4))), "another name, which the pattern would fit");
        assert!(!rule.fits(&tensors(&BASE[..2])), "one is missing");
        assert!(!rule.fits(&tensors(&BASE).replace("m.safetensors", "n.safetensors")), "another file");
        let header = |text: &str| Digest::of(text).to_b64();
        assert!(!rule.fits(&tensors(&BASE).replace(&header("header"), &header("other"))), "another header");
    }

    #[test]
    fn a_text_that_is_no_list_fits_nothing() {
        let good = tensors(&BASE);
        let long = "x".repeat(43);
        for text in [
            "",
            "[]",
            "{}",
            &good.replace("[{\"file", "[ {\"file"),
            &good.replace(
                "\"dtype\":\"F16\",\"name\":\"a.lora_A\"",
                "\"dtype\":\"F16\",\"extra\":1,\"name\":\"a.lora_A\"",
            ),
            &good.replace(&Digest::of("1").to_b64(), &long),
            &good.replace(&Digest::of("1").to_b64(), ""),
            r#"[{"digest":"","name":"a","size":1}]"#,
        ] {
            assert!(!rule().fits(text), "{text}");
        }
    }

    #[test]
    fn files_may_have_other_bytes_of_the_same_number() {
        let list = |digest: &str, size: u64| {
            format!(r#"[{{"digest":"{}","name":"sub/a.bin","size":{size}}}]"#, Digest::of(digest).to_b64())
        };
        for component in [Component::ModelWeights, Component::Harness] {
            let rule = Listing::new(component, &list("1", 4), &["sub/*"]).unwrap();
            assert!(rule.fits(&list("2", 4)));
            assert!(!rule.fits(&list("1", 5)));
            assert!(!rule.fits(&tensors(&BASE)), "a list of another kind");
            assert!(rule.is_of(component) && !rule.is_of(Component::ModelTensors));
        }
    }

    #[test]
    fn a_rule_that_means_nothing_is_refused() {
        let new = |component, list: &str, patterns: &[&str]| Listing::new(component, list, patterns).unwrap_err();
        let list = tensors(&BASE);
        assert_eq!(new(Component::Config, &list, &["*"]), ListingError::NoList(Component::Config));
        assert_eq!(new(Component::Harness, &" ".repeat(MAX_DISCLOSED + 1), &["*"]), ListingError::TooLong);
        assert_eq!(new(Component::Harness, &list, &["*"]), ListingError::Form(Component::Harness));
        assert_eq!(new(Component::ModelTensors, &list, &[]), ListingError::NoPattern);
        assert_eq!(new(Component::ModelTensors, &list, &["*"; 65]), ListingError::TooManyPatterns);
        assert_eq!(new(Component::ModelTensors, &list, &[""]), ListingError::Pattern);
        assert_eq!(new(Component::ModelTensors, &list, &[&"*".repeat(257)]), ListingError::Pattern);
        let unused = new(Component::ModelTensors, &list, &["*lora*", "*.adapter"]);
        assert_eq!(unused, ListingError::Unused("*.adapter".to_owned()));
    }

    /// The meaning of a pattern, as it is said: each `*` by trying every length.
    fn plainly(pattern: &[u8], name: &[u8]) -> bool {
        match pattern {
            [] => name.is_empty(),
            [b'*', rest @ ..] => (0..=name.len()).any(|n| plainly(rest, &name[n..])),
            [c, rest @ ..] => name.first() == Some(c) && plainly(rest, &name[1..]),
        }
    }

    proptest! {
        #[test]
        fn a_pattern_fits_what_it_says(pattern in "[ab*]{1,8}", name in "[ab]{0,10}") {
            let fits = Pattern::parse(&pattern).unwrap().fits(&name);
            prop_assert_eq!(fits, plainly(pattern.as_bytes(), name.as_bytes()));
        }
    }
}
