/** The changed ops as a table: beside the drawing, or in its place. */
import { h } from "./dom";
import { signGlyph } from "./drawing";
import type { ChangeRow, Sign } from "./types";

const firstRows = 200;

const signNames: Record<string, Sign> = {
  "+": "added",
  "-": "removed",
  "−": "removed",
  "~": "altered",
  added: "added",
  removed: "removed",
  altered: "altered",
};

export function changesTable(rows: ChangeRow[], limit = firstRows): HTMLElement {
  const body = h("tbody");
  for (const row of rows.slice(0, limit)) {
    const sign = signNames[row.sign];
    body.append(
      h(
        "tr",
        {},
        h("td", { class: sign && `pwb-${sign}` }, sign ? `${signGlyph[sign]} ${sign}` : row.sign),
        ...[row.type, row.name, row.inputs, row.outputs].map((cell) => {
          const text = Array.isArray(cell) ? cell.join(", ") : cell;
          return h("td", { title: text }, text);
        }),
      ),
    );
  }
  const table = h(
    "table",
    { class: "pwb-table", "aria-label": "Changed ops" },
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        ...["Change", "Op", "Name", "Inputs", "Outputs"].map((name) => h("th", { scope: "col" }, name)),
      ),
    ),
    body,
  );
  const scroller = h(
    "div",
    { class: "pwb-table-scroll", tabindex: 0, role: "region", "aria-label": "Changed ops" },
    table,
  );
  if (rows.length > limit) {
    const all = h("button", { type: "button", class: "pwb-button pwb-more" }, `Show all ${rows.length} rows`);
    all.addEventListener("click", () => scroller.replaceWith(changesTable(rows, rows.length)));
    scroller.append(all);
  }
  return scroller;
}
