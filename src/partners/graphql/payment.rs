//! Where a partner is paid, in the API.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{Context, Description, ID, InputObject, Object};

use crate::{
    access::Action,
    entity::{
        ids::{PartnerId, PaymentDetailsId},
        payment_details::{self, PaymentAccountKind},
    },
    error::{Error, Result},
    graphql::{
        ContextExt, Shown, UserError,
        context::{self, Rows},
        errors::{self, top_level},
        objects::Key,
        scalars::{CountryCode, DateTime},
    },
    identity::graphql::User,
    partners::{
        account::Typed,
        payment::{self, Set},
        store,
    },
};

/// The account to which a partner is paid, masked: the account itself is shown to nobody, and stands in the payment file
/// only. Administrators, alliance managers, finance and auditors see every partner's, a partner's administrators their own.
#[derive(Clone, Debug, Description)]
pub struct PaymentDetails(Arc<payment_details::Model>);

impl Shown for PaymentDetails {
    type Entity = payment_details::Entity;

    fn of(row: Arc<payment_details::Model>) -> Self {
        Self(row)
    }
}

#[Object(use_type_description)]
impl PaymentDetails {
    /// The id of these details; another account has another one.
    fn id(&self) -> ID {
        self.0.id.into()
    }

    /// How the account is written.
    fn kind(&self) -> PaymentAccountKind {
        self.0.kind
    }

    /// Where the bank is.
    fn country(&self) -> CountryCode {
        CountryCode(self.0.country.clone())
    }

    /// The last four characters of the IBAN or account number.
    fn last_four(&self) -> &str {
        &self.0.last_four
    }

    /// When they were set.
    fn set_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// Who set them; null for a partner's people when it was somebody of the vendor.
    async fn set_by(&self, ctx: &Context<'_>) -> Option<async_graphql::Result<User>> {
        User::mentioned(ctx, self.0.set_by)
            .await
            .map_err(top_level)
            .transpose()
    }

    /// When others took their place; null for those that the next payout run pays to.
    fn replaced_at(&self) -> Option<DateTime> {
        self.0.replaced_at.map(DateTime)
    }
}

impl PaymentDetails {
    /// The details that a partner is paid to now; none where there are none.
    ///
    /// # Errors
    /// `FORBIDDEN` for roles that do not read them.
    pub async fn of_partner(
        ctx: &Context<'_>,
        partner: PartnerId,
    ) -> async_graphql::Result<Option<Self>> {
        ctx.may(Action::PaymentDetailsRead)?;
        let row = ctx.loaders().load_one(DetailsOf(partner)).await;
        Ok(row.map_err(top_level)?.map(Self::of_row))
    }

    /// The details that a payment goes to; none where the partner had none.
    ///
    /// # Errors
    /// `FORBIDDEN` for roles that do not read them.
    pub async fn by_id(
        ctx: &Context<'_>,
        id: Option<PaymentDetailsId>,
    ) -> async_graphql::Result<Option<Self>> {
        // First: whether there is an account is nobody else's to know.
        ctx.may(Action::PaymentDetailsRead)?;
        let Some(id) = id else { return Ok(None) };
        Self::load(ctx, id).await.map_err(top_level)
    }
}

/// The details that a partner is paid to now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DetailsOf(PartnerId);

impl Key for DetailsOf {
    type Value = payment_details::Model;

    async fn load(rows: &Rows, keys: &[Self]) -> Result<HashMap<Self, Self::Value>> {
        let partners: Vec<PartnerId> = keys.iter().map(|key| key.0).collect();
        let current = store::current_details(&rows.db, &rows.actor, &partners).await?;
        let current = current.into_iter();
        Ok(current.map(|row| (Self(row.partner_id), row)).collect())
    }
}

/// The account to which a partner is to be paid: an IBAN, or, in countries without, number, bank and country.
#[derive(Clone, InputObject)]
pub struct PartnerPaymentDetailsSetInput {
    /// The partner.
    partner_id: ID,
    /// In whose name the account is; at most 140 characters.
    account_holder: String,
    /// The IBAN, with or without spaces; its country, length and check digits are verified.
    iban: Option<String>,
    /// Without IBAN: the number, 4 to 34 letters and digits.
    account_number: Option<String>,
    /// Without IBAN: the code of the bank, such as a routing number or sort code, 3 to 20 letters and digits.
    bank_code: Option<String>,
    /// Without IBAN: where the bank is.
    country: Option<CountryCode>,
    /// The bank's BIC of 8 or 11 characters, where payments there need it.
    bic: Option<String>,
}

impl PartnerPaymentDetailsSetInput {
    fn command(self) -> Set {
        Set {
            partner: context::id(&self.partner_id),
            account: Typed {
                holder: self.account_holder.into(),
                iban: self.iban.map(Into::into),
                account_number: self.account_number.map(Into::into),
                bank_code: self.bank_code.map(Into::into),
                country: self.country.map(|country| country.0),
                bic: self.bic.map(Into::into),
            },
        }
    }
}

/// The result of setting payment details.
#[derive(async_graphql::SimpleObject)]
pub struct PartnerPaymentDetailsSetPayload {
    /// The details, masked; null exactly when there are errors.
    payment_details: Option<PaymentDetails>,
    /// A warning: the IDs of other partners that are paid to the same account. Empty for a partner's people. At most 100.
    #[graphql(directive = crate::graphql::cost::list_size::apply(3, None))]
    shared_with: Vec<ID>,
    /// Why nothing was changed, one for each fault; empty on success. At most 100.
    #[graphql(directive = crate::graphql::cost::list_size::apply(3, None))]
    user_errors: Vec<UserError>,
}

/// The other partners that are paid to an account; a partner's people do not learn of others.
async fn shared_with(ctx: &Context<'_>, row: &payment_details::Model) -> Result<Vec<ID>> {
    if !ctx.actor().is_vendor() {
        return Ok(Vec::new());
    }
    let seals = ctx.app().tokens().seals();
    let groups = payment::shared(ctx.db(), &seals, &[row.id]).await?;
    let partners = groups
        .into_iter()
        .filter(|partners| partners.contains(&row.partner_id))
        .flatten();
    let others = partners.filter(|partner| *partner != row.partner_id);
    Ok(others.take(100).map(ID::from).collect())
}

/// Setting payment details.
#[derive(Default)]
pub struct PaymentMutation;

#[Object]
impl PaymentMutation {
    /// Sets the account to which a partner is paid, from the next payout run on: payments that are calculated already go to
    /// the account that the partner had then. For the partner's own administrators, and the vendor's finance and
    /// administrators. The partner's administrators are told by mail. Refused with `BAD_USER_INPUT` at every field that is
    /// wrong; errors never repeat what was typed.
    async fn partner_payment_details_set(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account.")] input: PartnerPaymentDetailsSetInput,
    ) -> async_graphql::Result<PartnerPaymentDetailsSetPayload> {
        let result = async {
            ctx.actor().may(Action::PaymentDetailsSet)?;
            let command = input.command();
            let seals = ctx.app().tokens().seals();
            let id = ctx
                .write("partnerPaymentDetailsSet", move |tx| {
                    let (seals, command) = (seals.clone(), command.clone());
                    Box::pin(async move { payment::set(tx, &seals, command).await })
                })
                .await?;
            let details = PaymentDetails::load(ctx, id).await?;
            let details = details.ok_or_else(|| Error::not_found("partnerId"))?;
            let shared = shared_with(ctx, &details.0).await?;
            Ok((details, shared))
        };
        let (payment_details, shared_with, user_errors) = match result.await {
            Ok((details, shared)) => (Some(details), shared, Vec::new()),
            Err(error) => (None, Vec::new(), errors::user_errors(error)?),
        };
        Ok(PartnerPaymentDetailsSetPayload {
            payment_details,
            shared_with,
            user_errors,
        })
    }
}
