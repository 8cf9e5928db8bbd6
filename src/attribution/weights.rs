//! The formula of each model: how touchpoints weigh against each other.
//!
//! Weights are whole numbers and only their ratios matter, so 40/20/40 over five touchpoints is 120, 20,
//! 20, 20, 120 and nothing is rounded before money is divided.
//!
//! Pure: decides from facts alone.

use chrono::{DateTime, Utc};
use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, MathematicalOps};

use super::computation::Touch;
use super::parameters::Parameters;
use crate::entity::{attribution_run::AttributionModel, touchpoint::DealMilestone};

/// Weights of touchpoints in their order, and the weight that is shown to people as 1.
pub(super) struct Weights {
    pub(super) each: Vec<u64>,
    pub(super) unit: u64,
}

/// TIME_DECAY keeps twelve decimals; below that a touchpoint has faded out.
const DECAY_UNIT: u64 = 1_000_000_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
/// Where the series for e^x may stop: well below the last kept decimal.
const SERIES_TOLERANCE: Decimal = Decimal::from_parts(1, 0, 0, false, 20);
/// ln 2 to 27 decimals, the most that fits: 0.693147180559945309417232121.
const LN_2: Decimal = Decimal::from_parts(715_511_545, 4_083_503_488, 37_575_583, false, 27);

/// The weights of `touches`, which are in order of time.
pub(super) fn of<K>(
    model: AttributionModel,
    touches: &[&Touch<K>],
    close: DateTime<Utc>,
    parameters: &Parameters,
) -> Weights {
    let n = touches.len();
    let only = |winner: usize| Weights {
        each: (0..n)
            .map(|position| u64::from(position == winner))
            .collect(),
        unit: 1,
    };
    match model {
        AttributionModel::First => only(0),
        AttributionModel::Last => only(n.saturating_sub(1)),
        // Roles are not a matter of touchpoints; asked for them, every touchpoint is alike.
        AttributionModel::Linear | AttributionModel::RoleWeighted => Weights {
            each: vec![1; n],
            unit: 1,
        },
        AttributionModel::TimeDecay => time_decay(touches, close, parameters.half_life_days),
        AttributionModel::UShaped => u_shaped(n),
        AttributionModel::WShaped => w_shaped(touches),
        AttributionModel::Custom => Weights {
            each: touches
                .iter()
                .map(|touch| points(parameters, touch))
                .collect(),
            unit: 1,
        },
    }
}

/// The positions of the touchpoints, in order of time, to which a model gives a place of its own; one that has several
/// places comes several times.
pub(super) fn places(model: AttributionModel, milestones: &[Option<DealMilestone>]) -> Vec<usize> {
    let first = (!milestones.is_empty()).then_some(0);
    let last = milestones.len().checked_sub(1);
    let reached = |wanted| {
        milestones
            .iter()
            .position(|milestone| *milestone == Some(wanted))
    };
    let places = match model {
        AttributionModel::First => vec![first],
        AttributionModel::Last => vec![last],
        AttributionModel::UShaped => vec![first, last],
        AttributionModel::WShaped => vec![
            first,
            reached(DealMilestone::LeadCreated),
            reached(DealMilestone::OpportunityCreated),
        ],
        AttributionModel::Linear
        | AttributionModel::TimeDecay
        | AttributionModel::RoleWeighted
        | AttributionModel::Custom => Vec::new(),
    };
    places.into_iter().flatten().collect()
}

fn points<K>(parameters: &Parameters, touch: &Touch<K>) -> u64 {
    parameters
        .kind_weights
        .get(&touch.kind)
        .copied()
        .map_or(0, u64::from)
}

/// One touchpoint has all, two have half each, more have 40 / 20 spread / 40. Multiplied by the number of
/// those between, the spread is whole.
fn u_shaped(n: usize) -> Weights {
    let between = count(n.saturating_sub(2)).max(1);
    let each = (0..n)
        .map(|position| match n {
            1 => 100,
            2 => 50,
            _ if position == 0 || position == n - 1 => 40 * between,
            _ => 20,
        })
        .collect();
    Weights {
        each,
        unit: 100 * between,
    }
}

/// 30 for the first, 30 for the first with each milestone, 10 spread over the rest; one touchpoint may
/// hold several of these. What is missing (a milestone, or a rest) is left out, so the others keep their
/// proportions and their sum becomes the whole.
fn w_shaped<K>(touches: &[&Touch<K>]) -> Weights {
    let milestones: Vec<_> = touches.iter().map(|touch| touch.milestone).collect();
    let anchors = places(AttributionModel::WShaped, &milestones);
    let held = |position| count(anchors.iter().filter(|anchor| **anchor == position).count());
    let held: Vec<u64> = (0..touches.len()).map(held).collect();
    let rest = count(held.iter().filter(|anchors| **anchors == 0).count()).max(1);
    Weights {
        each: held
            .into_iter()
            .map(|anchors| {
                if anchors == 0 {
                    10
                } else {
                    30 * anchors * rest
                }
            })
            .collect(),
        unit: 100 * rest,
    }
}

/// w = 2^(−age ÷ half-life), age in exact seconds before the close (0 after it).
///
/// Half-lives that have passed for every touchpoint are left out of all of them: no ratio changes, and a
/// deal whose last touchpoint is old keeps its precision.
fn time_decay<K>(touches: &[&Touch<K>], close: DateTime<Utc>, half_life_days: u32) -> Weights {
    let half_life = i64::from(half_life_days.max(1)) * SECONDS_PER_DAY;
    let age = |touch: &&Touch<K>| (close - touch.at).num_seconds().max(0);
    let common = touches.iter().map(age).min().unwrap_or(0) / half_life * half_life;
    let each = touches
        .iter()
        .map(|touch| decayed(age(touch) - common, half_life))
        .collect();
    Weights {
        each,
        unit: DECAY_UNIT,
    }
}

/// The weight after `age` seconds: exact halves for whole half-lives, e^(−ln 2 × fraction) for the rest.
fn decayed(age: i64, half_life: i64) -> u64 {
    let weight = || {
        let halvings = u64::try_from(age / half_life).ok()?;
        let fraction = Decimal::from(age % half_life).checked_div(Decimal::from(half_life))?;
        let growth = LN_2
            .checked_mul(fraction)?
            .checked_exp_with_tolerance(SERIES_TOLERANCE)?;
        let divisor = Decimal::TWO.checked_powu(halvings)?.checked_mul(growth)?;
        Decimal::from(DECAY_UNIT)
            .checked_div(divisor)?
            .round()
            .to_u64()
    };
    // Too many halvings for a decimal: faded out.
    weight().unwrap_or(0)
}

/// A number of things as a weight.
pub(super) fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_half_lives_are_exact() {
        let day = SECONDS_PER_DAY;
        assert_eq!(LN_2.to_string(), "0.693147180559945309417232121");
        assert_eq!(decayed(0, 30 * day), DECAY_UNIT);
        assert_eq!(decayed(30 * day, 30 * day), 500_000_000_000);
        assert_eq!(decayed(60 * day, 30 * day), 250_000_000_000);
        assert_eq!(decayed(90 * day, 30 * day), 125_000_000_000);
        assert_eq!(decayed(1_000 * 30 * day, 30 * day), 0);
    }

    #[test]
    fn fractions_of_a_half_life_follow_the_curve() {
        let day = SECONDS_PER_DAY;
        // 1/√2, 2^(-1/3), 2^(-1.5)
        assert_eq!(decayed(15 * day, 30 * day), 707_106_781_187);
        assert_eq!(decayed(10 * day, 30 * day), 793_700_525_984);
        assert_eq!(decayed(45 * day, 30 * day), 353_553_390_593);
        // One second less than a half-life is a little more than a half.
        assert_eq!(decayed(30 * day - 1, 30 * day), 500_000_133_709);
    }
}
