use super::*;

fn run(line: &str, env: &[(&str, &str)]) -> Result<(), CliError> {
    let cli = Cli::try_parse_from(line.split(' ')).unwrap();
    cli.run(env.iter().map(|(key, value)| (key.into(), value.into())))
}

#[test]
fn token_needs_dev() {
    let refused = run("hub token --user ada --ttl 60", &[]).unwrap_err();
    assert!(matches!(refused, CliError::NeedsDev));
}

#[test]
fn token_makes_the_key_in_the_data_directory() {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = dir.path().join("data");
    let env = [("HUB__DATA_DIR", data_dir.to_str().unwrap())];
    run("hub token --user ada --ttl 60 --dev", &env).unwrap();
    assert!(data_dir.join(crate::auth::DEV_KEY_FILE).exists());
    let refused = run("hub token --user @hub --ttl 60 --dev", &env).unwrap_err();
    assert!(matches!(refused, CliError::Refused(_)), "{refused}");
    let refused = run("hub token --user ada --ttl 0 --dev", &env).unwrap_err();
    assert!(matches!(refused, CliError::Refused(_)), "{refused}");
}

#[test]
fn check_config_refuses_what_serve_would_refuse() {
    assert!(run("hub check-config --dev", &[]).is_ok());
    let refused = run("hub check-config", &[]).unwrap_err();
    assert!(matches!(refused, CliError::Config(_)), "{refused}");
}

#[test]
fn version_is_shown_with_exit_code_0() {
    let shown = Cli::try_parse_from(["hub", "--version"]).unwrap_err();
    assert_eq!(shown.exit_code(), 0);
    let text = shown.to_string();
    assert_eq!(text.trim(), concat!("hub ", env!("CARGO_PKG_VERSION")));
}

#[test]
fn bad_line_has_exit_code_2() {
    for line in [
        "hub",
        "hub sing",
        "hub token",
        "hub serve --port 3",
        "hub import",
        "hub new-epoch --app todo",
        "hub import --from sync-changes",
        "hub import --from other postgres://localhost/d",
        "hub import --in a.jsonl postgres://localhost/d",
        "hub import --in a.jsonl --from sync-changes postgres://localhost/d",
    ] {
        let shown = Cli::try_parse_from(line.split(' ')).unwrap_err();
        assert_eq!(shown.exit_code(), 2, "{line}");
    }
}

#[test]
fn the_url_of_another_server_is_not_shown() {
    let line = "hub import --from sync-changes postgres://u:secret@localhost/d";
    let cli = Cli::try_parse_from(line.split(' ')).unwrap();
    assert!(!format!("{cli:?}").contains("secret"));
}
