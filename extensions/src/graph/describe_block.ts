/** What is known of a block, as plain data for the side panel. */
import { type Section, showable } from "./describe";
import type { Scene } from "./scene";
import type { VisibleNode } from "./visible";

const typesMost = 12;

export function describeBlock(scene: Scene, node: VisibleNode): Section[] {
  const { blocks } = scene.document;
  const inside = (op: number) => {
    for (let block = scene.block[op]!; block >= 0; block = blocks.parent[block]!) if (block === node.ref) return true;
    return false;
  };
  const counts = new Map<string, number>();
  for (let op = 0; op < scene.count; op++)
    if (inside(op)) counts.set(scene.shortType(op), (counts.get(scene.shortType(op)) ?? 0) + 1);
  const types = [...counts].sort(([, one], [, other]) => other - one).slice(0, typesMost);
  const kind = blocks.kind[node.ref]!;
  const alike = blocks.kind.filter((other, block) => other === kind && blocks.repeat[block] === 1).length;
  const rows = [
    { label: "layer", value: showable(scene.text(blocks.path[node.ref]!), 200) },
    { label: "ops", value: node.ops.toLocaleString("en") },
    blocks.repeat[node.ref]! > 1
      ? { label: "gathers", value: showable(scene.text(blocks.name[node.ref]!), 60) }
      : { label: "alike in this graph", value: `${showable(scene.text(kind), 60)} ×${alike}` },
  ];
  return [
    { title: "Block", rows },
    { title: "Ops in it", rows: types.map(([type, count]) => ({ label: showable(type, 60), value: String(count) })) },
  ];
}
