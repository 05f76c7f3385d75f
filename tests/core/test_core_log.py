"""What is read out of the native log. The lines are Paddle's own, from the releases named."""

from __future__ import annotations

import pytest

from workbench.core.defects import release_of
from workbench.core.log import PassRun, last_lines, read_pass_log, reason

PIR = """\x1b[1m\x1b[35m--- Running PIR pass [conv2d_bn_onednn_fuse_pass]\x1b[0m
I1121 12:44:27.097909  4013 print_statistics.cc:50] --- detected [20] subgraphs!
\x1b[1m\x1b[35m--- Running PIR pass [conv3d_bias_fuse_pass]\x1b[0m
\x1b[1m\x1b[35m--- Running PIR pass [constant_folding_pass]\x1b[0m
I1121 12:44:27.245251  4013 pir_interpreter.cc:1606] New Executor is Running ...
I1121 12:44:28.666657  4013 print_statistics.cc:44] --- detected [130, 258] subgraphs!
I1121 12:44:28.676954  4013 analysis_predictor.cc:1217] ======= pir optimization completed =======
"""
PROGRAM = """\x1b[1m\x1b[35m--- Running analysis [ir_analysis_pass]\x1b[0m
\x1b[32m--- Running IR pass [conv_bn_fuse_pass]\x1b[0m
I1121 12:44:32.618259  4272 fuse_pass_base.cc:55] ---  detected 20 subgraphs
\x1b[32m--- Running IR pass [conv_activation_onednn_fuse_pass]\x1b[0m
I1121 12:44:32.689169  4272 fuse_pass_base.cc:55] ---  detected 17 subgraphs
\x1b[37m---    fused 17 fused_conv2d with relu activation\x1b[0m
I1121 12:44:32.689169  4272 fuse_pass_base.cc:55] ---  detected 2 subgraphs
\x1b[32m--- Running IR pass [conv_eltwiseadd_bn_fuse_pass]\x1b[0m
W1121 12:44:32.689169  4272 op_compat_sensible_pass.cc:2] Pass in op compat failed.
\x1b[1m\x1b[35m--- Running analysis [ir_params_sync_among_devices_pass]\x1b[0m
"""


def test_pir_passes_with_their_matches() -> None:
    log = read_pass_log(PIR)
    assert log.runs == [
        PassRun("conv2d_bn_onednn_fuse_pass", 20),
        PassRun("conv3d_bias_fuse_pass", None),
        PassRun("constant_folding_pass", (130, 258)),
    ]
    assert log.now is None


def test_program_passes_with_sums_and_refusals() -> None:
    log = read_pass_log(PROGRAM)
    assert log.runs == [
        PassRun("conv_bn_fuse_pass", 20),
        PassRun("conv_activation_onednn_fuse_pass", 19),
        PassRun("conv_eltwiseadd_bn_fuse_pass", None, True),
    ]
    assert log.now == "ir_params_sync_among_devices_pass"


def test_the_pass_that_runs_when_the_log_ends() -> None:
    assert read_pass_log(PIR.splitlines()[0]).now == "conv2d_bn_onednn_fuse_pass"
    assert read_pass_log("").now is None


def test_a_native_error_is_brought_to_its_sentence() -> None:
    text = """

--------------------------------------
C++ Traceback (most recent call last):
--------------------------------------
0   paddle_infer::CreatePredictor(paddle::AnalysisConfig const&)
1   void paddle::memory::Copy(int)

----------------------
Error Message Summary:
----------------------
InvalidArgumentError: The shape is wrong.
  [Hint: Expected a == b, but received a:1 != b:2.] (at /paddle/paddle/phi/core/x.cc:48)
  [operator < conv2d > error]"""
    told = reason(text)
    assert "The shape is wrong" in told
    assert "Hint: Expected a == b" in told
    assert "Traceback" not in told
    assert "/paddle/" not in told


def test_last_lines_are_what_a_person_can_read() -> None:
    assert last_lines("0   frame\n" + "-" * 30 + "\nFatalError: boom\n\n") == ("FatalError: boom",)


@pytest.mark.parametrize(
    ("text", "release"),
    [("3.3.1", (3, 3, 1)), ("2.6.2.post118", (2, 6, 2)), ("3.0.0rc1", (3, 0)), ("0.0.0", (99,))],
)
def test_releases(text: str, release: tuple[int, ...]) -> None:
    assert release_of(text) == release
