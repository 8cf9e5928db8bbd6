//! The API of `attribution`.
