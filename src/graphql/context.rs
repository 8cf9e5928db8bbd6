//! What a resolver reaches: who asks, the reading door under that scope, and the one write path.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use async_graphql::{
    Context, CustomDirective, Directive, ID,
    dataloader::{DataLoader, HashMapCache, Loader},
};
use chrono::TimeDelta;
use futures_util::future::{BoxFuture, Either, Ready, ready};
use serde::{Serialize, de::DeserializeOwned};
use tracing::Instrument;

use super::batches::Batches;
use crate::{
    access::{Action, Actor, Scope, SignedIn},
    app::App,
    entity::user,
    error::{Code, Error, Refusal, Result},
    platform::{
        audit, idempotency,
        ids::{self, TypedId},
        reader::Reader,
    },
    tx::{Call, Tx, Work},
};

/// How long the result of an ordinary keyed mutation is kept.
pub const KEPT: TimeDelta = TimeDelta::hours(24);
/// How long the result of a keyed payout mutation is kept.
pub const KEPT_FOR_PAYOUTS: TimeDelta = TimeDelta::days(30);

/// How long a mutation waits for work that goes on without it: half the time that an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The facts of one request, attached to it after authentication.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who asks.
    pub actor: Actor,
    /// The id that ties answer, log and audit trail together.
    pub request_id: String,
    /// The network address the request came from, for throttling.
    pub address: String,
}

/// The user who asks, where authentication has just read the row.
#[derive(Clone, Debug)]
pub struct Viewer(pub user::Model);

/// Who asks, and what is read for that person. A sign-in changes both for what its payload shows.
pub struct Session {
    asked: Side,
    signed_in: OnceLock<Side>,
}

struct Side {
    caller: Caller,
    loaders: Loaders,
}

impl Session {
    /// The session of a request.
    #[must_use]
    pub const fn new(caller: Caller, loaders: Loaders) -> Self {
        Self {
            asked: Side { caller, loaders },
            signed_in: OnceLock::new(),
        }
    }

    fn side(&self) -> &Side {
        self.signed_in.get().unwrap_or(&self.asked)
    }
}

/// Reads rows for one request: every domain teaches it how to load its own under the caller's scope.
#[derive(Clone, Debug)]
pub struct Rows {
    /// The reading door.
    pub db: Reader,
    /// Who asks.
    pub actor: Actor,
    /// The instant of the request, for what is computed as of now.
    pub now: chrono::DateTime<chrono::Utc>,
}

impl Rows {
    /// Which rows the caller may see.
    #[must_use]
    pub const fn scope(&self) -> Scope {
        self.actor.scope()
    }
}

/// Batches and remembers what one request reads.
pub struct Loaders {
    loader: DataLoader<Rows, HashMapCache>,
    batches: Batches,
    ahead: Mutex<HashMap<TypeId, Box<dyn Any + Send>>>,
}

/// What a key stands for.
type Loaded<K> = Result<Option<<Rows as Loader<K>>::Value>, LoadError>;

impl Loaders {
    /// Reads what a key stands for, together with all that the same level of the selection asks for; what was read ahead
    /// is there at once. A future of every field has room for this one, so it is a small one.
    ///
    /// # Errors
    /// The database failed.
    pub fn load_one<K>(&self, key: K) -> Either<Ready<Loaded<K>>, BoxFuture<'_, Loaded<K>>>
    where
        K: Clone + Eq + Hash + Send + Sync + 'static,
        Rows: Loader<K, Error = LoadError>,
    {
        if let Some(value) = self.read_ahead(&key) {
            return Either::Left(ready(Ok(Some(value))));
        }
        Either::Right(Box::pin(async move {
            let found = self.loader.load_one(key).await;
            self.batches.level_ended().await;
            found
        }))
    }

    /// Reads what keys stand for, tells it to `look`, and keeps it for the fields that will ask.
    ///
    /// # Errors
    /// The database failed.
    pub async fn load_ahead<K>(
        &self,
        keys: &[K],
        look: impl FnMut(&<Rows as Loader<K>>::Value),
    ) -> Result<(), LoadError>
    where
        K: Clone + Eq + Hash + Send + Sync + 'static,
        Rows: Loader<K, Error = LoadError>,
    {
        let found = self.rows().load(keys).await?;
        found.values().for_each(look);
        let mut ahead = self.ahead();
        let kept = ahead.entry(TypeId::of::<K>());
        let kept =
            kept.or_insert_with(|| Box::new(HashMap::<K, <Rows as Loader<K>>::Value>::new()));
        if let Some(kept) = kept.downcast_mut::<HashMap<K, <Rows as Loader<K>>::Value>>() {
            kept.extend(found);
        }
        Ok(())
    }

    /// Who reads.
    #[must_use]
    pub fn rows(&self) -> &Rows {
        self.loader.loader()
    }

    /// From now on remembers nothing; and a change that waits for its turn keeps nobody from reading.
    fn forget(&self) {
        self.loader.enable_all_cache(false);
        self.ahead().clear();
        self.rows().db.let_go();
    }

    fn read_ahead<K>(&self, key: &K) -> Option<<Rows as Loader<K>>::Value>
    where
        K: Clone + Eq + Hash + Send + Sync + 'static,
        Rows: Loader<K, Error = LoadError>,
    {
        let ahead = self.ahead();
        let kept = ahead.get(&TypeId::of::<K>())?;
        let kept = kept.downcast_ref::<HashMap<K, <Rows as Loader<K>>::Value>>()?;
        kept.get(key).cloned()
    }

    fn ahead(&self) -> MutexGuard<'_, HashMap<TypeId, Box<dyn Any + Send>>> {
        // It is whole after every change.
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Loaders of one request, which read when the request has come to a stop.
#[must_use]
pub fn loaders(app: &App, caller: &Caller, reader: Reader, batches: &Batches) -> Loaders {
    let rows = Rows {
        db: reader,
        actor: caller.actor.clone(),
        now: app.clock().now(),
    };
    let loader = DataLoader::with_cache(
        rows,
        batches.clone(),
        batches.clone(),
        HashMapCache::default(),
    );
    Loaders {
        loader,
        batches: batches.clone(),
        ahead: Mutex::default(),
    }
}

/// A loader's error: shared by every waiting field.
pub type LoadError = Arc<Error>;

/// A loader's error where one error of its own is wanted. Loaders refuse nothing, so it is a fault.
#[must_use]
pub fn unshared(error: LoadError) -> Error {
    Error::Internal(Box::new(error))
}

/// What every resolver uses.
pub trait ContextExt<'a> {
    /// The application.
    fn app(&self) -> &'a App;
    /// The facts of this request.
    fn caller(&self) -> &'a Caller;
    /// Who asks.
    fn actor(&self) -> &'a Actor;
    /// The reading door.
    fn db(&self) -> &'a Reader;
    /// The loaders of this request.
    fn loaders(&self) -> &'a Loaders;
    /// From now on the request is answered as this person, who has just proved who it is. A sign-in is the only root field
    /// of its request, so nothing but its payload is.
    fn sign_in(&self, person: SignedIn);
    /// Refuses what the caller's role does not permit.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` or `FORBIDDEN`.
    fn may(&self, action: Action) -> async_graphql::Result<()>;
    /// Changes data; `@idempotent` on the field is honoured when it is there. From then on the loaders of the request
    /// remember nothing, so that a request with several mutations shows each one's effect.
    fn write<T, F>(&self, name: &'static str, body: F) -> impl Future<Output = Result<T>> + Send
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        F: for<'t> Fn(&'t Tx) -> Work<'t, T> + Send + Sync + 'static;
    /// Does work of several units to its end, also when the caller goes away, and waits for it.
    fn finish<T, F>(
        &self,
        name: &'static str,
        work: impl FnOnce(App, Call) -> F,
    ) -> impl Future<Output = Result<T>> + Send
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static;
    /// Begins work that a job brings to its end, too, and waits for it, but so briefly that the answer, which says how far
    /// it came, is in time. A fault is the job's to make good.
    fn begin<F>(
        &self,
        name: &'static str,
        work: impl FnOnce(App, Call) -> F,
    ) -> impl Future<Output = ()> + Send
    where
        F: Future<Output = Result<()>> + Send + 'static;
    /// Changes data that gives a claim on money or exclusivity: `@idempotent` is mandatory.
    fn write_once<T, F>(
        &self,
        name: &'static str,
        kept_for: TimeDelta,
        body: F,
    ) -> impl Future<Output = Result<T>> + Send
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        F: for<'t> Fn(&'t Tx) -> Work<'t, T> + Send + Sync + 'static;
}

impl<'a> ContextExt<'a> for Context<'a> {
    fn app(&self) -> &'a App {
        self.data_unchecked::<App>()
    }

    fn caller(&self) -> &'a Caller {
        &self.data_unchecked::<Session>().side().caller
    }

    fn actor(&self) -> &'a Actor {
        &self.caller().actor
    }

    fn db(&self) -> &'a Reader {
        &self.loaders().rows().db
    }

    fn loaders(&self) -> &'a Loaders {
        &self.data_unchecked::<Session>().side().loaders
    }

    fn sign_in(&self, person: SignedIn) {
        let session = self.data_unchecked::<Session>();
        let Side { caller, loaders } = &session.asked;
        let caller = Caller {
            actor: Actor::User(person),
            ..caller.clone()
        };
        let reader = loaders.rows().db.clone();
        let loaders = self::loaders(self.app(), &caller, reader, &loaders.batches);
        // Only the first sign-in of a request counts, and there is only one.
        let _ = session.signed_in.set(Side { caller, loaders });
    }

    fn may(&self, action: Action) -> async_graphql::Result<()> {
        self.actor().may(action).map_err(super::errors::top_level)
    }

    fn write<T, F>(&self, name: &'static str, body: F) -> impl Future<Output = Result<T>> + Send
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        F: for<'t> Fn(&'t Tx) -> Work<'t, T> + Send + Sync + 'static,
    {
        self.loaders().forget();
        let key = idempotency_key(self, KEPT);
        let (app, caller, reader) = (self.app(), self.caller(), self.db());
        async move {
            let done = match key? {
                None => app.write(call(name, caller), body).await,
                Some(key) => app.write_keyed(call(name, caller), key, body).await,
            };
            done.inspect(|_| reader.after_change())
        }
    }

    fn finish<T, F>(
        &self,
        name: &'static str,
        work: impl FnOnce(App, Call) -> F,
    ) -> impl Future<Output = Result<T>> + Send
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        self.loaders().forget();
        let (app, call) = (self.app(), call(name, self.caller()));
        let work = work(app.clone(), call).in_current_span();
        let spawned = app.tasks().spawn(work);
        // Some of its units may be done whatever becomes of the rest.
        self.db().after_change();
        async move {
            let done = spawned.await;
            done.unwrap_or_else(|panic| Err(Error::Internal(Box::new(panic))))
        }
    }

    fn begin<F>(
        &self,
        name: &'static str,
        work: impl FnOnce(App, Call) -> F,
    ) -> impl Future<Output = ()> + Send
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let work = self.finish(name, work);
        async move {
            if let Ok(Err(error)) = tokio::time::timeout(PATIENCE, work).await {
                tracing::warn!(name, %error, "left to a job");
            }
        }
    }

    fn write_once<T, F>(
        &self,
        name: &'static str,
        kept_for: TimeDelta,
        body: F,
    ) -> impl Future<Output = Result<T>> + Send
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        F: for<'t> Fn(&'t Tx) -> Work<'t, T> + Send + Sync + 'static,
    {
        self.loaders().forget();
        let key = idempotency_key(self, kept_for);
        let (app, caller, reader) = (self.app(), self.caller(), self.db());
        async move {
            let done = match key? {
                None if caller.actor.user_id().is_some() => Err(Refusal::new(
                    Code::IdempotencyKeyRequired,
                    "This mutation needs @idempotent(key: \"…\"), so that a repetition cannot take effect twice.",
                )
                .into()),
                None => app.write(call(name, caller), body).await,
                Some(key) => app.write_keyed(call(name, caller), key, body).await,
            };
            done.inspect(|_| reader.after_change())
        }
    }
}

fn call(name: &'static str, caller: &Caller) -> Call {
    Call {
        name,
        actor: caller.actor.clone(),
        request_id: Some(caller.request_id.clone()),
    }
}

fn idempotency_key(ctx: &Context<'_>, kept_for: TimeDelta) -> Result<Option<idempotency::Key>> {
    let field = ctx.field();
    let malformed = |_| {
        Error::from(Refusal::new(
            Code::BadUserInput,
            "The arguments cannot be read.",
        ))
    };
    let directives = field.directives().map_err(malformed)?;
    let Some(directive) = directives
        .into_iter()
        .find(|directive| directive.name.node == "idempotent")
    else {
        return Ok(None);
    };
    let text = directive
        .arguments
        .into_iter()
        .find_map(|(name, value)| match value.node {
            async_graphql::Value::String(text) if name.node == "key" => Some(text),
            _ => None,
        });
    let text = text.unwrap_or_default();
    if text.trim().is_empty() || text.chars().count() > 255 {
        return Err(Refusal::new(
            Code::BadUserInput,
            "The idempotency key must have 1 to 255 characters.",
        )
        .into());
    }
    let arguments = serde_json::to_value(field.arguments().map_err(malformed)?)?;
    Ok(Some(idempotency::Key {
        text,
        input_hash: audit::digest(&audit::canonical(&arguments)),
        kept_for,
    }))
}

struct Idempotent;

impl CustomDirective for Idempotent {}

/// Makes a repetition of the same mutation return the result of the first, for 24 hours (30 days for payouts).
/// The key is yours: any text of 1 to 255 characters, unique per user and mutation; a UUID is a good choice.
/// The same key with other arguments answers `IDEMPOTENCY_KEY_MISMATCH`.
#[Directive(name = "idempotent", location = "Field")]
pub fn idempotent(
    #[graphql(desc = "Your own key for this call, 1 to 255 characters.")] key: String,
) -> impl CustomDirective {
    let _ = key;
    Idempotent
}

/// Reads an id argument. A malformed id and one of another type are the id of nothing, so that they answer like one
/// that does not exist: after the same checks, and with the same words.
#[must_use]
pub fn id<T: TypedId>(value: &ID) -> T {
    T::parse(value).unwrap_or_else(|| T::of(ids::of_nothing(value)))
}
