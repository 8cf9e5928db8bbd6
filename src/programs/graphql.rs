//! The API of `programs`.

/// Program.
#[derive(Clone, Debug)]
pub struct Program(pub crate::entity::program::Model);

#[async_graphql::Object]
impl Program {
    /// The object's id.
    pub async fn id(&self) -> async_graphql::ID {
        self.0.id.into()
    }
}

impl Program {
    /// The object under the caller's scope; none when it is absent or hidden.
    ///
    /// # Errors
    /// The database failed.
    pub async fn load(_ctx: &async_graphql::Context<'_>, _id: crate::entity::ids::ProgramId) -> crate::error::Result<Option<Self>> {
        Err(crate::error::Error::internal("not built yet"))
    }
}
