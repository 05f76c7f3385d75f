import { describe, expect, it } from "vitest";
import { counterText, isShown, matchesText, mergeRows, opsText } from "../src/rows";
import { stage } from "./mock";

const names = (rows: { pass: string | null }[]) => rows.map(({ pass }) => pass);

describe("mergeRows", () => {
  const before = [stage(0, null), stage(1, "a"), stage(2, "b"), stage(3, "c"), stage(4, "d")];
  const after = [stage(0, null), stage(1, "a"), stage(2, "d")];

  it("puts passes that did not run where they stood in the list before", () => {
    const known = mergeRows(before, [], []).map(({ key }) => key);
    const off = [
      { pass: "c", reason: null },
      { pass: "b", reason: null },
    ];
    expect(names(mergeRows(after, off, known))).toEqual([null, "a", "b", "c", "d"]);
  });

  it("puts them where their index says, and at the end when nothing is known", () => {
    const off = [
      { pass: "c", reason: null, index: 3 },
      { pass: "b", reason: null, index: 2 },
    ];
    expect(names(mergeRows(after, off, []))).toEqual([null, "a", "b", "c", "d"]);
    expect(names(mergeRows(after, [{ pass: "z", reason: null }], []))).toEqual([null, "a", "d", "z"]);
  });

  it("tells two runs of one pass apart and does not show a pass twice that runs again", () => {
    const rows = mergeRows([stage(0, null), stage(1, "a"), stage(2, "a")], [{ pass: "a", reason: null }], []);
    expect(rows.map(({ key }) => key)).toEqual(["#1", "a#1", "a#2"]);
  });
});

it("writes numbers the way people read them", () => {
  expect(matchesText(20)).toBe("20 matches");
  expect(matchesText(1)).toBe("1 match");
  expect(matchesText([130, 258])).toBe("130 + 258");
  expect(matchesText(null)).toBe("");
  expect(opsText(73, 53)).toBe("73 → 53");
  expect(opsText(53, 53)).toBe("53");
  expect(opsText(null, 73)).toBe("73");
  const stages = [stage(0, null, { changed: true }), stage(1, "a", { changed: true }), stage(2, "b")];
  expect(counterText(stages, 0, 3, 3)).toBe("1 of 2 passes changed the graph");
  expect(counterText(stages, 2, 1, 3)).toBe("1 of 2 passes changed the graph · 2 off · 1 of 3 rows shown");
});

it("filters by every word, in the note as well, and keeps what is off when hiding the unchanged", () => {
  const [loaded, quiet, busy, off] = mergeRows(
    [
      stage(0, null),
      stage(1, "conv_bn_fuse_pass"),
      stage(2, "fc_fuse_pass", { changed: true, note: "Slow" }),
    ],
    [{ pass: "x", reason: "off" }],
    [],
  );
  expect(isShown(quiet!, "fuse conv", false)).toBe(true);
  expect(isShown(quiet!, "fuse matmul", false)).toBe(false);
  expect(isShown(busy!, "slow", false)).toBe(true);
  expect([loaded, quiet, busy, off].map((row) => isShown(row!, "", true))).toEqual([true, false, true, true]);
});
