//! What an address says about a company: `https://www.ACME.co.uk:8443/about` gives `acme.co.uk` as the company's own
//! domain, in any spelling. `https://acme.co.uk/sellers/elm` and `elm.acme.co.uk` give it only as a hint.
//!
//! What may be registered is told by the Public Suffix List (publicsuffix.org), its private section
//! included, so shops on a shared platform are different customers. International names take their
//! ASCII form (UTS 46). Hosts that serve many unrelated companies (mail services, social networks, site
//! builders, marketplaces, link shorteners) prove nothing about a customer and give no domain; which these
//! are is in `data/free_mail.txt` and `data/shared_hosts.tsv`.
//!
//! No list is complete, so there is also a rule: a page below a host, or an unknown subdomain, may be one company's
//! page on another company's host. Only the registrable domain itself counts as the company's own, including with a
//! label such as `www` or a page such as `/about`. `data/own_pages.tsv` lists these labels and pages.
//!
//! Pure: decides from facts alone.

use std::net::IpAddr;

use super::data::{OWN_PAGES, SHARED};
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

/// What an address says about its company.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// The company's own registrable domain: proof.
    Own(String),
    /// The registrable domain of a host that may belong to another company: a hint.
    Hint(String),
    /// A host that many companies share: neither.
    Shared,
}

impl Address {
    /// The company's own domain, or the hint.
    #[must_use]
    pub fn into_parts(self) -> (Option<String>, Option<String>) {
        match self {
            Self::Own(domain) => (Some(domain), None),
            Self::Hint(domain) => (None, Some(domain)),
            Self::Shared => (None, None),
        }
    }

    /// The company's own domain.
    #[must_use]
    pub fn own(self) -> Option<String> {
        self.into_parts().0
    }

    /// The domain, whether proof or hint.
    #[must_use]
    pub fn domain(self) -> Option<String> {
        match self {
            Self::Own(domain) | Self::Hint(domain) => Some(domain),
            Self::Shared => None,
        }
    }
}

/// Reads an address: a web address, a host name with any subdomain, port or trailing dot, or a mail address. Domains are
/// in lower-case ASCII.
///
/// # Errors
/// The text is no domain name, is a network address, or is a public suffix.
pub fn address(input: &str) -> Result<Address, DomainFault> {
    let input = visible(input);
    let (host, page) = split(input.trim())?;
    let ascii = idna::domain_to_ascii(host).map_err(|_| DomainFault::Malformed)?;
    let name = ascii.trim_end_matches('.');
    if name.len() > 253 || !name.split('.').all(is_label) {
        return Err(DomainFault::Malformed);
    }
    let last = name.rsplit('.').next().unwrap_or(name);
    if last.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(DomainFault::Address);
    }
    let domain = psl::domain_str(name).ok_or(DomainFault::PublicSuffix)?;
    Ok(if SHARED.cover(name, domain) {
        Address::Shared
    } else if is_own_host(name, domain) && is_own_page(page) {
        Address::Own(domain.to_owned())
    } else {
        Address::Hint(domain.to_owned())
    })
}

/// The company's own registrable domain from an address, or nothing if the address may belong to another company.
/// Idempotent.
///
/// # Errors
/// As for [`address`].
pub fn registrable_domain(input: &str) -> Result<Option<String>, DomainFault> {
    address(input).map(Address::own)
}

/// Whether a host is the domain itself, with at most `www` and one common label in front.
fn is_own_host(host: &str, domain: &str) -> bool {
    let labels = host.strip_suffix(domain).unwrap_or_default();
    let labels = labels.strip_suffix('.').unwrap_or_default();
    let label = labels.strip_prefix("www.").unwrap_or(labels);
    label.is_empty() || OWN_PAGES.has_label(label)
}

/// Whether what follows a host does not point to another company: no path, or one such as `/de/about`; no query, or one
/// with tracking parameters only; no page in the fragment.
fn is_own_page(page: &str) -> bool {
    let (page, fragment) = page.split_once('#').unwrap_or((page, ""));
    let (path, query) = page.split_once('?').unwrap_or((page, ""));
    let mut parts = path.split(['/', '\\']).filter(|part| !part.is_empty());
    let mut parameters = query.split('&').filter(|part| !part.is_empty());
    let name = |parameter: &str| {
        let name = parameter.split('=').next().unwrap_or_default();
        OWN_PAGES.has_parameter(name)
    };
    parts.all(|part| OWN_PAGES.has_path(part))
        && parameters.all(name)
        && !fragment.contains(['/', '!', '='])
}

/// The host of an address, and what follows it.
fn split(input: &str) -> Result<(&str, &str), DomainFault> {
    let is_scheme = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let rest = match input.split_once("://") {
        Some((scheme, rest)) if is_scheme(scheme) => rest,
        _ => input,
    };
    let rest = rest.trim_start_matches("//");
    let end = rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len());
    let (authority, page) = rest.split_at(end);
    let host = authority.rsplit('@').next().unwrap_or(authority);
    if host.starts_with('[') || host.parse::<IpAddr>().is_ok() {
        return Err(DomainFault::Address);
    }
    match host.split_once(':') {
        None => Ok((host, page)),
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => Ok((host, page)),
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
            "http://acme.com:8080/?utm_source=mail#top",
            "https://acme.com/de/",
            "https://www.acme.com/en-gb/about-us/",
            "https://acme.com/index.html?gclid=x&lang=de",
            "https://shop.acme.com/de",
            "https://www.shop.acme.com",
            "de-at.acme.com/kontakt.php",
            " acme.com. ",
            "acme.com..",
            "//acme.com/home",
            "jane.doe@acme.com",
            "mailto:jane@acme.com",
            "jane@mail.acme.com",
            "https://jane:secret@acme.com:8443/",
            "ａｃｍｅ。ｃｏｍ",
            "acme.com?ref=http://b.org",
        ] {
            assert_eq!(domain(spelling), "acme.com", "{spelling}");
        }
    }

    #[test]
    fn a_page_below_a_host_and_an_unknown_subdomain_are_hints() {
        for page in [
            "https://acme.com/sellers/elm",
            "https://acme.com/elm",
            "acme.com/@elm",
            "https://acme.com/de/elm",
            "https://acme.com/index.php?id=17",
            "https://acme.com/?seller=elm&lang=de",
            "acme.com?x=http://b.org",
            "https://acme.com/#/elm",
            "https://acme.com/#!elm",
            "https://elm.acme.com",
            "https://elm.acme.com/about",
            "http://www.elm.acme.com/",
            "mail.eu.acme.com",
            "jane@elm.acme.com",
            "https://jane:secret@acme.com:8443/x@y",
            "https://acme.com\\elm",
            "https://ACME.com./Profile/",
        ] {
            let hint = Address::Hint("acme.com".to_owned());
            assert_eq!(address(page), Ok(hint), "{page}");
            assert_eq!(registrable_domain(page), Ok(None), "{page}");
        }
        assert_eq!(
            address("https://berlin.acme.co.uk"),
            Ok(Address::Hint("acme.co.uk".to_owned()))
        );
        // A label of its own under a suffix that others register under is a domain.
        assert_eq!(domain("https://berlin.github.io/de"), "berlin.github.io");
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
            "https://apps.apple.com/de/app/elm/id123",
            "https://play.google.com/store/apps/details?id=com.elm",
            "https://elm.odoo.com",
            "elm@vodafone.de",
            "elm@privaterelay.appleid.com",
        ] {
            assert_eq!(address(free), Ok(Address::Shared), "{free}");
        }
    }

    #[test]
    fn a_domain_of_its_own_is_one_however_it_resembles_a_shared_host() {
        assert_eq!(domain("acme-facebook.com"), "acme-facebook.com");
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
            if let Some(domain) = address(&input).ok().and_then(Address::domain) {
                prop_assert_eq!(registrable_domain(&domain), Ok(Some(domain.clone())));
            }
        }

        #[test]
        fn every_dressing_of_a_domain_gives_the_same(
            name in "acme[a-z0-9]{1,9}", suffix in prop::sample::select(vec!["com", "co.uk", "de", "com.br"]),
            scheme in prop::sample::select(vec!["", "http://", "HTTPS://", "//"]),
            host in prop::sample::select(vec!["", "www.", "mail.", "WWW.", "www.de."]),
            user in prop::sample::select(vec!["", "jane@", "jane:pw@"]),
            tail in prop::sample::select(vec!["", ".", ":443", "/", "/en/About.html", "?utm_id=1", "#x"]), upper: bool,
        ) {
            let plain = format!("{name}.{suffix}");
            let shown = if upper { plain.to_uppercase() } else { plain.clone() };
            let own = registrable_domain(&plain);
            prop_assert_eq!(registrable_domain(&format!("{scheme}{user}{host}{shown}{tail}")), own);
        }

        #[test]
        fn no_page_of_a_host_is_the_host(
            host in prop::sample::select(vec!["acme.com", "www.acme.co.uk", "shop.acme.de"]), page in "[a-z]{3,8}[0-9]{1,3}",
            before in prop::sample::select(vec!["/", "/de/", "/company/", "/?id=", "/#/", "/p/"]), after in "(/|/about|\\.html)?",
        ) {
            let text = format!("https://{host}{before}{page}{after}");
            prop_assert!(matches!(address(&text), Ok(Address::Hint(_))), "{text}");
        }
    }
}
