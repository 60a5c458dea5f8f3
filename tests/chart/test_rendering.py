"""Every values file and variant is accepted by helm and by Kubernetes' own schemas."""

import subprocess
import unittest

import kubernetes_validate

from chart import CHART, VALUES_FILES, VARIANTS, variant

# The oldest that Chart.yaml allows, and the newest there are schemas for.
KUBERNETES = ["1.30", "1.37"]

# Of other projects; `make test-chart` shows them to an API server that knows them.
CUSTOM_KINDS = {"HTTPRoute", "ServiceMonitor", "PrometheusRule"}


class Rendering(unittest.TestCase):
    def test_helm_finds_nothing_to_say_against_any_values_file(self):
        for name in VALUES_FILES:
            with self.subTest(name):
                values = str(CHART / f"values-{name}.yaml")
                command = ["helm", "lint", "--strict", "--values", values, str(CHART)]
                done = subprocess.run(command, capture_output=True, text=True)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_every_object_is_one_of_kubernetes(self):
        for name in VARIANTS:
            for version in KUBERNETES:
                for object in variant(name):
                    label = f"{name}: {object['kind']}/{object['metadata']['name']} in {version}"
                    with self.subTest(label):
                        try:
                            kubernetes_validate.validate(object, version, strict=True)
                        except kubernetes_validate.SchemaNotFoundError:
                            self.assertIn(object["kind"], CUSTOM_KINDS)

    def test_the_schemas_refuse_what_kubernetes_does_not_know(self):
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}}
        for version in KUBERNETES:
            with self.assertRaises(kubernetes_validate.ValidationError):
                wrong = {**service, "spec": {"prots": []}}
                kubernetes_validate.validate(wrong, version, strict=True)

    def test_no_two_objects_have_one_name(self):
        for name in VARIANTS:
            names = [(object["kind"], object["metadata"]["name"]) for object in variant(name)]
            self.assertEqual(len(names), len(set(names)), name)

    def test_every_object_can_be_found_by_its_release(self):
        for name in VARIANTS:
            for object in variant(name):
                labels = object["metadata"]["labels"]
                self.assertEqual(labels["app.kubernetes.io/instance"], "live")
                self.assertEqual(labels["app.kubernetes.io/name"], "syncline")
