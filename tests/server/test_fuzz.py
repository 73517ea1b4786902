"""Requests that are made from the OpenAPI document, right and wrong ones, never find a fault of the service's own."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings

pytest.importorskip("schemathesis")
pytest.importorskip("pydicom")
from tests.fuzzing import check_answer, requests_of


@pytest.mark.filterwarnings("ignore")
def test_no_request_gets_an_answer_that_the_document_does_not_tell(labelling_client):
    address = str(labelling_client.base_url).rstrip("/")

    # What fails once is shown as it is: to find a smaller case takes many more requests.
    @settings(max_examples=60, phases=[Phase.generate], suppress_health_check=list(HealthCheck), derandomize=True)
    @given(requests_of(f"{address}/openapi.json"))
    def check(case):
        check_answer(case)

    check()
