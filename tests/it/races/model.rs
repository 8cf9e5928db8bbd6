//! Random sequences of what people do with money, against a model that only adds and subtracts.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use ensemble::{
    entity::{
        ids::{LedgerTransactionId, PartnerId, ProgramId},
        ledger_account::{self, LedgerAccountKind},
        ledger_entry,
        ledger_transaction::LedgerTransactionKind,
    },
    error::Code,
    ledger::{
        Posting,
        balance::Balance,
        post::{self, NewTransaction},
        reverse,
    },
    platform::{ids::TypedId, money::Currency},
    verify, worker,
};
use proptest::{prelude::*, sample::Index, test_runner::TestRunner};
use sea_orm::{EntityTrait, PaginatorTrait};

use super::{Realm, from_environment};
use crate::{cases, deals::market::*, support::TestApp};

cases!(balances_are_those_of_a_model_after_any_sequence);

/// How many sequences a normal run tries; `PROPTEST_CASES` says otherwise.
const SEQUENCES: u32 = 3;
const PARTNERS: usize = 3;

/// Something that somebody does; places count from the first and wrap around.
#[derive(Clone, Debug)]
enum Step {
    /// A partner's deal over so many times 10.00 is won.
    Win(usize, i64),
    /// So many tenths of a deal's value go back to the customer.
    Refund(Index, i64),
    /// A run is created.
    Create,
    /// What may or may not be done to a run.
    Approve(Index),
    Cancel(Index),
    Execute(Index),
    /// So many days pass, and the schedules run.
    Pass(i64),
    /// Something is posted between accounts of the house, under one of few keys.
    Post(u8, i64),
    /// What was posted under a key is reversed.
    Reverse(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..PARTNERS, 1_i64..500).prop_map(|(partner, tens)| Step::Win(partner, tens)),
        3 => (any::<Index>(), 1_i64..=6).prop_map(|(deal, tenths)| Step::Refund(deal, tenths)),
        3 => Just(Step::Create),
        3 => any::<Index>().prop_map(Step::Approve),
        1 => any::<Index>().prop_map(Step::Cancel),
        3 => any::<Index>().prop_map(Step::Execute),
        2 => (1_i64..40).prop_map(Step::Pass),
        3 => (0_u8..3, 1_i64..3).prop_map(|(key, amount)| Step::Post(key, amount * 100)),
        2 => (0_u8..3).prop_map(Step::Reverse),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Run {
    Review,
    Approved,
    Completed,
    Cancelled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Earned,
    Held,
    TakenBack,
}

#[derive(Clone, Copy, Debug)]
struct Line {
    partner: usize,
    deal: usize,
    kind: Kind,
    /// Signed as earned.
    amount: i64,
    available: DateTime<Utc>,
    released: bool,
    run: Option<usize>,
}

#[derive(Debug)]
struct Deal {
    id: String,
    partner: usize,
    value: i64,
    refunded: i64,
}

/// What should be true.
#[derive(Debug, Default)]
struct Model {
    deals: Vec<Deal>,
    lines: Vec<Line>,
    runs: Vec<(String, Run)>,
    posted: BTreeMap<u8, (i64, LedgerTransactionId, bool)>,
}

impl Model {
    fn due(&self, partner: usize, now: DateTime<Utc>) -> i64 {
        let due =
            |line: &&Line| line.partner == partner && line.run.is_none() && line.available <= now;
        self.lines.iter().filter(due).map(|line| line.amount).sum()
    }

    /// What a new run claims: everything due of every partner who does not owe something.
    fn claim(&mut self, run: usize, now: DateTime<Utc>) {
        for partner in 0..PARTNERS {
            if self.due(partner, now) < 0 {
                continue;
            }
            for line in &mut self.lines {
                if line.partner == partner && line.run.is_none() && line.available <= now {
                    line.run = Some(run);
                }
            }
        }
    }

    /// Takes so much of a deal back: what the deal still has held goes first, when it becomes available; the rest at once.
    fn take_back(&mut self, deal: usize, amount: i64, now: DateTime<Utc>) {
        let of_deal = || self.lines.iter().filter(move |line| line.deal == deal);
        let is_held =
            |line: &&Line| line.kind == Kind::Held && line.run.is_none() && line.available > now;
        let held = of_deal().find(is_held).map(|line| {
            let taken = of_deal()
                .filter(|other| other.kind == Kind::TakenBack && other.available == line.available)
                .map(|other| other.amount)
                .sum::<i64>();
            (line.amount + taken, line.available)
        });
        let (left, until) = held.unwrap_or((0, now));
        let from_held = amount.min(left);
        let partner = self.deals[deal].partner;
        for (amount, available) in [(from_held, until), (amount - from_held, now)] {
            if amount > 0 {
                self.lines.push(Line {
                    partner,
                    deal,
                    kind: Kind::TakenBack,
                    amount: -amount,
                    available,
                    released: false,
                    run: None,
                });
            }
        }
    }

    fn release(&mut self, now: DateTime<Utc>) {
        for line in &mut self.lines {
            line.released |= line.run.is_none() && line.available <= now;
        }
    }

    fn balance(&self, partner: usize) -> Balance {
        let mut balance = Balance::zero(Currency::USD);
        for line in self.lines.iter().filter(|line| line.partner == partner) {
            match line.run.map(|run| self.runs[run].1) {
                Some(Run::Approved) => balance.payable += line.amount,
                Some(Run::Completed) => balance.paid += line.amount,
                _ => match line.kind {
                    Kind::Earned => balance.accrued += line.amount,
                    Kind::Held if line.released => balance.accrued += line.amount,
                    Kind::Held => balance.held += line.amount,
                    Kind::TakenBack => balance.clawback_receivable -= line.amount,
                },
            }
        }
        balance
    }

    /// The house's cost, bank account and memo of what it paid, as booked.
    fn house(&self) -> [i64; 3] {
        let cost: i64 = self.lines.iter().map(|line| line.amount).sum();
        let paid: i64 = (0..PARTNERS)
            .map(|partner| self.balance(partner).paid)
            .sum();
        let posted: i64 = self
            .posted
            .values()
            .filter(|(.., reversed)| !reversed)
            .map(|(amount, ..)| amount)
            .sum();
        [cost - posted, posted - paid, paid]
    }
}

/// The application and the model, step by step.
struct Play<'a> {
    t: &'a TestApp,
    realm: Realm,
    sellers: Vec<Seller>,
    model: Model,
    /// The accounts of the house when it began: other sequences moved them.
    house: [i64; 3],
}

impl<'a> Play<'a> {
    async fn begin(t: &'a TestApp, market: Market) -> Self {
        let realm = Realm::open(t, market).await;
        let mut sellers = Vec::new();
        for name in ["Alpha", "Beta", "Gamma"] {
            sellers.push(realm.seller(name).await);
        }
        Self {
            t,
            realm,
            sellers,
            model: Model::default(),
            house: house(t).await,
        }
    }

    fn now(&self) -> DateTime<Utc> {
        self.t.app.clock().now()
    }

    async fn take(&mut self, step: &Step) {
        match step {
            Step::Win(partner, tens) => self.win(*partner, tens * 1_000).await,
            Step::Refund(deal, tenths) if !self.model.deals.is_empty() => {
                self.refund(deal.index(self.model.deals.len()), *tenths)
                    .await;
            }
            Step::Create => self.create().await,
            Step::Approve(run) | Step::Cancel(run) | Step::Execute(run)
                if !self.model.runs.is_empty() =>
            {
                self.move_run(step, run.index(self.model.runs.len())).await;
            }
            Step::Pass(days) => {
                self.t.advance(TimeDelta::days(*days));
                worker::run_schedules(&self.t.app, &mut worker::Taken::default())
                    .await
                    .unwrap();
                let now = self.now();
                self.model.release(now);
            }
            Step::Post(key, amount) => self.post(*key, *amount).await,
            Step::Reverse(key) => self.reverse(*key).await,
            Step::Refund(..) | Step::Approve(_) | Step::Cancel(_) | Step::Execute(_) => {}
        }
    }

    async fn win(&mut self, partner: usize, value: i64) {
        let id = self.realm.win(&self.sellers[partner], value).await;
        let now = self.now();
        let deal = self.model.deals.len();
        let line = |kind, amount, available| Line {
            partner,
            deal,
            kind,
            amount,
            available,
            released: false,
            run: None,
        };
        let fee = value / 10;
        self.model.lines.extend([
            line(Kind::Earned, fee - fee / 4, now),
            line(Kind::Held, fee / 4, now + TimeDelta::days(30)),
        ]);
        self.model.deals.push(Deal {
            id,
            partner,
            value,
            refunded: 0,
        });
    }

    async fn refund(&mut self, place: usize, tenths: i64) {
        let now = self.now();
        let deal = &mut self.model.deals[place];
        let amount = deal.value * tenths / 10;
        let answer = self.realm.refund(self.t, &deal.id, amount).await;
        if deal.refunded + amount > deal.value {
            assert_eq!(answer.refusal("dealRefund"), "BAD_USER_INPUT");
            return;
        }
        answer.done("dealRefund");
        deal.refunded += amount;
        self.model.take_back(place, amount / 10, now);
    }

    async fn create(&mut self) {
        let id = self.realm.created().await;
        let now = self.now();
        self.model.runs.push((id, Run::Review));
        self.model.claim(self.model.runs.len() - 1, now);
    }

    async fn move_run(&mut self, step: &Step, place: usize) {
        let (id, run) = self.model.runs[place].clone();
        let (answer, name, to) = match step {
            Step::Approve(_) => (
                self.realm.approve(self.t, &id).await,
                "payoutRunApprove",
                (run == Run::Review).then_some(Run::Approved),
            ),
            Step::Cancel(_) => (
                self.realm.cancel(self.t, &id).await,
                "payoutRunCancel",
                (run == Run::Review).then_some(Run::Cancelled),
            ),
            _ => (
                self.realm.execute(self.t, &id).await,
                "payoutRunExecute",
                (run == Run::Approved).then_some(Run::Completed),
            ),
        };
        let Some(to) = to else {
            assert_eq!(answer.refusal(name), "ILLEGAL_TRANSITION");
            return;
        };
        answer.done(name);
        self.model.runs[place].1 = to;
        if to == Run::Cancelled {
            for line in &mut self.model.lines {
                line.run = line.run.filter(|run| *run != place);
            }
        }
    }

    async fn post(&mut self, key: u8, amount: i64) {
        let program = self.realm.market.program;
        let result = self
            .t
            .write(move |tx| {
                Box::pin(async move { post::post(tx, vec![between(program, key, amount)]).await })
            })
            .await;
        match self.model.posted.get(&key) {
            Some((before, id, _)) if *before == amount => assert_eq!(result.unwrap(), [*id]),
            Some(_) => assert_eq!(result.unwrap_err().code(), Code::Internal),
            None => {
                let id = result.unwrap()[0];
                self.model.posted.insert(key, (amount, id, false));
            }
        }
    }

    async fn reverse(&mut self, key: u8) {
        let Some((_, id, reversed)) = self.model.posted.get_mut(&key) else {
            return;
        };
        let id = *id;
        let result = self
            .t
            .write(move |tx| {
                Box::pin(async move { reverse::reverse(tx, id, "posted by mistake").await })
            })
            .await;
        if *reversed {
            assert_eq!(result.unwrap_err().code(), Code::IllegalTransition);
        } else {
            result.unwrap();
            *reversed = true;
        }
    }

    /// Everything is as the model says, and the books are in order.
    async fn compare(&self) {
        for (place, seller) in self.sellers.iter().enumerate() {
            assert_eq!(
                self.realm.balance(seller.partner).await,
                self.model.balance(place),
                "{:?}",
                self.model
            );
        }
        let moved = self.model.house();
        let expected: Vec<i64> = self.house.iter().zip(moved).map(|(a, b)| a + b).collect();
        assert_eq!(house(self.t).await.to_vec(), expected, "{:?}", self.model);
        let report = verify::verify(self.t.app.db().reader()).await.unwrap();
        assert!(report.is_clean(), "{report}");
    }
}

/// A transaction between accounts of the house, which no commission line has to explain.
fn between(program: ProgramId, key: u8, amount: i64) -> NewTransaction {
    let posting = |account, amount_minor| Posting {
        account,
        owner: None,
        amount_minor,
    };
    NewTransaction {
        kind: LedgerTransactionKind::Commission,
        key: format!("{program}:{key}"),
        subject_type: PartnerId::PREFIX,
        subject_id: program.uuid(),
        effective_at: "2026-03-01T00:00:00Z".parse().unwrap(),
        currency: Currency::USD,
        postings: vec![
            posting(LedgerAccountKind::Cash, amount),
            posting(LedgerAccountKind::CommissionExpense, -amount),
        ],
    }
}

async fn house(t: &TestApp) -> [i64; 3] {
    let accounts = ledger_account::Entity::find()
        .all(t.app.db().reader())
        .await
        .unwrap();
    let of = |kind| {
        let own = accounts
            .iter()
            .find(|row| row.partner_id.is_none() && row.kind == kind);
        own.map_or(0, |row| row.balance_minor)
    };
    [
        of(LedgerAccountKind::CommissionExpense),
        of(LedgerAccountKind::Cash),
        of(LedgerAccountKind::Paid),
    ]
}

async fn balances_are_those_of_a_model_after_any_sequence(t: TestApp) {
    let market = market(&t).await;
    let runtime = tokio::runtime::Handle::current();
    tokio::task::block_in_place(|| {
        let sequences = prop::collection::vec(step(), 10..40);
        let outcome = TestRunner::new(config()).run(&sequences, |steps| {
            runtime.block_on(play(&t, market, &steps));
            Ok(())
        });
        if let Err(failure) = outcome {
            panic!("{failure}");
        }
    });
    let entries = ledger_entry::Entity::find()
        .count(t.app.db().reader())
        .await;
    assert!(entries.unwrap() > 0, "nothing was ever booked");
}

fn config() -> ProptestConfig {
    let config = ProptestConfig {
        failure_persistence: None,
        max_shrink_iters: 64,
        ..ProptestConfig::default()
    };
    match from_environment("PROPTEST_CASES") {
        Some(_) => config,
        None => ProptestConfig {
            cases: SEQUENCES,
            ..config
        },
    }
}

async fn play(t: &TestApp, market: Market, steps: &[Step]) {
    let mut play = Play::begin(t, market).await;
    for step in steps {
        play.take(step).await;
    }
    play.compare().await;
}
