//! A sheet: the cells of one bucket that were written together, as one stored value.
//!
//! A batch adds a sheet to each bucket that it touches and reads none; readers add up the sheets of a bucket;
//! the writer merges them now and then (`fold.rs`). One value for many cells is what makes both cheap: a
//! year by model is a few hundred values, and a user's day is about twenty bytes.

use std::collections::hash_map::Entry;

use foldhash::HashMap;
use record::UnixMillis;

use crate::cell::{Cell, Counts, Sample, Wanted};
use crate::rollup::{Axes, Bucket, Cube};
use crate::varint;

/// First byte of a stored sheet.
const FORMAT: u64 = 1;

/// What is stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Sheet {
    pub(crate) bucket: Bucket,
    /// Requests in all its cells together. A request with several tags counts for each.
    pub(crate) requests: u64,
    /// The canonical form: equal cells, equal bytes.
    pub(crate) bytes: Vec<u8>,
}

/// The cells of a bucket in memory.
#[derive(Clone, Debug)]
pub(crate) enum Cells {
    /// With distributions.
    Whole(HashMap<Axes, Cell>),
    /// Counts alone.
    Counts(HashMap<Axes, Counts>),
}

/// The cells of a stored sheet, one after the other.
#[derive(Debug)]
pub(crate) struct Entries<'b> {
    bytes: &'b [u8],
    cube: Cube,
    name: i64,
}

/// One cell of a stored sheet, not read yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stored<'b> {
    pub(crate) axes: Axes,
    bytes: &'b [u8],
}

// === impl Cells ===

impl Cells {
    /// None yet, of the kind that a cube has.
    pub(crate) fn new(cube: Cube) -> Self {
        if cube.holds_spreads() {
            Self::Whole(HashMap::default())
        } else {
            Self::Counts(HashMap::default())
        }
    }

    /// Adds one request to a cell.
    pub(crate) fn add(&mut self, axes: Axes, sample: &Sample) {
        match self {
            Self::Whole(cells) => cells.entry(axes).or_default().add(sample),
            Self::Counts(cells) => cells.entry(axes).or_default().add(sample),
        }
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Whole(cells) => cells.is_empty(),
            Self::Counts(cells) => cells.is_empty(),
        }
    }

    /// How many cells there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Whole(cells) => cells.len(),
            Self::Counts(cells) => cells.len(),
        }
    }

    /// Adds the cells of another bucket of the same cube, under other dimensions.
    pub(crate) fn absorb(&mut self, other: &Self, axes: impl Fn(Axes) -> Axes) {
        match (self, other) {
            (Self::Whole(sum), Self::Whole(cells)) => {
                for (from, cell) in cells {
                    sum.entry(axes(*from)).or_default().merge(cell);
                }
            }
            (Self::Counts(sum), Self::Counts(cells)) => {
                for (from, counts) in cells {
                    sum.entry(axes(*from)).or_default().merge(counts);
                }
            }
            // A cube has one kind of cells.
            _ => debug_assert!(false, "cells of two cubes"),
        }
    }

    /// Adds the cells of a stored sheet; `None` when it is none.
    pub(crate) fn merge(&mut self, bucket: Bucket, bytes: &[u8]) -> Option<()> {
        let base = bucket.begin();
        let mut entries = Entries::new(bucket.cube, bytes)?;
        while let Some(stored) = entries.next()? {
            match self {
                Self::Whole(cells) => {
                    let cell = stored.cell(base)?;
                    match cells.entry(stored.axes) {
                        Entry::Occupied(mut sum) => sum.get_mut().merge(&cell),
                        // Moved, not copied: most sheets bring cells that were not there.
                        Entry::Vacant(place) => {
                            place.insert(cell);
                        }
                    }
                }
                Self::Counts(cells) => {
                    stored.add_counts(base, cells.entry(stored.axes).or_default())?;
                }
            }
        }
        Some(())
    }

    /// The stored form.
    pub(crate) fn sheet(&self, bucket: Bucket) -> Sheet {
        let base = bucket.begin();
        let mut bytes = Vec::with_capacity(1_024);
        varint::put(&mut bytes, FORMAT);
        let mut requests = 0;
        match self {
            Self::Whole(cells) => write(&mut bytes, bucket.cube, cells, |cell, bytes| {
                requests += cell.counts.requests;
                cell.encode(base, bytes);
            }),
            Self::Counts(cells) => write(&mut bytes, bucket.cube, cells, |counts, bytes| {
                requests += counts.requests;
                counts.encode(base, bytes);
            }),
        }
        Sheet {
            bucket,
            requests,
            bytes,
        }
    }
}

// === impl Entries ===

impl<'b> Entries<'b> {
    /// Reads a stored sheet of a cube; `None` when it is none.
    pub(crate) fn new(cube: Cube, mut bytes: &'b [u8]) -> Option<Self> {
        (varint::take(&mut bytes)? == FORMAT).then_some(Self { bytes, cube, name: 0 })
    }

    /// The next cell; `Some(None)` after the last, `None` when the bytes are no sheet.
    pub(crate) fn next(&mut self) -> Option<Option<Stored<'b>>> {
        if self.bytes.is_empty() {
            return Some(None);
        }
        let bytes = &mut self.bytes;
        let mut axes = Axes::default();
        if !self.cube.holds_spreads() {
            // Sorted by name: the distance to the one before takes one byte, not three.
            self.name = self.name.checked_add(take(bytes)?)?;
            axes.name = self.name;
        }
        axes.model = take(bytes)?;
        if self.cube == Cube::Route {
            axes.pool = take(bytes)?;
            axes.replica = take(bytes)?;
            axes.endpoint = take(bytes)?;
        }
        let len = varint::take(bytes)?;
        let bytes = varint::take_slice(bytes, len)?;
        Some(Some(Stored { axes, bytes }))
    }
}

// === impl Stored ===

impl Stored<'_> {
    /// The whole cell, of a cube that holds distributions.
    pub(crate) fn cell(&self, base: UnixMillis) -> Option<Cell> {
        Cell::decode(base, self.bytes)
    }

    /// The cell with the distributions that are wanted, of a cube that holds distributions.
    pub(crate) fn cell_with(&self, base: UnixMillis, wanted: Wanted) -> Option<Cell> {
        Cell::decode_some(base, self.bytes, wanted)
    }

    /// Adds the counts of any cell to a sum.
    pub(crate) fn add_counts(&self, base: UnixMillis, sum: &mut Counts) -> Option<()> {
        sum.add_stored(base, &mut { self.bytes })
    }
}

// === impl Bucket ===

impl Bucket {
    /// When it begins.
    pub(crate) fn begin(self) -> UnixMillis {
        UnixMillis(self.at_s.saturating_mul(1_000))
    }
}

fn write<C>(
    bytes: &mut Vec<u8>,
    cube: Cube,
    cells: &HashMap<Axes, C>,
    mut encode: impl FnMut(&C, &mut Vec<u8>),
) {
    let mut sorted: Vec<(&Axes, &C)> = cells.iter().collect();
    sorted.sort_unstable_by_key(|(axes, _)| **axes);
    let mut body = Vec::with_capacity(256);
    let mut name = 0;
    for (axes, cell) in sorted {
        if !cube.holds_spreads() {
            put(bytes, axes.name - name);
            name = axes.name;
        }
        put(bytes, axes.model);
        if cube == Cube::Route {
            put(bytes, axes.pool);
            put(bytes, axes.replica);
            put(bytes, axes.endpoint);
        }
        body.clear();
        encode(cell, &mut body);
        varint::put(bytes, u64::try_from(body.len()).unwrap_or(u64::MAX));
        bytes.extend_from_slice(&body);
    }
}

/// Numbers of names are counted up from 1 by the database: never negative.
fn put(bytes: &mut Vec<u8>, id: i64) {
    varint::put(bytes, u64::try_from(id).unwrap_or(0));
}

fn take(bytes: &mut &[u8]) -> Option<i64> {
    i64::try_from(varint::take(bytes)?).ok()
}

#[cfg(test)]
mod tests;
