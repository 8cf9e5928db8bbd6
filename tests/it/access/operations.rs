//! Every operation of the API as everybody: a committed table, and a run that knows when it lacks a row.

use std::collections::{BTreeMap, BTreeSet};

use ensemble::{identity::Role, seeds};
use serde_json::{Map, Value, json};

use super::{
    dump,
    sdl::named,
    world::{Column, Side, World},
};
use crate::{cases, support::TestApp};

cases!(every_operation_answers_each_caller_as_the_table_says,);

/// Mutations whose happy end lies beyond this world, with the refusal that shows that the door was open.
const BEYOND: [(&str, &str); 1] = [("payoutRetry", "ILLEGAL_TRANSITION")];

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
        ("product", of("product")),
        ("productFamilies", json!({})),
        ("products", json!({})),
        ("program", of("program")),
        ("programs", json!({})),
        ("user", of("own.mem")),
        ("users", json!({})),
        ("viewer", json!({})),
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

/// Who goes first: whoever must be refused, so that a cell of somebody allowed is not the trace of another.
fn turn(column: &Column) -> (u8, u8) {
    let side = match column.side {
        Side::Nobody => 0,
        Side::Stranger => 1,
        Side::Declined => 2,
        Side::Removed => 3,
        Side::Participant => 4,
        Side::Owner => 5,
        Side::Vendor => 6,
    };
    let role = match column.role {
        Some(Role::PartnerMember | Role::Executive) => 0,
        Some(Role::PartnerManager | Role::Auditor) => 1,
        Some(Role::PartnerAdministrator | Role::Finance) => 2,
        Some(Role::AllianceManager) => 3,
        Some(Role::Administrator) | None => 4,
    };
    (side, role)
}

fn shape(world: &World, root: &str, name: &str) -> &'static str {
    if root == "Mutation" {
        return "{ userErrors { code } }";
    }
    let result = named(&world.sdl.field(root, name).ty.node).to_owned();
    if world
        .sdl
        .fields(&result)
        .iter()
        .any(|field| field.name.node == "nodes")
    {
        "{ totalCount }"
    } else {
        "{ __typename }"
    }
}

/// A cell: how many rows of a list, `ok`, `null`, or the code of the refusal.
fn cell(root: &str, name: &str, json: &Value) -> String {
    if let Some(errors) = json["errors"].as_array() {
        let codes: BTreeSet<_> = errors
            .iter()
            .map(|error| error["extensions"]["code"].as_str().unwrap_or("?"))
            .collect();
        return short(&codes.into_iter().collect::<Vec<_>>().join("+"));
    }
    let value = &json["data"][name];
    if root == "Mutation" {
        let errors = value["userErrors"].as_array().unwrap();
        return match errors.as_slice() {
            [] => "ok".to_owned(),
            [first, ..] => short(first["code"].as_str().unwrap()),
        };
    }
    match (value, value.get("totalCount")) {
        (Value::Null, _) => "null".to_owned(),
        (Value::Array(rows), _) => rows.iter().filter(|row| !row.is_null()).count().to_string(),
        (_, Some(count)) => count.to_string(),
        _ => "ok".to_owned(),
    }
}

/// The three refusals that make up most of the table have one letter.
fn short(code: &str) -> String {
    match code {
        "FORBIDDEN" => "F",
        "NOT_FOUND" => "N",
        "UNAUTHENTICATED" => "U",
        other => other,
    }
    .to_owned()
}

pub fn table(head: &[&str], first: &str, rows: &[(String, Vec<String>)]) -> String {
    let mut lines = vec![
        format!("| {first} | {} |", head.join(" | ")),
        format!("|---|{}", "---|".repeat(head.len())),
    ];
    lines.extend(
        rows.iter()
            .map(|(name, cells)| format!("| {name} | {} |", cells.join(" | "))),
    );
    lines.join("\n")
}

async fn every_operation_answers_each_caller_as_the_table_says(t: TestApp) {
    let world = World::build(&t).await;
    let roots: BTreeMap<&str, Vec<String>> = ["Query", "Mutation"]
        .map(|root| {
            (
                root,
                world
                    .sdl
                    .fields(root)
                    .iter()
                    .map(|f| f.name.node.to_string())
                    .collect(),
            )
        })
        .into();
    let names: Vec<&str> = arguments(&world, &world.columns[0])
        .iter()
        .map(|(name, _)| *name)
        .collect();
    let called: BTreeSet<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let served: BTreeSet<String> = roots.values().flatten().cloned().collect();
    assert_eq!(
        called, served,
        "an operation without a row, or a row without an operation"
    );

    let mut odd = nobody_who_only_reads_writes(&world, &roots["Mutation"]).await;
    let mut order: Vec<usize> = (0..world.columns.len()).collect();
    order.sort_by_key(|place| turn(&world.columns[*place]));
    let mut cells: BTreeMap<(&str, usize), String> = BTreeMap::new();
    for name in &names {
        for place in &order {
            let column = &world.columns[*place];
            let all = arguments(&world, column);
            let given = &all.iter().find(|(other, _)| other == name).unwrap().1;
            let root = world.root_of(name);
            let answer = world
                .call(&column.actor, root, name, given, shape(&world, root, name))
                .await;
            cells.insert((*name, *place), cell(root, name, &answer.json));
        }
    }
    let heads: Vec<&str> = world.columns.iter().map(|column| column.head).collect();
    let mut parts = Vec::new();
    for root in ["Query", "Mutation"] {
        let rows: Vec<_> = roots[root]
            .iter()
            .map(|name| {
                (
                    name.clone(),
                    (0..heads.len())
                        .map(|place| cells[&(name.as_str(), place)].clone())
                        .collect::<Vec<_>>(),
                )
            })
            .collect();
        for (name, row) in &rows {
            let open = BEYOND
                .iter()
                .find(|(other, _)| other == name)
                .map_or("ok", |(_, code)| code);
            let passes =
                |cell: &String| cell == open || cell.parse::<u32>().is_ok_and(|rows| rows > 0);
            if !row.iter().any(passes) {
                odd.push(format!("nobody gets through to {name}: {row:?}"));
            }
        }
        parts.push(table(&heads, root, &rows));
    }
    t.settle().await;
    insta::assert_snapshot!("operations", parts.join("\n\n"));
    assert_eq!(odd, Vec::<String>::new());
}

/// Auditors and executives change nothing with any mutation, nor does anybody who did not sign in.
async fn nobody_who_only_reads_writes(world: &World, mutations: &[String]) -> Vec<String> {
    const DOORS: [&str; 6] = [
        "login",
        "tokenRefresh",
        "passwordResetRequest",
        "passwordReset",
        "invitationAccept",
        "logout",
    ];
    let mut odd = Vec::new();
    let before = dump::everything(&world.t).await;
    for column in &world.columns {
        let reads = matches!(column.role, None | Some(Role::Auditor | Role::Executive));
        for (name, given) in arguments(world, column) {
            if !reads || DOORS.contains(&name) || !mutations.iter().any(|mutation| mutation == name)
            {
                continue;
            }
            let answer = world
                .call(
                    &column.actor,
                    "Mutation",
                    name,
                    &given,
                    shape(world, "Mutation", name),
                )
                .await;
            let cell = cell("Mutation", name, &answer.json);
            // What an executive cannot read does not even exist for him.
            let refused = match column.role {
                None => cell == "U",
                Some(_) => cell == "F" || cell == "N",
            };
            if !refused {
                odd.push(format!("{name} as {}: {cell}", column.head));
            }
        }
    }
    dump::assert_same(&before, &dump::everything(&world.t).await);
    odd
}

/// Arguments as the calls pass them, by name.
pub fn by_name(world: &World, column: &Column) -> BTreeMap<&'static str, Map<String, Value>> {
    let all = arguments(world, column).into_iter();
    all.map(|(name, value)| (name, value.as_object().unwrap().clone()))
        .collect()
}
