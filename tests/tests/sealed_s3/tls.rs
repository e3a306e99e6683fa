//! A server with TLS, and an authority that is not the public's.

use std::path::Path;

use attest_tests::certificates::{authority, certificate};
use attest_tests::s3;
use attest_tests::world::must_fail;

use super::common::{Stage, Store};
use super::fill;

#[test]
fn a_store_is_believed_by_its_name_and_its_authority() {
    let mut stage = Stage::new(Store::File);
    stage.to = format!("s3://{}/files", s3::BUCKET);
    let (ca, other) = (authority(&stage.world, "ca"), authority(&stage.world, "other"));
    let server = s3::Server::with_tls(certificate(&stage.world));
    let reach = |stage: &mut Stage, host: &str, authorities: &Path| {
        let url = format!("https://{}", server.address().replace("127.0.0.1", host));
        let known = server.environment().into_iter().filter(|(name, _)| !name.ends_with("HTTP"));
        stage.world.environment(known);
        let authorities = authorities.to_str().unwrap().to_owned();
        stage.world.environment([("AWS_ENDPOINT_URL", url), ("SSL_CERT_FILE", authorities)]);
    };
    reach(&mut stage, "localhost", &ca);
    fill(&stage);
    assert_eq!(stage.seal(&["--before", "256"]), (0, 256));
    stage.verified();

    let rows = stage.rows();
    for (host, authorities) in [("localhost", &other), ("127.0.0.1", &ca)] {
        reach(&mut stage, host, authorities);
        let to = stage.to.clone();
        for words in [&["log", "seal", "guard.db", "--to", &to][..], &["log", "show", "guard.db", "200"]] {
            let refused = must_fail(stage.world.attest(words));
            assert!(refused.contains("SSL_CERT_FILE") && refused.contains("certificate"), "{refused}");
        }
        assert_eq!(stage.rows(), rows);
    }
    reach(&mut stage, "localhost", &ca);
    assert_eq!(stage.seal(&["--before", "512"]), (256, 512));
    stage.verified();
}
