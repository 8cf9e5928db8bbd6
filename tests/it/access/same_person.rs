//! Nobody approves what he made: through the API, and under it.

use ensemble::{
    access::{Actor, SignedIn},
    entity::{
        ids::{IncentivePlanId, PayoutRunId},
        user::Role,
    },
    platform::ids::TypedId,
};
use sea_orm::{ConnectionTrait, Value as Bound};
use serde_json::{Value, json};

use super::{dump, world::World};
use crate::{cases, support::TestApp};

cases!(
    whoever_made_it_cannot_approve_it,
    the_database_refuses_an_approval_by_its_maker,
);

/// Makes something and returns its id, found at `pointer` of the payload.
async fn made(world: &World, by: &Actor, mutation: &str, input: Value, object: &str) -> String {
    let arguments = json!({ "input": input });
    let rest = format!("{{ {object} {{ id }} userErrors {{ code message field }} }}");
    let answer = world
        .call(by, "Mutation", mutation, &arguments, &rest)
        .await;
    answer
        .done(mutation)
        .text(&format!("{mutation}/{object}/id"))
}

async fn whoever_made_it_cannot_approve_it(t: TestApp) {
    let world = World::build(&t).await;
    let admin = t.admin().await;
    let by = &admin.actor;
    let run = json!({"programId": world.id("program"), "periodStart": "2026-03-01", "periodEnd": "2026-03-02"});
    let run = made(&world, by, "payoutRunCreate", run, "payoutRun").await;
    let plan = json!({"programId": world.id("program"), "name": "Own", "currency": "EUR",
        "components": [{"kind": "INFLUENCE_POOL", "ratePercent": "5"}]});
    let plan = made(&world, by, "incentivePlanCreate", plan, "incentivePlan").await;
    let claim = json!({"customer": {"name": "Zinc Foundry", "domain": "zinc-foundry.example"}, "partnerId": world.id("cobalt"),
        "products": [{"productId": world.id("product")}], "value": {"amount": "5000.00", "currency": "USD"}, "expectedCloseOn": "2026-05-30"});
    let claim = made(
        &world,
        by,
        "dealRegistrationSubmit",
        claim,
        "dealRegistration",
    )
    .await;
    let touch = json!({"dealId": world.id("aurora"), "partnerId": world.id("northwind"), "kind": "OTHER", "phase": "CONSIDERATION",
        "occurredAt": "2026-02-22T09:00:00Z"});
    let touch = made(&world, by, "touchpointRecord", touch, "touchpoint").await;
    t.settle().await;

    let approvals = [
        ("payoutRunApprove", json!({ "payoutRunId": run })),
        ("incentivePlanActivate", json!({ "planId": plan })),
        (
            "dealRegistrationApprove",
            json!({ "registrationId": claim }),
        ),
        ("touchpointVerify", json!({ "touchpointId": touch })),
        (
            "userDeactivate",
            json!({ "userId": admin.id.text(), "expectedVersion": 1 }),
        ),
    ];
    // The person stays the person in another session and in another role.
    let Actor::User(user) = by else {
        panic!("people act")
    };
    let again = Actor::User(SignedIn {
        session_id: ensemble::entity::ids::SessionId::of(user.user_id.0),
        ..user.clone()
    });
    let before = dump::everything(&t).await;
    for (mutation, input) in &approvals {
        for actor in [by, &again] {
            let answer = world
                .call(
                    actor,
                    "Mutation",
                    mutation,
                    &json!({ "input": input }),
                    "{ userErrors { code } }",
                )
                .await;
            assert_eq!(answer.refusal(mutation), "SAME_PERSON", "{mutation}");
        }
    }
    dump::assert_same(&before, &dump::everything(&t).await);
    let other = t.vendor(Role::Administrator).await;
    for (mutation, input) in &approvals[..3] {
        let answer = world
            .call(
                &other.actor,
                "Mutation",
                mutation,
                &json!({ "input": input }),
                "{ userErrors { code } }",
            )
            .await;
        answer.done(mutation);
    }
    t.settle().await;
}

async fn the_database_refuses_an_approval_by_its_maker(t: TestApp) {
    let world = World::build(&t).await;
    let run = PayoutRunId::parse(world.id("run.approve")).unwrap().0;
    let plan = IncentivePlanId::parse(world.id("plan.activate")).unwrap().0;
    let before = dump::everything(&t).await;
    for (sql, id) in [
        (
            "UPDATE payout_run SET approved_by = created_by WHERE id = $1",
            run,
        ),
        (
            "UPDATE incentive_plan SET activated_by = created_by WHERE id = $1",
            plan,
        ),
    ] {
        let db = t.app.db().maintenance();
        let statement =
            sea_orm::Statement::from_sql_and_values(t.app.db().backend(), sql, [Bound::from(id)]);
        let refused = db
            .execute_raw(statement)
            .await
            .unwrap_err()
            .to_string()
            .to_lowercase();
        assert!(refused.contains("check"), "{sql}: {refused}");
    }
    dump::assert_same(&before, &dump::everything(&t).await);
}
