/** From node to node by the arrow keys: along an edge, or to the neighbour in the row. */
import type { Picture } from "./picture";

export type Way = "up" | "down" | "left" | "right";

/** The node nearest to straight that way, or -1. */
export function stepFrom(picture: Picture, here: number, way: Way): number {
  const middle = (node: number) => picture.x[node]! + picture.width[node]! / 2;
  const away = (node: number) => Math.abs(middle(node) - middle(here));
  let nearest = -1;
  for (const node of way === "up" || way === "down" ? joined(picture, here, way) : besides(picture, here, way)) {
    const { kind } = picture.visible.nodes[node]!;
    if ((kind === "op" || kind === "block") && (nearest < 0 || away(node) < away(nearest))) nearest = node;
  }
  return nearest;
}

function joined(picture: Picture, here: number, way: "up" | "down"): number[] {
  const { edges } = picture.visible;
  const end = way === "up" ? 0 : 1;
  const found = [...picture.edgesAtNode(here)]
    .filter((edge) => edges[2 * edge + 1 - end] === here)
    .map((edge) => edges[2 * edge + end]!);
  // What is too far or has too many readers to be drawn is an edge all the same.
  for (const at of (way === "up" ? picture.stubsTo : picture.stubsFrom).get(here) ?? []) {
    const { from, to } = picture.stubs[at]!;
    found.push(...(way === "up" ? [from] : to));
  }
  return found;
}

function besides(picture: Picture, here: number, way: "left" | "right"): number[] {
  const middle = (node: number) => picture.x[node]! + picture.width[node]! / 2;
  const side = way === "left" ? -1 : 1;
  const row = { x: 0, width: picture.totalWidth, y: picture.y[here]!, height: picture.height[here]! };
  return picture
    .nodesIn(row)
    .filter((node) => !picture.visible.nodes[node]!.open && (middle(node) - middle(here)) * side > 0);
}
