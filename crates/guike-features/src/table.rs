//! Feature tables of many customers: the kernel's rows in columns, with attributes joined on.

use guike_core::{Column, ColumnData, Cutoff, Horizon, Past, Table};

use crate::catalogue::Holds;
use crate::chunks::map_chunks;
use crate::kernel::{Scratch, compute};
use crate::set::{FeatureSet, LogShape};

/// Collects the kernel's rows into columns.
#[derive(Debug, Clone)]
pub struct TableBuilder<'a> {
    set: &'a FeatureSet,
    columns: Vec<Vec<f64>>,
}

impl<'a> TableBuilder<'a> {
    /// No rows yet; room for `rows`.
    pub fn with_capacity(set: &'a FeatureSet, rows: usize) -> TableBuilder<'a> {
        TableBuilder { set, columns: (0..set.len()).map(|_| Vec::with_capacity(rows)).collect() }
    }

    /// Appends rows as [`compute`] writes them: `values` is a multiple of the set's length, row by row.
    ///
    /// # Panics
    /// When a row is incomplete.
    pub fn push_rows(&mut self, values: &[f64]) {
        let width = self.set.len();
        assert!(width > 0 && values.len().is_multiple_of(width), "whole rows");
        for row in values.chunks_exact(width) {
            self.columns.iter_mut().zip(row).for_each(|(column, &value)| column.push(value));
        }
    }

    /// The table; `categories` names the codes of category columns. `attributes` follow under their own names, with
    /// `attribute_` in front where a feature has that name.
    pub fn finish(self, categories: &[String], attributes: Vec<Column>) -> Table {
        let mut columns: Vec<Column> = Vec::with_capacity(self.columns.len() + attributes.len());
        for (feature, values) in self.set.iter().zip(self.columns) {
            columns.push(match feature.definition.holds {
                Holds::Number => Column::numeric(feature.name.clone(), values),
                Holds::Category => {
                    let code = |v: f64| if v.is_nan() { Column::MISSING } else { v as u32 };
                    let codes = values.into_iter().map(code).collect();
                    let data = ColumnData::Categorical { codes, levels: categories.to_vec() };
                    Column { name: feature.name.clone(), data }
                }
            });
        }
        for mut attribute in attributes {
            while columns.iter().any(|c| c.name == attribute.name) {
                attribute.name.insert_str(0, "attribute_");
            }
            columns.push(attribute);
        }
        Table::new(columns).expect("one value per row and column, names made distinct")
    }
}

/// Everything the catalogue and the log offer about these customers, and their attributes.
///
/// # Shapes
/// `customer_idx`: n customers of the log → n rows, same order
pub fn features(past: &Past<'_>, customer_idx: &[u32], horizon: Horizon) -> Table {
    feature_table(past, customer_idx, &FeatureSet::all(&LogShape::of(past), horizon))
}

/// The features of `set` about these customers, and their attributes.
///
/// Give tables that are compared (training anchors and the cutoff) the same set: that of the earliest anchor.
pub fn feature_table(past: &Past<'_>, customer_idx: &[u32], set: &FeatureSet) -> Table {
    let mut tables = tables(past, customer_idx, &[past.cutoff()], set);
    tables.pop().expect("one anchor gives one table")
}

/// One table per anchor in one pass over the customers' events; `anchors` ascend and none is later than the cutoff.
///
/// # Panics
/// When anchors fall or lie after the cutoff.
///
/// # Shapes
/// anchors × (n customers × features): table `k` equals `feature_table` at `anchors[k]`, bit for bit
pub fn feature_tables(past: &Past<'_>, customer_idx: &[u32], anchors: &[Cutoff], set: &FeatureSet) -> Vec<Table> {
    assert!(anchors.iter().all(|&a| a <= past.cutoff()), "anchors lie in the past");
    tables(past, customer_idx, anchors, set)
}

fn tables(past: &Past<'_>, customer_idx: &[u32], anchors: &[Cutoff], set: &FeatureSet) -> Vec<Table> {
    let row = anchors.len() * set.len();
    let blocks = map_chunks(customer_idx, |chunk, scratch: &mut Scratch| {
        let mut values = vec![0.0; chunk.len() * row];
        if row > 0 {
            for (&customer, out) in chunk.iter().zip(values.chunks_exact_mut(row)) {
                compute(past.customer(customer as usize), anchors, set, scratch, out);
            }
        }
        values
    });
    let attributes = attributes(past, customer_idx);
    let categories = past.categories();
    (0..anchors.len())
        .map(|k| {
            let mut builder = TableBuilder::with_capacity(set, customer_idx.len());
            for values in blocks.iter().flat_map(|b| b.chunks_exact(row.max(1))) {
                builder.push_rows(&values[k * set.len()..(k + 1) * set.len()]);
            }
            builder.finish(categories, attributes.clone())
        })
        .collect()
}

/// The customers' attributes, picked from the log's.
fn attributes(past: &Past<'_>, customer_idx: &[u32]) -> Vec<Column> {
    let Some(table) = past.attributes() else { return Vec::new() };
    let pick = |column: &Column| {
        let data = match &column.data {
            ColumnData::Numeric(v) => ColumnData::Numeric(customer_idx.iter().map(|&i| v[i as usize]).collect()),
            ColumnData::Categorical { codes, levels } => ColumnData::Categorical {
                codes: customer_idx.iter().map(|&i| codes[i as usize]).collect(),
                levels: levels.clone(),
            },
        };
        Column { name: column.name.clone(), data }
    };
    table.columns().iter().map(pick).collect()
}
