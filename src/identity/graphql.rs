//! The API of `identity`.
