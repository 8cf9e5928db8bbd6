//! What one currency is worth in another, day by day.
//!
//! Finance records rates as somebody publishes them: 1 EUR is 1.0837 USD, 100 JPY are 0.6123 EUR. They are facts: a
//! wrong one is corrected by recording it again, and the last one recorded for a pair and a day counts. A pair of
//! currencies stands once, whichever way round it was given, and converts exactly in both directions.

mod known;
mod rate;
mod record;
pub mod store;

pub mod graphql;

pub use known::known;
pub use rate::{Amount, Rate, RateFault, Rates};
pub use record::{Entry, MAX_ENTRIES, record};
