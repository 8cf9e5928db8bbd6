//! People.

use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, QueryFilter,
    QuerySelect, QueryTrait, Select, sea_query::Expr,
};

use crate::{
    access::Scope,
    entity::{
        ids::{PartnerId, UserId},
        partner,
        user::{self, Role, UserStatus},
    },
    error::Result,
    platform::sql::any_of,
    tx::{CHUNK, Tx},
};

/// A user by address, in its stored spelling.
pub async fn user_by_email(db: &impl ConnectionTrait, email: &str) -> Result<Option<user::Model>> {
    let found = user::Entity::find().filter(user::Column::Email.eq(email));
    Ok(found.one(db).await?)
}

/// A user, whatever the scope.
pub async fn user(db: &impl ConnectionTrait, id: UserId) -> Result<Option<user::Model>> {
    Ok(user::Entity::find_by_id(id).one(db).await?)
}

/// A user whose row nobody else changes before this unit of work ends.
pub async fn user_locked(tx: &Tx, id: UserId) -> Result<Option<user::Model>> {
    let query = user::Entity::find_by_id(id).lock_exclusive();
    Ok(query.one(tx).await?)
}

/// The people whom somebody may come across: a partner only its own.
pub fn people(scope: Scope) -> Select<user::Entity> {
    let everybody = user::Entity::find();
    match scope {
        Scope::All => everybody,
        Scope::Partner(own) => everybody.filter(user::Column::PartnerId.eq(own)),
        Scope::Nothing => everybody.filter(Expr::value(false)),
    }
}

/// The people of these ids under a scope.
pub async fn people_by_id(
    db: &impl ConnectionTrait,
    scope: Scope,
    ids: &[UserId],
) -> Result<Vec<user::Model>> {
    let mut found = Vec::with_capacity(ids.len());
    for chunk in ids.chunks(CHUNK) {
        let query = people(scope).filter(any_of(db, user::Column::Id, chunk.iter().copied()));
        found.extend(query.all(db).await?);
    }
    Ok(found)
}

/// Which people are asked for; all of them unless something is set.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// People of this partner.
    pub partner_id: Option<PartnerId>,
    /// People in one of these roles.
    pub roles: Option<Vec<Role>>,
    /// People in one of these states.
    pub statuses: Option<Vec<UserStatus>>,
}

/// The people under a scope, of all partners or of one.
pub fn directory(scope: Scope, partner: Option<PartnerId>) -> Select<user::Entity> {
    people(scope).apply_if(partner, |query, partner| {
        query.filter(user::Column::PartnerId.eq(partner))
    })
}

/// Whether there is such a partner.
pub async fn partner_exists(db: &impl ConnectionTrait, id: PartnerId) -> Result<bool> {
    Ok(partner::Entity::find_by_id(id).one(db).await?.is_some())
}

/// Facts of a new user.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// The address, in its one spelling.
    pub email: String,
    /// The full name.
    pub name: String,
    /// The role.
    pub role: Role,
    /// The partner of a partner role.
    pub partner_id: Option<PartnerId>,
    /// The language of mails.
    pub locale: String,
    /// The password, hashed; none while an invitation is open.
    pub password_hash: Option<String>,
}

/// Writes a user, active when there is a password; nothing when the address is taken.
pub async fn insert_user(tx: &Tx, new: NewUser) -> Result<Option<UserId>> {
    let id: UserId = tx.id();
    let status = if new.password_hash.is_some() {
        UserStatus::Active
    } else {
        UserStatus::Invited
    };
    let row = user::ActiveModel {
        id: Set(id),
        email: Set(new.email),
        name: Set(new.name),
        role: Set(new.role),
        partner_id: Set(new.partner_id),
        status: Set(status),
        password_hash: Set(new.password_hash),
        locale: Set(new.locale),
        version: Set(1),
        created_at: Set(tx.now()),
        updated_at: Set(tx.now()),
    };
    Ok(tx.insert_new(row).await?.then_some(id))
}

/// Gives a user a password, a name if there is one, and the status active, if it has the status expected;
/// says whether it had.
pub async fn set_password(
    tx: &Tx,
    id: UserId,
    expected: UserStatus,
    hash: &str,
    name: Option<String>,
) -> Result<bool> {
    let mut update = user::Entity::update_many()
        .col_expr(user::Column::Status, Expr::value(UserStatus::Active))
        .col_expr(user::Column::PasswordHash, Expr::value(hash))
        .col_expr(
            user::Column::Version,
            Expr::col(user::Column::Version).add(1),
        )
        .col_expr(user::Column::UpdatedAt, Expr::value(tx.now()))
        .filter(user::Column::Id.eq(id))
        .filter(user::Column::Status.eq(expected));
    if let Some(name) = name {
        update = update.col_expr(user::Column::Name, Expr::value(name));
    }
    Ok(update.exec(tx).await?.rows_affected == 1)
}

/// Takes the right to sign in from a user of this version; says whether it was the version.
pub async fn deactivate(tx: &Tx, id: UserId, version: i64) -> Result<bool> {
    let update = user::Entity::update_many()
        .col_expr(user::Column::Status, Expr::value(UserStatus::Deactivated))
        .col_expr(user::Column::PasswordHash, Expr::value(None::<String>))
        .col_expr(
            user::Column::Version,
            Expr::col(user::Column::Version).add(1),
        )
        .col_expr(user::Column::UpdatedAt, Expr::value(tx.now()))
        .filter(user::Column::Id.eq(id))
        .filter(user::Column::Version.eq(version))
        .filter(user::Column::Status.ne(UserStatus::Deactivated));
    Ok(update.exec(tx).await?.rows_affected == 1)
}
