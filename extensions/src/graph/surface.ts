/** What the painter draws on: a canvas, or the text of an SVG file. */
import { s } from "../dom";

export interface Stroke {
  colour: string;
  width: number;
  dash?: readonly number[];
}

export interface Lettering {
  size: number;
  bold?: boolean;
  colour: string;
  align?: "left" | "center" | "right";
}

export interface Surface {
  /** A rounded rectangle. */
  box(x: number, y: number, width: number, height: number, radius: number, fill: string | null, stroke?: Stroke): void;
  begin(): void;
  move(x: number, y: number): void;
  line(x: number, y: number): void;
  curve(x1: number, y1: number, x2: number, y2: number, x: number, y: number): void;
  /** Draws the lines since `begin`. */
  stroke(stroke: Stroke): void;
  fill(colour: string): void;
  text(text: string, x: number, y: number, lettering: Lettering): void;
  /** From here on everything is drawn with this opacity. */
  opacity(value: number): void;
}

export const fontFamily = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Noto Sans CJK SC", sans-serif';

export function fontOf(size: number, bold = false): string {
  return `${bold ? "600 " : ""}${size}px ${fontFamily}`;
}

export class CanvasSurface implements Surface {
  private font = "";

  constructor(private readonly context: CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D) {
    context.textBaseline = "alphabetic";
    context.lineJoin = "round";
  }

  box(x: number, y: number, width: number, height: number, radius: number, fill: string | null, stroke?: Stroke): void {
    const { context } = this;
    if (radius === 0 && !stroke) {
      context.fillStyle = fill ?? "transparent";
      context.fillRect(x, y, width, height);
      return;
    }
    context.beginPath();
    context.roundRect(x, y, width, height, radius);
    if (fill !== null) {
      context.fillStyle = fill;
      context.fill();
    }
    if (stroke) this.stroke(stroke);
  }

  begin(): void {
    this.context.beginPath();
  }

  move(x: number, y: number): void {
    this.context.moveTo(x, y);
  }

  line(x: number, y: number): void {
    this.context.lineTo(x, y);
  }

  curve(x1: number, y1: number, x2: number, y2: number, x: number, y: number): void {
    this.context.bezierCurveTo(x1, y1, x2, y2, x, y);
  }

  stroke({ colour, width, dash }: Stroke): void {
    const { context } = this;
    context.strokeStyle = colour;
    context.lineWidth = width;
    if (dash) context.setLineDash([...dash]);
    context.stroke();
    if (dash) context.setLineDash([]);
  }

  fill(colour: string): void {
    this.context.fillStyle = colour;
    this.context.fill();
  }

  text(text: string, x: number, y: number, { size, bold, colour, align = "left" }: Lettering): void {
    const { context } = this;
    const font = fontOf(size, bold);
    if (font !== this.font) context.font = this.font = font;
    context.fillStyle = colour;
    context.textAlign = align;
    context.fillText(text, x, y);
  }

  opacity(value: number): void {
    this.context.globalAlpha = value;
  }
}

const anchors = { left: "start", center: "middle", right: "end" } as const;

/** Collects elements, so that names become text nodes and never markup. */
export class SvgSurface implements Surface {
  readonly content: SVGGElement = s("g");
  private path = "";
  private alpha = 1;

  box(x: number, y: number, width: number, height: number, radius: number, fill: string | null, stroke?: Stroke): void {
    const size = { x: round(x), y: round(y), width: round(width), height: round(height) };
    this.put(s("rect", { ...size, ...(radius ? { rx: radius } : {}), fill: fill ?? "none", ...strokeOf(stroke) }));
  }

  begin(): void {
    this.path = "";
  }

  move(x: number, y: number): void {
    this.path += `M${round(x)} ${round(y)}`;
  }

  line(x: number, y: number): void {
    this.path += `L${round(x)} ${round(y)}`;
  }

  curve(x1: number, y1: number, x2: number, y2: number, x: number, y: number): void {
    this.path += `C${[x1, y1, x2, y2, x, y].map(round).join(" ")}`;
  }

  stroke(stroke: Stroke): void {
    if (this.path) this.put(s("path", { d: this.path, fill: "none", ...strokeOf(stroke) }));
  }

  fill(colour: string): void {
    if (this.path) this.put(s("path", { d: this.path, fill: colour }));
  }

  text(text: string, x: number, y: number, { size, bold, colour, align = "left" }: Lettering): void {
    const attributes = { x: round(x), y: round(y), "font-size": size, fill: colour, "text-anchor": anchors[align] };
    // The two characters of all that are shown which XML does not allow.
    const allowed = text.replace(/[\ufffe\uffff]/g, "\ufffd");
    this.put(s("text", { ...attributes, ...(bold ? { "font-weight": 600 } : {}) }, allowed));
  }

  opacity(value: number): void {
    this.alpha = value;
  }

  private put(element: SVGElement): void {
    if (this.alpha < 1) element.setAttribute("opacity", String(this.alpha));
    this.content.append(element);
  }
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function strokeOf(stroke?: Stroke): Record<string, string | number> {
  if (!stroke) return {};
  return {
    stroke: stroke.colour,
    "stroke-width": stroke.width,
    ...(stroke.dash ? { "stroke-dasharray": stroke.dash.join(" ") } : {}),
  };
}
