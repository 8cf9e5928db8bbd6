//! What a change asks of the database, in statements between BEGIN and COMMIT and for its payload.

use ensemble::entity::ids::PartnerId;

use crate::{
    cases,
    deals::market::{claim, gold, market, submit},
    money::{Books, earned},
    support::TestApp,
};

cases!(
    a_submission_takes_the_same_few_statements_whoever_else_is_there,
    a_payout_run_takes_as_many_statements_for_twenty_partners_as_for_two,
);

async fn a_submission_takes_the_same_few_statements_whoever_else_is_there(t: TestApp) {
    let market = market(&t).await;
    let seller = gold(&t, market, "Northwind").await;
    let other = gold(&t, market, "Evergreen").await;
    let mut taken = Vec::new();
    for name in [
        "Blue Fjord",
        "Blue Fjords",
        "Blue Fjord Foods",
        "Blue Fiord",
    ] {
        t.statements();
        submit(&t, &other.manager, claim(market.router, name, None))
            .await
            .done("dealRegistrationSubmit");
        taken.push(t.statements().len());
    }
    t.statements();
    let answer = submit(
        &t,
        &seller.manager,
        claim(market.router, "Blue Fjordd", None),
    )
    .await;
    assert_eq!(
        answer.at("dealRegistrationSubmit/dealRegistration/conflict/outcome"),
        "POSSIBLE_CONFLICT"
    );
    taken.push(t.statements().len());
    assert_eq!(taken, [19; 5]);
}

async fn a_payout_run_takes_as_many_statements_for_twenty_partners_as_for_two(t: TestApp) {
    let books = Books::open(&t, 0).await;
    let mut partners: Vec<PartnerId> = Vec::new();
    let mut taken = Vec::new();
    for (more, start, end) in [
        (2, "2026-01-01", "2026-01-31"),
        (18, "2026-02-01", "2026-02-28"),
    ] {
        for _ in 0..more {
            partners.push(books.partner(&format!("Partner {}", partners.len())).await);
        }
        for partner in &partners {
            books
                .win(&format!("{start}T08:00:00Z"), &[earned(*partner, 10_000)])
                .await;
        }
        t.statements();
        let run = books.created(start, end).await;
        taken.push(t.statements().len());
        assert_eq!(
            books.paid(&run, &partners).await,
            vec![Some(10_000); partners.len()]
        );
    }
    assert_eq!(taken[0], taken[1]);
}
