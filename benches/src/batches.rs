//! Whole batches against pure SQL that writes the same rows, and the import against a bare insert of the same rows.

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};

use crate::{
    Result, Size,
    load::{Ask, Connection},
    machine::{Postgres, memory, watch},
    report::{Line, Table},
    stage::{Stage, ensemble, ours},
};

const ACCRUAL: &str = include_str!("../sql/accrual.sql");
const PAYOUT: &str = include_str!("../sql/payout.sql");
/// What the batch came to, whatever ids it minted.
const RESULT: &str = "SELECT (SELECT COUNT(*) || ' ' || COALESCE(SUM(hashtextextended(concat_ws(' ', deal_id, partner_id, position, weight, \
    share_ppm, amount_minor, touches), 0)::numeric), 0) FROM attribution_credit) || ' / ' || \
    (SELECT COUNT(*) || ' ' || COALESCE(SUM(hashtextextended(concat_ws(' ', deal_id, partner_id, kind, amount_minor, weight, pool_minor, \
    earned_at, available_at), 0)::numeric), 0) FROM accrual) || ' / ' || \
    (SELECT COUNT(*) || ' ' || COALESCE(SUM(hashtextextended(concat_ws(' ', transaction_key, period), 0)::numeric), 0) \
     FROM ledger_transaction) || ' / ' || \
    (SELECT COUNT(*) || ' ' || COALESCE(SUM(hashtextextended(concat_ws(' ', a.kind, a.partner_id, e.amount_minor), 0)::numeric), 0) \
     FROM ledger_entry e JOIN ledger_account a ON a.id = e.account_id) || ' / ' || \
    (SELECT COUNT(*) || ' ' || COALESCE(SUM(hashtextextended(concat_ws(' ', kind, partner_id, balance_minor), 0)::numeric), 0) \
     FROM ledger_account)";

async fn sql(url: &str, statements: &str) -> Result<Duration> {
    let mut connection = PgConnection::connect(url).await?;
    let started = Instant::now();
    sqlx::raw_sql(AssertSqlSafe(statements.to_owned()))
        .execute(&mut connection)
        .await?;
    let time = started.elapsed();
    connection.close().await?;
    Ok(time)
}

async fn text(url: &str, statement: &'static str) -> Result<String> {
    let mut connection = PgConnection::connect(url).await?;
    let row = sqlx::query(statement).fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(row.try_get(0)?)
}

async fn copy(postgres: &Postgres, from: &str, to: &str) -> Result<()> {
    let statement = format!("CREATE DATABASE {to} TEMPLATE {from} STRATEGY FILE_COPY");
    sql(&postgres.url("postgres"), &statement).await?;
    Ok(())
}

/// The database of won deals without commission, made up once, and fresh copies of it.
async fn fresh(
    binary: &Path,
    folder: &Path,
    postgres: &Postgres,
    size: Size,
    copies: &[&str],
) -> Result<()> {
    const KNOWN: &str = "SELECT COUNT(*)::text FROM pg_database WHERE datname = 'won'";
    let admin = postgres.url("postgres");
    if text(&admin, KNOWN).await? == "0" {
        sql(&admin, "CREATE DATABASE won").await?;
        crate::seed(binary, &postgres.url("won"), folder, size, true)?;
    }
    for name in copies {
        discard(postgres, name).await?;
        copy(postgres, "won", name).await?;
    }
    Ok(())
}

async fn discard(postgres: &Postgres, name: &str) -> Result<()> {
    let statement = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
    sql(&postgres.url("postgres"), &statement).await?;
    Ok(())
}

/// Everything that was written before is on the disk, so that nobody pays for somebody else's writes.
async fn settle(postgres: &Postgres) -> Result<()> {
    sql(&postgres.url("postgres"), "CHECKPOINT").await?;
    Ok(())
}

const RUN: [&str; 4] = ["run", "accrual", "--program", "Growth"];

/// Credit, commission and books of all won deals, then a payout run, on PostgreSQL.
pub async fn on_postgres(
    binary: &Path,
    folder: &Path,
    postgres: &Postgres,
    size: Size,
    table: &mut Table,
) -> Result<()> {
    const PAID: &str = "SELECT COUNT(*) || ' ' || SUM(amount_minor) || ' ' || \
        (SELECT COUNT(*) FROM accrual WHERE payout_id IS NOT NULL) FROM payout";
    fresh(binary, folder, postgres, size, &["won_ours", "won_bare"]).await?;
    let (url, bare_url) = (postgres.url("won_ours"), postgres.url("won_bare"));
    settle(postgres).await?;
    let bare = sql(&bare_url, ACCRUAL).await?;
    settle(postgres).await?;
    let run = watch(&mut ensemble(binary, &url, folder, &RUN), None)?;
    same(&text(&bare_url, RESULT).await?, &text(&url, RESULT).await?)?;
    table.add(Line::batch("accrual run", &run, bare, 1.5));

    for url in [&url, &bare_url] {
        sql(url, "VACUUM (ANALYZE)").await?;
    }
    settle(postgres).await?;
    let bare = sql(&bare_url, PAYOUT).await?;
    settle(postgres).await?;
    let steps = payout_run(binary, folder, &url, async || {
        same(&text(&bare_url, PAID).await?, &text(&url, PAID).await?)
    })
    .await?;
    table.add(Line::timed(
        "payout run",
        steps.created,
        bare,
        1.5,
        steps.peak,
    ));
    // Both are one answer, for which a request has ten seconds.
    table.add(Line::took("its approval", steps.approved, 10.0));
    table.add(Line::took("its execution", steps.executed, 10.0));
    crate::verify(binary, &url, folder)?;
    for name in ["won_ours", "won_bare"] {
        discard(postgres, name).await?;
    }
    Ok(())
}

/// A run that is killed half way and run again: nothing twice, nothing missing.
pub async fn resume(binary: &Path, folder: &Path, postgres: &Postgres, size: Size) -> Result<()> {
    fresh(binary, folder, postgres, size, &["won_ours", "won_killed"]).await?;
    let (url, killed) = (postgres.url("won_ours"), postgres.url("won_killed"));
    let run = watch(&mut ensemble(binary, &url, folder, &RUN), None)?;
    watch(
        &mut ensemble(binary, &killed, folder, &RUN),
        Some(run.time / 2),
    )?;
    let half = text(&killed, "SELECT COUNT(*)::text FROM accrual").await?;
    watch(&mut ensemble(binary, &killed, folder, &RUN), None)?;
    same(&text(&url, RESULT).await?, &text(&killed, RESULT).await?)?;
    crate::verify(binary, &killed, folder)?;
    ensemble::platform::print::line(format_args!(
        "killed with {half} commission lines and run again: the same as in one go; verify is green"
    ))?;
    for name in ["won_ours", "won_killed"] {
        discard(postgres, name).await?;
    }
    Ok(())
}

fn same(wanted: &str, made: &str) -> Result<()> {
    if wanted == made {
        Ok(())
    } else {
        Err(format!("it came to {made} instead of {wanted}").into())
    }
}

/// What a payout run took, step by step.
struct Steps {
    /// Until it waited for review.
    created: Duration,
    /// Until the answer that it was approved.
    approved: Duration,
    /// Until every payment was settled.
    executed: Duration,
    /// The most memory of the server, in mebibytes.
    peak: f64,
}

/// Somebody of finance creates a run, and when `PAID` was looked at, somebody else approves and executes it.
async fn payout_run(
    binary: &Path,
    folder: &Path,
    url: &str,
    created: impl AsyncFnOnce() -> Result<()>,
) -> Result<Steps> {
    let stage = Stage::set(url).await?;
    let [maker, checker] = stage.finance(url).await?;
    let server = ours(binary, url, folder)?;
    let mut run = Run {
        connection: Connection::open(server.address).await?,
        id: Value::Null,
    };
    let document = "mutation Run($input: PayoutRunCreateInput!) { payoutRunCreate(input: $input) @idempotent(key: \"bench\") { \
        payoutRun { id } userErrors { code message } } }";
    let period = json!({ "input": { "periodStart": "2025-01-01", "periodEnd": "2025-12-31" } });
    let started = Instant::now();
    let answer = run.ask(&maker, document, period).await?;
    run.id = answer["payoutRunCreate"]["payoutRun"]["id"].clone();
    run.reach(&maker, "REVIEW").await?;
    let created_in = started.elapsed();
    created().await?;
    let started = Instant::now();
    let document = "mutation Run($id: ID!) { payoutRunApprove(input: {payoutRunId: $id}) { payoutRun { id } userErrors { code message } } }";
    run.ask(&checker, document, json!({ "id": run.id })).await?;
    run.reach(&maker, "APPROVED").await?;
    let approved = started.elapsed();
    let started = Instant::now();
    let document = "mutation Run($id: ID!) { payoutRunExecute(input: {payoutRunId: $id}) @idempotent(key: \"bench\") { \
        payoutRun { id } userErrors { code message } } }";
    run.ask(&checker, document, json!({ "id": run.id })).await?;
    run.reach(&maker, "COMPLETED").await?;
    Ok(Steps {
        created: created_in,
        approved,
        executed: started.elapsed(),
        peak: memory(server.process(), "VmHWM").unwrap_or_default(),
    })
}

/// A payout run, and the way to the server.
struct Run {
    connection: Connection,
    id: Value,
}

impl Run {
    async fn ask(&mut self, token: &Arc<str>, document: &str, variables: Value) -> Result<Value> {
        let ask = Ask {
            method: "POST",
            path: "/graphql".to_owned(),
            token: Some(Arc::clone(token)),
            body: json!({ "query": document, "variables": variables }).to_string(),
        };
        let answer = self.connection.ask(&ask).await?;
        let text = String::from_utf8_lossy(&answer);
        if text.contains("\"errors\"") || text.contains("\"userErrors\":[{") {
            return Err(format!("the payout run was refused: {text}").into());
        }
        Ok(serde_json::from_slice::<Value>(&answer)?["data"].take())
    }

    /// Asks until the run has come so far.
    async fn reach(&mut self, token: &Arc<str>, status: &str) -> Result<()> {
        let document = "query Run($id: ID!) { payoutRun(id: $id) { status } }";
        loop {
            let variables = json!({ "id": self.id });
            let answer = self.ask(token, document, variables).await?;
            if answer["payoutRun"]["status"] == status {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

const MAPPING: &str = r#"
program = "Imported"

[conventions]
currency = "USD"
date_formats = ["%Y-%m-%d"]
"#;

/// 200,000 deals from a file, against a bare insert of the rows that they became.
pub async fn import(
    binary: &Path,
    folder: &Path,
    postgres: &Postgres,
    size: Size,
    table: &mut Table,
) -> Result<()> {
    for name in ["imported", "inserted"] {
        discard(postgres, name).await?;
    }
    sql(&postgres.url("postgres"), "CREATE DATABASE imported").await?;
    let files = folder.join("files");
    write_files(&files, size)?;
    let url = postgres.url("imported");
    let import = |mapping: &str| {
        let (mapping, files) = (files.join(mapping), files.to_string_lossy().into_owned());
        let mapping = mapping.to_string_lossy().into_owned();
        ensemble(
            binary,
            &url,
            folder,
            &["import", "--mapping", &mapping, "--folder", &files],
        )
    };
    watch(&mut import("master.toml"), None)?;
    sql(&url, "VACUUM (ANALYZE)").await?;
    copy(postgres, "imported", "inserted").await?;
    settle(postgres).await?;
    let run = watch(&mut import("deals.toml"), None)?;
    let rows = files.join("rows");
    fs::create_dir_all(&rows)?;
    #[cfg(unix)]
    fs::set_permissions(&rows, std::os::unix::fs::PermissionsExt::from_mode(0o777))?;
    let tables = [
        "deal",
        "deal_product",
        "deal_participant",
        "deal_stage_change",
    ];
    let (mut out, mut back) = (String::new(), String::from("BEGIN;"));
    for table in tables {
        let file = rows.join(table);
        let _ = write!(out, "COPY {table} TO '{}' (FORMAT binary);", file.display());
        let _ = write!(
            back,
            "COPY {table} FROM '{}' (FORMAT binary);",
            file.display()
        );
    }
    back.push_str("COMMIT;");
    sql(&url, &out).await?;
    settle(postgres).await?;
    let bare = sql(&postgres.url("inserted"), &back).await?;
    const COUNT: &str =
        "SELECT (SELECT COUNT(*) FROM deal) || ' ' || (SELECT COUNT(*) FROM deal_participant)";
    let made = text(&url, COUNT).await?;
    if made != text(&postgres.url("inserted"), COUNT).await?
        || !made.starts_with(&size.deals.to_string())
    {
        return Err(format!("{made} rows were imported").into());
    }
    for name in ["imported", "inserted"] {
        discard(postgres, name).await?;
    }
    table.add(Line::batch("import of deals", &run, bare, 5.0));
    Ok(())
}

fn write_files(files: &Path, size: Size) -> Result<()> {
    fs::create_dir_all(files)?;
    fs::set_permissions(files, std::os::unix::fs::PermissionsExt::from_mode(0o777))?;
    let (partners, customers) = (size.partners, size.deals.div_ceil(2));
    let mut text = String::from("id,name,types\n");
    for number in 0..partners {
        let _ = writeln!(text, "P{number},Partner {number},RESELLER");
    }
    fs::write(files.join("partners.csv"), text)?;
    let mut text = String::from("id,name,domain\n");
    for number in 0..customers {
        let _ = writeln!(
            text,
            "C{number},Customer {number} Works,customer-{number}.com"
        );
    }
    fs::write(files.join("customers.csv"), text)?;
    let mut text = String::from("id,sku,name,family\n");
    for number in 0..100 {
        let _ = writeln!(
            text,
            "S{number},SKU-{number},Product {number},Family {}",
            number % 10
        );
    }
    fs::write(files.join("products.csv"), text)?;
    let mut text = String::from("id,name,partner,customer,product,stage,value,opened,closed\n");
    for number in 0..size.deals {
        let (stage, closed) = if number % 2 == 0 {
            ("WON", "2025-06-30")
        } else {
            ("PROPOSAL", "")
        };
        let _ = writeln!(
            text,
            "D{number},Deal {number},P{},C{},S{},{stage},{}.00,2025-01-15,{closed}",
            number % partners,
            number % customers,
            number % 100,
            1_000 + number % 90_000
        );
    }
    fs::write(files.join("deals.csv"), text)?;
    let source = |file: &str, entity: &str, columns: &str| {
        format!(
            "[[files]]\nfile = \"{file}\"\nformat = \"csv\"\nentity = \"{entity}\"\n[files.columns]\n{columns}\n"
        )
    };
    let master = [
        source(
            "partners.csv",
            "partner",
            "external_id = \"id\"\nlegal_name = \"name\"\ntypes = \"types\"",
        ),
        source(
            "customers.csv",
            "customer",
            "external_id = \"id\"\nname = \"name\"\ndomain = \"domain\"",
        ),
        source(
            "products.csv",
            "product",
            "external_id = \"id\"\nsku = \"sku\"\nname = \"name\"\nfamily = \"family\"",
        ),
    ];
    fs::write(
        files.join("master.toml"),
        format!("{MAPPING}{}", master.concat()),
    )?;
    let deals = source(
        "deals.csv",
        "deal",
        "external_id = \"id\"\nname = \"name\"\npartner = \"partner\"\ncustomer = \"customer\"\nproduct = \"product\"\n\
         stage = \"stage\"\nvalue = \"value\"\nopened_on = \"opened\"\nclosed_on = \"closed\"",
    );
    fs::write(files.join("deals.toml"), format!("{MAPPING}{deals}"))?;
    Ok(())
}
