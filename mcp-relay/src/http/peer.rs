//! Which key a server showed: rustls checks its certificate as ever, and the key in it is kept.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{DigitallySignedStruct, Error, SignatureScheme};

/// The key that a server showed last, in SubjectPublicKeyInfo form (DER); nothing before the first TLS connection to it. Clones are the
/// same.
#[derive(Clone, Debug, Default)]
pub struct PeerKey(Arc<Mutex<Option<Arc<[u8]>>>>);

impl PeerKey {
    /// The key.
    pub fn get(&self) -> Option<Arc<[u8]>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, key: &[u8]) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(key.into());
    }
}

/// Believes what `inner` believes, and keeps the key of what it believed.
#[derive(Debug)]
pub(super) struct Keeping {
    pub(super) inner: Arc<dyn ServerCertVerifier>,
    pub(super) key: PeerKey,
}

impl ServerCertVerifier for Keeping {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.inner.verify_server_cert(certificate, intermediates, name, ocsp, now)?;
        self.key.set(&ParsedCertificate::try_from(certificate)?.subject_public_key_info());
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
