//! Piecewise-linear coding of numbers (Gorishniy, Rubachev & Babenko 2022, eq. 1): how far a number has gone through each
//! piece of its range, so that a network need not learn where a number matters.

/// For every number of a row, the edges of its pieces: numbers × ([`Pieces::EACH`] + 1), ascending for each.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pieces(pub(crate) Vec<f32>);

impl Pieces {
    /// Pieces per number.
    pub(crate) const EACH: usize = 8;

    /// Edges at equally frequent values among these rows of `width` numbers each; at least one row.
    pub(crate) fn of(rows: &[f32], width: usize) -> Pieces {
        let mut edges = Vec::with_capacity(width * (Pieces::EACH + 1));
        for number in 0..width {
            let mut column: Vec<f32> = rows.iter().skip(number).step_by(width).copied().collect();
            column.sort_unstable_by(f32::total_cmp);
            // many customers share a number (no repeat, say): pieces lie between different numbers
            column.dedup();
            let last = column.len() - 1;
            let mut own: Vec<f32> = (0..=Pieces::EACH).map(|i| column[i * last / Pieces::EACH]).collect();
            for i in 1..own.len() {
                own[i] = own[i].max(own[i - 1] + 1e-3);
            }
            edges.extend(own);
        }
        Pieces(edges)
    }

    /// Numbers per row.
    pub(crate) fn numbers(&self) -> usize {
        self.0.len() / (Pieces::EACH + 1)
    }

    /// Codes rows.
    ///
    /// # Shapes
    /// `rows`: n × numbers, `out`: n × numbers·[`Pieces::EACH`]
    pub(crate) fn code(&self, rows: &[f32], out: &mut [f32]) {
        let width = self.numbers();
        for (row, out) in rows.chunks_exact(width).zip(out.chunks_exact_mut(width * Pieces::EACH)) {
            let numbers = row.iter().zip(self.0.chunks_exact(Pieces::EACH + 1));
            for ((&x, edges), out) in numbers.zip(out.chunks_exact_mut(Pieces::EACH)) {
                for (out, edge) in out.iter_mut().zip(edges.windows(2)) {
                    *out = ((x - edge[0]) / (edge[1] - edge[0])).clamp(0.0, 1.0);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_fills_the_pieces_below_it_and_part_of_its_own() {
        let rows: Vec<f32> = (0..=16).map(|i| i as f32).collect();
        let pieces = Pieces::of(&rows, 1);
        let mut out = vec![0.0; Pieces::EACH];
        pieces.code(&[5.0], &mut out);
        assert_eq!(out, [1.0, 1.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0]);
    }
}
