"""Headers, hosts, other sites, tokens and logs: what holds for every request."""

from __future__ import annotations

import json
import logging
import subprocess
import sys

import pytest
from tests.server.conftest import TOKEN, served

from lookonce.server.guard import SECURITY_HEADERS
from lookonce.server.logs import LOGGER, JsonLines
from lookonce.server.settings import Settings

EVERYTHING = ["/", "/healthz", "/metrics", "/openapi.json", "/v1/models", "/nothing", "/v1/label", "//evil/", "/%00"]


@pytest.mark.parametrize("address", EVERYTHING)
def test_every_answer_has_the_security_headers(client, address):
    answer = client.get(address)
    assert answer.headers.items() >= {name.lower(): value for name, value in SECURITY_HEADERS.items()}.items()
    assert answer.headers["cache-control"]


def test_an_unexpected_error_has_them_too_and_says_nothing_of_the_upload():
    def fail(task):
        raise RuntimeError("Doe^Jane")

    with served(fail) as client:
        answer = client.post("/v1/label", content=b"scan")
    assert answer.status_code == 500
    assert answer.json()["error"]["kind"] == "error"
    assert "Doe" not in answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self' ")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "localhost:8000", "[::1]:9", "LOCALHOST", "127.8.9.1:8000"])
def test_names_of_this_machine_are_answered(client, host):
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "10.0.0.1", "127.1", "2130706433", "[", "", "a:b:c"],
)
def test_a_name_that_another_site_gave_this_machine_is_refused(client, host):
    answer = client.get("/v1/models", headers={"Host": host})
    assert answer.status_code == 403
    assert answer.json()["error"]["kind"] == "refused"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_pages_of_other_sites_are_refused(client, headers):
    assert client.post("/v1/label", content=b"scan", headers=headers).status_code == 403


def test_a_link_from_another_site_leads_to_the_page(client):
    assert client.get("/healthz", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


def test_the_page_itself_is_answered(client):
    own = {"Origin": str(client.base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin"}
    assert client.post("/v1/label", content=b"scan", headers=own).status_code == 200


@pytest.mark.parametrize("given", [None, "", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", f"Basic {TOKEN}", "Bearer é"])
@pytest.mark.parametrize(
    ("method", "address"), [("POST", "/v1/label"), ("POST", "/v1/segment"), ("GET", "/v1/models"), ("GET", "/metrics")]
)
def test_without_the_right_token_nothing_is_done(method, address, given):
    headers = {} if given is None else {"Authorization": given.encode()}
    with served(lambda task: pytest.fail("worked"), Settings(token=TOKEN)) as client:
        answer = client.request(method, address, content=b"scan" if method == "POST" else None, headers=headers)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.json()["error"]["kind"] == "token"


def test_with_the_token_any_name_is_answered():
    headers = {"Authorization": f"Bearer {TOKEN}", "Host": "label.example.org"}
    with served(settings=Settings(token=TOKEN)) as client:
        assert client.post("/v1/label", content=b"scan", headers=headers).status_code == 200
        assert client.get("/healthz", headers={"Host": "label.example.org"}).status_code == 200


def test_the_log_tells_what_happened_and_nothing_of_the_client(client, caplog):
    caplog.set_level(logging.INFO, LOGGER)
    client.post("/v1/label?series=Doe", content=b"Doe^Jane", headers={"Content-Disposition": "filename=Doe.nii"})
    client.get("/Doe/Jane.nii?name=Doe")
    lines = [JsonLines().format(record) for record in caplog.records if record.name == LOGGER]
    told = [json.loads(line) for line in lines]
    assert [(line["method"], line["route"], line["status"]) for line in told] == [
        ("POST", "/v1/label", 200),
        ("GET", "page", 404),
    ]
    assert all("Doe" not in line for line in lines)


def test_an_exception_is_logged_without_its_words():
    try:
        raise ValueError("Doe^Jane")
    except ValueError as error:
        record = logging.LogRecord(LOGGER, logging.ERROR, "", 0, "bad", (), (ValueError, error, error.__traceback__))
    line = JsonLines().format(record)
    assert json.loads(line)["trace"][0] == "ValueError"
    assert "Doe" not in line


def test_what_libraries_log_is_a_line_of_json_without_their_words():
    program = (
        "import logging.config, lookonce.server.logs as logs\n"
        "logging.config.dictConfig(logs.log_config())\n"
        "try: raise ValueError('Doe^Jane')\n"
        "except ValueError as error: logging.getLogger('asyncio').exception('lost: %r', error)"
    )
    line = subprocess.run([sys.executable, "-c", program], stderr=subprocess.PIPE, check=True).stderr
    told = json.loads(line)
    assert told["event"].startswith("asyncio: ")
    assert told["trace"][0] == "ValueError"
    assert b"Doe" not in line
