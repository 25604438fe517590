//! What can be asked about the versions of a name that a workspace keeps.

use super::{CHANGE_MODELS, MODELS, Method, Route, Work, anything, get};
use crate::openapi::Parameter;
use crate::shape::Shape;
use crate::views::{Runs, Versions};
use crate::{kept, model_file, removal};

/// A part of the table of routes.
pub(super) const VERSIONS: &[Route] = &[
    get(
        "/v1/models/{name}/versions",
        MODELS,
        kept::versions,
        Versions::schema,
        "Every version that the workspace keeps of a name, and what was decided.",
    ),
    Route {
        // all of it is read before the first byte goes out
        work: Work::Slow(model_file::answer),
        ..get(
            "/v1/models/{name}/versions/{version}/model.json",
            MODELS,
            model_file::answer,
            anything,
            "A model of a table as the file that other programs score.",
        )
    },
    Route {
        method: Method::Delete,
        work: Work::Slow(removal::answer),
        parameters: &[Parameter {
            name: "reason",
            about: "Why; it is kept.",
            schema: r#"{"type":"string","maxLength":500}"#,
        }],
        ..get(
            "/v1/models/{name}/versions/{version}",
            CHANGE_MODELS,
            removal::answer,
            removal::VersionRemoved::schema,
            "Remove an archived version and its files; what was decided about it stays.",
        )
    },
    get("/v1/runs", MODELS, kept::runs, Runs::schema, "Every run that the workspace keeps."),
];
