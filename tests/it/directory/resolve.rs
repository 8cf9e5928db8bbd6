//! From many spellings to one customer.

use std::collections::BTreeSet;

use ensemble::{
    customers::{
        MatchOutcome, MatchReason,
        resolve::{self, ClaimedCustomer, Resolved},
    },
    entity::{customer, ids::CustomerId},
};
use sea_orm::{EntityTrait, PaginatorTrait};

use super::traces;
use crate::{cases, support::TestApp};

cases!(
    many_spellings_at_once_give_one_customer,
    a_customer_is_known_by_its_domain_or_its_name_and_country,
    what_looks_alike_is_shown_with_its_reasons,
    a_claim_that_names_nobody_is_refused,
);

/// The similarity of the standard programme.
const SIMILAR: i32 = 920_000;

pub fn named(name: &str, domain: Option<&str>, country: Option<&str>) -> ClaimedCustomer {
    ClaimedCustomer {
        name: name.to_owned(),
        domain: domain.map(str::to_owned),
        country: country.map(str::to_owned),
        ..ClaimedCustomer::default()
    }
}

async fn resolve(t: &TestApp, claimed: ClaimedCustomer) -> ensemble::error::Result<Resolved> {
    t.write(move |tx| {
        let claimed = claimed.clone();
        Box::pin(async move { resolve::find_or_create(tx, &claimed, SIMILAR, "customer").await })
    })
    .await
}

pub async fn id_of(t: &TestApp, claimed: ClaimedCustomer) -> CustomerId {
    resolve(t, claimed).await.unwrap().customer.id
}

pub async fn customers(t: &TestApp) -> u64 {
    customer::Entity::find()
        .count(t.app.db().reader())
        .await
        .unwrap()
}

async fn many_spellings_at_once_give_one_customer(t: TestApp) {
    let by_domain = [
        "acme.com",
        "https://www.ACME.com/",
        "jane@acme.com",
        "HTTP://acme.com:8080/x",
        "shop.acme.com.",
    ];
    let by_name = [
        "Zenith Corp.",
        "ZENITH Corporation",
        "Zenith, Inc.",
        "zenith",
        "The Zenith Company",
    ];
    let racers = (0..20).map(|number: usize| {
        let t = t.clone();
        let claim = if number.is_multiple_of(2) {
            named("Acme", Some(by_domain[number / 2 % 5]), Some("US"))
        } else {
            named(by_name[number / 2 % 5], None, Some("US"))
        };
        tokio::spawn(async move { (number % 2, id_of(&t, claim).await) })
    });
    let mut found = BTreeSet::new();
    for racer in racers.collect::<Vec<_>>() {
        found.insert(racer.await.unwrap());
    }
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(customers(&t).await, 2);
    assert_eq!(traces(&t).await, [0, 0, 2, 2]);
}

async fn a_customer_is_known_by_its_domain_or_its_name_and_country(t: TestApp) {
    let acme = id_of(&t, named("Acme", Some("acme.com"), Some("US"))).await;
    assert_eq!(
        id_of(&t, named("Somebody else", Some("www.acme.com"), None)).await,
        acme
    );
    let at_gmail = id_of(&t, named("Acme", Some("acme@gmail.com"), Some("US"))).await;
    assert_ne!(at_gmail, acme);
    assert_eq!(
        id_of(&t, named("ACME Inc", None, Some("US"))).await,
        at_gmail
    );
    let abroad = id_of(&t, named("Acme", None, Some("DE"))).await;
    let nowhere = id_of(&t, named("Acme", None, None)).await;
    assert_eq!(BTreeSet::from([acme, at_gmail, abroad, nowhere]).len(), 4);
    assert_eq!(id_of(&t, named("acme corp", None, None)).await, nowhere);
    assert_eq!(customers(&t).await, 4);
}

async fn what_looks_alike_is_shown_with_its_reasons(t: TestApp) {
    let acme = id_of(&t, named("Acme Corp.", Some("acme.com"), Some("US"))).await;
    let dental = id_of(&t, named("Acme Dental", Some("acmedental.com"), Some("US"))).await;
    let phone = ClaimedCustomer {
        phone: Some("+1 (555) 010-2030".to_owned()),
        ..named("Zenith", None, Some("US"))
    };
    let zenith = id_of(&t, phone).await;
    let number = ClaimedCustomer {
        registration_number: Some("hrb 123-45".to_owned()),
        ..named("Globex", None, Some("US"))
    };
    let globex = id_of(&t, number).await;

    let claim = ClaimedCustomer {
        phone: Some("001 555 010 2030".to_owned()),
        registration_number: Some("HRB 12345".to_owned()),
        ..named("ACME Corporation", Some("acme.org"), Some("US"))
    };
    let resolved = resolve(&t, claim).await.unwrap();
    let alike: Vec<_> = resolved
        .lookalikes
        .iter()
        .map(|(other, outcome, reasons)| (other.id, *outcome, reasons.0.clone()))
        .collect();
    let possible = MatchOutcome::PossibleConflict;
    let expected = [
        (acme, possible, vec![MatchReason::SameName]),
        (globex, possible, vec![MatchReason::SameRegistrationNumber]),
        (zenith, possible, vec![MatchReason::SamePhone]),
    ];
    assert_eq!(alike, expected);
    assert!(![acme, dental, zenith, globex].contains(&resolved.customer.id));
    let misspelt = resolve(&t, named("Acme Dentel", None, Some("US")))
        .await
        .unwrap();
    let alike: Vec<_> = misspelt
        .lookalikes
        .iter()
        .map(|(other, _, reasons)| (other.id, reasons.0.clone()))
        .collect();
    assert_eq!(alike, [(dental, vec![MatchReason::SimilarName])]);
    assert!(
        resolve(&t, named("Acme Rental", None, Some("US")))
            .await
            .unwrap()
            .lookalikes
            .is_empty()
    );
}

async fn a_claim_that_names_nobody_is_refused(t: TestApp) {
    let claim = ClaimedCustomer {
        phone: Some("x".repeat(81)),
        ..named("!!", Some("co.uk"), Some("usa"))
    };
    let Err(ensemble::error::Error::Refused(refusals)) = resolve(&t, claim).await else {
        panic!("it was taken")
    };
    let paths: Vec<_> = refusals
        .iter()
        .map(|refusal| refusal.field.join("."))
        .collect();
    assert_eq!(
        paths,
        [
            "customer.name",
            "customer.domain",
            "customer.country",
            "customer.phone"
        ]
    );
    assert_eq!(customers(&t).await, 0);
    assert_eq!(traces(&t).await, [0, 0, 0, 0]);
}
