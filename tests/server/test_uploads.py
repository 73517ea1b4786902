"""Bodies of requests: their form, size and time, and that nothing of them is left."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest
from tests.server.conftest import RESULT, served

from lookonce.server.settings import Limits, Settings

SMALL = Settings(limits=Limits(upload_bytes=1000, upload_seconds=0.3))


def parts(count: int):
    for _ in range(count):
        yield b"x" * 100


def test_the_worker_gets_the_body_in_a_private_folder_that_is_deleted(temporary):
    seen = []

    def do(task):
        folder = task.path.parent
        seen.append((task.path.read_bytes(), task.path.name, folder.stat().st_mode & 0o777, folder.parent))
        return RESULT

    with served(do) as client:
        assert client.post("/v1/label", content=b"scan").json() == RESULT["result"]
    assert seen == [(b"scan", "upload", 0o700, temporary)]
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("error", [RuntimeError("broken"), KeyError("x")])
def test_nothing_is_left_when_the_work_fails(temporary, error):
    def fail(task):
        raise error

    with served(fail) as client:
        assert client.post("/v1/label", content=b"scan").status_code == 500
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("content", [b"x" * 1001, parts(11)], ids=["declared", "in pieces"])
def test_a_body_that_is_too_large_is_refused(temporary, content):
    with served(lambda task: pytest.fail("worked"), SMALL) as client:
        answer = client.post("/v1/label", content=content)
    assert (answer.status_code, answer.json()["error"]["kind"]) == (413, "too-large")
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("content", [b"x" * 1000, parts(10)], ids=["declared", "in pieces"])
def test_a_body_of_the_largest_size_is_taken(content):
    with served(settings=SMALL) as client:
        assert client.post("/v1/label", content=content).status_code == 200


def test_a_body_that_does_not_arrive_in_time_frees_its_place(temporary):
    with served(settings=replace(SMALL, limits=replace(SMALL.limits, upload_seconds=0.05))) as client:
        with socket.create_connection((client.base_url.host, client.base_url.port)) as line:
            line.sendall(b"POST /v1/label HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nslow")
            assert line.recv(12) == b"HTTP/1.1 408"
        assert client.post("/v1/label", content=b"scan").status_code == 200
    assert not list(temporary.iterdir())


def test_an_empty_body_is_refused(client):
    answer = client.post("/v1/label")
    assert answer.status_code == 422
    assert "the upload is empty; send a file as the body" in answer.json()["error"]["message"]


def test_a_form_is_refused_with_the_remedy(client):
    answer = client.post("/v1/label", files={"file": ("Doe.nii.gz", b"scan")})
    assert answer.status_code == 415
    assert "curl --data-binary" in answer.json()["error"]["message"]
    assert "Doe" not in answer.text


@pytest.mark.parametrize("length", ["-1", "1e9", "9" * 5000, "5, 6", "\u0661"])
def test_a_length_that_is_none_is_refused_before_anything_is_read(client, length):
    with socket.create_connection((client.base_url.host, client.base_url.port)) as line:
        head = f"POST /v1/label HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"
        line.sendall(head.encode())
        assert line.recv(10) == b"HTTP/1.1 4"
