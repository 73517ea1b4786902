"""Requests made from the OpenAPI document of a service, with bodies that are nearly scans."""

from __future__ import annotations

import gzip

import schemathesis
from hypothesis import strategies as st
from schemathesis.checks import positive_data_acceptance
from schemathesis.generation import GenerationMode
from tests.hostile_files import dicom, nifti, zipped


def requests_of(address: str) -> st.SearchStrategy:
    """Valid and invalid requests to every operation of the document at an address."""
    schemathesis.openapi.media_type("application/octet-stream", bodies())
    schema = schemathesis.openapi.from_url(address)
    operations = [result.ok() for result in schema.get_all_operations()]
    return st.one_of(
        [
            operation.as_strategy(generation_mode=mode)
            for operation in operations
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
        ]
    )


def check_answer(case: schemathesis.Case) -> int:
    """Send a request, check that its answer is one that the document tells and no fault, and return its status."""
    # Most bodies are no scans, and refused with right.
    answer = case.call_and_validate(excluded_checks=[positive_data_acceptance], timeout=60)
    return answer.status_code


def bodies() -> st.SearchStrategy[bytes]:
    """Anything, and files of every kind with some bytes changed or cut off."""
    files = [nifti(), gzip.compress(nifti()), dicom(), zipped({"a.dcm": dicom()})]
    return st.binary(max_size=600) | st.builds(
        _damaged,
        st.sampled_from(files),
        st.lists(st.tuples(st.integers(0, 999), st.integers(0, 255)), max_size=8),
        st.floats(0, 2),
    )


def _damaged(content: bytes, changes: list[tuple[int, int]], share: float) -> bytes:
    changed = bytearray(content)
    for place, value in changes:
        changed[place % len(changed)] = value
    return bytes(changed[: int(share * len(changed))])
