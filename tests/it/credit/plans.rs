//! Incentive plans: drafted, put into force, superseded and retired.

use chrono::TimeDelta;
use ensemble::{
    entity::{attribution_run::AttributionModel, incentive_plan, user::Role},
    platform::ids::TypedId,
};
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::{Value, json};

use super::World;
use crate::{
    cases,
    money::operator,
    support::{Answer, Person, TestApp},
};

cases!(
    a_plan_tells_itself_in_plain_sentences,
    a_fourth_component_is_refused,
    every_fault_of_a_plan_is_told_at_its_field,
    whoever_drafted_a_plan_cannot_activate_it,
    a_new_number_takes_over_from_its_first_day,
    partners_do_not_see_drafts,
    a_retired_plan_pays_nothing_more,
    an_active_plan_cannot_be_changed_in_the_database,
);

const CREATE: &str = "mutation($input: IncentivePlanCreateInput!) { incentivePlanCreate(input: $input) \
    { incentivePlan { id number status planText version components { kind ratePercent cap { amount } } holdback { percent days } } \
    userErrors { code field message } } }";
const ACTIVATE: &str = "mutation($input: IncentivePlanActivateInput!) { incentivePlanActivate(input: $input) \
    { incentivePlan { id status activatedBy } userErrors { code } } }";

/// A pool of ten percent, capped at 20,000, clawed back within ninety days.
pub fn pool() -> Value {
    json!({"name": "Influence", "currency": "USD", "clawbackDays": 90,
        "components": [{"kind": "INFLUENCE_POOL", "ratePercent": "10", "cap": "20000.00"}]})
}

impl World {
    pub async fn draft(&self, mut input: Value) -> Answer {
        input["programId"] = json!(self.program.text());
        self.ask(&self.manager, CREATE, json!({"input": input}))
            .await
    }

    pub async fn activate(&self, person: &Person, plan: &str) -> Answer {
        self.ask(person, ACTIVATE, json!({"input": {"planId": plan}}))
            .await
    }

    /// Drafts and activates a plan.
    pub async fn plan(&self, input: Value) -> String {
        let id = self
            .draft(input)
            .await
            .done("incentivePlanCreate")
            .text("incentivePlanCreate/incentivePlan/id");
        self.activate(&self.finance, &id)
            .await
            .done("incentivePlanActivate");
        id
    }
}

async fn a_plan_tells_itself_in_plain_sentences(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::TimeDecay).await;
    let mut input = pool();
    input["holdback"] = json!({"percent": "10", "days": 90});
    let answer = w.draft(input).await;
    let plan = answer
        .done("incentivePlanCreate")
        .at("incentivePlanCreate/incentivePlan")
        .clone();
    assert_eq!(plan["status"], "DRAFT");
    assert_eq!(plan["number"], 1);
    let text = plan["planText"].as_str().unwrap();
    assert!(
        text.contains("10 %") && text.contains("20,000.00 USD") && text.contains("90 days"),
        "{text}"
    );
    assert_eq!(
        plan["components"],
        json!([{"kind": "INFLUENCE_POOL", "ratePercent": "10", "cap": {"amount": "20000.00"}}])
    );
    assert_eq!(plan["holdback"], json!({"percent": "10", "days": 90}));
}

async fn a_fourth_component_is_refused(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::TimeDecay).await;
    let mut input = pool();
    input["components"] = json!([
        {"kind": "INFLUENCE_POOL", "ratePercent": "10"}, {"kind": "REFERRAL_FEE", "ratePercent": "5"},
        {"kind": "RESALE_MARGIN", "ratePercent": "3"}, {"kind": "SPIFF", "flatAmount": "100.00"},
    ]);
    let before = w.written().await;
    let answer = w.draft(input).await;
    assert_eq!(answer.refusal("incentivePlanCreate"), "BAD_USER_INPUT");
    assert_eq!(
        answer.at("incentivePlanCreate/userErrors/0/field"),
        &json!(["components"])
    );
    assert_eq!(w.written().await, before);
    assert_eq!(
        incentive_plan::Entity::find()
            .count(t.app.db().reader())
            .await
            .unwrap(),
        0
    );
}

async fn every_fault_of_a_plan_is_told_at_its_field(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::TimeDecay).await;
    let input = json!({"name": " ", "currency": "USD", "clawbackDays": 9999, "holdback": {"percent": "120", "days": 5},
        "effectiveFrom": "2026-05-01T00:00:00Z", "effectiveTo": "2026-04-01T00:00:00Z",
        "components": [{"kind": "INFLUENCE_POOL", "ratePercent": "101"}, {"kind": "RESALE_MARGIN", "ratePercent": "3", "productFamily": "NONE"}]});
    let answer = w.draft(input).await;
    let errors = answer
        .at("incentivePlanCreate/userErrors")
        .as_array()
        .unwrap();
    let mut fields: Vec<String> = errors
        .iter()
        .map(|error| {
            error["field"]
                .as_array()
                .unwrap()
                .iter()
                .map(|part| part.as_str().unwrap())
                .collect::<Vec<_>>()
                .join(".")
        })
        .collect();
    fields.sort_unstable();
    fields.dedup();
    let expected = [
        "clawbackDays",
        "components.0.ratePercent",
        "components.1.productFamily",
        "effectiveTo",
        "holdback.percent",
        "name",
    ];
    assert_eq!(fields, expected);
    let yen = json!({"name": "Yen", "currency": "JPY", "components": [{"kind": "SPIFF", "flatAmount": "100.50"}]});
    let answer = w.draft(yen).await;
    assert_eq!(
        answer.at("incentivePlanCreate/userErrors/0/field"),
        &json!(["components", "0", "flatAmount"])
    );
}

async fn whoever_drafted_a_plan_cannot_activate_it(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::TimeDecay).await;
    let mut input = pool();
    input["programId"] = json!(w.program.text());
    let drafted = w.ask(&w.finance, CREATE, json!({"input": input})).await;
    let id = drafted
        .done("incentivePlanCreate")
        .text("incentivePlanCreate/incentivePlan/id");
    let before = w.written().await;
    assert_eq!(
        w.activate(&w.finance, &id)
            .await
            .refusal("incentivePlanActivate"),
        "SAME_PERSON"
    );
    assert_eq!(
        w.activate(&w.manager, &id)
            .await
            .refusal("incentivePlanActivate"),
        "FORBIDDEN"
    );
    assert_eq!(w.written().await, before);
    let answer = w.activate(&w.admin, &id).await;
    assert_eq!(
        answer
            .done("incentivePlanActivate")
            .text("incentivePlanActivate/incentivePlan/status"),
        "ACTIVE"
    );
    assert_eq!(
        answer.text("incentivePlanActivate/incentivePlan/activatedBy"),
        w.admin.id.text()
    );
    assert_eq!(
        w.activate(&w.admin, &id)
            .await
            .refusal("incentivePlanActivate"),
        "ILLEGAL_TRANSITION"
    );
}

async fn a_new_number_takes_over_from_its_first_day(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::Linear).await;
    w.plan(pool()).await;
    w.plan(json!({"name": "Fee", "currency": "USD", "components": [{"kind": "REFERRAL_FEE", "ratePercent": "5"}]})).await;
    let mut next = pool();
    next["effectiveFrom"] = json!((w.now() + TimeDelta::days(10)).to_rfc3339());
    next["components"][0]["ratePercent"] = json!("20");
    w.plan(next).await;
    let plans = w
        .ask(
            &w.manager,
            "query($id: ID!) { incentivePlans(filter: {programId: $id, status: ACTIVE}) { totalCount nodes { name number effectiveTo } } }",
            json!({"id": w.program.text()}),
        )
        .await;
    assert_eq!(plans.at("incentivePlans/totalCount"), 3);
    let nodes = plans.at("incentivePlans/nodes").as_array().unwrap().clone();
    let first = nodes
        .iter()
        .find(|plan| plan["name"] == "Influence" && plan["number"] == 1)
        .unwrap();
    assert_eq!(first["effectiveTo"], "2026-03-11T09:00:00Z");

    let before = w.won_by_three().await.0;
    assert_eq!(
        w.amounts(before, "EARNED").await,
        ["3333.33", "3333.33", "3333.34"]
    );
    t.advance(TimeDelta::days(10));
    let after = w.won_by_three().await.0;
    assert_eq!(
        w.amounts(after, "EARNED").await,
        ["6666.66", "6666.67", "6666.67"]
    );

    // A number that begins at the same instant leaves its predecessor no time.
    let mut third = pool();
    third["effectiveFrom"] = json!((w.now() + TimeDelta::days(1)).to_rfc3339());
    w.plan(third.clone()).await;
    w.plan(third).await;
    let retired = w
        .ask(
            &w.manager,
            "{ incentivePlans(filter: {status: RETIRED}) { nodes { name number } } }",
            json!({}),
        )
        .await;
    assert_eq!(
        retired.at("incentivePlans/nodes"),
        &json!([{"name": "Influence", "number": 3}])
    );
}

async fn partners_do_not_see_drafts(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::Linear).await;
    let draft = w
        .draft(pool())
        .await
        .text("incentivePlanCreate/incentivePlan/id");
    let own = w.manager_of(w.partner("Alpha").await).await;
    let list = "{ incentivePlans { nodes { id createdBy planText } } }";
    assert_eq!(
        w.ask(&own, list, json!({}))
            .await
            .count("incentivePlans/nodes"),
        0
    );
    let one = "query($id: ID!) { node(id: $id) { id } }";
    assert_eq!(
        w.ask(&own, one, json!({"id": draft})).await.error(),
        "NOT_FOUND"
    );
    w.activate(&w.finance, &draft)
        .await
        .done("incentivePlanActivate");
    let answer = w.ask(&own, list, json!({})).await;
    assert_eq!(answer.count("incentivePlans/nodes"), 1);
    assert_eq!(answer.at("incentivePlans/nodes/0/createdBy"), &json!(null));
    let executive = t.vendor(Role::Executive).await;
    assert_eq!(
        w.ask(&executive, list, json!({})).await.error(),
        "FORBIDDEN"
    );
}

async fn a_retired_plan_pays_nothing_more(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::Linear).await;
    let plan = w.plan(pool()).await;
    let retire = "mutation($input: IncentivePlanRetireInput!) { incentivePlanRetire(input: $input) { incentivePlan { status } userErrors { code } } }";
    let stale = w
        .ask(
            &w.finance,
            retire,
            json!({"input": {"planId": plan, "expectedVersion": 1}}),
        )
        .await;
    assert_eq!(stale.refusal("incentivePlanRetire"), "STALE_OBJECT");
    let answer = w
        .ask(
            &w.finance,
            retire,
            json!({"input": {"planId": plan, "expectedVersion": 2}}),
        )
        .await;
    assert_eq!(
        answer
            .done("incentivePlanRetire")
            .text("incentivePlanRetire/incentivePlan/status"),
        "RETIRED"
    );
    w.won_by_three().await;
    assert_eq!(w.booked().await, [0, 0, 0]);
}

async fn an_active_plan_cannot_be_changed_in_the_database(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::Linear).await;
    w.plan(pool()).await;
    let all = || incentive_plan::Entity::find().all(t.app.db().reader());
    let before = all().await.unwrap();
    for change in [
        "UPDATE incentive_plan SET terms = '{}'",
        "UPDATE incentive_plan SET effective_from = '2020-01-01 00:00:00+00:00'",
        "UPDATE incentive_plan SET currency = 'EUR'",
        "DELETE FROM incentive_plan",
    ] {
        let refused = operator(&t, change).await.unwrap_err();
        assert!(refused.contains("append-only"), "{change}: {refused}");
    }
    assert_eq!(all().await.unwrap(), before);
}
