//! From the bytes of a file to UTF-8: which encoding it has, and what it is when it is no text at all.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
};

use encoding_rs::{DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// How much of a file is looked at to find out what it is.
const LOOK: usize = 4_096;

/// A byte that no UTF-8 has: it takes the place of what cannot be decoded, so that the row with it is refused.
pub const UNREADABLE: u8 = 0xFF;

/// What files begin with that are not text, and what to do with them.
const NOT_TEXT: [(&[u8], &str); 7] = [
    (
        b"PK\x03\x04",
        "is an Excel workbook or another ZIP archive; save the sheet as CSV UTF-8",
    ),
    (
        b"\xD0\xCF\x11\xE0",
        "is an old Excel workbook; save the sheet as CSV UTF-8",
    ),
    (b"\x1F\x8B", "is compressed by gzip; unpack it first"),
    (b"%PDF", "is a PDF document"),
    (
        b"\xFF\xFE\x00\x00",
        "is UTF-32 text; save it as UTF-8 or UTF-16",
    ),
    (
        b"\x00\x00\xFE\xFF",
        "is UTF-32 text; save it as UTF-8 or UTF-16",
    ),
    (
        b"SQLite format 3",
        "is an SQLite database; export its tables as CSV",
    ),
];

/// A file as UTF-8, without its byte order mark.
pub enum Text {
    /// It is UTF-8 already.
    Plain(File),
    /// It is decoded as it is read.
    Decoded(Box<Decoded>),
}

/// A file in another encoding.
pub struct Decoded {
    file: File,
    decoder: encoding_rs::Decoder,
    raw: Vec<u8>,
    /// What of `raw` is not decoded yet.
    left: std::ops::Range<usize>,
    ended: bool,
    finished: bool,
    ready: Vec<u8>,
    taken: usize,
}

impl Text {
    /// Finds out how a file is encoded and reads it so. `declared` is what the mapping says.
    ///
    /// # Errors
    /// What the file is instead, or that it is not what the mapping says; the file cannot be read.
    pub fn open(mut file: File, declared: Option<&'static Encoding>) -> io::Result<Self> {
        let mut head = Vec::with_capacity(LOOK);
        file.by_ref()
            .take(u64::try_from(LOOK).unwrap_or(u64::MAX))
            .read_to_end(&mut head)?;
        let (encoding, mark) = recognise(&head, declared).map_err(io::Error::other)?;
        file.seek(SeekFrom::Start(u64::try_from(mark).unwrap_or_default()))?;
        if encoding == UTF_8 {
            return Ok(Self::Plain(file));
        }
        Ok(Self::Decoded(Box::new(Decoded {
            file,
            decoder: encoding.new_decoder_without_bom_handling(),
            raw: vec![0; 1 << 16],
            left: 0..0,
            ended: false,
            finished: false,
            ready: Vec::new(),
            taken: 0,
        })))
    }

    /// How many bytes of the file were read.
    ///
    /// # Errors
    /// The file cannot say.
    pub fn position(&mut self) -> io::Result<u64> {
        match self {
            Self::Plain(file) => file.stream_position(),
            Self::Decoded(decoded) => decoded.file.stream_position(),
        }
    }
}

impl Read for Text {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read(buffer),
            Self::Decoded(decoded) => decoded.read(buffer),
        }
    }
}

impl Read for Decoded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.ready.len() && !self.finished {
            self.decode()?;
        }
        let ready = &self.ready[self.taken..];
        let size = ready.len().min(buffer.len());
        buffer[..size].copy_from_slice(&ready[..size]);
        self.taken += size;
        Ok(size)
    }
}

impl Decoded {
    /// Decodes what was read, and reads more when nothing is left.
    fn decode(&mut self) -> io::Result<()> {
        if self.left.is_empty() && !self.ended {
            let size = self.file.read(&mut self.raw)?;
            self.left = 0..size;
            self.ended = size == 0;
        }
        self.ready.resize(1 << 17, 0);
        self.taken = 0;
        let (result, read, written) = self.decoder.decode_to_utf8_without_replacement(
            &self.raw[self.left.clone()],
            &mut self.ready,
            self.ended,
        );
        self.left.start += read;
        self.ready.truncate(written);
        match result {
            DecoderResult::Malformed(..) => self.ready.push(UNREADABLE),
            DecoderResult::InputEmpty => self.finished = self.ended,
            DecoderResult::OutputFull => {}
        }
        Ok(())
    }
}

/// The encoding of a file that begins so, and the length of its byte order mark.
fn recognise(
    head: &[u8],
    declared: Option<&'static Encoding>,
) -> Result<(&'static Encoding, usize), String> {
    if let Some((_, what)) = NOT_TEXT.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Err((*what).to_owned());
    }
    if let Some((marked, length)) = Encoding::for_bom(head) {
        return match declared {
            // `utf-16` without a byte order means the one that the file is marked with.
            Some(declared) if declared != marked && !(both_16(declared, marked)) => Err(format!(
                "is marked as {}, but the mapping says `encoding = \"{}\"`",
                marked.name(),
                declared.name().to_lowercase()
            )),
            _ => Ok((marked, length)),
        };
    }
    if let Some(declared) = declared {
        return Ok((declared, 0));
    }
    // Text without a byte order mark: in UTF-16 every second byte of plain letters is zero.
    let zeros = |from: usize| {
        let bytes = head.iter().skip(from).step_by(2);
        bytes.filter(|byte| **byte == 0).count()
    };
    let pairs = head.len() / 2;
    for (zeros, others, name) in [
        (zeros(1), zeros(0), "utf-16le"),
        (zeros(0), zeros(1), "utf-16be"),
    ] {
        if pairs >= 4 && others == 0 && zeros * 2 > pairs {
            return Err(format!(
                "looks like UTF-16 without a byte order mark; set `encoding = \"{name}\"`"
            ));
        }
    }
    Ok((UTF_8, 0))
}

fn both_16(one: &'static Encoding, other: &'static Encoding) -> bool {
    [one, other]
        .iter()
        .all(|encoding| [UTF_16LE, UTF_16BE].contains(encoding))
        && one == UTF_16LE
}
