/** The changed ops as a table: for those who read rather than look. */
import { h, plural } from "../dom";
import { opTitle, showable } from "./describe";
import { Mark } from "./document";
import type { Scene } from "./scene";

const rowsMost = 300;
const signs: Record<Mark, string> = { [Mark.none]: "", [Mark.added]: "+ added", [Mark.removed]: "− removed", [Mark.altered]: "~ altered" };

export function changesTable(scene: Scene, go: (op: number) => void): { summary: HTMLElement; table: HTMLElement } {
  const changed: number[] = [];
  for (let op = 0; op < scene.count; op++) if (scene.markOf(op) !== Mark.none) changed.push(op);
  const body = h("tbody");
  const list = (values: Int32Array) => {
    const few = Array.from(values.subarray(0, 6), (value) => `${showable(scene.valueName(value), 40)} ${scene.valueType(value)}`);
    return few.join(", ") + (values.length > few.length ? " …" : "");
  };
  for (const op of changed.slice(0, rowsMost)) {
    const mark = scene.markOf(op);
    const link = h("button", { type: "button", class: "pwb-link", title: "Go to this op" }, opTitle(scene, op));
    link.dataset.op = String(op);
    const lines = scene.document.alterations[op]?.map((line) => showable(line, 120)).join("; ") ?? "";
    const cells = [showable(scene.layer(op), 80), lines || list(scene.inputsOf(op)), list(scene.outputsOf(op))];
    const name = ["", "added", "removed", "altered"][mark]!;
    body.append(
      h("tr", {}, h("td", { class: `pwb-${name}` }, signs[mark]), h("td", {}, link), ...cells.map((cell) => h("td", { title: cell }, cell))),
    );
  }
  body.addEventListener("click", (event) => {
    const button = (event.target as Element).closest<HTMLElement>("[data-op]");
    if (button) go(Number(button.dataset.op));
  });
  const heads = ["change", "op", "layer", "inputs, or what differs", "outputs"].map((text) => h("th", { scope: "col" }, text));
  const table = h("table", { class: "pwb-table", "aria-label": "Changed ops" }, h("thead", {}, h("tr", {}, ...heads)), body);
  if (changed.length > rowsMost)
    body.append(h("tr", {}, h("td", { colspan: 5 }, `and ${plural(changed.length - rowsMost, "more op")}`)));
  return { summary: h("summary", {}, `${plural(changed.length, "changed op")} as a table`), table };
}
