//! What an error of PostgreSQL or of the way to it means.
//!
//! Codes: <https://www.postgresql.org/docs/current/errcodes-appendix.html>

use sqlx::postgres::PgDatabaseError;

/// The words for errors that SQLite has too; `None` when it is none of PostgreSQL's.
pub(crate) fn code_word(error: &sqlx::Error) -> Option<&'static str> {
    let Some(refused) = refusal(error) else {
        // Not from a server: the way to it. SQLite's own never end like this.
        return is_cut_off(error).then_some("io");
    };
    Some(match refused.code() {
        // Lock not available, statement timeout, deadlock, serialization.
        "55P03" | "57014" | "40P01" | "40001" => "busy",
        "53100" => "full",
        "25006" => "readonly",
        code if code.starts_with("XX") => "corrupt",
        code if code.starts_with("58") => "io",
        // Too many connections, shutdown, starting up: the server is there and takes nothing.
        code if code.starts_with("53") || code.starts_with("57P") || code.starts_with("08") => "open",
        _ => "other",
    })
}

/// Whether the same attempt may succeed later.
pub(crate) fn is_passing(error: &sqlx::Error) -> bool {
    match refusal(error) {
        Some(refused) => {
            let code = refused.code();
            ["53", "57P", "08", "25006", "55P03", "57014"]
                .iter()
                .any(|passing| code.starts_with(passing))
        }
        None => is_cut_off(error),
    }
}

/// `unique_violation`: a row of this key is there already.
pub(super) fn is_duplicate(error: &sqlx::Error) -> bool {
    refusal(error).is_some_and(|refused| refused.code() == "23505")
}

/// What the server said; `None` when nothing came from a server.
fn refusal(error: &sqlx::Error) -> Option<&PgDatabaseError> {
    error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()
}

/// Whether the way to the server is broken, or none could be had in time.
fn is_cut_off(error: &sqlx::Error) -> bool {
    matches!(
        error,
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed
    )
}
