//! Tables of `identity`.

pub mod login_failure;
pub mod refresh_token;
pub mod session;
pub mod user;
pub mod user_token;
