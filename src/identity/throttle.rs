//! When guessing stops, and for whom.
//!
//! Wrong passwords are counted inside a sliding window, under three names:
//!
//! - Per account and network address: after ten, that address waits for this account. Other addresses do not.
//! - Per account over all addresses: after fifty, addresses from which the account has never signed in wait. Its owner gets
//!   in from the usual places, and anywhere after a password reset.
//! - Per address over all accounts: after a hundred, each further wrong password is answered a second later. Right
//!   passwords are not, so an office or a portal that signs its people in from one address keeps working.
//!
//! Requests for a new password are counted beside them, so that no mailbox is flooded. An attempt that is refused is not
//! counted, and a password reset frees the account at once. Accounts that do not exist are counted like those that do.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};

use super::email::spelling;
use crate::{
    entity::ids::{PartnerId, UserId},
    error::Error,
    platform::audit::digest,
};

/// How far back attempts count.
pub const WINDOW: TimeDelta = TimeDelta::minutes(15);
/// Wrong passwords per account from one network address and window.
pub const PAIR_LIMIT: usize = 10;
/// Wrong passwords per account and window from addresses that the account does not know.
pub const ACCOUNT_LIMIT: usize = 50;
/// Wrong passwords per network address and window over all accounts before further ones are answered slowly; and requests
/// for a new password before the address waits.
pub const ADDRESS_LIMIT: usize = 100;
/// How much later a wrong password is answered then.
pub const PAUSE: std::time::Duration = std::time::Duration::from_secs(1);
/// Mails with a reset link per account and window.
pub const RESET_LIMIT: usize = 3;

/// Invitations that one person of a partner may send per window.
pub const INVITER_LIMIT: usize = 20;
/// Invitations that one person of the vendor may send per window: who brings a programme over has many to send.
pub const VENDOR_INVITER_LIMIT: usize = 500;
/// Invitations that all of a partner may send per window.
pub const PARTNER_LIMIT: usize = 40;
/// Invitations that one address may get per window, from all.
pub const INVITED_LIMIT: usize = 3;

/// Under which names an attempt is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// A digest of the kind of attempt and the account's address: the table holds no personal data.
    pub account: String,
    /// The network from which it came.
    pub address: String,
}

impl Key {
    /// Of a sign-in.
    #[must_use]
    pub fn sign_in(email: &str, address: &str) -> Self {
        Self {
            account: sign_in_account(email),
            address: network(address),
        }
    }

    /// Of an invitation, by who sends it.
    #[must_use]
    pub fn inviter(user: UserId, partner: Option<PartnerId>) -> Self {
        Self {
            account: digest(&format!("invites {user}")),
            address: partner.map_or_else(
                || "invitations of the vendor".to_owned(),
                |partner| format!("invitations of {partner}"),
            ),
        }
    }

    /// Of an invitation, by who gets it.
    #[must_use]
    pub fn invited(email: &str) -> Self {
        Self {
            account: digest(&format!("invited {}", spelling(email))),
            address: "invitations to anyone".to_owned(),
        }
    }

    /// Of a request for a new password.
    #[must_use]
    pub fn reset(email: &str, address: &str) -> Self {
        Self {
            account: digest(&format!("reset {}", spelling(email))),
            // Apart from wrong passwords: they keep nobody from a link.
            address: format!("reset {}", network(address)),
        }
    }
}

/// The name under which wrong passwords of an account are counted.
#[must_use]
pub fn sign_in_account(email: &str) -> String {
    digest(&format!("login {}", spelling(email)))
}

/// The name under which a session keeps the network that it was begun from.
#[must_use]
pub fn network_name(address: &str) -> String {
    digest(&format!("network {}", network(address)))
}

/// How long until another attempt is heard, or nothing when it is heard now. `recent` are the latest
/// attempts, newest first.
#[must_use]
pub fn wait(recent: &[DateTime<Utc>], limit: usize, now: DateTime<Utc>) -> Option<TimeDelta> {
    let blocking = recent.get(limit.checked_sub(1)?)?;
    Some(*blocking + WINDOW - now).filter(|left| *left > TimeDelta::zero())
}

/// The refusal of whoever must wait this long; a part of a millisecond counts as a whole one.
#[must_use]
pub fn refused(wait: TimeDelta) -> Error {
    let milliseconds = u64::try_from(wait.num_milliseconds()).unwrap_or_default();
    Error::Throttled {
        retry_after_ms: milliseconds.saturating_add(1),
    }
}

/// The number by which a database lock on attempts under this name is known: its digest's first 60 bits.
#[must_use]
pub fn lock_number(name: &str) -> i64 {
    let digits = digest(name);
    i64::from_str_radix(digits.get(..15).unwrap_or_default(), 16).unwrap_or_default()
}

/// Whoever has an IPv6 address has the 2^64 of its network: they count as one.
fn network(address: &str) -> String {
    match address.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        Ok(IpAddr::V6(ip)) => {
            let [a, b, c, d, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        Ok(ip) => ip.to_string(),
        Err(_) => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(minute: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minute)
    }

    #[test]
    fn the_wait_ends_when_the_oldest_of_the_limit_leaves_the_window() {
        let recent = [minute(9), minute(5), minute(2)];
        assert_eq!(wait(&recent, 4, minute(10)), None);
        assert_eq!(
            wait(&recent, 3, minute(10)),
            Some(TimeDelta::minutes(2 + 15 - 10))
        );
        assert_eq!(
            wait(&recent, 3, minute(17) - TimeDelta::microseconds(1)),
            Some(TimeDelta::microseconds(1))
        );
        assert_eq!(wait(&recent, 3, minute(17)), None);
        assert_eq!(wait(&[], 10, minute(0)), None);
    }

    #[test]
    fn an_account_has_one_name_however_it_is_spelled() {
        assert_eq!(
            Key::sign_in(" Anna@Acme.com", "192.0.2.1"),
            Key::sign_in("anna@acme.com ", "::ffff:192.0.2.1")
        );
        assert_ne!(
            Key::sign_in("anna@acme.com", "192.0.2.1").account,
            Key::reset("anna@acme.com", "192.0.2.1").account
        );
    }

    #[test]
    fn an_ipv6_network_counts_as_one() {
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(network("2001:db8:1:2::9"), "2001:db8:1:2::/64");
        assert_eq!(network("unknown"), "unknown");
    }
}
