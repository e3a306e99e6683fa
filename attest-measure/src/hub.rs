//! The layout of a Hugging Face cache: `models--x--y/snapshots/<revision>/…` holds symbolic links into `models--x--y/blobs`.

use std::path::{Path, PathBuf};

/// The folder that links of a snapshot may lead within, if `folder`, which is canonical, is a snapshot or lies in one.
pub(crate) fn repository(folder: &Path) -> Option<PathBuf> {
    let snapshots = folder.ancestors().find(|above| above.file_name().is_some_and(|name| name == "snapshots"))?;
    let repository = snapshots.parent()?;
    let name = repository.file_name()?.to_str()?;
    let is = ["models--", "datasets--", "spaces--"].iter().any(|kind| name.starts_with(kind));
    // Of `snapshots` itself every revision would be measured at once: nobody loads that.
    (is && folder != snapshots).then(|| repository.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_revision_of_a_repository_is_one() {
        let cache = "/home/u/.cache/huggingface/hub/models--acme--small";
        let of = |below: &str| repository(&Path::new(cache).join(below));
        assert_eq!(of("snapshots/0123"), Some(cache.into()));
        assert_eq!(of("snapshots/0123/onnx"), Some(cache.into()));
        for other in ["", "blobs", "snapshots", "refs/main"] {
            assert_eq!(of(other), None, "{other}");
        }
        assert_eq!(repository(Path::new("/srv/snapshots/0123")), None);
        assert_eq!(repository(Path::new("/srv/models/snapshots/0123")), None);
    }
}
