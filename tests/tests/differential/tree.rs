//! A document before it is bytes: members may repeat, and any text may be spelled in any way.

use super::random::Random;

/// A value. Texts are kept as they will be written, so that a mutation may spell them wrongly.
#[derive(Clone, Debug)]
pub enum Tree {
    /// Written as it is: a number, a literal, a text with its quotes, or what is none of these.
    Raw(Vec<u8>),
    Array(Vec<Tree>),
    Object(Vec<(Vec<u8>, Tree)>),
}

impl Tree {
    /// A tree of well-formed JSON.
    pub fn of(text: &str) -> Self {
        Self::from_value(&serde_json::from_str(text).unwrap())
    }

    fn from_value(value: &serde_json::Value) -> Self {
        match value {
            serde_json::Value::Array(items) => Self::Array(items.iter().map(Self::from_value).collect()),
            serde_json::Value::Object(members) => {
                Self::Object(members.iter().map(|(name, value)| (quoted(name), Self::from_value(value))).collect())
            }
            other => Self::Raw(other.to_string().into_bytes()),
        }
    }

    /// The member of the outermost object that is written so.
    pub fn member(&mut self, name: &str) -> Option<&mut Tree> {
        let Self::Object(members) = self else { return None };
        members.iter_mut().find(|(n, _)| *n == quoted(name)).map(|(_, value)| value)
    }

    /// The bytes, with blanks here and there.
    pub fn write(&self, random: &mut Random, airy: bool, out: &mut Vec<u8>) {
        let blank = |random: &mut Random, out: &mut Vec<u8>| {
            if airy && random.once_in(3) {
                out.extend_from_slice(random.pick(&[" ", "\t", "\n", "\r\n", "  ", "\r", " \n "]).as_bytes());
            }
        };
        let list = |random: &mut Random, out: &mut Vec<u8>, first: bool| {
            if !first {
                out.push(b',');
            }
            blank(random, out);
        };
        match self {
            Self::Raw(bytes) => out.extend_from_slice(bytes),
            Self::Array(items) => {
                out.push(b'[');
                for (at, item) in items.iter().enumerate() {
                    list(random, out, at == 0);
                    item.write(random, airy, out);
                    blank(random, out);
                }
                out.push(b']');
            }
            Self::Object(members) => {
                out.push(b'{');
                for (at, (name, value)) in members.iter().enumerate() {
                    list(random, out, at == 0);
                    out.extend_from_slice(name);
                    blank(random, out);
                    out.push(b':');
                    blank(random, out);
                    value.write(random, airy, out);
                    blank(random, out);
                }
                out.push(b'}');
            }
        }
    }

    /// How many values there are, this one included.
    pub fn size(&self) -> usize {
        match self {
            Self::Raw(_) => 1,
            Self::Array(items) => 1 + items.iter().map(Self::size).sum::<usize>(),
            Self::Object(members) => 1 + members.iter().map(|(_, value)| value.size()).sum::<usize>(),
        }
    }

    /// The `n`th value, outermost first.
    pub fn nth(&mut self, mut n: usize) -> &mut Tree {
        if n == 0 {
            return self;
        }
        n -= 1;
        let children: Vec<&mut Tree> = match self {
            Self::Raw(_) => Vec::new(),
            Self::Array(items) => items.iter_mut().collect(),
            Self::Object(members) => members.iter_mut().map(|(_, value)| value).collect(),
        };
        for child in children {
            let size = child.size();
            if n < size {
                return child.nth(n);
            }
            n -= size;
        }
        unreachable!("n is below the size")
    }

    /// An object of the tree, the outermost one in half of all cases: what stands there decides most.
    pub fn object(&mut self, random: &mut Random) -> Option<&mut Vec<(Vec<u8>, Tree)>> {
        let size = self.size();
        let start = if random.once_in(2) { 0 } else { random.below(size) };
        let at = (start..size).find(|n| matches!(self.nth(*n), Self::Object(members) if !members.is_empty()))?;
        match self.nth(at) {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }
}

/// A text with its quotes.
pub fn quoted(text: &str) -> Vec<u8> {
    serde_json::to_vec(text).unwrap()
}
