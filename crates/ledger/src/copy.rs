//! A SQLite ledger into PostgreSQL, beside whatever proxies have written there already.
//!
//! Rows go first, the newest before the older ones, a batch at a time with a note of how far it is: a copy
//! that was stopped goes on from there. Sums follow in one transaction, with the numbers of names changed
//! to those of the target. What was copied is then like the work of a proxy that is gone: the others fold
//! it further.

use std::collections::HashMap;

use record::{MetricRecord, Name, UnixMillis};

use crate::codes::{Code as _, Kind};
use crate::dictionary::Dictionary;
use crate::engine::{Engine, Session, Store};
use crate::error::{AppendError, OpenError, QueryError};
use crate::postgres::{self, masked_url};
use crate::reader::Selection;
use crate::rollup::{Axes, Bucket, Cube, Slice};
use crate::sheet::{Cells, Sheet};
use crate::sqlite;

/// Rows of one batch.
const BATCH_LEN: usize = 4_096;

/// Names that are looked up at once.
const NAMES_LEN: usize = 10_000;

/// The end of all time in seconds, far from where milliseconds overflow.
const NEVER_S: i64 = i64::MAX / 4_096;

/// How far a copy is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CopyStep {
    /// Requests are copied.
    Requests {
        /// How many are.
        copied: u64,
        /// How many there are.
        of: u64,
    },
    /// Sums are copied.
    Sums {
        /// Stored values that are.
        copied: u64,
    },
}

/// A finished copy; what is in the target was counted again and is equal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Copied {
    /// Requests with their rows.
    pub requests: u64,
    /// Stored values of sums.
    pub sums: u64,
}

/// Why a copy was not finished. Run it again: it goes on where it was.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The source or the target is of the wrong kind.
    #[error("a ledger is copied from sqlite://... to postgres://..., not from `{from}` to `{to}`")]
    Direction {
        /// The source.
        from: String,
        /// The target.
        to: String,
    },
    /// One of them cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// There is no ledger to copy.
    #[error("there is no ledger at `{from}`")]
    Missing {
        /// The source.
        from: String,
    },
    /// It was done before.
    #[error("`{from}` was copied to `{to}` before; copying it again would count its requests twice")]
    Done {
        /// The source.
        from: String,
        /// The target.
        to: String,
    },
    /// The source cannot be read.
    #[error("cannot read the ledger to copy")]
    Read(#[from] QueryError),
    /// The target refused.
    #[error("cannot write the copy")]
    Write(#[from] AppendError),
    /// The target does not hold what was copied.
    #[error("the copy holds {found} {what} instead of {expected}")]
    Differs {
        /// What was counted.
        what: &'static str,
        /// In the source.
        expected: u64,
        /// In the target.
        found: u64,
    },
}

/// Where a copy goes.
struct Target {
    store: Store,
    dictionary: Dictionary,
}

/// Copies a SQLite ledger into a PostgreSQL ledger. No proxy may write to the source meanwhile; any may
/// write to the target.
///
/// # Errors
/// It is not finished. What was copied stays, and the next attempt goes on from there.
pub async fn copy(from: &str, to: &str, mut progress: impl FnMut(CopyStep)) -> Result<Copied, CopyError> {
    let (shown_from, shown_to) = (masked_url(from), masked_url(to));
    let Some(path) = sqlite::path_of(from)?.filter(|_| postgres::is_postgres(to)) else {
        return Err(CopyError::Direction {
            from: shown_from,
            to: shown_to,
        });
    };
    if !path.exists() {
        return Err(CopyError::Missing { from: shown_from });
    }
    // Held to the end: as long as it is, no proxy writes there. It also migrates the file.
    let source = sqlite::Store::open(from).await?;
    let name = format!("copy of {}", path.canonicalize().unwrap_or(path).display());
    let mut store = Store::open(to, &name.as_str().into()).await?;
    store.ready().await?;
    let mut target = Target {
        dictionary: Dictionary::open(&mut store).await?,
        store,
    };
    let Some(mut session) = Engine::open(from)?.session().await? else {
        return Err(CopyError::Missing { from: shown_from });
    };
    let Some(begun) = target.store.copied().await? else {
        return Err(CopyError::Done {
            from: shown_from,
            to: shown_to,
        });
    };
    let requests = target.requests(&mut session, begun, &mut progress).await?;
    let sums = target.sums(&mut session, &mut progress).await?;
    session.finish().await?;
    target.store.close().await?;
    source.close().await?;
    Ok(Copied { requests, sums })
}

// === impl Target ===

impl Target {
    /// Copies rows, the newest first.
    async fn requests(
        &mut self,
        session: &mut Session,
        begun: postgres::Progress,
        progress: &mut impl FnMut(CopyStep),
    ) -> Result<u64, CopyError> {
        let ever = (UnixMillis(0), UnixMillis(i64::MAX));
        let of = session.tally(ever).await?;
        let mut now = begun;
        loop {
            let page = session
                .page(&Selection::default(), 0..now.until_id, BATCH_LEN)
                .await?;
            let Some((last, _)) = page.last() else { break };
            now = postgres::Progress {
                until_id: *last,
                rows: now.rows + u64::try_from(page.len()).unwrap_or(0),
            };
            let records: Vec<MetricRecord> = page.into_iter().map(|(_, record)| record).collect();
            let entries = self.dictionary.entries(&mut self.store, &records).await?;
            self.store.copy_rows(&entries, now).await?;
            progress(CopyStep::Requests { copied: now.rows, of });
        }
        counted("requests", of, now.rows)?;
        Ok(now.rows)
    }

    /// Copies sums, and with them what the tiers hold.
    async fn sums(
        &mut self,
        session: &mut Session,
        progress: &mut impl FnMut(CopyStep),
    ) -> Result<u64, CopyError> {
        let numbers = self.numbers(session).await?;
        let states = session.states().await?;
        let mut sheets = Vec::new();
        let mut expected = 0;
        for cube in Cube::ALL {
            for seconds in cube.tiers() {
                let slice = Slice {
                    cube,
                    seconds: *seconds,
                    from_s: 0,
                    to_s: NEVER_S,
                };
                expected += session.count(slice).await?;
                collect(session, slice, &numbers, &mut sheets).await?;
                progress(CopyStep::Sums {
                    copied: u64::try_from(sheets.len()).unwrap_or(0),
                });
            }
        }
        let found = self.store.copy_sheets(&sheets, &states).await?;
        counted("requests in its sums", expected, found)?;
        Ok(u64::try_from(sheets.len()).unwrap_or(0))
    }

    /// The target's number for each number of the source. 0 stands for unknown in both.
    async fn numbers(&mut self, session: &mut Session) -> Result<HashMap<i64, i64>, CopyError> {
        let mut numbers = HashMap::from([(0, 0)]);
        for kind in Kind::LIST {
            let named = session.names_with(*kind, "").await?;
            for chunk in named.chunks(NAMES_LEN) {
                let names: Vec<(Kind, Name)> =
                    chunk.iter().map(|(_, name)| (*kind, Name::clone(name))).collect();
                let found = self.store.make_names(&names).await?;
                numbers.extend(chunk.iter().map(|(id, _)| *id).zip(found));
            }
        }
        Ok(numbers)
    }
}

/// Reads the sheets of a slice, one for each bucket, under the target's numbers.
async fn collect(
    session: &mut Session,
    slice: Slice,
    numbers: &HashMap<i64, i64>,
    sheets: &mut Vec<Sheet>,
) -> Result<(), QueryError> {
    let number = |id: i64| numbers.get(&id).copied().unwrap_or(0);
    let renamed = |axes: Axes| Axes {
        name: number(axes.name),
        model: number(axes.model),
        pool: number(axes.pool),
        replica: number(axes.replica),
        endpoint: axes.endpoint,
    };
    let mut open: Option<(Bucket, Cells)> = None;
    session
        .sheets(slice, |at_s, bytes| {
            let bucket = Bucket {
                cube: slice.cube,
                seconds: slice.seconds,
                at_s,
            };
            if let Some((before, cells)) = open.take_if(|(before, _)| *before != bucket) {
                sheets.push(under(before, &cells, renamed));
            }
            let (_, cells) = open.get_or_insert_with(|| (bucket, Cells::new(slice.cube)));
            cells.merge(bucket, bytes).ok_or(QueryError::Row)
        })
        .await?;
    if let Some((bucket, cells)) = open {
        sheets.push(under(bucket, &cells, renamed));
    }
    Ok(())
}

/// The sheet of some cells under other dimensions.
fn under(bucket: Bucket, cells: &Cells, axes: impl Fn(Axes) -> Axes) -> Sheet {
    let mut renamed = Cells::new(bucket.cube);
    renamed.absorb(cells, axes);
    renamed.sheet(bucket)
}

fn counted(what: &'static str, expected: u64, found: u64) -> Result<(), CopyError> {
    if expected == found {
        return Ok(());
    }
    Err(CopyError::Differs {
        what,
        expected,
        found,
    })
}
