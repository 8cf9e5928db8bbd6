//! Where a database is, in words that may be shown: a path, or a host and a name, never a password.

use std::{path::PathBuf, str::FromStr};

use sqlx::{postgres::PgConnectOptions, sqlite::SqliteConnectOptions};

/// Where a database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A file.
    Sqlite(PathBuf),
    /// A database of a server.
    Postgres {
        /// The host, or the folder of its socket.
        host: String,
        /// The port.
        port: u16,
        /// The name of the database.
        database: String,
    },
}

/// The URL cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the database URL is not valid")]
pub struct NotAPlace;

impl FromStr for Place {
    type Err = NotAPlace;

    fn from_str(url: &str) -> Result<Self, NotAPlace> {
        if url.starts_with("sqlite:") {
            let options = SqliteConnectOptions::from_str(url).map_err(|_| NotAPlace)?;
            return Ok(Self::Sqlite(options.get_filename().to_owned()));
        }
        let options = PgConnectOptions::from_str(url).map_err(|_| NotAPlace)?;
        let host = options.get_socket().map_or_else(
            || options.get_host().to_owned(),
            |socket| socket.display().to_string(),
        );
        // As the server does it: a database that is not named has the name of the user.
        let database = options.get_database().unwrap_or(options.get_username());
        Ok(Self::Postgres {
            host,
            port: options.get_port(),
            database: database.to_owned(),
        })
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "{} (SQLite)", path.display()),
            Self::Postgres {
                host,
                port,
                database,
            } => write!(f, "{host}:{port}/{database} (PostgreSQL)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_shows_no_password_and_no_user() {
        let shown = |url: &str| url.parse::<Place>().unwrap().to_string();
        assert_eq!(
            shown("postgres://ada:secret@db.example:6543/books?sslmode=disable"),
            "db.example:6543/books (PostgreSQL)"
        );
        assert_eq!(
            shown("sqlite:///srv/books.db?mode=rwc"),
            "/srv/books.db (SQLite)"
        );
        assert_eq!(shown("sqlite://books.db"), "books.db (SQLite)");
    }
}
