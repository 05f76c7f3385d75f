/** What the colours mean. */
import { h } from "../dom";
import type { Colouring } from "./colours";

export class Legend {
  readonly element = h("div", { class: "pwb-legend", role: "group", "aria-label": "Legend", hidden: true });

  show(colouring: Colouring | null, dark: boolean): void {
    this.element.hidden = !colouring;
    if (!colouring) return;
    const { scale, categories, title } = colouring;
    if (colouring.kind === "none") this.element.replaceChildren(h("div", {}, `${title}: nothing to colour here`));
    else if (scale) {
      const stops = Array.from({ length: 11 }, (_, at) => scale.barAt(at / 10, dark));
      const bar = h("div", { class: "pwb-scale" });
      bar.style.background = `linear-gradient(to right, ${stops.join(", ")})`;
      const ticks = h("div", { class: "pwb-ticks" });
      for (const { at, label } of scale.ticks) {
        const tick = h("span", {}, label);
        tick.style.left = `${at * 100}%`;
        ticks.append(tick);
      }
      this.element.replaceChildren(h("div", {}, scale.label), bar, ticks);
    } else
      this.element.replaceChildren(
        h("div", {}, title),
        ...categories.map(({ label, count, colour, dark: darkColour }) => {
          const swatch = h("span", { class: "pwb-swatch" });
          swatch.style.background = dark ? darkColour : colour;
          return h("div", { class: "pwb-category" }, swatch, h("span", { title: label }, label), h("span", {}, String(count)));
        }),
      );
  }
}
