//! Rewrites `spec/vectors`: `cargo run -p attest-tests --bin make-vectors`.

use std::fs;
use std::io;

use attest_tests::vectors::{directory, files};

fn main() -> io::Result<()> {
    let directory = directory();
    let files = files();
    for entry in fs::read_dir(&directory)? {
        let path = entry?.path();
        let stale = path.file_name().and_then(|n| n.to_str()).is_some_and(|n| !files.contains_key(n));
        if stale && path.extension().is_some_and(|e| e == "vec") {
            fs::remove_file(path)?;
        }
    }
    for (name, bytes) in &files {
        fs::write(directory.join(name), bytes)?;
    }
    Ok(())
}
