//! Files to digests: the components of an agent's state that stand on disk.
//!
//! | component | function | the bytes hashed (SHA-256) |
//! |---|---|---|
//! | `model-weights`, `harness` | [`FileSet::manifest`] | JCS of the files' names, sizes and digests |
//! | `model-tensors` | [`FileSet::manifest_and_tensors`] | JCS of the tensors in those files, each with type, shape and digest |
//! | `model-ref` | [`ModelRef::digest`] | JCS of provider, model and snapshot |
//! | `system-prompt` | [`prompt`] | the file's bytes, which must be UTF-8 |
//! | `config` | [`config`] | JCS of the settings and of named environment variables |
//! | `signer` | [`signer`] | JCS of the digests of executable and policy |
//! | `tool-manifest` | [`ToolManifest`] | JCS of the tools that the agent was given |
//!
//! What is read from disk comes back as a [`Measured`] value with a [`Stamp`]: size, times and identity of each file as
//! they were when it was read. [`FileSet::changed`] compares that with the disk at the price of one `stat` per file, so a
//! signer asks before every call and measures again when the answer is yes.
//!
//! [`oms`] holds such a manifest against a publisher's signature.
//!
//! This is the word of whoever runs the code. A process that can write the files and set the machine's clock, or that
//! writes through a shared memory mapping made before, can change bytes and leave the stamp as it was. And a file on disk
//! is not what a program loaded: that is the difference between the grades `on-disk` and `in-use`.

mod cache;
mod cancel;
mod config;
pub mod diff;
mod document;
mod error;
mod fileset;
mod hash;
mod held;
mod hub;
mod loading;
mod manifest;
mod model_ref;
pub mod oms;
mod open;
mod prompt;
mod signer;
mod stamp;
mod tensors;
mod toml_text;
mod tools;
mod touched;
mod tree;

pub use cache::{Cache, CacheError};
pub use cancel::Cancel;
pub use config::{Config, config, config_from};
pub use document::{Document, DocumentError, DocumentFileError, Lists};
pub use error::{ConfigError, Kind, MeasureError};
pub use fileset::FileSet;
pub use hash::Progress;
pub use held::View;
pub use loading::Loading;
pub use manifest::{FileEntry, Manifest};
pub use model_ref::ModelRef;
pub use prompt::{Prompt, prompt};
pub use signer::{SignerFiles, own_executable, signer};
pub use stamp::Stamp;
pub use tensors::{FileTensors, Tensor, TensorError, TensorManifest};
pub use tools::{ToolEntry, ToolManifest};
pub use touched::Touched;

/// A value computed from files, and the state in which those files were.
#[derive(Clone, Debug)]
pub struct Measured<T> {
    /// The value.
    pub value: T,
    /// For [`FileSet::changed`], with a set of the same paths in the same order.
    pub stamp: Stamp,
}
