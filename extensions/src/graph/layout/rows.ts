/** One connected part of a level as rows: its nodes, and a bend in every row an edge passes. */
import { adjacency, type Adjacency } from "./rank";

/**
 * What one level consists of: the nodes a block directly holds and its ports, places where edges pass its
 * border.
 */
export interface Level {
  count: number;
  width: Float64Array;
  height: Float64Array;
  rank: Int32Array;
  /**
   * Pairs of nodes, no self-edges; `shift` is where each end is fastened, measured from the middle of its
   * node.
   */
  edges: Int32Array;
  shift: Float64Array;
  /** 0 for a node, 1 for a port in the upper border, 2 in the lower one. */
  port: Uint8Array;
  /** Middles of the nodes across, as they were before; NaN for a node that was not there. */
  hint: Float64Array | null;
}

export interface Rows {
  /** Nodes first, then bends. */
  size: number;
  nodes: number;
  width: Float64Array;
  row: Int32Array;
  /**
   * Members of row r from left to right: `order[at[r]] … order[at[r + 1] - 1]`; `place` is the inverse, in
   * the row.
   */
  at: Int32Array;
  order: Int32Array;
  place: Int32Array;
  /** Links join neighbouring rows, pairs (upper, lower) like the edges of a level. */
  links: Int32Array;
  shift: Float64Array;
  /** How much a link should be vertical. */
  weight: Float64Array;
  /** Links of a member, not its neighbours. */
  above: Adjacency;
  below: Adjacency;
  /** Bends of edge e, from the upper end down: `bendAt[e] … bendAt[e + 1] - 1`. */
  bendAt: Int32Array;
  hint: Float64Array | null;
}

/** Where something comes from and leads to counts up to this many rows away. */
const sight = 8;

/** The links by their end `side`. */
function linksBy(size: number, links: Int32Array, side: 0 | 1): Adjacency {
  const numbered = new Int32Array(links.length);
  for (let p = 0; p < links.length; p += 2) {
    numbered[p] = links[p + side]!;
    numbered[p + 1] = p >> 1;
  }
  return adjacency(size, numbered, 0);
}

/** A link of the path that is straight before all others counts so many times. */
const spineWeight = 4;

/** How many rows lead to each node (or from it). */
function reach(level: Level, upper: Int32Array, lower: Int32Array, down: boolean): Int32Array {
  const [from, to] = down ? [upper, lower] : [lower, upper];
  const steps = new Int32Array(level.count);
  let rows = 0;
  for (const r of level.rank) rows = Math.max(rows, r + 1);
  const numbered = new Int32Array(2 * upper.length);
  for (let e = 0; e < upper.length; e++) {
    const r = level.rank[from[e]!]!;
    numbered[2 * e] = down ? r : rows - 1 - r;
    numbered[2 * e + 1] = e;
  }
  for (const e of adjacency(rows, numbered, 0).ends)
    steps[to[e]!] = Math.max(steps[to[e]!]!, steps[from[e]!]! + 1);
  return steps;
}

/**
 * The edges of the longest way through it all, where it is the only one. It is straight, so that a network of many
 * equal blocks does not lean a little further with each.
 */
function spine(level: Level, upper: Int32Array, lower: Int32Array, before: Int32Array, after: Int32Array): Uint8Array {
  let longest = 0;
  for (let v = 0; v < level.count; v++) longest = Math.max(longest, before[v]! + after[v]!);
  const found = Uint8Array.from(upper, (u, e) => (before[u]! + 1 + after[lower[e]!]! === longest ? 1 : 0));
  const waysDown = new Int32Array(level.count);
  const waysUp = new Int32Array(level.count);
  for (let e = 0; e < found.length; e++) {
    waysDown[upper[e]!]! += found[e]!;
    waysUp[lower[e]!]! += found[e]!;
  }
  return found.map((on, e) => (on === 1 && waysDown[upper[e]!] === 1 && waysUp[lower[e]!] === 1 ? 1 : 0));
}

export function rowsOf(level: Level): Rows {
  const { count, rank, edges, hint } = level;
  const edgeCount = edges.length >> 1;
  const upper = new Int32Array(edgeCount);
  const lower = new Int32Array(edgeCount);
  const upperShift = new Float64Array(edgeCount);
  const lowerShift = new Float64Array(edgeCount);
  const bendAt = new Int32Array(edgeCount + 1);
  bendAt[0] = count;
  for (let e = 0; e < edgeCount; e++) {
    const turned = rank[edges[2 * e]!]! > rank[edges[2 * e + 1]!]! ? 1 : 0;
    upper[e] = edges[2 * e + turned]!;
    lower[e] = edges[2 * e + 1 - turned]!;
    upperShift[e] = level.shift[2 * e + turned]!;
    lowerShift[e] = level.shift[2 * e + 1 - turned]!;
    bendAt[e + 1] = bendAt[e]! + rank[lower[e]!]! - rank[upper[e]!]! - 1;
  }
  const size = bendAt[edgeCount]!;
  const row = new Int32Array(size);
  row.set(rank);
  const width = new Float64Array(size);
  width.set(level.width);
  const hints = hint && new Float64Array(size).fill(NaN);
  hints?.set(hint!);
  const linkCount = size - count + edgeCount;
  const links = new Int32Array(2 * linkCount);
  const shift = new Float64Array(2 * linkCount);
  const weight = new Float64Array(linkCount);
  const before = reach(level, upper, lower, true);
  const after = reach(level, upper, lower, false);
  const straight = spine(level, upper, lower, before, after);
  let link = 0;
  for (let e = 0; e < edgeCount; e++) {
    const [u, v] = [upper[e]!, lower[e]!];
    const bends = bendAt[e + 1]! - bendAt[e]!;
    // What carries the flow is straight; a constant or a dead end stands beside it.
    const flow = Math.min(1 + before[u]!, 1 + after[v]!, sight);
    const importance = flow * (bends > 0 ? 1 : 2) * (straight[e] ? spineWeight : 1);
    let last = u;
    for (let step = 0; step <= bends; step++) {
      const next = step === bends ? v : bendAt[e]! + step;
      links[2 * link] = last;
      links[2 * link + 1] = next;
      if (step === 0) shift[2 * link] = upperShift[e]!;
      if (step === bends) shift[2 * link + 1] = lowerShift[e]!;
      else {
        row[next] = rank[u]! + 1 + step;
        if (hints) {
          const part = (step + 1) / (bends + 1);
          hints[next] = (hint[u]! + upperShift[e]!) * (1 - part) + (hint[v]! + lowerShift[e]!) * part;
        }
      }
      weight[link++] = importance;
      last = next;
    }
  }
  let rowCount = 0;
  for (let i = 0; i < size; i++) rowCount = Math.max(rowCount, row[i]! + 1);
  const at = new Int32Array(rowCount + 1);
  for (let i = 0; i < size; i++) at[row[i]! + 1]! += 1;
  for (let r = 0; r < rowCount; r++) at[r + 1]! += at[r]!;
  return {
    size,
    nodes: count,
    width,
    row,
    at,
    order: new Int32Array(size),
    place: new Int32Array(size),
    links,
    shift,
    weight,
    above: linksBy(size, links, 1),
    below: linksBy(size, links, 0),
    bendAt,
    hint: hints,
  };
}
