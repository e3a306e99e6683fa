//! The way through attest that is put into an entry, and why some entries are left alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use jsonc_parser::ast::Value;

use crate::entry::{Entry, Reach, Transport, member};

/// How servers are to be reached.
#[derive(Clone, Debug)]
pub struct Way {
    /// The program `attest`; absolute, since hosts start it in folders and with search paths of their own.
    pub program: PathBuf,
    /// Through `attest wrap` or `attest audit`.
    pub reach: Reach,
    /// Its configuration, absolute; `attest wrap` needs one.
    pub config: Option<PathBuf>,
    /// What the configuration says about remote servers, by name.
    pub remotes: BTreeMap<String, Known>,
    /// What calls are made out to, where that is not the server's name in the host.
    pub audience: Option<String>,
}

/// What a configuration of attest says about a remote server.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Its address.
    pub url: Option<String>,
    /// The names of the header fields that it is sent.
    pub headers: BTreeSet<String>,
}

/// Why an entry is left as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Left {
    /// It sends header fields, which are secrets as a rule and do not belong on a command line.
    Headers {
        /// Their names.
        names: Vec<String>,
        /// The server's name for the configuration.
        server: String,
        /// Whether the configuration could hold them.
        wrap: bool,
    },
    /// Its address has a query, which may be a secret, and every user of the machine can read command lines.
    Query {
        /// The server's name for the configuration.
        server: String,
        /// Whether the configuration could hold it.
        wrap: bool,
    },
    /// The host signs in for it.
    SignIn(String),
    /// The older transport, which attest does not speak.
    Sse,
    /// An address that is no URL of a web server.
    Address(String),
    /// The host runs the command in a sandbox, where attest could not reach its log.
    Sandbox,
    /// No known form.
    Form,
    /// A name that cannot be an audience.
    Name,
    /// It is reached through the other of `wrap` and `audit` already.
    Other(Reach),
    /// Somebody else put attest there.
    NotOurs,
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Headers { names, server, wrap: true } => write!(
                f,
                "it sends {}: give them in agent.toml, for example\n    [upstream.{server:?}.headers]\n    {:?} = {{ file = \"token.txt\" }}\n  \
                 and install again",
                names.join(", "),
                names.first().map_or("Authorization", String::as_str)
            ),
            Self::Headers { names, .. } => write!(
                f,
                "it sends {}, which do not belong on a command line; give them in [upstream.NAME.headers] of agent.toml \
                 (install with --config) or of a file for `attest audit` (install with --trail)",
                names.join(", ")
            ),
            Self::Query { server, wrap: true } => write!(
                f,
                "its address has a query, which may be a secret; give the whole address as `url` in \
                 [upstream.{server:?}] of agent.toml and install again"
            ),
            Self::Query { .. } => f.write_str(
                "its address has a query, which may be a secret and does not belong on a command line; give it as `url` in \
                 [upstream.NAME] of agent.toml (install with --config) or of a file for `attest audit` (install with --trail)",
            ),
            Self::SignIn(member) => write!(
                f,
                "the host signs in for it (`{member}`), which it cannot do through attest; give a token's header in \
                 agent.toml and remove `{member}`"
            ),
            Self::Sse => {
                f.write_str("it is reached over the older HTTP+SSE transport; give its Streamable HTTP address")
            }
            Self::Address(url) => write!(f, "{url:?} is no http:// or https:// address"),
            Self::Sandbox => f.write_str(
                "the host runs it in a sandbox, where attest could not reach its log; put the sandbox behind attest",
            ),
            Self::Form => f.write_str("its entry has neither a command with text arguments nor an address"),
            Self::Name => f.write_str("its name cannot be an audience; name one with --only NAME --audience AUDIENCE"),
            Self::Other(reach) => write!(f, "it is {reach} already; `attest hosts remove` first"),
            Self::NotOurs => f.write_str("attest was put there by hand; name it with --only to take it out"),
        }
    }
}

/// Header fields that say nothing about who calls.
const HARMLESS: [&str; 2] = ["accept", "content-type"];

impl Way {
    /// What attest is started with, up to the server; or why not.
    pub(crate) fn options(&self, name: &str) -> Result<Vec<String>, Left> {
        let audience = self.audience.as_deref().unwrap_or(name);
        // One that begins with a dash would be read as an option.
        let good = !audience.is_empty() && !audience.starts_with('-') && !audience.chars().any(char::is_control);
        let (verb, option) = match self.reach {
            Reach::Wrapped => ("wrap", "--audience"),
            _ => ("audit", "--name"),
        };
        if !good || (self.reach == Reach::Wrapped && !is_audience(audience)) {
            return Err(Left::Name);
        }
        let mut options = vec![verb.to_owned()];
        if let Some(config) = &self.config {
            options.extend(["--config".to_owned(), config.to_string_lossy().into_owned()]);
        }
        options.extend([option.to_owned(), audience.to_owned()]);
        Ok(options)
    }

    /// Whether an entry can go this way.
    pub(crate) fn suits(&self, name: &str, entry: &Entry<'_, '_>) -> Result<(), Left> {
        let object = entry.object.ok_or(Left::Form)?;
        let on = |name| !matches!(member(object, name), None | Some(Value::NullKeyword(_)));
        match entry.transport() {
            Transport::Unknown => Err(Left::Form),
            Transport::Stdio if entry.args.is_none() => Err(Left::Form),
            Transport::Stdio => match member(object, "sandboxEnabled") {
                Some(Value::BooleanLit(flag)) if flag.value => Err(Left::Sandbox),
                _ => Ok(()),
            },
            Transport::Sse => Err(Left::Sse),
            Transport::Http => {
                let url = entry.url.unwrap_or_default();
                // A variable of the host's may stand for the whole address.
                if !["http://", "https://", "${"].iter().any(|start| url.starts_with(start)) {
                    return Err(Left::Address(url.to_owned()));
                }
                if let Some(member) = ["oauth", "auth", "headersHelper"].into_iter().find(|name| on(name)) {
                    return Err(Left::SignIn(member.to_owned()));
                }
                let server = self.audience.as_deref().unwrap_or(name);
                if url.contains('?') && !self.knows(name, url) {
                    return Err(Left::Query { server: server.to_owned(), wrap: self.reach == Reach::Wrapped });
                }
                self.headers(server, member(object, "headers"))
            }
        }
    }

    /// Whether the configuration says this address, so that the command line need not.
    pub(crate) fn knows(&self, name: &str, url: &str) -> bool {
        let known = self.remotes.get(self.audience.as_deref().unwrap_or(name));
        known.is_some_and(|known| known.url.as_deref() == Some(url))
    }

    fn headers(&self, server: &str, headers: Option<&Value<'_>>) -> Result<(), Left> {
        let names: Vec<String> = match headers {
            None | Some(Value::NullKeyword(_)) => return Ok(()),
            Some(Value::Object(object)) => object.properties.iter().map(|h| h.name.as_str().to_owned()).collect(),
            Some(_) => return Err(Left::Form),
        };
        let ours = self.remotes.get(server);
        let has = |name: &str| ours.is_some_and(|ours| ours.headers.iter().any(|own| own.eq_ignore_ascii_case(name)));
        let missing: Vec<_> =
            names.into_iter().filter(|name| !HARMLESS.contains(&name.to_lowercase().as_str()) && !has(name)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(Left::Headers { names: missing, server: server.to_owned(), wrap: self.reach == Reach::Wrapped })
    }
}

/// What `attest wrap` takes as an audience: up to 256 bytes without a `#`, which parts it from a tool's name.
fn is_audience(name: &str) -> bool {
    !name.contains('#') && name.len() <= 256
}
