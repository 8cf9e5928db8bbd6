//! What a vendor decides about a partner programme: tiers with their protection, the pipeline, role
//! weights, the model that pays, windows, reminders and minimum payouts.
//!
//! The settings are one versioned document. Deals and attribution runs remember the version they
//! used, so a change never rewrites what was computed. A document is accepted as a whole or refused
//! with every fault at once.
//!
//! Pure: decides from facts alone.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::{
    deals::stage::Stage,
    entity::{
        attribution_run::AttributionModel, deal_participant::ParticipantRole,
        touchpoint::TouchpointKind,
    },
};

/// The settings document of a programme.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, sea_orm::FromJsonQueryResult)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProgramSettings {
    /// ISO 4217 code of the currency that sums over deals are shown in.
    pub reporting_currency: String,
    /// Days by which an exchange rate may be older than the day it is wanted for, 0 to 31: rates rest at weekends.
    #[serde(default = "seven")]
    pub rate_max_age_days: u16,
    /// The IANA time zone whose days are the programme's business days, and that of registrations that bring none of their
    /// own.
    pub default_time_zone: Tz,
    /// Levels of partnership. At most 20.
    pub tiers: Vec<Tier>,
    /// The pipeline. At most 30.
    pub stages: Vec<Stage>,
    /// What each role on a deal weighs; a role that is not listed weighs nothing.
    pub roles: Vec<RoleWeight>,
    /// The model whose credit is paid. Others may be compared with it.
    pub official_model: AttributionModel,
    /// Parameters of the models.
    pub attribution: AttributionSettings,
    /// When two customers are taken for possibly the same.
    pub conflict: ConflictSettings,
    /// Days before the end of protection on which the partner is reminded. At most 10.
    pub reminder_days: Vec<u16>,
    /// Hours in which a registration is to be decided, 1 to 2,000.
    pub review_sla_hours: u16,
    /// Days for which an invitation to a deal stands, 1 to 365.
    pub invitation_days: u16,
    /// Smallest payout by currency code, in minor units; less is carried forward. None where a
    /// currency is not listed.
    pub minimum_payout: BTreeMap<String, i64>,
    /// Whether only partners with payment details are paid; what others earned waits until they have set them.
    #[serde(default)]
    pub requires_payment_details: bool,
}

/// A level of partnership.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tier {
    /// Stable name for programs, such as `GOLD`; unique in the programme.
    pub key: String,
    /// Name for people.
    pub name: String,
    /// Place among the tiers, lowest first; unique in the programme.
    pub rank: i32,
    /// Days for which an approved deal is protected, 1 to 1,000.
    pub protection_days: u16,
    /// Days that one extension adds, 1 to 1,000 where extensions are allowed.
    pub extension_days: u16,
    /// How often protection may be extended, up to 10.
    pub max_extensions: u16,
    /// How many registrations a partner may have open at once, at least 1.
    pub max_open_registrations: u16,
}

/// What a role on a deal weighs, against the other roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RoleWeight {
    /// The role.
    pub role: ParticipantRole,
    /// Its weight, up to 1,000,000. Only the proportions count.
    pub weight: u32,
}

/// Parameters of the attribution models.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AttributionSettings {
    /// Days after which a touchpoint counts half, 1 to 3,650.
    pub half_life_days: u16,
    /// Days before the close in which touchpoints count, 1 to 3,650.
    pub lookback_days: u16,
    /// Shares of the phases of a customer's journey; without them phases play no part.
    pub phase_weights: Option<PhaseWeights>,
    /// Whether the share of a phase without touchpoints goes to the others; otherwise it stays with
    /// the vendor.
    pub redistribute_empty_phases: bool,
    /// Whether the share of a role that nobody fills goes to the others; otherwise it stays with
    /// the vendor.
    pub redistribute_empty_roles: bool,
    /// How many touchpoints of one kind by one partner on one day count, at least 1; see `attribution::countable`.
    pub daily_cap: u16,
    /// What each kind of touchpoint weighs in the model CUSTOM; a kind that is not listed weighs nothing.
    #[serde(default)]
    pub kind_weights: Vec<KindWeight>,
    /// Verified touchpoints from which a partner without a role counts as having influenced a deal, at least 1.
    #[serde(default = "one")]
    pub influence_threshold: u16,
}

const fn seven() -> u16 {
    7
}

const fn one() -> u16 {
    1
}

/// What a kind of touchpoint weighs, against the other kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KindWeight {
    /// The kind.
    pub kind: TouchpointKind,
    /// Its weight, up to 1,000,000. Only the proportions count.
    pub weight: u32,
}

/// What the phases of a customer's journey weigh. Only the proportions count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PhaseWeights {
    /// Awareness and consideration.
    pub pre_sales: u32,
    /// The sale itself.
    pub transaction: u32,
    /// Adoption, renewal and advocacy.
    pub post_sales: u32,
}

/// When two customers are taken for possibly the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConflictSettings {
    /// Jaro-Winkler similarity of words from which names are similar, in parts per million, 800,000
    /// to 1,000,000.
    pub name_similarity_ppm: i32,
}

impl ProgramSettings {
    /// The tier with this key.
    pub fn tier(&self, key: &str) -> Option<&Tier> {
        self.tiers.iter().find(|tier| tier.key == key)
    }

    /// The tier in which partners start: the one of lowest rank.
    pub fn entry_tier(&self) -> Option<&Tier> {
        self.tiers.iter().min_by_key(|tier| tier.rank)
    }
}
