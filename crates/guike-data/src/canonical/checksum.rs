//! What a canonical log says, as numbers that are written with it and found again when it is read.
//!
//! The one idea: one is taken of the file's bytes up to where its metadata begins, and is looked at before anything is decoded,
//! because decoders of Parquet are not made for pages that somebody changed. The other is taken of the log that was meant:
//! whatever a changed bit does to the metadata, which cannot hold a number of itself, what is read is that log or is refused.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};

use arrow_buffer::ToByteSlice;
use guike_core::{EventLogBuilder, Events};
use xxhash_rust::xxh3::Xxh3;

/// Takes rows in their order, in as many calls as one likes.
#[derive(Default)]
pub(super) struct Checksum {
    customers: Xxh3,
    /// Time, kind, amount, quantity, item, category, order.
    columns: [Xxh3; 7],
}

impl Checksum {
    /// A customer, and how many rows are hers.
    pub(super) fn customer(&mut self, id: &str, rows: u64) {
        self.customers.update(id.as_bytes());
        // no text has this byte
        self.customers.update(&[0xff]);
        self.customers.update(&rows.to_le_bytes());
    }

    pub(super) fn rows(&mut self, e: Events<'_>) {
        let [time, kind, amount, quantity, item, category, order] = &mut self.columns;
        time.update(e.time.to_byte_slice());
        kind.update(e.kind);
        amount.update(e.amount.to_byte_slice());
        quantity.update(e.quantity.to_byte_slice());
        item.update(e.item.to_byte_slice());
        category.update(e.category.to_byte_slice());
        order.update(e.order.to_byte_slice());
    }

    /// The number, with what else the file says.
    pub(super) fn finish(self, said: &[&str]) -> String {
        let mut all = Xxh3::new();
        for part in std::iter::once(&self.customers).chain(&self.columns) {
            all.update(&part.digest128().to_le_bytes());
        }
        for text in said {
            all.update(text.as_bytes());
            all.update(&[0xff]);
        }
        format!("{:032x}", all.digest128())
    }
}

/// The checksum of rows that were read.
pub(super) fn of(b: &EventLogBuilder, said: &[&str]) -> String {
    let mut checksum = Checksum::default();
    for (id, w) in b.customer_ids.iter().zip(b.offsets.windows(2)) {
        checksum.customer(id, w[1] - w[0]);
    }
    checksum.rows(Events {
        time: &b.time,
        kind: &b.kind,
        amount: &b.amount,
        quantity: &b.quantity,
        item: &b.item,
        category: &b.category,
        order: &b.order,
    });
    checksum.finish(said)
}

/// Writes through, and takes the checksum of the bytes.
pub(super) struct Through<W> {
    pub(super) inner: W,
    bytes: u64,
    hash: Xxh3,
}

impl<W> Through<W> {
    pub(super) fn new(inner: W) -> Through<W> {
        Through { inner, bytes: 0, hash: Xxh3::new() }
    }

    /// How many bytes were written, and their checksum.
    pub(super) fn so_far(&self) -> (u64, String) {
        (self.bytes, format!("{:032x}", self.hash.digest128()))
    }
}

impl<W: Write> Write for Through<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.hash.update(&bytes[..n]);
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

/// The checksum of the first bytes of a file.
pub(super) fn of_begin(mut file: &File, bytes: u64) -> std::io::Result<String> {
    // whoever read its metadata left it elsewhere
    file.seek(SeekFrom::Start(0))?;
    let mut through = Through::new(std::io::sink());
    std::io::copy(&mut std::io::BufReader::with_capacity(1 << 20, file.take(bytes)), &mut through)?;
    Ok(through.so_far().1)
}
