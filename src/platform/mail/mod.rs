//! Sending mail, at most one connection per mail, each within a minute.
//!
//! A mail goes to a mail server, or on a developer's machine into a folder, or in tests into memory. The same job always
//! sends the same message id, so that a mail sent twice after a crash is shown once by most programs. What a user typed
//! never starts a header of its own.

mod mailbox;
mod memory;
mod message;
mod send;
mod transport;

pub use mailbox::{Mailbox, StoredMail};
pub use memory::{MemoryMail, SentMail};
pub use message::{Message, UnsafeHeader, message_id, safe_header};
pub use send::Mailer;
pub use transport::{MailFault, MailTransport};

/// Top-level names that are resolved within one machine or network, or not at all (IANA, special-use domain names).
const PRIVATE: [&str; 6] = ["localhost", "local", "internal", "arpa", "onion", "invalid"];

/// Whether a text is an address at a public internet domain. Mail to a literal address (`a@[127.0.0.1]`), a bare host
/// name or a private one (`a@mail.localhost`) would go to a machine in the vendor's own network.
#[must_use]
pub fn reachable(text: &str) -> bool {
    text.parse::<lettre::Address>().is_ok_and(|address| {
        let labels: Vec<&str> = address.domain().split('.').collect();
        let named = |label: &&str| !label.is_empty() && !label.contains(['[', ']', ':']);
        let top = labels.last().copied().unwrap_or_default();
        labels.len() > 1
            && labels.iter().all(named)
            && !top.bytes().all(|byte| byte.is_ascii_digit())
            && !PRIVATE.iter().any(|name| top.eq_ignore_ascii_case(name))
    })
}

#[cfg(test)]
mod tests {
    use super::reachable;

    #[test]
    fn an_address_needs_a_domain_of_the_internet() {
        for address in [
            "anna@acme.com",
            "a.b+c@mail.acme.co.uk",
            "anna@xn--mller-kva.de",
            "a@1.example",
        ] {
            assert!(reachable(address), "{address}");
        }
        for address in [
            "a@[127.0.0.1]",
            "a@[IPv6:::1]",
            "a@127.0.0.1",
            "a@localhost",
            "a@mail.localhost",
            "a@mx.LOCAL",
            "a@db.internal",
            "a@1.0.0.127.in-addr.arpa",
            "a@acme.",
            "a@.com",
            "a@acme..com",
            "a@",
            "acme.com",
        ] {
            assert!(!reachable(address), "{address}");
        }
    }
}
