//! The API of `payouts`.

/// PayoutRun.
#[derive(Clone, Debug)]
pub struct PayoutRun(pub crate::entity::payout_run::Model);

#[async_graphql::Object]
impl PayoutRun {
    /// The object's id.
    pub async fn id(&self) -> async_graphql::ID {
        self.0.id.into()
    }
}

impl PayoutRun {
    /// The object under the caller's scope; none when it is absent or hidden.
    ///
    /// # Errors
    /// The database failed.
    pub async fn load(_ctx: &async_graphql::Context<'_>, _id: crate::entity::ids::PayoutRunId) -> crate::error::Result<Option<Self>> {
        Err(crate::error::Error::internal("not built yet"))
    }
}

/// Payout.
#[derive(Clone, Debug)]
pub struct Payout(pub crate::entity::payout::Model);

#[async_graphql::Object]
impl Payout {
    /// The object's id.
    pub async fn id(&self) -> async_graphql::ID {
        self.0.id.into()
    }
}

impl Payout {
    /// The object under the caller's scope; none when it is absent or hidden.
    ///
    /// # Errors
    /// The database failed.
    pub async fn load(_ctx: &async_graphql::Context<'_>, _id: crate::entity::ids::PayoutId) -> crate::error::Result<Option<Self>> {
        Err(crate::error::Error::internal("not built yet"))
    }
}
