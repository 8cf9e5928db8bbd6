//! The import itself: file by file, a thousand rows at a time.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::{BuildHasher, RandomState},
    path::{Path, PathBuf},
    sync::Arc,
};

use chrono_tz::Tz;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::mpsc;

use super::{
    cells::Cells,
    customers, deals,
    known::Known,
    mapping::{self, Mapping, Source},
    oddities::Oddities,
    partners, products, programme,
    reader::{self, BATCH, Portion, Row},
    report::{Report, Tally},
    totals::Totals,
    touchpoints,
    unit::{Draft, Fate, Ground, Importable, Outcome, Remark},
};
use crate::{
    app::App,
    error::{Code, Refusal, Result},
    events::Event,
    platform::sql,
    tx::{Call, Tx},
};

/// How often a unit of work is tried when somebody else changes what it changes.
const TRIES: usize = 3;

/// What to import, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The mapping file.
    pub mapping: PathBuf,
    /// Where the files are that it names.
    pub folder: PathBuf,
    /// The programme that deals belong to, in place of that of the mapping.
    pub program: Option<String>,
    /// Decide everything and write nothing.
    pub dry_run: bool,
    /// Where every refused row is written to: CSV, or JSON Lines when the name ends in `.jsonl`.
    pub report: Option<PathBuf>,
    /// Whether to show progress, where there is a terminal to show it on.
    pub progress: bool,
}

/// An import whose mapping and files can be read.
#[derive(Debug)]
pub struct Prepared {
    options: Options,
    mapping: Mapping,
}

/// Reads the mapping and checks the files as far as possible without a database, so that a refused import creates none.
///
/// # Errors
/// `BAD_USER_INPUT`: every error in the mapping, the files' headers and their quotes.
pub fn prepare(options: Options) -> Result<Prepared> {
    let mapping = Mapping::load(&options.mapping)?;
    reader::check(&options.folder, &mapping.sources)?;
    Ok(Prepared { options, mapping })
}

/// Imports the files of a mapping.
///
/// # Errors
/// `BAD_USER_INPUT`: a file cannot be read to its end; the rows before that point stay imported. Any database error.
pub async fn run(app: &App, Prepared { options, mapping }: Prepared) -> Result<Report> {
    let mut tally = Tally::open(options.dry_run, options.report.as_deref())?;
    let (name, dry_run) = (options.program.clone().or(mapping.program), options.dry_run);
    let deals = |source: &&Source| source.entity == mapping::Entity::Deal;
    let of_deals = mapping.sources.iter().find(deals);
    let zone = of_deals
        .or(mapping.sources.first())
        .map_or(Tz::UTC, Source::zone);
    let programme = app.write(Call::system("importProgram"), move |tx| {
        let name = name.clone();
        Box::pin(async move { programme::find_or_create(tx, name.as_deref(), zone, dry_run).await })
    });
    let (programme, mut known) = (programme.await?, Known::default());
    let stored = app.write(Call::system("importTotals"), |tx| {
        Box::pin(Totals::stored(tx))
    });
    let stored = stored.await?;
    let (before, after) = tally.totals();
    before.clone_from(&stored);
    *after = stored;
    let last = mapping
        .sources
        .iter()
        .rposition(|source| source.entity == mapping::Entity::Touchpoint);
    for (place, mut source) in mapping.sources.into_iter().enumerate() {
        source.day_zone = programme.zone();
        if last.is_none_or(|last| place > last) {
            // Nothing names deals any more.
            known.deals.clear();
        }
        let names_deals = last.is_some_and(|last| place < last);
        let ground = Ground {
            dry_run,
            names_deals,
            programme: programme.clone(),
            source: Arc::new(source),
            known,
        };
        tally.begin(&ground.source.file, ground.source.entity);
        known = match ground.source.entity {
            mapping::Entity::Partner => {
                file::<partners::Facts>(app, &options, ground, &mut tally).await?
            }
            mapping::Entity::Customer => {
                file::<customers::Facts>(app, &options, ground, &mut tally).await?
            }
            mapping::Entity::Product => {
                file::<products::Facts>(app, &options, ground, &mut tally).await?
            }
            mapping::Entity::Deal => {
                file::<deals::Facts>(app, &options, ground, &mut tally).await?
            }
            mapping::Entity::Touchpoint => {
                file::<touchpoints::Facts>(app, &options, ground, &mut tally).await?
            }
        };
    }
    tally.finish()
}

/// Takes over one file and returns what is known after it.
async fn file<F: Importable>(
    app: &App,
    options: &Options,
    ground: Ground,
    tally: &mut Tally,
) -> Result<Known> {
    let bar = progress(options, &ground.source)?;
    let portions = reader::start(&options.folder, &ground.source);
    let mut file = Taking::<F> {
        app,
        ground: Arc::new(ground),
        tally,
        seen: Seen::default(),
        waiting: HashMap::new(),
        oddities: Oddities::default(),
    };
    file.all(portions, &bar).await?;
    for (line, text) in file.oddities.told() {
        file.tally.remark(Remark::warning(line, text));
    }
    file.tally.end()?;
    bar.finish_and_clear();
    Ok(Arc::unwrap_or_clone(file.ground).known)
}

/// A file that is being taken over.
struct Taking<'a, F> {
    app: &'a App,
    ground: Arc<Ground>,
    tally: &'a mut Tally,
    seen: Seen,
    /// Rows that need another row, by the external id of that row.
    waiting: HashMap<String, Vec<Draft<F>>>,
    oddities: Oddities,
}

/// The lines on which external ids were used first, by their hashes: a file of a gigabyte has millions of them.
#[derive(Default)]
struct Seen {
    hashers: [RandomState; 2],
    lines: HashMap<[u64; 2], u32>,
}

impl Seen {
    /// The line on which an external id was used before; else remembers it.
    fn before(&mut self, external_id: &str, line: u64) -> Option<u32> {
        let hash = self
            .hashers
            .each_ref()
            .map(|hasher| hasher.hash_one(external_id));
        match self.lines.entry(hash) {
            Entry::Occupied(first) => Some(*first.get()),
            Entry::Vacant(free) => {
                free.insert(u32::try_from(line).unwrap_or(u32::MAX));
                None
            }
        }
    }
}

impl<F: Importable> Taking<'_, F> {
    async fn all(
        &mut self,
        mut portions: mpsc::Receiver<Result<Portion>>,
        bar: &ProgressBar,
    ) -> Result<()> {
        while let Some(portion) = portions.recv().await {
            let portion = portion?;
            let drafts = self.understand(&portion);
            for (line, text) in portion.odd {
                self.tally.remark(Remark::warning(line, text));
            }
            self.take_all(drafts).await?;
            let undecided = self.waiting.values().flatten().map(|draft| draft.line);
            self.tally.release(undecided.min())?;
            bar.set_position(portion.position);
        }
        self.decide_the_rest().await
    }

    /// Decides about rows that wait for what the file does not have, or does not give up: as long as that frees others.
    async fn decide_the_rest(&mut self) -> Result<()> {
        let mut waiting = self.drain();
        loop {
            let before = waiting.len();
            for draft in &mut waiting {
                draft.last = true;
            }
            while !waiting.is_empty() {
                let rest = waiting.split_off(waiting.len().min(BATCH));
                self.take_all(waiting).await?;
                waiting = rest;
            }
            waiting = self.drain();
            if waiting.len() == before || waiting.is_empty() {
                break;
            }
        }
        let kind = self.ground.source.entity.name();
        for draft in waiting {
            let parent = draft.waits_for.as_deref().unwrap_or_default();
            let reason =
                format!("there is no {kind} with the external id {parent:?}, or it was refused");
            let fault = Refusal::input("parent", reason);
            self.tally
                .refuse(draft.line, Some(&draft.external_id), vec![fault]);
        }
        Ok(())
    }

    /// Every row that waits, in the order of lines.
    fn drain(&mut self) -> Vec<Draft<F>> {
        let mut waiting: Vec<_> = self
            .waiting
            .drain()
            .flat_map(|(_, drafts)| drafts)
            .collect();
        waiting.sort_by_key(|draft| draft.line);
        waiting
    }

    /// Takes rows over, and then those that waited for them.
    async fn take_all(&mut self, drafts: Vec<Draft<F>>) -> Result<()> {
        let mut ready = self.take(drafts).await?;
        while !ready.is_empty() {
            let rest = ready.split_off(ready.len().min(BATCH));
            let more = self.take(ready).await?;
            ready = [rest, more].concat();
        }
        Ok(())
    }

    /// The rows that can be decided about; the others are refused.
    fn understand(&mut self, portion: &Portion) -> Vec<Draft<F>> {
        let rows = portion.rows.len() + portion.unreadable.len();
        self.tally.count(|file| file.rows += sql::count(rows));
        for (line, reason) in &portion.unreadable {
            self.tally
                .refuse(*line, None, vec![Refusal::new(Code::BadUserInput, reason)]);
        }
        let mut drafts = Vec::with_capacity(portion.rows.len());
        for row in &portion.rows {
            match self.draft(row) {
                Ok(draft) => drafts.push(draft),
                Err((external_id, faults)) => {
                    self.tally.refuse(row.line, external_id.as_deref(), faults);
                }
            }
        }
        drafts
    }

    fn draft(&mut self, row: &Row) -> Result<Draft<F>, (Option<String>, Vec<Refusal>)> {
        let source = Arc::clone(&self.ground.source);
        let now = self.app.clock().now();
        let mut cells = Cells::of(&source, row, now);
        let external_id = cells.required_key("external_id");
        let told = cells.raw("external_id").map(str::to_owned);
        let facts = F::read(&mut cells);
        let seen = cells.seen();
        let facts = cells
            .finish(facts)
            .map_err(|faults| (told.clone(), faults))?;
        if let Some(line) = self.seen.before(&external_id, row.line) {
            let problem = format!("Duplicate `external_id`, first used on line {line}.");
            return Err((told, vec![Refusal::input("external_id", problem)]));
        }
        self.oddities.see(row, &seen, now);
        Ok(Draft {
            line: row.line,
            external_id,
            facts,
            waited: Vec::new(),
            waits_for: None,
            last: false,
        })
    }

    /// Takes rows over in one unit of work; returns those that waited for them.
    async fn take(&mut self, drafts: Vec<Draft<F>>) -> Result<Vec<Draft<F>>> {
        let drafts = Arc::new(drafts);
        let outcome = self.settle(&drafts).await?;
        Arc::make_mut(&mut self.ground).known.learn(outcome.learned);
        for remark in outcome.remarks {
            self.tally.remark(remark);
        }
        let (_, after) = self.tally.totals();
        after.take(outcome.totals);
        let mut settled = Vec::new();
        for (mut draft, fate) in Arc::unwrap_or_clone(drafts).into_iter().zip(outcome.fates) {
            match fate {
                Fate::Created => self.tally.count(|file| file.created += 1),
                Fate::Changed => self.tally.count(|file| file.changed += 1),
                Fate::Unchanged => self.tally.count(|file| file.unchanged += 1),
                Fate::Refused(refusal) => {
                    self.tally
                        .refuse(draft.line, Some(&draft.external_id), vec![refusal]);
                    continue;
                }
                Fate::Waiting(other) => {
                    draft.waits_for = Some(other.clone());
                    self.waiting.entry(other).or_default().push(draft);
                    continue;
                }
            }
            settled.push(draft.external_id);
        }
        // Only now, because a row may wait for one that stands before it in the same unit of work.
        let freed = settled.iter().filter_map(|id| self.waiting.remove(id));
        let mut ready: Vec<_> = freed.flatten().collect();
        for draft in &mut ready {
            draft.waited.extend(draft.waits_for.take());
        }
        ready.sort_by_key(|draft| draft.line);
        Ok(ready)
    }

    async fn settle(&self, drafts: &Arc<Vec<Draft<F>>>) -> Result<Outcome> {
        let mut tries = 1;
        loop {
            let (ground, drafts) = (Arc::clone(&self.ground), Arc::clone(drafts));
            let settled = self.app.write(Call::system("importRows"), move |tx| {
                let (ground, drafts) = (Arc::clone(&ground), Arc::clone(&drafts));
                Box::pin(async move {
                    let outcome = F::import(tx, &ground, &drafts).await?;
                    record(tx, &ground, &outcome);
                    Ok(outcome)
                })
            });
            match settled.await {
                Err(error) if error.code() == Code::StaleObject && tries < TRIES => tries += 1,
                done => return done,
            }
        }
    }
}

/// Leaves an event in the audit trail when rows changed anything, in the transaction that changes it: a crash loses
/// neither or both.
fn record(tx: &Tx, ground: &Ground, outcome: &Outcome) {
    let count = |wanted: fn(&Fate) -> bool| {
        sql::count(outcome.fates.iter().filter(|fate| wanted(fate)).count())
    };
    let created = count(|fate| matches!(fate, Fate::Created));
    let changed = count(|fate| matches!(fate, Fate::Changed));
    if !ground.dry_run && created + changed > 0 {
        tx.record(Event::RowsImported {
            program_id: ground.programme.id,
            entity: ground.source.entity.name().to_owned(),
            created,
            changed,
            refused: count(|fate| matches!(fate, Fate::Refused(_))),
        });
    }
}

fn progress(options: &Options, source: &Source) -> Result<ProgressBar> {
    if !options.progress {
        return Ok(ProgressBar::hidden());
    }
    let bar = ProgressBar::new(reader::length(Path::new(&options.folder), source)?);
    let style = ProgressStyle::with_template(
        "{msg:24} {wide_bar} {bytes}/{total_bytes} {elapsed_precise} {eta}",
    );
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.set_message(source.file.clone());
    Ok(bar)
}
