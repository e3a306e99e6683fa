//! A gateway over plain HTTP, in front of a real stdio server.

mod legacy;
mod limits;
mod modern;
mod world;
