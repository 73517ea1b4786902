"""What TMUnet is compared with: sizes as published, and impossible options."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from lookonce import models
from lookonce.errors import UsageError

DOCS = Path(__file__).parents[2] / "docs" / "segmentation-peers.md"
PEERS = (
    "mask-unet",
    "mask-attention-unet",
    "mcgunet",
    "transunet",
    "medt",
    "fatnet",
    "dagan",
    "frcunet",
    "deeplab-attention",
)
#: Millions of parameters, and who counted them.
PUBLISHED = {
    "mask-unet": (31.13, "arXiv 2203.04967, table 1"),
    "mask-attention-unet": (30.42, "PMC11236745, table 3"),
    "transunet": (105.32, "arXiv 2203.04967, table 1"),
    "medt": (1.60, "arXiv 2203.04967, table 1"),
    "fatnet": (27.43, "PMC11236745, table 3"),
}
WRONG = {
    "mask-unet": [{"widths": [8, 8]}, {"widths": "wide"}, {"in_channels": 0}],
    "mask-attention-unet": [{"widths": [8]}, {"widths": [8, 1]}],
    "mcgunet": [{"widths": [8]}, {"widths": [8, 9]}, {"dense_blocks": 0}],
    "transunet": [{"size": 100}, {"heads": 5}, {"blocks": [3, 4]}, {"decoder": [8]}],
    "medt": [{"size": 100}, {"heads": 7}, {"local_widths": []}, {"stem": 0}],
    "fatnet": [{"size": 100}, {"heads": 5}, {"widths": [8]}],
    "dagan": [{"widths": [8]}, {"dilations": []}, {"dilations": [0]}],
    "frcunet": [{"widths": [8]}, {"bands": 1}],
    "deeplab-attention": [{"widths": [8]}, {"scales": []}, {"scales": [2.0]}, {"pyramid": 1}],
}


def parameters(name: str) -> int:
    with torch.device("meta"):  # nothing to fill and no memory
        return sum(parameter.numel() for parameter in models.build(name).parameters())


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_network_has_as_many_parameters_as_published_within_5_percent(name):
    millions, _source = PUBLISHED[name]
    assert parameters(name) / 1e6 == pytest.approx(millions, rel=0.05)


@pytest.mark.parametrize("name", PEERS)
def test_the_documentation_tells_a_network_s_parameters_and_who_counted_them(name):
    row = re.search(rf"^\| `{name}` \|.*$", DOCS.read_text(), re.MULTILINE)
    assert row is not None
    assert f"| {parameters(name) / 1e6:.2f} |" in row[0]
    if name in PUBLISHED:
        millions, source = PUBLISHED[name]
        assert f"{millions:.2f} ({source})" in row[0]


@pytest.mark.parametrize(
    ("name", "options"), [(name, options) for name, all_of in WRONG.items() for options in all_of], ids=str
)
def test_an_impossible_value_is_a_usage_error_that_names_the_network(name, options):
    with torch.device("meta"), pytest.raises(UsageError, match=f"model {name}: "):
        models.build(name, **options)
