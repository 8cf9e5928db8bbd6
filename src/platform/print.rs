//! What a command prints. A reader that has gone away, as `head` does, is not an error: the command finishes its work
//! and prints nothing more.

use std::fmt::Display;
use std::io::{self, Write};

/// Prints a line to standard output.
///
/// # Errors
/// Standard output cannot be written, for example because a disk is full.
pub fn line(text: impl Display) -> io::Result<()> {
    to(&mut io::stdout().lock(), format_args!("{text}\n"))
}

/// Prints a text that ends its own lines to standard output.
///
/// # Errors
/// As [`line()`].
pub fn text(text: impl Display) -> io::Result<()> {
    to(&mut io::stdout().lock(), text)
}

/// Prints a line to standard error, if it can be written.
pub fn error(text: impl Display) {
    // There is no other place to report it.
    let _ = to(&mut io::stderr().lock(), format_args!("{text}\n"));
}

fn to(stream: &mut impl Write, text: impl Display) -> io::Result<()> {
    match write!(stream, "{text}").and_then(|()| stream.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
