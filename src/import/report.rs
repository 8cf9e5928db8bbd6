//! What an import did: counts per file for the summary, and every refused row for whoever corrects the file.

use std::{
    fmt,
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

use serde::Serialize;

use super::mapping::Entity;
use crate::{
    error::{Error, Refusal, Result},
    platform::spreadsheet::harmless,
};

/// How many refused rows the summary keeps; the report file has all of them.
const KEPT: usize = 100;

/// One reason why a row was not taken over; a row may have several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// The file, as the mapping names it.
    pub file: String,
    /// The line on which the row begins, from 1; the header of a CSV file is line 1.
    pub row: u64,
    /// The row's external id, where it has one.
    pub external_id: Option<String>,
    /// The fact that is wrong; empty when the row as a whole is.
    pub field: String,
    /// What is wrong.
    pub reason: String,
}

/// What became of the rows of one file. Every row is counted in exactly one of the last four.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FileReport {
    /// The file, as the mapping names it.
    pub file: String,
    /// What its rows are.
    pub entity: &'static str,
    /// Rows in the file, without the header.
    pub rows: u64,
    /// Taken over for the first time.
    pub created: u64,
    /// Known before, and brought up to date.
    pub changed: u64,
    /// Known before, exactly so.
    pub unchanged: u64,
    /// Not taken over.
    pub refused: u64,
}

/// What became of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether nothing was written.
    pub dry_run: bool,
    /// Its files, in order.
    pub files: Vec<FileReport>,
    /// The first hundred reasons for refusals.
    pub refusals: Vec<Refused>,
}

impl Report {
    /// The counts of all files together.
    #[must_use]
    pub fn total(&self) -> FileReport {
        let mut total = FileReport {
            file: "total".to_owned(),
            ..FileReport::default()
        };
        for file in &self.files {
            total.rows += file.rows;
            total.created += file.created;
            total.changed += file.changed;
            total.unchanged += file.unchanged;
            total.refused += file.refused;
        }
        total
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self
            .files
            .iter()
            .map(|file| file.file.chars().count())
            .max()
            .unwrap_or(0)
            .max(5);
        writeln!(
            f,
            "{:width$}  {:>9} {:>9} {:>9} {:>9} {:>9}",
            "file", "rows", "created", "changed", "unchanged", "refused"
        )?;
        for file in self.files.iter().chain([&self.total()]) {
            let FileReport {
                file,
                rows,
                created,
                changed,
                unchanged,
                refused,
                ..
            } = file;
            writeln!(
                f,
                "{file:width$}  {rows:>9} {created:>9} {changed:>9} {unchanged:>9} {refused:>9}"
            )?;
        }
        for refused in &self.refusals {
            let Refused {
                file,
                row,
                field,
                reason,
                ..
            } = refused;
            let place = if field.is_empty() {
                String::new()
            } else {
                format!("{field}: ")
            };
            writeln!(f, "{file}:{row}: {place}{reason}")?;
        }
        if self.dry_run {
            writeln!(f, "Nothing was written: this was a dry run.")?;
        }
        Ok(())
    }
}

/// Keeps the counts and writes refused rows down as they come.
pub struct Tally {
    report: Report,
    file: Option<Lines>,
}

enum Lines {
    Csv(Box<csv::Writer<File>>),
    Json(BufWriter<File>),
}

impl Tally {
    /// Begins a report; the file of refused rows is CSV, or JSON Lines when its name ends so.
    ///
    /// # Errors
    /// `BAD_USER_INPUT`: the file cannot be made.
    pub fn open(dry_run: bool, path: Option<&Path>) -> Result<Self> {
        let file = path.map(Lines::create).transpose()?;
        Ok(Self {
            report: Report {
                dry_run,
                ..Report::default()
            },
            file,
        })
    }

    /// Begins a file.
    pub fn begin(&mut self, file: &str, entity: Entity) {
        let begun = FileReport {
            file: file.to_owned(),
            entity: entity.name(),
            ..FileReport::default()
        };
        self.report.files.push(begun);
    }

    /// Counts of the file that was begun last.
    pub fn count(&mut self, count: impl FnOnce(&mut FileReport)) {
        if let Some(file) = self.report.files.last_mut() {
            count(file);
        }
    }

    /// Refuses a row, for all its reasons.
    ///
    /// # Errors
    /// The report file cannot be written.
    pub fn refuse(
        &mut self,
        row: u64,
        external_id: Option<&str>,
        faults: Vec<Refusal>,
    ) -> Result<()> {
        self.count(|file| file.refused += 1);
        let name = self
            .report
            .files
            .last()
            .map(|file| file.file.clone())
            .unwrap_or_default();
        for fault in faults {
            let refused = Refused {
                file: name.clone(),
                row,
                external_id: external_id.map(str::to_owned),
                field: fault.field.join("."),
                reason: fault.message,
            };
            if let Some(lines) = &mut self.file {
                lines.write(&refused).map_err(unwritable)?;
            }
            if self.report.refusals.len() < KEPT {
                self.report.refusals.push(refused);
            }
        }
        Ok(())
    }

    /// The report.
    ///
    /// # Errors
    /// The report file cannot be written.
    pub fn finish(mut self) -> Result<Report> {
        match &mut self.file {
            Some(Lines::Csv(writer)) => writer.flush().map_err(unwritable)?,
            Some(Lines::Json(writer)) => writer.flush().map_err(unwritable)?,
            None => {}
        }
        Ok(self.report)
    }
}

impl Lines {
    fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).map_err(unwritable)?;
        let json = path
            .extension()
            .is_some_and(|extension| extension == "jsonl");
        if json {
            return Ok(Self::Json(BufWriter::new(file)));
        }
        let mut writer = csv::Writer::from_writer(file);
        writer
            .write_record(["file", "row", "external_id", "field", "reason"])
            .map_err(unwritable)?;
        Ok(Self::Csv(Box::new(writer)))
    }

    fn write(&mut self, refused: &Refused) -> std::io::Result<()> {
        match self {
            Self::Csv(writer) => {
                let external_id = refused.external_id.as_deref().unwrap_or_default();
                let row = refused.row.to_string();
                let cells = [
                    refused.file.as_str(),
                    &row,
                    external_id,
                    &refused.field,
                    &refused.reason,
                ];
                Ok(writer.write_record(cells.map(|cell| harmless(cell).into_owned()))?)
            }
            Self::Json(writer) => {
                serde_json::to_writer(&mut *writer, refused)?;
                writer.write_all(b"\n")
            }
        }
    }
}

fn unwritable(error: impl fmt::Display) -> Error {
    Refusal::input("report", format!("the report cannot be written: {error}")).into()
}
