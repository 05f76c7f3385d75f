/** The layout of a graph: pure arithmetic, to be run in a worker. */
import { nested } from "./nested";
import type { LayoutInput, LayoutOutput } from "./types";

export { blockPadding, type LayoutInput, type LayoutOutput } from "./types";

export function layout(input: LayoutInput): LayoutOutput {
  return nested(input, modeFor(input));
}

/** Where most is new there is nothing to go around. */
function modeFor({ group, keep, mode }: LayoutInput): LayoutInput["mode"] {
  if (!keep) return "fresh";
  if (mode !== "stay") return mode;
  let all = 0;
  let known = 0;
  for (let i = 0; i < group.length; i++) {
    if (group[i]! >= 0) continue;
    all++;
    if (!Number.isNaN(keep.x[i]!) && !Number.isNaN(keep.y[i]!)) known++;
  }
  return 3 * known < all ? "order" : "stay";
}
