//! A database that may be read and not written.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Output};

use super::{hub, start, text};

/// Runs `serve` as somebody whom permissions bind: root is bound by them too without this power.
fn serve_bound(dir: &Path) -> Output {
    let program = hub(dir, &["serve", "--dev"]);
    let mut bound = match fs::metadata("/proc/self").expect("a process").uid() {
        0 => {
            let mut setpriv = Command::new("setpriv");
            setpriv.args(["--bounding-set", "-dac_override,-dac_read_search"]);
            setpriv.args(["--inh-caps", "-all", "--"]);
            setpriv.arg(program.get_program());
            setpriv
        }
        _ => Command::new(program.get_program()),
    };
    bound.args(program.get_args()).current_dir(dir).env_clear();
    for (name, value) in program.get_envs() {
        bound.env(name, value.expect("a value"));
    }
    bound.output().expect("hub runs")
}

fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
}

#[test]
fn a_database_that_may_not_be_written_is_refused_at_the_start() {
    let dir = tempfile::tempdir().expect("a directory");
    assert_eq!(start(dir.path()).end("TERM").0, Some(0));
    let database = dir.path().join("data/hub.db");
    for (path, denied, given) in [
        (database.as_path(), 0o400, 0o600),
        (database.parent().expect("a directory"), 0o500, 0o700),
    ] {
        allow(path, denied);
        let refused = serve_bound(dir.path());
        allow(path, given);
        let told = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{told}");
        assert!(
            told.contains("store.url: ") && told.contains("hub.db"),
            "{told}"
        );
    }
    assert_eq!(start(dir.path()).end("TERM").0, Some(0));
}
