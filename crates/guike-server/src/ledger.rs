//! The audit log of the server: what is recorded, for what purpose, and who a customer is called by whom.
//!
//! The one idea: an answer that tells of customers, takes them out or changes something goes out only when its record is on
//! disk; where that fails, a problem goes out instead. And where a log is kept, who a customer is is told only to who may
//! know it and says what for; all others see a pseudonym, the same as in the log.

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::request::Parts;
use guike::Error;
use guike::audit::{Audit, AuditFiles};
use guike::workspace::Decision;
use guike_guard::{Action, Pseudonyms, Record, Resource};

use crate::log::moment;
use crate::problem::{Code, Problem};
use crate::query::list;
use crate::who::{Needs, Who};

/// What for a customer's identity may be asked. A list, and no words of one's own: they would come to stand in the log, with
/// whatever they tell of a customer.
pub(crate) const PURPOSES: [&str; 7] =
    ["service", "marketing", "retention", "credit", "fraud", "data-subject", "quality"];

/// The audit log.
#[derive(Debug)]
pub(crate) struct Ledger {
    audit: Audit,
    /// Where it is.
    pub(crate) files: AuditFiles,
}

/// What is recorded about a request.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    /// What was done: `read`, `log-in`, `disable mei` …
    pub(crate) action: &'a str,
    /// To what: `customers`, `sessions` …
    pub(crate) resource: &'static str,
    pub(crate) who: &'a Who,
    /// The part of the path that names a customer.
    pub(crate) id: Option<&'a str>,
    /// How many customers the answer tells of.
    pub(crate) customers: Option<usize>,
    pub(crate) sight: &'a Sight,
    /// A status, or the code of a problem.
    pub(crate) result: String,
    pub(crate) request: &'a str,
}

impl Ledger {
    /// Opens the log, or begins one.
    ///
    /// # Errors
    /// [`Error`] when it was tampered with, or cannot be written.
    pub(crate) fn open(files: &AuditFiles) -> Result<Ledger, Error> {
        let mut random = [0; 32];
        getrandom::fill(&mut random)
            .map_err(|e| Error::Internal(format!("the system gives no random numbers ({e})")))?;
        Ok(Ledger { audit: Audit::open(files, &random)?, files: files.clone() })
    }

    /// Whether a record is made of what needs this.
    pub(crate) fn is_kept(needs: Option<Needs>) -> Option<Needs> {
        needs.filter(|(resource, action)| *resource == Resource::Customers || *action != Action::Read)
    }

    /// Whether it is recorded before it is done, too: who changes what others may do leaves a trace, whatever the disk does.
    pub(crate) fn is_announced(needs: Option<Needs>) -> Option<Needs> {
        needs.filter(|n| n.1 == Action::Change && matches!(n.0, Resource::Users | Resource::Keys))
    }

    /// Records, and waits until that is on disk.
    ///
    /// # Errors
    /// [`Problem`] when it could not be recorded: what was to be told is not told then.
    pub(crate) async fn record(&self, entry: Entry<'_>) -> Result<(), Problem> {
        let names = self.audit.pseudonyms();
        let about = entry.id.map(|id| if Pseudonyms::parse(id).is_some() { id.to_owned() } else { names.of(id) });
        let (kind, who) = entry.who.kind();
        let record = Record {
            time: moment(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()),
            who: who.map(str::to_owned),
            kind,
            role: entry.who.role().map(|role| role.name()),
            action: entry.action.to_owned(),
            resource: entry.resource,
            version: None,
            about,
            customers: entry.customers,
            purpose: entry.sight.purpose,
            result: entry.result,
            request: entry.request.to_owned(),
        };
        let (tell, told) = tokio::sync::oneshot::channel();
        // who asked may have gone away meanwhile; the record stands all the same
        self.audit.add(
            record,
            Box::new(move |is_written| {
                let _: Result<(), bool> = tell.send(is_written);
            }),
        );
        if told.await.unwrap_or(false) {
            return Ok(());
        }
        let detail = "the audit log cannot be written, and what is not recorded is not told; is the disk full?";
        Err(Problem::new(Code::NotRecorded, detail).retry_after(5))
    }

    /// Records what was decided about a model, by whatever program; `n` is its number in the workspace. Waits until that is
    /// on disk, and says whether it is.
    pub(crate) fn decided(&self, decision: &Decision, n: usize) -> bool {
        let record = Record {
            time: moment(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()),
            who: Some(decision.by.clone()),
            kind: "local",
            action: decision.action.name().to_owned(),
            resource: Resource::Models.name(),
            version: Some(format!("{} {}", decision.name, decision.version)),
            result: if decision.forced { "forced" } else { "made" }.to_owned(),
            request: format!("decision-{n}"),
            ..Record::default()
        };
        let (tell, told) = std::sync::mpsc::channel();
        self.audit.add(
            record,
            Box::new(move |is_written| {
                let _: Result<(), _> = tell.send(is_written);
            }),
        );
        told.recv().unwrap_or(false)
    }

    /// How who asks sees customers.
    ///
    /// # Errors
    /// [`Problem`] for a purpose that is none.
    pub(crate) fn sight(&self, parts: &Parts, who: &Who) -> Result<Sight, Problem> {
        let purpose = purpose(parts)?;
        let is_masked = purpose.is_none() || !who.may(Resource::Customers, Action::Reveal);
        Ok(Sight { names: Some(self.audit.pseudonyms().clone()), is_masked, purpose })
    }
}

/// What a request says that it is for.
///
/// # Errors
/// [`Problem`] for a purpose that is none.
fn purpose(parts: &Parts) -> Result<Option<&'static str>, Problem> {
    let in_head = parts.headers.get("x-purpose").map(|v| v.to_str().unwrap_or_default());
    let in_query = parts.uri.query().unwrap_or_default().split('&').find_map(|p| p.strip_prefix("purpose="));
    // a form sends what nobody chose as an empty text
    let Some(said) = in_head.or(in_query).filter(|said| !said.is_empty()) else { return Ok(None) };
    let known = PURPOSES.into_iter().find(|p| *p == said).ok_or_else(|| {
        let detail = format!("a purpose (header `x-purpose` or parameter `purpose`) is one of {}", list(&PURPOSES));
        Problem::new(Code::MalformedQuery, detail)
    })?;
    Ok(Some(known))
}

/// How who asks sees customers: by their ids, or by pseudonyms.
#[derive(Debug, Clone)]
pub(crate) struct Sight {
    /// The pseudonyms, where there are any.
    names: Option<Pseudonyms>,
    is_masked: bool,
    /// What for.
    purpose: Option<&'static str>,
}

impl Sight {
    /// By their ids: no log is kept.
    pub(crate) const OPEN: Sight = Sight { names: None, is_masked: false, purpose: None };

    /// The same for a request, whose purpose is for nobody but must be one.
    ///
    /// # Errors
    /// [`Problem`] for a purpose that is none.
    pub(crate) fn open(parts: &Parts) -> Result<Sight, Problem> {
        purpose(parts).map(|_| Sight::OPEN)
    }

    /// Whether customers are seen by pseudonyms.
    pub(crate) fn is_masked(&self) -> bool {
        self.is_masked
    }

    /// The pseudonyms, where there are any.
    pub(crate) fn names(&self) -> Option<&Pseudonyms> {
        self.names.as_ref()
    }

    /// What a customer is called.
    pub(crate) fn shown<'a>(&self, id: &'a str) -> Cow<'a, str> {
        match &self.names {
            Some(names) if self.is_masked => Cow::Owned(names.of(id)),
            _ => Cow::Borrowed(id),
        }
    }

    /// What tells apart answers to who sees ids and who sees pseudonyms.
    pub(crate) fn tag(&self, version: &str) -> String {
        format!("{version}{}", if self.is_masked { "-masked" } else { "" })
    }

    /// # Errors
    /// [`Problem`] for who sees pseudonyms, about something that would tell ids.
    pub(crate) fn needs_ids(&self, what: &str) -> Result<(), Problem> {
        if !self.is_masked {
            return Ok(());
        }
        let detail = format!(
            "{what} tells who customers are; ask as somebody who may `reveal customers`, and say what for in the header \
             `x-purpose` or the parameter `purpose`: {}",
            list(&PURPOSES)
        );
        Err(Problem::new(Code::NeedsPurpose, detail))
    }

    /// Whether ids are told though a log is kept: that is what is recorded then.
    pub(crate) fn is_revealed(&self) -> bool {
        self.names.is_some() && !self.is_masked
    }
}
