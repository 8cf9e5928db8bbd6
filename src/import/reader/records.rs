//! CSV by RFC 4180, and nothing that only looks like it.
//!
//! A quote begins and ends a cell or it is an error: what follows a quote in the wrong place can be read in two ways, and
//! with amounts one of them is wrong. A line ends with LF, CR LF or CR, inside quotes too, where each becomes LF.

use std::io::{self, BufRead};

/// The longest row, in bytes: what is longer is a quote that nobody closed, or not a file of rows.
pub const LONGEST: usize = 1 << 20;

/// A row: its cells and where it is.
#[derive(Debug, Default)]
pub struct Record {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// The line on which it begins, from 1.
    pub line: u64,
    /// The cell in which a quote was found that does not begin it.
    pub stray_quote: Option<usize>,
    /// The first quoted cell that spans several lines.
    pub broken_cell: Option<BrokenCell>,
    lines: Lines,
}

/// A quoted cell that spans several lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokenCell {
    /// Its place in the row, from 0.
    pub place: usize,
    /// The line where its quote opens.
    pub opened: u64,
    /// The line where its quote closes.
    pub closed: u64,
}

/// The lines of a row that spans several lines, each read as a separate row.
#[derive(Debug, Default)]
struct Lines {
    /// The number of delimiters per line, if it is the same for all.
    separators: Option<usize>,
    uneven: bool,
    /// Whether a delimiter is followed by a space, as in a sentence.
    spaced: bool,
    /// Whether a line other than the first has white space before its first delimiter, as in a sentence.
    worded: bool,
    /// The current line: delimiters between cells, and those within a quoted cell that is still open.
    outside: usize,
    inside: usize,
    blank: bool,
    after_delimiter: bool,
}

impl Lines {
    fn begin(&mut self) {
        (self.outside, self.inside, self.blank) = (0, 0, true);
        self.after_delimiter = false;
    }

    /// A byte of the current line. `broken`: the row began on an earlier line.
    fn see(&mut self, byte: u8, delimiter: u8, quoted: bool, broken: bool) {
        let is_delimiter = byte == delimiter;
        self.spaced |= self.after_delimiter && byte == b' ' && delimiter != b' ';
        self.after_delimiter = is_delimiter;
        if is_delimiter && quoted {
            self.inside += 1;
        } else if is_delimiter {
            self.outside += 1;
        } else if broken && self.outside + self.inside == 0 && byte.is_ascii_whitespace() {
            self.worded = true;
        }
        self.blank &= byte.is_ascii_whitespace();
    }

    /// A quoted cell ends. Delimiters inside a cell on a single line do not count.
    const fn close(&mut self, broken: bool) {
        if broken {
            self.outside += self.inside;
        }
        self.inside = 0;
    }

    fn end(&mut self) {
        if !self.blank {
            let separators = self.outside + self.inside;
            self.uneven |= *self.separators.get_or_insert(separators) != separators;
        }
        self.begin();
    }
}

impl Record {
    /// How many cells it has.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The bytes of a cell, or none beyond the last.
    pub fn get(&self, place: usize) -> Option<&[u8]> {
        let end = *self.ends.get(place)?;
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.bytes.get(start..end)
    }

    /// The cells in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).filter_map(|place| self.get(place))
    }

    /// Whether nothing but white space is in any cell.
    pub fn is_blank(&self) -> bool {
        self.bytes.iter().all(u8::is_ascii_whitespace)
    }

    /// Whether a cell over several lines holds so many delimiters that a whole row may be inside: two quotes that
    /// belong to different rows.
    pub fn may_hold_a_row(&self, delimiter: u8, width: usize) -> bool {
        let Some(cell) = self.broken_cell.and_then(|cell| self.get(cell.place)) else {
            return false;
        };
        let inside = cell.iter().filter(|byte| **byte == delimiter).count();
        width >= 3 && inside + 1 >= width
    }

    /// Whether stray quotes have joined several rows into this one: each line has the delimiters of a row, and none
    /// reads like a sentence.
    pub fn is_joined_rows(&self, width: usize) -> bool {
        let lines = &self.lines;
        let as_rows = !lines.uneven && lines.separators.is_some_and(|each| each + 1 == width);
        // Text with four delimiters and no space after any of them is not a sentence.
        let is_sentence = lines.spaced || lines.worded && width < 5;
        self.broken_cell.is_some() && width >= 2 && as_rows && !is_sentence
    }

    fn clear(&mut self, line: u64) {
        self.bytes.clear();
        self.ends.clear();
        self.line = line;
        self.stray_quote = None;
        self.broken_cell = None;
        self.lines = Lines::default();
        self.lines.begin();
    }

    /// A quote that opened on one line closes on another, or on the same.
    fn close_quote(&mut self, opened: u64, closed: u64) {
        self.lines.close(opened != closed);
        let place = self.ends.len();
        if let Some(cell) = &mut self.broken_cell
            && cell.place == place
        {
            cell.closed = closed;
        }
    }

    fn end_cell(&mut self) {
        self.ends.push(self.bytes.len());
    }
}

/// Why a file cannot be read any further.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// A quote that nothing closes.
    #[error(
        "line {line}: The quote that opens here, in column {column}, is never closed. Nothing after it can be read with certainty."
    )]
    Unclosed {
        /// Where it opens.
        line: u64,
        /// In which column, from 1.
        column: usize,
    },
    /// Text right after the quote that closes a cell.
    #[error(
        "line {line}: Text follows the closing quote in column {column}; the quote opened on line {opened}. Write a quote inside a quoted cell twice. Nothing after it can be read with certainty."
    )]
    AfterQuote {
        /// Where the text is.
        line: u64,
        /// In which column, from 1.
        column: usize,
        /// Where the quote opened.
        opened: u64,
    },
    /// A row beyond [`LONGEST`].
    #[error("line {line}: The row that begins here is longer than {LONGEST} bytes.")]
    TooLong {
        /// Where it begins.
        line: u64,
    },
    /// A quoted cell beyond [`LONGEST`].
    #[error(
        "line {line}: The quote that opens here, in column {column}, is not closed within {LONGEST} bytes. Nothing after it can be read with certainty."
    )]
    LongQuote {
        /// Where it opens.
        line: u64,
        /// In which column, from 1.
        column: usize,
    },
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Where the reader is within a row.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// At the beginning of a cell.
    Start,
    /// In a cell without quotes.
    Bare,
    /// Between the quotes of a cell.
    Quoted,
    /// After a quote inside a quoted cell: the first of two, or the one that closes it.
    Quote,
    /// After the closing quote and white space.
    Closed,
}

/// Reads rows one after the other.
pub struct Records<R> {
    input: R,
    delimiter: u8,
    /// The line that is being read.
    line: u64,
    /// Whether the last byte was a CR that ended a line, so that an LF belongs to it.
    after_cr: bool,
}

impl<R: BufRead> Records<R> {
    /// Begins at the first line.
    pub const fn new(input: R, delimiter: u8) -> Self {
        Self {
            input,
            delimiter,
            line: 1,
            after_cr: false,
        }
    }

    /// What it reads from.
    pub const fn input(&mut self) -> &mut R {
        &mut self.input
    }

    /// Reads the next row; false at the end of the file.
    ///
    /// # Errors
    /// See [`Broken`].
    pub fn read(&mut self, record: &mut Record) -> Result<bool, Broken> {
        record.clear(self.line);
        let mut state = State::Start;
        let mut opened = self.line;
        let mut size = 0_usize;
        loop {
            let buffer = self.input.fill_buf()?;
            if buffer.is_empty() {
                return match state {
                    State::Quoted => Err(Broken::Unclosed {
                        line: opened,
                        column: record.len() + 1,
                    }),
                    State::Start if record.len() == 0 => Ok(false),
                    _ => {
                        if state == State::Quote {
                            record.close_quote(opened, self.line);
                        }
                        record.lines.end();
                        record.end_cell();
                        Ok(true)
                    }
                };
            }
            let mut used = 0;
            let mut ended = false;
            for &byte in buffer {
                used += 1;
                // The LF of a CR LF whose CR ended the line, or was taken as the end of a line inside quotes.
                if std::mem::take(&mut self.after_cr) && byte == b'\n' {
                    continue;
                }
                let ends_line = byte == b'\n' || byte == b'\r';
                self.after_cr = byte == b'\r';
                size += 1;
                if state == State::Quoted {
                    if byte == b'"' {
                        state = State::Quote;
                    } else if ends_line {
                        self.line += 1;
                        record.lines.end();
                        record.bytes.push(b'\n');
                        record.broken_cell.get_or_insert(BrokenCell {
                            place: record.ends.len(),
                            opened,
                            closed: opened,
                        });
                    } else {
                        let broken = record.line != self.line;
                        record.lines.see(byte, self.delimiter, true, broken);
                        record.bytes.push(byte);
                    }
                    continue;
                }
                if state == State::Quote && byte != b'"' {
                    record.close_quote(opened, self.line);
                }
                if ends_line {
                    self.line += 1;
                    record.lines.end();
                    record.end_cell();
                    ended = true;
                    break;
                }
                let broken = record.line != self.line;
                record.lines.see(byte, self.delimiter, false, broken);
                if byte == self.delimiter {
                    record.end_cell();
                    state = State::Start;
                    continue;
                }
                state = match (state, byte) {
                    (State::Start, b'"') => {
                        opened = self.line;
                        State::Quoted
                    }
                    (State::Quote, b'"') => {
                        record.bytes.push(b'"');
                        State::Quoted
                    }
                    (State::Quote | State::Closed, b' ' | b'\t') => State::Closed,
                    (State::Quote | State::Closed, _) => {
                        return Err(Broken::AfterQuote {
                            line: self.line,
                            column: record.len() + 1,
                            opened,
                        });
                    }
                    _ => {
                        if byte == b'"' {
                            record.stray_quote.get_or_insert(record.ends.len());
                        }
                        record.bytes.push(byte);
                        State::Bare
                    }
                };
            }
            self.input.consume(used);
            if ended {
                return Ok(true);
            }
            if size > LONGEST {
                return Err(if state == State::Quoted {
                    Broken::LongQuote {
                        line: opened,
                        column: record.len() + 1,
                    }
                } else {
                    Broken::TooLong { line: record.line }
                });
            }
        }
    }

    /// Skips a first line that only names the delimiter, as Excel reads it: `sep=;`. Returns the delimiter it names.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn skip_separator(&mut self) -> io::Result<Option<u8>> {
        let buffer = self.input.fill_buf()?;
        let [b's', b'e', b'p', b'=', named, rest @ ..] = buffer else {
            return Ok(None);
        };
        let (named, after) = (*named, rest);
        let length = match after {
            [b'\r', b'\n', ..] => 7,
            [b'\r' | b'\n', ..] => 6,
            _ => return Ok(None),
        };
        self.input.consume(length);
        self.line = 2;
        Ok(Some(named))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every row as its line and cells, and how the file ends.
    fn rows(text: &[u8], step: usize) -> (Vec<(u64, Vec<String>)>, Option<String>) {
        let mut records = Records::new(io::BufReader::with_capacity(step, text), b',');
        let (mut record, mut found) = (Record::default(), Vec::new());
        loop {
            match records.read(&mut record) {
                Ok(false) => return (found, None),
                Ok(true) => {
                    let cells = record.iter();
                    let cells = cells.map(|cell| String::from_utf8_lossy(cell).into_owned());
                    found.push((record.line, cells.collect()));
                }
                Err(broken) => return (found, Some(broken.to_string())),
            }
        }
    }

    fn good(text: &str) -> Vec<(u64, Vec<String>)> {
        let (rows, broken) = rows(text.as_bytes(), 8_192);
        assert_eq!(broken, None, "{text:?}");
        rows
    }

    fn row(line: u64, cells: &[&str]) -> (u64, Vec<String>) {
        (line, cells.iter().map(|cell| (*cell).to_owned()).collect())
    }

    #[test]
    fn rows_begin_where_their_line_begins_whatever_ends_it() {
        for end in ["\n", "\r\n", "\r"] {
            let text = "a,b\n\"1\n2\",3\n\nx,y\n".replace('\n', end);
            let expected = [
                row(1, &["a", "b"]),
                row(2, &["1\n2", "3"]),
                row(4, &[""]),
                row(5, &["x", "y"]),
            ];
            assert_eq!(good(&text), expected, "{end:?}");
            assert_eq!(
                good(text.strip_suffix(end).unwrap()),
                expected,
                "{end:?} without the last"
            );
        }
        assert_eq!(good(""), []);
        assert_eq!(good("a"), [row(1, &["a"])]);
        assert_eq!(good("\"\",\n"), [row(1, &["", ""])]);
        assert_eq!(
            good("\"a\"\"b\" ,\"c\"\t\n"),
            [row(1, &["a\"b", "c"])],
            "white space after a quote"
        );
    }

    #[test]
    fn a_quote_that_is_not_closed_names_the_line_on_which_it_opened() {
        let (before, broken) = rows(b"id,text\nd1,\"went to\na rival\nd2,other\n", 8_192);
        assert_eq!(before.len(), 1);
        assert_eq!(
            broken.unwrap(),
            "line 2: The quote that opens here, in column 2, is never closed. Nothing after it can be read with certainty."
        );
        let (_, broken) = rows(b"id,text,v\nd1,\"went to\nd2,\"x\",1\n", 8_192);
        let broken = broken.unwrap();
        assert!(
            broken.starts_with(
                "line 3: Text follows the closing quote in column 2; the quote opened on line 2."
            ),
            "{broken}"
        );
    }

    #[test]
    fn a_quote_inside_a_bare_cell_is_named_and_ends_with_its_row() {
        let mut records = Records::new(&b"d1,5\" disk,\"ok\"\nd2,x,y\n"[..], b',');
        let mut record = Record::default();
        assert!(records.read(&mut record).unwrap());
        assert_eq!((record.stray_quote, record.len()), (Some(1), 3));
        assert!(records.read(&mut record).unwrap());
        assert_eq!((record.stray_quote, record.line), (None, 2));
    }

    #[test]
    fn a_row_without_end_stops_the_file_within_its_bound() {
        let endless = |byte: u8| io::BufReader::new(io::Read::take(io::repeat(byte), 1 << 30));
        let mut record = Record::default();
        let broken = Records::new(endless(b'x'), b',').read(&mut record);
        assert!(matches!(broken, Err(Broken::TooLong { line: 1 })));
        assert!(record.bytes.capacity() <= 4 * LONGEST);
        let broken = Records::new(endless(0), b',').read(&mut record);
        assert!(matches!(broken, Err(Broken::TooLong { line: 1 })));
        let quoted = io::Read::chain(&b"a,\""[..], endless(b'\n'));
        let broken = Records::new(quoted, b',').read(&mut record);
        assert!(matches!(
            broken,
            Err(Broken::LongQuote { line: 1, column: 2 })
        ));
    }

    /// Whether the first row is several joined rows, and whether it may contain one.
    fn judged(text: &str) -> (bool, bool) {
        let width = text.lines().next().unwrap().split(',').count();
        let rows = text.split_once('\n').unwrap().1;
        let mut records = Records::new(rows.as_bytes(), b',');
        let mut record = Record::default();
        assert!(records.read(&mut record).unwrap());
        (
            record.is_joined_rows(width),
            record.may_hold_a_row(b',', width),
        )
    }

    #[test]
    fn rows_that_two_quotes_join_are_told_from_a_text_over_several_lines() {
        for joined in [
            "id,stage,note\nd1,LOST,\"rival\nd2,WON,\"\n",
            "id,stage,note\nd1,LOST,\"rival\nd2,WON,\"",
            "id,stage,note\nd1,LOST,\"rival\r\nd2,WON,\r\n\r\nd3,OPEN,told\"\r\nd4,OPEN,x\n",
            "id,note,stage\nd1,\"rival,LOST\nd2,x,WON\nd3,y\",OPEN\n",
            // Other quotes in the same rows are balanced; delimiters inside them do not count.
            "id,note,more,stage\nd1,\"a,b,c\",\"rival,LOST\nd2,x,y,WON\nd3,x,y\",OPEN\n",
            "id,name\na,\"A\nb,B\nc,C\"\n",
            "\"id\",a,b,c,d\n\"Elm Works,1,2,3,4\nOak Works,1,2,3,4\nAsh\",1,2,3,4\n",
        ] {
            assert!(judged(joined).0, "{joined:?}");
        }
        for (text, may) in [
            ("id,stage,note\nd1,LOST,\"rival,\nas told\"\n", false),
            (
                "id,stage,note\nd1,LOST,\"rival\nwith Elm, Oak, Ash\"\n",
                true,
            ),
            (
                "id,stage,note\nd1,LOST,\"rival\nbetween 1,200 and 1,300\"\n",
                true,
            ),
            (
                "id,address,stage\nd1,\"Main Street 5\nBerlin,Germany\",LOST\n",
                false,
            ),
            ("id,note\na,\"Hello\nI sold 1,234\"\n", false),
            ("id,note,stage\nd1,\"a\"\"b\nc\",LOST\n", false),
            ("id,note,stage\nd1,\"a,b,c\",LOST\n", false),
        ] {
            assert_eq!(judged(text), (false, may), "{text:?}");
        }
        let mut records = Records::new(&b"d1,\"x\n\"\"y\nz\",\"b\nc\"\n"[..], b',');
        let mut record = Record::default();
        assert!(records.read(&mut record).unwrap());
        let cell = record.broken_cell.unwrap();
        assert_eq!((cell.place, cell.opened, cell.closed), (1, 1, 3));
    }

    #[test]
    fn the_line_that_names_the_delimiter_is_skipped() {
        for (text, named) in [
            ("sep=;\na;b\n", Some(b';')),
            ("sep=,\r\na;b", Some(b',')),
            ("separate;b\n", None),
            ("a;b\n", None),
        ] {
            let mut records = Records::new(text.as_bytes(), b';');
            let mut record = Record::default();
            assert_eq!(records.skip_separator().unwrap(), named, "{text:?}");
            assert!(records.read(&mut record).unwrap());
            assert_eq!(record.line, if named.is_some() { 2 } else { 1 });
            assert_eq!(record.len(), 2);
        }
    }

    proptest! {
        /// What the csv crate writes is read back, in pieces of any size.
        #[test]
        fn what_is_written_is_read_back(
            table in proptest::collection::vec(proptest::collection::vec("[a,;\"\n é0]{0,6}", 3), 1..8),
            step in 1_usize..40,
        ) {
            let mut writer = csv::Writer::from_writer(Vec::new());
            for cells in &table {
                writer.write_record(cells).unwrap();
            }
            let (found, broken) = rows(&writer.into_inner().unwrap(), step);
            prop_assert_eq!(broken, None);
            let found: Vec<_> = found.into_iter().map(|(_, cells)| cells).collect();
            prop_assert_eq!(found, table);
        }
    }
}
