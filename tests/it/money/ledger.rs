//! The ledger: every transaction once, nothing changed afterwards, and who may read it.

use ensemble::{
    entity::{
        ids::{DealId, LedgerTransactionId, PartnerId},
        ledger_account::{self, LedgerAccountKind},
        ledger_entry,
        ledger_transaction::{self, LedgerTransactionKind},
        user::Role,
    },
    error::{Code, Error},
    ledger::{
        Posting,
        post::{self, NewTransaction},
        reverse, rules,
    },
    platform::{
        ids::{self, TypedId},
        money::Currency,
    },
};
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::json;

use super::{Books, at, earned, operator};
use crate::{cases, support::TestApp};

cases!(
    a_transaction_is_posted_once,
    other_content_under_the_same_key_is_a_fault,
    postings_that_do_not_balance_are_refused,
    thousands_are_posted_in_one_go,
    parallel_postings_lose_nothing,
    a_transaction_is_reversed_once,
    rows_cannot_be_changed_or_deleted,
    finance_reads_all_accounts_and_a_partner_its_own,
);

fn commission(partner: PartnerId, key: &str, amount: i64) -> NewTransaction {
    NewTransaction {
        kind: LedgerTransactionKind::Commission,
        key: key.to_owned(),
        subject_type: DealId::PREFIX,
        subject_id: partner.uuid(),
        effective_at: at("2026-02-28T23:59:59Z"),
        currency: Currency::USD,
        postings: rules::won(partner.uuid(), amount, 0).unwrap(),
    }
}

/// These postings have no commission lines behind them, so the check after the test would rightly complain.
fn unbacked(t: &TestApp) {
    t.leaves_books_altered();
}

async fn posted(
    t: &TestApp,
    transactions: Vec<NewTransaction>,
) -> Result<Vec<LedgerTransactionId>, Error> {
    t.write(move |tx| {
        let transactions = transactions.clone();
        Box::pin(async move { post::post(tx, transactions).await })
    })
    .await
}

async fn entries(t: &TestApp) -> u64 {
    ledger_entry::Entity::find()
        .count(t.app.db().reader())
        .await
        .unwrap()
}

async fn a_transaction_is_posted_once(t: TestApp) {
    unbacked(&t);
    let books = Books::open(&t, 0).await;
    let partner = books.partner("Alpha").await;
    let first = posted(&t, vec![commission(partner, "one", 100)])
        .await
        .unwrap();
    let mut reordered = commission(partner, "one", 100);
    reordered.postings.reverse();
    reordered.postings.push(Posting {
        account: LedgerAccountKind::Held,
        owner: Some(partner.uuid()),
        amount_minor: 0,
    });
    let again = posted(
        &t,
        vec![
            commission(partner, "two", 5),
            reordered,
            commission(partner, "two", 5),
        ],
    )
    .await
    .unwrap();
    assert_eq!((again[1], again[0]), (first[0], again[2]));
    assert_eq!(entries(&t).await, 4);
    let balance = books.balance(partner).await;
    assert_eq!(balance.accrued, 105);
    let row = ledger_transaction::Entity::find_by_id(first[0])
        .one(t.app.db().reader())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (row.period.as_str(), row.effective_at),
        ("2026-02", at("2026-02-28T23:59:59Z"))
    );
}

async fn other_content_under_the_same_key_is_a_fault(t: TestApp) {
    unbacked(&t);
    let books = Books::open(&t, 0).await;
    let partner = books.partner("Alpha").await;
    posted(&t, vec![commission(partner, "one", 100)])
        .await
        .unwrap();
    let refused = posted(
        &t,
        vec![
            commission(partner, "two", 7),
            commission(partner, "one", 101),
        ],
    )
    .await;
    assert!(matches!(refused, Err(Error::Internal(_))), "{refused:?}");
    assert_eq!(entries(&t).await, 2);
    assert_eq!(books.balance(partner).await.accrued, 100);
}

async fn postings_that_do_not_balance_are_refused(t: TestApp) {
    let books = Books::open(&t, 0).await;
    let partner = books.partner("Alpha").await;
    let posting = |account, amount_minor| Posting {
        account,
        owner: None,
        amount_minor,
    };
    let lopsided = vec![
        posting(LedgerAccountKind::Cash, 1),
        posting(LedgerAccountKind::CommissionExpense, -2),
    ];
    let huge = ensemble::platform::money::MAX_SUM + 1;
    let beyond = vec![
        posting(LedgerAccountKind::Cash, huge),
        posting(LedgerAccountKind::CommissionExpense, -huge),
    ];
    let nothing = vec![posting(LedgerAccountKind::Cash, 0)];
    for postings in [lopsided, beyond, nothing, Vec::new()] {
        let refused = posted(
            &t,
            vec![NewTransaction {
                postings,
                ..commission(partner, "one", 1)
            }],
        )
        .await;
        assert!(matches!(refused, Err(Error::Internal(_))), "{refused:?}");
    }
    assert_eq!(
        ledger_account::Entity::find()
            .count(t.app.db().reader())
            .await
            .unwrap(),
        0
    );
}

async fn thousands_are_posted_in_one_go(t: TestApp) {
    unbacked(&t);
    let books = Books::open(&t, 0).await;
    let partner = books.partner("Alpha").await;
    let many: Vec<_> = (1..=1_201)
        .map(|n| commission(partner, &format!("deal:{n}"), n))
        .collect();
    let posted_ids = posted(&t, many.clone()).await.unwrap();
    assert_eq!(posted(&t, many).await.unwrap(), posted_ids);
    assert_eq!(entries(&t).await, 2_402);
    assert_eq!(books.balance(partner).await.accrued, 1_201 * 1_202 / 2);
}

async fn parallel_postings_lose_nothing(t: TestApp) {
    unbacked(&t);
    let books = Books::open(&t, 0).await;
    let (a, b) = (books.partner("Alpha").await, books.partner("Beta").await);
    let racers = (0..20).map(|n| {
        let t = t.clone();
        // Half of them name the partners the other way round.
        let (one, two) = if n % 2 == 0 { (a, b) } else { (b, a) };
        tokio::spawn(async move {
            posted(
                &t,
                vec![
                    commission(one, &format!("{n}:1"), 10),
                    commission(two, &format!("{n}:2"), 10),
                ],
            )
            .await
            .unwrap()
        })
    });
    for racer in racers.collect::<Vec<_>>() {
        racer.await.unwrap();
    }
    assert_eq!(
        (
            books.balance(a).await.accrued,
            books.balance(b).await.accrued
        ),
        (200, 200)
    );
    assert_eq!(entries(&t).await, 80);
}

async fn a_transaction_is_reversed_once(t: TestApp) {
    let books = Books::open(&t, 0).await;
    let partner = books.partner("Alpha").await;
    let id = posted(&t, vec![commission(partner, "one", 100)])
        .await
        .unwrap()[0];
    let undo = |id, reason: &'static str| {
        t.write(move |tx| Box::pin(async move { reverse::reverse(tx, id, reason).await }))
    };
    assert_eq!(
        undo(id, " ").await.unwrap_err().code(),
        Code::ReasonRequired
    );
    let reversal = undo(id, "posted by mistake").await.unwrap();
    assert_eq!(books.balance(partner).await.accrued, 0);
    let row = ledger_transaction::Entity::find_by_id(reversal)
        .one(t.app.db().reader())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (row.reverses_id, row.kind, row.period.as_str()),
        (Some(id), LedgerTransactionKind::Reversal, "2026-03")
    );
    assert_eq!(
        undo(id, "again").await.unwrap_err().code(),
        Code::IllegalTransition
    );
    assert_eq!(
        undo(reversal, "back").await.unwrap_err().code(),
        Code::IllegalTransition
    );
    let unknown = LedgerTransactionId::of(ids::mint(t.app.clock().now()));
    assert_eq!(
        undo(unknown, "nothing").await.unwrap_err().code(),
        Code::NotFound
    );
    assert_eq!(entries(&t).await, 4);
}

async fn rows_cannot_be_changed_or_deleted(t: TestApp) {
    let books = Books::open(&t, 0).await;
    let partner = books.partner("Alpha").await;
    books
        .win("2026-03-01T08:00:00Z", &[earned(partner, 100)])
        .await;
    for sql in [
        "UPDATE ledger_entry SET amount_minor = amount_minor + 1",
        "DELETE FROM ledger_entry",
        "UPDATE ledger_transaction SET kind = 'CLAWBACK'",
        "DELETE FROM ledger_transaction",
        "UPDATE accrual SET amount_minor = amount_minor + 1",
        "DELETE FROM accrual",
    ] {
        let refused = operator(&t, sql).await.unwrap_err();
        assert!(refused.contains("append-only"), "{sql}: {refused}");
    }
}

async fn finance_reads_all_accounts_and_a_partner_its_own(t: TestApp) {
    let books = Books::open(&t, 0).await;
    let (a, b) = (books.partner("Alpha").await, books.partner("Beta").await);
    books
        .win(
            "2026-03-01T08:00:00Z",
            &[earned(a, 142_857), earned(b, 285_714)],
        )
        .await;
    let own = t.person(Role::PartnerManager, Some(a)).await;
    let list = "{ ledgerAccounts { totalCount nodes { kind currency balance { amount } entries { nodes { amount { amount } transaction { kind subject effectiveAt } } } } } }";
    let all = t.ask(&books.maker, list, json!({})).await;
    assert_eq!(all.at("ledgerAccounts/totalCount"), 3);
    let seen = t.ask(&own, list, json!({})).await;
    assert_eq!(seen.at("ledgerAccounts/totalCount"), 1);
    assert_eq!(seen.text("ledgerAccounts/nodes/0/kind"), "ACCRUED");
    assert_eq!(
        seen.text("ledgerAccounts/nodes/0/balance/amount"),
        "1428.57"
    );
    assert_eq!(
        seen.text("ledgerAccounts/nodes/0/entries/nodes/0/amount/amount"),
        "1428.57"
    );
    let transaction = "ledgerAccounts/nodes/0/entries/nodes/0/transaction";
    assert_eq!(seen.text(&format!("{transaction}/kind")), "COMMISSION");
    assert_eq!(
        seen.text(&format!("{transaction}/effectiveAt")),
        "2026-03-01T08:00:00Z"
    );
    assert!(
        seen.text(&format!("{transaction}/subject"))
            .starts_with("deal_")
    );
    let filtered = "query($p: ID!) { ledgerAccounts(filter: {partnerId: $p, kind: ACCRUED, currency: \"USD\"}) { totalCount } }";
    assert_eq!(
        t.ask(&books.maker, filtered, json!({ "p": b.text() }))
            .await
            .at("ledgerAccounts/totalCount"),
        1
    );
    assert_eq!(
        t.ask(&own, filtered, json!({ "p": b.text() }))
            .await
            .at("ledgerAccounts/totalCount"),
        0
    );
    for role in [Role::AllianceManager, Role::Executive] {
        let person = t.vendor(role).await;
        assert_eq!(t.ask(&person, list, json!({})).await.error(), "FORBIDDEN");
    }
    let member = t.person(Role::PartnerMember, Some(a)).await;
    assert_eq!(t.ask(&member, list, json!({})).await.error(), "FORBIDDEN");
}
