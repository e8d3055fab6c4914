//! The dictionary, for the writer: finding strings by number and making new ones.

use std::collections::HashMap;

use record::Name;
use rusqlite::{Connection, params};

use crate::codes::{Code as _, Kind};
use crate::sqlite::names::{NUMBERS, json_list};

/// The numbers of some strings, in their order.
pub(super) fn find(connection: &Connection, names: &[(Kind, Name)]) -> rusqlite::Result<Vec<Option<i64>>> {
    let mut ids: HashMap<(Kind, String), i64> = HashMap::with_capacity(names.len());
    for kind in Kind::LIST {
        let wanted: Vec<&Name> = names
            .iter()
            .filter(|(of, _)| of == kind)
            .map(|(_, name)| name)
            .collect();
        if wanted.is_empty() {
            continue;
        }
        let mut numbers = connection.prepare_cached(NUMBERS)?;
        let mut rows = numbers.query(params![kind.code(), json_list(&wanted)])?;
        while let Some(row) = rows.next()? {
            ids.insert((*kind, row.get(1)?), row.get(0)?);
        }
    }
    Ok(names
        .iter()
        .map(|(kind, name)| ids.get(&(*kind, name.to_string())).copied())
        .collect())
}

/// Gives numbers to strings, in the open transaction.
pub(super) fn make(connection: &Connection, names: &[(Kind, Name)]) -> rusqlite::Result<Vec<i64>> {
    // The update changes nothing: it makes RETURNING answer for a row that was there.
    let mut make = connection.prepare_cached(
        "INSERT INTO dim (kind, name) VALUES (?1, ?2) \
         ON CONFLICT (kind, name) DO UPDATE SET name = excluded.name RETURNING id",
    )?;
    names
        .iter()
        .map(|(kind, name)| make.query_row(params![kind.code(), &**name], |row| row.get(0)))
        .collect()
}

/// How many strings of each kind there are.
pub(super) fn counts(connection: &Connection) -> rusqlite::Result<Vec<(Kind, u64)>> {
    let mut select = connection.prepare("SELECT kind, count(*) FROM dim GROUP BY kind")?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let counts: Vec<(i64, i64)> = rows.collect::<Result<_, _>>()?;
    Ok(counts
        .into_iter()
        .filter_map(|(kind, count)| Some((Kind::from_code(kind)?, u64::try_from(count).ok()?)))
        .collect())
}
