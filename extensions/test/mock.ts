/** A model as the notebook gives it, without a notebook. */
import type { Model, RenderContext, Stage } from "../src/types";

export class MockModel<T extends object> implements Model<T> {
  saves = 0;
  offline = false;
  /** What was asked of Python. */
  readonly sent: unknown[] = [];
  private handlers = new Map<string, Set<(content?: unknown) => void>>();

  constructor(private state: T) {}

  get<K extends keyof T & string>(name: K): T[K] {
    return this.state[name];
  }

  set<K extends keyof T & string>(name: K, value: T[K]): void {
    this.update({ [name]: value } as unknown as Partial<T>);
  }

  /** Several traits in one message, as Python's `hold_sync` sends them. */
  update(values: Partial<T>): void {
    const changed = Object.keys(values).filter(
      (name) => this.state[name as keyof T] !== values[name as keyof T],
    );
    this.state = { ...this.state, ...values };
    for (const name of changed)
      for (const handler of [...(this.handlers.get(`change:${name}`) ?? [])]) handler();
  }

  save_changes(): void {
    if (this.offline) throw new Error("comm is closed");
    this.saves += 1;
  }

  send(content: unknown): void {
    if (this.offline) throw new Error("comm is closed");
    this.sent.push(content);
  }

  /** An answer from Python. */
  receive(content: unknown): void {
    for (const handler of [...(this.handlers.get("msg:custom") ?? [])]) handler(content);
  }

  on(event: string, callback: (content?: unknown) => void): void {
    const known = this.handlers.get(event) ?? new Set();
    this.handlers.set(event, known.add(callback));
  }

  off(event: string, callback: (content?: unknown) => void): void {
    this.handlers.get(event)?.delete(callback);
  }

  get listeners(): number {
    return [...this.handlers.values()].reduce((sum, set) => sum + set.size, 0);
  }
}

const mounted: (() => void)[] = [];

export function mount<T extends object>(
  render: (context: RenderContext<T>) => () => void,
  state: T,
): { el: HTMLElement; model: MockModel<T>; unmount: () => void } {
  const el = document.createElement("div");
  el.style.width = "900px";
  document.body.append(el);
  const model = new MockModel(state);
  const unmount = render({ model, el });
  mounted.push(() => {
    unmount();
    el.remove();
  });
  return { el, model, unmount };
}

export function unmountAll(): void {
  for (const unmount of mounted.splice(0)) unmount();
}

export function one<E extends Element = HTMLElement>(root: ParentNode, selector: string): E {
  const found = root.querySelector<E>(selector);
  if (!found) throw new Error(`nothing matches ${selector}`);
  return found;
}

export function press(target: Element, key: string, options: KeyboardEventInit = {}): boolean {
  return target.dispatchEvent(
    new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...options }),
  );
}

export function stage(index: number, pass: string | null, more: Partial<Stage> = {}): Stage {
  const none = { changed: false, matches: null, ops: 73, added: 0, removed: 0, note: null, reason: null };
  return { index, pass, can_disable: pass !== null, ...none, ...more };
}
