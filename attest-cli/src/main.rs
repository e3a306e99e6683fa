//! The binary `attest`: one verb, one file in [`verbs`]; [`output`] alone prints.

mod attack;
mod audit;
mod doctor;
#[cfg(feature = "josekit")]
mod jose;
mod output;
mod reconcile;
mod verbs;
mod web;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Which agent, in which state, on whose behalf: proven on every MCP tool call, checked before it runs, written down.
#[derive(Debug, Parser)]
#[command(name = "attest", version, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Demo(verbs::demo::Args),
    #[command(hide = true)]
    DemoServer(verbs::demo::server::Args),
    #[command(hide = true)]
    DemoTamper(verbs::demo::tamper::Args),
    Init(verbs::init::Args),
    Keygen(verbs::keygen::Args),
    Measure(verbs::measure::Args),
    Run(agent_signer::run::RunArgs),
    Diff(verbs::diff::Args),
    Policy(verbs::policy::Args),
    Reference(verbs::reference::Args),
    Issue(verbs::issue::Args),
    Delegate(verbs::delegate::Args),
    Declassify(verbs::declassify::Args),
    Revoke(verbs::revoke::Args),
    Wrap(agent_signer::args::WrapArgs),
    Guard(server_verifier::args::Args),
    ModelRelay(agent_signer::model_relay::ModelRelayArgs),
    Audit(agent_signer::audit::AuditArgs),
    Alerts(verbs::alerts::Args),
    Approvals(verbs::approvals::Args),
    Shared(verbs::shared::Args),
    Kept(verbs::kept::Args),
    Signer(verbs::signer::Args),
    #[cfg(feature = "josekit")]
    Jwk(verbs::jwk::Args),
    #[cfg(feature = "tpm")]
    Platform(verbs::platform::Args),
    Verify(verbs::verify::Args),
    Inspect(verbs::inspect::Args),
    Log(verbs::log::Args),
    Timeline(verbs::timeline::Args),
    Trace(verbs::trace::Args),
    Bundle(verbs::bundle::Args),
    Report(verbs::report::Args),
    Ui(verbs::ui::Args),
    Witness(verbs::witness::Args),
    Hosts(verbs::hosts::Args),
    Doctor(verbs::doctor::Args),
}

/// What a verb ends with: the code to exit with, or why it failed.
type Ending = Result<u8, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let _messages = server_verifier::args::messages();
    let ending = match Cli::parse().verb {
        Verb::Demo(args) => verbs::demo::run(args),
        Verb::DemoServer(args) => verbs::demo::server::run(args),
        Verb::DemoTamper(args) => verbs::demo::tamper::run(args),
        Verb::Init(args) => verbs::init::run(args),
        Verb::Keygen(args) => verbs::keygen::run(args),
        Verb::Measure(args) => verbs::measure::run(args),
        Verb::Run(args) => agent_signer::run::run(args),
        Verb::Policy(args) => verbs::policy::run(args),
        Verb::Reference(args) => verbs::reference::run(args),
        Verb::Diff(args) => verbs::diff::run(args),
        Verb::Issue(args) => verbs::issue::run(args),
        Verb::Delegate(args) => verbs::delegate::run(args),
        Verb::Declassify(args) => verbs::declassify::run(args),
        Verb::Revoke(args) => verbs::revoke::run(args),
        Verb::Wrap(args) => agent_signer::args::wrap(args, output::listening),
        Verb::Guard(args) => server_verifier::args::run(args, output::listening),
        Verb::ModelRelay(args) => agent_signer::model_relay::run(args, output::listening),
        Verb::Audit(args) => agent_signer::audit::audit(args),
        Verb::Alerts(args) => verbs::alerts::run(args),
        Verb::Approvals(args) => verbs::approvals::run(args),
        Verb::Shared(args) => verbs::shared::run(args),
        Verb::Kept(args) => verbs::kept::run(args),
        Verb::Signer(args) => verbs::signer::run(args),
        #[cfg(feature = "josekit")]
        Verb::Jwk(args) => verbs::jwk::run(args),
        #[cfg(feature = "tpm")]
        Verb::Platform(args) => verbs::platform::run(args),
        Verb::Verify(args) => verbs::verify::run(args),
        Verb::Inspect(args) => verbs::inspect::run(args),
        Verb::Log(args) => verbs::log::run(args),
        Verb::Timeline(args) => verbs::timeline::run(&args),
        Verb::Trace(args) => verbs::trace::run(&args),
        Verb::Bundle(args) => verbs::bundle::run(&args),
        Verb::Report(args) => verbs::report::run(&args),
        Verb::Ui(args) => verbs::ui::run(args),
        Verb::Witness(args) => verbs::witness::run(args),
        Verb::Hosts(args) => verbs::hosts::run(args),
        Verb::Doctor(args) => verbs::doctor::run(args),
    };
    match ending {
        Ok(code) => code.into(),
        Err(error) => {
            output::failure(&*error);
            ExitCode::FAILURE
        }
    }
}
