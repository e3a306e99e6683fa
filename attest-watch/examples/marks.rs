//! Which files have marks: their names on standard input, the marks on standard output. What honest texts are marked for is
//! seen only over many of them.
//!
//! ```sh
//! find . -name '*.md' | cargo run --release -p attest-watch --example marks
//! ```
#![allow(clippy::print_stdout, reason = "an example")]

use attest_watch::scan;

fn main() -> std::io::Result<()> {
    let (mut files, mut bytes, mut marked) = (0u64, 0, 0u64);
    for path in std::io::stdin().lines() {
        let path = path?;
        // What is no text has no marks.
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        files += 1;
        bytes += text.len();
        let marks = scan::text(&text).marks;
        if marks.is_empty() {
            continue;
        }
        marked += 1;
        let words: Vec<String> = marks.iter().map(|(mark, count)| format!("{} {count}", mark.as_str())).collect();
        println!("{path}: {}", words.join(", "));
    }
    println!("{marked} of {files} files ({bytes} bytes) have marks");
    Ok(())
}
