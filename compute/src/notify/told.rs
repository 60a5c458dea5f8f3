//! What the deliverer tells of what it does, for metrics and logs.

use syncline_storage::jobs::JobError;

use crate::reminders::Channel;

/// What became of a notification at one device, in one try. Whose changes are not written is told
/// again by the next try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// How it was to be told.
    pub channel: Channel,
    /// What became of it.
    pub how: Outcome,
    /// How long after the notification could be told, in milliseconds.
    pub lag_ms: u64,
    /// Why it is not sent, for people. It names no user and no address.
    pub error: Option<JobError>,
}

/// What became of a notification, at the end. Told again as what became of it at a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// A device has it, at least.
    Delivered,
    /// There were devices, and none has it.
    Undelivered,
    /// There was no device to deliver it to.
    Nobody,
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Who delivers has it.
    Sent,
    /// It was given up.
    Failed,
    /// There is no such device any more.
    Gone,
    /// It is tried again.
    Retried,
}
