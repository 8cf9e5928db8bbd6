//! Numbers, dates and codes: read as they are meant, or refused with the row.

use ensemble::entity::{
    customer,
    deal::{self, SalesStatus},
    user::Role,
};
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::json;

use super::{Files, counts, refusals, rows::stored_deal, told};
use crate::{cases, support::TestApp};

cases!(
    separators_never_change_an_amount,
    zeros_behind_the_point_mean_nothing,
    a_json_number_is_a_number_whatever_the_conventions,
    dates_mean_the_instant_that_the_text_says,
    an_instant_comes_back_as_it_was_stored,
    only_countries_of_iso_3166_are_taken_by_files_and_the_api,
    lines_of_a_text_end_with_lf_however_they_were_sent,
    what_is_legal_but_odd_is_a_warning,
);

fn deals(tag: &str, conventions: &str, rows: &[&str]) -> Files {
    let mapping = format!(
        "program = \"Partner programme\"\n[conventions]\n{conventions}\n[[files]]\nfile = \"deals.csv\"\nformat = \"csv\"\n\
         entity = \"deal\"\ndelimiter = \";\"\nconstants = {{ stage = \"PROPOSAL\" }}\n\
         columns = {{ external_id = \"id\", value = \"value\", currency = \"currency\", expected_close_on = \"day\" }}\n"
    );
    let rows = rows.iter().enumerate();
    let rows: String = rows.map(|(n, row)| format!("{tag}{n};{row}\n")).collect();
    Files::new(
        &mapping,
        &[("deals.csv", &format!("id;value;currency;day\n{rows}"))],
    )
}

/// The value of each deal in minor units, or the reason of its refusal.
async fn values(
    t: &TestApp,
    tag: &str,
    conventions: &str,
    rows: &[&str],
) -> Vec<Result<i64, String>> {
    let files = deals(tag, conventions, rows);
    let report = files.import(t).await;
    let mut found = Vec::new();
    for n in 0..rows.len() {
        let line = n + 2;
        let refused = refusals(&report)
            .into_iter()
            .find_map(|text| text.strip_prefix(&format!("{line} ")).map(str::to_owned));
        found.push(match refused {
            Some(reason) => Err(reason),
            None => Ok(stored_deal(t, &format!("{tag}{n}")).await.value_minor),
        });
    }
    found
}

async fn separators_never_change_an_amount(t: TestApp) {
    let german = "currency = \"EUR\"\ndecimal = \",\"\nthousands = \".\"";
    let found = values(
        &t,
        "german",
        german,
        &[
            "12.50;;",
            "1.250,75;;",
            "1.234.567;;",
            "(1.000);;",
            "7,5-;;",
            "EUR 3.000,5;;",
        ],
    )
    .await;
    let grouping = |text: &str| {
        format!(
            "value: {text:?} is not grouped: '.' separates groups of three digits, and the decimal character of this file is ','"
        )
    };
    let negative = || Err("value: must not be negative".to_owned());
    assert_eq!(
        found,
        [
            Err(grouping("12.50")),
            Ok(125_075),
            Ok(123_456_700),
            negative(),
            negative(),
            Ok(300_050)
        ]
    );
    let english = "currency = \"USD\"\nthousands = \",\"\nsymbols = { \"$\" = \"USD\" }";
    let found = values(
        &t,
        "english",
        english,
        &[
            "1,12;;",
            "12,34,567.5;;",
            "$1,200.00;;",
            "£5;;",
            "$5;EUR;",
            "1.2E+05;;",
            "50%;;",
            "١٢٣٤٫٥;;",
            "１２．５;;",
        ],
    )
    .await;
    assert_eq!(found[1], Ok(123_456_750));
    assert_eq!(found[2], Ok(120_000));
    assert_eq!(
        (found[7].clone(), found[8].clone()),
        (Ok(123_450), Ok(1_250))
    );
    for (place, part) in [
        (
            0,
            "\"1,12\" is not grouped: ',' separates groups of three digits",
        ),
        (3, "\"£5\" has the symbol \"£\"; declare what it means"),
        (4, "value: is in USD, but the currency of the row is EUR"),
        (
            5,
            "\"1.2E+05\" is in scientific notation; did a spreadsheet shorten it?",
        ),
        (6, "\"50%\" is a percentage"),
    ] {
        let reason = found[place].clone().unwrap_err();
        assert!(reason.contains(part), "{reason}");
    }
    let swiss = "currency = \"CHF\"\nthousands = \"'\"";
    assert_eq!(
        values(&t, "swiss", swiss, &["1’234.50;;", "1'234'567;;"]).await,
        [Ok(123_450), Ok(123_456_700)]
    );
    let french = "currency = \"EUR\"\ndecimal = \",\"\nthousands = \" \"";
    let found = values(
        &t,
        "french",
        french,
        &["1\u{202f}234,50;;", "1\u{a0}234;;", "12 34;;"],
    )
    .await;
    assert_eq!(found[..2], [Ok(123_450), Ok(123_400)]);
    assert!(found[2].is_err(), "{found:?}");
}

async fn zeros_behind_the_point_mean_nothing(t: TestApp) {
    let found = values(
        &t,
        "d",
        "",
        &[
            "512.770000;USD;",
            "70500.00;JPY;",
            "512.775;USD;",
            "0.5;JPY;",
        ],
    )
    .await;
    let decimals = |code: &str| Err(format!("value: has more decimals than {code} allows"));
    assert_eq!(
        found,
        [Ok(51_277), Ok(70_500), decimals("USD"), decimals("JPY")]
    );
    let mapping = "program = \"Partner programme\"\n[[files]]\nfile = \"c.csv\"\nformat = \"csv\"\nentity = \"customer\"\n\
        columns = { external_id = \"id\", name = \"id\", employees = \"n\" }\n";
    let files = Files::new(mapping, &[("c.csv", "id,n\nacme,250.0\nzenith,250.5\n")]);
    let report = files.import(&t).await;
    assert_eq!(
        refusals(&report),
        ["3 employees: must be a whole number of at least 0"]
    );
    let found = customer::Entity::find()
        .one(t.app.db().reader())
        .await
        .unwrap();
    assert_eq!(found.unwrap().employees, Some(250));
}

async fn a_json_number_is_a_number_whatever_the_conventions(t: TestApp) {
    let mapping = r#"
program = "Partner programme"
[conventions]
currency = "EUR"
decimal = ","
thousands = "."
[[files]]
file = "deals.jsonl"
format = "jsonl"
entity = "deal"
columns = { external_id = "id", value = "amount" }
constants = { stage = "PROPOSAL" }
"#;
    let rows = "{\"id\": \"d1\", \"amount\": 1234.5}\n{\"id\": \"d2\", \"amount\": \"1.234,5\"}\n\
        {\"id\": \"d3\", \"amount\": 1.23e3}\n{\"id\": \"d4\", \"amount\": 9007199254740.93}\n\
        {\"id\": \"d5\", \"amount\": \"1234.5\"}\n{\"id\": \"d6\", \"amount\": 0.005}\n{\"id\": \"d7\", \"id\": \"d8\"}\n";
    let files = Files::new(mapping, &[("deals.jsonl", rows)]);
    let report = files.import(&t).await;
    assert_eq!(counts(&report), [[4, 0, 0, 3]]);
    for (name, minor) in [
        ("d1", 123_450),
        ("d2", 123_450),
        ("d3", 123_000),
        ("d4", 900_719_925_474_093),
    ] {
        assert_eq!(stored_deal(&t, name).await.value_minor, minor, "{name}");
    }
    let told = refusals(&report);
    assert!(
        told[0].starts_with("5 value: \"1234.5\" is not grouped"),
        "{told:?}"
    );
    assert_eq!(told[1], "6 value: has more decimals than EUR allows");
    assert!(
        told[2].contains("the member \"id\" appears twice"),
        "{told:?}"
    );
}

async fn dates_mean_the_instant_that_the_text_says(t: TestApp) {
    let mapping = r#"
program = "Partner programme"
[conventions]
currency = "EUR"
time_zone = "Europe/Berlin"
date_formats = ["%d.%m.%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M %z"]
[[files]]
file = "deals.csv"
format = "csv"
entity = "deal"
columns = { external_id = "id", closed_on = "closed" }
constants = { stage = "WON", value = "1" }
"#;
    let rows = [
        "2026-01-31T23:30:00.000-0200",
        "01.02.2026 02:30 +0200",
        "01.02.2026 02:30",
        "01.02.2026",
        "01.02.26",
        "46054",
        "01.02.1026",
        "2026-02-29",
    ];
    let rows = rows.iter().enumerate();
    let rows: String = rows.map(|(n, text)| format!("d{n},{text}\n")).collect();
    let files = Files::new(mapping, &[("deals.csv", &format!("id,closed\n{rows}"))]);
    let report = files.import(&t).await;
    for (name, at) in [
        ("d0", "2026-02-01 01:30:00 UTC"),
        ("d1", "2026-02-01 00:30:00 UTC"),
        ("d2", "2026-02-01 01:30:00 UTC"),
        ("d3", "2026-01-31 23:00:00 UTC"),
    ] {
        let deal = stored_deal(&t, name).await;
        assert_eq!(deal.closed_at.unwrap().to_string(), at, "{name}");
        assert_eq!(deal.time_zone, "Europe/Berlin");
    }
    let told = refusals(&report);
    for (told, part) in told.iter().zip([
        "6 closed_on: \"01.02.26\" is outside the years 1970 to 2076. It is read as the year 26",
        "7 closed_on: \"46054\" does not match `%d.%m.%Y` or `%d.%m.%Y %H:%M` or `%d.%m.%Y %H:%M %z`. Is it an Excel serial date? It would be 2026-02-01.",
        "8 closed_on: \"01.02.1026\" is outside the years",
        "9 closed_on: \"2026-02-29\" does not match",
    ]) {
        assert!(told.starts_with(part), "{told}");
    }
    assert_eq!(told.len(), 4);
    // A century that the mapping names, and one that it does not.
    let short = mapping.replace("%d.%m.%Y\",", "%d.%m.%y\",");
    let files = Files::new(&short, &[("deals.csv", "id,closed\ns1,01.02.26\n")]);
    let error = files
        .try_import(&t, false, None)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("set `two_digit_years_from`"), "{error}");
    files.write(
        "mapping.toml",
        short.replace("time_zone", "two_digit_years_from = 1970\ntime_zone"),
    );
    files.import(&t).await;
    let closed = stored_deal(&t, "s1").await.closed_at.unwrap();
    assert_eq!(closed.to_string(), "2026-01-31 23:00:00 UTC");
}

async fn an_instant_comes_back_as_it_was_stored(t: TestApp) {
    let mapping = r#"
program = "Partner programme"
[conventions]
currency = "USD"
[[files]]
file = "deals.csv"
format = "csv"
entity = "deal"
columns = { external_id = "id", opened_on = "opened", closed_on = "closed" }
constants = { stage = "WON", value = "1" }
"#;
    let rows = "id,opened,closed\nd1,2026-02-09T08:00:00.1234567Z,2026-02-10T09:00:00.7654321Z\n";
    let files = Files::new(mapping, &[("deals.csv", rows)]);
    assert_eq!(counts(&files.import(&t).await), [[1, 0, 0, 0]]);
    t.advance(chrono::TimeDelta::hours(1));
    assert_eq!(counts(&files.import(&t).await), [[0, 0, 1, 0]]);
    let ada = t.vendor(Role::AllianceManager).await;
    let shown = t
        .ask(
            &ada,
            "{ deals(first: 1) { nodes { openedAt closedAt } } }",
            json!({}),
        )
        .await;
    let expected = json!([{ "openedAt": "2026-02-09T08:00:00.123456Z", "closedAt": "2026-02-10T09:00:00.765432Z" }]);
    assert_eq!(shown.at("deals/nodes"), &expected);
}

async fn only_countries_of_iso_3166_are_taken_by_files_and_the_api(t: TestApp) {
    let mapping = "program = \"Partner programme\"\n[[files]]\nfile = \"c.csv\"\nformat = \"csv\"\nentity = \"customer\"\n\
        columns = { external_id = \"id\", name = \"id\", country = \"country\" }\n";
    let files = Files::new(
        mapping,
        &[(
            "c.csv",
            "id,country\nacme,de\nbolt,UK\ncord,XX\nduke,Deutschland\nedge,\n",
        )],
    );
    let report = files.import(&t).await;
    assert_eq!(counts(&report), [[2, 0, 0, 3]]);
    assert_eq!(
        refusals(&report),
        [
            "3 country: \"UK\" is not a country code of ISO 3166-1; use GB",
            "4 country: \"XX\" is not a country code of ISO 3166-1",
            "5 country: \"Deutschland\" is not a two-letter country code by ISO 3166-1, such as DE",
        ]
    );
    let ada = t.admin().await;
    let create = "mutation($input: CustomerCreateInput!) { customerCreate(input: $input) { customer { country } userErrors { code } } }";
    let partner = "mutation($input: PartnerCreateInput!) { partnerCreate(input: $input) { partner { country } userErrors { code } } }";
    let count = customer::Entity::find().count(t.app.db().reader());
    let before = count.await.unwrap();
    for code in ["UK", "XX", "de", "DEU"] {
        let input = json!({ "input": { "name": "Fair", "country": code } });
        let refused = t.ask(&ada, create, input).await;
        assert!(
            refused.json["data"]["customerCreate"]["customer"].is_null(),
            "{code}"
        );
        assert!(
            !refused.json["errors"].as_array().unwrap().is_empty(),
            "{code}"
        );
        let input = json!({ "input": { "legalName": "Fair", "types": ["SI"], "country": code } });
        assert!(
            t.ask(&ada, partner, input)
                .await
                .json
                .get("errors")
                .is_some(),
            "{code}"
        );
    }
    let count = customer::Entity::find().count(t.app.db().reader());
    assert_eq!(count.await.unwrap(), before);
    let input = json!({ "input": { "name": "Fair", "country": "GB" } });
    let made = t.ask(&ada, create, input).await;
    assert_eq!(
        made.done("customerCreate")
            .text("customerCreate/customer/country"),
        "GB"
    );
}

async fn lines_of_a_text_end_with_lf_however_they_were_sent(t: TestApp) {
    let ada = t.vendor(Role::AllianceManager).await;
    let create = "mutation($input: PartnerCreateInput!) { partnerCreate(input: $input) { partner { id } userErrors { code } } }";
    let input = json!({ "input": { "legalName": "Northwind", "types": ["SI"] } });
    let id = t
        .ask(&ada, create, input)
        .await
        .text("partnerCreate/partner/id");
    let act = async |mutation: &str, reason: &str| {
        let kind = format!("{}{}Input", mutation[..1].to_uppercase(), &mutation[1..]);
        let document = format!(
            "mutation($input: {kind}!) {{ {mutation}(input: $input) {{ userErrors {{ code }} }} }}"
        );
        t.ask(
            &ada,
            &document,
            json!({ "input": { "partnerId": id, "reason": reason } }),
        )
        .await
    };
    act("partnerApply", "first\r\nsecond\r\n\r\nthird")
        .await
        .done("partnerApply");
    for text in ["a\rb", "a\u{7}b", "a\u{202e}b"] {
        assert_eq!(
            act("partnerReject", text).await.refusal("partnerReject"),
            "BAD_USER_INPUT",
            "{text:?}"
        );
    }
    // What no text of the API may have does not even reach the mutation.
    assert_eq!(
        act("partnerReject", "a\u{0}b").await.error(),
        "BAD_USER_INPUT"
    );
    let history = "query($id: ID!) { partner(id: $id) { status lifecycleEvents(first: 10) { nodes { reason } } } }";
    let shown = t.ask(&ada, history, json!({ "id": id })).await;
    let expected = json!({ "status": "APPLIED", "lifecycleEvents": { "nodes": [{ "reason": "first\nsecond\n\nthird" }] } });
    assert_eq!(shown.at("partner"), &expected);
}

async fn what_is_legal_but_odd_is_a_warning(t: TestApp) {
    let files = deals(
        "d",
        "currency = \"USD\"",
        &[
            "100;;2026-04-01",
            "120;;2026-04-01",
            "130;;1999-04-01",
            "90000;;2026-04-01",
            "100;;2026-04-01",
            "100;;2026-04-01",
            "100;;2026-04-01",
        ],
    );
    let report = files.import(&t).await;
    assert_eq!(counts(&report), [[7, 0, 0, 0]]);
    assert_eq!(
        told(&report.warnings),
        [
            "deals.csv:4 expected_close_on: 1 date is before 2000 or more than 10 years ahead, the first is 1999-04-01.",
            "deals.csv:5 value: 1 of 7 in USD is at least ten times as large as all others, the first is 90000.00.",
            "deals.csv:6 3 rows of 7 repeat another row in everything but `external_id`; this is the first.",
        ]
    );
    let shown = report.to_string();
    assert!(
        shown.contains("\nwarning: deals.csv:5: value: 1 of 7"),
        "{shown}"
    );
    // The totals are those of the database.
    let stored = deal::Entity::find().all(t.app.db().reader()).await.unwrap();
    let sum: i128 = stored.iter().map(|deal| i128::from(deal.value_minor)).sum();
    let usd = "USD".parse().unwrap();
    let (before, after) = (
        report.before.of(usd, SalesStatus::Open),
        report.after.of(usd, SalesStatus::Open),
    );
    assert_eq!((before.deals, before.minor), (0, 0));
    assert_eq!((after.deals, after.minor, sum), (7, 9_065_000, 9_065_000));
    // The same file with one amount in another unit.
    let text = std::fs::read_to_string(files.path("deals.csv")).unwrap();
    files.write("deals.csv", text.replace("d1;120;", "d1;12000;"));
    let dry = files.try_import(&t, true, None).await.unwrap();
    assert!(
        told(&dry.warnings)
            .contains(&"deals.csv:3 value: changes from 120.00 to 12000.00 USD.".to_owned())
    );
    let (before, after) = (
        dry.before.of(usd, SalesStatus::Open),
        dry.after.of(usd, SalesStatus::Open),
    );
    assert_eq!((before.minor, after.minor), (9_065_000, 10_253_000));
    assert_eq!(stored_deal(&t, "d1").await.value_minor, 12_000);
}
