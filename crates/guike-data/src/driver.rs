//! Features of a log that need not fit in memory: partitions stream through the kernel, threads over partitions.
//!
//! Each partition is sorted in a thread's own buffers, each customer passes the kernel once, and only the feature rows
//! stay. The table is the same, bit for bit, as `guike_features::features` gives on the log in memory.

use guike_core::{Cutoff, EventKind, Horizon, Progress, Table};
use guike_features::{FeatureSet, LogShape, Scratch, TableBuilder, compute};

use crate::error::DataError;
use crate::partition::{Cleaning, Partitioned};
use crate::quality::Ledger;
use crate::rows::Dictionaries;
use crate::seen::Seen;
use crate::sorted::SortedPartition;

/// Who the customer codes are, and in which order they appear in results.
#[derive(Debug, Clone, Copy)]
pub enum CustomerNames<'a> {
    /// As the reader's dictionaries say.
    Dictionary(&'a Dictionaries),
    /// Code 0 is the customer with this number, code 1 the next …
    Range {
        /// Number of code 0.
        first: i64,
    },
    /// Numbers by code, and each code's rank.
    Numbers {
        /// Numbers by code.
        ids: &'a [i64],
        /// Final position by code.
        rank: &'a [u32],
    },
}

impl CustomerNames<'_> {
    fn rank(self, code: u32) -> u32 {
        match self {
            CustomerNames::Dictionary(d) => d.customer_rank[code as usize],
            CustomerNames::Range { .. } => code,
            CustomerNames::Numbers { rank, .. } => rank[code as usize],
        }
    }

    fn id(self, code: u32) -> String {
        match self {
            CustomerNames::Dictionary(d) => d.customer_ids[d.customer_rank[code as usize] as usize].clone(),
            CustomerNames::Range { first } => (first + i64::from(code)).to_string(),
            CustomerNames::Numbers { ids, .. } => ids[code as usize].to_string(),
        }
    }
}

/// Features of every customer with a purchase by the cutoff, in the order of the names.
#[derive(Debug, Clone, PartialEq)]
pub struct CustomerFeatures {
    /// One id per row of the table.
    pub customer_ids: Vec<String>,
    /// One column per feature.
    pub table: Table,
}

/// Which customers, names and moment a table of features is about.
#[derive(Debug, Clone, Copy)]
pub struct FeatureQuery<'a> {
    /// The moment of prediction.
    pub cutoff: Cutoff,
    /// Who the codes are.
    pub customers: CustomerNames<'a>,
    /// Names of the category codes.
    pub categories: &'a [String],
}

impl Partitioned {
    /// The shape of the log as read, before cleaning, as it was known at the cutoff.
    pub fn shape(&self, cutoff: Cutoff) -> LogShape {
        self.seen().shape(self.columns(), cutoff)
    }

    /// The features of `set` as of the query's cutoff.
    ///
    /// # Errors
    /// As [`Partitioned::map`].
    pub fn features(
        &self,
        query: FeatureQuery<'_>,
        set: &FeatureSet,
        clean: Option<Cleaning<'_>>,
        progress: &dyn Progress,
    ) -> Result<(CustomerFeatures, Ledger), DataError> {
        let (blocks, ledger) = self.map(clean, progress, |sorted| Ok(Block::of(sorted, query.cutoff, set)))?;
        Ok((assemble(&blocks, query, set), ledger))
    }

    /// All features that the cleaned log offers as of the query's cutoff, exactly those that the log in memory offers.
    ///
    /// # Errors
    /// As [`Partitioned::map`].
    pub fn all_features(
        &self,
        query: FeatureQuery<'_>,
        horizon: Horizon,
        clean: Option<Cleaning<'_>>,
        progress: &dyn Progress,
    ) -> Result<(CustomerFeatures, Ledger), DataError> {
        // what the log offers is only known after cleaning: compute what it may offer at most, then drop the rest
        let mut most = self.shape(query.cutoff);
        most.kinds[EventKind::Refund as usize] |= clean.is_some();
        let set = FeatureSet::all(&most, horizon);
        let (parts, ledger) = self.map(clean, progress, |sorted| {
            let mut seen = Seen::default();
            sorted.customers().for_each(|(_, e)| seen.observe(e.time, e.kind));
            Ok((Block::of(sorted, query.cutoff, &set), seen))
        })?;
        let mut seen = Seen::default();
        let mut blocks = Vec::with_capacity(parts.len());
        for (block, part) in parts {
            seen.merge(&part);
            blocks.push(block);
        }
        let offered = FeatureSet::all(&seen.shape(self.columns(), query.cutoff), horizon);
        let all = assemble(&blocks, query, &set);
        let keep = |name: &str| offered.iter().any(|f| f.name == name);
        let columns = all.table.columns().iter().filter(|c| keep(&c.name)).cloned().collect();
        let table = Table::new(columns).expect("columns of one table");
        Ok((CustomerFeatures { customer_ids: all.customer_ids, table }, ledger))
    }
}

/// Feature rows of one partition's buyers.
#[derive(Debug)]
struct Block {
    codes: Vec<u32>,
    values: Vec<f64>,
}

impl Block {
    fn of(sorted: &SortedPartition<'_>, cutoff: Cutoff, set: &FeatureSet) -> Block {
        let mut scratch = Scratch::default();
        let mut row = vec![0.0; set.len()];
        let mut block = Block { codes: Vec::new(), values: Vec::new() };
        for (code, events) in sorted.customers() {
            let past = events.until(cutoff.end());
            if past.kind.contains(&(EventKind::Purchase as u8)) {
                compute(past, &[cutoff], set, &mut scratch, &mut row);
                block.codes.push(code);
                block.values.extend_from_slice(&row);
            }
        }
        block
    }
}

/// Brings the partitions' rows into the order of the customers.
fn assemble(blocks: &[Block], query: FeatureQuery<'_>, set: &FeatureSet) -> CustomerFeatures {
    const NOBODY: (u32, u32) = (u32::MAX, 0);
    // ranks are places: nothing needs to be compared
    let mut place: Vec<(u32, u32)> = Vec::new();
    for (p, block) in blocks.iter().enumerate() {
        for (row, &code) in block.codes.iter().enumerate() {
            let rank = query.customers.rank(code) as usize;
            if rank >= place.len() {
                place.resize((rank + 1).next_power_of_two(), NOBODY);
            }
            place[rank] = (p as u32, row as u32);
        }
    }
    let width = set.len();
    let n = blocks.iter().map(|b| b.codes.len()).sum();
    let mut builder = TableBuilder::with_capacity(set, n);
    let mut customer_ids = Vec::with_capacity(n);
    for &(p, row) in place.iter().filter(|&&p| p != NOBODY) {
        let (block, row) = (&blocks[p as usize], row as usize);
        customer_ids.push(query.customers.id(block.codes[row]));
        if width > 0 {
            builder.push_rows(&block.values[row * width..(row + 1) * width]);
        }
    }
    CustomerFeatures { customer_ids, table: builder.finish(query.categories, Vec::new()) }
}
