//! A learner with its preparation: fitted on some rows, applied to others.

use guike_core::folds::Split;
use guike_core::{FitContext, FitError, Matrix, Table};
use guike_learn::{Examples, TabularModel, Wants};

use super::calibrate::Calibrator;
use super::learners::Entry;
use super::prepare::{Labels, Preparation};
use super::rows;
use super::settings::TableSettings;
use super::target::Target;

/// A preparation fitted on training rows, and those rows prepared.
#[derive(Debug)]
pub(super) struct Prepared {
    preparation: Preparation,
    x: Matrix,
}

/// A learned model behind its preparation, with its calibration.
#[derive(Debug)]
pub(super) struct Fitted {
    pub(super) preparation: Preparation,
    pub(super) model: Box<dyn TabularModel>,
    pub(super) calibrator: Calibrator,
    /// Of a model that adds up its columns, the mean of every prepared column over the training rows, from which reasons
    /// are told; empty for other models and older files.
    pub(super) means: Vec<f64>,
}

impl Prepared {
    /// Fits the preparation on the `train` rows of `data`.
    pub(super) fn fit(
        data: &Table,
        target: &Target,
        train: &[usize],
        wants: Wants,
        settings: &TableSettings,
    ) -> Prepared {
        let y: Vec<f64> = train.iter().map(|&i| target.y[i]).collect();
        let labels = Labels { y: &y, task: target.outcome.task() };
        let seed = settings.seed.derive("prepare");
        let (preparation, x) = Preparation::fit(&rows::select(data, train), labels, wants, settings.scaling, seed);
        Prepared { preparation, x }
    }

    fn model(
        &self,
        entry: &Entry,
        target: &Target,
        train: &[usize],
        settings: &TableSettings,
        cx: &FitContext<'_>,
    ) -> Result<Box<dyn TabularModel>, FitError> {
        let y: Vec<f64> = train.iter().map(|&i| target.y[i]).collect();
        let kinds = self.preparation.kinds();
        let examples = Examples { x: &self.x, kinds: &kinds, y: &y, weight: None, task: target.outcome.task() };
        entry.learner(settings, train.len()).fit(&examples, &FitContext { seed: cx.seed.derive(entry.name), ..*cx })
    }

    /// The learner fitted on the prepared rows.
    pub(super) fn learn(
        self,
        entry: &Entry,
        target: &Target,
        train: &[usize],
        settings: &TableSettings,
        cx: &FitContext<'_>,
    ) -> Result<Fitted, FitError> {
        let model = self.model(entry, target, train, settings, cx)?;
        let means = if model.linear().is_some() { guike_explain::linear::means(&self.x) } else { Vec::new() };
        Ok(Fitted { preparation: self.preparation, model, calibrator: Calibrator::default(), means })
    }
}

impl Fitted {
    /// Calibrated predictions of the table's rows, row-major.
    pub(super) fn predict(&self, table: &Table) -> Vec<f64> {
        if table.n_rows() == 0 {
            return Vec::new();
        }
        let raw = self.model.predict(&self.preparation.apply(table));
        self.calibrator.apply(&raw, self.model.task().n_outputs())
    }
}

/// One fold's rows, prepared once for all learners that want the same.
pub(super) struct Shared<'a> {
    data: &'a Table,
    fold: &'a Split,
    target: &'a Target,
    settings: &'a TableSettings,
    test: Option<Table>,
    /// By what is wanted: the training rows, and the test rows.
    ready: Vec<(Wants, Prepared, Matrix)>,
}

impl<'a> Shared<'a> {
    pub(super) fn new(data: &'a Table, fold: &'a Split, target: &'a Target, settings: &'a TableSettings) -> Shared<'a> {
        Shared { data, fold, target, settings, test: None, ready: Vec::new() }
    }

    /// What the learner, as `settings` want it, fitted on the fold's training rows, predicts for its test rows.
    pub(super) fn fit_and_predict(
        &mut self,
        entry: &Entry,
        settings: &TableSettings,
        cx: &FitContext<'_>,
    ) -> Result<Vec<f64>, FitError> {
        let wants = entry.wants();
        if !self.ready.iter().any(|r| r.0 == wants) {
            let prepared = Prepared::fit(self.data, self.target, &self.fold.train, wants, self.settings);
            let test = self.test.get_or_insert_with(|| rows::select(self.data, &self.fold.test));
            let x = prepared.preparation.apply(test);
            self.ready.push((wants, prepared, x));
        }
        let (_, prepared, test) = self.ready.iter().find(|r| r.0 == wants).expect("prepared above");
        let model = prepared.model(entry, self.target, &self.fold.train, settings, cx)?;
        Ok(model.predict(test))
    }
}
