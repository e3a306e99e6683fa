//! The binary `server-verifier`: `attest guard` for machines that need nothing else.

use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Debug, Parser)]
#[command(name = "server-verifier", version, about)]
struct Cli {
    #[command(flatten)]
    args: server_verifier::args::Args,
}

#[allow(clippy::print_stderr, reason = "a binary tells its user why it stops")]
fn main() -> ExitCode {
    let _messages = server_verifier::args::messages();
    match server_verifier::args::run(Cli::parse().args, |url| eprintln!("listening on {url}")) {
        Ok(code) => code.into(),
        Err(error) => {
            eprintln!("server-verifier: {error}");
            ExitCode::FAILURE
        }
    }
}
