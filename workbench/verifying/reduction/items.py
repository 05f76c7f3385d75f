"""What a model is cut into: ops that only make sense together are one item."""

from __future__ import annotations

from collections.abc import Iterable

from workbench.verifying.cutting.selection import Wiring

# They stand for numbers, as parameters do: made an input, a kernel size would be unknown to every pass.
_CONSTANTS = frozenset(
    {
        "pd_op.full",
        "pd_op.full_int_array",
        "pd_op.assign_value",
        "pd_op.assign_value_",
        "fill_constant",
        "assign_value",
    }
)


class Items:
    """The items of a model, and the constants that come along with whatever reads them.

    Attributes:
        wiring: of the graph of the whole model.
        items: the items in topological order, each the indices of its ops in order. Ops that share what
            cannot be fed (a list of tensors) or a variable that changes are one.
    """

    def __init__(self, wiring: Wiring) -> None:
        self.wiring = wiring
        graph = wiring.graph
        self._constants = {
            graph.ops[index].outputs[0]: index
            for index in wiring.work
            if graph.ops[index].type in _CONSTANTS
            and not wiring.reads[index]
            and len(graph.ops[index].outputs) == 1
            and graph.ops[index].outputs[0] not in wiring.rewritten
        }
        along = set(self._constants.values())
        group = {index: index for index in wiring.work if index not in along}

        def root(index: int) -> int:
            while group[index] != index:
                group[index] = group[group[index]]
                index = group[index]
            return index

        def unite(ops: Iterable[int]) -> None:
            roots = sorted({root(index) for index in ops if index in group})
            for other in roots[1:]:
                group[other] = roots[0]

        for touching in wiring.rewritten.values():
            unite(touching)
        for index in list(group):
            for value in wiring.reads[index]:
                if not graph.values[value].parameter and not wiring.feedable(value):
                    unite([index, *wiring.writers.get(value, ())])
        found: dict[int, list[int]] = {}
        for index in group:
            found.setdefault(root(index), []).append(index)
        self.items: tuple[tuple[int, ...], ...] = tuple(tuple(found[key]) for key in sorted(found))

    def ops(self, items: Iterable[tuple[int, ...]]) -> tuple[int, ...]:
        """All ops of these items, with the constants they read, in order."""
        ops = {index for item in items for index in item}
        values = {value for index in ops for value in self.wiring.reads[index]}
        ops.update(self._constants[value] for value in values if value in self._constants)
        return tuple(sorted(ops))
