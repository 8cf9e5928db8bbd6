//! One won deal, divided by every model.

use serde_json::json;

use super::{House, ONE_EACH, amount, sum};
use crate::{cases, support::TestApp};

cases!(every_model_divides_a_won_deal_as_told);

/// Points of roles and of kinds of touchpoints, so that no two models agree by chance.
async fn house(t: &TestApp) -> House {
    let weights = json!({
        "roles": [
            { "role": "INFLUENCER", "weight": 20 },
            { "role": "RESELLER", "weight": 50 },
            { "role": "IMPLEMENTER", "weight": 30 },
        ],
        "attribution": {
            "halfLifeDays": 30,
            "kindWeights": [
                { "kind": "REFERRAL", "weight": 1 },
                { "kind": "WORKSHOP", "weight": 2 },
                { "kind": "IMPLEMENTATION", "weight": 5 },
            ],
        },
    });
    House::open(t, weights).await
}

async fn every_model_divides_a_won_deal_as_told(t: TestApp) {
    let house = house(&t).await;
    let mut touches = ONE_EACH;
    // The lead came with the first touchpoint, the opportunity with the last: W gives 60, 10 and 30.
    touches[0].3 = Some("LEAD_CREATED");
    touches[2].3 = Some("OPPORTUNITY_CREATED");
    let deal = house.deal("100000.00", &touches).await;
    house.win(&deal).await;
    let expected = [
        ("FIRST", ["100000.00", "0.00", "0.00"]),
        ("LAST", ["0.00", "0.00", "100000.00"]),
        ("LINEAR", ["33333.34", "33333.33", "33333.33"]),
        ("TIME_DECAY", ["14285.71", "28571.43", "57142.86"]),
        ("U_SHAPED", ["40000.00", "20000.00", "40000.00"]),
        ("W_SHAPED", ["60000.00", "10000.00", "30000.00"]),
        ("ROLE_WEIGHTED", ["20000.00", "50000.00", "30000.00"]),
        ("CUSTOM", ["12500.00", "25000.00", "62500.00"]),
    ];
    let document = "query($id: ID!) {
        deal(id: $id) { attribution { ...one } }
        attributionExplanation(dealId: $id) { forecast model whatIf { ...one } } }
        fragment one on Attribution { model official credits { partner { displayName } amount { amount } } }";
    let answer = t.ask(&house.luis, document, json!({ "id": deal })).await;
    assert_eq!(answer.at("attributionExplanation/forecast"), false);
    let compared = answer
        .at("attributionExplanation/whatIf")
        .as_array()
        .unwrap();
    assert_eq!(compared.len(), expected.len());
    for (model, amounts) in expected {
        let one = compared.iter().find(|one| one["model"] == model).unwrap();
        let credits = one["credits"].as_array().unwrap();
        let of = |name: &str| {
            let credit = credits
                .iter()
                .find(|row| row["partner"]["displayName"] == name);
            credit.map_or("0.00", |row| row["amount"]["amount"].as_str().unwrap())
        };
        let told = house.partners.each_ref().map(|member| of(member.name));
        assert_eq!(told, amounts, "{model}");
        let all = credits
            .iter()
            .map(|row| row["amount"]["amount"].as_str().unwrap());
        assert_eq!(sum(all), amount("100000.00"), "{model}");
        assert_eq!(one["official"], false, "compared, and stored nowhere");
    }
    // What the deal got is what the programme's own model says.
    let own = compared
        .iter()
        .find(|one| one["model"] == "TIME_DECAY")
        .unwrap();
    let mut stored = own.clone();
    stored["official"] = json!(true);
    assert_eq!(answer.at("deal/attribution"), &json!([stored]));
}
