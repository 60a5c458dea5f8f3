//! Carries out what [`super::shedding`] decides.

use std::sync::Arc;
use std::time::Duration;

use syncline_cluster::directory::Listed;
use syncline_cluster::heartbeat::{Instance, Standing};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::info;

use super::nodes::Nodes;
use super::shedding::{Seen, Shedding};
use crate::config::ClusterConfig;
use crate::gateway::Gateway;

/// From one step to the next.
const STEP: Duration = Duration::from_secs(1);

/// Gives sockets away while this node has many more than others, for ever.
pub(crate) async fn rebalance(config: ClusterConfig, nodes: Nodes, gateway: Arc<Gateway>) {
    if config.shed_per_s == 0 {
        return;
    }
    let mut shedding = Shedding::new(config.shed_per_s);
    let mut steps = interval(STEP);
    steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let young = Duration::from_secs(config.shed_after_s);
    let mut was_shedding = false;
    loop {
        steps.tick().await;
        let seen = seen(&nodes.list(), nodes.own(), young);
        let count = shedding.step(&seen, Instant::now());
        if count > 0 && !was_shedding {
            info!(sockets = seen.own, others = ?seen.others, "this node sheds sockets");
        }
        was_shedding = count > 0;
        let shed = gateway.sockets.shed(count);
        gateway.metrics.sockets_shed.inc_by(shed);
    }
}

fn seen(listed: &[Listed], own: Instance, young: Duration) -> Seen {
    let is_own = |listed: &&Listed| listed.said.instance == own;
    let takes_sockets = |listed: &&Listed| listed.said.standing != Standing::Working;
    let others = listed
        .iter()
        .filter(|listed| !is_own(listed))
        .filter(takes_sockets);
    let is_settled =
        |listed: &Listed| listed.said.standing == Standing::Serving && listed.known_for >= young;
    Seen {
        own: listed.iter().find(is_own).map_or(0, |own| own.said.sockets),
        others: others.map(|listed| listed.said.sockets).collect(),
        is_settled: listed.iter().filter(takes_sockets).all(is_settled),
    }
}

#[cfg(test)]
mod tests {
    use syncline_cluster::heartbeat::Heartbeat;
    use syncline_protocol::ids::NodeId;

    use super::*;

    fn listed(instance: u64, sockets: u64, (standing, known_s): (Standing, u64)) -> Listed {
        let said = Heartbeat {
            node: NodeId::trusted("n"),
            instance: Instance(instance),
            no: 1,
            version: String::new(),
            started_at_ms: 0,
            standing,
            sockets,
            sessions: 0,
            commits_per_s: 0,
        };
        Listed {
            said,
            ago: Duration::ZERO,
            known_for: Duration::from_secs(known_s),
            shares_name: false,
        }
    }

    #[test]
    fn it_is_settled_when_all_serve_and_none_is_young() {
        let young = Duration::from_secs(60);
        for (other, is_settled) in [
            ((Standing::Serving, 60), true),
            ((Standing::Serving, 59), false),
            ((Standing::Draining, 99), false),
        ] {
            let all = [listed(1, 10, (Standing::Serving, 60)), listed(2, 20, other)];
            let seen = seen(&all, Instance(1), young);
            assert_eq!(seen.is_settled, is_settled, "{other:?}");
            assert_eq!((seen.own, seen.others), (10, vec![20]));
        }
    }

    /// They take none, however many others have.
    #[test]
    fn nodes_that_only_do_jobs_are_given_no_sockets() {
        let all = [
            listed(1, 10, (Standing::Serving, 60)),
            listed(2, 0, (Standing::Working, 1)),
            listed(3, 20, (Standing::Serving, 60)),
        ];
        let seen = seen(&all, Instance(1), Duration::from_secs(60));
        assert!(seen.is_settled);
        assert_eq!((seen.own, seen.others), (10, vec![20]));
    }
}
