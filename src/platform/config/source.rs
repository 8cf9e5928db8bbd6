//! Where settings come from and how one is read: as text, whatever layer it stands in, so that a number in the file and
//! the same number in the environment mean the same and are refused in the same words.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use figment::providers::{Format, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Error, Figment, Metadata, Profile, Provider};

/// The settings of the environment begin with this, except for `DATABASE_URL`.
const PREFIX: &str = "ENSEMBLE_";
const TESTS: &str = "ENSEMBLE_TEST_";
const DATABASE_URL: &str = "DATABASE_URL";
const ENVIRONMENT: &str = "environment";
const COMMAND_LINE: &str = "command line";

/// What the command line says; it wins over everything else.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The configuration file; without it `ensemble.toml` in the working directory, if there is one.
    pub file: Option<PathBuf>,
    /// Overrides `listen`.
    pub listen: Option<String>,
    /// Overrides `database_url`.
    pub database_url: Option<String>,
    /// Overrides `mode`.
    pub mode: Option<String>,
}

/// The environment of the process: the only place that reads it. Values that are not text are passed on damaged, so that
/// they are refused rather than overlooked.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().map(|(name, value)| {
        (
            name.to_string_lossy().into_owned(),
            value.to_string_lossy().into_owned(),
        )
    })
}

/// All layers, the settings asked for so far and the faults found.
pub(super) struct Source {
    layers: Figment,
    known: BTreeSet<&'static str>,
    faults: Vec<String>,
}

impl Source {
    /// Stacks the layers. A file that cannot be read is a fault, and the rest is checked without it.
    pub(super) fn new(
        options: Options,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let mut source = Self {
            layers: Figment::new(),
            known: BTreeSet::new(),
            faults: Vec::new(),
        };
        source.add_file(options.file.as_deref());
        source.add_environment(environment);
        let overrides = [
            ("listen", options.listen),
            ("database_url", options.database_url),
            ("mode", options.mode),
        ];
        let overrides = overrides
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value?)));
        source.add(COMMAND_LINE, overrides);
        source
    }

    fn add_file(&mut self, given: Option<&Path>) {
        let path = given.unwrap_or(Path::new("ensemble.toml"));
        if !path.is_file() {
            if given.is_some() {
                self.fault(format!("{}: there is no such file", path.display()));
            }
            return;
        }
        let file = Toml::file_exact(path);
        match Figment::from(&file).extract::<Dict>() {
            Ok(_) => self.layers = self.layers.clone().merge(file),
            Err(fault) => self.fault(format!("{}: {fault}", path.display())),
        }
    }

    fn add_environment(&mut self, environment: impl IntoIterator<Item = (String, String)>) {
        let mut settings = Vec::new();
        for (name, value) in environment {
            // Compose files and shells pass unset settings on as empty ones; what tests are told is none of the server's.
            if value.is_empty() || name.starts_with(TESTS) {
                continue;
            }
            if name == DATABASE_URL {
                settings.push(("database_url".to_owned(), value));
            } else if name == "ENSEMBLE_DATABASE_URL" {
                self.fault(format!(
                    "{name}: is not a setting; the database is named by {DATABASE_URL}"
                ));
            } else if let Some(key) = name.strip_prefix(PREFIX) {
                settings.push((key.to_lowercase(), value));
            }
        }
        self.add(ENVIRONMENT, settings);
    }

    fn add(&mut self, name: &'static str, settings: impl IntoIterator<Item = (String, String)>) {
        let values = settings
            .into_iter()
            .map(|(key, value)| (key, Value::from(value)))
            .collect();
        self.layers = self.layers.clone().merge(Layer { name, values });
    }

    /// Reports a fault.
    pub(super) fn fault(&mut self, fault: impl Into<String>) {
        self.faults.push(fault.into());
    }

    /// Reports what is wrong with a setting, naming where it was given.
    pub(super) fn wrong(&mut self, key: &str, what: impl Display) {
        let origin = self.origin(key);
        self.fault(format!("{key}: {what}{origin}"));
    }

    fn origin(&self, key: &str) -> String {
        let Some(metadata) = self.layers.find_metadata(key) else {
            return String::new();
        };
        match &*metadata.name {
            ENVIRONMENT if key == "database_url" => format!(" ({DATABASE_URL})"),
            ENVIRONMENT => format!(" ({PREFIX}{})", key.to_uppercase()),
            COMMAND_LINE => format!(" (--{})", key.replace('_', "-")),
            other => match metadata
                .source
                .as_ref()
                .and_then(figment::Source::file_path)
            {
                Some(path) => format!(" ({})", path.display()),
                None => format!(" ({other})"),
            },
        }
    }

    /// A setting as text; lists are joined by commas. `None` when nobody set it.
    pub(super) fn text(&mut self, key: &'static str) -> Option<String> {
        self.known.insert(key);
        let value = self.layers.find_value(key).ok()?;
        let text = text(&value);
        if text.is_none() {
            self.wrong(
                key,
                "is not text, a whole number, true, false or a list of these",
            );
        }
        text
    }

    /// A setting read as `T`, described for people by `expected`, or `default` when nobody set it or it is wrong.
    pub(super) fn read<T: FromStr>(&mut self, key: &'static str, expected: &str, default: T) -> T {
        self.optional(key, expected).unwrap_or(default)
    }

    /// A setting read as `T`; `None` when nobody set it or it is wrong.
    pub(super) fn optional<T: FromStr>(&mut self, key: &'static str, expected: &str) -> Option<T> {
        let text = self.text(key)?;
        let value = text.trim().parse().ok();
        if value.is_none() {
            self.wrong(key, format_args!("{text:?} is not {expected}"));
        }
        value
    }

    /// A list, given as a list or as text with commas; entries that are wrong are reported one by one.
    pub(super) fn list<T: FromStr>(&mut self, key: &'static str, expected: &str) -> Vec<T> {
        let text = self.text(key).unwrap_or_default();
        let mut values = Vec::new();
        for entry in text
            .split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
        {
            match entry.parse() {
                Ok(value) => values.push(value),
                Err(_) => self.wrong(key, format_args!("{entry:?} is not {expected}")),
            }
        }
        values
    }

    /// A whole number within bounds.
    pub(super) fn number<T>(
        &mut self,
        key: &'static str,
        bounds: RangeInclusive<T>,
        default: T,
    ) -> T
    where
        T: FromStr + PartialOrd + Display,
    {
        let expected = format!("a whole number from {} to {}", bounds.start(), bounds.end());
        let value = self.read(key, &expected, default);
        if !bounds.contains(&value) {
            self.wrong(key, format_args!("\"{value}\" is not {expected}"));
        }
        value
    }

    /// Every fault found, those of settings nobody asked for included.
    pub(super) fn finish(mut self) -> Vec<String> {
        let given: Dict = self.layers.extract().unwrap_or_default();
        for key in given
            .keys()
            .filter(|key| !self.known.contains(key.as_str()))
        {
            let origin = self.origin(key);
            self.faults
                .push(format!("{key}: there is no such setting{origin}"));
        }
        self.faults
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(_, text) => Some(text.clone()),
        Value::Bool(_, flag) => Some(flag.to_string()),
        Value::Num(_, number) => Some(number.to_i128()?.to_string()),
        Value::Array(_, values) => Some(
            values
                .iter()
                .map(text)
                .collect::<Option<Vec<_>>>()?
                .join(","),
        ),
        Value::Char(..) | Value::Empty(..) | Value::Dict(..) => None,
    }
}

/// Settings that are texts by name.
struct Layer {
    name: &'static str,
    values: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}
