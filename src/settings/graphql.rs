//! The rules of a programme as the API shows them.

use async_graphql::{Object, SimpleObject};

use crate::{
    attribution,
    deals::stage,
    entity::{
        attribution_run::AttributionModel, deal_participant::ParticipantRole,
        touchpoint::TouchpointKind,
    },
    graphql::scalars::{Decimal, Money, percent},
    platform::{money::Currency, ppm::Ppm},
    programs,
};

/// The rules of a programme.
#[derive(Clone, Debug)]
pub struct ProgramSettings(pub super::ProgramSettings);

/// The rules of a programme: one document, changed as a whole version.
#[Object]
impl ProgramSettings {
    /// The currency in which sums over deals are shown, by ISO 4217.
    fn reporting_currency(&self) -> &str {
        &self.0.program.reporting_currency
    }

    /// Days by which an exchange rate may be older than the day it is wanted for: rates rest at weekends.
    fn rate_max_age_days(&self) -> u16 {
        self.0.program.rate_max_age_days
    }

    /// The programme's IANA time zone, such as `Europe/Berlin`. Its days are the business days of the programme: dates
    /// without a time, periods of statements, payout runs and rebates, the daily cap of touchpoints and days of exchange
    /// rates. Windows of days end at the same time of day. Registrations that bring no zone of their own have it too.
    fn default_time_zone(&self) -> &str {
        self.0.program.default_time_zone.name()
    }

    /// The levels of partnership, as listed. At most 20.
    #[graphql(directive = crate::graphql::cost::list_size::apply(5, None))]
    fn tiers(&self) -> Vec<Tier> {
        self.0.program.tiers.iter().map(Tier::of).collect()
    }

    /// The pipeline, as listed. At most 30.
    #[graphql(directive = crate::graphql::cost::list_size::apply(10, None))]
    fn stages(&self) -> Vec<Stage> {
        self.0.pipeline.stages.iter().map(Stage::of).collect()
    }

    /// What each role on a deal weighs; a role that is not listed weighs nothing. At most 7.
    #[graphql(directive = crate::graphql::cost::list_size::apply(7, None))]
    fn roles(&self) -> Vec<RoleWeight> {
        self.0
            .attribution
            .roles
            .iter()
            .map(|entry| RoleWeight {
                role: entry.role,
                weight: entry.weight,
            })
            .collect()
    }

    /// The model whose credit is paid; others may be looked at beside it.
    fn official_model(&self) -> AttributionModel {
        self.0.attribution.official_model
    }

    /// Parameters of the models.
    fn attribution(&self) -> AttributionSettings {
        AttributionSettings::of(&self.0.attribution.models)
    }

    /// When two customers are taken for possibly the same.
    fn conflict(&self) -> ConflictSettings {
        ConflictSettings {
            name_similarity: percent(Ppm::new(self.0.pipeline.conflict.name_similarity_ppm)),
        }
    }

    /// Days before the end of protection on which the partner is reminded. At most 10.
    fn reminder_days(&self) -> &[u16] {
        &self.0.pipeline.reminder_days
    }

    /// Hours in which a registration is to be decided.
    fn review_sla_hours(&self) -> u16 {
        self.0.pipeline.review_sla_hours
    }

    /// Days for which an invitation to a deal stands.
    fn invitation_days(&self) -> u16 {
        self.0.pipeline.invitation_days
    }

    /// The smallest payout by currency; less is carried forward. A currency that is not listed has none. At most 30.
    #[graphql(directive = crate::graphql::cost::list_size::apply(3, None))]
    fn minimum_payout(&self) -> Vec<Money> {
        let amounts = self.0.payouts.minimum_payout.iter();
        amounts
            .filter_map(|(code, minor)| Some(Money::minor(*minor, code.parse::<Currency>().ok()?)))
            .collect()
    }

    /// Whether only partners with payment details are paid; what others earned is listed as an exception of each run and
    /// waits until they have set them.
    fn requires_payment_details(&self) -> bool {
        self.0.payouts.requires_payment_details
    }
}

/// A level of partnership.
#[derive(Clone, Debug, SimpleObject)]
pub struct Tier {
    /// Stable name for programs, such as `GOLD`; unique in the programme.
    key: String,
    /// Name for people.
    name: String,
    /// Place among the tiers, lowest first.
    rank: i32,
    /// Days for which an approved deal is protected.
    protection_days: u16,
    /// Days that one extension adds.
    extension_days: u16,
    /// How often protection may be extended.
    max_extensions: u16,
    /// How many registrations a partner may have open at once.
    max_open_registrations: u16,
}

impl Tier {
    fn of(tier: &programs::settings::Tier) -> Self {
        Self {
            key: tier.key.clone(),
            name: tier.name.clone(),
            rank: tier.rank,
            protection_days: tier.protection_days,
            extension_days: tier.extension_days,
            max_extensions: tier.max_extensions,
            max_open_registrations: tier.max_open_registrations,
        }
    }
}

/// A stage of a programme's pipeline.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "ProgramStage")]
pub struct Stage {
    /// Stable name for programs, such as `QUALIFIED`; unique in the programme.
    key: String,
    /// Name for people.
    name: String,
    /// Place in the pipeline, lowest first.
    rank: i32,
    /// How likely a deal in this stage is won, in percent with up to four decimals.
    probability: Decimal,
    /// What the stage means for the sale.
    kind: stage::StageKind,
    /// Whether a deal may pass this stage only when no invited partner is still to answer.
    requires_accepted_roles_to_leave: bool,
}

impl Stage {
    fn of(stage: &stage::Stage) -> Self {
        Self {
            key: stage.key.clone(),
            name: stage.name.clone(),
            rank: stage.rank,
            probability: percent(Ppm::new(stage.probability_ppm)),
            kind: stage.kind,
            requires_accepted_roles_to_leave: stage.requires_accepted_roles_to_leave,
        }
    }
}

/// What a role on a deal weighs, against the other roles.
#[derive(Clone, Copy, Debug, SimpleObject)]
pub struct RoleWeight {
    /// The role.
    role: ParticipantRole,
    /// Its weight, up to 1,000,000; only the proportions count.
    weight: u32,
}

/// Parameters of the attribution models.
#[derive(Clone, Debug, SimpleObject)]
pub struct AttributionSettings {
    /// Days after which a touchpoint counts half.
    half_life_days: u16,
    /// Days before the close in which touchpoints count.
    lookback_days: u16,
    /// Shares of the phases of a customer's journey; null when phases play no part.
    phase_weights: Option<PhaseWeights>,
    /// Whether the share of a phase without touchpoints goes to the others; otherwise it stays with the vendor.
    redistribute_empty_phases: bool,
    /// Whether the share of a role that nobody fills goes to the others; otherwise it stays with the vendor.
    redistribute_empty_roles: bool,
    /// How many touchpoints of one kind by one partner on one day in the programme's time zone count. One to which the
    /// model gives a place of its own (the first, the last, a milestone) always counts; then the earliest do.
    daily_cap: u16,
    /// What each kind of touchpoint weighs in the model CUSTOM. At most 10.
    #[graphql(directive = crate::graphql::cost::list_size::apply(10, None))]
    kind_weights: Vec<KindWeight>,
    /// Verified touchpoints from which a partner without a role counts as having influenced a deal.
    influence_threshold: u16,
}

/// What a kind of touchpoint weighs, against the other kinds.
#[derive(Clone, Copy, Debug, SimpleObject)]
pub struct KindWeight {
    /// The kind.
    kind: TouchpointKind,
    /// Its weight; only the proportions count.
    weight: u32,
}

impl AttributionSettings {
    fn of(parameters: &attribution::settings::AttributionSettings) -> Self {
        Self {
            half_life_days: parameters.half_life_days,
            lookback_days: parameters.lookback_days,
            phase_weights: parameters.phase_weights.map(|phases| PhaseWeights {
                pre_sales: phases.pre_sales,
                transaction: phases.transaction,
                post_sales: phases.post_sales,
            }),
            redistribute_empty_phases: parameters.redistribute_empty_phases,
            redistribute_empty_roles: parameters.redistribute_empty_roles,
            daily_cap: parameters.daily_cap,
            kind_weights: parameters
                .kind_weights
                .iter()
                .map(|entry| KindWeight {
                    kind: entry.kind,
                    weight: entry.weight,
                })
                .collect(),
            influence_threshold: parameters.influence_threshold,
        }
    }
}

/// What the phases of a customer's journey weigh; only the proportions count.
#[derive(Clone, Copy, Debug, SimpleObject)]
pub struct PhaseWeights {
    /// Awareness and consideration.
    pre_sales: u32,
    /// The sale itself.
    transaction: u32,
    /// Adoption, renewal and advocacy.
    post_sales: u32,
}

/// When two customers are taken for possibly the same.
#[derive(Clone, Debug, SimpleObject)]
pub struct ConflictSettings {
    /// The similarity of words (Jaro-Winkler) from which names are similar, in percent, 80 to 100.
    name_similarity: Decimal,
}
