/** What is selected: ops, or one block. Python hears of it and may choose, too, even for a graph still to come. */
import type { Arrivals } from "./arrivals";
import type { Picture } from "./picture";
import type { Scene } from "./scene";
import type { Traits } from "./traits";

export class Selection {
  /** Places of ops in the scene. */
  ops: readonly number[] = [];
  /** Key of the node of a block; empty where none is selected. */
  block = "";
  /** Key of the op to be selected in the stage a person travels to, or -1. */
  wanted = -1;
  /** Whether Python chose ops of a graph that has not arrived yet. */
  private waiting = false;

  constructor(
    private readonly traits: Traits,
    private readonly arrivals: Arrivals,
    private readonly changed: () => void,
  ) {}

  get first(): number | undefined {
    return this.ops[0];
  }

  get none(): boolean {
    return this.ops.length === 0 && this.block === "";
  }

  /** The node of the block or of the first op that is selected, or -1. */
  nodeIn(picture: Picture): number {
    const { first } = this;
    if (first !== undefined) return picture.visible.nodeOf[first]!;
    return this.block ? picture.find(this.block) : -1;
  }

  /** What a person selects: it comes after what Python asked for before. */
  choose(ops: readonly number[], block = ""): void {
    this.ops = ops;
    this.block = block;
    this.waiting = false;
    this.wanted = -1;
    this.tell();
    this.changed();
  }

  /** What Python selects; false where the graph it speaks of has still to arrive. */
  take(): boolean {
    const { scene, upToDate } = this.arrivals;
    this.waiting ||= !upToDate;
    if (!upToDate || !scene) return false;
    this.ops = this.chosenIn(scene);
    this.block = "";
    this.changed();
    return true;
  }

  /** What is selected stays so by key where the new graph has it. Gives the ops to be brought into sight. */
  carryOver(scene: Scene, old: Scene | null): number[] {
    const inSight: number[] = [];
    // Python may have chosen a stage and ops of it at once: then its choice is for this graph.
    if (this.waiting || !old) {
      this.ops = this.chosenIn(scene);
      inSight.push(...this.ops.slice(0, 1));
    } else this.ops = scene.placesFrom(old, this.ops);
    this.waiting = false;
    const wanted = this.wanted < 0 ? -1 : scene.place(this.wanted);
    this.wanted = -1;
    if (wanted >= 0) {
      this.ops = [wanted];
      inSight.push(wanted);
    }
    this.tell();
    return inSight;
  }

  private chosenIn(scene: Scene): number[] {
    const { traits } = this;
    return [...scene.placesOf(traits.get("selection"), false), ...scene.placesOf(traits.get("selection_before"), true)];
  }

  private tell(): void {
    const { traits, ops } = this;
    const { scene } = this.arrivals;
    if (!scene) return;
    const selection = scene.indicesOf(ops, false);
    const before = scene.indicesOf(ops, true);
    const same = (one: number[], other: number[]) => one.length === other.length && one.every((op, at) => op === other[at]);
    if (same(selection, traits.get("selection")) && same(before, traits.get("selection_before"))) return;
    traits.tell({ selection, selection_before: before });
  }
}
