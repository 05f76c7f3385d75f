import { afterEach, describe, expect, it, vi } from "vitest";
import { render } from "../src/pass_list";
import type { PassListTraits } from "../src/types";
import { mount, one, press, stage, unmountAll } from "./mock";

const stages = [
  stage(0, null),
  stage(1, "map_op_pass", { can_disable: false, reason: "Every pipeline needs it." }),
  stage(2, "conv_bn_fuse_pass", { changed: true, matches: 20, ops: 53, added: 8, removed: 28 }),
  stage(3, "fc_fuse_pass", { ops: 53 }),
  stage(4, "transfer_pass", { changed: true, matches: [130, 258], ops: 54, added: 1 }),
  stage(5, "fc_fuse_pass", { ops: 54 }),
];

function show(more: Partial<PassListTraits> = {}) {
  const shown = mount(render, {
    stages,
    disabled: [],
    off_passes: [],
    selected: 0,
    filter: "",
    hide_unchanged: false,
    busy: false,
    message: "",
    height: 0,
    ...more,
  });
  const rows = () => [...shown.el.querySelectorAll<HTMLElement>('[role="row"]')];
  const row = (n: number) => one(shown.el, `[data-stage="${n}"]`);
  const toggle = (n: number) => one(row(n), '[role="switch"]');
  return { ...shown, rows, row, toggle };
}

afterEach(unmountAll);

describe("what a row says", () => {
  it("has the numbers, and a mark in words where the graph changed", () => {
    const { el, rows, row } = show();
    expect(rows()).toHaveLength(6);
    expect(row(0).textContent).toContain("model as loaded");
    expect(row(0).querySelector('[role="switch"]')).toBeNull();
    expect(row(2).textContent).toContain("changed");
    expect(row(2).textContent).toContain("20 matches");
    expect(row(2).textContent).toContain("73 → 53");
    expect(row(2).textContent).toContain("+8−28");
    expect(row(3).textContent).not.toContain("changed");
    expect(row(4).textContent).toContain("130 + 258");
    expect(row(3).title).toContain("Runs 2 times");
    expect(one(el, ".pwb-foot").textContent).toContain("2 of 5 passes changed the graph");
  });

  it("never reads a name as markup", () => {
    const name = "<img src=x onerror=alert(1)>";
    const { el, row } = show({ stages: [stage(0, null), stage(1, name, { note: name })] });
    expect(el.querySelector("img")).toBeNull();
    expect(row(1).textContent).toContain(name);
  });
});

describe("switches", () => {
  it("set `disabled` by name, for all rows of a pass, and all on again", () => {
    const { el, model, toggle } = show();
    expect(toggle(3).getAttribute("aria-label")).toBe("Run fc_fuse_pass");
    toggle(3).click();
    expect(model.get("disabled")).toEqual(["fc_fuse_pass"]);
    expect(model.saves).toBe(1);
    expect(model.get("selected")).toBe(0);
    expect([3, 5, 2].map((n) => toggle(n).getAttribute("aria-checked"))).toEqual(["false", "false", "true"]);
    one<HTMLButtonElement>(el, ".pwb-bar .pwb-button").click();
    expect(model.get("disabled")).toEqual([]);
    expect(toggle(5).getAttribute("aria-checked")).toBe("true");
  });

  it("do nothing while a run is under way, nor where a pass must run", () => {
    const { model, toggle, row } = show({ busy: true });
    toggle(2).click();
    press(row(2), " ");
    expect(model.get("disabled")).toEqual([]);
    model.set("busy", false);
    expect(toggle(1).title).toBe("Every pipeline needs it.");
    toggle(1).click();
    expect(model.get("disabled")).toEqual([]);
    toggle(2).click();
    expect(model.get("disabled")).toEqual(["conv_bn_fuse_pass"]);
  });

  it("stay in the list, at their place, when their pass no longer runs", () => {
    const { model, rows, toggle } = show();
    toggle(2).click();
    model.update({
      stages: [stages[0]!, stages[1]!, stage(2, "fc_fuse_pass"), stage(3, "transfer_pass")],
      off_passes: [{ pass: "conv_bn_fuse_pass", reason: "switched off" }],
    });
    const off = rows()[2]!;
    expect(off.textContent).toContain("conv_bn_fuse_pass");
    expect(off.textContent).toContain("switched off");
    expect(one(off, '[role="switch"]').getAttribute("aria-checked")).toBe("false");
    one(off, '[role="switch"]').click();
    expect(model.get("disabled")).toEqual([]);
  });

  it("go on working when the kernel is gone", () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const { model, toggle } = show();
    model.offline = true;
    toggle(2).click();
    expect(toggle(2).getAttribute("aria-checked")).toBe("false");
    expect(warn).toHaveBeenCalled();
    warn.mockRestore();
  });
});

describe("selecting", () => {
  it("follows click and keys with one tab stop", async () => {
    const { el, model, row, toggle } = show();
    row(2).click();
    expect(model.get("selected")).toBe(2);
    expect(row(2).getAttribute("aria-selected")).toBe("true");
    expect(row(0).getAttribute("aria-selected")).toBe("false");
    expect(el.querySelectorAll('[role="row"][tabindex="0"]')).toHaveLength(1);
    press(row(2), "ArrowDown");
    expect(model.get("selected")).toBe(3);
    expect(document.activeElement).toBe(row(3));
    press(row(3), "End");
    expect(model.get("selected")).toBe(5);
    press(row(5), "Home");
    press(row(0), "ArrowUp");
    expect(model.get("selected")).toBe(0);
    press(row(0), "ArrowDown");
    press(row(1), "ArrowDown");
    press(row(2), "ArrowRight");
    expect(document.activeElement).toBe(toggle(2));
    press(toggle(2), "Enter");
    expect(model.get("disabled")).toEqual(["conv_bn_fuse_pass"]);
    press(toggle(2), "ArrowLeft");
    expect(document.activeElement).toBe(row(2));
    await expect.poll(() => model.saves).toBeGreaterThanOrEqual(3);
  });

  it("follows Python, and the focus survives new stages", () => {
    const { model, row } = show();
    model.set("selected", 4);
    expect(row(4).getAttribute("aria-selected")).toBe("true");
    row(3).focus();
    model.set("stages", [...stages]);
    expect(document.activeElement).toBe(row(3));
  });
});

describe("filtering", () => {
  it("hides rows by words and by change and says how many are left", () => {
    const { el, model, rows } = show();
    const input = one<HTMLInputElement>(el, 'input[type="search"]');
    input.value = "fuse";
    input.dispatchEvent(new Event("input", { bubbles: true }));
    expect(model.get("filter")).toBe("fuse");
    expect(rows()).toHaveLength(3);
    one<HTMLInputElement>(el, 'input[type="checkbox"]').click();
    expect(model.get("hide_unchanged")).toBe(true);
    expect(rows()).toHaveLength(1);
    expect(one(el, ".pwb-foot").textContent).toContain("1 of 6 rows shown");
    model.update({ filter: "nothing", hide_unchanged: false });
    expect(rows()).toHaveLength(0);
    expect(el.textContent).toContain("No pass matches");
    model.set("filter", "");
    expect(input.value).toBe("");
    expect(rows()).toHaveLength(6);
  });
});

it("shows messages, is quick with 60 rows, and cleans up", () => {
  const many = Array.from({ length: 60 }, (_, i) =>
    stage(i, i ? `pass_number_${i}` : null, { changed: i % 3 === 0 }),
  );
  const { el, model, unmount, rows } = show({ message: "Rerun to apply" });
  expect(one(el, ".pwb-message").textContent).toBe("Rerun to apply");
  const start = performance.now();
  for (let i = 0; i < 10; i += 1) model.set("stages", [...many]);
  expect((performance.now() - start) / 10).toBeLessThan(50);
  expect(rows()).toHaveLength(60);
  unmount();
  expect(model.listeners).toBe(0);
  expect(el.childElementCount).toBe(0);
});
