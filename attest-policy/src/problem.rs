//! What is wrong with policies, for the person who wrote them.

use core::fmt;

use miette::Diagnostic;

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// The policies can be used, and one of them does not do what it seems to.
    Remark,
    /// The policies cannot be used.
    Error,
}

/// One thing that is wrong: what, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How much it matters.
    pub weight: Weight,
    /// The file, as it was named to [`Policies::read`](crate::Policies::read); empty where it is about all of them.
    pub file: String,
    /// Line and column, both from 1, the column in characters.
    pub at: Option<(usize, usize)>,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub todo: Option<String>,
}

impl Problem {
    pub(crate) fn error(file: &str, what: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { weight: Weight::Error, file: file.to_owned(), at: None, what: what.into(), todo: Some(todo.into()) }
    }

    pub(crate) fn remark(file: &str, what: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { weight: Weight::Remark, ..Self::error(file, what, todo) }
    }

    /// The same, at the byte `offset` of `text`.
    pub(crate) fn at(self, text: &str, offset: Option<usize>) -> Self {
        Self { at: offset.and_then(|offset| place(text, offset)), ..self }
    }

    /// What Cedar says of `text`.
    pub(crate) fn of(weight: Weight, file: &str, text: &str, said: &dyn Diagnostic) -> Self {
        let label = said.labels().and_then(|mut labels| labels.next());
        let mut what = said.to_string();
        if let Some(more) = label.as_ref().and_then(|label| label.label())
            && !what.contains(more)
        {
            what = format!("{what}: {more}");
        }
        let todo = said.help().map(|help| help.to_string());
        let problem = Self { weight, file: file.to_owned(), at: None, what, todo };
        problem.at(text, label.map(|label| label.offset()))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.file.is_empty() {
            write!(f, "{}:", self.file)?;
            if let Some((line, column)) = self.at {
                write!(f, "{line}:{column}:")?;
            }
            f.write_str(" ")?;
        }
        f.write_str(&self.what)?;
        match &self.todo {
            Some(todo) => write!(f, "; {todo}"),
            None => Ok(()),
        }
    }
}

fn place(text: &str, offset: usize) -> Option<(usize, usize)> {
    let before = text.get(..offset)?;
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    Some((before.matches('\n').count() + 1, before.get(line_start..)?.chars().count() + 1))
}
