//! Holds the source text to its architecture: who may use whom.

mod source;

use std::collections::{BTreeMap, BTreeSet};

use self::source::Source;
use crate::{cases, support::TestApp};

cases!(
    paths_are_read_in_every_form,
    pure_rules_stay_pure,
    every_use_between_domains_is_listed,
    domains_form_no_circle_beyond_those_listed,
    the_api_takes_only_object_types_from_domains_above,
    modules_of_a_domain_form_no_circle,
    stores_decide_nothing,
    a_store_is_its_own_domain_s,
    use_cases_know_no_graphql,
    the_api_writes_no_sql
);

/// The business domains, each above those that it uses.
const DOMAINS: [&str; 13] = [
    "notifications",
    "identity",
    "rules",
    "rates",
    "ledger",
    "partners",
    "programs",
    "catalog",
    "customers",
    "deals",
    "attribution",
    "incentives",
    "payouts",
];

/// What the rules, use cases, stores and jobs of each domain use of others, and what the infrastructure uses of them.
/// What composes the domains (the command line, the worker, imports, seeds) may use all of them.
const USES: &[(&str, &[&str])] = &[
    ("identity", &["notifications"]),
    ("partners", &["notifications"]),
    ("programs", &["rules"]),
    (
        "deals",
        &[
            "catalog",
            "customers",
            "notifications",
            "partners",
            "programs",
            "rates",
            "rules",
        ],
    ),
    (
        "attribution",
        &["deals", "notifications", "partners", "programs", "rules"],
    ),
    (
        "incentives",
        &[
            "attribution",
            "deals",
            "ledger",
            "notifications",
            "partners",
            "programs",
            "rules",
        ],
    ),
    (
        "payouts",
        &[
            "incentives",
            "ledger",
            "notifications",
            "partners",
            "programs",
            "rules",
        ],
    ),
    // Two documents are columns whose fields their domains know.
    ("entity", &["incentives", "rules"]),
];

/// What the API of each domain uses of others.
const API_USES: &[(&str, &[&str])] = &[
    ("identity", &["partners"]),
    ("ledger", &["partners"]),
    (
        "partners",
        &["identity", "incentives", "ledger", "programs"],
    ),
    ("programs", &["partners"]),
    (
        "deals",
        &[
            "attribution",
            "catalog",
            "customers",
            "incentives",
            "partners",
            "programs",
        ],
    ),
    ("attribution", &["deals", "partners", "programs"]),
    (
        "incentives",
        &["attribution", "deals", "ledger", "partners", "programs"],
    ),
    (
        "payouts",
        &["identity", "incentives", "partners", "programs"],
    ),
];

/// Uses against the order of the domains: each of them closes a circle.
const UPWARD: &[(&str, &str)] = &[];

/// Modules that still use each other in circles: the steps of a payout run, and its provider with the file that it writes.
const CIRCLING: [&str; 8] = [
    "payouts/advance.rs",
    "payouts/approve.rs",
    "payouts/cancel.rs",
    "payouts/execute.rs",
    "payouts/export.rs",
    "payouts/export/claim.rs",
    "payouts/jobs.rs",
    "payouts/provider.rs",
];

/// Parts above all domains: they compose.
const ABOVE: [&str; 14] = [
    "main", "server", "worker", "jobs", "seeds", "import", "backup", "verify", "tx", "app",
    "schema", "mails", "outcomes", "settings",
];

type Files = BTreeMap<String, Source>;

/// The business domain that a source file belongs to.
fn domain_of(name: &str) -> Option<&'static str> {
    let first = name.split('/').next().unwrap();
    DOMAINS.into_iter().find(|domain| *domain == first)
}

fn is_api(name: &str) -> bool {
    domain_of(name).is_some() && name.contains("graphql")
}

/// Which part of the program a file belongs to: its folder, or its name where it is in none.
fn part_of(name: &str) -> &str {
    name.split('/').next().unwrap().trim_end_matches(".rs")
}

/// Which domains each part uses beside itself.
fn uses<'a>(
    files: impl IntoIterator<Item = (&'a String, &'a Source)>,
) -> BTreeMap<&'a str, BTreeSet<&'a str>> {
    let mut found: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (name, source) in files {
        let part = part_of(name);
        if ABOVE.contains(&part) {
            continue;
        }
        for path in &source.paths {
            let Some(first) = path.first() else { continue };
            if DOMAINS.contains(&first.as_str()) && first != part {
                found.entry(part).or_default().insert(first.as_str());
            }
        }
    }
    found
}

fn listed(list: &'static [(&str, &[&str])]) -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    list.iter()
        .map(|(part, used)| (*part, used.iter().copied().collect()))
        .collect()
}

/// Lines of code that contain one of these words, with file and line number.
fn offences<'a>(
    files: impl IntoIterator<Item = (&'a String, &'a Source)>,
    words: &[&str],
) -> Vec<String> {
    let mut found = Vec::new();
    for (name, source) in files {
        for (number, line) in source.text.lines().enumerate() {
            let code = line.split("//").next().unwrap();
            if let Some(word) = words.iter().find(|word| code.contains(**word)) {
                found.push(format!("{name}:{}: {word}", number + 1));
            }
        }
    }
    found
}

/// Paths that `refused` matches, with the file that names them.
fn paths_that<'a>(
    files: impl IntoIterator<Item = (&'a String, &'a Source)>,
    refused: impl Fn(&str, &[String]) -> bool,
) -> Vec<String> {
    let mut found = Vec::new();
    for (name, source) in files {
        let of_file = source.paths.iter().filter(|path| refused(name, path));
        found.extend(of_file.map(|path| format!("{name}: {}", path.join("::"))));
    }
    found
}

async fn paths_are_read_in_every_form(_: TestApp) {
    let named = |text: &str| -> Vec<String> {
        let source = Source::read("deals/review/steps.rs", text);
        source.paths.iter().map(|path| path.join("::")).collect()
    };
    for (text, expected) in [
        (
            "use crate::{a::{self, b as c}, payouts::{run::{x, y}}};",
            vec!["a", "a::b", "payouts::run::x", "payouts::run::y"],
        ),
        (
            "use crate::payouts as money; fn f() { money::run::pay(); }",
            vec!["payouts", "payouts::run::pay"],
        ),
        (
            "fn f() -> crate::payouts::Run { todo() }",
            vec!["payouts::Run"],
        ),
        ("use super::super::super::payouts::*;", vec!["payouts::*"]),
        (
            "use super::store; fn f() { store::all(); }",
            vec!["deals::review::store", "deals::review::store::all"],
        ),
        (
            "fn f() { assert!(crate::payouts::due(1), \"no\"); }",
            vec!["payouts::due"],
        ),
        ("#[cfg(test)] mod tests { use crate::payouts; }", vec![]),
    ] {
        assert_eq!(named(text), expected, "{text}");
    }

    // A forbidden use inside nested braces is found as one written alone.
    let nested = Source::read(
        "customers/claim.rs",
        "use crate::{error::Result, payouts::{self, run}};",
    );
    let files = Files::from([("customers/claim.rs".to_owned(), nested)]);
    assert_eq!(
        uses(&files),
        BTreeMap::from([("customers", BTreeSet::from(["payouts"]))])
    );
}

/// Whether a path names a table and not only the words of a column or an id.
fn reads_tables(path: &[&str]) -> bool {
    let rows = [
        "Model",
        "ActiveModel",
        "Entity",
        "Column",
        "PrimaryKey",
        "Relation",
    ];
    match path {
        ["entity", _, word, ..] => !word.starts_with(char::is_uppercase) || rows.contains(word),
        ["entity", ..] => true,
        _ => false,
    }
}

async fn pure_rules_stay_pure(_: TestApp) {
    let files = source::all();
    let pure: Vec<_> = files.iter().filter(|(_, source)| source.pure).collect();
    assert!(
        pure.len() > 30,
        "only {} files say that they are pure",
        pure.len()
    );
    let asynchronous: Vec<_> = pure
        .iter()
        .filter(|(_, source)| source.asynchronous)
        .map(|(name, _)| *name)
        .collect();
    assert_eq!(asynchronous, Vec::<&String>::new());
    let impure = paths_that(pure, |_, path| {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        reads_tables(&path)
            || matches!(
                path.as_slice(),
                ["tx" | "app" | "worker" | "server" | "graphql", ..]
                    | ["tracing" | "tokio" | "sqlx", ..]
                    | ["chrono", "Utc" | "Local", "now"]
                    | [
                        "platform",
                        "clock" | "db" | "sql" | "jobs" | "audit" | "bulk" | "config" | "reader",
                        ..
                    ]
                    | ["std", "env" | "fs" | "process", ..]
                    | ["std", "net", "TcpListener" | "TcpStream" | "UdpSocket", ..]
                    | ["std", "time", "Instant" | "SystemTime", ..]
            )
            || matches!(path.as_slice(), ["sea_orm", name, ..] if !["DeriveActiveEnum", "EnumIter", "Iterable", "FromJsonQueryResult", "ActiveEnum"].contains(name))
    });
    assert_eq!(impure, Vec::<String>::new());
}

async fn every_use_between_domains_is_listed(_: TestApp) {
    let files = source::all();
    let (api, others): (Vec<_>, Vec<_>) = files.iter().partition(|(name, _)| is_api(name));
    assert!(api.len() > 30);
    assert_eq!(uses(others), listed(USES));
    assert_eq!(uses(api), listed(API_USES));
}

async fn domains_form_no_circle_beyond_those_listed(_: TestApp) {
    let place = |domain: &str| DOMAINS.iter().position(|known| *known == domain);
    let upward: BTreeSet<(&str, &str)> = listed(USES)
        .into_iter()
        .flat_map(|(part, used)| used.into_iter().map(move |used| (part, used)))
        .filter(|(part, used)| {
            place(part).is_some_and(|place_of_part| Some(place_of_part) < place(used))
        })
        .collect();
    assert_eq!(upward, UPWARD.iter().copied().collect());
}

async fn the_api_takes_only_object_types_from_domains_above(_: TestApp) {
    let place = |domain: &str| DOMAINS.iter().position(|known| *known == domain);
    let files = source::all();
    let api: Vec<_> = files.iter().filter(|(name, _)| is_api(name)).collect();
    let above = |name: &str, path: &[String]| {
        let part = part_of(name);
        !UPWARD.contains(&(part, path[0].as_str()))
            && place(&path[0]).is_some_and(|used| place(part).is_some_and(|own| own < used))
    };
    assert!(!paths_that(api.iter().copied(), above).is_empty());
    let more = paths_that(api, |name, path| {
        above(name, path) && path.len() > 1 && !path.contains(&"graphql".to_owned())
    });
    assert_eq!(more, Vec::<String>::new());
}

/// The modules of one domain, its API apart, each with the others that it uses.
fn modules<'a>(files: &'a Files, domain: &str) -> BTreeMap<&'a str, BTreeSet<&'a str>> {
    let own: BTreeMap<Vec<&str>, &str> = files
        .keys()
        .filter(|name| domain_of(name) == Some(domain) && !is_api(name))
        .map(|name| {
            let module = name.trim_end_matches(".rs").trim_end_matches("/mod");
            (module.split('/').collect(), name.as_str())
        })
        .collect();
    own.values()
        .map(|name| {
            let paths = files[*name].paths.iter();
            let used = paths.filter_map(|path| {
                let path: Vec<&str> = path.iter().map(String::as_str).collect();
                // The longest module that the path leads into; one of another domain is none.
                (2..=path.len())
                    .rev()
                    .find_map(|length| own.get(&path[..length]).copied())
            });
            (*name, used.filter(|used| used != name).collect())
        })
        .collect()
}

/// What a module reaches through others, itself included when it is in a circle.
fn reached<'a>(uses: &BTreeMap<&'a str, BTreeSet<&'a str>>, from: &str) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&str> = uses[from].iter().copied().collect();
    while let Some(next) = open.pop() {
        if found.insert(next) {
            open.extend(&uses[next]);
        }
    }
    found
}

async fn modules_of_a_domain_form_no_circle(_: TestApp) {
    let read = |name: &str, text: &str| (name.to_owned(), Source::read(name, text));
    let circle = Files::from([
        read("deals/open.rs", "use super::{close, store};"),
        read("deals/close.rs", "use crate::deals::{open::Opened, store};"),
        read("deals/store.rs", "use crate::entity::deal;"),
    ]);
    let uses = modules(&circle, "deals");
    assert!(reached(&uses, "deals/open.rs").contains("deals/open.rs"));
    assert!(!reached(&uses, "deals/store.rs").contains("deals/store.rs"));

    let files = source::all();
    let mut counted = 0;
    let mut circles: Vec<&str> = Vec::new();
    for domain in DOMAINS {
        let uses = modules(files, domain);
        counted += uses.values().map(BTreeSet::len).sum::<usize>();
        circles.extend(
            uses.keys()
                .filter(|name| reached(&uses, name).contains(*name)),
        );
    }
    assert!(counted > 200, "only {counted} uses were found");
    circles.retain(|name| !CIRCLING.contains(name));
    assert_eq!(circles, Vec::<&str>::new());
}

async fn stores_decide_nothing(_: TestApp) {
    let files = source::all();
    let stores = files.iter().filter(|(name, _)| name.ends_with("store.rs"));
    assert_eq!(
        offences(stores, &["async_graphql", ".record(", "Refusal::"]),
        Vec::<String>::new()
    );
    let others = files
        .iter()
        .filter(|(name, _)| domain_of(name).is_some() && !is_api(name));
    assert_eq!(
        offences(others, &["async_graphql::Context", ".begin(", ".commit("]),
        Vec::<String>::new()
    );
}

async fn a_store_is_its_own_domain_s(_: TestApp) {
    let files = source::all();
    let is_store = |path: &[String]| {
        path.get(1)
            .is_some_and(|module| module == "store" || module.ends_with("_store"))
    };
    let own = files.iter().filter(|(name, source)| {
        source
            .paths
            .iter()
            .any(|path| path[0] == part_of(name) && is_store(path))
    });
    assert!(own.count() > 20);
    let foreign = paths_that(files, |name, path| {
        domain_of(name).is_some_and(|domain| path[0] != domain)
            && DOMAINS.contains(&path[0].as_str())
            && is_store(path)
    });
    assert_eq!(foreign, Vec::<String>::new());
}

async fn use_cases_know_no_graphql(_: TestApp) {
    let files = source::all();
    let cases = files
        .iter()
        .filter(|(name, _)| domain_of(name).is_some() && !is_api(name));
    // A word of the API may be derived on a rule's own type, and a patch has three states; nothing else is known.
    let known = paths_that(cases, |_, path| {
        path[0] == "async_graphql"
            && !path
                .get(1)
                .is_some_and(|name| name == "Enum" || name == "MaybeUndefined")
    });
    assert_eq!(known, Vec::<String>::new());
}

async fn the_api_writes_no_sql(_: TestApp) {
    let files = source::all();
    let api = || files.iter().filter(|(name, _)| is_api(name));
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
