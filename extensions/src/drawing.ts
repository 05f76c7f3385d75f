/** A drawn graph: its nodes with their places, its marks, and which edges touch which node. */
import { s } from "./dom";
import { cleanSvg } from "./sanitize";
import type { Sign } from "./types";
import type { Box, Size } from "./viewport";

export interface DrawnNode {
  id: string;
  label: string;
  sign: Sign | null;
  box: Box;
  element: SVGGElement;
}

export interface Drawn {
  size: Size;
  /** What Graphviz drew, to be put under a group that moves and scales it. */
  content: SVGGElement;
  nodes: DrawnNode[];
  /** The nodes that a pass touched, from top to bottom. */
  changes: DrawnNode[];
  /** Edges at a node, by the node's name in the DOT text. */
  edgesOf(node: DrawnNode): SVGGElement[];
}

const signs: Sign[] = ["added", "removed", "altered"];

/** A sign is told by its form as well as by its colour. */
export const signGlyph: Record<Sign, string> = { added: "+", removed: "−", altered: "~" };
const signPath: Record<Sign, string> = {
  added: "M-3.2 0H3.2M0-3.2V3.2",
  removed: "M-3.2 0H3.2",
  altered: "M-3.6 1C-2.6-1.6-1.2-1.6 0 0S2.6 1.6 3.6-1",
};

export function readDrawing(svgText: string): Drawn {
  const svg = cleanSvg(svgText);
  const content = svg.querySelector<SVGGElement>("g.graph") ?? s("g");
  const [, , width = 1, height = 1] = numbers(svg.getAttribute("viewBox") ?? "");
  // Graphviz's white sheet, so that the notebook's own background shows.
  content.querySelector(":scope > polygon")?.remove();
  content.querySelector(":scope > title")?.remove();
  const origin = readTransform(content.getAttribute("transform") ?? "");

  const nodes: DrawnNode[] = [];
  for (const element of content.querySelectorAll<SVGGElement>("g.node")) {
    const box = boxOf(element);
    const sign = signs.find((name) => element.classList.contains(name)) ?? null;
    if (sign) addBadge(element, sign, box);
    nodes.push({
      id: element.dataset.id ?? "",
      label: [...element.querySelectorAll("text")].map((line) => line.textContent.trim()).join(" "),
      sign,
      box: {
        x: origin.x + box.x * origin.scaleX,
        y: origin.y + box.y * origin.scaleY,
        width: box.width * origin.scaleX,
        height: box.height * origin.scaleY,
      },
      element,
    });
  }

  const edges = new Map<string, SVGGElement[]>();
  for (const edge of content.querySelectorAll<SVGGElement>("g.edge")) {
    for (const end of new Set((edge.dataset.name ?? "").split(/->|--/))) {
      const name = end.replace(/:[\w:]*$/, "");
      edges.set(name, [...(edges.get(name) ?? []), edge]);
    }
  }

  return {
    size: { width, height },
    content,
    nodes,
    changes: nodes.filter((node) => node.sign).sort((a, b) => a.box.y - b.box.y || a.box.x - b.box.x),
    edgesOf: (node) => edges.get(node.element.dataset.name ?? "") ?? [],
  };
}

function numbers(text: string): number[] {
  return (text.match(/-?\d*\.?\d+(?:e[-+]?\d+)?/gi) ?? []).map(Number);
}

function readTransform(text: string): { x: number; y: number; scaleX: number; scaleY: number } {
  const part = (name: string) => numbers(text.match(new RegExp(`${name}\\(([^)]*)\\)`))?.[1] ?? "");
  const [x = 0, y = 0] = part("translate");
  const [scaleX = 1, scaleY = scaleX] = part("scale");
  return { x: x * scaleX, y: y * scaleY, scaleX, scaleY };
}

/** From the numbers themselves: the page need not have laid anything out. */
function boxOf(node: SVGGElement): Box {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  const take = (x: number, y: number) => {
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  };
  for (const shape of node.querySelectorAll("path, polygon, polyline, ellipse, text")) {
    const value = (name: string) => Number(shape.getAttribute(name) ?? 0);
    if (shape.localName === "ellipse") {
      take(value("cx") - value("rx"), value("cy") - value("ry"));
      take(value("cx") + value("rx"), value("cy") + value("ry"));
    } else if (shape.localName === "text") {
      take(value("x"), value("y"));
    } else {
      const points = numbers(shape.getAttribute("d") ?? shape.getAttribute("points") ?? "");
      for (let i = 0; i + 1 < points.length; i += 2) take(points[i]!, points[i + 1]!);
    }
  }
  if (left > right) return { x: 0, y: 0, width: 0, height: 0 };
  return { x: left, y: top, width: right - left, height: bottom - top };
}

/** The sign as a badge; one that the label starts with, for readers of the plain file, goes. */
function addBadge(node: SVGGElement, sign: Sign, box: Box): void {
  const first = node.querySelector("text");
  if (first?.textContent.startsWith(`${signGlyph[sign]} `)) first.textContent = first.textContent.slice(2);
  node.append(
    s(
      "g",
      { class: "pwb-badge", transform: `translate(${box.x + 1} ${box.y + 1})` },
      s("circle", { r: 6.5 }),
      s("path", { d: signPath[sign] }),
    ),
  );
}
