//! The user's folders (XDG Base Directory Specification).

use std::path::PathBuf;

/// The folder that `variable` names, or else `otherwise` in the home folder. A relative path counts as unset, as the specification asks.
pub(crate) fn of_user(variable: &str, otherwise: &str) -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute(variable).or_else(|| Some(absolute("HOME")?.join(otherwise)))
}
