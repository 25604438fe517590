//! Whether this build, on this machine, computes what the papers print.
//!
//! The one idea: a miscompiled or broken build is found before anybody believes its forecasts, by fitting BG/NBD to the
//! built-in sample and comparing with published digits.

use std::path::Path;

use guike_btyd::bg_nbd::BgNbd;
use guike_btyd::{CountModel, FitOptions, Grouped};
use guike_core::{Cutoff, Progress};
use guike_data::LogFiles;

use crate::demo::CDNOW_SAMPLE;
use crate::error::Error;
use crate::run::read;
use crate::settings::Settings;

/// A computed figure beside the published one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figure {
    /// What it is.
    pub name: &'static str,
    /// What this build computes.
    pub found: f64,
    /// What the paper prints.
    pub published: f64,
    /// Half a unit of the last printed digit.
    pub tolerance: f64,
}

impl Figure {
    /// Whether the computed figure rounds to the published one.
    pub fn agrees(&self) -> bool {
        (self.found - self.published).abs() <= self.tolerance
    }
}

/// Whether every file of a folder of results is the one that was written; gives their number, or `None` for results of an
/// earlier version, which have no list of checksums.
///
/// # Errors
/// [`Error::Store`] with the first file that is missing or another one.
pub fn check_folder(folder: &Path) -> Result<Option<usize>, Error> {
    Ok(guike_store::check_folder(folder)?)
}

/// Fits BG/NBD to the CDNOW sample and compares with the paper.
///
/// # Errors
/// [`Error`] when the sample cannot be read or fitted at all.
///
/// # Source
/// Fader, Hardie & Lee (2005), ""Counting your customers" the easy way", table 2 and section 4: calibration until
/// 30 September 1997, time in weeks.
///
/// # Example
/// ```
/// let figures = guike::checkup(&guike_core::Quiet).unwrap();
/// assert_eq!(figures.len(), 5);
/// assert!(figures.iter().all(|f| f.agrees()));
/// assert!(!guike::Figure { found: 0.25, ..figures[0] }.agrees());
/// ```
pub fn checkup(progress: &dyn Progress) -> Result<Vec<Figure>, Error> {
    let files = LogFiles::of_stream(&mut &CDNOW_SAMPLE[..], "cdnow_sample.csv.gz")?;
    let log = read(&files, &Settings::default(), progress)?.log;
    let broken = |what: &str| Error::Internal(format!("the built-in sample {what}"));
    let last_day = "1997-09-30".parse().map_err(|_| broken("has no such day"))?;
    let rfm = guike_features::rfm(&log.before(Cutoff::after(last_day)), 1);
    let groups = Grouped::from_days(&rfm.repeats, &rfm.recency_days, &rfm.age_days)
        .map_err(|e| broken(&format!("has impossible histories: {e}")))?;
    let fit = BgNbd::fit(&groups, &FitOptions::default()).map_err(|e| broken(&format!("cannot be fitted: {e}")))?;
    let published = [("r", 0.243), ("alpha", 4.414), ("a", 0.793), ("b", 2.426)];
    let mut figures: Vec<Figure> = fit
        .model
        .parameters()
        .into_iter()
        .zip(published)
        .map(|((_, found), (name, published))| Figure { name, found, published, tolerance: 5e-4 })
        .collect();
    let found = fit.log_likelihood;
    figures.push(Figure { name: "log-likelihood", found, published: -9582.4, tolerance: 0.05 });
    Ok(figures)
}
