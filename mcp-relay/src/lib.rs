//! Moves MCP messages between a client and a server, and lets an [`Interceptor`] see each one.
//!
//! The relay knows JSON-RPC's outline ([`Kind`], [`Id`]) and nothing of what the messages are about, so it serves every
//! revision of MCP alike. With [`PassThrough`] it cannot be told from the server itself, except that what is not one
//! strict JSON object on one line never reaches the server.
//!
//! Transports are modules: [`stdio`] and [`http`]. [`Interceptor`] depends on neither. [`local`] is for what programs of one machine say to each other
//! besides.

mod answer;
mod defect;
mod exit;
pub mod http;
mod in_flight;
mod interceptor;
pub mod local;
mod message;
pub mod probe;
pub mod stdio;
mod tasks;
mod wait;

pub use answer::might_answer;
pub use defect::Defect;
pub use exit::Exit;
pub use in_flight::{InFlight, Place, Stray, Taken};
pub use interceptor::{BoxFuture, Handling, Interceptor, PassThrough, Refusal, ToClient, ToServer};
pub use message::{Id, Kind};
pub use tasks::Tasks;
pub use wait::{Aside, Wait};

pub use bytes::Bytes;
