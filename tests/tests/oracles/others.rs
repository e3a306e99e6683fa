//! The other checkers of proofs, each behind the same two questions.

use attest_core::merkle::{self, Hash};
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use sha2::{Digest, Sha256};
use sigstore_crypto::provider::{CryptoProvider, HashContext, install_default_provider};
use sigstore_crypto::{Error, SigningScheme};
use sigstore_types::{HashAlgorithm, Sha256Hash};
use tlog_tiles::tlog;

/// Whoever checks proofs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checker {
    /// attest-core.
    Ours,
    /// `tlog_tiles`.
    Tlog,
    /// `ct-merkle`.
    Ct,
    /// `sigstore-merkle`.
    Sigstore,
}

/// All of them.
pub const ALL: [Checker; 4] = [Checker::Ours, Checker::Tlog, Checker::Ct, Checker::Sigstore];

/// An inclusion proof.
#[derive(Clone, Debug)]
pub struct Inclusion {
    /// The entry itself.
    pub entry: Vec<u8>,
    /// Its index.
    pub index: u64,
    /// The tree's size.
    pub size: u64,
    /// The hashes.
    pub path: Vec<Hash>,
    /// The tree's root.
    pub root: Hash,
}

/// A consistency proof.
#[derive(Clone, Debug)]
pub struct Consistency {
    /// Size of the old tree.
    pub old: u64,
    /// Its root.
    pub old_root: Hash,
    /// Size of the new tree.
    pub size: u64,
    /// The hashes.
    pub path: Vec<Hash>,
    /// The new root.
    pub root: Hash,
}

fn tlog_hashes(path: &[Hash]) -> Vec<tlog::Hash> {
    path.iter().map(|hash| tlog::Hash(*hash)).collect()
}

fn sigstore_hashes(path: &[Hash]) -> Vec<Sha256Hash> {
    path.iter().map(|hash| Sha256Hash::new(*hash)).collect()
}

impl Checker {
    /// Whether it accepts.
    pub fn includes(self, p: &Inclusion) -> bool {
        match self {
            Self::Ours => merkle::check_inclusion(&merkle::leaf(&p.entry), p.index, p.size, &p.path, &p.root).is_ok(),
            Self::Tlog => {
                let leaf = tlog::record_hash(&p.entry);
                tlog::check_record(&tlog_hashes(&p.path), p.size, tlog::Hash(p.root), p.index, leaf).is_ok()
            }
            Self::Ct => {
                let proof = InclusionProof::<Sha256>::try_from_bytes(p.path.concat()).unwrap();
                RootHash::<Sha256>::new(p.root.into(), p.size).verify_inclusion(&p.entry, p.index, &proof).is_ok()
            }
            Self::Sigstore => {
                install();
                let leaf = sigstore_merkle::hash_leaf(&p.entry);
                let root = Sha256Hash::new(p.root);
                sigstore_merkle::verify_inclusion_proof(&leaf, p.index, p.size, &sigstore_hashes(&p.path), &root)
                    .is_ok()
            }
        }
    }

    /// Whether it accepts.
    pub fn continues(self, p: &Consistency) -> bool {
        match self {
            Self::Ours => merkle::check_consistency(p.old, &p.old_root, p.size, &p.root, &p.path).is_ok(),
            Self::Tlog => {
                let (root, old_root) = (tlog::Hash(p.root), tlog::Hash(p.old_root));
                tlog::check_tree(&tlog_hashes(&p.path), p.size, root, p.old, old_root).is_ok()
            }
            Self::Ct => {
                let proof = ConsistencyProof::<Sha256>::try_from_bytes(p.path.concat()).unwrap();
                let old = RootHash::<Sha256>::new(p.old_root.into(), p.old);
                RootHash::<Sha256>::new(p.root.into(), p.size).verify_consistency(&old, &proof).is_ok()
            }
            Self::Sigstore => {
                install();
                let (old_root, root) = (Sha256Hash::new(p.old_root), Sha256Hash::new(p.root));
                let path = sigstore_hashes(&p.path);
                sigstore_merkle::verify_consistency_proof(p.old, p.size, &path, &old_root, &root).is_ok()
            }
        }
    }
}

/// `sigstore-merkle` hashes with whatever it is given: here with `sha2`, and nothing but SHA-256.
fn install() {
    // Another test was first, with the same one.
    let _ = install_default_provider(&HASHES);
}

#[derive(Debug)]
struct Hashes;
static HASHES: Hashes = Hashes;

struct Context(Sha256);

impl HashContext for Context {
    fn update(&mut self, data: &[u8]) {
        Digest::update(&mut self.0, data);
    }

    fn finalize(self: Box<Self>) -> Vec<u8> {
        Digest::finalize(self.0).to_vec()
    }
}

impl CryptoProvider for Hashes {
    fn hash(&self, algorithm: HashAlgorithm) -> Result<Box<dyn HashContext>, Error> {
        assert_eq!(algorithm, HashAlgorithm::Sha2256);
        Ok(Box::new(Context(Sha256::new())))
    }

    fn verify_raw(&self, _: SigningScheme, _: &[u8], _: &[u8], _: &[u8]) -> Result<(), Error> {
        unreachable!("trees have no signatures")
    }

    fn verify_prehashed(&self, _: SigningScheme, _: &[u8], _: &[u8], _: &[u8]) -> Result<(), Error> {
        unreachable!("trees have no signatures")
    }
}
