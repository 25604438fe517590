//! What the pages load: one script and one style sheet, built from `dashboard/` by npm and embedded packed.
//!
//! The one idea: a file's name holds a checksum of its content, so that a browser keeps it for good and a new version has a
//! new name.

use std::sync::LazyLock;

use axum::http::{HeaderValue, header};

use crate::app::{Answer, App, Call};
use crate::problem::{Code, Problem};
use crate::query::Query;

/// A file as it is embedded. Only packed: a client that says nothing of encodings takes any (RFC 9110, 12.5.3).
struct Asset {
    stem: &'static str,
    ending: &'static str,
    kind: &'static str,
    packed: &'static [u8],
}

const SCRIPT: Asset = Asset {
    stem: "app",
    ending: "js",
    kind: "text/javascript; charset=utf-8",
    packed: include_bytes!("../../dashboard/dist/app.js.gz"),
};
const STYLE: Asset = Asset {
    stem: "app",
    ending: "css",
    kind: "text/css; charset=utf-8",
    packed: include_bytes!("../../dashboard/dist/app.css.gz"),
};

/// The names with their checksums.
static NAMES: LazyLock<[String; 2]> = LazyLock::new(|| [name(&SCRIPT), name(&STYLE)]);

/// FNV-1a: told apart are versions of our own files, not anybody's.
fn name(asset: &Asset) -> String {
    let sum =
        asset.packed.iter().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3));
    format!("{}.{sum:016x}.{}", asset.stem, asset.ending)
}

/// The path of the script.
pub(super) fn script() -> String {
    format!("/assets/{}", NAMES[0])
}

/// The path of the style sheet.
pub(super) fn style() -> String {
    format!("/assets/{}", NAMES[1])
}

/// `GET /assets/{file}`.
pub(super) fn answer(_: &App, call: &Call) -> Result<Answer, Problem> {
    Query::parse(&call.query, &[])?;
    let asked = call.param("file");
    let found = NAMES.iter().position(|n| n == asked).map(|at| if at == 0 { SCRIPT } else { STYLE });
    let detail = "no such file belongs to the pages; the page that asked for it is of another version, load it again";
    let asset = found.ok_or_else(|| Problem::new(Code::NoSuchPath, detail))?;
    Ok(Answer::text(asset.kind, asset.packed.to_vec())
        .header(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"))
        .header(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"))
        .header(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")))
}

#[cfg(test)]
mod tests {
    use guike::report::theme::{Theme, variables};

    #[test]
    fn the_pages_have_the_colours_of_the_report() {
        let css = include_str!("../../dashboard/src/theme.css");
        for theme in [Theme::Light, Theme::Dark] {
            for declared in variables(theme).split_inclusive(';') {
                assert!(css.contains(declared), "dashboard/src/theme.css lacks `{declared}` of {theme:?}");
            }
        }
    }
}
