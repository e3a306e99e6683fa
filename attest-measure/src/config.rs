//! Settings: `config`.

use core::fmt;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use attest_core::digest::Digest;
use attest_core::json::{self, Object, Value, write_canonical, write_string};

use crate::Measured;
use crate::error::{ConfigError, MeasureError};
use crate::open;
use crate::toml_text;

const MAX_CONFIG: u64 = 4 << 20;
/// The member that named environment variables are put under.
const ENV: &str = "env";
/// Settings in canonical form. They may hold secrets, so a debug print shows the digest alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    canonical: Vec<u8>,
    digest: Digest,
}

impl Config {
    /// The JCS bytes that the digest is over.
    pub fn canonical(&self) -> &[u8] {
        &self.canonical
    }

    /// SHA-256 over the canonical bytes.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Config({})", self.digest)
    }
}

/// Reads a settings file, `.toml` or `.json`, and the named variables of this process's environment.
///
/// The variables stand under the top-level member `env`, beside those the file has there itself; one that is not set is
/// `null`, so that unset and empty differ. Comments, order, white space and the choice between TOML and JSON do not count;
/// TOML's dates become strings as TOML writes them.
///
/// # Errors
/// [`MeasureError::Config`], and those of reading a file of at most 4 MiB.
pub fn config(path: &Path, env: &[&str]) -> Result<Measured<Config>, MeasureError> {
    config_from(path, env, |name| std::env::var_os(name))
}

/// As [`config`], with the environment given: that of another process, for instance.
///
/// # Errors
/// As [`config`].
pub fn config_from(
    path: &Path,
    env: &[&str],
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<Measured<Config>, MeasureError> {
    let (bytes, stamp) = open::read_whole(path, MAX_CONFIG)?;
    let canonical = resolve(path, &bytes, env, variable);
    let canonical = canonical.map_err(|error| MeasureError::Config { path: path.into(), error })?;
    let digest = Digest::of(&canonical);
    Ok(Measured { value: Config { canonical, digest }, stamp })
}

fn resolve(
    path: &Path,
    bytes: &[u8],
    env: &[&str],
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<Vec<u8>, ConfigError> {
    // Whatever the file's syntax, one reader decides what its numbers and names may be.
    let text = match path.extension().and_then(|e| e.to_str()) {
        Some("json") => bytes.to_vec(),
        Some("toml") => toml_text::to_json(bytes)?,
        _ => return Err(ConfigError::Extension),
    };
    let settings = json::parse(&text).map_err(ConfigError::Json)?;
    let object = settings.as_object().ok_or(ConfigError::NotAnObject)?;
    if env.is_empty() {
        return Ok(settings.to_canonical());
    }
    let mut variables = BTreeMap::new();
    for name in env {
        let value = variable(name).map(OsString::into_string).transpose();
        variables.insert(*name, value.map_err(|_| ConfigError::EnvNotUtf8 { name: (*name).to_owned() })?);
    }
    let text = with_env(object, &variables)?;
    Ok(json::parse(&text).map_err(ConfigError::Json)?.to_canonical())
}

/// JSON text, not yet in canonical order, of the settings with the variables under `env`.
fn with_env(settings: &Object<'_>, variables: &BTreeMap<&str, Option<String>>) -> Result<Vec<u8>, ConfigError> {
    let mut env: Vec<(&str, Value<'_>)> = match settings.get(ENV) {
        None => Vec::new(),
        Some(Value::Object(own)) => own.iter().map(|(name, value)| (name, value.clone())).collect(),
        Some(_) => return Err(ConfigError::Env { name: ENV.to_owned() }),
    };
    for (name, value) in variables {
        if env.iter().any(|(other, _)| other == name) {
            return Err(ConfigError::Env { name: (*name).to_owned() });
        }
        env.push((name, value.as_deref().map_or(Value::Null, |v| Value::String(v.into()))));
    }
    let mut out = Vec::new();
    out.push(b'{');
    for (name, value) in settings.iter().filter(|(name, _)| *name != ENV) {
        member(name, value, &mut out);
        out.push(b',');
    }
    write_string(ENV, &mut out);
    out.extend_from_slice(b":{");
    for (i, (name, value)) in env.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        member(name, value, &mut out);
    }
    out.extend_from_slice(b"}}");
    Ok(out)
}

fn member(name: &str, value: &Value<'_>, out: &mut Vec<u8>) {
    write_string(name, out);
    out.push(b':');
    write_canonical(value, out);
}
