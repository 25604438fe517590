//! The cells of a table as numbers that methods can move, and back: numbers as they are, categories as codes, NaN for empty.

use guike_core::{Column, ColumnData, Day, Table};
use guike_data::CellKind;

use super::Case;

/// Where the numbers of a column lie.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Range {
    pub(super) mean: f64,
    /// Standard deviation.
    pub(super) spread: f64,
    pub(super) low: f64,
    pub(super) high: f64,
    /// Whether all of them are whole.
    pub(super) whole: bool,
}

impl Range {
    /// Of the finite values; `None` where there is none.
    pub(super) fn of(values: &[f64]) -> Option<Range> {
        let finite = || values.iter().copied().filter(|v| v.is_finite());
        let n = finite().count() as f64;
        if n == 0.0 {
            return None;
        }
        let mean = finite().map(|v| v / n).sum::<f64>();
        let spread = (finite().map(|v| (v - mean).powi(2) / n).sum::<f64>()).sqrt();
        // squares of 1e308 are no number, and such a column has no steps
        spread.is_finite().then(|| Range {
            mean,
            spread,
            low: finite().fold(f64::INFINITY, f64::min),
            high: finite().fold(f64::NEG_INFINITY, f64::max),
            whole: finite().all(|v| v.fract() == 0.0),
        })
    }

    /// A step that people would take: 1, 2 or 5 times a power of ten, at most a fifth of the spread; at least 1 where all
    /// values are whole.
    pub(super) fn step(&self) -> f64 {
        let most = self.spread / 5.0;
        let ten = 10_f64.powi(most.log10().floor() as i32);
        let nice = [5.0, 2.0, 1.0].into_iter().map(|k| k * ten).find(|s| *s <= most).unwrap_or(ten);
        if self.whole { nice.max(1.0) } else { nice }
    }
}

/// Rows by category, in the order of the codes.
pub(super) fn counts(codes: &[u32], levels: &[String]) -> Vec<f64> {
    let mut counts = vec![0.0; levels.len()];
    codes.iter().filter_map(|&c| counts.get_mut(c as usize).map(|n| *n += 1.0)).for_each(drop);
    counts
}

impl Case<'_> {
    /// The columns that the model reads.
    pub(super) fn columns(&self) -> &[Column] {
        self.inputs.columns()
    }

    /// A cell as a number.
    pub(super) fn value(&self, column: usize, row: usize) -> f64 {
        match &self.columns()[column].data {
            ColumnData::Numeric(v) => v[row],
            ColumnData::Categorical { codes, levels } if (codes[row] as usize) < levels.len() => f64::from(codes[row]),
            ColumnData::Categorical { .. } => f64::NAN,
        }
    }

    /// A cell as people read it; empty where it is missing.
    pub(super) fn text(&self, column: usize, value: f64) -> String {
        let c = &self.columns()[column];
        match (&c.data, self.loaded.columns.iter().find(|i| i.name == c.name).map(|i| i.kind)) {
            _ if value.is_nan() => String::new(),
            (ColumnData::Categorical { levels, .. }, _) => levels.get(value as usize).cloned().unwrap_or_default(),
            (_, Some(CellKind::Date(_))) => Day(value.floor() as i32).to_string(),
            _ => guike_store::significant(value).to_string(),
        }
    }

    /// Rows whose cells are these numbers, column by column.
    pub(super) fn table(&self, values: &[Vec<f64>]) -> Table {
        let column = |(c, v): (&Column, &Vec<f64>)| {
            let data = match &c.data {
                ColumnData::Numeric(_) => ColumnData::Numeric(v.clone()),
                ColumnData::Categorical { levels, .. } => ColumnData::Categorical {
                    codes: v.iter().map(|&x| if x.is_nan() { Column::MISSING } else { x as u32 }).collect(),
                    levels: levels.clone(),
                },
            };
            Column { name: c.name.clone(), data }
        };
        Table::new(self.columns().iter().zip(values).map(column).collect()).expect("the table's own columns")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_those_of_people() {
        let step = |spread: f64, whole: bool| Range { mean: 0.0, spread, low: 0.0, high: 1.0, whole }.step();
        for (spread, whole, expected) in
            [(100.0, false, 20.0), (30.0, true, 5.0), (1.4, true, 1.0), (1.4, false, 0.2), (0.006, false, 0.001)]
        {
            assert!((step(spread, whole) - expected).abs() < 1e-12, "{spread}: {}", step(spread, whole));
        }
    }

    #[test]
    fn a_range_ignores_what_is_no_number() {
        let range = Range::of(&[1.0, f64::NAN, 3.0, f64::INFINITY]).unwrap();
        assert_eq!((range.mean, range.spread, range.low, range.high, range.whole), (2.0, 1.0, 1.0, 3.0, true));
        assert_eq!(Range::of(&[f64::NAN]), None);
    }
}
