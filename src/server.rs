//! The running server: everything put together, from a configuration to an open port and back to rest.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_graphql::{Request, Response};
use axum::{
    Json, Router,
    extract::{ConnectInfo, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::IntoResponse,
    routing::get,
};
use futures_util::stream::{self, BoxStream, StreamExt};
use secrecy::ExposeSecret;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    access::Actor,
    app::{App, Parts, Site},
    customers,
    graphql::{
        Api,
        budget::Buckets,
        context::{Caller, Viewer},
        refusal::RequestId,
        router,
        transport::{AuthFailure, Authenticate, Execute, RequestData, Settings, Transport},
    },
    identity::authenticate::{self, AuthFault},
    listen::{self, Limits, Patience},
    partners, payouts,
    platform::{
        auth::{
            opaque::OpaqueTokens,
            password::{Cost, Passwords},
            token::Keys,
        },
        clock::Clock,
        config::{Config, Mode},
        db::{self, Db},
        files::{Files, Location},
        mail::{MailTransport, Mailer},
        migrations::{self, MigrationFault, Standing},
        print, private,
        proxies::{self, AddressRange},
        telemetry::Metrics,
    },
    worker,
};

/// Anything that keeps the server from starting.
pub type StartError = Box<dyn std::error::Error + Send + Sync>;

/// How long a shutdown waits for what runs.
const DRAIN: Duration = Duration::from_secs(25);

/// Where the vetted address of the client stands while a request is served; whatever a client sends is replaced.
const CLIENT_ADDRESS: HeaderName = HeaderName::from_static("x-ensemble-client-address");

/// What a command may do to the database before its own work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// Create it, and bring it to the schema of this program.
    Create,
    /// Bring it to the schema of this program; it has to exist.
    Migrate,
    /// Nothing: it has to exist with the schema of this program.
    AsItIs,
}

/// Opens the application that a configuration describes, to serve.
///
/// # Errors
/// The database does not exist and may not be created; it cannot be opened or migrated; a setting does not work.
pub async fn open(config: &Config, opening: Opening) -> Result<App, StartError> {
    open_within(config, opening, limits(config).serving()).await
}

fn limits(config: &Config) -> db::Limits {
    db::Limits {
        slow: config.slow_statement,
        ..db::Limits::default()
    }
}

async fn open_within(
    config: &Config,
    opening: Opening,
    limits: db::Limits,
) -> Result<App, StartError> {
    let url = config.database_url.expose_secret();
    if opening != Opening::Create {
        let standing = migrations::standing(url).await?;
        if opening == Opening::AsItIs && standing == Standing::Older {
            return Err(MigrationFault::Older(url.parse()?).into());
        }
    }
    // Creates neither a folder nor a secret until it is known that this command may.
    let secret = if opening == Opening::AsItIs {
        config.secret.clone()
    } else {
        tokio::fs::create_dir_all(&config.data_dir).await?;
        migrations::up(url).await?;
        let secret = config.keep_secret()?;
        private::keep(&config.data_dir, url);
        secret
    };
    let transport = match &config.smtp_url {
        Some(url) => MailTransport::smtp(url)?,
        None => MailTransport::Folder(config.mail_dir()),
    };
    let public_url = config.public_url.as_str().trim_end_matches('/').to_owned();
    let app = App::new(Parts {
        db: Db::open(url, config.database_connections, limits).await?,
        clock: Clock::System,
        passwords: Passwords::new(Cost::STANDARD),
        keys: Keys::new(
            &secret,
            config.previous_secret.as_ref(),
            public_url.as_str(),
            "ensemble",
        )?,
        tokens: OpaqueTokens::new(secret, config.previous_secret.clone()),
        mail: Mailer::new(transport, config.mail_from.clone()),
        files: Files::at(&config.files)?,
        site: Site {
            public_url,
            worker_concurrency: config.worker_concurrency,
            statements: config.statements,
        },
        wake: Arc::default(),
        tasks: TaskTracker::new(),
    });
    if opening == Opening::AsItIs {
        return Ok(app);
    }
    let rewritten = customers::forms::bring_up_to_date(&app).await?;
    if rewritten > 0 {
        tracing::info!(
            customers = rewritten,
            "updated the canonical forms of customers"
        );
    }
    let rewritten = partners::forms::bring_up_to_date(&app).await?;
    if rewritten > 0 {
        tracing::info!(
            partners = rewritten,
            "updated the registration numbers of partners"
        );
    }
    Ok(app)
}

/// The addresses of a server, taken before anything else is done: the database is not touched when one is not free.
#[derive(Debug)]
pub struct Listeners {
    main: TcpListener,
    metrics: Option<TcpListener>,
}

impl Listeners {
    /// Takes the addresses of a configuration.
    ///
    /// # Errors
    /// An address is in use or not of this machine.
    pub fn bind(config: &Config) -> Result<Self, StartError> {
        let main = bind(config.listen, "--listen (ENSEMBLE_LISTEN)")?;
        let metrics = match config.metrics_listen {
            Some(address) => Some(bind(address, "ENSEMBLE_METRICS_LISTEN")?),
            None => None,
        };
        Ok(Self { main, metrics })
    }

    /// The address of the API, with the port that the system chose if any was asked for.
    ///
    /// # Errors
    /// The system does not say.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.main.local_addr()
    }
}

fn bind(address: SocketAddr, setting: &str) -> Result<TcpListener, StartError> {
    listen::bind(address).map_err(|error| {
        let reason = match error.kind() {
            std::io::ErrorKind::AddrInUse => "the address is in use".to_owned(),
            _ => error.to_string(),
        };
        format!("Cannot listen on {address}: {reason}. Choose another address with {setting}.")
            .into()
    })
}

/// Serves until a signal comes, then lets what runs finish.
///
/// # Errors
/// Signals cannot be caught, or the database cannot be closed.
pub async fn serve(
    app: App,
    listeners: Listeners,
    config: &Config,
    with_worker: bool,
    development: Option<crate::graphql::page::StartPage>,
) -> Result<(), StartError> {
    let outcome = serve_on(&app, listeners, config, with_worker, development).await;
    if outcome.is_err() {
        close(&app).await?;
    }
    outcome
}

/// Closes the database of a server that does not start, so that an SQLite file is whole without the log beside it.
///
/// # Errors
/// It cannot be closed.
pub async fn close(app: &App) -> Result<(), StartError> {
    rest(app, std::future::ready(())).await
}

async fn serve_on(
    app: &App,
    listeners: Listeners,
    config: &Config,
    with_worker: bool,
    development: Option<crate::graphql::page::StartPage>,
) -> Result<(), StartError> {
    let stop = CancellationToken::new();
    let metrics = Metrics::start()?;
    tokio::spawn(metrics.clone().upkeep());
    let limits = Limits::of_process(config.database_connections);
    let settings = Settings {
        origins: config.cors_origins.clone(),
        development,
        sockets: limits.sockets,
        ..settings()
    };
    let transport = transport(app, settings)?;
    let main = routes(app, transport, config.trusted_proxies.clone(), &stop);
    let main = if listeners.metrics.is_some() {
        main
    } else {
        main.merge(metrics_route(metrics.clone()))
    };

    let signalled = signals()?;
    let patience = Patience {
        connections: limits.connections,
        per_address: limits.per_address,
        proxies: config.trusted_proxies.clone().into(),
        ..Patience::default()
    };
    tell_start(config, "serve", Some(listeners.address()?), with_worker);
    if config.mode == Mode::Development {
        print::line(format_args!(
            "Ensemble {} listens on http://{}",
            env!("CARGO_PKG_VERSION"),
            listeners.address()?
        ))?;
    }
    payouts::export::begin(app);
    let mut servers = tokio::task::JoinSet::new();
    if let Some(listener) = listeners.metrics {
        servers.spawn(listen::serve(
            listener,
            metrics_route(metrics),
            Patience::few(),
            stop.clone(),
        ));
    }
    servers.spawn(listen::serve(listeners.main, main, patience, stop.clone()));
    let worker = with_worker.then(|| tokio::spawn(worker::run(app.clone(), stop.clone())));

    signalled.await;
    tracing::info!("stopping: what runs is finished, nothing new is taken");
    stop.cancel();
    rest(app, async {
        while servers.join_next().await.is_some() {}
        if let Some(worker) = worker {
            let _ = worker.await;
        }
    })
    .await?;
    tracing::info!("stopped");
    Ok(())
}

/// Runs the worker alone until a signal comes, and serves its metrics where an address is configured for them.
///
/// # Errors
/// Signals cannot be caught; the address cannot be bound; the database cannot be closed.
pub async fn work(app: App, config: &Config) -> Result<(), StartError> {
    let signalled = signals()?;
    let stop = CancellationToken::new();
    let metrics = Metrics::start()?;
    tokio::spawn(metrics.clone().upkeep());
    let mut servers = tokio::task::JoinSet::new();
    if let Some(address) = config.metrics_listen {
        let listener = bind(address, "ENSEMBLE_METRICS_LISTEN")?;
        let routes = metrics_route(metrics);
        servers.spawn(listen::serve(
            listener,
            routes,
            Patience::few(),
            stop.clone(),
        ));
    }
    tell_start(config, "worker", config.metrics_listen, true);
    payouts::export::begin(&app);
    let worker = tokio::spawn(worker::run(app.clone(), stop.clone()));
    signalled.await;
    tracing::info!("stopping: what runs is finished, nothing new is taken");
    stop.cancel();
    rest(&app, async {
        let _ = worker.await;
        while servers.join_next().await.is_some() {}
    })
    .await?;
    tracing::info!("stopped");
    Ok(())
}

/// The first line of a process that runs until it is told to stop; the last one says `stopped`.
fn tell_start(config: &Config, command: &str, address: Option<SocketAddr>, worker: bool) {
    let url = config.database_url.expose_secret();
    let database = url.split(':').next().unwrap_or_default();
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        command,
        mode = ?config.mode,
        address = address.map(tracing::field::display),
        database,
        worker,
        process = std::process::id(),
        "started"
    );
}

/// Does the work of one command of an operator, and closes the database after it, whether it succeeded or not: only then
/// is an SQLite file whole without the log beside it.
///
/// # Errors
/// The database cannot be opened or closed; those of the command.
pub async fn once<T>(
    config: &Config,
    opening: Opening,
    command: impl AsyncFnOnce(&App) -> Result<T, StartError>,
) -> Result<T, StartError> {
    // What an operator asks for may read everything.
    let app = open_within(config, opening, limits(config)).await?;
    let done = command(&app).await;
    let closed = rest(&app, std::future::ready(())).await;
    let done = done?;
    closed?;
    Ok(done)
}

/// Does the work of a command that only decides: nothing is created, migrated or written. Where there is no database
/// yet, it decides against an empty one that is gone afterwards; the second value says whether it did.
///
/// # Errors
/// The database has the schema of another version, or cannot be opened or closed; those of the command.
pub async fn rehearse<T>(
    config: &Config,
    command: impl AsyncFnOnce(&App) -> Result<T, StartError>,
) -> Result<(T, bool), StartError> {
    match migrations::standing(config.database_url.expose_secret()).await {
        Err(MigrationFault::Missing(_) | MigrationFault::Unprepared(_)) => {
            let folder = tempfile::tempdir()?;
            let url = format!(
                "sqlite://{}?mode=rwc",
                folder.path().join("empty.db").display()
            );
            let empty = Config {
                database_url: url.into(),
                data_dir: folder.path().to_owned(),
                files: Location::Folder(folder.path().to_owned()),
                ..config.clone()
            };
            Ok((once(&empty, Opening::Create, command).await?, true))
        }
        _ => Ok((once(config, Opening::AsItIs, command).await?, false)),
    }
}

/// Lets what runs finish, within the time of a shutdown, and closes the database after it.
async fn rest(app: &App, running: impl Future<Output = ()>) -> Result<(), StartError> {
    let drained = async {
        running.await;
        app.tasks().close();
        app.tasks().wait().await;
        // Waits for every connection to come back, so it belongs under the same limit.
        app.db().clone().close().await
    };
    match tokio::time::timeout(DRAIN, drained).await {
        Ok(closed) => Ok(closed?),
        Err(_) => {
            tracing::warn!(
                "something did not finish in time and is abandoned; no unit of work is half done"
            );
            Ok(())
        }
    }
}

/// The settings of the transport that are the product's, not a deployment's.
#[must_use]
pub fn settings() -> Settings {
    Settings {
        limits: crate::schema::limits(),
        budget: Arc::new(Buckets::new(50_000, 2_500)),
        ..Settings::default()
    }
}

/// The transport over an application.
///
/// # Errors
/// The printed schema cannot be read back.
pub fn transport(app: &App, settings: Settings) -> Result<Transport, StartError> {
    let api = crate::schema::api(app.clone());
    let sdl = api.sdl();
    Ok(Transport::new(
        Arc::new(Executor(api)),
        &sdl,
        Arc::new(Door {
            app: app.clone(),
            // Who does not sign in learns nothing about the schema of a production server.
            open_schema: settings.development.is_some(),
        }),
        settings,
    )?)
}

/// Every route of the server.
pub fn routes(
    app: &App,
    transport: Transport,
    trusted: Vec<AddressRange>,
    stop: &CancellationToken,
) -> Router {
    let health = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/.well-known/jwks.json", get(jwks))
        .with_state((app.clone(), stop.clone()));
    let trusted: Arc<[AddressRange]> = trusted.into();
    router::router(transport)
        .merge(router::wrap(health))
        .layer(middleware::from_fn_with_state(trusted, note_address))
}

fn metrics_route(metrics: Metrics) -> Router {
    Router::new().route("/metrics", get(move || async move { metrics.render() }))
}

async fn ready(State((app, stop)): State<(App, CancellationToken)>) -> impl IntoResponse {
    if stop.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n".to_owned());
    }
    match app.db().ready().await {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}

async fn jwks(State((app, _)): State<(App, CancellationToken)>) -> impl IntoResponse {
    match app.keys().jwks() {
        Ok(keys) => ([(header::CACHE_CONTROL, "public, max-age=300")], Json(keys)).into_response(),
        Err(error) => {
            tracing::error!(%error, "the public keys cannot be shown");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn note_address(
    State(trusted): State<Arc<[AddressRange]>>,
    mut request: axum::extract::Request,
    next: Next,
) -> axum::response::Response {
    let peer = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map(|ConnectInfo(peer)| peer.ip());
    let forwarded: Vec<_> = request
        .headers()
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    let address =
        peer.map(|peer| proxies::caller(&trusted, peer, &forwarded.join(",")).to_string());
    request.headers_mut().remove(CLIENT_ADDRESS);
    if let Some(value) = address.and_then(|address| HeaderValue::from_str(&address).ok()) {
        request.headers_mut().insert(CLIENT_ADDRESS, value);
    }
    next.run(request).await
}

struct Executor(Api);

#[async_trait::async_trait]
impl Execute for Executor {
    async fn execute(&self, request: Request) -> Response {
        self.0.execute_prepared(request).await
    }

    fn execute_stream(&self, request: Request) -> BoxStream<'static, Response> {
        let api = self.0.clone();
        stream::once(async move { api.execute_prepared(request).await }).boxed()
    }
}

/// Lets callers in: the bearer token is verified, its session and user are looked up on every request.
struct Door {
    app: App,
    open_schema: bool,
}

#[async_trait::async_trait]
impl Authenticate for Door {
    async fn authenticate(&self, headers: &HeaderMap) -> Result<RequestData, AuthFailure> {
        let address = headers
            .get(CLIENT_ADDRESS)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("unknown")
            .to_owned();
        let (actor, expires_in, user) = match headers.get(header::AUTHORIZATION) {
            None => (Actor::Anonymous, None, None),
            Some(value) => {
                let token = value.to_str().ok().and_then(bearer);
                let token = token.ok_or(AuthFailure::Unauthenticated(
                    "send the access token as a bearer token",
                ))?;
                let admitted = authenticate::admit(&self.app, token)
                    .await
                    .map_err(|fault| match fault {
                        AuthFault::Token(_) | AuthFault::Over => AuthFailure::Unauthenticated(
                            "the access token is not valid, or no longer",
                        ),
                        AuthFault::Unavailable(error) => {
                            tracing::error!(%error, "a session could not be read");
                            AuthFailure::Unavailable
                        }
                    })?;
                (
                    admitted.actor,
                    (admitted.until - self.app.clock().now()).to_std().ok(),
                    Some(admitted.user),
                )
            }
        };
        let bucket = actor
            .user_id()
            .map_or_else(|| address.clone(), |user| user.to_string());
        let app = self.app.clone();
        let hidden = !self.open_schema && actor == Actor::Anonymous;
        // For the first request of a connection; a later one reads what has become of the user.
        let user = Mutex::new(user);
        let data = RequestData::new(bucket, move |request| {
            let request_id = request.data.get(&std::any::TypeId::of::<RequestId>());
            let request_id = request_id
                .and_then(|id| id.downcast_ref::<RequestId>())
                .map(ToString::to_string);
            let caller = Caller {
                actor: actor.clone(),
                request_id: request_id.unwrap_or_default(),
                address: address.clone(),
            };
            let request = if hidden {
                request.disable_introspection()
            } else {
                request
            };
            let request = match user.lock().unwrap_or_else(PoisonError::into_inner).take() {
                Some(user) => request.data(Viewer(user)),
                None => request,
            };
            Api::prepare(&app, caller, request)
        });
        Ok(data.expires_in(expires_in).hides_schema(hidden))
    }
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Catches SIGTERM and Ctrl-C from now on, and waits for one. Before, they end the process as it is; so they are caught
/// before anybody can have a request under way.
///
/// # Errors
/// The system lets nobody catch them.
fn signals() -> std::io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        Ok(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        })
    }
    #[cfg(not(unix))]
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}
