//! The registrable domain of a customer: `acme.co.uk` out of `https://www.ACME.co.uk:8443/about`,
//! whatever the spelling.
//!
//! What may be registered is told by the Public Suffix List (publicsuffix.org), its private section
//! included, so shops on a shared platform are different customers. International names take their
//! ASCII form (UTS 46). Hosts that serve many unrelated companies (mail services, social networks, site
//! builders, marketplaces, link shorteners) prove nothing about a customer and give no domain; which these
//! are is in `data/free_mail.txt` and `data/shared_hosts.tsv`.
//!
//! Pure: decides from facts alone.

use std::net::IpAddr;

use super::data::SHARED;
use crate::platform::text::visible;

/// Why a text names no domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DomainFault {
    /// Neither a web address, a mail address nor a domain name.
    #[error("this is not a domain name or web address")]
    Malformed,
    /// A network address.
    #[error("this is a network address, not a domain name")]
    Address,
    /// A name such as `com`, `co.uk` or `github.io`, under which others register.
    #[error("this is a public suffix, not a domain of its own")]
    PublicSuffix,
}

/// The registrable domain in lower-case ASCII, or nothing for a host that many share. Accepts web
/// addresses, host names with any subdomain, port or trailing dot, and mail addresses. The result
/// given back in yields itself.
///
/// # Errors
/// The text is no domain name, is a network address, or is a public suffix.
pub fn registrable_domain(input: &str) -> Result<Option<String>, DomainFault> {
    let input = visible(input);
    let ascii = idna::domain_to_ascii(host(input.trim())?).map_err(|_| DomainFault::Malformed)?;
    let name = ascii.trim_end_matches('.');
    if name.len() > 253 || !name.split('.').all(is_label) {
        return Err(DomainFault::Malformed);
    }
    let last = name.rsplit('.').next().unwrap_or(name);
    if last.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(DomainFault::Address);
    }
    let domain = psl::domain_str(name).ok_or(DomainFault::PublicSuffix)?;
    Ok((!SHARED.cover(name, domain)).then(|| domain.to_owned()))
}

fn host(input: &str) -> Result<&str, DomainFault> {
    let is_scheme = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let rest = match input.split_once("://") {
        Some((scheme, rest)) if is_scheme(scheme) => rest,
        _ => input,
    };
    let rest = rest.trim_start_matches("//");
    let authority = rest.split(['/', '\\', '?', '#']).next().unwrap_or(rest);
    let host = authority.rsplit('@').next().unwrap_or(authority);
    if host.starts_with('[') || host.parse::<IpAddr>().is_ok() {
        return Err(DomainFault::Address);
    }
    match host.split_once(':') {
        None => Ok(host),
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => Ok(host),
        Some(_) => Err(DomainFault::Malformed),
    }
}

fn is_label(label: &str) -> bool {
    let of_a_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=63).contains(&label.len())
        && label.bytes().all(of_a_name)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn domain(input: &str) -> String {
        registrable_domain(input).unwrap().unwrap()
    }

    #[test]
    fn spellings_of_one_address_give_one_domain() {
        for spelling in [
            "acme.com",
            "ACME.com",
            "www.acme.com",
            "https://www.ACME.com/",
            "http://acme.com:8080/a?b=c#d",
            " acme.com. ",
            "acme.com..",
            "//acme.com/x",
            "jane.doe@acme.com",
            "mailto:jane@acme.com",
            "mail.eu.acme.com",
            "https://jane:secret@acme.com:8443/x@y",
            "ａｃｍｅ。ｃｏｍ",
            "acme.com?x=http://b.org",
        ] {
            assert_eq!(domain(spelling), "acme.com", "{spelling}");
        }
    }

    #[test]
    fn public_suffixes_are_respected() {
        assert_eq!(domain("shop.acme.co.uk"), "acme.co.uk");
        assert_eq!(domain("www.acme.com.au"), "acme.com.au");
        assert_eq!(domain("docs.acme.github.io"), "acme.github.io");
        assert_eq!(domain("www.acme.example"), "acme.example");
        for suffix in ["com", "co.uk", ".com.", "github.io", "localhost"] {
            let fault = registrable_domain(suffix).unwrap_err();
            assert!(
                matches!(fault, DomainFault::PublicSuffix | DomainFault::Malformed),
                "{suffix}"
            );
        }
        assert_eq!(registrable_domain("co.uk"), Err(DomainFault::PublicSuffix));
    }

    #[test]
    fn international_names_take_their_ascii_form() {
        assert_eq!(
            domain("https://www.Müller-Straße.DE"),
            domain("xn--mller-strae-46a18a.de")
        );
        assert_eq!(domain("BÜCHER.example"), "xn--bcher-kva.example");
        assert_eq!(domain("xn--bcher-kva.example"), "xn--bcher-kva.example");
    }

    #[test]
    fn hosts_that_many_share_prove_nothing() {
        for free in [
            "https://www.facebook.com/elm",
            "https://www.facebook.com/oak",
            "elm@yahoo.fr",
            "oak@yahoo.com.mx",
            "https://sites.google.com/view/elm",
            "linkedin.com/company/elm",
            "https://elm.jimdo.com",
            "https://www.amazon.co.uk/stores/elm",
            "https://bit.ly/3xYz",
            "x.com/elm",
            "elm@mailbox.org",
            "https://maps.app.goo.gl/abc",
            "jane@gmail.com",
            "GoogleMail.com",
            "yahoo.co.uk",
            "http://mail.gmx.de",
        ] {
            assert_eq!(registrable_domain(free), Ok(None), "{free}");
        }
    }

    #[test]
    fn a_domain_of_its_own_is_one_however_it_resembles_a_shared_host() {
        assert_eq!(domain("facebook.acme.com"), "acme.com");
        assert_eq!(domain("https://elm.github.io"), "elm.github.io");
        assert_eq!(domain("yahoo-partner.de"), "yahoo-partner.de");
        assert_eq!(domain("google.com"), "google.com");
    }

    #[test]
    fn invisible_characters_make_no_other_domain() {
        assert_eq!(domain("ac\u{200b}me.com"), "acme.com");
        assert_eq!(domain("\u{202a}acme.com\u{202c}"), "acme.com");
    }

    #[test]
    fn addresses_and_garbage_are_refused() {
        for address in [
            "10.0.0.1",
            "http://192.168.1.1:80/x",
            "[::1]",
            "2001:db8::1",
            "1.2.3",
            "https://[::1]:443/",
        ] {
            assert_eq!(
                registrable_domain(address),
                Err(DomainFault::Address),
                "{address}"
            );
        }
        for garbage in [
            "",
            " ",
            "acme corp.com",
            "acme..com",
            "-acme.com",
            "acme.com:http",
            "a,b.com",
            "@",
            "https://",
            "xn--\u{0}.com",
            "jane <jane@acme.com>",
        ] {
            assert_eq!(
                registrable_domain(garbage),
                Err(DomainFault::Malformed),
                "{garbage}"
            );
        }
        assert_eq!(
            registrable_domain(&format!("{}.com", "a".repeat(64))),
            Err(DomainFault::Malformed)
        );
    }

    proptest! {
        #[test]
        fn anything_is_answered_and_an_answer_stands(input in ".{0,60}") {
            if let Ok(Some(domain)) = registrable_domain(&input) {
                prop_assert_eq!(registrable_domain(&domain), Ok(Some(domain.clone())));
            }
        }

        #[test]
        fn every_dressing_of_a_domain_gives_the_same(
            name in "acme[a-z0-9]{1,9}", suffix in prop::sample::select(vec!["com", "co.uk", "de", "com.br"]),
            scheme in prop::sample::select(vec!["", "http://", "HTTPS://", "//"]),
            host in prop::sample::select(vec!["", "www.", "mail.eu.", "WWW."]),
            user in prop::sample::select(vec!["", "jane@", "jane:pw@"]),
            tail in prop::sample::select(vec!["", ".", ":443", "/", "/a/b@c", "?q=1", "#x"]), upper: bool,
        ) {
            let plain = format!("{name}.{suffix}");
            let shown = if upper { plain.to_uppercase() } else { plain.clone() };
            let own = registrable_domain(&plain);
            prop_assert_eq!(registrable_domain(&format!("{scheme}{user}{host}{shown}{tail}")), own);
        }
    }
}
