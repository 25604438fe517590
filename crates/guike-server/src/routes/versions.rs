//! What can be asked about the versions of a name that a workspace keeps.

use super::{MODELS, Route, Work, anything, get};
use crate::shape::Shape;
use crate::views::{Runs, Versions};
use crate::{kept, model_file};

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
    get("/v1/runs", MODELS, kept::runs, Runs::schema, "Every run that the workspace keeps."),
];
