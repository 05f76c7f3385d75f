"""`PassTrace`: the graph before any pass and after each one, from the predictor that really runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from workbench.config import InferenceConfig
from workbench.core import Loaded, Matches, Session
from workbench.errors import TraceError, WorkbenchError
from workbench.ir import (
    Diff,
    Graph,
    Op,
    count_ops,
    diff,
    enrich,
    main_block,
    read_native_dot,
    read_pir_text,
    read_program,
    to_dot,
)
from workbench.models import Model
from workbench.tracing.capture import Dump, PirPrint, Ran, pir_stages, program_stages
from workbench.tracing.lineage import Lineage
from workbench.tracing.store import DumpStore

Progress = Callable[[str], object]


class Stage:
    """One pass and the graph after it; stage 0 is the graph before any pass.

    Graphs are read when looked at. Counts of PIR stages need no reading.

    Attributes:
        index: its place; a pass may appear twice, so this and not the name identifies a stage.
        pass_name: the name the log shows, None for stage 0.
        matches: subgraphs the log says it detected, None where it says nothing.
        refused: True where the pattern matched and op compatibility refused it.
    """

    def __init__(self, trace: PassTrace, index: int, ran: Ran) -> None:
        self._trace = trace
        self._dump = ran.dump
        self.index = index
        self.pass_name = ran.name or None
        self.matches: Matches = ran.matches
        self.refused = ran.refused

    @property
    def graph(self) -> Graph:
        """The graph after the pass."""
        return self._trace._read(self.index, self._dump, "after")

    @property
    def before(self) -> Graph:
        """The graph the pass was given: that of the stage before, unless Paddle lowered it in between."""
        if self.index == 0:
            return self.graph
        if self._dump.before is not None:
            return self._trace._read(self.index, self._dump, "before")
        return self._trace.stages[self.index - 1].graph

    @cached_property
    def changed(self) -> bool:
        """Whether the pass changed anything: ops, values, attributes or types."""
        if self.index == 0:
            return False
        if self._dump.before is not None:
            return self._dump.before != self._dump.after
        previous = self._trace.stages[self.index - 1]._dump
        same_program = self._dump.program is None or self._dump.program == previous.program
        if self._dump.after == previous.after and same_program:
            return False
        return bool(self.diff.added or self.diff.removed or self.diff.altered)

    @property
    def rewritten(self) -> bool:
        """Whether the dump after the pass is another text than the one before, changed or not."""
        if self.index == 0:
            return False
        before = self._dump.before or self._trace.stages[self.index - 1]._dump.after
        return self._dump.after != before

    @property
    def lowered(self) -> bool:
        """Whether Paddle itself changed the graph between the stage before and this pass.

        PIR does so once, when ops become kernels: that change belongs to no pass.
        """
        if self.index == 0 or self._dump.before is None:
            return False
        return self._dump.before != self._trace.stages[self.index - 1]._dump.after

    @cached_property
    def ops(self) -> int:
        """Operations after the pass, feed and fetch included, parameters and constants not."""
        return self._trace._count(self.index, self._dump, "after")

    @cached_property
    def ops_before(self) -> int:
        """Operations before the pass."""
        if self._dump.before is not None:
            return self._trace._count(self.index, self._dump, "before")
        return self.ops if self.index == 0 else self._trace.stages[self.index - 1].ops

    @cached_property
    def diff(self) -> Diff:
        """What the pass added, removed and altered."""
        return diff(self.before, self.graph)

    @property
    def added(self) -> int:
        """Number of ops that the pass added."""
        return len(self.diff.added) if self.changed else 0

    @property
    def removed(self) -> int:
        """Number of ops that the pass removed."""
        return len(self.diff.removed) if self.changed else 0

    def dot(self, *, marks: bool = True, parameters: bool = False) -> str:
        """The graph after the pass for graphviz, with what is new marked."""
        seen = self.diff.marks_after() if marks and self.changed else None
        return to_dot(self.graph, marks=seen, parameters=parameters)

    def before_dot(self, *, marks: bool = True, parameters: bool = False) -> str:
        """The graph before the pass for graphviz, with what goes marked."""
        seen = self.diff.marks_before() if marks and self.changed else None
        return to_dot(self.before, marks=seen, parameters=parameters)

    def facts(self) -> dict[str, Any]:
        """Plain values: index, pass, changed, matches, ops, added, removed and more."""
        return {
            "index": self.index,
            "pass": self.pass_name,
            "changed": self.changed,
            "matches": list(self.matches) if isinstance(self.matches, tuple) else self.matches,
            "refused": self.refused,
            "lowered": self.lowered,
            "ops_before": self.ops_before,
            "ops": self.ops,
            "added": self.added,
            "removed": self.removed,
        }

    def __repr__(self) -> str:
        return f"<Stage {self.index}: {self.pass_name or 'before any pass'}, {self.ops} ops>"


class PassTrace:
    """The stages of one predictor, in the order they ran.

    Attributes:
        session: the session whose predictor these stages come from; its next `run` uses that predictor.
        loaded: what creating it gave.
        stages: stage 0 and one stage per pass.
    """

    def __init__(self, session: Session, loaded: Loaded, store: DumpStore, ran: list[Ran]) -> None:
        self.session = session
        self.loaded = loaded
        self._store = store
        self.stages = tuple(Stage(self, index, one) for index, one in enumerate(ran))

    @property
    def ir(self) -> str:
        """``pir`` or ``program``."""
        return self.session.model.ir

    @property
    def config(self) -> InferenceConfig:
        """What was asked for."""
        return self.session.config

    @property
    def changed(self) -> list[Stage]:
        """The stages whose pass changed the graph."""
        return [stage for stage in self.stages if stage.changed]

    @property
    def stored_bytes(self) -> int:
        """Bytes of the distinct dumps on disk."""
        return self._store.bytes

    def stage(self, name: str) -> Stage:
        """The first stage of a pass, by the name shown.

        Raises:
            TraceError: if no such pass ran.
        """
        for stage in self.stages:
            if stage.pass_name == name:
                return stage
        raise TraceError(f"no pass {name!r} ran: the passes are {', '.join(self.loaded.given['passes'])}")

    @cached_property
    def lineage(self) -> Lineage:
        """What became of every op and what every op stands for, by key."""
        return Lineage(self)

    def origins(self, stage: int, op: int) -> list[Op]:
        """The ops of the model, as loaded, that one op stands for.

        Args:
            stage: index of a stage.
            op: index of an op of its graph.

        Raises:
            TraceError: there is no such stage or op.
        """
        keys = self.lineage.keys(stage)
        _check_op(op, len(keys), stage)
        loaded = self.stages[0].graph.ops
        return [loaded[key] for key in self.lineage.origins(keys[op], stage)]

    def fate(self, op: int) -> list[str]:
        """What the passes made of an op of the model, a line per step; none if it stays as it is.

        Args:
            op: index of an op of stage 0.

        Raises:
            TraceError: there is no such op.
        """
        _check_op(op, len(self.lineage.keys(0)), 0)
        return self.lineage.tell(op)

    def compare(self, first: int, second: int) -> Diff:
        """What is different between the graphs of two stages, however far apart.

        Args:
            first: index of one stage.
            second: index of the other, which may come earlier.

        Returns:
            The difference; ops that passes left or altered are the same op, even if one rewrote their type.

        Raises:
            TraceError: there is no such stage.
        """
        return self.lineage.compare(first, second)

    def __iter__(self) -> Iterator[Stage]:
        return iter(self.stages)

    def __len__(self) -> int:
        return len(self.stages)

    def __getitem__(self, index: int) -> Stage:
        return self.stages[index]

    def write_dots(self, directory: str | os.PathLike[str]) -> list[Path]:
        """Write one ``.dot`` per stage into a folder, which is made; returns the files in order.

        Raises:
            TraceError: if the folder cannot be written to.
        """
        folder = Path(directory)
        files: list[Path] = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for stage in self.stages:
                path = folder / f"{stage.index:02d}_{stage.pass_name or 'before_any_pass'}.dot"
                path.write_text(stage.dot(), encoding="utf-8")
                files.append(path)
        except OSError as error:
            raise TraceError(
                f"cannot write to {folder}: {error.strerror}; choose a folder you can write to"
            ) from None
        return files

    def facts(self) -> dict[str, Any]:
        """Plain values: ir, runtime, asked, given, notices and the facts of every stage."""
        return {
            "ir": self.ir,
            "runtime": self.config.runtime,
            "paddle": self.loaded.given["paddle"],
            "asked": self.config.to_dict(),
            "given": dict(self.loaded.given),
            "notices": list(self.loaded.notices),
            "create_s": self.loaded.create_s,
            "stages": [stage.facts() for stage in self.stages],
        }

    def close(self) -> None:
        """Remove the dumps; the session stays."""
        self._store.close()

    def _read(self, index: int, dump: Dump, when: str) -> Graph:
        if self.ir == "pir":
            digest = dump.after if when == "after" else str(dump.before)
            return self._store.graph(
                digest, lambda: read_pir_text(self._store.get(digest).decode(errors="replace"))
            )
        if index == 0:
            return self._model_graph
        return self._store.graph(f"{index}", lambda: self._read_program(index, dump))

    def _read_program(self, index: int, dump: Dump) -> Graph:
        """A Program IR stage: the dot says what is there, the programs near it with which attributes."""
        graph = read_native_dot(self._store.get(dump.after).decode(errors="replace"))
        stages = self.stages
        near = [stages[at]._dump.program for at in (index, index - 1, index + 1) if 0 < at < len(stages)]
        sources = [self._program(digest) for digest in dict.fromkeys(near) if digest is not None]
        return enrich(graph, *sources, self._model_graph)

    @cached_property
    def _model_graph(self) -> Graph:
        # Dumps of Program IR hold the main block alone, so what they are compared with does too.
        return main_block(self.session.model.graph())

    def _program(self, digest: str) -> Graph:
        return self._store.graph(
            f"program {digest}", lambda: main_block(read_program(self._store.get(digest)))
        )

    def _count(self, index: int, dump: Dump, when: str) -> int:
        if self.ir == "pir":
            digest = dump.after if when == "after" else str(dump.before)
            return count_ops(self._store.get(digest).decode(errors="replace"))
        return len(self._read(index, dump, when).ops)

    def __repr__(self) -> str:
        return f"<PassTrace {self.session.model.name}: {self.config.label}, {len(self.stages) - 1} passes>"


def _check_op(op: int, count: int, stage: int) -> None:
    if not 0 <= op < count:
        raise TraceError(f"stage {stage} has no op {op}: give an index from 0 to {count - 1}")


def trace(
    model: Model | Session | str | os.PathLike[str],
    config: InferenceConfig | None = None,
    *,
    progress: Progress | None = None,
    time_limit: float | None = None,
) -> PassTrace:
    """Create a predictor with Paddle's IR dumps on and give the graph after every pass.

    Args:
        model: a model or its path, or a session, whose predictor is then the traced one.
        config: what to ask for, unless a session is given.
        progress: called with the name of the pass that runs.
        time_limit: seconds that creation may take.

    Raises:
        TraceError: if the dumps cannot be kept (no space) or do not fit together.
        WorkbenchError: as `Session.load`.
    """
    if isinstance(model, Session):
        if config is not None and config != model.config:
            raise WorkbenchError(
                "a session has its own config: give one of the two, or make a session with it"
            )
        session = model
    else:
        session = Session(model, config)
    store = DumpStore(session.spool())
    dumps = store.folder / "dumps"
    dumps.mkdir()
    printed = PirPrint(store)
    try:
        loaded = session.load(dump_dir=dumps, sink=printed.feed, progress=progress, time_limit=time_limit)
        if session.model.ir == "pir":
            ran = pir_stages(printed.finish(), loaded.passes)
            first = ran[0].dump.before
            ran.insert(0, Ran("", None, False, Dump(None, str(first))))
        else:
            ran = program_stages(dumps, loaded.passes, store) if loaded.passes else []
            ran.insert(0, Ran("", None, False, Dump(None, "", None)))
    except BaseException:
        store.close()
        raise
    return PassTrace(session, loaded, store, ran)
