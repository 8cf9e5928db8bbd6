//! `docs/import.md` lists every reason for refusing a row, a file or a mapping, and every note and warning.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use ensemble::error::{Error, Faults};
use proc_macro2::{TokenStream, TokenTree};

use crate::{cases, support::TestApp};

cases!(the_documentation_has_every_text_of_an_import);

const PAGE: &str = include_str!("../../../docs/import.md");

/// Texts that never appear in a report, by file and, if the file has other texts too, by their beginning.
const OTHERS: [(&str, &str, &str); 4] = [
    ("import/report.rs", "", "lays out the summary"),
    ("import/table.rs", "", "a fault of the program"),
    (
        "import/deals/mod.rs",
        "the import names another partner",
        "is stored with the participant that was removed",
    ),
    (
        "platform/hierarchy.rs",
        "There is no such object",
        "a parent that is missing is named by its external id",
    ),
];

/// Files whose error texts an import passes on.
const ERRORS: [&str; 3] = [
    "platform/country.rs",
    "platform/hierarchy.rs",
    "customers/identity/domain.rs",
];

/// Every text of several words in a file, or only those of its errors.
fn texts(name: &str, of_errors: bool) -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(name);
    let text = fs::read_to_string(&path).unwrap();
    let program = text.split("#[cfg(test)]").next().unwrap();
    let mut found = BTreeSet::new();
    collect(program.parse().unwrap(), of_errors, &mut found);
    found.retain(|text| text.trim().contains(' '));
    found
}

fn collect(tokens: TokenStream, of_errors: bool, found: &mut BTreeSet<String>) {
    let mut attribute = false;
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                let first = group.stream().into_iter().next();
                let first = first.map(|token| token.to_string()).unwrap_or_default();
                if attribute && first == "error" {
                    collect(group.stream(), false, found);
                } else if !(attribute && first == "doc") {
                    collect(group.stream(), of_errors, found);
                }
                attribute = false;
            }
            TokenTree::Literal(literal) if !of_errors => {
                if let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string()) {
                    found.insert(text.value());
                }
            }
            token => {
                attribute =
                    matches!(token, TokenTree::Punct(mark) if matches!(mark.as_char(), '#' | '!'))
            }
        }
    }
}

/// The fixed parts of a text, between its values.
fn pieces(text: &str) -> Vec<String> {
    let text = text.replace("{{", "\u{1}").replace("}}", "\u{2}");
    let (mut pieces, mut rest) = (Vec::new(), text.as_str());
    while let Some((piece, after)) = rest.split_once('{') {
        pieces.push(piece);
        rest = after.split_once('}').map_or("", |(_, after)| after);
    }
    pieces.push(rest);
    let pieces = pieces.into_iter().map(|piece| {
        let piece = piece.replace('\u{1}', "{").replace('\u{2}', "}");
        piece.trim().to_owned()
    });
    pieces
        .filter(|piece| piece.chars().any(char::is_alphabetic))
        .collect()
}

fn files(folder: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut found, mut folders) = (Vec::new(), vec![root.join(folder)]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("tests.rs") {
                let name = path.strip_prefix(&root).unwrap();
                found.push(name.to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    assert!(found.len() > 20, "the sources were not found");
    found
}

/// The refusals that apply to any text.
fn faults_of_texts() -> Vec<String> {
    let mut faults = Faults::default();
    faults.text("", "", 10);
    faults.text("", "longer than that", 10);
    faults.text("", "a\u{7}b", 10);
    faults.text("", "a\u{202e}b", 10);
    let Err(Error::Refused(refusals)) = faults.check() else {
        panic!("bad texts were taken")
    };
    assert_eq!(refusals.len(), 4);
    let texts = refusals.into_iter().map(|refusal| refusal.message);
    texts
        .map(|text| text.replace("10", "{}").replace("202E", "{}"))
        .collect()
}

async fn the_documentation_has_every_text_of_an_import(_: TestApp) {
    let mut all = faults_of_texts();
    let own = files("import").into_iter().map(|name| (name, false));
    let passed_on = ERRORS.map(|name| (name.to_owned(), true));
    for (name, of_errors) in own.chain(passed_on) {
        let is_other = |text: &String| {
            let mut others = OTHERS.iter();
            others.any(|(file, begin, _)| name == *file && text.starts_with(begin))
        };
        let texts = texts(&name, of_errors).into_iter();
        all.extend(texts.filter(|text| !is_other(text)));
    }
    assert!(all.len() > 120, "{}", all.len());
    let missing: BTreeSet<_> = all
        .iter()
        .flat_map(|text| pieces(text))
        .filter(|piece| !PAGE.contains(piece.as_str()))
        .collect();
    assert!(
        missing.is_empty(),
        "docs/import.md lacks these texts of src/import: {missing:#?}"
    );
}
