//! The mails of an approval, from the decision to what stands in them.

use serde_json::json;

use super::{House, done};
use crate::{cases, support::TestApp};
use ensemble::entity::user::Role;

cases!(
    an_approval_sends_two_mails_with_what_was_approved,
    a_refused_approval_sends_none,
);

/// The number of a registration that somebody of Northwind handed in, and its id; the mails about that are sent.
async fn registered(house: &House, by: &crate::support::Person) -> (String, String) {
    let claim = json!({
        "programId": house.program,
        "customer": { "name": "Contoso & Söhne", "domain": "contoso.example", "country": "DE" },
        "products": [{ "productId": house.product }],
        "value": { "amount": "100000.00", "currency": "USD" },
        "expectedCloseOn": "2026-09-30",
    });
    let object = "dealRegistration { id number }";
    let answer = done(&house.t, by, "dealRegistrationSubmit", object, claim).await;
    house.t.settle().await;
    let at = |name| answer.text(&format!("dealRegistrationSubmit/dealRegistration/{name}"));
    (at("id"), at("number"))
}

async fn an_approval_sends_two_mails_with_what_was_approved(t: TestApp) {
    let house = House::open(&t, json!({})).await;
    let nora = &house.partners[0];
    let max = t.person(Role::PartnerMember, Some(nora.id)).await;
    // A colleague who has nothing to do with it.
    t.person(Role::PartnerMember, Some(nora.id)).await;
    let (id, number) = registered(&house, &max).await;
    let before = t.outbox.sent().len();

    let input = json!({ "registrationId": id });
    done(
        &t,
        &house.luis,
        "dealRegistrationApprove",
        "dealRegistration { id }",
        input,
    )
    .await;
    assert_eq!(t.outbox.sent().len(), before, "mail is sent by the worker");
    t.settle().await;
    let sent = t.outbox.sent().split_off(before);
    let mut told: Vec<_> = sent
        .iter()
        .map(|mail| mail.message.to_address.clone())
        .collect();
    told.sort();
    let mut concerned = [nora.own.email.clone(), max.email.clone()];
    concerned.sort();
    assert_eq!(told, concerned);
    for mail in sent {
        let message = mail.message;
        assert_eq!(
            message.subject,
            format!("Approved: your registration {number}, Contoso & Söhne")
        );
        // 90 days of protection from 1 March.
        let text = format!(
            "Your registration is approved.\n\n\
             Number: {number}\nCustomer: Contoso & Söhne\nValue: USD\u{a0}100,000.00\n\n\
             The deal is protected for you until the end of 2026-05-30 (UTC).\n\n\
             Open the registration:\nhttp://localhost:8080/deal-registrations/{id}\n"
        );
        assert!(message.text.contains(&text), "{}", message.text);
        let html = &message.html;
        assert!(
            html.contains("Contoso &amp; Söhne") && html.contains(&number),
            "{html}"
        );
    }
    t.settle().await;
    assert_eq!(t.outbox.sent().len(), before + 2, "told once");
}

async fn a_refused_approval_sends_none(t: TestApp) {
    let house = House::open(&t, json!({})).await;
    let nora = &house.partners[0];
    let (id, _) = registered(&house, &nora.own).await;
    let before = t.outbox.sent().len();
    let document = "mutation($id: ID!) { dealRegistrationApprove(input: {registrationId: $id})
        { dealRegistration { id } userErrors { code message field } } }";
    let refused = t.ask(&house.mina, document, json!({ "id": id })).await;
    assert_eq!(refused.refusal("dealRegistrationApprove"), "FORBIDDEN");
    t.settle().await;
    assert_eq!(t.outbox.sent().len(), before);
}
