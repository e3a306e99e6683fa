//! The Streamable HTTP transport, of both eras of MCP.
//!
//! Everything that answers HTTP here is a `tower_service::Service` from a [`Request`], whose body has been read whole, to
//! a [`Response`], whose body may stream. So the same relay stands in front of a remote server, of processes that speak
//! stdio, and of a service inside this process.

pub mod gateway;

use bytes::Bytes;
use http_body_util::Full;
use http_body_util::combinators::UnsyncBoxBody;

/// Whatever went wrong on the way to an answer.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// The body of an answer.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;
/// A request whose body was read whole.
pub type Request = http::Request<Full<Bytes>>;
/// An answer.
pub type Response = http::Response<Body>;
