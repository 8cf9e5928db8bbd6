//! placeholder
use crate::{app::App, platform::jobs::Job};
pub const MAIL: &str = "mail";
#[derive(Clone, Debug)]
pub struct Failure { pub message: String, pub permanent: bool }
impl Failure { pub fn permanent(message: String) -> Self { Self { message, permanent: true } } }
pub async fn expand(_app: &App, _job: &Job) -> Result<(), Failure> { Ok(()) }
pub async fn send(_app: &App, _job: &Job) -> Result<(), Failure> { Ok(()) }
