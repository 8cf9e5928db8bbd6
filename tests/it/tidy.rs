//! Holds the source text to the plan of the house: who may use whom.

use std::{collections::BTreeMap, fs, path::Path};

use crate::{cases, support::TestApp};

cases!(
    pure_rules_stay_pure,
    the_platform_knows_no_domain,
    stores_decide_nothing,
    a_store_is_its_own_domain_s,
    use_cases_know_no_graphql,
    the_api_writes_no_sql,
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

/// The business domain that a source file belongs to.
fn domain_of(name: &str) -> Option<&'static str> {
    let first = name.split('/').next().unwrap();
    DOMAINS.into_iter().find(|domain| *domain == first)
}

/// What a path goes on with: `of("a::b, a::{c, d::{e}, f}", "a")` is `b`, `c`, `d` and `f`.
fn of(code: &str, module: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(&format!("{module}::")) {
        let whole = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let rest = &code[at + module.len() + 2..];
        let mut names = String::new();
        let mut depth = 0;
        for c in rest.chars() {
            match c {
                '{' => depth += 1,
                '}' if depth > 0 => depth -= 1,
                // Inside deeper braces stands what is below a name that was taken already.
                _ if depth > 1 => {}
                c if c.is_alphanumeric() || c == '_' || (depth == 1 && c != '}') => names.push(c),
                _ => break,
            }
            if depth == 0 && c == '}' {
                break;
            }
        }
        let first = |path: &str| {
            let path = path.trim();
            let word = path
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .next();
            word.unwrap_or_default().to_owned()
        };
        if whole {
            found.extend(names.split(',').map(first));
        }
    }
    found
}

async fn a_store_is_its_own_domain_s(_: TestApp) {
    assert_eq!(
        of("x::a::b; a::{c, d::{e, g}, f as h}; ba::i", "a"),
        ["b", "c", "d", "f"]
    );
    let (mut own, mut wrong) = (0, Vec::new());
    for (name, text) in &sources() {
        let Some(domain) = domain_of(name) else {
            continue;
        };
        let code: Vec<_> = text
            .lines()
            .map(|line| line.split("//").next().unwrap())
            .collect();
        let code = code.join("\n");
        own += usize::from(of(&code, "super").iter().any(|name| name == "store"));
        for other in DOMAINS.into_iter().filter(|other| *other != domain) {
            if of(&code, other).iter().any(|name| name == "store") {
                wrong.push(format!("{name}: the store of {other}"));
            }
        }
    }
    assert!(own > 20, "only {own} files use the store of their own");
    assert_eq!(wrong, Vec::<String>::new());
}

async fn use_cases_know_no_graphql(_: TestApp) {
    let files = sources();
    let cases = files
        .iter()
        .filter(|(name, _)| domain_of(name).is_some() && !name.contains("graphql"));
    // A word of the API may be derived on a rule's own type, and a patch has three states; nothing else is known.
    let plain: BTreeMap<String, String> = cases
        .map(|(name, text)| {
            let text = text
                .replace("async_graphql::Enum", "")
                .replace("async_graphql::MaybeUndefined", "");
            (name.clone(), text)
        })
        .collect();
    assert_eq!(
        offences(plain.iter(), &["async_graphql"]),
        Vec::<String>::new()
    );
}

async fn the_api_writes_no_sql(_: TestApp) {
    let files = sources();
    let api = || {
        let of_a_domain = |name: &str| domain_of(name).is_some() && name.contains("graphql");
        files.iter().filter(move |(name, _)| of_a_domain(name))
    };
    assert!(api().count() > 30);
    // It says which rows it wants by filters and pages; what has to be written as SQL stands in a store.
    let sql = [
        "Statement::from",
        "Expr::cust",
        "SELECT ",
        "sea_query",
        "JoinType",
        "query_all",
        "query_one",
    ];
    // It changes nothing: a mutation calls a use case.
    let changes = [
        "ActiveModel",
        "insert_many",
        "update_many",
        "delete_many",
        "delete_by_id",
        ".exec(",
        "execute_unprepared",
    ];
    assert_eq!(
        offences(api(), &[sql, changes].concat()),
        Vec::<String>::new()
    );
    // Only loaders read rows themselves, for many objects at once.
    let others = api().filter(|(name, _)| !name.ends_with("loaders.rs"));
    let reads = [".all(&", ".all(db", ".all(ctx", ".one(", ".into_tuple"];
    assert_eq!(offences(others, &reads), Vec::<String>::new());
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
