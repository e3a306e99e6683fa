//! `attest jwk`: keys to and from other JOSE software, by way of josekit.

use std::path::{Path, PathBuf};

use attest_core::sign::Sign as _;
use attest_keys::{Form, SecretKey, read_public, write_public};

use crate::{Ending, jose, output};

/// Exchanges keys with other JOSE software: JWK sets, and private keys encrypted with a passphrase (JWE).
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Takes a private key out of a JWK set
    Import {
        /// The set
        #[arg(value_name = "SET")]
        set: PathBuf,
        /// Which key; not needed where there is one
        #[arg(long, value_name = "ID")]
        kid: Option<String>,
        /// Where the private key goes; never overwritten
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Writes public keys as a JWK set
    Export {
        /// Public keys
        #[arg(value_name = "FILE", required = true)]
        keys: Vec<PathBuf>,
        /// Where the set goes; standard output if not given
        #[arg(long, value_name = "SET")]
        out: Option<PathBuf>,
    },
    /// Encrypts a private key with a passphrase
    Seal(Sealing),
    /// Decrypts a private key that `seal` or other software encrypted
    Open(Sealing),
}

#[derive(Debug, clap::Args)]
struct Sealing {
    /// What to read
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What to write; never overwritten
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// File whose first line is the passphrase
    #[arg(long, value_name = "FILE")]
    passphrase_file: PathBuf,
}

pub(crate) fn run(args: Args) -> Ending {
    match args.action {
        Action::Import { set, kid, out } => write_pair(&jose::read_set(&set, kid.as_deref())?, &out)?,
        Action::Export { keys, out } => {
            let keys = keys.iter().map(|path| read_public(path)).collect::<Result<Vec<_>, _>>()?;
            match out {
                Some(path) => jose::write_set(&path, &keys)?,
                None => output::line(jose::export_public(&keys)?.trim_end()),
            }
        }
        Action::Seal(s) => jose::write_sealed(&s.out, &SecretKey::read(&s.file)?, &passphrase(&s.passphrase_file)?)?,
        Action::Open(s) => write_pair(&jose::read_sealed(&s.file, &passphrase(&s.passphrase_file)?)?, &s.out)?,
    }
    Ok(0)
}

fn write_pair(key: &SecretKey, out: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let public = out.with_added_extension("pub");
    key.write(out, Form::Pem)?;
    if let Err(error) = write_public(&public, key.public(), Form::Pem) {
        let _ = std::fs::remove_file(out);
        return Err(error.into());
    }
    output::remark(format!("wrote {} and {}", out.display(), public.display()));
    Ok(())
}

/// The first line of the file. A passphrase on a command line would stand in the process list.
fn passphrase(path: &Path) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let bytes = std::fs::read(path).map_err(|e| format!("cannot read the passphrase from {}: {e}", path.display()))?;
    let line = bytes.split(|c| *c == b'\n').next().unwrap_or_default();
    Ok(line.strip_suffix(b"\r").unwrap_or(line).to_vec())
}
