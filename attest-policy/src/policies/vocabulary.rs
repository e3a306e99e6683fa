//! The names of the schema in Cedar's own types, and one call's facts as Cedar takes them.

use core::ops::BitOrAssign;
use std::collections::HashSet;

use attest_core::alert::Severity;
use attest_core::measurement::Grade;
use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, ParseErrors, Request, RestrictedExpression as Expr,
};

use crate::arguments::{Gathered, Kind};
use crate::decision::Fault;
use crate::facts::{Asked, Facts};
use crate::risk::Risk;

/// The members of the context.
const MEMBERS: [&str; 12] = [
    "components",
    "delegation",
    "labels",
    "risk",
    "alerts",
    "severity",
    "time",
    "hour",
    "texts",
    "numbers",
    "flags",
    "lists",
];

/// Some of the members of the context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Members(u16);

impl Members {
    pub(super) fn named(name: &str) -> Option<Self> {
        MEMBERS.iter().position(|member| *member == name).map(|at| Self(1 << at))
    }

    fn has(self, name: &str) -> bool {
        Self::named(name).is_some_and(|one| self.0 & one.0 != 0)
    }
}

impl BitOrAssign for Members {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// What is the same for every call.
#[derive(Debug)]
pub(super) struct Vocabulary {
    agent: EntityTypeName,
    group: EntityTypeName,
    server: EntityTypeName,
    class: EntityTypeName,
    tool: EntityTypeName,
    method: EntityTypeName,
    /// The actions, of a tool's call and of another method.
    pub(super) call: EntityUid,
    pub(super) other: EntityUid,
    /// For each word the set of all words up to it.
    risks: Vec<Expr>,
    severities: Vec<Expr>,
    grades: Vec<Expr>,
    /// The entity that has the arguments of a kind as tags.
    arguments: [EntityUid; 4],
}

/// Who asks for what, as Cedar names it.
pub(super) struct Names {
    pub(super) agent: EntityUid,
    pub(super) groups: Vec<EntityUid>,
    pub(super) resource: EntityUid,
    /// The server and the tool's classes.
    pub(super) above: Vec<EntityUid>,
    pub(super) is_call: bool,
}

impl Vocabulary {
    pub(super) fn new() -> Result<Self, Box<ParseErrors>> {
        let name = |name: &str| name.parse::<EntityTypeName>().map_err(Box::new);
        let action = name("Action")?;
        Ok(Self {
            agent: name("Agent")?,
            group: name("Group")?,
            server: name("Server")?,
            class: name("Class")?,
            tool: name("Tool")?,
            method: name("Method")?,
            call: uid(&action, "call"),
            other: uid(&action, "method"),
            risks: up_to(&name("Risk")?, Risk::ALL.map(Risk::as_str)),
            severities: up_to(&name("Severity")?, Severity::ALL.iter().map(|one| one.as_str())),
            grades: up_to(&name("Grade")?, Grade::ALL.iter().map(|one| one.as_str())),
            arguments: [
                uid(&name("Texts")?, "of-the-call"),
                uid(&name("Numbers")?, "of-the-call"),
                uid(&name("Flags")?, "of-the-call"),
                uid(&name("Lists")?, "of-the-call"),
            ],
        })
    }

    pub(super) fn names(&self, facts: &Facts<'_>) -> Names {
        let Facts { agent, groups, server, asked, classes, .. } = facts;
        let (kind, name, is_call) = match asked {
            Asked::Tool(name) => (&self.tool, name, true),
            Asked::Method(name) => (&self.method, name, false),
        };
        let mut above = vec![uid(&self.server, server)];
        if is_call {
            above.extend(classes.iter().map(|class| uid(&self.class, class)));
        }
        Names {
            agent: uid(&self.agent, agent),
            groups: groups.iter().map(|group| uid(&self.group, group)).collect(),
            resource: uid(kind, &format!("{server}#{name}")),
            above,
            is_call,
        }
    }

    /// The entities of one call.
    pub(super) fn entities(&self, names: &Names, arguments: &Gathered<'_>) -> Result<Entities, Fault> {
        let of =
            |uid: &EntityUid, above: &[EntityUid]| Entity::new_no_attrs(uid.clone(), above.iter().cloned().collect());
        let mut all = vec![of(&names.agent, &names.groups), of(&names.resource, &names.above)];
        let Gathered { texts, numbers, flags, lists } = arguments;
        let tags: [Vec<(String, Expr)>; 4] = [
            texts.iter().map(|(at, text)| ((*at).to_owned(), Expr::new_string((*text).to_owned()))).collect(),
            numbers.iter().map(|(at, number)| ((*at).to_owned(), Expr::new_long(*number))).collect(),
            flags.iter().map(|(at, flag)| ((*at).to_owned(), Expr::new_bool(*flag))).collect(),
            lists.iter().map(|(at, items)| ((*at).to_owned(), strings(items.iter().copied()))).collect(),
        ];
        for (uid, tags) in self.arguments.iter().zip(tags) {
            if !tags.is_empty() {
                let entity = Entity::new_with_tags(uid.clone(), [], HashSet::new(), tags);
                all.push(entity.map_err(|_| Fault::Request)?);
            }
        }
        Entities::from_entities(all, None).map_err(|_| Fault::Request)
    }

    /// The request, with those members of the context that are read.
    pub(super) fn request(&self, names: &Names, facts: &Facts<'_>, members: Members) -> Result<Request, Fault> {
        let context = self.context(facts, members).ok_or(Fault::Request)?;
        let context = Context::from_pairs(context).map_err(|_| Fault::Request)?;
        let action = if names.is_call { &self.call } else { &self.other };
        Request::new(names.agent.clone(), action.clone(), names.resource.clone(), context, None)
            .map_err(|_| Fault::Request)
    }

    fn context(&self, facts: &Facts<'_>, members: Members) -> Option<Vec<(String, Expr)>> {
        let mut pairs = Vec::with_capacity(MEMBERS.len());
        let mut put = |name: &str, value: &mut dyn FnMut() -> Option<Expr>| {
            if members.has(name) {
                pairs.push((name.to_owned(), value()?));
            }
            Some(())
        };
        put("components", &mut || self.components(facts))?;
        put("delegation", &mut || {
            let crate::Delegation { depth, holder, left, root } = &facts.delegation;
            record([
                ("depth", long(*depth)?),
                ("holder", Expr::new_string(holder.clone())),
                ("left", long(*left)?),
                ("root", Expr::new_string(root.clone())),
            ])
        })?;
        put("labels", &mut || Some(strings(facts.labels.iter().map(String::as_str))))?;
        put("risk", &mut || self.risks.get(facts.risk as usize).cloned())?;
        put("alerts", &mut || Some(strings(facts.alerts.iter().map(|open| open.rule.as_str()))))?;
        put("severity", &mut || {
            let worst = facts.alerts.iter().map(|open| open.severity).max();
            worst.map_or_else(|| Some(Expr::new_set([])), |worst| self.severities.get(worst as usize).cloned())
        })?;
        put("time", &mut || {
            let time = jiff::Timestamp::from_second(i64::try_from(facts.time).ok()?).ok()?;
            Some(Expr::new_datetime(time.to_string()))
        })?;
        put("hour", &mut || long(facts.time % 86_400 / 3_600))?;
        for (kind, uid) in Kind::ALL.into_iter().zip(&self.arguments) {
            put(kind.member(), &mut || Some(Expr::new_entity_uid(uid.clone())))?;
        }
        Some(pairs)
    }

    fn components(&self, facts: &Facts<'_>) -> Option<Expr> {
        let one = |one: &attest_core::measurement::Measurement| {
            let grade = self.grades.get(one.grade as usize)?.clone();
            let digest = Expr::new_string(one.digest.to_b64());
            Some((one.component.as_str(), record([("digest", digest), ("grade", grade)])?))
        };
        record(facts.components.iter().map(one).collect::<Option<Vec<_>>>()?)
    }
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

/// For each word the set of all words up to it, so that a test for "at least" is a test for being there.
fn up_to<'s>(kind: &EntityTypeName, words: impl IntoIterator<Item = &'s str>) -> Vec<Expr> {
    let mut so_far = Vec::new();
    let sets = words.into_iter().map(|word| {
        so_far.push(Expr::new_entity_uid(uid(kind, word)));
        Expr::new_set(so_far.clone())
    });
    sets.collect()
}

fn long(number: u64) -> Option<Expr> {
    i64::try_from(number).ok().map(Expr::new_long)
}

fn strings<'s>(all: impl IntoIterator<Item = &'s str>) -> Expr {
    Expr::new_set(all.into_iter().map(|text| Expr::new_string(text.to_owned())))
}

fn record<'s>(members: impl IntoIterator<Item = (&'s str, Expr)>) -> Option<Expr> {
    Expr::new_record(members.into_iter().map(|(name, value)| (name.to_owned(), value))).ok()
}
