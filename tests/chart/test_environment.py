"""The real hub reads what the chart tells it."""

import json
import pathlib
import tempfile
import unittest

import hub
from chart import CHART, VARIANTS, hub_pods, of_kind, one, variant

# Made by the templates, or refused: never under `config`.
OF_THE_TEMPLATES = {
    "listen", "admin_listen", "node", "data_dir", "auth.dev", "auth.service_key", "store.url",
    "tls.cert", "tls.key", "nats.url", "nats.credentials", "nats.nkey", "nats.token", "nats.user",
    "nats.password", "nats.ca", "nats.cert", "nats.key", "push.private_key", "mail.url",
    "telemetry.traces.headers",
}  # fmt: skip

# Tables with names of the operator's in them, which no variable and no schema can hold: in configFile.
OF_THE_FILE = {"app", "webhooks"}


def store_of(name):
    file, _ = VARIANTS[name]
    return "scylla" if file == "scylla" else "postgres"


def checked(name):
    """(pod, environment, settings, complaints) of each hub of a variant."""
    objects = variant(name)
    for pod, template in hub_pods(objects):
        env = hub.environment(objects, template, store_of(name))
        with tempfile.TemporaryDirectory() as there:
            root = pathlib.Path(there)
            hub.mount(objects, template, root)
            args = template["spec"]["containers"][0]["args"]
            yield pod, env, *hub.check_config(*hub.below(root, args, env))


def key_of(variable):
    return variable.removeprefix("HUB__").lower().replace("__", ".")


def bytes_of(quantity):
    return int(quantity[:-2]) << {"Mi": 20, "Gi": 30}[quantity[-2:]]


def leaves(schema, path=()):
    """(key, type) of everything that the schema allows under `config`."""
    for name, each in schema["properties"].items():
        if "properties" in each:
            yield from leaves(each, (*path, name))
        else:
            yield ".".join((*path, name)), each["type"]


class Environment(unittest.TestCase):
    def test_the_hub_takes_every_variants_environment(self):
        for name in VARIANTS:
            for pod, _, _, complaints in checked(name):
                with self.subTest(f"{name}: {pod}"):
                    self.assertEqual(complaints, "")

    def test_every_variable_arrives_at_its_key(self):
        for name in VARIANTS:
            for pod, env, settings, complaints in checked(name):
                self.assertEqual(complaints, "")
                for variable, value in env.items():
                    if not variable.startswith("HUB__"):
                        continue
                    with self.subTest(f"{name}: {pod} {variable}"):
                        self.assertIn(key_of(variable), settings)
                        shown = settings[key_of(variable)]
                        if isinstance(shown, bool):
                            self.assertEqual(json.dumps(shown), value)
                        elif isinstance(shown, list):
                            self.assertEqual(",".join(shown), value)
                        elif shown is not None and "/etc/hub/" not in value:
                            self.assertEqual(str(shown), value)

    def test_secrets_are_set_and_not_shown(self):
        ((_, env, settings, _),) = checked("secrets-in-values")
        self.assertIn("hunter2", env["HUB__STORE__URL"])
        self.assertIsNone(settings["store.url"])
        self.assertIsNone(settings["auth.service_key"])

    def test_the_password_of_the_own_postgres_is_in_its_url(self):
        ((_, env, _, _),) = checked("trial")
        self.assertEqual(
            env["HUB__STORE__URL"],
            "postgres://syncline:let-me_in@live-syncline-postgres:5432/syncline?sslmode=disable",
        )

    def test_files_that_the_hub_is_told_of_are_mounted(self):
        for name in VARIANTS:
            objects = variant(name)
            for pod, template in hub_pods(objects):
                mounts = [m["mountPath"] for m in template["spec"]["containers"][0]["volumeMounts"]]
                told = list(hub.environment(objects, template, store_of(name)).values())
                for value in told + template["spec"]["containers"][0]["args"]:
                    if value.startswith("/"):
                        under = any(f"{value}/".startswith(f"{mount}/") for mount in mounts)
                        self.assertTrue(under, f"{name}: {pod} {value}")

    def test_a_hub_whose_rooms_are_full_is_not_killed_for_its_memory(self):
        rooms = [
            "gateway.bodies_bytes_max", "gateway.replies_bytes_max", "gateway.unfinished_bytes_max",
            "session.pending_node_bytes", "session.cache_bytes",
        ]  # fmt: skip
        for name in VARIANTS:
            templates = dict(hub_pods(variant(name)))
            for pod, _, settings, complaints in checked(name):
                self.assertEqual(complaints, "")
                is_hub = not pod.endswith("-compute")
                # Pods that do jobs have no devices.
                held = [key for key in rooms if is_hub or key.startswith("session.")]
                full = sum(settings[key] for key in held)
                full += 4 * 1024 * settings["store.sqlite_cache_kib"] if is_hub else 0
                # What servers of webhooks answer.
                replies = [settings[key] for key in settings if key.endswith(".reply_bytes_max")]
                full += settings["jobs.concurrency"] * max(replies, default=0)
                limit = templates[pod]["spec"]["containers"][0]["resources"]["limits"]["memory"]
                # A quarter more for what is not in a room.
                self.assertGreater(bytes_of(limit), full * 5 // 4, f"{name}: {pod}")

    def test_compute_pods_have_their_own_settings_over_the_others(self):
        settings = {pod: settings for pod, _, settings, _ in checked("compute")}
        own = settings["Deployment/live-syncline-compute"]
        others = settings["Deployment/live-syncline"]
        self.assertEqual(own["session.cache_bytes"], 1_048_576)
        self.assertNotEqual(others["session.cache_bytes"], 1_048_576)
        self.assertEqual(own["auth.jwks_url"], others["auth.jwks_url"])

    def test_with_compute_pods_each_pod_has_one_role_and_otherwise_both(self):
        expected = {
            "compute": {"live-syncline": ["sync"], "live-syncline-compute": ["compute"]},
            "postgres": {"live-syncline": ["sync"], "live-syncline-compute": ["compute"]},
            "jobs-by-the-hubs": {"live-syncline": ["sync", "compute"]},
            "jobs-on-sqlite": {"live-syncline": ["sync", "compute"]},
            "jobs-by-nobody": {"live-syncline": ["sync"]},
        }
        for name, roles in expected.items():
            found = {pod.partition("/")[2]: settings["roles"] for pod, _, settings, _ in checked(name)}
            self.assertEqual(found, roles, name)

    def test_the_file_reaches_every_pod_and_its_secrets_come_from_elsewhere(self):
        for name in ["compute", "jobs-on-sqlite", "jobs-by-the-hubs"]:
            objects = variant(name)
            file = one(objects, "ConfigMap", "live-syncline-file")["data"]["hub.toml"]
            for pod, env, settings, _ in checked(name):
                with self.subTest(f"{name}: {pod}"):
                    (schedule,) = settings["app.todo.schedules"]
                    self.assertEqual(schedule["args"], {"to": "in-house", "data": "digest"})
                    self.assertIs(settings["webhooks.in-house.private"], True)
                    for key in ("SECRET", "OLD_SECRET"):
                        secret = env[f"HUB__WEBHOOKS__IN-HOUSE__{key}"]
                        self.assertNotIn(secret, file)
                        # Set, and not shown.
                        self.assertIsNone(settings[f"webhooks.in-house.{key.lower()}"])

    def test_without_a_file_the_hub_is_told_of_none(self):
        for _, template in hub_pods(variant("embedded")):
            self.assertEqual(template["spec"]["containers"][0]["args"], ["serve"])
        maps = {each["metadata"]["name"] for each in of_kind(variant("embedded"), "ConfigMap")}
        self.assertEqual(maps, {"live-syncline-config"})


class Settings(unittest.TestCase):
    def test_the_schema_allows_exactly_the_settings_that_the_hub_has(self):
        ((_, _, settings, _),) = checked("jobs-on-sqlite")
        schema = json.loads((CHART / "values.schema.json").read_text())
        allowed = {key for key, _ in leaves(schema["$defs"]["config"])}
        others = set(settings) - OF_THE_TEMPLATES - allowed
        self.assertEqual({key.partition(".")[0] for key in others}, OF_THE_FILE)
        self.assertLessEqual(allowed, set(settings))

    def test_the_schema_has_the_types_that_the_hub_has(self):
        ((_, _, settings, _),) = checked("embedded")
        schema = json.loads((CHART / "values.schema.json").read_text())
        types = {bool: "boolean", int: "integer", str: "string", list: "array", type(None): "string"}
        for key, type_ in leaves(schema["$defs"]["config"]):
            with self.subTest(key):
                self.assertEqual(type_, types[type(settings[key])])

    def test_large_numbers_are_written_out(self):
        data = one(variant("100k"), "ConfigMap", "live-syncline-config")["data"]
        self.assertEqual(data["HUB__SESSION__CACHE_BYTES"], "268435456")
