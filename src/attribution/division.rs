//! How credit is divided among contributions: by touchpoint, by phase, by role or by acceptance.
//!
//! Pure: decides from facts alone.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    computation::{Contribution, Participant, Touch},
    parameters::{Parameters, PhaseRule},
    weights,
};
use crate::{
    entity::{
        attribution_run::AttributionModel,
        touchpoint::{JourneyPhase, TouchpointKind},
    },
    platform::money::{MoneyError, allocate},
};

/// Contributions with their weights, and the weight that stays with the house.
pub(super) struct Divided<K> {
    pub(super) contributions: Vec<Contribution<K>>,
    pub(super) house: u64,
    pub(super) unit: u64,
}

impl<K> Divided<K> {
    /// Nobody took part.
    pub(super) fn house() -> Self {
        Self {
            contributions: Vec::new(),
            house: 1,
            unit: 1,
        }
    }
}

/// The whole that points are parts of. Divided by at most a million points and cut into whole numbers it
/// is still a thousand times finer than the largest amount, and it fits a signed 64-bit column.
const WHOLE: u64 = 1_000_000_000_000_000_000;

pub(super) fn by_touch<K: Ord + Copy>(
    model: AttributionModel,
    touches: &[&Touch<K>],
    close: DateTime<Utc>,
    parameters: &Parameters,
) -> Divided<K> {
    let weights = weights::of(model, touches, close, parameters);
    Divided {
        contributions: from_touches(touches, &weights.each),
        house: 0,
        unit: weights.unit,
    }
}

/// Each group of phases has its points, and the model divides them among the group's touchpoints. A group
/// without any is left out (so the others share pro rata) or its points stay with the house.
pub(super) fn by_phase<K: Ord + Copy>(
    model: AttributionModel,
    touches: &[&Touch<K>],
    rule: &PhaseRule,
    close: DateTime<Utc>,
    parameters: &Parameters,
) -> Result<Divided<K>, MoneyError> {
    let unit = unit_of(rule.groups.iter().map(|group| group.weight));
    let mut each = vec![0; touches.len()];
    let mut house = 0;
    for group in &rule.groups {
        let within = |position: &usize| group.phases.contains(&touches[*position].phase);
        let positions: Vec<usize> = (0..touches.len()).filter(within).collect();
        let members: Vec<&Touch<K>> = positions
            .iter()
            .map(|position| touches[*position])
            .collect();
        let weights = weights::of(model, &members, close, parameters).each;
        let points = u64::from(group.weight) * unit;
        if weights.iter().any(|weight| *weight > 0) {
            for (position, part) in positions.into_iter().zip(divide(points, &weights)?) {
                each[position] = part;
            }
        } else if !rule.redistribute_empty {
            house += points;
        }
    }
    Ok(Divided {
        contributions: from_touches(touches, &each),
        house,
        unit,
    })
}

/// Each role has its points, shared equally by those who hold it. The points of a role nobody fills are
/// left out (so the others share pro rata) or stay with the house.
pub(super) fn by_role<K: Ord + Copy>(
    participants: &[&Participant<K>],
    parameters: &Parameters,
) -> Result<Divided<K>, MoneyError> {
    let unit = unit_of(parameters.role_weights.values().copied());
    let mut contributions: Vec<Contribution<K>> = participants
        .iter()
        .map(|participant| accepted(participant, Some(&participant.role)))
        .collect();
    let mut house = 0;
    for (role, points) in &parameters.role_weights {
        let points = u64::from(*points) * unit;
        let mut holders: Vec<&mut Contribution<K>> = contributions
            .iter_mut()
            .filter(|row| row.role.as_ref() == Some(role))
            .collect();
        if holders.is_empty() {
            house += if parameters.redistribute_unfilled_roles {
                0
            } else {
                points
            };
            continue;
        }
        let parts = divide(points, &vec![1; holders.len()])?;
        for (holder, part) in holders.iter_mut().zip(parts) {
            holder.weight = part;
        }
    }
    Ok(Divided {
        contributions,
        house,
        unit,
    })
}

pub(super) fn by_acceptance<K: Ord + Copy>(
    model: AttributionModel,
    participants: &[&Participant<K>],
    close: DateTime<Utc>,
    parameters: &Parameters,
) -> Divided<K> {
    let mut first: Vec<&Participant<K>> = Vec::new();
    for participant in participants {
        if first
            .iter()
            .all(|earlier| earlier.partner != participant.partner)
        {
            first.push(participant);
        }
    }
    let touches: Vec<Touch<K>> = first
        .iter()
        .map(|participant| stand_in(participant))
        .collect();
    let model = if model == AttributionModel::Custom {
        AttributionModel::Linear
    } else {
        model
    };
    let weights = weights::of(
        model,
        &touches.iter().collect::<Vec<_>>(),
        close,
        parameters,
    );
    let weighted = |(participant, weight): (&&Participant<K>, u64)| Contribution {
        weight,
        ..accepted(participant, None)
    };
    Divided {
        contributions: first.iter().zip(weights.each).map(weighted).collect(),
        house: 0,
        unit: weights.unit,
    }
}

fn stand_in<K: Copy>(participant: &Participant<K>) -> Touch<K> {
    Touch {
        id: Uuid::nil(),
        partner: participant.partner,
        at: participant.accepted_at,
        kind: TouchpointKind::Other,
        phase: JourneyPhase::Transaction,
        milestone: None,
    }
}

fn accepted<K: Copy>(participant: &Participant<K>, role: Option<&String>) -> Contribution<K> {
    Contribution {
        partner: participant.partner,
        at: participant.accepted_at,
        touch: None,
        role: role.cloned(),
        weight: 0,
    }
}

fn from_touches<K: Copy>(touches: &[&Touch<K>], weights: &[u64]) -> Vec<Contribution<K>> {
    let contribution = |(touch, weight): (&&Touch<K>, &u64)| Contribution {
        partner: touch.partner,
        at: touch.at,
        touch: Some(touch.id),
        role: None,
        weight: *weight,
    };
    touches.iter().zip(weights).map(contribution).collect()
}

fn unit_of(points: impl Iterator<Item = u32>) -> u64 {
    WHOLE / points.map(u64::from).sum::<u64>().max(1)
}

fn divide(points: u64, weights: &[u64]) -> Result<Vec<u64>, MoneyError> {
    let points = i64::try_from(points).map_err(|_| MoneyError::OutOfRange)?;
    let weight = |part| u64::try_from(part).map_err(|_| MoneyError::OutOfRange);
    allocate(points, weights)?.into_iter().map(weight).collect()
}
