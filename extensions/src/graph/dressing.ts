/** How the picture looks: in the page's theme, coloured, with what is selected or found lit up, and what the tip says. */
import { isDark } from "../dom";
import type { Point } from "../viewport";
import type { Board } from "./board";
import { type Colouring, colouring } from "./colours";
import { showable } from "./describe";
import { Legend } from "./legend";
import { lookOf } from "./look";
import { nodeColours, overlayOf } from "./node_colours";
import type { Highlight, Look } from "./painter";
import type { Picture } from "./picture";
import type { Scene } from "./scene";
import type { Selection } from "./selection";
import { type Tip, tipText } from "./tip";
import type { Toolbar } from "./toolbar";
import type { Traits } from "./traits";

const usualColours = [
  ["mark", "change"],
  ["type", "op type"],
  ["layer", "layer"],
  ["backend", "backend"],
  ["dtype", "dtype"],
  ["pass", "pass that made it"],
] as const;

export class Dressing {
  readonly legend = new Legend();
  colours: Colouring | null = null;
  private look: Look | null = null;
  private highlight: Highlight | null = null;
  private hover = -1;

  constructor(
    private readonly traits: Traits,
    private readonly board: Board,
    private readonly toolbar: Toolbar,
    private readonly tip: Tip,
  ) {}

  /** What the picture wears now, but for the pointer; null while there is none. */
  get worn(): { look: Look; highlight: Highlight } | null {
    const { highlight, look } = this;
    return look && highlight && { look, highlight: { ...highlight, hover: -1 } };
  }

  /** Takes on the theme of the page around `root`. */
  restyle(root: HTMLElement): void {
    const theme = isDark() ? "dark" : "light";
    if (this.traits.get("theme") !== theme) this.traits.tell({ theme });
    this.look = lookOf(root);
  }

  recolour(scene: Scene): void {
    const { toolbar, traits } = this;
    const overlays = traits.get("overlays");
    const by = traits.get("colour_by");
    const extras = {
      passes: traits.get("stages").map(({ pass }) => pass),
      overlays: overlays.map((overlay) => overlayOf(scene, overlay)),
      keep: this.colours,
    };
    this.colours = by === "mark" || by === "" ? null : colouring(scene, by, extras);
    const named = overlays.map(({ name }) => [`overlay:${name}`, showable(name, 40)] as const);
    toolbar.setColours([...usualColours, ...named], by);
  }

  dress(picture: Picture | null, selection: Selection, found: readonly number[] | null): void {
    const { board, legend, look, toolbar, traits } = this;
    toolbar.setChecks(traits.get("fade"), traits.get("show_parameters"));
    if (!look || !picture) return;
    legend.show(this.colours, look.dark);
    const nodes = (ops: readonly number[]) => new Set(ops.map((op) => picture.visible.nodeOf[op]!).filter((node) => node >= 0));
    const selected = nodes(selection.ops);
    const block = selection.block ? picture.find(selection.block) : -1;
    if (block >= 0) selected.add(block);
    this.highlight = {
      selected,
      found: nodes(found ?? []),
      hover: this.hover,
      fade: traits.get("fade"),
      colourOf: nodeColours(picture, this.colours, look.dark, this.combine),
    };
    board.dress(look, this.highlight);
  }

  /** The pointer is on a node, or on none. */
  hovered(picture: Picture | null, node: number, at: Point): void {
    const { board, tip } = this;
    const shown = picture?.visible.nodes[node];
    if (this.highlight && this.hover !== node) {
      this.hover = node;
      this.highlight = { ...this.highlight, hover: node };
      board.dress(this.look!, this.highlight, false);
    }
    if (!picture || !shown || shown.open) tip.hide();
    else tip.show(tipText(picture, node, this.colours, this.combine), at, board.camera.pane);
  }

  /** In another picture the node under the pointer is not known before it moves. */
  forgetPointer(): void {
    this.hover = -1;
    this.tip.hide();
  }

  /** How the numbers of ops make that of a block. */
  private get combine(): "sum" | "max" {
    const by = this.traits.get("colour_by");
    return this.traits.get("overlays").find(({ name }) => by === `overlay:${name}`)?.combine ?? "sum";
  }
}
