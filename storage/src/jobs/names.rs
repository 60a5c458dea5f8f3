//! What a job is called.

use std::fmt;
use std::sync::Arc;

use syncline_protocol::error::Refusal;
use syncline_protocol::ids::{SpaceKey, check_name};

use super::{JOB_KEY_BYTES_MAX, JOB_KIND_BYTES_MAX, JOB_LANE_BYTES_MAX, TRIGGER_BYTES_MAX};

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal, $bytes_max:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(Arc<str>);

        impl $type {
            #[doc = concat!("Parses a name of at most [`", stringify!($bytes_max),
                "`] from outside. Errors: `name_invalid`.")]
            pub fn parse(text: &str) -> Result<Self, Refusal> {
                check_name($what, text, $bytes_max)?;
                Ok(Self(text.into()))
            }

            /// A name that was checked before it was stored.
            pub fn trusted(text: &str) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
    };
}
pub(crate) use name;

name!(
    /// What is to be done, for example `webhook`: which pool does it.
    JobKind, "job kind", JOB_KIND_BYTES_MAX
);
name!(
    /// Which job of its kind: unique in a space.
    JobKey, "job key", JOB_KEY_BYTES_MAX
);
name!(
    /// Jobs that must be done one after the other.
    JobLane, "job lane", JOB_LANE_BYTES_MAX
);
name!(
    /// What asked for a job: a trigger or a schedule of the config.
    TriggerId, "trigger", TRIGGER_BYTES_MAX
);

/// A job's place. There is at most one job of a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobName {
    /// Whose it is.
    pub space: SpaceKey,
    /// What is to be done.
    pub kind: JobKind,
    /// Which of these.
    pub key: JobKey,
}

impl fmt::Display for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.space, self.kind, self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_64_bytes_and_no_more() {
        assert!(JobKind::parse(&"k".repeat(JOB_KIND_BYTES_MAX)).is_ok());
        assert!(JobKind::parse(&"k".repeat(JOB_KIND_BYTES_MAX + 1)).is_err());
        assert!(JobKind::parse("").is_err());
    }

    #[test]
    fn a_key_is_640_bytes_without_control_characters() {
        assert!(JobKey::parse(&"k".repeat(JOB_KEY_BYTES_MAX)).is_ok());
        assert!(JobKey::parse(&"k".repeat(JOB_KEY_BYTES_MAX + 1)).is_err());
        assert!(JobKey::parse("a\0b").is_err());
    }

    #[test]
    fn a_lane_is_640_bytes_and_no_more() {
        assert!(JobLane::parse(&"l".repeat(JOB_LANE_BYTES_MAX)).is_ok());
        assert!(JobLane::parse(&"l".repeat(JOB_LANE_BYTES_MAX + 1)).is_err());
        assert!(JobLane::parse("").is_err());
    }
}
