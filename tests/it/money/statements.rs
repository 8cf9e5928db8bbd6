//! Statements: what is carried, what is paid, and that the table sums to the closing balance.

use ensemble::{
    entity::ids::PartnerId,
    incentives::statement::{self, Period, Span, Subject, Sums},
    platform::money::Currency,
    programs::calendar,
};

use super::{Books, at, day, earned};
use crate::{cases, support::TestApp};

cases!(
    an_amount_below_the_minimum_is_carried_and_paid_later,
    the_table_sums_to_the_closing_balance
);

async fn subject(t: &TestApp, partner: PartnerId, start: &str, end: &str) -> Subject {
    let calendar = calendar::load(t.app.db().reader()).await.unwrap();
    Subject {
        partner,
        span: Span {
            currency: Currency::USD,
            period: Period::days(&calendar, day(start), day(end)).unwrap(),
        },
    }
}

async fn sums(t: &TestApp, partner: PartnerId, start: &str, end: &str) -> Sums {
    let span = subject(t, partner, start, end).await.span;
    let sums = statement::sums(t.app.db().reader(), &[partner], &span).await;
    sums.unwrap()[&partner]
}

/// Earned 1,428.57 in January, 357.14 taken back; 600.00 more in February. The minimum payment is 1,500.00.
async fn carried(t: &TestApp) -> (Books, PartnerId) {
    let books = Books::open(t, 150_000).await;
    let partner = books.partner("Alpha").await;
    t.clock.set(at("2026-01-31T12:00:00Z"));
    let deal = books
        .win("2026-01-05T08:00:00Z", &[earned(partner, 142_857)])
        .await;
    books
        .refund(
            deal,
            "2026-01-31T11:00:00Z",
            2_500_000,
            &[(partner, 35_714)],
        )
        .await;
    (books, partner)
}

async fn an_amount_below_the_minimum_is_carried_and_paid_later(t: TestApp) {
    let (books, partner) = carried(&t).await;
    let january = books.pay("2026-01-01", "2026-01-31").await;
    assert_eq!(books.paid(&january, &[partner]).await, [None]);
    let first = Sums {
        opening: 0,
        earned: 142_857,
        adjustments: -35_714,
        paid: 0,
    };
    assert_eq!(sums(&t, partner, "2026-01-01", "2026-01-31").await, first);
    assert_eq!(first.closing(), 107_143);
    assert_eq!(books.balance(partner).await.open(), 107_143);
    t.clock.set(at("2026-02-28T12:00:00Z"));
    books
        .win("2026-02-10T08:00:00Z", &[earned(partner, 60_000)])
        .await;
    let february = books.pay("2026-02-01", "2026-02-28").await;
    assert_eq!(books.paid(&february, &[partner]).await, [Some(167_143)]);
    let second = Sums {
        opening: 107_143,
        earned: 60_000,
        adjustments: 0,
        paid: 167_143,
    };
    assert_eq!(sums(&t, partner, "2026-02-01", "2026-02-28").await, second);
    assert_eq!(
        (second.closing(), books.balance(partner).await.open()),
        (0, 0)
    );
    assert_eq!(sums(&t, partner, "2026-01-01", "2026-01-31").await, first);
    let whole = sums(&t, partner, "2026-01-01", "2026-02-28").await;
    assert_eq!(
        whole,
        Sums {
            opening: 0,
            earned: 202_857,
            adjustments: -35_714,
            paid: 167_143
        }
    );
    t.settle().await;
}

async fn the_table_sums_to_the_closing_balance(t: TestApp) {
    let (books, partner) = carried(&t).await;
    let other = books.partner("Beta").await;
    t.clock.set(at("2026-02-28T12:00:00Z"));
    books
        .win(
            "2026-02-10T08:00:00Z",
            &[earned(partner, 60_000), earned(other, 1)],
        )
        .await;
    books.pay("2026-02-01", "2026-02-28").await;
    let february = subject(&t, partner, "2026-02-01", "2026-02-28").await;
    let table = statement::file(t.app.db().reader(), &february)
        .await
        .unwrap();
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    assert_eq!(
        reader.headers().unwrap(),
        ["date", "type", "reference", "name", "amount", "currency"].as_slice()
    );
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let column = |row: &csv::StringRecord, index: usize| row.get(index).unwrap().to_owned();
    let shown: Vec<_> = rows
        .iter()
        .map(|row| (column(row, 0), column(row, 1), column(row, 4)))
        .collect();
    let expected = [
        ("2026-02-01T00:00:00Z", "OPENING", "1071.43"),
        ("2026-02-10T08:00:00Z", "EARNED", "600.00"),
        ("2026-02-28T12:00:00Z", "PAYMENT", "-1671.43"),
    ];
    assert_eq!(
        shown,
        expected.map(|(at, kind, amount)| (at.to_owned(), kind.to_owned(), amount.to_owned()))
    );
    assert_eq!(column(&rows[1], 3), "'=HYPERLINK(evil)");
    let january = subject(&t, partner, "2026-01-01", "2026-01-31").await;
    let january = statement::file(t.app.db().reader(), &january)
        .await
        .unwrap();
    let amounts = csv::Reader::from_reader(january.as_bytes())
        .into_records()
        .map(|row| column(&row.unwrap(), 4))
        .collect::<Vec<_>>();
    assert_eq!(amounts, ["0.00", "1428.57", "-357.14"]);
    t.settle().await;
}
