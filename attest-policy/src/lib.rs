//! Cedar policies over one call: facts in, a decision out.
//!
//! No clock, file, socket or random source is used here, so the same policies over the same facts come to the same at any
//! time, and a log of facts can be judged again. [`Facts`] is what is known of a call, [`Policies`] what an operator wrote,
//! [`Decision`] what comes of it, [`Risk`] how much could go wrong. The pages are `spec/facts.md` and `spec/policy.md`.
//!
//! ```
//! use attest_policy::{Decision, Policies};
//!
//! let policies = Policies::read(&[("mine.cedar", r#"@id("all") permit (principal, action, resource);"#)]).unwrap();
//! # let text = br#"{"agent":"a1","alerts":[],"asked":{"tool":"read_file"},"classes":["read"],"components":[],"delegation":{"depth":0,"holder":"k","left":900,"root":"owner"},"groups":[],"labels":[],"met":{"approvals":[],"nonce":false,"reattest":false},"risk":"low","server":"files","time":1800000000}"#;
//! let facts = attest_policy::Facts::read(text).unwrap();
//! assert_eq!(policies.decide(&facts), Decision::Allow);
//! ```

pub mod arguments;
pub mod cases;
mod decision;
pub mod facts;
mod policies;
mod problem;
pub mod risk;
pub mod table;

pub use decision::{Decision, Fault, Met, Need};
pub use facts::{Arguments, Asked, Delegation, Facts, FactsError, Open};
pub use policies::Policies;
pub use problem::{Problem, Weight};
pub use risk::Risk;
pub use table::Policy;

/// The schema that policies are held to.
pub const SCHEMA: &str = include_str!("attest.cedarschema");
/// The default policies, as a file that can be copied and changed.
pub const DEFAULT: &str = include_str!("default.cedar");
