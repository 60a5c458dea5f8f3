"""What the objects say fits together."""

import json
import unittest

from chart import (
    FULLNAME,
    ISSUER,
    ON_POSTGRES,
    VARIANTS,
    hub_pods,
    merged,
    of_kind,
    one,
    pods,
    render,
    variant,
)

PROBES = ["startupProbe", "readinessProbe", "livenessProbe"]


def each_hub():
    for name in VARIANTS:
        for pod, template in hub_pods(variant(name)):
            yield f"{name}: {pod}", template


def config_of(objects, template):
    ref = template["spec"]["containers"][0]["envFrom"][0]["configMapRef"]["name"]
    return one(objects, "ConfigMap", ref)["data"]


def matches(selector, labels):
    return all(labels.get(key) == value for key, value in selector.items())


class Stopping(unittest.TestCase):
    def test_a_pod_is_killed_only_after_its_hub_had_time_to_drain(self):
        for name in VARIANTS:
            objects = variant(name)
            for pod, template in hub_pods(objects):
                with self.subTest(f"{name}: {pod}"):
                    spec = template["spec"]
                    before = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
                    drain = int(config_of(objects, template)["HUB__DRAIN_S"])
                    self.assertGreater(spec["terminationGracePeriodSeconds"], before + drain)

    def test_the_grace_period_follows_the_drain(self):
        def grace(drain_s):
            over = merged(ISSUER, ON_POSTGRES, {"config": {"drain_s": drain_s}})
            return one(render(over=over), "Deployment")["spec"]["template"]["spec"][
                "terminationGracePeriodSeconds"
            ]

        self.assertEqual(grace(300) - grace(30), 270)

    def test_pods_that_do_jobs_have_their_own_time_to_finish_them(self):
        objects = variant("compute")
        of = {
            pod: template["spec"]["terminationGracePeriodSeconds"]
            for pod, template in hub_pods(objects)
        }
        hub, compute = (of[f"Deployment/{FULLNAME}"], of[f"Deployment/{FULLNAME}-compute"])
        # 240 s of drain, and 30.
        self.assertEqual(compute - hub, 210)

    def test_a_new_hub_is_there_before_an_old_one_goes(self):
        for name in VARIANTS:
            for deployment in of_kind(variant(name), "Deployment"):
                if deployment["metadata"]["name"].endswith("-nats"):
                    continue
                rolling = deployment["spec"]["strategy"]["rollingUpdate"]
                self.assertEqual((rolling["maxSurge"], rolling["maxUnavailable"]), (1, 0))


class Probes(unittest.TestCase):
    def test_each_probe_asks_what_it_is_for(self):
        for label, template in each_hub():
            with self.subTest(label):
                hub = template["spec"]["containers"][0]
                asked = {probe: hub[probe]["httpGet"]["path"] for probe in PROBES}
                self.assertEqual(
                    asked,
                    {
                        "startupProbe": "/health",
                        "readinessProbe": "/ready",
                        "livenessProbe": "/health",
                    },
                )
                self.assertEqual(len({json.dumps(hub[probe]) for probe in PROBES}), 3)

    def test_a_hub_may_wait_for_its_store_for_minutes_and_is_then_given_up_slowly(self):
        for label, template in each_hub():
            with self.subTest(label):
                hub = template["spec"]["containers"][0]

                def seconds(probe):
                    return hub[probe]["periodSeconds"] * hub[probe]["failureThreshold"]

                self.assertGreaterEqual(seconds("startupProbe"), 120)
                self.assertGreater(seconds("livenessProbe"), seconds("readinessProbe"))

    def test_probes_ask_a_port_that_is_there(self):
        for name in VARIANTS:
            for pod, _, spec in pods(variant(name)):
                for container in spec["containers"]:
                    ports = {port["name"] for port in container.get("ports", [])}
                    for probe in PROBES:
                        for action in ("httpGet", "tcpSocket"):
                            asked = container.get(probe, {}).get(action)
                            if asked:
                                self.assertIn(asked["port"], ports, f"{name}: {pod} {probe}")


class Selectors(unittest.TestCase):
    def test_workloads_select_their_own_pods_alone(self):
        for name in VARIANTS:
            objects = variant(name)
            for workload in of_kind(objects, "Deployment") + of_kind(objects, "StatefulSet"):
                own = f"{workload['kind']}/{workload['metadata']['name']}"
                selector = workload["spec"]["selector"]["matchLabels"]
                chosen = [pod for pod, labels, _ in pods(objects) if matches(selector, labels)]
                self.assertEqual(chosen, [own], name)

    def test_services_select_pods_of_one_kind_that_have_their_port(self):
        for name in VARIANTS:
            objects = variant(name)
            for service in of_kind(objects, "Service"):
                selector = service["spec"]["selector"]
                chosen = [spec for _, labels, spec in pods(objects) if matches(selector, labels)]
                self.assertEqual(len(chosen), 1, f"{name}: {service['metadata']['name']}")
                ports = {port["name"] for port in chosen[0]["containers"][0]["ports"]}
                for port in service["spec"]["ports"]:
                    self.assertIn(port["targetPort"], ports)

    def test_nothing_leads_to_a_pod_that_does_jobs_but_its_admin_port(self):
        for name in ["compute", "postgres"]:
            objects = variant(name)
            by_name = {pod: (labels, spec) for pod, labels, spec in pods(objects)}
            labels, spec = by_name[f"Deployment/{FULLNAME}-compute"]
            ports = [port["name"] for port in spec["containers"][0]["ports"]]
            self.assertEqual(ports, ["admin"])
            self.assertNotIn("tls", [volume["name"] for volume in spec["volumes"]])
            services = [
                service["metadata"]["name"]
                for service in of_kind(objects, "Service")
                if matches(service["spec"]["selector"], labels)
            ]
            self.assertEqual(services, [f"{FULLNAME}-compute-admin"])

    def test_the_budget_and_the_scaler_are_of_the_hubs(self):
        for name in VARIANTS:
            objects = variant(name)
            for budget in of_kind(objects, "PodDisruptionBudget"):
                selector = budget["spec"]["selector"]["matchLabels"]
                chosen = [pod for pod, labels, _ in pods(objects) if matches(selector, labels)]
                self.assertEqual(chosen, [f"Deployment/{FULLNAME}"])
            for scaler in of_kind(objects, "HorizontalPodAutoscaler"):
                target = scaler["spec"]["scaleTargetRef"]
                deployment = one(objects, target["kind"], target["name"])
                # Two that set it would undo each other.
                self.assertNotIn("replicas", deployment["spec"])

    def test_a_lone_hub_has_no_budget(self):
        self.assertEqual(of_kind(variant("embedded"), "PodDisruptionBudget"), [])

    def test_routes_lead_to_the_public_service_alone(self):
        for name in VARIANTS:
            objects = variant(name)
            public = one(objects, "Service", FULLNAME)["spec"]["ports"][0]
            for ingress in of_kind(objects, "Ingress"):
                for rule in ingress["spec"]["rules"]:
                    backend = rule["http"]["paths"][0]["backend"]["service"]
                    self.assertEqual(backend["name"], FULLNAME)
                    self.assertEqual(backend["port"]["name"], public["name"])
            for route in of_kind(objects, "HTTPRoute"):
                for rule in route["spec"]["rules"]:
                    (backend,) = rule["backendRefs"]
                    self.assertEqual((backend["name"], backend["port"]), (FULLNAME, public["port"]))
                    self.assertEqual(rule["timeouts"]["request"], "0s")

    def test_prometheus_finds_every_admin_port(self):
        for name in VARIANTS:
            objects = variant(name)
            for monitor in of_kind(objects, "ServiceMonitor"):
                selector = monitor["spec"]["selector"]["matchLabels"]
                found = [
                    service["metadata"]["name"]
                    for service in of_kind(objects, "Service")
                    if matches(selector, service["metadata"]["labels"])
                ]
                hubs = [pod for pod, _ in hub_pods(objects)]
                self.assertEqual(len(found), len(hubs), name)
                port = monitor["spec"]["endpoints"][0]["port"]
                for service in found:
                    ports = one(objects, "Service", service)["spec"]["ports"]
                    self.assertIn(port, [each["name"] for each in ports])


class Scaling(unittest.TestCase):
    def test_nodes_are_taken_away_one_at_a_time_and_not_before_the_last_has_drained(self):
        objects = variant("100k")
        (policy,) = one(objects, "HorizontalPodAutoscaler")["spec"]["behavior"]["scaleDown"]["policies"]
        self.assertEqual((policy["type"], policy["value"]), ("Pods", 1))
        for _, template in hub_pods(objects):
            grace = template["spec"]["terminationGracePeriodSeconds"]
            self.assertGreater(policy["periodSeconds"], grace)

    def test_sockets_are_what_it_looks_at_first(self):
        metric = one(variant("100k"), "HorizontalPodAutoscaler")["spec"]["metrics"][0]
        self.assertEqual(metric["pods"]["metric"]["name"], "syncline_sockets")

    def test_half_of_the_nodes_can_carry_a_hundred_thousand(self):
        objects = variant("100k")
        fewest = one(objects, "HorizontalPodAutoscaler")["spec"]["minReplicas"]
        for _, template in hub_pods(objects):
            most = int(config_of(objects, template)["HUB__GATEWAY__SOCKETS_MAX"])
            self.assertGreaterEqual(most * fewest / 2, 100_000)


class Sqlite(unittest.TestCase):
    def test_it_is_one_hub_with_a_volume_that_stays(self):
        objects = variant("embedded")
        self.assertEqual(of_kind(objects, "Deployment"), [])
        spec = one(objects, "StatefulSet")["spec"]
        self.assertEqual(spec["replicas"], 1)
        self.assertEqual(spec["persistentVolumeClaimRetentionPolicy"]["whenDeleted"], "Retain")
        claim = spec["volumeClaimTemplates"][0]["metadata"]["name"]
        mounts = spec["template"]["spec"]["containers"][0]["volumeMounts"]
        self.assertIn({"name": claim, "mountPath": "/data"}, mounts)
        headless = one(objects, "Service", spec["serviceName"])
        self.assertEqual(headless["spec"]["clusterIP"], "None")

    def test_other_stores_leave_nothing_on_the_node(self):
        for name in ["postgres", "scylla", "100k", "trial"]:
            for _, template in hub_pods(variant(name)):
                volume = next(v for v in template["spec"]["volumes"] if v["name"] == "data")
                self.assertIn("emptyDir", volume)


class Restarts(unittest.TestCase):
    def checksums(self, over):
        template = one(render(over=over), "Deployment")["spec"]["template"]
        return template["metadata"]["annotations"]

    def test_a_changed_setting_restarts_the_hubs(self):
        base = merged(ISSUER, ON_POSTGRES)
        before = self.checksums(base)
        after = self.checksums(merged(base, {"config": {"session": {"idle_ms": 7}}}))
        self.assertNotEqual(before["checksum/config"], after["checksum/config"])
        self.assertEqual(before["checksum/secret"], after["checksum/secret"])

    def test_a_changed_file_restarts_the_hubs_and_the_pods_that_do_jobs(self):
        base = merged(ISSUER, ON_POSTGRES, {"compute": {"enabled": True}})
        changed = merged(base, {"configFile": "[app.todo]\n"})
        for workload in (FULLNAME, f"{FULLNAME}-compute"):
            before, after = (
                one(render(over=over), "Deployment", workload)["spec"]["template"]["metadata"]
                for over in (base, changed)
            )
            checksum = "checksum/config"
            self.assertNotEqual(before["annotations"][checksum], after["annotations"][checksum])

    def test_a_changed_secret_of_the_chart_restarts_the_hubs(self):
        base = merged(ISSUER, ON_POSTGRES, {"serviceKey": {"value": "one"}})
        before = self.checksums(base)
        after = self.checksums(merged(base, {"serviceKey": {"value": "two"}}))
        self.assertNotEqual(before["checksum/secret"], after["checksum/secret"])

    def test_another_number_of_hubs_restarts_none(self):
        base = merged(ISSUER, ON_POSTGRES)
        more = merged(base, {"replicas": 5})
        self.assertEqual(self.checksums(base), self.checksums(more))

    def test_the_same_values_render_the_same_objects(self):
        again = merged(ISSUER, ON_POSTGRES, {"imagePullSecrets": []})
        self.assertEqual(render(over=merged(ISSUER, ON_POSTGRES)), render(over=again))


