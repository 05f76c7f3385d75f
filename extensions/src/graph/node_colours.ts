/** Colours of nodes from those of their ops: a closed block shows what its ops have together. */
import type { OverlayTrait } from "../types";
import { type Colouring, inkOn, type Overlay } from "./colours";
import type { NodeColours } from "./painter";
import type { Picture } from "./picture";
import type { Scene } from "./scene";

/** An overlay's numbers by place in a scene. */
export function overlayOf(scene: Scene, overlay: OverlayTrait): Overlay {
  const values = new Float64Array(scene.count).fill(NaN);
  overlay.keys.forEach((key, at) => {
    const op = scene.place(key);
    if (op >= 0) values[op] = overlay.values[at] ?? NaN;
  });
  return { name: overlay.name, unit: overlay.unit, values };
}

export function nodeColours(
  picture: Picture,
  colouring: Colouring | null,
  dark: boolean,
  combine: "sum" | "max",
): (node: number) => NodeColours | null {
  if (!colouring) return () => null;
  const blocks = blockColours(picture, colouring, dark, combine);
  return (node) => {
    const { kind, ref } = picture.visible.nodes[node]!;
    return kind === "op" ? colouring.colourOf(ref, dark) : (blocks.get(node) ?? null);
  };
}

/** What the ops of each closed block have together. */
export function blockNumbers(picture: Picture, colouring: Colouring, combine: "sum" | "max"): Map<number, number> {
  const { nodeOf, nodes } = picture.visible;
  const found = new Map<number, number>();
  for (let op = 0; op < nodeOf.length; op++) {
    const node = nodeOf[op]!;
    if (node < 0 || nodes[node]!.kind !== "block") continue;
    const value = colouring.valueOf(op);
    if (value === null) continue;
    const known = found.get(node);
    if (known === undefined) found.set(node, value);
    else if (combine === "sum") found.set(node, known + value);
    else if (Math.abs(value) > Math.abs(known)) found.set(node, value);
  }
  return found;
}

function blockColours(
  picture: Picture,
  colouring: Colouring,
  dark: boolean,
  combine: "sum" | "max",
): Map<number, NodeColours> {
  const { nodeOf, nodes } = picture.visible;
  const sums = blockNumbers(picture, colouring, combine);
  /** A block whose ops are all of one category has its colour: that of this op. */
  const one = new Map<number, number>();
  for (let op = 0; op < nodeOf.length; op++) {
    const node = nodeOf[op]!;
    if (node < 0 || nodes[node]!.kind !== "block") continue;
    const first = one.get(node);
    if (first === undefined) one.set(node, op);
    else if (first >= 0 && colouring.ofOp[first] !== colouring.ofOp[op]) one.set(node, -1);
  }
  const found = new Map<number, NodeColours>();
  const { scale } = colouring;
  if (scale) {
    for (const [node, value] of sums) {
      const fill = scale.colourAt(Math.min(scale.max, Math.max(scale.min, value)), dark);
      found.set(node, { fill, ink: inkOn(fill) });
    }
  } else
    for (const [node, op] of one) {
      const colours = op < 0 ? null : colouring.colourOf(op, dark);
      if (colours) found.set(node, colours);
    }
  return found;
}
