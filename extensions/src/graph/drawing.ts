/**
 * The way from a graph to the picture on the board, gone anew whenever something else is to be seen. What is asked for
 * last counts: it makes a layout under way void.
 */
import type { Cleanup } from "../dom";
import type { Arrivals } from "./arrivals";
import type { Board } from "./board";
import { LayoutEngine } from "./engine";
import type { Extent } from "./extent";
import type { LayoutInput } from "./layout/index";
import { layoutInput, Picture } from "./picture";
import type { Selection } from "./selection";
import type { Sight } from "./sight";
import type { Traits } from "./traits";
import { visible, type VisibleNode } from "./visible";

/** A layout that takes longer shows that it is under way. */
const slowMs = 300;

export interface DrawingEvents {
  slow(is: boolean): void;
  /** A picture is on the board, in place of an old one, and about to be placed. */
  pictured(picture: Picture, old: Picture | null): void;
  placed(): void;
  problem(words: string): void;
}

export interface DrawingParts {
  traits: Traits;
  arrivals: Arrivals;
  selection: Selection;
  extent: Extent;
  board: Board;
  sight: Sight;
}

export class Drawing {
  picture: Picture | null = null;
  private readonly engine = new LayoutEngine();
  private round = 0;
  private readonly waiting = new Set<() => void>();

  constructor(
    private readonly parts: DrawingParts,
    private readonly events: DrawingEvents,
    cleanup: Cleanup,
  ) {
    cleanup.add(() => {
      this.round += 1;
      this.engine.dispose();
    });
  }

  /** The picture, unless it is still that of the graph before: the ops it numbers are others. */
  get current(): Picture | null {
    return this.picture?.scene === this.parts.arrivals.scene ? this.picture : null;
  }

  /** Calls `task` when the next picture is on the screen. */
  later(task: () => void): void {
    this.waiting.add(task);
  }

  clear(): void {
    this.round += 1;
    this.picture = null;
    this.parts.sight.afresh = true;
    this.parts.board.show(null);
  }

  /** Builds and lays out what is to be seen. A node named by `anchor` stays where it is on the screen. */
  async refresh(how: LayoutInput["mode"], anchor = ""): Promise<void> {
    const { arrivals, board, extent, sight } = this.parts;
    const { lineage, scene } = arrivals;
    if (!scene) return;
    this.round += 1;
    const { round } = this;
    const old = this.picture;
    const shown = visible(scene, extent.options(scene, !old));
    const slow = setTimeout(() => this.events.slow(true), slowMs);
    const madeOf = how === "stay" ? lineage?.madeAt(scene.document.stage ?? 0) : undefined;
    const answer = await this.engine.layout(layoutInput(shown, old, how, madeOf));
    clearTimeout(slow);
    if (round !== this.round || answer.kind === "superseded") return;
    this.events.slow(false);
    if (answer.kind === "error") {
      this.events.problem(`The graph cannot be laid out: ${answer.message}.`);
      return;
    }
    const { moved, rise } = answer.output;
    const picture = new Picture(scene, shown, answer.output);
    this.picture = picture;
    board.show(picture);
    this.events.pictured(picture, old);
    if (sight.afresh) this.begin();
    else {
      const held = anchor || (old && how === "stay" && moved > 0 ? sight.middleOf(old, picture) : "");
      sight.follow(picture, old, held, rise);
    }
    this.events.placed();
    board.painted(() => {
      performance.mark("pwb-painted");
      for (const task of [...this.waiting]) {
        this.waiting.delete(task);
        task();
      }
    });
  }

  /** Looks at the picture from where one begins. */
  begin(): void {
    const { picture } = this;
    const { selection, sight } = this.parts;
    const { first } = selection;
    sight.begin(picture, first === undefined ? undefined : picture?.visible.nodeOf[first]);
  }

  // Something else is to be seen

  changeMode(mode: "flat" | "layers"): void {
    const { arrivals, selection, sight, traits } = this.parts;
    traits.tell({ mode });
    const { first } = selection;
    if (first === undefined) sight.afresh = true;
    else this.later(() => this.centre(first));
    void this.refresh("order", first === undefined ? "" : `op ${arrivals.scene!.key[first]!}`);
  }

  /** Opens or closes a block, or the sub-blocks of an op, in its place. */
  toggle(node: VisibleNode): void {
    const { arrivals, extent } = this.parts;
    extent.toggle(arrivals.scene!, node);
    void this.refresh("order", node.key);
  }

  showAlone(ops: Int32Array): void {
    const { arrivals, extent, sight } = this.parts;
    extent.showAlone(arrivals.scene!, ops);
    sight.afresh = true;
    void this.refresh("fresh");
  }

  showAll(): void {
    const { extent, selection, sight } = this.parts;
    extent.showAll();
    extent.hops = 1;
    sight.afresh = false;
    const { first } = selection;
    if (first !== undefined) this.later(() => this.centre(first));
    void this.refresh("order");
  }

  /** Lays out as if nothing had been drawn before. */
  tidy(): void {
    this.parts.sight.afresh = true;
    void this.refresh("fresh");
  }

  /** Brings an op into sight, opening what hides it. */
  reveal(op: number): void {
    const { arrivals, extent } = this.parts;
    const { scene } = arrivals;
    const { current: picture } = this;
    if (!scene) return;
    if (!picture) {
      this.later(() => this.reveal(op));
      return;
    }
    if (extent.only && !extent.only.has(op)) {
      extent.showAll();
      this.later(() => this.reveal(op));
      void this.refresh("order");
      return;
    }
    const shown = picture.visible.nodes[picture.visible.nodeOf[op]!];
    if (!shown) return;
    if (shown.kind === "block" || shown.ref !== op) {
      extent.openTo(scene, op);
      this.later(() => this.centre(op));
      void this.refresh("order", shown.key);
      return;
    }
    this.centre(op);
  }

  centre(op: number): void {
    this.bring(this.current?.visible.nodeOf[op] ?? -1);
  }

  /** Brings a node into sight, large enough to read. */
  bring(node: number): void {
    const { current: picture } = this;
    if (picture && node >= 0) this.parts.sight.bring(picture.box(node));
  }
}
