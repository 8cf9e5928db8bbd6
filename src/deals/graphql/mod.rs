//! Registrations and deals in the API.

mod ahead;
pub mod deal;
pub mod deal_inputs;
pub mod deal_mutations;
pub mod forecast;
pub mod loaders;
pub mod parts;
pub mod pipeline;
pub mod queries;
pub mod registration;
pub mod registration_inputs;
pub mod registration_mutations;

use async_graphql::MergedObject;

pub use deal::Deal;
pub use parts::DealParticipant;
pub use registration::DealRegistration;

/// What can be read about registrations and deals.
#[derive(MergedObject, Default)]
pub struct DealsQuery(
    queries::ListQuery,
    pipeline::PipelineQuery,
    forecast::ForecastQuery,
);

/// What can be done to registrations and deals.
#[derive(MergedObject, Default)]
pub struct DealsMutation(
    registration_mutations::RegistrationMutation,
    deal_mutations::PipelineMutation,
    deal_mutations::ParticipantMutation,
);

/// Runs a use case as a mutation of a signed-in person: the command is read first, and cloned for every attempt.
macro_rules! write {
    ($ctx:ident, $name:literal, $command:expr, $use_case:path) => {{
        $ctx.actor().person()?;
        let command = $command;
        $ctx.write($name, move |tx| {
            let command = command.clone();
            Box::pin(async move { $use_case(tx, command).await })
        })
        .await
    }};
}

/// The same where a repetition must not take effect twice.
macro_rules! write_once {
    ($ctx:ident, $name:literal, $command:expr, $use_case:path) => {{
        $ctx.actor().person()?;
        let command = $command;
        $ctx.write_once($name, chrono::TimeDelta::hours(24), move |tx| {
            let command = command.clone();
            Box::pin(async move { $use_case(tx, command).await })
        })
        .await
    }};
}

pub(crate) use {write, write_once};

/// A counter as the API's `Int`.
fn counter(count: i64) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
