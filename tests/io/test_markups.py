"""Markups files of 3D Slicer, held against the fields that its schema names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookonce.anatomy import Level
from lookonce.errors import InputError
from lookonce.io.bids import read_labels
from lookonce.io.markups import encode_markups, read_markups
from lookonce.landmarks import Disc, DiscLabels

LABELS = DiscLabels([Disc(Level.C2_C3, (1.5, -20, 300.25), 0.98765), Disc(Level.L6_S1, (-4, 31, -12.5), 0.5)])
#: What the published schema (1.0.3) says of the fields of a markup and of a control point: type, length, values.
MARKUP_FIELDS = {
    "type": (str, None, {"Fiducial", "Line", "Angle", "Curve", "ClosedCurve", "Plane", "ROI"}),
    "name": (str, None, None),
    "coordinateSystem": (str, None, {"LPS", "RAS"}),
    "coordinateUnits": (str, None, {"mm", "um"}),
    "locked": (bool, None, None),
    "fixedNumberOfControlPoints": (bool, None, None),
    "labelFormat": (str, None, None),
    "lastUsedControlPointNumber": (int, None, None),
    "controlPoints": (list, None, None),
    "display": (dict, None, None),
}
POINT_FIELDS = {
    **dict.fromkeys(("id", "label", "description", "associatedNodeID"), (str, None, None)),
    "position": (list, 3, None),
    "orientation": (list, 9, None),
    **dict.fromkeys(("selected", "locked", "visibility"), (bool, None, None)),
    "positionStatus": (str, None, {"undefined", "preview", "defined"}),
}
DISPLAY_FIELDS = dict.fromkeys(("visibility", "pointLabelsVisibility", "propertiesLabelVisibility"), (bool, None, None))


def check(entry: dict, fields: dict) -> None:
    assert set(entry) == set(fields)
    for key, value in entry.items():
        kind, length, choices = fields[key]
        assert type(value) is kind
        assert length is None or (len(value) == length and all(isinstance(number, int | float) for number in value))
        assert choices is None or value in choices


def load(labels: DiscLabels = LABELS, **options) -> dict:
    return json.loads(encode_markups(labels, name="sub-01_T2w_discs", **options))


def save(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content))
    return path


def test_the_file_keeps_to_the_fields_of_the_schema():
    content = load()
    assert set(content) == {"@schema", "markups"}
    assert content["@schema"].endswith("/markups-schema-v1.0.3.json#")
    (markup,) = content["markups"]
    check(markup, MARKUP_FIELDS)
    check(markup["display"], DISPLAY_FIELDS)
    for point in markup["controlPoints"]:
        check(point, POINT_FIELDS)


def test_points_are_lps_named_visible_and_say_how_sure_they_are():
    (markup,) = load()["markups"]
    first, last = markup["controlPoints"]
    assert markup["coordinateSystem"] == "LPS"
    assert markup["locked"]
    assert markup["display"]["pointLabelsVisibility"]
    assert (first["label"], first["position"], first["visibility"]) == ("C2/C3", [-1.5, 20, 300.25], True)
    assert first["description"] == "confidence 0.9877"
    assert (last["label"], last["position"]) == ("L6/S1", [4, -31, -12.5])
    (doubtful,) = load(uncertain=True)["markups"]
    assert doubtful["controlPoints"][0]["description"] == "confidence 0.9877; numbering uncertain"


@given(
    st.dictionaries(st.sampled_from(list(Level)), st.tuples(*[st.floats(-900, 900)] * 3, st.floats(0, 1)), max_size=25),
    st.booleans(),
)
@settings(max_examples=30)
def test_what_is_written_is_read_back(tmp_path_factory, discs, uncertain):
    labels = DiscLabels(Disc(level, (x, y, z), sure) for level, (x, y, z, sure) in discs.items())
    path = tmp_path_factory.mktemp("markups") / "a_discs.mrk.json"
    path.write_bytes(encode_markups(labels, name="a", uncertain=uncertain))
    back = read_labels(path)
    assert back.levels == labels.levels
    assert back.points == pytest.approx(labels.points, abs=6e-4)
    assert [disc.confidence for disc in back] == pytest.approx([disc.confidence for disc in labels], abs=6e-5)


def test_ras_and_lps_files_mean_what_they_say(tmp_path):
    content = load()
    (markup,) = content["markups"]
    markup["coordinateSystem"] = "RAS"
    turned = read_markups(save(tmp_path / "ras.mrk.json", content))
    assert turned.points == pytest.approx(LABELS.points * [-1, -1, 1])
    del markup["coordinateSystem"]  # the schema's default is LPS
    assert read_markups(save(tmp_path / "lps.mrk.json", content)).points == pytest.approx(LABELS.points)


def test_what_slicer_adds_or_leaves_out_is_no_obstacle(tmp_path):
    content = load()
    (markup,) = content["markups"]
    markup["coordinateUnits"] = ["mm", "UCUM", "millimeter"]
    first, last = markup["controlPoints"]
    last["positionStatus"] = "undefined"
    first["description"] = ""
    content["markups"].append({"type": "Line", "controlPoints": [{"label": "a ruler", "position": [0, 0, 0]}]})
    (disc,) = read_markups(save(tmp_path / "a.mrk.json", content))
    assert (disc.level, disc.confidence) == (Level.C2_C3, 1.0)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda markup: markup["controlPoints"][0].update(label="F-1"), "'F-1'"),
        (lambda markup: markup["controlPoints"][0].update(label="L6/S1"), "given twice"),
        (lambda markup: markup["controlPoints"][0].update(position=[1, 2]), "C2/C3"),
        (lambda markup: markup["controlPoints"][0].update(position=[1, 2, float("nan")]), "C2/C3"),
        (lambda markup: markup.update(coordinateSystem="IJK"), "IJK"),
        (lambda markup: markup.update(coordinateUnits="um"), "um"),
        (lambda markup: markup.pop("type"), "no markups file"),
        (lambda markup: markup["controlPoints"][0].pop("position"), "no markups file"),
    ],
)
def test_a_file_that_holds_no_discs_says_why(tmp_path, change, complaint):
    content = load()
    change(content["markups"][0])
    with pytest.raises(InputError, match=rf"a\.mrk\.json: .*{complaint}"):
        read_markups(save(tmp_path / "a.mrk.json", content))


@pytest.mark.parametrize("text", ["", "[]", "3", '{"markups": 3}', '{"markups": ["a"]}', "{"])
def test_other_files_are_refused(tmp_path, text):
    path = tmp_path / "a.mrk.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"a\.mrk\.json"):
        read_markups(path)
