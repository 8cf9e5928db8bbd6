//! What was booked is compared with what the rules give for the facts as they are stored.

use ensemble::{
    entity::{
        accrual::{self, AccrualKind},
        attribution_run::AttributionModel,
        deal_participant::ParticipantRole,
        deal_product,
        ids::{DealId, ProductFamilyId, ProductId},
        ledger_transaction::LedgerTransactionKind,
        product, product_family,
    },
    ledger::{
        post::{self, NewTransaction},
        rules,
    },
    platform::ids::{self, TypedId},
    verify,
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};
use serde_json::json;

use super::World;
use crate::{cases, support::TestApp};

cases!(
    what_a_deal_earned_is_exactly_what_the_rules_give,
    a_product_that_moves_to_another_family_changes_nothing_that_was_booked,
);

const EXACT: &str =
    "every deal with credit earned and gave back exactly what its plans and its credit say";

async fn broken(t: &TestApp) -> Vec<(&'static str, Vec<String>)> {
    let report = verify::verify(t.app.db().reader()).await.unwrap();
    let broken = report.findings.into_iter();
    broken
        .filter(|finding| !finding.offenders.is_empty())
        .map(|finding| (finding.promise, finding.offenders))
        .collect()
}

/// A deal with a product of the family and one without, each won with a sourcer under ten percent and a bonus of 250.00 for
/// the family.
async fn sold(w: &World) -> (String, DealId, DealId, ProductId) {
    let (family, product) = (
        ProductFamilyId::of(ids::mint(w.now())),
        ProductId::of(ids::mint(w.now())),
    );
    let row = product_family::Model {
        id: family,
        code: "BACKUP".to_owned(),
        name: "Backup".to_owned(),
        created_at: w.now(),
    };
    w.insert(row.into_active_model()).await;
    w.insert(product::ActiveModel {
        id: Set(product),
        sku: Set("BK-1".to_owned()),
        name: Set("Backup One".to_owned()),
        family_id: Set(family),
        version: Set(1),
        created_at: Set(w.now()),
        updated_at: Set(w.now()),
        ..Default::default()
    })
    .await;
    let plan = json!({"name": "Both", "currency": "USD", "clawbackDays": 90, "components": [
        {"kind": "REFERRAL_FEE", "ratePercent": "10"},
        {"kind": "SPIFF", "flatAmount": "250.00", "productFamily": "BACKUP"}]});
    let plan = w.plan(plan).await;
    let sourcer = w.partner("Alpha").await;
    let (with, without) = (
        w.deal(10_000_000, "USD").await,
        w.deal(10_000_000, "USD").await,
    );
    w.insert(deal_product::ActiveModel {
        deal_id: Set(with),
        product_id: Set(product),
        quantity: Set(1),
    })
    .await;
    w.t.advance(chrono::TimeDelta::minutes(5));
    for deal in [with, without] {
        w.join(deal, sourcer, ParticipantRole::Sourcer, 30).await;
        w.win(deal).await;
    }
    (plan, with, without, product)
}

async fn lines(t: &TestApp, deal: DealId) -> Vec<accrual::Model> {
    let of_deal = accrual::Entity::find().filter(accrual::Column::DealId.eq(deal));
    of_deal.all(t.app.db().reader()).await.unwrap()
}

/// One more line like another one, booked as Ensemble books lines, with fingerprint and entries.
async fn booked(t: &TestApp, like: &accrual::Model, change: fn(&mut accrual::Model)) {
    let mut row = like.clone();
    change(&mut row);
    t.write(move |tx| {
        let mut row = row.clone();
        Box::pin(async move {
            row.id = tx.id();
            let (earned, back) = (row.amount_minor.max(0), (-row.amount_minor).max(0));
            let partner = row.partner_id.uuid();
            let postings = match row.kind {
                AccrualKind::Clawback => rules::clawed_back(partner, back),
                _ => rules::won(partner, earned, 0),
            };
            let posted = NewTransaction {
                kind: LedgerTransactionKind::Commission,
                key: format!("more:{}", row.id),
                subject_type: DealId::PREFIX,
                subject_id: row.deal_id.uuid(),
                effective_at: row.earned_at,
                currency: row.currency,
                postings: postings.unwrap(),
            };
            tx.insert(row.into_active_model()).await?;
            post::post(tx, vec![posted]).await.map(|_| ())
        })
    })
    .await
    .unwrap();
}

async fn what_a_deal_earned_is_exactly_what_the_rules_give(t: TestApp) {
    t.leaves_books_altered();
    let w = World::paying_by(&t, AttributionModel::Linear).await;
    let (plan, with, without, _) = sold(&w).await;
    w.refund(with, 2_500_000).await;
    w.refund(with, 1_000_000).await;
    assert_eq!(broken(&t).await, []);
    // The bonus for a deal that holds no product of its family: within every pool and every part.
    let fee = lines(&t, without).await.remove(0);
    booked(&t, &fee, |row| {
        row.component = 1;
        row.amount_minor = 25_000;
        row.pool_minor = 25_000;
    })
    .await;
    let bonus = format!(
        "{without} under {plan}: Earned of 25000 minor units of component 1 for {} is booked and not due",
        fee.partner_id
    );
    assert_eq!(broken(&t).await, [(EXACT, vec![bonus.clone()])]);
    // A cent more is taken back than the refunds take.
    let taken = lines(&t, with).await;
    let taken = taken
        .iter()
        .find(|row| row.kind == AccrualKind::Clawback && row.component == 0);
    booked(&t, taken.unwrap(), |row| {
        row.amount_minor = -1;
        row.available_at += chrono::TimeDelta::seconds(1);
    })
    .await;
    let back = format!("{with} gave back 350001 minor units of component 0 of {plan}, not 350000");
    let found = broken(&t).await;
    assert_eq!(found.len(), 1, "{found:?}");
    let mut offenders = found[0].1.clone();
    offenders.sort();
    let mut expected = vec![back, bonus];
    expected.sort();
    assert_eq!((found[0].0, offenders), (EXACT, expected));
}

async fn a_product_that_moves_to_another_family_changes_nothing_that_was_booked(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::Linear).await;
    let (_, with, _, product) = sold(&w).await;
    assert_eq!(w.amounts(with, "EARNED").await, ["250.00", "10000.00"]);
    t.advance(chrono::TimeDelta::minutes(5));
    let other = product_family::Model {
        id: ProductFamilyId::of(ids::mint(w.now())),
        code: "STORAGE".to_owned(),
        name: "Storage".to_owned(),
        created_at: w.now(),
    };
    w.insert(other.clone().into_active_model()).await;
    let at = w.now();
    t.write(move |tx| {
        let family = other.id;
        Box::pin(async move {
            let moved = product::ActiveModel {
                id: Set(product),
                family_id: Set(family),
                updated_at: Set(at),
                ..Default::default()
            };
            product::Entity::update(moved).exec(tx).await?;
            Ok(())
        })
    })
    .await
    .unwrap();
    assert_eq!(broken(&t).await, []);
}
