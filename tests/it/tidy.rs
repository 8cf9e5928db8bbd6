//! Holds the source text to the plan of the house: who may use whom.

use std::{collections::BTreeMap, fs, path::Path};

use crate::{cases, support::TestApp};

cases!(
    pure_rules_stay_pure,
    the_platform_knows_no_domain,
    stores_decide_nothing,
    domains_form_no_circle
);

/// The business domains in the order of the money; each may use those before it.
const DOMAINS: [&str; 12] = [
    "identity",
    "rates",
    "partners",
    "programs",
    "catalog",
    "customers",
    "deals",
    "attribution",
    "incentives",
    "ledger",
    "payouts",
    "notifications",
];

/// Files that only decide: they may not read, write, log or look at the clock.
const PURE: [&str; 23] = [
    "rates/rate.rs",
    "partners/status.rs",
    "programs/settings.rs",
    "programs/validation.rs",
    "programs/defaults.rs",
    "customers/identity/",
    "deals/registration_status.rs",
    "deals/protection.rs",
    "deals/stage.rs",
    "deals/pipeline.rs",
    "deals/participant.rs",
    "deals/place.rs",
    "attribution/models.rs",
    "attribution/division.rs",
    "attribution/weights.rs",
    "attribution/countable.rs",
    "attribution/influence.rs",
    "attribution/parameters.rs",
    "incentives/terms.rs",
    "incentives/compute.rs",
    "incentives/clawback.rs",
    "ledger/rules.rs",
    "payouts/select.rs",
];

/// Every source file under `src` with its path from there; test modules at the end of a file are cut off.
fn sources() -> BTreeMap<String, String> {
    fn walk(folder: &Path, root: &Path, found: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path
                    .strip_prefix(root)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned();
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]").next().unwrap().to_owned();
                found.insert(name, code);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeMap::new();
    walk(&root, &root, &mut found);
    assert!(found.len() > 100, "the sources were not found");
    found
}

/// Lines of code that contain one of these words, with file and line number.
fn offences<'a>(
    files: impl Iterator<Item = (&'a String, &'a String)>,
    words: &[&str],
) -> Vec<String> {
    let mut found = Vec::new();
    for (name, text) in files {
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap();
            if let Some(word) = words.iter().find(|word| code.contains(**word)) {
                found.push(format!("{name}:{}: {word}", number + 1));
            }
        }
    }
    found
}

async fn pure_rules_stay_pure(_: TestApp) {
    let files = sources();
    for rule in PURE {
        assert!(
            files.keys().any(|name| name.starts_with(rule)),
            "{rule} is listed as a pure rule and does not exist"
        );
    }
    let pure = files.iter().filter(|(name, _)| {
        PURE.iter().any(|rule| name.starts_with(rule)) && !name.contains("/tests")
    });
    let words = [
        "async ",
        "sea_orm::Entity",
        "ConnectionTrait",
        "crate::tx",
        "crate::app",
        "tracing::",
        "Utc::now",
        "crate::entity",
    ];
    assert_eq!(offences(pure, &words), Vec::<String>::new());
}

async fn the_platform_knows_no_domain(_: TestApp) {
    let files = sources();
    let platform = files
        .iter()
        .filter(|(name, _)| name.starts_with("platform/"));
    let words: Vec<String> = DOMAINS
        .iter()
        .map(|domain| format!("crate::{domain}"))
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    assert_eq!(offences(platform, &words), Vec::<String>::new());
}

async fn stores_decide_nothing(_: TestApp) {
    let files = sources();
    let stores = files.iter().filter(|(name, _)| name.ends_with("store.rs"));
    assert_eq!(
        offences(stores, &["async_graphql", ".record(", "Refusal::"]),
        Vec::<String>::new()
    );
    let others = files.iter().filter(|(name, _)| {
        let technical = [
            "graphql",
            "platform/",
            "entity/",
            "tx.rs",
            "worker.rs",
            "server.rs",
            "main.rs",
        ];
        DOMAINS.iter().any(|domain| name.starts_with(domain))
            && !technical.iter().any(|part| name.contains(part))
    });
    assert_eq!(
        offences(others, &["async_graphql::Context", ".begin(", ".commit("]),
        Vec::<String>::new()
    );
}

async fn domains_form_no_circle(_: TestApp) {
    // Object types refer to each other in circles, as a graph does, and so do the types of columns; use cases must not.
    let files = sources();
    let mut wrong = Vec::new();
    for (name, text) in &files {
        let Some(place) = DOMAINS
            .iter()
            .position(|domain| name.starts_with(&format!("{domain}/")))
        else {
            continue;
        };
        if name.contains("graphql") {
            continue;
        }
        for later in &DOMAINS[place + 1..] {
            // A use case calls another by its module; a type of another domain stands directly under its name.
            for (number, line) in text.lines().enumerate() {
                let code = line.split("//").next().unwrap();
                let calls = code
                    .split(&format!("{later}::"))
                    .nth(1)
                    .is_some_and(|rest| {
                        let module: String = rest
                            .chars()
                            .take_while(|c| c.is_ascii_lowercase() || *c == '_')
                            .collect();
                        !module.is_empty()
                            && rest[module.len()..].starts_with("::")
                            && rest[module.len() + 2..]
                                .starts_with(|c: char| c.is_ascii_lowercase())
                    });
                let down_the_money = matches!(
                    (DOMAINS[place], *later),
                    ("deals", "attribution" | "incentives")
                        | ("attribution", "incentives")
                        | ("incentives", "ledger")
                );
                if calls && !down_the_money {
                    wrong.push(format!("{name}:{}: {later}", number + 1));
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}
