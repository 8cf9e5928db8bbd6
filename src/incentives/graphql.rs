//! The API of `incentives`.

/// IncentivePlan.
#[derive(Clone, Debug)]
pub struct IncentivePlan(pub crate::entity::incentive_plan::Model);

#[async_graphql::Object]
impl IncentivePlan {
    /// The object's id.
    pub async fn id(&self) -> async_graphql::ID {
        self.0.id.into()
    }
}

impl IncentivePlan {
    /// The object under the caller's scope; none when it is absent or hidden.
    ///
    /// # Errors
    /// The database failed.
    pub async fn load(_ctx: &async_graphql::Context<'_>, _id: crate::entity::ids::IncentivePlanId) -> crate::error::Result<Option<Self>> {
        Err(crate::error::Error::internal("not built yet"))
    }
}
