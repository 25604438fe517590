//! Tables that come with jobs: as the body of a request for programs, as a file in the form of the page `/jobs` for people.
//!
//! The one idea: a table lies in a file of its own, readable by its owner only and named by the job's number, never by what
//! somebody called it; it is whole when the job is in the queue, and gone when the job is not.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use axum::body::Body;
use guike::jobs::{Job, JobKind};
use guike_guard::csrf_token;

use super::api::{by, jobs, language, settings, train_name, wrong};
use super::{NewJob, Place, not_written};
use crate::access::session;
use crate::app::{App, Call};
use crate::login::needs_own_page;
use crate::multipart::Multipart;
use crate::problem::{Code, Problem};
use crate::query::Query;
use crate::served::encoded;

/// Where the form goes; it checks the token of the session by itself, because its body is not read before.
pub(crate) const FORM: &str = "/jobs/train";

/// The fields of the form, before its file.
const FIELDS: [&str; 7] = ["name", "target", "positive", "drop", "model", "budget", "promote"];
/// How a database file of SQLite begins: such a file brings questions of its own along, which nobody should ask here.
const SQLITE: &[u8] = b"SQLite format 3\0";
/// Longest name of a table that is told.
const LONGEST_NAME: usize = 80;

/// A table on its way into its place.
pub(super) struct Arriving {
    file: File,
    bytes: u64,
    most: u64,
    /// The beginning, until it tells what the table is.
    begins: Vec<u8>,
}

impl Arriving {
    /// # Errors
    /// [`Problem`] when the workspace cannot be written.
    pub(super) fn at(place: &Place<'_>, most: u64) -> Result<Arriving, Problem> {
        let path = place.table();
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|_| not_written())?;
        }
        let file = private(&path).map_err(|_| not_written())?;
        Ok(Arriving { file, bytes: 0, most, begins: Vec::with_capacity(SQLITE.len()) })
    }

    /// # Errors
    /// [`Problem`] for a table that is too large or a database, and when it cannot be written.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        self.bytes += bytes.len() as u64;
        if self.bytes > self.most {
            let detail = format!(
                "the table has more than {} bytes; train on the machine with `guike train --workspace`, or start the \
                 server with a higher --max-job-body",
                self.most
            );
            return Err(Problem::new(Code::BodyTooLarge, detail));
        }
        let missing = SQLITE.len().saturating_sub(self.begins.len()).min(bytes.len());
        self.begins.extend_from_slice(&bytes[..missing]);
        if self.begins == SQLITE {
            let detail = "the table is a database of SQLite; save its table as CSV, or train on the machine";
            return Err(Problem::new(Code::NotRows, detail));
        }
        tokio::task::block_in_place(|| self.file.write_all(bytes)).map_err(|_| not_written())
    }

    /// All of it is on disk when this comes back.
    ///
    /// # Errors
    /// [`Problem`] when it cannot be written, and for no table at all.
    pub(super) fn whole(self) -> Result<(), Problem> {
        if self.bytes == 0 {
            return Err(Problem::new(Code::MalformedRows, "the table is empty; send a table with a header"));
        }
        tokio::task::block_in_place(|| self.file.sync_all()).map_err(|_| not_written())
    }
}

/// `POST /jobs/train`: the form with its table becomes a job.
///
/// # Errors
/// [`Problem`] for a form that is not of this server, for settings that are none, and for a table that cannot be taken.
pub(crate) async fn train_by_form(app: &App, call: &Call, body: &mut Body) -> Result<Job, Problem> {
    needs_own_page(call)?;
    let jobs = jobs(app)?;
    let within = Duration::from_secs(app.limits.seconds.into());
    let mut form = Multipart::of(&call.parts.headers, body, within)?;
    let (mut token, mut fields) = (None, Vec::new());
    let file = loop {
        let Some(part) = form.next_part().await? else {
            return Err(wrong("the form has no table; choose a file".to_owned()));
        };
        match part.file {
            Some(file) => break file,
            None if part.name == "csrf" => token = Some(form.text().await?),
            None if fields.len() < FIELDS.len() => {
                fields.push(format!("{}={}", encoded(&part.name), encoded(&form.text().await?)));
            }
            None => return Err(wrong("the form is not one of this page; load the page again".to_owned())),
        }
    };
    // before a byte of the table is taken
    if let (Some(_), Some(session)) = (call.who.logged_in(), session(&call.parts.headers))
        && token.as_deref() != Some(csrf_token(session).as_str())
    {
        let detail = "the form lacks the token of the session; load the page again";
        return Err(Problem::new(Code::ForeignPage, detail));
    }
    let query = Query::parse(&fields.join("&"), &FIELDS)?;
    let (settings, name) = (settings(&query)?, train_name(&query)?);
    let promote = query.get("promote") == Some("on");
    if file.is_empty() {
        return Err(wrong("no table was chosen; choose a file".to_owned()));
    }
    let place = jobs.place()?;
    let mut arriving = Arriving::at(&place, jobs.table_bytes())?;
    while let Some(piece) = form.piece().await? {
        arriving.push(&piece)?;
    }
    arriving.whole()?;
    let table = Some(told(&file));
    let language = language(call);
    place.take(NewJob { kind: JobKind::Train, name, by: by(call), settings: Some(settings), promote, table, language })
}

/// What a table is called where it is told: no folders, and only letters that mean nothing to anybody.
pub(super) fn told(file: &str) -> String {
    let name = file.rsplit(['/', '\\']).next().unwrap_or_default();
    let letter = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ') { c } else { '_' };
    let name: String = name.chars().take(LONGEST_NAME).map(letter).collect();
    let name = name.trim().trim_start_matches('.').to_owned();
    if name.is_empty() { "table".to_owned() } else { name }
}

/// A new file that only its owner reads: it holds rows of customers.
fn private(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_told_without_folders_and_signs() {
        for (file, name) in [
            ("customers.csv", "customers.csv"),
            ("C:\\Users\\mei\\顾客 2026.xlsx", "顾客 2026.xlsx"),
            ("../../etc/passwd", "passwd"),
            ("..", "table"),
            ("a\u{202e}<b>.csv", "a__b_.csv"),
            ("", "table"),
        ] {
            assert_eq!(told(file), name);
        }
    }
}
