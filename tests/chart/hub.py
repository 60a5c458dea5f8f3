"""The hub itself: what it says of a pod's environment, and one that runs."""

import base64
import binascii
import contextlib
import http.client
import json
import os
import pathlib
import re
import subprocess
import tempfile
import threading
import time
import tomllib

from chart import ROOT, one

HUB = os.environ["HUB"]

# What is waited for comes within moments, or never.
PATIENCE_S = 30

# An NKEY seed of a user, as NATS writes it: two bytes that say so, 32 that are secret, CRC-16.
_SEED = bytes([0x90 | 0xA0 >> 5, (0xA0 & 31) << 3]) + bytes(range(32))
NKEY = base64.b32encode(_SEED + binascii.crc_hqx(_SEED, 0).to_bytes(2, "little")).decode().rstrip("=")

CREDENTIALS = f"""-----BEGIN NATS USER JWT-----
eyJ0eXAiOiJKV1QifQ.e30.c2ln
------END NATS USER JWT------

-----BEGIN USER NKEY SEED-----
{NKEY}
------END USER NKEY SEED------
"""

STORE_URLS = {
    "postgres": "postgres://hub:secret@db.example.com/hub",
    "scylla": "scylla://db.example.com:9042/hub",
}


def secret_value(key, store):
    """What an operator's Secret holds under a key."""
    return {
        "store-url": STORE_URLS.get(store),
        "service-key": "a-service-key-of-enough-length-0123456789",
        "nkey": NKEY,
        "token": "a-token",
        "user": "hub",
        "password": "let-me_in",
        "push-key": "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw",
        "headers": "x-api-key=a-key-of-the-collector",
        "mail-url": "smtps://todo:secret@mail.example.com",
        "secret": "a-secret-of-a-webhook-0123456789abcdef",
        "hook": "another-secret-of-a-webhook-0123456789",
    }[key]


def environment(objects, template, store):
    """A hub container's variables, as its node would give them to it."""
    container = template["spec"]["containers"][0]
    env = {}
    for source in container["envFrom"]:
        env |= one(objects, "ConfigMap", source["configMapRef"]["name"])["data"]
    made = {each["metadata"]["name"]: each for each in objects if each["kind"] == "Secret"}
    for variable in container["env"]:
        source = variable.get("valueFrom", {})
        if "fieldRef" in source:
            value = "live-syncline-5d9c7b6f48-x2x7q"
        elif "secretKeyRef" in source:
            ref = source["secretKeyRef"]
            kept = made.get(ref["name"], {}).get("stringData", {})
            value = kept.get(ref["key"]) or secret_value(ref["key"], store)
        else:
            # Only of variables before it, as Kubernetes has it.
            value = re.sub(r"\$\((\w+)\)", lambda found: env[found[1]], variable["value"])
        env[variable["name"]] = value
    return env


def mount(objects, template, root):
    """Puts what each mounted Secret and ConfigMap holds below `root`, where the pod would see it
    below /."""
    volumes = {volume["name"]: volume for volume in template["spec"].get("volumes", [])}
    for mounted in template["spec"]["containers"][0]["volumeMounts"]:
        if not mounted.get("readOnly"):
            continue
        at = root / mounted["mountPath"].lstrip("/")
        at.mkdir(parents=True, exist_ok=True)
        if "configMap" in (volume := volumes[mounted["name"]]):
            held = one(objects, "ConfigMap", volume["configMap"]["name"])["data"]
        elif mounted["name"] == "nats":
            held = {"hub.creds": CREDENTIALS}
        else:
            held = certificate()
        for name, text in held.items():
            (at / name).write_text(text)


_certificate = {}


def certificate():
    """A certificate that signs itself, in the files of a TLS Secret."""
    if not _certificate:
        with tempfile.TemporaryDirectory() as there:
            cert, key = f"{there}/tls.crt", f"{there}/tls.key"
            command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt"]
            command += ["ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=hub"]
            command += ["-addext", "subjectAltName=DNS:hub", "-keyout", key, "-out", cert]
            subprocess.run(command, check=True, capture_output=True)
            shown = pathlib.Path(cert).read_text()
            _certificate.update(
                {"tls.crt": shown, "ca.crt": shown, "tls.key": pathlib.Path(key).read_text()}
            )
    return _certificate


def below(root, args, env):
    """A pod's line and variables, with its files below `root`."""

    def moved(text):
        return text.replace("/etc/hub/", f"{root}/etc/hub/")

    return [moved(arg) for arg in args], {name: moved(value) for name, value in env.items()}


def check_config(args, env):
    """(settings by key, what it says against it) of a pod's line and variables."""
    command, *options = args
    assert command == "serve", args
    with tempfile.TemporaryDirectory() as there:
        done = subprocess.run(
            [HUB, "check-config", *options], cwd=there, env=env, capture_output=True, text=True
        )
    if done.returncode:
        return {}, done.stderr.strip()
    return settings(done.stdout), ""


def settings(text):
    """Every key that the hub names: its value, or None where it shows none."""
    found = {}
    for line in text.splitlines():
        if shown := re.fullmatch(r"([a-z_.-]+) = (.*)", line):
            found[shown[1]] = tomllib.loads(f"value = {shown[2]}")["value"]
        elif hidden := re.fullmatch(r"# ([a-z_.-]+)(: .*| is not set)", line):
            found[hidden[1]] = None
    return found


@contextlib.contextmanager
def service(name):
    """The address of a server of our own: nats, postgres."""
    script = str(ROOT / "tests" / "services" / f"{name}.sh")
    with subprocess.Popen(
        [script, "run"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        yield server.stdout.readline().strip()
        server.stdin.close()


@contextlib.contextmanager
def running(env, args=("serve",)):
    """(public port, admin port) of a hub with these variables, beside those that place it. A public
    port that nobody listens on is 0."""
    with tempfile.TemporaryDirectory() as there:
        env = {
            **env,
            "HUB__LISTEN": "127.0.0.1:0",
            "HUB__ADMIN_LISTEN": "127.0.0.1:0",
            "HUB__DATA_DIR": f"{there}/data",
            "HUB__LOG__FORMAT": "json",
            "HUB__DRAIN_S": "1",
        }
        hub = subprocess.Popen([HUB, *args], cwd=there, env=env, stderr=subprocess.PIPE, text=True)
        # One that never gets ready is ended, and then its log ends.
        alarm = threading.Timer(PATIENCE_S, hub.kill)
        alarm.start()
        try:
            said = []
            while (line := hub.stderr.readline()) and '"message":"ready"' not in line:
                said.append(line)
            alarm.cancel()
            if not line:
                raise AssertionError("the hub did not get ready: " + "".join(said))
            ready = json.loads(line)
            ports = [int(ready[name].rpartition(":")[2]) for name in ("public", "admin")]
            yield tuple(ports)
        finally:
            alarm.cancel()
            hub.terminate()
            hub.communicate()


def ask(port, path, method="GET", headers=None, body=None):
    """(status, text)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def series(text):
    """(name, labels) of each sample of the text that Prometheus reads."""
    found = []
    for line in text.splitlines():
        if sample := re.match(r"([a-zA-Z_:]\w*)(?:\{(.*)\})? \S+$", line):
            labels = dict(re.findall(r'(\w+)="([^"]*)"', sample[2] or ""))
            found.append((sample[1], labels))
    return found


def until(look, what):
    """The first true answer of `look`, which is asked again and again for a while."""
    end = time.monotonic() + PATIENCE_S
    while not (answer := look()):
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not happen")
    return answer
