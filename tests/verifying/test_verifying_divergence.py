"""First divergence: what it says of configs that agree and of faults, and within what memory."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planting_ops import OFF, ON, PLAIN, planted

from workbench.core import Session
from workbench.core.measured import OpOutput
from workbench.errors import CancelledError, TraceError, WorkbenchError
from workbench.models import sample_inputs
from workbench.verifying.divergence import FinalOp, Point, first_divergence, taking
from workbench.verifying.divergence.apart import Apart, tolerance_for
from workbench.verifying.divergence.judging import first_of, judged
from workbench.verifying.divergence.matching import Pair
from workbench.verifying.divergence.standing import Standing

pytestmark = pytest.mark.usefixtures("no_session_left")


@pytest.fixture
def picture(sample_folder: Callable[..., Path]) -> dict[str, Any]:
    return {name: array[:2] for name, array in sample_inputs(sample_folder("digits")).items()}


@pytest.mark.parametrize("layout", ["pir", "program"])
@pytest.mark.parametrize("against", [OFF, None], ids=["off", "plain"])
def test_configs_that_agree_do_not_diverge(
    sample_folder: Callable[..., Path], picture: dict[str, Any], layout: str, against: Any
) -> None:
    folder = sample_folder("digits", layout)
    found = first_divergence(folder, ON, against, picture)
    assert found.first is None and found.beyond == ()
    # All that runs under oneDNN stands for something in the model, so all of it is compared.
    assert found.coverage[0].share == 1.0
    outputs = []
    for config in (ON, found.against):
        with Session(folder, config) as session:
            outputs += session.run(picture).values()
    expected = np.linalg.norm(outputs[0].astype(float) - outputs[1]) / np.linalg.norm(
        outputs[0].astype(float)
    )
    assert found.points[-1].difference == pytest.approx(expected, rel=1e-6, abs=1e-12)
    assert "no op differs" in str(found)


def test_what_is_said_of_a_fault_names_op_layer_and_passes(
    sample_folder: Callable[..., Path], picture: dict[str, Any], tmp_path: Path
) -> None:
    folder = sample_folder("digits")
    copy, op = planted(folder, "linear_0.w_0", tmp_path / "copy")
    found = first_divergence(folder, ON, OFF, picture, other=copy)
    first = found.first
    assert first is not None and op in first.between
    assert any("Linear" in path for path in first.layers) and first.layer in first.layers
    assert first.config.type == "onednn_op.fc"
    assert {"matmul_add_act_fuse_pass", "fc_onednn_enable_pass"} <= {name for _, name in first.config.passes}
    text = str(found)
    for word in ("first divergence", "onednn_op.fc", "matmul_add_act_fuse_pass", *first.layers):
        assert word in text
    facts = json.loads(json.dumps(found.facts(), allow_nan=False))
    assert facts["first"]["op"] == first.op
    assert [one["op"] for one in facts["points"]] == sorted(one["op"] for one in facts["points"])


def test_nan_begins_where_no_input_has_any(
    sample_folder: Callable[..., Path], picture: dict[str, Any], tmp_path: Path
) -> None:
    folder = sample_folder("digits", "program")
    copy, op = planted(folder, "linear_1.b_0", tmp_path / "copy", size=math.nan)
    found = first_divergence(folder, ON, ON, picture, other=copy)
    assert found.first is not None and op in found.first.between
    assert found.first.lost == found.first.shape[0] * found.first.shape[1]
    assert found.beyond == (found.first,)
    json.dumps(found.facts(), allow_nan=False)


def test_a_wider_tolerance_lets_a_small_fault_pass(
    sample_folder: Callable[..., Path], picture: dict[str, Any], tmp_path: Path
) -> None:
    copy, _ = planted(sample_folder("digits"), "linear_1.w_0", tmp_path / "copy", size=1e-2)
    folder = sample_folder("digits")
    assert first_divergence(folder, PLAIN, PLAIN, picture, other=copy).first is not None
    assert first_divergence(folder, PLAIN, PLAIN, picture, other=copy, tolerance=0.5).first is None


def test_chunks_do_not_change_what_is_found(
    sample_folder: Callable[..., Path], picture: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = sample_folder("digits", "program")
    whole = first_divergence(folder, ON, OFF, picture)
    monkeypatch.setattr(taking, "LIMIT_LEAST", 0)
    monkeypatch.setattr(taking, "FIXED", 0)
    parts = first_divergence(folder, ON, OFF, picture, memory_limit=150_000)
    assert whole.chunks == 1 and parts.chunks > 2
    assert parts.peak_bytes <= 150_000 < whole.peak_bytes
    left = {one.value for one in whole.points} - {one.value for one in parts.points}
    # What oneDNN keeps in an order of its own can only be copied as a whole: it is said, not dropped.
    assert sum(count for why, count in parts.coverage[0].reasons.items() if "too large" in why) == len(left)
    for one in parts.points:
        other = next(other for other in whole.points if other.value == one.value)
        assert one.difference == pytest.approx(other.difference, rel=1e-9)


def test_memory_stays_under_the_limit(
    sample_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from workbench.verifying.divergence import find

    extra = []

    def measured(chunks: Any, outputs: Any, sessions: Any, inputs: Any, **options: Any) -> Any:
        before = []
        for session in sessions:
            # Running the model takes memory too, with or without a look at what its ops give.
            session.memory(reset=True)
            session.op_outputs(inputs)
            before.append(session.memory(reset=True)["peak_rss"])
        before.append(_status("VmRSS"))
        Path("/proc/self/clear_refs").write_text("5")
        result = compared(chunks, outputs, sessions, inputs, **options)
        after = [session.memory()["peak_rss"] for session in sessions] + [_status("VmHWM")]
        extra.append(sum(after) - sum(before))
        return result

    compared = find.compared
    monkeypatch.setattr(find, "compared", measured)
    inputs = {"image": np.random.default_rng(3).random((1500, 1, 8, 8)).astype("float32")}
    limit = 48 << 20
    found = first_divergence(sample_folder("digits"), ON, OFF, inputs, memory_limit=limit)
    assert found.chunks > 1
    assert found.first is None
    assert 0 < extra[0] <= limit


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def test_a_config_that_paddle_refuses_leads_to_bisect(tmp_path: Path) -> None:
    import subprocess
    import sys

    script = Path(__file__).parents[1] / "core" / "identity_models.py"
    subprocess.run([sys.executable, str(script), str(tmp_path)], check=True, capture_output=True)
    with pytest.raises(WorkbenchError, match=r"workbench bisect .* --check crash"):
        first_divergence(tmp_path / "upscale.json", ON, OFF)


def test_models_of_another_structure_are_refused(sample_folder: Callable[..., Path]) -> None:
    with pytest.raises(TraceError, match="not the same model"):
        first_divergence(sample_folder("digits"), other=sample_folder("bert_tiny"))
    with pytest.raises(TraceError, match="not the same model"):
        first_divergence(sample_folder("digits"), other=sample_folder("digits", "program"))


@pytest.mark.parametrize(
    "wrong",
    [{"memory_limit": 1000}, {"memory_limit": True}, {"tolerance": -1.0}, {"tolerance": math.nan}],
)
def test_limits_that_are_none_are_refused(sample_folder: Callable[..., Path], wrong: dict[str, Any]) -> None:
    with pytest.raises(WorkbenchError, match=next(iter(wrong))):
        first_divergence(sample_folder("digits"), **wrong)


def test_it_can_be_cancelled_and_tells_how_far_it_is(sample_folder: Callable[..., Path]) -> None:
    cancel = threading.Event()
    told: list[float] = []

    def progress(share: float, text: str) -> None:
        told.append(share)
        if share >= 0.7:
            cancel.set()

    with pytest.raises(CancelledError):
        first_divergence(sample_folder("digits"), ON, OFF, progress=progress, cancel=cancel)
    assert told == sorted(told)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_chart_shows_every_point_with_its_values(
    sample_folder: Callable[..., Path], picture: dict[str, Any], tmp_path: Path, theme: str
) -> None:
    copy, _ = planted(sample_folder("digits"), "linear_0.w_0", tmp_path / "copy")
    found = first_divergence(sample_folder("digits"), ON, OFF, picture, other=copy)
    figure = found.chart(theme)
    assert figure.layout.meta["theme"] == theme
    assert figure.layout.yaxis.type == "log"
    texts = [text for trace in figure.data if trace.customdata is not None for text in trace.customdata]
    assert len(texts) == len(found.points)
    for one in found.points:
        assert any(f"{one.op} {one.type}" in text and f"{one.difference:.3g}" in text for text in texts)
    star = next(trace for trace in figure.data if trace.name == "first divergence")
    assert found.first is not None and list(star.x) == [found.first.op]


# Parts, against what is said of them elsewhere

FLOATS = st.floats(width=32, allow_nan=True, allow_infinity=True)


@given(st.lists(st.tuples(FLOATS, FLOATS), max_size=40), st.integers(1, 7))
def test_the_difference_is_that_of_numpy_however_it_is_cut(
    pairs: list[tuple[float, float]], step: int
) -> None:
    a, b = (np.array([pair[side] for pair in pairs], "float32") for side in (0, 1))
    found = Apart("float32", "float32")
    for start in range(0, len(a), step):
        found.add(a[start : start + step], b[start : start + step])
    both = np.isfinite(a) & np.isfinite(b)
    wide = a[both].astype(float), b[both].astype(float)
    scale = max(float(np.linalg.norm(wide[0])), 1e-6 * math.sqrt(both.sum()))
    expected = float(np.linalg.norm(wide[0] - wide[1])) / scale if both.any() else 0.0
    assert found.relative == pytest.approx(expected, rel=1e-9, abs=1e-300)
    lost = sum(
        not (math.isfinite(x) and math.isfinite(y)) and not (x == y or (math.isnan(x) and math.isnan(y)))
        for x, y in zip(a.tolist(), b.tolist(), strict=True)
    )
    assert found.lost == lost


def test_types_that_numpy_has_not_are_read_from_their_bits() -> None:
    values = np.array([1.0, -2.5, 0.0, 3.140625], "float32")
    bits = (values.view(np.uint32) >> 16).astype(np.uint16)
    found = Apart("bfloat16", "float32")
    found.add(bits, values)
    assert found.relative == 0.0 and found.lost == 0
    # From the tables of "FP8 Formats for Deep Learning": the largest numbers, the smallest, and NaN.
    for dtype, codes, numbers in (
        ("float8_e4m3fn", [0x7E, 0x01, 0x38, 0xB8, 0x7F], [448.0, 2.0**-9, 1.0, -1.0, np.nan]),
        ("float8_e5m2", [0x7B, 0x01, 0x3C, 0xBC, 0x7E], [57344.0, 2.0**-16, 1.0, -1.0, np.nan]),
    ):
        found = Apart(dtype, "float64")
        found.add(np.array(codes, "uint8"), np.array(numbers))
        assert found.relative == 0.0 and found.lost == 0


def test_the_coarser_of_two_types_sets_the_tolerance() -> None:
    fine, coarse = ("float32", "float32"), ("float32", "bfloat16")
    assert tolerance_for(fine, ("fp32", "fp32")) < tolerance_for(coarse, ("fp32", "fp32"))
    assert tolerance_for(fine, ("fp32", "bf16")) == tolerance_for(coarse, ("fp32", "fp32"))
    assert tolerance_for(("int64", "int64"), ("bf16", "bf16")) == 0.0


def made_point(name: str, op: int, difference: float, before: tuple[str, ...] = (), lost: int = 0) -> Point:
    final = FinalOp(op, "relu")
    kinds = ("float32", "float32")
    return Point(
        name, op, "relu", "", (op,), (), before, final, final, (2,), kinds, difference, lost, 0.0, 1e-4
    )


def test_what_inputs_explain_is_no_divergence() -> None:
    points = judged(
        [
            made_point("a", 0, 1e-6),
            made_point("b", 1, 9e-6, ("a",)),
            made_point("c", 2, 0.01, ("b",)),
            made_point("d", 3, 0.09, ("c",)),
            made_point("e", 4, 0.5, ("a",)),
            made_point("f", 5, 0.5, ("d", "e")),
        ]
    )
    first = first_of(points)
    assert first is not None and first.value == "c"
    assert [one.value for one in points if one.exceeds] == ["c", "e"]
    assert points[5].inherited == 0.5


def test_what_vanishes_at_once_is_no_divergence_but_nan_is() -> None:
    scaled = judged(
        [made_point("a", 0, 0.8), made_point("b", 1, 1e-6, ("a",)), made_point("c", 2, 1e-6, ("b",))]
    )
    assert scaled[0].heals and first_of(scaled) is None
    nan = judged([made_point("a", 0, 0.0, lost=3), made_point("b", 1, 1e-6, ("a",))])
    assert first_of(nan) == nan[0]
    handed_on = judged([made_point("a", 0, 0.0, lost=3), made_point("b", 1, 0.0, ("a",), lost=9)])
    assert [one.exceeds for one in handed_on] == [True, False]


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 30_000), st.booleans(), st.booleans()), min_size=1, max_size=12),
    st.integers(20_000, 300_000),
)
def test_chunks_take_everything_once_and_keep_to_the_limit(
    sizes: list[tuple[int, bool, bool]], limit: int
) -> None:
    outputs = tuple(
        tuple(
            OpOutput("relu", f"{place}", "float32", (one[0],), one[1 + side])
            for place, one in enumerate(sizes)
        )
        for side in (0, 1)
    )
    pairs = [
        Pair(f"{place}", place, Standing(place, place, False), Standing(place, place, False), (), ())
        for place in range(len(sizes))
    ]
    chunks, large = taking.planned(pairs, (outputs[0], outputs[1]), limit + taking.FIXED)
    assert all(chunk.held <= limit for chunk in chunks)
    for pair in pairs:
        pieces = [piece for chunk in chunks for piece in chunk.pieces if piece.pair is pair]
        if pair in large:
            assert not pieces and any(sizes[pair.producer][1:])
            continue
        ends = [0, *(piece.stop for piece in pieces)]
        assert [piece.start for piece in pieces] == ends[:-1] and ends[-1] == sizes[pair.producer][0]
