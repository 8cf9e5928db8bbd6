//! What others notice while one caller asks as much as it is let.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::json;

use crate::{
    Database, Result,
    load::{self, Ask, Asks, Connection, Sample},
    machine::Server,
    operations::Operation,
    report::{Line, Table},
    stage::Stage,
};

/// The connections of the others, each question of another person.
const OTHERS: usize = 4;

/// The connections of the one caller: more than run, wait and are refused at once.
const FLOOD: usize = 64;

/// How many times their quiet p99 the others may wait.
const GOAL: f64 = 3.0;

/// The others' question: a person who looks at a deal.
const QUESTION: &str = "deal(id)";

/// The caller's question: as much work as one request may ask for.
const DEMAND: &str = "query { deals(first: 100) { totalCount nodes { id name \
    participants { id partner { id displayName } } \
    accruals(first: 20) { nodes { id amount { amount currency } partner { id displayName } } } } } }";

/// Measures the others alone and beside the flood, in turn, and adds the ratio of their p99.
pub async fn measure(
    server: &Server,
    stage: &Arc<Stage>,
    database: Database,
    length: Duration,
    table: &mut Table,
) -> Result<()> {
    let question = Operation::named(QUESTION)?.ours(stage)?;
    let numbers = Arc::new(AtomicUsize::new(0));
    let others = || load::run(server.address, &question, &numbers, OTHERS, length);
    others().await?;
    let (mut quiet, mut beside, mut let_in) = (Sample::default(), Sample::default(), 0);
    for _ in 0..4 {
        quiet.add(others().await?);
        let flood = Flood::start(server, stage)?;
        beside.add(others().await?);
        let_in += flood.stop().await;
    }
    if let_in == 0 {
        return Err("the flood was never answered".into());
    }
    table.add(Line::times(
        &format!("p99 of others while one caller floods, {}", database.name()),
        beside.percentile(99),
        quiet.percentile(99),
        GOAL,
    ));
    Ok(())
}

struct Flood {
    tasks: tokio::task::JoinSet<()>,
    answered: Arc<AtomicUsize>,
}

impl Flood {
    fn start(server: &Server, stage: &Arc<Stage>) -> Result<Self> {
        let token = stage.tokens(&stage.auditors[..1])?.remove(0);
        let ask = Ask {
            method: "POST",
            path: "/graphql".to_owned(),
            token: Some(token),
            body: json!({ "query": DEMAND }).to_string(),
        };
        let asks: Asks = Arc::new(move |_| ask.clone());
        let answered = Arc::new(AtomicUsize::new(0));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..FLOOD {
            let (asks, answered, address) =
                (Arc::clone(&asks), Arc::clone(&answered), server.address);
            tasks.spawn(async move {
                // Refusals are what a flood gets, and a connection may be closed over them.
                while let Ok(mut connection) = Connection::open(address).await {
                    while let Ok(answer) = connection.ask(&asks(0)).await {
                        let is_data = load::check(&asks(0), &answer).is_ok();
                        answered.fetch_add(usize::from(is_data), Ordering::Relaxed);
                    }
                }
            });
        }
        Ok(Self { tasks, answered })
    }

    /// Ends it; returns how many requests were answered with data.
    async fn stop(mut self) -> usize {
        self.tasks.shutdown().await;
        self.answered.load(Ordering::Relaxed)
    }
}
