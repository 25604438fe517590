//! `POST /v1/events`: what happened since the last run, safe on disk before it is answered.
//!
//! The one idea: who asks twice under one key is answered twice and heard once. Waiting for the disk keeps no thread busy, so
//! that those who come meanwhile share the next flush.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use guike::events::{EventError, EventTrouble, Refused, Taken, parse};
use guike_core::Timestamp;

use crate::app::{Answer, App, Call, internal};
use crate::batch::Answering;
use crate::problem::{Code, Problem};
use crate::query::Query;
use crate::views::EventsTaken;

/// The header under whose value the same is taken once.
pub(crate) const KEY: &str = "idempotency-key";
/// Bytes of a key.
const LONGEST_KEY: usize = 200;

/// Answers when the events are on disk.
pub(crate) fn answer(app: Arc<App>, call: Call) -> Answering {
    Box::pin(async move {
        Query::parse(&call.query, &["purpose"])?;
        call.needs_json()?;
        let detail = "this server takes no events; start it with --events FILE";
        let log = app.live.clone().ok_or_else(|| Problem::new(Code::NoEvents, detail))?;
        let key = key(&call)?;
        let (kind, name) = call.who.kind();
        let who = format!("{kind} {}", name.unwrap_or_default());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(i64::MAX / 2, |d| d.as_secs() as i64);
        let most = app.limits.rows;
        let body = call.body.clone();
        // a body of megabytes is read beside those who ask about one customer
        let parsed = tokio::task::spawn_blocking(move || parse(&body, most, Timestamp(now))).await;
        let events = parsed.map_err(|_| internal())?.map_err(|e| problem(&e))?;
        let n = events.len();
        let (tell, told) = tokio::sync::oneshot::channel();
        log.add(&who, &key, events, tell);
        let taken = told.await.map_err(|_| internal())?.map_err(refused)?;
        let view = EventsTaken { events: n, repeated: taken == Taken::Before };
        Ok(Answer::of(&view).about(n))
    })
}

/// What the client calls this request, by which it is known again.
fn key(call: &Call) -> Result<String, Problem> {
    let said = call.parts.headers.get(KEY).and_then(|v| v.to_str().ok()).unwrap_or_default().trim();
    if (1..=LONGEST_KEY).contains(&said.len()) {
        return Ok(said.to_owned());
    }
    let detail = format!(
        "add the header `{KEY}` with 1 to {LONGEST_KEY} letters of ASCII that no other request of yours has, a random number for \
         instance; the same request again under the same key is taken once"
    );
    Err(Problem::new(Code::NoIdempotencyKey, detail))
}

fn refused(why: Refused) -> Problem {
    match why {
        Refused::OtherBefore => {
            let detail = "other events came under this `idempotency-key` before; take a new one for what is new";
            Problem::new(Code::ReusedKey, detail)
        }
        Refused::NotWritten => {
            let detail = "the log of events cannot be written, and none of these was taken; is the disk full? Send the same \
                          again under the same key";
            Problem::new(Code::NotStored, detail).retry_after(5)
        }
    }
}

fn problem(e: &EventError) -> Problem {
    let code = match e.trouble {
        EventTrouble::Malformed => Code::MalformedJson,
        EventTrouble::UnknownMember => Code::UnknownColumn,
        EventTrouble::MissingMember => Code::MissingColumn,
        EventTrouble::WrongValue => Code::WrongType,
        EventTrouble::TooMany => Code::TooManyRows,
    };
    let problem = Problem::new(code, e.detail.clone());
    match e.row {
        Some(row) => problem.at(row, e.member),
        None => problem,
    }
}
