//! rrule.js, which the first user's server expands with, in a Node process of its own.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::rules::Typical;

/// Expansions a second of each rule, and how many occurrences it has.
pub(crate) fn measure(script: &Path, rules: &[Typical], seconds: f64) -> Result<Vec<(f64, usize)>> {
    let rules = rules.iter().map(
        |typical| json!({"text": crate::text(typical), "from": typical.from, "to": typical.to}),
    );
    let ask = json!({"seconds": seconds, "rules": rules.collect::<Vec<_>>()});
    let output = Command::new("node")
        .arg(script)
        .arg(ask.to_string())
        .stderr(Stdio::inherit())
        .output()
        .context("node is not there")?;
    ensure!(
        output.status.success(),
        "rrule.js could not be run; see make bench-compute"
    );
    let answers: Vec<Value> = serde_json::from_slice(&output.stdout)?;
    let answer = |answer: &Value| {
        let rate = answer["rate"].as_f64().context("no rate")?;
        let count = answer["count"].as_u64().context("no count")?;
        Ok((rate, usize::try_from(count)?))
    };
    answers.iter().map(answer).collect()
}
