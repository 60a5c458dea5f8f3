//! What a node is there for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A part of what hubs do. A node may do all of it, or leave some to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It takes connections of devices and servers.
    Sync,
    /// It does jobs.
    Compute,
}

impl Role {
    /// All of them.
    pub const ALL: [Role; 2] = [Role::Sync, Role::Compute];
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Sync => "sync",
            Role::Compute => "compute",
        })
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Role, String> {
        let found = Role::ALL.into_iter().find(|role| role.to_string() == text);
        found.ok_or_else(|| "must be one of \"sync\", \"compute\"".to_owned())
    }
}

/// Each once, in their order.
pub(super) fn each_once(mut roles: Vec<Role>) -> Vec<Role> {
    roles.sort_unstable();
    roles.dedup();
    roles
}
