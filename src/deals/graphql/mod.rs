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

/// A counter as the API's `Int`.
fn counter(count: i64) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
