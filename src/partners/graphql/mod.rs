//! The API of `partners`.

pub mod change;
pub mod filter;
pub mod history;
pub mod loaders;
pub mod moves;
pub mod partner;
pub mod payment;

pub use change::{PartnerCreateInput, PartnerMutation, PartnerUpdateInput};
pub use filter::{PartnerFilter, PartnerOrder, PartnerOrderField};
pub use history::{LifecycleEvent, LifecycleEventConnection, LifecycleEventEdge};
pub use loaders::AttributesOf;
pub use moves::LifecycleMutation;
pub use partner::{Partner, PartnerConnection, PartnerEdge, PartnerQuery};
pub use payment::{
    PartnerPaymentDetailsSetInput, PartnerPaymentDetailsSetPayload, PaymentDetails, PaymentMutation,
};

/// What can be done with partners.
#[derive(async_graphql::MergedObject, Default)]
pub struct PartnersMutation(PartnerMutation, LifecycleMutation, PaymentMutation);
