//! The crates form a strict line; what is above may use what is below, never the reverse.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// From the bottom up.
const LINE: [&str; 5] = ["protocol", "storage", "cluster", "compute", "hub"];

/// The packages of a workspace with what each depends on, under the names they are published
/// by, as cargo reads its manifests: dependencies of any kind, table and target, renamed or not.
fn dependencies(root: &Path) -> Vec<(String, Vec<String>)> {
    let read = Command::new(env!("CARGO"))
        .current_dir(root)
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&read.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&read.stderr)));
    let name = |value: &Value| value["name"].as_str().unwrap().to_owned();
    let package = |package: &Value| {
        let used = package["dependencies"].as_array().unwrap();
        (name(package), used.iter().map(name).collect())
    };
    let packages = metadata["packages"].as_array().unwrap();
    packages.iter().map(package).collect()
}

/// What a crate of the line uses that is not below it.
fn upward(packages: &[(String, Vec<String>)]) -> Vec<String> {
    let place = |name: &str| {
        let krate = name.strip_prefix("syncline-")?;
        Some(
            LINE.iter()
                .position(|of_line| *of_line == krate)
                .unwrap_or(LINE.len()),
        )
    };
    let mut found = Vec::new();
    for (name, used) in packages {
        let Some(at) = place(name).filter(|at| *at < LINE.len()) else {
            continue;
        };
        let above = used
            .iter()
            .filter(|used| place(used).is_some_and(|of| of >= at));
        found.extend(above.map(|used| format!("{name} uses {used}")));
    }
    found
}

#[test]
fn a_crate_depends_only_on_crates_below_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let packages = dependencies(root);
    for krate in LINE {
        let name = format!("syncline-{krate}");
        assert!(packages.iter().any(|(found, _)| *found == name), "{name}");
    }
    assert_eq!(upward(&packages), Vec::<String>::new());
}

#[test]
fn a_dependency_is_seen_however_it_is_written() {
    for dependency in [
        "[dependencies]\nsyncline-hub = { path = \"../hub\" }",
        "[dependencies.syncline-hub]\npath = \"../hub\"",
        "[dependencies]\nother = { package = \"syncline-hub\", path = \"../hub\" }",
        "[target.'cfg(unix)'.dependencies]\nsyncline-hub = { path = \"../hub\" }",
        "[dev-dependencies]\nsyncline-hub.path = \"../hub\"",
    ] {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write(
            "Cargo.toml",
            "[workspace]\nmembers = [\"protocol\", \"hub\"]\nresolver = \"3\"",
        );
        for (krate, more) in [("protocol", dependency), ("hub", "")] {
            let head = format!(
                "[package]\nname = \"syncline-{krate}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n{more}"
            );
            write(&format!("{krate}/Cargo.toml"), &head);
            write(&format!("{krate}/src/lib.rs"), "");
        }
        let found = upward(&dependencies(dir.path()));
        assert_eq!(
            found,
            ["syncline-protocol uses syncline-hub"],
            "{dependency}"
        );
    }
}

#[test]
fn aws_lc_is_the_only_cryptography_provider() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let tree = std::process::Command::new(env!("CARGO"))
        .current_dir(root)
        .args([
            "tree",
            "--workspace",
            "--edges",
            "normal,build",
            "--prefix",
            "none",
        ])
        .args(["--offline", "--locked"])
        .output()
        .unwrap();
    let tree = String::from_utf8(tree.stdout).unwrap();
    let holds = |name: &str| {
        tree.lines()
            .any(|line| line.split(' ').next() == Some(name))
    };
    assert!(holds("aws-lc-rs"), "the tree was not read:\n{tree}");
    for banned in ["ring", "openssl-sys", "native-tls", "rsa"] {
        assert!(!holds(banned), "{banned} is in the tree");
    }
}
