//! One row at a time: what is refused and why, what changes, what stays.

use ensemble::{
    entity::{
        audit_event, customer,
        deal::{self, DealBusiness, SalesStatus},
        deal_participant::{self, ParticipantStatus},
        deal_stage_change, partner, partner_attribute, touchpoint,
    },
    error::{Code, Error},
};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder};

use super::{Files, contents, counts, refusals};
use crate::{cases, support::TestApp};

cases!(
    a_thousand_partners_with_twenty_bad_rows,
    a_dry_run_of_everything_writes_nothing_and_tells_the_same,
    json_lines_come_in_with_lists_numbers_and_other_conventions,
    parents_may_follow_their_children,
    a_known_parent_moves_with_all_that_hangs_under_it,
    every_unit_of_work_leaves_its_own_event,
    open_deals_follow_the_file_and_won_ones_keep_their_money,
    every_fault_of_a_deal_is_told,
    a_file_may_tell_renewals_from_new_business,
    customers_are_recognised_before_they_are_doubled,
    touchpoints_are_recorded_once,
    a_mapping_is_refused_with_every_fault,
    missing_columns_stop_the_import_before_it_begins,
);

const PARTNERS: &str = r#"
program = "Partner programme"

[[files]]
file = "partners.csv"
format = "csv"
entity = "partner"
columns = { external_id = "id", legal_name = "name", country = "country", types = "types" }
"#;

fn partners(change: impl Fn(usize) -> Option<String>) -> String {
    let rows =
        (1..=1_000).map(|n| change(n).unwrap_or_else(|| format!("p{n},Partner {n} Ltd,DE,SI")));
    format!(
        "id,name,country,types\r\n{}\r\n",
        rows.collect::<Vec<_>>().join("\r\n")
    )
}

async fn a_thousand_partners_with_twenty_bad_rows(t: TestApp) {
    let bad = |n: usize| {
        let row = match n % 200 {
            1 => format!("p{n},,DE,SI"),
            2 => format!("p{n},Partner {n},Germany,SI"),
            3 => format!("p{n},Partner {n},DE,WIZARD"),
            4 => format!("p{n},Partner {n},DE"),
            _ => return None,
        };
        Some(row)
    };
    let files = Files::new(PARTNERS, &[("partners.csv", &partners(bad))]);
    let empty = contents(&t).await;
    let dry = files
        .try_import(&t, true, Some("refused.csv"))
        .await
        .unwrap();
    assert_eq!(counts(&dry), [[980, 0, 0, 20]]);
    assert_eq!(contents(&t).await, empty);
    let told = refusals(&dry);
    assert_eq!(told.len(), 20);
    let mut first: Vec<_> = told
        .iter()
        .filter(|text| text.split(' ').next().unwrap().len() == 1)
        .cloned()
        .collect();
    first.sort_unstable();
    assert_eq!(
        first,
        [
            "2 legal_name: must not be empty",
            "3 country: \"Germany\" is not a two-letter country code by ISO 3166-1, such as DE",
            "4 types: \"WIZARD\" is not one of ISV, SI, MSP, RESELLER, CONSULTANCY, DISTRIBUTOR, AGENT, VALUE_ADDED_SERVICE, TECHNOLOGY, TEST_CERTIFICATION",
            "5 : has 3 columns where the header has 4",
        ]
    );
    let lines = std::fs::read_to_string(files.path("refused.csv")).unwrap();
    assert_eq!(lines.lines().count(), 21);
    assert!(
        lines.contains("partners.csv,802,p801,legal_name,must not be empty"),
        "{lines}"
    );

    assert_eq!(counts(&files.import(&t).await), [[980, 0, 0, 20]]);
    assert_eq!(
        partner::Entity::find()
            .count(t.app.db().reader())
            .await
            .unwrap(),
        980
    );
    assert_eq!(counts(&files.import(&t).await), [[0, 0, 980, 20]]);

    // Three changed rows, one of them a formula, which is a name like any other.
    let changed = |n: usize| match n {
        10 => Some(format!("p{n},=cmd(),DE,SI")),
        11 => Some(format!("p{n},Partner {n} Ltd,FR,SI")),
        12 => Some(format!("p{n},Partner {n} Ltd,DE,SI;MSP")),
        _ => bad(n),
    };
    files.write("partners.csv", partners(changed));
    assert_eq!(counts(&files.import(&t).await), [[0, 3, 977, 20]]);
    let named = |id: &'static str| {
        partner::Entity::find()
            .filter(partner::Column::ExternalId.eq(id))
            .one(t.app.db().reader())
    };
    let formula = named("p10").await.unwrap().unwrap();
    assert_eq!(
        (
            formula.legal_name.as_str(),
            formula.display_name.as_str(),
            formula.version
        ),
        ("=cmd()", "=cmd()", 2)
    );
    assert_eq!(
        named("p11").await.unwrap().unwrap().country.as_deref(),
        Some("FR")
    );
    let typed = named("p12").await.unwrap().unwrap().id;
    let types = partner_attribute::Entity::find()
        .filter(partner_attribute::Column::PartnerId.eq(typed))
        .order_by_asc(partner_attribute::Column::Value)
        .all(t.app.db().reader())
        .await
        .unwrap();
    assert_eq!(
        types
            .iter()
            .map(|row| row.value.as_str())
            .collect::<Vec<_>>(),
        ["MSP", "SI"]
    );
    let before = contents(&t).await;
    assert_eq!(counts(&files.import(&t).await), [[0, 0, 980, 20]]);
    assert!(contents(&t).await == before);
}

const EVERYTHING: &str = r#"
program = "Partner programme"

[conventions]
currency = "EUR"
time_zone = "Europe/Berlin"
date_formats = ["%d.%m.%Y"]
decimal = ","
thousands = "."

[[files]]
file = "partners.csv"
format = "csv"
entity = "partner"
delimiter = ";"
columns = { external_id = "id", legal_name = "name" }

[[files]]
file = "customers.csv"
format = "csv"
entity = "customer"
delimiter = ";"
columns = { external_id = "id", name = "name", domain = "web", country = "land" }

[[files]]
file = "products.csv"
format = "csv"
entity = "product"
delimiter = ";"
columns = { external_id = "id", name = "name", family = "family", list_price = "price" }

[[files]]
file = "deals.csv"
format = "csv"
entity = "deal"
delimiter = ";"
columns = { external_id = "id", partner = "partner", customer = "customer", product = "product", stage = "stage", value = "value", opened_on = "opened", closed_on = "closed" }

[[files]]
file = "touchpoints.csv"
format = "csv"
entity = "touchpoint"
delimiter = ";"
columns = { external_id = "id", deal = "deal", partner = "partner", kind = "kind", occurred_on = "day" }
constants = { phase = "CONSIDERATION" }
"#;

const DEALS: &str = "id;partner;customer;product;stage;value;opened;closed\n\
    d1;north;acme;core;WON;12.345,60;01.02.2026;20.02.2026\n\
    d2;north;acme;core;PROPOSAL;;01.02.2026;\n\
    d3;south;;core;PROSPECT;500;02.02.2026;\n\
    d4;south;acme;;LOST;;01.02.2026;03.02.2026\n";

/// A file of each kind, the last row of which is refused.
pub fn everything() -> Files {
    Files::new(
        EVERYTHING,
        &[
            (
                "partners.csv",
                "id;name\nnorth;Nordlicht GmbH\nsouth;Südwind AG\n",
            ),
            (
                "customers.csv",
                "id;name;web;land\nacme;ACME GmbH;www.acme.example.com;DE\n",
            ),
            (
                "products.csv",
                "id;name;family;price\ncore;Core;SUITE;1.000,50\n",
            ),
            ("deals.csv", DEALS),
            (
                "touchpoints.csv",
                "id;deal;partner;kind;day\nt1;d1;north;DEMO;05.02.2026\nt2;d9;north;DEMO;05.02.2026\n",
            ),
        ],
    )
}

pub async fn stored_deal(t: &TestApp, external_id: &str) -> deal::Model {
    let found = deal::Entity::find().filter(deal::Column::ExternalId.eq(external_id));
    found.one(t.app.db().reader()).await.unwrap().unwrap()
}

async fn a_dry_run_of_everything_writes_nothing_and_tells_the_same(t: TestApp) {
    let files = everything();
    let empty = contents(&t).await;
    let dry = files.try_import(&t, true, None).await.unwrap();
    assert_eq!(contents(&t).await, empty);
    assert_eq!(
        counts(&dry),
        [
            [2, 0, 0, 0],
            [1, 0, 0, 0],
            [1, 0, 0, 0],
            [4, 0, 0, 0],
            [1, 0, 0, 1]
        ]
    );
    assert_eq!(
        refusals(&dry),
        ["3 deal: there is no deal with the external id \"d9\""]
    );
    let real = files.import(&t).await;
    assert_eq!(
        (counts(&real), refusals(&real)),
        (counts(&dry), refusals(&dry))
    );
    let again = files.import(&t).await;
    assert_eq!(
        counts(&again),
        [
            [0, 0, 2, 0],
            [0, 0, 1, 0],
            [0, 0, 1, 0],
            [0, 0, 4, 0],
            [0, 0, 1, 1]
        ]
    );

    let won = stored_deal(&t, "d1").await;
    assert_eq!(
        (won.value_minor, won.currency.code(), won.status),
        (1_234_560, "EUR", SalesStatus::Won)
    );
    assert_eq!(won.opened_at.to_string(), "2026-01-31 23:00:00 UTC");
    // Without a value of their own, deals that are not won are estimated at the list price.
    assert_eq!(stored_deal(&t, "d2").await.value_minor, 100_050);
    assert_eq!(stored_deal(&t, "d3").await.value_minor, 50_000);
    assert_eq!(stored_deal(&t, "d4").await.value_minor, 0);
}

async fn json_lines_come_in_with_lists_numbers_and_other_conventions(t: TestApp) {
    let mapping = r#"
program = "Partner programme"
[[files]]
file = "partners.jsonl"
format = "jsonl"
entity = "partner"
columns = { external_id = "id", legal_name = "name", types = "types" }
[[files]]
file = "products.jsonl"
format = "jsonl"
entity = "product"
columns = { external_id = "id", name = "name", family = "family", list_price = "price", currency = "currency" }
"#;
    let long = format!("{{\"id\": \"x\", \"name\": \"{}\"}}", "x".repeat(1 << 20));
    let partners = format!(
        "\u{feff}{{\"id\": 7, \"name\": \"Seven\", \"types\": [\"SI\", \"MSP\"]}}\n\n{long}\nnot json\n{{\"id\": \"8\", \"name\": {{}}}}\n{{\"id\": \"9\", \"name\": \"Nine\", \"types\": null}}"
    );
    let products = "{\"id\": \"a\", \"name\": \"A\", \"family\": \"F\", \"price\": 1234567.89, \"currency\": \"USD\"}\n\
        {\"id\": \"b\", \"name\": \"B\", \"family\": \"F\", \"price\": 5000, \"currency\": \"JPY\"}\n\
        {\"id\": \"c\", \"name\": \"C\", \"family\": \"F\", \"price\": 1.5, \"currency\": \"JPY\"}\n";
    let files = Files::new(
        mapping,
        &[("partners.jsonl", &partners), ("products.jsonl", products)],
    );
    let report = files
        .try_import(&t, false, Some("refused.jsonl"))
        .await
        .unwrap();
    assert_eq!(counts(&report), [[2, 0, 0, 3], [2, 0, 0, 1]]);
    let lines: Vec<_> = report.refusals.iter().map(|refused| refused.row).collect();
    assert_eq!(lines, [3, 4, 5, 3]);
    assert_eq!(refusals(&report)[2], "5 : name is an object, not a value");
    assert_eq!(
        refusals(&report)[3],
        "3 list_price: has more decimals than JPY allows"
    );
    let written = std::fs::read_to_string(files.path("refused.jsonl")).unwrap();
    assert!(
        written
            .lines()
            .all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok())
    );
    let prices = ensemble::entity::product::Entity::find()
        .all(t.app.db().reader())
        .await
        .unwrap();
    let mut prices: Vec<_> = prices
        .iter()
        .map(|row| row.list_price_minor.unwrap())
        .collect();
    prices.sort_unstable();
    assert_eq!(prices, [5_000, 123_456_789]);
}

async fn parents_may_follow_their_children(t: TestApp) {
    let mapping = r#"
program = "Partner programme"
[[files]]
file = "customers.csv"
format = "csv"
entity = "customer"
columns = { external_id = "id", name = "name", parent = "parent" }
"#;
    let text = "id,name,parent\nleaf,Leaf Works,branch\nbranch,Branch Works,root\nroot,Root Works,\nlost,Lost Works,nobody\nself,Self Works,self\none,One Works,two\ntwo,Two Works,one\nlater,Later Works,root\n";
    let files = Files::new(mapping, &[("customers.csv", text)]);
    let dry = files.try_import(&t, true, None).await.unwrap();
    let report = files.import(&t).await;
    assert_eq!(
        (counts(&dry), counts(&report)),
        (vec![[4, 0, 0, 4]], vec![[4, 0, 0, 4]])
    );
    let customers = customer::Entity::find()
        .all(t.app.db().reader())
        .await
        .unwrap();
    let named = |name: &str| {
        customers
            .iter()
            .find(|row| row.external_id.as_deref() == Some(name))
            .unwrap()
    };
    assert_eq!(named("leaf").parent_id, Some(named("branch").id));
    // A row may also wait for one that stands before it in the same unit of work.
    assert_eq!(named("later").parent_id, Some(named("root").id));
    assert_eq!(named("branch").parent_id, Some(named("root").id));
    assert_eq!(named("root").parent_id, None);
    let mut lines: Vec<_> = report
        .refusals
        .iter()
        .map(|refused| (refused.row, refused.field.as_str()))
        .collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [(5, "parent"), (6, "parent"), (7, "parent"), (8, "parent")]
    );
    assert_eq!(counts(&files.import(&t).await), [[0, 0, 4, 4]]);
}

async fn a_known_parent_moves_with_all_that_hangs_under_it(t: TestApp) {
    for (entity, name) in [("customer", "name"), ("partner", "legal_name")] {
        let mapping = format!(
            "program = \"Partner programme\"\n[[files]]\nfile = \"tree.csv\"\nformat = \"csv\"\nentity = \"{entity}\"\n\
             columns = {{ external_id = \"id\", {name} = \"name\", parent = \"parent\" }}\n"
        );
        // A trunk of five and a branch of four.
        let tree = "id,name,parent\nt1,Trunk One,\nt2,Trunk Two,t1\nt3,Trunk Three,t2\nt4,Trunk Four,t3\nt5,Trunk Five,t4\n\
             b1,Branch One,\nb2,Branch Two,b1\nb3,Branch Three,b2\nb4,Branch Four,b3\n";
        let files = Files::new(&mapping, &[("tree.csv", tree)]);
        assert_eq!(counts(&files.import(&t).await), [[9, 0, 0, 0]]);
        let moved = |under: &str| format!("id,name,parent\nb1,Branch One,{under}\n");
        files.write("tree.csv", moved("t5"));
        let before = contents(&t).await;
        for dry_run in [true, false] {
            let report = files.try_import(&t, dry_run, None).await.unwrap();
            assert_eq!(
                refusals(&report),
                ["2 parent: would create more than 8 levels"]
            );
        }
        files.write("tree.csv", moved("b4"));
        let circle = files.import(&t).await;
        assert_eq!(refusals(&circle), ["2 parent: would create a cycle"]);
        assert_eq!(contents(&t).await, before);
        // What goes away in the same unit of work does not count, what comes does.
        files.write(
            "tree.csv",
            "id,name,parent\nb4,Branch Four,\nb1,Branch One,t5\nt1,Trunk One,b4\n",
        );
        let report = files.import(&t).await;
        assert_eq!(counts(&report), [[0, 2, 0, 1]]);
        assert_eq!(
            refusals(&report),
            ["4 parent: would create more than 8 levels"]
        );
    }
}

async fn every_unit_of_work_leaves_its_own_event(t: TestApp) {
    let all = |n: usize| (n > 900).then(|| format!("p{n},,DE,SI"));
    let text = partners(all);
    let more = (1_001..=1_200).map(|n| format!("p{n},Partner {n} Ltd,DE,SI\r\n"));
    let files = Files::new(
        PARTNERS,
        &[(
            "partners.csv",
            &format!("{text}{}", more.collect::<String>()),
        )],
    );
    assert_eq!(counts(&files.import(&t).await), [[1_100, 0, 0, 100]]);
    let taken = || async {
        let events = audit_event::Entity::find()
            .filter(audit_event::Column::Action.eq("import.rows_taken"))
            .order_by_asc(audit_event::Column::Id);
        let rows = events.all(t.app.db().reader()).await.unwrap();
        let count = |row: &audit_event::Model| {
            ["created", "changed"].map(|field| row.details[field].as_u64().unwrap())
        };
        rows.iter().map(count).collect::<Vec<_>>()
    };
    assert_eq!(taken().await, [[900, 0], [200, 0]]);
    // What changes nothing leaves none.
    files.import(&t).await;
    assert_eq!(taken().await.len(), 2);
}

async fn open_deals_follow_the_file_and_won_ones_keep_their_money(t: TestApp) {
    let files = everything();
    files.import(&t).await;
    let deals = "id;partner;customer;product;stage;value;opened;closed\n\
        d1;north;acme;core;WON;12.345,61;01.02.2026;20.02.2026\n\
        d2;south;acme;core;WON;900;01.02.2026;25.02.2026\n\
        d3;south;acme;core;NEGOTIATION;;02.02.2026;\n\
        d4;south;acme;;PROSPECT;;01.02.2026;\n";
    files.write("deals.csv", deals);
    let report = files.import(&t).await;
    assert_eq!(counts(&report)[3], [0, 2, 0, 2]);
    assert_eq!(
        refusals(&report)[..2],
        [
            "2 value: the deal is won and may have been paid for, so this can no longer change",
            "5 stage: the deal is closed in the stage LOST and does not move",
        ]
    );
    assert_eq!(stored_deal(&t, "d1").await.value_minor, 1_234_560);
    let won = stored_deal(&t, "d2").await;
    assert_eq!(
        (won.value_minor, won.status, won.version),
        (90_000, SalesStatus::Won, 2)
    );
    let participants = deal_participant::Entity::find()
        .filter(deal_participant::Column::DealId.eq(won.id))
        .order_by_asc(deal_participant::Column::Version)
        .all(t.app.db().reader())
        .await
        .unwrap();
    let statuses: Vec<_> = participants.iter().map(|row| row.status).collect();
    assert_eq!(
        statuses,
        [ParticipantStatus::Accepted, ParticipantStatus::Removed]
    );
    assert_eq!(Some(participants[0].partner_id), won.partner_id);
    let moves =
        deal_stage_change::Entity::find().filter(deal_stage_change::Column::DealId.eq(won.id));
    assert_eq!(moves.count(t.app.db().reader()).await.unwrap(), 2);
    let open = stored_deal(&t, "d3").await;
    assert_eq!(
        (open.stage.as_str(), open.value_minor, open.customer_id),
        ("NEGOTIATION", 50_000, won.customer_id)
    );
    let before = contents(&t).await;
    assert_eq!(counts(&files.import(&t).await)[3], [0, 0, 2, 2]);
    assert!(contents(&t).await == before);
}

async fn every_fault_of_a_deal_is_told(t: TestApp) {
    let files = everything();
    let deals = "id;partner;customer;product;stage;value;opened;closed\n\
        d1;nobody;acme;core;PROSPECT;1;01.02.2026;\n\
        d2;north;acme;core;WON;;01.02.2026;20.02.2026\n\
        d3;north;acme;core;WON;1;01.02.2026;\n\
        d4;north;acme;core;DREAMING;1;01.02.2026;\n\
        d5;north;acme;core;WON;-1;2026/02/01;20.02.2026\n\
        d6;north;acme;core;WON;1;21.02.2026;20.02.2026\n\
        d7;north;acme;core;WON;1;01.02.2026;20.02.2027\n\
        d8;north;acme;core;PROSPECT;1;01.02.2026;20.02.2026\n\
        d9;north;acme;core;PROSPECT;1;01.02.2026;\n\
        d9;north;acme;core;PROSPECT;2;01.02.2026;\n";
    files.write("deals.csv", deals);
    let report = files.import(&t).await;
    assert_eq!(counts(&report)[3], [1, 0, 0, 9]);
    let mut told: Vec<_> = report
        .refusals
        .iter()
        .filter(|refused| refused.file == "deals.csv")
        .collect();
    told.sort_by_key(|refused| refused.row);
    let told: Vec<_> = told
        .iter()
        .map(|refused| format!("{} {}: {}", refused.row, refused.field, refused.reason))
        .collect();
    assert_eq!(
        told,
        [
            "2 partner: there is no partner with the external id \"nobody\"",
            "3 value: a won deal needs its value",
            "4 closed_on: is needed in the stage WON",
            "5 stage: the programme has no stage \"DREAMING\"",
            "6 opened_on: \"2026/02/01\" does not match `%d.%m.%Y`.",
            "6 value: must not be negative",
            "7 closed_on: is before the day on which the deal was opened",
            "8 closed_on: is in the future; map it to expected_close_on",
            "9 closed_on: the stage PROSPECT is an open one; map the date to expected_close_on",
            "11 external_id: Duplicate `external_id`, first used on line 10.",
        ]
    );
    assert_eq!(stored_deal(&t, "d9").await.value_minor, 100);
}

async fn customers_are_recognised_before_they_are_doubled(t: TestApp) {
    let files = everything();
    let text = "id;name;web;land\nacme;ACME GmbH;www.acme.example;DE\ntwin;Acme Deutschland;https://acme.example/;DE\n\
        bolt;Bolt AG;;DE\nbolt2;BOLT, AG;;DE\n";
    files.write("customers.csv", text);
    let dry = files.try_import(&t, true, None).await.unwrap();
    let report = files.import(&t).await;
    assert_eq!(
        (counts(&dry)[1], counts(&report)[1]),
        ([3, 0, 0, 1], [3, 0, 0, 1])
    );
    assert_eq!(
        refusals(&report)[0],
        "3 domain: belongs to the customer \"acme\", which is already recorded"
    );
    assert_eq!(counts(&files.import(&t).await)[1], [0, 0, 3, 1]);
}

async fn touchpoints_are_recorded_once(t: TestApp) {
    let files = everything();
    files.import(&t).await;
    files.write("touchpoints.csv", "id;deal;partner;kind;day\nt1;d1;north;WORKSHOP;05.02.2026\nt2;d2;south;;\nt3;d2;south;POC;06.02.2026\n");
    let report = files.import(&t).await;
    assert_eq!(counts(&report)[4], [1, 0, 0, 2]);
    let mut told = refusals(&report);
    told.sort_unstable();
    assert_eq!(
        told,
        [
            "2 external_id: this touchpoint is already recorded with other values; record a correction as a new touchpoint",
            "3 kind: must not be empty",
            "3 occurred_on: must not be empty",
        ]
    );
    assert_eq!(
        touchpoint::Entity::find()
            .count(t.app.db().reader())
            .await
            .unwrap(),
        2
    );
}

pub fn faults(error: Error) -> Vec<String> {
    assert_eq!(error.code(), Code::BadUserInput);
    let Error::Refused(refusals) = error else {
        panic!("{error}")
    };
    refusals
        .iter()
        .map(|refusal| format!("{}: {}", refusal.field.join("."), refusal.message))
        .collect()
}

async fn a_mapping_is_refused_with_every_fault(t: TestApp) {
    let mapping = r#"
[conventions]
currency = "USD"
[[files]]
file = "../secret.csv"
format = "csv"
entity = "product"
columns = { external_id = "id", colour = "c", name = "n" }
constants = { name = "x" }
conventions = { currency = "XXX", time_zone = "Mars", date_formats = ["%!"], decimal = ",", thousands = "," }
"#;
    let files = Files::new(mapping, &[]);
    assert_eq!(
        faults(files.try_import(&t, false, None).await.unwrap_err()),
        [
            "files.0.file: must be a path inside the folder of the import",
            "files.0.columns.colour: A product has no such field. It has external_id, name, sku, family, list_price, currency.",
            "files.0.constants.name: is already a column",
            "files.0.columns.family: is needed",
            "files.0.conventions.currency: is not an ISO 4217 currency with a minor unit",
            "files.0.conventions.time_zone: is not an IANA time zone",
            "files.0.conventions.date_formats: \"%!\" is not a date format",
            "files.0.conventions.thousands: must not be the decimal character",
        ]
    );
    files.write(
        "mapping.toml",
        "[[files]]\nfile = \"a.csv\"\nformat = \"csv\"\nentity = \"deal\"\ncolum = {}\n",
    );
    let unknown = faults(files.try_import(&t, false, None).await.unwrap_err());
    assert!(unknown[0].contains("unknown field `colum`"), "{unknown:?}");
}

async fn missing_columns_stop_the_import_before_it_begins(t: TestApp) {
    let files = everything();
    files.write("products.csv", "id;name;name;price\n");
    files.write("touchpoints.csv", "id;deal\n");
    let empty = contents(&t).await;
    let told = faults(files.try_import(&t, false, None).await.unwrap_err());
    assert_eq!(told.len(), 5, "{told:?}");
    assert_eq!(told[0], "products.csv: there are two columns \"name\"");
    assert_eq!(
        told[1],
        "products.csv: there is no column \"family\"; there are id, name, name, price"
    );
    assert_eq!(contents(&t).await, empty);
}

async fn a_file_may_tell_renewals_from_new_business(t: TestApp) {
    let mapping = r#"
program = "Partner programme"
[conventions]
currency = "EUR"
[[files]]
file = "deals.csv"
format = "csv"
entity = "deal"
columns = { external_id = "id", name = "id", stage = "stage", value = "value", closed_on = "closed", business = "type" }
values = { business = { Upsell = "NEW_BUSINESS", Renewal = "RENEWAL" } }
"#;
    let rows = "id,stage,value,closed,type\nd1,WON,100,2026-02-01,Renewal\nd2,PROPOSAL,100,,Upsell\nd3,PROPOSAL,100,,\nd4,PROPOSAL,100,,Other\n";
    let report = Files::new(mapping, &[("deals.csv", rows)]).import(&t).await;
    assert_eq!(counts(&report), [[3, 0, 0, 1]]);
    assert_eq!(
        refusals(&report),
        ["5 business: \"Other\" is not one of NEW_BUSINESS, RENEWAL"]
    );
    for (name, business) in [
        ("d1", DealBusiness::Renewal),
        ("d2", DealBusiness::NewBusiness),
        ("d3", DealBusiness::NewBusiness),
    ] {
        assert_eq!(stored_deal(&t, name).await.business, business);
    }
    // What a won deal is paid by does not change any more.
    let other =
        "id,stage,value,closed,type\nd1,WON,100,2026-02-01,Upsell\nd2,PROPOSAL,100,,Renewal\n";
    let again = Files::new(mapping, &[("deals.csv", other)])
        .import(&t)
        .await;
    assert_eq!(counts(&again), [[0, 1, 0, 1]]);
    assert_eq!(stored_deal(&t, "d1").await.business, DealBusiness::Renewal);
    assert_eq!(stored_deal(&t, "d2").await.business, DealBusiness::Renewal);
}
