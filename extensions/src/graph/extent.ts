/** What of a graph is to be seen: all of it or some ops alone, flat or in blocks, and which of these are open. */
import { type Direction, neighbourhood } from "./neighbourhood";
import type { Scene } from "./scene";
import type { Traits } from "./traits";
import type { Options, VisibleNode } from "./visible";

/** Up to so many ops everything can be read at once: `auto` shows them flat. */
const flatMost = 150;

export class Extent {
  /** The ops shown alone, or null for all. */
  only: ReadonlySet<number> | null = null;
  /** How many edges the next step around the selection goes: one more each time. */
  hops = 1;
  /** Keys of ops whose sub-blocks are closed. */
  private readonly closed = new Set<string>();
  private autoMode: "flat" | "layers" | undefined;
  /** Whether Python chose ops of a graph that has not arrived yet. */
  private waiting = false;

  constructor(private readonly traits: Traits) {}

  modeOf(scene: Scene | null): "flat" | "layers" {
    const wanted = this.traits.get("mode");
    if (wanted !== "auto" || !scene) return wanted === "layers" ? "layers" : "flat";
    // Chosen once: a stage with more ops must not change the view under a person's eyes.
    this.autoMode ??= scene.count > flatMost && scene.document.blocks.parent.length > 0 ? "layers" : "flat";
    return this.autoMode;
  }

  options(scene: Scene, first: boolean): Options {
    return {
      mode: this.modeOf(scene),
      open: this.openBlocks(scene, first),
      closed: this.closed,
      only: this.only,
      parameters: this.traits.get("show_parameters"),
    };
  }

  /** A model that is one block is opened at first: a single box says nothing. */
  private openBlocks(scene: Scene, first: boolean): Set<string> {
    const open = new Set(this.traits.get("open_blocks"));
    const { blocks } = scene.document;
    if (this.modeOf(scene) !== "layers" || open.size > 0 || !first) return open;
    const outer = blocks.parent.flatMap((parent, block) => (parent < 0 ? [block] : []));
    const outside = scene.block.reduce((sum, block) => sum + (block < 0 ? 1 : 0), 0);
    if (outer.length === 1 && outside < scene.count / 2) {
      open.add(scene.text(blocks.path[outer[0]!]!));
      this.traits.tell({ open_blocks: [...open] });
    }
    return open;
  }

  /** Opens or closes a block, or the sub-blocks of an op. */
  toggle(scene: Scene, node: VisibleNode): void {
    if (node.kind === "block") {
      const path = scene.text(scene.document.blocks.path[node.ref]!);
      const open = this.traits.get("open_blocks").filter((one) => one !== path);
      this.traits.tell({ open_blocks: node.open ? open : [...open, path] });
    } else if (node.open) this.closed.add(node.key);
    else this.closed.delete(node.key);
  }

  /** Opens all that hides an op. */
  openTo(scene: Scene, op: number): void {
    const { blocks } = scene.document;
    const open = new Set(this.traits.get("open_blocks"));
    // Sub-blocks stand where the outermost of their ops stands.
    let outer = op;
    for (let holder = scene.parent[op]!; holder >= 0; holder = scene.parent[holder]!) {
      this.closed.delete(`op ${scene.key[holder]!}`);
      outer = holder;
    }
    for (let block = scene.block[outer]!; block >= 0; block = blocks.parent[block]!) open.add(scene.text(blocks.path[block]!));
    this.traits.tell({ open_blocks: [...open] });
  }

  // Some ops alone

  showAlone(scene: Scene, ops: Iterable<number>): void {
    this.only = new Set(ops);
    this.traits.tell({ only: scene.indicesOf(this.only, false) });
  }

  showAll(): void {
    this.only = null;
    this.traits.tell({ only: [] });
  }

  /** The ops around others in a direction. */
  around(scene: Scene, ops: Iterable<number>, direction: Direction): Int32Array {
    const hops = direction === "both" ? this.hops : Infinity;
    if (direction === "both") this.hops += 1;
    return neighbourhood(scene, ops, hops, direction);
  }

  /** What Python wants alone, in the graph it speaks of. */
  take(scene: Scene): void {
    const wanted = scene.placesOf(this.traits.get("only"), false);
    this.only = wanted.length > 0 ? new Set(wanted) : null;
  }

  /** Python speaks of a graph that has still to arrive. */
  takeLater(): void {
    this.waiting = true;
  }

  /** What is shown alone stays so by key where the new graph has it. */
  carryOver(scene: Scene, old: Scene | null): void {
    if (!old || this.waiting) this.take(scene);
    else if (this.only) {
      const kept = scene.placesFrom(old, this.only);
      this.only = kept.length > 0 ? new Set(kept) : null;
    }
    this.waiting = false;
  }
}
