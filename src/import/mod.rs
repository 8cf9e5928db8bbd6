//! Taking over what another system knows: partners, customers, products, deals with their history, and
//! touchpoints, from CSV or JSON Lines files under a mapping. `docs/import.md` says what is read and what is refused.
//!
//! The mapping says which file holds what, which column is which fact, how dates and amounts are written and
//! what foreign words mean here. Files are read as a stream and taken over a thousand rows at a time, each
//! thousand in one unit of work. A row is known again by its external id: an unchanged one writes nothing, so
//! the same import may run any number of times. A row that cannot be taken over is reported with its line, its
//! field and the reason, and stops nothing else. A dry run decides everything and writes nothing.
//!
//! What is taken over is history, not news: nobody gets mail about it, and each unit of work that changed anything
//! leaves one event in the audit trail. Credit and commission of won deals are computed afterwards, by the
//! batch that computes them for any other deal.
//!
//! Like the command line this is an edge: it begins the units of work, and it writes tables of several domains
//! in bulk where their use cases take one object at a time.

mod by_hand;
mod cells;
mod customers;
mod dates;
mod deals;
mod known;
mod lineage;
pub mod mapping;
mod numbers;
mod oddities;
mod partners;
mod products;
mod programme;
mod reader;
pub mod report;
mod run;
mod table;
mod template;
mod totals;
mod touchpoints;
mod unit;

pub use report::{FileReport, Listed, Refused, Report, Told, Verdict};
pub use run::{Options, Prepared, prepare, run};
pub use template::Template;
pub use totals::{Total, Totals};
