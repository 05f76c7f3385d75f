/** Which key does what. */
import type { ToolbarEvents } from "./toolbar";
import type { Way } from "./walking";

export interface KeyEvents
  extends Pick<ToolbarEvents, "step" | "stepStage" | "zoom" | "actualSize" | "fit" | "tidy"> {
  pan(dx: number, dy: number): void;
  page(direction: 1 | -1): void;
  toTop(): void;
  toEnd(): void;
  walk(way: Way): void;
  otherMode(): void;
  open(): void;
  escape(): void;
  focusSearch(): void;
}

type Keys = Readonly<Record<string, (to: KeyEvents) => void>>;

const panStep = 60;

/** In the drawing, while something is selected; with Shift the arrows move the drawing all the same. */
const selectionKeys: Keys = {
  ArrowUp: (to) => to.walk("up"),
  ArrowDown: (to) => to.walk("down"),
  ArrowLeft: (to) => to.walk("left"),
  ArrowRight: (to) => to.walk("right"),
};

const drawingKeys: Keys = {
  ArrowLeft: (to) => to.pan(panStep, 0),
  ArrowRight: (to) => to.pan(-panStep, 0),
  ArrowUp: (to) => to.pan(0, panStep),
  ArrowDown: (to) => to.pan(0, -panStep),
  PageUp: (to) => to.page(-1),
  PageDown: (to) => to.page(1),
  Home: (to) => to.toTop(),
  End: (to) => to.toEnd(),
  f: (to) => to.fit(),
  0: (to) => to.fit(),
  1: (to) => to.actualSize(),
  "+": (to) => to.zoom(1.25),
  "=": (to) => to.zoom(1.25),
  "-": (to) => to.zoom(1 / 1.25),
  l: (to) => to.otherMode(),
  t: (to) => to.tidy(),
  Enter: (to) => to.open(),
  Escape: (to) => to.escape(),
};

/** Wherever the focus is in the view, unless a person is typing. */
const viewKeys: Keys = {
  n: (to) => to.step(1),
  p: (to) => to.step(-1),
  "/": (to) => to.focusSearch(),
  "[": (to) => to.stepStage(-1),
  "]": (to) => to.stepStage(1),
};

/** Does what a key in the drawing is for; false where it is for nothing. */
export function drawingKey(event: KeyboardEvent, selecting: boolean, to: KeyEvents): boolean {
  const act = (selecting && !event.shiftKey ? selectionKeys[event.key] : undefined) ?? drawingKeys[event.key];
  act?.(to);
  return act !== undefined;
}

export function viewKey(event: KeyboardEvent, to: KeyEvents): void {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if ((event.target as Element).matches("input:not([type=checkbox]), select, textarea")) return;
  const act = viewKeys[event.key];
  if (!act) return;
  act(to);
  event.preventDefault();
  event.stopPropagation();
}
