//! The kept lists behind the comparison of customers. Each file names its sources and its date.
//!
//! Pure: decides from facts alone.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use crate::platform::{country, spelling::words};

/// The lines of a list without comments and blank lines.
fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
}

/// When a legal form is part of the name, and when it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// It is always a legal form.
    Always,
    /// It is also a word: a legal form only when written as one, or in its countries.
    Marked,
}

/// A legal form that is a word or several.
#[derive(Clone, Copy, Debug)]
pub(super) struct LegalForm {
    pub(super) usage: Use,
    pub(super) in_front: bool,
    pub(super) at_end: bool,
    pub(super) countries: &'static str,
}

impl LegalForm {
    /// Whether it is used in a country.
    pub(super) fn is_of(&self, country: &str) -> bool {
        self.countries.split(' ').any(|one| one == country)
    }
}

/// A legal form of a script without blanks.
#[derive(Clone, Debug)]
pub(super) struct Affix {
    pub(super) text: String,
    pub(super) in_front: bool,
}

/// The legal forms of all countries.
pub(super) struct LegalForms {
    /// By their letters: blanks between them are written as often as left out.
    pub(super) words: HashMap<String, LegalForm>,
    /// The long single words, which are recognised with a slip in them.
    pub(super) long: Vec<String>,
    /// The most words of a form.
    pub(super) longest: usize,
    /// The longest first.
    pub(super) affixes: Vec<Affix>,
}

pub(super) static LEGAL_FORMS: LazyLock<LegalForms> = LazyLock::new(|| {
    let mut forms = LegalForms {
        words: HashMap::new(),
        long: Vec::new(),
        longest: 1,
        affixes: Vec::new(),
    };
    for line in lines(include_str!("data/legal_forms.tsv")) {
        let mut columns = line.split('\t');
        let mut next = || columns.next().unwrap_or_default();
        let (form, usage, place, countries) = (next(), next(), next(), next());
        let words = words(form);
        let key = words.concat();
        let in_front = place != "end";
        if usage == "affix" {
            let text = words.concat();
            forms.affixes.push(Affix { text, in_front });
            continue;
        }
        let usage = if usage == "marked" {
            Use::Marked
        } else {
            Use::Always
        };
        if usage == Use::Always && words.len() == 1 && key.len() >= 7 && key.is_ascii() {
            forms.long.push(key.clone());
        }
        forms.longest = forms.longest.max(words.len());
        let form = LegalForm {
            usage,
            in_front,
            at_end: place != "front",
            countries,
        };
        forms.words.insert(key, form);
    }
    forms
        .affixes
        .sort_by_key(|affix| std::cmp::Reverse(affix.text.chars().count()));
    forms
});

/// Words with a part of their own in names.
#[derive(Default)]
pub(super) struct Words {
    pub(super) joining: HashSet<&'static str>,
    pub(super) generic: HashSet<&'static str>,
    pub(super) regions: HashSet<&'static str>,
    pub(super) short: HashMap<&'static str, &'static str>,
}

pub(super) static WORDS: LazyLock<Words> = LazyLock::new(|| {
    let mut all = Words::default();
    for line in lines(include_str!("data/words.tsv")) {
        let mut columns = line.split('\t');
        let mut next = || columns.next().unwrap_or_default();
        let (kind, word, long) = (next(), next(), next());
        match kind {
            "join" => drop(all.joining.insert(word)),
            "generic" => drop(all.generic.insert(word)),
            "region" => drop(all.regions.insert(word)),
            _ => drop(all.short.insert(word, long)),
        }
    }
    all
});

/// The parts of addresses that are typical of a company's own site.
#[derive(Default)]
pub(super) struct OwnPages {
    labels: HashSet<&'static str>,
    paths: HashSet<&'static str>,
    parameters: HashSet<&'static str>,
    languages: HashSet<&'static str>,
}

impl OwnPages {
    /// Whether a label in front of a domain is common, such as `www`, and does not point to another company.
    pub(super) fn has_label(&self, label: &str) -> bool {
        self.labels.contains(label) || self.is_locale(label)
    }

    /// The same for a segment of a path.
    pub(super) fn has_path(&self, part: &str) -> bool {
        let part = part.to_ascii_lowercase();
        let name = match part.rsplit_once('.') {
            Some((name, "htm" | "html" | "shtml" | "php" | "asp" | "aspx" | "jsp")) => name,
            _ => part.as_str(),
        };
        self.paths.contains(name) || self.is_locale(name)
    }

    /// The same for a query parameter.
    pub(super) fn has_parameter(&self, name: &str) -> bool {
        self.parameters.contains(name.to_ascii_lowercase().as_str())
    }

    /// A language, a country, or both: `de`, `at`, `de-at`.
    fn is_locale(&self, text: &str) -> bool {
        let mut parts = text.split(['-', '_']);
        let known = |part: &str| {
            self.languages.contains(part)
                || country::check(&part.to_ascii_uppercase()).is_ok()
                || part == "eu"
        };
        parts.clone().count() <= 2 && parts.all(known)
    }
}

pub(super) static OWN_PAGES: LazyLock<OwnPages> = LazyLock::new(|| {
    let mut pages = OwnPages::default();
    for line in lines(include_str!("data/own_pages.tsv")) {
        let (kind, word) = line.split_once('\t').unwrap_or((line, ""));
        match kind {
            "label" => pages.labels.insert(word),
            "path" => pages.paths.insert(word),
            "parameter" => pages.parameters.insert(word),
            _ => pages.languages.insert(word),
        };
    }
    pages
});

/// Hosts that serve many: the exact ones, and the names that are such under every public suffix.
#[derive(Default)]
pub(super) struct Hosts {
    exact: HashSet<&'static str>,
    anywhere: HashSet<&'static str>,
}

impl Hosts {
    /// Whether a host, or a domain above it down to its registrable one, serves many.
    pub(super) fn cover(&self, host: &str, registrable: &str) -> bool {
        let name = psl::suffix_str(registrable)
            .and_then(|suffix| registrable.strip_suffix(suffix))
            .and_then(|name| name.strip_suffix('.'));
        if name.is_some_and(|name| self.anywhere.contains(name)) {
            return true;
        }
        let mut rest = host;
        loop {
            if self.exact.contains(rest) {
                return true;
            }
            match rest.split_once('.') {
                Some((_, above)) if above.len() >= registrable.len() => rest = above,
                _ => return false,
            }
        }
    }
}

pub(super) static SHARED: LazyLock<Hosts> = LazyLock::new(|| {
    let mut hosts = Hosts::default();
    let mail = lines(include_str!("data/free_mail.txt"));
    let shared = lines(include_str!("data/shared_hosts.tsv"));
    for line in mail.chain(shared) {
        let host = line.split('\t').next().unwrap_or_default().trim();
        match host.strip_suffix(".*") {
            Some(name) => hosts.anywhere.insert(name),
            None => hosts.exact.insert(host),
        };
    }
    hosts
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_is_read_whole_and_says_where_it_comes_from() {
        for (text, least) in [
            (include_str!("data/legal_forms.tsv"), 800),
            (include_str!("data/words.tsv"), 250),
            (include_str!("data/free_mail.txt"), 14_000),
            (include_str!("data/shared_hosts.tsv"), 2_000),
            (include_str!("data/own_pages.tsv"), 200),
        ] {
            assert!(lines(text).count() >= least);
            let head: String = text
                .lines()
                .take_while(|line| line.starts_with('#'))
                .collect();
            assert!(
                head.contains("2026-") && head.to_lowercase().contains("compiled by the project")
                    || head.contains("Sources"),
                "{head}"
            );
        }
        for line in lines(include_str!("data/own_pages.tsv")) {
            let (kind, word) = line.split_once('\t').unwrap();
            let kinds = ["label", "path", "parameter", "language"];
            assert!(
                kinds.contains(&kind) && word == word.trim().to_lowercase(),
                "{line}"
            );
        }
        for line in lines(include_str!("data/legal_forms.tsv")) {
            let columns: Vec<_> = line.split('\t').collect();
            assert_eq!(columns.len(), 4, "{line}");
            assert!(
                ["always", "marked", "affix"].contains(&columns[1]),
                "{line}"
            );
            assert!(["any", "end", "front"].contains(&columns[2]), "{line}");
            assert!(!words(columns[0]).is_empty(), "{line}");
        }
    }

    #[test]
    fn a_host_is_shared_with_all_below_it_and_nothing_above() {
        let shared = |host: &str| {
            let registrable = psl::domain_str(host).unwrap();
            SHARED.cover(host, registrable)
        };
        for host in [
            "facebook.com",
            "de-de.facebook.com",
            "yahoo.fr",
            "yahoo.com.br",
            "sites.google.com",
            "amazon.co.uk",
            "bit.ly",
            "linktr.ee",
            "gmx.de",
            "mail.gmx.de",
            "apps.apple.com",
            "itunes.apple.com",
            "play.google.com",
            "elm.hubspotpages.com",
            "elm.force.com",
            "elm.my.site.com",
            "elm.odoo.com",
            "elm.pipedrive.com",
            "elm.teamleader.eu",
            "elm.zoom.us",
            "elm.msha.ke",
            "ig.me",
            "elm.bandcamp.com",
            "elm.mercadoshops.com.ar",
            "2gis.ru",
            "angel.co",
            "wellfound.com",
            "producthunt.com",
            "gofundme.com",
            "gravatar.com",
            "immobilienscout24.de",
            "mobile.de",
            "justdial.com",
            "provenexpert.com",
            "bbox.fr",
            "tin.it",
            "one.lt",
            "mozmail.com",
            "privaterelay.appleid.com",
            "vodafone.de",
        ] {
            assert!(shared(host), "{host}");
        }
        for host in [
            "google.com",
            "apple.com",
            "appleid.com",
            "vodafone.com",
            "acme.com",
            "facebook.acme.com",
            "notfacebook.com",
            "yahoo-partner.com",
        ] {
            assert!(!shared(host), "{host}");
        }
    }
}
