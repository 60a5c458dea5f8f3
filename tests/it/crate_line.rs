//! The crates form a strict line; what is above may use what is below, never the reverse.

use std::path::Path;

/// From the bottom up.
const LINE: [&str; 5] = ["protocol", "storage", "cluster", "compute", "hub"];

fn dependencies(krate: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let manifest = std::fs::read_to_string(root.join(krate).join("Cargo.toml")).unwrap();
    manifest
        .lines()
        .filter_map(|line| line.trim().strip_prefix("syncline-"))
        .filter_map(|rest| Some(rest.split(['.', ' ', '=']).next()?.to_owned()))
        .collect()
}

#[test]
fn a_crate_depends_only_on_crates_below_it() {
    for (at, krate) in LINE.iter().enumerate() {
        for used in dependencies(krate) {
            let below = LINE[..at].contains(&used.as_str());
            assert!(below, "{krate} may not depend on {used}");
        }
    }
    // The reading of manifests itself sees something.
    assert!(dependencies("hub").contains(&"protocol".to_owned()));
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
