"""`lookonce serve` as an operator runs it: where it listens, what it refuses, how it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

import pytest

import lookonce

httpx = pytest.importorskip("httpx")
pytest.importorskip("uvicorn")


@contextmanager
def running(temporary: Path, *options: str) -> Iterator[tuple[subprocess.Popen, str]]:
    """A service in a process of its own, and its address."""
    environment = os.environ | {"PYTHONPATH": str(Path(lookonce.__file__).parents[1]), "TMPDIR": str(temporary)}
    command = [sys.executable, "-m", "lookonce", "serve", "--port", "0", *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            line = process.stdout.readline()
            assert line.startswith("LookOnce is at http://127.0.0.1:"), process.stderr.read()
            yield process, line.split()[3].rstrip("/")
        finally:
            process.kill()


@pytest.mark.skipif(os.name == "nt", reason="signals are those of POSIX")
def test_a_signal_lets_what_runs_finish_and_leaves_nothing_behind(tmp_path):
    scan = (resources.files("lookonce.examples") / "sub-simulated_T2w.nii.gz").read_bytes()
    answers = []
    with running(tmp_path) as (process, address):
        post = threading.Thread(
            target=lambda: answers.append(httpx.post(f"{address}/v1/label", content=scan, timeout=60))
        )
        post.start()
        while "lookonce_jobs_running 1.0" not in httpx.get(f"{address}/metrics").text:
            assert post.is_alive()
        process.send_signal(signal.SIGTERM)
        post.join()
        assert process.wait(60) == 0
        log = [json.loads(line) for line in process.stderr]
    assert answers[0].status_code == 200
    assert len(answers[0].json()["discs"]) >= 4
    assert [line["status"] for line in log if line.get("route") == "/v1/label"] == [200]
    assert not list(tmp_path.iterdir())
    assert "server" not in answers[0].headers


def test_another_address_without_a_token_is_bad_usage(run_command):
    code, stdout, stderr = run_command("serve", "--host", "0.0.0.0", "--port", "0")
    assert (code, stdout) == (2, "")
    assert stderr.startswith("lookonce: --host 0.0.0.0: ")
    assert "--token-file" in stderr


def test_a_port_that_is_taken_is_bad_usage(run_command):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, stdout, stderr = run_command("serve", "--port", port)
    assert (code, stdout) == (2, "")
    assert f"127.0.0.1 port {port}: cannot be taken" in stderr


def test_what_can_be_no_host_is_bad_usage(run_command, tmp_path):
    token = tmp_path / "token"
    token.write_text("0123456789abcdef" * 4)
    host = "x" * 70  # longer than a part of a name may be
    code, stdout, stderr = run_command("serve", "--host", host, "--port", "0", "--token-file", token)
    assert (code, stdout) == (2, "")
    assert f"{host} port 0: cannot be taken" in stderr
