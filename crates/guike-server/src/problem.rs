//! What a client gets instead of an answer: problem details (RFC 9457) with a code that stays the same.
//!
//! The one idea: [`Code`] is the one table of everything that can be wrong, with status and title; a [`Problem`] adds the
//! sentence that names thing, value, rule and way out. Values of rows are never repeated: they may be personal.

use crate::views::ProblemView;
use crate::who::Who;

/// Where the codes are explained.
const PAGE: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/serve.md");

/// What is wrong, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    MalformedJson,
    MalformedRows,
    MalformedQuery,
    ForeignHost,
    NoSuchPath,
    MethodNotAllowed,
    TooSlow,
    BodyTooLarge,
    TooManyRows,
    NotJson,
    NotRows,
    UnknownColumn,
    MissingColumn,
    DuplicateColumn,
    WrongType,
    NoReasons,
    NoModel,
    NoModelFile,
    DamagedFile,
    NoResults,
    NoWorkspace,
    NoCustomer,
    NoAudience,
    TakenName,
    WrongAudience,
    NotSaved,
    NoHistory,
    StillReading,
    NoKey,
    UnknownKey,
    ExpiredKey,
    UnknownToken,
    ForeignScope,
    NeedsPurpose,
    NotRecorded,
    NoEvents,
    NoIdempotencyKey,
    ReusedKey,
    NotStored,
    NoSession,
    ForeignRole,
    NoJob,
    JobOver,
    TooManyJobs,
    NoUser,
    NoKeyName,
    NotChanged,
    NotWritten,
    ForeignPage,
    WrongTensor,
    TooManyRequests,
    Busy,
    Stopping,
    Internal,
}

impl Code {
    /// Every code.
    #[cfg(test)]
    pub(crate) const ALL: &[Code] = &[
        Code::MalformedJson,
        Code::MalformedRows,
        Code::MalformedQuery,
        Code::ForeignHost,
        Code::NoSuchPath,
        Code::MethodNotAllowed,
        Code::TooSlow,
        Code::BodyTooLarge,
        Code::TooManyRows,
        Code::NotJson,
        Code::NotRows,
        Code::UnknownColumn,
        Code::MissingColumn,
        Code::DuplicateColumn,
        Code::WrongType,
        Code::NoReasons,
        Code::NoModel,
        Code::NoModelFile,
        Code::DamagedFile,
        Code::NoResults,
        Code::NoWorkspace,
        Code::NoCustomer,
        Code::NoAudience,
        Code::TakenName,
        Code::WrongAudience,
        Code::NotSaved,
        Code::NoHistory,
        Code::StillReading,
        Code::NoKey,
        Code::UnknownKey,
        Code::ExpiredKey,
        Code::UnknownToken,
        Code::ForeignScope,
        Code::NeedsPurpose,
        Code::NotRecorded,
        Code::NoEvents,
        Code::NoIdempotencyKey,
        Code::ReusedKey,
        Code::NotStored,
        Code::NoSession,
        Code::ForeignRole,
        Code::NoJob,
        Code::JobOver,
        Code::TooManyJobs,
        Code::NoUser,
        Code::NoKeyName,
        Code::NotChanged,
        Code::NotWritten,
        Code::ForeignPage,
        Code::WrongTensor,
        Code::TooManyRequests,
        Code::Busy,
        Code::Stopping,
        Code::Internal,
    ];

    /// Status, stable name and title.
    pub(crate) fn words(self) -> (u16, &'static str, &'static str) {
        match self {
            Code::MalformedJson => (400, "malformed-json", "The body is not the JSON that is expected"),
            Code::MalformedRows => (400, "malformed-rows", "The body is not the rows that are expected"),
            Code::MalformedQuery => (400, "malformed-query", "The part of the address after ? is not understood"),
            Code::NoKey => (401, "no-key", "The request says not who asks"),
            Code::UnknownKey => (401, "unknown-key", "There is no such key"),
            Code::ExpiredKey => (401, "expired-key", "The key is out of force"),
            Code::UnknownToken => (401, "unknown-token", "The token is not believed"),
            Code::ForeignScope => (403, "foreign-scope", "The key does not open this"),
            Code::NeedsPurpose => (403, "needs-purpose", "Who customers are is told for a purpose only"),
            Code::NoEvents => (404, "no-events", "No events are taken"),
            Code::NoIdempotencyKey => (400, "no-idempotency-key", "The request has no key of its own"),
            Code::ReusedKey => (422, "reused-key", "Something else came under this key before"),
            Code::NotStored => (503, "not-stored", "The log of events cannot be written"),
            Code::NotRecorded => (503, "not-recorded", "The audit log cannot be written"),
            Code::NoSession => (401, "no-session", "There is no such session"),
            Code::ForeignRole => (403, "foreign-role", "The role does not allow this"),
            Code::NoJob => (404, "no-job", "There is no such job"),
            Code::JobOver => (422, "job-over", "The job is over"),
            Code::TooManyJobs => (429, "too-many-jobs", "Too many jobs wait"),
            Code::NoUser => (404, "no-user", "There is no such user"),
            Code::NoKeyName => (404, "no-such-key", "No key has this name"),
            Code::NotChanged => (422, "not-changed", "The change is against a rule"),
            Code::NotWritten => (503, "not-written", "A file of the server cannot be written"),
            Code::ForeignPage => (403, "foreign-page", "The request was not made by a page of this server"),
            Code::ForeignHost => (403, "foreign-host", "The request was made for another host"),
            Code::NoSuchPath => (404, "no-such-path", "There is nothing at this path"),
            Code::NoModel => (404, "no-model", "There is no such model"),
            Code::NoModelFile => (404, "no-model-file", "The model is not one file"),
            Code::DamagedFile => (500, "damaged-file", "A file is not what it was"),
            Code::NoResults => (404, "no-results", "No results of a run are served"),
            Code::NoWorkspace => (404, "no-workspace", "No workspace is served"),
            Code::NoAudience => (404, "no-audience", "There is no such audience"),
            Code::TakenName => (409, "taken-name", "Something else has this name"),
            Code::WrongAudience => (422, "wrong-audience", "The audience cannot be kept like this"),
            Code::NotSaved => (503, "not-saved", "The workspace cannot be written"),
            Code::NoCustomer => (404, "no-customer", "There is no such customer"),
            Code::NoHistory => (404, "no-history", "The run kept no log"),
            Code::StillReading => (503, "still-reading", "The log of the run is being read"),
            Code::MethodNotAllowed => (405, "method-not-allowed", "The path has no such method"),
            Code::TooSlow => (408, "too-slow", "The request did not arrive in time"),
            Code::BodyTooLarge => (413, "body-too-large", "The body is too large"),
            Code::TooManyRows => (413, "too-many-rows", "There are too many rows"),
            Code::NotJson => (415, "not-json", "The body has another content type"),
            Code::NotRows => (415, "not-rows", "The body has another content type"),
            Code::UnknownColumn => (422, "unknown-column", "The model has no such column"),
            Code::MissingColumn => (422, "missing-column", "A column of the model is missing"),
            Code::DuplicateColumn => (422, "duplicate-column", "A column is there twice"),
            Code::WrongType => (422, "wrong-type", "A value is not of its column's kind"),
            Code::WrongTensor => (422, "wrong-tensor", "A tensor is not as the model needs it"),
            Code::TooManyRequests => (429, "too-many-requests", "There are too many requests"),
            Code::NoReasons => (422, "no-reasons", "The model cannot tell its reasons"),
            Code::Internal => (500, "internal", "Guike made a mistake"),
            Code::Busy => (503, "busy", "The server has too much to do"),
            Code::Stopping => (503, "stopping", "The server is about to end"),
        }
    }
}

/// One problem.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) code: Code,
    detail: String,
    /// Number of the row in the body, from 1.
    row: Option<usize>,
    /// The column of the model that it is about.
    column: Option<String>,
    /// After how many seconds it is worth trying again.
    pub(crate) retry_after: Option<u32>,
    /// What did not hold, in a word for the server's log alone.
    pub(crate) fault: Option<&'static str>,
    /// Who is refused, where that is known.
    pub(crate) by: Option<Box<Who>>,
}

impl From<&guike::Error> for Problem {
    /// A mistake of ours or the machine's: its words may name files, so that they go to nobody outside.
    fn from(_: &guike::Error) -> Problem {
        Problem::new(Code::Internal, "this is a mistake in Guike, please report it; other requests are not affected")
    }
}

impl Problem {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Problem {
        Problem { code, detail: detail.into(), row: None, column: None, retry_after: None, fault: None, by: None }
    }

    /// About a column.
    pub(crate) fn about(mut self, column: &str) -> Problem {
        self.column = Some(column.to_owned());
        self
    }

    /// About a row (counted from 1) and perhaps a column.
    pub(crate) fn at(mut self, row: usize, column: Option<&str>) -> Problem {
        self.row = Some(row);
        self.column = column.map(str::to_owned);
        self
    }

    pub(crate) fn retry_after(mut self, seconds: u32) -> Problem {
        self.retry_after = Some(seconds);
        self
    }

    /// With a word that stands in the log and is told to nobody.
    pub(crate) fn because(mut self, fault: &'static str) -> Problem {
        self.fault = Some(fault);
        self
    }

    /// Says who is refused, for the audit log.
    pub(crate) fn by(mut self, who: &Who) -> Problem {
        self.by = Some(Box::new(who.clone()));
        self
    }

    /// The sentence that says what to do.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    pub(crate) fn status(&self) -> u16 {
        self.code.words().0
    }

    /// As `application/problem+json`; the Open Inference Protocol wants the detail as `error`, too.
    pub(crate) fn body(&self, request_id: &str, is_inference: bool) -> Vec<u8> {
        let (status, code, title) = self.code.words();
        let view = ProblemView {
            r#type: format!("{PAGE}#{code}"),
            title: title.to_owned(),
            status,
            detail: self.detail.clone(),
            code: code.to_owned(),
            row: self.row,
            column: self.column.clone(),
            request_id: request_id.to_owned(),
            error: is_inference.then(|| self.detail.clone()),
        };
        serde_json::to_vec(&view).expect("texts and numbers are JSON")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_explained_on_the_page() {
        let page = include_str!("../../../docs/serve.md");
        for code in Code::ALL {
            let (status, name, _) = code.words();
            assert!(page.contains(&format!("### {name}\n")), "docs/serve.md has no heading `{name}`");
            assert!((400..600).contains(&status));
        }
    }

    #[test]
    fn a_problem_has_the_members_of_the_rfc() {
        let problem = Problem::new(Code::WrongType, "column `age` needs a number").at(2, Some("age"));
        let json: serde_json::Value = serde_json::from_slice(&problem.body("abc", false)).expect("JSON");
        for (member, value) in [("status", "422"), ("code", "\"wrong-type\""), ("row", "2"), ("column", "\"age\"")] {
            assert_eq!(json[member].to_string(), value);
        }
        assert!(json["type"].as_str().is_some_and(|t| t.ends_with("docs/serve.md#wrong-type")), "{json}");
    }
}
