//! Handing in a claim: the checks by their exact keys, and what is written of it.

use axum::response::Response;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use ensemble::{
    customers::identity::{Facts, block_keys, compare, registrable_domain},
    entity::deal_registration::{MatchOutcome, MatchReason},
    platform::{audit, clock::Clock, ids},
};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::{answers::answer, encode};

/// A claim.
#[derive(Deserialize)]
pub struct Claim {
    pub key: String,
    pub user: Uuid,
    pub partner: Uuid,
    pub name: String,
    pub domain: String,
    pub country: String,
    pub product: Uuid,
    pub quantity: i64,
    pub value_minor: i64,
    pub close: NaiveDate,
}

/// Standing, tier, programme, version, hours of review, allowed and open registrations, similarity.
pub type StandingRow = (String, String, Uuid, Uuid, i64, i64, i64, i32);
/// The family of the product and the customer with the domain.
pub type FamilyRow = (Uuid, Option<Uuid>);
/// A customer that may be the same.
pub type CandidateRow = (
    Uuid,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
);
/// A place that somebody holds at a customer.
pub type PlaceRow = (Uuid, String, Option<DateTime<Utc>>);

/// A claim and what follows from its text.
pub struct Read {
    pub claim: Claim,
    pub domain: Option<String>,
    pub block_keys: Vec<String>,
    pub now: DateTime<Utc>,
}

impl Read {
    /// Reads a claim.
    pub fn of(claim: Claim) -> Self {
        Self {
            domain: registrable_domain(&claim.domain).ok().flatten(),
            block_keys: block_keys(&claim.name).into_iter().collect(),
            now: Clock::System.now(),
            claim,
        }
    }

    /// Which of the candidates are the same customer or may be, and why.
    pub fn alike(
        &self,
        candidates: &[CandidateRow],
        similarity: i32,
    ) -> Vec<(Uuid, Vec<MatchReason>)> {
        let claimed = Facts {
            name: &self.claim.name,
            domain: self.domain.as_deref(),
            domain_hint: None,
            country: Some(self.claim.country.as_str()),
            registration_number: None,
            phone: None,
        };
        let mut alike = Vec::new();
        for (id, name, domain, country, registration_number, phone) in candidates {
            let other = Facts {
                name,
                domain: domain.as_deref(),
                domain_hint: None,
                country: country.as_deref(),
                registration_number: registration_number.as_deref(),
                phone: phone.as_deref(),
            };
            let found = compare(claimed, other, similarity);
            if found.outcome != MatchOutcome::Clear {
                alike.push((*id, found.reasons));
            }
        }
        alike
    }
}

/// Whether a partner of this standing may hand in a claim.
pub fn eligible(standing: &StandingRow) -> bool {
    standing.0 == "ACTIVE" && standing.6 < standing.5
}

/// What is written of a claim.
pub struct Written {
    pub id: Uuid,
    pub number: String,
    pub outcome: &'static str,
    pub reasons: String,
    pub review_due_at: DateTime<Utc>,
    pub protection: Uuid,
    pub event: String,
    pub event_id: Uuid,
    pub job: Uuid,
    pub job_payload: String,
    pub hash: String,
    pub result: String,
    pub expires_at: DateTime<Utc>,
}

impl Written {
    /// The rows of a claim on a customer; none when somebody holds its place.
    pub fn of(
        read: &Read,
        standing: &StandingRow,
        customer: Uuid,
        alike: &[(Uuid, Vec<MatchReason>)],
        places: &[PlaceRow],
    ) -> Option<Self> {
        let now = read.now;
        let held: Vec<Uuid> = places
            .iter()
            .filter(|(_, status, until)| {
                status == "PENDING" || until.is_some_and(|until| until > now)
            })
            .map(|place| place.0)
            .collect();
        if held.contains(&customer) {
            return None;
        }
        let reasons: Vec<MatchReason> = alike
            .iter()
            .filter(|(id, _)| held.contains(id))
            .flat_map(|(_, reasons)| reasons.clone())
            .collect();
        let id = ids::mint(now);
        let event = json!({
            "type": "deal_registration.submitted",
            "registrationId": encode("registration", id), "partnerId": encode("partner", read.claim.partner),
        });
        Some(Self {
            number: ids::number("DR", id),
            outcome: if held.is_empty() {
                "CLEAR"
            } else {
                "POSSIBLE_CONFLICT"
            },
            reasons: json!(reasons).to_string(),
            review_due_at: now + TimeDelta::hours(standing.4),
            protection: ids::mint(now),
            event_id: ids::mint(now),
            job: ids::mint(now),
            job_payload: json!({ "event": event }).to_string(),
            event: event.to_string(),
            hash: audit::digest(&read.claim.key),
            result: json!(encode("registration", id)).to_string(),
            expires_at: now + TimeDelta::hours(24),
            id,
        })
    }

    /// The answer to the partner.
    pub fn answer(&self) -> Response {
        answer(json!({ "dealRegistrationSubmit": {
            "dealRegistration": { "id": encode("registration", self.id), "number": self.number, "status": "SUBMITTED" },
            "userErrors": [],
        } }))
    }
}

/// The answer to a claim that is not taken.
pub fn refusal(code: &str) -> Response {
    answer(
        json!({ "dealRegistrationSubmit": { "dealRegistration": null, "userErrors": [{ "code": code }] } }),
    )
}
