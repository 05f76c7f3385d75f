/** What is said of a node when the pointer rests on it. */
import { h } from "../dom";
import type { Point, Size } from "../viewport";
import type { Colouring } from "./colours";
import { opTitle, showable } from "./describe";
import { blockNumbers } from "./node_colours";
import { shortNumber } from "./numbers";
import type { Picture } from "./picture";

const marks = ["", "+ added", "− removed", "~ altered"];
const distance = 14;

export function tipText(picture: Picture, at: number, colours: Colouring | null, combine: "sum" | "max"): string {
  const { scene, visible } = picture;
  const node = visible.nodes[at]!;
  const lines =
    node.kind === "op"
      ? [
          `${opTitle(scene, node.ref)} ${node.detail}`,
          colours ? colours.text(node.ref) : "",
          showable(scene.layer(node.ref), 80),
          marks[node.mark],
        ]
      : [node.title, node.detail, blockNumber(picture, at, colours, combine)];
  return lines.filter(Boolean).join("\n");
}

/** What the ops of a closed block have together, where colours are numbers. */
function blockNumber(picture: Picture, at: number, colours: Colouring | null, combine: "sum" | "max"): string {
  if (!colours?.scale) return "";
  const number = blockNumbers(picture, colours, combine).get(at);
  if (number === undefined) return "";
  return `${colours.title}: ${shortNumber(number)} ${colours.scale.unit} (${combine})`;
}

export class Tip {
  readonly element = h("div", { class: "pwb-tip", hidden: true, "aria-hidden": "true" });

  hide(): void {
    this.element.hidden = true;
  }

  /** Beside the pointer, on the side that has room. */
  show(text: string, at: Point, { width, height }: Size): void {
    const { element } = this;
    element.hidden = false;
    element.textContent = text;
    const [left, above] = [at.x > width * 0.6, at.y > height * 0.7];
    element.style.left = left ? "" : `${at.x + distance}px`;
    element.style.right = left ? `${width - at.x + distance}px` : "";
    element.style.top = above ? "" : `${at.y + distance}px`;
    element.style.bottom = above ? `${height - at.y + distance}px` : "";
  }
}
