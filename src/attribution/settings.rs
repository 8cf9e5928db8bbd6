//! From the settings of a programme to the parameters of the models.

use sea_orm::ActiveEnum;

use super::parameters::{Parameters, PhaseRule};
use crate::programs::{ProgramSettings, settings::PhaseWeights};

/// The parameters that a programme's settings mean.
#[must_use]
pub fn parameters(settings: &ProgramSettings) -> Parameters {
    let chosen = &settings.attribution;
    let roles = settings.roles.iter().filter(|entry| entry.weight > 0);
    Parameters {
        lookback_days: chosen.lookback_days.into(),
        daily_cap: chosen.daily_cap.into(),
        time_zone: settings.default_time_zone,
        half_life_days: chosen.half_life_days.into(),
        role_weights: roles
            .map(|entry| (entry.role.to_value(), entry.weight))
            .collect(),
        redistribute_unfilled_roles: chosen.redistribute_empty_roles,
        kind_weights: chosen
            .kind_weights
            .iter()
            .map(|entry| (entry.kind, entry.weight))
            .collect(),
        phases: chosen
            .phase_weights
            .map(|weights| phases(weights, chosen.redistribute_empty_phases)),
    }
}

fn phases(weights: PhaseWeights, redistribute_empty: bool) -> PhaseRule {
    let rule = PhaseRule::sales(weights.pre_sales, weights.transaction, weights.post_sales);
    PhaseRule {
        redistribute_empty,
        ..rule
    }
}
