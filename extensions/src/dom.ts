/** Helpers both widgets share: building elements, listening, styles, talking to the model. */
import type { Model } from "./types";

type Child = Node | string | null | undefined | false;

/** Builds an element; strings become text nodes, never markup. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string | number | boolean | null | undefined> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  setAttributes(element, attributes);
  for (const child of children) if (child) element.append(child);
  return element;
}

/** true gives an empty attribute; false, null and undefined take it away. */
export function setAttributes(
  element: Element,
  attributes: Record<string, string | number | boolean | null | undefined>,
): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) element.removeAttribute(name);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}

const svgNamespace = "http://www.w3.org/2000/svg";

export function s<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Record<string, string | number> = {},
  ...children: Child[]
): SVGElementTagNameMap[K] {
  const element = document.createElementNS(svgNamespace, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  for (const child of children) if (child) element.append(child);
  return element;
}

/** Collects what has to be undone when the view goes away. */
export class Cleanup {
  private tasks: (() => void)[] = [];

  add(task: () => void): void {
    this.tasks.push(task);
  }

  listen<E extends Event>(
    target: EventTarget,
    type: string,
    handler: (event: E) => void,
    options?: AddEventListenerOptions,
  ): void {
    target.addEventListener(type, handler as EventListener, options);
    this.add(() => target.removeEventListener(type, handler as EventListener, options));
  }

  observe<T extends object>(model: Model<T>, names: (keyof T & string)[], handler: () => void): void {
    for (const name of names) model.on(`change:${name}`, handler);
    this.add(() => {
      for (const name of names) model.off(`change:${name}`, handler);
    });
  }

  run(): void {
    for (const task of this.tasks.splice(0).reverse()) task();
  }
}

/** Calls `task` once, `delay` ms after the last call; `flush` does so at once. */
export function debounce(task: () => void, delay: number): (() => void) & { flush: () => void; cancel: () => void } {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const cancel = () => {
    clearTimeout(timer);
    timer = undefined;
  };
  const run = () => {
    cancel();
    task();
  };
  const later = () => {
    cancel();
    timer = setTimeout(run, delay);
  };
  return Object.assign(later, { flush: () => timer !== undefined && run(), cancel });
}

/** Sends what was set to the kernel. Without a kernel the view goes on working with what it has. */
export function save<T extends object>(model: Model<T>): void {
  try {
    model.save_changes();
  } catch (error) {
    console.warn("paddle workbench: no connection to the kernel", error);
  }
}

/** Puts a style sheet into the document or shadow root that holds `element`, once. */
export function injectStyle(element: Node, id: string, css: string): void {
  const found = element.getRootNode();
  const root = found instanceof ShadowRoot ? found : document.head;
  if (root.querySelector(`style[data-pwb="${id}"]`)) return;
  const style = h("style", { "data-pwb": id });
  style.textContent = css;
  root.append(style);
}

/** Keeps the notebook's one-key commands away from keys that are meant for the widget. */
export function ownKeys(element: HTMLElement): void {
  element.dataset.lmSuppressShortcuts = "true";
}

export function isDark(): boolean {
  const { jpThemeLight, vscodeThemeKind } = document.body.dataset;
  if (jpThemeLight !== undefined) return jpThemeLight === "false";
  return vscodeThemeKind?.includes("dark") ?? false;
}

export function onTheme(cleanup: Cleanup, handler: () => void): void {
  const observer = new MutationObserver(handler);
  observer.observe(document.body, {
    attributes: true,
    attributeFilter: ["data-jp-theme-light", "data-jp-theme-name", "data-vscode-theme-kind"],
  });
  cleanup.add(() => observer.disconnect());
}

export function download(name: string, content: Blob): void {
  const url = URL.createObjectURL(content);
  const link = h("a", { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

export function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
