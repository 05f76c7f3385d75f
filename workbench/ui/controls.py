"""The panels of the workbench that are made of plain ipywidgets: facts, config, run."""

from __future__ import annotations

import html
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import ipywidgets as widgets
import numpy as np

from workbench.bench import random_inputs
from workbench.config import InferenceConfig
from workbench.errors import InputError
from workbench.models import Model, sample_inputs

# A Dropdown takes the value None for "nothing chosen", so its values are the words.
_ONEDNN: dict[str, bool | None] = {"default": None, "on": True, "off": False}
_ONEDNN_WORD = {value: word for word, value in _ONEDNN.items()}
_MUTED = "color: var(--jp-ui-font-color2)"

_SIGNS = {
    "error": ("✖ ", "var(--jp-error-color1)"),
    "notice": ("▲ ", "var(--jp-warn-color1)"),
    "passed": ("✔ ", "var(--jp-success-color1)"),
    "failed": ("✖ ", "var(--jp-error-color1)"),
}


def words(text: str, *, tone: str = "") -> str:
    """A line of text as HTML: tone "error", "notice", "passed", "failed" or nothing."""
    sign, colour = _SIGNS.get(tone, ("", ""))
    role = ' role="alert"' if tone == "error" else ""
    mark = f'<span style="color:{colour}">{sign}</span>' if sign else ""
    return (
        f"<div{role} style='line-height:1.4; overflow-wrap:anywhere'>{mark}{html.escape(text)}</div>"
        if text
        else ""
    )


def lines_html(lines: Iterable[str]) -> str:
    """Lines of text as HTML, with the space that they begin with."""
    style = "line-height:1.4; white-space:pre-wrap; overflow-wrap:anywhere"
    return "".join(f"<div style='{style}'>{html.escape(line)}</div>" for line in lines)


def mark_html(text: str, *, passed: bool) -> str:
    """A word of an answer, with a mark, as HTML."""
    sign, colour = _SIGNS["passed" if passed else "failed"]
    return f"<span style='color:{colour}'>{sign}</span>{html.escape(text)}"


def table_html(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, which scrolls sideways where it is too wide.

    Args:
        head: texts.
        rows: cells, as HTML.
    """
    cell = "text-align:left; padding:2px 10px; line-height:1.4; white-space:nowrap"
    heads = "".join(f"<th style='{cell}; {_MUTED}'>{html.escape(text)}</th>" for text in head)
    table = "".join(
        "<tr>" + "".join(f"<td style='{cell}'>{text}</td>" for text in row) + "</tr>" for row in rows
    )
    # Without a width of its own it does not widen what is around it.
    return (
        f"<div style='overflow-x:auto; width:0; min-width:100%'><table><tr>{heads}</tr>{table}</table></div>"
    )


def facts_html(model: Model) -> str:
    """What the model is, in two lines."""
    facts = model.facts()

    def tensors(key: str) -> str:
        parts = []
        for info in facts[key]:
            shape = "×".join("?" if size == -1 else str(size) for size in info["shape"] or ())
            parts.append(f"<code>{html.escape(info['name'])}</code> {info['dtype']} [{shape}]")
        return ", ".join(parts) or "none"

    ir = {"pir": "PIR", "program": "Program IR"}[facts["ir"]]
    counts = f"{facts['ops']:,} ops · {facts['parameters']:,} parameters · {facts['bytes'] / 1e6:,.1f} MB"
    return (
        f"<div style='line-height:1.5'><b style='font-size:120%'>{html.escape(model.name)}</b> "
        f"<span style='{_MUTED}'>{ir}, layout {facts['layout']} · {counts}</span><br>"
        f"<span style='{_MUTED}'>in</span> {tensors('inputs')} "
        f"<span style='{_MUTED}'>→ out</span> {tensors('outputs')}</div>"
    )


class ConfigPanel(widgets.HBox):  # type: ignore[misc]
    """The controls of a config other than its passes.

    ``on_config`` is called with the changed config when a person changes a control.
    """

    def __init__(self, config: InferenceConfig, on_config: Callable[[InferenceConfig], object]) -> None:
        self._config = config
        self._on_config = on_config
        self._quiet = False
        style = {"description_width": "initial"}
        slim = widgets.Layout(width="auto")
        self.onednn = widgets.Dropdown(
            options=list(_ONEDNN),
            description="oneDNN",
            style=style,
            layout=slim,
        )
        self.threads = widgets.BoundedIntText(
            min=1, max=256, description="threads", style=style, layout=widgets.Layout(width="120px")
        )
        self.precision = widgets.Dropdown(
            options=["fp32", "bf16", "int8", "fp16"], description="precision", style=style, layout=slim
        )
        self.fp32_ops = widgets.Text(
            placeholder="softmax, …",
            description="ops in fp32",
            tooltip="Types of ops that stay in fp32 where the precision is lower, with commas between them",
            continuous_update=False,
            style=style,
            layout=widgets.Layout(width="190px"),
        )
        self.device = widgets.Dropdown(options=["cpu", "gpu"], description="device", style=style, layout=slim)
        apart = widgets.Layout(width="auto", margin="2px 2px 2px 14px")
        self.ir_optim = widgets.Checkbox(description="graph optimization", indent=False, layout=apart)
        self.memory_optim = widgets.Checkbox(description="memory optim", indent=False, layout=apart)
        self._controls = {
            "device": self.device,
            "precision": self.precision,
            "fp32_ops": self.fp32_ops,
            "onednn": self.onednn,
            "threads": self.threads,
            "ir_optim": self.ir_optim,
            "memory_optim": self.memory_optim,
        }
        self.show(config)
        for control in self._controls.values():
            control.observe(self._changed, "value")
        super().__init__(
            tuple(self._controls.values()), layout=widgets.Layout(flex_flow="row wrap", align_items="center")
        )

    def show(self, config: InferenceConfig) -> None:
        """Show a config that was set elsewhere."""
        self._config, self._quiet = config, True
        for name, control in self._controls.items():
            value = getattr(config, name)
            if name == "onednn":
                value = _ONEDNN_WORD[value]
            elif name == "fp32_ops":
                value = ", ".join(value)
            control.value = value
        self._quiet = False

    def _changed(self, _: object) -> None:
        if not self._quiet:
            values = {name: control.value for name, control in self._controls.items()}
            values["onednn"] = _ONEDNN[values["onednn"]]
            values["fp32_ops"] = values["fp32_ops"].replace(",", " ").split()
            self._config = self._config.replace(**values)
            self._on_config(self._config)


class InputPanel(widgets.HBox):  # type: ignore[misc]
    """Where the inputs of a run come from: the sample's, random ones, or a file."""

    def __init__(self, model: Model) -> None:
        self._model = model
        source = model.model_dir or (model.model_file.parent if model.model_file else None)
        self._folder = source
        has_sample = source is not None and (source / "inputs.npz").exists()
        options = [("sample inputs", "sample")] if has_sample else []
        options += [("random", "random"), ("file (.npz, .npy)", "file")]
        self.source = widgets.Dropdown(options=options, layout=widgets.Layout(width="160px"))
        self.batch = widgets.BoundedIntText(
            value=1,
            min=1,
            max=4096,
            description="batch",
            style={"description_width": "initial"},
            layout=widgets.Layout(width="110px"),
        )
        self.upload = widgets.FileUpload(accept=".npz,.npy", multiple=True, description="choose")
        self.source.observe(self._show, "value")
        super().__init__((self.source, self.batch, self.upload), layout=widgets.Layout(align_items="center"))
        self._show(None)

    def _show(self, _: object) -> None:
        self.batch.layout.display = "none" if self.source.value == "file" else ""
        self.upload.layout.display = "" if self.source.value == "file" else "none"

    def arrays(self) -> Mapping[str, Any]:
        """The inputs as chosen.

        Raises:
            InputError: if a file is missing, is not what numpy writes, or names no input.
        """
        if self.source.value == "random":
            return random_inputs(self._model, batch=self.batch.value)
        if self.source.value == "sample" and self._folder is not None:
            arrays = sample_inputs(self._folder)
            return {name: array[: self.batch.value] for name, array in arrays.items()}
        return self._uploaded()

    def _uploaded(self) -> dict[str, Any]:
        if not self.upload.value:
            raise InputError("choose a file first: an .npz with an array per input, or an .npy per input")
        found: dict[str, Any] = {}
        for file in self.upload.value:
            try:
                data = np.load(io.BytesIO(bytes(file["content"])), allow_pickle=False)
            except (ValueError, OSError, EOFError) as error:
                raise InputError(f"{file['name']} is no .npy or .npz file of numbers: {error}") from None
            if isinstance(data, np.ndarray):
                only = (
                    self._model.inputs[0].name
                    if len(self._model.inputs) == 1
                    else file["name"].rsplit(".", 1)[0]
                )
                found[only] = data
            else:
                found |= {name: data[name] for name in data.files}
        return found


def outputs_html(outputs: Mapping[str, Any], reference: Mapping[str, Any] | None, label: str) -> str:
    """The outputs as a table: name, dtype, shape, first values, and how far from the first run's."""
    head = ["output", "dtype", "shape", "first values"]
    if reference is not None:
        head.append(f"largest difference from the first run ({label})")
    rows = []
    for name, array in outputs.items():
        values = ", ".join(f"{value:.5g}" for value in array.reshape(-1)[:6])
        cells = [html.escape(name), str(array.dtype), "×".join(map(str, array.shape)), values]
        if reference is not None:
            other = reference.get(name)
            if other is None or other.shape != array.shape:
                cells.append("not comparable: other inputs")
            else:
                cells.append(f"{np.max(np.abs(array.astype(float) - other.astype(float)), initial=0.0):.3g}")
        rows.append(cells)
    return table_html(head, rows)
