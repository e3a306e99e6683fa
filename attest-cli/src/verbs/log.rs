//! `attest log`: what a log says, and whether it is what it says. One file per action.

mod adopt;
mod attack;
mod check_proof;
mod consistency;
mod convert;
mod entry;
mod export;
mod forget;
mod key;
mod list;
mod moving;
pub(crate) mod pins;
mod prove;
mod reconcile;
mod rotate;
mod seal;
pub(crate) mod search;
mod serve;
mod several;
mod show;
mod tail;
mod verify;
mod witness;

use crate::Ending;

/// Reads a verifier's or a signer's log, also while it is being written, and checks that it is whole.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    List(list::Args),
    Search(Box<search::Args>),
    Tail(tail::Args),
    Show(show::Args),
    Verify(verify::Args),
    Prove(prove::Args),
    CheckProof(check_proof::Args),
    Consistency(consistency::Args),
    Convert(convert::Args),
    Key(key::Args),
    Rotate(rotate::Args),
    Adopt(adopt::Args),
    Move(moving::Args),
    Reconcile(reconcile::Args),
    Attack(attack::Args),
    /// Serves it for anybody to read and check
    Serve(serve::Args),
    /// Writes what `serve` serves as static files
    Export(export::Args),
    /// Moves old entries out of the log to a folder or a store, where they are read from then on
    Seal(seal::Args),
    Forget(forget::Args),
    /// Has witnesses cosign the newest checkpoint
    Witness(witness::Args),
}

pub(crate) fn run(args: Args) -> Ending {
    match args.action {
        Action::List(args) => list::run(&args),
        Action::Search(args) => search::run(&args),
        Action::Tail(args) => tail::run(&args),
        Action::Show(args) => show::run(&args),
        Action::Verify(args) => verify::run(&args),
        Action::Prove(args) => prove::run(&args),
        Action::CheckProof(args) => check_proof::run(&args),
        Action::Consistency(args) => consistency::run(&args),
        Action::Convert(args) => convert::run(&args),
        Action::Key(args) => key::run(&args),
        Action::Rotate(args) => rotate::run(&args),
        Action::Adopt(args) => adopt::run(&args),
        Action::Move(args) => moving::run(&args),
        Action::Reconcile(args) => reconcile::run(&args),
        Action::Attack(args) => attack::run(&args),
        Action::Serve(args) => serve::run(&args),
        Action::Export(args) => export::run(&args),
        Action::Seal(args) => seal::run(&args),
        Action::Forget(args) => forget::run(&args),
        Action::Witness(args) => witness::run(&args),
    }
}

/// The code for something that is wrong.
pub(crate) const WRONG: u8 = 1;
/// The code for something that could not be checked.
pub(crate) const NOT_CHECKED: u8 = 2;

/// The worst of several codes: what is wrong counts before what could not be checked.
fn worst(codes: &[u8]) -> u8 {
    [WRONG, NOT_CHECKED].into_iter().find(|code| codes.contains(code)).unwrap_or(0)
}

/// Ends with [`NOT_CHECKED`] where something could not be read at all, and says why.
pub(crate) fn or_not_checked(ending: Ending) -> Ending {
    ending.or_else(|error| {
        crate::output::failure(&*error);
        Ok(NOT_CHECKED)
    })
}
