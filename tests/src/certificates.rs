//! Authorities and servers' certificates of a test's own, made by `openssl` in a world's folder.
#![allow(clippy::panic, reason = "test code outside a #[test] function")]

use std::path::PathBuf;
use std::process::Command;

use crate::world::{World, output};

fn openssl(world: &World, args: &[&str]) {
    let done = output({
        let mut command = Command::new("openssl");
        command.args(args).current_dir(world.path(""));
        command
    });
    assert!(done.status.success(), "{done:?}");
}

/// An authority of this name, `NAME.pem` and `NAME.key`.
pub fn authority(world: &World, name: &str) -> PathBuf {
    let (key, certificate, subject) = (format!("{name}.key"), format!("{name}.pem"), format!("/CN={name}"));
    let made = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    let of = ["-keyout", &key, "-out", &certificate, "-subj", &subject];
    openssl(world, &[&made[..], &of, &["-addext", "keyUsage=critical,keyCertSign"]].concat());
    world.path(&certificate)
}

/// A certificate for `localhost` and `db.test`, by the authority `ca`, and its key.
pub fn certificate(world: &World) -> [PathBuf; 2] {
    let made = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=db.test"];
    openssl(world, &[&made[..], &["-keyout", "server.key", "-out", "server.csr"]].concat());
    world.write("server.ext", "subjectAltName = DNS:localhost, DNS:db.test\n");
    let signed = ["x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"];
    openssl(world, &[&signed[..], &["-days", "2", "-out", "server.pem", "-extfile", "server.ext"]].concat());
    ["server.pem", "server.key"].map(|name| world.path(name))
}
