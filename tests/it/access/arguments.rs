//! What the calls of every operation pass.

use std::collections::BTreeMap;

use ensemble::seeds;
use serde_json::{Map, Value, json};

use super::world::{Column, World};

/// What the calls pass, by the name of the operation; the order is that in which they are called.
pub fn arguments(world: &World, column: &Column) -> Vec<(&'static str, Value)> {
    let id = |name: &str| world.id(name).to_owned();
    let of = |name: &str| json!({ "id": id(name) });
    let input = |input: Value| json!({ "input": input });
    let registration = |name: &str, more: Value| {
        let mut fields = more;
        fields["registrationId"] = json!(id(name));
        input(fields)
    };
    let life = || input(json!({"partnerId": id("life"), "reason": "As agreed"}));
    // The vendor says for whom it acts; a partner's people act for their own.
    let behalf = (!column.is_partner()).then(|| id("northwind"));
    let unique = column.head.replace('.', "-");
    let period = json!({"periodStart": "2025-09-01", "periodEnd": "2026-03-31"});
    vec![
        ("attributionExplanation", json!({"dealId": id("helios")})),
        ("auditChainVerify", json!({})),
        ("auditEvents", json!({})),
        ("customer", of("customer")),
        ("customers", json!({})),
        ("jobs", json!({})),
        ("deal", of("aurora")),
        ("dealForecast", json!({"groupBy": "PARTNER"})),
        ("dealPipeline", json!({})),
        ("dealRegistration", of("r.aurora")),
        ("dealRegistrations", json!({})),
        ("deals", json!({})),
        ("exchangeRates", json!({})),
        ("incentivePlan", of("plan")),
        ("incentivePlans", json!({})),
        ("influencedRevenue", period.clone()),
        ("ledgerAccounts", json!({})),
        ("node", of("aurora")),
        (
            "nodes",
            json!({"ids": [id("aurora"), id("northwind"), id("bluefjord"), id("payout.owner"), id("payout.participant")]}),
        ),
        ("partner", of("northwind")),
        ("partners", json!({})),
        ("payout", of("payout.owner")),
        ("payoutPreview", input(json!({"dealId": id("aurora")}))),
        ("payoutRun", of("run")),
        ("payoutRuns", json!({})),
        ("payouts", json!({})),
        ("publishedStatement", of("statement")),
        ("product", of("product")),
        ("productFamilies", json!({})),
        ("products", json!({})),
        ("program", of("program")),
        ("programs", json!({})),
        ("user", of("own.mem")),
        ("users", json!({})),
        ("viewer", json!({})),
        (
            "statementsPublish",
            input(json!({"periodStart": "2025-09-01", "periodEnd": "2026-02-27"})),
        ),
        ("accrualRun", input(json!({"programId": id("program")}))),
        (
            "customerCreate",
            input(json!({"name": format!("Zenith {unique}")})),
        ),
        (
            "customerUpdate",
            input(json!({"customerId": id("customer"), "industry": "Care"})),
        ),
        (
            "dealCreate",
            input(
                json!({"name": "Zephyr", "ownerPartnerId": id("northwind"), "programId": id("program"),
            "products": [{"productId": id("product")}], "value": {"amount": "1000.00", "currency": "USD"}}),
            ),
        ),
        (
            "dealStageChange",
            input(json!({"dealId": id("aurora"), "stage": "QUALIFIED"})),
        ),
        (
            "dealLose",
            input(
                json!({"dealId": id("lose"), "reason": "PRICE", "detail": "Undercut", "competitor": "Quill"}),
            ),
        ),
        ("dealWin", input(json!({"dealId": id("win")}))),
        (
            "dealRefund",
            input(
                json!({"dealId": id("helios"), "amount": {"amount": "10.00", "currency": "USD"}, "reason": "Goodwill"}),
            ),
        ),
        (
            "dealParticipantInvite",
            input(json!({"dealId": id("aurora"), "partnerId": id("cobalt"), "role": "RESELLER"})),
        ),
        (
            "dealParticipantAccept",
            input(json!({"participantId": id("p.accept")})),
        ),
        (
            "dealParticipantDecline",
            input(json!({"participantId": id("p.decline")})),
        ),
        (
            "dealParticipantRemove",
            input(json!({"participantId": id("p.remove"), "reason": "As agreed"})),
        ),
        (
            "dealRegistrationAnswer",
            registration("r.answer", json!({"note": "The one of the clinics"})),
        ),
        (
            "dealRegistrationApprove",
            registration("r.approve", json!({})),
        ),
        (
            "dealRegistrationExtend",
            registration("r.extend", json!({"evidence": "Two workshops"})),
        ),
        (
            "dealRegistrationReject",
            registration("r.reject", json!({"reason": "OTHER", "note": "No budget"})),
        ),
        (
            "dealRegistrationRequestInfo",
            registration("r.ask", json!({"note": "Which budget?"})),
        ),
        (
            "dealRegistrationReviewStart",
            registration("r.start", json!({})),
        ),
        (
            "dealRegistrationWithdraw",
            registration("r.withdraw", json!({})),
        ),
        (
            "dealRegistrationSubmit",
            input(json!({
            "customer": {"name": format!("{unique} {unique}"), "domain": format!("{unique}.example"), "country": "SE"},
            "products": [{"productId": id("product")}], "value": {"amount": "5000.00", "currency": "USD"},
            "expectedCloseOn": "2026-05-30", "partnerId": behalf, "programId": id("program")})),
        ),
        (
            "touchpointRecord",
            input(
                json!({"dealId": id("aurora"), "kind": "OTHER", "phase": "CONSIDERATION",
            "occurredAt": "2026-02-22T09:00:00Z", "evidence": unique, "partnerId": behalf}),
            ),
        ),
        (
            "touchpointReject",
            input(json!({"touchpointId": id("t.reject"), "reason": "Not ours"})),
        ),
        (
            "touchpointVerify",
            input(json!({"touchpointId": id("t.verify")})),
        ),
        (
            "incentivePlanActivate",
            input(json!({"planId": id("plan.activate")})),
        ),
        (
            "incentivePlanCreate",
            input(
                json!({"programId": id("program"), "name": "Summer", "currency": "EUR",
            "components": [{"kind": "INFLUENCE_POOL", "ratePercent": "5"}]}),
            ),
        ),
        (
            "incentivePlanRetire",
            input(json!({"planId": id("plan.retire")})),
        ),
        (
            "payoutRunApprove",
            input(json!({"payoutRunId": id("run.approve")})),
        ),
        (
            "payoutRunCancel",
            input(json!({"payoutRunId": id("run.cancel")})),
        ),
        (
            "payoutRunCreate",
            input(
                json!({"programId": id("program"), "periodStart": "2026-03-01", "periodEnd": "2026-03-02"}),
            ),
        ),
        (
            "payoutRunExecute",
            input(json!({"payoutRunId": id("run.execute")})),
        ),
        (
            "payoutRetry",
            input(json!({"payoutId": id("payout.owner")})),
        ),
        ("partnerApply", life()),
        ("partnerReviewStart", life()),
        ("partnerApprove", life()),
        ("partnerOnboardingStart", life()),
        ("partnerActivate", life()),
        ("partnerWatch", life()),
        ("partnerSuspend", life()),
        ("partnerReinstate", life()),
        ("partnerOffboardingStart", life()),
        ("partnerRetire", life()),
        (
            "partnerReject",
            input(json!({"partnerId": id("refused"), "reason": "No capacity"})),
        ),
        (
            "partnerCreate",
            input(
                json!({"legalName": format!("Opal {unique}"), "displayName": format!("Opal {unique}"), "types": ["SI"]}),
            ),
        ),
        (
            "partnerEnroll",
            input(json!({"partnerId": id("enroll"), "programId": id("program"), "tier": "SILVER"})),
        ),
        (
            "partnerTierChange",
            input(
                json!({"partnerId": id("evergreen"), "programId": id("program"), "tier": "SILVER"}),
            ),
        ),
        (
            "partnerUpdate",
            input(json!({"partnerId": id("northwind"), "website": "https://northwind.example"})),
        ),
        (
            "partnerPaymentDetailsSet",
            input(
                json!({"partnerId": id("northwind"), "accountHolder": "Northwind AB", "iban": "GB29NWBK60161331926819"}),
            ),
        ),
        (
            "productCreate",
            input(
                json!({"sku": format!("SKU-{unique}").to_uppercase(), "name": "Care Sensor", "family": "CARE"}),
            ),
        ),
        (
            "productFamilyCreate",
            input(json!({"code": unique.replace('-', "_").to_uppercase(), "name": "Family"})),
        ),
        (
            "productUpdate",
            input(json!({"productId": id("product"), "name": "Care Core"})),
        ),
        (
            "programCreate",
            input(json!({"name": format!("Programme {unique}")})),
        ),
        (
            "programSettingsChange",
            input(json!({"programId": id("program"), "settings": {"reviewSlaHours": 48}})),
        ),
        (
            "programVersionWithdraw",
            input(json!({"versionId": id("version")})),
        ),
        (
            "userInvite",
            input(
                json!({"email": format!("new-{unique}@people.example"), "name": "Uma Neu",
            "role": "PARTNER_MEMBER", "partnerId": id("northwind")}),
            ),
        ),
        (
            "userDeactivate",
            input(json!({"userId": id("leaver"), "expectedVersion": 1})),
        ),
        (
            "exchangeRateRecord",
            input(
                json!({"rates": [{"on": "2026-02-21", "from": "EUR", "to": "USD", "toAmount": "1.09"}]}),
            ),
        ),
        ("jobReplay", input(json!({"jobId": id("letter")}))),
        (
            "login",
            input(json!({"email": "bo@bluefjord.example", "password": seeds::PASSWORD})),
        ),
        (
            "tokenRefresh",
            input(json!({"refreshToken": id("refresh")})),
        ),
        (
            "passwordResetRequest",
            input(json!({"email": "wes@vendor.example"})),
        ),
        (
            "passwordReset",
            input(json!({"token": id("reset"), "password": "a new long password"})),
        ),
        (
            "invitationAccept",
            input(json!({"token": id("invitation"), "password": "a new long password"})),
        ),
        ("logout", json!({})),
    ]
}

/// Arguments as the calls pass them, by name.
pub fn by_name(world: &World, column: &Column) -> BTreeMap<&'static str, Map<String, Value>> {
    let all = arguments(world, column).into_iter();
    all.map(|(name, value)| (name, value.as_object().unwrap().clone()))
        .collect()
}
