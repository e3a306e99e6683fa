//! What can be done where entries are sealed, and to the table that says where.

use std::fs;

use attest_log::danger::Copy;
use attest_log::sealed::SealedPart;

use super::cases::{Case, VERIFY, case, done};
use super::{Done, Who};

/// What is done to a copy that is sealed already.
type Act = Box<dyn Fn(&Copy) -> Done<()>>;

/// All that can be tried where these parts are sealed.
pub(super) fn all(parts: &[SealedPart], cases: &mut Vec<Case>) {
    let Some(last) = parts.last().map(|part| part.until / 256 - 1) else { return };
    let forgotten = parts.last().is_some_and(|part| part.forgotten);
    let mut add = |name: String, can: bool, act: Act| {
        let case = case(name, Who::Writer, VERIFY, move |copy, _, _| {
            if can {
                act(copy)?;
            }
            done(can)
        });
        cases.push(Case { on_sealed: true, ..case });
    };
    // Of the last bundle: tokens of the first ones may have been let go.
    let files = move |copy: &Copy| copy.sealed_files(last);
    for (at, what, can) in [(0, "entries", true), (1, "tokens", !forgotten)] {
        let file = move |copy: &Copy| files(copy).into_iter().nth(at).unwrap_or_default();
        add(format!("take a file of sealed {what} away"), can, Box::new(move |copy| Ok(fs::remove_file(file(copy))?)));
        let cut = move |copy: &Copy| {
            let whole = fs::read(file(copy))?;
            Ok(fs::write(file(copy), whole.get(1..).unwrap_or_default())?)
        };
        add(format!("cut a file of sealed {what} short"), can, Box::new(cut));
    }
    let replace = move |copy: &Copy| {
        let [entries, _] = copy.sealed_files(0);
        fs::copy(entries, files(copy).into_iter().next().unwrap_or_default())?;
        Ok(())
    };
    add("put a file of sealed entries in the place of another".into(), last > 0, Box::new(replace));
    add("say that sealed tokens were let go".into(), !forgotten, Box::new(|copy| Ok(copy.mark_forgotten()?)));
    add("leave a part out of the table of what is sealed".into(), true, Box::new(|copy| Ok(copy.drop_last_part()?)));
}
