/**
 * Blocks within blocks: every block is laid out on its own, deepest first, and is one node of its level then.
 */
import { layered, type Placed } from "./layered";
import { adjacency, rankNodes } from "./rank";
import type { Level } from "./rows";
import { stay } from "./stay";
import { blockPadding, type LayoutInput, type LayoutOutput } from "./types";

/**
 * Edges over more rows than this are not drawn as lines. One value that feeds every layer would fill the
 * picture.
 */
const longest = 24;

/**
 * The parts of edges within single levels. An edge from one block into another has a part in each block it
 * leaves, one in the block that holds both ends, and one in each block it enters; ports are where it passes
 * their borders. Edges with one source share parts.
 */
class Segments {
  /** Node, or port counted from the number of nodes on. */
  readonly from: number[] = [];
  readonly to: number[] = [];
  /** The port in the border of a block the end is fastened to, or -1. */
  readonly fromPort: number[] = [];
  readonly toPort: number[] = [];
  readonly level: number[] = [];
  readonly portBlock: number[] = [];
  /** 1 in the upper border, 2 in the lower one. */
  readonly portSide: number[] = [];
  /** Segments of edge e in order: `list[start[e]] … list[start[e] + length[e] - 1]`. */
  readonly start: Int32Array;
  readonly length: Int32Array;
  readonly list: number[] = [];

  constructor(nodes: number, edges: number) {
    this.start = new Int32Array(edges);
    this.length = new Int32Array(edges);
    this.nodes = nodes;
  }
  private readonly nodes: number;

  port(block: number, side: 1 | 2): number {
    this.portBlock.push(block);
    this.portSide.push(side);
    return this.portBlock.length - 1;
  }

  add(level: number, from: number, fromPort: number, to: number, toPort: number): number {
    this.level.push(level);
    this.from.push(from);
    this.fromPort.push(fromPort);
    this.to.push(to);
    this.toPort.push(toPort);
    return this.level.length - 1;
  }

  idOfPort(port: number): number {
    return this.nodes + port;
  }
}

export function nested(input: LayoutInput, mode: LayoutInput["mode"]): LayoutOutput {
  const { group, edges, keep } = input;
  const n = group.length;
  const m = edges.length >> 1;
  const depth = new Int32Array(n);
  const holders = new Int32Array(2 * n);
  for (let i = 0; i < n; i++) {
    if (group[i]! >= 0) depth[i] = depth[group[i]!]! + 1;
    holders[2 * i] = group[i]! + 1;
    holders[2 * i + 1] = i;
  }
  // Levels are numbered by their block plus one; 0 is the outermost.
  const held = adjacency(n + 1, holders, 0);
  const local = new Int32Array(n);
  for (let level = 0; level <= n; level++)
    for (let slot = held.at[level]!; slot < held.at[level + 1]!; slot++)
      local[held.ends[slot]!] = slot - held.at[level]!;

  // The two nodes of one level that hold the ends of each edge; the same one twice for an edge that is of no
  // level.
  const upper = new Int32Array(m);
  const lower = new Int32Array(m);
  for (let e = 0; e < m; e++) {
    let a = edges[2 * e]!;
    let b = edges[2 * e + 1]!;
    while (depth[a]! > depth[b]!) a = group[a]!;
    while (depth[b]! > depth[a]!) b = group[b]!;
    while (group[a] !== group[b]) {
      a = group[a]!;
      b = group[b]!;
    }
    upper[e] = a;
    lower[e] = b;
  }
  const rank = new Int32Array(n);
  const rowCount = new Int32Array(n + 1);
  rankLevels();
  const long = new Uint8Array(m);
  for (let e = 0; e < m; e++) long[e] = isLong(e) ? 1 : 0;
  const segments = cut();

  const x = new Float64Array(n);
  const y = new Float64Array(n);
  const width = Float64Array.from(input.width);
  const height = Float64Array.from(input.height);
  const portAt = new Float64Array(segments.portBlock.length);
  const bends: Float64Array[] = new Array<Float64Array>(segments.level.length);
  let extent = { width: 0, height: 0 };
  let rise = 0;
  layLevels();
  for (let i = 0; i < n; i++) {
    const block = group[i]!;
    if (block < 0) continue;
    x[i]! += x[block]!;
    y[i]! += y[block]!;
  }
  const { routeAt, route } = routes();
  let moved = 0;
  if (input.mode === "stay" && keep)
    for (let i = 0; i < n; i++) {
      if (keep.wish?.[i]) continue;
      if (Math.abs(x[i]! - keep.x[i]!) > 0.01 || Math.abs(y[i]! - rise - keep.y[i]!) > 0.01) moved++;
    }
  return {
    x: Float32Array.from(x),
    y: Float32Array.from(y),
    width: Float32Array.from(width),
    height: Float32Array.from(height),
    routeAt,
    route,
    long,
    totalWidth: extent.width,
    totalHeight: extent.height,
    moved,
    rise,
  };

  function rankLevels(): void {
    const levels = new Int32Array(2 * m);
    for (let e = 0; e < m; e++) {
      levels[2 * e] = upper[e] === lower[e] ? 0 : group[upper[e]!]! + 1;
      levels[2 * e + 1] = e;
    }
    const byLevel = adjacency(n + 1, levels, 0);
    for (let level = 0; level <= n; level++) {
      const [first, end] = [held.at[level]!, held.at[level + 1]!];
      if (first === end) continue;
      const pairs: number[] = [];
      for (let slot = byLevel.at[level]!; slot < byLevel.at[level + 1]!; slot++) {
        const e = byLevel.ends[slot]!;
        if (upper[e] !== lower[e]) pairs.push(local[upper[e]!]!, local[lower[e]!]!);
      }
      const found = rankNodes(end - first, Int32Array.from(pairs));
      for (let slot = first; slot < end; slot++) {
        const r = found[slot - first]!;
        rank[held.ends[slot]!] = r;
        rowCount[level] = Math.max(rowCount[level]!, r + 1);
      }
    }
  }

  function isLong(e: number): boolean {
    const [a, b] = [upper[e]!, lower[e]!];
    if (Math.abs(rank[a]! - rank[b]!) > longest) return true;
    if (a === b) return false;
    for (let v = edges[2 * e]!; v !== a; v = group[v]!)
      if (rowCount[group[v]! + 1]! - rank[v]! > longest) return true;
    for (let v = edges[2 * e + 1]!; v !== b; v = group[v]!) if (rank[v]! + 1 > longest) return true;
    return false;
  }

  function cut(): Segments {
    const found = new Segments(n, m);
    const sources = new Int32Array(2 * m);
    for (let e = 0; e < m; e++) {
      sources[2 * e] = edges[2 * e]!;
      sources[2 * e + 1] = e;
    }
    // Of the source at work: what leads out of a block and into a node, and the ports.
    const outOf = { stamp: new Int32Array(n).fill(-1), segment: new Int32Array(n), port: new Int32Array(n) };
    const into = { stamp: new Int32Array(n).fill(-1), segment: new Int32Array(n), port: new Int32Array(n) };
    const way: number[] = [];
    for (const e of adjacency(n, sources, 0).ends) {
      found.start[e] = found.list.length;
      if (long[e] || upper[e] === lower[e]) continue;
      const s = edges[2 * e]!;
      let port = -1;
      let v = s;
      for (; v !== upper[e]!; v = group[v]!) {
        const block = group[v]!;
        if (outOf.stamp[block] !== s) {
          outOf.stamp[block] = s;
          outOf.port[block] = found.port(block, 2);
          outOf.segment[block] = found.add(block, v, port, found.idOfPort(outOf.port[block]), -1);
        }
        port = outOf.port[block]!;
        found.list.push(outOf.segment[block]!);
      }
      way.length = 0;
      for (let w = edges[2 * e + 1]!; w !== lower[e]!; w = group[w]!) way.push(w);
      way.push(lower[e]);
      for (let step = way.length - 1; step >= 0; step--) {
        const w = way[step]!;
        if (into.stamp[w] !== s) {
          into.stamp[w] = s;
          into.port[w] = -1;
          into.segment[w] = found.add(group[w]!, v, port, w, -1);
        }
        const segment = into.segment[w]!;
        found.list.push(segment);
        if (step === 0) break;
        if (into.port[w]! < 0) found.toPort[segment] = into.port[w] = found.port(w, 1);
        v = found.idOfPort(into.port[w]!);
        port = -1;
      }
      found.length[e] = found.list.length - found.start[e];
    }
    return found;
  }

  function layLevels(): void {
    const count = segments.level.length;
    const levels = new Int32Array(2 * count);
    for (let s = 0; s < count; s++) {
      levels[2 * s] = segments.level[s]! + 1;
      levels[2 * s + 1] = s;
    }
    const segmentsOf = adjacency(n + 1, levels, 0);
    const blocks = new Int32Array(2 * portAt.length);
    for (let p = 0; p < portAt.length; p++) {
      blocks[2 * p] = segments.portBlock[p]! + 1;
      blocks[2 * p + 1] = p;
    }
    const portsOf = adjacency(n + 1, blocks, 0);
    const localPort = new Int32Array(portAt.length);
    for (let level = n; level >= 0; level--) {
      const members = held.ends.subarray(held.at[level], held.at[level + 1]);
      if (members.length === 0) continue;
      const ports = portsOf.ends.subarray(portsOf.at[level], portsOf.at[level + 1]);
      ports.forEach((p, i) => (localPort[p] = members.length + i));
      const own = segmentsOf.ends.subarray(segmentsOf.at[level], segmentsOf.at[level + 1]);
      layLevel(level - 1, members, ports, own, localPort);
    }
  }

  function layLevel(
    block: number,
    members: Int32Array,
    ports: Int32Array,
    own: Int32Array,
    localPort: Int32Array,
  ): void {
    const count = members.length + ports.length;
    const level: Level = {
      count,
      width: new Float64Array(count),
      height: new Float64Array(count),
      rank: new Int32Array(count),
      edges: new Int32Array(2 * own.length),
      shift: new Float64Array(2 * own.length),
      port: new Uint8Array(count),
      hint: null,
    };
    const inner = block < 0 ? { top: 0, side: 0, bottom: 0 } : blockPadding;
    const hint = new Float64Array(count).fill(NaN);
    const places = {
      x: new Float64Array(count).fill(NaN),
      y: new Float64Array(count).fill(NaN),
      wish: new Uint8Array(count),
    };
    const left = block < 0 || !keep ? 0 : keep.x[block]! + inner.side;
    const top = block < 0 || !keep ? 0 : keep.y[block]! + inner.top;
    let known = 0;
    let placed = 0;
    members.forEach((v, i) => {
      level.width[i] = width[v]!;
      level.height[i] = height[v]!;
      level.rank[i] = rank[v]!;
      if (mode === "fresh" || !keep || Number.isNaN(keep.x[v]!) || Number.isNaN(keep.y[v]!)) return;
      hint[i] = keep.x[v]! + input.width[v]! / 2;
      places.x[i] = keep.x[v]! - left;
      places.y[i] = keep.y[v]! - top;
      places.wish[i] = keep.wish?.[v] ?? 0;
      if (places.wish[i]) return;
      known++;
      if (places.x[i] >= 0 && places.y[i] >= 0) placed++;
    });
    if (known > 0) level.hint = hint;
    ports.forEach((p, i) => (level.port[members.length + i] = segments.portSide[p]!));
    const end = (id: number) => (id < n ? local[id]! : localPort[id - n]!);
    own.forEach((s, i) => {
      const [from, to] = [segments.from[s]!, segments.to[s]!];
      level.edges[2 * i] = end(from);
      level.edges[2 * i + 1] = end(to);
      // Ports of a deeper block, which is laid out by now.
      if (segments.fromPort[s]! >= 0) level.shift[2 * i] = portAt[segments.fromPort[s]!]! - width[from]! / 2;
      if (segments.toPort[s]! >= 0) level.shift[2 * i + 1] = portAt[segments.toPort[s]!]! - width[to]! / 2;
    });

    let found: Placed | null = null;
    let offset = inner.side;
    if (mode === "stay" && known > 0 && placed === known) found = stay(level, places);
    if (!found) {
      found = layered(level);
      if (mode === "stay") backTo(found, places, members.length);
      if (block >= 0) offset += Math.max(0, (width[block]! - 2 * inner.side - found.width) / 2);
    }
    members.forEach((v, i) => {
      x[v] = found.x[i]! + offset;
      y[v] = found.y[i]! + inner.top;
    });
    ports.forEach((p, i) => (portAt[p] = found.x[members.length + i]! + offset));
    own.forEach((s, i) => {
      const points = found.bends.slice(2 * found.bendAt[i]!, 2 * found.bendAt[i + 1]!);
      for (let p = 0; p < points.length; p += 2) {
        points[p]! += offset;
        points[p + 1]! += inner.top;
      }
      bends[s] = points;
    });
    if (block < 0) {
      extent = { width: found.width, height: found.height };
      rise = found.rise ?? 0;
    } else {
      width[block] = Math.max(width[block]!, found.width + 2 * inner.side);
      height[block] = Math.max(height[block]!, found.height + inner.top + inner.bottom);
    }
  }

  function routes(): { routeAt: Int32Array; route: Float32Array } {
    const points: number[] = [];
    const routeAt = new Int32Array(m + 1);
    for (let e = 0; e < m; e++) {
      const [s, t] = [edges[2 * e]!, edges[2 * e + 1]!];
      const first = points.length;
      const push = (px: number, py: number) => {
        const at = points.length;
        // Of points one below the other the first and the last are enough.
        if (at >= first + 4 && points[at - 2] === px && points[at - 4] === px) points[at - 1] = py;
        else points.push(px, py);
      };
      const [sx, sy] = [x[s]! + width[s]! / 2, y[s]! + height[s]!];
      const [tx, ty] = [x[t]! + width[t]! / 2, y[t]!];
      push(sx, sy);
      const [a, b] = [upper[e]!, lower[e]!];
      const upwards = a !== b && y[a]! + height[a]! > y[b]!;
      if (s === t) points.push(sx + width[s]! / 2 + 12, sy, sx + width[s]! / 2 + 12, ty);
      for (let i = 0; i < segments.length[e]!; i++) {
        const segment = segments.list[segments.start[e]! + i]!;
        const block = segments.level[segment]!;
        const [left, top] = block < 0 ? [0, 0] : [x[block]!, y[block]!];
        const inner = bends[segment]!;
        const end = segments.to[segment]!;
        const between = segments.from[segment]! < n && end < n && upwards;
        if (between) beside(segments.from[segment]!, inner, true);
        for (let p = 0; p < inner.length; p += 2) push(inner[p]! + left, inner[p + 1]! + top);
        if (between) beside(end, inner, false);
        // Through the border of the block that is left, or of the one that is entered.
        if (end >= n) push(left + portAt[end - n]!, top + height[block]!);
        const port = segments.toPort[segment]!;
        if (port >= 0 && i + 1 < segments.length[e]!) push(x[end]! + portAt[port]!, y[end]!);
      }
      push(tx, ty);
      routeAt[e + 1] = points.length >> 1;

      /** An edge that leads upwards passes its ends at their side, not through them. */
      function beside(v: number, inner: Float64Array, leaving: boolean): void {
        const block = group[v]!;
        const bend = inner.length === 0 ? Infinity : leaving ? inner[0]! : inner[inner.length - 2]!;
        const near = bend + (block < 0 ? 0 : x[block]!);
        const side = near < x[v]! + width[v]! / 2 ? x[v]! - 12 : x[v]! + width[v]! + 12;
        const [top, bottom] = [y[v]!, y[v]! + height[v]!];
        points.push(side, bottom, side, top);
      }
    }
    return { routeAt, route: Float32Array.from(points) };
  }
}

/** Moves all so that the first node that had a place has it again, as far as nothing gets below 0. */
function backTo(found: Placed, places: { x: Float64Array; y: Float64Array }, count: number): void {
  let first = 0;
  while (first < count && Number.isNaN(places.x[first]!)) first++;
  if (first === count) return;
  const right = Math.max(0, places.x[first]! - found.x[first]!);
  const down = Math.max(0, places.y[first]! - found.y[first]!);
  for (let i = 0; i < found.x.length; i++) {
    found.x[i]! += right;
    found.y[i]! += down;
  }
  for (let i = 0; i < found.bends.length; i += 2) {
    found.bends[i]! += right;
    found.bends[i + 1]! += down;
  }
  found.width += right;
  found.height += down;
}
