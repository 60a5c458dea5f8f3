"""The real hub reads what the chart tells it."""

import json
import pathlib
import tempfile
import unittest

import hub
from chart import CHART, VARIANTS, hub_pods, one, variant

# Made by the templates, or refused: never under `config`.
OF_THE_TEMPLATES = {
    "listen", "admin_listen", "node", "data_dir", "auth.dev", "auth.service_key", "store.url",
    "tls.cert", "tls.key", "nats.url", "nats.credentials", "nats.nkey", "nats.token", "nats.user",
    "nats.password", "nats.ca", "nats.cert", "nats.key",
}  # fmt: skip


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
            hub.mount(template, root)
            yield pod, env, *hub.check_config(env, root)


def key_of(variable):
    return variable.removeprefix("HUB__").lower().replace("__", ".")


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
                for variable, value in hub.environment(objects, template, store_of(name)).items():
                    if value.startswith("/"):
                        under = any(value.startswith(mount) for mount in mounts)
                        self.assertTrue(under, f"{name}: {pod} {variable}")

    def test_a_hub_whose_rooms_are_full_is_not_killed_for_its_memory(self):
        rooms = [
            "gateway.bodies_bytes_max", "gateway.replies_bytes_max", "gateway.unfinished_bytes_max",
            "session.pending_node_bytes", "session.cache_bytes",
        ]  # fmt: skip
        for name in VARIANTS:
            templates = dict(hub_pods(variant(name)))
            for pod, _, settings, complaints in checked(name):
                # Compute pods have no devices.
                if complaints or pod.endswith("-compute"):
                    continue
                limit = templates[pod]["spec"]["containers"][0]["resources"]["limits"]["memory"]
                full = sum(settings[key] for key in rooms)
                full += 4 * 1024 * settings["store.sqlite_cache_kib"]
                # A quarter more for what is not in a room.
                self.assertGreater(int(limit.removesuffix("Gi")) << 30, full * 5 // 4, f"{name}: {pod}")

    def test_compute_pods_have_their_own_settings_over_the_others(self):
        settings = {pod: settings for pod, _, settings, _ in checked("compute")}
        own = settings["Deployment/live-syncline-compute"]
        others = settings["Deployment/live-syncline"]
        self.assertEqual(own["session.cache_bytes"], 1_048_576)
        self.assertNotEqual(others["session.cache_bytes"], 1_048_576)
        self.assertEqual(own["auth.jwks_url"], others["auth.jwks_url"])


class Settings(unittest.TestCase):
    def test_the_schema_allows_exactly_the_settings_that_the_hub_has(self):
        ((_, _, settings, _),) = checked("embedded")
        schema = json.loads((CHART / "values.schema.json").read_text())
        allowed = {key for key, _ in leaves(schema["$defs"]["config"])}
        self.assertEqual(allowed, set(settings) - OF_THE_TEMPLATES)

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
