"""What does not go together, and what is misspelled, is refused before anything is installed."""

import unittest

from chart import DIGEST, ISSUER, ON_POSTGRES, TRIAL, HelmError, merged, render

COMPUTE = merged(ON_POSTGRES, {"compute": {"enabled": True}})


def endpoint(line):
    """Values with an endpoint of which a line more is said."""
    file = f'[webhooks.llm]\nurl = "https://llm.example.com/"\n{line}\n'
    return {"configFile": file, "webhookSecrets": {"llm": {"name": "llm"}}}


# What is asked for, and a part of the answer.
BY_TEMPLATES = {
    "two hubs on one sqlite file": ({"replicas": 2}, "store.kind is sqlite"),
    "growing on sqlite": ({"autoscaling": {"enabled": True}}, "store.kind is sqlite"),
    "compute pods beside sqlite": ({"compute": {"enabled": True}}, "store.kind is sqlite"),
    "a url for sqlite": ({"store": {"url": "postgres://h/d"}}, "store.kind is sqlite"),
    "sqlite beside postgres": (
        {"postgres": {"enabled": True, "auth": {"password": "p"}}},
        "store.kind is sqlite",
    ),
    "postgres that is nowhere": ({"store": {"kind": "postgres"}}, "set one of"),
    "postgres in two places": (
        merged(ON_POSTGRES, {"store": {"url": "postgres://h/d"}}),
        "2 are set",
    ),
    "a url of another store": (
        {"store": {"kind": "scylla", "url": "postgres://h/d"}},
        "another store",
    ),
    "own postgres for scylla": (
        {"store": {"kind": "scylla"}, "postgres": {"enabled": True, "auth": {"password": "p"}}},
        "set store.kind to postgres",
    ),
    "own postgres without a password": (
        {"store": {"kind": "postgres"}, "postgres": {"enabled": True}},
        "postgres.auth",
    ),
    "nats in two places": ({"nats": {"enabled": True, "url": "nats://n:4222"}}, "one NATS"),
    "a login for the own nats": (
        {"nats": {"enabled": True, "auth": {"kind": "token", "existingSecret": "s"}}},
        "no login",
    ),
    "a login for no nats": (
        {"nats": {"auth": {"kind": "token", "existingSecret": "s"}}},
        "nats.url is not",
    ),
    "a login without its secret": (
        {"nats": {"url": "nats://n:4222", "auth": {"kind": "nkey"}}},
        "name the Secret",
    ),
    "a client certificate without its secret": (
        {"nats": {"url": "nats://n:4222", "tls": {"clientCertificate": True}}},
        "nats.tls.existingSecret",
    ),
    "two service keys": (
        {"serviceKey": {"value": "a", "existingSecret": {"name": "b"}}},
        "both set",
    ),
    "growing backwards": (
        merged(ON_POSTGRES, {"autoscaling": {"enabled": True, "minReplicas": 9, "maxReplicas": 3}}),
        "maxReplicas",
    ),
    "growing too late": (
        merged(
            ON_POSTGRES,
            {
                "autoscaling": {"enabled": True, "socketsPerNode": 5000},
                "config": {"gateway": {"sockets_max": 4000}},
            },
        ),
        "sockets_max",
    ),
    "roles of hubs beside pods for jobs": (
        merged(COMPUTE, {"config": {"roles": ["sync"]}}),
        "compute.enabled",
    ),
    "roles of pods for jobs": (
        merged(COMPUTE, {"compute": {"config": {"roles": ["sync"]}}}),
        "compute.config.roles",
    ),
    "nobody for devices": (
        merged(ON_POSTGRES, {"config": {"roles": ["compute"]}}),
        "leaves out sync",
    ),
    "a file that is no toml": ({"configFile": "[app.todo"}, "configFile is no TOML: toml: line"),
    "a setting in the file": ({"configFile": "drain_s = 3"}, "configFile sets drain_s"),
    "a secret in the file": (
        {"configFile": '[auth]\nservice_key = "open-sesame"'},
        "configFile sets auth",
    ),
    "a table that is none": ({"configFile": "app = 3"}, "app is no table"),
    "an endpoint that is none": ({"configFile": "[webhooks]\nllm = 3"}, "webhooks.llm is no table"),
    "a webhook's secret in the file": (endpoint('secret = "s"'), "webhooks.llm.secret"),
    "its old secret in the file": (endpoint('old_secret = "s"'), "webhooks.llm.old_secret"),
    "a password in a webhook's address": (
        {
            "configFile": '[webhooks.llm]\nurl = "https://u:p@llm.example.com/"',
            "webhookSecrets": {"llm": {"name": "llm"}},
        },
        "HUB__WEBHOOKS__LLM__URL",
    ),
    "a webhook without a secret": (
        {"configFile": endpoint("")["configFile"]},
        "webhookSecrets.llm does not say",
    ),
    "a secret of no webhook": ({"webhookSecrets": {"llm": {"name": "llm"}}}, "no [webhooks.llm]"),
    "an ingress for nobody": ({"ingress": {"enabled": True}}, "ingress.hosts"),
    "a route of no gateway": ({"httpRoute": {"enabled": True}}, "parentRefs"),
}

BY_SCHEMA = {
    "an unknown value": ({"replica": 3}, "replica"),
    "an unknown setting of the hub": ({"config": {"gateway": {"socket_max": 3}}}, "socket_max"),
    "where the hub listens": ({"config": {"listen": "127.0.0.1:1"}}, "listen"),
    "the development issuer": ({"config": {"auth": {"dev": True}}}, "dev"),
    "a secret among settings": ({"config": {"auth": {"service_key": "s"}}}, "service_key"),
    "a store that is none": ({"store": {"kind": "mysql"}}, "store.kind"),
    "triggers among settings": ({"config": {"app": {"todo": {}}}}, "app"),
    "webhooks among settings": ({"config": {"webhooks": {"llm": {}}}}, "webhooks"),
    "a role that is none": ({"config": {"roles": ["web"]}}, "roles"),
    "no role at all": ({"config": {"roles": []}}, "roles"),
    "an unknown setting of jobs": ({"config": {"jobs": {"per_node": 3}}}, "per_node"),
    "a webhook's secret that is no Secret": ({"webhookSecrets": {"llm": "s"}}, "webhookSecrets.llm"),
    "a Secret without a name": ({"webhookSecrets": {"llm": {"key": "k"}}}, "name"),
    "a webhook's name that no variable has": ({"webhookSecrets": {"a__b": {"name": "s"}}}, "a__b"),
    "a webhook's name in capitals": ({"webhookSecrets": {"LLM": {"name": "s"}}}, "LLM"),
    "a webhook's secret by hand": (
        {"pod": {"extraEnv": [{"name": "HUB__WEBHOOKS__LLM__SECRET", "value": "s"}]}},
        "extraEnv",
    ),
    "a file that is a tree": ({"configFile": {"app": {}}}, "configFile"),
    "text for a number": ({"config": {"drain_s": "30s"}}, "drain_s"),
    "a drain without end": ({"config": {"drain_s": 3601}}, "drain_s"),
    "no drain at all": ({"config": {"drain_s": None}}, "drain_s"),
    "an image that changes": ({"image": {"tag": "latest"}}, "image.tag"),
    "a digest that is none": ({"image": {"digest": "sha256:12"}}, "image.digest"),
    "root": ({"pod": {"runAsUser": 0}}, "runAsUser"),
    "a uid that the node may use": ({"pod": {"runAsUser": 1000}}, "runAsUser"),
    "a password in the address of nats": ({"nats": {"url": "nats://u:p@n:4222"}}, "nats.url"),
    "a password that breaks the url": (merged(TRIAL, {"postgres": {"auth": {"password": "a@b"}}}), "password"),
    "a port that is none": ({"service": {"port": 70000}}, "service.port"),
    "no replicas": ({"replicas": 0}, "replicas"),
    "the node's name by hand": ({"pod": {"extraEnv": [{"name": "HUB__NODE"}]}}, "extraEnv"),
    "an issuer that is no url": ({"config": {"auth": {"jwks_url": "id.example.com"}}}, "jwks_url"),
    "a size that is none": ({"store": {"persistence": {"size": "ten"}}}, "size"),
    "no budget at all": ({"podDisruptionBudget": {"maxUnavailable": 0}}, "maxUnavailable"),
}


class Refusals(unittest.TestCase):
    def refused(self, over, part):
        with self.assertRaises(HelmError) as caught:
            render(over=merged(ISSUER, over))
        said = str(caught.exception)
        self.assertIn(part, said)
        return said

    def test_values_that_do_not_go_together_are_refused_by_the_templates(self):
        for what, (over, part) in BY_TEMPLATES.items():
            with self.subTest(what):
                said = self.refused(over, part)
                self.assertIn("checks.yaml", said)

    def test_values_that_are_misspelled_are_refused_by_the_schema(self):
        for what, (over, part) in BY_SCHEMA.items():
            with self.subTest(what):
                said = self.refused(over, part)
                self.assertIn("schema", said)

    def test_a_hub_without_an_issuer_is_refused(self):
        with self.assertRaises(HelmError) as caught:
            render()
        self.assertIn("config.auth.jwks_url", str(caught.exception))

    def test_what_is_refused_in_a_part_is_taken_when_mended(self):
        render(over=ISSUER)
        render(over=merged(ISSUER, ON_POSTGRES, {"replicas": 2}))
        render(over=merged(ISSUER, TRIAL))
        render(over=merged(ISSUER, COMPUTE, DIGEST))
        render(over=merged(ISSUER, endpoint("private = false")))
        render(over=merged(ISSUER, ON_POSTGRES, {"config": {"roles": ["compute", "sync"]}}))
