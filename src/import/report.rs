//! What an import did: counts per file, totals per currency, what is odd, and every refused row for the person who
//! corrects the file.

use std::{
    collections::BTreeSet,
    fmt,
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

use sea_orm::ActiveEnum;
use serde::Serialize;

use super::{
    mapping::Entity,
    totals::{Totals, decimal},
    unit::Remark,
};
use crate::{
    error::{Error, Refusal, Result},
    platform::{spreadsheet::harmless, sql},
};

/// How many reasons, warnings and notes each the summary keeps; the report file has every reason.
const KEPT: usize = 100;

/// The outcome of a row that a person should check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Verdict {
    /// It was not imported.
    Refused,
    /// It was imported, and may match an existing record.
    PossibleConflict,
}

impl Verdict {
    const fn text(self) -> &'static str {
        match self {
            Self::Refused => "REFUSED",
            Self::PossibleConflict => "POSSIBLE_CONFLICT",
        }
    }
}

/// A reason why a person should check a row; a row may have several.
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
    /// The outcome of the row.
    pub outcome: Verdict,
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

/// Something about a row that was imported: it is legal but odd, or took over a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Told {
    /// The file, as the mapping names it.
    pub file: String,
    /// The line on which the row begins, from 1.
    pub row: u64,
    /// What it is.
    pub text: String,
}

/// The first hundred of something, and how many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// The first hundred.
    pub first: Vec<Told>,
    /// How many there are.
    pub count: u64,
}

impl Listed {
    fn push(&mut self, file: &str, row: u64, text: String) {
        self.count += 1;
        if self.first.len() < KEPT {
            self.first.push(Told {
                file: file.to_owned(),
                row,
                text,
            });
        }
    }
}

/// What became of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Whether nothing was written.
    pub dry_run: bool,
    /// Its files, in order.
    pub files: Vec<FileReport>,
    /// The first hundred reasons for refusals, by file and line.
    pub refusals: Vec<Refused>,
    /// How many reasons there are.
    pub reasons: u64,
    /// What is legal but odd.
    pub warnings: Listed,
    /// Which records were taken over.
    pub notes: Listed,
    /// The deals before the import.
    pub before: Totals,
    /// The deals after it.
    pub after: Totals,
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
        self.write_totals(f)?;
        for (kind, listed) in [("note", &self.notes), ("warning", &self.warnings)] {
            for told in &listed.first {
                writeln!(f, "{kind}: {}:{}: {}", told.file, told.row, told.text)?;
            }
            write_rest(f, listed.count, listed.first.len(), kind, "")?;
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
        let where_to = "; `--report FILE` writes all of them";
        write_rest(f, self.reasons, self.refusals.len(), "refusal", where_to)?;
        if self.dry_run {
            writeln!(f, "Nothing was written: this was a dry run.")?;
        }
        Ok(())
    }
}

fn write_rest(
    f: &mut fmt::Formatter<'_>,
    count: u64,
    shown: usize,
    kind: &str,
    where_to: &str,
) -> fmt::Result {
    match count.saturating_sub(sql::count(shown)) {
        0 => Ok(()),
        more => writeln!(
            f,
            "… and {more} more {kind}{}{where_to}.",
            if more == 1 { "" } else { "s" }
        ),
    }
}

impl Report {
    /// The deals per currency and status before and after; nothing where there are none.
    fn write_totals(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: BTreeSet<_> = self.before.0.keys().chain(self.after.0.keys()).collect();
        if keys.is_empty() {
            return Ok(());
        }
        writeln!(
            f,
            "{:12} {:>9} {:>20} {:>9} {:>20}",
            "deals", "before", "value", "after", "value"
        )?;
        for (currency, status) in keys {
            let (before, after) = (
                self.before.of(*currency, *status),
                self.after.of(*currency, *status),
            );
            writeln!(
                f,
                "{:12} {:>9} {:>20} {:>9} {:>20}",
                format!("{currency} {}", status.to_value()),
                before.deals,
                decimal(before.minor, *currency),
                after.deals,
                decimal(after.minor, *currency)
            )?;
        }
        Ok(())
    }
}

/// Keeps the counts and writes refused rows down as they come.
pub struct Tally {
    report: Report,
    file: Option<Lines>,
    /// Rows of the current file to check, waiting for those of earlier lines.
    held: Vec<Refused>,
    /// Notes and warnings of the present file.
    notes: Vec<(u64, String)>,
    warnings: Vec<(u64, String)>,
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
            held: Vec::new(),
            notes: Vec::new(),
            warnings: Vec::new(),
        })
    }

    /// The totals, before and after.
    pub fn totals(&mut self) -> (&mut Totals, &mut Totals) {
        (&mut self.report.before, &mut self.report.after)
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

    /// Refuses a row, for all its reasons. They are listed with [`Tally::release`].
    pub fn refuse(&mut self, row: u64, external_id: Option<&str>, faults: Vec<Refusal>) {
        self.count(|file| file.refused += 1);
        let file = self.file_name();
        self.held.extend(faults.into_iter().map(|fault| Refused {
            file: file.clone(),
            row,
            external_id: external_id.map(str::to_owned),
            field: fault.field.join("."),
            reason: fault.message,
            outcome: Verdict::Refused,
        }));
    }

    /// Lists what was refused before this line, in the order of lines: all of it where no earlier row is undecided.
    ///
    /// # Errors
    /// The report file cannot be written.
    pub fn release(&mut self, before: Option<u64>) -> Result<()> {
        self.held.sort_by_key(|refused| refused.row);
        let end = before.map_or(self.held.len(), |line| {
            self.held.partition_point(|refused| refused.row < line)
        });
        for refused in self.held.drain(..end) {
            if let Some(lines) = &mut self.file {
                lines.write(&refused).map_err(unwritable)?;
            }
            if refused.outcome == Verdict::PossibleConflict {
                continue;
            }
            self.report.reasons += 1;
            if self.report.refusals.len() < KEPT {
                self.report.refusals.push(refused);
            }
        }
        Ok(())
    }

    /// Records a remark about a row. Remarks that need a decision are also listed in the report file.
    pub fn remark(&mut self, remark: Remark) {
        if remark.undecided.is_some() {
            self.held.push(Refused {
                file: self.file_name(),
                row: remark.line,
                external_id: remark.undecided,
                field: String::new(),
                reason: remark.text.clone(),
                outcome: Verdict::PossibleConflict,
            });
        }
        let list = if remark.odd {
            &mut self.warnings
        } else {
            &mut self.notes
        };
        list.push((remark.line, remark.text));
    }

    /// Ends a file: lists what is left of it, in the order of lines.
    ///
    /// # Errors
    /// The report file cannot be written.
    pub fn end(&mut self) -> Result<()> {
        self.release(None)?;
        let file = self.file_name();
        for (list, listed) in [
            (&mut self.notes, &mut self.report.notes),
            (&mut self.warnings, &mut self.report.warnings),
        ] {
            list.sort();
            for (row, text) in list.drain(..) {
                listed.push(&file, row, text);
            }
        }
        Ok(())
    }

    fn file_name(&self) -> String {
        let file = self.report.files.last();
        file.map(|file| file.file.clone()).unwrap_or_default()
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
            .write_record(["file", "row", "external_id", "field", "reason", "outcome"])
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
                    refused.outcome.text(),
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
