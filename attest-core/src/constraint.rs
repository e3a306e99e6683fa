//! Argument constraints of the delegation draft (section 3.4) and when one is narrower than another (section 4.5):
//! `spec/constraint.md`.

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use crate::json::{Object, Value};
use crate::limits::{MAX_CLAUSES, MAX_COMPARED_ITEMS, MAX_CONSTRAINT_DEPTH, MAX_CONSTRAINT_NODES};
use crate::names::PATH_PREFIX;

/// What an argument's value must be.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Constraint {
    /// This string, number, boolean or null.
    Exact(Value<'static>),
    /// A number within bounds.
    Range(Range),
    /// One of these values.
    OneOf(Vec<Value<'static>>),
    /// Any value but these.
    NotOneOf(Vec<Value<'static>>),
    /// An array that has all of these.
    Contains(Vec<Value<'static>>),
    /// An array of nothing but these.
    Subset(Vec<Value<'static>>),
    /// A string that is the path of something below this folder, whichever reader takes it.
    PathPrefix(Folder),
    /// Any value at all; written out, never implied.
    Wildcard,
    /// All of these constraints.
    All(Vec<Constraint>),
    /// At least one of these constraints.
    Any(Vec<Constraint>),
}

/// A folder's path, from the root: `/` or `/srv/data`, without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder(String);

/// Whether each step of a path names something below the step before, for every reader: no empty step, none of dots, no backslash, no
/// control character, and nothing that a reader might decode.
fn is_plain_path(path: &str) -> bool {
    let step = |step: &str| {
        let odd = |c: char| c.is_control() || matches!(c, '\\' | '%');
        !step.is_empty() && !step.chars().all(|c| c == '.') && !step.contains(odd) && step.trim() == step
    };
    path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(step))
}

impl Folder {
    /// The folder of this path.
    pub fn new(path: &str) -> Option<Self> {
        (path == "/" || is_plain_path(path)).then(|| Self(path.to_owned()))
    }

    /// Its path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a path leads to something below the folder.
    fn holds(&self, path: &str) -> bool {
        let below = if self.0 == "/" {
            path.strip_prefix('/')
        } else {
            path.strip_prefix(&*self.0).and_then(|rest| rest.strip_prefix('/'))
        };
        is_plain_path(path) && below.is_some_and(|rest| !rest.is_empty())
    }

    /// Whether all that is below this folder is below the other too.
    fn within(&self, wide: &Self) -> bool {
        self == wide || wide.holds(&self.0)
    }
}

/// Bounds of a number; an absent bound is open.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// Lower bound.
    pub min: Option<Bound>,
    /// Upper bound.
    pub max: Option<Bound>,
}

/// One bound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    /// The limit.
    pub value: f64,
    /// Whether the limit itself is allowed.
    pub inclusive: bool,
}

/// Why a constraint cannot be read. An enforcement point denies what it does not understand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConstraintError {
    /// A `constraint_type` that is not one of the core types.
    #[error("a constraint_type that this verifier does not know")]
    UnknownType,
    /// A member is missing, unknown or of the wrong type.
    #[error("a constraint whose members are not those of its type")]
    Shape,
    /// Too deep or too many.
    #[error(
        "constraints nested deeper than {MAX_CONSTRAINT_DEPTH}, {MAX_CLAUSES} clauses in one, or more than {MAX_CONSTRAINT_NODES} in one token"
    )]
    TooMany,
}

impl Constraint {
    /// Reads one constraint. `budget` is what is left of the token's nodes; each constraint and listed value takes one.
    pub fn read(value: &Value<'_>, budget: &mut usize) -> Result<Self, ConstraintError> {
        read_at(value, MAX_CONSTRAINT_DEPTH, budget)
    }

    /// Whether `value` satisfies the constraint.
    #[must_use]
    pub fn allows(&self, value: &Value<'_>) -> bool {
        match self {
            Self::Exact(wanted) => wanted == value,
            Self::Range(range) => value.as_number().is_some_and(|n| range.holds(n)),
            Self::OneOf(values) => values.contains(value),
            Self::NotOneOf(excluded) => !excluded.contains(value),
            Self::Contains(required) => {
                items(value).is_some_and(|items| required.iter().all(|wanted| items.contains(wanted)))
            }
            Self::Subset(allowed) => items(value).is_some_and(|items| items.iter().all(|i| allowed.contains(i))),
            Self::PathPrefix(folder) => value.as_str().is_some_and(|path| folder.holds(path)),
            Self::Wildcard => true,
            Self::All(clauses) => clauses.iter().all(|clause| clause.allows(value)),
            Self::Any(clauses) => clauses.iter().any(|clause| clause.allows(value)),
        }
    }

    /// Whether every value that `self` allows is certainly allowed by `parent`. Sound, not complete: a pair that the
    /// table of `spec/constraint.md` does not list is not narrower.
    #[must_use]
    pub fn narrows(&self, parent: &Constraint) -> bool {
        match (parent, self) {
            (Self::Wildcard, _) => true,
            (Self::Exact(_) | Self::Range(_) | Self::OneOf(_) | Self::NotOneOf(_), Self::Exact(value)) => {
                parent.allows(value)
            }
            (Self::PathPrefix(_), Self::Exact(value)) => parent.allows(value),
            (Self::PathPrefix(_), Self::OneOf(values)) => values.iter().all(|value| parent.allows(value)),
            (Self::PathPrefix(wide), Self::PathPrefix(narrow)) => narrow.within(wide),
            (Self::Range(wide), Self::Range(narrow)) => narrow.within(wide),
            (Self::OneOf(wide), Self::OneOf(narrow)) => all_in(narrow, wide),
            (Self::NotOneOf(wide), Self::NotOneOf(narrow)) => all_in(wide, narrow),
            (Self::Contains(wide), Self::Contains(narrow)) => all_in(wide, narrow),
            (Self::Subset(wide), Self::Subset(narrow)) => all_in(narrow, wide),
            (Self::All(wide), Self::All(narrow)) => distinct_match(wide, narrow),
            (Self::Any(wide), Self::Any(narrow)) => narrow.iter().all(|n| wide.iter().any(|w| n.narrows(w))),
            _ => false,
        }
    }
}

/// The elements of an array that is short enough to be compared with a token's values one by one.
fn items<'a, 'v>(value: &'a Value<'v>) -> Option<&'a [Value<'v>]> {
    value.as_array().filter(|items| items.len() <= MAX_COMPARED_ITEMS)
}

fn all_in(these: &[Value<'_>], those: &[Value<'_>]) -> bool {
    these.iter().all(|value| those.contains(value))
}

/// Whether each parent clause can be given a child clause of its own that narrows it: a bipartite matching by augmenting
/// paths, in at most (clauses)³ steps, so that no token can make it slow.
fn distinct_match(parents: &[Constraint], children: &[Constraint]) -> bool {
    fn place(
        parent: usize,
        parents: &[Constraint],
        children: &[Constraint],
        taken: &mut [Option<usize>],
        tried: &mut [bool],
    ) -> bool {
        let Some(wanted) = parents.get(parent) else {
            return false;
        };
        for (child, clause) in children.iter().enumerate() {
            if tried.get(child).copied().unwrap_or(true) || !clause.narrows(wanted) {
                continue;
            }
            if let Some(t) = tried.get_mut(child) {
                *t = true;
            }
            let free = match taken.get(child).copied().flatten() {
                None => true,
                Some(holder) => place(holder, parents, children, taken, tried),
            };
            if free {
                if let Some(slot) = taken.get_mut(child) {
                    *slot = Some(parent);
                }
                return true;
            }
        }
        false
    }
    let mut taken = vec![None; children.len()];
    (0..parents.len()).all(|parent| place(parent, parents, children, &mut taken, &mut vec![false; children.len()]))
}

impl Range {
    fn holds(&self, n: f64) -> bool {
        self.min.is_none_or(|b| n > b.value || (b.inclusive && n == b.value))
            && self.max.is_none_or(|b| n < b.value || (b.inclusive && n == b.value))
    }

    fn within(&self, wide: &Self) -> bool {
        fn inside(narrow: Option<Bound>, wide: Option<Bound>, beyond: impl Fn(f64, f64) -> bool) -> bool {
            match (narrow, wide) {
                (_, None) => true,
                (None, Some(_)) => false,
                (Some(n), Some(w)) => beyond(n.value, w.value) || (n.value == w.value && (w.inclusive || !n.inclusive)),
            }
        }
        inside(self.min, wide.min, |n, w| n > w) && inside(self.max, wide.max, |n, w| n < w)
    }
}

fn read_at(value: &Value<'_>, depth: usize, budget: &mut usize) -> Result<Constraint, ConstraintError> {
    let depth = depth.checked_sub(1).ok_or(ConstraintError::TooMany)?;
    spend(budget, 1)?;
    let object = value.as_object().ok_or(ConstraintError::Shape)?;
    let kind = object.get("constraint_type").and_then(Value::as_str).ok_or(ConstraintError::Shape)?;
    // One member beside the type, or none: an ignored member would be a restriction that nobody applies.
    let only = |name| match (object.get(name), object.len()) {
        (Some(value), 2) => Ok(value),
        _ => Err(ConstraintError::Shape),
    };
    match kind {
        "exact" => {
            let value = only("value")?;
            if matches!(value, Value::Array(_) | Value::Object(_)) {
                return Err(ConstraintError::Shape);
            }
            Ok(Constraint::Exact(value.clone().into_owned()))
        }
        "range" => read_range(object).map(Constraint::Range),
        "one_of" => values(only("values")?, budget).map(Constraint::OneOf),
        "not_one_of" => values(only("excluded")?, budget).map(Constraint::NotOneOf),
        "contains" => values(only("required")?, budget).map(Constraint::Contains),
        "subset" => values(only("allowed")?, budget).map(Constraint::Subset),
        PATH_PREFIX => {
            let folder = only("prefix")?.as_str().and_then(Folder::new);
            folder.map(Constraint::PathPrefix).ok_or(ConstraintError::Shape)
        }
        "wildcard" if object.len() == 1 => Ok(Constraint::Wildcard),
        "wildcard" => Err(ConstraintError::Shape),
        "all" => clauses(only("constraints")?, depth, budget).map(Constraint::All),
        "any" => clauses(only("constraints")?, depth, budget).map(Constraint::Any),
        _ => Err(ConstraintError::UnknownType),
    }
}

fn spend(budget: &mut usize, nodes: usize) -> Result<(), ConstraintError> {
    *budget = budget.checked_sub(nodes).ok_or(ConstraintError::TooMany)?;
    Ok(())
}

fn values(value: &Value<'_>, budget: &mut usize) -> Result<Vec<Value<'static>>, ConstraintError> {
    let items = value.as_array().ok_or(ConstraintError::Shape)?;
    spend(budget, items.len())?;
    Ok(items.iter().map(|item| item.clone().into_owned()).collect())
}

/// The clauses of `all` or `any`. An empty list would mean "anything" for one and "nothing" for the other; both can be
/// said plainly, so neither is accepted here.
fn clauses(value: &Value<'_>, depth: usize, budget: &mut usize) -> Result<Vec<Constraint>, ConstraintError> {
    let items = value.as_array().filter(|items| !items.is_empty()).ok_or(ConstraintError::Shape)?;
    if items.len() > MAX_CLAUSES {
        return Err(ConstraintError::TooMany);
    }
    items.iter().map(|item| read_at(item, depth, budget)).collect()
}

fn read_range(object: &Object<'_>) -> Result<Range, ConstraintError> {
    let mut known = 1;
    let mut bound = |value: &str, inclusive: &str| {
        let limit = object.get(value).map(|v| v.as_number().ok_or(ConstraintError::Shape)).transpose()?;
        let closed = object.get(inclusive).map(|v| v.as_bool().ok_or(ConstraintError::Shape)).transpose()?;
        known += usize::from(limit.is_some()) + usize::from(closed.is_some());
        match (limit, closed) {
            (Some(value), closed) => Ok(Some(Bound { value, inclusive: closed.unwrap_or(true) })),
            (None, None) => Ok(None),
            (None, Some(_)) => Err(ConstraintError::Shape),
        }
    };
    let range = Range { min: bound("min", "min_inclusive")?, max: bound("max", "max_inclusive")? };
    if known == object.len() { Ok(range) } else { Err(ConstraintError::Shape) }
}

impl Serialize for Constraint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let kind = match self {
            Self::Exact(value) => {
                map.serialize_entry("value", value)?;
                "exact"
            }
            Self::Range(range) => {
                if let Some(min) = range.min {
                    map.serialize_entry("min", &Value::Number(min.value))?;
                    map.serialize_entry("min_inclusive", &min.inclusive)?;
                }
                if let Some(max) = range.max {
                    map.serialize_entry("max", &Value::Number(max.value))?;
                    map.serialize_entry("max_inclusive", &max.inclusive)?;
                }
                "range"
            }
            Self::OneOf(values) => {
                map.serialize_entry("values", values)?;
                "one_of"
            }
            Self::NotOneOf(values) => {
                map.serialize_entry("excluded", values)?;
                "not_one_of"
            }
            Self::Contains(values) => {
                map.serialize_entry("required", values)?;
                "contains"
            }
            Self::Subset(values) => {
                map.serialize_entry("allowed", values)?;
                "subset"
            }
            Self::PathPrefix(folder) => {
                map.serialize_entry("prefix", &folder.0)?;
                PATH_PREFIX
            }
            Self::Wildcard => "wildcard",
            Self::All(clauses) => {
                map.serialize_entry("constraints", clauses)?;
                "all"
            }
            Self::Any(clauses) => {
                map.serialize_entry("constraints", clauses)?;
                "any"
            }
        };
        map.serialize_entry("constraint_type", kind)?;
        map.end()
    }
}
