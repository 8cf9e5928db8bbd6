//! The mapping file: which file holds what, which column is which fact, and how foreign dates, amounts and
//! words are to be understood.
//!
//! It is a TOML document. Its files are taken over in the order in which they stand, so that deals come after
//! the partners, customers and products they name. A mapping is accepted as a whole or refused with every fault
//! at once.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Component, Path},
};

use chrono_tz::Tz;
use encoding_rs::Encoding;
use serde::Deserialize;

use super::dates;
use crate::{
    error::{Error, Faults, Refusal, Result},
    platform::money::Currency,
};

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Comma-separated values with a header line.
    Csv,
    /// One JSON object a line.
    Jsonl,
}

/// What the rows of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Entity {
    /// Partner companies.
    Partner,
    /// End customers.
    Customer,
    /// Products, with their families.
    Product,
    /// Deals, with the partner that brought them and the stages they went through.
    Deal,
    /// What partners did for deals.
    Touchpoint,
}

impl Entity {
    /// The name in mappings, reports and events.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Partner => "partner",
            Self::Customer => "customer",
            Self::Product => "product",
            Self::Deal => "deal",
            Self::Touchpoint => "touchpoint",
        }
    }

    /// The facts that a mapping may give.
    #[must_use]
    pub const fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Partner => &[
                "external_id",
                "legal_name",
                "display_name",
                "size",
                "country",
                "region",
                "website",
                "registration_number",
                "parent",
                "status",
                "tier",
                "types",
                "countries",
                "industries",
                "competencies",
            ],
            Self::Customer => &[
                "external_id",
                "name",
                "domain",
                "country",
                "industry",
                "registration_number",
                "phone",
                "employees",
                "parent",
            ],
            Self::Product => &[
                "external_id",
                "name",
                "sku",
                "family",
                "list_price",
                "currency",
            ],
            Self::Deal => &[
                "external_id",
                "name",
                "partner",
                "role",
                "customer",
                "product",
                "quantity",
                "stage",
                "opening_stage",
                "outcome",
                "business",
                "value",
                "expected_value",
                "currency",
                "opened_on",
                "closed_on",
                "expected_close_on",
                "close_date",
                "loss_reason",
                "loss_detail",
                "competitor",
                "time_zone",
            ],
            Self::Touchpoint => &[
                "external_id",
                "deal",
                "partner",
                "kind",
                "phase",
                "milestone",
                "occurred_on",
                "evidence",
            ],
        }
    }

    /// What a fact is, where two of them cannot come from one column: a day is no amount, and one day or one amount is
    /// not two facts.
    fn kind(field: &str) -> Option<&'static str> {
        match field {
            "opened_on" | "closed_on" | "expected_close_on" | "close_date" | "occurred_on" => {
                Some("date")
            }
            "value" | "expected_value" | "list_price" | "quantity" | "employees" => Some("number"),
            _ => None,
        }
    }

    /// The facts without which a row means nothing.
    const fn required(self) -> &'static [&'static str] {
        match self {
            Self::Partner => &["external_id", "legal_name"],
            Self::Customer => &["external_id", "name"],
            Self::Product => &["external_id", "name", "family"],
            Self::Deal => &["external_id", "stage"],
            Self::Touchpoint => &[
                "external_id",
                "deal",
                "partner",
                "kind",
                "phase",
                "occurred_on",
            ],
        }
    }
}

/// Where a fact comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The file does not tell it; what is stored stays.
    Nowhere,
    /// The column of this name (in JSON Lines: the member of this name).
    Column(String),
    /// The same for every row.
    Constant(String),
}

/// How a file writes dates and amounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conventions {
    /// The currency of amounts without one of their own.
    pub currency: Option<Currency>,
    /// Of times without an offset; UTC unless said otherwise.
    pub time_zone: Tz,
    /// How dates are written, tried in this order; RFC 3339 is always understood.
    pub date_formats: Vec<String>,
    /// What stands before the decimals; a point unless said otherwise.
    pub decimal: char,
    /// What separates thousands, if anything.
    pub thousands: Option<char>,
    /// What symbols beside an amount mean, such as `€`. Codes of ISO 4217 are always understood.
    pub symbols: BTreeMap<String, Currency>,
    /// The first of the hundred years that two digits mean.
    pub two_digit_years_from: Option<i32>,
}

/// One file and how to read it.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its path within the folder of the import.
    pub file: String,
    /// How it is written.
    pub format: Format,
    /// What separates the columns of a CSV file.
    pub delimiter: u8,
    /// Its encoding; none where the file itself says it, by a byte order mark or by being UTF-8.
    pub encoding: Option<&'static Encoding>,
    /// What its rows are.
    pub entity: Entity,
    /// Where each fact comes from, in the order of [`Entity::fields`].
    pub origins: Vec<Origin>,
    /// What foreign words mean, by fact in the same order.
    pub values: Vec<HashMap<String, String>>,
    /// How it writes dates and amounts.
    pub conventions: Conventions,
    /// The time zone in which a date without a time begins: that of the programme, once it is known.
    pub day_zone: Tz,
}

impl Source {
    /// Whether the file tells this fact at all.
    #[must_use]
    pub fn gives(&self, field: &str) -> bool {
        self.origin(field)
            .is_some_and(|origin| *origin != Origin::Nowhere)
    }

    /// The time zone of its records: the one that it names for all of them, or else that of its times.
    #[must_use]
    pub fn zone(&self) -> Tz {
        let named: Option<Tz> = match self.origin("time_zone") {
            Some(Origin::Constant(name)) => name.parse().ok(),
            _ => None,
        };
        named.unwrap_or(self.conventions.time_zone)
    }

    fn origin(&self, field: &str) -> Option<&Origin> {
        let mut fields = self.entity.fields().iter();
        let place = fields.position(|known| *known == field)?;
        self.origins.get(place)
    }
}

/// A mapping that was found sound.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// The programme that the deals belong to; it is made when there is none of this name.
    pub program: Option<String>,
    /// The files, in the order in which they are taken over.
    pub sources: Vec<Source>,
}

impl Mapping {
    /// Reads a mapping.
    ///
    /// # Errors
    /// `BAD_USER_INPUT`: the document is not TOML of this form, or every fault in what it says.
    pub fn parse(text: &str) -> Result<Self> {
        let document: Document =
            toml::from_str(text).map_err(|error| Refusal::input("mapping", error.to_string()))?;
        let mut faults = Faults::default();
        if document.files.is_empty() {
            faults.add("files", "at least one file is needed");
        }
        let general = document.conventions.unwrap_or_default();
        let sources = document.files.into_iter().enumerate();
        let sources = sources
            .map(|(place, file)| file.check(&general, &format!("files.{place}"), &mut faults))
            .collect();
        faults.check()?;
        Ok(Self {
            program: document.program,
            sources,
        })
    }

    /// Reads a mapping from a file.
    ///
    /// # Errors
    /// As [`Mapping::parse`]; `BAD_USER_INPUT` when the file cannot be read.
    pub fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Error::from(Refusal::input(
                "mapping",
                format!("{}: {error}", path.display()),
            ))
        })?;
        Self::parse(&text)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    program: Option<String>,
    conventions: Option<WrittenConventions>,
    #[serde(default)]
    files: Vec<WrittenSource>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenConventions {
    currency: Option<String>,
    time_zone: Option<String>,
    date_formats: Option<Vec<String>>,
    decimal: Option<char>,
    thousands: Option<char>,
    symbols: Option<BTreeMap<String, String>>,
    two_digit_years_from: Option<i32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSource {
    file: String,
    format: Format,
    delimiter: Option<char>,
    encoding: Option<String>,
    entity: Entity,
    #[serde(default)]
    columns: BTreeMap<String, String>,
    #[serde(default)]
    constants: BTreeMap<String, String>,
    #[serde(default)]
    values: BTreeMap<String, HashMap<String, String>>,
    conventions: Option<WrittenConventions>,
}

impl WrittenSource {
    fn check(mut self, general: &WrittenConventions, path: &str, faults: &mut Faults) -> Source {
        let inside = Path::new(&self.file)
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        if self.file.is_empty() || !inside {
            faults.add(
                &format!("{path}.file"),
                "must be a path inside the folder of the import",
            );
        }
        self.check_names(path, faults);
        let conventions = self
            .conventions
            .take()
            .unwrap_or_default()
            .over(general)
            .check(path, faults);
        let delimiter = self.delimiter.map_or(Some(b','), |c| {
            let byte = u8::try_from(c).ok().filter(u8::is_ascii)?;
            (!matches!(byte, b'"' | b'\r' | b'\n' | 0)).then_some(byte)
        });
        if delimiter.is_none() {
            let problem =
                "must be one ASCII character that is neither a quote nor the end of a line";
            faults.add(&format!("{path}.delimiter"), problem);
        }
        let encoding = self.encoding.take().and_then(|label| {
            let known = Encoding::for_label_no_replacement(label.as_bytes());
            if known.is_none() {
                let problem = format!("{label:?} is not an encoding of the WHATWG Encoding Standard, such as utf-8, utf-16 or windows-1252");
                faults.add(&format!("{path}.encoding"), problem);
            }
            known
        });
        let origins = self
            .entity
            .fields()
            .iter()
            .map(|field| self.origin(field))
            .collect();
        let values = self
            .entity
            .fields()
            .iter()
            .map(|field| self.values.remove(*field).unwrap_or_default())
            .collect();
        Source {
            file: self.file,
            format: self.format,
            delimiter: delimiter.unwrap_or(b','),
            encoding,
            entity: self.entity,
            origins,
            values,
            day_zone: conventions.time_zone,
            conventions,
        }
    }

    fn check_names(&self, path: &str, faults: &mut Faults) {
        let known = self.entity.fields();
        let named = [
            ("columns", self.columns.keys().collect::<Vec<_>>()),
            ("constants", self.constants.keys().collect()),
            ("values", self.values.keys().collect()),
        ];
        for (table, fields) in named {
            for field in fields
                .into_iter()
                .filter(|field| !known.contains(&field.as_str()))
            {
                let problem = format!(
                    "A {} has no such field. It has {}.",
                    self.entity.name(),
                    known.join(", ")
                );
                faults.add(&format!("{path}.{table}.{field}"), problem);
            }
        }
        for field in self
            .columns
            .keys()
            .filter(|field| self.constants.contains_key(*field))
        {
            faults.add(&format!("{path}.constants.{field}"), "is already a column");
        }
        self.check_shared(path, faults);
        for field in self.entity.required() {
            if self.origin(field) == Origin::Nowhere {
                faults.add(&format!("{path}.columns.{field}"), "is needed");
            }
        }
    }

    /// Refuses two dates or amounts from one column, and both ways to give the date of the close at once. Names and ids may
    /// share a column.
    fn check_shared(&self, path: &str, faults: &mut Faults) {
        let mut first: HashMap<&str, &str> = HashMap::new();
        for (field, column) in &self.columns {
            if Entity::kind(field).is_none() {
                continue;
            }
            let Some(other) = first.insert(column, field) else {
                continue;
            };
            let problem = if [other, field.as_str()] == ["closed_on", "expected_close_on"] {
                format!(
                    "reads the column {column:?}, as `{other}` does; map it once, to `close_date`: the expected date while the deal is open, the actual one when it is closed"
                )
            } else {
                format!("reads the column {column:?}, as `{other}` does; map it once")
            };
            faults.add(&format!("{path}.columns.{field}"), problem);
        }
        if self.origin("close_date") != Origin::Nowhere {
            for field in ["closed_on", "expected_close_on"] {
                if self.origin(field) != Origin::Nowhere {
                    let problem = format!(
                        "covers `{field}` and `expected_close_on`; map either this or those two"
                    );
                    faults.add(&format!("{path}.columns.close_date"), problem);
                    break;
                }
            }
        }
    }

    fn origin(&self, field: &str) -> Origin {
        match (self.columns.get(field), self.constants.get(field)) {
            (Some(column), _) => Origin::Column(column.clone()),
            (None, Some(value)) => Origin::Constant(value.clone()),
            (None, None) => Origin::Nowhere,
        }
    }
}

impl WrittenConventions {
    fn over(self, general: &Self) -> Self {
        Self {
            currency: self.currency.or_else(|| general.currency.clone()),
            time_zone: self.time_zone.or_else(|| general.time_zone.clone()),
            date_formats: self.date_formats.or_else(|| general.date_formats.clone()),
            decimal: self.decimal.or(general.decimal),
            thousands: self.thousands.or(general.thousands),
            symbols: self.symbols.or_else(|| general.symbols.clone()),
            two_digit_years_from: self.two_digit_years_from.or(general.two_digit_years_from),
        }
    }

    fn check(self, path: &str, faults: &mut Faults) -> Conventions {
        let at = |field: &str| format!("{path}.conventions.{field}");
        let currency = self
            .currency
            .and_then(|code| faults.take(&at("currency"), code.parse()));
        let zone = self.time_zone.map_or(Ok(Tz::UTC), |name| {
            name.parse().map_err(|_| "is not an IANA time zone")
        });
        let time_zone = faults.take(&at("time_zone"), zone).unwrap_or(Tz::UTC);
        let date_formats = self
            .date_formats
            .unwrap_or_else(|| vec!["%Y-%m-%d".to_owned()]);
        for format in &date_formats {
            if let Err(problem) = dates::check_format(format, self.two_digit_years_from) {
                faults.add(&at("date_formats"), format!("{format:?} {problem}"));
            }
        }
        if self
            .two_digit_years_from
            .is_some_and(|year| !(1900..=2100).contains(&year))
        {
            faults.add(
                &at("two_digit_years_from"),
                "must be the first of a hundred years, such as 1970",
            );
        }
        let decimal = self.decimal.unwrap_or('.');
        if Some(decimal) == self.thousands {
            faults.add(&at("thousands"), "must not be the decimal character");
        }
        for (field, separator) in [("decimal", Some(decimal)), ("thousands", self.thousands)] {
            if separator.is_some_and(|c| c.is_numeric() || "+-()".contains(c)) {
                faults.add(&at(field), "must not be a digit, a sign or a parenthesis");
            }
        }
        let symbols = self.symbols.unwrap_or_default().into_iter();
        let symbols = symbols.filter_map(|(symbol, code)| {
            let place = at(&format!("symbols.{symbol}"));
            if symbol.trim().is_empty()
                || symbol
                    .chars()
                    .any(|c| c.is_numeric() || "+-().,".contains(c))
            {
                faults.add(&place, "must be a symbol, not digits, signs or separators");
            }
            let currency = faults.take(&place, code.parse())?;
            Some((symbol.trim().to_owned(), currency))
        });
        let symbols = symbols.collect();
        Conventions {
            currency,
            time_zone,
            date_formats,
            decimal,
            thousands: self.thousands,
            symbols,
            two_digit_years_from: self.two_digit_years_from,
        }
    }
}
