//! Tenuo 0.3.5 by its documented path: `Authorizer::check_chain` over warrants and a proof of possession, values in memory.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;
use tenuo::SigningKey;
use tenuo::constraints::{ConstraintSet, ConstraintValue};
use tenuo::crypto::Signature;
use tenuo::planes::Authorizer;
use tenuo::warrant::Warrant;

use crate::Outcome;
use crate::calls::{CALL, TOOL};

const LIFE: Duration = Duration::from_secs(3_600);

/// A chain of warrants, each signed by a key of its own, with one call under its leaf.
pub struct Tenuo {
    authorizer: Authorizer,
    chain: Vec<Warrant>,
    holder: SigningKey,
    arguments: HashMap<String, ConstraintValue>,
}

impl Tenuo {
    /// Of `hops` warrants for any arguments.
    pub fn new(hops: usize) -> Outcome<Self> {
        let mut by = SigningKey::generate();

        let authorizer = Authorizer::new().with_trusted_root(by.public_key());
        let mut chain: Vec<Warrant> = Vec::new();
        for _ in 0..hops {
            let to = SigningKey::generate();
            let warrant = match chain.last() {
                None => Warrant::builder()
                    .capability(TOOL, ConstraintSet::new())
                    .ttl(LIFE)
                    .holder(to.public_key())
                    .build(&by)?,
                Some(parent) => parent.attenuate().inherit_all().holder(to.public_key()).build(&by)?,
            };
            chain.push(warrant);
            by = to;
        }
        let message: Value = serde_json::from_str(CALL)?;
        let arguments = message.pointer("/params/arguments").and_then(Value::as_object).ok_or("no arguments")?;
        let arguments = arguments.iter().map(|(name, value)| (name.clone(), value_of(value))).collect();
        Ok(Self { authorizer, chain, holder: by, arguments })
    }

    /// The proof of possession over the tool and its arguments.
    pub fn sign(&self) -> Outcome<Signature> {
        let leaf = self.chain.last().ok_or("no warrant")?;
        Ok(leaf.sign(&self.holder, TOOL, &self.arguments)?)
    }

    /// Every warrant of the chain, the call under its leaf, and the proof.
    pub fn verify(&self, proof: &Signature) -> Outcome<()> {
        self.authorizer.check_chain(&self.chain, TOOL, &self.arguments, Some(proof), &[])?;
        Ok(())
    }

    /// The chain alone.
    pub fn verify_chain(&self) -> Outcome<()> {
        self.authorizer.verify_chain(&self.chain)?;
        Ok(())
    }
}

fn value_of(value: &Value) -> ConstraintValue {
    match value {
        Value::Null => ConstraintValue::Null,
        Value::Bool(value) => ConstraintValue::Boolean(*value),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => ConstraintValue::Integer(whole),
            None => ConstraintValue::Float(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => ConstraintValue::String(text.clone()),
        Value::Array(items) => ConstraintValue::List(items.iter().map(value_of).collect()),
        Value::Object(members) => {
            ConstraintValue::Object(members.iter().map(|(name, value)| (name.clone(), value_of(value))).collect())
        }
    }
}
