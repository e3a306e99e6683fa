//! Bundles of ours, accepted by the real tool.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use attest_tests::world::{World, must, must_fail};

use super::publisher::{Publisher, said};

/// An agent whose weights are the publisher's model, or a part of it.
fn agent(publisher: &Publisher, model: &str, except: &str) -> World {
    let weights = publisher.path(model);
    let world = World::with(&["echo"], &["--weights", weights.to_str().unwrap()]);
    if !except.is_empty() {
        world.edit("agent.toml", "[measure]\n", &format!("[measure]\nweights_except = {except}\n"));
    }
    world
}

fn sign(publisher: &Publisher, world: &World, out: &str) -> std::process::Command {
    let mut measure = world.attest(&["measure", "--oms-out"]);
    measure.arg(publisher.path(out)).arg("--oms-key").arg(publisher.path("key.pem"));
    measure
}

#[test]
fn the_tool_accepts_a_bundle_of_ours_over_a_folder_and_refuses_it_over_another() {
    let publisher = Publisher::new();
    let world = agent(&publisher, "m", "");
    must(sign(&publisher, &world, "m.sig"));
    let verified = publisher.verified_by_tool("m", "m.sig", &[]);
    assert!(verified.status.success(), "{}", said(&verified));
    assert_eq!(publisher.read("m.sig").unwrap().check(&publisher.manifest(&[])), Ok(()));
    assert_eq!(fs::metadata(publisher.path("m.sig")).unwrap().permissions().mode() & 0o111, 0);
    publisher.write("m/a.bin", "weightz");
    let refused = publisher.verified_by_tool("m", "m.sig", &[]);
    assert!(!refused.status.success() && said(&refused).contains("a.bin"), "{}", said(&refused));
    // Never replaced, and nothing half-written is left beside it.
    assert!(must_fail(sign(&publisher, &world, "m.sig")).contains("not overwritten"));
    let left = fs::read_dir(publisher.path("")).unwrap().count();
    assert_eq!(left, 4, "the model, two halves of a key, and the bundle");
}

#[test]
fn the_tool_accepts_a_bundle_of_ours_over_one_file() {
    let publisher = Publisher::new();
    let world = agent(&publisher, "m/a.bin", "");
    must(sign(&publisher, &world, "a.sig"));
    let verified = publisher.verified_by_tool("m/a.bin", "a.sig", &[]);
    assert!(verified.status.success(), "{}", said(&verified));
    assert!(!publisher.verified_by_tool("m/sub.x", "a.sig", &[]).status.success());
}

#[test]
fn what_is_left_out_here_is_ignored_by_the_tool() {
    let publisher = Publisher::new();
    publisher.write("m/.git/HEAD", "ref");
    publisher.write("m/notes/x", "x");
    let world = agent(&publisher, "m", "");
    let refused = must_fail(sign(&publisher, &world, "m.sig"));
    assert!(refused.contains(".git/HEAD") && refused.contains("weights_except"), "{refused}");
    assert!(must_fail(sign(&publisher, &world, "m/model.sig")).contains("measured files"));
    assert!(!publisher.path("m/model.sig").exists() && !publisher.path("m.sig").exists());
    let world = agent(&publisher, "m", "[\".git\", \"notes\", \"model.sig\"]");
    must(sign(&publisher, &world, "m/model.sig"));
    let verified = publisher.verified_by_tool("m", "m/model.sig", &[]);
    assert!(verified.status.success(), "{}", said(&verified));
    let endorsement = publisher.read("m/model.sig").unwrap();
    assert_eq!(endorsement.check(&publisher.manifest(&[".git", "notes", "model.sig"])), Ok(()));
}

#[test]
fn a_link_is_signed_for_as_the_tool_does_and_a_linked_folder_is_refused() {
    let publisher = Publisher::new();
    symlink("a.bin", publisher.path("m/link")).unwrap();
    must(sign(&publisher, &agent(&publisher, "m", ""), "m.sig"));
    let verified = publisher.verified_by_tool("m", "m.sig", &["--allow_symlinks"]);
    assert!(verified.status.success(), "{}", said(&verified));
    symlink("sub", publisher.path("m/folder")).unwrap();
    let refused = must_fail(sign(&publisher, &agent(&publisher, "m", ""), "n.sig"));
    assert!(refused.contains("folder/b.txt") && !publisher.path("n.sig").exists(), "{refused}");
}

#[test]
fn a_key_that_cannot_sign_is_refused_before_anything_is_written() {
    let publisher = Publisher::new();
    let world = agent(&publisher, "m", "");
    let with = |key: &str| {
        let mut measure = world.attest(&["measure", "--oms-out"]);
        measure.arg(publisher.path("m.sig")).arg("--oms-key").arg(publisher.path(key));
        must_fail(measure)
    };
    publisher.key("wide", "secp384r1");
    assert!(with("wide.pem").contains("P-256"));
    assert!(with("key.pub").contains("open to other users"));
    fs::set_permissions(publisher.path("key.pem"), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(with("key.pem").contains("chmod 600"));
    assert!(with("gone.pem").contains("no key at"));
    assert!(!publisher.path("m.sig").exists());
}
