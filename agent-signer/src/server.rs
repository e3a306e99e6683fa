//! What a wrap learns of the server in front of which it stands.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use attest_core::digest::Digest;
use attest_core::extension::Offer;

/// Credentials that the server's verifier is taken to remember; more than an agent has at one time.
const REMEMBERED: usize = 8;

/// What steers a call that already runs: signed even before the server has said that it asks for it. Besides
/// `tools/call`, of course.
const ALWAYS: [&str; 3] = ["tools/call", "tasks/cancel", "tasks/update"];

/// What is known of the server.
#[derive(Debug, Default)]
pub(crate) struct Server {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    offer: Offer,
    /// Credentials under which a call passed in full.
    accepted: VecDeque<Digest>,
}

impl Server {
    /// The server said what it offers; `None` says that it offers nothing.
    pub fn offers(&self, offer: Option<Offer>) {
        let mut known = self.known();
        known.offer = offer.unwrap_or_default();
        if !known.offer.cache {
            known.accepted.clear();
        }
    }

    /// Whether messages of this method are signed.
    pub fn asks_for(&self, method: &str) -> bool {
        ALWAYS.contains(&method) || self.known().offer.methods.contains(method)
    }

    /// Whether hashes may stand for tokens.
    pub fn takes_shorthand(&self) -> bool {
        self.known().offer.cache
    }

    /// Whether it has seen the tokens that `credentials` names.
    pub fn remembers(&self, credentials: &Digest) -> bool {
        self.known().accepted.contains(credentials)
    }

    /// It accepted a call under these credentials.
    pub fn accepted(&self, credentials: Digest) {
        let mut known = self.known();
        if known.offer.cache && !known.accepted.contains(&credentials) {
            if known.accepted.len() >= REMEMBERED {
                known.accepted.pop_front();
            }
            known.accepted.push_back(credentials);
        }
    }

    /// It has forgotten them.
    pub fn forgot(&self, credentials: &Digest) {
        self.known().accepted.retain(|known| known != credentials);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shorthand_needs_an_offer_and_credentials_that_were_accepted() {
        let server = Server::default();
        let credentials = Digest::of("c");
        server.accepted(credentials);
        assert!(!server.remembers(&credentials) && !server.takes_shorthand());
        server.offers(Some(Offer { cache: true, ..Offer::default() }));
        server.accepted(credentials);
        assert!(server.remembers(&credentials) && server.takes_shorthand());
        server.forgot(&credentials);
        assert!(!server.remembers(&credentials));
    }

    #[test]
    fn a_server_that_no_longer_offers_is_sent_everything_in_full() {
        let server = Server::default();
        server.offers(Some(Offer { cache: true, ..Offer::default() }));
        server.accepted(Digest::of("c"));
        server.offers(None);
        assert!(!server.remembers(&Digest::of("c")));
    }

    #[test]
    fn what_steers_running_calls_is_signed_unasked_and_the_rest_on_demand() {
        let server = Server::default();
        assert!(server.asks_for("tasks/cancel") && !server.asks_for("resources/read"));
        server.offers(Some(Offer { cache: false, methods: ["resources/read".to_owned()].into() }));
        assert!(server.asks_for("resources/read"));
    }
}
