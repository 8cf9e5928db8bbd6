//! Settings that are one of a few words.

use std::str::FromStr;

/// Whether real people and money depend on this installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A developer's machine or a demo: everything has a default.
    Development,
    /// Real use: unsafe settings are refused.
    Production,
}

impl FromStr for Mode {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "development" => Ok(Self::Development),
            "production" => Ok(Self::Production),
            _ => Err(()),
        }
    }
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line, for log collectors.
    Json,
}

impl FromStr for LogFormat {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(()),
        }
    }
}

/// When statements are published by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statements {
    /// Those of a month as soon as it is over.
    Monthly,
    /// Never.
    Off,
}

impl FromStr for Statements {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "monthly" => Ok(Self::Monthly),
            "off" => Ok(Self::Off),
            _ => Err(()),
        }
    }
}
