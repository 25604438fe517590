//! `POST /v1/models/{name}/batch`: a file of rows to the same rows with predictions, while both are on their way.
//!
//! The one idea: a piece of the body is read only when what was made of the piece before it was taken, so that a file of any
//! length needs the memory of a few pieces, and nothing of it ever lies on a disk. Nothing goes out before the first pieces
//! are good; what is wrong later can no longer change the status, so that it is the last line, and the transfer breaks off.
//! A Parquet file says at its end what is in it: all of it is taken into a file without a name first, and then read in pieces.
//!
//! Batches have places of their own and take one thread each: those who ask about one customer do not wait behind them.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::header;
use guike::table::batch::{Batch, BatchError, BatchTrouble, Keep, ParquetBatch, RowFormat, Scratch};
use http_body_util::BodyExt;
use hyper::body::Frame;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::Instant;

use crate::app::{Answer, App, Call, internal};
use crate::ledger::Entry;
use crate::problem::{Code, Problem};
use crate::query::Query;
use crate::served::ServedModel;

/// What rows may be, and what is answered then.
pub(crate) const KINDS: [(&str, Option<RowFormat>); 3] = [
    ("text/csv", Some(RowFormat::Csv)),
    ("application/x-ndjson", Some(RowFormat::JsonLines)),
    // no text
    ("application/vnd.apache.parquet", None),
];

/// Bytes of the answer that are waited for before anything goes out: until then a problem is a problem.
const FIRST: usize = 64 << 10;
/// Pieces that wait to be taken.
const WAITING: usize = 2;
/// How long a client may not take anything.
const TAKEN_WITHIN: Duration = Duration::from_secs(60);
/// How long what was already sent is taken in after a problem, so that the client sees the problem and no broken connection.
const DRAINED: Duration = Duration::from_secs(2);
/// How long the last line has to get out before the transfer breaks off.
const LAST_LINE: Duration = Duration::from_millis(200);

/// What is asked with a body that is still arriving.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Result<Answer, Problem>> + Send>>;

/// Answers; `request` is the id in the log.
pub(crate) fn answer(app: Arc<App>, call: Call, body: Body, request: String) -> Answering {
    Box::pin(async move {
        let (mut work, kind) = Work::begin(app, call, body, request)?;
        if let Err(problem) = work.arrive().await {
            work.count(Ended::Refused);
            tokio::spawn(drained(work.body));
            return Err(problem);
        }
        let mut out = Vec::new();
        loop {
            match work.next(&mut out).await {
                Err(problem) => {
                    work.count(Ended::Refused);
                    tokio::spawn(drained(work.body));
                    return Err(problem);
                }
                Ok(true) => {
                    work.count(Ended::Whole);
                    let rows = usize::try_from(work.rows()).unwrap_or(usize::MAX);
                    return Ok(Answer::text(kind, out).with_model(&work.model).about(rows));
                }
                Ok(false) if out.len() >= FIRST => break,
                Ok(false) => {}
            }
        }
        let (send, pieces) = mpsc::channel(WAITING);
        let model = Arc::clone(&work.model);
        tokio::spawn(work.ends(out, send));
        Ok(Answer::streamed(kind, Body::new(Pieces(pieces))).with_model(&model))
    })
}

/// How a batch ended.
#[derive(Debug, Clone, Copy)]
enum Ended {
    Whole,
    Refused,
    Cut,
}

/// The rows of a batch.
enum Rows {
    Text(Batch),
    Parquet(Box<ParquetBatch>),
}

impl Rows {
    fn rows(&self) -> u64 {
        match self {
            Rows::Text(batch) => batch.rows(),
            Rows::Parquet(batch) => batch.rows(),
        }
    }
}

/// A batch that is being answered.
struct Work {
    app: Arc<App>,
    model: Arc<ServedModel>,
    call: Call,
    request: String,
    /// Given back while a piece is worked on.
    batch: Option<Rows>,
    /// The format of text; `None` for Parquet.
    format: Option<RowFormat>,
    /// Which columns are kept, until a Parquet file is there.
    keep: Keep,
    body: Body,
    bytes_left: u64,
    until: Instant,
    _place: OwnedSemaphorePermit,
}

impl Work {
    fn begin(app: Arc<App>, call: Call, body: Body, request: String) -> Result<(Work, &'static str), Problem> {
        let query = Query::parse(&call.query, &["keep", "purpose"])?;
        let keep = Keep::parse(query.get("keep").unwrap_or("all"));
        let said = call.parts.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let said = said.split(';').next().unwrap_or_default().trim();
        let Some((kind, format)) = KINDS.into_iter().find(|k| k.0.eq_ignore_ascii_case(said)) else {
            let detail = "the body must be CSV, JSON Lines or Parquet and say so; add the header `content-type: text/csv`, \
                          `application/x-ndjson` or `application/vnd.apache.parquet`";
            return Err(Problem::new(Code::NotRows, detail));
        };
        let model = app.shared_model(call.param("name"))?;
        let limits = app.limits.batch;
        if body.size_hint().lower() > limits.body_bytes {
            return Err(too_large(limits.body_bytes));
        }
        let place = Arc::clone(&app.batches).try_acquire_owned().map_err(|_| {
            let detail = format!(
                "{} batches are being answered, as many as --max-batches allows; try again later",
                limits.at_a_time
            );
            Problem::new(Code::Busy, detail).retry_after(10)
        })?;
        let batch = format.map(|format| Rows::Text(Batch::new(&model.scorer, format, keep.clone(), limits.rows)));
        let until = Instant::now() + Duration::from_secs(limits.seconds.into());
        let bytes_left = limits.body_bytes;
        Ok((Work { app, model, call, request, batch, format, keep, body, bytes_left, until, _place: place }, kind))
    }

    fn rows(&self) -> u64 {
        self.batch.as_ref().map_or(0, Rows::rows)
    }

    /// Takes a Parquet file in; of text, nothing yet.
    async fn arrive(&mut self) -> Result<(), Problem> {
        if self.format.is_some() {
            return Ok(());
        }
        let mut scratch = Scratch::new().map_err(|_| no_scratch())?;
        while let Some(bytes) = self.frame().await? {
            // a disk may be slow, and others are answered by this thread, too
            tokio::task::block_in_place(|| scratch.push(&bytes)).map_err(|_| no_scratch())?;
        }
        let (model, keep, most) = (Arc::clone(&self.model), self.keep.clone(), self.app.limits.batch.rows);
        let open = move || ParquetBatch::open(&model.scorer, scratch, &keep, most).map_err(|e| problem(&e));
        // what is damaged in a way that nobody thought of ends this batch alone
        let opened = tokio::task::spawn_blocking(open).await.map_err(|_| damaged())?;
        self.batch = Some(Rows::Parquet(Box::new(opened?)));
        Ok(())
    }

    /// The next piece of the body; `None` after the last.
    async fn frame(&mut self) -> Result<Option<Bytes>, Problem> {
        let seconds = self.app.limits.seconds;
        let within = Instant::now() + Duration::from_secs(seconds.into());
        let slow = |detail: String| Problem::new(Code::TooSlow, detail);
        let frame = tokio::time::timeout_at(within.min(self.until), self.body.frame()).await.map_err(|_| {
            if within < self.until {
                slow(format!("nothing of the body arrived for {seconds} seconds; send it faster or in parts"))
            } else {
                too_long(self.app.limits.batch.seconds)
            }
        })?;
        let bytes = match frame {
            None => None,
            // trailers say nothing that is needed
            Some(Ok(frame)) => Some(frame.into_data().unwrap_or_default()),
            Some(Err(_)) => return Err(slow("the body ended before it was complete".to_owned())),
        };
        let n = bytes.as_ref().map_or(0, |b| b.len() as u64);
        self.bytes_left = self.bytes_left.checked_sub(n).ok_or_else(|| too_large(self.app.limits.batch.body_bytes))?;
        Ok(bytes)
    }

    /// Appends what comes of the next piece; `true` after the last.
    async fn next(&mut self, out: &mut Vec<u8>) -> Result<bool, Problem> {
        let bytes = match self.format {
            Some(_) => self.frame().await?,
            None if Instant::now() > self.until => return Err(too_long(self.app.limits.batch.seconds)),
            None => None,
        };
        let mut batch = self.batch.take().ok_or_else(internal)?;
        let (before, is_parquet) = (batch.rows(), self.format.is_none());
        let (model, mut made) = (Arc::clone(&self.model), std::mem::take(out));
        let worked = tokio::task::spawn_blocking(move || {
            let said = match (&mut batch, bytes) {
                (Rows::Text(batch), Some(bytes)) => batch.push(&model.scorer, &bytes, &mut made).map(|()| false),
                (Rows::Text(batch), None) => batch.finish(&model.scorer, &mut made).map(|()| true),
                (Rows::Parquet(batch), _) => batch.next(&model.scorer, &mut made),
            };
            (batch, made, said)
        });
        let (batch, made, said) = worked.await.map_err(|_| if is_parquet { damaged() } else { internal() })?;
        *out = made;
        self.model.predicted.fetch_add(batch.rows() - before, Ordering::Relaxed);
        self.batch = Some(batch);
        said.map_err(|e| problem(&e))
    }

    /// Everything after the first pieces.
    async fn ends(mut self, mut out: Vec<u8>, send: mpsc::Sender<Option<Bytes>>) {
        let taken = async |out: &mut Vec<u8>| {
            let piece = Bytes::from(std::mem::take(out));
            piece.is_empty() || matches!(tokio::time::timeout(TAKEN_WITHIN, send.send(Some(piece))).await, Ok(Ok(())))
        };
        let ended = loop {
            // a client that went away, or takes nothing, gets nothing more
            if !taken(&mut out).await {
                break Err(None);
            }
            match self.next(&mut out).await {
                Ok(false) => {}
                Ok(true) => break Ok(()),
                Err(problem) => break Err(Some(problem)),
            }
        };
        let (rows, result) = match &ended {
            Ok(()) => (self.rows(), "whole"),
            Err(why) => (self.rows(), why.as_ref().map_or("not-taken", |p| p.code.words().1)),
        };
        let recorded = record(&self.app, &self.call, &self.request, rows, result).await;
        // the end goes out when its record is on disk, or not at all
        let broken = match (ended, recorded) {
            (Ok(()), Ok(())) => None,
            (Err(why), _) => Some(why),
            (Ok(()), Err(problem)) => {
                out.clear();
                Some(Some(problem))
            }
        };
        let Some(why) = broken else {
            taken(&mut out).await;
            self.count(Ended::Whole);
            return;
        };
        self.count(Ended::Cut);
        if let Some(problem) = why {
            out.extend_from_slice(&self.last_line(&problem));
            taken(&mut out).await;
        }
        tokio::join!(drained(self.body), tokio::time::sleep(LAST_LINE));
        let _gone: Result<(), _> = send.send(None).await;
    }

    /// The problem as a line that no reader takes for a row: an object of another shape, or one cell alone.
    fn last_line(&self, problem: &Problem) -> Vec<u8> {
        let body = String::from_utf8_lossy(&problem.body(&self.request, false)).into_owned();
        match self.format {
            Some(RowFormat::JsonLines) => format!("{{\"problem\":{body}}}\n").into_bytes(),
            Some(RowFormat::Csv) => format!("\"{}\"\n", body.replace('"', "\"\"")).into_bytes(),
            // without its end no reader takes it for a table
            None => Vec::new(),
        }
    }

    fn count(&self, ended: Ended) {
        let words = match ended {
            Ended::Whole => "whole",
            Ended::Refused => "refused",
            Ended::Cut => "cut",
        };
        self.app.metrics.batches[ended as usize].fetch_add(1, Ordering::Relaxed);
        self.app.logger.note("batch", &format!("{}: {} rows, {words}", self.request, self.rows()));
    }
}

/// Says in the audit log how a batch ended; that it began stands there already.
async fn record(app: &App, call: &Call, request: &str, rows: u64, result: &str) -> Result<(), Problem> {
    let entry = Entry {
        action: "export",
        resource: "predictions",
        who: &call.who,
        id: None,
        customers: usize::try_from(rows).ok(),
        sight: &call.sight,
        result: result.to_owned(),
        request,
    };
    app.record(entry).await
}

/// Takes in what is still sent, for a little while.
pub(crate) async fn drained(mut body: Body) {
    let all = async { while let Some(Ok(_)) = body.frame().await {} };
    let _slow: Result<(), _> = tokio::time::timeout(DRAINED, all).await;
}

fn too_long(most: u32) -> Problem {
    let detail = format!("the batch took more than {most} seconds; send it in parts, or raise --batch-seconds");
    Problem::new(Code::TooSlow, detail)
}

fn no_scratch() -> Problem {
    let detail = "the server has no room for the file while it works on it; is the disk of TMPDIR full?";
    Problem::new(Code::NotWritten, detail).retry_after(30)
}

fn damaged() -> Problem {
    Problem::new(Code::MalformedRows, "the Parquet file is damaged; write it again")
}

fn too_large(most: u64) -> Problem {
    let detail = format!(
        "the body has more than {most} bytes; send it in parts, or start the server with a higher --max-batch-body"
    );
    Problem::new(Code::BodyTooLarge, detail)
}

fn problem(e: &BatchError) -> Problem {
    let code = match e.trouble {
        BatchTrouble::Malformed => Code::MalformedRows,
        BatchTrouble::MissingColumn | BatchTrouble::NotKept => Code::MissingColumn,
        BatchTrouble::DuplicateColumn => Code::DuplicateColumn,
        BatchTrouble::WrongType => Code::WrongType,
        BatchTrouble::TooManyRows => Code::TooManyRows,
    };
    // a name that who asks made up is not repeated: it may be a value
    let (detail, column) = match e.trouble {
        BatchTrouble::NotKept => {
            ("a column to keep is not there; say `all`, `none`, or columns that are there".to_owned(), None)
        }
        _ => (e.detail.clone(), e.column.as_ref()),
    };
    let problem = Problem::new(code, detail);
    match (e.row.and_then(|r| usize::try_from(r).ok()), column) {
        (Some(row), column) => problem.at(row, column.map(String::as_str)),
        (None, Some(column)) => problem.about(column),
        (None, None) => problem,
    }
}

/// What goes out: pieces, and a break where there comes a `None`.
struct Pieces(mpsc::Receiver<Option<Bytes>>);

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        self.0.poll_recv(context).map(|piece| match piece {
            Some(Some(bytes)) => Some(Ok(Frame::data(bytes))),
            Some(None) => Some(Err(std::io::Error::other("the batch ended early"))),
            None => None,
        })
    }
}
