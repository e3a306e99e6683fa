//! The HTTP relay between real sockets: a client that writes its bytes itself, and a server whose answers the test writes.

mod framing;
mod http2;
mod leaving;
mod limits;
mod names;
#[path = "../support/remote.rs"]
mod remote;
mod resume;
mod stream;
#[path = "../support/mod.rs"]
mod support;
mod tls;
mod whole;
mod world;
