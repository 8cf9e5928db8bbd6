//! The tables.

use std::{fmt, time::Duration};

use crate::{load::Sample, machine::Finished};

/// What one server did at an operation.
#[derive(Default)]
pub struct Cell {
    /// The requests.
    pub sample: Sample,
    /// Processor time of the server.
    pub server: Duration,
    /// Processor time of the database; zero where it lives in the server.
    pub database: Duration,
    /// The most memory of the server so far, in mebibytes.
    pub memory: f64,
}

impl Cell {
    /// Microseconds of processor time per request, server and database together.
    pub fn cost(&self) -> f64 {
        self.per_request(self.server + self.database)
    }

    fn per_request(&self, time: Duration) -> f64 {
        time.as_secs_f64() * 1e6 / f64::from(self.sample.count().max(1))
    }
}

/// Both servers at one operation.
pub struct Row {
    /// Which database.
    pub database: &'static str,
    /// Which operation.
    pub operation: &'static str,
    /// Over how many connections.
    pub connections: usize,
    /// This server.
    pub ours: Cell,
    /// The bare one.
    pub bare: Cell,
    /// The processor time per request of the bare handler that it is compared with.
    pub against: f64,
    /// How many times the bare handler's processor time it may take.
    pub goal: f64,
}

/// The head of the table of operations.
pub const HEAD: &str = "\
| database | operation | connections | server | requests/s | p50 ms | p99 ms | server µs | database µs | peak MB | ours ÷ bare | goal |
|---|---|---|---|---|---|---|---|---|---|---|---|";

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |f: &mut fmt::Formatter<'_>, who: &str, cell: &Cell, tail: &str| {
            let milliseconds = |percent| cell.sample.percentile(percent).as_secs_f64() * 1e3;
            write!(
                f,
                "| {} | {} | {} | {who} | {:.0} | {:.2} | {:.2} | {:.0} | {:.0} | {:.0} | {tail} |",
                self.database,
                self.operation,
                self.connections,
                cell.sample.rate(),
                milliseconds(50),
                milliseconds(99),
                cell.per_request(cell.server),
                cell.per_request(cell.database),
                cell.memory,
            )
        };
        let ratio = self.ours.cost() / self.against;
        let verdict = if ratio <= self.goal { "met" } else { "missed" };
        line(
            f,
            "ensemble",
            &self.ours,
            &format!("{ratio:.2} | ≤ {} {verdict}", self.goal),
        )?;
        writeln!(f)?;
        line(f, "bare", &self.bare, " |")
    }
}

/// The lines that are printed in the end.
#[derive(Default)]
pub struct Table(Vec<Line>);

impl Table {
    /// Adds a line, and tells it at once: a later part may fail.
    pub fn add(&mut self, line: Line) {
        ensemble::platform::print::error(&line);
        self.0.push(line);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", Line::HEAD)?;
        self.0.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// A batch, or another thing with one number and a goal.
pub struct Line(String);

impl Line {
    /// The head of their table.
    pub const HEAD: &'static str = "\
| what | ensemble | bare | ours ÷ bare | goal | processor s | peak MB |
|---|---|---|---|---|---|---|";

    /// A batch against the same in pure SQL.
    pub fn batch(what: &str, ours: &Finished, bare: Duration, goal: f64) -> Self {
        let processor = format!("{:.1}", ours.processor.as_secs_f64());
        Self::with(what, ours.time, bare, goal, &processor, ours.memory)
    }

    /// The same where the processor time of the whole server would say nothing.
    pub fn timed(what: &str, ours: Duration, bare: Duration, goal: f64, memory: f64) -> Self {
        Self::with(what, ours, bare, goal, "", memory)
    }

    fn with(
        what: &str,
        ours: Duration,
        bare: Duration,
        goal: f64,
        processor: &str,
        memory: f64,
    ) -> Self {
        let ratio = ours.as_secs_f64() / bare.as_secs_f64();
        let verdict = if ratio <= goal { "met" } else { "missed" };
        Self(format!(
            "| {what} | {:.2} s | {:.2} s | {ratio:.2} | ≤ {goal} {verdict} | {processor} | {memory:.0} |",
            ours.as_secs_f64(),
            bare.as_secs_f64(),
        ))
    }

    /// A time under load against the same without it.
    pub fn times(what: &str, with: Duration, without: Duration, goal: f64) -> Self {
        let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
        let ratio = with.as_secs_f64() / without.as_secs_f64();
        let verdict = if ratio <= goal { "met" } else { "missed" };
        Self(format!(
            "| {what} | {:.2} ms | {:.2} ms without | {ratio:.2} | ≤ {goal} {verdict} | | |",
            milliseconds(with),
            milliseconds(without),
        ))
    }

    /// What nothing is compared with, and the most seconds that it may take.
    pub fn took(what: &str, time: Duration, goal: f64) -> Self {
        let seconds = time.as_secs_f64();
        let verdict = if seconds <= goal { "met" } else { "missed" };
        Self(format!(
            "| {what} | {seconds:.2} s | | | ≤ {goal} s {verdict} | | |"
        ))
    }

    /// A single value with the most that it may be.
    pub fn value(what: &str, value: f64, unit: &str, goal: f64) -> Self {
        let verdict = if value <= goal { "met" } else { "missed" };
        Self(format!(
            "| {what} | {value:.0} {unit} | | | ≤ {goal} {unit} {verdict} | | |"
        ))
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
