//! Tables of `rules`.

pub mod rule_document;
