//! The command `ensemble`.

fn main() {}
