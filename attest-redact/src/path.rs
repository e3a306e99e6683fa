//! Rules by place: a JSON Pointer (RFC 6901) in which `*` is any one member or element and `**` any number of levels.
//!
//! No JSONPath crate reads our [`Value`](attest_core::json::Value): they work on `serde_json::Value`, which must not see
//! what others sent. Filters and slices are not missed here: a rule says where, never what.

use crate::config::{MAX_RULES, PathRule, RulesError};

/// Most steps of one pattern.
const MAX_STEPS: usize = 64;

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Name(String),
    Any,
    Deep,
}

#[derive(Debug, Default)]
pub(crate) struct Paths {
    patterns: Vec<(Vec<Step>, String)>,
}

/// How far into a pattern a place in the document is.
pub(crate) type Place = (usize, usize);

impl Paths {
    pub(crate) fn new(rules: &[PathRule]) -> Result<Self, RulesError> {
        if rules.len() > MAX_RULES {
            return Err(RulesError::TooMany(rules.len()));
        }
        let read = |rule: &PathRule| {
            let wrong = || RulesError::Path(rule.at.clone());
            let rest = rule.at.strip_prefix('/').ok_or_else(wrong)?;
            let steps: Vec<Step> = rest
                .split('/')
                .map(|step| match step {
                    "*" => Step::Any,
                    "**" => Step::Deep,
                    name => Step::Name(name.replace("~1", "/").replace("~0", "~")),
                })
                .collect();
            if steps.last() == Some(&Step::Deep) || steps.len() > MAX_STEPS {
                return Err(wrong());
            }
            Ok((steps, rule.kind.clone()))
        };
        Ok(Self { patterns: rules.iter().map(read).collect::<Result<_, _>>()? })
    }

    /// The places of the document's root.
    pub(crate) fn root(&self) -> Vec<Place> {
        (0..self.patterns.len()).map(|pattern| (pattern, 0)).collect()
    }

    /// The places one level down, at the member or element `key`.
    pub(crate) fn down(&self, at: &[Place], key: &str) -> Vec<Place> {
        let mut next = Vec::new();
        for place in at {
            self.step(*place, key, &mut next);
        }
        next
    }

    fn step(&self, (pattern, step): Place, key: &str, next: &mut Vec<Place>) {
        let mut add = |place| {
            if !next.contains(&place) {
                next.push(place);
            }
        };
        match self.patterns.get(pattern).and_then(|(steps, _)| steps.get(step)) {
            Some(Step::Any) => add((pattern, step + 1)),
            Some(Step::Name(name)) if name == key => add((pattern, step + 1)),
            Some(Step::Deep) => {
                add((pattern, step));
                self.step((pattern, step + 1), key, next);
            }
            _ => {}
        }
    }

    /// The kind of the first pattern that ends here.
    pub(crate) fn ends(&self, at: &[Place]) -> Option<&str> {
        let end = |(pattern, step): &Place| {
            self.patterns.get(*pattern).filter(|(steps, _)| steps.len() == *step).map(|(_, kind)| kind.as_str())
        };
        at.iter().find_map(end)
    }
}
