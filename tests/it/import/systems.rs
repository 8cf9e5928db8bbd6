//! The mappings and files that come with the program: those of four sales systems, and the templates.

use std::path::Path;

use ensemble::{
    entity::{
        customer,
        deal::{self, SalesStatus},
        partner,
    },
    import::{self, Options, Report},
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::{contents, counts, refusals, rows::stored_deal};
use crate::{
    cases,
    support::{TestApp, program::Installation},
};

cases!(
    the_export_of_salesforce_comes_in,
    the_export_of_hubspot_comes_in,
    the_export_of_pipedrive_comes_in,
    the_export_of_dynamics_comes_in,
    every_template_comes_in_under_the_mapping_that_is_printed_with_it,
    the_documentation_lists_every_key_of_a_mapping,
);

async fn import_from(t: &TestApp, folder: &Path) -> Report {
    let options = Options {
        mapping: folder.join("mapping.toml"),
        folder: folder.to_owned(),
        program: None,
        dry_run: false,
        report: None,
        progress: false,
    };
    import::run(&t.app, import::prepare(options).unwrap())
        .await
        .unwrap()
}

/// A deal as its status, value, currency, close and expected close.
async fn shown(t: &TestApp, external_id: &str) -> String {
    let deal = stored_deal(t, external_id).await;
    let day = |day: Option<String>| day.unwrap_or_else(|| "-".to_owned());
    format!(
        "{} {} {} {} opened {} closed {} expected {}",
        deal.stage,
        deal.currency.decimal(deal.value_minor),
        deal.currency,
        deal.time_zone,
        deal.opened_at.format("%Y-%m-%d %H:%M"),
        day(deal
            .closed_at
            .map(|at| at.format("%Y-%m-%d %H:%M").to_string())),
        day(deal.expected_close_on.map(|day| day.to_string())),
    )
}

/// The three deals are of two customers and two partners, and a second import changes nothing.
async fn comes_in(t: &TestApp, system: &str, deals: [(&str, &str); 3]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("seeds")
        .join(system);
    let report = import_from(t, &folder).await;
    assert_eq!(refusals(&report), Vec::<String>::new());
    assert_eq!(counts(&report), [[2, 0, 0, 0], [2, 0, 0, 0], [3, 0, 0, 0]]);
    for (id, expected) in deals {
        assert_eq!(shown(t, id).await, expected, "{id}");
    }
    let db = t.app.db().reader();
    let acker =
        customer::Entity::find().filter(customer::Column::Domain.eq("acker-maschinenbau.example"));
    let acker = acker.one(db).await.unwrap().unwrap();
    assert_eq!(
        (acker.name.as_str(), acker.country.as_deref()),
        ("Acker Maschinenbau AG", Some("DE"))
    );
    let won = deal::Entity::find().filter(deal::Column::Status.eq(SalesStatus::Won));
    let won = won.one(db).await.unwrap().unwrap();
    let northwind =
        partner::Entity::find().filter(partner::Column::LegalName.eq("Northwind Consulting GmbH"));
    let northwind = northwind.one(db).await.unwrap().unwrap();
    assert_eq!(
        (won.customer_id, won.partner_id),
        (Some(acker.id), Some(northwind.id))
    );
    let before = contents(t).await;
    let again = import_from(t, &folder).await;
    assert_eq!(counts(&again), [[0, 0, 2, 0], [0, 0, 2, 0], [0, 0, 3, 0]]);
    assert!(contents(t).await == before);
}

async fn the_export_of_salesforce_comes_in(t: TestApp) {
    let deals = [
        (
            "0068c00001D1aaaAAB",
            "WON 12000.50 EUR Europe/Berlin opened 2026-02-10 09:00 closed 2026-02-09 23:00 expected -",
        ),
        (
            "0068c00001D1bbbAAB",
            "PROPOSAL 7000.00 GBP Europe/Berlin opened 2026-01-20 16:45 closed - expected 2026-12-15",
        ),
        (
            "0068c00001D1cccAAB",
            "LOST 0.00 EUR Europe/Berlin opened 2025-12-01 10:00 closed 2026-01-30 23:00 expected -",
        ),
    ];
    comes_in(&t, "salesforce", deals).await;
}

async fn the_export_of_hubspot_comes_in(t: TestApp) {
    let deals = [
        (
            "31000000001",
            "WON 12000.50 EUR Europe/Berlin opened 2026-01-12 08:15 closed 2026-02-10 16:30 expected -",
        ),
        (
            "31000000002",
            "NEGOTIATION 7000.00 GBP Europe/Berlin opened 2026-01-20 15:45 closed - expected 2026-12-15",
        ),
        (
            "31000000003",
            "LOST 0.00 EUR Europe/Berlin opened 2025-12-01 09:00 closed 2026-01-31 11:00 expected -",
        ),
    ];
    comes_in(&t, "hubspot", deals).await;
    let lost = stored_deal(&t, "31000000003").await;
    assert_eq!(
        lost.loss_detail.as_deref(),
        Some("Went with a rival,\nas they told us")
    );
}

async fn the_export_of_pipedrive_comes_in(t: TestApp) {
    let deals = [
        (
            "101",
            "WON 12000.50 EUR UTC opened 2026-01-12 08:15 closed 2026-02-10 16:30 expected 2026-02-28",
        ),
        (
            "102",
            "PROPOSAL 7000.00 GBP UTC opened 2026-01-20 15:45 closed - expected 2026-12-15",
        ),
        (
            "103",
            "LOST 0.00 EUR UTC opened 2025-12-01 09:00 closed 2026-01-31 11:00 expected 2026-02-15",
        ),
    ];
    comes_in(&t, "pipedrive", deals).await;
}

async fn the_export_of_dynamics_comes_in(t: TestApp) {
    let id = |n: u32| format!("5f0a3c1e-11aa-ee11-8179-00224800{n:04}");
    let (won, open, lost) = (id(101), id(102), id(103));
    let deals = [
        (
            won.as_str(),
            "WON 12000.50 EUR Europe/Berlin opened 2026-02-10 08:15 closed 2026-02-09 23:00 expected 2026-02-28",
        ),
        (
            open.as_str(),
            "PROPOSAL 7000.00 GBP Europe/Berlin opened 2026-01-20 15:45 closed - expected 2026-12-15",
        ),
        (
            lost.as_str(),
            "LOST 3000.00 EUR Europe/Berlin opened 2025-12-01 09:00 closed 2026-01-30 23:00 expected 2026-02-15",
        ),
    ];
    comes_in(&t, "dynamics", deals).await;
}

async fn every_template_comes_in_under_the_mapping_that_is_printed_with_it(t: TestApp) {
    let site = Installation::new(t.folder().join("site"), "sqlite://nowhere/none.db");
    let folder = t.folder().join("templates");
    std::fs::create_dir_all(&folder).unwrap();
    for entity in ["partners", "customers", "products", "deals", "touchpoints"] {
        let text = site.done(["import", "--template", entity]).await;
        assert_eq!(text.lines().count(), 3, "{entity}");
        std::fs::write(folder.join(format!("{entity}.csv")), text).unwrap();
    }
    let mapping = site.done(["import", "--template", "mapping"]).await;
    std::fs::write(folder.join("mapping.toml"), mapping).unwrap();
    assert!(!site.folder().join("nowhere").exists());
    let report = import_from(&t, &folder).await;
    assert_eq!(refusals(&report), Vec::<String>::new());
    assert_eq!(counts(&report), [[2, 0, 0, 0]; 5]);
    assert_eq!(
        shown(&t, "D-3001").await,
        "WON 11400.00 EUR Europe/Berlin opened 2026-01-11 23:00 closed 2026-02-19 23:00 expected 2026-02-28"
    );
}

async fn the_documentation_lists_every_key_of_a_mapping(_: TestApp) {
    use ensemble::import::mapping::Entity;
    let text = include_str!("../../../docs/import.md");
    let keys = [
        "program",
        "conventions",
        "files",
        "file",
        "format",
        "entity",
        "delimiter",
        "encoding",
        "columns",
        "constants",
        "values",
        "currency",
        "time_zone",
        "date_formats",
        "decimal",
        "thousands",
        "symbols",
        "two_digit_years_from",
    ];
    for key in keys {
        assert!(text.contains(&format!("`{key}`")), "{key}");
    }
    for entity in [
        Entity::Partner,
        Entity::Customer,
        Entity::Product,
        Entity::Deal,
        Entity::Touchpoint,
    ] {
        let heading = format!("### {}", entity.name());
        let (_, section) = text.split_once(&heading).expect(&heading);
        let section = section.split("\n##").next().unwrap();
        for field in entity.fields() {
            assert!(section.contains(&format!("`{field}`")), "{heading} {field}");
        }
    }
}
