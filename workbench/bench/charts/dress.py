"""What all charts share: colours, texts that cannot be taken for markup, titles, margins, empty charts."""

from __future__ import annotations

import math
import textwrap
import unicodedata
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from workbench.bench.samples import Floats, Run
from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    import plotly.graph_objects as go

Theme = Literal["light", "dark"]

# Okabe and Ito's palette, told apart with every common colour vision, without its black and yellow,
# which vanish on one of the two grounds.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
# The colours begin again after six: with them change the dash of lines and the shape of points.
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
SYMBOLS = ("circle", "square", "diamond", "cross", "x", "star")
FASTER, SLOWER = "#009E73", "#D55E00"
# Greys that are seen on both grounds.
NEUTRAL, FAINT, BAND = "#808080", "rgba(128,128,128,0.45)", "rgba(128,128,128,0.18)"
LATENCY = "latency of one inference, ms"
TEMPLATES = {"light": "plotly_white", "dark": "plotly_dark"}
GROUNDS = {"light": "#ffffff", "dark": "#111111"}

# In letters: labels at an axis or in a legend, whole texts in a hover box, and lines of a subtitle.
LABEL_MOST = 34
HOVER_MOST = 2000
HOVER_LINE = 90
SUBTITLE_LINE = 115
# plotly.js writes powers of ten larger by this than all other labels of an axis.
POWERS_LARGER = 1.25
# Pixels of a line of text, and of a plot on a narrow page.
LINE, NARROW = 17, 480

# Beside the letters of markup: plotly takes $…$ for TeX and %{…} for a value.
_MARKUP = {ord(letter): f"&#{ord(letter)};" for letter in "&<>$%"}
# Controls, invisible formats such as marks that turn the direction of text, and halves of letters.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def label_text(label: str, most: int = LABEL_MOST) -> str:
    """A label as plotly may show it: one line, cut in its middle if it is long, nothing in it markup.

    Args:
        label: any text.
        most: letters, of which a wide one (Chinese, say) counts two.
    """
    shown = _seen(label[:HOVER_MOST] + label[-most:] if len(label) > HOVER_MOST + most else label)
    if sum(map(_cells, shown)) > most:
        shown = f"{_taken(shown, most - most // 3 - 1)}…{_taken(shown[::-1], most // 3)[::-1]}"
    return shown.translate(_MARKUP)


def hover_text(label: str) -> str:
    """The whole text in lines for a hover box; of one too long for a screen its begin and its length."""
    shown = _seen(label[:HOVER_MOST])
    if len(label) > HOVER_MOST:
        shown += f"… ({len(label):,} letters)"
    lines = [shown[start : start + HOVER_LINE] for start in range(0, len(shown), HOVER_LINE)]
    return "<br>".join(line.translate(_MARKUP) for line in lines)


def _seen(label: str) -> str:
    shown = "".join(
        " " if one.isspace() else one
        for one in label
        if one.isspace() or unicodedata.category(one) not in _UNSEEN
    )
    return shown if shown.strip() else "(no name)"


def _cells(letter: str) -> int:
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def _taken(text: str, most: int) -> str:
    cells = np.cumsum([_cells(one) for one in text])
    return text[: int(np.searchsorted(cells, most, side="right"))]


def ms(value: float) -> str:
    """Three digits, and no exponent where there are thousands."""
    return f"{value:,.0f}" if abs(value) >= 999.5 else f"{value:.3g}"


def counted(count: int, what: str) -> str:
    """Such as ``1,200 samples``."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def style(index: int) -> tuple[str, str, str]:
    """Colour, dash and symbol of the index-th of several; the first 36 differ."""
    round_ = index // len(COLOURS)
    return COLOURS[index % len(COLOURS)], DASHES[round_ % len(DASHES)], SYMBOLS[round_ % len(SYMBOLS)]


def samples_of(run: Run) -> Floats:
    """All samples, in order; empty where nothing has been measured."""
    rounds = [one.samples_ms for one in run.rounds]
    samples = np.concatenate(rounds) if rounds else np.empty(0)
    return samples[np.isfinite(samples)]


def measured(runs: Sequence[Run]) -> tuple[list[tuple[Run, Floats]], str]:
    """The runs that have samples, with them, and a sentence on those that have none."""
    pairs = [(run, samples_of(run)) for run in runs]
    full = [(run, samples) for run, samples in pairs if len(samples)]
    return full, without(len(pairs) - len(full), "run")


def without(count: int, what: str, missed: str = "samples") -> str:
    """A sentence on what is left out since it has no samples, or not what else it misses; "" for none."""
    return (
        f"{counted(count, what)} without {missed} {'is' if count == 1 else 'are'} not shown." if count else ""
    )


def has_tail(runs: Sequence[Floats]) -> bool:
    """Whether the slowest are so much slower that a linear axis would press all others into a corner."""
    low = min(float(one.min()) for one in runs)
    high = max(float(one.max()) for one in runs)
    return low > 0 and high > 5 * max(float(np.median(one)) for one in runs)


def figure_of(
    title: str,
    subtitle: str,
    theme: str,
    *,
    height: int,
    legend: Sequence[str] = (),
    flat: bool = False,
    right: int = 30,
    bottom: int = 60,
    rows: int = 1,
    columns: int = 1,
    **subplots: Any,
) -> go.Figure:
    """An empty figure in the shared dress.

    Args:
        title: what is shown; fixed words or made by `label_text`.
        subtitle: sentences under it, such as what is left out; plain words without markup.
        theme: ``light`` or ``dark``.
        height: of the plot alone, in pixels; title, axes and legend are added to it.
        legend: texts of the entries under the chart.
        flat: the entries stand beside each other, else each on a line.
        right: pixels for texts beside the plot.
        bottom: pixels for the texts of the lowest axis.
        rows: of plots under each other.
        columns: of plots beside each other.
        **subplots: as `plotly.subplots.make_subplots` has them.

    Raises:
        WorkbenchError: for another theme.
    """
    if theme not in TEMPLATES:
        raise WorkbenchError(f"unknown theme {theme!r}: give 'light' or 'dark'")
    from plotly.subplots import make_subplots

    figure = make_subplots(rows=rows, cols=columns, **subplots)
    lines = textwrap.wrap(subtitle, SUBTITLE_LINE)
    top = 52 + LINE * len(lines)
    if legend:
        # A short page breaks the line of the entries where a wide one does not.
        rows_below = (
            math.ceil(sum(min(len(one), LABEL_MOST) * 7 + 55 for one in legend) / NARROW)
            if flat
            else len(legend)
        )
        bottom += 25 + (LINE + 2) * rows_below
    figure.update_layout(
        template=TEMPLATES[theme],
        # From the theme's name a saved file takes its ground.
        meta={"theme": theme},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        height=height + top + bottom,
        margin={"l": 70, "r": right, "t": top, "b": bottom, "pad": 2},
        font={"size": 13},
        title={
            "text": title,
            "font": {"size": 17},
            "x": 0,
            "xref": "container",
            "xanchor": "left",
            "y": 1,
            "yref": "container",
            "yanchor": "top",
            "pad": {"l": 16, "t": 14},
            "subtitle": {"text": "<br>".join(lines), "font": {"size": 12}},
        },
        showlegend=bool(legend),
        legend={
            "orientation": "h" if flat else "v",
            "x": 0,
            "xanchor": "left",
            "y": 0,
            "yref": "container",
            "yanchor": "bottom",
            "font": {"size": 12},
            "traceorder": "normal",
        },
        hoverlabel={"align": "left", "namelength": -1},
        # plotly.js 4 has a button that sends the chart to a server. This goes with the figure wherever it is
        # shown, where a config is for one page.
        modebar={"remove": ["sendChartToCloud"]},
    )
    figure.update_xaxes(automargin=True, zeroline=False, title={"standoff": 8, "font": {"size": 13}})
    figure.update_yaxes(automargin=True, zeroline=False, title={"standoff": 8, "font": {"size": 13}})
    return figure


def empty_figure(title: str, sentence: str, theme: str) -> go.Figure:
    """A chart without data: its title, and a sentence that says what there would have to be."""
    figure = figure_of(title, "", theme, height=120, bottom=20)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    figure.add_annotation(
        x=0.5,
        y=0.5,
        xref="paper",
        yref="paper",
        text="<br>".join(textwrap.wrap(sentence, SUBTITLE_LINE)),
        showarrow=False,
        font={"size": 14},
    )
    return figure


def log_axis(
    figure: go.Figure, low: float, high: float, text: Callable[[float], str] = ms, room: float = 0.03
) -> None:
    """A logarithmic x axis with ticks at 1, 2 and 5, over positive bounds.

    Args:
        figure: whose axis it is.
        low: the least that is shown.
        high: the most.
        text: words of a tick.
        room: beyond both, as a share of what lies between them.
    """
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
    beyond = room * math.log10(high / low)
    figure.update_xaxes(
        type="log",
        tickmode="array",
        tickvals=ticks,
        ticktext=[text(one) for one in ticks],
        range=[math.log10(low) - beyond, math.log10(high) + beyond],
    )


def powers_of_ten(figure: go.Figure, low: float, high: float) -> dict[str, Any]:
    """Settings of a logarithmic axis for bounds so far apart that only powers of ten are named.

    Args:
        figure: whose axis it is.
        low: the least that is shown, above 0.
        high: the most.
    """
    return {
        "type": "log",
        "exponentformat": "power",
        "tickfont": {"size": figure.layout.font.size / POWERS_LARGER},
        "dtick": 1 if high / low < 1e8 else 2,
    }


def row_labels(figure: go.Figure, labels: Sequence[str]) -> None:
    """Name the places 0, 1, 2 … of the y axis, the first on top; equal labels stay apart."""
    figure.update_yaxes(
        tickmode="array",
        tickvals=list(range(len(labels))),
        ticktext=labels,
        range=[len(labels) - 0.4, -0.6],
        showgrid=False,
    )


def beside(figure: go.Figure, notes: Sequence[tuple[float, str]], size: int = 12) -> None:
    """Texts at the right of the plot, each level with a place on the y axis."""
    # All at once: plotly checks the old ones again with each that is added.
    figure.update_layout(
        annotations=[
            {
                "x": 1,
                "xref": "paper",
                "xanchor": "left",
                "xshift": 8,
                "y": row,
                "text": text,
                "showarrow": False,
                "align": "left",
                "font": {"size": size},
            }
            for row, text in notes
        ]
    )
