//! Which logs and witnesses are trusted, and how many witnesses are enough (C2SP tlog-policy). `spec/log-policy.md`.
//!
//! An attacker who can write this file can name witnesses of his own, and so make a forked log look witnessed.

use core::fmt;
use core::ops::RangeInclusive;

use crate::checkpoint::{Checkpoint, CheckpointError, decimal};
use crate::cosignature;
use crate::note::{Kind, Note, NoteError, Vkey, VkeyError};

/// Longest policy that is read, in bytes.
pub const MAX_POLICY: usize = 65_536;
/// Most logs, most witnesses, and most groups.
pub const MAX_ITEMS: usize = 32;

/// A witness of the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// Its name in the policy; it means nothing outside.
    pub name: String,
    /// Its key.
    pub vkey: Vkey,
    /// Where it takes checkpoints (C2SP: the submission prefix), as it was written.
    pub url: Option<String>,
}

/// A log of the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Its key; the key's name is the log's origin.
    pub vkey: Vkey,
    /// Where it is found, as it was written.
    pub url: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Member {
    Witness(usize),
    Group(usize),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    name: String,
    needed: usize,
    members: Vec<Member>,
}

/// A policy, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPolicy {
    logs: Vec<Log>,
    witnesses: Vec<Witness>,
    /// In the order of the file, so that each refers to earlier ones alone.
    groups: Vec<Group>,
    /// `None` for `quorum none`.
    quorum: Option<Member>,
}

/// Why a policy is refused, and in which line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyError {
    /// The line, counted from 1; none where the whole is at fault.
    pub line: Option<usize>,
    /// What is wrong there.
    pub fault: PolicyFault,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.fault),
            None => self.fault.fmt(f),
        }
    }
}

impl std::error::Error for PolicyError {}

/// What is wrong with a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyFault {
    /// Over [`MAX_POLICY`] bytes, or over [`MAX_ITEMS`] of one sort.
    #[error("a policy has at most {MAX_POLICY} bytes, and {MAX_ITEMS} logs, witnesses and groups each")]
    Limit,
    /// The last line has no line feed: it may be one that was cut off.
    #[error("the line does not end in a line feed")]
    LineFeed,
    /// A control character other than tab and line feed, or no UTF-8 outside a comment.
    #[error("control characters other than tab, or bytes that are no UTF-8")]
    Characters,
    /// Not one of the four sorts of lines.
    #[error("a line is `log`, `witness`, `group` or `quorum`, or a comment behind #")]
    Keyword,
    /// Too few or too many words.
    #[error(
        "expected `log <vkey> [<url>]`, `witness <name> <vkey> [<url>]`, `group <name> all|any|<k> <name>...` or `quorum <name>`"
    )]
    Words,
    /// Not a key.
    #[error("the key: {0}")]
    Vkey(#[from] VkeyError),
    /// A witness's key for a log, or the other way round.
    #[error("a log has a key of type 01, a witness one of type 04")]
    Kind,
    /// The key stands in an earlier line too, for a log or a witness.
    #[error("this key was named before")]
    SameKey,
    /// The name was defined before, or is `none`.
    #[error("this name was defined before (`none` is)")]
    SameName,
    /// No witness and no group of this name in an earlier line.
    #[error("no witness and no group of this name in an earlier line")]
    Unknown,
    /// Is a member of a group already.
    #[error("a name can be a member once, of one group")]
    Twice,
    /// Not a number, none, or more than there are members.
    #[error("a group needs `all`, `any`, or a number from 1 to that of its members")]
    Threshold,
    /// A second quorum line.
    #[error("a second quorum line")]
    SecondQuorum,
    /// No quorum line.
    #[error("no quorum line; write `quorum none` where no witness is needed")]
    NoQuorum,
}

/// Who cosigned a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witnessed {
    /// Index into [`LogPolicy::witnesses`], and the time in seconds since 1970; in the policy's order.
    pub cosigned: Vec<(usize, u64)>,
    /// Whether they are enough.
    pub met: bool,
}

impl LogPolicy {
    /// Reads a policy.
    ///
    /// # Errors
    /// [`PolicyError`], of the first line that has one.
    pub fn parse(policy: &[u8]) -> Result<Self, PolicyError> {
        if policy.len() > MAX_POLICY {
            return Err(PolicyError { line: None, fault: PolicyFault::Limit });
        }
        let mut reader = Reader::default();
        for (at, line) in policy.split_inclusive(|b| *b == b'\n').enumerate() {
            reader.line(line).map_err(|fault| PolicyError { line: Some(at + 1), fault })?;
        }
        let quorum = reader.quorum.ok_or(PolicyError { line: None, fault: PolicyFault::NoQuorum })?;
        Ok(Self { logs: reader.logs, witnesses: reader.witnesses, groups: reader.groups, quorum })
    }

    /// The logs.
    pub fn logs(&self) -> &[Log] {
        &self.logs
    }

    /// The witnesses.
    pub fn witnesses(&self) -> &[Witness] {
        &self.witnesses
    }

    /// Whether no witness is needed.
    pub fn is_none(&self) -> bool {
        self.quorum.is_none()
    }

    /// Whether the witnesses for which `cosigned` holds are enough.
    pub fn satisfied_by(&self, cosigned: impl Fn(usize, &Witness) -> bool) -> bool {
        let witnesses: Vec<bool> = self.witnesses.iter().enumerate().map(|(at, w)| cosigned(at, w)).collect();
        let mut groups: Vec<bool> = Vec::with_capacity(self.groups.len());
        // A member that is not there cannot be: the reader resolved it. It counts as one that did not cosign.
        let has = |groups: &[bool], member: &Member| match *member {
            Member::Witness(at) => witnesses.get(at).copied().unwrap_or(false),
            Member::Group(at) => groups.get(at).copied().unwrap_or(false),
        };
        for group in &self.groups {
            let count = group.members.iter().filter(|member| has(&groups, member)).count();
            groups.push(count >= group.needed);
        }
        self.quorum.is_none_or(|member| has(&groups, &member))
    }

    /// Which witnesses cosigned this note, and whether they are enough. Whether its log signed it is another question:
    /// [`LogPolicy::open_note`], or [`LogKeys::open_note`](crate::checkpoint::LogKeys::open_note).
    ///
    /// # Errors
    /// [`NoteError::Signature`]: a line in a witness's name is not its own, and the note is malformed.
    pub fn witnessed(&self, note: &Note<'_>) -> Result<Witnessed, NoteError> {
        let mut cosigned = Vec::new();
        for (at, witness) in self.witnesses.iter().enumerate() {
            match cosignature::check(note, &witness.vkey) {
                Ok(time) => cosigned.push((at, time)),
                Err(NoteError::Unsigned) => {}
                Err(error) => return Err(error),
            }
        }
        let met = self.satisfied_by(|at, _| cosigned.iter().any(|(other, _)| *other == at));
        Ok(Witnessed { cosigned, met })
    }

    /// Whether those who cosigned within `times` are enough. A witness whose clock is ahead must not make an old checkpoint
    /// look new: end `times` a little after now.
    pub fn met_within(&self, witnessed: &Witnessed, times: &RangeInclusive<u64>) -> bool {
        self.satisfied_by(|at, _| witnessed.cosigned.iter().any(|(other, time)| *other == at && times.contains(time)))
    }

    /// The checkpoint, where a log of the policy signed it. For logs whose keys change, see
    /// [`LogKeys`](crate::checkpoint::LogKeys): a policy cannot say up to which size a key is in force.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn open_note(&self, note: &Note<'_>) -> Result<Checkpoint, CheckpointError> {
        let checkpoint = Checkpoint::parse(note.text())?;
        let mut signed = Err(CheckpointError::Origin);
        for log in self.logs.iter().filter(|log| log.vkey.name() == checkpoint.origin) {
            match note.verify(&log.vkey) {
                Ok(()) => signed = Ok(()),
                // Another key of this log may have signed.
                Err(NoteError::Unsigned) => signed = signed.or(Err(CheckpointError::Unsigned)),
                Err(_) => return Err(CheckpointError::Signature),
            }
        }
        signed.map(|()| checkpoint)
    }
}

#[derive(Default)]
struct Reader {
    logs: Vec<Log>,
    witnesses: Vec<Witness>,
    groups: Vec<Group>,
    quorum: Option<Option<Member>>,
}

impl Reader {
    fn line(&mut self, line: &[u8]) -> Result<(), PolicyFault> {
        let line = line.strip_suffix(b"\n").ok_or(PolicyFault::LineFeed)?;
        if line.iter().any(|b| (*b < 0x20 && *b != b'\t') || *b == 0x7f) {
            return Err(PolicyFault::Characters);
        }
        // Blanks are these two alone, whatever else Unicode calls a space.
        let start = line.iter().position(|b| !matches!(b, b' ' | b'\t'));
        let Some(rest) = start.and_then(|start| line.get(start..)).filter(|rest| !rest.starts_with(b"#")) else {
            return Ok(());
        };
        let rest = core::str::from_utf8(rest).map_err(|_| PolicyFault::Characters)?;
        let words: Vec<&str> = rest.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
        match words.as_slice() {
            ["log", vkey] => self.log(vkey, None),
            ["log", vkey, url] => self.log(vkey, Some(url)),
            ["witness", name, vkey] => self.witness(name, vkey, None),
            ["witness", name, vkey, url] => self.witness(name, vkey, Some(url)),
            ["group", name, needed, members @ ..] if !members.is_empty() => self.group(name, needed, members),
            ["quorum", name] => self.quorum(name),
            ["log" | "witness" | "group" | "quorum", ..] => Err(PolicyFault::Words),
            _ => Err(PolicyFault::Keyword),
        }
    }

    fn log(&mut self, vkey: &str, url: Option<&&str>) -> Result<(), PolicyFault> {
        let vkey = self.key(vkey, Kind::Log)?;
        self.logs.push(Log { vkey, url: url.map(|&url| url.to_owned()) });
        limit(&self.logs)
    }

    fn witness(&mut self, name: &str, vkey: &str, url: Option<&&str>) -> Result<(), PolicyFault> {
        self.is_new(name)?;
        let vkey = self.key(vkey, Kind::Witness)?;
        self.witnesses.push(Witness { name: name.to_owned(), vkey, url: url.map(|&url| url.to_owned()) });
        limit(&self.witnesses)
    }

    fn group(&mut self, name: &str, needed: &str, names: &[&str]) -> Result<(), PolicyFault> {
        self.is_new(name)?;
        let mut members = Vec::with_capacity(names.len().min(2 * MAX_ITEMS));
        for name in names {
            let member = self.member(name)?;
            // Once in all groups together, so that no witness counts twice.
            let earlier = self.groups.iter().flat_map(|group| &group.members);
            if earlier.chain(&members).any(|other| *other == member) {
                return Err(PolicyFault::Twice);
            }
            members.push(member);
        }
        let needed = match needed {
            "all" => members.len(),
            "any" => 1,
            number => decimal(number).and_then(|n| usize::try_from(n).ok()).ok_or(PolicyFault::Threshold)?,
        };
        if !(1..=members.len()).contains(&needed) {
            return Err(PolicyFault::Threshold);
        }
        self.groups.push(Group { name: name.to_owned(), needed, members });
        limit(&self.groups)
    }

    fn quorum(&mut self, name: &str) -> Result<(), PolicyFault> {
        if self.quorum.is_some() {
            return Err(PolicyFault::SecondQuorum);
        }
        self.quorum = Some(if name == "none" { None } else { Some(self.member(name)?) });
        Ok(())
    }

    fn key(&self, vkey: &str, kind: Kind) -> Result<Vkey, PolicyFault> {
        let vkey = Vkey::parse(vkey)?;
        if vkey.kind() != kind {
            return Err(PolicyFault::Kind);
        }
        // By the key alone, whatever it is called. A log's key is no witness's either: it would witness itself.
        let logs = self.logs.iter().map(|log| &log.vkey);
        let mut known = logs.chain(self.witnesses.iter().map(|witness| &witness.vkey));
        if known.any(|other| other.key() == vkey.key()) { Err(PolicyFault::SameKey) } else { Ok(vkey) }
    }

    fn is_new(&self, name: &str) -> Result<(), PolicyFault> {
        if name == "none" || self.member(name).is_ok() { Err(PolicyFault::SameName) } else { Ok(()) }
    }

    fn member(&self, name: &str) -> Result<Member, PolicyFault> {
        let witness = self.witnesses.iter().position(|witness| witness.name == name).map(Member::Witness);
        let group = || self.groups.iter().position(|group| group.name == name).map(Member::Group);
        witness.or_else(group).ok_or(PolicyFault::Unknown)
    }
}

fn limit<T>(items: &[T]) -> Result<(), PolicyFault> {
    if items.len() > MAX_ITEMS { Err(PolicyFault::Limit) } else { Ok(()) }
}
