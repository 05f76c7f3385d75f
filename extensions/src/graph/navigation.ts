/** From node to node: where a click, a key, or a step through the changes leads. */
import type { Arrivals } from "./arrivals";
import type { Drawing } from "./drawing";
import type { Selection } from "./selection";
import type { Sight } from "./sight";
import { ChangeSteps } from "./stepping";
import type { VisibleNode } from "./visible";
import { stepFrom, type Way } from "./walking";

export class Navigation {
  readonly changes = new ChangeSteps();

  constructor(
    private readonly arrivals: Arrivals,
    private readonly selection: Selection,
    private readonly drawing: Drawing,
    private readonly sight: Sight,
  ) {}

  /** Selects an op and brings it into sight, opening what hides it. */
  goTo(op: number): void {
    this.selection.choose([op]);
    this.drawing.reveal(op);
  }

  /** A node that is clicked is selected; `more`: beside what is selected already. */
  clicked(node: VisibleNode | undefined, more: boolean): void {
    const { selection } = this;
    if (!node) selection.choose([]);
    else if (node.kind === "block") selection.choose([], node.key);
    else if (node.kind === "op" || node.kind === "region") {
      const op = node.ref;
      if (!more) selection.choose([op]);
      else if (selection.ops.includes(op)) selection.choose(selection.ops.filter((one) => one !== op));
      else selection.choose([...selection.ops, op]);
    } else {
      const readers = this.arrivals.scene!.usersOf(node.ref);
      selection.choose(readers.length > 0 ? [readers[0]!] : []);
    }
  }

  /** Along a stub to its other end. */
  followed(stub: number, from: number): void {
    const { current: picture } = this.drawing;
    const found = picture?.stubs[stub];
    if (!picture || !found) return;
    const target = picture.visible.nodes[from === found.from ? (found.to.length === 1 ? found.to[0]! : from) : found.from];
    if (target?.kind === "op") this.goTo(target.ref);
    else if (target) this.selection.choose([], target.key);
  }

  /** Opens or closes what has something inside; any other op comes into sight. */
  doubleClicked(at: number): void {
    const { drawing } = this;
    const node = drawing.current?.visible.nodes[at];
    if (node?.kind === "block" || (node?.kind === "op" && this.arrivals.scene!.holds(node.ref))) drawing.toggle(node);
    else if (node?.kind === "op") drawing.centre(node.ref);
  }

  open(): void {
    const { current: picture } = this.drawing;
    if (picture) this.doubleClicked(this.selection.nodeIn(picture));
  }

  /** From what is selected along an edge, or to its neighbour in the row. */
  walk(where: Way): void {
    const { drawing, selection } = this;
    const { current: picture } = drawing;
    if (!picture) return;
    const here = selection.nodeIn(picture);
    const next = here < 0 ? -1 : stepFrom(picture, here, where);
    const node = picture.visible.nodes[next];
    if (!node) return;
    if (node.kind === "op") this.goTo(node.ref);
    else {
      selection.choose([], node.key);
      drawing.bring(next);
    }
  }

  /** To the next change, or to the one before; false where there is none. */
  step(direction: 1 | -1): boolean {
    const { selection } = this;
    const { current: picture } = this.drawing;
    const node = picture ? this.changes.step(picture, direction) : -1;
    if (!picture || node < 0) return false;
    const shown = picture.visible.nodes[node]!;
    this.sight.centre(picture.box(node));
    if (shown.kind === "op") selection.choose([shown.ref]);
    else selection.choose([], shown.key);
    return true;
  }
}
