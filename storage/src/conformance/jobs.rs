//! What every store of jobs must do: see [`crate::JobStore`].

pub(crate) mod desk;
pub mod ending;
pub mod fairness;
pub mod fenced;
pub mod lanes;
pub mod leasing;
pub mod passing;
pub mod people;
pub mod putting;
pub mod racing;
pub mod replaying;

use std::pin::Pin;

use crate::{JobStore, Store};

/// A store of spaces and of their jobs.
pub trait WithJobs: Store + JobStore {}

impl<S: Store + JobStore> WithJobs for S {}

/// A behaviour, ready to be run on a store.
pub type Behaviour = for<'a> fn(&'a dyn WithJobs) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;
