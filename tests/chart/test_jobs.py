"""A hub and a pod that does jobs, started as the chart starts them: what one is asked for, the other
does."""

import base64
import hashlib
import hmac
import http.server
import json
import pathlib
import queue
import tempfile
import threading
import unittest

import hub
from chart import ISSUER, ON_POSTGRES, hub_pods, merged, render

FILE = """
[webhooks.in-house]
url = "http://127.0.0.1:{port}/hook"
private = true

[[app.todo.triggers]]
id = "tell"
table = "tasks"
when = "insert"
job = "webhook"
args = {{to = "in-house", data = "$after.text"}}
"""

SECRETS = {"in-house": {"name": "new", "key": "secret", "old": {"name": "old", "key": "hook"}}}


class Hook(http.server.BaseHTTPRequestHandler):
    """Takes what is posted."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.posted.put((dict(self.headers), body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def signature(secret, headers, body):
    """As Standard Webhooks has it."""
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    mac = hmac.digest(secret.encode(), signed, hashlib.sha256)
    return f"v1,{base64.b64encode(mac).decode()}"


class Apart(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
        cls.server.posted = queue.Queue()
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()
        cls.addClassCleanup(cls.server.server_close)
        cls.addClassCleanup(cls.server.shutdown)
        over = {
            "configFile": FILE.format(port=cls.server.server_port),
            "webhookSecrets": SECRETS,
            "compute": {"enabled": True},
            "serviceKey": {"existingSecret": {"name": "service-key"}},
            "nats": {"url": cls.enterClassContext(hub.service("nats"))},
        }
        url = cls.enterClassContext(hub.service("postgres"))
        objects = render(over=merged(ISSUER, ON_POSTGRES, over))
        cls.ports, cls.container = {}, {}
        for pod, template in hub_pods(objects):
            cls.start(pod.removeprefix("Deployment/live-syncline"), objects, template, url)

    @classmethod
    def start(cls, name, objects, template, url):
        root = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        hub.mount(objects, template, root)
        env = hub.environment(objects, template, "postgres")
        env |= {"HUB__STORE__URL": url, "HUB__NODE": f"node{name}"}
        # No address of anybody else's is asked.
        env["HUB__AUTH__JWKS_URL"] = "http://127.0.0.1:9/jwks.json"
        cls.container[name] = template["spec"]["containers"][0]
        args, env = hub.below(root, cls.container[name]["args"], env)
        cls.ports[name] = cls.enterClassContext(hub.running(env, args))

    def shown(self, name):
        return hub.series(hub.ask(self.ports[name][1], "/metrics")[1])

    def test_a_job_that_a_device_sets_off_is_posted_signed_by_both_secrets(self):
        change = {"table": "tasks", "id": "t1", "op": "insert", "data": {"text": "milk"}}
        push = json.dumps({"muts": [{"key": "k1", "changes": [change]}]})
        key = {"X-Service-Key": hub.secret_value("service-key", "postgres")}
        public, _ = self.ports[""]
        status, said = hub.ask(public, "/v1/todo/push?space=ada", "POST", key, push)
        self.assertEqual(status, 200, said)
        headers, body = self.server.posted.get(timeout=hub.PATIENCE_S)
        event = json.loads(body)
        told = (event["trigger"], event["app"], event["space"], event["record"], event["data"])
        self.assertEqual(told, ("tell", "todo", "ada", "t1", "milk"))
        secrets = [hub.secret_value(key, "postgres") for key in ("secret", "hook")]
        expected = " ".join(signature(secret, headers, body) for secret in secrets)
        self.assertEqual(headers["webhook-signature"], expected)

    def test_only_the_hub_has_a_public_port_and_both_answer_their_probes(self):
        for name, (public, admin) in self.ports.items():
            ports = [port["name"] for port in self.container[name]["ports"]]
            self.assertIs(public != 0, "public" in ports, name)
            for probe in ("startupProbe", "livenessProbe"):
                asked = self.container[name][probe]["httpGet"]
                self.assertEqual(asked["port"], "admin")
                self.assertEqual(hub.ask(admin, asked["path"])[0], 200, name)

    def test_who_does_no_jobs_counts_none_so_their_absence_is_seen(self):
        of_hub, of_compute = self.shown(""), self.shown("-compute")
        self.assertIn(("syncline_jobs_put_total", {}), of_hub)
        for name in ("syncline_jobs", "syncline_jobs_ended_total"):
            self.assertNotIn(name, [shown for shown, _ in of_hub])
        done = ("syncline_jobs_ended_total", {"kind": "webhook", "how": "done"})
        self.assertIn(done, of_compute)
