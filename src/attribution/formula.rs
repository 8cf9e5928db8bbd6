//! The formula of each model in words, with the programme's own numbers.
//!
//! Pure: decides from facts alone.

use super::parameters::Parameters;
use crate::entity::attribution_run::{AttributionBasis, AttributionModel};

/// How credit came about, as a partner reads it: what weighs how much, and what counts at all.
#[must_use]
pub fn text(model: AttributionModel, basis: AttributionBasis, parameters: &Parameters) -> String {
    match basis {
        AttributionBasis::Nobody => {
            "Nobody took part that counts, so the credit stays with the vendor.".to_owned()
        }
        AttributionBasis::Participation if model == AttributionModel::RoleWeighted => {
            by_role(parameters)
        }
        AttributionBasis::Participation => format!(
            "No touchpoint counts, so each accepted partner is taken to have one at the time of its acceptance. {} {SHARE}",
            by_touch(model, parameters)
        ),
        AttributionBasis::Touchpoints => {
            let phases = parameters.phases.as_ref().map_or("", |_| PHASES);
            format!(
                "{}{phases} {SHARE} {}",
                by_touch(model, parameters),
                window(parameters)
            )
        }
    }
}

const SHARE: &str = "share = own weight ÷ total weight.";
const PHASES: &str = " Each part of the customer's journey has its own points, divided within it.";

fn by_touch(model: AttributionModel, parameters: &Parameters) -> String {
    match model {
        AttributionModel::First => "The earliest touchpoint weighs 1, all others 0.".to_owned(),
        AttributionModel::Last => "The latest touchpoint weighs 1, all others 0.".to_owned(),
        AttributionModel::Linear | AttributionModel::RoleWeighted => "Every touchpoint weighs 1.".to_owned(),
        AttributionModel::TimeDecay => {
            format!("weight = 2^(−age ÷ {} days), age before the close.", parameters.half_life_days)
        }
        AttributionModel::UShaped => "The first and the last touchpoint weigh 0.4 each, those between share 0.2.".to_owned(),
        AttributionModel::WShaped => "The first touchpoint, the one that made the lead and the one that made the opportunity \
                           weigh 0.3 each, the rest share 0.1; what is missing is left out."
            .to_owned(),
        AttributionModel::Custom => {
            let kinds = parameters.kind_weights.iter().map(|(kind, points)| format!("{} {points}", wire(kind)));
            format!("A touchpoint weighs by its kind: {}.", kinds.collect::<Vec<_>>().join(", "))
        }
    }
}

fn by_role(parameters: &Parameters) -> String {
    let roles = parameters
        .role_weights
        .iter()
        .map(|(role, points)| format!("{role} {points}"));
    let empty = if parameters.redistribute_unfilled_roles {
        "points of roles that nobody fills go to the filled ones"
    } else {
        "points of roles that nobody fills stay with the vendor"
    };
    let roles = roles.collect::<Vec<_>>().join(", ");
    format!(
        "Points by role: {roles}; those who share a role share its points, and {empty}. {SHARE}"
    )
}

fn window(parameters: &Parameters) -> String {
    let cap = match parameters.daily_cap {
        1 => "one touchpoint".to_owned(),
        cap => format!("{cap} touchpoints"),
    };
    format!(
        "Verified touchpoints of the {} days before the close count, of one kind and partner {cap} a day in {}; one that \
         has a place of its own in the model always counts.",
        parameters.lookback_days,
        parameters.time_zone.name(),
    )
}

fn wire<T: sea_orm::ActiveEnum<Value = String>>(value: &T) -> String {
    value.to_value()
}

/// "2 other partners", for a text that names nobody.
#[must_use]
pub fn others(count: usize) -> String {
    match count {
        0 => "no other partner".to_owned(),
        1 => "1 other partner".to_owned(),
        count => format!("{count} other partners"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_carry_the_programmes_numbers() {
        let parameters = Parameters {
            half_life_days: 45,
            daily_cap: 2,
            ..Parameters::default()
        };
        assert_eq!(
            text(
                AttributionModel::TimeDecay,
                AttributionBasis::Touchpoints,
                &parameters
            ),
            "weight = 2^(−age ÷ 45 days), age before the close. share = own weight ÷ total weight. \
             Verified touchpoints of the 180 days before the close count, of one kind and partner 2 touchpoints a day in \
             UTC; one that has a place of its own in the model always counts."
        );
        let roles = Parameters {
            role_weights: [("RESELLER".to_owned(), 50)].into(),
            ..Parameters::default()
        };
        assert_eq!(
            text(
                AttributionModel::RoleWeighted,
                AttributionBasis::Participation,
                &roles
            ),
            "Points by role: RESELLER 50; those who share a role share its points, and points of roles that nobody \
             fills stay with the vendor. share = own weight ÷ total weight."
        );
        assert_eq!(
            [others(0), others(1), others(2)],
            ["no other partner", "1 other partner", "2 other partners"]
        );
    }
}
