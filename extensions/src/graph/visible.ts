/** From a scene to what is drawn of it: which ops and blocks, joined by which edges, which values as stubs. */
import { showable } from "./describe";
import { Mark } from "./document";
import type { Scene } from "./scene";

export interface Options {
  /** Every op by itself, or blocks that open in place. */
  mode: "flat" | "layers";
  /** Paths of the open blocks. */
  open: ReadonlySet<string>;
  /** Keys of nodes with sub-blocks (`while`, `if`) that are closed. */
  closed: ReadonlySet<string>;
  /** The ops to be shown alone, or null for all. */
  only: ReadonlySet<number> | null;
  /** Weights and constants as nodes of their own. */
  parameters: boolean;
}

export type NodeKind = "op" | "block" | "region" | "parameter";

/** One thing that is drawn. An open block, and an op whose sub-blocks are shown, has others inside. */
export interface VisibleNode {
  kind: NodeKind;
  /** Names it in every stage: what stays keeps its place by this. */
  key: string;
  /** An op, a block or a value of the scene, by kind; for a region its op. */
  ref: number;
  open: boolean;
  title: string;
  detail: string;
  mark: Mark;
  /** How many ops stand for this node: 1 for an op, all that it holds for a block. */
  ops: number;
}

/** A value that so many read that lines would hide the graph: named at both ends. */
export interface Hub {
  value: number;
  from: number;
  to: number[];
}

export interface Visible {
  nodes: VisibleNode[];
  group: Int32Array;
  /** Pairs of nodes. */
  edges: Int32Array;
  /** A value that goes along each edge; others may too. */
  edgeValue: Int32Array;
  /** Edges from here on were there before the change only. */
  formerFrom: number;
  hubs: Hub[];
  /** Per op the node that shows it, or -1. */
  nodeOf: Int32Array;
}

/** From so many readers on a value is drawn as stubs. */
export const hubUses = 10;

export function visible(scene: Scene, options: Options): Visible {
  return new Builder(scene, options).build();
}

class Builder {
  private readonly nodes: VisibleNode[] = [];
  private readonly groups: number[] = [];
  private readonly nodeOf: Int32Array;
  private readonly shown: Uint8Array;
  private readonly hasChildren: Uint8Array;
  /** Per block of the scene: its node, or -1 where it is not drawn. */
  private readonly blockNode: Int32Array;
  private readonly regionNode = new Map<string, number>();

  constructor(
    private readonly scene: Scene,
    private readonly options: Options,
  ) {
    this.nodeOf = new Int32Array(scene.count).fill(-1);
    this.shown = new Uint8Array(scene.count).fill(options.only ? 0 : 1);
    for (const op of options.only ?? []) if (op >= 0 && op < scene.count) this.shown[op] = 1;
    this.hasChildren = new Uint8Array(scene.count);
    for (let op = 0; op < scene.count; op++)
      if (this.shown[op] && scene.parent[op]! >= 0) this.hasChildren[scene.parent[op]!] = 1;
    this.blockNode = new Int32Array(scene.document.blocks.parent.length).fill(-1);
  }

  build(): Visible {
    for (let op = 0; op < this.scene.count; op++) if (this.shown[op] && this.nodeOf[op] === -1) this.addOp(op);
    this.sayWhatBlocksHold();
    const group = Int32Array.from(this.groups);
    const { edges, values, hubs } = this.joins(group);
    if (this.options.parameters) this.addParameters(edges, values);
    const formerFrom = values.length;
    this.addFormer(edges, values);
    return {
      nodes: this.nodes,
      group: Int32Array.from(this.groups),
      edges: Int32Array.from(edges),
      edgeValue: Int32Array.from(values),
      formerFrom,
      hubs,
      nodeOf: this.nodeOf,
    };
  }

  private add(node: VisibleNode, group: number): number {
    this.nodes.push(node);
    this.groups.push(group);
    return this.nodes.length - 1;
  }

  private addOp(op: number): void {
    const { scene } = this;
    const holder = this.holderOf(op);
    if (holder.hidden >= 0) {
      this.nodeOf[op] = holder.hidden;
      return;
    }
    const key = `op ${scene.key[op]!}`;
    const open = this.hasChildren[op] === 1 && !this.options.closed.has(key);
    const outputs = scene.outputsOf(op);
    const shapes = outputs.length > 0 ? scene.valueType(outputs[0]!) : "";
    const more = outputs.length > 1 ? ` +${outputs.length - 1}` : "";
    this.nodeOf[op] = this.add(
      {
        kind: "op",
        key,
        ref: op,
        open,
        title: showable(scene.shortType(op), 40) || "(no type)",
        detail: showable(shapes + more, 40),
        mark: scene.markOf(op),
        ops: 1,
      },
      holder.group,
    );
  }

  /** Where an op stands: in an open group, or within a node that hides it. */
  private holderOf(op: number): { group: number; hidden: number } {
    const parent = this.scene.parent[op]!;
    if (parent >= 0 && parent < op) {
      if (this.shown[parent] && this.nodeOf[parent] === -1) this.addOp(parent);
      const node = this.nodeOf[parent]!;
      if (node >= 0) {
        const held = this.nodes[node]!;
        if (held.kind !== "op" || !held.open) return { group: -1, hidden: node };
        return { group: this.regionOf(parent, op, node), hidden: -1 };
      }
    }
    return this.options.mode === "layers" ? this.layerOf(this.scene.block[op]!) : { group: -1, hidden: -1 };
  }

  /** An op with several sub-blocks gets a frame for each. */
  private regionOf(parent: number, op: number, node: number): number {
    const { scene } = this;
    const region = scene.region[op]!;
    if (!this.severalRegions(parent)) return node;
    const key = `region ${scene.key[parent]!} ${region}`;
    const known = this.regionNode.get(key);
    if (known !== undefined) return known;
    const names = /(^|\.)(if|conditional_block)$/.test(scene.type(parent)) ? ["true", "false"] : [];
    const made = this.add(
      {
        kind: "region",
        key,
        ref: parent,
        open: true,
        title: names[region] ?? `block ${region}`,
        detail: "",
        mark: Mark.none,
        ops: 0,
      },
      node,
    );
    this.regionNode.set(key, made);
    return made;
  }

  private severals?: Uint8Array;

  private severalRegions(parent: number): boolean {
    if (!this.severals) {
      this.severals = new Uint8Array(this.scene.count);
      for (let op = 0; op < this.scene.count; op++)
        if (this.scene.region[op]! > 0 && this.scene.parent[op]! >= 0) this.severals[this.scene.parent[op]!] = 1;
    }
    return this.severals[parent] === 1;
  }

  private layerOf(block: number): { group: number; hidden: number } {
    const { blocks } = this.scene.document;
    // From the outermost block inwards, as far as they are open.
    const path: number[] = [];
    for (let at = block; at >= 0; at = blocks.parent[at]!) path.push(at);
    let group = -1;
    for (const at of path.reverse()) {
      if (this.blockNode[at] === -1) this.blockNode[at] = this.addBlock(at, group);
      const node = this.blockNode[at]!;
      if (!this.nodes[node]!.open) return { group: -1, hidden: node };
      group = node;
    }
    return { group, hidden: -1 };
  }

  private addBlock(block: number, group: number): number {
    const { blocks } = this.scene.document;
    const path = this.scene.text(blocks.path[block]!);
    return this.add(
      {
        kind: "block",
        key: `block ${path}`,
        ref: block,
        open: this.options.open.has(path),
        title: showable(this.scene.text(blocks.name[block]!), 60) || "(no name)",
        detail: "",
        mark: Mark.none,
        ops: 0,
      },
      group,
    );
  }

  /** Counts the ops of each closed block, and marks it where something in it changed. */
  private sayWhatBlocksHold(): void {
    const { scene } = this;
    const changed = new Map<number, { counts: [number, number, number, number]; marks: Set<Mark> }>();
    for (let op = 0; op < scene.count; op++) {
      if (!this.shown[op]) continue;
      const mark = scene.markOf(op);
      let node = this.nodeOf[op]!;
      if (this.nodes[node]!.kind === "op" && this.nodes[node]!.ref === op) node = this.groups[node]!;
      for (; node >= 0; node = this.groups[node]!) {
        const held = this.nodes[node]!;
        if (mark !== Mark.removed) held.ops += 1;
        if (mark !== Mark.none) {
          const known = changed.get(node) ?? { counts: [0, 0, 0, 0], marks: new Set<Mark>() };
          known.counts[mark] += 1;
          known.marks.add(mark);
          changed.set(node, known);
        }
      }
    }
    for (const [at, node] of this.nodes.entries()) {
      if (node.kind !== "block") continue;
      const change = changed.get(at);
      node.detail = `${node.ops.toLocaleString("en")} op${node.ops === 1 ? "" : "s"}`;
      if (change) {
        node.detail += `, ${changesText(change.counts)}`;
        const [only] = change.marks;
        const whole = change.marks.size === 1 && (only !== Mark.removed || node.ops === 0);
        if (!node.open) node.mark = whole && only !== undefined ? only : Mark.altered;
      }
    }
  }

  private joins(group: Int32Array): { edges: number[]; values: number[]; hubs: Hub[] } {
    const { scene, nodeOf } = this;
    const edges: number[] = [];
    const values: number[] = [];
    const hubs: Hub[] = [];
    const seen = new Set<number>();
    const within = (inner: number, outer: number) => {
      for (let at = inner; at >= 0; at = group[at]!) if (at === outer) return true;
      return false;
    };
    // Value by value and writer by writer, so that one with many readers is seen as such.
    const readers = new Map<number, number[]>();
    for (let op = 0; op < scene.count; op++) {
      const to = nodeOf[op]!;
      if (to < 0) continue;
      for (let at = scene.inputsAt[op]!; at < scene.inputsAt[op + 1]!; at++) {
        const source = scene.sources[at]!;
        if (source < 0) continue;
        const from = nodeOf[source]!;
        if (from < 0 || from === to || within(to, from) || within(from, to)) continue;
        const value = scene.inputs[at]!;
        const key = from * scene.valueCount + value;
        const known = readers.get(key);
        if (!known) readers.set(key, [to]);
        else if (known[known.length - 1] !== to) known.push(to);
      }
    }
    for (const [key, all] of readers) {
      const value = key % scene.valueCount;
      const from = (key - value) / scene.valueCount;
      const users = all.length > 1 ? [...new Set(all)] : all;
      if (users.length >= hubUses) {
        hubs.push({ value, from, to: users });
        continue;
      }
      for (const to of users) {
        const pair = from * this.nodes.length + to;
        if (seen.has(pair)) continue;
        seen.add(pair);
        edges.push(from, to);
        values.push(value);
      }
    }
    return { edges, values, hubs };
  }

  /** The edges from removed ops to those that stay. */
  private addFormer(edges: number[], values: number[]): void {
    const former = this.scene.document.former ?? [];
    const seen = new Set<number>();
    for (let at = 0; at + 2 < former.length; at += 3) {
      const from = this.nodeOf[former[at]!] ?? -1;
      const to = this.nodeOf[former[at + 1]!] ?? -1;
      const pair = from * this.nodes.length + to;
      if (from < 0 || to < 0 || from === to || seen.has(pair)) continue;
      seen.add(pair);
      edges.push(from, to);
      values.push(former[at + 2]!);
    }
  }

  private addParameters(edges: number[], values: number[]): void {
    const { scene, nodeOf } = this;
    for (let value = 0; value < scene.valueCount; value++) {
      if (!scene.isParameter(value)) continue;
      const users = [...new Set(Array.from(scene.usersOf(value), (op) => nodeOf[op]!))].filter((node) => node >= 0);
      const op = users.find((node) => this.nodes[node]!.kind === "op");
      if (op === undefined) continue;
      const node = this.add(
        {
          kind: "parameter",
          key: `parameter ${scene.valueName(value)}`,
          ref: value,
          open: false,
          title: showable(scene.valueName(value), 28),
          detail: showable(scene.valueType(value), 40),
          mark: Mark.none,
          ops: 0,
        },
        this.groups[op]!,
      );
      for (const user of users) {
        if (this.nodes[user]!.kind !== "op") continue;
        edges.push(node, user);
        values.push(value);
      }
    }
  }
}

/** Such as `+9 −1`. */
function changesText([, added, removed, altered]: readonly [number, number, number, number]): string {
  const parts = [added && `+${added}`, removed && `−${removed}`, altered && `~${altered}`];
  return parts.filter(Boolean).join(" ");
}
