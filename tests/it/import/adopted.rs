//! Records that were there before: taken over once, and domains that move.

use ensemble::entity::{customer, partner, user::Role};
use sea_orm::EntityTrait;
use serde_json::{Value, json};

use super::{Files, contents, counts, refusals, told};
use crate::{
    cases,
    support::{Person, TestApp},
};

cases!(
    a_partner_recorded_by_hand_is_taken_over_and_not_doubled,
    a_page_on_a_host_means_no_partner,
    a_partner_recorded_by_hand_is_taken_over_by_its_registration_number,
    a_customer_recorded_by_hand_is_taken_over_by_its_registration_number,
    a_domain_moves_between_customers_whatever_the_order_of_rows,
);

async fn create(t: &TestApp, person: &Person, kind: &str, input: Value) {
    let (lower, upper) = (kind.to_lowercase(), kind);
    let document = format!(
        "mutation($input: {upper}CreateInput!) {{ {lower}Create(input: $input) {{ {lower} {{ id }} userErrors {{ code message }} }} }}"
    );
    let made = t.ask(person, &document, json!({ "input": input })).await;
    made.done(&format!("{lower}Create"));
}

async fn a_partner_recorded_by_hand_is_taken_over_and_not_doubled(t: TestApp) {
    let ada = t.vendor(Role::AllianceManager).await;
    let website = |host: &str| format!("https://www.{host}/about");
    for (name, site) in [
        ("Northwind Consulting GmbH", Some("northwind.com")),
        ("Harbour Resale Ltd", None),
        ("Twin Works", None),
        ("Twin Works (new)", Some("twin-works.com")),
    ] {
        let input = json!({ "legalName": name, "types": ["SI"], "website": site.map(website) });
        create(&t, &ada, "Partner", input).await;
    }
    let mapping = r#"
program = "Partner programme"
[[files]]
file = "partners.csv"
format = "csv"
entity = "partner"
columns = { external_id = "id", legal_name = "name", website = "web" }
"#;
    let rows = "id,name,web\n\
        p1,Northwind GmbH,http://northwind.com\n\
        p2,HARBOUR Resale  Ltd,https://harbour.example\n\
        p3,Twin Works,https://twin-works.com\n\
        p4,Harbour Resale Ltd,\n\
        p5,New Partner,https://new.example\n";
    let files = Files::new(mapping, &[("partners.csv", rows)]);
    let before = contents(&t).await;
    let dry = files.try_import(&t, true, None).await.unwrap();
    assert_eq!(contents(&t).await, before);
    let report = files.import(&t).await;
    assert_eq!(
        (counts(&dry), told(&dry.notes)),
        (counts(&report), told(&report.notes))
    );
    // The second Harbour has nobody to take over any more.
    assert_eq!(counts(&report), [[2, 2, 0, 1]]);
    assert_eq!(
        told(&report.notes),
        [
            "partners.csv:2 \"p1\" takes over the partner \"Northwind Consulting GmbH\", which was recorded without an external id (same website); it stays PROSPECT.",
            "partners.csv:3 \"p2\" takes over the partner \"Harbour Resale Ltd\", which was recorded without an external id (same legal name); it stays PROSPECT.",
        ]
    );
    assert_eq!(
        refusals(&report),
        [
            "4 legal_name: matches 2 partners that were recorded without an external id: \"Twin Works (new)\" (same website), \"Twin Works\" (same legal name). Give the right one this external id."
        ]
    );
    let partners = partner::Entity::find()
        .all(t.app.db().reader())
        .await
        .unwrap();
    assert_eq!(partners.len(), 6);
    let named = |id: &str| {
        partners
            .iter()
            .find(|row| row.external_id.as_deref() == Some(id))
            .unwrap()
    };
    assert_eq!(named("p1").legal_name, "Northwind GmbH");
    assert_eq!(named("p2").version, 2);
    // Again it is known by its external id.
    let again = files.import(&t).await;
    assert_eq!((counts(&again), again.notes.count), (vec![[0, 0, 4, 1]], 0));
}

async fn a_page_on_a_host_means_no_partner(t: TestApp) {
    let ada = t.vendor(Role::AllianceManager).await;
    for (name, site) in [
        ("Elm IT", "https://partner-portal.example/members/elm"),
        ("Portal Operator", "https://www.partner-portal.example/"),
    ] {
        let input = json!({ "legalName": name, "types": ["SI"], "website": site });
        create(&t, &ada, "Partner", input).await;
    }
    let mapping = r#"
program = "Partner programme"
[[files]]
file = "partners.csv"
format = "csv"
entity = "partner"
columns = { external_id = "id", legal_name = "name", website = "web" }
"#;
    let rows = "id,name,web\n\
        p1,Oak IT,https://partner-portal.example/members/oak\n\
        p2,Larch IT,larch.partner-portal.example/x\n\
        p3,The Portal,partner-portal.example\n";
    let rows = rows
        .replace("larch.", "https://larch.")
        .replace("p3,The Portal,", "p3,The Portal,https://");
    let files = Files::new(mapping, &[("partners.csv", &rows)]);
    let report = files.import(&t).await;
    assert_eq!(counts(&report), [[2, 1, 0, 0]]);
    assert_eq!(
        told(&report.notes),
        [
            "partners.csv:4 \"p3\" takes over the partner \"Portal Operator\", which was recorded without an external id (same website); it stays PROSPECT."
        ]
    );
}

async fn a_partner_recorded_by_hand_is_taken_over_by_its_registration_number(t: TestApp) {
    let ada = t.vendor(Role::AllianceManager).await;
    for (name, country, number) in [
        ("Northwind Consulting", "DE", "HRB 48210"),
        ("Harbour Resale", "GB", "07495895"),
        ("Harbour Resale Ireland", "IE", "07495895"),
    ] {
        let input = json!({ "legalName": name, "types": ["SI"], "country": country, "registrationNumber": number });
        create(&t, &ada, "Partner", input).await;
    }
    let mapping = r#"
program = "Partner programme"
[[files]]
file = "partners.csv"
format = "csv"
entity = "partner"
columns = { external_id = "id", legal_name = "name", country = "country", registration_number = "number" }
"#;
    // The number decides, whatever the name; the name of the last one is that of another company.
    let rows = "id,name,country,number\n\
        p1,NW Holding,DE,HRB-48 210\n\
        p2,Irish Resellers,IE,07495895\n\
        p3,Fresh Partner,FR,n/a\n\
        p4,Late Partner,GB,7495 895\n\
        p5,Northwind Consulting,AT,FN 1234 x\n\
        p6,Second Partner,AT,FN 1234x\n\
        p7,Somewhere,,HRB48210\n";
    let files = Files::new(mapping, &[("partners.csv", rows)]);
    let before = contents(&t).await;
    let dry = files.try_import(&t, true, None).await.unwrap();
    assert_eq!(contents(&t).await, before);
    let report = files.import(&t).await;
    assert_eq!(
        (counts(&dry), told(&dry.notes), refusals(&dry)),
        (counts(&report), told(&report.notes), refusals(&report))
    );
    assert_eq!(counts(&report), [[3, 2, 0, 2]]);
    assert_eq!(
        told(&report.notes),
        [
            "partners.csv:2 \"p1\" takes over the partner \"Northwind Consulting\", which was recorded without an external id (same registration number); it stays PROSPECT.",
            "partners.csv:3 \"p2\" takes over the partner \"Harbour Resale Ireland\", which was recorded without an external id (same registration number); it stays PROSPECT.",
        ]
    );
    assert_eq!(
        refusals(&report),
        [
            "7 registration_number: belongs to the partner \"Northwind Consulting\"",
            "8 registration_number: belongs to the partner \"NW Holding\"",
        ]
    );
    let again = files.import(&t).await;
    assert_eq!(counts(&again), [[0, 0, 5, 2]]);
}

async fn a_customer_recorded_by_hand_is_taken_over_by_its_registration_number(t: TestApp) {
    let ada = t.admin().await;
    for (name, country, number) in [
        ("Acker Maschinenbau", "DE", "HRB 10123"),
        ("Bolt Holding", "DE", "HRB 555"),
        ("Bolt Works", "AT", "HRB 555"),
        ("Cord Wines", "AT", "FN 777"),
    ] {
        let input = json!({ "name": name, "country": country, "registrationNumber": number });
        create(&t, &ada, "Customer", input).await;
    }
    let mapping = r#"
program = "Partner programme"
[[files]]
file = "customers.csv"
format = "csv"
entity = "customer"
columns = { external_id = "id", name = "name", country = "land", registration_number = "number" }
"#;
    let rows = "id,name,land,number\nc1,Acker AG Maschinen,DE,hrb-10123\nc2,Bolt,,HRB 555\nc3,Cord,DE,FN 777\n";
    let files = Files::new(mapping, &[("customers.csv", rows)]);
    let report = files.import(&t).await;
    // Numbers are given by the registers of a country.
    assert_eq!(counts(&report), [[1, 1, 0, 1]]);
    assert_eq!(
        told(&report.notes),
        [
            "customers.csv:2 \"c1\" takes over the customer \"Acker Maschinenbau\", which was recorded without an external id."
        ]
    );
    assert!(
        refusals(&report)[0].starts_with("3 registration_number: matches 2 customers"),
        "{report}"
    );
    assert_eq!(counts(&files.import(&t).await), [[0, 0, 2, 1]]);
}

async fn a_domain_moves_between_customers_whatever_the_order_of_rows(t: TestApp) {
    let mapping = r#"
program = "Partner programme"
[[files]]
file = "customers.csv"
format = "csv"
entity = "customer"
columns = { external_id = "id", name = "name", domain = "web" }
"#;
    let files = Files::new(mapping, &[]);
    let stored = async || {
        let rows = customer::Entity::find()
            .all(t.app.db().reader())
            .await
            .unwrap();
        let mut rows: Vec<_> = rows
            .into_iter()
            .map(|row| (row.external_id.unwrap(), row.domain.unwrap_or_default()))
            .collect();
        rows.sort_unstable();
        rows.into_iter()
            .map(|(id, domain)| format!("{id} {domain}"))
            .collect::<Vec<_>>()
    };
    let start = "id,name,web\na,Alpha,alpha.com\nb,Beta,beta.com\ne,Epsilon,epsilon.com\n";
    // Alpha gives its domain to Gamma and takes that of Beta, which gets a new one; Delta wants what Epsilon keeps.
    let rows = [
        "a,Alpha,beta.com",
        "b,Beta,new.com",
        "c,Gamma,alpha.com",
        "d,Delta,epsilon.com",
        "e,Epsilon,epsilon.com",
    ];
    let fillers: String = (0..1_100)
        .map(|n| format!("f{n},Filler {n},filler{n}.com\n"))
        .collect();
    for (round, order) in [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 0, 1, 4, 3]]
        .into_iter()
        .enumerate()
    {
        files.write("customers.csv", start);
        let report = files.import(&t).await;
        // The first rows of the next round move everything back, which works in any order too.
        assert_eq!(report.total().refused, 0, "{report}");
        let between = if round == 2 { fillers.as_str() } else { "" };
        let [first, rest @ ..] = order.map(|place| rows[place]);
        let text = format!("id,name,web\n{first}\n{between}{}\n", rest.join("\n"));
        files.write("customers.csv", text);
        let dry = files.try_import(&t, true, None).await.unwrap();
        let report = files.import(&t).await;
        assert_eq!(
            (counts(&dry), refusals(&dry), told(&dry.notes)),
            (counts(&report), refusals(&report), told(&report.notes))
        );
        assert_eq!(
            stored().await[..3],
            ["a beta.com", "b new.com", "c alpha.com"]
        );
        let refused = refusals(&report);
        assert_eq!(refused.len(), 1);
        assert!(
            refused[0]
                .ends_with("domain: belongs to the customer \"e\", which is already recorded"),
            "{refused:?}"
        );
        let notes = told(&report.notes).join("\n");
        assert!(
            notes.contains("\"a\" takes beta.com over from \"b\", which no longer has it."),
            "{notes}"
        );
        assert!(
            notes.contains("\"c\" takes alpha.com over from \"a\", which no longer has it."),
            "{notes}"
        );
        files.write("customers.csv", "id,name,web\nc,Gamma,gamma.com\n");
        files.import(&t).await;
    }
}
