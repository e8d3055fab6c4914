//! Whether a ledger is what it should be: the file sound, every tier of sums equal to the one below, the
//! finest equal to the rows.

use std::collections::HashMap;
use std::time::Duration;

use record::UnixMillis;

use crate::backup::{self, BackupError};
use crate::engine::{Engine, Session};
use crate::error::{OpenError, QueryError};
use crate::postgres::masked_url;
use crate::rollup::{Cube, Slice, TierStates, align_up};
use crate::sqlite;

/// The end of all time, for slices that have none; in seconds, and far from where milliseconds overflow.
const NEVER_S: i64 = i64::MAX / 4_096;

/// Rows are counted in steps of this length, so that there is progress to tell.
const STEP: Duration = Duration::from_hours(24);

/// How closely the file is looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Depth {
    /// Every page is read and must make sense.
    Quick,
    /// Every index is compared with its table as well; several times slower.
    Full,
}

/// How far an audit is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AuditStep {
    /// The file is read.
    File,
    /// Rows are counted.
    Rows {
        /// How many so far.
        counted: u64,
    },
    /// Sums are compared.
    Sums,
}

/// What an audit found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Audit {
    /// Requests whose rows are stored.
    pub requests: u64,
    /// Requests that are counted in sums and have no row, in the time of which rows are kept: their rows were
    /// dropped when the ledger took none for too long.
    pub without_row: u64,
    /// Every tier of sums.
    pub tiers: Vec<TierAudit>,
    /// What is wrong, in words; empty when the ledger is sound.
    pub findings: Vec<String>,
}

/// A tier of sums, compared with what it was made from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TierAudit {
    /// What it tells apart: `model`, `route`, `key`, `user`, `tag`.
    pub cube: &'static str,
    /// Width of its buckets.
    pub width: Duration,
    /// The span that was compared; the end of the finest tier is open.
    pub from: UnixMillis,
    /// The end of that span; `None` when it is open.
    pub to: Option<UnixMillis>,
    /// Requests in its sums there.
    pub counted: u64,
    /// Requests in the rows, or in the sums of the next finer tier.
    pub expected: u64,
}

/// Counts of rows, each made once: several cubes have the same span.
#[derive(Debug)]
struct Rows {
    newest: Option<UnixMillis>,
    known: HashMap<i64, u64>,
}

/// Why an audit could not be made. What an audit finds is no such error.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// There is nothing that this version can read.
    #[error(
        "there is no ledger at `{url}` that this version can read; start the proxy once, or correct --ledger"
    )]
    Missing {
        /// The address.
        url: String,
    },
    /// The address is none.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A question failed.
    #[error("cannot read the ledger")]
    Read(#[from] QueryError),
}

/// Looks at a ledger, also while it is written to. Reads all of it.
///
/// # Errors
/// It could not be read for another reason than damage.
pub async fn audit(
    url: &str,
    depth: Depth,
    mut progress: impl FnMut(AuditStep),
) -> Result<Audit, AuditError> {
    let mut audit = Audit::default();
    if let Some(path) = sqlite::path_of(url)? {
        progress(AuditStep::File);
        audit.findings = match backup::integrity(&path, depth == Depth::Full).await {
            Ok(findings) => findings,
            Err(BackupError::Missing { .. }) => return Err(AuditError::Missing { url: masked_url(url) }),
            Err(error) => vec![error.to_string()],
        };
        if !audit.findings.is_empty() {
            // Sums of a damaged file say nothing.
            return Ok(audit);
        }
    }
    let Some(mut session) = Engine::open(url)?.session().await? else {
        return Err(AuditError::Missing { url: masked_url(url) });
    };
    audit.compare(&mut session, &mut progress).await?;
    session.finish().await?;
    Ok(audit)
}

// === impl Audit ===

impl Audit {
    async fn compare(
        &mut self,
        session: &mut Session,
        progress: &mut impl FnMut(AuditStep),
    ) -> Result<(), AuditError> {
        let states = session.states().await?;
        let mut rows = Rows {
            newest: session.newest().await?,
            known: HashMap::new(),
        };
        self.requests = rows.since(session, states.rows_kept_from_s(), progress).await?;
        progress(AuditStep::Sums);
        // A request with several tags is in several cells: those sums have nothing to be compared with.
        for cube in Cube::ALL.into_iter().filter(|cube| *cube != Cube::Tag) {
            self.finest(session, cube, &states, &mut rows).await?;
            for pair in cube.tiers().windows(2) {
                if let &[finer, coarser] = pair {
                    self.pair(session, cube, (finer, coarser), &states).await?;
                }
            }
        }
        Ok(())
    }

    /// The finest tier of a cube against the rows, from where both are kept.
    async fn finest(
        &mut self,
        session: &mut Session,
        cube: Cube,
        states: &TierStates,
        rows: &mut Rows,
    ) -> Result<(), AuditError> {
        let &[seconds, ..] = cube.tiers() else {
            return Ok(());
        };
        let from_s = states
            .rows_kept_from_s()
            .max(states.of(cube, seconds).kept_from_s);
        let from_s = align_up(from_s, seconds);
        let counted = session.count(slice(cube, seconds, from_s, NEVER_S)).await?;
        let expected = rows.since(session, from_s, &mut |_| {}).await?;
        self.without_row = self.without_row.max(counted.saturating_sub(expected));
        let tier = TierAudit {
            cube: cube.word(),
            width: Duration::from_secs(seconds.unsigned_abs()),
            from: UnixMillis(from_s * 1_000),
            to: None,
            counted,
            expected,
        };
        if counted < expected {
            self.findings.push(tier.told("rows"));
        }
        self.tiers.push(tier);
        Ok(())
    }

    /// A coarser tier of a cube against the next finer one, from where both are kept to where both are made.
    async fn pair(
        &mut self,
        session: &mut Session,
        cube: Cube,
        (finer, seconds): (i64, i64),
        states: &TierStates,
    ) -> Result<(), AuditError> {
        let (below, held) = (states.of(cube, finer), states.of(cube, seconds));
        let from_s = align_up(below.kept_from_s.max(held.kept_from_s), seconds);
        let to_s = held.folded_until_s;
        if from_s >= to_s {
            return Ok(());
        }
        let tier = TierAudit {
            cube: cube.word(),
            width: Duration::from_secs(seconds.unsigned_abs()),
            from: UnixMillis(from_s * 1_000),
            to: Some(UnixMillis(to_s * 1_000)),
            counted: session.count(slice(cube, seconds, from_s, to_s)).await?,
            expected: session.count(slice(cube, finer, from_s, to_s)).await?,
        };
        if tier.counted != tier.expected {
            self.findings.push(tier.told("the sums that they are made of"));
        }
        self.tiers.push(tier);
        Ok(())
    }
}

// === impl TierAudit ===

impl TierAudit {
    fn told(&self, than: &str) -> String {
        let (cube, width) = (self.cube, record::units::format_duration(self.width));
        let (counted, expected) = (self.counted, self.expected);
        format!("sums of {width} by {cube} count {counted} requests, {than} {expected}")
    }
}

// === impl Rows ===

impl Rows {
    /// Rows of requests that began at or after `from_s`.
    async fn since(
        &mut self,
        session: &mut Session,
        from_s: i64,
        progress: &mut impl FnMut(AuditStep),
    ) -> Result<u64, QueryError> {
        if let Some(counted) = self.known.get(&from_s) {
            return Ok(*counted);
        }
        let (mut from, mut counted) = (UnixMillis(from_s * 1_000), 0);
        while let Some(newest) = self.newest.filter(|newest| from <= *newest) {
            // The first step of a young ledger begins at its first row, not in 1970.
            from = session.oldest(from).await?.unwrap_or(newest);
            let to = from.plus(STEP);
            counted += session.tally((from, to)).await?;
            progress(AuditStep::Rows { counted });
            from = to;
        }
        self.known.insert(from_s, counted);
        Ok(counted)
    }
}

fn slice(cube: Cube, seconds: i64, from_s: i64, to_s: i64) -> Slice {
    Slice {
        cube,
        seconds,
        from_s,
        to_s,
    }
}
