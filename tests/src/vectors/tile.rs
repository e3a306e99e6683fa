//! The family `tile`: paths, widths and bundles of a log in static files.

use super::file::Vector;
use super::log::{ENTRIES, leaf, root};
use super::token::b64;

fn is_path(name: &str, comment: &str, path: &str, is: &str) -> Vector {
    Vector::new("tile-path", format!("tile_path_{name}"), comment, path).with("expect", "accept").with("is", is)
}

fn no_path(name: &str, comment: &str, path: impl Into<Vec<u8>>) -> Vector {
    Vector::new("tile-path", format!("tile_path_{name}"), comment, path).with("expect", "refuse")
}

fn paths() -> Vec<Vector> {
    vec![
        is_path("checkpoint", "the checkpoint", "checkpoint", "checkpoint"),
        is_path("first", "the first full tile", "tile/0/000", "tile 0 0 256"),
        is_path("partial", "a tile of three hashes", "tile/0/000.p/3", "tile 0 0 3"),
        is_path("partial_1", "a tile of one hash", "tile/1/000.p/1", "tile 1 0 1"),
        is_path("partial_255", "a tile of 255 hashes", "tile/0/999.p/255", "tile 0 999 255"),
        is_path("thousand", "a group in front", "tile/0/x001/000", "tile 0 1000 256"),
        is_path("c2sp", "C2SP's example of an index", "tile/1/x001/x234/067", "tile 1 1234067 256"),
        is_path("c2sp_partial", "a partial tile of C2SP's tree of 70,000", "tile/0/273.p/112", "tile 0 273 112"),
        is_path("zeros_inside", "a group of zeros that is not in front", "tile/0/x001/x000/000", "tile 0 1000000 256"),
        is_path("entries", "a bundle", "tile/entries/000", "entries 0 256"),
        is_path("entries_partial", "a bundle of 17 entries", "tile/entries/x012/345.p/17", "entries 12345 17"),
        is_path("last", "the last tile of 2^48 entries", "tile/0/x001/x099/x511/x627/775", "tile 0 1099511627775 256"),
        is_path("highest", "the highest hash there is", "tile/6/000.p/1", "tile 6 0 1"),
        is_path("last_level_5", "the last tile of level 5", "tile/5/000", "tile 5 0 256"),
        no_path("beyond_2_48", "a tile beyond 2^48 entries", "tile/0/x001/x099/x511/x627/776.p/1"),
        no_path("beyond_2_48_level_5", "a tile of level 5 beyond 2^48 entries", "tile/5/001.p/1"),
        no_path("beyond_2_48_level_6", "two hashes of level 6", "tile/6/000.p/2"),
        no_path("level_7", "a level that no tree of at most 2^48 entries has", "tile/7/000.p/1"),
        no_path("level_63", "the highest level of C2SP", "tile/63/000.p/1"),
        no_path("level_64", "a level that C2SP does not have", "tile/64/000.p/1"),
        no_path("level_256", "a level that overflows 8 bits to 0", "tile/256/000"),
        no_path("level_leading_zero", "a level with a leading zero", "tile/00/000"),
        no_path("level_minus", "a level below zero", "tile/-1/000"),
        no_path("level_empty", "no level", "tile//000"),
        no_path("go", "Go's form, with the height in front", "tile/8/0/000"),
        no_path("go_data", "Go's form of the entries", "tile/8/data/000"),
        no_path("go_panic_width", "a path on which tlog_tiles panics", "tile/8/0/x000.p/0"),
        no_path("go_panic_index", "another", "tile/1/239/5"),
        no_path("width_0", "a width of 0", "tile/0/000.p/0"),
        no_path("width_256", "a width of 256, which is full", "tile/0/000.p/256"),
        no_path("width_65537", "a width that overflows 16 bits to 1", "tile/0/000.p/65537"),
        no_path("width_leading_zero", "a width with a leading zero", "tile/0/000.p/03"),
        no_path("width_empty", "no width", "tile/0/000.p/"),
        no_path("width_twice", "two widths", "tile/0/000.p/3.p/3"),
        no_path("width_slash", "a slash behind", "tile/0/000.p/3/"),
        no_path("index_two_digits", "an index of two digits", "tile/0/00"),
        no_path("index_four_digits", "an index of four digits", "tile/0/1234"),
        no_path("index_empty", "no index", "tile/0/"),
        no_path("index_x_last", "an x before the last group", "tile/0/x000"),
        no_path("index_no_x", "no x before the first group", "tile/0/001/000"),
        no_path("index_x000", "a group of zeros in front", "tile/0/x000/001"),
        no_path("index_upper_case", "a capital X", "tile/0/X001/000"),
        no_path("index_plus", "a sign in the index", "tile/0/+01"),
        no_path("index_other_digits", "Arabic digits", "tile/0/٠٠٠"),
        no_path("index_overflow", "an index that overflows 64 bits to 0", "tile/0/x018/x446/x744/x073/x709/x551/616"),
        no_path("slash_in_front", "a slash in front", "/tile/0/000"),
        no_path("slash_behind", "a slash behind", "tile/0/000/"),
        no_path("two_slashes", "two slashes", "tile/0//000"),
        no_path("dots", "dots that lead elsewhere", "tile/0/../0/000"),
        no_path("query", "a query behind", "tile/0/000?x"),
        no_path("percent", "a spelling with a percent sign", "tile/0/%30%30%30"),
        no_path("upper_case", "upper case", "Tile/0/000"),
        no_path("line_feed", "a line feed behind", "tile/0/000\n"),
        no_path("checkpoint_partial", "a width behind checkpoint", "checkpoint.p/1"),
        no_path("empty", "no path", ""),
        no_path("long", "a thousand groups", format!("tile/0/{}000", "x000/".repeat(1_000))),
    ]
}

/// `width` is 0 where there is no such tile.
fn of_tree(level: u8, index: u64, size: u64, width: u16) -> Vector {
    let name = format!("tile_of_tree_{size}_level_{level}_index_{index}");
    let comment = format!("width of the tile at level {level}, index {index} of a tree of {size}");
    let expect = if width == 0 { "none".to_owned() } else { width.to_string() };
    Vector::new("tile-of-tree", name, &comment, format!("{level} {index} {size}")).with("expect", &expect)
}

fn bundle(entries: &[&[u8]]) -> Vec<u8> {
    entries.iter().flat_map(|entry| [&(entry.len() as u16).to_be_bytes()[..], entry].concat()).collect()
}

fn good_bundle(name: &str, comment: &str, entries: &[&[u8]]) -> Vector {
    let leaves: Vec<_> = entries.iter().map(leaf).collect();
    Vector::new("bundle", format!("tile_bundle_{name}"), comment, bundle(entries))
        .with("width", &entries.len().to_string())
        .with("expect", "accept")
        .with("root", &b64(root(&leaves)))
}

fn bad_bundle(name: &str, comment: &str, bundle: impl Into<Vec<u8>>, width: usize) -> Vector {
    Vector::new("bundle", format!("tile_bundle_{name}"), comment, bundle)
        .with("width", &width.to_string())
        .with("expect", "refuse")
}

fn bundles() -> Vec<Vector> {
    let three: Vec<&[u8]> = ENTRIES.iter().map(|entry| entry.as_bytes()).collect();
    let right = bundle(&three);
    let numbers: Vec<String> = (0..256).map(|i| i.to_string()).collect();
    let numbers: Vec<&[u8]> = numbers.iter().map(|n| n.as_bytes()).collect();
    let mut little = right.clone();
    little.swap(0, 1);
    vec![
        good_bundle("good", "the three entries of the example", &three),
        good_bundle("good_full", "256 entries", &numbers),
        good_bundle("good_255", "255 entries", &numbers[..255]),
        good_bundle("good_empty_entries", "entries without a byte", &[b"", b"", b"x"]),
        good_bundle("good_longest", "the longest entry", &[&[b'x'; 65_535]]),
        bad_bundle("width_small", "an entry more than the path says", right.clone(), 2),
        bad_bundle("width_large", "an entry less than the path says", right.clone(), 4),
        bad_bundle("cut_off", "the last byte is missing", &right[..right.len() - 1], 3),
        bad_bundle("cut_off_length", "half a length behind", [&right[..], &[0]].concat(), 4),
        bad_bundle("byte_behind", "a byte behind", [&right[..], &[0]].concat(), 3),
        bad_bundle("empty_entry_behind", "an empty entry behind", [&right[..], &[0, 0]].concat(), 3),
        bad_bundle("little_endian", "a length in the other order", little, 3),
        bad_bundle("nothing", "no bytes, of width 1", "", 1),
        bad_bundle("width_0", "no bytes, of width 0", "", 0),
        bad_bundle("width_257", "257 entries", [bundle(&numbers), bundle(&[b"x"])].concat(), 257),
    ]
}

/// The family.
pub fn vectors() -> Vec<Vector> {
    let widths = [
        of_tree(0, 0, 0, 0),
        of_tree(0, 0, 1, 1),
        of_tree(0, 0, 3, 3),
        of_tree(0, 0, 255, 255),
        of_tree(1, 0, 255, 0),
        of_tree(0, 0, 256, 256),
        of_tree(0, 1, 256, 0),
        of_tree(1, 0, 256, 1),
        of_tree(0, 1, 257, 1),
        of_tree(0, 272, 70_000, 256),
        of_tree(0, 273, 70_000, 112),
        of_tree(0, 274, 70_000, 0),
        of_tree(1, 0, 70_000, 256),
        of_tree(1, 1, 70_000, 17),
        of_tree(2, 0, 70_000, 1),
        of_tree(3, 0, 70_000, 0),
        of_tree(6, 0, 1 << 48, 1),
        of_tree(6, 0, (1 << 48) - 1, 0),
        of_tree(5, 0, 1 << 48, 256),
        of_tree(5, 0, (1 << 48) - 1, 255),
        of_tree(7, 0, 1 << 48, 0),
        of_tree(63, 0, 1 << 48, 0),
        of_tree(0, (1 << 40) - 1, 1 << 48, 256),
        of_tree(0, 0, (1 << 48) + 1, 0),
        of_tree(0, u64::MAX, 1 << 48, 0),
    ];
    [paths(), widths.to_vec(), bundles()].concat()
}
