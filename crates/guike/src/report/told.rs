//! The report's words for pages that draw their own pictures: sentences, tables and captions of a [`ReportView`].
//!
//! The one idea: a dashboard that words things another way than the report beside it makes its reader ask which one is
//! right. So both take their words from the sections, and this module hands out what is not a picture.

use super::page::{Block, Figure, Table, Text, Tile};
use super::view::{Backtest, Cohort, Drivers, Part, ReportView, Rfm, Tiers, Why};
use super::{answer, cohorts, quality, sure, tiers, who, why, words as w};
use crate::explain::{At, CustomerExplanation};

/// What belongs to a picture.
#[derive(Debug, Clone)]
pub struct Legend {
    /// Its title.
    pub title: Text,
    /// How to read it, in a sentence.
    pub caption: Text,
    /// The same numbers as a table.
    pub table: Option<Table>,
}

impl From<Figure> for Legend {
    fn from(figure: Figure) -> Legend {
        Legend { title: figure.title, caption: figure.caption, table: figure.table }
    }
}

/// The answer in two paragraphs.
pub fn lead(view: &ReportView) -> Vec<Text> {
    answer::lead(view)
}

/// The four key figures.
pub fn tiles(view: &ReportView) -> Vec<Tile> {
    answer::tiles(view)
}

/// What to do first, and why.
pub fn steps(view: &ReportView) -> Vec<(Text, Text)> {
    answer::steps(view)
}

/// Spend that happened and that is expected.
pub fn history(view: &ReportView) -> Legend {
    answer::history(view).into()
}

/// What the top tier holds; `None` without tiers.
pub fn tiers_lead(view: &ReportView) -> Option<Text> {
    tiers::lead(view)
}

/// Every tier in a row.
pub fn tiers_table(view: &ReportView, of: &Tiers) -> Table {
    tiers::table(view, of)
}

/// Customers against value.
pub fn pyramid(view: &ReportView, of: &Tiers) -> Legend {
    tiers::picture(view, of).into()
}

/// Who moved; `None` without an earlier run.
pub fn migration(of: &Tiers) -> Option<Legend> {
    let names = of.rows.iter().map(|r| Text::from(&r.name)).collect();
    of.migration.as_ref().map(|counts| tiers::moved(names, counts).into())
}

/// How the tiers were cut, and how firm they are.
pub fn tiers_how(of: &Tiers) -> Vec<Text> {
    let prose = |b| if let Block::Prose(text) = b { Some(text) } else { None };
    tiers::how(of).into_iter().filter_map(prose).collect()
}

/// The map of recency and frequency.
pub fn rfm(view: &ReportView, map: &Rfm) -> Legend {
    who::picture(view, map).into()
}

/// The named groups.
pub fn groups(view: &ReportView, map: &Rfm) -> Table {
    who::groups(view, map)
}

/// How a total that was predicted met the actual one.
pub fn met(view: &ReportView, test: &Backtest, predicted_actual: [f64; 2]) -> Text {
    sure::met(view, test, predicted_actual)
}

/// Which model, and why.
pub fn choice(test: &Backtest) -> Vec<Text> {
    sure::choice(test)
}

/// The candidates and their loss.
pub fn candidates(test: &Backtest) -> Legend {
    sure::tried(test).into()
}

/// Predicted against actual by group.
pub fn deciles(view: &ReportView, test: &Backtest) -> Legend {
    sure::deciles(view, test).into()
}

/// The chosen model from cutoff to cutoff; `None` where there was one cutoff only.
pub fn course(view: &ReportView, test: &Backtest) -> Option<Legend> {
    let (caption, table) = (test.course.len() > 1).then(|| sure::course(view, test))?;
    Some(Legend { title: w::COURSE.text(), caption, table: Some(table) })
}

/// The scores of the chosen model and its intervals.
pub fn scores(test: &Backtest) -> Table {
    sure::scores(test)
}

/// What the forecasts rest on.
pub fn drivers(view: &ReportView, of: &Drivers) -> Legend {
    sure::drivers(view, of).into()
}

/// Do customers stay, in a sentence, with the cohorts that have anything to show; `None` where none has.
pub fn retention(all: &[Cohort]) -> Option<(Text, Vec<Cohort>, Legend)> {
    let shown = cohorts::latest(all);
    let lead = cohorts::lead(&shown)?;
    let legend = cohorts::picture(&shown).into();
    Some((lead, shown, legend))
}

/// What became of the rows that were read.
pub fn rows(view: &ReportView) -> (Text, Legend) {
    (quality::lead(&view.quality), quality::picture(&view.quality).into())
}

/// Why a part has nothing to show.
pub fn missing(why: &Why) -> Text {
    match Block::missing(why) {
        Block::Missing(text) => text,
        other => unreachable!("a missing part became {other:?}"),
    }
}

/// The part, or the sentence why it is missing.
///
/// # Errors
/// The sentence.
pub fn part<T>(part: &Part<T>) -> Result<&T, Text> {
    match part {
        Part::Here(found) => Ok(found),
        Part::Missing(why) => Err(missing(why)),
    }
}

/// Why a customer's forecast is what it is, in words and numbers.
#[derive(Debug, Clone)]
pub struct CustomerStory {
    /// The answer, without her id.
    pub lead: Vec<Text>,
    /// From the average customer to her.
    pub parts: Legend,
    /// The same as steps to draw.
    pub steps: Vec<StoryStep>,
    /// What one more order would change.
    pub what_if: StoryPart,
}

/// A step from the average customer to one customer.
#[derive(Debug, Clone)]
pub struct StoryStep {
    /// What it is.
    pub name: Text,
    /// Where it begins.
    pub from: f64,
    /// Where it ends.
    pub to: f64,
    /// `base`, `part` or `total`.
    pub role: &'static str,
    /// Its amount in words.
    pub amount: Text,
}

/// A part of a story with a table.
#[derive(Debug, Clone)]
pub struct StoryPart {
    /// Its title.
    pub title: Text,
    /// What it says.
    pub lead: Vec<Text>,
    /// Its table; `None` where there is nothing to show.
    pub table: Option<Table>,
    /// How it is to be read.
    pub notes: Vec<Text>,
}

/// Why a customer's forecast is what it is.
pub fn customer(at: &At, why: &CustomerExplanation) -> CustomerStory {
    why::story(at, why)
}
