/** What goes into a layout and what comes out. */

/** What is to be laid out. Sizes and places are px at zoom 1, y grows downwards. */
export interface LayoutInput {
  /** Per node; of an open block (a node that others name as their group) the size it has at least. */
  width: Float32Array;
  height: Float32Array;
  /** The open block that directly holds node i, or -1. A block comes before what it holds. */
  group: Int32Array;
  /**
   * Pairs (from, to) of nodes; the ends may stand in different blocks, at different depths. Self-edges and
   * duplicates are possible; an edge between an open block itself and a node it holds is possible too
   * (ignored for ranking).
   */
  edges: Int32Array;
  /**
   * Places (top left corner, absolute) nodes had before; NaN for a node without one. A place with a `wish` is
   * taken only if nothing else stands there.
   */
  keep?: { x: Float32Array; y: Float32Array; wish?: Uint8Array };
  /**
   * "stay": what has a place keeps it exactly, new nodes go around it. "order": a fresh layout whose rows
   * keep the left-to-right order of the old places as far as possible. "fresh": old places do not matter.
   */
  mode: "fresh" | "order" | "stay";
}

export interface LayoutOutput {
  /** Absolute top left corners; sizes (those of open blocks have grown around what they hold). */
  x: Float32Array;
  y: Float32Array;
  width: Float32Array;
  height: Float32Array;
  /**
   * Points of edge e: `route[2 * routeAt[e]]` … pairs x, y up to `routeAt[e + 1]`; first at the bottom of the
   * source, last at the top of the target; inner points where the edge passes rows or block borders.
   */
  routeAt: Int32Array;
  route: Float32Array;
  /** 1: spans too many rows to be drawn as a line through them; it has a route of just its two ends. */
  long: Uint8Array;
  /** Extent from 0,0. */
  totalWidth: number;
  totalHeight: number;
  /** How many kept nodes could not keep their place in mode "stay" (0 nearly always). */
  moved: number;
  /** How far down all nodes went together, in mode "stay", to make room above the first. */
  rise: number;
}

/** Room inside an open block around what it holds. */
export const blockPadding = { top: 30, side: 14, bottom: 14 };
