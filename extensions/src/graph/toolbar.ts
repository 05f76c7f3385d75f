/** The controls above the drawing. They hold no state: the view says what to show. */
import { type Cleanup, h } from "../dom";
import type { GraphStage } from "../types";

export interface ToolbarEvents {
  stage(index: number): void;
  stepStage(direction: 1 | -1): void;
  against(value: string): void;
  mode(value: "flat" | "layers"): void;
  step(direction: 1 | -1): void;
  fade(on: boolean): void;
  colourBy(value: string): void;
  query(text: string): void;
  stepFound(direction: 1 | -1): void;
  zoom(factor: number): void;
  actualSize(): void;
  fit(): void;
  tidy(): void;
  parameters(on: boolean): void;
  save(format: "svg" | "png" | "dot"): void;
  copy(): void;
}

type Choice = readonly [value: string, words: string];

export class Toolbar {
  readonly element: HTMLElement;
  private readonly title = h("strong", { class: "pwb-title" });
  private readonly note = h("span", { class: "pwb-note" });
  private readonly status = h("span", { class: "pwb-status", role: "status" });
  private readonly stages = h("select", { class: "pwb-select pwb-stages", "aria-label": "Stage" });
  private readonly againstList = h("select", { class: "pwb-select", "aria-label": "Compared with" });
  private readonly colours = h("select", { class: "pwb-select", "aria-label": "Colour by" });
  private readonly flat: HTMLButtonElement;
  private readonly layers: HTMLButtonElement;
  private readonly fadeBox = h("input", { type: "checkbox" });
  private readonly parameterBox = h("input", { type: "checkbox" });
  private readonly search = h("input", {
    type: "search",
    class: "pwb-search",
    placeholder: "search: type:conv …",
    "aria-label": "Search ops",
    title: "Words in type, layer or names; type: name: layer: attr: shape: dtype: kernel: backend: mark: pass: op:, -word, /regex/",
  });
  private readonly foundWords = h("span", { class: "pwb-counter pwb-found", role: "status" });
  private readonly counter = h("span", { class: "pwb-counter" });
  private readonly percent = h("span", { class: "pwb-percent" });
  private readonly stageGroup: HTMLElement;
  private readonly changeGroup: HTMLElement;

  constructor(
    private readonly events: ToolbarEvents,
    private readonly cleanup: Cleanup,
  ) {
    const button = this.button.bind(this);
    this.flat = button("Flat", "Every op by itself (l)", () => events.mode("flat"));
    this.layers = button("Layers", "By layer: blocks that open in place (l)", () => events.mode("layers"));
    cleanup.listen(this.stages, "change", () => events.stage(Number(this.stages.value)));
    cleanup.listen(this.againstList, "change", () => events.against(this.againstList.value));
    cleanup.listen(this.colours, "change", () => events.colourBy(this.colours.value));
    cleanup.listen(this.fadeBox, "change", () => events.fade(this.fadeBox.checked));
    cleanup.listen(this.parameterBox, "change", () => events.parameters(this.parameterBox.checked));
    cleanup.listen(this.search, "input", () => events.query(this.search.value));
    cleanup.listen<KeyboardEvent>(this.search, "keydown", (event) => {
      if (event.key === "Enter") events.stepFound(event.shiftKey ? -1 : 1);
      else if (event.key === "Escape" && this.search.value) {
        this.search.value = "";
        events.query("");
      } else return;
      event.preventDefault();
    });
    this.stageGroup = group(
      "Stages",
      button("‹", "Stage before that changed the graph ([)", () => events.stepStage(-1)),
      this.stages,
      button("›", "Next stage that changed the graph (])", () => events.stepStage(1)),
    );
    this.changeGroup = group(
      "Changes",
      this.againstList,
      button("‹", "Previous change (p)", () => events.step(-1)),
      this.counter,
      button("›", "Next change (n)", () => events.step(1)),
      h("label", { class: "pwb-check", title: "Unchanged parts step back" }, this.fadeBox, "fade"),
    );
    this.element = h(
      "div",
      { class: "pwb-bar pwb-toolbar" },
      h("div", { class: "pwb-line" }, this.title, this.stageGroup, this.note, this.status),
      h(
        "div",
        { class: "pwb-line" },
        group("View", this.flat, this.layers),
        this.changeGroup,
        h("label", { class: "pwb-check" }, "colour", this.colours),
        group(
          "Search",
          this.search,
          button("‹", "Previous found (Shift+Enter)", () => events.stepFound(-1)),
          this.foundWords,
          button("›", "Next found (Enter)", () => events.stepFound(1)),
        ),
        group(
          "Zoom",
          button("−", "Zoom out (−)", () => events.zoom(1 / 1.25)),
          this.percent,
          button("+", "Zoom in (+)", () => events.zoom(1.25)),
          button("1:1", "Actual size (1)", () => events.actualSize()),
          button("Fit", "Show the whole graph (f)", () => events.fit()),
          button("Tidy", "Lay out afresh, without the gaps of ops that have gone (t)", () => events.tidy()),
        ),
        this.menu(),
      ),
    );
  }

  setWords(title: string, note: string, status: string, isError: boolean): void {
    this.title.textContent = title;
    this.title.hidden = !title;
    this.note.textContent = note;
    this.note.title = note;
    this.status.textContent = status;
    this.status.classList.toggle("pwb-error", isError);
  }

  setStages(stages: readonly GraphStage[], others: readonly GraphStage[], stage: number, against: string, choose: boolean): void {
    this.stageGroup.hidden = !choose || stages.length < 2;
    this.againstList.hidden = stages.length < 2 && others.length === 0;
    const name = ({ index, pass, changed, lowered }: GraphStage) =>
      `${index} ${pass ?? "model as loaded"}${changed ? " •" : ""}${lowered ? " (lowered to kernels before it)" : ""}`;
    fill(this.stages, stages.map((one) => [String(one.index), name(one)]), String(stage));
    const known: Choice[] = [
      ["before", "against: before the pass"],
      ["none", "against: nothing"],
      ...stages.map((one): Choice => [String(one.index), `against: ${name(one)}`]),
      ...others.map((one): Choice => [`other:${one.index}`, `against the other trace: ${name(one)}`]),
    ];
    fill(this.againstList, known, against);
  }

  setMode(mode: "flat" | "layers", hasLayers: boolean): void {
    this.flat.setAttribute("aria-pressed", String(mode === "flat"));
    this.layers.setAttribute("aria-pressed", String(mode === "layers"));
    this.layers.disabled = !hasLayers;
  }

  setColours(choices: readonly Choice[], chosen: string): void {
    fill(this.colours, choices, chosen);
  }

  setChecks(fade: boolean, parameters: boolean): void {
    this.fadeBox.checked = fade;
    this.parameterBox.checked = parameters;
  }

  setChanges(at: number, total: number, compared: boolean): void {
    // Without a comparison the list stays, to choose one.
    this.changeGroup.hidden = !compared && this.againstList.hidden;
    this.counter.textContent = !compared ? "" : total === 0 ? "no changes" : `${at < 0 ? "" : `${at + 1} of `}${total.toLocaleString("en")}`;
    for (const button of this.changeGroup.querySelectorAll("button")) button.disabled = total === 0;
  }

  setQuery(text: string): void {
    if (this.search.value !== text) this.search.value = text;
  }

  setFound(at: number, total: number | null, error: string): void {
    this.search.setAttribute("aria-invalid", String(error !== ""));
    const words = total === null ? "" : total === 0 ? "none" : `${at < 0 ? "" : `${at + 1} of `}${total.toLocaleString("en")}`;
    this.foundWords.textContent = error || words;
    this.foundWords.title = error;
    this.foundWords.classList.toggle("pwb-error", error !== "");
  }

  setZoom(zoom: number): void {
    const percent = zoom * 100;
    this.percent.textContent = percent < 1 ? `${percent.toPrecision(1)}%` : `${Math.round(percent)}%`;
  }

  focusSearch(): void {
    this.search.focus();
    this.search.select();
  }

  private menu(): HTMLElement {
    const { events } = this;
    const menu = h("details", { class: "pwb-menu" }, h("summary", { class: "pwb-button", title: "Save, copy, and more" }, "More ▾"));
    const item = (words: string, run: () => void) => {
      const button = this.button(words, words, () => {
        menu.open = false;
        run();
      });
      button.removeAttribute("aria-label");
      return button;
    };
    menu.append(
      h(
        "div",
        { class: "pwb-menu-items" },
        item("Save SVG drawing", () => events.save("svg")),
        item("Save PNG picture", () => events.save("png")),
        item("Save DOT text", () => events.save("dot")),
        item("Copy as text", () => events.copy()),
        h("label", { class: "pwb-check" }, this.parameterBox, "parameters as nodes"),
      ),
    );
    this.cleanup.listen<FocusEvent>(menu, "focusout", (event) => {
      if (event.relatedTarget && !menu.contains(event.relatedTarget as Node)) menu.open = false;
    });
    this.cleanup.listen<KeyboardEvent>(menu, "keydown", (event) => {
      if (event.key === "Escape") menu.open = false;
    });
    return menu;
  }

  private button(words: string, title: string, action: () => void): HTMLButtonElement {
    const made = h("button", { type: "button", class: "pwb-button", title, "aria-label": title }, words);
    this.cleanup.listen(made, "click", action);
    return made;
  }
}

function group(label: string, ...children: HTMLElement[]): HTMLElement {
  return h("div", { class: "pwb-group", role: "group", "aria-label": label }, ...children);
}

/** Sets a list's choices, leaving alone what is the same: an open list must not close. */
function fill(list: HTMLSelectElement, choices: readonly Choice[], chosen: string): void {
  const same = list.options.length === choices.length && choices.every(([value, words], at) => {
    const option = list.options[at]!;
    return option.value === value && option.textContent === words;
  });
  if (!same) list.replaceChildren(...choices.map(([value, words]) => h("option", { value }, words)));
  list.value = chosen;
}
