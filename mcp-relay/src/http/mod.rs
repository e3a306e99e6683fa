//! The Streamable HTTP transport, of both eras of MCP.
//!
//! Everything that answers HTTP here is a `tower_service::Service` from a [`Request`], whose body has been read whole, to
//! a [`Response`], whose body may stream. So the same [`Relay`] stands in front of a remote server ([`Upstream`]), of
//! processes that speak stdio, and of a service inside this process.
//!
//! What holds for each exchange:
//! - A body that is not one strict JSON object never goes on, nor one that a header contradicts. Whatever goes on is framed
//!   anew: no length, chunk or coding of the client's travels further.
//! - Events of a streamed answer reach the client as they come, each looked at before.
//! - A client that closes its connection cancels: the connection to the server closes too. (Up to 2025-11-25 a stream may
//!   be resumed, so there the request stays known for a while.)

mod admission;
mod answer;
mod ask;
mod attended;
mod backend;
mod body;
pub mod bridge;
mod encode;
mod events;
mod exchange;
pub mod gateway;
mod headers;
mod idle;
mod limits;
mod listener;
mod parked;
mod peer;
mod relay;
mod shown;
mod stop;
mod tls;
mod upstream;
mod version;
mod waiting;

use bytes::Bytes;
use http_body_util::Full;
use http_body_util::combinators::UnsyncBoxBody;

pub use admission::{Callers, Endpoint};
pub use ask::with_causes;
pub use backend::Backend;
pub use body::{Held, Room, Unread, collect};
pub use headers::{is_framed_twice, is_plain_json, strip_hop_by_hop};
pub use limits::Limits;
pub use listener::{Handler, Listener};
pub use peer::PeerKey;
pub use relay::{Exchange, Exchanges, Relay};
pub use stop::told_to_stop;
pub use tls::TlsError;
pub use upstream::{HostName, Upstream, UpstreamError};

/// Whatever went wrong on the way to an answer.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// The body of an answer.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;
/// A request whose body was read whole.
pub type Request = http::Request<Full<Bytes>>;
/// An answer.
pub type Response = http::Response<Body>;
