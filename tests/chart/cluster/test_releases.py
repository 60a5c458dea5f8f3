"""Every values file on a real API server: installed, upgraded, rolled back and removed in a namespace
that enforces the `restricted` standard and a quota. There is no node, so pods are admitted and stay
pending; that the hub itself runs, other tests show."""

import json
import subprocess
import unittest

from api import PATHS, Refused, server
from chart import CHART, VARIANTS, merged, of_kind, one, render

RELEASE = "live"
OWN = f"app.kubernetes.io/instance={RELEASE}"

QUOTA = {
    "requests.cpu": "40",
    "requests.memory": "40Gi",
    "limits.memory": "60Gi",
    "pods": "30",
    "requests.storage": "100Gi",
}

# Too much for the quota, and otherwise as it should be.
GREEDY = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "greedy"},
    "spec": {
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": "greedy",
                "image": "greedy:1",
                "resources": {
                    "requests": {"cpu": "41", "memory": "1Gi"},
                    "limits": {"memory": "1Gi"},
                },
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"]},
                },
            }
        ],
    },
}


class OnAServer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.api = cls.enterClassContext(server())
        for name in VARIANTS:
            cls.make_namespace(f"of-{name}")
        # One of the variants names it.
        high = {"metadata": {"name": "high"}, "value": 1000}
        cls.api.create("apis/scheduling.k8s.io/v1/priorityclasses", high)

    @classmethod
    def make_namespace(cls, name):
        labels = {
            "pod-security.kubernetes.io/enforce": "restricted",
            "pod-security.kubernetes.io/enforce-version": "latest",
        }
        cls.api.create("api/v1/namespaces", {"metadata": {"name": name, "labels": labels}})
        cls.api.create(
            f"api/v1/namespaces/{name}/resourcequotas",
            {"metadata": {"name": "quota"}, "spec": {"hard": QUOTA}},
        )
        # Without it no pod of the namespace is admitted.
        accounts = f"api/v1/namespaces/{name}/serviceaccounts"
        cls.api.until(accounts, bool, "the namespace's account")

    def helm(self, command, *arguments, over=None):
        done = subprocess.run(
            ["helm", command, RELEASE, *arguments, "--namespace", self.namespace,
             "--kubeconfig", self.api.kubeconfig],
            input=json.dumps(over or {}), capture_output=True, text=True,
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def values(self):
        file = [] if self.file is None else ["--values", str(CHART / f"values-{self.file}.yaml")]
        return [str(CHART), *file, "--values", "-"]

    def pods(self):
        return f"api/v1/namespaces/{self.namespace}/pods"

    def stored_config(self):
        config = one(self.api.listed("ConfigMap", self.namespace, OWN), None, "live-syncline-config")
        return config["data"]

    def assert_pods_of(self, rendered):
        """Every workload has had its pods admitted."""
        wanted = sum(
            workload["spec"].get("replicas", 1)
            for workload in of_kind(rendered, "Deployment") + of_kind(rendered, "StatefulSet")
        )
        found = self.api.until(self.pods(), lambda pods: len(pods) >= wanted, f"{wanted} pods")
        # No node is there to take one.
        self.assertEqual({pod["status"]["phase"] for pod in found}, {"Pending"})

    def release(self, name):
        """A release's whole life, with values of a variant."""
        self.namespace = f"of-{name}"
        self.file, over = VARIANTS[name]
        rendered = render(self.file, over)

        said = self.helm("install", *self.values(), over=over)
        self.assertIn(f"helm test {RELEASE} --namespace {self.namespace}", said)
        self.assertEqual("for trying out" in said, "postgres" in over)
        for object in rendered:
            if object["kind"] != "Pod":
                stored = self.api.listed(object["kind"], self.namespace, OWN)
                one(stored, None, object["metadata"]["name"])
        self.assert_pods_of(rendered)
        before = self.stored_config()

        changed = merged(over, {"config": {"session": {"idle_ms": 4321}}})
        self.helm("upgrade", *self.values(), over=changed)
        self.assertEqual(self.stored_config()["HUB__SESSION__IDLE_MS"], "4321")
        for deployment in self.api.listed("Deployment", self.namespace, OWN):
            self.assert_rolls(deployment)

        self.helm("rollback", "1")
        self.assertEqual(self.stored_config(), before)

        self.helm("uninstall")
        self.api.until(self.pods(), lambda pods: not pods, "the end of the pods")
        for kind in PATHS:
            left = self.api.listed(kind, self.namespace, OWN)
            if kind == "PersistentVolumeClaim":
                # The data outlives the release.
                sets = of_kind(rendered, "StatefulSet")
                self.assertEqual(len(left), len(sets))
            elif kind not in ("ReplicaSet",):
                self.assertEqual([each["metadata"]["name"] for each in left], [], kind)

    def assert_rolls(self, deployment):
        """A changed setting makes new pods; a deployment without settings of the hub keeps its own."""
        name = deployment["metadata"]["name"]
        if name.endswith("-nats"):
            return
        sets = f"apis/apps/v1/namespaces/{self.namespace}/replicasets"

        def are_two(found):
            own = [s for s in found if s["metadata"]["ownerReferences"][0]["name"] == name]
            return len(own) == 2

        self.api.until(sets, are_two, f"the second version of {name}")

    def test_every_object_passes_the_servers_own_validation(self):
        namespace = "validated"
        self.make_namespace(namespace)
        # The pods' account, since nothing is stored here.
        account = one(render("postgres"), "ServiceAccount")
        self.api.create(f"api/v1/namespaces/{namespace}/serviceaccounts", account)
        for name, (file, over) in VARIANTS.items():
            for object in render(file, over):
                label = f"{name}: {object['kind']}/{object['metadata']['name']}"
                with self.subTest(label):
                    if object["kind"] != "ServiceAccount":
                        self.api.dry_run(object, namespace)

    def test_the_namespaces_refuse_a_pod_that_is_not_restricted(self):
        pod = merged(GREEDY, {"spec": {"hostNetwork": True}})
        with self.assertRaisesRegex(Refused, "violates PodSecurity"):
            self.api.dry_run(pod, "of-postgres")

    def test_the_namespaces_refuse_a_pod_over_the_quota(self):
        with self.assertRaisesRegex(Refused, "exceeded quota"):
            self.api.dry_run(GREEDY, "of-postgres")

    def test_the_server_refuses_a_field_it_does_not_know(self):
        service = one(render("postgres"), "Service", "live-syncline-admin")
        service = merged(service, {"spec": {"prots": []}})
        with self.assertRaisesRegex(Refused, "prots"):
            self.api.dry_run(service, "of-postgres")


def life_of(name):
    def test(self):
        self.release(name)

    return test


for _name in VARIANTS:
    _test = f"test_{_name.replace('-', '_')}_is_installed_upgraded_rolled_back_and_removed"
    setattr(OnAServer, _test, life_of(_name))
