//! Taking over the files of other systems: exact, repeatable, and open about what is refused.

mod adopted;
mod closing;
mod crm;
mod days;
mod dry;
mod files;
mod namesakes;
mod operator;
mod paid;
mod refusals;
mod rows;
mod systems;
mod values;

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use ensemble::{
    entity::{
        audit_event, customer, customer_block_key, deal, deal_participant, deal_product,
        deal_stage_change, enrollment, job, partner, partner_attribute, partner_lifecycle_event,
        product, product_family, program, program_version, touchpoint,
    },
    error::Result,
    import::{self, Listed, Options, Report},
};
use sea_orm::{EntityTrait, Iterable, PrimaryKeyToColumn, QueryOrder};

use crate::support::{Case, TestApp};

/// The cases of this module.
pub fn cases() -> Vec<Case> {
    let mut real = [crm::cases(), paid::cases()].concat();
    for case in &mut real {
        case.skipped = crm_folder().is_none();
    }
    [
        real,
        adopted::cases(),
        closing::cases(),
        days::cases(),
        dry::cases(),
        files::cases(),
        namesakes::cases(),
        operator::cases(),
        refusals::cases(),
        rows::cases(),
        systems::cases(),
        values::cases(),
    ]
    .concat()
}

/// The real files, where they are.
pub fn crm_folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/crm");
    folder.join("sales_pipeline.csv").exists().then_some(folder)
}

/// Takes over the real files under the shipped mapping.
pub async fn import_crm(t: &TestApp, folder: PathBuf, dry_run: bool) -> Report {
    let mapping = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds/crm/mapping.toml");
    let options = Options {
        mapping,
        folder,
        program: None,
        dry_run,
        report: None,
        progress: false,
    };
    import::run(&t.app, import::prepare(options).unwrap())
        .await
        .unwrap()
}

/// Files of a test.
pub struct Files(tempfile::TempDir);

impl Files {
    /// A folder with a mapping and files.
    pub fn new(mapping: &str, files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write("mapping.toml", mapping);
        for (name, text) in files {
            folder.write(name, text);
        }
        folder
    }

    /// Writes a file anew.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// Where a file is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Takes them over.
    pub async fn try_import(
        &self,
        t: &TestApp,
        dry_run: bool,
        report: Option<&str>,
    ) -> Result<Report> {
        let options = Options {
            mapping: self.path("mapping.toml"),
            folder: self.0.path().to_owned(),
            program: None,
            dry_run,
            report: report.map(|name| self.path(name)),
            progress: false,
        };
        import::run(&t.app, import::prepare(options)?).await
    }

    /// Takes them over.
    pub async fn import(&self, t: &TestApp) -> Report {
        self.try_import(t, false, None).await.unwrap()
    }
}

/// Created, changed, unchanged and refused rows of each file.
pub fn counts(report: &Report) -> Vec<[u64; 4]> {
    report
        .files
        .iter()
        .map(|file| [file.created, file.changed, file.unchanged, file.refused])
        .collect()
}

/// The refused rows as `line field: reason`.
pub fn refusals(report: &Report) -> Vec<String> {
    report
        .refusals
        .iter()
        .map(|refused| format!("{} {}: {}", refused.row, refused.field, refused.reason))
        .collect()
}

/// The notes or warnings as `file:line text`.
pub fn told(listed: &Listed) -> Vec<String> {
    let line = |told: &import::Told| format!("{}:{} {}", told.file, told.row, told.text);
    listed.first.iter().map(line).collect()
}

/// Every row of every table that an import may touch, as text.
pub async fn contents(t: &TestApp) -> String {
    let mut text = String::new();
    table::<program::Entity>(t, &mut text).await;
    table::<program_version::Entity>(t, &mut text).await;
    table::<partner::Entity>(t, &mut text).await;
    table::<partner_attribute::Entity>(t, &mut text).await;
    table::<partner_lifecycle_event::Entity>(t, &mut text).await;
    table::<enrollment::Entity>(t, &mut text).await;
    table::<customer::Entity>(t, &mut text).await;
    table::<customer_block_key::Entity>(t, &mut text).await;
    table::<product_family::Entity>(t, &mut text).await;
    table::<product::Entity>(t, &mut text).await;
    table::<deal::Entity>(t, &mut text).await;
    table::<deal_product::Entity>(t, &mut text).await;
    table::<deal_participant::Entity>(t, &mut text).await;
    table::<deal_stage_change::Entity>(t, &mut text).await;
    table::<touchpoint::Entity>(t, &mut text).await;
    table::<audit_event::Entity>(t, &mut text).await;
    table::<job::Entity>(t, &mut text).await;
    text
}

async fn table<E: EntityTrait>(t: &TestApp, text: &mut String)
where
    E::Model: Sync,
{
    let keys = E::PrimaryKey::iter().map(PrimaryKeyToColumn::into_column);
    let ordered = keys.fold(E::find(), |rows, key| rows.order_by_asc(key));
    for row in ordered.all(t.app.db().reader()).await.unwrap() {
        writeln!(text, "{row:?}").unwrap();
    }
}
