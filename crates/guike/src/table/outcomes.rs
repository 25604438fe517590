//! How a model's probabilities met what happened, from the predictions that a training left beside it.
//!
//! It keeps counts per threshold and no row.

use std::path::Path;

use guike_store::{InColumn, ReadAs, StoreError, read_csv_typed};

use super::output::names;
use crate::board::{Call, calls};
use crate::error::Error;

/// Predictions of rows that the model had not seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcomes {
    /// Rows.
    pub rows: u64,
    /// Rows of the class.
    pub positive: u64,
    /// What comes of every threshold, from the highest down.
    pub calls: Vec<Call>,
}

impl Outcomes {
    /// Reads `predictions.csv` in the model's folder; `None` where it is not there.
    ///
    /// # Errors
    /// [`Error::Store`] when it is damaged or of another model.
    pub fn read(folder: &Path, class: &str) -> Result<Option<Outcomes>, Error> {
        let path = folder.join(names::PREDICTIONS_CSV);
        let probability = format!("p_{class}");
        let columns = [("actual", ReadAs::Name), ("part", ReadAs::Name), (probability.as_str(), ReadAs::Number)];
        let mut read = match read_csv_typed(&path, &columns) {
            Ok(columns) => columns.into_iter(),
            Err(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e.into()),
        };
        let (
            Some(InColumn::Name { codes: actual, names: classes }),
            Some(InColumn::Name { codes: part, names: parts }),
            Some(InColumn::Number(p)),
        ) = (read.next(), read.next(), read.next())
        else {
            unreachable!("names, names and numbers were asked for");
        };
        let learned = parts.iter().position(|n| n == "learned");
        let unseen = |i: &usize| p[*i].is_finite() && learned != Some(part[*i] as usize);
        let kept: Vec<usize> = (0..p.len()).filter(unseen).collect();
        let happened: Vec<bool> = kept.iter().map(|&i| classes[actual[i] as usize] == class).collect();
        let score: Vec<f64> = kept.iter().map(|&i| p[i]).collect();
        Ok(Some(Outcomes {
            rows: kept.len() as u64,
            positive: happened.iter().filter(|h| **h).count() as u64,
            calls: calls(&score, &happened),
        }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods)] // writes predictions into a temporary folder

    use super::*;

    #[test]
    fn rows_that_were_learned_from_are_left_out() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert_eq!(Outcomes::read(folder.path(), "yes").expect("read"), None);
        let text = "row,part,actual,predicted,p_no,p_yes\n1,fold 1,yes,yes,0.1,0.9\n2,test,no,no,0.8,0.2\n3,learned,yes,yes,,0.7\n4,fold 2,no,no,,\n";
        std::fs::write(folder.path().join(names::PREDICTIONS_CSV), text).expect("written");
        let found = Outcomes::read(folder.path(), "yes").expect("read").expect("there");
        assert_eq!((found.rows, found.positive), (2, 1));
        assert_eq!(found.calls, [Call { from: 0.9, hits: 1, alarms: 0 }, Call { from: 0.2, hits: 1, alarms: 1 }]);
        assert!(Outcomes::read(folder.path(), "other").is_err());
    }
}
