"""A Kubernetes API server that runs as long as it is used, and what is asked of it."""

import contextlib
import json
import pathlib
import ssl
import subprocess
import time
import urllib.error
import urllib.request

import yaml

from chart import ROOT

KUBE = str(ROOT / "tests" / "services" / "kube.sh")

# What the controllers do is done within moments, or never.
PATIENCE_S = 60

# So often a request is sent that the server wants later.
TRIES = 10

# Where each kind that the chart makes is found.
PATHS = {
    "ConfigMap": ("api/v1", "configmaps"),
    "PersistentVolumeClaim": ("api/v1", "persistentvolumeclaims"),
    "Pod": ("api/v1", "pods"),
    "Secret": ("api/v1", "secrets"),
    "Service": ("api/v1", "services"),
    "ServiceAccount": ("api/v1", "serviceaccounts"),
    "Deployment": ("apis/apps/v1", "deployments"),
    "ReplicaSet": ("apis/apps/v1", "replicasets"),
    "StatefulSet": ("apis/apps/v1", "statefulsets"),
    "HorizontalPodAutoscaler": ("apis/autoscaling/v2", "horizontalpodautoscalers"),
    "PodDisruptionBudget": ("apis/policy/v1", "poddisruptionbudgets"),
    "Ingress": ("apis/networking.k8s.io/v1", "ingresses"),
    "NetworkPolicy": ("apis/networking.k8s.io/v1", "networkpolicies"),
    "HTTPRoute": ("apis/gateway.networking.k8s.io/v1", "httproutes"),
    "ServiceMonitor": ("apis/monitoring.coreos.com/v1", "servicemonitors"),
    "PrometheusRule": ("apis/monitoring.coreos.com/v1", "prometheusrules"),
}


class Refused(Exception):
    """The server said no; the text is its reason."""


class Api:
    """Requests as the administrator of a kubeconfig."""

    def __init__(self, kubeconfig):
        config = yaml.safe_load(pathlib.Path(kubeconfig).read_text())
        self.kubeconfig = kubeconfig
        self.server = config["clusters"][0]["cluster"]["server"]
        self.token = config["users"][0]["user"]["token"]
        # A throw-away server signs for itself.
        self.tls = ssl._create_unverified_context()

    def _open(self, method, path, body=None):
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(
            f"{self.server}/{path}", method=method, headers=headers,
            data=None if body is None else json.dumps(body).encode(),
        )  # fmt: skip
        for left in reversed(range(TRIES)):
            try:
                return urllib.request.urlopen(request, context=self.tls, timeout=PATIENCE_S)
            except urllib.error.HTTPError as error:
                if error.code != 429 or not left:
                    raise Refused(error.read().decode()) from None
                # A new kind is not served at once; the server says when to come again.
                time.sleep(int(error.headers.get("Retry-After", 1)))

    def get(self, path):
        with self._open("GET", path) as answer:
            return json.load(answer)

    def create(self, path, object):
        with self._open("POST", path, object) as answer:
            return json.load(answer)

    def listed(self, kind, namespace, selector=""):
        group, plural = PATHS[kind]
        query = f"?labelSelector={urllib.request.quote(selector)}"
        return self.get(f"{group}/namespaces/{namespace}/{plural}{query}")["items"]

    def dry_run(self, object, namespace):
        """Has an object validated and admitted, and not stored. Unknown fields are errors."""
        group, plural = PATHS[object["kind"]]
        query = "?dryRun=All&fieldValidation=Strict"
        return self.create(f"{group}/namespaces/{namespace}/{plural}{query}", object)

    def until(self, path, is_so, what):
        """The items of a collection once `is_so` of them. Each change is waited for, not time."""
        end = time.monotonic() + PATIENCE_S
        while True:
            listed = self.get(path)
            if is_so(listed["items"]):
                return listed["items"]
            if time.monotonic() > end:
                names = [item["metadata"]["name"] for item in listed["items"]]
                raise AssertionError(f"{what} did not happen; there are {names}")
            version = listed["metadata"]["resourceVersion"]
            with self._open("GET", f"{path}?watch=1&timeoutSeconds=10&resourceVersion={version}") as changes:
                changes.readline()


@contextlib.contextmanager
def server():
    """An Api of a server of our own, with the custom kinds that the chart may use."""
    with subprocess.Popen([KUBE, "run"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as kube:
        try:
            kubeconfig = kube.stdout.readline().strip()
            if not kubeconfig:
                raise AssertionError("no API server")
            api = Api(kubeconfig)
            kinds = subprocess.run([KUBE, "kinds"], capture_output=True, text=True, check=True)
            definitions = "apis/apiextensions.k8s.io/v1/customresourcedefinitions"
            for file in sorted(pathlib.Path(kinds.stdout.strip()).glob("*.yaml")):
                for definition in yaml.safe_load_all(file.read_text()):
                    # Other kinds of object stand beside some.
                    if definition and definition["kind"] == "CustomResourceDefinition":
                        api.create(definitions, definition)
            api.until(definitions, are_served, "the custom kinds")
            yield api
        finally:
            kube.stdin.close()


def are_served(definitions):
    return len(definitions) >= 3 and all(
        any(each["type"] == "Established" and each["status"] == "True"
            for each in definition.get("status", {}).get("conditions", []))
        for definition in definitions
    )  # fmt: skip
