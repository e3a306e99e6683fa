//! `attest approvals`: the calls that wait for people.

pub(crate) mod desk;
mod page;
mod serve;
pub(crate) mod words;

use std::net::SocketAddr;
use std::path::PathBuf;

use attest_keys::KeySource;

use self::desk::Desk;
use crate::{Ending, output};

/// Calls that a guard's policy leaves to people: who asks, on whose behalf, with which arguments, in which state.
///
/// An approval is bound to the very call: caller, grant, state, tool and arguments. It serves once, and ends with its request.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The guard's configuration, which says where its log is and who may approve
    #[arg(long, value_name = "FILE", default_value = "guard.toml", env = "ATTEST_GUARD_CONFIG", global = true)]
    config: PathBuf,
    /// Where the guards' log is, in place of what the configuration says: the address of a database that guards share, as this person may
    /// use it
    #[arg(long, value_name = "LOG", global = true)]
    log: Option<PathBuf>,
    #[command(subcommand)]
    action: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Lists the open requests, the oldest first
    List,
    /// Shows one request whole, and what was said to it so far
    Show(One),
    /// Approves a request
    Approve(Approve),
    /// Refuses a request; that cannot be taken back
    Refuse(One),
    /// Serves a page on this machine alone, to look at requests and to approve or refuse them with this key
    Serve(Serve),
}

#[derive(Debug, clap::Args)]
struct One {
    /// The request: the beginning of its id is enough
    id: String,
}

#[derive(Debug, clap::Args)]
struct Approve {
    #[command(flatten)]
    one: One,
    /// A key of yours, which guard.toml lists for you as an approver: a file or ssh-agent:…
    #[arg(long, value_name = "KEY")]
    key: String,
}

#[derive(Debug, clap::Args)]
struct Serve {
    /// Serve here (port 0: any free one); an address of this machine's loopback
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// As with `approve`; whoever has the page's login approves with it
    #[arg(long, value_name = "KEY")]
    key: String,
}

pub(crate) fn run(args: Args) -> Ending {
    let desk = Desk::open(&args.config, args.log.as_deref())?;
    match args.action {
        What::List => output::text(words::list(&desk.requests()?)),
        What::Show(One { id }) => {
            let request = desk.find(&id)?;
            output::text(words::text(&words::whole(&request, &desk.standing(&request)?)?));
        }
        What::Approve(Approve { one, key }) => {
            let request = desk.find(&one.id)?;
            let key = KeySource::parse(&key)?.load()?;
            let person = desk.approve(&request, &key)?;
            output::remark(format_args!("{} approved {}", words::plain(&person), request.id));
        }
        What::Refuse(One { id }) => {
            let request = desk.find(&id)?;
            desk.refuse(&request)?;
            output::remark(format_args!("refused {}", request.id));
        }
        What::Serve(Serve { listen, key }) => serve::run(desk, KeySource::parse(&key)?.load()?, listen)?,
    }
    Ok(0)
}
