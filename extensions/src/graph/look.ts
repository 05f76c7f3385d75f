/** The page's colours as plain values for the painter. */
import { h, isDark } from "../dom";
import type { Look } from "./painter";

const wanted = {
  background: "var(--pwb-bg)",
  ink: "var(--pwb-fg)",
  faint: "var(--pwb-fg2)",
  edge: "var(--pwb-edge)",
  node: "var(--pwb-node)",
  border: "var(--pwb-node-border)",
  frame: "var(--pwb-frame)",
  accent: "var(--pwb-accent)",
  found: "var(--pwb-found)",
  added: "var(--pwb-add)",
  removed: "var(--pwb-remove)",
  altered: "var(--pwb-alter)",
} as const;

/** What the theme's variables amount to within `root`. */
export function lookOf(root: HTMLElement): Look {
  const probe = h("span", { class: "pwb-hidden" });
  root.append(probe);
  const colours = Object.entries(wanted).map(([name, value]) => {
    probe.style.color = value;
    return [name, plain(getComputedStyle(probe).color)] as const;
  });
  probe.remove();
  return { dark: isDark(), ...(Object.fromEntries(colours) as Record<keyof typeof wanted, string>) };
}

let reader: CanvasRenderingContext2D | null | undefined;

/** A colour in the form that every reader of SVG knows, whatever function the style sheet used. */
function plain(colour: string): string {
  reader ??= h("canvas", { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
  if (!reader) return colour;
  reader.clearRect(0, 0, 1, 1);
  reader.fillStyle = colour;
  reader.fillRect(0, 0, 1, 1);
  const [red = 0, green = 0, blue = 0, alpha = 255] = reader.getImageData(0, 0, 1, 1).data;
  return alpha === 255 ? `rgb(${red},${green},${blue})` : `rgba(${red},${green},${blue},${(alpha / 255).toFixed(3)})`;
}
