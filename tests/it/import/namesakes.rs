//! How an import treats companies with the same name: a name alone identifies nobody.

use ensemble::entity::{customer, partner, user::Role};
use sea_orm::{EntityTrait, QueryOrder};
use serde_json::{Value, json};

use super::{Files, contents, counts, refusals, told};
use crate::{cases, support::TestApp};

cases!(
    a_name_alone_neither_blocks_nor_merges_a_customer,
    many_rows_of_one_name_name_three_of_the_others,
    a_page_on_a_host_neither_blocks_nor_merges_a_customer,
    a_registration_number_blocks_whatever_the_domain_and_moves_as_a_domain_does,
    a_partner_of_the_same_legal_name_is_another_one_where_something_tells_them_apart,
);

const CUSTOMERS: &str = r#"
program = "Partner programme"
[[files]]
file = "customers.csv"
format = "csv"
entity = "customer"
columns = { external_id = "id", name = "name", country = "land", domain = "web", registration_number = "number" }
"#;

async fn create(t: &TestApp, kind: &str, input: Value) {
    let ada = t.vendor(Role::AllianceManager).await;
    let lower = kind.to_lowercase();
    let document = format!(
        "mutation($input: {kind}CreateInput!) {{ {lower}Create(input: $input) {{ {lower} {{ id }} userErrors {{ code message }} }} }}"
    );
    let made = t.ask(&ada, &document, json!({ "input": input })).await;
    made.done(&format!("{lower}Create"));
}

/// The external id, name and number of every customer, in the order in which they were recorded.
async fn stored(t: &TestApp) -> Vec<String> {
    let rows = customer::Entity::find().order_by_asc(customer::Column::Id);
    let rows = rows.all(t.app.db().reader()).await.unwrap();
    let text = |row: customer::Model| {
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        format!(
            "{} {} {}",
            or_none(row.external_id),
            row.name,
            or_none(row.registration_number)
        )
    };
    rows.into_iter().map(text).collect()
}

async fn a_name_alone_neither_blocks_nor_merges_a_customer(t: TestApp) {
    create(
        &t,
        "Customer",
        json!({ "name": "Weber KG", "country": "DE" }),
    )
    .await;
    let rows = "id,name,land,web,number\n\
        c1,Acker GmbH,DE,,HRB 111\n\
        c2,Acker GmbH,DE,,HRB 222\n\
        c3,Schmidt GmbH,DE,,\n\
        c4,Schmidt AG,DE,,\n\
        c5,Weber KG,DE,,\n\
        c6,Falk GmbH,DE,falk.de,\n\
        c7,Falk GmbH,AT,falk.at,\n\
        c8,Falk Ges.m.b.H.,AT,,\n";
    let files = Files::new(CUSTOMERS, &[("customers.csv", rows)]);
    let before = contents(&t).await;
    let dry = files.try_import(&t, true, None).await.unwrap();
    assert_eq!(contents(&t).await, before);
    let report = files.import(&t).await;
    assert_eq!(
        (counts(&dry), told(&dry.warnings), told(&dry.notes)),
        (counts(&report), told(&report.warnings), told(&report.notes))
    );
    assert_eq!(counts(&report), [[8, 0, 0, 0]]);
    let advice = "and is a customer of its own. If it is the same company, set the external id on the existing record.";
    assert_eq!(
        told(&report.warnings),
        [
            format!("customers.csv:3 \"c2\" has the name of \"c1\" {advice}"),
            format!("customers.csv:5 \"c4\" has the name of \"c3\" {advice}"),
            format!("customers.csv:6 \"c5\" has the name of \"Weber KG\" {advice}"),
            format!("customers.csv:9 \"c8\" has the name of \"c6\", \"c7\" {advice}"),
        ]
    );
    assert_eq!(report.notes.count, 0);
    let companies = [
        "- Weber KG -",
        "c1 Acker GmbH HRB111",
        "c2 Acker GmbH HRB222",
        "c3 Schmidt GmbH -",
        "c4 Schmidt AG -",
        "c5 Weber KG -",
        "c6 Falk GmbH -",
        "c7 Falk GmbH -",
        "c8 Falk Ges.m.b.H. -",
    ];
    assert_eq!(stored(&t).await, companies);
    // A second import keeps every row a separate record and adds no warnings.
    let before = contents(&t).await;
    let again = files.import(&t).await;
    assert_eq!(
        (counts(&again), again.warnings.count),
        (vec![[0, 0, 8, 0]], 0)
    );
    assert!(contents(&t).await == before);
    // A new name is compared.
    let renamed = rows.replace("c3,Schmidt GmbH", "c3,Acker AG");
    files.write("customers.csv", renamed);
    let dry = files.try_import(&t, true, None).await.unwrap();
    let renamed = files.import(&t).await;
    assert_eq!(
        (counts(&dry), told(&dry.warnings)),
        (counts(&renamed), told(&renamed.warnings))
    );
    assert_eq!(counts(&renamed), [[0, 1, 7, 0]]);
    assert_eq!(
        told(&renamed.warnings),
        [format!(
            "customers.csv:4 \"c3\" has the name of \"c1\", \"c2\" {advice}"
        )]
    );
}

async fn many_rows_of_one_name_name_three_of_the_others(t: TestApp) {
    // More than one unit of work.
    let rows: String = (1..=1_200)
        .map(|n| {
            let name = if n % 400 == 0 || n < 3 {
                "Krone GmbH".to_owned()
            } else {
                format!("Filler {n}")
            };
            format!("c{n},{name},DE,,\n")
        })
        .collect();
    let files = Files::new(
        CUSTOMERS,
        &[("customers.csv", &format!("id,name,land,web,number\n{rows}"))],
    );
    let dry = files.try_import(&t, true, None).await.unwrap();
    let report = files.try_import(&t, false, Some("look.csv")).await.unwrap();
    assert_eq!(
        (counts(&dry), told(&dry.warnings)),
        (counts(&report), told(&report.warnings))
    );
    // The report file has each of them, in the order of lines, and nothing else.
    let written = std::fs::read_to_string(files.path("look.csv")).unwrap();
    let mut rows = csv::Reader::from_reader(written.as_bytes());
    let rows = rows.records().map(Result::unwrap);
    let rows: Vec<_> = rows
        .map(|row| [&row[1], &row[2], &row[5]].join(" "))
        .collect();
    assert_eq!(
        rows,
        [
            "3 c2 POSSIBLE_CONFLICT",
            "401 c400 POSSIBLE_CONFLICT",
            "801 c800 POSSIBLE_CONFLICT",
            "1201 c1200 POSSIBLE_CONFLICT"
        ]
    );
    assert_eq!((report.reasons, report.refusals.len()), (0, 0));
    let warnings = told(&report.warnings);
    let last = warnings.iter().find(|text| text.contains("\"c1200\""));
    assert!(
        last.unwrap()
            .contains("has the name of \"c1\", \"c2\", \"c400\", 1 more and is"),
        "{warnings:?}"
    );
}

async fn a_page_on_a_host_neither_blocks_nor_merges_a_customer(t: TestApp) {
    create(
        &t,
        "Customer",
        json!({ "name": "Linde Bau", "domain": "https://basar.example/x/linde" }),
    )
    .await;
    let rows = "id,name,land,web,number\n\
        c1,Elm Möbel,DE,https://basar.example/shops/elm,\n\
        c2,Oak Tools,DE,oak.basar.example,\n\
        c3,Basar,DE,https://www.basar.example/de/,\n\
        c4,Hazel,DE,https://apps.apple.com/app/hazel,\n\
        c5,Willow,DE,https://apps.apple.com/app/willow,\n";
    let files = Files::new(CUSTOMERS, &[("customers.csv", rows)]);
    let dry = files.try_import(&t, true, None).await.unwrap();
    let report = files.import(&t).await;
    assert_eq!(
        (counts(&dry), told(&dry.warnings)),
        (counts(&report), told(&report.warnings))
    );
    assert_eq!(counts(&report), [[5, 0, 0, 0]]);
    let advice = "and is a customer of its own. If it is the same company, set the external id on the existing record.";
    let others = [
        "\"Linde Bau\"",
        "\"Linde Bau\", \"c1\"",
        "\"Linde Bau\", \"c1\", \"c2\"",
    ];
    let expected = others.iter().zip(1..).map(|(others, n)| {
        format!(
            "customers.csv:{} \"c{n}\" has an address at basar.example, as has {others} {advice}",
            n + 1
        )
    });
    assert_eq!(told(&report.warnings), expected.collect::<Vec<_>>());
    let again = files.import(&t).await;
    assert_eq!(
        (counts(&again), again.warnings.count),
        (vec![[0, 0, 5, 0]], 0)
    );
}

async fn a_registration_number_blocks_whatever_the_domain_and_moves_as_a_domain_does(t: TestApp) {
    let rows = "id,name,land,web,number\n\
        c1,Acker GmbH,DE,acker.de,HRB 111\n\
        c2,Acker Online,DE,acker-online.de,hrb-111\n\
        c3,Acker Austria,AT,acker.at,HRB 111\n\
        c4,Acker Somewhere,,acker.example,HRB 111\n";
    let files = Files::new(CUSTOMERS, &[("customers.csv", rows)]);
    let dry = files.try_import(&t, true, None).await.unwrap();
    let report = files.import(&t).await;
    assert_eq!(
        (counts(&dry), refusals(&dry)),
        (counts(&report), refusals(&report))
    );
    assert_eq!(counts(&report), [[2, 0, 0, 2]]);
    let taken = "registration_number: belongs to the customer \"c1\", which is already recorded";
    assert_eq!(
        refusals(&report),
        [format!("3 {taken}"), format!("5 {taken}")]
    );
    // The number goes to another record, whichever row comes first.
    let moved = "id,name,land,web,number\n\
        c2,Acker Online,DE,acker-online.de,HRB 111\n\
        c1,Acker GmbH,DE,acker.de,HRB 999\n";
    files.write("customers.csv", moved);
    let dry = files.try_import(&t, true, None).await.unwrap();
    let report = files.import(&t).await;
    assert_eq!(
        (counts(&dry), told(&dry.notes)),
        (counts(&report), told(&report.notes))
    );
    assert_eq!(counts(&report), [[1, 1, 0, 0]]);
    assert_eq!(
        told(&report.notes),
        ["customers.csv:2 \"c2\" takes HRB111 over from \"c1\", which no longer has it."]
    );
    assert_eq!(
        stored(&t).await,
        [
            "c1 Acker GmbH HRB999",
            "c3 Acker Austria HRB111",
            "c2 Acker Online HRB111"
        ]
    );
}

async fn a_partner_of_the_same_legal_name_is_another_one_where_something_tells_them_apart(
    t: TestApp,
) {
    for (name, country, number, website) in [
        ("Acker GmbH", Some("DE"), Some("HRB 111"), None),
        ("Linde Systemhaus", Some("DE"), None, None),
        ("Nord IT", None, None, Some("https://nord-it.de")),
        ("West IT", None, None, None),
    ] {
        let input = json!({ "legalName": name, "types": ["SI"], "country": country, "registrationNumber": number, "website": website });
        create(&t, "Partner", input).await;
    }
    let mapping = r#"
program = "Partner programme"
[[files]]
file = "partners.csv"
format = "csv"
entity = "partner"
columns = { external_id = "id", legal_name = "name", country = "land", website = "web", registration_number = "number" }
"#;
    let rows = "id,name,land,web,number\n\
        p1,Acker GmbH,DE,,HRB 222\n\
        p2,Linde Systemhaus,AT,,\n\
        p3,Nord IT,DE,https://nord.example,\n\
        p4,WEST IT,DE,https://west.example,HRB 444\n";
    let files = Files::new(mapping, &[("partners.csv", rows)]);
    let dry = files.try_import(&t, true, None).await.unwrap();
    let report = files.import(&t).await;
    assert_eq!(
        (counts(&dry), told(&dry.warnings), told(&dry.notes)),
        (counts(&report), told(&report.warnings), told(&report.notes))
    );
    assert_eq!(counts(&report), [[3, 1, 0, 0]]);
    let warned = told(&report.warnings);
    assert_eq!(warned.len(), 3);
    for (line, id) in [(2, "p1"), (3, "p2"), (4, "p3")] {
        let begin = format!(
            "partners.csv:{line} \"{id}\" has the legal name of a partner that was recorded without an external id, but"
        );
        assert!(
            warned.iter().any(|text| text.starts_with(&begin)),
            "{warned:?}"
        );
    }
    assert_eq!(
        told(&report.notes),
        [
            "partners.csv:5 \"p4\" takes over the partner \"West IT\", which was recorded without an external id (same legal name); it stays PROSPECT."
        ]
    );
    let partners = partner::Entity::find()
        .all(t.app.db().reader())
        .await
        .unwrap();
    assert_eq!(partners.len(), 7);
    let again = files.import(&t).await;
    assert_eq!(
        (counts(&again), again.warnings.count),
        (vec![[0, 0, 4, 0]], 0)
    );
}
