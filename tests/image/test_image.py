"""What the image holds, and whether Dockerfile, chart and compose file agree."""

import json
import os
import pathlib
import re
import shlex
import subprocess
import unittest

import yaml

import hub
from chart import CHART, ROOT, hub_pods, variant

FIRST = pathlib.Path(os.environ["FIRST"])
SECOND = pathlib.Path(os.environ["SECOND"])

# What the base image has: the C library and its parts, and the compiler's.
OF_THE_BASE = r"linux-vdso|ld-linux|libc\.so|libm\.so|libgcc_s|libpthread|libdl|librt"

JWKS = {"HUB__AUTH__JWKS_URL": "https://id.example.com/jwks.json"}


def stages():
    """The Dockerfile's stages, each a list of (instruction, text)."""
    text = (ROOT / "Dockerfile").read_text()
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    found = []
    for line in filter(None, map(str.strip, text.splitlines())):
        instruction, _, rest = line.partition(" ")
        if instruction == "FROM":
            found.append([])
        found[-1].append((instruction, rest.strip()))
    return found


def last(instruction):
    """The texts of an instruction in the stage that becomes the image."""
    return [text for name, text in stages()[-1] if name == instruction]


def pairs(instruction):
    """Names and values that an instruction sets."""
    words = [word for text in last(instruction) for word in shlex.split(text)]
    return dict(word.split("=", 1) for word in words)


def files(root):
    """Path below root → bytes."""
    return {
        str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


class Build(unittest.TestCase):
    def test_the_same_sources_give_the_same_bytes(self):
        first, second = files(FIRST), files(SECOND)
        self.assertEqual(set(first), set(second))
        for name, content in first.items():
            self.assertEqual(len(content), len(second[name]), name)
            self.assertTrue(content == second[name], f"{name} differs")

    def test_it_holds_the_program_what_it_is_made_of_and_its_licence(self):
        self.assertEqual(
            set(files(FIRST)),
            {"usr/bin/hub", "usr/share/doc/hub/sbom.cdx.json", "usr/share/doc/hub/LICENSE"},
        )
        self.assertEqual(list((FIRST / "data").iterdir()), [])

    def test_nothing_in_it_has_a_time(self):
        for path in FIRST.rglob("*"):
            self.assertEqual(int(path.stat().st_mtime), 0, path)

    def test_the_program_says_nothing_of_where_it_was_built(self):
        program = (FIRST / "usr/bin/hub").read_bytes()
        for path in (str(FIRST.parent), os.path.expanduser("~/.cargo")):
            # The program is too long to be shown.
            self.assertFalse(path.encode() in program, f"it holds {path}")

    def test_the_program_runs_by_itself(self):
        done = subprocess.run([hub.HUB, "--version"], env={}, capture_output=True, text=True)
        self.assertRegex(done.stdout, r"^hub \d+\.\d+\.\d+")

    def test_the_program_needs_only_what_the_base_image_has(self):
        done = subprocess.run(["ldd", hub.HUB], capture_output=True, text=True, check=True)
        for line in done.stdout.splitlines():
            self.assertRegex(line, OF_THE_BASE)

    def test_a_hub_of_it_serves(self):
        with hub.running(JWKS) as (public, admin):
            self.assertEqual(hub.ask(public, "/health")[0], 200)
            self.assertEqual(hub.ask(admin, "/health")[0], 200)


class Bill(unittest.TestCase):
    def setUp(self):
        self.bill = json.loads((FIRST / "usr/share/doc/hub/sbom.cdx.json").read_text())

    def test_it_names_what_is_compiled_in_and_nothing_else(self):
        names = {each["name"] for each in self.bill["components"]}
        self.assertLessEqual({"syncline-storage", "tokio", "rustls", "aws-lc-sys"}, names)
        # Only tests need these, or a feature that is off.
        self.assertEqual({"proptest", "tempfile", "ring", "openssl-sys"} & names, set())
        self.assertEqual(self.bill["metadata"]["component"]["name"], "syncline-hub")

    def test_every_crate_of_others_has_its_checksum_and_a_licence(self):
        for each in self.bill["components"]:
            with self.subTest(each["purl"]):
                self.assertTrue(each["licenses"][0]["expression"])
                if not each["name"].startswith("syncline-"):
                    self.assertRegex(each["hashes"][0]["content"], r"^[0-9a-f]{64}$")

    def test_the_image_says_where_it_is(self):
        labels = pairs("LABEL")
        self.assertTrue((FIRST / labels["syncline.sbom.path"].lstrip("/")).is_file())
        described = f"{self.bill['bomFormat']}-{self.bill['specVersion']}"
        self.assertEqual(labels["syncline.sbom.format"], described)


class Dockerfile(unittest.TestCase):
    def test_hadolint_finds_nothing(self):
        done = subprocess.run(
            ["hadolint", "--no-color", str(ROOT / "Dockerfile")], capture_output=True, text=True
        )
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_hadolint_finds_what_is_wrong(self):
        wrong = b"FROM debian\nRUN cd /tmp\n"
        done = subprocess.run(["hadolint", "-"], input=wrong, capture_output=True)
        self.assertNotEqual(done.returncode, 0)

    def test_it_runs_as_nobody_of_the_host_and_as_the_chart_says(self):
        values = yaml.safe_load((CHART / "values.yaml").read_text())
        uid, gid = map(int, last("USER")[0].split(":"))
        self.assertGreater(uid, 10_000)
        self.assertEqual((uid, gid), (values["pod"]["runAsUser"],) * 2)
        self.assertIn(f"--chown={uid}:{gid} /out/data /data", " ".join(last("COPY")))

    def test_it_starts_what_was_built_with_what_the_chart_adds(self):
        (program,) = json.loads(last("ENTRYPOINT")[0])
        self.assertTrue(os.access(FIRST / program.lstrip("/"), os.X_OK))
        for _, template in hub_pods(variant("postgres")):
            container = template["spec"]["containers"][0]
            self.assertNotIn("command", container)
            self.assertEqual(container["args"], json.loads(last("CMD")[0]))
            ports = [str(port["containerPort"]) for port in container["ports"]]
            self.assertEqual(last("EXPOSE")[0].split(), ports)

    def test_what_it_sets_is_taken_by_the_hub(self):
        settings, complaints = hub.check_config({**pairs("ENV"), **JWKS})
        self.assertEqual(complaints, "")
        self.assertEqual(settings["data_dir"], "/data")
        self.assertEqual(settings["listen"], "0.0.0.0:3010")

    def test_no_image_is_one_that_changes_and_the_compiler_is_the_repositorys(self):
        bases = [stage[0][1].split()[0] for stage in stages()]
        for base in bases:
            self.assertRegex(base, r":[\w.-]+$")
            self.assertNotIn(":latest", base)
        toolchain = (ROOT / "rust-toolchain.toml").read_text()
        version = re.search(r'channel = "([\d.]+)"', toolchain)[1]
        self.assertTrue(bases[0].startswith(f"rust:{version}-"))

    def test_what_it_copies_was_built(self):
        for text in last("COPY"):
            source = text.split()[-2]
            self.assertTrue((FIRST / source.removeprefix("/out/")).exists(), source)

    def test_versions_are_the_workspaces(self):
        version = re.search(r'\nversion = "([\d.]+)"', (ROOT / "Cargo.toml").read_text())[1]
        chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
        self.assertEqual(chart["appVersion"], version)
        self.assertIn(f"VERSION={version}", last("ARG"))


class Compose(unittest.TestCase):
    given = {"JWKS_URL": JWKS["HUB__AUTH__JWKS_URL"], "POSTGRES_PASSWORD": "let-me_in"}

    def load(self, env):
        return subprocess.run(
            ["compose", str(ROOT / "compose.yaml")],
            env={"PATH": os.environ["PATH"], **env}, capture_output=True, text=True,
        )  # fmt: skip

    def services(self):
        done = self.load(self.given)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)["services"]

    def test_it_asks_for_what_has_no_default(self):
        for name in self.given:
            env = {key: value for key, value in self.given.items() if key != name}
            done = self.load(env)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(name, done.stderr)

    def test_the_hub_takes_its_environment(self):
        env = {**pairs("ENV"), **self.services()["hub"]["environment"]}
        settings, complaints = hub.check_config(env)
        self.assertEqual(complaints, "")
        self.assertEqual(settings["nats.url"], "nats://nats:4222")

    def test_the_hub_is_stopped_after_it_has_drained(self):
        service = self.services()["hub"]
        grace = int(service["stop_grace_period"].removesuffix("s"))
        self.assertGreater(grace, int(service["environment"]["HUB__DRAIN_S"]))

    def test_the_hub_may_write_its_data_directory_alone(self):
        service = self.services()["hub"]
        self.assertIs(service["read_only"], True)
        self.assertEqual(service["cap_drop"], ["ALL"])
        (tmpfs,) = service["tmpfs"]
        uid, gid = last("USER")[0].split(":")
        self.assertTrue(tmpfs.startswith("/data:"))
        self.assertIn(f"uid={uid},gid={gid}", tmpfs)

    def test_the_admin_port_is_this_machines_alone(self):
        published = {port["target"]: port.get("host_ip") for port in self.services()["hub"]["ports"]}
        self.assertEqual(published, {3010: None, 3011: "127.0.0.1"})

    def test_its_servers_are_those_of_the_chart(self):
        values = yaml.safe_load((CHART / "values.yaml").read_text())
        for name in ("postgres", "nats"):
            image = values[name]["image"]
            self.assertEqual(self.services()[name]["image"], f"{image['repository']}:{image['tag']}")
