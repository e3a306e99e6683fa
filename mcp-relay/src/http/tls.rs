//! TLS with rustls, on both sides.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use super::peer::{Keeping, PeerKey};

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file that is missing, unreadable, or not PEM of the expected kind.
    #[error("{path}: {source}; it must hold {expected} in PEM", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
        /// What is wrong.
        source: pem::Error,
    },
    /// A file without a certificate in it.
    #[error("{path}: holds no certificate", path = path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Certificate and key that do not fit, or that rustls does not take.
    #[error("{path}: {source}", path = path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// No certificate authorities to check servers against.
    #[error("this system has no certificate authorities ({0}); install ca-certificates, or name a file of your own")]
    NoRoots(String),
    /// The provider and rustls disagree.
    #[error(transparent)]
    Provider(#[from] rustls::Error),
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let wrong = |source| TlsError::File { path: path.to_owned(), expected: "certificates", source };
    let certificates: Vec<_> =
        CertificateDer::pem_file_iter(path).map_err(wrong)?.collect::<Result<_, _>>().map_err(wrong)?;
    if certificates.is_empty() {
        return Err(TlsError::Empty { path: path.to_owned() });
    }
    Ok(certificates)
}

/// What a listener shows: a chain, leaf first, and its key.
pub(super) fn server(chain: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|source| TlsError::File {
        path: key.to_owned(),
        expected: "a private key",
        source,
    })?;
    let mut config = ServerConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(certificates(chain)?, secret)
        .map_err(|source| TlsError::Refused { path: chain.to_owned(), source })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config.into())
}

/// Whom a client believes: the authorities in `roots`, or else the system's. The key that it is shown is kept in `key`.
pub(super) fn client(roots: Option<&Path>, key: PeerKey) -> Result<ClientConfig, TlsError> {
    let mut store = RootCertStore::empty();
    match roots {
        Some(path) => {
            for certificate in certificates(path)? {
                store.add(certificate).map_err(|source| TlsError::Refused { path: path.to_owned(), source })?;
            }
        }
        None => {
            let found = rustls_native_certs::load_native_certs();
            let (good, _) = store.add_parsable_certificates(found.certs);
            if good == 0 {
                let why = found.errors.first().map_or_else(|| "none found".to_owned(), ToString::to_string);
                return Err(TlsError::NoRoots(why));
            }
        }
    }
    let provider = Arc::new(ring::default_provider());
    let inner = WebPkiServerVerifier::builder_with_provider(store.into(), provider.clone())
        .build()
        .map_err(|error| TlsError::NoRoots(error.to_string()))?;
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        // The word is rustls's for any verifier of one's own: this one believes what its own does, and nothing else.
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Keeping { inner, key }))
        .with_no_client_auth())
}
