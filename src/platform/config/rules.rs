//! How each setting that is more than a number or a word is checked, and what production refuses.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use lettre::message::Mailbox;
use lettre::{AsyncSmtpTransport, Tokio1Executor};
use secrecy::{SecretSlice, SecretString};
use tracing_subscriber::EnvFilter;
use url::Url;

use super::secret_file;
use super::source::Source;
use super::words::Mode;

/// The fewest bytes of a master secret.
const SHORTEST_SECRET: usize = 32;
/// The fewest different bytes in it; random text of that length has more.
const LEAST_VARIETY: usize = 8;

pub(super) fn is_sqlite(database_url: &str) -> bool {
    database_url.starts_with("sqlite:")
}

pub(super) fn public_url(source: &mut Source, mode: Mode, listen: SocketAddr) -> Option<Url> {
    let expected = "a web address such as https://prm.example.com";
    let given = source.text("public_url");
    if given.is_none() && mode == Mode::Production {
        source.fault(format!("public_url: production needs {expected}"));
        return None;
    }
    let text = given.unwrap_or_else(|| format!("http://localhost:{}", listen.port()));
    let url = Url::parse(text.trim())
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"));
    match &url {
        None => source.wrong("public_url", format_args!("{text:?} is not {expected}")),
        Some(url) if mode == Mode::Production && url.scheme() != "https" => {
            source.wrong("public_url", "production needs https");
        }
        Some(_) => {}
    }
    url
}

pub(super) fn database_url(source: &mut Source, mode: Mode, data_dir: &Path) -> SecretString {
    let allowed = source.read("allow_sqlite_in_production", "true or false", false);
    let url = source.text("database_url").unwrap_or_else(|| {
        // The URL's own characters, when they occur in a folder's name.
        let file = data_dir.join("ensemble.db").display().to_string();
        format!(
            "sqlite://{}?mode=rwc",
            file.replace('%', "%25")
                .replace('?', "%3F")
                .replace('#', "%23")
        )
    });
    if is_sqlite(&url) {
        if mode == Mode::Production && !allowed {
            source.wrong(
                "database_url",
                "production refuses SQLite unless allow_sqlite_in_production is true",
            );
        }
    } else if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        source.wrong("database_url", "is neither SQLite nor PostgreSQL");
    }
    url.into()
}

/// The configured secret, or the kept one of a developer's machine, or a fresh one handed to `keep`.
pub(super) fn secret(
    source: &mut Source,
    mode: Mode,
    data_dir: &Path,
    keep: fn(&Path, String) -> io::Result<String>,
) -> SecretSlice<u8> {
    if let Some(given) = source.text("secret") {
        return strong(source, "secret", given);
    }
    if mode == Mode::Production {
        source.fault("secret: production needs one; openssl rand -hex 32 makes a good one");
        return SecretSlice::default();
    }
    let path = data_dir.join("secret");
    let kept = match secret_file::find(&path) {
        Ok(Some(kept)) => Ok(kept),
        Ok(None) => keep(&path, secret_file::fresh()),
        Err(fault) => Err(fault),
    };
    match kept {
        Ok(kept) => strong(source, "secret", kept),
        Err(fault) => {
            source.fault(format!("secret: {}: {fault}", path.display()));
            SecretSlice::default()
        }
    }
}

/// A secret that is long enough and not one key held down.
pub(super) fn strong(source: &mut Source, key: &str, text: String) -> SecretSlice<u8> {
    let bytes = text.into_bytes();
    let mut different = bytes.clone();
    different.sort_unstable();
    different.dedup();
    if bytes.len() < SHORTEST_SECRET {
        source.wrong(key, format_args!("needs at least {SHORTEST_SECRET} bytes"));
    } else if different.len() < LEAST_VARIETY {
        source.wrong(key, "needs to be random");
    }
    bytes.into()
}

pub(super) fn cors_origins(source: &mut Source, mode: Mode) -> Vec<String> {
    let origins: Vec<String> = source.list("cors_origins", "text");
    for origin in &origins {
        let exact =
            || Url::parse(origin).is_ok_and(|url| url.origin().ascii_serialization() == *origin);
        if origin == "*" {
            if mode == Mode::Production {
                source.wrong("cors_origins", "production needs an exact list, not *");
            }
        } else if !exact() {
            let what = format!("{origin:?} is not an origin such as https://portal.example.com");
            source.wrong("cors_origins", what);
        }
    }
    origins
}

/// The URL of the mail server; it carries a password, so it is never repeated in a fault.
pub(super) fn smtp_url(source: &mut Source, mode: Mode) -> Option<SecretString> {
    let Some(url) = source.text("smtp_url") else {
        if mode == Mode::Production {
            source.fault("smtp_url: production needs a mail server");
        }
        return None;
    };
    if AsyncSmtpTransport::<Tokio1Executor>::from_url(&url).is_err() {
        source.wrong(
            "smtp_url",
            "is not a mail server such as smtps://user:password@mail.example.com",
        );
    }
    Some(url.into())
}

pub(super) fn mail_from(source: &mut Source, mode: Mode) -> Option<Mailbox> {
    let expected = "a sender such as Ensemble <no-reply@example.com>";
    let given = source.text("mail_from");
    if given.is_none() && mode == Mode::Production {
        source.fault(format!("mail_from: production needs {expected}"));
        return None;
    }
    let text = given.unwrap_or_else(|| "Ensemble <ensemble@localhost>".to_owned());
    let sender = text
        .parse()
        .ok()
        .filter(|_| !text.chars().any(char::is_control));
    if sender.is_none() {
        source.wrong("mail_from", format_args!("{text:?} is not {expected}"));
    }
    sender
}

pub(super) fn log(source: &mut Source) -> String {
    let filter = source
        .text("log")
        .unwrap_or_else(|| "info,sqlx=warn,sea_orm_migration=warn".to_owned());
    if EnvFilter::try_new(&filter).is_err() {
        source.wrong(
            "log",
            format_args!("{filter:?} is not a filter such as info,sqlx=warn"),
        );
    }
    filter
}
