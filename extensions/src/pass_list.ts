/** The passes of a trace as a list: what each did, a switch for each, one selected. */
import base from "./base.css?inline";
import { Cleanup, debounce, h, injectStyle, ownKeys, save, setAttributes } from "./dom";
import css from "./pass_list.css?inline";
import { counterText, isShown, loadedName, matchesText, mergeRows, opsText, type Row } from "./rows";
import type { Model, PassListTraits, RenderContext } from "./types";

const pageRows = 10;

interface ShownRow {
  row: Row;
  element: HTMLElement;
  toggle: HTMLElement | null;
}

class PassList {
  private readonly cleanup = new Cleanup();
  private readonly root: HTMLElement;
  private readonly list: HTMLElement;
  private readonly filter: HTMLInputElement;
  private readonly hide: HTMLInputElement;
  private readonly allOn: HTMLButtonElement;
  private readonly counter = h("span", { class: "pwb-counter", role: "status" });
  private readonly message = h("div", { class: "pwb-message", role: "status", hidden: true });
  private rows: Row[] = [];
  private shown: ShownRow[] = [];
  /** The row the keyboard is on. */
  private current = "";
  private readonly saveSoon: ReturnType<typeof debounce>;

  constructor(
    private readonly model: Model<PassListTraits>,
    private readonly el: HTMLElement,
  ) {
    this.filter = h("input", {
      type: "search",
      class: "pwb-input",
      placeholder: "Filter passes",
      "aria-label": "Filter passes by name",
      spellcheck: "false",
    });
    this.hide = h("input", { type: "checkbox" });
    this.allOn = h(
      "button",
      { type: "button", class: "pwb-button", title: "Switch every pass on again" },
      "All on",
    );
    this.list = h("div", { class: "pwb-rows", role: "grid", "aria-label": "Passes" });
    this.root = h(
      "div",
      { class: "pwb pwb-passes" },
      h(
        "div",
        { class: "pwb-bar" },
        this.filter,
        h("label", { class: "pwb-check" }, this.hide, "Hide unchanged"),
        this.allOn,
      ),
      this.list,
      h("div", { class: "pwb-foot" }, this.counter, this.message),
    );
    ownKeys(this.root);
    el.append(this.root);
    this.style();
    requestAnimationFrame(() => this.root.isConnected && this.style());

    this.saveSoon = debounce(() => save(model), 120);
    this.cleanup.add(() => this.saveSoon.flush());
    this.listen();
    this.cleanup.observe(model, ["stages", "off_passes"], () => this.build());
    this.cleanup.observe(model, ["filter", "hide_unchanged"], () => this.fill());
    this.cleanup.observe(model, ["disabled", "busy", "message", "height"], () => this.refresh());
    this.cleanup.observe(model, ["selected"], () => {
      this.refresh();
      this.showSelected();
    });
    this.build();
    this.showSelected();
  }

  dispose(): void {
    this.cleanup.run();
    this.root.remove();
  }

  private style(): void {
    injectStyle(this.el, "base", base);
    injectStyle(this.el, "passes", css);
  }

  // Rows

  private build(): void {
    const { model } = this;
    this.rows = mergeRows(
      model.get("stages"),
      model.get("off_passes"),
      this.rows.map(({ key }) => key),
    );
    this.fill();
  }

  /** Makes the rows that pass the filter; the keyboard's place survives. */
  private fill(): void {
    const { model } = this;
    const filter = model.get("filter");
    if (this.filter.value !== filter) this.filter.value = filter;
    this.hide.checked = model.get("hide_unchanged");
    const active = document.activeElement;
    const focused = this.shown.find(({ element }) => element.contains(active));
    const onSwitch = focused !== undefined && focused.toggle === active;

    this.shown = this.rows
      .filter((row) => isShown(row, filter, this.hide.checked))
      .map((row) => ({ row, ...this.makeRow(row) }));
    this.list.replaceChildren(
      ...(this.shown.length
        ? this.shown.map(({ element }) => element)
        : [
            h(
              "div",
              { class: "pwb-empty" },
              this.rows.length ? "No pass matches the filter." : "No passes yet.",
            ),
          ]),
    );
    this.refresh();
    if (focused) {
      const same = this.shown.find(({ row }) => row.key === focused.row.key);
      (onSwitch ? same?.toggle : same?.element)?.focus({ preventScroll: true });
    }
  }

  private makeRow(row: Row): { element: HTMLElement; toggle: HTMLElement | null } {
    const toggle = row.pass === null ? null : this.makeSwitch(row, row.pass);
    const cell = (kind: string, ...children: (Node | string | null)[]) =>
      h("span", { class: `pwb-cell pwb-${kind}`, role: "gridcell" }, ...children);
    const stage = row.kind === "stage" ? row.stage : null;
    const remark = row.kind === "stage" ? row.stage.note : row.off.reason;
    const name = h("span", { class: "pwb-pass" }, row.pass ?? loadedName);
    const twice = this.rows.filter(({ pass }) => pass !== null && pass === row.pass).length;
    const title = [
      row.pass ?? "The graph before any pass",
      twice > 1 ? `Runs ${twice} times in this pipeline: its switch holds for all of them.` : "",
      remark ?? "",
    ];
    const changed = stage?.changed === true && row.pass !== null;
    const element = h(
      "div",
      {
        role: "row",
        class: `pwb-row${changed ? " pwb-changed" : ""}${stage ? "" : " pwb-off"}`,
        title: title.filter(Boolean).join("\n"),
        tabindex: -1,
        "data-key": row.key,
        "data-stage": stage?.index,
      },
      cell("index", stage ? `${stage.index}` : ""),
      cell("toggle", toggle),
      cell("name", name, remark ? h("span", { class: "pwb-remark" }, remark) : null),
      cell("mark", changed ? h("span", { class: "pwb-chip" }, "changed") : stage ? "" : "did not run"),
      cell("matches", matchesText(stage?.matches ?? null)),
      cell(
        "ops",
        stage
          ? h(
              "span",
              { class: "pwb-total", title: "Ops in the graph" },
              opsText(row.kind === "stage" ? row.opsBefore : null, stage.ops),
            )
          : null,
      ),
      cell(
        "delta",
        stage?.added ? h("span", { class: "pwb-added" }, `+${stage.added}`) : null,
        stage?.removed ? h("span", { class: "pwb-removed" }, `−${stage.removed}`) : null,
      ),
    );
    return { element, toggle };
  }

  private makeSwitch(row: Row, pass: string): HTMLElement {
    return h("button", {
      type: "button",
      role: "switch",
      class: "pwb-switch",
      tabindex: -1,
      "aria-label": `Run ${pass}`,
      "data-pass": pass,
      "data-locked": row.kind === "stage" && !row.stage.can_disable,
    });
  }

  /** Brings everything that can change without new rows up to date. */
  private refresh(): void {
    const { model } = this;
    const disabled = new Set(model.get("disabled"));
    const selected = model.get("selected");
    const busy = model.get("busy");
    if (!this.shown.some(({ row }) => row.key === this.current)) {
      const row = this.shown.find((each) => stageOf(each.row) === selected) ?? this.shown[0];
      this.current = row?.row.key ?? "";
    }
    for (const { row, element, toggle } of this.shown) {
      const isSelected = stageOf(row) === selected;
      setAttributes(element, {
        "aria-selected": isSelected ? "true" : "false",
        tabindex: row.key === this.current ? 0 : -1,
      });
      if (!toggle || row.pass === null) continue;
      const on = !disabled.has(row.pass);
      const pending = row.kind === "stage" ? !on : on;
      element.classList.toggle("pwb-pending", pending);
      setAttributes(toggle, {
        "aria-checked": on ? "true" : "false",
        "aria-disabled": busy || toggle.dataset.locked !== undefined ? "true" : "false",
        tabindex: row.key === this.current ? 0 : -1,
        title: this.switchTitle(row, on, pending),
      });
    }
    this.root.classList.toggle("pwb-busy", busy);
    this.list.setAttribute("aria-busy", String(busy));
    this.list.setAttribute("aria-rowcount", String(this.shown.length));
    this.allOn.disabled = busy || disabled.size === 0;
    this.counter.textContent = counterText(
      model.get("stages"),
      disabled.size,
      this.shown.length,
      this.rows.length,
    );
    const message = model.get("message") || (busy ? "Working …" : "");
    this.message.textContent = message;
    this.message.hidden = !message;
    const height = model.get("height");
    this.root.style.setProperty("--pwb-list-height", height > 0 ? `${height}px` : "");
  }

  private switchTitle(row: Row, on: boolean, pending: boolean): string {
    if (row.kind === "stage" && !row.stage.can_disable)
      return row.stage.reason ?? "This pass cannot be switched off.";
    const state = pending ? ` (from the next run on: ${on ? "on" : "off"})` : "";
    return `${on ? "Switch off" : "Switch on"} ${row.pass}${state}`;
  }

  // What a person does

  private listen(): void {
    const { cleanup, model } = this;
    const saveFilter = debounce(() => save(model), 250);
    cleanup.add(saveFilter.flush);
    cleanup.listen(this.filter, "input", () => {
      model.set("filter", this.filter.value);
      this.fill();
      saveFilter();
    });
    cleanup.listen(this.hide, "change", () => {
      model.set("hide_unchanged", this.hide.checked);
      this.fill();
      save(model);
    });
    cleanup.listen(this.allOn, "click", () => this.setDisabled([]));
    cleanup.listen<MouseEvent>(this.list, "click", (event) => {
      const target = event.target as Element;
      const hit = this.shown.find(({ element }) => element.contains(target));
      if (!hit) return;
      this.current = hit.row.key;
      if (hit.toggle?.contains(target)) this.toggle(hit);
      else {
        this.select(hit);
        hit.element.focus({ preventScroll: true });
      }
    });
    cleanup.listen<KeyboardEvent>(this.list, "keydown", (event) => this.key(event));
  }

  private key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = this.shown.findIndex(({ element }) => element.contains(event.target as Node));
    const here = this.shown[at];
    if (!here) return;
    const onSwitch = event.target === here.toggle;
    const last = this.shown.length - 1;
    const moves: Record<string, number> = {
      ArrowUp: at - 1,
      ArrowDown: at + 1,
      PageUp: at - pageRows,
      PageDown: at + pageRows,
      Home: 0,
      End: last,
    };
    const to = moves[event.key];
    if (to !== undefined) {
      const next = this.shown[Math.max(0, Math.min(last, to))]!;
      this.current = next.row.key;
      this.select(next, true);
      (onSwitch && next.toggle ? next.toggle : next.element).focus({ preventScroll: true });
      this.bringIntoView(next.element);
    } else if (event.key === "ArrowRight" && !onSwitch) here.toggle?.focus({ preventScroll: true });
    else if (event.key === "ArrowLeft" && onSwitch) here.element.focus({ preventScroll: true });
    else if (event.key === " ") this.toggle(here);
    else if (event.key === "Enter") {
      if (onSwitch) this.toggle(here);
      else this.select(here);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** `soon`: arrow keys held down should not ask the kernel for every stage on the way. */
  private select({ row }: ShownRow, soon = false): void {
    const index = stageOf(row);
    if (index === null || index === this.model.get("selected")) {
      this.refresh();
      return;
    }
    this.model.set("selected", index);
    this.refresh();
    this.saveSoon();
    if (!soon) this.saveSoon.flush();
  }

  private toggle({ row, toggle }: ShownRow): void {
    if (!toggle || row.pass === null || toggle.getAttribute("aria-disabled") === "true") return;
    const disabled = this.model.get("disabled");
    this.setDisabled(
      disabled.includes(row.pass) ? disabled.filter((name) => name !== row.pass) : [...disabled, row.pass],
    );
  }

  private setDisabled(disabled: string[]): void {
    this.model.set("disabled", disabled);
    this.refresh();
    save(this.model);
  }

  private showSelected(): void {
    const row = this.shown.find((each) => stageOf(each.row) === this.model.get("selected"));
    if (row) requestAnimationFrame(() => this.bringIntoView(row.element));
  }

  /** Scrolls the list, never the page. */
  private bringIntoView(element: HTMLElement): void {
    const { list } = this;
    const top = element.offsetTop; // the list is what its rows are placed in
    if (top < list.scrollTop) list.scrollTop = top;
    else if (top + element.offsetHeight > list.scrollTop + list.clientHeight)
      list.scrollTop = top + element.offsetHeight - list.clientHeight;
  }
}

function stageOf(row: Row): number | null {
  return row.kind === "stage" ? row.stage.index : null;
}

export function render({ model, el }: RenderContext<PassListTraits>): () => void {
  const view = new PassList(model, el);
  return () => view.dispose();
}

export default { render };
