//! Mutations: a command, a use case, and the payload that shows the row it saved.

use std::future::Future;

use async_graphql::Context;
use chrono::TimeDelta;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};

use super::{UserError, context::ContextExt, errors, objects::Shown};
use crate::{
    access::{self, Held, Id, Visible},
    error::{Error, Result},
    platform::ids::TypedId,
    tx::{Tx, Work},
};

/// What carries out a command in a unit of work: every `async fn(&Tx, C) -> Result<T>`.
pub trait UseCase<'t, C>: Send + Sync + 'static {
    /// What it returns.
    type Output;
    /// The work.
    type Future: Future<Output = Result<Self::Output>> + Send + 't;

    /// Carries it out.
    fn run(&self, tx: &'t Tx, command: C) -> Self::Future;
}

impl<'t, C, T, F, Fut> UseCase<'t, C> for F
where
    F: Fn(&'t Tx, C) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T>> + Send + 't,
{
    type Output = T;
    type Future = Fut;

    fn run(&self, tx: &'t Tx, command: C) -> Fut {
        self(tx, command)
    }
}

/// The payload of a mutation; declared by [`payload!`](crate::payload).
pub trait Payload: Sized {
    /// The object that was changed.
    type Object;

    /// The payload of a change that was made.
    fn done(object: Self::Object) -> Self;

    /// The payload of a refusal.
    fn refused(errors: Vec<UserError>) -> Self;

    /// The payload of a finished mutation.
    ///
    /// # Errors
    /// What is not an expected refusal.
    fn of(result: Result<Self::Object>) -> async_graphql::Result<Self> {
        match result {
            Ok(object) => Ok(Self::done(object)),
            Err(error) => errors::user_errors(error).map(Self::refused),
        }
    }
}

/// Mutations as resolvers run them: by a signed-in person, in one unit of work that is tried again where that helps.
pub trait Changes {
    /// Carries out a command and returns what the use case does. For mutations that show more than the row they saved;
    /// all others use [`Changes::change`].
    fn run<C, U, T>(
        &self,
        name: &'static str,
        command: Result<C>,
        use_case: U,
    ) -> impl Future<Output = Result<T>> + Send
    where
        C: Clone + Send + Sync + 'static,
        U: for<'t> UseCase<'t, C, Output = T>,
        T: Serialize + DeserializeOwned + Send + 'static;

    /// The same for what gives a claim on money or exclusivity: `@idempotent` is mandatory, and its result is kept that
    /// long.
    fn run_once<C, U, T>(
        &self,
        name: &'static str,
        kept_for: TimeDelta,
        command: Result<C>,
        use_case: U,
    ) -> impl Future<Output = Result<T>> + Send
    where
        C: Clone + Send + Sync + 'static,
        U: for<'t> UseCase<'t, C, Output = T>,
        T: Serialize + DeserializeOwned + Send + 'static;

    /// Like [`Changes::run_once`], but returns the row that the use case saved. For mutations that return more than
    /// that row; all others use [`Changes::change_once`].
    fn saved_once<T, C, U>(
        &self,
        name: &'static str,
        kept_for: TimeDelta,
        command: Result<C>,
        use_case: U,
    ) -> impl Future<Output = Result<T>> + Send
    where
        T: Shown,
        C: Clone + Send + Sync + 'static,
        U: for<'t> UseCase<'t, C, Output = Held<T::Entity>>;

    /// Carries out a command and shows the row that the use case saved.
    fn change<P, C, U>(
        &self,
        name: &'static str,
        command: Result<C>,
        use_case: U,
    ) -> impl Future<Output = async_graphql::Result<P>> + Send
    where
        P: Payload<Object: Shown>,
        C: Clone + Send + Sync + 'static,
        U: for<'t> UseCase<'t, C, Output = Held<<P::Object as Shown>::Entity>>;

    /// The same for what gives a claim on money or exclusivity: `@idempotent` is mandatory, and its result is kept that
    /// long.
    fn change_once<P, C, U>(
        &self,
        name: &'static str,
        kept_for: TimeDelta,
        command: Result<C>,
        use_case: U,
    ) -> impl Future<Output = async_graphql::Result<P>> + Send
    where
        P: Payload<Object: Shown>,
        C: Clone + Send + Sync + 'static,
        U: for<'t> UseCase<'t, C, Output = Held<<P::Object as Shown>::Entity>>;
}

impl Changes for Context<'_> {
    async fn run<C, U, T>(&self, name: &'static str, command: Result<C>, use_case: U) -> Result<T>
    where
        C: Clone + Send + Sync + 'static,
        U: for<'t> UseCase<'t, C, Output = T>,
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        self.actor().person()?;
        let command = command?;
        self.write(name, move |tx| Box::pin(use_case.run(tx, command.clone())))
            .await
    }

    async fn run_once<C, U, T>(
        &self,
        name: &'static str,
        kept_for: TimeDelta,
        command: Result<C>,
        use_case: U,
    ) -> Result<T>
    where
        C: Clone + Send + Sync + 'static,
        U: for<'t> UseCase<'t, C, Output = T>,
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        self.actor().person()?;
        let command = command?;
        self.write_once(name, kept_for, move |tx| {
            Box::pin(use_case.run(tx, command.clone()))
        })
        .await
    }

    async fn saved_once<T, C, U>(
        &self,
        name: &'static str,
        kept_for: TimeDelta,
        command: Result<C>,
        use_case: U,
    ) -> Result<T>
    where
        T: Shown,
        C: Clone + Send + Sync + 'static,
        U: for<'t> UseCase<'t, C, Output = Held<T::Entity>>,
    {
        let saved = self
            .run_once(name, kept_for, command, Saving(use_case))
            .await;
        shown(self, saved).await
    }

    async fn change<P, C, U>(
        &self,
        name: &'static str,
        command: Result<C>,
        use_case: U,
    ) -> async_graphql::Result<P>
    where
        P: Payload<Object: Shown>,
        C: Clone + Send + Sync + 'static,
        U: for<'t> UseCase<'t, C, Output = Held<<P::Object as Shown>::Entity>>,
    {
        let saved = self.run(name, command, Saving(use_case)).await;
        P::of(shown(self, saved).await)
    }

    async fn change_once<P, C, U>(
        &self,
        name: &'static str,
        kept_for: TimeDelta,
        command: Result<C>,
        use_case: U,
    ) -> async_graphql::Result<P>
    where
        P: Payload<Object: Shown>,
        C: Clone + Send + Sync + 'static,
        U: for<'t> UseCase<'t, C, Output = Held<<P::Object as Shown>::Entity>>,
    {
        P::of(self.saved_once(name, kept_for, command, use_case).await)
    }
}

/// The object of a row that was saved.
async fn shown<T: Shown>(ctx: &Context<'_>, saved: Result<Saved<T::Entity>>) -> Result<T> {
    match saved? {
        Saved { row: Some(row), .. } => Ok(T::of_row(row)),
        Saved { id, row: None } => T::load(ctx, id)
            .await?
            .ok_or_else(|| Error::not_found(T::Entity::ARGUMENT)),
    }
}

/// A row that a use case saved. What an idempotency key keeps of it is the id.
struct Saved<E: Visible> {
    id: Id<E>,
    row: Option<E::Model>,
}

impl<E: Visible> Serialize for Saved<E> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.id.text())
    }
}

impl<'de, E: Visible> Deserialize<'de> for Saved<E> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let id = Id::<E>::parse(&text);
        let id = id.ok_or_else(|| serde::de::Error::custom("not an id of this type"))?;
        Ok(Self { id, row: None })
    }
}

/// A use case that returns the row it saved.
struct Saving<U>(U);

impl<'t, C, E, U> UseCase<'t, C> for Saving<U>
where
    C: Send + 't,
    E: Visible,
    U: UseCase<'t, C, Output = Held<E>>,
{
    type Output = Saved<E>;
    type Future = Work<'t, Saved<E>>;

    fn run(&self, tx: &'t Tx, command: C) -> Self::Future {
        let saved = self.0.run(tx, command);
        Box::pin(async move {
            let row = saved.await?.into_row();
            Ok(Saved {
                id: access::id_of::<E>(&row)?,
                row: Some(row),
            })
        })
    }
}
