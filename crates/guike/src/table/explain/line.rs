//! LIME beside the Shapley values: the straight line around a row, how far it can be trusted, and where the two disagree.
//!
//! The one idea: a line's slope says how the output would move, a Shapley part what a value adds compared with other rows.
//! Slope × distance from the mean of the column is the line's answer to the second question, in the same unit, so the two
//! can stand side by side. Both come from the same function, before probabilities are calibrated.

use guike_core::{ColumnData, Seed};
use guike_explain::lime::{Feature, LimeSettings, lime};

use super::Case;
use super::cells::{Range, counts};
use super::found::{Disagreement, How, LineColumn, LocalLine, Part};
use crate::error::Error;
use crate::explain::asking::Asking;

/// Below this share of the largest, a part does not matter.
const NOTABLE: f64 = 0.1;
/// Columns that are the first for one method and do not matter for the other are told among this many.
const FIRST: usize = 3;

impl Case<'_> {
    /// The line around `row`, beside its parts.
    pub(super) fn line(&self, row: usize, parts: &[Part], seed: Seed) -> Result<LocalLine, Error> {
        let p = self.columns().len();
        let values: Vec<f64> = (0..p).map(|j| self.value(j, row)).collect();
        // what is disturbed how, and how far the row lies from the mean of the column, in spreads
        let (features, distances): (Vec<Feature>, Vec<f64>) = (0..p).map(|j| self.feature(j, values[j])).unzip();
        let settings = LimeSettings { seed: seed.derive("lime"), ..LimeSettings::default() };
        let found = lime(&values, &features, &settings, |rows| {
            self.progress.check().map_err(Error::from)?;
            let columns: Vec<Vec<f64>> = (0..p).map(|j| rows.column(j).to_vec()).collect();
            Ok::<_, Asking>(self.outputs(&self.table(&columns)))
        })
        .map_err(Error::from)?;
        let place = |name: &str| self.columns().iter().position(|c| c.name == name);
        let columns: Vec<LineColumn> = parts
            .iter()
            .filter_map(|part| Some((part, place(&part.column)?)))
            .map(|(part, j)| LineColumn {
                column: part.column.clone(),
                slope: found.slopes[j],
                slope_spread: found.slope_spreads[j],
                adds: found.slopes[j] * distances[j],
                adds_spread: (found.slope_spreads[j] * distances[j]).abs(),
                part: part.amount,
                is_category: matches!(features[j], Feature::Category { .. }),
                is_empty: values[j].is_nan(),
            })
            .collect();
        Ok(LocalLine {
            prediction: found.prediction,
            r_squared: found.r_squared,
            stability: found.top_overlap,
            top: settings.top.min(p),
            rows_asked: settings.samples * settings.repeats,
            disagree: disagreements(&columns),
            columns,
        })
    }

    /// How column `j` is disturbed, and the distance of `value` from its mean. For a category, whose slope is how much more
    /// it is worth than another one, the distance is the share of the rows that have another one.
    fn feature(&self, j: usize, value: f64) -> (Feature, f64) {
        match &self.columns()[j].data {
            ColumnData::Numeric(v) => match Range::of(v) {
                Some(r) if r.spread > 0.0 => {
                    let distance = if value.is_nan() { 0.0 } else { (value - r.mean) / r.spread };
                    (Feature::Number { spread: r.spread, low: r.low, high: r.high }, distance)
                }
                _ => (Feature::Number { spread: 0.0, low: value, high: value }, 0.0),
            },
            ColumnData::Categorical { codes, levels } => {
                let shares = counts(codes, levels);
                let all: f64 = shares.iter().sum();
                let own = if value.is_nan() { None } else { shares.get(value as usize) };
                let distance = own.map_or(0.0, |n| 1.0 - n / all.max(1.0));
                (Feature::Category { shares }, distance)
            }
        }
    }
}

/// Where line and parts tell different stories: opposite directions, or a first column of one that the other does not have.
fn disagreements(columns: &[LineColumn]) -> Vec<Disagreement> {
    let largest = |of: &dyn Fn(&LineColumn) -> f64| columns.iter().map(|c| of(c).abs()).fold(0.0, f64::max);
    let (part, adds) = (largest(&|c| c.part), largest(&|c| c.adds));
    let by_line: Vec<&LineColumn> = {
        let mut order: Vec<&LineColumn> = columns.iter().collect();
        order.sort_by(|a, b| b.adds.abs().total_cmp(&a.adds.abs()));
        order
    };
    let is_first = |list: &[&LineColumn], c: &LineColumn| list.iter().take(FIRST).any(|f| f.column == c.column);
    // the columns come in the order of their parts
    let by_part: Vec<&LineColumn> = columns.iter().collect();
    let told = |c: &LineColumn| {
        // a line says nothing about an empty cell, and nothing sure about what changes from draw to draw
        if c.is_empty {
            return None;
        }
        let by_parts = part > 0.0 && c.part.abs() >= NOTABLE * part;
        let by_line_too = adds > 0.0 && c.adds.abs() >= NOTABLE * adds;
        match (by_parts, by_line_too) {
            (true, true) if c.part * c.adds < 0.0 && c.adds.abs() > 2.0 * c.adds_spread => Some(How::Opposite),
            (true, false) if is_first(&by_part, c) => Some(How::OnlyParts),
            (false, true) if is_first(&by_line, c) && c.adds.abs() > 2.0 * c.adds_spread => Some(How::OnlyLine),
            _ => None,
        }
    };
    columns.iter().filter_map(|c| Some(Disagreement { column: c.column.clone(), how: told(c)? })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, part: f64, adds: f64, adds_spread: f64) -> LineColumn {
        LineColumn {
            column: name.to_owned(),
            slope: adds,
            slope_spread: adds_spread,
            adds,
            adds_spread,
            part,
            is_category: false,
            is_empty: false,
        }
    }

    #[test]
    fn only_what_is_told_differently_is_a_disagreement() {
        let columns = [
            column("same", 5.0, 4.0, 0.1),
            column("opposite", -3.0, 2.0, 0.1),
            column("noise", -2.0, 2.0, 1.5),
            column("line", 0.1, 3.0, 0.1),
            column("small", -0.2, 0.1, 0.0),
        ];
        let found: Vec<(String, How)> = disagreements(&columns).into_iter().map(|d| (d.column, d.how)).collect();
        assert_eq!(found, [("opposite".to_owned(), How::Opposite), ("line".to_owned(), How::OnlyLine)]);
        let parts = [column("parts", 5.0, 0.1, 0.0), column("both", 4.0, 4.0, 0.1)];
        assert_eq!(disagreements(&parts)[0].how, How::OnlyParts);
        assert!(disagreements(&[LineColumn { is_empty: true, ..column("empty", 5.0, 0.0, 0.0) }]).is_empty());
    }
}
