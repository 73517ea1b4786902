"""The queue: never more at work than there are workers, never more waiting than may, nobody forgotten."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.server.conftest import RESULT, served

from lookonce.server.settings import Limits, Settings

SETTINGS = Settings(workers=2, limits=Limits(waiting=3))


class Gate:
    """Work that goes on only when it is let."""

    def __init__(self) -> None:
        self.open, self.lock = threading.Event(), threading.Lock()
        self.at_work = self.most_at_work = 0

    def __call__(self, task):
        with self.lock:
            self.at_work += 1
            self.most_at_work = max(self.most_at_work, self.at_work)
        self.open.wait(30)
        with self.lock:
            self.at_work -= 1
        return {"result": {"input": task.path.read_text()}}


def test_as_many_wait_as_may_and_the_next_is_told_when_to_come_back(temporary):
    gate = Gate()
    with served(gate, SETTINGS) as client, ThreadPoolExecutor(5) as pool:
        posts = [pool.submit(client.post, "/v1/label", content=str(number).encode()) for number in range(5)]
        while "lookonce_jobs_waiting 3.0" not in client.get("/metrics").text:
            assert not any(post.done() for post in posts)
        busy = client.post("/v1/label", content=b"more")
        assert (busy.status_code, busy.json()["error"]["kind"]) == (429, "busy")
        assert int(busy.headers["retry-after"]) >= 1
        assert "lookonce_jobs_running 2.0" in client.get("/metrics").text
        gate.open.set()
        answers = [post.result() for post in posts]
        assert client.post("/v1/label", content=b"later").status_code == 200
        figures = client.get("/metrics").text
    assert [answer.json()["input"] for answer in answers] == list("01234")
    assert gate.most_at_work == 2
    assert "lookonce_jobs_waiting 0.0" in figures
    assert "lookonce_jobs_running 0.0" in figures
    assert 'lookonce_requests_total{route="/v1/label",status="429"} 1.0' in figures
    assert not list(temporary.iterdir())


def test_no_work_is_done_for_a_client_that_left_while_it_waited(temporary):
    gate, done = Gate(), []

    def do(task):
        done.append(task.path.read_bytes())
        return gate(task)

    settings = Settings(workers=1, limits=Limits(waiting=1))
    with served(do, settings) as client, ThreadPoolExecutor(1) as pool:
        first = pool.submit(client.post, "/v1/label", content=b"first")
        while "lookonce_jobs_running 1.0" not in client.get("/metrics").text:
            assert not first.done()
        with socket.create_connection((client.base_url.host, client.base_url.port)) as line:
            line.sendall(b"POST /v1/label HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nleft")
            while "lookonce_jobs_waiting 1.0" not in client.get("/metrics").text:
                assert not first.done()
        assert client.get("/healthz").status_code == 200  # asked later, so the service has seen by now who left
        gate.open.set()
        assert first.result().status_code == 200
        while "lookonce_jobs_waiting 0.0" not in client.get("/metrics").text:
            pass
        assert client.post("/v1/label", content=b"next").status_code == 200
    assert done == [b"first", b"next"]
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("content", [b"", b"x" * 2000])
def test_a_refused_upload_frees_its_place(content):
    settings = Settings(workers=1, limits=Limits(waiting=0, upload_bytes=1000))
    with served(settings=settings) as client:
        for _ in range(3):
            assert client.post("/v1/label", content=content).status_code in (413, 422)
        assert client.post("/v1/label", content=b"scan").json() == RESULT["result"]
