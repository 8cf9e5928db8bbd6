//! Rule documents: the rules that a vendor may change without a new release.
//!
//! A document is owned and typed by the domain that reads it, which implements [`RuleDocument`] for it. This part knows no
//! document's fields. It knows what all of them have in common: how they are checked, how a document takes effect and
//! gives way to its successor, and who may do that.
//!
//! The rules of a programme that take effect together are kept as one row with one number; see [`Documents`]. A document
//! that takes effect on its own is a row of its own. Whatever was computed keeps the version it used.

pub mod check;
pub mod document;
pub mod range;
pub mod status;
pub mod version;

pub mod activate;
pub mod draft;

mod store;

pub use check::Check;
pub use document::{Documents, RuleDocument};
pub use range::Range;
pub use version::{Series, Version, VersionedRule};
