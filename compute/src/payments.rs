//! Payments: money that becomes credits, by way of Stripe.
//!
//! [`gateway`] is the seam: what is asked of who takes the money, and [`stripe`] asks Stripe. What comes back
//! comes as webhooks: [`signature`] says whether Stripe sent one, [`event`] reads it, [`payment`] is what is
//! known of a payment and what follows for the ledger, by the [`packages`] that are sold; [`debt`] is what
//! becomes of credits that are taken back and spent. All but `stripe` is pure. Nothing is stored here, and no
//! request taken.

pub mod debt;
pub mod event;
pub mod gateway;
pub mod packages;
pub mod payment;
pub mod signature;
pub mod stripe;
