//! The least that any server on these tables must do: one handler per operation, the best statements by hand, rows to
//! JSON. No authentication, no scope, no guard, no telemetry; the answers are those of the API.

mod answers;
mod postgres;
mod register;
mod sqlite;
mod statements;

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use chrono::{DateTime, Utc};
use ensemble::platform::ids::encode;
use serde::Serialize;
use sqlx::{FromRow, postgres::PgRow};
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::Result;
use answers::*;
use register::Claim;
use statements::*;

/// Connections of a pool, as many as this server has for reading.
const CONNECTIONS: u32 = 16;

const START: DateTime<Utc> = DateTime::from_timestamp_nanos(1_735_689_600_000_000_000);
const END: DateTime<Utc> = DateTime::from_timestamp_nanos(1_767_225_600_000_000_000);

/// Serves until it is killed.
pub async fn serve(listen: &str, url: &str) -> Result<()> {
    let routes = match url.strip_prefix("sqlite://") {
        Some(file) => routes(sqlite::Files::open(file)?),
        None => routes(postgres::connect(url).await?),
    };
    axum::serve(TcpListener::bind(listen).await?, routes).await?;
    Ok(())
}

fn routes<B: Base>(base: B) -> Router {
    Router::new()
        .route("/deals", get(deals::<B>))
        .route("/deal/{id}", get(one::<B>))
        .route("/partner/{id}", get(partner::<B>))
        .route("/viewer/{id}", get(viewer::<B>))
        .route("/registrations", post(submit::<B>))
        .route("/readyz", get(|| async { "ready" }))
        .with_state(base)
}

/// A database.
trait Base: Clone + Send + Sync + 'static {
    /// The rows of a statement, which is kept prepared.
    fn rows<T: Row>(
        &self,
        sql: &'static str,
        values: &[With],
    ) -> impl Future<Output = Result<Vec<T>, Fault>> + Send;

    /// Hands in a claim.
    fn submit(&self, claim: Claim) -> impl Future<Output = Result<Response, Fault>> + Send;
}

/// A row of either database.
trait Row:
    Send
    + Unpin
    + for<'r> FromRow<'r, PgRow>
    + for<'r> TryFrom<&'r rusqlite::Row<'r>, Error = rusqlite::Error>
{
}

impl<T> Row for T where
    T: Send
        + Unpin
        + for<'r> FromRow<'r, PgRow>
        + for<'r> TryFrom<&'r rusqlite::Row<'r>, Error = rusqlite::Error>
{
}

/// A value for a statement.
#[derive(Clone, Copy)]
enum With {
    Id(Uuid),
    At(DateTime<Utc>),
}

/// Anything that went wrong.
struct Fault(crate::Failure);

impl<E: Into<crate::Failure>> From<E> for Fault {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, self.0.to_string()).into_response()
    }
}

async fn deals<B: Base>(State(base): State<B>) -> Result<Response, Fault> {
    let rows: Vec<DealRow> = base.rows(DEALS, &[]).await?;
    let participants = base.rows(PARTICIPANTS_OF_PAGE, &[]).await?;
    let accruals = base.rows(ACCRUALS_OF_PAGE, &[]).await?;
    let mut deals: Vec<Deal> = rows.into_iter().map(deal).collect();
    fill(&mut deals, participants, accruals);
    #[derive(Serialize)]
    struct Data {
        deals: Nodes<Deal>,
    }
    Ok(answer(Data {
        deals: Nodes { nodes: deals },
    }))
}

async fn one<B: Base>(State(base): State<B>, Path(id): Path<Uuid>) -> Result<Response, Fault> {
    let of = &[With::Id(id)];
    let row = base.rows(DEAL, of).await?.pop().ok_or("no deal")?;
    let customer: Option<CustomerRow> = base.rows(CUSTOMER_OF, of).await?.pop();
    let participants = base.rows(PARTICIPANTS_OF, of).await?;
    let accruals = base.rows(ACCRUALS_OF, of).await?;
    let mut deals = [deal(row)];
    deals[0].customer = customer.map(|(id, name)| Customer {
        id: encode("customer", id),
        name,
    });
    fill(&mut deals, participants, accruals);
    #[derive(Serialize)]
    struct Data {
        deal: Deal,
    }
    let [deal] = deals;
    Ok(answer(Data { deal }))
}

async fn partner<B: Base>(State(base): State<B>, Path(id): Path<Uuid>) -> Result<Response, Fault> {
    let within = &[With::Id(id), With::At(START), With::At(END)];
    let accounts = base.rows(ACCOUNTS, &within[..1]).await?;
    let sums = base.rows(SUMS, within).await?.pop().ok_or("no sums")?;
    let lines = base.rows(LINES, within).await?;
    #[derive(Serialize)]
    struct Data {
        partner: Option<PartnerPage>,
    }
    Ok(answer(Data {
        partner: partner_page(accounts, sums, lines),
    }))
}

async fn viewer<B: Base>(State(base): State<B>, Path(id): Path<Uuid>) -> Result<Response, Fault> {
    let rows: Vec<(Uuid, String, String, String)> = base.rows(VIEWER, &[With::Id(id)]).await?;
    let (id, name, email, role) = rows.into_iter().next().ok_or("nobody")?;
    #[derive(Serialize)]
    struct Data {
        viewer: Viewer,
    }
    Ok(answer(Data {
        viewer: Viewer {
            id: encode("user", id),
            name,
            email,
            role,
        },
    }))
}

async fn submit<B: Base>(
    State(base): State<B>,
    Json(claim): Json<Claim>,
) -> Result<Response, Fault> {
    base.submit(claim).await
}
