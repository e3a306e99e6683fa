//! Which labels may be released to which tool, and whether a holder may act of its own accord: the member `…/flow` of a delegation.
//! `spec/flow.md`.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::claims::{Claims, ClaimsError};
use crate::json::Value;
use crate::labels::Labels;
use crate::limits::MAX_TOOLS;
use crate::names::FLOW;
use crate::tools::split;

/// Releases to every tool that the token grants.
const EVERY_TOOL: &str = "*";
/// Of its own accord.
const SELF: &str = "self";

/// What a token says about flow. Each token of a chain is asked, so a child can only take away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// Whether the holder may call without another's call as cause.
    pub of_own_accord: bool,
    /// Labels that may be released to a tool, by qualified name, or by `*` for every tool of the token.
    pub release: BTreeMap<String, Labels>,
}

impl Flow {
    /// Of a root that says nothing: of its own accord, and what is for everybody.
    pub fn public() -> &'static Self {
        static PUBLIC: Flow = Flow { of_own_accord: true, release: BTreeMap::new() };
        &PUBLIC
    }

    pub(crate) fn read(claims: &mut Claims<'_, '_>) -> Result<Self, ClaimsError> {
        let invalid = ClaimsError::Invalid(FLOW);
        let of_own_accord = match claims.optional("origin") {
            None => false,
            Some(origin) if origin.as_str() == Some(SELF) => true,
            Some(_) => return Err(invalid),
        };
        let listed = claims.required("release")?.as_object().filter(|o| o.len() <= MAX_TOOLS).ok_or(invalid)?;
        let release = listed.iter().map(|(tool, labels)| {
            let named = tool == EVERY_TOOL || split(tool).is_some();
            // An empty list would look like a permission and be none.
            let labels = Labels::read(labels).filter(|labels| named && !labels.is_empty());
            labels.map(|labels| (tool.to_owned(), labels)).ok_or(ClaimsError::Invalid(FLOW))
        });
        Ok(Self { of_own_accord, release: release.collect::<Result<_, _>>()? })
    }

    /// Reads the member's value.
    ///
    /// # Errors
    /// [`ClaimsError`].
    pub fn of(value: &Value<'_>) -> Result<Option<Self>, ClaimsError> {
        optional(Some(value))
    }

    /// Whether these labels may be released to this tool.
    pub fn releases(&self, tool: &str, labels: &Labels) -> bool {
        if labels.is_empty() {
            return true;
        }
        let to = |name: &str| self.release.get(name).cloned().unwrap_or_default();
        labels.within(&to(tool).and(&to(EVERY_TOOL)))
    }

    /// All that may be released to anything.
    pub fn all(&self) -> Labels {
        self.release.values().fold(Labels::None, Labels::and)
    }

    pub(crate) fn to_wire(&self) -> Wire<'_> {
        Wire { origin: self.of_own_accord.then_some(SELF), release: &self.release }
    }
}

/// As it is written.
#[derive(Serialize)]
pub(crate) struct Wire<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<&'static str>,
    release: &'a BTreeMap<String, Labels>,
}

/// Reads the member where there is one.
pub(crate) fn optional(value: Option<&Value<'_>>) -> Result<Option<Flow>, ClaimsError> {
    let Some(value) = value else { return Ok(None) };
    let mut claims = Claims::of(value).map_err(|_| ClaimsError::Invalid(FLOW))?;
    let flow = Flow::read(&mut claims).map_err(|_| ClaimsError::Invalid(FLOW))?;
    claims.finish().map_err(|_| ClaimsError::Invalid(FLOW))?;
    Ok(Some(flow))
}
