//! What may be said about products and families, and in which form it is kept.

use crate::error::Faults;

/// The most characters of a code or a stock-keeping number.
const CODE: usize = 60;
/// The most characters of a name.
pub const NAME: usize = 200;
/// The most characters of a key in another system.
pub const KEY: usize = 200;

/// The code of a family: without blanks at the ends and in capitals, so that one family cannot be two by spelling.
pub fn family_code(faults: &mut Faults, path: &str, code: &str) -> String {
    faults.text(path, code, CODE).to_uppercase()
}

/// A stock-keeping number, as written.
pub fn sku(faults: &mut Faults, path: &str, sku: &str) -> String {
    faults.text(path, sku, CODE)
}
