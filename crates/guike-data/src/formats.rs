//! How the columns of a log's files are written: date formats and decimal signs, decided per file from all its cells.
//!
//! Decisions that need every row (day or month first, thousands or decimal comma) are made in a first pass over the one
//! column, and only when the sample leaves them open. Each file is judged by itself, because months may have been exported
//! by different programs; what a file leaves open is decided by the others where these agree, and refused otherwise.

use guike_core::Progress;

use crate::block::{Block, Column};
use crate::dates::{DateDecision, DateEvidence, DateFormat};
use crate::error::DataError;
use crate::mapping::{AmountSource, Mapping};
use crate::names::Role;
use crate::numbers::{self, DecimalSign, NumberEvidence};
use crate::options::ImportOptions;
use crate::source::Source;
use crate::words::is_label;

/// How the columns of one file are written.
#[derive(Debug, Clone)]
pub(crate) struct Formats {
    /// `None` for a typed column.
    pub(crate) date: Option<DateFormat>,
    /// The date format and why, in words.
    pub(crate) date_words: String,
    pub(crate) amount_sign: DecimalSign,
    pub(crate) quantity_sign: DecimalSign,
    pub(crate) notes: Vec<String>,
}

/// What one file's cells say about the columns that can be written in several ways.
#[derive(Debug)]
pub(crate) struct Evidence {
    dates: DateEvidence,
    amount: NumberEvidence,
    quantity: NumberEvidence,
    /// Name of the time column.
    column: String,
    /// Whether its type says that it holds moments.
    typed: bool,
    /// Whether a cell of the sample fits the format that was asked for.
    fits_given: bool,
    /// First filled cell of the sample.
    first_cell: Vec<u8>,
    /// Whether cells end with semicolons.
    semicolons: bool,
}

impl Evidence {
    /// Looks at the sample, and at the whole columns where that leaves something open.
    pub(crate) fn of(
        source: &Source,
        sample: &Block,
        mapping: &Mapping,
        options: &ImportOptions,
        progress: &dyn Progress,
    ) -> Result<Evidence, DataError> {
        let time = mapping.column(Role::Time).expect("the mapping has a time");
        let amount = match mapping.amount {
            AmountSource::Amount => mapping.column(Role::Amount),
            AmountSource::Price | AmountSource::PriceTimesQuantity => mapping.column(Role::Price),
            AmountSource::Nothing => None,
        };
        let column = &sample.columns[time];
        let typed = matches!(column, Column::Times { .. });
        let given = options.read.date_format;
        let cells = || (0..sample.n_rows).map(|r| column.cell_text(r)).filter(|c| !numbers::is_missing(c));
        let mut evidence = Evidence {
            dates: DateEvidence::default(),
            amount: NumberEvidence::default(),
            quantity: NumberEvidence::default(),
            column: source.columns()[time].clone(),
            typed,
            fits_given: given.is_some_and(|f| cells().any(|c| f.parse(&c).is_some())),
            first_cell: cells().next().unwrap_or_default(),
            semicolons: source.info().delimiter.as_deref() == Some(";"),
        };
        let asked = [(!typed).then_some(time), amount, mapping.column(Role::Quantity)];
        evidence.add(sample, asked);
        let open = |e: &Evidence| {
            let dates = !typed && given.is_none() && e.dates.decide(options.now) == DateDecision::Ambiguous;
            let numbers = options.read.decimal.is_none() && (e.amount.is_open() || e.quantity.is_open());
            dates || numbers
        };
        if open(&evidence) {
            evidence.dates = DateEvidence::default();
            (evidence.amount, evidence.quantity) = (NumberEvidence::default(), NumberEvidence::default());
            let mut wanted: Vec<usize> = asked.iter().flatten().copied().collect();
            wanted.sort_unstable();
            wanted.dedup();
            let slots = asked.map(|c| c.and_then(|c| wanted.iter().position(|&w| w == c)));
            let mut stream = source.stream(&wanted, false)?;
            while let Some(piece) = stream.next_piece()? {
                progress.check()?;
                evidence.add(&stream.shape.block(piece), slots);
                // month-long files without a decision are read to their end; others stop at the first clear cell
                if !open(&evidence) && evidence.dates.cells() > 200_000 {
                    break;
                }
            }
        }
        Ok(evidence)
    }

    fn add(&mut self, block: &Block, [time, amount, quantity]: [Option<usize>; 3]) {
        let is_text = |c: &Column| matches!(c, Column::Text { .. } | Column::Coded { .. });
        for row in 0..block.n_rows {
            let cell = |slot: Option<usize>, text_only: bool| {
                let column = &block.columns[slot?];
                let cell = (!text_only || is_text(column)).then(|| column.cell_text(row))?;
                (!numbers::is_missing(&cell)).then_some(cell)
            };
            if let Some(cell) = cell(time, false).filter(|c| !is_label(c, &self.column)) {
                self.dates.add(&cell);
            }
            if let Some(cell) = cell(amount, true) {
                self.amount.add(&cell);
            }
            if let Some(cell) = cell(quantity, true) {
                self.quantity.add(&cell);
            }
        }
    }

    /// The date format and why, in words; `elsewhere` is the order of day and month in the log's other files.
    fn date(
        &self,
        options: &ImportOptions,
        elsewhere: Option<DateFormat>,
    ) -> Result<(Option<DateFormat>, String), DataError> {
        let column = || self.column.clone();
        if self.typed {
            return Ok((None, "moments, by the column's type".to_owned()));
        }
        if let Some(format) = options.read.date_format {
            if self.dates.cells() > 0 && !self.fits_given {
                let example = format!("a cell looks like `{}`, not {format}", crate::quality::mask(&self.first_cell));
                return Err(DataError::NotDates { column: column(), example });
            }
            return Ok((Some(format), format!("{format}: --date-format says so")));
        }
        match self.dates.decide(options.now) {
            DateDecision::Found(format, why) => Ok((Some(format), format!("{format}: {why}"))),
            DateDecision::Ambiguous => match elsewhere {
                Some(format) => Ok((Some(format), format!("{format}: as in the log's other files"))),
                None => Err(DataError::AmbiguousDates { column: column() }),
            },
            DateDecision::None(example) => {
                let example = match example {
                    Some(shape) => format!("a cell looks like `{shape}`"),
                    None if self.dates.cells() == 0 => "every cell is empty".into(),
                    None => "its cells have several formats".into(),
                };
                Err(DataError::NotDates { column: column(), example })
            }
        }
    }

    fn formats(&self, options: &ImportOptions, all: &[Evidence]) -> Result<Formats, DataError> {
        let mut orders = all.iter().filter_map(|e| match e.dates.decide(options.now) {
            DateDecision::Found(f, _) if matches!(f, DateFormat::DayFirst | DateFormat::MonthFirst) => Some(f),
            _ => None,
        });
        let first = orders.next();
        let elsewhere = first.filter(|f| orders.all(|other| other == *f));
        let (date, date_words) = self.date(options, elsewhere)?;
        // whole numbers say nothing of the sign: the other files may
        let pooled = |of: fn(&Evidence) -> &NumberEvidence| {
            let mut pool = NumberEvidence::default();
            if of(self).is_clear() {
                pool.merge(of(self));
            } else {
                all.iter().for_each(|e| pool.merge(of(e)));
            }
            if self.semicolons { pool.decide_behind_semicolons() } else { pool.decide() }
        };
        let (amount_sign, amount_note) = pooled(|e| &e.amount);
        let (quantity_sign, quantity_note) = pooled(|e| &e.quantity);
        // a shop writes all its numbers alike: whole quantities say nothing, their amounts do
        let quantity_sign = if amount_sign == DecimalSign::Comma { amount_sign } else { quantity_sign };
        let given = options.read.decimal;
        Ok(Formats {
            date,
            date_words,
            amount_sign: given.unwrap_or(amount_sign),
            quantity_sign: given.unwrap_or(quantity_sign),
            notes: if given.is_some() { Vec::new() } else { amount_note.into_iter().chain(quantity_note).collect() },
        })
    }
}

/// The formats of file `i` of the log whose files gave this evidence.
///
/// # Errors
/// When the time column is not written in one format, or day and month cannot be told apart in any file.
pub(crate) fn decide(all: &[Evidence], i: usize, options: &ImportOptions) -> Result<Formats, DataError> {
    all[i].formats(options, all)
}
