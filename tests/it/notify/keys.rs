//! The key pair by which push services know a hub.

use crate::process::hub;

#[test]
fn what_is_printed_is_a_config_with_a_new_key_each_time() {
    let dir = tempfile::tempdir().unwrap();
    let printed = || {
        let output = hub(dir.path(), &["vapid"]).output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    let (one, two) = (printed(), printed());
    assert_ne!(one, two);
    std::fs::write(dir.path().join("hub.toml"), &one).unwrap();
    let checked = hub(dir.path(), &["check-config", "--dev"])
        .output()
        .unwrap();
    let shown = String::from_utf8(checked.stdout).unwrap();
    assert!(checked.status.success(), "{shown}");
    let private = one.lines().find(|line| line.starts_with("private_key"));
    let private = private.unwrap().split('"').nth(1).unwrap();
    assert!(
        shown.contains("push.private_key") && !shown.contains(private),
        "{shown}"
    );
}
