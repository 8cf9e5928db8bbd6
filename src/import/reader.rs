//! Files as a stream of rows, a thousand at a time.
//!
//! A file is read on a thread of its own, which waits while the database is behind: there are never more than a
//! few thousand rows in memory, whatever the size of the file.

mod decode;
mod lines;
mod records;

use std::{collections::HashMap, fs::File, io::BufReader, path::Path, sync::Arc};

use tokio::sync::mpsc;

use self::{
    decode::Text,
    lines::Members,
    records::{Broken, BrokenCell, LONGEST, Record, Records},
};
use super::mapping::{Format, Origin, Source};
use crate::{
    error::{Code, Error, Faults, Refusal, Result},
    platform::text,
};

/// How many rows make one unit of work.
pub const BATCH: usize = 1_000;

/// How many thousands are read ahead.
const AHEAD: usize = 2;

/// How many columns of a header a message shows.
const SHOWN: usize = 20;

/// What a row is when its bytes are not those of the file's encoding.
const NOT_TEXT: &str = "is not text in the encoding of the file; a file in Windows-1252 needs `encoding = \"windows-1252\"`";

/// The text of a cell.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cell {
    /// As the file has it: trimmed, translated.
    pub text: String,
    /// Whether it is a number of JSON, which follows the rules of JSON and not those of the mapping.
    pub json_number: bool,
}

impl Cell {
    fn text(text: String) -> Self {
        Self {
            text,
            json_number: false,
        }
    }
}

/// A row as the mapping sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The line on which it begins, from 1.
    pub line: u64,
    /// Its facts in the order of the entity's fields: none where blank.
    pub cells: Vec<Option<Cell>>,
}

/// Some rows of a file, and how far into the file they reach.
#[derive(Debug, Default)]
pub struct Portion {
    /// The rows.
    pub rows: Vec<Row>,
    /// Rows that cannot even be read, by line.
    pub unreadable: Vec<(u64, String)>,
    /// What is legal but odd, by line.
    pub odd: Vec<(u64, String)>,
    /// Bytes read from the beginning of the file.
    pub position: u64,
}

impl Portion {
    fn is_full(&self) -> bool {
        self.rows.len() + self.unreadable.len() >= BATCH
    }
}

/// Finds what is wrong with the files as a whole before anything is imported: files that cannot be opened or are no text,
/// columns that a mapping names and the files lack, quotes that make the rest of a file unreadable.
///
/// # Errors
/// `BAD_USER_INPUT` with every fault.
pub fn check(folder: &Path, sources: &[Source]) -> Result<()> {
    let mut faults = Faults::default();
    for source in sources {
        let found = match source.format {
            Format::Csv => read_through(folder, source),
            Format::Jsonl => open(folder, source).map(|_| ()),
        };
        match found {
            Ok(()) => {}
            Err(Error::Refused(refusals)) => refusals
                .into_iter()
                .for_each(|refusal| faults.push(refusal)),
            Err(other) => return Err(other),
        }
    }
    faults.check()
}

fn read_through(folder: &Path, source: &Source) -> Result<()> {
    let mut table = Table::open(folder, source)?;
    let mut record = Record::default();
    while table.next(source, &mut record)? {}
    Ok(())
}

/// Reads a file in the background.
pub fn start(folder: &Path, source: &Arc<Source>) -> mpsc::Receiver<Result<Portion>> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    let (folder, source) = (folder.to_owned(), Arc::clone(source));
    tokio::task::spawn_blocking(move || {
        let done = match source.format {
            Format::Csv => read_csv(&folder, &source, &sender),
            Format::Jsonl => read_jsonl(&folder, &source, &sender),
        };
        if let Err(error) = done {
            // Nobody listens any more when the import itself has failed.
            let _ = sender.blocking_send(Err(error));
        }
    });
    receiver
}

/// How long a file is, for the progress bar.
///
/// # Errors
/// The file cannot be opened.
pub fn length(folder: &Path, source: &Source) -> Result<u64> {
    let file = file(folder, source)?;
    Ok(file
        .metadata()
        .map_err(|error| unreadable(source, &error))?
        .len())
}

type Sender = mpsc::Sender<Result<Portion>>;

/// Sends a portion and begins the next; false when nobody wants any more.
fn send(sender: &Sender, portion: &mut Portion) -> bool {
    let full = std::mem::take(portion);
    portion.position = full.position;
    sender.blocking_send(Ok(full)).is_ok()
}

fn read_csv(folder: &Path, source: &Source, sender: &Sender) -> Result<()> {
    let mut table = Table::open(folder, source)?;
    let mut portion = Portion::default();
    let mut record = Record::default();
    while table.next(source, &mut record)? {
        if let Some(row) = table.row(source, &record, &mut portion) {
            portion.rows.push(row);
        }
        if portion.is_full() {
            portion.position = table.position(source)?;
            if !send(sender, &mut portion) {
                return Ok(());
            }
        }
    }
    portion.position = table.position(source)?;
    send(sender, &mut portion);
    Ok(())
}

/// Builds the cells of a row: `places` names where each column is, `get` fetches what is there.
fn cells<P, E>(
    source: &Source,
    places: &[Option<P>],
    get: impl Fn(&P) -> Result<Option<Cell>, E>,
) -> Result<Vec<Option<Cell>>, E> {
    let known = source.origins.iter().zip(places).zip(&source.values);
    known
        .map(|((origin, place), meanings)| {
            let cell = match (origin, place) {
                (Origin::Constant(value), _) => Some(Cell::text(value.clone())),
                (_, Some(place)) => get(place)?,
                (_, None) => None,
            };
            Ok(cell.and_then(|cell| understand(cell, meanings)))
        })
        .collect()
}

fn understand(cell: Cell, meanings: &HashMap<String, String>) -> Option<Cell> {
    let text = text::trim(&cell.text);
    let understood = match meanings.get(text) {
        Some(meaning) => Cell::text(meaning.trim().to_owned()),
        None if text.len() == cell.text.len() => cell,
        None => Cell {
            text: text.to_owned(),
            ..cell
        },
    };
    (!understood.text.is_empty()).then_some(understood)
}

/// A CSV file whose header was read.
struct Table {
    records: Records<BufReader<Text>>,
    headers: Vec<String>,
    /// Where each field of the entity is.
    places: Vec<Option<usize>>,
}

impl Table {
    fn open(folder: &Path, source: &Source) -> Result<Self> {
        let mut records = Records::new(open(folder, source)?, source.delimiter);
        let named = records
            .skip_separator()
            .map_err(|error| unreadable(source, &error))?;
        if named.is_some_and(|named| named != source.delimiter) {
            let problem = "says on line 1 that another character separates its columns; set `delimiter` to it";
            return Err(about(source, problem.to_owned()).into());
        }
        let mut table = Self {
            records,
            headers: Vec::new(),
            places: Vec::new(),
        };
        let mut header = Record::default();
        if !table.next(source, &mut header)? {
            return Err(about(
                source,
                "is empty; the first line names the columns".to_owned(),
            )
            .into());
        }
        table.headers = headers(source, &header)?;
        table.places = table.find(source)?;
        Ok(table)
    }

    /// The place of each column that the mapping names.
    fn find(&self, source: &Source) -> Result<Vec<Option<usize>>> {
        let mut faults = Faults::default();
        let mut places = Vec::with_capacity(source.origins.len());
        for origin in &source.origins {
            let Origin::Column(name) = origin else {
                places.push(None);
                continue;
            };
            let mut found = self
                .headers
                .iter()
                .enumerate()
                .filter(|(_, header)| *header == text::trim(name));
            let place = found.next().map(|(place, _)| place);
            if place.is_none() {
                faults.push(about(source, self.missing(source, name)));
            } else if found.next().is_some() {
                faults.push(about(source, format!("there are two columns {name:?}")));
            }
            places.push(place);
        }
        faults.check()?;
        Ok(places)
    }

    fn missing(&self, source: &Source, name: &str) -> String {
        let shown: Vec<_> = self.headers.iter().take(SHOWN).cloned().collect();
        let more = if self.headers.len() > SHOWN {
            format!(" and {} more", self.headers.len() - SHOWN)
        } else {
            String::new()
        };
        let mut text = format!(
            "there is no column {name:?}; there are {}{more}",
            shown.join(", ")
        );
        if let [only] = self.headers.as_slice()
            && let Some(other) = [';', ',', '\t', '|']
                .into_iter()
                .find(|other| u8::try_from(*other) != Ok(source.delimiter) && only.contains(*other))
        {
            text.push_str(&format!(". Is the delimiter {other:?}?"));
        }
        text
    }

    /// The next row that has anything in it; false at the end of the file.
    fn next(&mut self, source: &Source, record: &mut Record) -> Result<bool> {
        loop {
            match self.records.read(record) {
                Ok(true) if record.is_blank() => {}
                Ok(more) => return Ok(more),
                Err(Broken::Io(error)) => return Err(unreadable(source, &error)),
                Err(broken) => return Err(about(source, broken.to_string()).into()),
            }
        }
    }

    /// What a row says, or nothing when it cannot be read, which the portion notes.
    fn row(&self, source: &Source, record: &Record, portion: &mut Portion) -> Option<Row> {
        match self.understand(source, record) {
            Ok(cells) => {
                if let Some(cell) = record.broken_cell
                    && record.may_hold_a_row(source.delimiter, self.headers.len())
                {
                    let problem = format!(
                        "{} and holds enough columns for a whole row; is a quote missing?",
                        from_line_to_line(cell)
                    );
                    portion.odd.push((record.line, problem));
                }
                Some(Row {
                    line: record.line,
                    cells,
                })
            }
            Err(problem) => {
                portion.unreadable.push((record.line, problem));
                None
            }
        }
    }

    fn understand(&self, source: &Source, record: &Record) -> Result<Vec<Option<Cell>>, String> {
        let width = self.headers.len();
        if let Some(place) = record.stray_quote {
            return Err(format!(
                "has a quote inside column {} that does not begin it; quote the whole cell and write the quote twice",
                place + 1
            ));
        }
        if let Some(cell) = record.broken_cell
            && record.is_joined_rows(width)
        {
            return Err(format!(
                "{}, and each of these lines has the {width} columns of a row. None of them is imported. Is a quote missing on line {} or too many on line {}?",
                from_line_to_line(cell),
                cell.opened,
                cell.closed
            ));
        }
        if record.len() != width {
            return Err(format!(
                "has {} columns where the header has {width}",
                record.len()
            ));
        }
        if record.iter().any(|cell| cell.contains(&0)) {
            return Err("has a NUL byte, which text cannot contain".to_owned());
        }
        let repeated = record.iter().zip(&self.headers);
        if repeated.into_iter().all(|(cell, header)| {
            std::str::from_utf8(cell).is_ok_and(|cell| text::trim(cell) == header)
        }) {
            return Err("repeats the header; were two files joined?".to_owned());
        }
        cells(source, &self.places, |place| {
            let cell = record.get(*place).unwrap_or_default();
            let cell = std::str::from_utf8(cell).map_err(|_| NOT_TEXT.to_owned())?;
            Ok(Some(Cell::text(cell.to_owned())))
        })
    }

    fn position(&mut self, source: &Source) -> Result<u64> {
        let position = self.records.input().get_mut().position();
        position.map_err(|error| unreadable(source, &error))
    }
}

fn from_line_to_line(cell: BrokenCell) -> String {
    let (column, opened, closed) = (cell.place + 1, cell.opened, cell.closed);
    format!("has a quoted cell in column {column} that spans lines {opened} to {closed}")
}

fn headers(source: &Source, header: &Record) -> Result<Vec<String>> {
    let problem = if header.stray_quote.is_some() {
        "has a quote inside a column of the header"
    } else if header.iter().any(|cell| cell.contains(&0)) {
        "has a NUL byte in its header; is it text?"
    } else {
        let names = header.iter().map(std::str::from_utf8);
        match names.collect::<Result<Vec<_>, _>>() {
            Ok(names) => {
                return Ok(names
                    .into_iter()
                    .map(|name| text::trim(name).to_owned())
                    .collect());
            }
            Err(_) => {
                "has a header that is not text in its encoding; a file in Windows-1252 needs `encoding = \"windows-1252\"`"
            }
        }
    };
    Err(about(source, problem.to_owned()).into())
}

fn read_jsonl(folder: &Path, source: &Source, sender: &Sender) -> Result<()> {
    let mut file = open(folder, source)?;
    let names: Vec<_> = source
        .origins
        .iter()
        .map(|origin| match origin {
            Origin::Column(name) => Some(name.clone()),
            Origin::Nowhere | Origin::Constant(_) => None,
        })
        .collect();
    let mut never: Vec<&str> = names.iter().flatten().map(String::as_str).collect();
    let mut portion = Portion::default();
    let (mut number, mut line, mut after_cr) = (0, Vec::new(), false);
    let mut any = false;
    while lines::next(&mut file, &mut line, &mut after_cr)
        .map_err(|error| unreadable(source, &error))?
    {
        number += 1;
        if line.len() > LONGEST {
            let problem = format!("is longer than {LONGEST} bytes");
            portion.unreadable.push((number, problem));
        } else if !line.trim_ascii().is_empty() {
            let understood = Members::read(&line).and_then(|members| {
                never.retain(|name| !members.has(name));
                any = true;
                cells(source, &names, |name| members.get(name))
            });
            match understood {
                Ok(cells) => portion.rows.push(Row {
                    line: number,
                    cells,
                }),
                Err(reason) => portion.unreadable.push((number, reason)),
            }
        }
        if portion.is_full() {
            portion.position = file
                .get_mut()
                .position()
                .map_err(|error| unreadable(source, &error))?;
            if !send(sender, &mut portion) {
                return Ok(());
            }
        }
    }
    if any {
        let problem = |name: &&str| (number, format!("no object has a member {name:?}"));
        portion.odd.extend(never.iter().map(problem));
    }
    send(sender, &mut portion);
    Ok(())
}

fn file(folder: &Path, source: &Source) -> Result<File> {
    File::open(folder.join(&source.file)).map_err(|error| unreadable(source, &error))
}

fn open(folder: &Path, source: &Source) -> Result<BufReader<Text>> {
    let text = Text::open(file(folder, source)?, source.encoding)
        .map_err(|error| unreadable(source, &error))?;
    Ok(BufReader::with_capacity(1 << 16, text))
}

fn unreadable(source: &Source, error: &dyn std::error::Error) -> Error {
    about(source, error.to_string()).into()
}

/// A fault of a file. Its name is one step of the path, whatever dots it has.
fn about(source: &Source, problem: String) -> Refusal {
    let mut refusal = Refusal::new(Code::BadUserInput, problem);
    refusal.field = vec![source.file.clone()];
    refusal
}

#[cfg(test)]
mod tests;
