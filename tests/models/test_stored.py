"""Files that say which network they hold: they load as they were written, and others are refused."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save_file
from tests.checkpoints import SMALL, random_state

from lookonce import models
from lookonce.errors import OutputError, WeightsError
from lookonce.models.stored import HEADER, StoredNetwork, write_network

SOURCE = {"file": "a.pth", "sha256": "0"}


@pytest.mark.parametrize("name", ["disc-net", "hourglass"])
def test_a_network_loads_as_it_was_written(tmp_path, name):
    state = random_state(name)
    write_network(tmp_path / "a.safetensors", StoredNetwork(name, SMALL, state, SOURCE))
    network = models.load(tmp_path / "a.safetensors")
    expected = models.build(name, **SMALL).eval()
    expected.load_state_dict(state)
    image = torch.rand(1, expected.in_channels, 32, 32)
    with torch.no_grad():
        assert torch.equal(network(image).scores[-1], expected(image).scores[-1])


def test_learned_numbers_are_counted_as_torch_counts_them():
    count = sum(parameter.numel() for parameter in models.build("hourglass", **SMALL).parameters())
    assert StoredNetwork("hourglass", SMALL, random_state("hourglass"), SOURCE).parameters == count


def header(**fields) -> dict[str, str]:
    return {HEADER: json.dumps({"model": "hourglass", "options": SMALL, **fields})}


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (None, "does not say which network it holds"),
        ({HEADER: "no json"}, "does not say which network it holds"),
        ({HEADER: "[1]"}, "does not say which network it holds"),
        ({HEADER: "{}"}, "do not fit together"),
        (header(model="transformer"), "no model is called 'transformer'"),
        (header(options={"wide": 3}), "no option 'wide'"),
        (header(options=3), "do not fit together"),
        (header(options={**SMALL, "classes": 4}), "do not fit together"),
    ],
)
def test_a_header_that_does_not_fit_is_refused(tmp_path, metadata, message):
    save_file(random_state("hourglass"), tmp_path / "a.safetensors", metadata)
    with pytest.raises(WeightsError, match=message) as raised:
        models.load(tmp_path / "a.safetensors")
    assert str(raised.value).startswith(str(tmp_path / "a.safetensors"))


def test_missing_and_truncated_files_are_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    with pytest.raises(WeightsError, match="not there"):
        models.load(path)
    write_network(path, StoredNetwork("hourglass", SMALL, random_state("hourglass"), SOURCE))
    content = path.read_bytes()
    for length in (0, 5, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(WeightsError, match="cannot be read as safetensors"):
            models.load(path)


def test_a_folder_in_the_way_is_an_output_error(tmp_path):
    (tmp_path / "a.safetensors").mkdir()
    with pytest.raises(OutputError):
        write_network(tmp_path / "a.safetensors", StoredNetwork("hourglass", SMALL, random_state("hourglass"), SOURCE))
