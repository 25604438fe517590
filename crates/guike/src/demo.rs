//! Real customers to begin with: the CDNOW 1/10 sample, end to end.
//!
//! 2,357 customers of an online music shop who first bought in early 1997, with all their purchases until June 1998. The
//! data were published by Fader & Hardie and ship with the MIT-licensed Python package `lifetimes`. The demonstration stands
//! at 30 September 1997, forecasts the 39 weeks after it, and compares with what then happened.

use std::path::Path;

use guike_core::Progress;
use guike_data::LogFiles;
use guike_store::Staged;

use crate::error::Error;
use crate::run::{Language, RunSummary, run};
use crate::settings::Settings;

/// The sample as shipped.
pub(crate) const CDNOW_SAMPLE: &[u8] = include_bytes!("../assets/cdnow_sample.csv.gz");
/// The log's name within the folder of the demonstration.
const LOG: &str = "orders.csv.gz";

/// Writes the sample into `out` and runs the main job on it.
///
/// # Errors
/// As [`run`].
pub fn demo(out: &Path, language: Language, progress: &dyn Progress) -> Result<RunSummary, Error> {
    let staged = Staged::begin(out)?;
    staged.write(LOG, CDNOW_SAMPLE)?;
    staged.commit()?;
    let mut settings = Settings::default();
    settings.forecast.cutoff = "1997-09-30".parse().ok();
    settings.forecast.horizon = "39w".parse().ok();
    run(&LogFiles::from(&out.join(LOG)), out, None, &settings, language, progress)
}
