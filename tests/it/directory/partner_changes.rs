//! Entering partners and changing what is known about them.

use ensemble::{
    entity::{partner as partners, partner_attribute, user::Role},
    partners::forms,
};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, sea_query::Expr};
use serde_json::{Value, json};

use super::{enter, fields, partner, partner_id, run, traces};
use crate::{
    cases,
    support::{Person, TestApp},
};

cases!(
    all_faults_of_a_partner_are_told_at_once,
    an_external_id_is_given_once,
    a_registration_number_belongs_to_one_partner_of_a_country,
    numbers_stored_in_an_earlier_form_are_found_after_the_next_start,
    what_is_absent_stays_and_null_clears,
    a_stale_change_is_refused,
    companies_form_no_circle_and_no_endless_tree,
    a_partner_changes_itself_only,
);

async fn all_faults_of_a_partner_are_told_at_once(t: TestApp) {
    let ada = t.admin().await;
    let before = traces(&t).await;
    let input = json!({
        "legalName": " ", "displayName": "x".repeat(201), "types": [], "website": "acme", "industries": ["Health", ""],
        "competencies": vec!["a"; 51],
    });
    let refused = run(&t, &ada, "partnerCreate", input, "partner { id }").await;
    let expected = [
        "legalName",
        "displayName",
        "website",
        "types",
        "industries.1",
        "competencies",
    ];
    assert_eq!(fields(&refused, "partnerCreate"), expected);
    assert!(
        refused
            .refusals("partnerCreate")
            .iter()
            .all(|code| code == "BAD_USER_INPUT")
    );
    let orphan = json!({ "legalName": "Northwind", "types": ["SI"], "parentId": "partner_00000000000000000000000000" });
    let refused = run(&t, &ada, "partnerCreate", orphan, "partner { id }").await;
    assert_eq!(
        (
            refused.refusal("partnerCreate").as_str(),
            fields(&refused, "partnerCreate")
        ),
        ("NOT_FOUND", vec!["parentId".to_owned()])
    );
    let auditor = t.vendor(Role::Auditor).await;
    let refused = run(
        &t,
        &auditor,
        "partnerCreate",
        json!({ "legalName": "Northwind", "types": ["SI"] }),
        "partner { id }",
    )
    .await;
    assert_eq!(refused.refusal("partnerCreate"), "FORBIDDEN");
    assert_eq!(traces(&t).await, before);
}

async fn an_external_id_is_given_once(t: TestApp) {
    let ada = t.admin().await;
    enter(
        &t,
        &ada,
        json!({ "legalName": "Northwind", "types": ["SI"], "externalId": "A-1" }),
    )
    .await;
    let other = partner(&t, &ada, "Fabrikam").await;
    let before = traces(&t).await;
    let again = json!({ "legalName": "Contoso", "types": ["SI"], "externalId": "A-1" });
    let refused = run(&t, &ada, "partnerCreate", again, "partner { id }").await;
    assert_eq!(
        (
            refused.refusal("partnerCreate").as_str(),
            fields(&refused, "partnerCreate")
        ),
        ("DUPLICATE", vec!["externalId".to_owned()])
    );
    let refused = run(
        &t,
        &ada,
        "partnerUpdate",
        json!({ "partnerId": other, "externalId": "A-1" }),
        "partner { id }",
    )
    .await;
    assert_eq!(
        (
            refused.refusal("partnerUpdate").as_str(),
            fields(&refused, "partnerUpdate")
        ),
        ("DUPLICATE", vec!["externalId".to_owned()])
    );
    assert_eq!(traces(&t).await, before);
}

async fn numbers_stored_in_an_earlier_form_are_found_after_the_next_start(t: TestApp) {
    let ada = t.admin().await;
    for (name, number) in [
        ("Kölner Systemhaus", "HRB 4711 Koeln"),
        ("Bonner Systemhaus", "HRB 4711 Bonn"),
    ] {
        let input = json!({ "legalName": name, "types": ["SI"], "country": "DE", "registrationNumber": number });
        run(&t, &ada, "partnerCreate", input, "partner { id }")
            .await
            .done("partnerCreate");
    }
    t.write(|tx| {
        Box::pin(async move {
            let early = partners::Entity::update_many()
                .col_expr(
                    partners::Column::RegistrationNumber,
                    Expr::value("HRB4711KOELN"),
                )
                .filter(partners::Column::RegistrationNumber.eq("HRB4711KOLN"));
            assert_eq!(early.exec(tx).await?.rows_affected, 1);
            Ok(())
        })
    })
    .await
    .unwrap();
    let found = async || {
        let list = "{ partners(filter: { registrationNumber: \"HRB 4711, Köln\" }) { nodes { legalName version } } }";
        t.ask(&ada, list, json!({}))
            .await
            .at("partners/nodes")
            .clone()
    };
    assert_eq!(found().await, json!([]));
    assert_eq!(forms::bring_up_to_date(&t.app).await.unwrap(), 2);
    assert_eq!(
        found().await,
        json!([{ "legalName": "Kölner Systemhaus", "version": 1 }])
    );
    assert_eq!(forms::bring_up_to_date(&t.app).await.unwrap(), 0);
    let before = traces(&t).await;
    let input = json!({ "legalName": "Tailspin", "types": ["SI"], "country": "DE", "registrationNumber": "hrb 4711 KÖLN" });
    let refused = run(&t, &ada, "partnerCreate", input, "partner { id }").await;
    assert_eq!(refused.refusal("partnerCreate"), "DUPLICATE");
    assert_eq!(traces(&t).await, before);
}

async fn a_registration_number_belongs_to_one_partner_of_a_country(t: TestApp) {
    let ada = t.admin().await;
    let company = |name: &str, country: Option<&str>, number: Option<&str>| json!({ "legalName": name, "types": ["SI"], "country": country, "registrationNumber": number });
    let number = Some("hrb 48-210");
    let northwind = enter(&t, &ada, company("Northwind", Some("DE"), number)).await;
    // Registers are kept by countries, and placeholders are no numbers.
    let austrian = enter(&t, &ada, company("Fabrikam", Some("AT"), number)).await;
    enter(&t, &ada, company("Contoso", Some("DE"), Some("n/a"))).await;
    let proseware = enter(&t, &ada, company("Proseware", Some("DE"), Some("0000"))).await;
    let before = traces(&t).await;
    let refused = async |operation: &str, input: Value| {
        let answer = run(&t, &ada, operation, input, "partner { id }").await;
        let told = (answer.refusal(operation), fields(&answer, operation));
        assert_eq!(
            told,
            (
                "DUPLICATE".to_owned(),
                vec!["registrationNumber".to_owned()]
            )
        );
        assert_eq!(traces(&t).await, before);
    };
    let create = "partnerCreate";
    refused(create, company("Tailspin", Some("DE"), Some("HRB 48210"))).await;
    refused(create, company("Tailspin", None, Some("ＨＲＢ ４８２１０"))).await;
    let update = "partnerUpdate";
    let taken = json!({ "partnerId": proseware, "registrationNumber": "HRB48210" });
    refused(update, taken).await;
    refused(update, json!({ "partnerId": austrian, "country": "DE" })).await;
    // One that is given up is free.
    let given_up = json!({ "partnerId": northwind, "registrationNumber": null });
    run(&t, &ada, update, given_up, "partner { id }")
        .await
        .done(update);
    let input = company("Tailspin", Some("DE"), Some("HRB 48210"));
    let entered = run(&t, &ada, create, input, "partner { registrationNumber }").await;
    let shown = entered.done(create).at("partnerCreate/partner").clone();
    assert_eq!(shown, json!({ "registrationNumber": "HRB48210" }));
    let found = async |filter: Value| {
        let list =
            "query($filter: PartnerFilter) { partners(filter: $filter) { nodes { legalName } } }";
        let answer = t.ask(&ada, list, json!({ "filter": filter })).await;
        answer.at("partners/nodes").clone()
    };
    let names = json!([{ "legalName": "Fabrikam" }, { "legalName": "Tailspin" }]);
    assert_eq!(
        found(json!({ "registrationNumber": "HRB 48-210" })).await,
        names
    );
    assert_eq!(
        found(json!({ "registrationNumber": "none" })).await,
        json!([])
    );
}

const FACTS: &str = "partner { legalName displayName types size country countries region website industries competencies
    dpaValidUntil externalId version }";

async fn what_is_absent_stays_and_null_clears(t: TestApp) {
    let ada = t.admin().await;
    let all = json!({
        "legalName": "Northwind LLC", "displayName": "Northwind", "types": ["SI"], "size": "SMALL", "country": "DE",
        "countries": ["DE", "AT"], "region": "DACH", "website": "https://northwind.example", "industries": ["Health"],
        "competencies": ["Cloud", "Data"], "dpaValidUntil": "2027-01-31", "externalId": "A-1",
    });
    let id = enter(&t, &ada, all).await;
    let changed = run(
        &t,
        &ada,
        "partnerUpdate",
        json!({ "partnerId": id, "region": "EMEA" }),
        FACTS,
    )
    .await;
    let mut expected = json!({
        "legalName": "Northwind LLC", "displayName": "Northwind", "types": ["SI"], "size": "SMALL", "country": "DE",
        "countries": ["AT", "DE"], "region": "EMEA", "website": "https://northwind.example", "industries": ["Health"],
        "competencies": ["Cloud", "Data"], "dpaValidUntil": "2027-01-31", "externalId": "A-1", "version": 2,
    });
    assert_eq!(
        changed.done("partnerUpdate").at("partnerUpdate/partner"),
        &expected
    );

    let clear = json!({
        "partnerId": id, "size": null, "country": null, "countries": null, "region": null, "website": null, "industries": null,
        "competencies": ["Data"], "dpaValidUntil": null, "externalId": null, "expectedVersion": 2,
    });
    let changed = run(&t, &ada, "partnerUpdate", clear, FACTS).await;
    for field in [
        "size",
        "country",
        "region",
        "website",
        "dpaValidUntil",
        "externalId",
    ] {
        expected[field] = json!(null);
    }
    expected["countries"] = json!([]);
    expected["industries"] = json!([]);
    expected["competencies"] = json!(["Data"]);
    expected["version"] = json!(3);
    assert_eq!(
        changed.done("partnerUpdate").at("partnerUpdate/partner"),
        &expected
    );

    let before = traces(&t).await;
    let same = run(
        &t,
        &ada,
        "partnerUpdate",
        json!({ "partnerId": id, "competencies": ["Data"], "region": null }),
        FACTS,
    )
    .await;
    assert_eq!(
        same.done("partnerUpdate").at("partnerUpdate/partner"),
        &expected
    );
    let refused = run(
        &t,
        &ada,
        "partnerUpdate",
        json!({ "partnerId": id, "displayName": null, "types": null }),
        FACTS,
    )
    .await;
    assert_eq!(fields(&refused, "partnerUpdate"), ["displayName", "types"]);
    assert_eq!(traces(&t).await, before);
}

async fn a_stale_change_is_refused(t: TestApp) {
    let ada = t.admin().await;
    let id = partner(&t, &ada, "Northwind").await;
    let change = |region: &str| json!({ "partnerId": id, "region": region, "expectedVersion": 1 });
    run(&t, &ada, "partnerUpdate", change("DACH"), FACTS)
        .await
        .done("partnerUpdate");
    let before = traces(&t).await;
    let refused = run(&t, &ada, "partnerUpdate", change("EMEA"), FACTS).await;
    assert_eq!(refused.refusal("partnerUpdate"), "STALE_OBJECT");
    assert_eq!(traces(&t).await, before);
}

async fn a_partner_changes_itself_only(t: TestApp) {
    let ada = t.admin().await;
    let group = partner(&t, &ada, "Fjord Group").await;
    let own = partner(&t, &ada, "Blue Fjord").await;
    let nora = t
        .person(Role::PartnerAdministrator, Some(partner_id(&own)))
        .await;
    let max = t.person(Role::PartnerMember, Some(partner_id(&own))).await;
    let attributes = partner_attribute::Entity::find()
        .count(t.app.db().reader())
        .await
        .unwrap();
    let before = traces(&t).await;
    let update =
        async |person: &Person, input: Value| run(&t, person, "partnerUpdate", input, FACTS).await;
    let refused = update(&nora, json!({ "partnerId": group, "displayName": "Mine" })).await;
    assert_eq!(refused.refusal("partnerUpdate"), "NOT_FOUND");
    let refused = update(
        &nora,
        json!({ "partnerId": own, "legalName": "X", "types": ["MSP"], "displayName": "Y" }),
    )
    .await;
    assert_eq!(
        refused.refusals("partnerUpdate"),
        ["FORBIDDEN", "FORBIDDEN"]
    );
    assert_eq!(fields(&refused, "partnerUpdate"), ["legalName", "types"]);
    let refused = update(&max, json!({ "partnerId": own, "displayName": "Y" })).await;
    assert_eq!(refused.refusal("partnerUpdate"), "FORBIDDEN");
    assert_eq!(traces(&t).await, before);
    assert_eq!(
        partner_attribute::Entity::find()
            .count(t.app.db().reader())
            .await
            .unwrap(),
        attributes
    );

    let input =
        json!({ "partnerId": own, "displayName": "Blue Fjord Systems", "industries": ["Health"] });
    let changed = update(&nora, input).await;
    assert_eq!(
        changed
            .done("partnerUpdate")
            .text("partnerUpdate/partner/displayName"),
        "Blue Fjord Systems"
    );
    assert_eq!(
        changed.at("partnerUpdate/partner/industries"),
        &json!(["Health"])
    );
}

async fn companies_form_no_circle_and_no_endless_tree(t: TestApp) {
    let ada = t.admin().await;
    let mut chain = vec![partner(&t, &ada, "Level 1").await];
    for level in 2..=8 {
        let parent = chain.last().unwrap();
        chain.push(enter(&t, &ada, json!({ "legalName": format!("Level {level}"), "types": ["SI"], "parentId": parent })).await);
    }
    let before = traces(&t).await;
    let deeper = json!({ "legalName": "Level 9", "types": ["SI"], "parentId": chain[7] });
    let refused = run(&t, &ada, "partnerCreate", deeper, "partner { id }").await;
    assert_eq!(
        (
            refused.refusal("partnerCreate").as_str(),
            fields(&refused, "partnerCreate")
        ),
        ("BAD_USER_INPUT", vec!["parentId".to_owned()])
    );
    for (own, parent) in [(0, 7), (3, 3)] {
        let circle = json!({ "partnerId": chain[own], "parentId": chain[parent] });
        assert_eq!(
            run(&t, &ada, "partnerUpdate", circle, FACTS)
                .await
                .refusal("partnerUpdate"),
            "BAD_USER_INPUT"
        );
    }
    assert_eq!(traces(&t).await, before);
    let root = partner(&t, &ada, "Level 0").await;
    let below = json!({ "partnerId": chain[0], "parentId": root });
    assert_eq!(
        run(&t, &ada, "partnerUpdate", below, FACTS)
            .await
            .refusal("partnerUpdate"),
        "BAD_USER_INPUT"
    );
    let shorter = json!({ "partnerId": chain[1], "parentId": root });
    run(&t, &ada, "partnerUpdate", shorter, FACTS)
        .await
        .done("partnerUpdate");

    let [a, b] = [partner(&t, &ada, "A").await, partner(&t, &ada, "B").await];
    let under = |own: &str, parent: &str| json!({ "partnerId": own, "parentId": parent });
    let (one, other) = tokio::join!(
        run(&t, &ada, "partnerUpdate", under(&a, &b), FACTS),
        run(&t, &ada, "partnerUpdate", under(&b, &a), FACTS)
    );
    let refusals = [
        one.refusals("partnerUpdate"),
        other.refusals("partnerUpdate"),
    ]
    .concat();
    assert_eq!(refusals, ["BAD_USER_INPUT"]);
}
