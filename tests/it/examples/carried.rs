//! A statement whose closing is below the smallest payment, carried into the next month and paid there.

use chrono::TimeDelta;
use serde_json::json;

use super::{House, amount, statement, sum, sums, ten_percent};
use crate::{cases, support::TestApp};

cases!(
    a_closing_below_the_smallest_payment_is_paid_with_the_next,
    a_statement_is_read_by_its_own_partner_only,
);

const MARCH: (&str, &str) = ("2026-03-01", "2026-03-31");
const APRIL: (&str, &str) = ("2026-04-01", "2026-04-30");

/// In March 1,428.57 earned and a quarter of it taken back; a run at the end of the month, from 1,500.00 on.
async fn march(t: &TestApp) -> House {
    let smallest = json!({ "minimumPayout": [{ "amount": "1500.00", "currency": "USD" }] });
    let house = House::open(t, smallest).await;
    house.plan(ten_percent()).await;
    let deal = house.won("100000.00").await;
    t.advance(TimeDelta::days(20));
    house.refund(&deal, "25000.00").await;
    t.clock.set("2026-03-31T18:00:00Z".parse().unwrap());
    house.pay(MARCH.0, MARCH.1).await;
    house
}

async fn a_closing_below_the_smallest_payment_is_paid_with_the_next(t: TestApp) {
    let house = march(&t).await;
    let nora = &house.partners[0];
    let first = statement(&t, &nora.own, nora, MARCH.0, MARCH.1).await;
    let carried = ["0.00", "1428.57", "-357.14", "0.00", "1071.43"];
    assert_eq!(sums(&first), carried);
    assert_eq!(rows(&first.text("partner/statement/csv")), {
        let rows = [
            ("OPENING", "0.00"),
            ("EARNED", "1428.57"),
            ("CLAWBACK", "-357.14"),
        ];
        rows.map(|(kind, amount)| (kind.to_owned(), amount.to_owned()))
    });

    // 600.00 more in April: a seventh of ten percent of 42,000.00.
    t.clock.set("2026-04-10T09:00:00Z".parse().unwrap());
    house.won("42000.00").await;
    t.clock.set("2026-04-30T18:00:00Z".parse().unwrap());
    house.pay(APRIL.0, APRIL.1).await;
    let second = statement(&t, &nora.own, nora, APRIL.0, APRIL.1).await;
    assert_eq!(
        sums(&second),
        ["1071.43", "600.00", "0.00", "1671.43", "0.00"]
    );
    assert_eq!(rows(&second.text("partner/statement/csv")), {
        let rows = [
            ("OPENING", "1071.43"),
            ("EARNED", "600.00"),
            ("PAYMENT", "-1671.43"),
        ];
        rows.map(|(kind, amount)| (kind.to_owned(), amount.to_owned()))
    });
    // What was told about March stays.
    let again = statement(&t, &nora.own, nora, MARCH.0, MARCH.1).await;
    assert_eq!(sums(&again), carried);
    for (answer, closing) in [(&first, "1071.43"), (&second, "0.00")] {
        let csv = rows(&answer.text("partner/statement/csv"));
        let told = csv.iter().map(|(_, amount)| amount.as_str());
        assert_eq!(sum(told), amount(closing));
    }
    assert_eq!(
        house.balances().await[0],
        ["0.00", "0.00", "0.00", "0.00", "1671.43", "0.00"]
    );
}

async fn a_statement_is_read_by_its_own_partner_only(t: TestApp) {
    let house = march(&t).await;
    let [_, beta, gamma] = &house.partners;
    let own = statement(&t, &beta.own, beta, MARCH.0, MARCH.1).await;
    assert_eq!(
        sums(&own),
        ["0.00", "2857.14", "-714.29", "2142.85", "0.00"]
    );
    let foreign = statement(&t, &gamma.own, beta, MARCH.0, MARCH.1).await;
    assert_eq!(foreign.error(), "NOT_FOUND");
    let told = foreign.json.to_string();
    assert!(
        !told.contains("2857") && !told.contains(beta.name),
        "{told}"
    );
}

/// Type and amount of each row of the table.
fn rows(csv: &str) -> Vec<(String, String)> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let rows = reader.records().map(|row| {
        let row = row.unwrap();
        (row[1].to_owned(), row[4].to_owned())
    });
    rows.collect()
}
