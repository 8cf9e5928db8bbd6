//! The provider that needs nobody: one CSV file per run, which finance hands to the bank.

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use async_trait::async_trait;

use super::provider::{Batch, Outcome, PayoutProvider};
use crate::{
    partners::{AccountKind, account::Account},
    platform::spreadsheet,
};

/// Writes payments to files in a folder.
#[derive(Clone, Debug)]
pub struct FileExport {
    folder: PathBuf,
}

/// The name that payouts remember.
pub const NAME: &str = "FILE_EXPORT";

impl FileExport {
    /// Files go to this folder, which is made when it is first needed.
    #[must_use]
    pub const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }
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
        let (path, content) = (self.folder.join(&name), content(batch));
        let written = tokio::task::spawn_blocking(move || write_once(&path, &content?)).await;
        let outcome = match written.map_err(io::Error::other).flatten() {
            Ok(()) => Outcome::Paid { reference: name },
            Err(error) => {
                tracing::error!(file = name, %error, "a payout file could not be written");
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

/// The file: a header and one row per payment.
///
/// # Errors
/// Never for rows of equal length in memory; the signature follows the writer.
pub fn content(batch: &Batch) -> io::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(COLUMNS)?;
    for payment in &batch.payments {
        let partner = spreadsheet::harmless(&payment.partner);
        let (amount, currency) = (
            payment.amount.to_decimal_string(),
            payment.amount.currency(),
        );
        let account = payment.account.as_ref();
        let holder = account.map_or_else(String::new, |account| {
            spreadsheet::harmless(&account.holder).into_owned()
        });
        let (iban, number) = match account {
            Some(account) if account.kind == AccountKind::Iban => (account.number.as_str(), ""),
            Some(account) => ("", account.number.as_str()),
            None => ("", ""),
        };
        let optional = |field: fn(&Account) -> Option<&str>| account.and_then(field).unwrap_or("");
        let bank_code = optional(|account| account.bank_code.as_deref());
        let bic = optional(|account| account.bic.as_deref());
        let country = optional(|account| Some(&account.country));
        writer.write_record([
            payment.key.to_string().as_str(),
            &partner,
            &amount,
            currency.code(),
            &payment.reference,
            &holder,
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

fn write_once(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path
        .parent()
        .ok_or_else(|| io::Error::other("the file has no folder"))?;
    std::fs::create_dir_all(folder)?;
    if path.try_exists()? {
        return Ok(());
    }
    // Two workers may write the same file at once; each has a temporary one of its own.
    let temporary = path.with_extension(format!("{:016x}.part", rand::random::<u64>()));
    let mut file = private(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    // The name is as durable as the content only when the folder is written too.
    std::fs::File::open(folder)?.sync_all()
}

/// A new file that only the server's user can read: it names accounts.
fn private(path: &Path) -> io::Result<std::fs::File> {
    let mut options = std::fs::File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
