//! The rules of a programme as a client writes them.

use std::collections::BTreeMap;

use async_graphql::{InputObject, MaybeUndefined};

use super::ProgramSettings;
use crate::{
    attribution::{
        AttributionRules,
        settings::{AttributionSettings, KindWeight, PhaseWeights, RoleWeight},
    },
    deals::{
        PipelineRules,
        rules::ConflictSettings,
        stage::{Stage, StageKind},
    },
    entity::{
        attribution_run::AttributionModel, deal_participant::ParticipantRole,
        touchpoint::TouchpointKind,
    },
    error::{Faults, Result},
    graphql::scalars::{CurrencyCode, Decimal, MoneyInput},
    payouts::PayoutRules,
    platform::ppm::Ppm,
    programs::{Amendment, ProgramRules, rules::Part, settings::Tier},
    rules::Documents,
};

/// How many minimum payouts a programme may name.
const MAX_MINIMUMS: usize = 30;

/// The rules of a programme. What is left out is as in the last version, or in a new programme as in the standard one;
/// a list that is given replaces the whole list.
#[derive(Clone, Debug, Default, InputObject)]
pub struct ProgramSettingsInput {
    /// The currency in which sums over deals are shown.
    reporting_currency: Option<CurrencyCode>,
    /// Days by which an exchange rate may be older than the day it is wanted for, 0 to 31: rates rest at weekends.
    rate_max_age_days: Option<u16>,
    /// The programme's IANA time zone, such as `Europe/Berlin`: its days are the business days of the programme.
    /// Registrations that bring no zone of their own have it too.
    default_time_zone: Option<String>,
    /// The levels of partnership, 1 to 20. A tier that partners have cannot be left out.
    tiers: Option<Vec<TierInput>>,
    /// The pipeline, 3 to 30 stages: open ones, and behind them one of won and one of lost deals.
    stages: Option<Vec<ProgramStageInput>>,
    /// What each role on a deal weighs; a role that is not listed weighs nothing.
    roles: Option<Vec<RoleWeightInput>>,
    /// The model whose credit is paid.
    official_model: Option<AttributionModel>,
    /// Parameters of the models.
    attribution: Option<AttributionSettingsInput>,
    /// When two customers are taken for possibly the same.
    conflict: Option<ConflictSettingsInput>,
    /// Days before the end of protection on which the partner is reminded, each 1 to 1,000. At most 10.
    reminder_days: Option<Vec<u16>>,
    /// Hours in which a registration is to be decided, 1 to 2,000.
    review_sla_hours: Option<u16>,
    /// Days for which an invitation to a deal stands, 1 to 365.
    invitation_days: Option<u16>,
    /// The smallest payout by currency, each currency once; less is carried forward. At most 30.
    minimum_payout: Option<Vec<MoneyInput>>,
    /// Whether only partners with payment details are paid; what others earned waits until they have set them. A new
    /// programme pays without.
    requires_payment_details: Option<bool>,
}

/// A level of partnership.
#[derive(Clone, Debug, InputObject)]
pub struct TierInput {
    /// Stable name for programs, such as `GOLD`: 1 to 40 capital letters, digits and underscores, unique.
    key: String,
    /// Name for people; at most 80 characters.
    name: String,
    /// Place among the tiers, lowest first; unique.
    rank: i32,
    /// Days for which an approved deal is protected, 1 to 1,000.
    protection_days: u16,
    /// Days that one extension adds, 1 to 1,000 where extensions are allowed.
    #[graphql(default = 0)]
    extension_days: u16,
    /// How often protection may be extended, up to 10.
    #[graphql(default = 0)]
    max_extensions: u16,
    /// How many registrations a partner may have open at once, at least 1.
    max_open_registrations: u16,
}

/// A stage of a programme's pipeline.
#[derive(Clone, Debug, InputObject)]
pub struct ProgramStageInput {
    /// Stable name for programs, such as `QUALIFIED`: 1 to 40 capital letters, digits and underscores, unique.
    key: String,
    /// Name for people; at most 80 characters.
    name: String,
    /// Place in the pipeline, lowest first; unique.
    rank: i32,
    /// How likely a deal in this stage is won, in percent with up to four decimals: 100 when won, 0 when lost.
    probability: Decimal,
    /// What the stage means for the sale.
    kind: StageKind,
    /// Whether a deal may pass this stage only when no invited partner is still to answer.
    #[graphql(default = false)]
    requires_accepted_roles_to_leave: bool,
}

/// What a role on a deal weighs, against the other roles.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct RoleWeightInput {
    /// The role; each once.
    role: ParticipantRole,
    /// Its weight, up to 1,000,000; only the proportions count.
    weight: u32,
}

/// Parameters of the attribution models; what is left out stays as it is.
#[derive(Clone, Debug, Default, InputObject)]
pub struct AttributionSettingsInput {
    /// Days after which a touchpoint counts half, 1 to 3,650.
    half_life_days: Option<u16>,
    /// Days before the close in which touchpoints count, 1 to 3,650.
    lookback_days: Option<u16>,
    /// Shares of the phases of a customer's journey; null when phases play no part.
    phase_weights: MaybeUndefined<PhaseWeightsInput>,
    /// Whether the share of a phase without touchpoints goes to the others; otherwise it stays with the vendor.
    redistribute_empty_phases: Option<bool>,
    /// Whether the share of a role that nobody fills goes to the others; otherwise it stays with the vendor.
    redistribute_empty_roles: Option<bool>,
    /// How many touchpoints of one kind by one partner on one day in the programme's time zone count, at least 1. One
    /// to which the model gives a place of its own (the first, the last, a milestone) always counts.
    daily_cap: Option<u16>,
    /// What each kind of touchpoint weighs in the model CUSTOM; a kind that is not listed weighs nothing.
    kind_weights: Option<Vec<KindWeightInput>>,
    /// Verified touchpoints from which a partner without a role counts as having influenced a deal, at least 1.
    influence_threshold: Option<u16>,
}

/// What a kind of touchpoint weighs, against the other kinds.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct KindWeightInput {
    /// The kind; each once.
    kind: TouchpointKind,
    /// Its weight, up to 1,000,000; only the proportions count.
    weight: u32,
}

/// What the phases of a customer's journey weigh, each up to 1,000,000; only the proportions count.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct PhaseWeightsInput {
    /// Awareness and consideration.
    pre_sales: u32,
    /// The sale itself.
    transaction: u32,
    /// Adoption, renewal and advocacy.
    post_sales: u32,
}

/// When two customers are taken for possibly the same.
#[derive(Clone, Debug, InputObject)]
pub struct ConflictSettingsInput {
    /// The similarity of words (Jaro-Winkler) from which names are similar, in percent, 80 to 100.
    name_similarity: Decimal,
}

impl Amendment for ProgramSettingsInput {
    fn amend(&self, last: Option<&Documents>, faults: &mut Faults) -> Result<Documents> {
        let last = last.map(ProgramSettings::read).transpose()?;
        self.clone()
            .over(last.unwrap_or_default(), faults)
            .checked(faults)
    }
}

impl ProgramSettingsInput {
    /// The rules with what is given in the place of the last, and a fault for each value that cannot be read.
    fn over(self, last: ProgramSettings, faults: &mut Faults) -> ProgramSettings {
        let ProgramSettings {
            program,
            pipeline,
            attribution,
            payouts,
        } = last;
        let zone = self.default_time_zone.and_then(|name| {
            let zone = name.parse().map_err(|_| "is not an IANA time zone");
            faults.take("settings.defaultTimeZone", zone)
        });
        ProgramSettings {
            program: ProgramRules {
                reporting_currency: self
                    .reporting_currency
                    .map_or(program.reporting_currency, |code| code.0),
                rate_max_age_days: self.rate_max_age_days.unwrap_or(program.rate_max_age_days),
                default_time_zone: zone.unwrap_or(program.default_time_zone),
                tiers: self.tiers.map_or(program.tiers, |tiers| {
                    tiers.into_iter().map(Tier::from).collect()
                }),
            },
            pipeline: PipelineRules {
                stages: self
                    .stages
                    .map_or(pipeline.stages, |stages| read_stages(stages, faults)),
                conflict: self
                    .conflict
                    .map_or(pipeline.conflict, |conflict| conflict.read(faults)),
                reminder_days: self.reminder_days.unwrap_or(pipeline.reminder_days),
                review_sla_hours: self.review_sla_hours.unwrap_or(pipeline.review_sla_hours),
                invitation_days: self.invitation_days.unwrap_or(pipeline.invitation_days),
            },
            attribution: AttributionRules {
                roles: self.roles.map_or(attribution.roles, |roles| {
                    roles.into_iter().map(RoleWeight::from).collect()
                }),
                official_model: self.official_model.unwrap_or(attribution.official_model),
                models: self
                    .attribution
                    .unwrap_or_default()
                    .over(attribution.models),
            },
            payouts: PayoutRules {
                minimum_payout: self
                    .minimum_payout
                    .map_or(payouts.minimum_payout, |amounts| {
                        read_minimums(&amounts, faults)
                    }),
                requires_payment_details: self
                    .requires_payment_details
                    .unwrap_or(payouts.requires_payment_details),
            },
        }
    }
}

impl ConflictSettingsInput {
    fn read(&self, faults: &mut Faults) -> ConflictSettings {
        let path = "settings.conflict.nameSimilarity";
        ConflictSettings {
            name_similarity_ppm: parts(faults, path, &self.name_similarity),
        }
    }
}

impl AttributionSettingsInput {
    fn over(self, last: AttributionSettings) -> AttributionSettings {
        let phases = |phases: PhaseWeightsInput| PhaseWeights {
            pre_sales: phases.pre_sales,
            transaction: phases.transaction,
            post_sales: phases.post_sales,
        };
        let mut phase_weights = last.phase_weights;
        self.phase_weights
            .map_value(phases)
            .update_to(&mut phase_weights);
        AttributionSettings {
            half_life_days: self.half_life_days.unwrap_or(last.half_life_days),
            lookback_days: self.lookback_days.unwrap_or(last.lookback_days),
            phase_weights,
            redistribute_empty_phases: self
                .redistribute_empty_phases
                .unwrap_or(last.redistribute_empty_phases),
            redistribute_empty_roles: self
                .redistribute_empty_roles
                .unwrap_or(last.redistribute_empty_roles),
            daily_cap: self.daily_cap.unwrap_or(last.daily_cap),
            kind_weights: self.kind_weights.map_or(last.kind_weights, |kinds| {
                kinds
                    .into_iter()
                    .map(|KindWeightInput { kind, weight }| KindWeight { kind, weight })
                    .collect()
            }),
            influence_threshold: self.influence_threshold.unwrap_or(last.influence_threshold),
        }
    }
}

impl From<TierInput> for Tier {
    fn from(tier: TierInput) -> Self {
        Self {
            key: tier.key,
            name: tier.name.trim().to_owned(),
            rank: tier.rank,
            protection_days: tier.protection_days,
            extension_days: tier.extension_days,
            max_extensions: tier.max_extensions,
            max_open_registrations: tier.max_open_registrations,
        }
    }
}

impl From<RoleWeightInput> for RoleWeight {
    fn from(entry: RoleWeightInput) -> Self {
        Self {
            role: entry.role,
            weight: entry.weight,
        }
    }
}

fn read_stages(stages: Vec<ProgramStageInput>, faults: &mut Faults) -> Vec<Stage> {
    let mut read = |(place, stage): (usize, ProgramStageInput)| Stage {
        key: stage.key,
        name: stage.name.trim().to_owned(),
        rank: stage.rank,
        probability_ppm: parts(
            faults,
            &format!("settings.stages.{place}.probability"),
            &stage.probability,
        ),
        kind: stage.kind,
        requires_accepted_roles_to_leave: stage.requires_accepted_roles_to_leave,
    };
    stages.into_iter().enumerate().map(&mut read).collect()
}

/// Parts per million of a percentage.
fn parts(faults: &mut Faults, path: &str, percentage: &Decimal) -> i32 {
    let share = faults.take(path, percentage.0.parse::<Ppm>());
    share.unwrap_or_default().parts()
}

fn read_minimums(amounts: &[MoneyInput], faults: &mut Faults) -> BTreeMap<String, i64> {
    let mut minimums = BTreeMap::new();
    if amounts.len() > MAX_MINIMUMS {
        faults.add(
            "settings.minimumPayout",
            format!("must have at most {MAX_MINIMUMS} entries"),
        );
    }
    for (place, amount) in amounts.iter().take(MAX_MINIMUMS).enumerate() {
        let path = format!("settings.minimumPayout.{place}");
        let Some(amount) = amount.read(faults, &path) else {
            continue;
        };
        if minimums
            .insert(amount.currency().to_string(), amount.minor())
            .is_some()
        {
            faults.add(&format!("{path}.currency"), "is listed twice");
        }
    }
    minimums
}
