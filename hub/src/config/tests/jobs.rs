//! What the config says of jobs: triggers, schedules, where they are posted, who does them.

use super::*;

const WEBHOOK: &str = r#"
    [webhooks.llm]
    url = "https://llm.example.com/hook"
    secret = "a secret of thirty-two bytes or so"
"#;

const TRIGGER: &str = r#"
    [[app.todo.triggers]]
    id = "answer"
    table = "tasks"
    when = "insert"
    condition = [{field = "done", equals = false}, {field = "title", is = "set"}]
    job = "webhook"
    args = {to = "llm", data = {title = "$after.title", all = "$after"}}
"#;

const SCHEDULE: &str = r#"
    [[app."a.b".schedules]]
    id = "digest"
    cron = "0 7 * * MON-FRI"
    timezone = "Europe/Berlin"
    job = "webhook"
    args = {to = "llm"}
"#;

/// The endpoint, for jobs of one app.
fn open_to(app: &str) -> String {
    format!("{WEBHOOK}apps = [\"{app}\"]\n")
}

fn all() -> String {
    format!("{WEBHOOK}{TRIGGER}{SCHEDULE}")
}

#[test]
fn triggers_and_schedules_are_read_by_app() {
    let config = load(&all(), &[]).unwrap();
    let apps: Vec<&str> = config.app.keys().map(AppId::as_str).collect();
    assert_eq!(apps, ["a.b", "todo"]);
    let triggers = crate::jobs::AppTriggers::of(&config.app, config.jobs.depth_max).unwrap();
    assert!(!triggers.of_app(&AppId::trusted("todo")).is_empty());
    assert!(triggers.of_app(&AppId::trusted("a.b")).is_empty());
    assert!(triggers.of_app(&AppId::trusted("other")).is_empty());
}

/// An operator may take what is shown for a file, but for the secrets.
#[test]
fn what_is_shown_of_them_can_be_read_again() {
    let config = load(&all(), &[]).unwrap();
    let shown = config.settings();
    assert!(!shown.contains("thirty-two"), "{shown}");
    assert!(!shown.contains("llm.example.com"), "{shown}");
    let secrets = [
        ("HUB__WEBHOOKS__LLM__URL", "https://llm.example.com/hook"),
        (
            "HUB__WEBHOOKS__LLM__SECRET",
            "a secret of thirty-two bytes or so",
        ),
    ];
    let again = load(&shown, &secrets).unwrap();
    assert_eq!(again.app, config.app);
    assert_eq!(again.webhooks, config.webhooks);
}

#[test]
fn a_secret_may_come_from_the_environment() {
    let toml = "[webhooks.llm]\nurl = \"https://llm.example.com/\"";
    let said = refused(toml, &[]);
    assert!(said.contains("webhooks webhook \"llm\": secret"), "{said}");
    let secret = (
        "HUB__WEBHOOKS__LLM__SECRET",
        "a secret of thirty-two bytes or so",
    );
    assert!(load(toml, &[secret]).is_ok());
}

#[test]
fn what_cannot_be_done_is_told_and_where() {
    let with = |toml: &str, from: &str, to: &str| {
        assert!(toml.contains(from), "{from}");
        refused(&toml.replace(from, to), &[])
    };
    let cases = [
        (
            r#"job = "webhook""#,
            r#"job = "fax""#,
            r#"answer: job: nobody does "fax""#,
        ),
        (
            r#"to = "llm","#,
            r#"to = "nobody","#,
            "answer: args: there is no [webhooks.nobody]",
        ),
        (
            r#"to = "llm","#,
            "",
            "answer: args: a webhook's name the endpoint",
        ),
        (r#"id = "answer""#, r#"id = """#, "app todo: trigger : id"),
        (
            r#""$after.title""#,
            r#""$title""#,
            "app todo: trigger answer: args: ",
        ),
        (
            r#"0 7 * * MON-FRI"#,
            "0 7 31 2 *",
            "app a.b: schedule digest: cron",
        ),
        ("Europe/Berlin", "Europe/Atlantis", "timezone"),
        ("https://", "http://", "http is for what is private"),
        (
            r#"when = "insert""#,
            r#"when = "upsert""#,
            "unknown variant `upsert`",
        ),
    ];
    for (from, to, expected) in cases {
        let said = with(&all(), from, to);
        assert!(said.contains(expected), "{expected} in {said}");
        assert!(
            !said.contains("HUB__APP"),
            "no variable can hold it: {said}"
        );
    }
    let twice = format!("{}{TRIGGER}", all());
    assert!(refused(&twice, &[]).contains("there are two of this id"));
    let twice = format!("{}{SCHEDULE}", all());
    assert!(refused(&twice, &[]).contains("there are two of this id"));
    let unserved = format!("apps = [\"notes\"]\n{}", all());
    assert!(refused(&unserved, &[]).contains("app todo: is not one of the apps in apps"));
}

/// What would only be found out when a job is given up.
#[test]
fn what_can_never_be_done_is_told_at_the_start() {
    let trigger = |members: &str| {
        format!(
            "{WEBHOOK}[[app.todo.triggers]]\nid = \"t\"\ntable = \"events\"\nwhen = \"any\"\n{members}"
        )
    };
    let schedule = |members: &str| {
        format!("{WEBHOOK}[[app.todo.schedules]]\nid = \"s\"\ncron = \"@daily\"\n{members}")
    };
    let occurrences = |into: &str, per: &str| {
        let args = format!("{{do = \"occurrences\", into = \"{into}\", days = 7}}");
        trigger(&format!(
            "job = \"recurrence\"\nper = \"{per}\"\nargs = {args}"
        ))
    };
    let webhook = |members: &str| trigger(&format!("job = \"webhook\"\n{members}"));
    for toml in [
        occurrences("occurrences", "record"),
        webhook("args = {to = \"$after.to\", data = \"x\"}").replace(WEBHOOK, &open_to("todo")),
        webhook("args = {to = \"llm\"}").replace(WEBHOOK, &open_to("todo")),
        webhook("args = {to = \"llm\"}\nper = \"record\"\nordered = false"),
        schedule("job = \"webhook\"\nargs = {to = \"llm\", data = \"$after\"}"),
    ] {
        assert!(load(&toml, &[]).is_ok(), "{toml}");
    }
    for (toml, expected) in [
        (
            occurrences("events", "record"),
            "t: args: into: the events' own table",
        ),
        (
            occurrences("occurrences", "commit"),
            "t: per: occurrences are kept by one job of each event",
        ),
        (
            trigger("job = \"recurrence\"\nargs = {do = \"next\", done_is = \"yes\"}"),
            "t: args: set: the next instance would be done too",
        ),
        (
            webhook("args = {to = \"llm\", text = \"$after.text\"}"),
            "t: args: a webhook's are `to` and `data`, not \"text\"",
        ),
        (
            webhook("args = {to = \"$after.to\"}"),
            "webhook \"llm\": apps: it must say whose jobs it takes",
        ),
        (
            webhook("args = {to = \"llm\"}").replace(WEBHOOK, &open_to("chat")),
            "webhook \"llm\": apps: t of app todo posts to it",
        ),
        (
            webhook("args = {to = \"$after\"}"),
            "t: args: there is no [webhooks.$after]",
        ),
        (
            webhook("args = {to = \"$$llm\"}"),
            "t: args: there is no [webhooks.$$llm]",
        ),
        (
            webhook("args = {to = \"llm\"}\nper = \"record\""),
            "trigger t: per: a record's one job",
        ),
        (
            schedule("job = \"recurrence\"\nargs = {do = \"next\"}"),
            "s: job: what repeats is a record, and a schedule has none",
        ),
        (
            schedule("job = \"webhook\"\nargs = {to = \"$after.to\"}"),
            "s: args: there is no [webhooks.$after.to]",
        ),
    ] {
        let said = refused(&toml, &[]);
        assert!(said.contains(expected), "{expected} in {said}");
    }
    let slash = webhook("args = {to = \"llm\"}").replace("id = \"t\"", "id = \"a/b\"");
    let said = refused(&slash, &[]);
    assert!(said.contains("trigger a/b: id: / and #"), "{said}");
}

#[test]
fn a_node_has_a_role_and_one_of_a_file_has_both() {
    assert_eq!(load("", &[]).unwrap().roles, Role::ALL);
    let postgres = ("HUB__STORE__URL", "postgres://syncline@127.0.0.1/syncline");
    let role = |role| ("HUB__ROLES", role);
    let roles = |env: &[(&str, &str)]| load("", env).map(|config| config.roles);
    assert_eq!(roles(&[role("sync")]).unwrap(), [Role::Sync]);
    assert_eq!(
        roles(&[postgres, role("compute")]).unwrap(),
        [Role::Compute]
    );
    assert_eq!(roles(&[role("compute, sync,sync")]).unwrap(), Role::ALL);
    let said = roles(&[role("compute")]).unwrap_err();
    assert!(said.contains("a SQLite file has one hub"), "{said}");
    assert!(roles(&[role("both")]).is_err());
    assert!(load("roles = []", &[]).is_err());
}

/// It lets nobody in, so it need not know whose tokens are good.
#[test]
fn a_node_that_takes_no_connections_needs_no_issuer() {
    let env = [
        ("HUB__STORE__URL", "postgres://syncline@127.0.0.1/syncline"),
        ("HUB__ROLES", "compute"),
    ];
    let sources = Sources {
        env: env.map(|(key, value)| (key.into(), value.into())).to_vec(),
        ..Sources::default()
    };
    assert!(Config::load(&sources).is_ok());
    let dev = Sources {
        dev: true,
        ..sources
    };
    let said = Config::load(&dev).unwrap_err().to_string();
    assert!(said.contains("the development issuer needs it"), "{said}");
}
