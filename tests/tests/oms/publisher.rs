//! A publisher with a model, a key and the real tool.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use attest_measure::oms::{Endorsement, OmsError, PublisherKey};
use attest_measure::{FileSet, Manifest};
use attest_tests::real::env;
use attest_tests::world::{must, output};
use tempfile::TempDir;

/// A folder with the model `m`, and keys beside it.
pub struct Publisher {
    folder: TempDir,
}

impl Publisher {
    /// `m` holds `a.bin`, an empty file and `sub/b.txt`; its keys are `key.pem` and `key.pub`.
    pub fn new() -> Self {
        let own = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir_all(own.path("m/sub")).unwrap();
        for (name, content) in [("m/a.bin", "weights"), ("m/empty", ""), ("m/sub/b.txt", "more"), ("m/sub.x", "beside")]
        {
            own.write(name, content);
        }
        own.key("key", "prime256v1");
        own
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Makes `NAME.pem` and `NAME.pub`.
    pub fn key(&self, name: &str, curve: &str) {
        let (private, public) = (self.path(&format!("{name}.pem")), self.path(&format!("{name}.pub")));
        let openssl = |words: &[&str]| {
            let mut command = Command::new("openssl");
            command.args(words);
            command
        };
        let mut make =
            openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", &format!("ec_paramgen_curve:{curve}"), "-out"]);
        make.arg(&private);
        must(make);
        let mut publish = openssl(&["pkey", "-pubout", "-in"]);
        publish.arg(&private).arg("-out").arg(public);
        must(publish);
    }

    /// The tool, run in the folder.
    pub fn tool(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env("oms/bin/python"));
        command.args(["-m", "model_signing"]).args(words).current_dir(self.folder.path());
        command
    }

    /// Signs `m` into `FILE` with `key.pem`.
    pub fn sign(&self, file: &str, more: &[&str]) {
        let mut sign = self.tool(&["sign", "key", "m", "--private_key", "key.pem", "--signature", file]);
        sign.args(more);
        must(sign);
    }

    /// What the tool makes of the bundle in `FILE` over `model`.
    pub fn verified_by_tool(&self, model: &str, file: &str, more: &[&str]) -> Output {
        let mut verify = self.tool(&["verify", "key", model, "--public_key", "key.pub", "--signature", file]);
        verify.args(more);
        output(verify)
    }

    /// The pinned key.
    pub fn publisher_key(&self) -> PublisherKey {
        PublisherKey::read(&self.path("key.pub")).unwrap().unwrap()
    }

    /// What we make of the bundle in `FILE`.
    pub fn read(&self, file: &str) -> Result<Endorsement, OmsError> {
        Endorsement::verify(&fs::read(self.path(file)).unwrap(), &self.publisher_key())
    }

    /// Our manifest of `m`.
    pub fn manifest(&self, except: &[&str]) -> Manifest {
        let files = FileSet::new([self.path("m")]).except(except.iter().copied());
        files.manifest(&|_| {}).unwrap().value
    }

    /// Signs a statement that the tool would not write, as the tool signs.
    pub fn sign_payload(&self, payload: &[u8]) -> Vec<u8> {
        let key = attest_keys::P256Key::read(&self.path("key.pem")).unwrap();
        let kind = "application/vnd.in-toto+json";
        let pae = [format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).as_bytes(), payload].concat();
        let base64 = |bytes: &[u8]| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes);
        let bundle = serde_json::json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {"publicKey": {"hint": self.publisher_key().hint()}, "tlogEntries": []},
            "dsseEnvelope": {
                "payload": base64(payload),
                "payloadType": kind,
                "signatures": [{"sig": base64(&key.sign(&pae)), "keyid": ""}],
            },
        });
        bundle.to_string().into_bytes()
    }
}

/// Everything that a process said.
pub fn said(output: &Output) -> String {
    [&output.stdout[..], &output.stderr].map(String::from_utf8_lossy).concat()
}
