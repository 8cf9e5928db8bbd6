//! What partners did, and who confirms it.

use chrono::TimeDelta;
use ensemble::{
    entity::{
        attribution_run::AttributionModel,
        deal_participant::ParticipantRole,
        ids::{DealId, PartnerId},
        touchpoint,
        user::Role,
    },
    platform::ids::TypedId,
};
use sea_orm::{ConnectionTrait, EntityTrait};
use serde_json::{Value, json};

use super::World;
use crate::{
    cases,
    support::{Answer, Person, TestApp},
};

cases!(
    of_twelve_touchpoints_the_unverified_one_does_not_count,
    ten_copies_of_one_kind_on_a_day_count_once,
    an_entry_after_the_close_waits_for_the_vendor,
    a_correction_leaves_both_rows,
    nobody_confirms_what_he_recorded,
    the_other_side_confirms,
    a_refused_touchpoint_keeps_its_reason,
    what_is_wrong_with_a_touchpoint_is_told_at_its_field,
    a_partner_records_only_for_itself,
);

const RECORD: &str = "mutation($input: TouchpointRecordInput!, $key: String!) { touchpointRecord(input: $input) @idempotent(key: $key) \
    { touchpoint { id status recordedByVendor evidence correctsId version } userErrors { code field } } }";
const VERIFY: &str = "mutation($input: TouchpointVerifyInput!) { touchpointVerify(input: $input) \
    { touchpoint { id status verifiedAt } userErrors { code field } } }";
const REJECT: &str = "mutation($input: TouchpointRejectInput!) { touchpointReject(input: $input) \
    { touchpoint { id status rejectionReason } userErrors { code field } } }";
impl World {
    pub(super) async fn record(
        &self,
        person: &Person,
        deal: DealId,
        partner: Option<PartnerId>,
        days: i64,
        kind: &str,
    ) -> Answer {
        let input = json!({
            "dealId": deal.text(), "partnerId": partner.map(TypedId::text), "kind": kind, "phase": "CONSIDERATION",
            "occurredAt": self.ago(days).to_rfc3339(), "evidence": "https://partner.example/minutes",
        });
        self.record_with(person, input).await
    }

    pub(super) async fn record_with(&self, person: &Person, input: Value) -> Answer {
        let key = format!("key-{}", self.written().await[0]);
        self.ask(person, RECORD, json!({"input": input, "key": key}))
            .await
    }

    pub(super) async fn verify(&self, person: &Person, id: &str) -> Answer {
        self.ask(person, VERIFY, json!({"input": {"touchpointId": id}}))
            .await
    }
}

async fn of_twelve_touchpoints_the_unverified_one_does_not_count(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::Linear).await;
    let deal = w.deal(10_000_000, "USD").await;
    let partner = w.partner("Alpha").await;
    w.join(deal, partner, ParticipantRole::Influencer, 50).await;
    let own = w.manager_of(partner).await;
    for days in 0..12 {
        let id = w
            .record(&own, deal, None, days, "DEMO")
            .await
            .done("touchpointRecord")
            .text("touchpointRecord/touchpoint/id");
        if days != 3 {
            let verified = w.verify(&w.manager, &id).await;
            assert_eq!(
                verified
                    .done("touchpointVerify")
                    .text("touchpointVerify/touchpoint/status"),
                "VERIFIED"
            );
        }
    }
    w.win(deal).await;
    let answer = w.explain(&own, deal).await;
    let judged = answer
        .at("attributionExplanation/credits/0/touchpoints")
        .as_array()
        .unwrap()
        .clone();
    assert_eq!(judged.len(), 12);
    assert_eq!(
        judged.iter().filter(|row| row["counted"] == true).count(),
        11
    );
    let left_out: Vec<_> = judged
        .iter()
        .filter(|row| row["counted"] == false)
        .map(|row| row["exclusion"].clone())
        .collect();
    assert_eq!(left_out, [json!("UNVERIFIED")]);
    assert_eq!(answer.text("attributionExplanation/totalWeight"), "11");
}

async fn ten_copies_of_one_kind_on_a_day_count_once(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::Linear).await;
    let deal = w.deal(10_000_000, "USD").await;
    let partner = w.partner("Alpha").await;
    for _ in 0..10 {
        w.touch(deal, partner, 5).await;
    }
    let answer = w.explain(&w.manager, deal).await;
    let judged = answer
        .at("attributionExplanation/credits/0/touchpoints")
        .as_array()
        .unwrap()
        .clone();
    assert_eq!(
        judged
            .iter()
            .filter(|row| row["exclusion"] == "DAILY_CAP")
            .count(),
        9
    );
    assert_eq!(answer.text("attributionExplanation/totalWeight"), "1");
}

async fn an_entry_after_the_close_waits_for_the_vendor(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::Linear).await;
    let (deal, [alpha, ..]) = w.three(10_000_000).await;
    w.join(deal, alpha, ParticipantRole::Influencer, 50).await;
    w.win(deal).await;
    t.advance(TimeDelta::days(1));
    let own = w.manager_of(alpha).await;
    let recorded = w.record(&own, deal, None, 10, "WORKSHOP").await;
    assert_eq!(
        recorded
            .done("touchpointRecord")
            .text("touchpointRecord/touchpoint/status"),
        "AWAITING_APPROVAL"
    );
    let id = recorded.text("touchpointRecord/touchpoint/id");
    let colleague = w.manager_of(alpha).await;
    assert_eq!(
        w.verify(&colleague, &id).await.refusal("touchpointVerify"),
        "FORBIDDEN"
    );
    w.verify(&w.manager, &id).await.done("touchpointVerify");
    // What was stored stays, and computing it again leaves the late entry out.
    let answer = w.explain(&w.manager, deal).await;
    assert_eq!(answer.text("attributionExplanation/totalWeight"), "3");
    let judged = answer
        .at("attributionExplanation/credits/0/touchpoints")
        .as_array()
        .unwrap()
        .clone();
    let late = judged
        .iter()
        .find(|row| row["touchpoint"]["id"] == id.as_str())
        .unwrap();
    assert_eq!(late["exclusion"], "AFTER_CLOSE");

    // A deal whose credit is computed later counts what was approved.
    let other = w.deal(10_000_000, "USD").await;
    w.join(other, alpha, ParticipantRole::Influencer, 50).await;
    w.close(other).await;
    t.advance(TimeDelta::days(1));
    let id = w
        .record(&own, other, None, 10, "DEMO")
        .await
        .text("touchpointRecord/touchpoint/id");
    assert_eq!(
        w.explain(&w.manager, other)
            .await
            .text("attributionExplanation/basis"),
        "PARTICIPATION"
    );
    t.advance(TimeDelta::days(1));
    w.verify(&w.manager, &id).await.done("touchpointVerify");
    assert_eq!(
        w.explain(&w.manager, other)
            .await
            .text("attributionExplanation/basis"),
        "TOUCHPOINTS"
    );
}

async fn a_correction_leaves_both_rows(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::Linear).await;
    let deal = w.deal(10_000_000, "USD").await;
    let partner = w.partner("Alpha").await;
    let wrong = w.touch(deal, partner, 20).await.text();
    let input = json!({"dealId": deal.text(), "partnerId": partner.text(), "kind": "POC", "phase": "CONSIDERATION",
        "occurredAt": w.ago(19).to_rfc3339(), "correctsId": wrong});
    let right = w.record_with(&w.manager, input.clone()).await;
    assert_eq!(
        right
            .done("touchpointRecord")
            .text("touchpointRecord/touchpoint/correctsId"),
        wrong
    );
    let listed = w
        .ask(
            &w.manager,
            "query($id: ID!) { node(id: $id) { ... on Deal { touchpoints { totalCount nodes { id status } } } } }",
            json!({"id": deal.text()}),
        )
        .await;
    assert_eq!(listed.at("node/touchpoints/totalCount"), 2);
    assert_eq!(
        listed.at("node/touchpoints/nodes/0"),
        &json!({"id": wrong, "status": "CORRECTED"})
    );
    assert_eq!(listed.text("node/touchpoints/nodes/1/status"), "CLAIMED");

    let before = w.written().await;
    assert_eq!(
        w.record_with(&w.manager, input)
            .await
            .refusal("touchpointRecord"),
        "ILLEGAL_TRANSITION"
    );
    assert_eq!(w.written().await, before);
    for statement in [
        "DELETE FROM touchpoint",
        "UPDATE touchpoint SET kind = 'OTHER'",
    ] {
        assert!(
            t.app
                .db()
                .maintenance()
                .execute_unprepared(statement)
                .await
                .is_err()
        );
    }
}

async fn nobody_confirms_what_he_recorded(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::Linear).await;
    let deal = w.deal(10_000_000, "USD").await;
    let partner = w.partner("Alpha").await;
    let recorded = w.record(&w.manager, deal, Some(partner), 3, "DEMO").await;
    assert_eq!(
        recorded
            .done("touchpointRecord")
            .text("touchpointRecord/touchpoint/status"),
        "CLAIMED"
    );
    let id = recorded.text("touchpointRecord/touchpoint/id");
    let before = w.written().await;
    assert_eq!(
        w.verify(&w.manager, &id).await.refusal("touchpointVerify"),
        "SAME_PERSON"
    );
    assert_eq!(w.written().await, before);
}

async fn the_other_side_confirms(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::Linear).await;
    let deal = w.deal(10_000_000, "USD").await;
    let partner = w.partner("Alpha").await;
    w.join(deal, partner, ParticipantRole::Influencer, 5).await;
    let own = w.manager_of(partner).await;
    let by_vendor = w
        .record(&w.manager, deal, Some(partner), 3, "DEMO")
        .await
        .text("touchpointRecord/touchpoint/id");
    let stranger = w.manager_of(w.partner("Beta").await).await;
    assert_eq!(
        w.verify(&stranger, &by_vendor)
            .await
            .refusal("touchpointVerify"),
        "NOT_FOUND"
    );
    let member = t.person(Role::PartnerMember, Some(partner)).await;
    assert_eq!(
        w.verify(&member, &by_vendor)
            .await
            .refusal("touchpointVerify"),
        "FORBIDDEN"
    );
    w.verify(&own, &by_vendor).await.done("touchpointVerify");
    assert_eq!(
        w.verify(&w.admin, &by_vendor)
            .await
            .refusal("touchpointVerify"),
        "ILLEGAL_TRANSITION"
    );

    let by_partner = w
        .record(&own, deal, None, 4, "DEMO")
        .await
        .text("touchpointRecord/touchpoint/id");
    let colleague = w.manager_of(partner).await;
    assert_eq!(
        w.verify(&colleague, &by_partner)
            .await
            .refusal("touchpointVerify"),
        "FORBIDDEN"
    );
    assert_eq!(
        w.verify(&w.finance, &by_partner)
            .await
            .refusal("touchpointVerify"),
        "FORBIDDEN"
    );
    w.verify(&w.admin, &by_partner)
        .await
        .done("touchpointVerify");
}

async fn a_refused_touchpoint_keeps_its_reason(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::Linear).await;
    let deal = w.deal(10_000_000, "USD").await;
    let partner = w.partner("Alpha").await;
    w.join(deal, partner, ParticipantRole::Influencer, 5).await;
    let own = w.manager_of(partner).await;
    let id = w
        .record(&own, deal, None, 4, "DEMO")
        .await
        .text("touchpointRecord/touchpoint/id");
    let reject = |reason: &str| json!({"input": {"touchpointId": id, "reason": reason}});
    assert_eq!(
        w.ask(&w.manager, REJECT, reject(" "))
            .await
            .refusal("touchpointReject"),
        "REASON_REQUIRED"
    );
    let rejected = w
        .ask(
            &w.manager,
            REJECT,
            reject("The customer knows nothing of it"),
        )
        .await;
    let object = rejected
        .done("touchpointReject")
        .at("touchpointReject/touchpoint")
        .clone();
    assert_eq!(
        object,
        json!({"id": id, "status": "REJECTED", "rejectionReason": "The customer knows nothing of it"})
    );
    let row = touchpoint::Entity::find()
        .one(t.app.db().reader())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (row.verified_by, row.verified_at, row.version),
        (None, None, 2)
    );
}

async fn what_is_wrong_with_a_touchpoint_is_told_at_its_field(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::Linear).await;
    let deal = w.deal(10_000_000, "USD").await;
    let partner = w.partner("Alpha").await;
    let before = w.written().await;
    let nobody = w.record(&w.manager, deal, None, 1, "DEMO").await;
    assert_eq!(
        nobody.at("touchpointRecord/userErrors"),
        &json!([{"code": "BAD_USER_INPUT", "field": ["partnerId"]}])
    );
    let future = w.record(&w.manager, deal, Some(partner), -1, "DEMO").await;
    assert_eq!(
        future.at("touchpointRecord/userErrors"),
        &json!([{"code": "BAD_USER_INPUT", "field": ["occurredAt"]}])
    );
    let unknown = w
        .record(
            &w.manager,
            DealId::of(uuid::Uuid::nil()),
            Some(partner),
            1,
            "DEMO",
        )
        .await;
    assert_eq!(
        unknown.at("touchpointRecord/userErrors"),
        &json!([{"code": "NOT_FOUND", "field": ["dealId"]}])
    );
    let auditor = t.vendor(Role::Auditor).await;
    assert_eq!(
        w.record(&auditor, deal, Some(partner), 1, "DEMO")
            .await
            .refusal("touchpointRecord"),
        "FORBIDDEN"
    );
    let keyless = RECORD
        .replace("@idempotent(key: $key)", "")
        .replace(", $key: String!", "");
    let input = json!({"dealId": deal.text(), "partnerId": partner.text(), "kind": "DEMO", "phase": "ADOPTION", "occurredAt": w.ago(1).to_rfc3339()});
    let answer = w.ask(&w.manager, &keyless, json!({"input": input})).await;
    assert_eq!(
        answer.refusal("touchpointRecord"),
        "IDEMPOTENCY_KEY_REQUIRED"
    );
    assert_eq!(w.written().await, before);
}

async fn a_partner_records_only_for_itself(t: TestApp) {
    let w = World::paying_by(&t, AttributionModel::Linear).await;
    let deal = w.deal(10_000_000, "USD").await;
    let (alpha, beta) = (w.partner("Alpha").await, w.partner("Beta").await);
    let own = w.manager_of(alpha).await;
    let before = w.written().await;
    assert_eq!(
        w.record(&own, deal, None, 1, "DEMO")
            .await
            .refusal("touchpointRecord"),
        "NOT_FOUND"
    );
    w.join(deal, alpha, ParticipantRole::Influencer, 5).await;
    assert_eq!(
        w.record(&own, deal, Some(beta), 1, "DEMO")
            .await
            .refusal("touchpointRecord"),
        "NOT_FOUND"
    );
    assert_eq!(w.written().await, before);
    w.record(&own, deal, Some(alpha), 1, "DEMO")
        .await
        .done("touchpointRecord");
}
