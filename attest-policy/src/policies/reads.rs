//! What a policy reads of the context, so that no more of it is made for a call than is looked at.

use cedar_policy::pst::{BinaryOp, Clause, Expr, Literal, Var};

use super::vocabulary::Members;
use crate::arguments::{Kind, Pointer, Reads};

/// Why a policy cannot be used, and what to do.
pub(super) type Wrong = (String, &'static str);

const BY_POINTER: &str = "ask for an argument by a JSON pointer written out: context.texts.hasTag(\"/to\") && context.texts.getTag(\"/to\") == …";

/// Deepest nesting of a condition; `a && b && c` is nested by one for each.
const MAX_DEPTH: usize = 400;

/// What some policies read.
#[derive(Clone, Debug, Default)]
pub(super) struct Uses {
    pub(super) members: Members,
    pub(super) arguments: Reads,
}

impl Uses {
    pub(super) fn join(&mut self, other: &Self) {
        self.members |= other.members;
        self.arguments.join(&other.arguments);
    }

    /// Adds what the conditions read.
    pub(super) fn add(&mut self, clauses: &[Clause]) -> Result<(), Wrong> {
        clauses.iter().try_for_each(|clause| match clause {
            Clause::When(expr) | Clause::Unless(expr) => self.expr(expr, MAX_DEPTH),
        })
    }

    fn expr(&mut self, expr: &Expr, depth: usize) -> Result<(), Wrong> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(("the condition is nested too deeply".to_owned(), "split the policy in two"));
        };
        match expr {
            Expr::Literal(Literal::EntityUID(uid)) => {
                let kind = uid.ty.to_string();
                // By a literal the arguments could be read without our seeing which.
                if ["Texts", "Numbers", "Flags", "Lists"].contains(&kind.as_str()) {
                    return Err((format!("{kind}::… is written out"), BY_POINTER));
                }
                Ok(())
            }
            Expr::Literal(_) => Ok(()),
            Expr::Var(Var::Context) => Err((
                "the context is used as a whole".to_owned(),
                "name the member that you mean, such as context.labels",
            )),
            Expr::Var(_) => Ok(()),
            Expr::UnaryOp { expr, .. } | Expr::Like { expr, .. } => self.expr(expr, depth),
            Expr::BinaryOp { op: BinaryOp::HasTag | BinaryOp::GetTag, left, right } => self.tag(left, right),
            Expr::BinaryOp { left, right, .. } => {
                self.expr(left, depth)?;
                self.expr(right, depth)
            }
            Expr::GetAttr { expr, attr } if is_context(expr) => {
                if Kind::ALL.iter().any(|kind| kind.member() == attr.as_str()) {
                    return Err((format!("context.{attr} is used without hasTag or getTag"), BY_POINTER));
                }
                self.member(attr);
                Ok(())
            }
            Expr::GetAttr { expr, .. } => self.expr(expr, depth),
            Expr::HasAttr { expr, attrs } if is_context(expr) => {
                self.member(attrs.first());
                Ok(())
            }
            Expr::HasAttr { expr, .. } => self.expr(expr, depth),
            Expr::Is { expr, in_expr, .. } => {
                self.expr(expr, depth)?;
                in_expr.as_deref().map_or(Ok(()), |expr| self.expr(expr, depth))
            }
            Expr::IfThenElse { cond, then_expr, else_expr } => {
                self.expr(cond, depth)?;
                self.expr(then_expr, depth)?;
                self.expr(else_expr, depth)
            }
            Expr::Set(items) => items.iter().try_for_each(|item| self.expr(item, depth)),
            Expr::Record(members) => members.values().try_for_each(|member| self.expr(member, depth)),
            // Templates are refused before, and unknowns cannot be written. What a later Cedar can say is not let through unread.
            _ => Err(("an expression that is not known here".to_owned(), "write it in another way")),
        }
    }

    /// What there is not, the validator names better.
    fn member(&mut self, name: &str) {
        self.members |= Members::named(name).unwrap_or_default();
    }

    fn tag(&mut self, of: &Expr, pointer: &Expr) -> Result<(), Wrong> {
        let kind = match of {
            Expr::GetAttr { expr, attr } if is_context(expr) => {
                Kind::ALL.into_iter().find(|kind| kind.member() == attr.as_str())
            }
            _ => None,
        };
        let (Some(kind), Expr::Literal(Literal::String(text))) = (kind, pointer) else {
            return Err(("an argument is not asked for by a pointer that is written out".to_owned(), BY_POINTER));
        };
        let pointer = Pointer::parse(text).map_err(|error| (format!("{text:?} is no pointer: {error}"), BY_POINTER))?;
        self.member(kind.member());
        self.arguments.add(pointer, kind);
        Ok(())
    }
}

fn is_context(expr: &Expr) -> bool {
    matches!(expr, Expr::Var(Var::Context))
}
