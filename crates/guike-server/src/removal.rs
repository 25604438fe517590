//! `DELETE /v1/models/{name}/versions/{version}`: an archived version and its files are removed.
//!
//! The one idea: the workspace decides what may go; what is asked here is written down there with who asked and why, and goes
//! into the audit log as every decision does.

use guike::workspace::{Ask, remove};

use crate::app::{Answer, App, Call};
use crate::jobs::{asker, now};
use crate::kept::kept;
use crate::problem::{Code, Problem};
use crate::query::Query;
use crate::shape::shaped;

/// Longest reason.
const LONGEST: usize = 500;

shaped! {
    /// A version that was removed.
    VersionRemoved {
        /// Its name.
        name: String,
        /// Its number, which is not used again.
        version: String,
    }
}

/// `DELETE /v1/models/{name}/versions/{version}`.
pub(crate) fn answer(app: &App, call: &Call) -> Result<Answer, Problem> {
    let query = Query::parse(&call.query, &["reason"])?;
    let reason = query.get("reason").unwrap_or_default();
    if reason.len() > LONGEST {
        let detail = format!("parameter `reason` takes at most {LONGEST} bytes");
        return Err(Problem::new(Code::MalformedQuery, detail));
    }
    let (name, version) = (call.param("name"), call.param("version"));
    // what is not a number is no version
    let number = version.parse().unwrap_or(0);
    let by = asker(call);
    let ask = Ask { by: &by, reason, force: false, now: now() };
    kept(app)?.asked(Code::NotChanged, |workspace| remove(workspace, name, number, &ask))?;
    let removed = VersionRemoved { name: name.to_owned(), version: version.to_owned() };
    Ok(Answer::of(&removed).did(format!("remove {name} {number}")))
}
