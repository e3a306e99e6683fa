//! `attest log serve`: a log as others read it.

use std::net::SocketAddr;
use std::path::PathBuf;

use attest_core::tile::Resource;
use attest_log::{Answer, Shown, Site};
use http::Method;

use crate::web::{self, Place};
use crate::{Ending, output};

/// Serves the log to readers, also while it is written (C2SP tlog-tiles): `/checkpoint`, `/tile/<level>/<index>` and
/// `/tile/entries/<index>`. Entries hold names and digests; who may read those is for whoever sets --listen to say.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The log's file
    #[arg(value_name = "LOG", default_value = "guard.db")]
    log: PathBuf,
    /// Show the newest checkpoint that witnesses cosigned, and none that they did not
    #[arg(long)]
    cosigned: bool,
    #[command(flatten)]
    place: Place,
}

/// Where it listens if not told otherwise: this machine alone.
const DEFAULT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 7381);

pub(crate) fn run(args: &Args) -> Ending {
    let site = Site::open(&args.log, shown(args.cosigned))?;
    args.place.serve(DEFAULT, Read(site), output::listening)?;
    Ok(0)
}

pub(super) fn shown(cosigned: bool) -> Shown {
    if cosigned { Shown::Cosigned } else { Shown::Newest }
}

struct Read(Site);

fn asked(path: &str) -> &str {
    path.strip_prefix('/').unwrap_or_default()
}

impl web::Site for Read {
    fn methods(&self, path: &str) -> &'static [Method] {
        if Resource::parse(asked(path)).is_some() { &[Method::GET] } else { &[] }
    }

    fn answer(&self, _: &Method, path: &str, _: &[u8]) -> Answer {
        self.0.get(asked(path))
    }
}
