"""Alerts and dashboard ask for what a running hub shows, and probes are answered as they expect."""

import json
import re
import unittest

import promql_parser
import yaml

import hub
from chart import CHART, FULLNAME, ROOT, hub_pods, one, render, variant

# What Prometheus adds to every series, and the series it makes by itself.
ADDED_LABELS = {"namespace", "job", "pod", "instance"}
OF_PROMETHEUS = {"up"}

# A token that is well formed, so that the hub looks for its key.
TOKEN = "eyJhbGciOiJFZERTQSIsImtpZCI6ImsxIn0.eyJzdWIiOiJhZGEiLCJleHAiOjQxMDI0NDQ4MDB9." + "A" * 86


def alerts():
    """(group, rule) as the chart renders them."""
    rules = one(variant("postgres"), "PrometheusRule")
    return [(group["name"], rule) for group in rules["spec"]["groups"] for rule in group["rules"]]


def dashboard():
    data = one(variant("postgres"), "ConfigMap", f"{FULLNAME}-dashboard")["data"]
    return json.loads(data["syncline.json"])


def panels():
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def queries():
    """(where, query), with a value for each variable of Grafana."""
    for _, rule in alerts():
        yield rule["alert"], rule["expr"]
    for panel in panels():
        for target in panel["targets"]:
            query = target["expr"].replace("$__rate_interval", "5m")
            yield panel["title"], query.replace("$namespace", "n").replace("$job", "j")


def selectors(node):
    """Every selector of series below a node of a parsed query."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for name in ("expr", "lhs", "rhs", "vector_selector", "vs", "param"):
        below = getattr(node, name, None)
        if below is not None and not isinstance(below, str):
            yield from selectors(below)
    for below in getattr(node, "args", None) or []:
        yield from selectors(below)


def chosen_by(selector, all_series):
    """Whether a sample has the name and labels that a selector asks for."""

    def holds(matcher, labels):
        value = labels.get(matcher.name, "")
        matches = matcher.value == value
        if matcher.op in (promql_parser.MatchOp.Re, promql_parser.MatchOp.NotRe):
            matches = re.fullmatch(matcher.value, value) is not None
        wanted = matcher.op in (promql_parser.MatchOp.Equal, promql_parser.MatchOp.Re)
        return matches is wanted

    matchers = [m for m in selector.matchers.matchers if m.name not in ADDED_LABELS]
    return any(
        name == selector.name and all(holds(matcher, labels) for matcher in matchers)
        for name, labels in all_series
    )


class Observed(unittest.TestCase):
    """One hub for all: on NATS, with an issuer that is not there."""

    @classmethod
    def setUpClass(cls):
        address = cls.enterClassContext(hub.service("nats"))
        env = {"HUB__NATS__URL": address, "HUB__AUTH__JWKS_URL": "http://127.0.0.1:9/jwks.json"}
        cls.public, cls.admin = cls.enterClassContext(hub.running(env))
        cls.bearer = {"Authorization": f"Bearer {TOKEN}"}
        cls.refused, _ = hub.ask(cls.public, "/v1/todo/changes?epoch=e&after=0", headers=cls.bearer)
        hub.ask(cls.public, "/v1/todo/snapshot")
        cls.ready, _ = hub.ask(cls.admin, "/ready")
        hub.ask(cls.admin, "/health")
        connected = "\nsyncline_bus_connected 1\n"
        hub.until(cls.shown_with(connected), "a connection to NATS")
        # The first count of jobs.
        counted = '\nsyncline_jobs{kind="webhook",state="dead"} 0\n'
        cls.metrics = hub.until(cls.shown_with(counted), "a count of jobs")
        cls.series = hub.series(cls.metrics)

    @classmethod
    def shown_with(cls, line):
        def look():
            _, text = hub.ask(cls.admin, "/metrics")
            return text if line in text else None

        return look

    def test_every_query_can_be_read(self):
        for where, query in queries():
            with self.subTest(where):
                promql_parser.parse(query)

    def test_every_series_asked_for_is_shown_by_a_running_hub(self):
        asked = 0
        for where, query in queries():
            for selector in selectors(promql_parser.parse(query)):
                asked += 1
                if selector.name not in OF_PROMETHEUS:
                    with self.subTest(where, selector=str(selector)):
                        self.assertTrue(chosen_by(selector, self.series))
        # More than one for each query, or they were not found in it.
        self.assertGreater(asked, len(list(queries())))

    def test_every_metric_of_the_hub_is_on_the_dashboard_or_in_an_alert(self):
        def plain(name):
            return re.sub(r"_(bucket|sum|count)$", "", name)

        names = {plain(name) for name, _ in self.series if name.startswith("syncline_")}
        parsed = [promql_parser.parse(query) for _, query in queries()]
        asked = {plain(selector.name) for query in parsed for selector in selectors(query)}
        # How many there are says less than their bytes, and falling asleep is no event.
        names -= {"syncline_cache_entries", "syncline_session_sleeps_total"}
        self.assertEqual(names - asked, set())

    def test_the_scaler_looks_at_a_metric_of_the_hub(self):
        scaler = one(variant("100k"), "HorizontalPodAutoscaler")
        name = scaler["spec"]["metrics"][0]["pods"]["metric"]["name"]
        self.assertIn((name, {}), self.series)

    def test_a_hub_that_is_not_ready_is_alive(self):
        for _, template in hub_pods(variant("postgres")):
            container = template["spec"]["containers"][0]
            answers = {
                probe: hub.ask(self.admin, container[probe]["httpGet"]["path"])[0]
                for probe in ("startupProbe", "readinessProbe", "livenessProbe")
            }
            self.assertEqual(
                answers, {"startupProbe": 200, "readinessProbe": 503, "livenessProbe": 200}
            )

    def test_metrics_are_where_prometheus_is_sent(self):
        (endpoint,) = one(variant("postgres"), "ServiceMonitor")["spec"]["endpoints"]
        self.assertEqual(hub.ask(self.admin, endpoint["path"])[0], 200)


class Documented(unittest.TestCase):
    TEXT = (ROOT / "docs" / "observability.md").read_text()

    def test_every_metric_of_the_hub_is_named(self):
        sources = (ROOT / "hub" / "src").rglob("*.rs")
        made = {name for path in sources for name in re.findall(r'"(syncline_\w+)"', path.read_text())}
        self.assertGreater(len(made), 60)
        named = set(re.findall(r"`(syncline_\w+)`", self.TEXT))
        self.assertEqual(made - named, set())
        # And nothing else, but for what is said with a label.
        self.assertLessEqual(named, made)

    def test_every_field_that_is_logged_is_explained(self):
        fields = set()
        for crate in ("hub", "cluster", "compute", "storage"):
            for path in (ROOT / crate / "src").rglob("*.rs"):
                # Up to the message; what has no field begins with it.
                calls = re.findall(r"\b(?:info|warn|error|debug)!\(([^;]*?)\"[\w{]", path.read_text())
                for call in calls:
                    fields |= set(re.findall(r"(?:^|,)\s*[%?]?([a-z][a-z_]*)\s*(?=[,=.])", call))
        self.assertGreater(len(fields), 25)
        _, _, logs = self.TEXT.partition("## Logs")
        explained = set(re.findall(r"`([a-z_]+)`", logs.partition("## Traces")[0]))
        self.assertEqual(fields - explained, set())


class Alerts(unittest.TestCase):
    def test_there_are_enough_and_each_says_what_to_do(self):
        self.assertGreaterEqual(len(alerts()), 12)
        for _, rule in alerts():
            with self.subTest(rule["alert"]):
                self.assertIn(rule["labels"]["severity"], ("critical", "warning"))
                for text in ("summary", "description", "runbook_url"):
                    self.assertTrue(rule["annotations"][text])

    def test_every_alert_has_a_runbook_and_every_runbook_an_alert(self):
        text = (ROOT / "docs" / "runbooks.md").read_text()
        anchors = {title.lower() for title in re.findall(r"^## (.+)$", text, re.MULTILINE)}
        linked = {rule["annotations"]["runbook_url"] for _, rule in alerts()}
        self.assertEqual(linked, {f"docs/runbooks.md#{anchor}" for anchor in anchors})
        for _, rule in alerts():
            anchor = rule["annotations"]["runbook_url"].rpartition("#")[2]
            self.assertEqual(anchor, rule["alert"].lower())

    def test_a_runbook_says_what_it_means_where_to_look_and_what_to_do(self):
        text = (ROOT / "docs" / "runbooks.md").read_text()
        for section in text.split("\n## ")[1:]:
            for word in ("**Means**", "**Look**", "**Do**"):
                self.assertEqual(section.count(word), 1, section.splitlines()[0])

    def test_links_inside_the_runbooks_lead_somewhere(self):
        text = (ROOT / "docs" / "runbooks.md").read_text()
        anchors = {title.lower() for title in re.findall(r"^## (.+)$", text, re.MULTILINE)}
        self.assertLessEqual(set(re.findall(r"\]\(#(\w+)\)", text)), anchors)

    def test_settings_that_runbooks_name_are_settings(self):
        text = (ROOT / "docs" / "runbooks.md").read_text()
        schema = json.loads((CHART / "values.schema.json").read_text())["$defs"]["config"]
        for key in re.findall(r"`config\.([a-z_.]+)`", text):
            at = schema
            for name in key.split("."):
                self.assertIn(name, at["properties"], key)
                at = at["properties"][name]

    def test_limits_in_alerts_are_the_hubs(self):
        over = {"config": {"gateway": {"sockets_max": 4321}, "session": {"pending_node_bytes": 7654321}}}
        text = yaml.safe_dump(one(render("postgres", over), "PrometheusRule"))
        self.assertIn("0.85 * 4321", text)
        self.assertIn("0.8 * 7654321", text)
        for placeholder in ("SELECTOR", "RUNBOOKS", "_MAX"):
            self.assertNotIn(placeholder, text)

    def test_alerts_are_of_their_own_release(self):
        for _, rule in alerts():
            for selector in selectors(promql_parser.parse(rule["expr"])):
                matchers = {m.name: m.value for m in selector.matchers.matchers}
                self.assertEqual(matchers["namespace"], "sync", rule["alert"])
                self.assertRegex(f"{FULLNAME}-admin", f"^{matchers['job']}$")
                # Pods that do jobs are no help to devices that find nobody.
                is_of_all = rule["alert"] != "SynclineAbsent"
                of_compute = re.fullmatch(matchers["job"], f"{FULLNAME}-compute-admin")
                self.assertIs(of_compute is not None, is_of_all, rule["alert"])


class Dashboard(unittest.TestCase):
    def test_every_panel_says_what_it_shows_and_in_which_unit(self):
        for panel in panels():
            with self.subTest(panel["title"]):
                self.assertTrue(panel["title"])
                self.assertTrue(panel["description"].endswith("."))
                self.assertTrue(panel["fieldConfig"]["defaults"]["unit"])
                self.assertTrue(panel["targets"])

    def test_no_two_panels_have_one_title_number_or_place(self):
        every = dashboard()["panels"]
        self.assertEqual(len({panel["id"] for panel in every}), len(every))
        self.assertEqual(len({panel["title"] for panel in every}), len(every))
        cells = [
            (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
            for panel in every
            for x in range(panel["gridPos"]["w"])
            for y in range(panel["gridPos"]["h"])
        ]
        self.assertEqual(len(cells), len(set(cells)))
        self.assertLess(max(x for x, _ in cells), 24)

    def test_it_is_of_one_release_at_a_time(self):
        for panel in panels():
            for target in panel["targets"]:
                self.assertIn('namespace="$namespace",job=~"$job"', target["expr"])

    def test_the_chart_gives_it_out_as_it_is(self):
        file = json.loads((CHART / "files" / "dashboard.json").read_text())
        self.assertEqual(dashboard(), file)
