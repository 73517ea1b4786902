"""The routes: results as the command gives them, models, figures, the page, and one form for all errors."""

from __future__ import annotations

import io
import json
import zipfile
from importlib import resources
from pathlib import Path

import pytest
from tests.server.conftest import RESULT, TOKEN, served

import lookonce
from lookonce.io.nifti import read_image
from lookonce.labeling import label
from lookonce.results import result_record, write_result
from lookonce.runtime.session import DiscSession
from lookonce.runtime.weights import find_model, model_names
from lookonce.server.schema import LabelAnswer, LabelOptions
from lookonce.server.settings import Settings
from lookonce.server.tasks import ANSWER_NAME


@pytest.fixture(scope="module")
def simulated() -> bytes:
    return (resources.files("lookonce.examples") / "sub-simulated_T2w.nii.gz").read_bytes()


def test_a_scan_is_labelled_as_the_command_labels_it(labelling_client, simulated, tmp_path):
    (tmp_path / "scan.nii.gz").write_bytes(simulated)
    image = read_image(tmp_path / "scan.nii.gz")
    result = label(image, model=DiscSession(find_model(), threads=1), first_level=20)
    written = write_result(image, result, tmp_path, "upload", markups=True)
    expected = result_record("scan", result, image, {})

    answer = labelling_client.post("/v1/label", params={"first_level": 20, "format": "zip"}, content=simulated)
    assert answer.status_code == 200
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        names = sorted(archive.namelist())
        record = json.loads(archive.read("upload_discs.json"))
        labels, markups = archive.read("upload_label-discs_dlabel.nii.gz"), archive.read("upload_discs.mrk.json")
    assert names == sorted(record["outputs"].values())
    assert labels == Path(written["labels"]).read_bytes()
    assert markups == Path(written["markups"]).read_bytes()
    assert len(record["discs"]) >= 4
    differing = ("input", "outputs", "seconds")
    assert [record[name] for name in record if name not in differing] == [
        expected[name] for name in expected if name not in differing
    ]
    LabelAnswer.model_validate(record)
    assert set(record) <= set(LabelAnswer.model_fields)


def test_options_reach_the_worker(temporary):
    tasks = []

    def do(task):
        tasks.append(task)
        return RESULT

    with served(do) as client:
        client.post("/v1/label?first_level=5&volume=2&series=series-005_T2w&decoder=skeleton", content=b"scan")
        client.post("/v1/segment?model=cells&mm_per_pixel=0.5", content=b"scan")
    wanted = LabelOptions(first_level=5, volume=2, series="series-005_T2w", decoder="skeleton")
    assert (tasks[0].label, tasks[0].segment) == (wanted, None)
    assert (tasks[1].label, tasks[1].segment.model, tasks[1].segment.mm_per_pixel) == (None, "cells", 0.5)


@pytest.mark.parametrize(
    "options",
    [
        "model=../../etc/passwd",
        "model=/tmp/evil.onnx",
        "model=http://evil.example/x.onnx",
        "series=../x",
        "first_level=1",
        "volume=-1",
        "path=/etc/passwd",
        "url=http://evil.example/",
        "decoder=pickle",
    ],
)
def test_options_that_make_no_sense_or_name_a_place_are_refused(client, options):
    answer = client.post(f"/v1/label?{options}", content=b"scan")
    assert (answer.status_code, answer.json()["error"]["kind"]) == (422, "usage")


@pytest.mark.parametrize(("route", "model"), [("label", "nothing"), ("label", "lookonce"), ("segment", "discs")])
def test_a_model_that_is_not_there_or_of_another_kind_is_not_found(labelling_client, route, model):
    answer = labelling_client.post(f"/v1/{route}?model={model}", content=b"scan")
    assert (answer.status_code, answer.json()["error"]["kind"]) == (404, "not-installed")
    assert answer.json()["error"]["message"].startswith("no model for this is called")


@pytest.mark.parametrize(("token", "refusal", "other"), [(None, "403", "401"), (TOKEN, "401", "403")])
def test_the_document_tells_who_is_refused_and_when_to_come_back(token, refusal, other):
    with served(settings=Settings(token=token)) as client:
        paths = client.get("/openapi.json").json()["paths"]
    for address, method in [("/v1/label", "post"), ("/v1/segment", "post"), ("/v1/models", "get"), ("/metrics", "get")]:
        responses = paths[address][method]["responses"]
        assert refusal in responses
        assert other not in responses
    for address in ("/v1/label", "/v1/segment"):
        responses = paths[address]["post"]["responses"]
        assert "Retry-After" in responses["429"]["headers"]
        assert "500" in responses


def test_a_zip_answer_is_sent_as_a_file(temporary):
    def do(task):
        task.path.with_name(ANSWER_NAME).write_bytes(b"PK")
        return RESULT

    with served(do) as client:
        answer = client.post("/v1/label?format=zip", content=b"scan")
    assert (answer.content, answer.headers["content-type"]) == (b"PK", "application/zip")


def test_the_models_are_told_with_their_cards(client):
    cards = [find_model(name).card.model_dump(mode="json") for name in model_names()]
    assert client.get("/v1/models").json() == {"models": cards}


def test_the_service_says_that_it_lives_and_which_version_it_is(client):
    assert client.get("/healthz").json() == {"status": "ok", "version": lookonce.__version__}


def test_figures_are_text_for_prometheus(client):
    client.get("/healthz")
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'lookonce_requests_total{route="/healthz",status="200"}' in answer.text
    assert f'lookonce_info{{version="{lookonce.__version__}"}} 1.0' in answer.text


@pytest.mark.parametrize(
    ("method", "address", "status"), [("GET", "/v1/label", 405), ("DELETE", "/healthz", 405), ("GET", "/v1", 404)]
)
def test_errors_of_the_framework_have_the_form_of_all_others(client, method, address, status):
    answer = client.request(method, address)
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"kind", "message"}


def test_without_a_built_page_its_address_says_so(client, tmp_path):
    with served(page=tmp_path) as client:
        answer = client.get("/")
    assert (answer.status_code, answer.json()["error"]["kind"]) == (404, "not-installed")


@pytest.fixture
def page(tmp_path):
    (tmp_path / "page" / "assets").mkdir(parents=True)
    (tmp_path / "page" / "index.html").write_text("<!doctype html><title>LookOnce</title>")
    (tmp_path / "page" / "assets" / "app-1234.mjs").write_text("export {}")
    (tmp_path / "page" / "assets" / "ort-1234.wasm").write_bytes(b"\0asm")
    (tmp_path / "page" / "runtime").mkdir()
    (tmp_path / "page" / "runtime" / "ort.wasm.gz").write_bytes(b"\x1f\x8b")
    (tmp_path / "secret").write_text("secret")
    return tmp_path / "page"


@pytest.mark.parametrize(
    ("address", "kind", "caching"),
    [
        ("/", "text/html; charset=utf-8", "no-cache"),
        ("/index.html", "text/html; charset=utf-8", "no-cache"),
        ("/assets/app-1234.mjs", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"),
        ("/assets/ort-1234.wasm", "application/wasm", "public, max-age=31536000, immutable"),
        ("/runtime/ort.wasm.gz", "application/gzip", "no-cache"),
        ("/weights/discs.onnx", "application/octet-stream", "no-cache"),
        ("/weights/discs.json", "application/json", "no-cache"),
    ],
)
def test_the_page_is_served_with_types_that_browsers_run(page, address, kind, caching):
    with served(page=page) as client:
        answer = client.get(address)
    assert answer.status_code == 200
    assert (answer.headers["content-type"], answer.headers["cache-control"]) == (kind, caching)
    assert "content-encoding" not in answer.headers


def test_the_page_gets_the_network_that_the_command_uses(page):
    with served(page=page) as client:
        answer = client.get("/weights/discs.onnx")
        again = client.get("/weights/discs.onnx", headers={"If-None-Match": answer.headers["etag"]})
    assert answer.content == find_model().content
    assert again.status_code == 304


@pytest.mark.parametrize(
    "address", ["/../secret", "/%2e%2e/secret", "/assets/..%2f..%2fsecret", "/..%5csecret", "/secret"]
)
def test_nothing_outside_the_page_is_served(page, address):
    with served(page=page) as client:
        assert client.get(address).status_code == 404
