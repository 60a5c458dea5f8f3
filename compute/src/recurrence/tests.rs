//! What rules mean, against tables and against a naive expander; what they cost.
