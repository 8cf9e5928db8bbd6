//! Sums have a bound of their own: far beyond that of one amount, and refused before it, by name.

use ensemble::{entity::payout, platform::money::MAX_MINOR};
use sea_orm::EntityTrait;
use serde_json::json;

use super::Realm;
use crate::{
    cases,
    deals::market::*,
    money::operator,
    support::{TestApp, export},
};

cases!(
    sums_go_beyond_the_bound_of_one_amount,
    an_account_that_would_exceed_its_bound_is_refused_by_name,
);

async fn sums_go_beyond_the_bound_of_one_amount(t: TestApp) {
    let realm = Realm::open(&t, market(&t).await).await;
    let seller = realm.seller("Alpha").await;
    // Each pays a tenth, three quarters of it at once.
    for _ in 0..14 {
        realm.win(&seller, MAX_MINOR).await;
    }
    let at_once = MAX_MINOR / 10 * 3 / 4 * 14;
    assert!(at_once > MAX_MINOR);
    assert_eq!(realm.balance(seller.partner).await.accrued, at_once);
    realm.pay().await;
    let paid = payout::Entity::find()
        .all(t.app.db().reader())
        .await
        .unwrap();
    assert_eq!(
        paid.iter().map(|row| row.amount_minor).collect::<Vec<_>>(),
        [at_once]
    );
}

async fn an_account_that_would_exceed_its_bound_is_refused_by_name(t: TestApp) {
    t.leaves_books_altered();
    let realm = Realm::open(&t, market(&t).await).await;
    let seller = realm.seller("Alpha").await;
    realm.win(&seller, 100_000).await;
    let deal = realm.deal(&seller, 100_000).await;
    let almost =
        "UPDATE ledger_account SET balance_minor = -3999999999999999999 WHERE kind = 'ACCRUED'";
    assert_eq!(operator(&t, almost).await, Ok(1));
    t.settle().await;
    let db = t.app.db().maintenance();
    let before = export::normalised(db).await;
    let refused = on_deal(&t, &realm.manager, "dealWin", json!({ "dealId": deal })).await;
    assert_eq!(refused.refusals("dealWin"), ["LIMIT_REACHED"]);
    let message = refused.text("dealWin/userErrors/0/message");
    assert_eq!(
        message,
        "The ledger account ACCRUED of Alpha holds 39999999999999999.99 USD and cannot exceed 40000000000000000.00 USD."
    );
    assert_eq!(export::normalised(db).await, before);
}
