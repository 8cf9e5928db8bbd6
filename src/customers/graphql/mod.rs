//! The API of `customers`.

pub mod change;
pub mod customer;

pub use change::{CustomerCreateInput, CustomerMutation, CustomerUpdateInput};
pub use customer::{
    Customer, CustomerConnection, CustomerEdge, CustomerFilter, CustomerOrder, CustomerOrderField,
    CustomerQuery,
};
