"""The chart as helm renders it.

A rendering is made of a values file of the chart, or none, and values laid over it. The variants
are those that all objects are looked at in.
"""

import functools
import json
import pathlib
import subprocess

import yaml

ROOT = pathlib.Path(__file__).parents[2]
CHART = ROOT / "helm"
RELEASE, NAMESPACE = "live", "sync"
FULLNAME = f"{RELEASE}-syncline"

VALUES_FILES = ["embedded", "postgres", "scylla", "100k"]

ISSUER = {"config": {"auth": {"jwks_url": "https://id.example.com/jwks.json"}}}
ON_POSTGRES = {"store": {"kind": "postgres", "existingSecret": {"name": "store"}}}
TRIAL = {
    "store": {"kind": "postgres", "existingSecret": {"name": ""}},
    "postgres": {"enabled": True, "auth": {"password": "let-me_in"}},
    "nats": {"enabled": True, "url": "", "auth": {"kind": "none", "existingSecret": ""}},
}
# Jobs of one app, posted to a server of the cluster whose secret is being changed; its users are told of
# reminders.
DIGEST = {
    "config": {
        "push": {"contact": "mailto:ops@example.com"},
        "mail": {"from": "Todo <todo@example.com>"},
        "telemetry": {"traces": {"endpoint": "http://collector.monitoring.svc:4318"}},
    },
    "tracesHeaders": {"existingSecret": {"name": "collector"}},
    "pushKey": {"existingSecret": {"name": "push"}},
    "mailUrl": {"existingSecret": {"name": "mail"}},
    "configFile": """
[webhooks.in-house]
url = "http://mailer.mail.svc:8025/hook"
private = true

[app.todo.reminders]
rest = true

[[app.todo.schedules]]
id = "digest"
cron = "0 7 * * MON-FRI"
timezone = "Europe/Berlin"
job = "webhook"
args = {to = "in-house", data = "digest"}
""",
    "webhookSecrets": {
        "in-house": {"name": "mailer", "key": "hook", "old": {"name": "mailer-old", "key": "hook"}}
    },
    "networkPolicy": {
        "webhookExtraEgress": [
            {
                "ports": [{"protocol": "TCP", "port": 8025}],
                "to": [{"namespaceSelector": {"matchLabels": {"name": "mail"}}}],
            }
        ]
    },
}
MONITORED = {kind: {"enabled": True} for kind in ("serviceMonitor", "prometheusRule", "dashboard")}


class HelmError(Exception):
    """helm refused; the text is what it said."""


def merged(*trees):
    """Values, the later laid over the earlier."""
    result = {}
    for tree in trees:
        for key, value in tree.items():
            both = isinstance(value, dict) and isinstance(result.get(key), dict)
            result[key] = merged(result[key], value) if both else value
    return result


# Name → (values file or None, values over it).
VARIANTS = {
    **{name: (name, {}) for name in VALUES_FILES},
    "trial": (None, merged(ISSUER, TRIAL, MONITORED)),
    "own-postgres-secret": (
        None,
        merged(ISSUER, TRIAL, {"postgres": {"auth": {"password": "", "existingSecret": "pg"}}}),
    ),
    "secrets-in-values": (
        None,
        merged(
            ISSUER,
            {
                "store": {"kind": "postgres", "url": "postgres://u:hunter2@db/hub"},
                "serviceKey": {"value": "open-sesame-open-sesame"},
            },
        ),
    ),
    "tls-everywhere": (
        None,
        merged(
            ISSUER,
            ON_POSTGRES,
            {
                "replicas": 2,
                "tls": {"existingSecret": "public-tls"},
                "store": {"caSecret": "store-ca"},
                "nats": {
                    "url": "tls://nats:4222",
                    "auth": {"kind": "nkey", "existingSecret": "nats"},
                    "tls": {"existingSecret": "nats-tls", "clientCertificate": True},
                },
            },
        ),
    ),
    "token-on-nats": (
        None,
        merged(
            ISSUER,
            ON_POSTGRES,
            {"nats": {"url": "nats://n:4222", "auth": {"kind": "token", "existingSecret": "nats"}}},
        ),
    ),
    "jobs-on-sqlite": ("embedded", DIGEST),
    "jobs-by-the-hubs": (None, merged(ISSUER, ON_POSTGRES, DIGEST, {"replicas": 2})),
    "jobs-by-nobody": (
        None,
        merged(ISSUER, ON_POSTGRES, DIGEST, {"config": {"roles": ["sync"]}}),
    ),
    "compute": (
        None,
        merged(
            ISSUER,
            ON_POSTGRES,
            DIGEST,
            {
                "tls": {"existingSecret": "public-tls"},
                "compute": {
                    "enabled": True,
                    "config": {
                        "drain_s": 240,
                        "session": {"cache_bytes": 1048576},
                        "jobs": {"concurrency": 4},
                    },
                },
            },
        ),
    ),
    "everything-else": (
        "postgres",
        {
            "imagePullSecrets": ["registry"],
            "image": {"digest": "sha256:" + "0" * 64},
            "bindAddress": "[::]",
            "service": {"type": "LoadBalancer", "loadBalancerSourceRanges": ["192.0.2.0/24"]},
            "networkPolicy": {
                "publicFrom": [{"ipBlock": {"cidr": "192.0.2.0/24"}}],
                "storeTo": [{"ipBlock": {"cidr": "198.51.100.0/24"}}],
                "natsTo": [{"namespaceSelector": {"matchLabels": {"name": "nats"}}}],
                "extraEgress": [{"ports": [{"protocol": "TCP", "port": 8443}]}],
            },
            "pod": {
                "annotations": {"a": "b"},
                "labels": {"team": "sync"},
                "nodeSelector": {"pool": "sync"},
                "tolerations": [{"key": "sync", "operator": "Exists"}],
                "priorityClassName": "high",
                "extraEnv": [{"name": "RUST_BACKTRACE", "value": "1"}],
            },
            "podDisruptionBudget": {"maxUnavailable": "25%"},
        },
    ),
}


@functools.cache
def _template(file, over):
    files = [] if file is None else ["--values", str(CHART / f"values-{file}.yaml")]
    command = ["helm", "template", RELEASE, str(CHART), "--namespace", NAMESPACE, *files]
    command += ["--values", "-"]
    done = subprocess.run(command, input=over, capture_output=True, text=True)
    if done.returncode:
        raise HelmError(done.stderr)
    return done.stdout


def render(file=None, over=None):
    """All objects. Raises HelmError."""
    text = _template(file, json.dumps(over or {}))
    return [object for object in yaml.safe_load_all(text) if object]


def variant(name):
    """All objects of a variant."""
    return render(*VARIANTS[name])


def of_kind(objects, kind, name=None):
    """Those of a kind and a name, where these are given."""
    return [
        object
        for object in objects
        if kind in (None, object.get("kind")) and name in (None, object["metadata"]["name"])
    ]


def one(objects, kind, name=None):
    """The only one there is."""
    (found,) = of_kind(objects, kind, name)
    return found


def pods(objects):
    """(name, labels, spec) of everything that becomes a pod."""
    for object in objects:
        name = f"{object['kind']}/{object['metadata']['name']}"
        if object["kind"] in ("Deployment", "StatefulSet"):
            template = object["spec"]["template"]
            yield name, template["metadata"]["labels"], template["spec"]
        elif object["kind"] == "Pod":
            yield name, object["metadata"]["labels"], object["spec"]


def hub_pods(objects):
    """Those that run the hub, as (name, template)."""
    for object in of_kind(objects, "Deployment") + of_kind(objects, "StatefulSet"):
        template = object["spec"]["template"]
        if template["spec"]["containers"][0]["name"] == "hub":
            yield f"{object['kind']}/{object['metadata']['name']}", template
