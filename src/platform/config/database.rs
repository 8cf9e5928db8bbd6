//! Which URLs name a database that can be used. No reason repeats the URL, which may carry a password.

use std::str::FromStr;

use sqlx::{postgres::PgConnectOptions, sqlite::SqliteConnectOptions};
use url::Url;

/// The parameters of a PostgreSQL URL that mean something.
const PARAMETERS: [&str; 20] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
    "connect_timeout",
    "target_session_attrs",
];

/// A file that stays.
pub(super) fn sqlite(url: &str) -> Result<(), String> {
    let rest = url.strip_prefix("sqlite:").unwrap_or(url);
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (file, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let has = |wanted: &str| parameters.split('&').any(|given| given == wanted);
    if file.is_empty() || file.contains(":memory:") || has("mode=memory") {
        return Err("names a database in memory, which is lost at every stop; name a file such as sqlite://data/ensemble.db?mode=rwc".to_owned());
    }
    if has("mode=ro") || has("immutable=true") || has("immutable=1") {
        return Err(
            "opens the database for reading only; leave out mode=ro and immutable".to_owned(),
        );
    }
    SqliteConnectOptions::from_str(url)
        .map(drop)
        .map_err(|_| "is not an SQLite URL such as sqlite://data/ensemble.db?mode=rwc".to_owned())
}

/// A server and a database on it.
pub(super) fn postgres(url: &str) -> Result<(), String> {
    const EXPECTED: &str = "postgres://user:password@host:5432/database";
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err("is neither SQLite nor PostgreSQL".to_owned());
    }
    let encode = "characters such as @ : / ? # % in a user name or password must be percent-encoded, # as %23";
    let parsed = Url::parse(url)
        .map_err(|why| format!("cannot be read ({why}); it looks like {EXPECTED}, and {encode}"))?;
    let stray = parsed.fragment().is_some() || parsed.path().contains('@');
    if stray || parsed.query().is_some_and(|query| query.contains('@')) {
        return Err(format!(
            "has a part of the password after the host: {encode}"
        ));
    }
    for (key, _) in parsed.query_pairs() {
        let known = PARAMETERS.contains(&&*key) || key.starts_with("options[");
        if !known {
            return Err(format!("has the parameter {key:?}, which does not exist"));
        }
    }
    PgConnectOptions::from_str(url)
        .map(drop)
        .map_err(|_| format!("cannot be read; it looks like {EXPECTED}, and {encode}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_in_memory_or_for_reading_only_is_refused() {
        for memory in [
            "sqlite::memory:",
            "sqlite://:memory:",
            "sqlite:",
            "sqlite://",
            "sqlite:x.db?mode=memory",
            "sqlite:file::memory:?cache=shared",
        ] {
            assert!(
                sqlite(memory).unwrap_err().contains("in memory"),
                "{memory}"
            );
        }
        for reading in [
            "sqlite:x.db?mode=ro",
            "sqlite://x.db?cache=private&immutable=true",
        ] {
            assert!(
                sqlite(reading).unwrap_err().contains("reading only"),
                "{reading}"
            );
        }
        for good in [
            "sqlite:x.db",
            "sqlite://data/x.db?mode=rwc",
            "sqlite:///var/lib/x.db",
        ] {
            assert_eq!(sqlite(good), Ok(()));
        }
    }

    #[test]
    fn a_url_that_cannot_be_used_is_refused_without_its_password() {
        for bad in [
            "postgres://u:hunter2#w@h/db",
            "postgres://u:1#hunter2@h/db",
            "postgres://u:12/hunter2@h/db",
            "postgres://u:1?hunter2@h/db",
            "postgres://u:hunter2@h:99999/db",
            "postgres://u:hunter2@h/db?sslmode=hunter2",
            "postgres://u:hunter2@h/db?pasword=hunter2",
            "postgres://u:hunter2@[h/db",
            "mysql://u:hunter2@h/db",
        ] {
            let why = postgres(bad).unwrap_err();
            assert!(!why.contains("hunter2"), "{why}");
        }
        for good in [
            "postgres://u:p%23w@h/db",
            "postgresql://h:5433/db?sslmode=require",
            "postgres://u@h/db?host=/var/run/postgresql",
            "postgres://ensemble:hunter2@db/ensemble",
        ] {
            assert_eq!(postgres(good), Ok(()));
        }
    }
}
