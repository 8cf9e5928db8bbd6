//! Tables of `identity`.

pub mod user;
pub mod session;
pub mod refresh_token;
pub mod user_token;
pub mod login_failure;
