//! What operators see: the log, and numbers in the Prometheus format. Nothing secret or personal goes into either; a
//! label is a name from the program's text, never something a user typed.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use metrics::{counter, gauge, histogram};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use super::config::LogFormat;

/// Upper bounds of the buckets of durations, in seconds: from a statement without waiting to a request at its deadline.
const SECONDS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];
/// How often samples are folded into their buckets when nobody asks for the numbers.
const UPKEEP: Duration = Duration::from_secs(5);

/// The log or the numbers could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryFault {
    /// The filter cannot be read.
    #[error("the log filter cannot be read: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// A log is already being written.
    #[error("the log is already set up: {0}")]
    Log(#[from] tracing_subscriber::util::TryInitError),
    /// Numbers are already being collected.
    #[error("the metrics are already set up: {0}")]
    Metrics(#[from] BuildError),
}

/// Writes the log of this process to standard error; once per process.
pub fn start_log(format: LogFormat, filter: &str) -> Result<(), TelemetryFault> {
    let log = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_new(filter)?)
        .with_writer(stderr)
        // Its reports go to standard error by a macro that panics when that is closed.
        .log_internal_errors(false)
        .with_ansi(stderr().is_terminal());
    match format {
        LogFormat::Text => log.finish().try_init()?,
        LogFormat::Json => log.json().flatten_event(true).finish().try_init()?,
    }
    Ok(())
}

/// The numbers collected so far.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Collects the numbers of this process; once per process.
    pub fn start() -> Result<Self, TelemetryFault> {
        let numbers = Self(builder()?.install_recorder()?);
        describe();
        Ok(numbers)
    }

    /// All numbers as text in the Prometheus format.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Keeps the samples from piling up; runs until it is dropped.
    pub async fn upkeep(self) {
        let mut ticks = tokio::time::interval(UPKEEP);
        loop {
            ticks.tick().await;
            self.0.run_upkeep();
        }
    }
}

/// Says what each number is: the HELP lines of the Prometheus format.
fn describe() {
    use metrics::{Unit::Seconds, describe_counter, describe_gauge, describe_histogram};
    let counters = [
        (
            "ensemble_operations_total",
            "Units of work by operation and outcome (done, refused, failed).",
        ),
        (
            "ensemble_requests_total",
            "GraphQL requests by kind (query, mutation, subscription, invalid) and outcome.",
        ),
        (
            "ensemble_write_retries_total",
            "Repeated attempts of units of work by operation and database code.",
        ),
        (
            "ensemble_jobs_total",
            "Background jobs and schedules by kind and outcome (done, retried, failed).",
        ),
        (
            "ensemble_dead_letters_total",
            "Background jobs that were given up, by kind.",
        ),
    ];
    for (name, text) in counters {
        describe_counter!(name, text);
    }
    let durations = [
        (
            "ensemble_operation_seconds",
            "Duration of units of work by operation.",
        ),
        (
            "ensemble_request_seconds",
            "Duration of GraphQL requests by kind.",
        ),
        (
            "ensemble_pool_wait_seconds",
            "Time spent waiting for a database connection, by pool.",
        ),
        (
            "ensemble_job_seconds",
            "Duration of background jobs and schedules by kind.",
        ),
    ];
    for (name, text) in durations {
        describe_histogram!(name, Seconds, text);
    }
    describe_gauge!(
        "ensemble_outbox_lag_seconds",
        Seconds,
        "Age of the oldest background job that is due, by lane."
    );
    describe_gauge!(
        "ensemble_jobs_running",
        "Background jobs that this process is running, by lane."
    );
}

fn builder() -> Result<PrometheusBuilder, BuildError> {
    PrometheusBuilder::new().set_buckets(&SECONDS)
}

/// How an operation of the API or a background job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It did what was asked.
    Done,
    /// It was refused for a reason the caller is told.
    Refused,
    /// It will be tried again.
    Retried,
    /// It failed for a reason of ours.
    Failed,
}

impl Outcome {
    fn label(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Retried => "retried",
            Self::Failed => "failed",
        }
    }
}

/// Counts an operation of the API, such as `dealRegistrationApprove`, and the time it took.
pub fn operation(name: &'static str, outcome: Outcome, took: Duration) {
    counter!("ensemble_operations_total", "operation" => name, "outcome" => outcome.label())
        .increment(1);
    histogram!("ensemble_operation_seconds", "operation" => name).record(took.as_secs_f64());
}

/// Counts a GraphQL request (`query`, `mutation`, `subscription`, `invalid`) and the time it took.
pub fn request(kind: &'static str, outcome: Outcome, took: Duration) {
    counter!("ensemble_requests_total", "kind" => kind, "outcome" => outcome.label()).increment(1);
    histogram!("ensemble_request_seconds", "kind" => kind).record(took.as_secs_f64());
}

/// Counts another attempt of a write; `reason` is the database's code, such as `40001`.
pub fn write_retried(operation: &'static str, reason: &'static str) {
    counter!("ensemble_write_retries_total", "operation" => operation, "reason" => reason)
        .increment(1);
}

/// Records how long a caller waited for a connection of a pool (`reader` or `writer`).
pub fn pool_waited(pool: &'static str, wait: Duration) {
    histogram!("ensemble_pool_wait_seconds", "pool" => pool).record(wait.as_secs_f64());
}

/// Counts a background job and the time it took.
pub fn job(kind: &'static str, outcome: Outcome, took: Duration) {
    counter!("ensemble_jobs_total", "job" => kind, "outcome" => outcome.label()).increment(1);
    histogram!("ensemble_job_seconds", "job" => kind).record(took.as_secs_f64());
}

/// Counts a job that was given up and now waits for an operator.
pub fn dead_letter(kind: &'static str) {
    counter!("ensemble_dead_letters_total", "job" => kind).increment(1);
}

/// Sets the age of the oldest due job of a lane; zero if there is none.
pub fn outbox_lag(lane: &'static str, age: Duration) {
    gauge!("ensemble_outbox_lag_seconds", "lane" => lane).set(age.as_secs_f64());
}

/// Sets how many jobs of a lane this process is running.
pub fn jobs_running(lane: &'static str, count: usize) {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    gauge!("ensemble_jobs_running", "lane" => lane).set(count);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_rendered_with_their_labels() {
        let recorder = builder().unwrap().build_recorder();
        let numbers = Metrics(recorder.handle());
        metrics::with_local_recorder(&recorder, || {
            operation(
                "dealRegistrationApprove",
                Outcome::Refused,
                Duration::from_millis(3),
            );
            write_retried("dealRegistrationApprove", "40001");
            pool_waited("writer", Duration::from_micros(10));
            job("mail", Outcome::Retried, Duration::from_secs(1));
            dead_letter("mail");
            outbox_lag("mail", Duration::from_secs(7));
            jobs_running("money", 3);
            request("query", Outcome::Done, Duration::from_millis(3));
            describe();
        });
        let text = numbers.render();
        for name in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
            let name = name.split(' ').next().unwrap();
            assert!(
                text.contains(&format!("# HELP {name} ")),
                "{name} has no text"
            );
        }
        for line in [
            "ensemble_operations_total{operation=\"dealRegistrationApprove\",outcome=\"refused\"} 1",
            "ensemble_operation_seconds_bucket{operation=\"dealRegistrationApprove\",le=\"0.005\"} 1",
            "ensemble_write_retries_total{operation=\"dealRegistrationApprove\",reason=\"40001\"} 1",
            "ensemble_pool_wait_seconds_count{pool=\"writer\"} 1",
            "ensemble_jobs_total{job=\"mail\",outcome=\"retried\"} 1",
            "ensemble_dead_letters_total{job=\"mail\"} 1",
            "ensemble_outbox_lag_seconds{lane=\"mail\"} 7",
            "ensemble_jobs_running{lane=\"money\"} 3",
            "ensemble_requests_total{kind=\"query\",outcome=\"done\"} 1",
            "# HELP ensemble_jobs_total Background jobs and schedules by kind and outcome (done, retried, failed).",
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "{line} is not in\n{text}"
            );
        }
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_refused() {
        assert!(matches!(
            start_log(LogFormat::Json, "=="),
            Err(TelemetryFault::Filter(_))
        ));
    }
}
