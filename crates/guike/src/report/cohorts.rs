//! Section 5: do customers stay? Retention by the month of the first purchase.

use guike_explain::Frame;
use guike_explain::cohort::{Cohort, cohorts};
use guike_explain::text::{count, percent};

use super::page::{Block, Figure, Section, Table, Text, numbers, words};
use super::view::{Part, ReportView};
use super::words as w;

/// Cohorts drawn at most, the latest.
const MAX_COHORTS: usize = 18;
/// Months drawn at most.
const MAX_MONTHS: usize = 12;

pub(super) fn section(view: &ReportView) -> Section {
    let (lead, blocks) = match &view.cohorts {
        Part::Missing(why) => (Vec::new(), vec![Block::missing(why)]),
        Part::Here(all) => {
            let shown = latest(all);
            match lead(&shown) {
                Some(lead) => (vec![lead], vec![Block::Figures(vec![picture(&shown)])]),
                None => (Vec::new(), vec![Block::Missing(w::COHORTS_NONE.text())]),
            }
        }
    };
    Section { id: "cohorts", title: w::COHORTS.text(), lead, blocks }
}

/// The latest cohorts that have any month to show, with at most [`MAX_MONTHS`] months.
pub(super) fn latest(all: &[Cohort]) -> Vec<Cohort> {
    let known = |c: &&Cohort| c.retained.iter().any(Option::is_some);
    let with_months: Vec<&Cohort> = all.iter().filter(known).collect();
    with_months[with_months.len().saturating_sub(MAX_COHORTS)..]
        .iter()
        .map(|c| Cohort { retained: c.retained.iter().take(MAX_MONTHS).copied().collect(), ..(*c).clone() })
        .collect()
}

/// Share of customers seen `month` months after the first purchase, over the cohorts where that is known.
fn average(shown: &[Cohort], month: usize) -> Option<f64> {
    let seen = shown.iter().filter_map(|c| Some((c.n_customers as f64, c.retained.get(month).copied().flatten()?)));
    let (n, kept) = seen.fold((0.0, 0.0), |(n, kept), (size, share)| (n + size, kept + size * share));
    (n > 0.0).then(|| kept / n)
}

pub(super) fn lead(shown: &[Cohort]) -> Option<Text> {
    let months = shown.iter().map(|c| c.retained.len()).max()?;
    let last = (0..months.min(6)).rev().find(|&k| average(shown, k).is_some())?;
    Some(w::COHORTS_LEAD.with(&[
        ("first", Text::same(percent(average(shown, 0)?))),
        ("last", Text::same(percent(average(shown, last)?))),
        ("n", Text::same((last + 1).to_string())),
    ]))
}

pub(super) fn picture(shown: &[Cohort]) -> Figure {
    let draw = |width: f64| {
        move |lang| {
            let frame = Frame::new(lang, w::COHORT_PICTURE.pick(lang), w::COHORT_X.pick(lang), w::COHORT_Y.pick(lang));
            cohorts(shown, &frame.wide(width))
        }
    };
    let months = shown.iter().map(|c| c.retained.len()).max().unwrap_or(0);
    let mut head = vec![words(w::COHORT.text()), numbers(w::CUSTOMERS.text())];
    head.extend((1..=months).map(|k| numbers(Text::same(k.to_string()))));
    let mut table = Table::new(head);
    for c in shown {
        let share = |k| Text::same(c.retained.get(k).copied().flatten().map_or(String::new(), percent));
        let first = [Text::same(&c.label), Text::same(count(c.n_customers))];
        table.row(first.into_iter().chain((0..months).map(share)).collect());
    }
    Figure::new(w::COHORT_PICTURE.text(), draw(480.0), w::COHORT_CAPTION.text()).wide(draw(900.0)).table(table)
}
