//! The provider that needs nobody: one CSV file per run, which finance hands to the bank.
//!
//! Which process writes a file is decided in the database, so that there is one file of a run even where server and
//! worker have folders of their own. A process claims the file, writes its content under a temporary name, records that
//! its claim is the one that was written, and only then gives the file its name. A claim that was lost meanwhile leaves
//! nothing but a temporary file, which is removed.

mod claim;

use std::{io, time::Duration};

use async_trait::async_trait;
use uuid::Uuid;

use self::claim::Claim;
use super::provider::{Batch, Outcome, PayoutProvider};
use crate::{
    app::App,
    entity::{payment_details::PaymentAccountKind, payout_export},
    error::{Error, Result},
    partners::account::Account,
    platform::{audit, files::Files},
};

/// The name that payouts remember.
pub const NAME: &str = "FILE_EXPORT";

/// The folder of the store that holds the files.
const FOLDER: &str = "payouts";

/// How the name of a file ends that is not published yet.
const PART: &str = ".part";

/// How long a process waits for another one that writes the same file, and how often it looks.
const PATIENCE: u32 = 100;
const PAUSE: Duration = Duration::from_millis(200);

/// Writes payments to files.
#[derive(Clone)]
pub struct FileExport {
    app: App,
}

impl FileExport {
    /// Files go to the folder `payouts` of the application's files.
    #[must_use]
    pub const fn new(app: App) -> Self {
        Self { app }
    }

    /// Writes the file of a batch, unless it is written. Says whether it is; another process may be writing it.
    async fn export(&self, batch: &Batch) -> Result<bool> {
        let files = self.app.files();
        let store = files.identity().await.map_err(unwritable)?;
        let content = content(batch).map_err(|error| Error::Internal(Box::new(error)))?;
        let wanted = claim::Wanted {
            name: file_name(&batch.name),
            run: batch.run,
            store,
            hash: digest(&content),
            payments: batch.payments.len(),
        };
        for _ in 0..PATIENCE {
            match claim::take(&self.app, &wanted).await? {
                Claim::Ours(claim) => {
                    // A file that is there already, such as one that the database lost when it was restored, stays.
                    let path = format!("{FOLDER}/{}", wanted.name);
                    if let Some(there) = files.read(&path).await.map_err(unwritable)? {
                        return claim::keep(&self.app, &wanted.name, claim, digest(&there)).await;
                    }
                    let part = part_of(&wanted.name, claim);
                    let written = files.write(&part, content.clone()).await;
                    written.map_err(unwritable)?;
                    let hash = wanted.hash.clone();
                    if claim::keep(&self.app, &wanted.name, claim, hash).await? {
                        publish(files, &wanted.name, claim).await?;
                        return Ok(true);
                    }
                    files.remove(&part).await.map_err(unwritable)?;
                }
                Claim::Written(file) => {
                    if file.store_id == store {
                        finish(files, &file, &content).await?;
                    }
                    return Ok(true);
                }
                Claim::Theirs => tokio::time::sleep(PAUSE).await,
            }
        }
        Ok(false)
    }
}

/// Starts [`recover`] beside everything else.
pub fn begin(app: &App) {
    let recovering = app.clone();
    app.tasks().spawn(async move {
        if let Err(error) = recover(&recovering).await {
            tracing::error!(%error, "payment files could not be recovered");
        }
    });
}

/// Publishes the files whose process ended between recording that they are written and giving them their names, and
/// removes temporary files that no claim needs any more. Runs when a process starts.
///
/// # Errors
/// The store or the database failed.
pub async fn recover(app: &App) -> Result<()> {
    let files = app.files();
    let mut parts = Vec::new();
    for name in files.list(FOLDER).await.map_err(unwritable)? {
        let name = name.trim_start_matches(FOLDER).trim_start_matches('/');
        parts.extend(read_part(name).map(|(file, claim)| (name.to_owned(), file, claim)));
    }
    if parts.is_empty() {
        return Ok(());
    }
    // The rows are read after the files were listed: a claim is recorded before its temporary file is written.
    let names: Vec<String> = parts.iter().map(|(_, file, _)| file.clone()).collect();
    let exports = claim::read(app, &names).await?;
    for (part, file, claim) in parts {
        match exports.get(&file).filter(|row| row.claim_id == claim) {
            Some(row) if row.written_at.is_some() => publish(files, &file, claim).await?,
            Some(_) => {}
            None => files
                .remove(&format!("{FOLDER}/{part}"))
                .await
                .map_err(unwritable)?,
        }
    }
    Ok(())
}

/// Gives a file that is recorded as written its name, where its process did not come to it, and writes it anew where its
/// temporary file is gone and the content is known to be the same.
async fn finish(files: &Files, file: &payout_export::Model, content: &[u8]) -> Result<()> {
    let path = format!("{FOLDER}/{}", file.name);
    if files.exists(&path).await.map_err(unwritable)? {
        return Ok(());
    }
    let part = part_of(&file.name, file.claim_id);
    if !files.exists(&part).await.map_err(unwritable)? {
        if digest(content) != file.content_hash {
            return Err(Error::internal(format!(
                "the payment file {} is recorded as written, but is gone",
                file.name
            )));
        }
        let written = files.write(&part, content.to_vec()).await;
        written.map_err(unwritable)?;
    }
    publish(files, &file.name, file.claim_id).await
}

async fn publish(files: &Files, name: &str, claim: Uuid) -> Result<()> {
    files
        .rename(&part_of(name, claim), &format!("{FOLDER}/{name}"))
        .await
        .map_err(unwritable)
}

/// The temporary file of a claim.
fn part_of(name: &str, claim: Uuid) -> String {
    format!("{FOLDER}/{name}.{}{PART}", claim.simple())
}

/// The file and the claim that a temporary file in the folder is for; a name that cannot be read is of no claim.
fn read_part(name: &str) -> Option<(String, Uuid)> {
    let name = name.strip_suffix(PART)?;
    let (file, claim) = name.rsplit_once('.').unwrap_or((name, ""));
    Some((file.to_owned(), claim.parse().unwrap_or_default()))
}

fn digest(content: &[u8]) -> String {
    audit::digest(&String::from_utf8_lossy(content))
}

fn unwritable(error: crate::platform::files::Error) -> Error {
    Error::Internal(Box::new(error))
}

/// The name of the file of a batch: `PR-7K3M9QX2P4.csv`.
#[must_use]
pub fn file_name(batch: &str) -> String {
    format!("{batch}.csv")
}

#[async_trait]
impl PayoutProvider for FileExport {
    fn name(&self) -> &'static str {
        NAME
    }

    /// Writes the file of the batch unless it is there already: a file appears complete or not at all, and what the
    /// bank may have fetched never changes. If it cannot be written, nothing was handed over and every outcome is open.
    async fn pay(&self, batch: &Batch) -> Vec<Outcome> {
        let name = file_name(&batch.name);
        let outcome = match self.export(batch).await {
            Ok(true) => Outcome::Paid { reference: name },
            Ok(false) => Outcome::Unknown,
            Err(error) => {
                tracing::error!(file = name, %error, "a payment file could not be written");
                Outcome::Unknown
            }
        };
        vec![outcome; batch.payments.len()]
    }
}

/// What the file tells of each payment; the columns of the account are empty where the partner has none.
const COLUMNS: [&str; 11] = [
    "payout",
    "partner",
    "amount",
    "currency",
    "reference",
    "account_holder",
    "iban",
    "account_number",
    "bank_code",
    "bic",
    "bank_country",
];

/// The file: a header and one row per payment. Names stand in it exactly as they are, because a bank compares them; the
/// file is for the bank and not for a spreadsheet, so nothing is put before a name that looks like a formula.
///
/// # Errors
/// Never for rows of equal length in memory; the signature follows the writer.
pub fn content(batch: &Batch) -> io::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(COLUMNS)?;
    for payment in &batch.payments {
        let (amount, currency) = (
            payment.amount.to_decimal_string(),
            payment.amount.currency(),
        );
        let account = payment.account.as_ref();
        let holder = account.map_or("", |account| account.holder.as_str());
        let (iban, number) = match account {
            Some(account) if account.kind == PaymentAccountKind::Iban => {
                (account.number.as_str(), "")
            }
            Some(account) => ("", account.number.as_str()),
            None => ("", ""),
        };
        let optional = |field: fn(&Account) -> Option<&str>| account.and_then(field).unwrap_or("");
        let bank_code = optional(|account| account.bank_code.as_deref());
        let bic = optional(|account| account.bic.as_deref());
        let country = optional(|account| Some(&account.country));
        writer.write_record([
            payment.key.payout.to_string().as_str(),
            &payment.partner,
            &amount,
            currency.code(),
            &payment.reference,
            holder,
            iban,
            number,
            bank_code,
            bic,
            country,
        ])?;
    }
    writer
        .into_inner()
        .map_err(|error| io::Error::other(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_file_names_its_claim() {
        let claim = Uuid::from_u128(7);
        let part = part_of("PR-1.csv", claim);
        let name = part.strip_prefix("payouts/").unwrap();
        assert_eq!(read_part(name), Some(("PR-1.csv".to_owned(), claim)));
        // One of an earlier version, or of somebody else, is of no claim.
        assert_eq!(
            read_part("PR-1.00ff.part"),
            Some(("PR-1".to_owned(), Uuid::nil()))
        );
        assert_eq!(read_part("PR-1.csv"), None);
    }
}
