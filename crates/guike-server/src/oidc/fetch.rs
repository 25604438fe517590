//! One question to the identity provider and its answer, over a way that can be trusted.
//!
//! The one idea: an address becomes a [`Place`] once, when it is read, and only a place can be asked: HTTPS with a verified
//! certificate, or plain HTTP to this machine where the provider itself is there. Whatever a provider answers, it costs so
//! many seconds and so many bytes at most, and no answer sends the question elsewhere.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::uri::{Scheme, Uri};
use axum::http::{Request, StatusCode, header};
use guike::Error;
use http_body_util::{BodyExt as _, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::trouble::Trouble;
use crate::access::is_this_machine;

/// From looking up the name to the last byte.
const WITHIN: Duration = Duration::from_secs(5);
/// Bytes of an answer: the description of a large provider has 10 KiB, its keys hardly more.
const LARGEST: usize = 256 * 1024;
/// Bytes of an answer's head.
const HEAD: usize = 32 * 1024;

/// An address that may be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The whole of it.
    pub(super) text: String,
    is_encrypted: bool,
    host: String,
    port: u16,
    /// Host and port as they stand in the address.
    authority: String,
    target: String,
}

impl Place {
    /// Reads an address; over plain HTTP only where that is allowed, and only to this machine.
    pub(super) fn parse(text: &str, may_be_plain: bool) -> Option<Place> {
        // a part behind `#` goes to nobody, and signs that are none of an address make others read another one
        if text.contains(['#', '\\']) || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return None;
        }
        let uri: Uri = text.parse().ok()?;
        let authority = uri.authority().filter(|a| !a.as_str().contains('@') && !a.host().is_empty())?;
        let is_encrypted = uri.scheme() == Some(&Scheme::HTTPS);
        let is_plain = uri.scheme() == Some(&Scheme::HTTP) && may_be_plain && is_this_machine(authority.as_str());
        if !is_encrypted && !is_plain {
            return None;
        }
        // hosts of version 6 of the protocol stand in brackets
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = match &authority.as_str()[authority.host().len()..] {
            "" => {
                if is_encrypted {
                    443
                } else {
                    80
                }
            }
            given => given.strip_prefix(':')?.parse().ok()?,
        };
        let target = uri.path_and_query().map_or("/", |p| p.as_str()).to_owned();
        Some(Place { text: text.to_owned(), is_encrypted, host, port, authority: authority.to_string(), target })
    }

    /// Whether a browser that sends this `host` is here.
    pub(super) fn is_host(&self, host: &str) -> bool {
        host.eq_ignore_ascii_case(&self.authority)
    }

    /// Whether it is asked over plain HTTP.
    pub(super) fn is_plain(&self) -> bool {
        !self.is_encrypted
    }
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub(super) enum Question<'a> {
    /// For what is there.
    Get,
    /// With the fields of a form, and who asks.
    Form { fields: &'a str, authorization: Option<&'a str> },
}

/// Who asks.
pub(super) struct Fetcher {
    tls: Arc<ClientConfig>,
}

impl std::fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fetcher(..)")
    }
}

impl Fetcher {
    /// Believes the authorities of this file and no others, or those that browsers believe.
    ///
    /// # Errors
    /// [`Error`] for a file without a certificate.
    pub(super) fn new(authorities: Option<&Path>) -> Result<Fetcher, Error> {
        let mut roots = RootCertStore::empty();
        match authorities {
            None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Some(file) => {
                let refused = |reason: &str| Error::ConfigFile { path: file.to_owned(), reason: reason.to_owned() };
                let pem =
                    std::fs::read(file).map_err(|e| refused(&format!("it cannot be read ({e}); check the path")))?;
                for certificate in CertificateDer::pem_slice_iter(&pem) {
                    let damaged = "a certificate in it is cut short or damaged; write the file anew";
                    let certificate = certificate.map_err(|_| refused(damaged))?;
                    roots.add(certificate).map_err(|_| refused(damaged))?;
                }
                if roots.is_empty() {
                    return Err(refused(
                        "there is no certificate in it; it must be PEM (`-----BEGIN CERTIFICATE-----`), of the authority \
                         that signed the provider's",
                    ));
                }
            }
        }
        let internal = |_| Error::Internal("TLS 1.2 and 1.3 are not there".to_owned());
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(internal)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Fetcher { tls: Arc::new(tls) })
    }

    /// Asks, and reads the answer as JSON; a refusal in JSON comes back with its status, too.
    pub(super) async fn json(&self, place: &Place, question: Question<'_>) -> Result<(StatusCode, Value), Trouble> {
        let answer = tokio::time::timeout(WITHIN, self.answer(place, question)).await;
        let (status, bytes) = answer.map_err(|_| Trouble::Slow)??;
        if status.is_redirection() {
            return Err(Trouble::Elsewhere);
        }
        let is_refusal = matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED);
        if status != StatusCode::OK && !is_refusal {
            return Err(Trouble::Status(status.as_u16()));
        }
        match serde_json::from_slice(&bytes) {
            Ok(json) => Ok((status, json)),
            Err(_) if is_refusal => Err(Trouble::Status(status.as_u16())),
            Err(_) => Err(Trouble::NotJson),
        }
    }

    async fn answer(&self, place: &Place, question: Question<'_>) -> Result<(StatusCode, Vec<u8>), Trouble> {
        let stream = TcpStream::connect((place.host.as_str(), place.port)).await.map_err(|_| Trouble::Unreachable)?;
        if !place.is_encrypted {
            return talk(stream, place, question).await;
        }
        let name = ServerName::try_from(place.host.clone()).map_err(|_| Trouble::Address)?;
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        let stream = connector.connect(name, stream).await.map_err(|_| Trouble::Certificate)?;
        talk(stream, place, question).await
    }
}

/// The connection's own work, which ends with the question.
struct Working(JoinHandle<()>);

impl Drop for Working {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    place: &Place,
    question: Question<'_>,
) -> Result<(StatusCode, Vec<u8>), Trouble> {
    let broken = |_| Trouble::Broken;
    let (mut sender, connection) =
        http1::Builder::new().max_buf_size(HEAD).handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let _working = Working(tokio::spawn(async move {
        // what went wrong is told to who asks
        let _: Result<(), hyper::Error> = connection.await;
    }));
    let mut request = Request::builder()
        .uri(&place.target)
        .header(header::HOST, &place.authority)
        .header(header::ACCEPT, "application/json")
        .header(header::USER_AGENT, concat!("guike/", env!("CARGO_PKG_VERSION")));
    let body = match question {
        Question::Get => Body::empty(),
        Question::Form { fields, authorization } => {
            request = request.method("POST").header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
            if let Some(value) = authorization {
                request = request.header(header::AUTHORIZATION, value);
            }
            Body::from(fields.to_owned())
        }
    };
    let request = request.body(body).map_err(|_| Trouble::Address)?;
    let response = sender.send_request(request).await.map_err(broken)?;
    let status = response.status();
    let body = Limited::new(response.into_body(), LARGEST).collect().await;
    match body {
        Ok(body) => Ok((status, body.to_bytes().to_vec())),
        Err(e) if e.is::<http_body_util::LengthLimitError>() => Err(Trouble::TooLarge),
        Err(_) => Err(Trouble::Broken),
    }
}

/// Host and port of an origin, as a browser sends them in `host`; `None` for what is no origin.
pub(super) fn origin(text: &str) -> Option<Place> {
    let place = Place::parse(text, true)?;
    let is_bare = text
        .strip_prefix("http")
        .is_some_and(|t| t.trim_start_matches("s").strip_prefix("://") == Some(&place.authority));
    let is_lower = !text.bytes().any(|b| b.is_ascii_uppercase());
    (is_bare && is_lower).then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_can_be_trusted_are_places() {
        for (text, host, port, target) in [
            ("https://id.example", "id.example", 443, "/"),
            ("https://id.example:8443/a/b?c=d", "id.example", 8443, "/a/b?c=d"),
            ("https://[2001:db8::1]/a", "2001:db8::1", 443, "/a"),
        ] {
            let place = Place::parse(text, false).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((place.host.as_str(), place.port, place.target.as_str()), (host, port, target));
        }
        for near in ["http://127.0.0.1:8080/a", "http://localhost/a", "http://[::1]:1/"] {
            assert!(
                Place::parse(near, true).is_some_and(|p| p.is_plain()) && Place::parse(near, false).is_none(),
                "{near}"
            );
        }
        for bad in [
            "http://id.example/a",
            "http://127.0.0.1.evil.example/",
            "https://mei@id.example/",
            "https://id.example/#a",
            "https://id.example\\@evil.example/",
            "https:///a",
            "https://id.example:99999/",
            "https://id.example:/",
            "ftp://id.example",
            "file:///etc/passwd",
            "/a",
            "id.example",
            "https://id.example/a b",
            "",
        ] {
            assert!(Place::parse(bad, true).is_none(), "{bad}");
        }
    }

    #[test]
    fn an_origin_is_scheme_and_host_and_nothing_else() {
        for good in
            ["https://guike.example", "https://guike.example:8443", "http://localhost:5000", "http://127.0.0.1:5000"]
        {
            assert!(origin(good).is_some(), "{good}");
        }
        for bad in [
            "https://guike.example/",
            "https://guike.example/a",
            "https://guike.example?a",
            "http://guike.example",
            "https://Guike.example",
        ] {
            assert!(origin(bad).is_none(), "{bad}");
        }
    }
}
