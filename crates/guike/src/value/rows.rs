//! Rows for learners: the catalogue's features and the prior's forecasts, one row per case.

use guike_core::{Cases, Column, ColumnData, ForecastError, Forecasts, Horizon, Matrix, Table};
use guike_learn::ColumnKind;
use serde::{Deserialize, Serialize};

/// The columns that learners read, in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Schema {
    /// Feature columns.
    columns: Vec<SchemaColumn>,
    /// Length of the label window, which the prior's columns look ahead.
    pub(crate) window: Horizon,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct SchemaColumn {
    name: String,
    /// Names of the categories by code; `None` for numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    levels: Option<Vec<String>>,
}

/// The prior's columns, after the features.
const PRIOR: [&str; 5] =
    ["prior_orders", "prior_spend", "prior_median_spend", "prior_p_active", "prior_next_order_days"];

impl Schema {
    /// The columns that all of these tables have.
    pub(crate) fn of(tables: &[&Table], window: Horizon) -> Schema {
        let first = tables.first().map_or(&[][..], |t| t.columns());
        let columns = first
            .iter()
            .filter(|c| tables.iter().all(|t| t.column(&c.name).is_some()))
            .map(|c| SchemaColumn {
                name: c.name.clone(),
                levels: match &c.data {
                    ColumnData::Numeric(_) => None,
                    ColumnData::Categorical { levels, .. } => Some(levels.clone()),
                },
            })
            .collect();
        Schema { columns, window }
    }

    /// Names of the feature columns.
    pub(crate) fn features(&self) -> Vec<String> {
        self.columns.iter().map(|c| c.name.clone()).collect()
    }

    /// What every column of the rows holds.
    pub(crate) fn kinds(&self) -> Vec<ColumnKind> {
        let features = self.columns.iter().map(|c| match c.levels {
            None => ColumnKind::Number,
            Some(_) => ColumnKind::Category,
        });
        features.chain(PRIOR.iter().map(|_| ColumnKind::Number)).collect()
    }

    /// The rows of these cases; `prior` are the prior's forecasts over the window.
    ///
    /// # Errors
    /// Names the feature that the cases lack.
    pub(crate) fn rows(&self, cases: &Cases<'_>, prior: &Forecasts) -> Result<Matrix, ForecastError> {
        let lacks = |what: String| ForecastError::Schema { model: super::BLEND.to_owned(), needs: what };
        let table = cases.features.ok_or_else(|| lacks("a feature table".to_owned()))?;
        let n = cases.len();
        let mut columns: Vec<Vec<f64>> = Vec::with_capacity(self.columns.len() + PRIOR.len());
        for wanted in &self.columns {
            let column = table.column(&wanted.name).ok_or_else(|| lacks(format!("the column `{}`", wanted.name)))?;
            columns.push(wanted.values(column));
        }
        let median = prior.spend.at(0.5).ok_or_else(|| lacks("the median of the prior".to_owned()))?;
        // "never" has no number of days
        let waiting = prior.next_order_days.iter().map(|d| if d.is_finite() { *d } else { f64::NAN }).collect();
        columns.extend([
            prior.expected_orders.clone(),
            prior.expected_spend.clone(),
            median,
            prior.p_active.clone(),
            waiting,
        ]);
        Ok(Matrix::from_columns(n, &columns))
    }
}

impl SchemaColumn {
    /// The column's numbers, or its categories as this schema's codes; what the schema does not know is missing.
    fn values(&self, column: &Column) -> Vec<f64> {
        match (&column.data, &self.levels) {
            (ColumnData::Numeric(v), None) => v.clone(),
            (ColumnData::Categorical { codes, levels }, Some(known)) => {
                let code = |name: &String| known.iter().position(|k| k == name).map_or(f64::NAN, |i| i as f64);
                let by_code: Vec<f64> = if levels == known {
                    (0..levels.len()).map(|i| i as f64).collect()
                } else {
                    levels.iter().map(code).collect()
                };
                codes.iter().map(|&c| by_code.get(c as usize).copied().unwrap_or(f64::NAN)).collect()
            }
            // a column that changed from numbers to names or back says nothing
            _ => vec![f64::NAN; column.len()],
        }
    }
}
