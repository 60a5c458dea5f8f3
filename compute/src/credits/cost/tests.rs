//! Costs, and tries that end anywhere.

use super::*;

mod world;

fn cost(job: &str, app: Option<&str>, amount: u64) -> CostConfig {
    CostConfig {
        job: job.to_owned(),
        app: app.map(str::to_owned),
        amount,
    }
}

fn of(configs: &[CostConfig]) -> Result<Costs, Vec<String>> {
    Costs::of(configs, |job| job == "webhook" || job == "notify")
}

#[test]
fn an_apps_own_cost_is_before_that_of_all() {
    let costs = of(&[
        cost("webhook", None, 1),
        cost("webhook", Some("chat"), 5),
        cost("webhook", Some("todo"), 0),
    ]);
    let costs = costs.unwrap();
    let amount = |app: &str, job: &str| costs.amount(&AppId::trusted(app), &JobKind::trusted(job));
    assert_eq!(amount("chat", "webhook"), 5);
    assert_eq!(amount("todo", "webhook"), 0);
    assert_eq!(amount("other", "webhook"), 1);
    assert_eq!(amount("chat", "notify"), 0);
}

#[test]
fn costs_have_limits_and_are_said_once() {
    assert!(of(&[cost("webhook", None, COST_MAX)]).is_ok());
    let said = of(&[
        cost("webhook", None, COST_MAX + 1),
        cost("webhook", None, 1),
        cost("dig", Some("todo"), 1),
    ]);
    let expected = [
        "credits: cost of \"dig\": there is no such kind of job",
        "credits: cost of \"webhook\": amount: at most 1000000",
        "credits: cost of \"webhook\": it is said twice for an app",
    ];
    assert_eq!(said.unwrap_err(), expected);
    let many = |count: usize| -> Vec<CostConfig> {
        let apps = (0..count).map(|n| format!("a{n}"));
        apps.map(|app| cost("webhook", Some(&app), 1)).collect()
    };
    assert!(of(&many(COSTS_MAX)).is_ok());
    let said = of(&many(COSTS_MAX + 1)).unwrap_err();
    assert_eq!(said, ["credits: there are more than 1000 costs"]);
}

#[test]
fn credits_that_ran_out_meanwhile_are_seen() {
    let (mut charge, _) = Charge::of("job".to_owned(), "1.1".to_owned(), 3);
    charge.step(Event::Reserved(Ok(ReservationId(1))));
    charge.step(Event::Worked(Went::Well));
    let ended = charge.step(Event::Settled(Err(NotDone::Over)));
    assert_eq!(ended, Effect::End(Ending::Unpaid));
}

#[test]
fn what_cannot_be_released_runs_out() {
    let (mut charge, _) = Charge::of("job".to_owned(), "1.1".to_owned(), 3);
    charge.step(Event::Reserved(Ok(ReservationId(1))));
    charge.step(Event::Worked(Went::Badly));
    let ended = charge.step(Event::Released(Err(NotDone::Unknown)));
    assert_eq!(ended, Effect::End(Ending::AsWorked));
}

#[test]
#[should_panic(expected = "is no answer while")]
fn an_answer_to_nothing_is_a_fault() {
    let (mut charge, _) = Charge::of("job".to_owned(), "1.1".to_owned(), 3);
    charge.step(Event::Worked(Went::Well));
}
