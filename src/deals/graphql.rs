//! The API of `deals`.

/// DealRegistration.
#[derive(Clone, Debug)]
pub struct DealRegistration(pub crate::entity::deal_registration::Model);

#[async_graphql::Object]
impl DealRegistration {
    /// The object's id.
    pub async fn id(&self) -> async_graphql::ID {
        self.0.id.into()
    }
}

impl DealRegistration {
    /// The object under the caller's scope; none when it is absent or hidden.
    ///
    /// # Errors
    /// The database failed.
    pub async fn load(_ctx: &async_graphql::Context<'_>, _id: crate::entity::ids::DealRegistrationId) -> crate::error::Result<Option<Self>> {
        Err(crate::error::Error::internal("not built yet"))
    }
}

/// Deal.
#[derive(Clone, Debug)]
pub struct Deal(pub crate::entity::deal::Model);

#[async_graphql::Object]
impl Deal {
    /// The object's id.
    pub async fn id(&self) -> async_graphql::ID {
        self.0.id.into()
    }
}

impl Deal {
    /// The object under the caller's scope; none when it is absent or hidden.
    ///
    /// # Errors
    /// The database failed.
    pub async fn load(_ctx: &async_graphql::Context<'_>, _id: crate::entity::ids::DealId) -> crate::error::Result<Option<Self>> {
        Err(crate::error::Error::internal("not built yet"))
    }
}
