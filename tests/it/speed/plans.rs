//! Every filter and order of every list is served by an index, on both databases and for both sides of the wall.

use std::collections::BTreeSet;

use async_graphql::parser::{
    parse_schema,
    types::{TypeKind, TypeSystemDefinition},
};
use chrono::TimeDelta;
use ensemble::{
    entity::{
        ids::{CustomerId, DealId, PartnerId, PayoutRunId, ProgramId, UserId},
        user::Role,
    },
    incentives::batch,
    platform::ids::TypedId,
};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};
use serde_json::{Value, json};

use super::crowd::{self, Kind};
use crate::{
    cases,
    support::{Person, TestApp, keysets::reads_on_by_or},
};

cases!(
    every_filter_and_order_of_a_list_is_served_by_an_index,
    no_filter_of_a_list_is_left_out,
    the_published_statements_of_partners_are_served_by_an_index,
    chunks_are_read_on_from_an_index,
    a_comparison_column_by_column_is_found,
);

/// Rows of each kind: enough for the planner to prefer an index.
const MANY: u32 = 400;

/// The lists with their orders and their filters, one condition each.
const LISTS: &[(&str, &[&str], &[&str])] = &[
    (
        "deals",
        &["field: CREATED_AT, direction: ASC"],
        &[
            "status: [LOST]",
            "stage: [\"PROPOSAL\"]",
            "stage: [\"PROPOSAL\", \"LOST\"]",
            "partnerId: \"$partner\"",
            "customerId: \"$customer\"",
            "programId: \"$program\"",
        ],
    ),
    (
        "dealRegistrations",
        &["field: SUBMITTED_AT, direction: ASC"],
        &[
            "status: [SUBMITTED]",
            "status: [SUBMITTED, REJECTED]",
            "partnerId: \"$partner\"",
            "customerId: \"$customer\"",
            "conflictOutcome: POSSIBLE_CONFLICT",
        ],
    ),
    (
        "customers",
        &[
            "field: NAME, direction: DESC",
            "field: CREATED_AT, direction: DESC",
        ],
        &[
            "domain: \"c000007.example\"",
            "country: \"FR\"",
            "industry: \"Foods\"",
            "parentId: \"$customer\"",
        ],
    ),
    (
        "partners",
        &[
            "field: NAME, direction: DESC",
            "field: CREATED_AT, direction: DESC",
        ],
        &[
            "status: ONBOARDING",
            "parentId: \"$partner\"",
            "registrationNumber: \"HRB 48210\"",
        ],
    ),
    (
        "users",
        &["field: EMAIL, direction: ASC"],
        &[
            "partnerId: \"$partner\"",
            "roleIn: [ADMINISTRATOR]",
            "statusIn: [DEACTIVATED, INVITED]",
        ],
    ),
    (
        "products",
        &["field: CREATED_AT, direction: ASC"],
        &["family: \"F000003\""],
    ),
    (
        "auditEvents",
        &[],
        &[
            "subjectId: \"$deal\"",
            "actorId: \"$user\"",
            "action: \"deal.won\"",
            "at: {gte: \"2026-03-01T08:59:00Z\"}",
        ],
    ),
    (
        "incentivePlans",
        &[],
        &[
            "programId: \"$program\"",
            "status: DRAFT",
            "name: \"Plan 3\"",
        ],
    ),
    (
        "ledgerAccounts",
        &[],
        &["partnerId: \"$partner\"", "kind: PAID", "currency: \"CHF\""],
    ),
    (
        "payoutRuns",
        &[],
        &["programId: \"$program\"", "status: REVIEW"],
    ),
    (
        "payouts",
        &[],
        &[
            "runId: \"$run\"",
            "partnerId: \"$partner\"",
            "status: FAILED",
        ],
    ),
    ("productFamilies", &[], &[]),
    ("programs", &[], &[]),
    ("exchangeRates", &[], &[]),
    ("jobs", &[], &["status: [PENDING]", "topic: \"report\""]),
];

/// Filters that read along the order of the list until a page is full: a period, because lists of deals and
/// registrations are in the order of their ids; exchange rates, of which there is one for each day and pair; a part of
/// a name, which no index of both databases finds; what a partner has several of, where one index finds and another
/// one sorts; and conditions that are put together.
const WALKS: &[(&str, &str)] = &[
    ("DealFilter", "closedAt"),
    ("DealRegistrationFilter", "submittedAt"),
    ("ExchangeRateFilter", "currency"),
    ("ExchangeRateFilter", "gte"),
    ("ExchangeRateFilter", "lt"),
    ("CustomerFilter", "name"),
    ("PartnerFilter", "name"),
    ("ProductFilter", "name"),
    ("PartnerFilter", "type"),
    ("PartnerFilter", "country"),
    ("PartnerFilter", "industry"),
    ("PartnerFilter", "competency"),
    ("PartnerFilter", "and"),
    ("PartnerFilter", "or"),
    ("PartnerFilter", "not"),
];

async fn every_filter_and_order_of_a_list_is_served_by_an_index(t: TestApp) {
    crowd::gather(&t, MANY).await;
    let planner = Planner::of(&t).await;
    let vendor = t.admin().await;
    // One partner has a tenth of the deals, the other one a handful.
    let busy = t
        .person(Role::PartnerAdministrator, Some(crowd::partner(0)))
        .await;
    let quiet = t
        .person(Role::PartnerAdministrator, Some(crowd::partner(7)))
        .await;
    let mut faults = Vec::new();
    for (list, orders, filters) in LISTS {
        let conditions = std::iter::once(&"").chain(*filters);
        for condition in conditions {
            for order in std::iter::once(&"").chain(*orders) {
                for person in [&vendor, &busy, &quiet] {
                    let asked = ask(&t, person, list, condition, order).await;
                    for statement in asked {
                        for fault in planner.faults(&statement, !condition.is_empty()).await {
                            faults.push(format!(
                                "{list} {condition} {order} as {}: {fault}\n{statement}",
                                person.email
                            ));
                        }
                    }
                }
            }
        }
    }
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n\n")
    );
}

async fn the_published_statements_of_partners_are_served_by_an_index(t: TestApp) {
    crowd::gather(&t, MANY).await;
    let planner = Planner::of(&t).await;
    let vendor = t.admin().await;
    let busy = t
        .person(Role::PartnerAdministrator, Some(crowd::partner(0)))
        .await;
    let list = "publishedStatements(first: 20) { totalCount nodes { id } }";
    let one = PartnerId(crowd::id(Kind::Partner, 0)).text();
    for document in [
        format!("{{ partner(id: \"{one}\") {{ {list} }} }}"),
        format!("{{ partners(first: 20) {{ nodes {{ {list} }} }} }}"),
    ] {
        for person in [&vendor, &busy] {
            t.statements();
            let answer = t.ask(person, &document, json!({})).await;
            assert!(answer.json.get("errors").is_none(), "{}", answer.json);
            let asked = t.statements();
            let asked = asked
                .iter()
                .filter(|statement| statement.sql.contains("partner_statement"));
            for statement in asked {
                assert_eq!(
                    planner.faults(statement, true).await,
                    Vec::<String>::new(),
                    "{statement}"
                );
            }
        }
    }
}

async fn chunks_are_read_on_from_an_index(t: TestApp) {
    crowd::gather(&t, MANY).await;
    let planner = Planner::of(&t).await;
    let program = ProgramId(crowd::id(Kind::Program, 6));
    let behind = (
        t.app.clock().now() - TimeDelta::days(1),
        DealId(crowd::id(Kind::Deal, 0)),
    );
    t.statements();
    t.write(move |tx| {
        Box::pin(async move { batch::catch_up(tx, program, Some(behind), 10).await })
    })
    .await
    .unwrap();
    let mut asked = t.statements();
    let owner = t
        .person(Role::PartnerAdministrator, Some(crowd::partner(7)))
        .await;
    t.statements();
    let influence =
        "{ influencedRevenue(periodStart: \"2026-01-01\", periodEnd: \"2026-12-31\") { deals } }";
    let answer = t.ask(&owner, influence, json!({})).await;
    assert!(answer.json.get("errors").is_none(), "{}", answer.json);
    let influence = t.statements();
    asked.extend(influence.iter().cloned());
    let of_deals = |statement: &&Statement| {
        statement
            .sql
            .contains("ORDER BY \"deal\".\"closed_at\" ASC")
    };
    let chunks: Vec<_> = asked.iter().filter(of_deals).collect();
    // The next deals of the programme, and the partner's deals of the period.
    assert_eq!(chunks.len(), 2, "{chunks:?}");
    for statement in &chunks {
        let faults = planner.faults(statement, true).await;
        let reads_all = |fault: &&String| fault.contains("SCAN") || fault.contains("Seq Scan");
        assert_eq!(faults.iter().find(reads_all), None, "{statement}");
    }
    // Deals in which the partner has no part are not read.
    assert!(chunks[1].sql.contains("touchpoint"), "{}", chunks[1].sql);
    let values = chunks[1].values.as_ref().unwrap();
    let own = crowd::partner(7).uuid().to_string();
    let bound = values
        .iter()
        .filter(|value| format!("{value:?}").contains(&own));
    assert_eq!(bound.count(), 2);
}

async fn a_comparison_column_by_column_is_found(_: TestApp) {
    for slow in [
        "SELECT 1 FROM d WHERE p = $1 AND (\"d\".\"at\" > $2 OR (\"d\".\"at\" = $3 AND \"d\".\"id\" > $4)) ORDER BY at",
        "SELECT 1 FROM d WHERE (at = ? AND id < ?) OR at < ?",
    ] {
        assert!(reads_on_by_or(slow), "{slow}");
    }
    for fine in [
        "SELECT 1 FROM d WHERE (\"d\".\"at\", \"d\".\"id\") > ($2, $3)",
        "SELECT 1 FROM job WHERE status = 'PENDING' AND (lease_until IS NULL OR lease_until <= $2)",
        "SELECT 1 FROM d WHERE partner_id = $1 OR id IN (SELECT deal_id FROM p WHERE partner_id = $2)",
    ] {
        assert!(!reads_on_by_or(fine), "{fine}");
    }
}

/// The statements of a list under one condition and one order; none for who may not ask.
async fn ask(
    t: &TestApp,
    person: &Person,
    list: &str,
    condition: &str,
    order: &str,
) -> Vec<Statement> {
    let mut arguments = "first: 20".to_owned();
    if !condition.is_empty() {
        arguments += &format!(", filter: {{{condition}}}");
    }
    if !order.is_empty() {
        arguments += &format!(", orderBy: [{{{order}}}]");
    }
    for (name, id) in [
        ("$partner", PartnerId(crowd::id(Kind::Partner, 0)).text()),
        ("$customer", CustomerId(crowd::id(Kind::Customer, 3)).text()),
        ("$program", ProgramId(crowd::id(Kind::Program, 3)).text()),
        ("$deal", DealId(crowd::id(Kind::Deal, 3)).text()),
        ("$user", UserId(crowd::id(Kind::User, 3)).text()),
        ("$run", PayoutRunId(crowd::id(Kind::PayoutRun, 3)).text()),
    ] {
        arguments = arguments.replace(name, &id);
    }
    t.statements();
    let document = format!("{{ {list}({arguments}) {{ nodes {{ __typename }} }} }}");
    let answer = t.ask(person, &document, json!({})).await;
    if answer.json.get("errors").is_some() {
        let code = answer.json.pointer("/errors/0/extensions/code");
        assert_eq!(
            code,
            Some(&json!("FORBIDDEN")),
            "{document}: {}",
            answer.json
        );
    }
    t.statements()
}

/// Asks the database how it would go about a statement.
struct Planner(DatabaseConnection);

impl Planner {
    async fn of(t: &TestApp) -> Self {
        let url = t.url();
        // An SQLite file is served as it is, without statistics.
        if url.starts_with("sqlite:") {
            return Self(Database::connect(url).await.unwrap());
        }
        // A table of a few pages is read whole unless that is made dear.
        let url = format!("{url}?options[enable_seqscan]=off");
        let db = Database::connect(url).await.unwrap();
        db.execute_unprepared("ANALYZE").await.unwrap();
        Self(db)
    }

    async fn faults(&self, statement: &Statement, filtered: bool) -> Vec<String> {
        match statement.db_backend {
            DbBackend::Sqlite => self.sqlite(statement, filtered).await,
            _ => self.postgres(statement, filtered).await,
        }
    }

    async fn explain(&self, prefix: &str, statement: &Statement) -> Vec<sea_orm::QueryResult> {
        let explained = Statement {
            sql: format!("{prefix} {}", statement.sql),
            ..statement.clone()
        };
        self.0.query_all_raw(explained).await.unwrap()
    }

    async fn sqlite(&self, statement: &Statement, filtered: bool) -> Vec<String> {
        let rows = self.explain("EXPLAIN QUERY PLAN", statement).await;
        let lines: Vec<(i32, String)> = rows
            .iter()
            .map(|row| {
                (
                    row.try_get("", "parent").unwrap(),
                    row.try_get("", "detail").unwrap(),
                )
            })
            .collect();
        let several = statement.sql.contains(" UNION ");
        // The deals that one partner takes part in are put in order, however few are shown.
        let distinct = statement.sql.contains(" DISTINCT ");
        let fault = |(parent, line): &&(i32, String)| {
            let derived = line.contains("branch") || line.contains("list");
            (line.starts_with("SCAN") && !derived && (filtered || !line.contains("INDEX")))
                // The pages of several branches together are put in order at the end.
                || (line.contains("TEMP B-TREE FOR ORDER BY") && !(several && (*parent == 0 || distinct)))
        };
        lines
            .iter()
            .filter(fault)
            .map(|(_, line)| line.clone())
            .collect()
    }

    async fn postgres(&self, statement: &Statement, filtered: bool) -> Vec<String> {
        let rows = self.explain("EXPLAIN (FORMAT JSON)", statement).await;
        let plan: Value = rows[0].try_get_by_index(0).unwrap();
        let mut faults = Vec::new();
        inspect(&plan[0]["Plan"], filtered, &mut faults);
        faults
    }
}

/// No table is read whole, none is sorted, and what is filtered is found by the index.
fn inspect(node: &Value, filtered: bool, faults: &mut Vec<String>) {
    let kind = node["Node Type"].as_str().unwrap_or_default();
    let rows = node["Plan Rows"].as_f64().unwrap_or_default();
    let fault = match kind {
        "Seq Scan" => true,
        // An incremental sort goes along an index, whose next value ends it.
        "Sort" => rows > f64::from(MANY) / 2.0,
        "Index Scan" | "Index Only Scan" => {
            filtered && node["Index Cond"].is_null() && !node["Filter"].is_null()
        }
        _ => false,
    };
    if fault {
        let mut shown = node.clone();
        shown.as_object_mut().unwrap().remove("Plans");
        faults.push(shown.to_string());
    }
    for child in node["Plans"].as_array().into_iter().flatten() {
        inspect(child, filtered, faults);
    }
}

async fn no_filter_of_a_list_is_left_out(t: TestApp) {
    let schema = parse_schema(t.api.sdl()).unwrap();
    let types = schema
        .definitions
        .iter()
        .filter_map(|definition| match definition {
            TypeSystemDefinition::Type(kind) => Some(&kind.node),
            _ => None,
        });
    let types: Vec<_> = types.collect();
    let kind = |name: &str| {
        &types
            .iter()
            .find(|kind| kind.name.node == name)
            .unwrap()
            .kind
    };
    let TypeKind::Object(query) = kind("Query") else {
        panic!("the query is no object");
    };
    let mut missing = BTreeSet::new();
    for field in query.fields.iter().map(|field| &field.node) {
        let Some(filter) = field
            .arguments
            .iter()
            .find(|argument| argument.node.name.node == "filter")
        else {
            continue;
        };
        if !field.ty.node.base.to_string().ends_with("Connection") {
            continue;
        }
        let list = LISTS.iter().find(|(list, ..)| field.name.node == *list);
        let tried = list.map_or(&[][..], |(_, _, filters)| filters);
        let name = filter.node.ty.node.base.to_string();
        let TypeKind::InputObject(filter) = kind(&name) else {
            panic!("{name} is no input");
        };
        for condition in filter
            .fields
            .iter()
            .map(|field| field.node.name.node.as_str())
        {
            let known = tried
                .iter()
                .any(|filter| filter.starts_with(&format!("{condition}:")));
            if !known && !WALKS.contains(&(name.as_str(), condition)) {
                missing.insert(format!("{name}.{condition}"));
            }
        }
    }
    assert_eq!(missing, BTreeSet::new());
}
