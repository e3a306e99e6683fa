//! What is not measured, and what is noticed while it is.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper of tests fails its test")]

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Once;

use attest_measure::{FileSet, Kind, MeasureError};

fn refusal(path: &Path) -> MeasureError {
    match FileSet::new([path]).manifest(&|_| {}) {
        Err(error) => error,
        Ok(measured) => panic!("measured {:?}", measured.value),
    }
}

fn folder_with(name: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("model.bin"), b"weights").unwrap();
    let path = dir.path().join(name);
    (dir, path)
}

fn fifo(path: &Path) {
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
}

#[test]
fn pipes_sockets_and_devices_are_refused_in_a_folder_and_by_themselves() {
    let (dir, path) = folder_with("pipe");
    fifo(&path);
    for path in [dir.path(), &path] {
        assert!(matches!(refusal(path), MeasureError::NotAFile { kind: Kind::Fifo, .. }));
    }
    let (dir, path) = folder_with("socket");
    let _listener = UnixListener::bind(&path).unwrap();
    for path in [dir.path(), &path] {
        assert!(matches!(refusal(path), MeasureError::NotAFile { kind: Kind::Socket, .. }));
    }
    assert!(matches!(refusal(Path::new("/dev/zero")), MeasureError::NotAFile { kind: Kind::Device, .. }));
}

#[test]
fn a_link_out_of_the_folder_is_refused_and_named() {
    let (dir, path) = folder_with("link");
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), b"secret").unwrap();
    for target in [outside.path().join("secret"), outside.path().to_path_buf(), "/dev/zero".into()] {
        symlink(&target, &path).unwrap();
        assert!(matches!(refusal(dir.path()), MeasureError::LinkOutside { link, .. } if link.ends_with("link")));
        fs::remove_file(&path).unwrap();
    }
    // By way of a link that is inside, and through a folder that only begins with the same letters.
    symlink(outside.path(), dir.path().join("hop")).unwrap();
    assert!(matches!(refusal(dir.path()), MeasureError::LinkOutside { .. }));
    fs::remove_file(dir.path().join("hop")).unwrap();
    let sibling = PathBuf::from(format!("{}-sibling", dir.path().display()));
    fs::create_dir(&sibling).unwrap();
    fs::write(sibling.join("x"), b"x").unwrap();
    symlink(sibling.join("x"), &path).unwrap();
    let error = refusal(dir.path());
    fs::remove_dir_all(&sibling).unwrap();
    assert!(matches!(error, MeasureError::LinkOutside { .. }));
}

#[test]
fn links_in_a_circle_are_refused() {
    let (dir, path) = folder_with("again");
    for target in [".", "again", "sub/up"] {
        fs::create_dir_all(dir.path().join("sub")).unwrap();
        fs::remove_file(dir.path().join("sub/up")).ok();
        symlink("..", dir.path().join("sub/up")).unwrap();
        symlink(target, &path).unwrap();
        assert!(matches!(refusal(dir.path()), MeasureError::LinkLoop { .. }), "{target}");
        fs::remove_file(&path).unwrap();
    }
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    fs::remove_dir_all(dir.path().join("sub")).unwrap();
    symlink(&two, &one).unwrap();
    symlink(&one, &two).unwrap();
    assert!(matches!(refusal(dir.path()), MeasureError::LinkLoop { .. }));
    assert!(matches!(refusal(&one), MeasureError::LinkLoop { .. }));
}

#[test]
fn links_that_multiply_without_end_are_refused() {
    // Each level holds the next one twice: 2^40 ways, none of which is a circle.
    let dir = tempfile::tempdir().unwrap();
    for level in 0..40 {
        let here = dir.path().join(format!("l{level}"));
        fs::create_dir(&here).unwrap();
        for name in ["x", "y"] {
            symlink(format!("../l{}", level + 1), here.join(name)).unwrap();
        }
    }
    fs::create_dir(dir.path().join("l40")).unwrap();
    assert!(matches!(refusal(dir.path()), MeasureError::TooMany { .. }));
}

#[test]
fn a_folder_of_more_files_than_any_model_has_is_refused_with_what_to_do_and_one_less_is_not() {
    let dir = tempfile::tempdir().unwrap();
    for part in 0..10 {
        let part = dir.path().join(part.to_string());
        fs::create_dir(&part).unwrap();
        // A file for each folder: file systems bound how many names one file may have. The folder counts too.
        let one = part.join("1");
        fs::write(&one, b"").unwrap();
        (2..10_000).for_each(|n| fs::hard_link(&one, part.join(n.to_string())).unwrap());
    }
    let set = FileSet::new([dir.path()]);
    assert_eq!(set.stamp().unwrap().len(), 99_990);
    File::create(dir.path().join("one more")).unwrap();
    let error = set.stamp().unwrap_err();
    assert!(matches!(error, MeasureError::TooMany { limit: 100_000, .. }), "{error}");
    let said = error.to_string();
    assert!(said.contains("more than 100000 files and folders") && said.contains("weights_except"), "{said}");
}

#[test]
fn a_link_to_nowhere_is_refused() {
    let (dir, path) = folder_with("link");
    symlink("gone", &path).unwrap();
    assert!(matches!(refusal(dir.path()), MeasureError::LinkDangling { path } if path.ends_with("link")));
}

#[test]
fn a_name_that_is_not_utf8_is_refused() {
    let (dir, path) = folder_with("x");
    fs::write(path.with_file_name(OsStr::from_bytes(b"mod\xffel")), b"").unwrap();
    assert!(matches!(refusal(dir.path()), MeasureError::Name { .. }));
}

#[test]
fn names_that_differ_in_case_alone_are_refused() {
    let (dir, path) = folder_with("Model.BIN");
    fs::write(path, b"").unwrap();
    let error = refusal(dir.path());
    assert!(matches!(&error, MeasureError::SameName { .. }), "{error}");

    // The same under two paths of one last name.
    let [a, b] = ["a/m", "b/M"].map(|name| dir.path().join(name));
    for path in [&a, &b] {
        fs::create_dir_all(path).unwrap();
        fs::write(path.join("config"), b"").unwrap();
    }
    assert!(matches!(FileSet::new([a, b]).manifest(&|_| {}), Err(MeasureError::SameName { .. })));
}

#[test]
fn nothing_is_not_a_model() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(refusal(dir.path()), MeasureError::Empty { .. }));
    fs::create_dir(dir.path().join("sub")).unwrap();
    assert!(matches!(refusal(dir.path()), MeasureError::Empty { .. }));
    assert!(matches!(refusal(&dir.path().join("gone")), MeasureError::Missing { .. }));
    assert!(matches!(FileSet::new(Vec::<PathBuf>::new()).manifest(&|_| {}), Err(MeasureError::NoPaths)));
}

#[test]
fn of_several_paths_one_without_a_name_is_refused() {
    let (dir, path) = folder_with("model.bin");
    let folder = dir.path().join("sub/..");
    fs::create_dir(dir.path().join("sub")).unwrap();
    assert!(FileSet::new([&folder]).manifest(&|_| {}).is_ok(), "alone it needs none");
    let error = FileSet::new([folder, path]).manifest(&|_| {});
    assert!(matches!(error, Err(MeasureError::NoName { .. })));
}

/// Measures a file of three mebibytes and lets `change` happen after the first was read.
fn while_reading(change: impl Fn(&Path) + Sync) -> Result<(), MeasureError> {
    let outer = tempfile::tempdir().unwrap();
    let dir = outer.path().join("weights");
    fs::create_dir(&dir).unwrap();
    let file = dir.join("model.bin");
    fs::write(&file, vec![1; 3 << 20]).unwrap();
    // The change must fall into another step of the file system's clock than the file's making.
    let time = |path: &Path| fs::metadata(path).map(|m| (m.ctime(), m.ctime_nsec())).unwrap();
    let probe = outer.path().join("probe");
    while !probe.exists() || time(&probe) <= time(&file) {
        fs::write(&probe, b"x").unwrap();
    }
    let once = Once::new();
    FileSet::new([&dir]).manifest(&|_| once.call_once(|| change(&dir))).map(|_| ())
}

#[test]
fn a_change_while_reading_is_noticed() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 7] = [
        ("a byte already read", |d| {
            OpenOptions::new().write(true).open(d.join("model.bin")).unwrap().write_all_at(b"2", 0).unwrap();
        }),
        ("a byte not yet read", |d| {
            OpenOptions::new().write(true).open(d.join("model.bin")).unwrap().write_all_at(b"2", 3 << 19).unwrap();
        }),
        ("grown", |d| {
            OpenOptions::new().append(true).open(d.join("model.bin")).unwrap().write_all(b"more").unwrap();
        }),
        ("cut", |d| OpenOptions::new().write(true).open(d.join("model.bin")).unwrap().set_len(9).unwrap()),
        ("replaced by an equal file", |d| {
            fs::write(d.join("../new"), vec![1; 3 << 20]).unwrap();
            fs::rename(d.join("../new"), d.join("model.bin")).unwrap();
        }),
        ("another file added", |d| drop(File::create(d.join("extra")).unwrap())),
        ("chmod", |d| {
            fs::set_permissions(d.join("model.bin"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        }),
    ];
    for (name, change) in changes {
        assert!(matches!(while_reading(change), Err(MeasureError::Changed { .. })), "{name}");
    }
}

#[test]
fn reading_while_nothing_changes_succeeds() {
    assert!(while_reading(|_| {}).is_ok());
}

#[test]
fn a_file_removed_while_reading_is_an_error() {
    assert!(while_reading(|d| fs::remove_file(d.join("model.bin")).unwrap()).is_err());
}

#[test]
fn a_file_without_end_is_not_read_on() {
    // Regular, of size 0 by its own word, and with content all the same.
    let path = Path::new("/proc/self/status");
    if path.exists() {
        assert!(matches!(refusal(path), MeasureError::Changed { .. }));
    }
}
