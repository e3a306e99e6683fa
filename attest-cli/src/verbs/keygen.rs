//! `attest keygen`: a new Ed25519 key.

use std::path::PathBuf;

use attest_core::sign::Sign as _;
use attest_keys::{Form, SecretKey, write_public};
use serde::Serialize;

use crate::{Ending, output};

/// Makes an Ed25519 key: the private half in FILE (mode 0600), the public half in FILE.pub.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where the private key goes; never overwritten
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Write JWK (RFC 8037) instead of PEM (PKCS#8 and SPKI)
    #[arg(long)]
    jwk: bool,
    /// For machines: JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Made<'a> {
    thumbprint: &'a str,
    private: PathBuf,
    public: PathBuf,
    jwk: serde_json::Value,
}

pub(crate) fn run(args: Args) -> Ending {
    let form = if args.jwk { Form::Jwk } else { Form::Pem };
    let public = args.file.with_added_extension("pub");
    let key = SecretKey::generate()?;
    key.write(&args.file, form)?;
    if let Err(error) = write_public(&public, key.public(), form) {
        // Half a pair would stand in the way of the next try.
        let _ = std::fs::remove_file(&args.file);
        return Err(error.into());
    }
    let jwk = attest_keys::public_jwk(key.public());
    if args.json {
        output::json(&Made {
            thumbprint: key.public().thumbprint().as_str(),
            jwk: serde_json::from_str(&jwk)?,
            private: args.file,
            public,
        })?;
    } else {
        output::line(format!("private key  {}", args.file.display()));
        output::line(format!("public key   {}", public.display()));
        output::line(format!("thumbprint   {}", key.public().thumbprint()));
        output::line(format!("jwk          {jwk}"));
    }
    Ok(0)
}
