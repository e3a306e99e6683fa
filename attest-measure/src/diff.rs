//! What two states differ in: component by component, then as far as it is known what the digests are over.
//!
//! Pure: two [`Document`]s go in, a [`Report`] comes out. Names in it come from whoever wrote the documents and are printed escaped in
//! summaries; elsewhere that is for whoever prints them to do.

mod files;
mod settings;
mod tensors;
mod text;

use attest_core::measurement::Component;
use serde::Serialize;

use crate::document::Document;

pub use files::{ChangedFile, FilesChange, files};
pub use settings::{SettingChange, settings};
pub use tensors::{TensorChange, TensorsChange, What, tensors};
pub use text::{TextChange, text};

/// What became of a piece between A and B.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// The same in both.
    Same,
    /// In both, and not the same.
    Changed,
    /// In the first alone.
    OnlyInA,
    /// In the second alone.
    OnlyInB,
}

impl Change {
    fn of<T: PartialEq>(pair: (Option<T>, Option<T>)) -> Self {
        match pair {
            (Some(_), None) => Self::OnlyInA,
            (None, Some(_)) => Self::OnlyInB,
            (a, b) if a == b => Self::Same,
            _ => Self::Changed,
        }
    }
}

/// A component in A and in B.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ComponentChange {
    /// Its name.
    pub component: &'static str,
    /// What became of its digest.
    pub change: Change,
    /// The digests in A and in B.
    pub digests: [Option<String>; 2],
    /// How each was had. The same digest of another grade is a difference.
    pub grades: [Option<&'static str>; 2],
}

/// What two states differ in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The names of the agents; two agents in the same state do not differ.
    pub agents: [String; 2],
    /// Every component that is in A or in B, in ascending order.
    pub components: Vec<ComponentChange>,
    /// Of the components whose files are known in both.
    pub files: Vec<FilesChange>,
    /// Where the tensors are known in both.
    pub tensors: Option<TensorsChange>,
}

impl Report {
    /// Whether anything differs.
    pub fn differs(&self) -> bool {
        self.components.iter().any(|c| c.change != Change::Same || c.grades[0] != c.grades[1])
    }
}

/// Compares two states. The lists of both were held against the digests when they were read, so equal digests are equal lists.
pub fn documents(a: &Document, b: &Document) -> Report {
    let component = |component: &Component| {
        let (in_a, in_b) = (a.measurement(*component), b.measurement(*component));
        (in_a.is_some() || in_b.is_some()).then(|| ComponentChange {
            component: component.as_str(),
            change: Change::of((in_a.map(|m| m.digest), in_b.map(|m| m.digest))),
            digests: [in_a, in_b].map(|m| m.map(|m| m.digest.to_b64())),
            grades: [in_a, in_b].map(|m| m.map(|m| m.grade.as_str())),
        })
    };
    let lists = [
        (Component::Harness, &a.lists.harness, &b.lists.harness),
        (Component::ModelWeights, &a.lists.weights, &b.lists.weights),
    ];
    let listed = lists.into_iter().filter_map(|(component, a, b)| Some(files(component, a.as_ref()?, b.as_ref()?)));
    Report {
        agents: [a.agent.clone(), b.agent.clone()],
        components: Component::ALL.iter().filter_map(component).collect(),
        files: listed.collect(),
        tensors: a.lists.tensors.as_ref().zip(b.lists.tensors.as_ref()).map(|(a, b)| tensors(a, b)),
    }
}

/// A number of things in words.
fn counted(count: usize, one: &str, more: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {more}") }
}
