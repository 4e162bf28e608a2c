//! TLS for the operators' listener: a certificate chain and its key from PEM files, rustls with the ring provider.
//!
//! Boot traffic stays plain: the iPXE that distributions ship shares no cipher with any modern server. Certificates are read once, at
//! the start; a new one wants a restart.

use std::{path::Path, sync::Arc};

use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio_rustls::TlsAcceptor;

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsFault {
    /// The chain cannot be read.
    #[error("{path} does not hold certificates in PEM: {source}")]
    Chain {
        /// The file.
        path: String,
        /// What is wrong.
        source: rustls_pki_types::pem::Error,
    },
    /// The file holds no certificate.
    #[error("{path} holds no certificate; it must be the server's own, followed by its issuers")]
    Empty {
        /// The file.
        path: String,
    },
    /// The key cannot be read.
    #[error("{path} does not hold a private key in PEM: {source}")]
    Key {
        /// The file.
        path: String,
        /// What is wrong.
        source: rustls_pki_types::pem::Error,
    },
    /// They do not belong together, or are of a kind that nobody speaks.
    #[error("certificate {chain} and key {key} cannot be used: {source}")]
    Pair {
        /// The chain's file.
        chain: String,
        /// The key's file.
        key: String,
        /// What is wrong.
        source: rustls::Error,
    },
}

/// Reads chain and key; TLS 1.2 and 1.3, HTTP/1.1.
pub fn acceptor(chain: &Path, key: &Path) -> Result<TlsAcceptor, TlsFault> {
    let name = |path: &Path| path.display().to_string();
    let chain_fault = |source| TlsFault::Chain { path: name(chain), source };
    let certificates: Vec<CertificateDer<'static>> =
        CertificateDer::pem_file_iter(chain).map_err(chain_fault)?.collect::<Result<_, _>>().map_err(chain_fault)?;
    if certificates.is_empty() {
        return Err(TlsFault::Empty { path: name(chain) });
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|source| TlsFault::Key { path: name(key), source })?;
    let pair = |source| TlsFault::Pair { chain: name(chain), key: name(key), source };
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(pair)?
        .with_no_client_auth()
        .with_single_cert(certificates, private)
        .map_err(pair)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
