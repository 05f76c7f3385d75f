"""``workbench verify``: the answer as an exit code, a table and a JSON document."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from workbench.cli.verify import verify
from workbench.errors import ConfigError, InputError, ModelError, WorkbenchError

OUT = "fetch_name_0"  # the one output of the sample


def said(*arguments: object) -> Result:
    return CliRunner().invoke(verify, [str(one) for one in arguments])


@pytest.fixture(scope="module")
def saved(digits: Path, workbench: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `workbench run` wrote."""
    file = tmp_path_factory.mktemp("outputs") / "saved.npz"
    assert workbench("run", digits, "--no-onednn", "-o", file).code == 0
    return file


def test_json_has_what_is_promised(digits: Path) -> None:
    found = said(digits, "--against", "onednn=off", "--batches", 2, "--top-k", 1, "--json")
    assert (found.exit_code, found.stderr) == (0, "")
    facts = json.loads(found.stdout)
    assert (facts["passed"], facts["batches"], facts["first_divergence"]) == (True, 2, None)
    assert (facts["given"], facts["expected"]) == (
        "inference engine, default",
        "inference engine, oneDNN off",
    )
    (one,) = facts["outputs"]
    assert (one["name"], one["passed"], one["top_k"]) == (OUT, True, {"1": 1.0})
    assert 0 <= one["max_abs_diff"] < 1e-3
    assert one["max_rel_diff"] is not None
    assert one["cosine"] == pytest.approx(1)
    assert one["tolerance"]["rtol"] == 1e-4


def test_outputs_saved_by_run_are_those_of_the_same_inputs(digits: Path, saved: Path) -> None:
    found = said(digits, "--no-onednn", "--against", saved, "--tolerance", 0)
    assert found.exit_code == 0, found.output
    first, head, row = found.stdout.splitlines()
    assert first == "digits: inference engine, oneDNN off against saved.npz, 1 batch: passed"
    assert head.split("  ")[0] == "output"
    assert row.endswith("passed")
    assert "exact" in row


def test_a_failure_is_exit_code_1_with_the_place(digits: Path, saved: Path, tmp_path: Path) -> None:
    with np.load(saved) as arrays:
        wrong = {name: array.copy() for name, array in arrays.items()}
    wrong[OUT][0, 4] += 0.5
    np.savez(tmp_path / "wrong.npz", **wrong)
    found = said(digits, "--against", tmp_path / "wrong.npz")
    assert found.exit_code == 1
    assert "1 of 1 output FAILED" in found.stdout
    assert "worst at [0, 4]" in found.stdout
    plain = said(digits, "--against", tmp_path / "wrong.npz", "--json")
    assert plain.exit_code == 1
    assert json.loads(plain.stdout)["outputs"][0]["worst"]["index"] == [0, 4]
    # The more special tolerance counts.
    for given in (["0.6"], ["0.1", f"{OUT}=0.6"], [f"{OUT}=0,1000"]):
        options = [part for text in given for part in ("--tolerance", text)]
        assert said(digits, "--against", tmp_path / "wrong.npz", *options).exit_code == 0, given
    assert said(digits, "--against", tmp_path / "wrong.npz", "--tolerance", "0.4").exit_code == 1


def test_inputs_from_files(digits: Path, tmp_path: Path) -> None:
    images = np.random.default_rng(1).standard_normal((3, 2, 1, 8, 8)).astype("float32")
    for number, image in enumerate(images):
        np.savez(tmp_path / f"{number}.npz", image=image)
    np.save(tmp_path / "one.npy", images[0])
    against = ("--against", "threads=2", "--json")
    assert json.loads(said(digits, "--input", tmp_path, *against).stdout)["batches"] == 3
    assert json.loads(said(digits, "--input", tmp_path, "--batches", 2, *against).stdout)["batches"] == 2
    named = said(digits, "--input", f"image={tmp_path / 'one.npy'}", *against)
    assert json.loads(named.stdout)["outputs"][0]["values"] == 20


def test_a_model_of_other_names_is_told_of(digits: Path, sample_folder: Callable[..., Path]) -> None:
    found = said(digits, "--against", sample_folder("digits", "program"))
    assert found.exit_code == 0, found.output
    assert found.stderr.startswith("notice: names differ")


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        (["--against", "no/such"], ModelError, "nothing to compare with"),
        (["--against", "onednn=maybe"], ConfigError, "give on or off"),
        (["--tolerance", "tight"], InputError, r"is not \[NAME=\]ATOL"),
        (["--tolerance", "1,2,3"], InputError, r"is not \[NAME=\]ATOL"),
        (["--tolerance", "nan"], InputError, "give a number from 0"),
        (["--tolerance", "1", "--tolerance", "2"], InputError, "given twice"),
        (["--tolerance", "fetch_name=1"], InputError, f"did you mean '{OUT}'"),
        (["--input", "no_such.npz"], InputError, "does not exist"),
        (["--input", "a.npz", "--input", "image=b.npy"], InputError, "give it alone"),
        (["--input", "image=b.npy", "--seed", "1"], InputError, "leave it out"),
    ],
)
def test_a_mistake_is_one_line(
    digits: Path, arguments: list[str], kind: type[WorkbenchError], words: str
) -> None:
    # What `workbench.cli.main` makes exit code 2 of.
    found = said(digits, *arguments)
    assert isinstance(found.exception, kind), found.exception
    assert found.stdout == ""
    with pytest.raises(kind, match=words):
        raise found.exception
    assert "\n" not in str(found.exception)


@pytest.mark.parametrize("arguments", [["--batches", "0"], ["--seed", "-1"], ["--top-k", "0"]])
def test_numbers_have_their_ranges(digits: Path, arguments: list[str]) -> None:
    assert said(digits, *arguments).exit_code == 2
