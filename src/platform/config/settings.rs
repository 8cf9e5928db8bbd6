//! The settings themselves, their defaults, and what production refuses.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use lettre::message::Mailbox;
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use url::Url;

use super::rules::{
    self, cors_origins, database_url, files, log, mail_from, public_url, secret, smtp_url, strong,
    trusted_proxies,
};
use super::secret_file;
use super::source::{Options, Source};
use super::words::{LogFormat, Mode, Statements};
use crate::platform::{files::Location, proxies::AddressRange};

/// The checked configuration. Printing it shows no secret.
#[derive(Clone, Debug)]
pub struct Config {
    /// Development or production. `ENSEMBLE_MODE`; default development.
    pub mode: Mode,
    /// The address of the API. `ENSEMBLE_LISTEN`; default `127.0.0.1:8080`.
    pub listen: SocketAddr,
    /// A separate address for metrics, or none. `ENSEMBLE_METRICS_LISTEN`.
    pub metrics_listen: Option<SocketAddr>,
    /// The address people reach it under; links in mails start with it. `ENSEMBLE_PUBLIC_URL`; in development
    /// `http://localhost` and the port of `listen`.
    pub public_url: Url,
    /// SQLite or PostgreSQL. `DATABASE_URL`; default the file `ensemble.db` in `data_dir`. SQLite in production wants
    /// `ENSEMBLE_ALLOW_SQLITE_IN_PRODUCTION=true`.
    pub database_url: SecretString,
    /// The most connections to the database, for reading and for writing each; an SQLite file has one writer, and at most
    /// two readers for each processor. `ENSEMBLE_DATABASE_CONNECTIONS`; default 16.
    pub database_connections: u32,
    /// From which time on a statement is told in the log. `ENSEMBLE_SLOW_STATEMENT_MS`; default 250.
    pub slow_statement: Duration,
    /// The folder for everything kept in files on this machine. `ENSEMBLE_DATA_DIR`; default `data`.
    pub data_dir: PathBuf,
    /// Where payment files are kept. `ENSEMBLE_FILES_URL`, such as `s3://bucket/prefix`, with `ENSEMBLE_S3_ENDPOINT`,
    /// `ENSEMBLE_S3_REGION`, `ENSEMBLE_S3_ACCESS_KEY_ID` and `ENSEMBLE_S3_SECRET_ACCESS_KEY`; default `data_dir`.
    pub files: Location,
    /// The master secret, at least 32 bytes. `ENSEMBLE_SECRET`; in development generated once and kept in `data_dir`, see
    /// [`Config::keep_secret`].
    pub secret: SecretSlice<u8>,
    /// Whether the next process has the same secret.
    pub secret_is_kept: bool,
    /// The secret before the last rotation, or none. `ENSEMBLE_PREVIOUS_SECRET`.
    pub previous_secret: Option<SecretSlice<u8>>,
    /// Origins whose pages may call the API; `*` for all. `ENSEMBLE_CORS_ORIGINS`, by commas; default none.
    pub cors_origins: Vec<String>,
    /// The mail server, such as `smtps://user:password@mail.example.com`; without it mails become files in the folder
    /// `mail` of `data_dir`. `ENSEMBLE_SMTP_URL`.
    pub smtp_url: Option<SecretString>,
    /// The sender of all mails. `ENSEMBLE_MAIL_FROM`; in development `Ensemble <ensemble@localhost>`.
    pub mail_from: Mailbox,
    /// `ENSEMBLE_LOG_FORMAT`; default text.
    pub log_format: LogFormat,
    /// What is logged, in the notation of `tracing`. `ENSEMBLE_LOG`; default `info,sqlx=warn,sea_orm_migration=warn`.
    pub log: String,
    /// How many background jobs run at once. `ENSEMBLE_WORKER_CONCURRENCY`; default 4.
    pub worker_concurrency: usize,
    /// When statements are published by themselves. `ENSEMBLE_STATEMENTS`; default monthly.
    pub statements: Statements,
    /// The proxies whose `X-Forwarded-For` is believed. `ENSEMBLE_TRUSTED_PROXIES`, by commas; default none.
    pub trusted_proxies: Vec<AddressRange>,
}

impl Config {
    /// Reads and checks everything and writes nothing; all faults at once. A developer's machine that has no secret yet
    /// gets a new one, which is lost with the process unless [`Config::keep_secret`] is called.
    pub fn read(
        options: Options,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Vec<String>> {
        Self::from_source(Source::new(options, environment))
    }

    /// The secret to use. A new one on a developer's machine is stored in `data_dir`, unless another process stored one
    /// first: then that one is returned.
    ///
    /// # Errors
    /// The data folder cannot be written.
    pub fn keep_secret(&self) -> io::Result<SecretSlice<u8>> {
        if self.secret_is_kept {
            return Ok(self.secret.clone());
        }
        let text = String::from_utf8_lossy(self.secret.expose_secret()).into_owned();
        let kept = secret_file::keep(&secret_file::path(&self.data_dir), text)?;
        Ok(SecretSlice::from(kept.into_bytes()))
    }

    /// Whether the database is SQLite.
    pub fn is_sqlite(&self) -> bool {
        rules::is_sqlite(self.database_url.expose_secret())
    }

    /// The folder that mails are written to when no mail server is configured.
    pub fn mail_dir(&self) -> PathBuf {
        self.data_dir.join("mail")
    }

    fn from_source(mut source: Source) -> Result<Self, Vec<String>> {
        let from = &mut source;
        let address = "an address with a port such as 127.0.0.1:8080";
        let mode = from.read("mode", "development or production", Mode::Development);
        let listen = from.read(
            "listen",
            address,
            SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080),
        );
        let data_dir = PathBuf::from(from.text("data_dir").unwrap_or_else(|| "data".to_owned()));
        let files = files(from, mode, &data_dir);
        let metrics_listen = from.optional("metrics_listen", address);
        let public_url = public_url(from, mode, listen);
        let database_url = database_url(from, mode, &data_dir);
        let database_connections = from.number("database_connections", 1..=500, 16);
        let slow_statement = from.number("slow_statement_ms", 1..=600_000, 250);
        let (secret, secret_is_kept) = secret(from, mode, &data_dir);
        let previous_secret = from
            .text("previous_secret")
            .map(|text| strong(from, "previous_secret", text));
        let cors_origins = cors_origins(from, mode);
        let smtp_url = smtp_url(from, mode);
        let mail_from = mail_from(from, mode);
        let log_format = from.read("log_format", "text or json", LogFormat::Text);
        let log = log(from);
        let worker_concurrency = from.number("worker_concurrency", 1..=256, 4);
        let statements = from.read("statements", "monthly or off", Statements::Monthly);
        let trusted_proxies = trusted_proxies(from, mode);

        let faults = source.finish();
        let (Some(public_url), Some(mail_from), true) = (public_url, mail_from, faults.is_empty())
        else {
            return Err(faults);
        };
        Ok(Self {
            mode,
            listen,
            metrics_listen,
            public_url,
            database_url,
            database_connections,
            slow_statement: Duration::from_millis(slow_statement),
            data_dir,
            files,
            secret,
            secret_is_kept,
            previous_secret,
            cors_origins,
            smtp_url,
            mail_from,
            log_format,
            log,
            worker_concurrency,
            statements,
            trusted_proxies,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(settings: &[(&str, &str)]) -> Vec<(String, String)> {
        settings
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    /// A configuration file in a folder of its own.
    fn file(text: &str) -> (tempfile::TempDir, Options) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ensemble.toml");
        std::fs::write(&path, text).unwrap();
        (
            folder,
            Options {
                file: Some(path),
                ..Options::default()
            },
        )
    }

    fn check(settings: &[(&str, &str)]) -> Result<Config, Vec<String>> {
        let (_folder, options) = file("");
        Config::read(options, pairs(settings))
    }

    const SECRET: &str = "5c1e0b7fa94d263890de6b17f2c8453a";

    fn production<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let mut settings = vec![
            ("ENSEMBLE_MODE", "production"),
            ("ENSEMBLE_SECRET", SECRET),
            ("ENSEMBLE_PUBLIC_URL", "https://prm.example.com"),
            ("ENSEMBLE_SMTP_URL", "smtps://user:hunter2@mail.example.com"),
            ("ENSEMBLE_MAIL_FROM", "Partners <partners@example.com>"),
            ("DATABASE_URL", "postgres://ensemble:hunter2@db/ensemble"),
        ];
        settings.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
        settings.extend(more);
        settings
    }

    #[test]
    fn development_needs_no_settings() {
        let config = check(&[("PATH", "/bin"), ("ENSEMBLE_SMTP_URL", "")]).unwrap();
        assert_eq!(
            (config.mode, config.listen.to_string()),
            (Mode::Development, "127.0.0.1:8080".to_owned())
        );
        assert_eq!(
            config.database_url.expose_secret(),
            "sqlite://data/ensemble.db?mode=rwc"
        );
        assert_eq!(config.public_url.as_str(), "http://localhost:8080/");
        assert_eq!(
            config.mail_from.to_string(),
            "Ensemble <ensemble@localhost>"
        );
        assert!(config.is_sqlite() && config.smtp_url.is_none() && config.metrics_listen.is_none());
        assert_eq!(
            (config.worker_concurrency, config.database_connections),
            (4, 16)
        );
        assert_eq!(config.slow_statement, Duration::from_millis(250));
        assert_eq!(config.statements, Statements::Monthly);
    }

    #[test]
    fn the_command_line_wins_over_the_environment_and_that_over_the_file() {
        let (_folder, mut options) = file(
            "listen = \"0.0.0.0:1\"\nworker_concurrency = 2\ndata_dir = \"a%b\"\ncors_origins = [\"https://a.example\"]",
        );
        let settings = [
            ("ENSEMBLE_LISTEN", "0.0.0.0:2"),
            ("ENSEMBLE_WORKER_CONCURRENCY", "3"),
            ("ENSEMBLE_STATEMENTS", "off"),
        ];
        let config = Config::read(options.clone(), pairs(&settings)).unwrap();
        assert_eq!(config.statements, Statements::Off);
        assert_eq!((config.listen.port(), config.worker_concurrency), (2, 3));
        assert_eq!(config.cors_origins, ["https://a.example"]);
        assert_eq!(
            config.database_url.expose_secret(),
            "sqlite://a%25b/ensemble.db?mode=rwc"
        );
        options.listen = Some("0.0.0.0:3".to_owned());
        options.database_url = Some("postgres://db/x".to_owned());
        let config = Config::read(options, pairs(&settings)).unwrap();
        assert_eq!((config.listen.port(), config.is_sqlite()), (3, false));
    }

    #[test]
    fn every_fault_is_reported_at_once_with_its_origin() {
        let (folder, mut options) =
            file("colour = 1\nlog_format = \"xml\"\n[worker_concurrency]\nmany = true");
        options.mode = Some("test".to_owned());
        let faults = Config::read(
            options,
            pairs(&[
                ("ENSEMBLE_LISTEN", "localhost"),
                ("ENSEMBLE_LISTN", "0.0.0.0:80"),
                ("ENSEMBLE_DATABASE_CONNECTIONS", "0"),
                ("ENSEMBLE_STATEMENTS", "weekly"),
                ("ENSEMBLE_TRUSTED_PROXIES", "10.0.0.0/8, proxy"),
                ("ENSEMBLE_SECRET", "short"),
                (
                    "ENSEMBLE_PREVIOUS_SECRET",
                    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                ),
                ("ENSEMBLE_CORS_ORIGINS", "https://a.example/path"),
                ("ENSEMBLE_SMTP_URL", "http://hunter2@mail"),
                ("ENSEMBLE_MAIL_FROM", "nobody"),
                ("ENSEMBLE_LOG", "=="),
                ("ENSEMBLE_PUBLIC_URL", "ftp://example.com"),
                ("ENSEMBLE_DATABASE_URL", "sqlite:x"),
                ("DATABASE_URL", "mysql://hunter2@db"),
            ]),
        )
        .unwrap_err();
        let file = folder.path().join("ensemble.toml").display().to_string();
        let mut expected = [
            "mode: \"test\" is not development or production (--mode)".to_owned(),
            format!("colour: there is no such setting ({file})"),
            format!("log_format: \"xml\" is not text or json ({file})"),
            format!("worker_concurrency: is not text, a whole number, true, false or a list of these ({file})"),
            "listen: \"localhost\" is not an address with a port such as 127.0.0.1:8080 (ENSEMBLE_LISTEN)".to_owned(),
            "listn: there is no such setting (ENSEMBLE_LISTN)".to_owned(),
            "database_connections: \"0\" is not a whole number from 1 to 500 (ENSEMBLE_DATABASE_CONNECTIONS)".to_owned(),
            "statements: \"weekly\" is not monthly or off (ENSEMBLE_STATEMENTS)".to_owned(),
            "trusted_proxies: \"proxy\" is not an address or a range such as 10.0.0.0/8 (ENSEMBLE_TRUSTED_PROXIES)".to_owned(),
            "secret: needs at least 32 bytes (ENSEMBLE_SECRET)".to_owned(),
            "previous_secret: needs to be random (ENSEMBLE_PREVIOUS_SECRET)".to_owned(),
            "cors_origins: \"https://a.example/path\" is not an origin such as https://portal.example.com (ENSEMBLE_CORS_ORIGINS)".to_owned(),
            "smtp_url: is not a mail server such as smtps://user:password@mail.example.com (ENSEMBLE_SMTP_URL)".to_owned(),
            "mail_from: \"nobody\" is not a sender such as Ensemble <no-reply@example.com> (ENSEMBLE_MAIL_FROM)".to_owned(),
            "log: \"==\" is not a filter such as info,sqlx=warn (ENSEMBLE_LOG)".to_owned(),
            "public_url: \"ftp://example.com\" is not a web address such as https://prm.example.com (ENSEMBLE_PUBLIC_URL)".to_owned(),
            "ENSEMBLE_DATABASE_URL: is not a setting; the database is named by DATABASE_URL".to_owned(),
            "database_url: is neither SQLite nor PostgreSQL (DATABASE_URL)".to_owned(),
        ];
        let mut faults = faults;
        faults.sort();
        expected.sort();
        assert_eq!(faults, expected);
    }

    #[test]
    fn a_broken_or_missing_file_does_not_hide_other_faults() {
        let (_folder, options) = file("listen = ");
        let faults = Config::read(options, pairs(&[("ENSEMBLE_MODE", "x")])).unwrap_err();
        assert_eq!(faults.len(), 2, "{faults:?}");
        let missing = Options {
            file: Some("/nowhere/ensemble.toml".into()),
            ..Options::default()
        };
        assert_eq!(
            Config::read(missing, []).unwrap_err(),
            ["/nowhere/ensemble.toml: there is no such file"]
        );
    }

    #[test]
    fn production_refuses_what_is_unsafe() {
        assert!(check(&production(&[])).is_ok());
        assert_eq!(
            check(&[("ENSEMBLE_MODE", "production")]).unwrap_err().len(),
            5
        );
        let refused = [
            (
                "ENSEMBLE_SECRET",
                "",
                "secret: production needs one; openssl rand -hex 32 makes a good one",
            ),
            (
                "ENSEMBLE_SMTP_URL",
                "",
                "smtp_url: production needs a mail server",
            ),
            (
                "ENSEMBLE_MAIL_FROM",
                "",
                "mail_from: production needs a sender such as Ensemble <no-reply@example.com>",
            ),
            (
                "ENSEMBLE_PUBLIC_URL",
                "http://prm.example.com",
                "public_url: production needs https (ENSEMBLE_PUBLIC_URL)",
            ),
            (
                "ENSEMBLE_CORS_ORIGINS",
                "*",
                "cors_origins: production needs an exact list, not * (ENSEMBLE_CORS_ORIGINS)",
            ),
            (
                "ENSEMBLE_SECRET",
                "0123456789abcdef0123456789abcdef",
                "secret: repeats itself, so it is not random; openssl rand -hex 32 makes a good one (ENSEMBLE_SECRET)",
            ),
            (
                "ENSEMBLE_SECRET",
                "abcdefghijklmnopqrstuvwxyz-7301946",
                "secret: counts up or down, so it is not random; openssl rand -hex 32 makes a good one (ENSEMBLE_SECRET)",
            ),
            (
                "ENSEMBLE_SECRET",
                "My-Super-Secret-Key-For-Partners-1",
                "secret: contains \"secret\", so it is not random; openssl rand -hex 32 makes a good one (ENSEMBLE_SECRET)",
            ),
            (
                "ENSEMBLE_SECRET",
                "change-this-value-before-you-start-1",
                "secret: contains \"changethis\", so it is not random; openssl rand -hex 32 makes a good one (ENSEMBLE_SECRET)",
            ),
            (
                "ENSEMBLE_SECRET",
                "11223344556677889900aabbccddeeff",
                "secret: counts up or down, so it is not random; openssl rand -hex 32 makes a good one (ENSEMBLE_SECRET)",
            ),
            (
                "ENSEMBLE_SMTP_URL",
                "smtp://user:hunter2@mail.example.com?tls=opportunistic",
                "smtp_url: production needs TLS: smtps://, or smtp:// with ?tls=required, unless the mail server is this machine (ENSEMBLE_SMTP_URL)",
            ),
            (
                "ENSEMBLE_TRUSTED_PROXIES",
                "10.0.0.0/8, 0.0.0.0/0",
                "trusted_proxies: 0.0.0.0/0 trusts addresses of strangers; list only your own proxies (ENSEMBLE_TRUSTED_PROXIES)",
            ),
            (
                "ENSEMBLE_TRUSTED_PROXIES",
                "::/0",
                "trusted_proxies: ::/0 trusts addresses of strangers; list only your own proxies (ENSEMBLE_TRUSTED_PROXIES)",
            ),
            (
                "DATABASE_URL",
                "sqlite:x.db",
                "database_url: production refuses SQLite unless allow_sqlite_in_production is true (DATABASE_URL)",
            ),
        ];
        for (name, value, fault) in refused {
            assert_eq!(check(&production(&[(name, value)])).unwrap_err(), [fault]);
        }
        for (name, value) in [
            (
                "ENSEMBLE_SMTP_URL",
                "smtp://user:hunter2@mail.example.com?tls=required",
            ),
            ("ENSEMBLE_SMTP_URL", "smtp://localhost"),
            ("ENSEMBLE_TRUSTED_PROXIES", "10.0.0.0/8, fd00::/8"),
            (
                "ENSEMBLE_PREVIOUS_SECRET",
                "My-Super-Secret-Key-For-Partners-1",
            ),
        ] {
            assert!(
                check(&production(&[(name, value)])).is_ok(),
                "{name}={value}"
            );
        }
        let flag = ("ENSEMBLE_ALLOW_SQLITE_IN_PRODUCTION", "true");
        assert!(check(&production(&[("DATABASE_URL", "sqlite:x.db"), flag])).is_ok());
    }

    #[test]
    fn a_developers_secret_is_kept_only_when_asked_for() {
        let (folder, options) = file("");
        let data = folder.path().join("data");
        let settings = pairs(&[("ENSEMBLE_DATA_DIR", data.to_str().unwrap())]);
        let config = Config::read(options.clone(), settings.clone()).unwrap();
        let slower = Config::read(options.clone(), settings.clone()).unwrap();
        assert!(!data.exists());
        let kept = config.keep_secret().unwrap();
        assert_eq!(kept.expose_secret(), config.secret.expose_secret());
        assert_eq!(kept.expose_secret().len(), 64);
        // Another process was faster.
        let other = slower.keep_secret().unwrap();
        assert_eq!(other.expose_secret(), kept.expose_secret());
        let next = Config::read(options, settings).unwrap();
        assert!(next.secret_is_kept);
        assert_eq!(next.secret.expose_secret(), kept.expose_secret());
    }

    const BUCKET: (&str, &str) = ("ENSEMBLE_FILES_URL", "s3://files/prm/eu");

    #[test]
    fn files_are_kept_in_the_data_folder_unless_a_bucket_is_named() {
        let of = |settings: &[(&str, &str)]| check(settings).unwrap().files;
        assert!(
            matches!(of(&[("ENSEMBLE_DATA_DIR", "kept")]), Location::Folder(path) if path.as_os_str() == "kept")
        );
        let Location::Bucket(bucket) = of(&[BUCKET]) else {
            panic!("a folder");
        };
        assert_eq!((&*bucket.name, &*bucket.prefix), ("files", "prm/eu"));
        assert_eq!(bucket.region, "us-east-1");
        assert!(bucket.endpoint.is_none() && bucket.keys.is_none());
        let Location::Bucket(bucket) = of(&[
            ("ENSEMBLE_FILES_URL", "s3://files"),
            ("ENSEMBLE_S3_ENDPOINT", "https://minio.example:9000"),
            ("ENSEMBLE_S3_REGION", "eu-central-1"),
            ("ENSEMBLE_S3_ACCESS_KEY_ID", "prm"),
            ("ENSEMBLE_S3_SECRET_ACCESS_KEY", "hunter2"),
        ]) else {
            panic!("a folder");
        };
        assert_eq!((&*bucket.name, &*bucket.prefix), ("files", ""));
        assert_eq!(
            bucket.endpoint.unwrap().as_str(),
            "https://minio.example:9000/"
        );
        let keys = bucket.keys.unwrap();
        assert_eq!((&*keys.id, keys.secret.expose_secret()), ("prm", "hunter2"));
    }

    #[test]
    fn a_bucket_whose_settings_do_not_fit_is_refused() {
        let expected = "files_url: is not a bucket such as s3://bucket/prefix (ENSEMBLE_FILES_URL)";
        for url in [
            "files",
            "file:///srv",
            "s3:///prefix",
            "s3://user:hunter2@files",
            "s3://files?region=x",
            "s3://files/a/../b//c",
        ] {
            let faults = check(&[("ENSEMBLE_FILES_URL", url)]).unwrap_err();
            assert_eq!(faults, [expected], "{url}");
        }
        let endpoint = |url| check(&production(&[BUCKET, ("ENSEMBLE_S3_ENDPOINT", url)]));
        assert!(endpoint("http://localhost:9000").is_ok());
        assert_eq!(
            endpoint("http://minio:9000").unwrap_err(),
            [
                "s3_endpoint: production needs https, unless the service is this machine (ENSEMBLE_S3_ENDPOINT)"
            ]
        );
        assert_eq!(
            endpoint("minio:9000").unwrap_err(),
            [
                "s3_endpoint: is not a service such as https://minio.example.com:9000 (ENSEMBLE_S3_ENDPOINT)"
            ]
        );
        assert_eq!(
            check(&[BUCKET, ("ENSEMBLE_S3_ACCESS_KEY_ID", "prm")]).unwrap_err(),
            ["s3_access_key_id: needs s3_secret_access_key beside it (ENSEMBLE_S3_ACCESS_KEY_ID)"]
        );
        assert_eq!(
            check(&[("ENSEMBLE_S3_SECRET_ACCESS_KEY", "hunter2")]).unwrap_err(),
            [
                "s3_secret_access_key: needs s3_access_key_id beside it (ENSEMBLE_S3_SECRET_ACCESS_KEY)",
                "s3_secret_access_key: is of no use without files_url (ENSEMBLE_S3_SECRET_ACCESS_KEY)",
            ]
        );
    }

    #[test]
    fn printing_shows_no_secret() {
        let settings = [
            ("ENSEMBLE_PREVIOUS_SECRET", SECRET),
            BUCKET,
            ("ENSEMBLE_S3_ACCESS_KEY_ID", "prm"),
            ("ENSEMBLE_S3_SECRET_ACCESS_KEY", "hunter2"),
        ];
        let printed = format!("{:?}", check(&production(&settings)).unwrap());
        assert!(
            !printed.contains("hunter2")
                && !printed.contains("53, 99")
                && !printed.contains("5c1e"),
            "{printed}"
        );
    }
}
