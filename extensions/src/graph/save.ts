/** A picture as a file that looks the same outside the notebook, and as text. */
import { h, s } from "../dom";
import type { GraphStage } from "../types";
import type { Box } from "../viewport";
import { describeOp, opAsText, opTitle, spoken } from "./describe";
import { Mark } from "./document";
import type { Lineage } from "./lineage";
import { boxesBelow, levelOf, type Look, Painter, type Highlight } from "./painter";
import type { Picture } from "./picture";
import type { Scene } from "./scene";
import { CanvasSurface, fontFamily, SvgSurface } from "./surface";

const border = 24;
const largestSide = 12_000;
const largestArea = 60_000_000;
/** More elements than this no program opens gladly: then boxes without letters. */
const lettersMost = 20_000;

/** A name for a file of a stage, without what file systems refuse. */
export function fileName(title: string, stage: GraphStage | undefined): string {
  const words = [title || "graph", stage?.pass && `${stage.index}_${stage.pass}`].filter(Boolean).join("_");
  return words.replace(/[^\w.-]+/g, "_").replace(/^[_.]+|_+$/g, "").slice(0, 100) || "graph";
}

/** The whole picture as a stand-alone SVG, in the colours it has on screen. */
export function svgOf(picture: Picture, look: Look, highlight: Highlight): SVGSVGElement {
  const surface = new SvgSurface();
  const level = picture.count > lettersMost ? "boxes" : "full";
  const whole = wholeOf(picture);
  new Painter(picture, look, highlight).paint(surface, whole, 1, level);
  return s(
    "svg",
    {
      xmlns: "http://www.w3.org/2000/svg",
      width: whole.width,
      height: whole.height,
      viewBox: `${whole.x} ${whole.y} ${whole.width} ${whole.height}`,
      "font-family": fontFamily,
    },
    s("rect", { x: whole.x, y: whole.y, width: whole.width, height: whole.height, fill: look.background }),
    surface.content,
  );
}

export function svgBlob(svg: SVGSVGElement): Blob {
  return new Blob([new XMLSerializer().serializeToString(svg)], { type: "image/svg+xml" });
}

/** The whole picture; where that could not be read in a picture a browser can hold, the part that is seen. */
export async function pngBlob(picture: Picture, look: Look, highlight: Highlight, seen: Box): Promise<Blob> {
  let box = wholeOf(picture);
  let scale = scaleFor(box);
  if (scale < boxesBelow) {
    box = seen;
    scale = scaleFor(seen);
  }
  const canvas = h("canvas", {
    width: Math.max(1, Math.round(box.width * scale)),
    height: Math.max(1, Math.round(box.height * scale)),
  });
  const context = canvas.getContext("2d");
  if (!context) throw new Error("the browser gives no canvas of this size");
  context.fillStyle = look.background;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.setTransform(scale, 0, 0, scale, -box.x * scale, -box.y * scale);
  new Painter(picture, look, highlight).paint(new CanvasSurface(context), box, scale, levelOf(scale));
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/png"));
  if (!blob) throw new Error("the graph is too large for one picture: save it as SVG");
  return blob;
}

function wholeOf({ totalWidth, totalHeight }: Picture): Box {
  return { x: -border, y: -border, width: totalWidth + 2 * border, height: totalHeight + 2 * border };
}

function scaleFor({ width, height }: Box): number {
  return Math.min(2, largestSide / width, largestSide / height, Math.sqrt(largestArea / (width * height)));
}

const dotLooks: Record<Mark, string> = {
  [Mark.none]: "",
  [Mark.added]: ' color="#0072b2" style="rounded,filled,bold" fillcolor="#cfe6f5" class="added"',
  [Mark.removed]: ' color="#d55e00" style="rounded,filled,dashed" fillcolor="#fbdcc4" class="removed"',
  [Mark.altered]: ' color="#9a8500" style="rounded,filled,bold" fillcolor="#f7efb2" class="altered"',
};
const signs: Record<Mark, string> = { [Mark.none]: "", [Mark.added]: "+ ", [Mark.removed]: "− ", [Mark.altered]: "~ " };

/** What is shown as the text of a `.dot` file: open blocks are clusters. */
export function dotOf(picture: Picture): string {
  const { nodes, group, edges, formerFrom } = picture.visible;
  const inside = new Map<number, number[]>();
  for (const node of nodes.keys()) {
    const holder = group[node]!;
    const known = inside.get(holder);
    if (known) known.push(node);
    else inside.set(holder, [node]);
  }
  const lines = ["digraph workbench {", '  graph [compound=true, bgcolor="transparent", fontname="sans-serif"];'];
  lines.push('  node [shape=box, style="rounded,filled", fillcolor="#f2f2f2", fontname="sans-serif", fontsize=11];');
  // Nested blocks without recursion: a stack of those that are being written.
  const stack = [{ left: [...(inside.get(-1) ?? [])].reverse() }];
  while (stack.length > 0) {
    const indent = "  ".repeat(stack.length);
    const node = stack[stack.length - 1]!.left.pop();
    if (node === undefined) {
      stack.pop();
      if (stack.length > 0) lines.push(`${indent.slice(2)}}`);
      continue;
    }
    const { title, detail, mark, open } = nodes[node]!;
    const label = quoted(signs[mark] + title + (detail ? `\n${detail}` : ""));
    if (!open) {
      lines.push(`${indent}n${node} [label=${label}${dotLooks[mark]}];`);
      continue;
    }
    lines.push(`${indent}subgraph cluster_n${node} {`, `${indent}  label=${label}; style=rounded;`);
    // An edge needs a node to end at.
    lines.push(`${indent}  n${node} [label="", shape=point, style=invis];`);
    stack.push({ left: [...(inside.get(node) ?? [])].reverse() });
  }
  const join = (from: number, to: number, more: string) => {
    const ends = [nodes[from]!.open && `ltail=cluster_n${from}`, nodes[to]!.open && `lhead=cluster_n${to}`, more];
    const attributes = ends.filter(Boolean).join(", ");
    lines.push(`  n${from} -> n${to}${attributes && ` [${attributes}]`};`);
  };
  for (let edge = 0; edge < edges.length / 2; edge++)
    join(edges[2 * edge]!, edges[2 * edge + 1]!, edge >= formerFrom ? "style=dashed" : "");
  for (const { from, to } of picture.visible.hubs) for (const user of to) join(from, user, "style=dotted");
  lines.push("}");
  return `${lines.join("\n")}\n`;
}

/** The selected ops in full; where none is selected, those that are shown as a list. */
export function textOf(
  scene: Scene,
  selected: readonly number[],
  only: ReadonlySet<number> | null,
  lineage: Lineage | null,
): string {
  if (selected.length > 0)
    return selected.map((op) => `${opTitle(scene, op)}\n${opAsText(describeOp(scene, op, lineage))}`).join("\n");
  const ops = [...(only ?? Array.from({ length: scene.count }, (_, op) => op))];
  return ops.map((op) => spoken(scene, op)).join("\n");
}

/** A quoted Graphviz string that shows the text as it is. */
function quoted(text: string): string {
  const safe = text.replace(/&/g, "&amp;").replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n");
  return `"${safe}"`;
}
