//! People, as the API shows them.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{Context, Enum, ID, InputObject, Object, dataloader::Loader};
use sea_orm::Iterable;

use crate::{
    access::{Action, Actor, Scope, SignedIn, policy::permits},
    connection,
    entity::{
        ids::{SessionId, UserId},
        user::{self, Role, UserStatus},
    },
    error::{Error, Refusal, Result},
    graphql::{
        Objects,
        context::{ContextExt, LoadError, Rows, Viewer, id},
        errors::top_level,
        paging::{self, Branches, Direction, PageArgs, Sort},
        scalars::{DateTime, EmailAddress},
    },
    identity::store::{self, Wanted},
    partners::graphql::Partner,
};

/// A person who may sign in, or might have.
#[derive(Clone, Debug)]
pub struct User {
    /// The row.
    row: user::Model,
    /// Whether it is shown to the person itself.
    own: bool,
}

/// A person with an account: of the vendor, or of one partner.
#[Object]
impl User {
    /// The user's id, such as `user_01j9z3k7e8f9g0h1j2k3m4n5p6`.
    pub async fn id(&self) -> ID {
        self.row.id.into()
    }

    /// The full name.
    fn name(&self) -> &str {
        &self.row.name
    }

    /// The e-mail address, in lower case. Null for people of another partner or of the vendor, unless you work for
    /// the vendor.
    fn email(&self, ctx: &Context<'_>) -> Option<EmailAddress> {
        let same_partner =
            self.row.partner_id.is_some() && self.row.partner_id == ctx.actor().partner_id();
        let shown = self.own
            || ctx.actor().is_vendor()
            || same_partner
            || ctx.actor().user_id() == Some(self.row.id);
        shown.then(|| EmailAddress(self.row.email.clone()))
    }

    /// The role: what the person may do.
    fn role(&self) -> Role {
        self.row.role
    }

    /// The partner that the person works for; null for the vendor's people, and where the caller may not see it.
    async fn partner(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<Partner>> {
        ctx.object(self.row.partner_id?).await
    }

    /// The id of the person's partner; null for the vendor's people.
    fn partner_id(&self) -> Option<ID> {
        self.row.partner_id.map(Into::into)
    }

    /// Whether the person may sign in.
    fn status(&self) -> UserStatus {
        self.row.status
    }

    /// The language of mails, such as `en`.
    fn locale(&self) -> &str {
        &self.row.locale
    }

    /// The kinds of work that the role permits, about 50 at most; which objects they reach is decided for each object.
    fn permissions(&self) -> Vec<Action> {
        Action::iter()
            .filter(|action| permits(self.row.role, *action))
            .collect()
    }

    /// Counts the changes; send it back as `expectedVersion`.
    fn version(&self) -> i32 {
        i32::try_from(self.row.version).unwrap_or(i32::MAX)
    }

    /// When the person was invited or created.
    fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }
}

impl User {
    /// The person as the owner of a session.
    #[must_use]
    pub const fn signed_in(&self, session_id: SessionId) -> SignedIn {
        SignedIn {
            user_id: self.row.id,
            role: self.row.role,
            partner_id: self.row.partner_id,
            session_id,
        }
    }

    /// A person whom the caller came across.
    #[must_use]
    pub const fn of(row: user::Model) -> Self {
        Self { row, own: false }
    }

    /// The object by its id, if the caller may look people up and this one is among them; everybody finds himself.
    ///
    /// # Errors
    /// The database failed.
    pub async fn load(ctx: &Context<'_>, id: UserId) -> Result<Option<Self>> {
        let found = Self::mentioned(ctx, id).await?;
        Ok(found.filter(|user| listed(ctx.actor(), &user.row)))
    }

    /// Somebody whom an object names that the caller may see; a partner's people meet only their own there.
    ///
    /// # Errors
    /// The database failed.
    pub async fn mentioned(ctx: &Context<'_>, id: UserId) -> Result<Option<Self>> {
        let row = ctx.loaders().load_one(id).await;
        Ok(row
            .map_err(|error| Error::Internal(Box::new(error)))?
            .map(Self::of))
    }

    /// The person as a mutation left it.
    ///
    /// # Errors
    /// The database failed.
    pub async fn fresh(ctx: &Context<'_>, id: UserId) -> Result<Self> {
        let row = store::user(ctx.db(), id).await?;
        row.map(Self::of)
            .ok_or_else(|| Error::internal("a user vanished"))
    }

    /// The same, shown to the person itself.
    ///
    /// # Errors
    /// The database failed.
    pub async fn own(ctx: &Context<'_>, id: UserId) -> Result<Self> {
        Ok(Self {
            own: true,
            ..Self::fresh(ctx, id).await?
        })
    }
}

/// Whose people the caller may look up: everybody's, those of one partner, or nobody's.
fn directory(actor: &Actor) -> Scope {
    match actor.partner_id() {
        _ if actor.can(Action::UserReadAll) => Scope::All,
        Some(own) if actor.can(Action::UserInviteOwnPartner) => Scope::Partner(own),
        _ => Scope::Nothing,
    }
}

fn listed(actor: &Actor, row: &user::Model) -> bool {
    let own = actor.user_id() == Some(row.id);
    own || match directory(actor) {
        Scope::All => true,
        Scope::Partner(partner) => row.partner_id == Some(partner),
        Scope::Nothing => false,
    }
}

impl Loader<UserId> for Rows {
    type Value = user::Model;
    type Error = LoadError;

    async fn load(&self, keys: &[UserId]) -> Result<HashMap<UserId, user::Model>, LoadError> {
        let rows = store::people_by_id(&self.db, self.scope(), keys)
            .await
            .map_err(Arc::new)?;
        Ok(rows.into_iter().map(|row| (row.id, row)).collect())
    }
}

connection!(UserConnection, UserEdge, User);

/// Which people to list; conditions are combined by "and".
#[derive(Clone, Debug, Default, InputObject)]
pub struct UserFilter {
    /// People of this partner. A partner that is not yours has no people for you.
    pub partner_id: Option<ID>,
    /// People in one of these roles; at most 100.
    pub role_in: Option<Vec<Role>>,
    /// People in one of these states; at most 100.
    pub status_in: Option<Vec<UserStatus>>,
}

impl UserFilter {
    fn wanted(self) -> Wanted {
        Wanted {
            partner_id: self.partner_id.map(|partner| id(&partner)),
            roles: self.role_in,
            statuses: self.status_in,
        }
    }
}

/// How people can be sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum UserOrderField {
    /// By the time of their invitation or creation.
    CreatedAt,
    /// By address, letter by letter.
    Email,
}

/// One criterion of a list of people.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct UserOrder {
    /// What to sort by.
    pub field: UserOrderField,
    /// Which way; `DESC` unless given.
    #[graphql(default)]
    pub direction: Direction,
}

/// Who is signed in, and who else there is.
#[derive(Default)]
pub struct UserQuery;

#[Object]
impl UserQuery {
    /// The user who asks. Null with the error `UNAUTHENTICATED` when nobody signed in.
    async fn viewer(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<User>> {
        let viewer = async {
            let id = ctx.actor().person()?;
            match ctx.data_opt::<Viewer>().filter(|viewer| viewer.0.id == id) {
                Some(Viewer(row)) => Ok(User {
                    row: row.clone(),
                    own: true,
                }),
                None => User::own(ctx, id).await,
            }
        };
        Some(viewer.await.map_err(top_level))
    }

    /// A person by id: for yourself always, for others as in `users`. An unknown id and somebody whom you may not
    /// look up both answer null with the error `NOT_FOUND`.
    async fn user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user's id.", name = "id")] user_id: ID,
    ) -> Option<async_graphql::Result<User>> {
        let found = async {
            ctx.actor().person()?;
            let user = User::load(ctx, id(&user_id)).await?;
            user.ok_or_else(|| Error::not_found("id"))
        };
        Some(found.await.map_err(top_level))
    }

    /// People, newest first unless sorted otherwise. Administrators, alliance managers and auditors list everybody,
    /// a partner's administrators their own people; all others are `FORBIDDEN`.
    async fn users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "Rows before this cursor.")] before: Option<String>,
        #[graphql(desc = "The first so many rows: 0 to 100, 25 unless given.")] first: Option<i32>,
        #[graphql(desc = "The last so many rows: 0 to 100; not together with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Which people; all unless given.")] filter: Option<UserFilter>,
        #[graphql(desc = "How to sort; at most one criterion, the id decides ties.")]
        order_by: Option<Vec<UserOrder>>,
    ) -> async_graphql::Result<UserConnection> {
        let args = PageArgs {
            after,
            before,
            first,
            last,
        };
        users(
            ctx,
            args,
            filter.unwrap_or_default(),
            order_by.unwrap_or_default(),
        )
        .await
        .map_err(top_level)
    }
}

async fn users(
    ctx: &Context<'_>,
    args: PageArgs,
    filter: UserFilter,
    order: Vec<UserOrder>,
) -> Result<UserConnection> {
    ctx.actor().person()?;
    let scope = directory(ctx.actor());
    if scope == Scope::Nothing {
        return Err(Error::forbidden());
    }
    let sort = sort(&order)?;
    let wanted = filter.wanted();
    let rows = Branches::from(store::directory(scope, wanted.partner_id))
        .among(user::Column::Role, wanted.roles)
        .among(user::Column::Status, wanted.statuses);
    let page = paging::page(ctx, ctx.db(), rows, sort, args).await?;
    Ok(UserConnection::of(page, User::of))
}

fn sort(order: &[UserOrder]) -> Result<Sort<user::Column>> {
    let (column, direction) = match order {
        [] => (None, Direction::Desc),
        [
            UserOrder {
                field: UserOrderField::CreatedAt,
                direction,
            },
        ] => (None, *direction),
        [
            UserOrder {
                field: UserOrderField::Email,
                direction,
            },
        ] => (Some(user::Column::Email), *direction),
        _ => return Err(Refusal::input("orderBy", "at most one criterion").into()),
    };
    Ok(Sort {
        column,
        id: user::Column::Id,
        direction,
    })
}
