//! What a gate goes by that can change while it runs. A call goes by one of them from its beginning to its entry.

use std::sync::{Arc, PoisonError, RwLock};

use attest_core::digest::Digest;
use attest_core::extension::Offer;
use attest_core::reply::Shape;
use attest_core::trust::Trust;
use attest_core::verifier::Verifier;
use attest_policy::Policy;

use crate::config::Flow;
use crate::methods::Methods;

/// One configuration, as far as it can change.
pub(crate) struct Rules {
    pub verifier: Verifier,
    pub policy: Digest,
    pub shape: Shape,
    pub methods: Methods,
    pub offer: Offer,
    pub flow: Flow,
    /// The operator's policies, where there are any.
    pub judging: Option<Policy>,
}

impl Rules {
    /// With nothing remembered.
    pub(crate) fn new(
        trust: Trust,
        policy: Digest,
        shape: Shape,
        methods: Methods,
        flow: Flow,
        judging: Option<Policy>,
    ) -> Self {
        let offer = Offer { cache: true, methods: methods.attested().map(str::to_owned).collect() };
        Self { verifier: Verifier::new(trust), policy, shape, methods, offer, flow, judging }
    }
}

/// The rules in force.
#[derive(Clone)]
pub(crate) struct Current(Arc<RwLock<Arc<Rules>>>);

impl Current {
    pub(crate) fn new(rules: Rules) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(rules))))
    }

    /// Those in force now. Whoever took them goes on by them.
    pub(crate) fn get(&self) -> Arc<Rules> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set(&self, rules: Rules) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
    }
}
