//! Who sees which customers.

use ensemble::{
    entity::{
        deal::{self, DealBusiness, SalesStatus},
        deal_participant::{self, ParticipantRole, ParticipantStatus},
        ids::{CustomerId, DealId, DealParticipantId, PartnerId, ProgramId},
        program_version,
        user::Role,
    },
    platform::{ids::TypedId, money::Currency},
};
use sea_orm::{ActiveValue::Set, EntityTrait};
use serde_json::json;

use super::{
    customers::{LIST, create, found},
    partner, partner_id, run, traces,
};
use crate::{cases, support::TestApp};

cases!(
    a_partner_sees_the_customers_of_its_work,
    executives_see_no_customers,
);

/// A deal with a customer, owned by a partner, and a participant.
async fn deal(
    t: &TestApp,
    customer: &str,
    owner: Option<PartnerId>,
    participant: Option<(PartnerId, ParticipantStatus)>,
) {
    let version = program_version::Entity::find()
        .one(t.app.db().reader())
        .await
        .unwrap()
        .unwrap();
    let customer = CustomerId::parse(customer).unwrap();
    t.write(move |tx| {
        let version = version.clone();
        Box::pin(async move {
            let id: DealId = tx.id();
            let program: ProgramId = version.program_id;
            tx.insert(deal::ActiveModel {
                id: Set(id),
                number: Set(id.text()),
                name: Set("A deal".to_owned()),
                program_id: Set(program),
                program_version_id: Set(version.id),
                customer_id: Set(Some(customer)),
                partner_id: Set(owner),
                business: Set(DealBusiness::NewBusiness),
                value_minor: Set(100),
                currency: Set(Currency::USD),
                stage: Set("PROSPECT".to_owned()),
                status: Set(SalesStatus::Open),
                time_zone: Set("UTC".to_owned()),
                opened_at: Set(tx.now()),
                refunded_minor: Set(0),
                version: Set(1),
                created_at: Set(tx.now()),
                updated_at: Set(tx.now()),
                ..Default::default()
            })
            .await?;
            let Some((partner, status)) = participant else {
                return Ok(());
            };
            tx.insert(deal_participant::ActiveModel {
                id: Set(tx.id::<DealParticipantId>()),
                deal_id: Set(id),
                partner_id: Set(partner),
                role: Set(ParticipantRole::Influencer),
                status: Set(status),
                invited_at: Set(tx.now()),
                version: Set(1),
                created_at: Set(tx.now()),
                updated_at: Set(tx.now()),
                ..Default::default()
            })
            .await
        })
    })
    .await
    .unwrap();
}

async fn a_partner_sees_the_customers_of_its_work(t: TestApp) {
    let ada = t.admin().await;
    run(
        &t,
        &ada,
        "programCreate",
        json!({ "name": "Programme" }),
        "program { id }",
    )
    .await
    .done("programCreate");
    let own = partner_id(&partner(&t, &ada, "Northwind").await);
    let other = partner_id(&partner(&t, &ada, "Fabrikam").await);
    let mut ids = Vec::new();
    for name in ["Owned", "Invited", "Joined", "Declined", "Foreign", "Idle"] {
        ids.push(create(&t, &ada, json!({ "name": name })).await);
    }
    deal(&t, &ids[0], Some(own), None).await;
    deal(
        &t,
        &ids[1],
        Some(other),
        Some((own, ParticipantStatus::Invited)),
    )
    .await;
    deal(&t, &ids[2], None, Some((own, ParticipantStatus::Accepted))).await;
    deal(&t, &ids[3], None, Some((own, ParticipantStatus::Declined))).await;
    deal(
        &t,
        &ids[4],
        Some(other),
        Some((other, ParticipantStatus::Accepted)),
    )
    .await;
    run(
        &t,
        &ada,
        "customerUpdate",
        json!({ "customerId": ids[0], "parentId": ids[4] }),
        "customer { id }",
    )
    .await
    .done("customerUpdate");

    let nora = t.person(Role::PartnerMember, Some(own)).await;
    assert_eq!(
        found(&t, &nora, json!({})).await,
        ["Invited", "Joined", "Owned"]
    );
    let one = "query($id: ID!) { customer(id: $id) { name parent { id } } }";
    assert_eq!(
        t.ask(&nora, one, json!({ "id": ids[0] }))
            .await
            .at("customer"),
        &json!({ "name": "Owned", "parent": null })
    );
    let unknown = t
        .ask(
            &nora,
            one,
            json!({ "id": "customer_00000000000000000000000000" }),
        )
        .await;
    assert_eq!(unknown.error(), "NOT_FOUND");
    for hidden in &ids[3..] {
        assert_eq!(
            t.ask(&nora, one, json!({ "id": hidden })).await.json,
            unknown.json
        );
        assert_eq!(
            t.ask(
                &nora,
                "query($id: ID!) { node(id: $id) { id } }",
                json!({ "id": hidden })
            )
            .await
            .error(),
            "NOT_FOUND"
        );
    }
    let update = async |id: &str| {
        run(
            &t,
            &nora,
            "customerUpdate",
            json!({ "customerId": id, "name": "Mine" }),
            "customer { id }",
        )
        .await
    };
    let before = traces(&t).await;
    assert_eq!(update(&ids[0]).await.refusal("customerUpdate"), "FORBIDDEN");
    assert_eq!(update(&ids[4]).await.refusal("customerUpdate"), "NOT_FOUND");
    assert_eq!(traces(&t).await, before);
}

async fn executives_see_no_customers(t: TestApp) {
    let ada = t.admin().await;
    let id = create(&t, &ada, json!({ "name": "Acme" })).await;
    let eve = t.vendor(Role::Executive).await;
    assert_eq!(t.ask(&eve, LIST, json!({})).await.error(), "FORBIDDEN");
    assert_eq!(
        t.ask(
            &eve,
            "query($id: ID!) { customer(id: $id) { id } }",
            json!({ "id": id })
        )
        .await
        .error(),
        "FORBIDDEN"
    );
    assert_eq!(
        t.ask(
            &eve,
            "query($id: ID!) { node(id: $id) { id } }",
            json!({ "id": id })
        )
        .await
        .error(),
        "NOT_FOUND"
    );
}
