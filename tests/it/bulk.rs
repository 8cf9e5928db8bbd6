//! Made-up data of any size: exact, the same for the same arguments, and sound.

use std::fmt::Write as _;

use ensemble::{
    entity::{
        accrual, customer, customer_block_key,
        deal::{self, SalesStatus},
        deal_participant, deal_product, deal_stage_change, enrollment, incentive_plan, partner,
        partner_attribute, partner_lifecycle_event, product, product_family, program,
        program_version, touchpoint,
        user::{self, Role},
    },
    error::Code,
    seeds::bulk::{self, Made, Scale},
};
use sea_orm::{
    ColumnTrait, EntityTrait, Iterable, PaginatorTrait, PrimaryKeyToColumn, QueryFilter, QueryOrder,
};
use serde_json::json;

use crate::{cases, support::TestApp};

cases!(
    as_much_is_made_as_was_asked_for,
    the_same_arguments_give_the_same_data,
    another_seed_gives_other_data,
    the_api_reads_what_was_made,
    a_database_that_holds_something_is_left_alone
);

const SCALE: Scale = Scale {
    partners: 50,
    deals: 500,
    touchpoints_per_deal: 7,
    won_percent: 50,
    seed: 1,
    commission: true,
};

async fn make(t: &TestApp, scale: Scale) -> Made {
    bulk::load(&t.app, scale, false).await.unwrap()
}

async fn count<E: EntityTrait>(t: &TestApp) -> u64
where
    E::Model: Send + Sync,
{
    E::find().count(t.app.db().reader()).await.unwrap()
}

async fn deals(t: &TestApp, status: SalesStatus) -> u64 {
    let of_status = deal::Entity::find().filter(deal::Column::Status.eq(status));
    of_status.count(t.app.db().reader()).await.unwrap()
}

async fn as_much_is_made_as_was_asked_for(t: TestApp) {
    let made = make(&t, SCALE).await;
    let won = deals(&t, SalesStatus::Won).await;
    assert_eq!(
        made,
        Made {
            partners: 50,
            customers: 250,
            deals: 500,
            touchpoints: 3_500,
            commission_lines: won * 3,
        }
    );
    assert_eq!(count::<partner::Entity>(&t).await, 50);
    assert_eq!(count::<enrollment::Entity>(&t).await, 50);
    assert_eq!(count::<user::Entity>(&t).await, 25 + 50);
    assert_eq!(count::<customer::Entity>(&t).await, 250);
    assert_eq!(count::<deal::Entity>(&t).await, 500);
    assert_eq!(count::<deal_product::Entity>(&t).await, 500);
    assert_eq!(count::<deal_participant::Entity>(&t).await, 1_500);
    assert_eq!(count::<touchpoint::Entity>(&t).await, 3_500);
    assert_eq!(count::<accrual::Entity>(&t).await, won * 3);
    let (open, lost) = (
        deals(&t, SalesStatus::Open).await,
        deals(&t, SalesStatus::Lost).await,
    );
    assert_eq!([open, won, lost], [150, 241, 109]);
}

async fn the_same_arguments_give_the_same_data(t: TestApp) {
    let again = t.another().await;
    make(&t, SCALE).await;
    make(&again, SCALE).await;
    let made = contents(&t).await;
    assert!(made.len() > 500_000);
    assert!(made == contents(&again).await, "the data differs");
}

async fn another_seed_gives_other_data(t: TestApp) {
    let other = t.another().await;
    let few = Scale {
        partners: 5,
        deals: 10,
        ..SCALE
    };
    make(&t, few).await;
    make(&other, Scale { seed: 2, ..few }).await;
    let dealt = async |t: &TestApp| rows::<deal::Entity>(t).await;
    let (ours, theirs) = (dealt(&t).await, dealt(&other).await);
    assert_eq!((ours.len(), theirs.len()), (10, 10));
    assert!(
        ours.iter()
            .zip(&theirs)
            .all(|(ours, theirs)| ours.id != theirs.id)
    );
    assert!(
        ours.iter()
            .zip(&theirs)
            .any(|(ours, theirs)| ours.value_minor != theirs.value_minor)
    );
}

/// Every row that was made, and what the rules made of it: what the batch computes has ids of its own minting.
async fn contents(t: &TestApp) -> String {
    let mut text = String::new();
    table::<program::Entity>(t, &mut text).await;
    table::<program_version::Entity>(t, &mut text).await;
    table::<incentive_plan::Entity>(t, &mut text).await;
    table::<partner::Entity>(t, &mut text).await;
    table::<partner_attribute::Entity>(t, &mut text).await;
    table::<partner_lifecycle_event::Entity>(t, &mut text).await;
    table::<enrollment::Entity>(t, &mut text).await;
    table::<customer::Entity>(t, &mut text).await;
    table::<customer_block_key::Entity>(t, &mut text).await;
    table::<product_family::Entity>(t, &mut text).await;
    table::<product::Entity>(t, &mut text).await;
    table::<deal::Entity>(t, &mut text).await;
    table::<deal_product::Entity>(t, &mut text).await;
    table::<deal_participant::Entity>(t, &mut text).await;
    table::<deal_stage_change::Entity>(t, &mut text).await;
    table::<touchpoint::Entity>(t, &mut text).await;
    for mut row in rows::<user::Entity>(t).await {
        // Salted anew each time.
        row.password_hash = None;
        writeln!(text, "{row:?}").unwrap();
    }
    let mut lines: Vec<String> = rows::<accrual::Entity>(t)
        .await
        .iter()
        .map(|row| {
            format!(
                "{} {} {:?} {} {} {}",
                row.deal_id,
                row.partner_id,
                row.kind,
                row.amount_minor,
                row.earned_at,
                row.created_at
            )
        })
        .collect();
    lines.sort_unstable();
    text.push_str(&lines.join("\n"));
    text
}

async fn rows<E: EntityTrait>(t: &TestApp) -> Vec<E::Model>
where
    E::Model: Sync,
{
    let keys = E::PrimaryKey::iter().map(PrimaryKeyToColumn::into_column);
    let ordered = keys.fold(E::find(), |rows, key| rows.order_by_asc(key));
    ordered.all(t.app.db().reader()).await.unwrap()
}

async fn table<E: EntityTrait>(t: &TestApp, text: &mut String)
where
    E::Model: Sync,
{
    for row in rows::<E>(t).await {
        writeln!(text, "{row:?}").unwrap();
    }
}

async fn the_api_reads_what_was_made(t: TestApp) {
    make(&t, SCALE).await;
    let auditor = t.vendor(Role::Auditor).await;
    let page = t
        .ask(
            &auditor,
            "{ deals(first: 20, filter: {status: WON}) { totalCount nodes { value { amount } participants { role status partner { displayName } }
               accruals(first: 10) { nodes { kind amount { amount currency } } } } } }",
            json!({}),
        )
        .await;
    assert_eq!(page.at("deals/totalCount"), 241);
    assert_eq!(page.count("deals/nodes"), 20);
    for place in 0..20 {
        let at = |field: &str| format!("deals/nodes/{place}/{field}");
        let roles: Vec<_> = (0..3)
            .map(|participant| page.text(&at(&format!("participants/{participant}/role"))))
            .collect();
        assert_eq!(roles, ["SOURCER", "RESELLER", "IMPLEMENTER"]);
        // Ten percent of the value, rounded half to even, and not a cent more or less.
        let cents = |text: String| text.replace('.', "").parse::<i64>().unwrap();
        let (value, mut paid) = (cents(page.text(&at("value/amount"))), 0);
        for line in 0..page.count(&at("accruals/nodes")) {
            let line = |field: &str| page.text(&at(&format!("accruals/nodes/{line}/{field}")));
            assert_eq!(line("kind"), "EARNED");
            paid += cents(line("amount/amount"));
        }
        assert!((value - paid * 10).abs() <= 5, "{value} and {paid}");
    }
}

async fn a_database_that_holds_something_is_left_alone(t: TestApp) {
    t.admin().await;
    let refused = bulk::load(&t.app, SCALE, false).await.unwrap_err();
    assert_eq!(refused.code(), Code::BadUserInput);
    assert_eq!(count::<partner::Entity>(&t).await, 0);
    assert_eq!(count::<program::Entity>(&t).await, 0);
    assert_eq!(count::<user::Entity>(&t).await, 1);
}
