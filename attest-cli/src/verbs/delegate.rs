//! `attest delegate`: a root of delegation, or a token below one.

use std::fs;
use std::path::{Path, PathBuf};

use attest_core::b64;
use attest_core::claims::is_name;
use attest_core::delegation::Delegation;
use attest_core::derivation::{DerivationError, Granted, Parent, Terms};
use attest_core::digest::Jti;
use attest_core::flow::Flow;
use attest_core::jwk::PublicKey;
use attest_core::limits::MAX_DELEGATION_LIFE;
use attest_core::pins::Pins;
use attest_core::sign::Sign as _;
use attest_core::status::StatusRef;
use attest_core::tools::Tools;
use attest_keys::{Key, KeySource, read_public};

use crate::{Ending, output};

mod grant;
pub(crate) mod words;

use grant::GrantArgs;

/// Grants tools to a key: as a root, or by deriving a narrower token from a chain.
///
/// Writes the whole chain, root first, one token per line. A child that is not provably narrower than its parent is
/// refused here already, not only by the verifier.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only say in words what this chain grants, and what each holder lost against the one before; nothing is verified
    #[arg(long, value_name = "CHAIN", conflicts_with_all = ["key", "to", "parent", "issuer", "tools", "grant"])]
    explain: Option<PathBuf>,
    /// Key that signs: the root's, or the key that holds the chain's last token
    #[arg(long, value_name = "KEY", required_unless_present = "explain")]
    key: Option<String>,
    /// Public key (file) of whoever is to hold the new token
    #[arg(long, value_name = "FILE", required_unless_present = "explain")]
    to: Option<PathBuf>,
    /// Derive from the last token of this chain; without it a root is made
    #[arg(long, value_name = "CHAIN")]
    parent: Option<PathBuf>,
    /// Issuer of a root, as the verifier's configuration names it
    #[arg(long, value_name = "NAME", required_unless_present_any = ["parent", "explain"], conflicts_with = "parent")]
    issuer: Option<String>,
    #[command(flatten)]
    grant: GrantArgs,
    /// Attestation (file) of the key that signs, where the chain pins its holder's state; `attest issue` makes one
    #[arg(long, value_name = "FILE", requires = "parent")]
    attestation: Option<PathBuf>,
    /// For how long: 10m, 12h, 30d
    #[arg(long, value_name = "TIME", default_value = "30d")]
    life: humantime::Duration,
    /// How many more times the grant may be passed on
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=8))]
    passes: Option<u64>,
    /// The status list that can take the new token back (`attest revoke`)
    #[arg(long, value_name = "URI", requires = "status_idx")]
    status_uri: Option<String>,
    /// Its place in that list: one that no other token has
    #[arg(long, value_name = "N", requires = "status_uri")]
    status_idx: Option<u64>,
    /// Where the chain goes; standard output if not given
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

type Failure = Box<dyn std::error::Error>;

pub(crate) fn run(args: Args) -> Ending {
    let (key, to) = match (args.explain, args.key, args.to) {
        (Some(chain), ..) => return explain(&chain),
        (None, Some(key), Some(to)) => (key, to),
        _ => return Err("--key and --to say who signs and who is to hold the token".into()),
    };
    let key = KeySource::parse(&key)?.load()?;
    let holder = read_public(&to)?;
    let granted = args.grant.read()?;
    let life = args.life.as_secs();
    let status = status(args.status_uri, args.status_idx)?;
    let mut chain = match (&args.parent, args.issuer) {
        (Some(parent), _) => {
            let mut chain = read_chain(parent)?;
            let by = args.attestation.as_deref().map(fs::read_to_string).transpose();
            let by = by.map_err(|e| format!("cannot read the attestation: {e}"))?;
            let (by, life) = (by.as_deref().map(str::trim), life_within(life)?);
            let (id, now) = (fresh_id()?, attest_log::clock::now());
            let terms = Terms { holder, id, now, life, passes: args.passes, by, status };
            let child = Parent::read(&chain)?.child(key.public(), granted, terms).map_err(refused)?;
            chain.push(child.sign(&key)?);
            chain
        }
        (None, issuer) => {
            let Granted { tools, flow, pins } = granted;
            let tools = tools.ok_or("a root grants nothing by itself; name tools with --tool or --grant")?;
            let issuer = issuer.unwrap_or_default();
            vec![root(&key, issuer, holder, (tools, flow, pins), life, args.passes.unwrap_or(0), status)?]
        }
    };
    chain.push(String::new());
    let text = chain.join("\n");
    match args.out {
        Some(path) => write_new(&path, &text)?,
        None => output::text(text),
    }
    Ok(0)
}

fn explain(path: &Path) -> Ending {
    let text = output::input(path)?;
    let tokens: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    output::remark("NOT VERIFIED: this is what the tokens say, not what is true. `attest verify` checks them.");
    output::text(words::chain(&tokens)?);
    Ok(0)
}

/// Signs a root.
pub(crate) fn root(
    key: &Key,
    issuer: String,
    holder: PublicKey,
    (tools, flow, pins): (Tools, Option<Flow>, Option<Pins>),
    life: u64,
    passes: u64,
    status: Option<StatusRef>,
) -> Result<String, Failure> {
    let now = attest_log::clock::now();
    let root = Delegation {
        issuer,
        id: b64::encode(fresh_id()?.0),
        issued_at: now,
        expires: now + life_within(life)?,
        key: holder,
        depth: 0,
        max_depth: passes,
        parent: None,
        tools,
        flow,
        pins,
        by: None,
        status,
    };
    Ok(root.sign(key)?)
}

fn status(uri: Option<String>, index: Option<u64>) -> Result<Option<StatusRef>, Failure> {
    let status = uri.zip(index).map(|(uri, index)| StatusRef { index, uri });
    if status.as_ref().is_some_and(|status| !is_name(&status.uri) || status.index >= 1 << 53) {
        return Err("--status-uri is a text of 1 to 256 bytes in one line, and --status-idx below 2^53".into());
    }
    Ok(status)
}

fn life_within(seconds: u64) -> Result<u64, Failure> {
    if !(1..=MAX_DELEGATION_LIFE).contains(&seconds) {
        return Err("--life must be from a second to 90 days; no verifier accepts more".into());
    }
    Ok(seconds)
}

fn fresh_id() -> Result<Jti, Failure> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits)?;
    Ok(Jti(bits))
}

fn refused(error: DerivationError) -> String {
    match error {
        DerivationError::Unattested => {
            format!("refused to sign: {error}; give it with --attestation, `attest issue` makes one")
        }
        error => format!("refused to sign: {error}"),
    }
}

/// The tokens of a chain's file, root first.
pub(crate) fn read_chain(path: &Path) -> Result<Vec<String>, Failure> {
    let text = fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    Ok(text.split_whitespace().map(str::to_owned).collect())
}

/// Writes a file that must not exist yet, whole or not at all.
pub(crate) fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    use std::io::Write as _;
    write_new_by(path, |file| file.write_all(text.as_bytes()).map_err(|error| unwritten(path, &error)))
}

/// Writes a file that must not exist yet, whole or not at all: what `write` says of its content.
pub(crate) fn write_new_by<T>(
    path: &Path,
    write: impl FnOnce(&mut fs::File) -> Result<T, Failure>,
) -> Result<T, Failure> {
    use std::os::unix::fs::PermissionsExt as _;
    // Not after all the work, where that can be.
    if path.symlink_metadata().is_ok() {
        return Err(unwritten(path, &std::io::ErrorKind::AlreadyExists.into()));
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // What the user's umask leaves of it.
    let mode = fs::Permissions::from_mode(0o666);
    let file = tempfile::Builder::new().prefix(".attest-").permissions(mode).tempfile_in(folder);
    let mut file = file.map_err(|error| unwritten(path, &error))?;
    let wrote = write(file.as_file_mut())?;
    let kept = || {
        file.as_file().sync_all()?;
        file.persist_noclobber(path)?;
        fs::File::open(folder)?.sync_all()
    };
    kept().map_err(|error| unwritten(path, &error))?;
    Ok(wrote)
}

fn unwritten(path: &Path, error: &std::io::Error) -> Failure {
    format!("cannot write {}: {error}; an existing file is never replaced", path.display()).into()
}
