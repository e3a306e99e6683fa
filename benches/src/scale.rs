//! What becomes of the design with many verifiers: simulations, and what they need measured. `spec/scale.md` has the figures.

mod shards;
mod turns;
mod witness;

pub use shards::{Handover, Shards, handover, shards};
pub use turns::{Turns, turns};
pub use witness::cosigning;
