//! Whole histories in their shortest form: the purchase days of every case, and what was spent on each.

/// The purchase days of n cases by a cutoff, oldest first, one case after the other.
///
/// Case `i` has positions `offsets[i]..offsets[i + 1]` of both columns. The unit of frequency is the purchase day, as in
/// [`crate::RfmTable`], and the cases are the same: everyone has at least one.
///
/// # Units
/// days since 1970-01-01; currency units per purchase day
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Purchases {
    /// n + 1 entries, ascending, the first 0.
    pub offsets: Vec<u64>,
    /// Strictly ascending within a case.
    pub day: Vec<i32>,
    /// At least 0.
    pub spend: Vec<f32>,
}

impl Purchases {
    /// Number of cases.
    pub fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Whether there is no case.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One case's days and spends.
    ///
    /// ```
    /// let p = guike_core::Purchases { offsets: vec![0, 1, 3], day: vec![5, 2, 9], spend: vec![1.0, 2.0, 3.0] };
    /// assert_eq!(p.case(1), (&[2, 9][..], &[2.0, 3.0][..]));
    /// ```
    pub fn case(&self, at: usize) -> (&[i32], &[f32]) {
        let range = self.offsets[at] as usize..self.offsets[at + 1] as usize;
        (&self.day[range.clone()], &self.spend[range])
    }

    /// The cases at `rows`, in that order.
    #[must_use]
    pub fn take(&self, rows: &[usize]) -> Purchases {
        let mut taken = Purchases { offsets: vec![0], ..Purchases::default() };
        for &row in rows {
            let (day, spend) = self.case(row);
            taken.day.extend_from_slice(day);
            taken.spend.extend_from_slice(spend);
            taken.offsets.push(taken.day.len() as u64);
        }
        taken
    }
}
