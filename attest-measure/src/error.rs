//! Why something cannot be measured.

use core::fmt;
use std::io;
use std::path::PathBuf;

use attest_core::json::JsonError;

use crate::tensors::TensorError;

/// What a path is, when it is not what was wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A folder where a file was wanted.
    Folder,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A block or character device, or something that the system alone understands.
    Device,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Folder => "a folder",
            Self::Fifo => "a named pipe",
            Self::Socket => "a socket",
            Self::Device => "a device",
        })
    }
}

/// Why there is no digest.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MeasureError {
    /// No path was named.
    #[error("no file or folder was named to be measured")]
    NoPaths,
    /// Somebody asked for it ([`Cancel`](crate::Cancel)).
    #[error(
        "measuring was stopped before it was done; what was hashed so far is remembered for the next time, where a cache is used"
    )]
    Cancelled,
    /// Nothing there.
    #[error("{path} does not exist; check the path in the configuration")]
    Missing {
        /// What was looked for.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot read {path}: {source}")]
    Io {
        /// What was read.
        path: PathBuf,
        /// Its words.
        source: io::Error,
    },
    /// Not a regular file.
    #[error("{path} is {kind}, not a file; only regular files can be measured")]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What it is.
        kind: Kind,
    },
    /// A file name that is not UTF-8, and so has no form in a manifest.
    #[error("{path:?} has a name that is not UTF-8; rename it")]
    Name {
        /// The path.
        path: PathBuf,
    },
    /// A path without a last name (`..`, `/`) among several.
    #[error("{path} has no name of its own to stand in a manifest of several paths; write it out in full")]
    NoName {
        /// The path.
        path: PathBuf,
    },
    /// Two files whose names are the same, or are so where case is not told apart.
    #[error("{first:?} and {second:?} are one name where upper and lower case are the same; rename one")]
    SameName {
        /// One name, in the manifest's form.
        first: String,
        /// The other.
        second: String,
    },
    /// A folder without a file in it.
    #[error("{path} holds no files; an empty folder is no model")]
    Empty {
        /// The folder.
        path: PathBuf,
    },
    /// A symbolic link that leads out of the folder.
    #[error(
        "the symbolic link {link} leads out of the measured folder, to {target}; copy the file, or allow links within a \
         wider folder that holds both"
    )]
    LinkOutside {
        /// The link.
        link: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// A symbolic link that leads nowhere.
    #[error("the symbolic link {path} leads nowhere; remove it or restore what it points to")]
    LinkDangling {
        /// The link.
        path: PathBuf,
    },
    /// Symbolic links that lead back to where they start.
    #[error("the symbolic link {path} leads in a circle; remove it")]
    LinkLoop {
        /// A link of the circle.
        path: PathBuf,
    },
    /// More files and folders than any model has.
    #[error(
        "{path} holds more than {limit} files and folders, or is nested too deeply; name a smaller folder, or leave out what is no part of \
         it (weights_except in agent.toml)"
    )]
    TooMany {
        /// The folder.
        path: PathBuf,
        /// How many are allowed.
        limit: usize,
    },
    /// A file larger than this kind of file may be.
    #[error("{path} is larger than {limit} bytes")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// How large it may be.
        limit: u64,
    },
    /// The file, or the list of files, changed while it was read: there is no one state that a digest could stand for.
    #[error("{path} changed while it was read; measure again when nothing writes to it")]
    Changed {
        /// What changed.
        path: PathBuf,
    },
    /// A system prompt that is not UTF-8.
    #[error("{path} is not UTF-8 (at byte {offset}); save it as UTF-8")]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// Offset of the first byte that is wrong.
        offset: usize,
    },
    /// A settings file that has no canonical form.
    #[error("{path}: {error}")]
    Config {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: ConfigError,
    },
    /// A file whose tensors cannot be told apart.
    #[error("{path}: {error}")]
    Tensors {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: TensorError,
    },
    /// Tensors were asked for, and no file has any.
    #[error("no file of {path} holds tensors that can be told apart (safetensors, GGUF); measure it without tensors")]
    NoTensors {
        /// The first path.
        path: PathBuf,
    },
    /// Provider, model or snapshot is an empty string.
    #[error("the model's {0} is empty; leave out what is not known")]
    EmptyModelRef(&'static str),
}

/// Why settings have no canonical form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Neither `.toml` nor `.json`.
    #[error("the name of a settings file ends in .toml or .json")]
    Extension,
    /// Not strict JSON.
    #[error("not strict JSON: {0}")]
    Json(JsonError),
    /// Not TOML 1.1.
    #[error("not TOML (near byte {offset})")]
    Toml {
        /// Offset of the first byte that is wrong.
        offset: usize,
    },
    /// The top level is not an object.
    #[error("the top level is not an object")]
    NotAnObject,
    /// A number that JSON cannot carry exactly: NaN, an infinity, or a whole number from 2^53 on.
    #[error("the number at {key} has no exact form in JSON (whole numbers end at 2^53 - 1); write it as a string")]
    Number {
        /// Where, as a dotted path.
        key: String,
    },
    /// The file's own `env` names a variable that is also to be taken from the environment, or is not an object.
    #[error("{name:?} is in the file's own env and among the environment variables to measure; name it in one place")]
    Env {
        /// The variable; `env` itself when that is not an object.
        name: String,
    },
    /// An environment variable that is not UTF-8.
    #[error("the environment variable {name} is not UTF-8")]
    EnvNotUtf8 {
        /// The variable.
        name: String,
    },
}
