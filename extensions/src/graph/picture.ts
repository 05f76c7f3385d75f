/** A laid out graph, ready to be drawn: places, routes, stubs, and what stands where. */
import type { LayoutInput, LayoutOutput } from "./layout/index";
import type { Scene } from "./scene";
import { showable } from "./describe";
import { type Lettering, fontOf } from "./surface";
import { Mark } from "./document";
import type { Hub, Visible, VisibleNode } from "./visible";
import type { Box } from "../viewport";

export const titleLetters = { size: 12, bold: true } as const;
export const detailLetters = { size: 10.5 } as const;
const lineHeight = 13;
const padding = 10;
const widest = 340;

let measuring: CanvasRenderingContext2D | null | undefined;
const widths = new Map<string, number>();

/** Width of a text in px. Few distinct texts occur, so each is measured once. */
export function textWidth(text: string, { size, bold }: Pick<Lettering, "size" | "bold">): number {
  const font = fontOf(size, bold);
  const key = `${font}\n${text}`;
  let found = widths.get(key);
  if (found === undefined) {
    measuring ??= document.createElement("canvas").getContext("2d");
    if (measuring) measuring.font = font;
    found = measuring?.measureText(text).width ?? text.length * size * 0.6;
    if (widths.size > 50_000) widths.clear();
    widths.set(key, found);
  }
  return found;
}

/** What the layout is asked: sizes from the texts, old places by key. */
export function layoutInput(
  visible: Visible,
  old: Picture | null,
  mode: LayoutInput["mode"],
  madeOf: ReadonlyMap<number, readonly number[]> = new Map(),
): LayoutInput {
  const count = visible.nodes.length;
  const width = new Float32Array(count);
  const height = new Float32Array(count);
  const keep = {
    x: new Float32Array(count).fill(NaN),
    y: new Float32Array(count).fill(NaN),
    wish: new Uint8Array(count),
  };
  for (const [at, node] of visible.nodes.entries()) {
    const size = sizeOf(node);
    const before = mode === "fresh" ? -1 : (old?.find(node.key) ?? -1);
    width[at] = size.width;
    height[at] = size.height;
    if (before < 0) continue;
    keep.x[at] = old!.x[before]!;
    keep.y[at] = old!.y[before]!;
    // A block that is still open keeps its size, so that what is around it need not move.
    if (node.open && old!.visible.nodes[before]!.open) {
      width[at] = Math.max(width[at], old!.width[before]!);
      height[at] = Math.max(height[at], old!.height[before]!);
    }
  }
  if (old && mode === "stay") takePlaces(visible, old, madeOf, width, keep);
  return { width, height, group: visible.group, edges: visible.edges, mode, ...(old ? { keep } : {}) };
}

/** What replaces an op takes its place, so that the next picture has no hole there; the removed one steps aside. */
function takePlaces(
  visible: Visible,
  old: Picture,
  madeOf: ReadonlyMap<number, readonly number[]>,
  width: Float32Array,
  keep: { x: Float32Array; y: Float32Array; wish: Uint8Array },
): void {
  const places = new Map<string, number>();
  for (const [at, node] of visible.nodes.entries()) places.set(node.key, at);
  // Of several ops made of one, the first is the one that gives its result: the others go around it.
  const taken = new Set<number>();
  for (const [into, sources] of madeOf) {
    const at = places.get(`op ${into}`);
    if (at === undefined || !Number.isNaN(keep.x[at]!)) continue;
    // The lowest of several: what they lead to is below all of them.
    let lowest = -1;
    for (const key of sources) {
      const before = old.find(`op ${key}`);
      if (before >= 0 && (lowest < 0 || old.y[before]! > old.y[lowest]!)) lowest = before;
    }
    if (lowest < 0 || taken.has(lowest) || old.visible.nodes[lowest]!.open) continue;
    taken.add(lowest);
    keep.x[at] = old.x[lowest]! + (old.width[lowest]! - width[at]!) / 2;
    keep.y[at] = old.y[lowest]!;
    keep.wish[at] = 1;
    const ghost = places.get(old.visible.nodes[lowest]!.key);
    if (ghost !== undefined && visible.nodes[ghost]!.mark === Mark.removed) keep.x[ghost] = keep.y[ghost] = NaN;
  }
}

function sizeOf(node: VisibleNode): { width: number; height: number } {
  const across = Math.max(textWidth(node.title, titleLetters), textWidth(node.detail, detailLetters));
  const rows = node.detail ? 2 : 1;
  const room = node.open ? 44 : node.kind === "block" ? 30 : 2 * padding;
  return { width: Math.ceil(Math.min(widest, Math.max(56, across + room))), height: rows * lineHeight + 10 };
}

export interface Stub {
  value: number;
  from: number;
  to: number[];
  label: string;
}

export class Picture {
  readonly count: number;
  readonly x: Float32Array;
  readonly y: Float32Array;
  readonly width: Float32Array;
  readonly height: Float32Array;
  readonly routeAt: Int32Array;
  readonly route: Float32Array;
  readonly long: Uint8Array;
  readonly totalWidth: number;
  readonly totalHeight: number;
  readonly moved: number;
  readonly stubs: Stub[];
  /** Per node the stubs that start there, and those that end there. */
  readonly stubsFrom = new Map<number, number[]>();
  readonly stubsTo = new Map<number, number[]>();
  /** Nodes with a mark, from top to bottom. */
  readonly changes: number[];
  private readonly byKey = new Map<string, number>();
  private readonly nodeRows: RowIndex;
  private readonly edgeRows: RowIndex;
  private readonly edgesAt: Int32Array;
  private readonly edgesOf: Int32Array;

  constructor(
    readonly scene: Scene,
    readonly visible: Visible,
    output: LayoutOutput,
  ) {
    this.count = visible.nodes.length;
    ({
      x: this.x,
      y: this.y,
      width: this.width,
      height: this.height,
      routeAt: this.routeAt,
      route: this.route,
      long: this.long,
      totalWidth: this.totalWidth,
      totalHeight: this.totalHeight,
      moved: this.moved,
    } = output);
    for (const [at, node] of visible.nodes.entries()) this.byKey.set(node.key, at);
    this.stubs = this.allStubs();
    for (const [at, stub] of this.stubs.entries()) {
      push(this.stubsFrom, stub.from, at);
      for (const node of stub.to) push(this.stubsTo, node, at);
    }
    this.changes = [];
    for (const [at, node] of visible.nodes.entries())
      if (node.mark && !(node.open && node.kind === "block")) this.changes.push(at);
    this.changes.sort((a, b) => this.y[a]! - this.y[b]! || this.x[a]! - this.x[b]!);

    this.nodeRows = new RowIndex(this.count, (node) => [this.y[node]!, this.y[node]! + this.height[node]!]);
    const edges = visible.edges.length / 2;
    this.edgeRows = new RowIndex(edges, (edge) => this.extentOf(edge));
    ({ at: this.edgesAt, items: this.edgesOf } = grouped(this.count, visible.edges));
  }

  find(key: string): number {
    return this.byKey.get(key) ?? -1;
  }

  /** The node to begin with: the highest. */
  top(): number {
    let found = 0;
    for (let node = 1; node < this.count; node++) if (this.y[node]! < this.y[found]!) found = node;
    return found;
  }

  box(node: number): Box {
    return { x: this.x[node]!, y: this.y[node]!, width: this.width[node]!, height: this.height[node]! };
  }

  /** Nodes in a part of the drawing, those further in after those that hold them. */
  nodesIn(box: Box): number[] {
    return this.nodeRows
      .within(box.y, box.y + box.height)
      .filter((node) => this.x[node]! <= box.x + box.width && this.x[node]! + this.width[node]! >= box.x)
      .filter((node) => this.y[node]! <= box.y + box.height && this.y[node]! + this.height[node]! >= box.y);
  }

  edgesIn(box: Box): number[] {
    return this.edgeRows.within(box.y, box.y + box.height);
  }

  /** The edges that begin or end at a node. */
  edgesAtNode(node: number): Int32Array {
    return this.edgesOf.subarray(this.edgesAt[node], this.edgesAt[node + 1]);
  }

  /** The innermost node at a place, or -1. */
  nodeAt(x: number, y: number): number {
    const found = this.nodesIn({ x, y, width: 0, height: 0 });
    return found.length > 0 ? found[found.length - 1]! : -1;
  }

  private extentOf(edge: number): [number, number] {
    if (this.long[edge]) return [1, 0];
    let top = Infinity;
    let bottom = -Infinity;
    for (let at = this.routeAt[edge]!; at < this.routeAt[edge + 1]!; at++) {
      top = Math.min(top, this.route[2 * at + 1]!);
      bottom = Math.max(bottom, this.route[2 * at + 1]!);
    }
    return [top, bottom];
  }

  /** Hubs, and edges too long to be drawn. */
  private allStubs(): Stub[] {
    const { edges, edgeValue, hubs } = this.visible;
    const found: Hub[] = [...hubs];
    const byEnd = new Map<string, Hub>();
    for (let edge = 0; edge < edgeValue.length; edge++) {
      if (!this.long[edge]) continue;
      const from = edges[2 * edge]!;
      const key = `${from} ${edgeValue[edge]!}`;
      const known = byEnd.get(key);
      if (known) known.to.push(edges[2 * edge + 1]!);
      else {
        const made: Hub = { value: edgeValue[edge]!, from, to: [edges[2 * edge + 1]!] };
        byEnd.set(key, made);
        found.push(made);
      }
    }
    return found.map((hub) => ({ ...hub, label: this.stubLabel(hub) }));
  }

  private stubLabel({ value, from }: Hub): string {
    const { document: doc } = this.scene;
    // A number such as %12 says nothing to a person: then the op that made it names the value.
    const name = this.scene.text(doc.values.name[value]!);
    const id = this.scene.text(doc.values.id[value]!);
    return showable(name || (/^%/.test(id) ? this.visible.nodes[from]!.title : id), 24);
  }
}

function push(map: Map<number, number[]>, key: number, item: number): void {
  const known = map.get(key);
  if (known) known.push(item);
  else map.set(key, [item]);
}

/** Edges by the nodes at their ends. */
function grouped(count: number, edges: Int32Array): { at: Int32Array; items: Int32Array } {
  const at = new Int32Array(count + 1);
  for (const node of edges) at[node + 1]! += 1;
  for (let node = 0; node < count; node++) at[node + 1]! += at[node]!;
  const items = new Int32Array(edges.length);
  const filled = at.slice(0, -1);
  for (let end = 0; end < edges.length; end++) items[filled[edges[end]!]!++] = end >> 1;
  return { at, items };
}

const rowHeight = 512;

/** Things with a vertical extent, found by a range of it. */
class RowIndex {
  private readonly at: Int32Array;
  private readonly items: Int32Array;
  private readonly stamps: Int32Array;
  private stamp = 0;
  private readonly rows: number;
  private readonly base: number;

  constructor(count: number, extent: (item: number) => [number, number]) {
    const first = new Int32Array(count);
    const last = new Int32Array(count);
    let low = 0;
    let high = 0;
    for (let item = 0; item < count; item++) {
      const [top, bottom] = extent(item);
      first[item] = Math.floor(top / rowHeight);
      last[item] = bottom < top ? first[item]! - 1 : Math.floor(bottom / rowHeight);
      low = Math.min(low, first[item]!);
      high = Math.max(high, last[item]!);
    }
    this.base = low;
    this.rows = high - low + 1;
    this.at = new Int32Array(this.rows + 1);
    for (let item = 0; item < count; item++)
      for (let row = first[item]!; row <= last[item]!; row++) this.at[row - low + 1]! += 1;
    for (let row = 0; row < this.rows; row++) this.at[row + 1]! += this.at[row]!;
    this.items = new Int32Array(this.at[this.rows]!);
    const filled = this.at.slice(0, -1);
    for (let item = 0; item < count; item++)
      for (let row = first[item]!; row <= last[item]!; row++) this.items[filled[row - low]!++] = item;
    this.stamps = new Int32Array(count);
  }

  within(top: number, bottom: number): number[] {
    this.stamp += 1;
    const found: number[] = [];
    const from = Math.max(0, Math.floor(top / rowHeight) - this.base);
    const to = Math.min(this.rows - 1, Math.floor(bottom / rowHeight) - this.base);
    for (let row = from; row <= to; row++)
      for (let at = this.at[row]!; at < this.at[row + 1]!; at++) {
        const item = this.items[at]!;
        if (this.stamps[item] === this.stamp) continue;
        this.stamps[item] = this.stamp;
        found.push(item);
      }
    // A block comes before what it holds: the order in which they are drawn.
    return from === to ? found : found.sort((a, b) => a - b);
  }
}
