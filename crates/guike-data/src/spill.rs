//! Rows beyond the memory limit: a nameless temporary file, written in generations, read back by partition.
//!
//! A generation is what lay in memory when the limit was reached; in the file its rows are laid out partition by
//! partition, so that reading one partition back is one read per generation.

use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::error::DataError;
use crate::packed::Run;
use crate::rows::RowColumns;
use crate::sorted::Buffers;

/// Rows on disk.
#[derive(Debug)]
pub(crate) struct Spill {
    // one reader at a time: a read is one copy out of the page cache, far shorter than the sort that follows it
    file: Mutex<File>,
    folder: PathBuf,
    end: u64,
    generations: Vec<Generation>,
}

#[derive(Debug)]
struct Generation {
    /// Where each partition's block begins in the file, and the end.
    blocks: Vec<u64>,
    /// The runs without their bytes, in source order.
    runs: Vec<Run>,
}

impl Spill {
    /// An empty file without a name, so that nothing is left behind however the program ends.
    pub(crate) fn create(folder: Option<&Path>) -> Result<Spill, DataError> {
        let folder = folder.map_or_else(std::env::temp_dir, Path::to_owned);
        let file =
            tempfile::tempfile_in(&folder).map_err(|e| DataError::io("create a temporary file in", &folder, e))?;
        Ok(Spill { file: Mutex::new(file), folder, end: 0, generations: Vec::new() })
    }

    /// Writes one generation and lets its bytes go.
    pub(crate) fn write(&mut self, mut runs: Vec<Run>, partitions: usize) -> Result<(), DataError> {
        let mut blocks = Vec::with_capacity(partitions + 1);
        let file = self.file.get_mut().unwrap_or_else(PoisonError::into_inner);
        let write = || -> std::io::Result<u64> {
            file.seek(SeekFrom::Start(self.end))?;
            let mut out = BufWriter::with_capacity(1 << 20, file);
            let mut end = self.end;
            for p in 0..partitions {
                blocks.push(end);
                for run in &runs {
                    let (from, to) = (run.offsets[p], run.offsets[p + 1]);
                    for column in &run.columns {
                        let segment = column.segment(from, to);
                        out.write_all(segment)?;
                        end += segment.len() as u64;
                    }
                }
            }
            out.flush()?;
            Ok(end)
        };
        self.end = write().map_err(|e| DataError::io("write a temporary file in", &self.folder, e))?;
        blocks.push(self.end);
        for column in runs.iter_mut().flat_map(|r| &mut r.columns) {
            column.forget();
        }
        self.generations.push(Generation { blocks, runs });
        Ok(())
    }

    /// Appends one partition's rows of every generation to the buffers, in source order.
    pub(crate) fn read(&self, partition: usize, columns: RowColumns, buffers: &mut Buffers) -> Result<(), DataError> {
        let mut block = std::mem::take(&mut buffers.block);
        for generation in &self.generations {
            let (from, to) = (generation.blocks[partition], generation.blocks[partition + 1]);
            block.resize((to - from) as usize, 0);
            {
                let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
                file.seek(SeekFrom::Start(from))
                    .and_then(|_| file.read_exact(&mut block))
                    .map_err(|e| DataError::io("read a temporary file in", &self.folder, e))?;
            }
            let mut rest = &block[..];
            for run in &generation.runs {
                let rows = run.offsets[partition + 1] - run.offsets[partition];
                let segments = std::array::from_fn(|c| {
                    let (segment, after) = rest.split_at(run.columns[c].segment_len(rows));
                    rest = after;
                    segment
                });
                buffers.append(run, rows, segments, columns);
            }
        }
        buffers.block = block;
        Ok(())
    }
}
