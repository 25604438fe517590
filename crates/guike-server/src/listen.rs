//! Sockets: connections come in, requests go to the router, and all of it ends well.
//!
//! The one idea: limits that hold before a request is even understood belong to the connection (how many, how long a head may
//! take, how large it may be), so connections are accepted here and not by a ready-made server that hides them.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::extract::State;
use axum::http::{HeaderValue, Response, header};
use axum::routing::{MethodFilter, on};
use guike_core::Progress;
use hyper::server::conn::http1;
use hyper::service::Service as _;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::Semaphore;

use crate::access::is_this_machine;
use crate::app::Door;
use crate::handshakes::Handshakes;
use crate::problem::{Code, Problem};
use crate::routes::{Method, ROUTES};
use crate::tls::Tls;

/// Connections that may wait in the system's queue. Where it overflows, a client tries again only after a second.
const WAITING: u32 = 1024;
/// How often it is asked whether to stop.
const ASKED_EVERY: Duration = Duration::from_millis(50);
/// How long requests that are being answered may take after that.
const LAST_REQUESTS: Duration = Duration::from_secs(10);
/// How long it may take to tell somebody that all places are taken.
const TURNED_AWAY: Duration = Duration::from_secs(2);
/// Bytes of a request's head.
const HEAD: usize = 16 * 1024;
/// After an error that is not a connection's (no file handles left), how long to wait.
const AFTER_TROUBLE: Duration = Duration::from_millis(100);

/// Of the connections, how many may be busy with the handshake of TLS: one in so many.
const HANDSHAKES: usize = 4;
/// For a year browsers ask this host by HTTPS only.
const ONLY_HTTPS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// From where a request came, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    pub(crate) address: IpAddr,
    /// Whether it came by HTTPS to this server itself.
    pub(crate) is_encrypted: bool,
}

/// All routes with their handlers.
pub(crate) fn router(door: Arc<Door>) -> Router {
    let mut router = Router::new();
    for (at, route) in ROUTES.iter().enumerate() {
        let method = match route.method {
            Method::Get => MethodFilter::GET,
            Method::Post => MethodFilter::POST,
            Method::Delete => MethodFilter::DELETE,
        };
        let answer = move |State(door): State<Arc<Door>>, request: Request| door.app().answer(at, request);
        router = router.route(route.path, on(method, answer));
    }
    router
        .method_not_allowed_fallback(|State(door): State<Arc<Door>>, request: Request| {
            let detail = "this path has another method; the header `allow` lists them";
            door.app().refuse(Problem::new(Code::MethodNotAllowed, detail), request)
        })
        .fallback(|State(door): State<Arc<Door>>, request: Request| {
            let detail = "nothing is at this path; docs/serve.md lists what can be asked";
            door.app().refuse(Problem::new(Code::NoSuchPath, detail), request)
        })
        .with_state(door)
}

/// What those are told who come when all places are taken, whatever they ask.
fn full(door: Arc<Door>) -> Router {
    Router::new()
        .fallback(|State(door): State<Arc<Door>>, request: Request| {
            let app = door.app();
            let most = app.limits.connections;
            let detail = format!("{most} connections are open, as many as --max-connections allows; try again later");
            app.refuse(Problem::new(Code::Busy, detail).retry_after(1), request)
        })
        .with_state(door)
}

/// Listens on this address; to be called where a runtime is.
///
/// # Errors
/// When the address cannot be listened on.
pub(crate) fn bound(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // a server that starts again need not wait for the system to forget old connections; elsewhere it means another thing
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(WAITING)
}

/// Accepts connections until `stop` says so, then lets the requests that are being answered end.
pub(crate) async fn listen(
    listener: TcpListener,
    door: Arc<Door>,
    tls: Option<Arc<Tls>>,
    stop: &dyn Progress,
) -> std::io::Result<()> {
    let router = router(Arc::clone(&door));
    let limits = door.app().limits;
    let full = full(Arc::clone(&door));
    let connections = Arc::new(Semaphore::new(limits.connections));
    let turned_away = Arc::new(Semaphore::new((limits.connections / 2).max(1)));
    let within = Duration::from_secs(limits.seconds.into());
    let handshakes = Arc::new(Handshakes::new(limits.connections / HANDSHAKES, within));
    let graceful = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(within)
        .max_buf_size(HEAD)
        // one write for head and body. Not `pipeline_flush`: it holds answers back as long as anything of a request waits to be
        // read, and so would gather the whole answer to a file that is still being sent
        .writev(false);
    let mut asked = tokio::time::interval(ASKED_EVERY);
    let mut stopped = async || {
        while !stop.cancelled() {
            asked.tick().await;
        }
    };
    loop {
        // where half as many as may be served are being turned away, others wait in the system's queue; both together stay
        // below the 1,024 file handles that a process has by default
        let connection = async {
            let away = Arc::clone(&turned_away).acquire_owned().await.expect("nobody closes it");
            (away, listener.accept().await)
        };
        let (away, accepted) = tokio::select! {
            accepted = connection => accepted,
            () = stopped() => break,
        };
        let Ok((stream, peer)) = accepted else {
            tokio::time::sleep(AFTER_TROUBLE).await;
            continue;
        };
        // answers are small and complete: waiting for more of them only costs time
        let _ = stream.set_nodelay(true);
        let peer = Peer { address: peer.ip(), is_encrypted: tls.is_some() };
        let place = Arc::clone(&connections).try_acquire_owned();
        let (mut http, watcher) = (http.clone(), graceful.watcher());
        let (place, router, longest) = match place {
            Ok(place) => (place, router.clone(), None),
            Err(_) => {
                http.keep_alive(false);
                (away, full.clone(), Some(TURNED_AWAY))
            }
        };
        let handshake = tls.as_ref().map(|tls| (tls.acceptor(), handshakes.begin()));
        tokio::spawn(async move {
            let talked = async {
                match handshake {
                    None => talk(stream, peer, &http, router, watcher).await,
                    Some((acceptor, shaking)) => {
                        if let Some(stream) = shaking.done(acceptor.accept(stream)).await {
                            talk(stream, peer, &http, router, watcher).await;
                        }
                    }
                }
            };
            match longest {
                None => talked.await,
                Some(longest) => _ = tokio::time::timeout(longest, talked).await,
            }
            drop(place);
        });
    }
    door.app().stop();
    handshakes.end();
    drop(listener);
    let _: Result<(), _> = tokio::time::timeout(LAST_REQUESTS, graceful.shutdown()).await;
    Ok(())
}

/// Answers what is asked on one connection, until it ends.
async fn talk<S: AsyncRead + AsyncWrite + Unpin + 'static>(
    stream: S,
    peer: Peer,
    http: &http1::Builder,
    router: Router,
    watcher: Watcher,
) {
    let service = TowerToHyperService::new(router);
    let service = hyper::service::service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(peer);
        let host = request.headers().get(header::HOST).and_then(|v| v.to_str().ok());
        // the rule would hold for all ports of `localhost`, which belong to other programs
        let is_for_long = peer.is_encrypted && !host.is_some_and(is_this_machine);
        let answer = service.call(request);
        async move {
            let mut answer: Response<Body> = answer.await?;
            if is_for_long {
                answer.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, ONLY_HTTPS);
            }
            Ok::<_, Infallible>(answer)
        }
    });
    // a client that goes away or talks nonsense is its own affair
    let _: Result<(), _> = watcher.watch(http.serve_connection(TokioIo::new(stream), service)).await;
}

/// The router cannot fail; hyper wants to see that.
const _: fn() = || {
    fn infallible<S: hyper::service::Service<hyper::Request<hyper::body::Incoming>, Error = Infallible>>() {}
    infallible::<TowerToHyperService<Router>>();
};
