//! The API of `partners`.

/// Partner.
#[derive(Clone, Debug)]
pub struct Partner(pub crate::entity::partner::Model);

#[async_graphql::Object]
impl Partner {
    /// The object's id.
    pub async fn id(&self) -> async_graphql::ID {
        self.0.id.into()
    }
}

impl Partner {
    /// The object under the caller's scope; none when it is absent or hidden.
    ///
    /// # Errors
    /// The database failed.
    pub async fn load(_ctx: &async_graphql::Context<'_>, _id: crate::entity::ids::PartnerId) -> crate::error::Result<Option<Self>> {
        Err(crate::error::Error::internal("not built yet"))
    }
}
