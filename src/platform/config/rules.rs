//! How each setting that is more than a number or a word is checked, and what production refuses.

use std::net::SocketAddr;
use std::path::Path;

use lettre::message::Mailbox;
use lettre::{AsyncSmtpTransport, Tokio1Executor};
use secrecy::{SecretSlice, SecretString};
use tracing_subscriber::EnvFilter;
use url::Url;

use super::database;
use super::secret_file;
use super::source::Source;
use super::words::Mode;
use crate::platform::files::{Bucket, Keys, Location};
use crate::platform::proxies::AddressRange;

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
    let unusable = if is_sqlite(&url) {
        database::sqlite(&url)
    } else {
        database::postgres(&url)
    };
    match unusable {
        Err(why) => source.wrong("database_url", why),
        Ok(()) if is_sqlite(&url) && mode == Mode::Production && !allowed => source.wrong(
            "database_url",
            "production refuses SQLite unless allow_sqlite_in_production is true",
        ),
        Ok(()) => {}
    }
    url.into()
}

/// The configured secret, or the stored one of a developer's machine, or a new one; and whether the next process has it
/// too.
pub(super) fn secret(source: &mut Source, mode: Mode, data_dir: &Path) -> (SecretSlice<u8>, bool) {
    if let Some(given) = source.text("secret") {
        if mode == Mode::Production
            && let Some(why) = guessable(&given)
        {
            source.wrong(
                "secret",
                format_args!("{why}; openssl rand -hex 32 makes a good one"),
            );
        }
        return (strong(source, "secret", given), true);
    }
    if mode == Mode::Production {
        source.fault("secret: production needs one; openssl rand -hex 32 makes a good one");
        return (SecretSlice::default(), true);
    }
    let path = secret_file::path(data_dir);
    match secret_file::find(&path) {
        Ok(Some(kept)) => (strong(source, "secret", kept), true),
        Ok(None) => (SecretSlice::from(secret_file::fresh().into_bytes()), false),
        Err(fault) => {
            source.fault(format!("secret: {}: {fault}", path.display()));
            (SecretSlice::default(), true)
        }
    }
}

/// Words found in example and template secrets, with any separators between their letters. Random text almost never
/// contains one.
const PLACEHOLDERS: [&str; 20] = [
    "secret",
    "passw",
    "changeme",
    "changethis",
    "changeit",
    "replace",
    "deploy",
    "random",
    "generate",
    "yourown",
    "please",
    "example",
    "default",
    "ensemble",
    "qwerty",
    "letmein",
    "placeholder",
    "insecure",
    "production",
    "development",
];

/// How many characters in a row may follow each other in the alphabet or in counting.
const LONGEST_RUN: usize = 6;

/// Why a secret of enough length can be guessed all the same.
fn guessable(secret: &str) -> Option<String> {
    let lower = secret.to_lowercase();
    let letters: String = lower.chars().filter(|one| one.is_alphanumeric()).collect();
    if let Some(word) = PLACEHOLDERS.iter().find(|word| letters.contains(*word)) {
        return Some(format!("contains \"{word}\", so it is not random"));
    }
    let bytes = lower.as_bytes();
    let repeats = |period: usize| bytes.iter().zip(&bytes[period..]).all(|(a, b)| a == b);
    if (1..=bytes.len() / 2).any(repeats) {
        return Some("repeats itself, so it is not random".to_owned());
    }
    // Also with repeated characters: 112233.
    let mut once = bytes.to_vec();
    once.dedup();
    if counts(bytes) || counts(&once) {
        return Some("counts up or down, so it is not random".to_owned());
    }
    None
}

fn counts(bytes: &[u8]) -> bool {
    let mut run = (1, 0_i16);
    bytes.windows(2).any(|pair| {
        let step = i16::from(pair[1]) - i16::from(pair[0]);
        run = match step {
            -1..=1 if step == run.1 => (run.0 + 1, step),
            -1..=1 => (2, step),
            _ => (1, 0),
        };
        run.0 > LONGEST_RUN
    })
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
    } else if mode == Mode::Production && !is_encrypted(&url) {
        source.wrong(
            "smtp_url",
            "production needs TLS: smtps://, or smtp:// with ?tls=required, unless the mail server is this machine",
        );
    }
    Some(url.into())
}

/// Where payment files are kept: the data folder, unless a bucket is named. No fault repeats a URL or a key.
pub(super) fn files(source: &mut Source, mode: Mode, data_dir: &Path) -> Location {
    let url = source.text("files_url");
    let endpoint = endpoint(source, mode);
    let region = source.text("s3_region");
    let keys = keys(source);
    let Some(url) = url else {
        for key in S3_SETTINGS {
            if source.text(key).is_some() {
                source.wrong(key, "is of no use without files_url");
            }
        }
        return Location::Folder(data_dir.to_owned());
    };
    let Some((name, prefix)) = bucket(&url) else {
        source.wrong("files_url", "is not a bucket such as s3://bucket/prefix");
        return Location::Folder(data_dir.to_owned());
    };
    Location::Bucket(Bucket {
        name,
        prefix,
        endpoint,
        region: region.unwrap_or_else(|| "us-east-1".to_owned()),
        keys,
    })
}

/// The settings of a bucket beside its URL.
const S3_SETTINGS: [&str; 4] = [
    "s3_endpoint",
    "s3_region",
    "s3_access_key_id",
    "s3_secret_access_key",
];

/// The name and the prefix of the bucket at a URL.
fn bucket(url: &str) -> Option<(String, String)> {
    let rest = url.strip_prefix("s3://")?;
    let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let is_name = |part: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        !part.is_empty() && part.chars().all(plain) && part.chars().any(|c| c != '.')
    };
    let prefix = prefix.trim_end_matches('/');
    let is_sound = is_name(name) && (prefix.is_empty() || prefix.split('/').all(is_name));
    is_sound.then(|| (name.to_owned(), prefix.to_owned()))
}

fn endpoint(source: &mut Source, mode: Mode) -> Option<Url> {
    let text = source.text("s3_endpoint")?;
    let is_web = |url: &Url| matches!(url.scheme(), "http" | "https") && url.username().is_empty();
    let Some(url) = Url::parse(text.trim()).ok().filter(is_web) else {
        let expected = "is not a service such as https://minio.example.com:9000";
        source.wrong("s3_endpoint", expected);
        return None;
    };
    if mode == Mode::Production && url.scheme() != "https" && !is_local(&url) {
        let why = "production needs https, unless the service is this machine";
        source.wrong("s3_endpoint", why);
    }
    Some(url)
}

/// The access key, of which both parts are needed.
fn keys(source: &mut Source) -> Option<Keys> {
    let (id, secret) = ("s3_access_key_id", "s3_secret_access_key");
    match (source.text(id), source.text(secret)) {
        (Some(id), Some(secret)) => Some(Keys {
            id,
            secret: secret.into(),
        }),
        (None, None) => None,
        (Some(_), None) => {
            source.wrong(id, format_args!("needs {secret} beside it"));
            None
        }
        (None, Some(_)) => {
            source.wrong(secret, format_args!("needs {id} beside it"));
            None
        }
    }
}

/// Whether a URL names this machine.
fn is_local(url: &Url) -> bool {
    matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"))
}

/// Whether mail and password are encrypted on the way, whoever stands in between. A relay on this machine has no way.
fn is_encrypted(smtp_url: &str) -> bool {
    let Ok(url) = Url::parse(smtp_url) else {
        return false;
    };
    let required = || {
        url.query_pairs()
            .any(|(key, value)| key == "tls" && (value == "required" || value == "wrapper"))
    };
    is_local(&url) || url.scheme() == "smtps" || required()
}

pub(super) fn trusted_proxies(source: &mut Source, mode: Mode) -> Vec<AddressRange> {
    let expected = "an address or a range such as 10.0.0.0/8";
    let ranges: Vec<AddressRange> = source.list("trusted_proxies", expected);
    if mode == Mode::Production {
        for range in ranges.iter().filter(|range| range.is_too_wide()) {
            let why = "trusts addresses of strangers; list only your own proxies";
            source.wrong("trusted_proxies", format_args!("{range} {why}"));
        }
    }
    ranges
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
