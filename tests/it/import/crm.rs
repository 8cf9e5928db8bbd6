//! The four files of a real sales system, to the cent.

use std::collections::BTreeMap;

use ensemble::entity::{
    audit_event, customer,
    deal::{self, SalesStatus},
    deal_participant::{self, ParticipantRole, ParticipantStatus},
    deal_product, deal_stage_change,
    partner::{self, PartnerStatus},
    partner_lifecycle_event, product, product_family,
};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder};

use super::{contents, counts, crm_folder, import_crm};
use crate::{cases, support::TestApp};

cases!(real_files_come_in_to_the_cent_and_only_once);

async fn real_files_come_in_to_the_cent_and_only_once(t: TestApp) {
    let folder = crm_folder().unwrap();
    let created = vec![[35, 0, 0, 0], [85, 0, 0, 0], [7, 0, 0, 0], [8_800, 0, 0, 0]];
    let empty = contents(&t).await;
    let report = import_crm(&t, folder.clone(), true).await;
    assert_eq!(
        (counts(&report), report.refusals),
        (created.clone(), vec![])
    );
    assert_eq!(contents(&t).await, empty);

    let report = import_crm(&t, folder.clone(), false).await;
    assert_eq!((counts(&report), report.refusals), (created, vec![]));
    partners(&t).await;
    customers(&t).await;
    products(&t).await;
    deals(&t).await;
    histories(&t).await;
    // What was taken over stands in the audit trail, an event for each unit of work.
    let events =
        audit_event::Entity::find().filter(audit_event::Column::Action.eq("import.rows_taken"));
    let mut taken: BTreeMap<String, u64> = BTreeMap::new();
    for event in events.all(t.app.db().reader()).await.unwrap() {
        let entity = event.details["entity"].as_str().unwrap().to_owned();
        *taken.entry(entity).or_default() += event.details["created"].as_u64().unwrap();
    }
    let expected = [
        ("customer", 85),
        ("deal", 8_800),
        ("partner", 35),
        ("product", 7),
    ];
    let expected = expected.map(|(entity, rows)| (entity.to_owned(), rows));
    assert_eq!(taken, BTreeMap::from(expected));

    let before = contents(&t).await;
    t.advance(chrono::TimeDelta::hours(1));
    let again = import_crm(&t, folder, false).await;
    assert_eq!(
        counts(&again),
        [[0, 0, 35, 0], [0, 0, 85, 0], [0, 0, 7, 0], [0, 0, 8_800, 0]]
    );
    assert!(
        contents(&t).await == before,
        "the second import changed something"
    );
}

async fn partners(t: &TestApp) {
    let db = t.app.db().reader();
    let partners = partner::Entity::find().all(db).await.unwrap();
    assert_eq!(partners.len(), 35);
    assert!(
        partners
            .iter()
            .all(|partner| partner.status == PartnerStatus::Active)
    );
    let regions = |region| {
        partners
            .iter()
            .filter(|partner| partner.region.as_deref() == Some(region))
            .count()
    };
    assert_eq!(["Central", "East", "West"].map(regions), [11, 12, 12]);
    assert_eq!(
        partner_lifecycle_event::Entity::find()
            .count(db)
            .await
            .unwrap(),
        35
    );
}

async fn customers(t: &TestApp) {
    let customers = customer::Entity::find()
        .all(t.app.db().reader())
        .await
        .unwrap();
    let abroad = customers
        .iter()
        .filter(|customer| customer.country.as_deref() != Some("US"));
    assert_eq!((customers.len(), abroad.count()), (85, 14));
    let named = |name: &str| {
        customers
            .iter()
            .find(|customer| customer.name == name)
            .unwrap()
    };
    let linked = customers
        .iter()
        .filter(|customer| customer.parent_id.is_some());
    assert_eq!(linked.count(), 15);
    for (child, parent) in [
        ("Bluth Company", "Acme Corporation"),
        ("dambase", "Inity"),
        ("Treequote", "Sonron"),
    ] {
        assert_eq!(named(child).parent_id, Some(named(parent).id), "{child}");
    }
    assert_eq!(named("Bioholding").country.as_deref(), Some("PH"));
    assert_eq!(
        named("Acme Corporation").industry.as_deref(),
        Some("technology")
    );
    assert_eq!(named("Acme Corporation").employees, Some(2_822));
    assert!(
        customers
            .iter()
            .all(|customer| customer.industry.as_deref() != Some("technolgy"))
    );
}

async fn products(t: &TestApp) {
    let db = t.app.db().reader();
    let products = product::Entity::find()
        .order_by_asc(product::Column::Sku)
        .all(db)
        .await
        .unwrap();
    let prices: Vec<_> = products
        .iter()
        .map(|row| (row.sku.as_str(), row.list_price_minor.unwrap()))
        .collect();
    let expected = [
        ("GTK 500", 2_676_800),
        ("GTX Basic", 55_000),
        ("GTX Plus Basic", 109_600),
        ("GTX Plus Pro", 548_200),
        ("GTX Pro", 482_100),
        ("MG Advanced", 339_300),
        ("MG Special", 5_500),
    ];
    assert_eq!(prices, expected);
    assert_eq!(product_family::Entity::find().count(db).await.unwrap(), 3);
    let pro = products.iter().find(|row| row.sku == "GTX Pro").unwrap().id;
    let sold = deal_product::Entity::find().filter(deal_product::Column::ProductId.eq(pro));
    assert_eq!(sold.count(db).await.unwrap(), 1_480);
}

async fn deals(t: &TestApp) {
    let db = t.app.db().reader();
    let deals = deal::Entity::find().all(db).await.unwrap();
    let of = |status| deals.iter().filter(move |deal| deal.status == status);
    assert_eq!(deals.len(), 8_800);
    assert_eq!(
        deals
            .iter()
            .filter(|deal| deal.customer_id.is_none())
            .count(),
        1_425
    );
    assert_eq!(of(SalesStatus::Lost).count(), 2_473);
    assert_eq!(of(SalesStatus::Won).count(), 4_238);
    assert_eq!(
        of(SalesStatus::Won)
            .map(|deal| deal.value_minor)
            .sum::<i64>(),
        1_000_553_400
    );
    let darcel = partner::Entity::find().filter(partner::Column::ExternalId.eq("Darcel Schlecht"));
    let darcel = darcel.one(db).await.unwrap().unwrap().id;
    let his = of(SalesStatus::Won).filter(|deal| deal.partner_id == Some(darcel));
    assert_eq!(his.map(|deal| deal.value_minor).sum::<i64>(), 115_321_400);
    let mut sold: Vec<_> = of(SalesStatus::Won)
        .map(|deal| deal.partner_id.unwrap())
        .collect();
    sold.sort_unstable();
    sold.dedup();
    assert_eq!(sold.len(), 30);
    assert!(deals.iter().all(|deal| deal.value_minor > 0));
}

async fn histories(t: &TestApp) {
    let db = t.app.db().reader();
    let deal = deal::Entity::find()
        .filter(deal::Column::ExternalId.eq("1C1I7A6R"))
        .one(db)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(deal.name, "GTX Plus Basic for Cancity");
    assert_eq!(
        deal.closed_at.unwrap().to_string(),
        "2017-03-01 00:00:00 UTC"
    );
    let moves = deal_stage_change::Entity::find()
        .filter(deal_stage_change::Column::DealId.eq(deal.id))
        .order_by_asc(deal_stage_change::Column::Id)
        .all(db)
        .await
        .unwrap();
    let moves: Vec<_> = moves
        .iter()
        .map(|row| format!("{} {}", row.at.date_naive(), row.to_stage))
        .collect();
    assert_eq!(moves, ["2016-10-20 QUALIFIED", "2017-03-01 WON"]);
    let participants = deal_participant::Entity::find().all(db).await.unwrap();
    assert_eq!(participants.len(), 8_800);
    assert!(participants.iter().all(
        |row| (row.role, row.status) == (ParticipantRole::Sourcer, ParticipantStatus::Accepted)
    ));
    let his = participants
        .iter()
        .find(|row| row.deal_id == deal.id)
        .unwrap();
    assert_eq!(
        (
            Some(his.partner_id),
            his.accepted_at.unwrap().date_naive().to_string().as_str()
        ),
        (deal.partner_id, "2016-10-20")
    );
    // Opened 8,800 times and closed 6,711 times.
    assert_eq!(
        deal_stage_change::Entity::find().count(db).await.unwrap(),
        15_511
    );
}
