//! `attest revoke`: takes attestations and delegations back, by the list that their tokens name.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use attest_core::attestation::Attestation;
use attest_core::delegation::Delegation;
use attest_core::jws::{Unverified, Verified};
use attest_core::limits::MAX_STATUS_TOKEN;
use attest_core::sign::Sign as _;
use attest_core::status::{Bits, Standing, StatusList, StatusRef};
use attest_keys::{Key, KeySource};
use clap::Subcommand;
use serde::Serialize;

use super::delegate::write_new;
use crate::{Ending, output};

/// Takes an attestation or a delegation back before its time: marks its place in a status list, and signs the list anew.
///
/// The list is one file, which any web server can serve. Guards that pin its key (`status.list` in guard.toml) have it again before it is stale, and refuse what it
/// marks.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, arg_required_else_help = true, subcommand_negates_reqs = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    mark: Mark,
}

#[derive(Debug, Subcommand)]
enum Verb {
    New(New),
    Renew(Renew),
    Show(Show),
}

#[derive(Debug, clap::Args)]
struct Mark {
    /// A file with the token to take back, or the number of its place in the list
    #[arg(value_name = "TOKEN FILE|NUMBER", required = true)]
    what: Option<String>,
    /// Only until it is restored
    #[arg(long, conflicts_with = "restore")]
    suspend: bool,
    /// Make it valid again
    #[arg(long)]
    restore: bool,
    #[command(flatten)]
    list: Option<ListArgs>,
}

#[derive(Clone, Debug, clap::Args)]
struct ListArgs {
    /// The list's file
    #[arg(long, value_name = "FILE")]
    list: PathBuf,
    /// Key that signs the list
    #[arg(long, value_name = "KEY")]
    key: String,
}

/// Makes a list in which everything is valid.
#[derive(Debug, clap::Args)]
struct New {
    /// The list's name, best the URL that it will be had from
    #[arg(long, value_name = "URI")]
    uri: String,
    /// Key that signs the list: one that is used for nothing else
    #[arg(long, value_name = "KEY")]
    key: String,
    /// The list's file
    #[arg(long, value_name = "FILE")]
    list: PathBuf,
    /// How many places it has
    #[arg(long, value_name = "N", default_value_t = 65_536)]
    size: u64,
    /// Bits of each place: 1, or 2 for a list that can suspend
    #[arg(long, value_name = "N", default_value_t = 2)]
    bits: u64,
    /// For how long after its signing it is fresh: 5m, 1h
    #[arg(long, value_name = "TIME", default_value = "1h")]
    ttl: humantime::Duration,
}

/// Signs a list anew as it is, so that it stays fresh: before its ttl ends, by a timer.
#[derive(Debug, clap::Args)]
struct Renew {
    #[command(flatten)]
    list: ListArgs,
}

/// Shows what a list marks.
#[derive(Debug, clap::Args)]
struct Show {
    /// The list's file
    #[arg(long, value_name = "FILE")]
    list: PathBuf,
    /// For machines: JSON
    #[arg(long)]
    json: bool,
}

type Failure = Box<dyn std::error::Error>;

pub(crate) fn run(args: Args) -> Ending {
    match args.verb {
        Some(Verb::New(args)) => new(args),
        Some(Verb::Renew(args)) => renew(&args.list),
        Some(Verb::Show(args)) => show(&args),
        None => mark(args.mark),
    }
}

fn new(args: New) -> Ending {
    let key = KeySource::parse(&args.key)?.load()?;
    let bits = Bits::of(args.bits).ok_or("--bits is 1, 2, 4 or 8")?;
    let mut list =
        StatusList::new(args.uri, bits, args.size).ok_or("--size is at least 1, and at most 1 MiB of places")?;
    if !attest_core::claims::is_name(&list.uri) {
        return Err("--uri is a text of 1 to 256 bytes in one line".into());
    }
    let ttl = args.ttl.as_secs();
    if ttl == 0 {
        return Err("--ttl is at least a second".into());
    }
    (list.issued_at, list.ttl) = (attest_log::clock::now(), Some(ttl));
    write_new(&args.list, &format!("{}\n", list.sign(&key)?))?;
    Ok(0)
}

fn renew(args: &ListArgs) -> Ending {
    let (list, key) = open(args)?;
    replace(&args.list, (*list).clone(), &key)?;
    Ok(0)
}

fn mark(args: Mark) -> Ending {
    let (Some(what), Some(files)) = (args.what, args.list) else {
        return Err("name a token's file or a number, and --list and --key".into());
    };
    let (verified, key) = open(&files)?;
    let mut list = (*verified).clone();
    let index = place(&what, &list.uri)?;
    let before = list.standing(index).ok_or_else(|| {
        format!("the list has {} places, and {index} is behind the last; make one that is larger", list.size())
    })?;
    let after = match (args.suspend, args.restore) {
        (false, false) => Standing::Invalid,
        (true, _) => Standing::Suspended,
        (_, true) => Standing::Valid,
    };
    // What was taken back for good does not come back by a slip.
    if before == Standing::Invalid && after == Standing::Suspended {
        return Err(format!("place {index} was taken back for good; --restore makes it valid again").into());
    }
    list.set(index, after).map_err(|_| "a list of one bit cannot suspend; make one with --bits 2")?;
    replace(&files.list, list, &key)?;
    output::line(format!("place {index} of {}: {}, was {}", verified.uri, word(after), word(before)));
    Ok(0)
}

#[derive(Serialize)]
struct Shown<'a> {
    uri: &'a str,
    key: &'a str,
    issued_at: u64,
    ttl: Option<u64>,
    exp: Option<u64>,
    bits: u8,
    size: u64,
    marked: Vec<Place>,
}

#[derive(Serialize)]
struct Place {
    idx: u64,
    status: u8,
}

fn show(args: &Show) -> Ending {
    let token = read(&args.list)?;
    let list = token.peek();
    let marked = list.marked();
    if args.json {
        output::json(&Shown {
            uri: &list.uri,
            key: token.kid().as_str(),
            issued_at: list.issued_at,
            ttl: list.ttl,
            exp: list.expires,
            bits: list.bits().number(),
            size: list.size(),
            marked: marked.map(|(idx, standing)| Place { idx, status: standing.number() }).collect(),
        })?;
        return Ok(0);
    }
    output::line(&list.uri);
    output::line(format!(
        "{} places of {} bits, said to be signed by {}",
        list.size(),
        list.bits().number(),
        token.kid()
    ));
    for (index, standing) in marked {
        output::line(format!("{index}  {}", word(standing)));
    }
    Ok(0)
}

fn word(standing: Standing) -> String {
    match standing {
        Standing::Valid => "valid".to_owned(),
        Standing::Invalid => "revoked".to_owned(),
        Standing::Suspended => "suspended".to_owned(),
        Standing::Other(number) => format!("{number}, which counts as revoked"),
    }
}

fn read(path: &Path) -> Result<Unverified<StatusList>, Failure> {
    let size = fs::metadata(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?.len();
    if size > MAX_STATUS_TOKEN as u64 + 2 {
        return Err(format!("{} is too long for a status list", path.display()).into());
    }
    let text = fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    Unverified::read(text.trim_end()).map_err(|e| format!("{} is no status list: {e}", path.display()).into())
}

/// The list, which is only signed anew if it was signed by the same key before: what somebody else put there is not vouched for.
fn open(args: &ListArgs) -> Result<(Verified<StatusList>, Key), Failure> {
    let key = KeySource::parse(&args.key)?.load()?;
    let path = args.list.display();
    let list = read(&args.list)?.verify(key.public());
    let list = list.map_err(|_| format!("{path} is not signed by the key {}", key.public().thumbprint()))?;
    Ok((list, key))
}

/// The place that a token names, or a number.
fn place(what: &str, uri: &str) -> Result<u64, Failure> {
    if let Ok(index) = what.parse() {
        return Ok(index);
    }
    let text = fs::read_to_string(what).map_err(|e| format!("cannot read {what}: {e}"))?;
    let mut places = text.split_whitespace().filter_map(|token| {
        let attestation = Unverified::<Attestation>::read(token).ok().map(|token| token.peek().status.clone());
        attestation.or_else(|| Unverified::<Delegation>::read(token).ok().map(|token| token.peek().status.clone()))?
    });
    let of_this = |place: &StatusRef| place.uri == uri;
    match (places.find(of_this), places.find(of_this)) {
        (Some(place), None) => Ok(place.index),
        (Some(_), Some(_)) => {
            Err(format!("{what} holds several tokens with a place in {uri}; give the number of one").into())
        }
        (None, _) => {
            Err(format!("{what} holds no token with a place in {uri}; `attest inspect` shows what is in it").into())
        }
    }
}

/// Signs the list anew and puts it in the place of the old one, whole or not at all.
fn replace(path: &Path, mut list: StatusList, key: &Key) -> Result<(), Failure> {
    // Never of the same second: who has two lists must be able to tell which is the newer.
    let issued_at = attest_log::clock::now().max(list.issued_at + 1);
    // Its life stays as long.
    list.expires = list.expires.map(|expires| expires - list.issued_at + issued_at);
    list.issued_at = issued_at;
    let text = format!("{}\n", list.sign(key)?);
    if text.len() > MAX_STATUS_TOKEN {
        return Err("the list would be longer than guards read; begin another one".into());
    }
    // A link stays one: what it points to is replaced.
    let failed = |error: std::io::Error| format!("cannot write {}: {error}", path.display());
    let file = fs::canonicalize(path).map_err(failed)?;
    let written = || {
        let folder = file.parent().unwrap_or(Path::new("/"));
        let permissions = fs::metadata(&file)?.permissions();
        let mut new = tempfile::Builder::new().prefix(".attest-").tempfile_in(folder)?;
        new.write_all(text.as_bytes())?;
        new.as_file().set_permissions(permissions)?;
        new.as_file().sync_all()?;
        new.persist(&file)?;
        fs::File::open(folder)?.sync_all()
    };
    Ok(written().map_err(failed)?)
}
