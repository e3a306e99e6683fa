//! A server that does not let anybody in, and one that nobody finds.

use attest_tests::s3;
use attest_tests::world::must_fail;

use super::common::Store;
use super::{sealed, stage};

#[test]
fn what_keeps_a_store_from_being_used_is_said_and_nothing_leaves_the_log() {
    let (mut stage, _server) = stage(Store::File);
    assert_eq!(stage.seal(&["--before", "256"]), (0, 256));
    let rows = stage.rows();
    let to = stage.to.clone();
    let said = |stage: &super::Stage, to: &str| {
        let refused = must_fail(stage.world.attest(&["log", "seal", &stage.log, "--to", to]));
        assert_eq!(stage.rows(), rows, "{refused}");
        assert!(!refused.contains("what signs"), "{refused}");
        refused
    };
    let refused = said(&stage, "s3://other/files");
    assert!(refused.contains("/other/files") && refused.contains("no such bucket"), "{refused}");
    for (name, value, words) in [
        ("AWS_SECRET_ACCESS_KEY", "another", "AWS_SECRET_ACCESS_KEY"),
        ("AWS_ACCESS_KEY_ID", "AKIAOTHER", "AWS_ACCESS_KEY_ID"),
        ("AWS_ALLOW_HTTP", "false", "AWS_ALLOW_HTTP"),
    ] {
        stage.world.environment([(name, value.to_owned())]);
        let refused = said(&stage, &to);
        assert!(refused.contains(words), "{refused}");
        let refused = must_fail(stage.world.attest(&["log", "show", &stage.log, "200"]));
        assert!(
            refused.contains("entries 0 to 255 are sealed at s3://logs/files") && refused.contains(words),
            "{refused}"
        );
    }
    for wrong in ["s3://", "s3:///files", "gs://logs/files"] {
        said(&stage, wrong);
    }
}

#[test]
fn a_bucket_that_is_not_there_is_no_place_whose_files_are_gone() {
    let (mut stage, server) = sealed(Store::File);
    let other = s3::Server::open();
    assert!(other.ask("DELETE", "/logs", "").0.contains(" 204 "));
    stage.world.environment(other.environment());
    let forget = ["log", "forget", "guard.db", "--key", "keys/guard-log.key", "--before", "512", "--yes"];
    for words in [&["log", "show", "guard.db", "300"][..], &forget] {
        let refused = must_fail(stage.world.attest(words));
        assert!(refused.contains("no such bucket"), "{refused}");
    }
    // Nobody took the tokens for gone, and the next run lets go of them.
    stage.world.environment(server.environment());
    assert_eq!(server.names("files/token/").len(), 2);
    stage.said(&forget);
    assert_eq!(server.names("files/token/"), [""; 0]);
    stage.verified();
}
