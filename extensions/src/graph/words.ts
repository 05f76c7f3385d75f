/** What the view says of a graph as a whole and of what is selected. */
import { spoken } from "./describe";
import { Mark } from "./document";
import type { Picture } from "./picture";
import type { Scene } from "./scene";
import type { Selection } from "./selection";

function opsIn(scene: Scene): { present: number; added: number; removed: number; altered: number } {
  const count = [0, 0, 0, 0];
  for (const mark of scene.mark) count[mark]! += 1;
  const removed = count[Mark.removed]!;
  return { present: scene.count - removed, added: count[Mark.added]!, removed, altered: count[Mark.altered]! };
}

/** What the stage shown is, in numbers. */
export function summary(scene: Scene | null): string {
  if (!scene) return "";
  const { present, added, removed, altered } = opsIn(scene);
  const ops = `${present.toLocaleString("en")} ops`;
  if (added + removed + altered === 0) return ops;
  const parts = [`${added} added`, `${removed} removed`, `${altered} altered`];
  return `${ops}: ${parts.filter((part) => !part.startsWith("0 ")).join(", ")}`;
}

/** What the drawing is called, for those who do not see it. */
export function drawingLabel(scene: Scene | null, title: string): string {
  if (!scene) return "no graph";
  const ops = opsIn(scene).present.toLocaleString("en");
  return `${title || "graph"}: ${ops} ops. Arrow keys move it, or the selection along its edges; n and p go to changes, f shows it all.`;
}

/** What is selected, to be spoken; empty for nothing. */
export function selectionWords(scene: Scene | null, picture: Picture | null, selection: Selection): string {
  if (scene && selection.first !== undefined) return `Selected ${spoken(scene, selection.first)}`;
  const block = picture?.visible.nodes[picture.find(selection.block)];
  return block ? `Selected block ${block.title}, ${block.detail}` : "";
}
