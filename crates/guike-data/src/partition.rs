//! From rows in file order to customers with their rows in time order, out of core under a memory limit.
//!
//! Rows go to one of up to 1024 partitions by their customer code and are kept as packed runs; beyond the
//! limit the runs are written to a nameless temporary file, which the operating system removes even if the
//! program is killed. A partition is small enough for the processor's cache: there a counting sort brings customers
//! together, small sorts order each customer's rows by (time, source order), the cleaning looks at each customer once,
//! and whoever asked gets her events. Partitions run on threads; what they give is put in customer order, so that
//! neither the number of threads, nor of partitions, nor the limit changes a bit.

use std::path::PathBuf;

use guike_core::{EventLog, EventLogBuilder, Events, Progress};
use rayon::prelude::*;

use crate::error::DataError;
use crate::packed::{RUN_ROWS, Run};
use crate::quality::Ledger;
use crate::rows::{CustomerRows, Dictionaries, RowBatch, RowColumns, RowSink};
use crate::seen::Seen;
use crate::sorted::{Buffers, SortedPartition};
use crate::spill::Spill;

/// How much memory rows may take, and where they go beyond it.
#[derive(Debug, Clone)]
pub struct PartitionConfig {
    /// Bytes of packed rows kept in memory. Default 512 MiB: about 30 million rows of a plain log.
    pub memory_limit: usize,
    /// Folder for what does not fit; the system's temporary folder when `None`.
    pub temporary_folder: Option<PathBuf>,
}

impl Default for PartitionConfig {
    fn default() -> PartitionConfig {
        PartitionConfig { memory_limit: 512 << 20, temporary_folder: None }
    }
}

/// Rows per partition that keep its sort inside the second-level cache.
const PARTITION_ROWS: u64 = 40_000;
/// Partitions where the number of rows is not known beforehand.
const DEFAULT_BITS: u32 = 8;
const MAX_BITS: u32 = 10;

/// What is done to each customer's sorted rows before anyone sees them.
pub type Cleaning<'a> = &'a (dyn Fn(&mut CustomerRows<'_>, &mut Ledger) + Sync);

/// Takes rows in file order; [`Partitioner::finish`] gives them by customer.
#[derive(Debug)]
pub struct Partitioner {
    config: PartitionConfig,
    columns: RowColumns,
    bits: u32,
    /// Batches that are not yet runs, in groups of one run each.
    pending: Vec<Vec<RowBatch>>,
    pending_rows: usize,
    rows: Rows,
}

/// The rows so far: first those on disk, then those in memory.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    spill: Option<Spill>,
    runs: Vec<Run>,
    bytes: usize,
    n: u64,
    seen: Seen,
}

impl Rows {
    /// Takes one more run, and writes all that are in memory to disk when they are beyond the limit.
    pub(crate) fn push(&mut self, run: Run, config: &PartitionConfig, partitions: usize) -> Result<(), DataError> {
        self.n += run.rows();
        self.seen.merge(&run.seen);
        self.bytes += run.bytes();
        self.runs.push(run);
        if self.bytes > config.memory_limit {
            let spill = match &mut self.spill {
                Some(spill) => spill,
                none => none.insert(Spill::create(config.temporary_folder.as_deref())?),
            };
            spill.write(std::mem::take(&mut self.runs), partitions)?;
            self.bytes = 0;
        }
        Ok(())
    }
}

impl Partitioner {
    /// Nothing taken yet.
    pub fn new(config: PartitionConfig) -> Partitioner {
        Partitioner {
            config,
            columns: RowColumns::default(),
            bits: DEFAULT_BITS,
            pending: Vec::new(),
            pending_rows: 0,
            rows: Rows::default(),
        }
    }

    /// Partitions as a power of two; rows go by the low bits of their customer code.
    pub(crate) fn bits(&self) -> u32 {
        self.bits
    }

    /// Takes runs that were built elsewhere, with this partitioner's [`Partitioner::bits`].
    pub(crate) fn push_runs(&mut self, runs: Vec<Run>) -> Result<(), DataError> {
        let Partitioner { config, bits, rows, .. } = self;
        runs.into_iter().try_for_each(|run| rows.push(run, config, 1 << *bits))
    }

    /// Makes runs of the waiting batches, on all threads.
    fn flush(&mut self) -> Result<(), DataError> {
        let groups = std::mem::take(&mut self.pending);
        self.pending_rows = 0;
        let (columns, bits) = (self.columns, self.bits);
        let runs = groups.par_iter().map(|group| Run::build(group, columns, bits)).collect();
        self.push_runs(runs)
    }

    /// All rows, by customer.
    ///
    /// # Errors
    /// When the temporary file cannot be written.
    pub fn finish(mut self) -> Result<Partitioned, DataError> {
        self.flush()?;
        Ok(Partitioned { columns: self.columns, bits: self.bits, rows: self.rows })
    }
}

impl RowSink for Partitioner {
    fn begin(&mut self, columns: RowColumns, rows_hint: Option<u64>) -> Result<(), DataError> {
        self.columns = columns;
        if let Some(rows) = rows_hint {
            self.bits = rows.div_ceil(PARTITION_ROWS).next_power_of_two().trailing_zeros().min(MAX_BITS);
        }
        Ok(())
    }

    fn push(&mut self, batch: RowBatch) -> Result<(), DataError> {
        assert!(batch.fits(self.columns), "every batch carries the announced columns");
        let rows = batch.len();
        match self.pending.last_mut() {
            Some(group) if group.iter().map(RowBatch::len).sum::<usize>() + rows <= RUN_ROWS => group.push(batch),
            _ => self.pending.push(vec![batch]),
        }
        self.pending_rows += rows;
        if self.pending_rows >= RUN_ROWS * rayon::current_num_threads().min(8) {
            self.flush()?;
        }
        Ok(())
    }
}

/// All rows of a log, by customer and time once asked for.
#[derive(Debug)]
pub struct Partitioned {
    columns: RowColumns,
    bits: u32,
    rows: Rows,
}

impl Partitioned {
    /// Rows whose customer codes have their partition in the low `bits`.
    pub(crate) fn of(columns: RowColumns, bits: u32, rows: Rows) -> Partitioned {
        Partitioned { columns, bits, rows }
    }

    /// Number of rows taken.
    pub fn n_rows(&self) -> u64 {
        self.rows.n
    }

    /// Whether rows had to be written to disk.
    pub fn spilled(&self) -> bool {
        self.rows.spill.is_some()
    }

    /// Which optional columns the rows have.
    pub fn columns(&self) -> RowColumns {
        self.columns
    }

    /// What the rows have shown, before cleaning.
    pub(crate) fn seen(&self) -> &Seen {
        &self.rows.seen
    }

    /// `work` on every partition, on all threads, each partition's customers sorted and cleaned; the results in the order
    /// of the partitions, and what the cleaning counted.
    ///
    /// # Errors
    /// When the temporary file cannot be read, or the caller asked to stop.
    pub fn map<R: Send>(
        &self,
        clean: Option<Cleaning<'_>>,
        progress: &dyn Progress,
        work: impl Fn(&SortedPartition<'_>) -> Result<R, DataError> + Sync,
    ) -> Result<(Vec<R>, Ledger), DataError> {
        let each = |buffers: &mut Buffers, partition: usize| {
            progress.check()?;
            let mut ledger = Ledger::default();
            let sorted = self.sorted(partition, self.columns, clean, buffers, &mut ledger)?;
            let rows = sorted.n_rows_read();
            let result = work(&sorted)?;
            progress.advance(rows as u64);
            Ok((result, ledger))
        };
        progress.stage("sort by customer", self.rows.n);
        let done: Vec<(R, Ledger)> = (0..1_usize << self.bits)
            .into_par_iter()
            .map_init(Buffers::default, |buffers, partition| each(buffers, partition))
            .collect::<Result<_, DataError>>()?;
        let mut ledger = Ledger::default();
        let mut results = Vec::with_capacity(done.len());
        for (result, counts) in done {
            ledger.merge(counts);
            results.push(result);
        }
        Ok((results, ledger))
    }

    /// One partition, sorted and cleaned, with the columns that are asked for.
    pub(crate) fn sorted<'a>(
        &self,
        partition: usize,
        columns: RowColumns,
        clean: Option<Cleaning<'_>>,
        buffers: &'a mut Buffers,
        ledger: &mut Ledger,
    ) -> Result<SortedPartition<'a>, DataError> {
        buffers.clear();
        if let Some(spill) = &self.rows.spill {
            spill.read(partition, columns, buffers)?;
        }
        buffers.take(&self.rows.runs, partition, columns);
        Ok(buffers.sort(partition as u32, self.bits, columns, clean, ledger))
    }

    /// Calls `each` once per customer with her code and sorted, cleaned events; from several threads, in no order.
    ///
    /// # Errors
    /// As [`Partitioned::map`].
    pub fn for_each_customer(
        &self,
        clean: Option<Cleaning<'_>>,
        progress: &dyn Progress,
        each: impl Fn(u32, Events<'_>) + Sync,
    ) -> Result<Ledger, DataError> {
        let all = |sorted: &SortedPartition<'_>| {
            sorted.customers().for_each(|(code, events)| each(code, events));
            Ok(())
        };
        Ok(self.map(clean, progress, all)?.1)
    }

    /// The whole log in memory, customers in the order of the dictionaries; those without a kept row are left out.
    ///
    /// # Errors
    /// As [`Partitioned::map`].
    pub fn into_log(
        self,
        names: Dictionaries,
        clean: Option<Cleaning<'_>>,
        progress: &dyn Progress,
    ) -> Result<(EventLog, Ledger), DataError> {
        let columns = self.columns;
        let (parts, ledger) = self.map(clean, progress, |sorted| Ok(Part::of(sorted, columns)))?;
        drop(self.rows);
        // where the run of each customer lies, by final rank
        let mut place: Vec<Option<(u32, u32, u32)>> = vec![None; names.customer_ids.len()];
        for (p, part) in parts.iter().enumerate() {
            for (&code, range) in part.codes.iter().zip(part.offsets.windows(2)) {
                if range[0] < range[1] {
                    place[names.customer_rank[code as usize] as usize] = Some((p as u32, range[0], range[1]));
                }
            }
        }
        let mut offsets = vec![0_u64];
        let mut customer_ids = Vec::new();
        let mut runs = Vec::new();
        for (id, place) in names.customer_ids.into_iter().zip(place) {
            if let Some((p, from, to)) = place {
                runs.push((p, from, to));
                customer_ids.push(id);
                offsets.push(offsets.last().copied().unwrap_or(0) + u64::from(to - from));
            }
        }
        let rows = offsets.last().copied().unwrap_or(0) as usize;
        let gather = Gather { runs: &runs, rows };
        let mut parts = parts;
        // one column at a time, so that only one is held twice
        let log = EventLogBuilder {
            customer_ids,
            offsets,
            time: gather.column(&mut parts, |p| &mut p.time),
            kind: gather.column(&mut parts, |p| &mut p.kind),
            amount: gather.column(&mut parts, |p| &mut p.amount),
            quantity: gather.optional(columns.quantity, &mut parts, |p| &mut p.quantity),
            item: gather.optional(columns.item, &mut parts, |p| &mut p.item),
            category: gather.optional(columns.category, &mut parts, |p| &mut p.category),
            order: gather.optional(columns.order, &mut parts, |p| &mut p.order),
            items: names.items,
            categories: names.categories,
            currency: names.currency,
            attributes: None,
        };
        Ok((log.build(), ledger))
    }
}

/// One partition's customers, copied out of the thread's buffers.
#[derive(Debug, Default)]
struct Part {
    codes: Vec<u32>,
    offsets: Vec<u32>,
    time: Vec<i64>,
    kind: Vec<u8>,
    amount: Vec<i64>,
    quantity: Vec<f32>,
    item: Vec<u32>,
    category: Vec<u32>,
    order: Vec<u32>,
}

impl Part {
    fn of(sorted: &SortedPartition<'_>, columns: RowColumns) -> Part {
        // columns that grow by doubling would hold up to twice their rows, and these are the whole log together
        let n = sorted.n_rows_read();
        let if_there = |is_there: bool| if is_there { n } else { 0 };
        let mut part = Part {
            codes: Vec::new(),
            offsets: vec![0],
            time: Vec::with_capacity(n),
            kind: Vec::with_capacity(n),
            amount: Vec::with_capacity(n),
            quantity: Vec::with_capacity(if_there(columns.quantity)),
            item: Vec::with_capacity(if_there(columns.item)),
            category: Vec::with_capacity(if_there(columns.category)),
            order: Vec::with_capacity(if_there(columns.order)),
        };
        for (code, e) in sorted.customers() {
            part.codes.push(code);
            part.time.extend(e.time);
            part.kind.extend(e.kind);
            part.amount.extend(e.amount);
            part.quantity.extend(e.quantity);
            part.item.extend(e.item);
            part.category.extend(e.category);
            part.order.extend(e.order);
            part.offsets.push(part.time.len() as u32);
        }
        part
    }
}

/// Copies customers' runs from the partitions into the order of the log.
struct Gather<'a> {
    runs: &'a [(u32, u32, u32)],
    rows: usize,
}

impl Gather<'_> {
    fn column<T: Copy>(&self, parts: &mut [Part], of: impl Fn(&mut Part) -> &mut Vec<T>) -> Vec<T> {
        let columns: Vec<Vec<T>> = parts.iter_mut().map(|p| std::mem::take(of(p))).collect();
        let mut all = Vec::with_capacity(self.rows);
        for &(p, from, to) in self.runs {
            all.extend_from_slice(&columns[p as usize][from as usize..to as usize]);
        }
        all
    }

    fn optional<T: Copy>(&self, filled: bool, parts: &mut [Part], of: impl Fn(&mut Part) -> &mut Vec<T>) -> Vec<T> {
        if filled { self.column(parts, of) } else { Vec::new() }
    }
}
