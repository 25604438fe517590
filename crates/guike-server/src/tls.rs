//! HTTPS: a certificate and its key from files, which are read again when they change.
//!
//! The one idea: a pair of files becomes a configuration that works, or an error that says what is wrong with which of them.
//! A renewed certificate therefore takes the place of the old one between two connections, and a broken one never does.
//!
//! It speaks TLS 1.2 and 1.3 with what `rustls` holds for safe, and neither knows clients by certificates nor fetches any.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use guike::Error;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::client::verify_server_cert_signed_by_trust_anchor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{CertificateError, Error as TlsError, InconsistentKeys, RootCertStore, ServerConfig};

use crate::log::moment;
use crate::watched::{Found, Renewed, Watched};

/// The end of a certificate is told from this long before it on: half of the time that authorities leave for renewals.
const TOLD_BEFORE: Duration = Duration::from_secs(14 * 86_400);
/// Looks between two times that it is told; a look is made every second.
const LOOKS_A_DAY: u64 = 86_400;

/// Where the certificate and its key are, both as PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate, and behind it those that lead to an authority.
    pub cert: PathBuf,
    /// The key of the server's certificate, without a passphrase.
    pub key: PathBuf,
}

/// What is needed to speak TLS.
#[derive(Debug)]
pub(crate) struct Tls {
    files: TlsFiles,
    now: RwLock<Pair>,
    watched: Mutex<Watched>,
}

/// A certificate with its key, ready to be used.
#[derive(Debug)]
struct Pair {
    config: Arc<ServerConfig>,
    leaf: CertificateDer<'static>,
}

impl Tls {
    /// Reads both files.
    ///
    /// # Errors
    /// [`Error::NotThere`] for a missing file; [`Error::ConfigFile`] for one that cannot be used.
    pub(crate) fn open(files: TlsFiles) -> Result<Tls, Error> {
        let watched = Mutex::new(Watched::new(vec![files.cert.clone(), files.key.clone()]));
        let now = RwLock::new(Pair::read(&files)?);
        Ok(Tls { files, now, watched })
    }

    /// What makes the next connection a secret one.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner).config))
    }

    fn ending(&self) -> Option<(&'static str, String)> {
        let now = self.now.read().unwrap_or_else(PoisonError::into_inner);
        now.ending(since_1970()).map(|words| ("certificate-ends", format!("`{}`: {words}", self.files.cert.display())))
    }
}

impl Renewed for Tls {
    fn look(&self, looks: u64) -> Found {
        let are_others = self.watched.lock().unwrap_or_else(PoisonError::into_inner).are_others();
        let mut found = Found::new();
        if are_others {
            match Pair::read(&self.files) {
                Ok(pair) => {
                    *self.now.write().unwrap_or_else(PoisonError::into_inner) = pair;
                    found.push(("certificate-read", "new connections get the new certificate".to_owned()));
                }
                Err(e) => {
                    found.push(("certificate-not-read", format!("{e}; the certificate from before stays in force")));
                }
            }
        }
        if are_others || looks.is_multiple_of(LOOKS_A_DAY) {
            found.extend(self.ending());
        }
        found
    }
}

impl Pair {
    fn read(files: &TlsFiles) -> Result<Pair, Error> {
        let refused =
            |path: &Path, reason: &str| Error::ConfigFile { path: path.to_owned(), reason: reason.to_owned() };
        let chain = bytes(&files.cert, "--tls-cert")?;
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&chain)
            .collect::<Result<_, _>>()
            .map_err(|_| refused(&files.cert, "a certificate in it is cut short or damaged; write the file anew"))?;
        let Some(leaf) = chain.first().cloned() else {
            return Err(refused(
                &files.cert,
                "there is no certificate in it; it must be PEM (`-----BEGIN CERTIFICATE-----`), the server's own first",
            ));
        };
        let key = bytes(&files.key, "--tls-key")?;
        if is_open_to_all(&files.key) {
            let reason = "everybody on this machine may read the key; take that right away: `chmod o-rwx` and the file";
            return Err(refused(&files.key, reason));
        }
        let is_encrypted =
            |line: &[u8]| line.starts_with(b"-----BEGIN ENCRYPTED") || line.starts_with(b"Proc-Type: 4,");
        if key.split(|b| *b == b'\n').any(is_encrypted) {
            return Err(refused(
                &files.key,
                "the key is encrypted, and a server has nobody to ask for its passphrase; write it without one: \
                 `openssl pkey -in KEY -out NEW`",
            ));
        }
        // in words of our own, since those of the parser may repeat what stands in the file
        let key = PrivateKeyDer::from_pem_slice(&key).map_err(|_| {
            refused(&files.key, "there is no private key in it; it must be PEM (`-----BEGIN PRIVATE KEY-----`)")
        })?;
        let provider = Arc::new(ring::default_provider());
        let built = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map(|builder| builder.with_no_client_auth())
            .and_then(|builder| builder.with_single_cert(chain, key));
        let mut config = built.map_err(|e| match e {
            TlsError::InconsistentKeys(InconsistentKeys::KeyMismatch) => refused(
                &files.key,
                &format!(
                    "it is not the key of the first certificate in `{}`; name the pair, the server's own certificate first",
                    files.cert.display()
                ),
            ),
            TlsError::InvalidCertificate(e) => refused(&files.cert, &format!("its first certificate is none ({e})")),
            e => refused(&files.key, &format!("this key cannot be used ({e}); make one of RSA, ECDSA or Ed25519")),
        })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Pair { config: Arc::new(config), leaf })
    }

    /// What is to be told about its dates at this moment.
    fn ending(&self, now: Duration) -> Option<String> {
        let day = |at: UnixTime| moment(Duration::from_secs(at.as_secs())).chars().take(10).collect::<String>();
        match (dates_fault(&self.leaf, now)?, dates_fault(&self.leaf, now + TOLD_BEFORE)) {
            (Fault::Ended(end), _) => {
                Some(format!("the certificate ended on {}, and clients refuse it; renew it", day(end)))
            }
            (Fault::NotBegun, _) => Some("the certificate is not in force yet, and clients refuse it".to_owned()),
            (Fault::None, Some(Fault::Ended(end))) => Some(format!("the certificate ends on {}; renew it", day(end))),
            (Fault::None, _) => None,
        }
    }
}

/// What is wrong with a certificate's dates.
enum Fault {
    None,
    Ended(UnixTime),
    NotBegun,
}

/// Whether a certificate is in force; `None` where its dates cannot be read.
///
/// The library tells dates only while it verifies: against no authority at all, everything else ends in another error.
fn dates_fault(leaf: &CertificateDer<'_>, at: Duration) -> Option<Fault> {
    let parsed = ParsedCertificate::try_from(leaf).ok()?;
    let nobody = RootCertStore::empty();
    let at = UnixTime::since_unix_epoch(at);
    match verify_server_cert_signed_by_trust_anchor(&parsed, &nobody, &[], at, &[]) {
        Err(TlsError::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => {
            Some(Fault::Ended(not_after))
        }
        Err(TlsError::InvalidCertificate(CertificateError::NotValidYetContext { .. })) => Some(Fault::NotBegun),
        _ => Some(Fault::None),
    }
}

/// The bytes of a file that a flag names.
fn bytes(file: &Path, flag: &str) -> Result<Vec<u8>, Error> {
    std::fs::read(file).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => {
            Error::NotThere(format!("{flag} = `{}`: there is no such file; check the path", file.display()))
        }
        _ => Error::ConfigFile { path: file.to_owned(), reason: format!("it cannot be read ({e})") },
    })
}

/// Whether others than owner and group may read or write a file.
#[cfg(unix)]
pub(crate) fn is_open_to_all(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(file).is_ok_and(|m| m.permissions().mode() & 0o006 != 0)
}

/// Whether others may read a file, which is not looked at here.
#[cfg(not(unix))]
pub(crate) fn is_open_to_all(_: &Path) -> bool {
    false
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
