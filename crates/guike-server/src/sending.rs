//! A body that is made while it is sent.
//!
//! The one idea: a piece is made whenever the connection takes one, on a thread that may work; between two pieces it holds
//! none, so that a slow client costs nothing.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use tokio::task::{JoinHandle, spawn_blocking};

/// What makes a body, piece by piece.
pub(crate) trait Pieces: Send + 'static {
    /// The next piece; `None` after the last.
    ///
    /// # Errors
    /// When it cannot be made: the transfer then breaks off.
    fn piece(&mut self) -> io::Result<Option<Vec<u8>>>;
}

/// What is left to send, and its next piece.
type Made<P> = (Box<P>, io::Result<Option<Vec<u8>>>);

/// A body on its way.
pub(crate) struct Sending<P> {
    state: State<P>,
    /// Bytes that are left, where that is known.
    left: Option<u64>,
}

enum State<P> {
    /// Nobody asks for a piece; `None` when there are no more.
    Waiting(Option<Box<P>>),
    /// The next piece is being made.
    Working(JoinHandle<Made<P>>),
}

impl<P: Pieces> Sending<P> {
    /// The body that `pieces` make, of so many bytes where that is known.
    pub(crate) fn of(pieces: P, bytes: Option<u64>) -> Body {
        Body::new(Sending { state: State::Waiting(Some(Box::new(pieces))), left: bytes })
    }
}

impl<P: Pieces> HttpBody for Sending<P> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let State::Waiting(pieces) = &mut self.state {
            let Some(mut pieces) = pieces.take() else { return Poll::Ready(None) };
            let work = move || {
                let piece = pieces.piece();
                (pieces, piece)
            };
            self.state = State::Working(spawn_blocking(work));
        }
        let State::Working(work) = &mut self.state else { return Poll::Ready(None) };
        let made = std::task::ready!(Pin::new(work).poll(context));
        let (pieces, piece) = match made {
            Ok((pieces, Ok(Some(piece)))) => (Some(pieces), Some(Ok(piece))),
            Ok((_, Ok(None))) => (None, None),
            // the head has gone out: that the transfer breaks off is all that can still be said
            Ok((_, Err(e))) => (None, Some(Err(e))),
            Err(_) => (None, Some(Err(io::Error::other("the work on the file was ended")))),
        };
        self.state = State::Waiting(pieces);
        if let (Some(left), Some(Ok(piece))) = (&mut self.left, &piece) {
            *left = left.saturating_sub(piece.len() as u64);
        }
        Poll::Ready(piece.map(|made| made.map(|piece| Frame::data(Bytes::from(piece)))))
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
