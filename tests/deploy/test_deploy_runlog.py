"""The inference log: the document's program and layout, and values that are read elsewhere too."""

from __future__ import annotations

import json
import logging
import re
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest

import workbench as wb
from workbench.deploy import runlog
from workbench.deploy.runlog import AutoLogger
from workbench.errors import ConfigError, WorkbenchError

Folder = Callable[..., Path]

# The fourth document's demo: its blocks, and the names of the fields in their lines.
DOCUMENT = [
    ("---------------------- Env info ----------------------", None),
    (None, ["OS_version"]),
    (None, ["CUDA_version"]),
    (None, ["CUDNN_version"]),
    (None, ["drivier_version"]),
    ("---------------------- Paddle info ----------------------", None),
    (None, ["paddle_version"]),
    (None, ["paddle_commit"]),
    (None, ["log_api_version"]),
    ("----------------------- Conf info -----------------------", None),
    (None, ["runtime_device"]),
    (None, ["ir_optim"]),
    (None, ["enable_memory_optim"]),
    (None, ["enable_tensorrt"]),
    (None, ["enable_mkldnn"]),
    (None, ["cpu_math_library_num_threads"]),
    ("----------------------- Model info ----------------------", None),
    (None, ["model_name"]),
    (None, ["precision"]),
    ("----------------------- Data info -----------------------", None),
    (None, ["batch_size"]),
    (None, ["input_shape"]),
    (None, ["data_num"]),
    ("----------------------- Perf info -----------------------", None),
    (None, ["cpu_rss(MB)", "gpu_rss(MB)", "gpu_util"]),
    (None, ["total time spent(s)"]),
    (None, ["preprocess_time(ms)", "inference_time(ms)", "postprocess_time(ms)"]),
]
PERCENTILES = "---------------------- Percentile info ----------------------"
LINE = re.compile(r"\[\d{4}/\d\d/\d\d \d\d:\d\d:\d\d\] root INFO:(?: (.*))?")

# As the document has it, from "init benchmark" on.
DOCUMENTS_LOG = """
    # init benchmark
    if args.benchmark:
        from workbench.deploy import runlog as auto_log
        autolog = auto_log.AutoLogger(
            model_name="classification",
            batch_size=args.batch_size,
            inference_config=inference_engine.config,
            gpu_ids="auto" if args.use_gpu else None)

    # enable benchmark
    if args.benchmark:
        autolog.times.start()

    # preprocess
    img = inference_engine.preprocess(args.img_path)

    if args.benchmark:
        autolog.times.stamp()
    # run
    output = inference_engine.run(img)

    if args.benchmark:
        autolog.times.stamp()

    # postprocess
    class_id, prob = inference_engine.postprocess(output)

    if args.benchmark:
        autolog.times.stamp()
        autolog.times.end(stamp=True)
        autolog.report()
"""
ON_THE_WORKBENCH = f"""
import json, sys, types
from workbench.deploy.pipeline.classifier import ImageClassifier

assert not {{"paddle", "PIL"}} & set(sys.modules)
args = types.SimpleNamespace(benchmark=True, batch_size=1, use_gpu=False, img_path=sys.argv[2])
with ImageClassifier(sys.argv[1]) as inference_engine:
{DOCUMENTS_LOG}
    import psutil
    rss = psutil.Process(inference_engine.session.pid).memory_info().rss
assert "paddle" not in sys.modules
print(json.dumps({{"rss": rss, "logged": []}}), file=sys.stderr)
"""
# The document's own engine, on Paddle in the same process; with numbers for a picture.
ON_PLAIN_PADDLE = f"""
import json, sys, types
import numpy as np, paddle, psutil
from paddle import inference

class InferenceEngine:
    def __init__(self, args):
        self.args = args
        self.predictor, self.config, self.input_tensor, self.output_tensor = self.load_predictor(*args.files)

    def load_predictor(self, model_file_path, params_file_path):
        config = inference.Config(model_file_path, params_file_path)
        config.disable_gpu()
        config.disable_mkldnn()
        config.set_cpu_math_library_num_threads(2)
        config.enable_memory_optim()
        config.disable_glog_info()
        config.switch_use_feed_fetch_ops(False)
        config.switch_ir_optim(True)
        predictor = inference.create_predictor(config)
        input_tensor = predictor.get_input_handle(predictor.get_input_names()[0])
        output_tensor = predictor.get_output_handle(predictor.get_output_names()[0])
        return predictor, config, input_tensor, output_tensor

    def preprocess(self, img_path):
        return np.ones((1, 1, 8, 8), "float32")

    def run(self, x):
        self.input_tensor.copy_from_cpu(x)
        self.predictor.run()
        return self.output_tensor.copy_to_cpu()

    def postprocess(self, x):
        x = x.flatten()
        class_id = x.argmax()
        return class_id, x[class_id]

args = types.SimpleNamespace(benchmark=True, batch_size=1, use_gpu=False, img_path="", files=sys.argv[1:3])
inference_engine = InferenceEngine(args)
if True:
{DOCUMENTS_LOG}
config = inference_engine.config
print(json.dumps({{
    "rss": psutil.Process().memory_info().rss,
    "logged": [config.use_gpu(), config.ir_optim(), "memory_optim                 | true" in config.summary(),
               config.tensorrt_engine_enabled(), config.mkldnn_enabled(),
               config.cpu_math_library_num_threads()],
}}), file=sys.stderr)
"""


def parse(text: str) -> tuple[list[str], dict[str, str]]:
    """The messages of a report, and the fields in them."""
    messages, fields = [], {}
    for line in text.splitlines():
        found = LINE.fullmatch(line)
        assert found, line
        messages.append(found[1] or "")
        if found[1] and found[1].startswith(" "):
            fields.update(re.findall(r"([^ ][^:]*): (\[.*?\]|[^,]*)(?:, |$)", found[1]))
    return messages, fields


def check_layout(messages: list[str]) -> None:
    """The document's lines in the document's order, and after them the percentiles."""
    assert messages[0] == ""
    for message, (title, names) in zip(messages[1 : 1 + len(DOCUMENT)], DOCUMENT, strict=True):
        if title is not None:
            assert message == title
        else:
            assert re.fullmatch(" " + ", ".join(f"{re.escape(name)}: [^,]+" for name in names or ()), message)
    rest = messages[1 + len(DOCUMENT) :]
    assert rest[0] == PERCENTILES
    assert len(rest) == 6


@pytest.fixture(scope="module")
def truth() -> dict[str, str]:
    """What the report must say of this machine and its Paddle, asked of them."""
    asked = "import paddle; print(paddle.__version__, paddle.__git_commit__)"
    ran = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    version, commit = ran.stdout.split()[-2:]
    lines = Path("/etc/os-release").read_text().splitlines()
    release = dict(shlex.split(line)[0].split("=", 1) for line in lines if "=" in line)
    return {
        "OS_version": f"{release['NAME']} {release.get('VERSION_ID', '')}".strip(),
        "paddle_version": version,
        "paddle_commit": commit,
    }


@pytest.fixture
def session(sample_folder: Folder) -> Iterator[wb.Session]:
    with wb.Session(wb.load(sample_folder()), wb.InferenceConfig(device="gpu", threads=2)) as found:
        found.load()
        yield found


def one_round(log: AutoLogger) -> None:
    log.times.start()
    for _ in range(3):
        log.times.stamp()
    log.times.end()


def run(program: str, *arguments: object) -> tuple[str, dict[str, Any]]:
    ran = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    return ran.stdout, json.loads(ran.stderr.splitlines()[-1])


def test_the_documents_program_on_the_workbench(
    sample_folder: Folder, truth: dict[str, str], tmp_path: Path
) -> None:
    from PIL import Image

    Image.new("L", (8, 8), 90).save(tmp_path / "a.png")
    out, seen = run(ON_THE_WORKBENCH, sample_folder(), tmp_path / "a.png")
    messages, fields = parse(out)
    check_layout(messages)
    assert {name: fields[name] for name in truth} == truth
    expected = {
        "CUDA_version": "None",
        "CUDNN_version": "None",
        "drivier_version": "None",
        "log_api_version": "1.0",
        "runtime_device": "cpu",
        "ir_optim": "True",
        "enable_memory_optim": "False",
        "enable_tensorrt": "False",
        "enable_mkldnn": "True",  # what Paddle 3 does unasked
        "cpu_math_library_num_threads": "1",
        "model_name": "classification",
        "precision": "fp32",
        "batch_size": "1",
        "input_shape": "dynamic",
        "data_num": "1",
        "gpu_rss(MB)": "None",
        "gpu_util": "None%",
        "sample_num": "1",
    }
    assert {name: fields[name] for name in expected} == expected
    # The worker's highest memory, which its memory at the end is not far from.
    assert float(fields["cpu_rss(MB)"]) == pytest.approx(seen["rss"] / 2**20, rel=0.1)
    phases = [float(fields[f"{name}_time(ms)"]) for name in ("preprocess", "inference", "postprocess")]
    assert min(phases) > 0
    assert sum(phases) == pytest.approx(1e3 * float(fields["total time spent(s)"]), abs=0.2)
    assert fields["inference_time_p99(ms)"] == fields["inference_time(ms)"]


def test_the_documents_program_on_plain_paddle(sample_folder: Folder, truth: dict[str, str]) -> None:
    folder = sample_folder("digits", "program")
    out, seen = run(ON_PLAIN_PADDLE, folder / "inference.pdmodel", folder / "inference.pdiparams")
    messages, fields = parse(out)
    check_layout(messages)
    assert {name: fields[name] for name in truth} == truth
    gpu, *others = seen["logged"]
    logged = [fields[name] for _, names in DOCUMENT[10:16] for name in names or ()]
    assert logged == ["gpu" if gpu else "cpu", *map(str, others)]
    assert others == [True, True, False, False, 2]
    assert float(fields["cpu_rss(MB)"]) == pytest.approx(seen["rss"] / 2**20, rel=0.2)


def test_what_was_given_and_not_what_was_asked(session: wb.Session, sample_folder: Folder) -> None:
    from workbench.deploy import inference

    engine = SimpleNamespace(session=session)
    for ran in (session, engine, session.config):  # the very config that a session runs tells of the session
        log = AutoLogger("digits", "fp16", inference_config=ran, gpu_ids="auto")
        one_round(log)
        facts = log.facts()
        assert facts["conf"] == {
            "runtime_device": "cpu",
            "ir_optim": True,
            "enable_memory_optim": False,
            "enable_tensorrt": False,
            "enable_mkldnn": True,
            "cpu_math_library_num_threads": 2,
        }
        assert facts["model"] == {"model_name": "digits", "precision": "fp32"}
        rss = psutil.Process(session.pid).memory_info().rss / 2**20
        assert facts["perf"]["cpu_rss(MB)"] == pytest.approx(rss, rel=0.1)
        assert facts["process"]["rss(MB)"] == pytest.approx(
            psutil.Process().memory_info().rss / 2**20, rel=0.2
        )

    # A config that only equals it may be another session's.
    log = AutoLogger("digits", inference_config=wb.InferenceConfig(device="gpu", threads=2))
    one_round(log)
    assert log.facts()["perf"]["cpu_rss(MB)"] == pytest.approx(log.facts()["process"]["rss(MB)"], rel=0.02)

    config = inference.Config(str(sample_folder("digits", "program")))
    config.enable_memory_optim()
    config.disable_mkldnn()
    predictor = inference.create_predictor(config)
    log = AutoLogger("digits", inference_config=config)
    one_round(log)
    predictor.close()  # the report may come later
    assert log.facts()["conf"]["enable_mkldnn"] is False
    assert log.facts()["conf"]["enable_memory_optim"] is True
    assert predictor.session.pid is None


def test_a_config_that_nothing_runs(truth: dict[str, str]) -> None:
    asked = wb.InferenceConfig(device="gpu", threads=3, onednn=False, memory_optim=True, precision="bf16")
    log = AutoLogger("m", inference_config=asked)
    one_round(log)
    facts = log.facts()
    assert list(facts["conf"].values()) == ["cpu", True, True, False, False, 3]
    assert facts["model"]["precision"] == "bf16"
    assert facts["paddle"]["paddle_commit"] == truth["paddle_commit"]
    log = AutoLogger("m", inference_config=wb.InferenceConfig())
    one_round(log)
    assert log.facts()["conf"]["enable_mkldnn"] is True
    log = AutoLogger("m", data_shape=(1, 3, 8, 8))
    one_round(log)
    assert set(log.facts()["conf"].values()) == {None}
    assert log.facts()["data"]["input_shape"] == [1, 3, 8, 8]


def test_warmup_means_and_percentiles(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(5)
    rounds = rng.integers(1, 1000, (14, 3)) / 1e3  # seconds of the three phases, 3 rounds of warm-up
    # The clock at a start, after each phase, and at the end, where nothing more is to be counted.
    steps = np.column_stack([np.full(14, 10.0), rounds, np.full(14, 0.5)])
    ticks = iter(steps.cumsum().tolist())
    clock = SimpleNamespace(perf_counter=lambda: next(ticks), strftime=time.strftime)
    monkeypatch.setattr(runlog, "time", clock)
    log = AutoLogger("m", batch_size=4, warmup=3)
    for _ in rounds:
        one_round(log)
    log.report()
    messages, fields = parse(capsys.readouterr().out)
    check_layout(messages)
    counted = rounds[3:] * 1e3
    assert fields["data_num"] == fields["sample_num"] == "11"
    assert float(fields["total time spent(s)"]) == pytest.approx(counted.sum() / 1e3, abs=1e-4)
    columns = dict(zip(("preprocess", "inference", "postprocess"), counted.T.tolist(), strict=True))
    for name, values in {**columns, "total": counted.sum(1).tolist()}.items():
        cuts = statistics.quantiles(values, n=100, method="inclusive")
        for percent in (50, 90, 95, 99):
            found = float(fields[f"{name}_time_p{percent}(ms)"])
            assert found == pytest.approx(cuts[percent - 1], abs=1e-4)
        assert float(fields[f"{name}_time_max(ms)"]) == pytest.approx(max(values), abs=1e-4)
        if name != "total":
            assert float(fields[f"{name}_time(ms)"]) == pytest.approx(statistics.mean(values), abs=1e-4)
        assert log.facts()["samples"][f"{name}_time(ms)"] == pytest.approx(values)


def test_phases_of_ones_own() -> None:
    log = AutoLogger("m", time_keys=["read", "think", "write"])
    log.times.start()
    log.times.stamp()
    log.times.end(stamp=True)  # closes the phase that is open
    log.times.start()
    for _ in range(4):
        log.times.stamp()
    log.times.end(stamp=True)  # all phases are closed
    facts = json.loads(json.dumps(log.facts()))
    counts = {name: len(values) for name, values in facts["samples"].items()}
    assert counts == {"read(ms)": 2, "think(ms)": 2, "write(ms)": 1, "stamps_4(ms)": 1, "total_time(ms)": 2}
    assert list(facts["perf"])[4:] == ["read(ms)", "think(ms)", "write(ms)", "stamps_4(ms)"]
    log = AutoLogger("m", time_keys=["read", "think"])
    log.times.start()
    log.times.stamp()
    log.times.end()
    assert log.facts()["perf"]["think(ms)"] is None
    assert log.facts()["percentile"]["think_p50(ms)"] is None


def test_reports_leave_nothing_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = list(logging.root.handlers)
    file = tmp_path / "new" / "log.txt"
    log = AutoLogger("m", save_path=file)
    one_round(log)
    log.report()
    first = capsys.readouterr().out
    assert file.read_text() == first
    log.report()
    assert len(capsys.readouterr().out.splitlines()) == len(first.splitlines())
    assert len(file.read_text().splitlines()) == len(first.splitlines())
    assert logging.root.handlers == before

    logger = logging.Logger("own")
    seen: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: seen.append(record.getMessage())  # type: ignore[method-assign]
    logger.addHandler(handler)
    log = AutoLogger("m", logger=logger)
    one_round(log)
    log.report()
    assert capsys.readouterr().out == ""
    check_layout(seen)


class FakeError(Exception):
    """What the stand-in for NVIDIA's library raises."""


def nvml(driver: bool = True) -> ModuleType:
    """A stand-in for NVIDIA's library, which has nothing to manage here: device 3 and a device by UUID."""
    module: Any = ModuleType("pynvml")
    used = {3: iter([1 << 30, 3 << 30, 2 << 30]), "GPU-abc": iter([5 << 20])}

    def init() -> None:
        if not driver:
            raise FakeError

    def no_rates(handle: Any) -> Any:
        if handle != 3:
            raise FakeError
        return SimpleNamespace(gpu=60, memory=1)

    module.NVMLError = FakeError
    module.nvmlInit = init
    module.nvmlSystemGetDriverVersion = lambda: b"550.54.15"
    module.nvmlDeviceGetHandleByIndex = lambda index: index
    module.nvmlDeviceGetHandleByUUID = lambda uuid: uuid
    module.nvmlDeviceGetMemoryInfo = lambda handle: SimpleNamespace(used=next(used[handle]))
    module.nvmlDeviceGetUtilizationRates = no_rates
    return module


class GpuConfig:
    """What has the methods of a config, on the second GPU that is visible."""

    def use_gpu(self) -> bool:
        return True

    def mkldnn_enabled(self) -> bool:
        return False

    def gpu_device_id(self) -> int:
        return 1

    ir_optim = tensorrt_engine_enabled = use_gpu
    cpu_math_library_num_threads = gpu_device_id


@pytest.mark.parametrize(
    ("visible", "ids", "used", "load"),
    [
        ("GPU-abc,3", "auto", 3072.0, 60.0),  # the highest that was seen
        ("3,GPU-abc", "auto", 5.0, None),  # a device that does not tell its load
        ("3", "auto", None, None),  # there is no second one
        ("", 3, 3072.0, 60.0),
        ("GPU-abc,3", None, None, None),
    ],
)
def test_a_gpu(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    visible: str,
    ids: Any,
    used: float | None,
    load: float | None,
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", nvml())
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    log = AutoLogger("m", inference_config=GpuConfig(), gpu_ids=ids)
    for _ in range(3 if used != 5 else 1):
        one_round(log)
    log.report()
    _, fields = parse(capsys.readouterr().out)
    assert (fields["gpu_rss(MB)"], fields["gpu_util"]) == (str(used), f"{load}%")
    assert fields["drivier_version"] == "550.54.15"
    assert (fields["runtime_device"], fields["enable_tensorrt"]) == ("gpu", "True")
    assert fields["enable_memory_optim"] == "None"  # it has no summary to read it from


def test_the_versions_that_a_gpu_build_says(monkeypatch: pytest.MonkeyPatch) -> None:
    about = {"paddle": "2.6.2", "commit": "abc", "gpu_build": True, "cuda": "11.8", "cudnn": "8.6.0"}
    monkeypatch.setattr(runlog, "warm", lambda runtime: SimpleNamespace(about=about))
    monkeypatch.setitem(sys.modules, "pynvml", nvml())
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    log = AutoLogger("m", inference_config=wb.InferenceConfig(device="gpu", device_id=3), gpu_ids="auto")
    one_round(log)
    facts = log.facts()
    assert (facts["env"]["CUDA_version"], facts["env"]["CUDNN_version"]) == ("11.8", "8.6.0")
    assert facts["paddle"] == {"paddle_version": "2.6.2", "paddle_commit": "abc", "log_api_version": 1.0}
    assert facts["conf"]["runtime_device"] == "gpu"
    assert facts["conf"]["enable_mkldnn"] is False  # 2.x does not have it on unasked
    assert facts["perf"]["gpu_rss(MB)"] == 1024


@pytest.mark.parametrize("library", [None, nvml(driver=False)], ids=["no package", "no driver"])
def test_no_gpu(monkeypatch: pytest.MonkeyPatch, library: ModuleType | None) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", library)
    log = AutoLogger("m", gpu_ids=0)
    one_round(log)
    facts = log.facts()
    assert facts["perf"]["gpu_rss(MB)"] is None
    assert facts["env"]["drivier_version"] is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"inference_config": {"a": 1}}, "inference_config is .'a': 1.: give an InferenceEngine, a Session"),
        ({"gpu_ids": "first"}, "gpu_ids is 'first'; give a GPU's number, 'auto' or None"),
        ({"gpu_ids": -1}, "gpu_ids is -1; give"),
        ({"warmup": -1}, "warmup is -1; give a whole number from 0"),
        ({"time_keys": ["a", "a"]}, "time_keys is .'a', 'a'.; give a list of names, each once"),
        ({"time_keys": "a"}, "time_keys is 'a'; give"),
        ({"pids": 1 << 30}, "pids is 1073741824, which is no process: give"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        AutoLogger("m", **options)


def test_mistakes_in_a_run(tmp_path: Path) -> None:
    log = AutoLogger("m", warmup=1, save_path=tmp_path / "file" / "log.txt")
    with pytest.raises(WorkbenchError, match=r"times.stamp\(\) without a start: call times.start\(\)"):
        log.times.stamp()
    with pytest.raises(WorkbenchError, match=r"times.end\(\) without a start"):
        log.times.end(stamp=True)
    one_round(log)
    with pytest.raises(
        WorkbenchError, match=r"nothing to report: 1 measurements .* first 1 are warm-up; run more"
    ):
        log.report()
    one_round(log)
    (tmp_path / "file").touch()
    with pytest.raises(WorkbenchError, match=r"cannot write .*file/log.txt: .*; choose another place"):
        log.report()
