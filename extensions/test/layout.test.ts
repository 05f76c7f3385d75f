import { Graphviz } from "@hpcc-js/wasm-graphviz";
import { describe, expect, it } from "vitest";
import { blockPadding, layout, type LayoutInput, type LayoutOutput } from "../src/graph/layout";

/** Numbers from 0 to 1, the same ones for the same seed. */
function generator(seed: number): () => number {
  let state = seed * 2654435761 + 1;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x297a2d39) | 0;
    const mixed = Math.imul(state ^ (state >>> 12), 0x297a2d39);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 4294967296;
  };
}

interface Kinds {
  nodes: number;
  edges: number;
  blocks?: number;
  cyclic?: boolean;
  hub?: boolean;
}

/** Blocks are made of neighbours in the order of the nodes, as layers are; edges lead to later nodes. */
function random(seed: number, { nodes, edges, blocks = 0, cyclic = false, hub = false }: Kinds): LayoutInput {
  const next = generator(seed);
  const upTo = (limit: number) => Math.floor(next() * limit);
  const group: number[] = [];
  const open: { block: number; left: number }[] = [];
  for (let i = 0; i < nodes; i++) {
    while (open.length > 0 && open.at(-1)!.left === 0) open.pop();
    group.push(open.length > 0 ? open.at(-1)!.block : -1);
    for (const entry of open) entry.left--;
    if (next() < blocks && i + 1 < nodes) {
      const limit = open.length > 0 ? open.at(-1)!.left : nodes;
      if (limit > 0) open.push({ block: i, left: 1 + upTo(Math.min(12, limit)) });
    }
  }
  const holds = new Set(group);
  const pairs: number[] = [];
  const inside = (block: number, node: number) => {
    for (let v = group[node]!; v >= 0; v = group[v]!) if (v === block) return true;
    return false;
  };
  for (let e = 0; e < edges && nodes > 0; e++) {
    const from = hub && next() < 0.3 ? 0 : upTo(nodes);
    const to = next() < 0.8 ? Math.min(nodes - 1, from + upTo(8)) : upTo(nodes);
    const [a, b] = cyclic ? [from, to] : [Math.min(from, to), Math.max(from, to)];
    if (!cyclic && (a === b || holds.has(a) || inside(a, b) || inside(b, a))) continue;
    pairs.push(a, b);
    if (next() < 0.05) pairs.push(a, b);
  }
  return {
    width: Float32Array.from({ length: nodes }, () => 30 + upTo(140)),
    height: Float32Array.from({ length: nodes }, () => (next() < 0.8 ? 36 : 20 + upTo(60))),
    group: Int32Array.from(group),
    edges: Int32Array.from(pairs),
    mode: "fresh",
  };
}

function checkPlaces({ group, width, height }: LayoutInput, out: LayoutOutput): void {
  const problems: string[] = [];
  const byLevel = new Map<number, number[]>();
  group.forEach((block, i) => byLevel.set(block, [...(byLevel.get(block) ?? []), i]));
  for (const members of byLevel.values()) {
    members.sort((a, b) => out.y[a]! - out.y[b]!);
    for (let i = 0; i < members.length; i++)
      for (let j = i + 1; j < members.length; j++) {
        const [a, b] = [members[i]!, members[j]!];
        if (out.y[b]! >= out.y[a]! + out.height[a]! - 0.01) break;
        const apart = out.x[a]! + out.width[a]! <= out.x[b]! + 0.01 || out.x[b]! + out.width[b]! <= out.x[a]! + 0.01;
        if (!apart) problems.push(`${a} and ${b} overlap`);
      }
  }
  for (let i = 0; i < group.length; i++) {
    if (out.width[i]! < width[i]! || out.height[i]! < height[i]!) problems.push(`${i} has shrunk`);
    if (out.x[i]! < 0 || out.y[i]! < 0) problems.push(`${i} is out of the picture`);
    const right = out.x[i]! + out.width[i]!;
    const bottom = out.y[i]! + out.height[i]!;
    if (right > out.totalWidth + 0.01 || bottom > out.totalHeight + 0.01) problems.push(`${i} is out of the picture`);
    const block = group[i]!;
    if (block < 0) continue;
    const within =
      out.x[i]! >= out.x[block]! + blockPadding.side - 0.01 &&
      out.y[i]! >= out.y[block]! + blockPadding.top - 0.01 &&
      right <= out.x[block]! + out.width[block]! - blockPadding.side + 0.01 &&
      bottom <= out.y[block]! + out.height[block]! - blockPadding.bottom + 0.01;
    if (!within) problems.push(`${i} is not within ${block}`);
  }
  expect(problems).toEqual([]);
}

function checkRoutes({ edges }: LayoutInput, out: LayoutOutput): void {
  const problems: string[] = [];
  const near = (a: number, b: number) => Math.abs(a - b) < 0.1;
  for (let e = 0; 2 * e < edges.length; e++) {
    const [s, t] = [edges[2 * e]!, edges[2 * e + 1]!];
    const [first, last] = [2 * out.routeAt[e]!, 2 * out.routeAt[e + 1]! - 2];
    const route = (at: number) => out.route[at]!;
    if (last - first < 2) problems.push(`edge ${e} has no two ends`);
    if (out.long[e] && last - first !== 2) problems.push(`edge ${e} is long and has bends`);
    if (!near(route(first + 1), out.y[s]! + out.height[s]!)) problems.push(`edge ${e} does not start at the bottom`);
    if (!near(route(last + 1), out.y[t]!)) problems.push(`edge ${e} does not end at the top`);
    if (route(first) < out.x[s]! || route(first) > out.x[s]! + out.width[s]!) problems.push(`edge ${e} starts aside`);
    if (route(last) < out.x[t]! || route(last) > out.x[t]! + out.width[t]!) problems.push(`edge ${e} ends aside`);
    if (out.y[s]! + out.height[s]! > out.y[t]!) continue;
    for (let at = first + 2; at <= last; at += 2)
      if (route(at + 1) < route(at - 1) - 0.1) problems.push(`edge ${e} turns back`);
  }
  expect(problems).toEqual([]);
}

/** Edges whose target does not stand below their source. */
function upwards({ edges }: LayoutInput, out: LayoutOutput): string[] {
  const found: string[] = [];
  for (let p = 0; p < edges.length; p += 2) {
    const [s, t] = [edges[p]!, edges[p + 1]!];
    if (out.y[s]! + out.height[s]! > out.y[t]! + 0.01) found.push(`${s} to ${t}`);
  }
  return found;
}

const plain = (count: number, edges: number[], group?: number[]): LayoutInput => ({
  width: new Float32Array(count).fill(80),
  height: new Float32Array(count).fill(36),
  group: Int32Array.from(group ?? new Array<number>(count).fill(-1)),
  edges: Int32Array.from(edges),
  mode: "fresh",
});

describe("a fresh layout", () => {
  it("overlaps nothing and leads downwards, whatever the graph", () => {
    for (let seed = 0; seed < 150; seed++) {
      const nodes = seed % 60;
      const input = random(seed, { nodes, edges: Math.floor(nodes * (0.5 + (seed % 4) / 2)), hub: seed % 5 === 0 });
      const out = layout(input);
      checkPlaces(input, out);
      checkRoutes(input, out);
      expect(upwards(input, out), `seed ${seed}`).toEqual([]);
    }
  });

  it("does so with blocks in blocks", () => {
    for (let seed = 0; seed < 150; seed++) {
      const nodes = 5 + (seed % 80);
      const input = random(seed, { nodes, edges: nodes * 2, blocks: 0.15, hub: seed % 5 === 0 });
      const out = layout(input);
      checkPlaces(input, out);
      checkRoutes(input, out);
    }
  });

  it("leads downwards from block to block too where the blocks form no cycle", () => {
    const decoder = layers(4);
    const out = layout(decoder);
    checkPlaces(decoder, out);
    checkRoutes(decoder, out);
    expect(upwards(decoder, out)).toEqual([]);
  });

  it("draws cycles, self-edges and edges between a block and what it holds", () => {
    for (let seed = 0; seed < 100; seed++) {
      const input = random(seed, { nodes: 1 + (seed % 40), edges: 2 * (seed % 40), blocks: 0.1, cyclic: true });
      const out = layout(input);
      checkPlaces(input, out);
      checkRoutes(input, out);
    }
  });

  it("has no size when there is nothing to draw, and that of the node when there is one", () => {
    expect(layout(plain(0, []))).toMatchObject({ totalWidth: 0, totalHeight: 0, moved: 0 });
    expect(layout(plain(1, []))).toMatchObject({ totalWidth: 80, totalHeight: 36 });
  });

  it("is the same every time", () => {
    const input = random(7, { nodes: 70, edges: 140, blocks: 0.1 });
    expect(layout(input)).toEqual(layout(input));
  });

  it("draws a chain as a straight line, and keeps it straight beside constants and shortcuts", () => {
    // 0 → 1 → … → 9, a shortcut from 2 to 6, a constant into every second one.
    const edges = Array.from({ length: 9 }, (_, i) => [i, i + 1]).flat();
    const out = layout(plain(14, [...edges, 2, 6, 10, 2, 11, 4, 12, 6, 13, 8]));
    const chain = Array.from({ length: 10 }, (_, i) => out.x[i]! + out.width[i]! / 2);
    expect(new Set(chain).size).toBe(1);
    // A constant stands in the row above its user.
    expect(out.y[11]).toBe(out.y[3]);
  });

  it("draws equal branches symmetrically", () => {
    const out = layout(plain(4, [0, 1, 0, 2, 1, 3, 2, 3]));
    const middle = (i: number) => out.x[i]! + out.width[i]! / 2;
    expect(middle(0)).toBe(middle(3));
    expect(middle(0) * 2).toBe(middle(1) + middle(2));
  });

  it("puts a mask next to its first user and draws no lines to far ones", () => {
    const chain = Array.from({ length: 99 }, (_, i) => [i, i + 1]).flat();
    const out = layout(plain(101, [...chain, 100, 10, 100, 20, 100, 90]));
    expect(out.y[100]).toBe(out.y[9]);
    expect([...out.long.subarray(99)]).toEqual([0, 0, 1]);
  });

  it("puts single nodes into a compact grid", () => {
    const out = layout(plain(100, []));
    expect(out.totalWidth / out.totalHeight).toBeGreaterThan(0.5);
    expect(out.totalWidth / out.totalHeight).toBeLessThan(3);
  });

  it("lays out very long chains and wide fans", () => {
    const long = plain(100_000, Array.from({ length: 99_999 }, (_, i) => [i, i + 1]).flat());
    const out = layout(long);
    expect(out.totalWidth).toBeLessThan(100);
    expect(out.y[99_999]).toBeGreaterThan(out.y[99_998]!);
    const fan = plain(3_000, Array.from({ length: 2_999 }, (_, i) => [0, i + 1]).flat());
    checkPlaces(fan, layout(fan));
  });

  it("lays out 36 open layers that share a mask", () => {
    const decoder = layers(36);
    const out = layout(decoder);
    checkPlaces(decoder, out);
    expect(upwards(decoder, out)).toEqual([]);
  });
});

/** Decoder layers, each an open block with an open attention block, all fed by one mask. */
function layers(count: number): LayoutInput {
  const group: number[] = [];
  const edges: number[] = [];
  const add = (block: number, ...from: number[]) => {
    group.push(block);
    for (const source of from) edges.push(source, group.length - 1);
    return group.length - 1;
  };
  const mask = add(-1);
  let last = add(-1);
  for (let i = 0; i < count; i++) {
    const layer = add(-1);
    const norm = add(layer, last);
    const attention = add(layer);
    const [q, k, v] = [add(attention, norm), add(attention, norm), add(attention, norm)];
    const scores = add(attention, q, k);
    const masked = add(attention, scores, mask);
    const mixed = add(attention, masked, v);
    const sum = add(layer, mixed, last);
    last = add(layer, add(layer, sum), sum);
  }
  return plain(group.length, edges, group);
}

describe("the order of rows", () => {
  /** Layers of a few nodes, each fed by some of the layers before. */
  function layeredGraph(seed: number): LayoutInput {
    const next = generator(seed);
    const count = 20 + Math.floor(next() * 60);
    const edges: number[] = [];
    let [first, end] = [0, 2];
    while (end < count) {
      const size = Math.min(count - end, 2 + Math.floor(next() * 5));
      for (let v = end; v < end + size; v++)
        for (let k = 0; k < (next() < 0.5 ? 1 : 2); k++) {
          const from = next() < 0.85 ? first : Math.max(0, first - 8);
          edges.push(from + Math.floor(next() * (end - from)), v);
        }
      [first, end] = [end, end + size];
    }
    return plain(count, edges);
  }

  type Line = number[];

  function cross(a: Line, b: Line): boolean {
    const turn = (px: number, py: number, qx: number, qy: number, rx: number, ry: number) =>
      Math.sign((qx - px) * (ry - py) - (qy - py) * (rx - px));
    for (let i = 0; i + 3 < a.length; i += 2)
      for (let j = 0; j + 3 < b.length; j += 2) {
        const [ax, ay, bx, by] = [a[i]!, a[i + 1]!, a[i + 2]!, a[i + 3]!];
        const [cx, cy, dx, dy] = [b[j]!, b[j + 1]!, b[j + 2]!, b[j + 3]!];
        if (Math.max(ay, by) < Math.min(cy, dy) || Math.max(cy, dy) < Math.min(ay, by)) continue;
        if (
          turn(ax, ay, bx, by, cx, cy) * turn(ax, ay, bx, by, dx, dy) < 0 &&
          turn(cx, cy, dx, dy, ax, ay) * turn(cx, cy, dx, dy, bx, by) < 0
        )
          return true;
      }
    return false;
  }

  /** Pairs of edges without a common end whose lines cross. */
  function crossings(ends: [number, number][], lines: Line[]): number {
    let found = 0;
    for (let a = 0; a < lines.length; a++)
      for (let b = a + 1; b < lines.length; b++) {
        if (ends[a]!.some((end) => ends[b]!.includes(end))) continue;
        if (cross(lines[a]!, lines[b]!)) found++;
      }
    return found;
  }

  /** What dot draws, its curves as lines. */
  function drawnByDot(graphviz: Graphviz, input: LayoutInput): number {
    const pairs = new Set<string>();
    for (let p = 0; p < input.edges.length; p += 2) pairs.add(`${input.edges[p]!} -> ${input.edges[p + 1]!};`);
    const nodes = [...input.width].map((width, i) => `${i} [width=${width / 72}, height=${input.height[i]! / 72}];`);
    const head = "node [shape=box, fixedsize=true, label=\"\"]; nodesep=0.33; ranksep=0.6;";
    const text = graphviz.layout(`digraph { ${head} ${nodes.join(" ")} ${[...pairs].join(" ")} }`, "plain", "dot");
    const ends: [number, number][] = [];
    const lines: Line[] = [];
    for (const row of text.split("\n")) {
      const [what, from, to, count, ...rest] = row.split(" ");
      if (what !== "edge") continue;
      const at = rest.slice(0, 2 * Number(count)).map(Number);
      const line = [at[0]!, at[1]!];
      for (let p = 0; p + 7 < at.length; p += 6)
        for (let step = 1; step <= 6; step++) {
          const [t, s] = [step / 6, 1 - step / 6];
          for (const k of [0, 1])
            line.push(
              s ** 3 * at[p + k]! +
                3 * s * s * t * at[p + 2 + k]! +
                3 * s * t * t * at[p + 4 + k]! +
                t ** 3 * at[p + 6 + k]!,
            );
        }
      ends.push([Number(from), Number(to)]);
      lines.push(line);
    }
    return crossings(ends, lines);
  }

  function drawnHere(input: LayoutInput): number {
    const out = layout(input);
    const ends: [number, number][] = [];
    const lines: Line[] = [];
    const seen = new Set<string>();
    for (let e = 0; 2 * e < input.edges.length; e++) {
      const [s, t] = [input.edges[2 * e]!, input.edges[2 * e + 1]!];
      if (seen.has(`${s} ${t}`)) continue;
      seen.add(`${s} ${t}`);
      ends.push([s, t]);
      lines.push([...out.route.subarray(2 * out.routeAt[e]!, 2 * out.routeAt[e + 1]!)]);
    }
    return crossings(ends, lines);
  }

  it("crosses edges about as rarely as Graphviz", async () => {
    const graphviz = await Graphviz.load();
    let [here, there] = [0, 0];
    for (let seed = 0; seed < 40; seed++) {
      const input = layeredGraph(seed);
      here += drawnHere(input);
      there += drawnByDot(graphviz, input);
    }
    expect(there).toBeGreaterThan(100);
    expect(here / there).toBeLessThan(1.3);
  });

  it("keeps the order of the old places where a fresh one is asked for", () => {
    const input = plain(5, [0, 1, 0, 2, 0, 3, 0, 4]);
    const old = { x: Float32Array.from([0, 900, 600, NaN, 300]), y: new Float32Array(5) };
    const out = layout({ ...input, keep: old, mode: "order" });
    expect(out.x[4]).toBeLessThan(out.x[2]!);
    expect(out.x[2]).toBeLessThan(out.x[1]!);
  });
});

describe("a layout around what stays", () => {
  const places = (out: LayoutOutput, from: number[]) => ({
    x: Float32Array.from(from, (old) => (old < 0 ? NaN : out.x[old]!)),
    y: Float32Array.from(from, (old) => (old < 0 ? NaN : out.y[old]!)),
  });

  /** The graph after a pass: `from` names the old node each one was, or -1. */
  function edited(input: LayoutInput, seed: number, kind: "fuse" | "remove" | "replace" | "insert") {
    const next = generator(seed);
    const count = input.group.length;
    const pick = Math.floor(next() * count);
    const into = Array.from({ length: count }, (_, i) => i);
    const edges: [number, number][] = [];
    for (let p = 0; p < input.edges.length; p += 2) edges.push([input.edges[p]!, input.edges[p + 1]!]);
    let changed = edges;
    const degree = (v: number, side: 0 | 1) => edges.filter((edge) => edge[side] === v).length;
    if (kind === "fuse") {
      // Down from `pick` as long as there is one user with one input.
      into[pick] = count;
      for (let v = pick; degree(v, 0) === 1;) {
        v = edges.find((edge) => edge[0] === v)![1];
        if (degree(v, 1) !== 1) break;
        into[v] = count;
      }
    } else if (kind === "remove") {
      changed = edges.filter((edge) => !edge.includes(pick));
      into[pick] = -1;
    } else if (kind === "replace") into[pick] = count;
    else if (edges.length > 0) {
      const [from, to] = edges[Math.floor(next() * edges.length)]!;
      changed = [...edges.filter((edge) => edge[0] !== from || edge[1] !== to), [from, count], [count, to]];
      into.push(count);
    }
    const from = Array.from({ length: count }, (_, i) => i).filter((v) => into[v] === v);
    const number = new Map(from.map((old, i) => [old, i]));
    if (into.includes(count)) {
      number.set(count, from.length);
      from.push(-1);
    }
    const ends = changed.map((edge) => edge.map((v) => number.get(into[v] ?? v)!)).filter(([a, b]) => a !== b);
    const size = (old: number, sizes: Float32Array, otherwise: number) => (old < 0 ? otherwise : sizes[old]!);
    const after: LayoutInput = {
      width: Float32Array.from(from, (old) => size(old, input.width, 100)),
      height: Float32Array.from(from, (old) => size(old, input.height, 36)),
      group: new Int32Array(from.length).fill(-1),
      edges: Int32Array.from(ends.flat()),
      mode: "stay",
    };
    return { after, from };
  }

  it("keeps everything where it was when nothing is new", () => {
    for (let seed = 0; seed < 60; seed++) {
      const input = random(seed, { nodes: 60, edges: 100, blocks: 0.1 });
      const out = layout(input);
      const again = layout({ ...input, keep: { x: out.x, y: out.y }, mode: "stay" });
      expect([again.x, again.y, again.moved]).toEqual([out.x, out.y, 0]);
      checkRoutes(input, again);
    }
  });

  it("keeps what stays exactly in its place through edits as passes make them", () => {
    for (let seed = 0; seed < 200; seed++) {
      const kind = (["fuse", "remove", "replace", "insert"] as const)[seed % 4]!;
      const input = random(seed, { nodes: 12 + (seed % 50), edges: 15 + (seed % 60) });
      const out = layout(input);
      const { after, from } = edited(input, seed, kind);
      const keep = places(out, from);
      const stayed = layout({ ...after, keep });
      checkPlaces(after, stayed);
      checkRoutes(after, stayed);
      expect(upwards(after, stayed), `${kind}, seed ${seed}`).toEqual([]);
      const moved = from.filter((old, i) => old >= 0 && (stayed.x[i] !== keep.x[i] || Math.abs(stayed.y[i]! - stayed.rise - keep.y[i]!) > 0.01));
      expect(moved.length).toBe(stayed.moved);
      // Only where a node came between two rows that are next to each other something has to give way,
      // straight down.
      if (kind !== "insert") expect(moved, `${kind}, seed ${seed}`).toEqual([]);
      from.forEach((old, i) => old >= 0 && expect(stayed.x[i]).toBe(keep.x[i]));
    }
  });

  it("moves everything below a gap that is too low together", () => {
    const before = layout(plain(4, [0, 1, 1, 2, 2, 3]));
    const after = plain(6, [0, 1, 1, 4, 4, 5, 5, 2, 2, 3]);
    const out = layout({ ...after, keep: places(before, [0, 1, 2, 3, -1, -1]), mode: "stay" });
    expect(upwards(after, out)).toEqual([]);
    expect([out.y[0], out.y[1], out.moved]).toEqual([before.y[0], before.y[1], 2]);
    expect(out.y[3]! - out.y[2]!).toBe(before.y[3]! - before.y[2]!);
  });

  it("lays a level out anew when a block has grown over its neighbours", () => {
    const closed = layout(plain(4, [0, 1, 1, 2, 0, 3]));
    const open = plain(8, [0, 4, 4, 5, 5, 6, 6, 7, 7, 2, 0, 3], [-1, -1, -1, -1, 1, 1, 1, 1]);
    const out = layout({ ...open, keep: places(closed, [0, 1, 2, 3, -1, -1, -1, -1]), mode: "stay" });
    checkPlaces(open, out);
    expect(upwards(open, out)).toEqual([]);
    expect([out.x[0]! >= closed.x[0]!, out.y[0]]).toEqual([true, closed.y[0]]);
  });

  it("starts anew when nearly nothing has a place", () => {
    const input = random(3, { nodes: 30, edges: 50 });
    const keep = { x: new Float32Array(30).fill(NaN), y: new Float32Array(30).fill(NaN) };
    keep.x[4] = keep.y[4] = 5000;
    const out = layout({ ...input, keep, mode: "stay" });
    expect(out.totalHeight).toBeLessThan(4000);
    expect(upwards(input, out)).toEqual([]);
  });
});
