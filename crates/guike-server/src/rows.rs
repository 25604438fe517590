//! JSON to cells: an object, or a list of objects, whose members are the model's columns.
//!
//! The one idea: the text is read once, straight into the numbers that the model takes; no tree of values is built. What does
//! not fit becomes a [`Problem`] that names row and column and never repeats a value.

use std::fmt;

use guike::table::score::{InputKind, Scorer};
use serde::de::{DeserializeSeed, Deserializer as _, Error as _, MapAccess, SeqAccess, Visitor};

use crate::problem::{Code, Problem};

/// Rows as the model takes them.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    /// One row after the other.
    pub(crate) cells: Vec<f64>,
    /// How many.
    pub(crate) n: usize,
    /// Whether they came as a list.
    pub(crate) is_list: bool,
}

/// Reads a body.
///
/// # Errors
/// [`Problem`] for anything but rows that the model can take, or more than `most` of them.
pub(crate) fn read(scorer: &Scorer, body: &[u8], most: usize) -> Result<Rows, Problem> {
    let is_list = match body.iter().find(|b| !b.is_ascii_whitespace()) {
        Some(b'{') => false,
        Some(b'[') => true,
        found => {
            let what = if found.is_some() { "begins with something else" } else { "is empty" };
            return Err(Problem::new(
                Code::MalformedJson,
                format!("the body {what}; send a customer as a JSON object, or a list of such objects"),
            ));
        }
    };
    let mut reading = Reading {
        scorer,
        most,
        rows: Rows { is_list, ..Rows::default() },
        seen: vec![0; scorer.inputs().len()],
        trouble: None,
    };
    let mut json = serde_json::Deserializer::from_slice(body);
    let read = if is_list {
        json.deserialize_seq(ListVisitor(&mut reading)).and_then(|()| json.end())
    } else {
        RowSeed(&mut reading).deserialize(&mut json).and_then(|()| json.end())
    };
    let Reading { rows, trouble, .. } = reading;
    match (trouble, read) {
        (Some(problem), _) => Err(problem),
        (None, Err(e)) => Err(malformed(&e)),
        (None, Ok(())) => Ok(rows),
    }
}

/// Where the JSON is broken; what stands there is not repeated.
pub(crate) fn malformed(e: &serde_json::Error) -> Problem {
    let what = match e.classify() {
        serde_json::error::Category::Eof => "the body ends too early",
        serde_json::error::Category::Data => "the body holds something other than objects of values",
        _ => "the body is not valid JSON",
    };
    Problem::new(
        Code::MalformedJson,
        format!(
            "{what}, at line {} column {}; JSON has no NaN or infinite numbers: write null for a missing value",
            e.line(),
            e.column()
        ),
    )
}

struct Reading<'a> {
    scorer: &'a Scorer,
    most: usize,
    rows: Rows,
    /// Per column, the last row (counted from 1) that had it.
    seen: Vec<usize>,
    /// What stopped the reading, where it was not the JSON.
    trouble: Option<Problem>,
}

impl Reading<'_> {
    /// Remembers what stopped the reading, and stops it.
    fn stop<E: serde::de::Error>(&mut self, problem: Problem) -> E {
        self.trouble = Some(problem);
        E::custom("stopped")
    }

    fn unknown(&self, name: &str) -> Problem {
        let near = self.scorer.nearest(name).map_or_else(String::new, |n| format!("; is `{n}` meant?"));
        let known: Vec<String> = self.scorer.inputs().iter().take(20).map(|c| format!("`{}`", c.name)).collect();
        let more = if self.scorer.inputs().len() > known.len() { " …" } else { "" };
        let named = if is_a_name(name) { format!("a column `{name}`") } else { "a column of another name".to_owned() };
        Problem::new(
            Code::UnknownColumn,
            format!(
                "row {} has {named}, which the model does not know{near}; it reads {}{more}",
                self.rows.n,
                known.join(", ")
            ),
        )
        .at(self.rows.n, None)
    }

    fn missing(&self) -> Problem {
        let missing: Vec<&str> = self
            .scorer
            .inputs()
            .iter()
            .zip(&self.seen)
            .filter(|(_, row)| **row != self.rows.n)
            .map(|(c, _)| c.name.as_str())
            .collect();
        let quoted: Vec<String> = missing.iter().map(|m| format!("`{m}`")).collect();
        Problem::new(
            Code::MissingColumn,
            format!(
                "row {} lacks {} that the model was trained on: {}; send null where a value is not known",
                self.rows.n,
                if missing.len() == 1 { "a column" } else { "columns" },
                quoted.join(", ")
            ),
        )
        .at(self.rows.n, missing.first().copied())
    }

    fn wrong(&self, column: usize, found: &str) -> Problem {
        let input = &self.scorer.inputs()[column];
        let needs = match &input.kind {
            InputKind::Number => "a number".to_owned(),
            InputKind::Category(_) => "a text".to_owned(),
            InputKind::Date(format) => format!("a date written as `{format}`"),
        };
        Problem::new(
            Code::WrongType,
            format!(
                "column `{}` of row {} holds {found} where the model needs {needs}, or null where it is not known",
                input.name, self.rows.n
            ),
        )
        .at(self.rows.n, Some(&input.name))
    }
}

/// Whether a member's name looks like that of a column: only then is it repeated.
fn is_a_name(text: &str) -> bool {
    text.chars().count() <= 60
        && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | ' ' | '.' | '(' | ')' | '%'))
        && text.chars().filter(char::is_ascii_digit).count() < 5
}

struct ListVisitor<'r, 'a>(&'r mut Reading<'a>);

impl<'de> Visitor<'de> for ListVisitor<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(RowSeed(self.0))?.is_some() {}
        Ok(())
    }
}

struct RowSeed<'r, 'a>(&'r mut Reading<'a>);

impl<'de> DeserializeSeed<'de> for RowSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for RowSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let reading = self.0;
        if reading.rows.n == reading.most {
            let rule = format!(
                "the list has more than {} rows; send it in parts, or start the server with a higher --max-rows",
                reading.most
            );
            return Err(reading.stop(Problem::new(Code::TooManyRows, rule)));
        }
        reading.rows.n += 1;
        let (p, row) = (reading.scorer.inputs().len(), reading.rows.n);
        let first = reading.rows.cells.len();
        reading.rows.cells.resize(first + p, Scorer::MISSING);
        let mut n_seen = 0;
        // members mostly come in the model's order
        while let Some(column) = members.next_key_seed(NameSeed { reading, likely: n_seen })? {
            let Some(column) = column else { return Err(A::Error::custom("stopped")) };
            if reading.seen[column] == row {
                let name = &reading.scorer.inputs()[column].name;
                let problem =
                    Problem::new(Code::DuplicateColumn, format!("row {row} has column `{name}` twice; send it once"))
                        .at(row, Some(name));
                return Err(reading.stop(problem));
            }
            reading.seen[column] = row;
            n_seen += 1;
            let cell = members.next_value_seed(CellSeed { reading, column })?;
            reading.rows.cells[first + column] = cell;
        }
        if n_seen < p {
            let problem = reading.missing();
            return Err(reading.stop(problem));
        }
        Ok(())
    }
}

/// A member's name to the position of its column.
struct NameSeed<'r, 'a> {
    reading: &'r mut Reading<'a>,
    likely: usize,
}

impl<'de> DeserializeSeed<'de> for NameSeed<'_, '_> {
    type Value = Option<usize>;

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<Option<usize>, D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for NameSeed<'_, '_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a column's name")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Option<usize>, E> {
        let scorer = self.reading.scorer;
        if scorer.inputs().get(self.likely).is_some_and(|c| c.name == name) {
            return Ok(Some(self.likely));
        }
        let found = scorer.position(name);
        if found.is_none() {
            let problem = self.reading.unknown(name);
            self.reading.trouble = Some(problem);
        }
        Ok(found)
    }
}

/// A member's value to the cell of its column.
struct CellSeed<'r, 'a> {
    reading: &'r mut Reading<'a>,
    column: usize,
}

impl CellSeed<'_, '_> {
    fn wrong<E: serde::de::Error>(self, found: &str) -> E {
        let problem = self.reading.wrong(self.column, found);
        self.reading.stop(problem)
    }

    fn whole<E: serde::de::Error>(self, value: f64, text: impl FnOnce() -> String) -> Result<f64, E> {
        let scorer = self.reading.scorer;
        // an id of 19 digits is not the number that a float makes of it
        let cell = match scorer.inputs()[self.column].kind {
            InputKind::Number => Ok(value),
            _ => scorer.text(self.column, &text()),
        };
        cell.map_err(|_| self.wrong("a number"))
    }
}

impl<'de> DeserializeSeed<'de> for CellSeed<'_, '_> {
    type Value = f64;

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<f64, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for CellSeed<'_, '_> {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, a text or null")
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<f64, E> {
        let cell = self.reading.scorer.number(self.column, value);
        cell.map_err(|_| self.wrong("a number"))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<f64, E> {
        self.whole(value as f64, || value.to_string())
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<f64, E> {
        self.whole(value as f64, || value.to_string())
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<f64, E> {
        let cell = self.reading.scorer.text(self.column, value);
        cell.map_err(|_| self.wrong("a text"))
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<f64, E> {
        let cell = self.reading.scorer.text(self.column, if value { "true" } else { "false" });
        cell.map_err(|_| self.wrong("true or false"))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<f64, E> {
        Ok(Scorer::MISSING)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<f64, A::Error> {
        Err(self.wrong("a list"))
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<f64, A::Error> {
        Err(self.wrong("an object"))
    }
}
