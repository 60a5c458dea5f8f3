//! kill -9: the operating system lives on and has what was written.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use syncline_storage::faulty::Prng;
use syncline_tests::load::Ack;

use super::{check_left, runtime};

const SEED: u64 = 0x5eed_0001;
const KILLS: usize = 20;
const SPACES: usize = 4;

/// Acknowledged commits before a kill; how many more is drawn from the seed.
const ACKS_MIN: u64 = 50;
const ACKS_MORE: u64 = 300;

/// Runs the load until it has acknowledged so many commits, and kills it. Returns what it
/// acknowledged, what was still in the pipe included.
fn load_and_kill(dir: &Path, acks: u64) -> Vec<Ack> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_commit_load"))
        .arg(dir)
        .arg(SPACES.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut read = || lines.next().and_then(|line| Ack::from_line(&line.unwrap()));
    let mut acked: Vec<Ack> = (0..acks)
        .map(|_| read().expect("the load writes on"))
        .collect();
    child.kill().unwrap();
    acked.extend(std::iter::from_fn(read));
    child.wait().unwrap();
    acked
}

#[test]
fn every_acknowledged_commit_survives_kill_9() {
    println!("seed {SEED}");
    let mut random = Prng::new(SEED);
    let dir = tempfile::tempdir().unwrap();
    let mut acked = Vec::new();
    for kill in 0..KILLS {
        acked.extend(load_and_kill(
            dir.path(),
            ACKS_MIN + random.below(ACKS_MORE),
        ));
        let left = runtime().block_on(check_left(dir.path(), SPACES, &acked));
        assert_eq!(left, Ok(()), "seed {SEED}, kill {kill}");
    }
}
