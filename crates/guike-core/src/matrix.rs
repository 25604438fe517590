//! A dense matrix of numbers, column by column: what tabular learners read once a table has been prepared.

use serde::{Deserialize, Serialize};

/// n rows × p columns of `f64`, column-major; NaN is missing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Matrix {
    n_rows: usize,
    n_columns: usize,
    values: Vec<f64>,
}

impl Matrix {
    /// The matrix of these columns.
    ///
    /// # Panics
    /// When the columns differ in length.
    ///
    /// ```
    /// use guike_core::Matrix;
    /// let m = Matrix::from_columns(2, &[vec![1.0, 2.0], vec![3.0, 4.0]]);
    /// assert_eq!((m.n_rows(), m.n_columns(), m.column(1), m.row(0)), (2, 2, &[3.0, 4.0][..], vec![1.0, 3.0]));
    /// ```
    pub fn from_columns<C: AsRef<[f64]>>(n_rows: usize, columns: &[C]) -> Matrix {
        let mut values = Vec::with_capacity(n_rows * columns.len());
        for column in columns {
            assert_eq!(column.as_ref().len(), n_rows, "columns of a matrix have one length");
            values.extend_from_slice(column.as_ref());
        }
        Matrix { n_rows, n_columns: columns.len(), values }
    }

    /// The matrix of these values, one row after the other.
    ///
    /// # Panics
    /// When `n_columns` does not divide the number of values.
    pub fn from_row_major(n_columns: usize, rows: &[f64]) -> Matrix {
        assert!(n_columns > 0 && rows.len().is_multiple_of(n_columns), "rows of a matrix have one length");
        let n_rows = rows.len() / n_columns;
        let values = (0..n_columns).flat_map(|j| (0..n_rows).map(move |i| rows[i * n_columns + j])).collect();
        Matrix { n_rows, n_columns, values }
    }

    /// The matrix of these values, one column after the other.
    ///
    /// # Panics
    /// When there are not n × p values.
    pub fn from_column_major(n_rows: usize, n_columns: usize, values: Vec<f64>) -> Matrix {
        assert_eq!(values.len(), n_rows * n_columns, "a matrix has rows × columns values");
        Matrix { n_rows, n_columns, values }
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Number of columns.
    pub fn n_columns(&self) -> usize {
        self.n_columns
    }

    /// All values, column after column.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// One column.
    pub fn column(&self, j: usize) -> &[f64] {
        &self.values[j * self.n_rows..(j + 1) * self.n_rows]
    }

    /// One column, to be changed.
    pub fn column_mut(&mut self, j: usize) -> &mut [f64] {
        &mut self.values[j * self.n_rows..(j + 1) * self.n_rows]
    }

    /// The value in row `i` and column `j`.
    pub fn at(&self, i: usize, j: usize) -> f64 {
        self.values[j * self.n_rows + i]
    }

    /// One row, copied.
    pub fn row(&self, i: usize) -> Vec<f64> {
        (0..self.n_columns).map(|j| self.at(i, j)).collect()
    }

    /// The rows at these positions, in this order, copied.
    #[must_use]
    pub fn select_rows(&self, rows: &[usize]) -> Matrix {
        let values = (0..self.n_columns)
            .flat_map(|j| {
                let column = self.column(j);
                rows.iter().map(move |&i| column[i])
            })
            .collect();
        Matrix { n_rows: rows.len(), n_columns: self.n_columns, values }
    }

    /// All values, row after row.
    pub fn to_row_major(&self) -> Vec<f64> {
        let mut rows = vec![0.0; self.values.len()];
        for (j, column) in self.values.chunks_exact(self.n_rows.max(1)).enumerate() {
            for (i, &v) in column.iter().enumerate() {
                rows[i * self.n_columns + j] = v;
            }
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_columns_agree_whichever_way_they_came_in() {
        let rows = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let m = Matrix::from_row_major(3, &rows);
        assert_eq!(m, Matrix::from_columns(2, &[[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]));
        assert_eq!(m.to_row_major(), rows);
        assert_eq!(m.select_rows(&[1, 1]).to_row_major(), [4.0, 5.0, 6.0, 4.0, 5.0, 6.0]);
    }
}
