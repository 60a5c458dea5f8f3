"""What a pod may do, who may reach it, and where secrets are."""

import json
import unittest

from chart import VARIANTS, hub_pods, of_kind, one, pods, variant

# A part of each secret that the variants put into values. Those of webhooks cannot be put there.
SECRETS = ["hunter2", "open-sesame", "let-me_in"]


class PodSecurity(unittest.TestCase):
    def test_every_pod_is_restricted_and_more(self):
        for name in VARIANTS:
            for pod, _, spec in pods(variant(name)):
                with self.subTest(f"{name}: {pod}"):
                    security = spec["securityContext"]
                    self.assertIs(security["runAsNonRoot"], True)
                    self.assertGreater(security["runAsUser"], 10_000)
                    self.assertGreater(security["runAsGroup"], 10_000)
                    self.assertEqual(security["seccompProfile"]["type"], "RuntimeDefault")
                    self.assertIs(spec["automountServiceAccountToken"], False)
                    self.assertIs(spec["enableServiceLinks"], False)
                    for key in ("hostNetwork", "hostPID", "hostIPC"):
                        self.assertNotIn(key, spec)
                    for container in spec["containers"]:
                        own = container["securityContext"]
                        self.assertIs(own["readOnlyRootFilesystem"], True)
                        self.assertIs(own["allowPrivilegeEscalation"], False)
                        self.assertEqual(own["capabilities"], {"drop": ["ALL"]})

    def test_every_container_asks_for_what_it_needs_and_has_a_bound_of_memory(self):
        for name in VARIANTS:
            for pod, _, spec in pods(variant(name)):
                for container in spec["containers"]:
                    resources = container["resources"]
                    self.assertLessEqual({"cpu", "memory"}, set(resources["requests"]), pod)
                    self.assertIn("memory", resources["limits"], pod)

    def test_no_image_is_one_that_changes(self):
        for name in VARIANTS:
            for pod, _, spec in pods(variant(name)):
                for container in spec["containers"]:
                    _, _, tag = container["image"].rpartition(":")
                    self.assertNotIn(tag, ("", "latest"), pod)

    def test_what_a_hub_writes_is_on_a_volume(self):
        for name in VARIANTS:
            for pod, template in hub_pods(variant(name)):
                mounts = template["spec"]["containers"][0]["volumeMounts"]
                writable = [mount["mountPath"] for mount in mounts if not mount.get("readOnly")]
                self.assertEqual(writable, ["/data"], f"{name}: {pod}")

    def test_every_mount_has_its_volume(self):
        for name in VARIANTS:
            objects = variant(name)
            claims = {
                claim["metadata"]["name"]
                for set in of_kind(objects, "StatefulSet")
                for claim in set["spec"].get("volumeClaimTemplates", [])
            }
            for pod, _, spec in pods(objects):
                volumes = {volume["name"] for volume in spec.get("volumes", [])}
                for container in spec["containers"]:
                    for mount in container.get("volumeMounts", []):
                        self.assertIn(mount["name"], volumes | claims, f"{name}: {pod}")


class Secrets(unittest.TestCase):
    def test_a_secret_is_in_a_secret_alone(self):
        for name in VARIANTS:
            for object in variant(name):
                if object["kind"] == "Secret":
                    continue
                text = json.dumps(object)
                for secret in SECRETS:
                    self.assertNotIn(secret, text, f"{name}: {object['kind']}")

    def test_a_secret_of_the_values_reaches_the_hub(self):
        objects = variant("secrets-in-values")
        kept = one(objects, "Secret")["stringData"]
        self.assertEqual(set(kept), {"store-url", "service-key"})

    def test_with_existing_secrets_the_chart_makes_none(self):
        for name in ["postgres", "scylla", "100k", "embedded", "own-postgres-secret"]:
            self.assertEqual(of_kind(variant(name), "Secret"), [], name)

    def test_a_secret_that_the_chart_makes_holds_every_key_asked_of_it(self):
        for name in VARIANTS:
            objects = variant(name)
            made = {each["metadata"]["name"]: each["stringData"] for each in of_kind(objects, "Secret")}
            for pod, _, spec in pods(objects):
                for container in spec["containers"]:
                    for variable in container.get("env", []):
                        ref = variable.get("valueFrom", {}).get("secretKeyRef")
                        if ref and ref["name"] in made:
                            self.assertIn(ref["key"], made[ref["name"]], f"{name}: {pod}")


class Network(unittest.TestCase):
    def policy(self, name):
        return self.policies(name)["hub"]

    def policies(self, name):
        """Of each kind of pod that runs the hub."""
        found = {}
        for each in of_kind(variant(name), "NetworkPolicy"):
            component = each["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
            if component in ("hub", "compute"):
                self.assertNotIn(component, found)
                found[component] = each["spec"]
        return found

    def allowed(self, policy, direction):
        """(ports, peers) of each rule."""
        peers = {"ingress": "from", "egress": "to"}[direction]
        return [
            ({port["port"] for port in rule["ports"]}, rule.get(peers)) for rule in policy[direction]
        ]

    def test_the_admin_port_is_not_open_to_everybody(self):
        for name in VARIANTS:
            for component, policy in self.policies(name).items():
                ingress = self.allowed(policy, "ingress")
                rules = [peers for ports, peers in ingress if "admin" in ports]
                self.assertEqual(len(rules), 1, f"{name}: {component}")
                self.assertTrue(all(rules), f"{name}: {component}")

    def test_only_hubs_are_open_to_devices(self):
        for name in VARIANTS:
            for component, policy in self.policies(name).items():
                ports = [ports for ports, _ in self.allowed(policy, "ingress")]
                public = [{"public"}] if component == "hub" else []
                self.assertEqual(ports, [*public, {"admin"}], f"{name}: {component}")

    def test_a_hub_reaches_its_store_its_bus_and_the_web_and_nothing_else(self):
        expected = {
            "embedded": [{53}, {443}],
            "postgres": [{53}, {5432}, {4222}, {443}],
            "scylla": [{53}, {9042}, {4222}, {443}],
            "trial": [{53}, {5432}, {4222}, {443}],
        }
        for name, ports in expected.items():
            egress = self.allowed(self.policy(name), "egress")
            self.assertEqual([each for each, _ in egress], ports, name)

    def test_webhooks_are_let_out_of_the_pods_that_do_jobs_alone(self):
        web, inside = {443, 80}, {8025}
        expected = {
            "postgres": {"hub": [], "compute": [web]},
            "compute": {"hub": [], "compute": [web, inside]},
            "jobs-by-the-hubs": {"hub": [web, inside]},
            "jobs-on-sqlite": {"hub": [web, inside]},
            "jobs-by-nobody": {"hub": []},
            # None are posted to.
            "100k": {"hub": []},
        }
        for name, of in expected.items():
            found = {
                component: [
                    ports
                    for ports, _ in self.allowed(policy, "egress")
                    if ports in (web, inside)
                ]
                for component, policy in self.policies(name).items()
            }
            self.assertEqual(found, of, name)

    def test_the_web_is_no_private_network(self):
        for name in VARIANTS:
            looked_at = 0
            for policy in self.policies(name).values():
                for ports, peers in self.allowed(policy, "egress"):
                    if 443 in ports:
                        looked_at += 1
                        excepted = {net for peer in peers for net in peer["ipBlock"]["except"]}
                        self.assertLess({"10.0.0.0/8", "169.254.0.0/16", "fc00::/7"}, excepted)
            self.assertGreater(looked_at, 0, name)

    def test_servers_of_the_chart_are_reached_by_its_own_pods_alone(self):
        objects = variant("trial")
        for component in ["nats", "postgres"]:
            policy = one(objects, "NetworkPolicy", f"live-syncline-{component}")["spec"]
            self.assertEqual(policy["egress"], [])
            (rule,) = policy["ingress"]
            (peer,) = rule["from"]
            self.assertEqual(peer["podSelector"]["matchLabels"]["app.kubernetes.io/instance"], "live")

    def test_every_pod_of_the_hub_is_under_the_policy(self):
        for name in VARIANTS:
            policies = self.policies(name)
            for pod, template in hub_pods(variant(name)):
                labels = template["metadata"]["labels"]
                policy = policies.pop(labels["app.kubernetes.io/component"])
                chosen = policy["podSelector"]["matchLabels"].items()
                self.assertLessEqual(chosen, labels.items(), f"{name}: {pod}")
            # Nor is there one of nobody.
            self.assertEqual(policies, {}, name)
