/** What is said of a node when the pointer rests on it. */
import type { Point, Size } from "../viewport";
import type { Colouring } from "./colours";
import { opTitle, showable } from "./describe";
import { blockNumbers } from "./node_colours";
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
  return `${colours.title}: ${Number(number.toPrecision(6))} ${colours.scale.unit} (${combine})`;
}

/** Beside the pointer, on the side that has room. */
export function placeTip(tip: HTMLElement, text: string, at: Point, { width, height }: Size): void {
  tip.textContent = text;
  const [left, above] = [at.x > width * 0.6, at.y > height * 0.7];
  tip.style.left = left ? "" : `${at.x + distance}px`;
  tip.style.right = left ? `${width - at.x + distance}px` : "";
  tip.style.top = above ? "" : `${at.y + distance}px`;
  tip.style.bottom = above ? `${height - at.y + distance}px` : "";
}
