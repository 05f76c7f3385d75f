/** What the pass list shows, worked out apart from the page. */
import type { OffPass, Stage } from "./types";

export type Row =
  | { kind: "stage"; key: string; pass: string | null; stage: Stage; opsBefore: number | null }
  | { kind: "off"; key: string; pass: string; off: OffPass };

/**
 * One list of the stages that ran and the passes that did not.
 *
 * A pass that did not run stands where `off.index` says; without that where it stood in `known`, the keys of the
 * list shown before; failing both, at the end.
 */
export function mergeRows(stages: Stage[], offPasses: OffPass[], known: string[]): Row[] {
  const seen = new Map<string, number>();
  const rows: Row[] = stages.map((stage, i) => {
    const name = stage.pass ?? "";
    const nth = (seen.get(name) ?? 0) + 1;
    seen.set(name, nth);
    return {
      kind: "stage",
      key: `${name}#${nth}`,
      pass: stage.pass,
      stage,
      opsBefore: stages[i - 1]?.ops ?? null,
    };
  });
  // A pass that is about to run again is in both lists until it has: its stage says more.
  const missing = offPasses.filter(({ pass }) => !seen.has(pass));
  const indexed = missing.filter((off) => typeof off.index === "number");
  for (const off of [...indexed].sort((a, b) => a.index! - b.index!)) {
    rows.splice(Math.min(off.index!, rows.length), 0, offRow(off));
  }
  const rest = missing.filter((off) => typeof off.index !== "number");
  const oldPlace = (off: OffPass) => known.indexOf(`${off.pass}#1`);
  for (const off of [...rest].sort((a, b) => oldPlace(a) - oldPlace(b))) {
    rows.splice(placeAfter(rows, known, oldPlace(off)), 0, offRow(off));
  }
  return rows;
}

function offRow(off: OffPass): Row {
  return { kind: "off", key: `${off.pass}#1`, pass: off.pass, off };
}

/** Behind the nearest row that stood before place `at` in the old list and is still there. */
function placeAfter(rows: Row[], known: string[], at: number): number {
  for (let i = at - 1; i >= 0; i -= 1) {
    const found = rows.findIndex(({ key }) => key === known[i]);
    if (found >= 0) return found + 1;
  }
  return rows.length;
}

export function isShown(row: Row, filter: string, hideUnchanged: boolean): boolean {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const note = row.kind === "stage" ? row.stage.note : row.off.reason;
  const text = `${row.pass ?? loadedName} ${note ?? ""}`.toLowerCase();
  if (!words.every((word) => text.includes(word))) return false;
  if (!hideUnchanged || row.kind === "off") return true;
  return row.stage.changed || row.pass === null;
}

export const loadedName = "model as loaded";

/** "20 matches", "130 + 258", or nothing where the log gave no number. */
export function matchesText(matches: Stage["matches"]): string {
  if (matches === null) return "";
  if (Array.isArray(matches)) return matches.join(" + ");
  return matches === 1 ? "1 match" : `${matches} matches`;
}

export function opsText(before: number | null, after: number): string {
  return before === null || before === after ? `${after}` : `${before} → ${after}`;
}

export function counterText(stages: Stage[], off: number, shown: number, all: number): string {
  const passes = stages.filter(({ pass }) => pass !== null);
  const changed = passes.filter((stage) => stage.changed).length;
  const parts = [`${changed} of ${passes.length} passes changed the graph`];
  if (off) parts.push(`${off} off`);
  if (shown < all) parts.push(`${shown} of ${all} rows shown`);
  return parts.join(" · ");
}
