"""Result files: interchangeable with the real ``reprod_log`` package, compared as it does, safe to open."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import reprod_log
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as np_st

from workbench.deploy.reprod import ReprodDiffHelper, ReprodLogger, compare, describe, read
from workbench.errors import InputError, WorkbenchError

ARRAYS = {
    "class_id": np.array([812]),
    "prob": np.array([0.001], "float32"),
    "half": np.arange(6, dtype="float16").reshape(2, 3),
    "flags": np.array([True, False]),
    "none": np.empty((0, 3)),
}


def test_their_file_is_read_by_us_and_ours_by_them(tmp_path: Path) -> None:
    theirs, ours = reprod_log.ReprodLogger(), ReprodLogger()
    for logger in (theirs, ours):
        for name, array in ARRAYS.items():
            logger.add(name, array)
    theirs.save(str(tmp_path / "theirs.npy"))
    ours.save(tmp_path / "made" / "ours.npy")
    found = {"us": read(tmp_path / "theirs.npy")}
    found["them"] = reprod_log.ReprodDiffHelper().load_info(str(tmp_path / "made" / "ours.npy"))
    for data in found.values():
        assert list(data) == list(ARRAYS)
        for name, array in ARRAYS.items():
            assert data[name].dtype == array.dtype
            np.testing.assert_array_equal(data[name], array)


def test_nested_results_are_read_and_compared(tmp_path: Path) -> None:
    np.save(tmp_path / "nested.npy", {"head": {"a": np.ones(2), "b": np.zeros(2)}})  # type: ignore[arg-type]
    data = read(tmp_path / "nested.npy")
    assert [one.name for one in compare(data, data)] == ["head/a", "head/b"]


floats = np_st.arrays("float32", (2, 3), elements=st.floats(-1e3, 1e3, width=32))


@given(floats, floats)
def test_the_verdict_is_that_of_reprod_log(first: np.ndarray, second: np.ndarray) -> None:  # type: ignore[type-arg]
    theirs = reprod_log.compare.compute_diff({"x": first}, {"x": second})["x"]
    (ours,) = compare({"x": first}, {"x": second})
    for method in ("mean", "max", "min"):
        assert getattr(ours, method) == pytest.approx(float(theirs[method]), rel=1e-5, abs=1e-30)
        threshold = float(theirs[method]) * 1.01
        assert describe([ours], method, threshold)[1] is True
        if threshold:
            assert describe([ours], method, float(theirs[method]) * 0.99)[1] is False


def test_the_report_is_printed_and_written_in_their_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    helper = ReprodDiffHelper()
    helper.compare_info({"prob": np.array([0.5])}, {"prob": np.array([0.25])})
    assert helper.report(diff_threshold=1e-5, path=tmp_path / "ours.txt") is False
    assert capsys.readouterr().out == (tmp_path / "ours.txt").read_text()
    theirs = reprod_log.ReprodDiffHelper()
    theirs.compare_info({"prob": np.array([0.5])}, {"prob": np.array([0.25])})
    theirs.report(diff_threshold=1e-5, path=str(tmp_path / "theirs.txt"))
    # Theirs has a clock before every line, and a space after the name.
    said = [line.split(" root INFO: ", 1)[1].rstrip() for line in (tmp_path / "theirs.txt").open()]
    assert (tmp_path / "ours.txt").read_text().splitlines() == said


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_a_difference_unless_it_is_in_both(value: float) -> None:
    bad, good = {"x": np.array([value, 1.0])}, {"x": np.array([0.0, 1.0])}
    assert describe(compare(bad, good), "max", 1e30)[1] is False
    assert describe(compare(bad, bad), "max", 0.0)[1] is True


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("pwned",)


def test_a_hostile_file_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("evil.npy", {"x": Evil()}, allow_pickle=True)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"holds something else than arrays \(posix.mkdir\)"):
        read("evil.npy")
    assert not Path("pwned").exists()


def test_files_that_are_none(tmp_path: Path) -> None:
    logger = ReprodLogger()
    logger.add("x", np.arange(100.0))
    logger.save(tmp_path / "whole.npy")
    whole = (tmp_path / "whole.npy").read_bytes()
    np.save(tmp_path / "plain.npy", np.arange(3))
    np.save(tmp_path / "list.npy", np.array([{"x": 1}, 2], dtype=object), allow_pickle=True)
    (tmp_path / "cut.npy").write_bytes(whole[:-50])
    (tmp_path / "text.npy").write_text("hello")
    (tmp_path / "empty.npy").write_bytes(b"")
    (tmp_path / "pickle.npy").write_bytes(pickle.dumps({"x": np.arange(3)}))
    for name in ("nowhere", "plain", "list", "cut", "text", "empty", "pickle"):
        with pytest.raises(InputError, match=f"{name}.npy.*give a file") as said:
            read(tmp_path / f"{name}.npy")
        assert "\n" not in str(said.value)


def test_nothing_compared_is_no_pass(tmp_path: Path) -> None:
    helper = ReprodDiffHelper()
    with pytest.raises(WorkbenchError, match="nothing was compared: call compare_info"):
        helper.report(path=None)
    x = {"x": np.ones(2)}
    helper.compare_info(x, x)
    with pytest.raises(InputError):
        helper.compare_info(x, {"y": np.ones(2)})
    with pytest.raises(WorkbenchError, match="nothing was compared"):
        helper.report(path=None)
    helper.compare_info(x, x)
    for threshold in ("x", float("nan"), -1.0):
        with pytest.raises(WorkbenchError, match="the threshold is"):
            helper.report(diff_threshold=threshold, path=None)  # type: ignore[arg-type]


def test_results_that_do_not_fit_and_other_mistakes(tmp_path: Path) -> None:
    x = {"x": np.ones(2)}
    with pytest.raises(InputError, match="'y' is only in the second result"):
        compare(x, {**x, "y": np.ones(1)})
    with pytest.raises(InputError, match=r"'x' has shape \[2\] in the first result and \[3\] in the second"):
        compare(x, {"x": np.ones(3)})
    with pytest.raises(InputError, match="'x' is <U3, which has no differences"):
        compare({"x": np.array(["cat"])}, {"x": np.array(["dog"])})
    with pytest.raises(InputError, match="'p' is float: give a numpy array"):
        ReprodLogger().add("p", 0.5)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="5 is no name"):
        ReprodLogger().add(5, np.ones(1))  # type: ignore[arg-type]
    with pytest.raises(WorkbenchError, match="there is no method 'median'"):
        describe(compare(x, x), "median")
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkbenchError, match="cannot write"):
        ReprodLogger().save(tmp_path / "file" / "out.npy")
