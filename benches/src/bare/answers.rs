//! The rows and the answers that are made of them.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use ensemble::platform::ids::encode;
use serde::Serialize;
use uuid::Uuid;

/// The answer around the data.
#[derive(Serialize)]
struct Answer<T> {
    data: T,
}

/// An answer with this data.
pub fn answer<T: Serialize>(data: T) -> Response {
    match serde_json::to_vec(&Answer { data }) {
        Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[derive(Serialize)]
struct Amount {
    amount: String,
    currency: String,
}

#[derive(Serialize)]
struct Alone {
    amount: String,
}

fn amount(minor: i64) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    let minor = minor.unsigned_abs();
    format!("{sign}{}.{:02}", minor / 100, minor % 100)
}

const fn alone(amount: String) -> Alone {
    Alone { amount }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Partner {
    id: String,
    display_name: String,
}

fn partner(id: Uuid, display_name: String) -> Partner {
    Partner {
        id: encode("partner", id),
        display_name,
    }
}

#[derive(Serialize)]
struct Participant {
    id: String,
    role: String,
    status: String,
    partner: Partner,
}

#[derive(Serialize)]
struct Accrual {
    id: String,
    kind: String,
    amount: Amount,
    partner: Partner,
}

/// A list.
#[derive(Serialize)]
pub struct Nodes<T> {
    pub nodes: Vec<T>,
}

/// The customer of a deal.
#[derive(Serialize)]
pub struct Customer {
    pub id: String,
    pub name: String,
}

/// A deal.
#[derive(Serialize)]
pub struct Deal {
    id: String,
    number: String,
    name: String,
    status: String,
    value: Amount,
    partner: Option<Partner>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<Customer>,
    participants: Vec<Participant>,
    accruals: Nodes<Accrual>,
    #[serde(skip)]
    key: Uuid,
}

/// A deal with its partner.
pub type DealRow = (
    Uuid,
    String,
    String,
    String,
    i64,
    String,
    Option<Uuid>,
    Option<String>,
);
/// A customer.
pub type CustomerRow = (Uuid, String);
/// A participant with its deal and partner.
pub type ParticipantRow = (Uuid, Uuid, String, String, Uuid, String);
/// A commission line with its deal and partner.
pub type AccrualRow = (Uuid, Uuid, String, i64, String, Uuid, String);

/// The deal of a row, nothing below it yet.
pub fn deal((id, number, name, status, value, currency, owner, owner_name): DealRow) -> Deal {
    Deal {
        id: encode("deal", id),
        number,
        name,
        status,
        value: Amount {
            amount: amount(value),
            currency,
        },
        partner: owner.zip(owner_name).map(|(id, name)| partner(id, name)),
        customer: None,
        participants: Vec::with_capacity(4),
        accruals: Nodes {
            nodes: Vec::with_capacity(4),
        },
        key: id,
    }
}

/// Puts what is below deals in its place.
pub fn fill(deals: &mut [Deal], participants: Vec<ParticipantRow>, accruals: Vec<AccrualRow>) {
    for (of, id, role, status, owner, name) in participants {
        if let Some(deal) = deals.iter_mut().find(|deal| deal.key == of) {
            deal.participants.push(Participant {
                id: encode("participant", id),
                role,
                status,
                partner: partner(owner, name),
            });
        }
    }
    for (of, id, kind, minor, currency, owner, name) in accruals {
        if let Some(deal) = deals.iter_mut().find(|deal| deal.key == of) {
            deal.accruals.nodes.push(Accrual {
                id: encode("accrual", id),
                kind,
                amount: Amount {
                    amount: amount(minor),
                    currency,
                },
                partner: partner(owner, name),
            });
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Balance {
    currency: String,
    accrued: Alone,
    held: Alone,
    payable: Alone,
    in_payout: Alone,
    paid: Alone,
    clawback_receivable: Alone,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    id: String,
    kind: String,
    deal_id: String,
    amount: Alone,
}

#[derive(Serialize)]
struct Statement {
    opening: Alone,
    earned: Alone,
    adjustments: Alone,
    paid: Alone,
    closing: Alone,
    lines: Nodes<Line>,
}

/// A partner with balance and statement.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PartnerPage {
    id: String,
    display_name: String,
    balance: Option<Balance>,
    statement: Statement,
}

/// The partner with its accounts: kind, currency and balance.
pub type AccountRow = (Uuid, String, Option<String>, Option<String>, Option<i64>);
/// Earned before, earned within, taken back within, paid before, paid within.
pub type SumsRow = (i64, i64, i64, i64, i64);
/// A line of a statement.
pub type LineRow = (Uuid, String, Uuid, i64);

/// The page of a partner.
pub fn partner_page(
    accounts: Vec<AccountRow>,
    sums: SumsRow,
    lines: Vec<LineRow>,
) -> Option<PartnerPage> {
    let (id, display_name, _, currency, _) = accounts.first()?.clone();
    let of = |kind: &str, sign: i64| {
        let account = accounts.iter().find(|row| row.2.as_deref() == Some(kind));
        alone(amount(sign * account.and_then(|row| row.4).unwrap_or(0)))
    };
    let (before, earned, taken_back, paid_before, paid) = sums;
    let opening = before - paid_before;
    let line = |(id, kind, deal, minor): LineRow| Line {
        id: encode("accrual", id),
        kind,
        deal_id: encode("deal", deal),
        amount: alone(amount(minor)),
    };
    Some(PartnerPage {
        id: encode("partner", id),
        display_name,
        balance: currency.map(|currency| Balance {
            currency,
            accrued: of("ACCRUED", -1),
            held: of("HELD", -1),
            payable: of("PAYABLE", -1),
            in_payout: of("IN_PAYOUT", -1),
            paid: of("PAID", -1),
            clawback_receivable: of("CLAWBACK_RECEIVABLE", 1),
        }),
        statement: Statement {
            opening: alone(amount(opening)),
            earned: alone(amount(earned)),
            adjustments: alone(amount(taken_back)),
            paid: alone(amount(paid)),
            closing: alone(amount(opening + earned + taken_back - paid)),
            lines: Nodes {
                nodes: lines.into_iter().map(line).collect(),
            },
        },
    })
}

/// Who asks.
#[derive(Serialize)]
pub struct Viewer {
    pub id: String,
    pub name: String,
    pub email: String,
    pub role: String,
}
