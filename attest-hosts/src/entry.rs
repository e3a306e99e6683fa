//! One server's entry: how it is reached, and whether that leads through attest.

use std::fmt;
use std::path::{Path, PathBuf};

use jsonc_parser::ast::{Object, Value};

use crate::document::{Document, DocumentError, string};
use crate::file;
use crate::host::Host;
use crate::plan::PlanError;

/// How a host reaches a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// A command that it starts.
    Stdio,
    /// Streamable HTTP.
    Http,
    /// The older HTTP with server-sent events.
    Sse,
    /// Neither a command nor an address.
    Unknown,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stdio => "stdio",
            Self::Http => "http",
            Self::Sse => "sse",
            Self::Unknown => "unknown",
        })
    }
}

/// Whether a server is reached through attest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// Through `attest wrap`: signed and written down.
    Wrapped,
    /// Through `attest audit`: written down.
    Audited,
    /// Not at all.
    Bypasses,
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wrapped => "wrapped",
            Self::Audited => "audited",
            Self::Bypasses => "bypasses",
        })
    }
}

/// On what [`Reach`] rests.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// By this program.
    Through(String),
    /// The host starts the server itself.
    Started,
    /// The host connects to the server itself.
    Connected,
    /// attest is started, but not with a server behind it.
    NoServer(String),
    /// The entry is of no known form.
    Form,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Through(program) => write!(f, "by {program}"),
            Self::Started => f.write_str("the host starts it itself"),
            Self::Connected => f.write_str("the host connects to it itself"),
            Self::NoServer(program) => write!(f, "{program} is started with no server behind `wrap` or `audit`"),
            Self::Form => f.write_str("neither a command nor an address: what the host makes of it is unknown"),
        }
    }
}

/// A server in a host's configuration.
#[derive(Clone, Debug)]
pub struct Server {
    /// Whose configuration.
    pub host: Host,
    /// Which file.
    pub path: PathBuf,
    /// The line of its entry.
    pub line: usize,
    /// The project that it is for, in Claude Code's own file.
    pub project: Option<String>,
    /// Its name there.
    pub name: String,
    /// How it is reached.
    pub transport: Transport,
    /// Whether through attest.
    pub reach: Reach,
    /// Why so.
    pub why: Why,
    /// The host knows it and does not connect to it.
    pub disabled: bool,
    /// The program in between, where there is one.
    pub program: Option<String>,
}

impl Server {
    /// Whether its calls go past attest.
    pub fn bypasses(&self) -> bool {
        self.reach == Reach::Bypasses && !self.disabled
    }
}

/// The servers of one configuration, in its order.
///
/// # Errors
/// A file that cannot be read, or is not of the host's form.
pub fn servers(host: Host, path: &Path) -> Result<Vec<Server>, PlanError> {
    let original = file::read(path)?;
    let form = |source| PlanError::Document { path: path.to_owned(), source };
    let document = Document::parse(&original.text).map_err(form)?;
    let mut servers = Vec::new();
    for group in document.groups(host.key(path)).map_err(form)? {
        for member in document.members(group.servers).map_err(form)? {
            let entry = Entry::read(&document, &member.value).map_err(form)?;
            let (reach, why) = entry.reach();
            let name = member.name.as_str().to_owned();
            servers.push(Server {
                host,
                path: path.to_owned(),
                line: document.line(member.range.start),
                project: group.project.clone(),
                transport: entry.transport(),
                program: match &why {
                    Why::Through(program) => Some(program.clone()),
                    _ => None,
                },
                disabled: group.disabled.contains(&name),
                reach,
                why,
                name,
            });
        }
    }
    Ok(servers)
}

/// What an entry says, as far as it concerns us.
pub(crate) struct Entry<'d, 't> {
    pub object: Option<&'d Object<'t>>,
    pub command: Option<&'d str>,
    /// `None` where an argument is no string.
    pub args: Option<Vec<&'d str>>,
    pub url: Option<&'d str>,
    pub kind: Option<&'d str>,
}

impl<'d, 't> Entry<'d, 't> {
    /// An error where a member is there twice.
    pub fn read(document: &Document<'t>, value: &'d Value<'t>) -> Result<Self, DocumentError> {
        let Value::Object(object) = value else {
            return Ok(Self { object: None, command: None, args: None, url: None, kind: None });
        };
        document.members(object)?;
        let text = |name| member(object, name).and_then(string);
        let args = match member(object, "args") {
            None => Some(Vec::new()),
            Some(Value::Array(list)) => list.elements.iter().map(string).collect(),
            Some(_) => None,
        };
        let url = text("url").or_else(|| text("serverUrl"));
        Ok(Self { object: Some(object), command: text("command"), args, url, kind: text("type") })
    }

    pub fn transport(&self) -> Transport {
        match (self.command, self.url, self.kind) {
            (None, Some(_), Some("sse")) => Transport::Sse,
            (None, Some(url), None) if url.split(['?', '#']).next().is_some_and(|path| path.ends_with("/sse")) => {
                Transport::Sse
            }
            (None, Some(_), _) => Transport::Http,
            // With both, and a type that says to use the address, the command may never be started.
            (Some(_), Some(_), _) => Transport::Unknown,
            (Some(_), None, None | Some("stdio" | "local")) => Transport::Stdio,
            _ => Transport::Unknown,
        }
    }

    pub fn reach(&self) -> (Reach, Why) {
        match (self.transport(), self.command) {
            (Transport::Stdio, Some(command)) => self.started(command),
            (Transport::Http | Transport::Sse, _) => (Reach::Bypasses, Why::Connected),
            _ => (Reach::Bypasses, Why::Form),
        }
    }

    fn started(&self, command: &str) -> (Reach, Why) {
        if !is_attest(command) {
            return (Reach::Bypasses, Why::Started);
        }
        let args = self.args.as_deref().unwrap_or_default();
        let reach = match args.first() {
            Some(&"wrap") => Reach::Wrapped,
            Some(&"audit") => Reach::Audited,
            _ => return (Reach::Bypasses, Why::NoServer(command.to_owned())),
        };
        let (ours, behind) = split(args);
        let remote = value(ours, "upstream").is_some();
        // `wrap` finds an address in its configuration too.
        if behind.is_some_and(|behind| !behind.is_empty()) || remote || (reach == Reach::Wrapped && behind.is_none()) {
            (reach, Why::Through(command.to_owned()))
        } else {
            (Reach::Bypasses, Why::NoServer(command.to_owned()))
        }
    }
}

/// Whether a command is this program, by its name.
pub(crate) fn is_attest(command: &str) -> bool {
    let name = command.rsplit(['/', '\\']).next().unwrap_or(command);
    name == "attest" || name.eq_ignore_ascii_case("attest.exe")
}

/// attest's own arguments, and the server's command behind `--`.
pub(crate) fn split<'a, 's>(args: &'a [&'s str]) -> (&'a [&'s str], Option<&'a [&'s str]>) {
    match args.iter().position(|arg| *arg == "--") {
        Some(at) => (args.get(..at).unwrap_or_default(), args.get(at + 1..)),
        None => (args, None),
    }
}

/// The value of an option, in either spelling.
pub(crate) fn value<'s>(args: &[&'s str], option: &str) -> Option<&'s str> {
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let Some(rest) = arg.strip_prefix("--").and_then(|arg| arg.strip_prefix(option)) else { continue };
        match rest.strip_prefix('=') {
            Some(value) => return Some(value),
            None if rest.is_empty() => return args.next().copied(),
            None => {}
        }
    }
    None
}

/// A member of an object whose names were checked to be there once.
pub(crate) fn member<'d, 't>(object: &'d Object<'t>, name: &str) -> Option<&'d Value<'t>> {
    object.properties.iter().find(|member| member.name.as_str() == name).map(|member| &member.value)
}
