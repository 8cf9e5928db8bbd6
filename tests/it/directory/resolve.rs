//! From many spellings to one customer.

use std::collections::BTreeSet;

use ensemble::{
    customers::{
        claim::ClaimedCustomer,
        forms,
        resolve::{self, Resolved},
    },
    entity::{
        customer,
        deal_registration::{MatchOutcome, MatchReason},
        ids::{CustomerId, PartnerId},
    },
    platform::ids::{self, TypedId},
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};

use super::traces;
use crate::{
    cases,
    deals::market::{claim, gold, market, registered},
    support::TestApp,
};

cases!(
    many_spellings_at_once_give_one_customer,
    a_customer_is_known_by_its_domain_and_its_registration_number,
    a_name_is_no_proof_except_among_a_partner_s_own_registrations,
    hosts_that_many_share_and_placeholders_prove_nothing,
    a_page_on_a_host_is_a_hint,
    customers_stored_in_earlier_forms_are_found_after_the_next_start,
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
    resolve_for(t, PartnerId::of(uuid::Uuid::nil()), claimed).await
}

async fn resolve_for(
    t: &TestApp,
    partner: PartnerId,
    claimed: ClaimedCustomer,
) -> ensemble::error::Result<Resolved> {
    t.write(move |tx| {
        let claimed = claimed.clone();
        Box::pin(async move {
            resolve::find_or_create(tx, &claimed, partner, SIMILAR, "customer").await
        })
    })
    .await
}

fn numbered(name: &str, number: &str, country: Option<&str>) -> ClaimedCustomer {
    ClaimedCustomer {
        registration_number: Some(number.to_owned()),
        ..named(name, None, country)
    }
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
        "HTTP://acme.com:8080/home",
        "shop.acme.com.",
    ];
    let by_number = [
        "HRB 4711 B",
        "hrb4711b",
        "HRB-4711/B",
        "ＨＲＢ ４７１１ B",
        " HRB 4711 b ",
    ];
    let racers = (0..20).map(|number: usize| {
        let t = t.clone();
        let claim = if number.is_multiple_of(2) {
            named("Acme", Some(by_domain[number / 2 % 5]), Some("US"))
        } else {
            numbered("Zenith", by_number[number / 2 % 5], Some("DE"))
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

async fn a_customer_is_known_by_its_domain_and_its_registration_number(t: TestApp) {
    let acme = id_of(&t, named("Acme", Some("acme.com"), Some("US"))).await;
    let other_name = named("Somebody else", Some("www.acme.com"), None);
    assert_eq!(id_of(&t, other_name).await, acme);
    let acker = id_of(&t, numbered("Acker GmbH", "HRB 111", Some("DE"))).await;
    assert_eq!(
        id_of(&t, numbered("Acker Handels GmbH", "hrb-111", Some("DE"))).await,
        acker
    );
    assert_eq!(
        id_of(&t, numbered("Acker", "HRB 111", None)).await,
        acker,
        "a country that is not known is not another one"
    );
    let with_domain = ClaimedCustomer {
        domain: Some("acker.example".to_owned()),
        ..numbered("Acker", "HRB 111", Some("DE"))
    };
    assert_eq!(id_of(&t, with_domain).await, acker);
    let abroad = id_of(&t, numbered("Acker GmbH", "HRB 111", Some("AT"))).await;
    let other = id_of(&t, numbered("Acker GmbH", "HRB 222", Some("DE"))).await;
    assert_eq!(BTreeSet::from([acme, acker, abroad, other]).len(), 4);
    assert_eq!(customers(&t).await, 4);
}

async fn a_name_is_no_proof_except_among_a_partner_s_own_registrations(t: TestApp) {
    let market = market(&t).await;
    let (a, b) = (
        gold(&t, market, "Northwind Partners").await,
        gold(&t, market, "Contoso Sales").await,
    );
    registered(&t, &a.manager, claim(market.router, "Acker GmbH", None)).await;
    let acker = customer::Entity::find()
        .one(t.app.db().reader())
        .await
        .unwrap()
        .unwrap();
    let own = |claim| resolve_for(&t, a.partner, claim);
    let again = own(named("  ACKER  GmbH ", None, None)).await.unwrap();
    assert_eq!(again.customer.id, acker.id);
    for different in [
        named("Acker AG", None, None),
        named("Acker GmbH", None, Some("DE")),
        named("Acker GmbH", Some("acker.example"), None),
    ] {
        let resolved = own(different.clone()).await.unwrap();
        assert_ne!(resolved.customer.id, acker.id, "{different:?}");
        let alike = resolved
            .lookalikes
            .iter()
            .find(|(other, ..)| other.id == acker.id);
        let (_, outcome, reasons) = alike.unwrap();
        assert_eq!(*outcome, MatchOutcome::PossibleConflict);
        assert_eq!(reasons.0, [MatchReason::SameName]);
    }
    let theirs = resolve_for(&t, b.partner, named("Acker GmbH", None, None)).await;
    assert_ne!(theirs.unwrap().customer.id, acker.id);
    assert_eq!(customers(&t).await, 5);
}

async fn hosts_that_many_share_and_placeholders_prove_nothing(t: TestApp) {
    let claim = |name: &str, domain: &str, number: &str, phone: &str| ClaimedCustomer {
        registration_number: Some(number.to_owned()),
        phone: Some(phone.to_owned()),
        ..named(name, Some(domain), Some("DE"))
    };
    let mut found = BTreeSet::new();
    for (name, domain, number, phone) in [
        (
            "Elm",
            "https://www.facebook.com/elm",
            "unknown",
            "0000000000",
        ),
        (
            "Oak",
            "https://www.facebook.com/oak",
            "unknown",
            "0000000000",
        ),
        ("Birch", "birch@yahoo.fr", "pending", "1234567890"),
        ("Larch", "larch@yahoo.fr", "pending", "1234567890"),
        (
            "Hazel",
            "https://hazel.jimdosite.com",
            "000000",
            "4.93012E+11",
        ),
        (
            "Willow",
            "https://sites.google.com/view/willow",
            "000000",
            "4.93012E+11",
        ),
    ] {
        let resolved = resolve(&t, claim(name, domain, number, phone))
            .await
            .unwrap();
        assert!(
            resolved.lookalikes.is_empty(),
            "{name}: {:?}",
            resolved.lookalikes
        );
        let row = resolved.customer;
        assert_eq!((row.registration_number, row.phone), (None, None), "{name}");
        found.insert(row.id);
    }
    assert_eq!(found.len(), 6);
}

async fn a_page_on_a_host_is_a_hint(t: TestApp) {
    let elm = resolve(
        &t,
        named("Elm", Some("https://basar-welt.com/shops/elm"), None),
    );
    let elm = elm.await.unwrap();
    assert!(elm.lookalikes.is_empty());
    let row = &elm.customer;
    assert_eq!(
        (row.domain.as_deref(), row.domain_hint.as_deref()),
        (None, Some("basar-welt.com"))
    );
    for (name, address, domain, hint) in [
        (
            "Oak",
            "https://basar-welt.com/shops/oak",
            None,
            Some("basar-welt.com"),
        ),
        (
            "Birch",
            "birch.basar-welt.com",
            None,
            Some("basar-welt.com"),
        ),
        (
            "Bazaar World",
            "https://www.basar-welt.com/en",
            Some("basar-welt.com"),
            None,
        ),
    ] {
        let resolved = resolve(&t, named(name, Some(address), None)).await.unwrap();
        let row = &resolved.customer;
        assert_eq!(
            (row.domain.as_deref(), row.domain_hint.as_deref()),
            (domain, hint),
            "{name}"
        );
        let (_, outcome, reasons) = resolved
            .lookalikes
            .iter()
            .find(|(other, ..)| other.id == elm.customer.id)
            .unwrap();
        assert_eq!(*outcome, MatchOutcome::PossibleConflict, "{name}");
        assert_eq!(reasons.0, [MatchReason::SameHost], "{name}");
    }
    assert_eq!(customers(&t).await, 4);
}

async fn customers_stored_in_earlier_forms_are_found_after_the_next_start(t: TestApp) {
    let early = |name: &str, domain: Option<&str>, number: &str| customer::ActiveModel {
        id: Set(TypedId::of(ids::mint(t.app.clock().now()))),
        name: Set(name.to_owned()),
        name_key: Set(name.to_lowercase()),
        domain: Set(domain.map(str::to_owned)),
        registration_number: Set(Some(number.to_owned())),
        phone: Set(Some("0000000000".to_owned())),
        version: Set(1),
        created_at: Set(t.app.clock().now()),
        updated_at: Set(t.app.clock().now()),
        ..Default::default()
    };
    let rows = [
        early("ООО «Ромашка»", None, "UNKNOWN"),
        early("Elm", Some("facebook.com"), "UNKNOWN"),
        early("Kölner Bau", Some("koelner-bau.example"), "HRB4711KOELN"),
    ];
    t.write(move |tx| {
        let rows = rows.clone();
        Box::pin(async move { tx.insert_all(rows).await })
    })
    .await
    .unwrap();
    let claim = named("OOO Romashka", None, None);
    assert!(
        resolve(&t, claim.clone())
            .await
            .unwrap()
            .lookalikes
            .is_empty()
    );
    assert_eq!(forms::bring_up_to_date(&t.app).await.unwrap(), 4);
    let numbered = numbered("Zeder", "HRB 4711, Köln", None);
    let numbered = resolve(&t, numbered).await.unwrap().customer;
    assert_eq!(
        (numbered.name.as_str(), numbered.domain.as_deref()),
        ("Kölner Bau", Some("koelner-bau.example"))
    );
    let alike = resolve(&t, claim).await.unwrap().lookalikes;
    let names: BTreeSet<_> = alike
        .iter()
        .map(|(other, ..)| other.name.as_str())
        .collect();
    assert_eq!(names, BTreeSet::from(["OOO Romashka", "ООО «Ромашка»"]));
    let elm = customer::Entity::find().filter(customer::Column::Name.eq("Elm"));
    let elm = elm.one(t.app.db().reader()).await.unwrap().unwrap();
    assert_eq!(
        (elm.domain, elm.registration_number, elm.phone),
        (None, None, None)
    );
    assert_eq!(forms::bring_up_to_date(&t.app).await.unwrap(), 0);
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
        (zenith, possible, vec![MatchReason::SamePhone]),
    ];
    assert_eq!(alike, expected);
    assert_eq!(resolved.customer.id, globex, "the number is proof");
    assert!(![acme, dental, zenith].contains(&resolved.customer.id));
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
