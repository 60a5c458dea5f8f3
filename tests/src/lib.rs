//! What the whole-hub tests share with the programs they start.

pub mod load;
