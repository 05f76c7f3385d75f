"""Places for the nodes of a graph and ways for its edges, in rows from top to bottom.

The same algorithm as in the page (``extensions/src/graph/layout``): rows by longest path, few crossings by
barycentres, straight chains by isotonic regression. Edges that span very many rows are not drawn as lines, so
that one value that feeds every layer costs nothing. Nearly linear in the size of the graph, no recursion.
"""

from __future__ import annotations

from workbench.ir.layout.nested import PADDING_BOTTOM, PADDING_SIDE, PADDING_TOP, Layout, layout

__all__ = ["PADDING_BOTTOM", "PADDING_SIDE", "PADDING_TOP", "Layout", "layout"]
