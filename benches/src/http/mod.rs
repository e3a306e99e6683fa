//! Processes that speak HTTP on loopback, and callers with connections of their own.

mod caller;
mod fleet;
mod idle;
mod process;
mod report;
mod rounds;
mod start;

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

use crate::Outcome;

pub use caller::{Caller, Turn, turn};
pub use fleet::{Body, Fleet, IDLE, Target, nginx};
pub use idle::{Idle, idle};
pub use process::{Memory, Process};
pub use report::{of_idle, of_rounds, of_starts};
pub use rounds::{Bench, Round};
pub use start::{Start, starts};

/// Listens with a queue that takes a few thousand callers at once, as they come in the measurements.
pub fn listen(address: &str) -> Outcome<TcpListener> {
    let address: SocketAddr = address.parse()?;
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket.listen(4_096)?)
}

/// Allows this process, and those that it starts, as many descriptors as the system lets it have.
pub fn raise_descriptor_limit() -> Outcome<u64> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).map_err(io::Error::from)?;
    Ok(limit.current.unwrap_or(u64::MAX))
}
