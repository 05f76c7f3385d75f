/** Parts of a graph around ops: so many hops, all that is upstream or downstream, what lies between two. */
import type { Scene } from "./scene";

export type Direction = "both" | "up" | "down";

/** One end of an edge: the value on it and the op at the other end, -1 where there is none. */
export interface Neighbour {
  value: number;
  op: number;
}

/** `to[at[op]] … to[at[op + 1] - 1]` are the ops one hop from op. */
interface Edges {
  at: Int32Array;
  to: Int32Array;
}

const edges = new WeakMap<Scene, { up: Edges; down: Edges }>();

/**
 * The ops at most `hops` from any of `ops`, these included, in order.
 *
 * "both" goes either way at every hop, so that two hops up reach the other readers of an input. An op with
 * sub-blocks is one hop from each op in them, in every direction: what it reads, they work on.
 */
export function neighbourhood(
  scene: Scene,
  ops: Iterable<number>,
  hops: number,
  direction: Direction,
): Int32Array {
  return places(reached(scene, ops, hops, direction));
}

/** All that `ops` depend on, these included. */
export function allUp(scene: Scene, ops: Iterable<number>): Int32Array {
  return neighbourhood(scene, ops, Infinity, "up");
}

/** All that depends on `ops`, these included. */
export function allDown(scene: Scene, ops: Iterable<number>): Int32Array {
  return neighbourhood(scene, ops, Infinity, "down");
}

/** The ops on any path from a to b or from b to a, both included; none where no path leads. */
export function between(scene: Scene, a: number, b: number): Int32Array {
  const within = new Uint8Array(scene.count);
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    const down = reached(scene, [from], Infinity, "down");
    const up = reached(scene, [to], Infinity, "up");
    for (let op = 0; op < scene.count; op++) within[op]! |= down[op]! & up[op]!;
  }
  return places(within);
}

/** For jumping along edges: the writer of every input, and every reader of every output. */
export function neighbours(scene: Scene, op: number): { inputs: Neighbour[]; outputs: Neighbour[] } {
  const sources = scene.sourcesOf(op);
  const inputs = Array.from(scene.inputsOf(op), (value, at) => ({ value, op: sources[at]! }));
  const outputs: Neighbour[] = [];
  for (const value of scene.outputsOf(op)) {
    const before = outputs.length;
    let last = -1;
    for (const reader of scene.usersOf(value)) {
      // A reader that takes a value twice stands twice in a row.
      if (reader !== last && readsFrom(scene, reader, value, op)) outputs.push({ value, op: reader });
      last = reader;
    }
    if (outputs.length === before) outputs.push({ value, op: -1 });
  }
  return { inputs, outputs };
}

/** Whether it reads what `writer` wrote: in Program IR another op may have written the variable again. */
function readsFrom(scene: Scene, reader: number, value: number, writer: number): boolean {
  for (let at = scene.inputsAt[reader]!; at < scene.inputsAt[reader + 1]!; at++) {
    if (scene.inputs[at] === value && scene.sources[at] === writer) return true;
  }
  return false;
}

/** 1 for every op reached. */
function reached(scene: Scene, ops: Iterable<number>, hops: number, direction: Direction): Uint8Array {
  const { up, down } = edgesOf(scene);
  const ways = direction === "both" ? [up, down] : [direction === "up" ? up : down];
  const found = new Uint8Array(scene.count);
  const queue = new Int32Array(scene.count);
  let end = 0;
  for (const op of ops) {
    if (found[op] !== 0) continue;
    found[op] = 1;
    queue[end++] = op;
  }
  let start = 0;
  for (let hop = 0; hop < hops && start < end; hop++) {
    for (const border = end; start < border; start++) {
      const op = queue[start]!;
      for (const { at, to } of ways) {
        for (let edge = at[op]!; edge < at[op + 1]!; edge++) {
          const next = to[edge]!;
          if (found[next]) continue;
          found[next] = 1;
          queue[end++] = next;
        }
      }
    }
  }
  return found;
}

function places(found: Uint8Array): Int32Array {
  let count = 0;
  for (const one of found) count += one;
  const ops = new Int32Array(count);
  let filled = 0;
  for (let op = 0; op < found.length; op++) if (found[op]) ops[filled++] = op;
  return ops;
}

function edgesOf(scene: Scene): { up: Edges; down: Edges } {
  let known = edges.get(scene);
  if (!known) {
    known = { up: edgesBy(scene, "up"), down: edgesBy(scene, "down") };
    edges.set(scene, known);
  }
  return known;
}

function edgesBy(scene: Scene, direction: "up" | "down"): Edges {
  const at = new Int32Array(scene.count + 1);
  eachEdge(scene, direction, (from) => (at[from + 1]! += 1));
  for (let op = 0; op < scene.count; op++) at[op + 1]! += at[op]!;
  const to = new Int32Array(at[scene.count]!);
  const filled = at.slice(0, -1);
  eachEdge(scene, direction, (from, next) => (to[filled[from]!++] = next));
  return { at, to };
}

function eachEdge(scene: Scene, direction: "up" | "down", visit: (from: number, to: number) => void): void {
  for (let op = 0; op < scene.count; op++) {
    for (const source of scene.sourcesOf(op)) {
      if (source < 0) continue;
      if (direction === "up") visit(op, source);
      else visit(source, op);
    }
    const parent = scene.parent[op]!;
    if (parent < 0) continue;
    visit(op, parent);
    visit(parent, op);
  }
}
