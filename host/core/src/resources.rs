//! What of a machine stages hold while they run: named [`Amounts`], and the [`Ledger`] in which processes claim them (walk,
//! step 7).
//!
//! It is bookkeeping between dewar's processes: a stage is kept waiting until what it says it needs is free. What its commands
//! then really take is not limited.

mod amount;
mod ledger;

pub use amount::{Amount, AmountError, Amounts, from_settings};
pub use ledger::{Claim, ClaimError, Ledger};
