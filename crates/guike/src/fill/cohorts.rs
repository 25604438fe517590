//! Retention: who of the customers of each month bought again in the months after.

use guike_core::{Cutoff, EventLog};
use guike_data::{PiecewiseLog, Reads};
use guike_explain::cohort::Cohort;

use crate::error::Error;
use crate::report::view::{Bilingual, Part, Why};

/// Months needed before a retention table says anything.
const NEEDED_MONTHS: usize = 3;
/// Columns of the table: later months are rarely read.
const MAX_MONTHS: usize = 12;

/// Retention by month of first purchase, oldest first.
pub(super) fn cohorts(log: &PiecewiseLog, cutoff: Cutoff) -> Result<Part<Vec<Cohort>>, Error> {
    let Some((first, _)) = log.purchase_span() else {
        return Ok(Part::Missing(Why::TooFewCustomers { found: 0, needed: 1 }));
    };
    let month = |day: i32| {
        let (year, month, _) = guike_core::Day(day).ymd();
        year * 12 + month as i32 - 1
    };
    let start = month(first.0);
    // the running month is not over: nobody can be said not to have bought in it
    let next_day = cutoff.last_day().plus(1);
    let whole_until = month(next_day.0);
    let n = usize::try_from(whole_until - start).unwrap_or(0);
    if n < NEEDED_MONTHS {
        return Ok(Part::Missing(Why::Because(Bilingual::new(
            format!("Retention needs {NEEDED_MONTHS} whole calendar months; the history covers {n}."),
            format!("留存分析需要 {NEEDED_MONTHS} 个完整的自然月；当前历史只有 {n} 个。"),
        ))));
    }
    let of_piece = |_, log: &EventLog| {
        let mut size = vec![0_u64; n];
        let mut bought = vec![vec![0_u64; n]; n];
        for customer in 0..log.n_customers() {
            let mut cohort = None;
            let mut latest = -1;
            for d in guike_features::purchase_days(log.before(cutoff).customer(customer)) {
                let m = month(d.day) - start;
                if m == latest || m as usize >= n {
                    continue;
                }
                latest = m;
                let m = m as usize;
                match cohort {
                    None => {
                        size[m] += 1;
                        cohort = Some(m);
                    }
                    Some(c) => bought[c][m - c] += 1,
                }
            }
        }
        Ok::<_, Error>((size, bought))
    };
    let mut size = vec![0_u64; n];
    let mut bought = vec![vec![0_u64; n]; n];
    log.fold(Reads::Purchases, of_piece, |(some, again)| {
        size.iter_mut().zip(some).for_each(|(all, some)| *all += some);
        bought.iter_mut().flatten().zip(again.into_iter().flatten()).for_each(|(all, some)| *all += some);
        Ok(())
    })?;
    let rows = (0..n)
        .filter(|&c| size[c] > 0)
        .map(|c| {
            let index = start + c as i32;
            Cohort {
                label: format!("{:04}-{:02}", index.div_euclid(12), index.rem_euclid(12) + 1),
                n_customers: size[c],
                retained: (1..n.min(MAX_MONTHS + 1))
                    .map(|k| (c + k < n).then(|| bought[c][k] as f64 / size[c] as f64))
                    .collect(),
            }
        })
        .collect();
    Ok(Part::Here(rows))
}
