//! Paths and widths of tiles against `tlog_tiles`, and its traps.

use std::panic::catch_unwind;

use attest_core::tile::{self, Resource};
use tlog_tiles::tile::Tile as GoTile;

/// Ours, spelt as Go does.
fn as_go(tile: &tile::Tile) -> String {
    Resource::Tile(*tile).to_string().replacen("tile/", "tile/8/", 1)
}

#[test]
fn both_have_the_same_tiles_for_a_tree() {
    let sizes = (0..1_100).chain([65_535, 65_536, 65_537, 70_000, 300_000]);
    for size in sizes {
        let mut ours: Vec<String> = tile::tiles(size).map(|tile| as_go(&tile)).collect();
        let mut theirs: Vec<String> = GoTile::new_tiles(8, 0, size).iter().map(GoTile::path).collect();
        ours.sort();
        theirs.sort();
        assert_eq!(ours, theirs, "{size}");
        let data: Vec<String> = tile::bundles(size)
            .map(|tile| Resource::Entries(tile).to_string().replacen("tile/entries/", "tile/8/data/", 1))
            .collect();
        let level_0 = GoTile::new_tiles(8, 0, size).into_iter().filter(|tile| tile.level() == 0);
        let theirs: Vec<String> = level_0
            .map(|mut tile| {
                tile.set_is_data();
                tile.path()
            })
            .collect();
        assert_eq!(data, theirs, "{size}");
    }
}

#[test]
fn both_read_the_same_paths() {
    for path in [
        "000",
        "000.p/3",
        "999",
        "x001/000",
        "x001/x234/067.p/255",
        "x000/001",
        "00",
        "x000",
        "001/000",
        "000.p/0",
        "000.p/256",
    ] {
        let ours = Resource::parse(&format!("tile/0/{path}")).is_some();
        let go = format!("tile/8/0/{path}");
        let theirs = catch_unwind(|| GoTile::from_path(&go).is_ok());
        // They panic, or accept what is empty, on a width of 0.
        if path != "000.p/0" {
            assert_eq!(theirs.unwrap(), ours, "{path}");
        }
    }
}

#[test]
fn tlog_tiles_panics_on_paths_that_ours_refuses() {
    for path in ["tile/8/0/x000.p/0", "tile/1/239/5"] {
        assert!(catch_unwind(|| GoTile::from_path(path)).is_err(), "{path}: no trap any more");
        assert_eq!(Resource::parse(path), None, "{path}");
    }
}

#[test]
fn tlog_tiles_writes_gos_form_of_the_paths() {
    let tile = GoTile::new(8, 0, 1_234_067, 256, false);
    assert_eq!(tile.path(), "tile/8/0/x001/x234/067");
    assert_eq!(Resource::parse(&tile.path()), None);
    assert!(Resource::parse("tile/0/x001/x234/067").is_some());
    assert!(GoTile::from_path("tile/0/x001/x234/067").is_err());
}
