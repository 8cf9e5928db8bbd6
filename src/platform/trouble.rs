//! What a failed exchange with the database means: whether anything happened, and whether the same may succeed later.

use std::io;

use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr};

/// Why the database could not do something that it may be able to do later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// No connection became free in time, or none could be opened.
    NoConnection,
    /// Others hold what was asked for, under this code of the database.
    Busy(&'static str),
    /// Others wrote the same unique value a moment ago, under this code of the database.
    Taken(&'static str),
    /// A statement took longer than the database allows.
    Slow,
    /// The connection ended or stopped answering. Before a COMMIT, nothing happened.
    Lost,
    /// The database cannot write: its disk is full or fails.
    Unwritable,
    /// A COMMIT failed. Nothing of it is visible, but a crash right now may bring it back.
    Undone,
    /// The connection ended during a COMMIT: it took effect or it did not.
    Unknown,
    /// A read failed in a request that has already changed something.
    AfterChange,
}

impl Trouble {
    /// What an error of the database means; nothing when repeating cannot help.
    #[must_use]
    pub fn of(error: &DbErr) -> Option<Self> {
        match error {
            DbErr::ConnectionAcquire(ConnAcquireErr::Timeout) => Some(Self::NoConnection),
            DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed) => Some(Self::Lost),
            DbErr::Exec(RuntimeErr::SqlxError(source))
            | DbErr::Query(RuntimeErr::SqlxError(source))
            | DbErr::Conn(RuntimeErr::SqlxError(source)) => Self::of_driver(source),
            _ => None,
        }
    }

    /// The same for an error of the driver.
    pub(super) fn of_driver(error: &sqlx::Error) -> Option<Self> {
        match error {
            sqlx::Error::PoolTimedOut => Some(Self::NoConnection),
            sqlx::Error::Io(error) => Some(marked(error).unwrap_or(Self::Lost)),
            sqlx::Error::Protocol(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::PoolClosed => Some(Self::Lost),
            sqlx::Error::Database(error) => Self::of_code(&error.code()?),
            _ => None,
        }
    }

    /// The codes of PostgreSQL have five characters, those of SQLite are numbers with the kind in the last eight bits.
    fn of_code(code: &str) -> Option<Self> {
        let known = |codes: &[&'static str]| codes.iter().copied().find(|known| *known == code);
        if let Some(code) = known(&BUSY) {
            return Some(Self::Busy(code));
        }
        if let Some(code) = known(&TAKEN) {
            return Some(Self::Taken(code));
        }
        if code.len() == 5 {
            return match code {
                "57014" => Some(Self::Slow),
                "53100" | "53200" | "58030" | "25006" => Some(Self::Unwritable),
                // Too many sessions, a session that was ended, a server that stops or starts.
                "53300" | "25P03" | "57P01" | "57P02" | "57P03" | "57P05" => Some(Self::Lost),
                _ if code.starts_with("08") => Some(Self::Lost),
                _ => None,
            };
        }
        let kind = code.parse::<u32>().ok()? & 0xff;
        // Out of memory, read-only, I/O error, full, cannot be opened.
        matches!(kind, 7 | 8 | 10 | 13 | 14).then_some(Self::Unwritable)
    }

    /// The label of a metric.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Busy(code) | Self::Taken(code) => code,
            Self::NoConnection => "pool",
            Self::Slow => "slow",
            Self::Lost => "lost",
            Self::Unwritable => "unwritable",
            Self::Undone | Self::Unknown => "commit",
            Self::AfterChange => "read",
        }
    }

    /// An error of the driver that means this.
    pub(super) fn driver_error(self, told: String) -> sqlx::Error {
        sqlx::Error::Io(io::Error::other(Marked {
            trouble: self,
            told,
        }))
    }

    /// An error that means this.
    pub(super) fn error(self, told: impl std::fmt::Display) -> DbErr {
        DbErr::Conn(RuntimeErr::SqlxError(
            self.driver_error(told.to_string()).into(),
        ))
    }
}

/// Serialisation failure, deadlock and lock timeout on PostgreSQL; busy, recovering and stale snapshot on SQLite.
const BUSY: [&str; 6] = ["40001", "40P01", "55P03", "5", "261", "517"];

/// A unique value that others wrote a moment ago, on PostgreSQL and (a unique index, a primary key) on SQLite. The next
/// attempt sees it and refuses in its own words, or mints another one.
const TAKEN: [&str; 3] = ["23505", "2067", "1555"];

/// An error whose meaning is known where it arises.
#[derive(Debug, thiserror::Error)]
#[error("{told}")]
struct Marked {
    trouble: Trouble,
    told: String,
}

fn marked(error: &io::Error) -> Option<Trouble> {
    let marked = error.get_ref()?.downcast_ref::<Marked>()?;
    Some(marked.trouble)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_both_databases_are_told_apart() {
        let expected = [
            ("40001", Some(Trouble::Busy("40001"))),
            ("55P03", Some(Trouble::Busy("55P03"))),
            ("5", Some(Trouble::Busy("5"))),
            ("23505", Some(Trouble::Taken("23505"))),
            ("2067", Some(Trouble::Taken("2067"))),
            ("57014", Some(Trouble::Slow)),
            ("57P01", Some(Trouble::Lost)),
            ("08006", Some(Trouble::Lost)),
            ("53100", Some(Trouble::Unwritable)),
            ("13", Some(Trouble::Unwritable)),
            ("778", Some(Trouble::Unwritable)),
            ("1034", Some(Trouble::Unwritable)),
            ("23514", None),
            ("42703", None),
            ("1", None),
            ("275", None),
            ("11", None),
        ];
        for (code, trouble) in expected {
            assert_eq!(Trouble::of_code(code), trouble, "{code}");
        }
    }

    #[test]
    fn a_marked_error_keeps_its_meaning() {
        for trouble in [Trouble::Lost, Trouble::Unknown, Trouble::AfterChange] {
            let error = trouble.error("gone");
            assert_eq!(Trouble::of(&error), Some(trouble));
            assert!(error.to_string().contains("gone"), "{error}");
        }
        let ended = sqlx::Error::Io(io::ErrorKind::UnexpectedEof.into());
        assert_eq!(Trouble::of_driver(&ended), Some(Trouble::Lost));
        assert_eq!(Trouble::of(&DbErr::Custom("x".to_owned())), None);
    }
}
