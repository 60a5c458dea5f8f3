"""The processes that the cases run against, each on a free port, ended by its own handle."""

import subprocess
import tempfile
import urllib.request
from contextlib import contextmanager
from pathlib import Path

# Seconds after which a process that was told to end hangs.
HUNG_S = 20


@contextmanager
def ws_echo(programs: Path):
    """The echo over the hub's framing with raised limits. Yields its URL."""
    with process([programs / "ws-echo"]) as echo:
        address = printed(echo, after="listening on ")
        yield f"ws://{address}/"
        echo.stdin.close()
        end(echo)


@contextmanager
def hub(programs: Path):
    """A hub with its default limits. Yields the URL of its native route, and sees afterwards
    that it is still ready and ends well."""
    anywhere = {"HUB__LISTEN": "127.0.0.1:0", "HUB__ADMIN_LISTEN": "127.0.0.1:0"}
    with tempfile.TemporaryDirectory() as directory:
        command = [programs / "hub-under-test", "serve", "--dev"]
        with process(command, cwd=directory, env=anywhere) as node:
            address = printed(node, after="http://")
            yield f"ws://{address}/v1/ws"
            with urllib.request.urlopen(f"http://{address}/ready", timeout=HUNG_S) as ready:
                assert ready.status == 200, ready.status
            node.terminate()
            end(node)


@contextmanager
def process(command, **options):
    """Runs a program; what it logs is dropped. It is killed if it is still there at the end."""
    pipe, drop = subprocess.PIPE, subprocess.DEVNULL
    child = subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=drop, text=True, **options
    )
    try:
        yield child
    finally:
        if child.poll() is None:
            child.kill()
        child.wait()
        child.stdout.close()


def printed(child, after: str) -> str:
    """The word behind `after` in the first line that has it."""
    for line in child.stdout:
        if after in line:
            return line.split(after)[1].split()[0]
    raise RuntimeError(f"{child.args[0]} ended without saying where it listens")


def end(child):
    """Waits for the end, which must be a good one."""
    code = child.wait(timeout=HUNG_S)
    assert code == 0, f"{child.args[0]} ended with {code}"
