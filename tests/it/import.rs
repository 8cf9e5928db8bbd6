//! Taking over files of other systems: exact, repeatable, and honest about what it refuses.

mod data;
mod rows;

use data::{Files, numbers};
pub use data::import_crm;
use ensemble::entity::{audit_event, customer, deal, deal_participant, deal_product, deal_stage_change, enrollment, partner, partner_attribute, product, product_family};
use ensemble::partners::PartnerStatus;
use ensemble::deals::{ParticipantRole, ParticipantStatus, SalesStatus};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder};

use crate::{cases, support::TestApp};
