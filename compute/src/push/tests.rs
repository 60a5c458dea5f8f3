//! Encryption for a browser.

mod browser;
mod encryption;

use super::*;
use browser::Browser;

/// The sender's key of RFC 8291 section 5.
const PRIVATE: &str = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw";
