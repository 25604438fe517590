//! Why a row is answered as it is, one row at a time and without a table of others.
//!
//! The one idea: what can be told exactly from the model alone is told. Trees know the rows that learned them, and a model
//! that adds up its columns is compared with the means that were saved with it. Other models can only be asked about
//! mixtures with other rows, which is `guike explain`'s work.

use guike_core::Matrix;
use guike_explain::linear::LinearScore;
use guike_explain::tree_shap::TreeShap;

use crate::error::Error;

use super::explain::{Unit, internal, output_of, unit_of};
use super::score::Scorer;

/// What each column adds to some rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Reasons {
    /// In what the parts add up.
    pub unit: Unit,
    /// Per row, where the parts begin: what is expected of a row of which nothing is known.
    pub base: Vec<f64>,
    /// Row-major, rows × columns in the order of [`Scorer::inputs`]; with `base` they add up to the model's output before
    /// calibration.
    pub parts: Vec<f64>,
}

impl Scorer {
    /// What each column adds to the class of each row (0 for numbers); `None` for a model that cannot tell by itself.
    ///
    /// # Shapes
    /// n × [`inputs`](Scorer::inputs) cells, n classes → n × inputs parts
    ///
    /// # Errors
    /// [`Error::Internal`] when the model's trees are not as they should be.
    pub fn reasons(&self, cells: &[f64], classes: &[usize]) -> Result<Option<Reasons>, Error> {
        let fitted = &self.loaded.fitted;
        let x = self.prepared(cells);
        let groups = fitted.preparation.groups(self.inputs().iter().map(|i| i.name.as_str()));
        let (found, link) = if let Some((trees, link)) = fitted.model.trees() {
            (TreeShap::new(trees).and_then(|s| s.attribute(&x)), link)
        } else if let Some(linear) = fitted.model.linear().filter(|_| !fitted.means.is_empty()) {
            let score = LinearScore { coefficients: linear.coefficients, intercepts: linear.intercepts };
            (score.attribute(&fitted.means, &x), linear.link)
        } else {
            return Ok(None);
        };
        let found = found.map_err(internal)?.grouped(&groups);
        let p = self.inputs().len();
        let mut reasons =
            Reasons { unit: unit_of(link, fitted.model.task()), base: Vec::new(), parts: vec![0.0; classes.len() * p] };
        for (i, (&class, parts)) in classes.iter().zip(reasons.parts.chunks_exact_mut(p)).enumerate() {
            let (output, sign) = output_of(link, class);
            reasons.base.push(sign * found.expected()[output]);
            for (part, amount) in parts.iter_mut().zip(found.of(i, output)) {
                *part = sign * amount;
            }
        }
        Ok(Some(reasons))
    }

    /// The rows as the model reads them.
    fn prepared(&self, cells: &[f64]) -> Matrix {
        let width = self.loaded.fitted.preparation.width();
        let mut rows = Vec::with_capacity(cells.len());
        cells.chunks_exact(self.inputs().len()).for_each(|row| self.prepare(row, &mut rows));
        Matrix::from_row_major(width, &rows)
    }
}

#[cfg(test)]
mod tests {
    use super::super::score::tests::{cells, trained};
    use super::*;

    #[test]
    fn parts_add_up_to_the_models_output() {
        for (learner, unit) in
            [("logistic-regression", Unit::LogOdds), ("random-forest", Unit::Probability), ("boosting", Unit::LogOdds)]
        {
            let (scorer, table, _folder) = trained(learner, |_| ());
            let cells = cells(&scorer, &table);
            let (p, n) = (scorer.inputs().len(), table.n_rows());
            for class in [0, 1] {
                let reasons = scorer.reasons(&cells, &vec![class; n]).expect("told").expect("it can tell");
                assert_eq!(reasons.unit, unit, "{learner}");
                for i in 0..n {
                    let mut raw = Vec::new();
                    let mut row = Vec::new();
                    scorer.prepare(&cells[i * p..][..p], &mut row);
                    scorer.loaded.fitted.model.predict_row(&row, &mut raw);
                    let q = raw[class];
                    let output = if unit == Unit::LogOdds { (q / (1.0 - q)).ln() } else { q };
                    let sum = reasons.base[i] + reasons.parts[i * p..][..p].iter().sum::<f64>();
                    assert!((sum - output).abs() < 1e-9, "{learner} {class} {i}: {sum} {output}");
                }
            }
        }
        let (scorer, table, _folder) = trained("k-nearest-neighbours", |_| ());
        let one = &cells(&scorer, &table)[..scorer.inputs().len()];
        assert_eq!(scorer.reasons(one, &[0]).expect("asked"), None);
    }
}
