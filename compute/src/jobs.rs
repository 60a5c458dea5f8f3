//! What is decided about jobs: when they are tried again and given up ([`retry`]), how long a worker
//! may hold one ([`lease`]), when a schedule is due ([`cron`]) and which jobs are of schedules
//! ([`schedules`]). Their store is [`syncline_storage::JobStore`].

pub mod cron;
pub mod lease;
pub mod retry;
pub mod schedules;
