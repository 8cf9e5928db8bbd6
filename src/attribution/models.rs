//! From contributions to credit: the selectable attribution models.
//!
//! Credit is a whole-number weight per partner. Only the ratio of weights matters; money is divided by
//! [`allocate`](crate::platform::money::allocate) with exactly these weights in exactly this order, so a unit that does not divide goes to
//! the partner with the earliest touch, then the smaller id. Credit that nobody holds is a row of its own
//! without a partner and stays with the house.
//!
//! Pure: decides from facts alone.

use std::collections::BTreeMap;

use super::{
    computation::{Credit, Inputs, Outcome, Participant, Touch},
    division::{self, Divided},
    parameters::Parameters,
};
use crate::{
    entity::attribution_run::{AttributionBasis, AttributionModel},
    platform::money::MoneyError,
};

/// The credit each partner gets by `model`.
///
/// If no touchpoint counts, each participating partner is taken to have one, at the time it first
/// accepted; such a touch has no phase and no kind, so the phase rule does not apply and CUSTOM is LINEAR.
/// ROLE_WEIGHTED needs participants; without any, it too goes by the touchpoints, all alike. If nobody takes
/// part, the house has all credit.
///
/// # Errors
///
/// [`MoneyError::OutOfRange`] for parameters that [`Parameters::faults`] would refuse.
pub fn credit<K: Ord + Copy>(
    model: AttributionModel,
    inputs: &Inputs<K>,
    parameters: &Parameters,
) -> Result<Outcome<K>, MoneyError> {
    let mut touches: Vec<&Touch<K>> = inputs.touches.iter().collect();
    touches.sort_by_key(|touch| (touch.at, touch.partner, touch.id));
    let mut participants: Vec<&Participant<K>> = inputs.participants.iter().collect();
    participants.sort_by_key(|participant| {
        (
            participant.accepted_at,
            participant.partner,
            &participant.role,
        )
    });

    let (basis, divided) = if model == AttributionModel::RoleWeighted && !participants.is_empty() {
        (
            AttributionBasis::Participation,
            division::by_role(&participants, parameters)?,
        )
    } else if !touches.is_empty() {
        let divided = match &parameters.phases {
            Some(rule) => division::by_phase(model, &touches, rule, inputs.close, parameters)?,
            None => division::by_touch(model, &touches, inputs.close, parameters),
        };
        (AttributionBasis::Touchpoints, divided)
    } else if !participants.is_empty() {
        (
            AttributionBasis::Participation,
            division::by_acceptance(model, &participants, inputs.close, parameters),
        )
    } else {
        (AttributionBasis::Nobody, Divided::house())
    };
    Ok(Outcome {
        basis,
        unit: divided.unit,
        credits: credits(&touches, &divided),
        contributions: divided.contributions,
    })
}

/// Adds up the contributions of each partner. If all of them are zero, the house has all credit.
fn credits<K: Ord + Copy>(touches: &[&Touch<K>], divided: &Divided<K>) -> Vec<Credit<K>> {
    let mut rows: BTreeMap<K, Credit<K>> = BTreeMap::new();
    let blank = |partner| Credit {
        partner: Some(partner),
        weight: 0,
        touches: 0,
        first_touch: None,
    };
    for row in &divided.contributions {
        rows.entry(row.partner)
            .or_insert_with(|| blank(row.partner))
            .weight += row.weight;
    }
    for touch in touches {
        rows.entry(touch.partner).and_modify(|row| {
            row.touches = row.touches.saturating_add(1);
            row.first_touch.get_or_insert(touch.at);
        });
    }
    for row in &divided.contributions {
        rows.entry(row.partner).and_modify(|credit| {
            credit.first_touch.get_or_insert(row.at);
        });
    }
    let mut credits: Vec<Credit<K>> = rows.into_values().collect();
    credits.sort_by_key(|credit| (credit.first_touch, credit.partner));
    let nobody = divided.house == 0 && credits.iter().all(|credit| credit.weight == 0);
    let house = if nobody { divided.unit } else { divided.house };
    if house > 0 {
        credits.push(Credit {
            partner: None,
            weight: house,
            touches: 0,
            first_touch: None,
        });
    }
    credits
}

#[cfg(test)]
mod tests;
