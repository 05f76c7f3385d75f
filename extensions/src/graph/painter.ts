/** Draws a picture, or the part of it that is seen, at one of three levels of detail. */
import type { Box } from "../viewport";
import { Mark } from "./document";
import { detailLetters, type Picture, textWidth, titleLetters } from "./picture";
import type { Surface } from "./surface";

/** The colours of the page's theme. */
export interface Look {
  dark: boolean;
  background: string;
  ink: string;
  faint: string;
  edge: string;
  node: string;
  border: string;
  frame: string;
  accent: string;
  found: string;
  added: string;
  removed: string;
  altered: string;
}

export interface Highlight {
  selected: ReadonlySet<number>;
  found: ReadonlySet<number>;
  hover: number;
  /** Whether what did not change steps back. */
  fade: boolean;
  /** The colours of a node; null for one that keeps its plain colour. */
  colourOf: (node: number) => NodeColours | null;
}

export interface NodeColours {
  fill: string;
  ink: string;
}

export type Level = "far" | "boxes" | "full";

/** Below this zoom a picture of the whole stands for the nodes. */
export const farBelow = 0.05;
/** Below this zoom letters are dust. */
export const boxesBelow = 0.42;

export function levelOf(zoom: number): Level {
  return zoom < farBelow ? "far" : zoom < boxesBelow ? "boxes" : "full";
}

const signs: Record<Mark, string> = { [Mark.none]: "", [Mark.added]: "+", [Mark.removed]: "−", [Mark.altered]: "~" };
const faded = 0.28;

export class Painter {
  constructor(
    private readonly picture: Picture,
    private readonly look: Look,
    private readonly highlight: Highlight,
  ) {}

  /** Everything within `box`, in the picture's own coordinates; `zoom` says how large it will be seen. */
  paint(surface: Surface, box: Box, zoom: number, level = levelOf(zoom)): void {
    const { picture } = this;
    const margin = level === "full" ? 40 : 0;
    const seen = { x: box.x - margin, y: box.y - margin, width: box.width + 2 * margin, height: box.height + 2 * margin };
    const nodes = picture.nodesIn(seen);
    const { nodes: all } = picture.visible;
    const open = nodes.filter((node) => all[node]!.open);
    const closed = nodes.filter((node) => !all[node]!.open);
    for (const node of open) this.frame(surface, node, zoom, level);
    if (level !== "far") this.edges(surface, seen, zoom, level);
    for (const node of closed) {
      if (level === "full") this.node(surface, node);
      else this.plainBox(surface, node, zoom);
    }
    surface.opacity(1);
    if (level === "full") for (const node of nodes) this.stubs(surface, node);
    for (const node of this.highlight.selected) this.outline(surface, node, zoom);
  }

  /** What has to be seen over a picture of the whole: the selection and what was found. */
  marks(surface: Surface, zoom: number): void {
    for (const node of this.highlight.found) this.ring(surface, node, this.look.found, 1.5 / zoom, 2 / zoom);
    for (const node of this.highlight.selected) this.outline(surface, node, zoom);
  }

  /** The whole picture in flat boxes: what a map shows. Both scales may differ. */
  overview(surface: Surface, scaleX: number, scaleY: number): void {
    const { picture } = this;
    const { x, y, width, height } = picture;
    // What changed comes last, so that it is seen among a hundred others in one pixel.
    for (const changed of [false, true])
      for (let node = 0; node < picture.count; node++) {
        const { open, mark } = picture.visible.nodes[node]!;
        if (open || (mark !== Mark.none) !== changed) continue;
        const high = Math.max(height[node]! * scaleY, changed ? 2 : 0.7);
        const wide = Math.max(width[node]! * scaleX, changed ? 2 : 0.7);
        surface.box(x[node]! * scaleX, y[node]! * scaleY, wide, high, 0, this.colourFar(node));
      }
  }

  private isFaded(node: number): boolean {
    return this.highlight.fade && this.picture.visible.nodes[node]!.mark === Mark.none;
  }

  private markColour(mark: Mark): string | null {
    const { added, removed, altered } = this.look;
    return { [Mark.none]: null, [Mark.added]: added, [Mark.removed]: removed, [Mark.altered]: altered }[mark];
  }

  private colourFar(node: number): string {
    const { mark } = this.picture.visible.nodes[node]!;
    if (this.highlight.found.has(node)) return this.look.found;
    return this.highlight.colourOf(node)?.fill ?? this.markColour(mark) ?? this.look.border;
  }

  private plainBox(surface: Surface, node: number, zoom: number): void {
    const { picture } = this;
    const { x, y, width, height } = picture;
    surface.opacity(this.isFaded(node) ? faded : 1);
    surface.box(x[node]!, y[node]!, width[node]!, height[node]!, 0, this.colourFar(node));
    if (this.highlight.found.has(node)) this.ring(surface, node, this.look.found, 2 / zoom, 3 / zoom);
  }

  private frame(surface: Surface, node: number, zoom: number, level: Level): void {
    const { picture, look } = this;
    const { x, y, width, height } = picture;
    const { title, detail, mark, kind } = picture.visible.nodes[node]!;
    const colour = this.markColour(mark) ?? look.border;
    const line = { colour, width: Math.max(1, 1 / zoom), ...(kind === "region" ? { dash: [4, 3] } : {}) };
    surface.opacity(1);
    surface.box(x[node]!, y[node]!, width[node]!, height[node]!, 8, look.frame, line);
    if (level !== "full") return;
    const label = `${signs[mark] && `${signs[mark]} `}${title}`;
    surface.text(label, x[node]! + 12, y[node]! + 18, { ...titleLetters, colour: look.ink });
    const after = x[node]! + 20 + textWidth(label, titleLetters);
    if (detail && after + textWidth(detail, detailLetters) < x[node]! + width[node]! - 8)
      surface.text(detail, after, y[node]! + 18, { ...detailLetters, colour: look.faint });
  }

  private node(surface: Surface, node: number): void {
    const { picture, look } = this;
    const [x, y, width, height] = [picture.x[node]!, picture.y[node]!, picture.width[node]!, picture.height[node]!];
    const { title, detail, mark, kind, ref } = picture.visible.nodes[node]!;
    surface.opacity(this.isFaded(node) ? faded : 1);
    const colours = this.highlight.colourOf(node);
    const sign = this.markColour(mark);
    const border = { colour: sign ?? look.border, width: sign ? 2 : 1, ...(mark === Mark.removed ? { dash: [5, 3] } : {}) };
    const fill = colours?.fill ?? look.node;
    const radius = kind === "parameter" ? 2 : kind === "block" ? 7 : 5;
    if (kind === "block") {
      const repeats = picture.scene.document.blocks.repeat[ref]! > 1;
      for (const shift of repeats ? [6, 3] : []) surface.box(x + shift, y - shift, width, height, radius, fill, border);
    }
    surface.box(x, y, width, height, radius, fill, border);
    const ink = colours?.ink ?? look.ink;
    const middle = x + width / 2;
    const row = detail ? y + 15 : y + height / 2 + 4;
    if (kind === "block") surface.text("▸", x + 6, row, { size: 11, colour: ink });
    const at = kind === "block" ? middle + 5 : middle;
    const room = width - (kind === "block" ? 26 : 12);
    surface.text(fitted(title, room, titleLetters), at, row, { ...titleLetters, colour: ink, align: "center" });
    if (detail) {
      const pale = colours ? ink : look.faint;
      surface.text(fitted(detail, room, detailLetters), at, y + 28, { ...detailLetters, colour: pale, align: "center" });
    }
    if (sign) this.badge(surface, x, y, signs[mark], sign);
    if (this.highlight.found.has(node)) this.ring(surface, node, look.found, 2.5, 3);
    if (this.highlight.hover === node) this.ring(surface, node, look.accent, 1, 2);
  }

  /** A sign tells the mark to those who do not see its colour. */
  private badge(surface: Surface, x: number, y: number, sign: string, colour: string): void {
    surface.box(x - 8, y - 8, 16, 16, 8, colour);
    const ink = this.look.dark ? "#111" : "#fff";
    surface.text(sign, x, y + 4.5, { size: 13, bold: true, colour: ink, align: "center" });
  }

  private ring(surface: Surface, node: number, colour: string, width: number, distance: number): void {
    const box = this.picture.box(node);
    const grown = [box.x - distance, box.y - distance, box.width + 2 * distance, box.height + 2 * distance] as const;
    surface.box(...grown, 5 + distance, null, { colour, width });
  }

  private outline(surface: Surface, node: number, zoom: number): void {
    const width = Math.max(2.5, 2.5 / zoom);
    this.ring(surface, node, this.look.accent, width, width);
  }

  // Edges

  private edges(surface: Surface, seen: Box, zoom: number, level: Level): void {
    const { picture, look } = this;
    const { selected } = this.highlight;
    const { edges, formerFrom } = picture.visible;
    const usual: number[] = [];
    const pale: number[] = [];
    const former: number[] = [];
    for (const edge of picture.edgesIn(seen)) {
      const [from, to] = [edges[2 * edge]!, edges[2 * edge + 1]!];
      if (selected.has(from) || selected.has(to)) continue;
      const removed = this.markAt(from) === Mark.removed || this.markAt(to) === Mark.removed;
      if (edge >= formerFrom || removed) former.push(edge);
      else if (this.isFaded(from) && this.isFaded(to)) pale.push(edge);
      else usual.push(edge);
    }
    const width = Math.max(1, 0.8 / zoom);
    const draw = (some: number[], colour: string, alpha: number, dash?: readonly number[]) => {
      if (some.length === 0) return;
      surface.opacity(alpha);
      surface.begin();
      for (const edge of some) this.trace(surface, edge, level === "full");
      surface.stroke({ colour, width, ...(dash ? { dash } : {}) });
      if (level === "full") this.arrows(surface, some, colour);
    };
    draw(pale, look.edge, faded);
    draw(usual, look.edge, 1);
    draw(former, look.removed, 0.8, [5, 4]);
    surface.opacity(1);
    this.selectedEdges(surface, Math.max(2, 1.6 / zoom), level);
  }

  private markAt(node: number): Mark {
    const { open, mark } = this.picture.visible.nodes[node]!;
    return open ? Mark.none : mark;
  }

  /** The edges of what is selected, also those that are stubs otherwise. */
  private selectedEdges(surface: Surface, width: number, level: Level): void {
    const { picture, look } = this;
    const edges = new Set<number>();
    surface.begin();
    for (const node of this.highlight.selected) {
      for (const edge of picture.edgesAtNode(node)) if (!picture.long[edge]) edges.add(edge);
      for (const at of picture.stubsFrom.get(node) ?? [])
        for (const to of picture.stubs[at]!.to) this.straight(surface, node, to);
      for (const at of picture.stubsTo.get(node) ?? []) this.straight(surface, picture.stubs[at]!.from, node);
    }
    surface.stroke({ colour: look.accent, width: width / 2, dash: [width * 2, width * 2] });
    if (edges.size === 0) return;
    surface.begin();
    for (const edge of edges) this.trace(surface, edge, level === "full");
    surface.stroke({ colour: look.accent, width });
    if (level === "full") this.arrows(surface, [...edges], look.accent);
  }

  private straight(surface: Surface, from: number, to: number): void {
    const { x, y, width, height } = this.picture;
    surface.move(x[from]! + width[from]! / 2, y[from]! + height[from]!);
    surface.line(x[to]! + width[to]! / 2, y[to]!);
  }

  private trace(surface: Surface, edge: number, curved: boolean): void {
    const { routeAt, route } = this.picture;
    const first = routeAt[edge]!;
    const end = routeAt[edge + 1]!;
    if (first === end) return;
    let [px, py] = [route[2 * first]!, route[2 * first + 1]!];
    surface.move(px, py);
    for (let at = first + 1; at < end; at++) {
      const [qx, qy] = [route[2 * at]!, route[2 * at + 1]!];
      const middle = (py + qy) / 2;
      if (curved && px !== qx) surface.curve(px, middle, qx, middle, qx, qy);
      else surface.line(qx, qy);
      [px, py] = [qx, qy];
    }
  }

  private arrows(surface: Surface, edges: number[], colour: string): void {
    const { routeAt, route } = this.picture;
    surface.begin();
    for (const edge of edges) {
      const last = routeAt[edge + 1]! - 1;
      if (last < routeAt[edge]!) continue;
      const [x, y] = [route[2 * last]!, route[2 * last + 1]!];
      surface.move(x, y);
      surface.line(x - 3.5, y - 7);
      surface.line(x + 3.5, y - 7);
      surface.line(x, y);
    }
    surface.fill(colour);
  }

  // Stubs

  private stubs(surface: Surface, node: number): void {
    const { picture, look } = this;
    for (const { text, box, at } of stubBoxes(picture, node)) {
      const { from, to } = picture.stubs[at]!;
      const lit = this.highlight.selected.has(from) || to.some((one) => this.highlight.selected.has(one));
      surface.opacity(this.isFaded(node) && !lit ? faded : 1);
      const line = { colour: lit ? look.accent : look.border, width: 1 };
      surface.box(box.x, box.y, box.width, box.height, box.height / 2, look.background, line);
      const colour = lit ? look.accent : look.faint;
      surface.text(text, box.x + box.width / 2, box.y + 10, { size: 9.5, colour, align: "center" });
    }
    surface.opacity(1);
  }
}

const mostStubs = 3;

/** Where the stubs of a node stand: those that end there above it, those that start there below it. */
export function stubBoxes(picture: Picture, node: number): { at: number; text: string; box: Box }[] {
  const found: { at: number; text: string; box: Box }[] = [];
  const place = (texts: { at: number; text: string }[], y: number) => {
    const wide = texts.map(({ text }) => textWidth(text, { size: 9.5 }) + 12);
    let x = picture.x[node]! + picture.width[node]! / 2 - (wide.reduce((sum, one) => sum + one + 4, -4)) / 2;
    for (const [place, { at, text }] of texts.entries()) {
      found.push({ at, text, box: { x, y, width: wide[place]!, height: 14 } });
      x += wide[place]! + 4;
    }
  };
  const ending = picture.stubsTo.get(node) ?? [];
  const above = ending.slice(0, mostStubs).map((at) => ({ at, text: `▾ ${picture.stubs[at]!.label}` }));
  if (ending.length > mostStubs) above.push({ at: ending[mostStubs]!, text: `and ${ending.length - mostStubs} more` });
  place(above, picture.y[node]! - 17);
  const starting = (picture.stubsFrom.get(node) ?? []).slice(0, mostStubs).map((at) => {
    const { label, to } = picture.stubs[at]!;
    const only = to.length === 1 ? picture.visible.nodes[to[0]!]!.title : `${to.length.toLocaleString("en")} uses`;
    return { at, text: `${label} → ${only}` };
  });
  place(starting, picture.y[node]! + picture.height[node]! + 4);
  return found;
}

/** The text, cut so that it is no wider than `room`. */
function fitted(text: string, room: number, letters: { size: number; bold?: boolean }): string {
  if (textWidth(text, letters) <= room) return text;
  let shown = Array.from(text);
  while (shown.length > 1 && textWidth(`${shown.join("")}…`, letters) > room) shown = shown.slice(0, -1);
  return `${shown.join("")}…`;
}
