//! The accepted state of an agent.

use std::collections::BTreeMap;

use crate::comparison::Rule;
use crate::digest::Digest;
use crate::measurement::{Component, Grade, Measurement};
use crate::refusal::Reason;

/// What is accepted of one component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The accepted digests; `None` where the operator wrote `any`.
    pub digests: Option<Vec<AcceptedDigest>>,
    /// The weakest accepted grade.
    pub grade: Grade,
    /// Whether only endorsed digests are accepted. Nobody vouches for `any`: then nothing is.
    pub endorsed: bool,
    /// What is accepted beside these digests, of a caller that discloses what its own is over. `spec/comparison.md`.
    pub rule: Option<Rule>,
}

/// A digest that is accepted of a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptedDigest {
    /// The digest.
    pub digest: Digest,
    /// Whether a publisher's signature over the same files was verified when the configuration was read. It is the verifier's
    /// own finding, and stands in no token. `spec/endorsement.md`.
    pub endorsed: bool,
}

impl From<Digest> for AcceptedDigest {
    /// AcceptedDigest on the operator's word.
    fn from(digest: Digest) -> Self {
        Self { digest, endorsed: false }
    }
}

impl Reference {
    /// Whether this measurement is accepted: its grade, then its digest, then who vouches for the digest. Says whether the
    /// digest is an endorsed one. `within_rule` says whether what was disclosed of it is within the rule; nobody vouches for that.
    ///
    /// # Errors
    /// [`Reason::GradeTooLow`] and [`Reason::StateMismatch`].
    pub fn accept(&self, measured: &Measurement, within_rule: bool) -> Result<bool, Reason> {
        if measured.grade < self.grade {
            return Err(Reason::GradeTooLow);
        }
        let endorsed = match &self.digests {
            None => false,
            Some(accepted) => {
                // A digest may stand there twice: in the operator's list, and by its publisher's signature.
                let mut same = accepted.iter().filter(|a| a.digest == measured.digest).peekable();
                if same.peek().is_none() && !within_rule {
                    return Err(Reason::StateMismatch);
                }
                same.any(|a| a.endorsed)
            }
        };
        if self.endorsed && !endorsed { Err(Reason::GradeTooLow) } else { Ok(endorsed) }
    }
}

/// The accepted state of one agent: each component it must show. A component that is not here is refused.
pub type References = BTreeMap<Component, Reference>;

#[cfg(test)]
mod tests {
    use super::*;

    const GRADES: [Grade; 3] = [Grade::Asserted, Grade::OnDisk, Grade::InUse];

    fn measured(text: &str, grade: Grade) -> Measurement {
        Measurement { component: Component::ModelWeights, digest: Digest::of(text), grade }
    }

    fn reference(endorsed: bool) -> Reference {
        let digests = vec![
            Digest::of("listed").into(),
            Digest::of("both").into(),
            AcceptedDigest { digest: Digest::of("both"), endorsed: true },
            AcceptedDigest { digest: Digest::of("endorsed"), endorsed: true },
        ];
        Reference { digests: Some(digests), grade: Grade::OnDisk, endorsed, rule: None }
    }

    #[test]
    fn only_an_endorsed_digest_passes_where_endorsement_is_required_and_it_must_be_measured_all_the_same() {
        let required = reference(true);
        for grade in [Grade::OnDisk, Grade::InUse] {
            assert_eq!(required.accept(&measured("endorsed", grade), false), Ok(true));
            assert_eq!(required.accept(&measured("both", grade), false), Ok(true), "whichever stands first");
            assert_eq!(required.accept(&measured("listed", grade), false), Err(Reason::GradeTooLow));
            assert_eq!(required.accept(&measured("other", grade), false), Err(Reason::StateMismatch));
        }
        assert_eq!(required.accept(&measured("endorsed", Grade::Asserted), false), Err(Reason::GradeTooLow));
        assert_eq!(reference(false).accept(&measured("listed", Grade::OnDisk), false), Ok(false));
        let any = Reference { digests: None, grade: Grade::Asserted, endorsed: true, rule: None };
        assert_eq!(
            any.accept(&measured("endorsed", Grade::InUse), false),
            Err(Reason::GradeTooLow),
            "nobody vouches for any"
        );
    }

    #[test]
    fn a_rule_changes_nothing_of_grade_and_endorsement() {
        let other = |grade| measured("other", grade);
        assert_eq!(reference(false).accept(&other(Grade::OnDisk), true), Ok(false));
        assert_eq!(reference(false).accept(&other(Grade::Asserted), true), Err(Reason::GradeTooLow));
        assert_eq!(
            reference(true).accept(&other(Grade::InUse), true),
            Err(Reason::GradeTooLow),
            "nobody vouches for it"
        );
    }

    #[test]
    fn without_an_endorsement_nothing_passes_that_did_not_pass_with_it() {
        let mut without = reference(true);
        without.digests.iter_mut().flatten().for_each(|accepted| accepted.endorsed = false);
        for text in ["listed", "both", "endorsed", "other"] {
            for grade in GRADES {
                let measured = measured(text, grade);
                assert!(without.accept(&measured, false).is_err());
                // And requiring it never lets in more than not requiring it.
                assert!(
                    reference(true).accept(&measured, false).is_err()
                        || reference(false).accept(&measured, false).is_ok()
                );
            }
        }
    }
}
