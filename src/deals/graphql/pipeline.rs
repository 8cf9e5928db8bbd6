//! What the open deals are worth.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use sea_orm::{ColumnTrait, Condition};

use crate::{
    access::Action,
    deals::{pipeline::weighted, rules::Rules, store},
    entity::{
        deal,
        ids::{CustomerId, DealId, PartnerId, ProgramId},
    },
    error::{Error, Result},
    graphql::{
        ContextExt,
        context::id,
        errors::top_level,
        scalars::{CurrencyCode, Money},
    },
    platform::money::Currency,
    programs::rules,
};

/// Which deals. Conditions that are left out do not restrict; those given hold together.
#[derive(Clone, Debug, Default, InputObject)]
pub struct DealPipelineFilter {
    /// Owned by this partner, or with it as a live participant. For a partner's people any but their own gives an
    /// empty pipeline.
    partner_id: Option<ID>,
    /// For this customer.
    customer_id: Option<ID>,
    /// Of this programme.
    pub(super) program_id: Option<ID>,
}

/// The open deals of one currency.
#[derive(Clone, Debug, SimpleObject)]
pub struct DealPipeline {
    /// The currency.
    currency: CurrencyCode,
    /// How many deals.
    count: i32,
    /// Their value.
    total: Money,
    /// Their value times the probability of their stage, rounded half to even once a stage.
    weighted: Money,
}

/// The pipeline.
#[derive(Default)]
pub struct PipelineQuery;

#[Object]
impl PipelineQuery {
    /// The open deals that you see, summed by currency, in the order of the currency codes. At most 200: one entry
    /// for each currency that occurs.
    #[graphql(
     directive = crate::graphql::cost::points::apply("100".to_owned()),
     directive = crate::graphql::cost::list_size::apply(5, None)
    )]
    async fn deal_pipeline(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which open deals; all when left out.")] filter: Option<
            DealPipelineFilter,
        >,
    ) -> async_graphql::Result<Vec<DealPipeline>> {
        ctx.may(Action::DealRead)?;
        let condition = filter
            .unwrap_or_default()
            .condition(ctx.actor().partner_id());
        sum(ctx, condition).await.map_err(top_level)
    }
}

impl DealPipelineFilter {
    pub(super) fn condition(self, own: Option<PartnerId>) -> Condition {
        let partner: Option<PartnerId> = self.partner_id.map(|text| id(&text));
        let customer: Option<CustomerId> = self.customer_id.map(|text| id(&text));
        let program: Option<ProgramId> = self.program_id.map(|text| id(&text));
        if partner.is_some_and(|partner| own.is_some_and(|own| own != partner)) {
            return Condition::all().add(deal::Column::Id.is_in(std::iter::empty::<DealId>()));
        }
        Condition::all()
            .add_option(partner.map(store::deals_of))
            .add_option(customer.map(|customer| deal::Column::CustomerId.eq(customer)))
            .add_option(program.map(|program| deal::Column::ProgramId.eq(program)))
    }
}

async fn sum(ctx: &Context<'_>, filter: Condition) -> Result<Vec<DealPipeline>> {
    let sums = store::open_pipeline(ctx.db(), ctx.actor().scope(), filter).await?;
    let versions: BTreeSet<_> = sums.iter().map(|sum| sum.program_version_id).collect();
    let rules: HashMap<_, Rules> =
        rules::by_version(ctx.db(), &versions.into_iter().collect::<Vec<_>>()).await?;
    let mut currencies: BTreeMap<Currency, (i64, i128, i128)> = BTreeMap::new();
    for sum in sums {
        let stages = rules
            .get(&sum.program_version_id)
            .map(|rules| &rules.settings.stages);
        let stage = stages.and_then(|stages| stages.iter().find(|stage| stage.key == sum.stage));
        let probability = stage.map_or(0, |stage| stage.probability_ppm);
        let (deals, total, expected) = currencies.entry(sum.currency).or_default();
        *deals += sum.deals;
        *total += i128::from(sum.total);
        *expected += weighted(sum.total, probability);
    }
    currencies
        .into_iter()
        .map(|(currency, sums)| row(currency, sums))
        .collect()
}

fn row(currency: Currency, (deals, total, expected): (i64, i128, i128)) -> Result<DealPipeline> {
    let minor = |sum| {
        i64::try_from(sum).map_err(|_| Error::internal("the pipeline exceeds what can be counted"))
    };
    Ok(DealPipeline {
        currency: CurrencyCode(currency.to_string()),
        count: super::counter(deals),
        total: Money::minor(minor(total)?, currency),
        weighted: Money::minor(minor(expected)?, currency),
    })
}
