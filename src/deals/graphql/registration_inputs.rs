//! What the mutations of registrations take.

use async_graphql::{ID, InputObject};

use crate::{
    customers::claim::ClaimedCustomer,
    deals::{
        extend::Extend,
        input::{Amount, Line},
        register::Submit,
        review::{Approve, Reject, Step},
    },
    entity::{
        deal::DealBusiness,
        deal_registration::{Contact, RejectionReason},
    },
    graphql::{
        context::id,
        scalars::{CountryCode, Date, EmailAddress, MoneyInput},
    },
};

/// A partner's claim on a deal.
#[derive(Clone, Debug, InputObject)]
pub struct DealRegistrationSubmitInput {
    /// The partner that claims. A partner's people leave it out or name their own. Administrators, the only role of the
    /// vendor that may submit, have to name one.
    partner_id: Option<ID>,
    /// The programme; the only active one when left out.
    program_id: Option<ID>,
    /// The customer.
    customer: RegisteredCustomerInput,
    /// What is to be sold: 1 to 50 products, each once. The place is taken for each product family among them.
    products: Vec<ProductLineInput>,
    /// Whether the customer buys something new or goes on with what it has; incentive plans pay by it.
    #[graphql(default)]
    business: DealBusiness,
    /// What the deal is worth; more than zero.
    value: MoneyInput,
    /// When the customer is expected to buy; not in the past in `timeZone`.
    expected_close_on: Date,
    /// The IANA time zone in which protection is counted, such as `Europe/Berlin`; the programme's when left out.
    time_zone: Option<String>,
    /// What the customer needs; at most 4,000 characters.
    need: Option<String>,
    /// Who else is after the deal; at most 200 characters.
    competitor: Option<String>,
    /// People at the customer; at most ten.
    #[graphql(default)]
    contacts: Vec<ContactAtCustomerInput>,
}

/// The customer of a claim, as the partner knows it.
#[derive(Clone, Debug, InputObject)]
pub struct RegisteredCustomerInput {
    /// The name; 1 to 200 characters.
    name: String,
    /// A domain, web address or email address of the customer in any spelling. This is the most reliable way to
    /// identify a customer. A page path or an unknown subdomain may belong to another company and is only a hint.
    /// Hosts that many companies share, such as mail services and social networks, are ignored.
    domain: Option<String>,
    /// The country.
    country: Option<CountryCode>,
    /// The number in a public register, such as a commercial register or D-U-N-S; at most 60 characters. The same number
    /// in one country is the same customer: name the court where numbers are unique to it only, as in Germany.
    registration_number: Option<String>,
    /// A phone number; at most 60 characters.
    phone: Option<String>,
}

/// A product and how many of it.
#[derive(Clone, Debug, InputObject)]
pub struct ProductLineInput {
    /// The product.
    product_id: ID,
    /// How many; at least 1.
    #[graphql(default = 1)]
    quantity: i32,
}

/// A person at the customer.
#[derive(Clone, Debug, InputObject)]
pub struct ContactAtCustomerInput {
    /// The name; 1 to 200 characters.
    name: String,
    /// An e-mail address.
    email: Option<EmailAddress>,
    /// The part the person plays, such as buyer or sponsor; at most 100 characters.
    role: Option<String>,
}

/// A registration to be taken up for review.
#[derive(Clone, Debug, InputObject)]
pub struct DealRegistrationReviewStartInput {
    /// The registration.
    registration_id: ID,
    /// The version that you saw; refused with `STALE_OBJECT` when it is another one now.
    expected_version: Option<i32>,
}

/// A question to the partner.
#[derive(Clone, Debug, InputObject)]
pub struct DealRegistrationRequestInfoInput {
    /// The registration.
    registration_id: ID,
    /// The question; mandatory, at most 4,000 characters. The partner reads it.
    note: Option<String>,
    /// The version that you saw; refused with `STALE_OBJECT` when it is another one now.
    expected_version: Option<i32>,
}

/// The partner's answer to a question.
#[derive(Clone, Debug, InputObject)]
pub struct DealRegistrationAnswerInput {
    /// The registration.
    registration_id: ID,
    /// The answer; 1 to 4,000 characters.
    note: String,
    /// The version that you saw; refused with `STALE_OBJECT` when it is another one now.
    expected_version: Option<i32>,
}

/// An approval.
#[derive(Clone, Debug, InputObject)]
pub struct DealRegistrationApproveInput {
    /// The registration.
    registration_id: ID,
    /// Words to the partner; at most 4,000 characters.
    note: Option<String>,
    /// Set it when you have compared the customer with those of other open registrations that look like it, and it is
    /// another company. Without it such a registration is refused with `CONFLICT`.
    #[graphql(default)]
    different_customer: bool,
    /// The version that you saw; refused with `STALE_OBJECT` when it is another one now.
    expected_version: Option<i32>,
}

/// A rejection.
#[derive(Clone, Debug, InputObject)]
pub struct DealRegistrationRejectInput {
    /// The registration.
    registration_id: ID,
    /// Why; mandatory.
    reason: Option<RejectionReason>,
    /// The reviewer's words; mandatory, at most 4,000 characters. The partner reads them.
    note: Option<String>,
    /// The version that you saw; refused with `STALE_OBJECT` when it is another one now.
    expected_version: Option<i32>,
}

/// A claim that is taken back.
#[derive(Clone, Debug, InputObject)]
pub struct DealRegistrationWithdrawInput {
    /// The registration.
    registration_id: ID,
    /// Why; at most 4,000 characters.
    note: Option<String>,
    /// The version that you saw; refused with `STALE_OBJECT` when it is another one now.
    expected_version: Option<i32>,
}

/// A request for longer protection.
#[derive(Clone, Debug, InputObject)]
pub struct DealRegistrationExtendInput {
    /// The registration.
    registration_id: ID,
    /// What was done since the approval; 1 to 4,000 characters.
    evidence: String,
    /// The version that you saw; refused with `STALE_OBJECT` when it is another one now.
    expected_version: Option<i32>,
}

impl DealRegistrationSubmitInput {
    /// The claim, with every text still to be checked.
    pub fn command(self) -> Submit {
        let customer = ClaimedCustomer {
            name: self.customer.name,
            domain: self.customer.domain,
            country: self.customer.country.map(|country| country.0),
            registration_number: self.customer.registration_number,
            phone: self.customer.phone,
        };
        Submit {
            partner: self.partner_id.map(|text| id(&text)),
            program: self.program_id.map(|text| id(&text)),
            customer,
            lines: lines(&self.products),
            business: self.business,
            value: amount(self.value),
            expected_close_on: self.expected_close_on.0,
            time_zone: self.time_zone,
            need: self.need,
            competitor: self.competitor,
            contacts: self
                .contacts
                .into_iter()
                .map(ContactAtCustomerInput::contact)
                .collect(),
        }
    }
}

impl ContactAtCustomerInput {
    fn contact(self) -> Contact {
        Contact {
            name: self.name,
            email: self.email.map(|email| email.0),
            role: self.role,
        }
    }
}

/// Product lines as typed.
pub fn lines(inputs: &[ProductLineInput]) -> Vec<Line> {
    let line = |input: &ProductLineInput| Line {
        product: id(&input.product_id),
        quantity: input.quantity.into(),
    };
    inputs.iter().map(line).collect()
}

/// An amount as typed.
pub fn amount(input: MoneyInput) -> Amount {
    Amount {
        amount: input.amount.0,
        currency: input.currency.0,
    }
}

/// Reads an input into a step of the review.
macro_rules! steps {
    ($($input:ident: $note:ident;)+) => {$(
        impl $input {
            /// The step.
            pub fn command(self) -> Step {
                Step {
                    registration: id(&self.registration_id),
                    note: note!(self, $note),
                    expected_version: self.expected_version.map(i64::from),
                }
            }
        }
    )+};
}

macro_rules! note {
    ($input:ident, none) => {
        None
    };
    ($input:ident, optional) => {
        $input.note
    };
    ($input:ident, mandatory) => {
        Some($input.note)
    };
}

steps! {
    DealRegistrationReviewStartInput: none;
    DealRegistrationRequestInfoInput: optional;
    DealRegistrationAnswerInput: mandatory;
    DealRegistrationWithdrawInput: optional;
}

impl DealRegistrationApproveInput {
    /// The approval.
    pub fn command(self) -> Approve {
        Approve {
            step: Step {
                registration: id(&self.registration_id),
                note: self.note,
                expected_version: self.expected_version.map(i64::from),
            },
            different_customer: self.different_customer,
        }
    }
}

impl DealRegistrationRejectInput {
    /// The rejection.
    pub fn command(self) -> Reject {
        Reject {
            step: Step {
                registration: id(&self.registration_id),
                note: self.note,
                expected_version: self.expected_version.map(i64::from),
            },
            reason: self.reason,
        }
    }
}

impl DealRegistrationExtendInput {
    /// The request.
    pub fn command(self) -> Extend {
        Extend {
            registration: id(&self.registration_id),
            evidence: self.evidence,
            expected_version: self.expected_version.map(i64::from),
        }
    }
}
