//! `attest platform`: the key in the machine's TPM with which attestations are quoted.

use std::path::PathBuf;

use agent_signer::config::{DEFAULT_HANDLE, Platform};
use agent_signer::tpm::Tpm;
use attest_core::digest::Digest;
use serde::Serialize;

use crate::verbs::measure;
use crate::{Ending, output};

/// Makes and shows the attestation key in the machine's TPM, for a guard's operator to pin.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Makes the key, unless it is there, and prints its public half in PEM
    Init(Which),
    /// Prints the key's public half in PEM, its thumbprint, and how the machine was started
    Show(Which),
}

#[derive(Debug, clap::Args)]
struct Which {
    /// What the agent is; its [platform] says which TPM
    #[arg(long, value_name = "FILE", default_value = "agent.toml", env = "ATTEST_AGENT_CONFIG")]
    config: PathBuf,
    /// This TPM instead: device:/dev/tpmrm0, tabrmd, swtpm:host=127.0.0.1,port=2321
    #[arg(long, value_name = "TPM", conflicts_with = "config")]
    tpm: Option<String>,
    /// The key's persistent handle there
    #[arg(long, value_name = "HANDLE", requires = "tpm", value_parser = handle)]
    handle: Option<u32>,
    /// For machines: JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Shown {
    key: String,
    thumbprint: String,
    /// Of PCR 0 to 7, as guard.toml takes it.
    pcrs: String,
    made: bool,
}

fn handle(text: &str) -> Result<u32, String> {
    let number = text.strip_prefix("0x").map_or_else(|| text.parse(), |hex| u32::from_str_radix(hex, 16));
    number.map_err(|_| format!("no handle such as {DEFAULT_HANDLE:#010x}"))
}

pub(crate) fn run(args: Args) -> Ending {
    let (which, init) = match args.action {
        Action::Init(which) => (which, true),
        Action::Show(which) => (which, false),
    };
    let platform = match which.tpm {
        Some(tpm) => Platform { tpm, handle: which.handle.unwrap_or(DEFAULT_HANDLE) },
        None => measure::config(&which.config)?.platform.ok_or_else(|| {
            format!(
                "{} has no [platform]; add one with tpm = \"device:/dev/tpmrm0\", or give --tpm",
                which.config.display()
            )
        })?,
    };
    let mut tpm = Tpm::open(&platform)?;
    let (key, made) = if init { tpm.init()? } else { (tpm.key()?, false) };
    // Over something that is no attestation's claims.
    let pcrs = tpm.quote(Digest::of("attest platform"))?.quote().pcrs;
    let shown = Shown {
        key: attest_keys::platform_pem(&key)?,
        thumbprint: key.thumbprint().to_b64(),
        pcrs: pcrs.to_b64(),
        made,
    };
    if which.json {
        output::json(&shown)?;
    } else {
        if init {
            output::remark(if made { "made the key" } else { "the key was there already" });
        }
        output::remark(format!("thumbprint  {}", shown.thumbprint));
        output::remark(format!("PCR 0-7     {}", shown.pcrs));
        output::text(shown.key);
    }
    Ok(0)
}
