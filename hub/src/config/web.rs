//! Files for browsers, beside the sync routes.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Problems;

/// What stands at `/`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebConfig {
    /// A directory with an `index.html`, whose files the public listener serves to anybody: a web
    /// app on the hub's own origin. What is in its `assets` may be kept by browsers for ever, so
    /// names there must change with their content. Default none: a plain page.
    pub dir: Option<PathBuf>,
}

impl WebConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        if let Some(dir) = &self.dir
            && !dir.join("index.html").is_file()
        {
            let why = format!("names {}, where no index.html is", dir.display());
            problems.push("web.dir", why);
        }
    }
}
