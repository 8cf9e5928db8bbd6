//! Files as a stream of rows, a thousand at a time.
//!
//! A file is read on a thread of its own, which waits while the database is behind: there are never more than a
//! few thousand rows in memory, whatever the size of the file.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use serde_json::Value;
use tokio::sync::mpsc;

use super::mapping::{Format, Origin, Source};
use crate::{
    error::{Code, Error, Faults, Refusal, Result},
    platform::sql,
};

/// How many rows make one unit of work.
pub const BATCH: usize = 1_000;

/// The longest row, in bytes: what is longer is a quote that nobody closed, or not a file of rows.
const LONGEST: u64 = 1 << 20;

/// How many thousands are read ahead.
const AHEAD: usize = 2;

/// A row as the mapping sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The line on which it begins, from 1.
    pub line: u64,
    /// Its facts in the order of the entity's fields: trimmed, translated, none where blank.
    pub cells: Vec<Option<String>>,
}

/// Some rows of a file, and how far into the file they reach.
#[derive(Debug, Default)]
pub struct Portion {
    /// The rows.
    pub rows: Vec<Row>,
    /// Rows that cannot even be read, by line.
    pub unreadable: Vec<(u64, String)>,
    /// Bytes read from the beginning of the file.
    pub position: u64,
}

impl Portion {
    fn len(&self) -> usize {
        self.rows.len() + self.unreadable.len()
    }
}

/// Finds every column that a mapping names and the files lack, before anything is taken over.
///
/// # Errors
/// `BAD_USER_INPUT` with every fault: files that cannot be opened, columns that are missing or there twice.
pub fn check(folder: &Path, sources: &[Source]) -> Result<()> {
    let mut faults = Faults::default();
    for source in sources {
        let found = match source.format {
            Format::Csv => Columns::open(folder, source)
                .and_then(|mut file| file.places(source))
                .map(|_| ()),
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
    let file = open(folder, source)?;
    Ok(file
        .metadata()
        .map_err(|error| unreadable(source, &error))?
        .len())
}

type Sender = mpsc::Sender<Result<Portion>>;

fn read_csv(folder: &Path, source: &Source, sender: &Sender) -> Result<()> {
    let mut file = Columns::open(folder, source)?;
    let (width, places) = file.places(source)?;
    let mut portion = Portion::default();
    let mut record = csv::ByteRecord::new();
    while let Some(line) = file.next(source, &mut record)? {
        if record.len() == 1 && record.as_slice().trim_ascii().is_empty() {
            continue;
        }
        if record.len() != width {
            portion.unreadable.push((
                line,
                format!("has {} columns where the header has {width}", record.len()),
            ));
        } else {
            let cell = |place: usize| record.get(place).map_or(Ok(""), std::str::from_utf8);
            match cells(source, &places, |place| {
                cell(*place).map(|text| Some(text.to_owned()))
            }) {
                Ok(cells) => portion.rows.push(Row { line, cells }),
                Err(_) => portion
                    .unreadable
                    .push((line, "is not UTF-8 text".to_owned())),
            }
        }
        portion.position = file.reader.position().byte();
        if portion.len() == BATCH
            && sender
                .blocking_send(Ok(std::mem::take(&mut portion)))
                .is_err()
        {
            return Ok(());
        }
    }
    let _ = sender.blocking_send(Ok(portion));
    Ok(())
}

/// Builds the cells of a row: `places` names where each column is, `get` fetches its text.
fn cells<P, E>(
    source: &Source,
    places: &[Option<P>],
    get: impl Fn(&P) -> Result<Option<String>, E>,
) -> Result<Vec<Option<String>>, E> {
    let known = source.origins.iter().zip(places).zip(&source.values);
    known
        .map(|((origin, place), meanings)| {
            let text = match (origin, place) {
                (Origin::Constant(value), _) => Some(value.clone()),
                (_, Some(place)) => get(place)?,
                (_, None) => None,
            };
            Ok(text.and_then(|text| understand(&text, meanings)))
        })
        .collect()
}

fn understand(text: &str, meanings: &HashMap<String, String>) -> Option<String> {
    let text = text.trim();
    let meaning = meanings.get(text).map_or(text, |meaning| meaning.trim());
    (!meaning.is_empty()).then(|| meaning.to_owned())
}

/// A CSV file whose header was read.
struct Columns {
    reader: csv::Reader<Bounded<File>>,
    allowance: Arc<AtomicU64>,
    headers: csv::ByteRecord,
    /// The length of a file whose last line does not end.
    open_end: Option<u64>,
}

impl Columns {
    fn open(folder: &Path, source: &Source) -> Result<Self> {
        let allowance = Arc::new(AtomicU64::new(LONGEST));
        let mut file = open(folder, source)?;
        let open_end = open_end(&mut file).map_err(|error| unreadable(source, &error))?;
        let bounded = Bounded {
            inner: file,
            allowance: Arc::clone(&allowance),
        };
        // Cells are trimmed, so a line may as well end with CR LF; told that LF ends it, the reader counts lines right.
        let mut reader = csv::ReaderBuilder::new()
            .flexible(true)
            .delimiter(source.delimiter)
            .terminator(csv::Terminator::Any(b'\n'))
            .from_reader(bounded);
        let headers = reader
            .byte_headers()
            .map_err(|error| unreadable(source, &error))?
            .clone();
        Ok(Self {
            reader,
            allowance,
            headers,
            open_end,
        })
    }

    /// The number of columns, and the place of each that the mapping names.
    fn places(&mut self, source: &Source) -> Result<(usize, Vec<Option<usize>>)> {
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
                .filter(|(_, header)| header.trim_ascii() == name.as_bytes());
            let place = found.next().map(|(place, _)| place);
            if place.is_none() {
                faults.push(about(source, format!("there is no column {name:?}")));
            } else if found.next().is_some() {
                faults.push(about(source, format!("there are two columns {name:?}")));
            }
            places.push(place);
        }
        faults.check()?;
        Ok((self.headers.len(), places))
    }

    /// Reads a row and says on which line it begins; nothing at the end.
    fn next(&mut self, source: &Source, record: &mut csv::ByteRecord) -> Result<Option<u64>> {
        self.allowance.store(LONGEST, Ordering::Relaxed);
        if !self
            .reader
            .read_byte_record(record)
            .map_err(|error| unreadable(source, &error))?
        {
            return Ok(None);
        }
        // Counted back from the end, because blank lines may stand before the row.
        let end = self.reader.position();
        let breaks = record
            .as_slice()
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        let ended = u64::from(self.open_end != Some(end.byte()));
        Ok(Some(
            end.line()
                .saturating_sub(ended)
                .saturating_sub(sql::count(breaks)),
        ))
    }
}

fn open_end(file: &mut File) -> io::Result<Option<u64>> {
    let length = file.seek(SeekFrom::End(0))?;
    let mut last = [b'\n'];
    if length > 0 {
        file.seek(SeekFrom::Start(length - 1))?;
        file.read_exact(&mut last)?;
    }
    file.rewind()?;
    Ok((last != *b"\n").then_some(length))
}

/// A file that ends with an error when one row takes more than it may.
struct Bounded<R> {
    inner: R,
    allowance: Arc<AtomicU64>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.allowance.load(Ordering::Relaxed);
        if left == 0 {
            return Err(io::Error::other(format!(
                "a row is longer than {LONGEST} bytes; is a quote not closed?"
            )));
        }
        let read = self.inner.read(buffer)?;
        self.allowance
            .store(left.saturating_sub(sql::count(read)), Ordering::Relaxed);
        Ok(read)
    }
}

fn read_jsonl(folder: &Path, source: &Source, sender: &Sender) -> Result<()> {
    let mut file = BufReader::new(open(folder, source)?);
    let names: Vec<_> = source
        .origins
        .iter()
        .map(|origin| match origin {
            Origin::Column(name) => Some(name.clone()),
            Origin::Nowhere | Origin::Constant(_) => None,
        })
        .collect();
    let mut portion = Portion::default();
    let (mut line, mut text) = (0, Vec::new());
    while let Some((read, whole)) =
        next_line(&mut file, &mut text).map_err(|error| unreadable(source, &error))?
    {
        line += 1;
        portion.position += read;
        let text = if line == 1 {
            text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text)
        } else {
            &text
        };
        if !whole {
            portion
                .unreadable
                .push((line, format!("is longer than {LONGEST} bytes")));
        } else if !text.trim_ascii().is_empty() {
            match object(source, &names, text) {
                Ok(cells) => portion.rows.push(Row { line, cells }),
                Err(reason) => portion.unreadable.push((line, reason)),
            }
        }
        if portion.len() == BATCH {
            let next = Portion {
                position: portion.position,
                ..Portion::default()
            };
            if sender
                .blocking_send(Ok(std::mem::replace(&mut portion, next)))
                .is_err()
            {
                return Ok(());
            }
        }
    }
    let _ = sender.blocking_send(Ok(portion));
    Ok(())
}

/// Reads a line: how many bytes it has, and whether it was kept or was too long; nothing at the end.
fn next_line(file: &mut BufReader<File>, text: &mut Vec<u8>) -> io::Result<Option<(u64, bool)>> {
    text.clear();
    let read = sql::count(file.take(LONGEST).read_until(b'\n', text)?);
    if read == LONGEST && !text.ends_with(b"\n") {
        return Ok(Some((read + sql::count(file.skip_until(b'\n')?), false)));
    }
    Ok((read > 0).then_some((read, true)))
}

fn object(
    source: &Source,
    names: &[Option<String>],
    text: &[u8],
) -> Result<Vec<Option<String>>, String> {
    let object: serde_json::Map<String, Value> =
        serde_json::from_slice(text).map_err(|error| format!("is not a JSON object: {error}"))?;
    cells(source, names, |name| {
        object
            .get(name)
            .map_or(Ok(None), |value| plain(name, value))
    })
}

/// The text of a JSON value. Numbers are printed as the shortest decimal that means them, which is what was
/// written as long as it has at most 15 digits; money has no more.
fn plain(name: &str, value: &Value) -> Result<Option<String>, String> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        Value::Number(number) => Ok(Some(number.to_string())),
        Value::Bool(yes) => Ok(Some(yes.to_string())),
        Value::Array(items) => {
            let texts: Result<Vec<_>, _> = items.iter().map(|item| plain(name, item)).collect();
            Ok(Some(
                texts?.into_iter().flatten().collect::<Vec<_>>().join(";"),
            ))
        }
        Value::Object(_) => Err(format!("{name} is an object, not a value")),
    }
}

fn open(folder: &Path, source: &Source) -> Result<File> {
    File::open(folder.join(&source.file)).map_err(|error| unreadable(source, &error))
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
mod tests {
    use super::*;
    use crate::import::mapping::Mapping;

    async fn lines(text: &str) -> Vec<(u64, Option<String>)> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.csv"), text).unwrap();
        let mapping = "[[files]]\nfile = \"a.csv\"\nformat = \"csv\"\nentity = \"partner\"\n\
            columns = { external_id = \"id\", legal_name = \"name\" }";
        let source = Arc::new(Mapping::parse(mapping).unwrap().sources.remove(0));
        let mut portions = start(folder.path(), &source);
        let mut found = Vec::new();
        while let Some(portion) = portions.recv().await {
            found.extend(
                portion
                    .unwrap()
                    .rows
                    .into_iter()
                    .map(|row| (row.line, row.cells[0].clone())),
            );
        }
        found
    }

    #[tokio::test]
    async fn rows_are_numbered_by_the_line_on_which_they_begin() {
        let row = |line, id: &str| (line, Some(id.to_owned()));
        assert_eq!(lines("id,name\na,A\nb,B").await, [row(2, "a"), row(3, "b")]);
        assert_eq!(
            lines("id,name\r\na,A\r\nb,B\r\n").await,
            [row(2, "a"), row(3, "b")]
        );
        assert_eq!(
            lines("\u{feff}id,name\n\n\na,\"A\n1\"\n\r\n\"b\",\"B\"\r\n").await,
            [row(4, "a"), row(7, "b")]
        );
        assert_eq!(
            lines("name,id\nA,\"a\"\"1\"\r\n\r\nB,\"b\"").await,
            [row(2, "a\"1"), row(4, "b")]
        );
        assert_eq!(lines("id,name\n").await, []);
    }
}
