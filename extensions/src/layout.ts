/** Turns DOT into SVG text in a worker that can be stopped at any time. */
import { reason } from "./dom";
import workerSource from "./layout.worker.ts?inline";

export type Drawing =
  | { kind: "svg"; svg: string }
  | { kind: "timeout"; seconds: number }
  | { kind: "error"; message: string }
  | { kind: "cancelled" };

interface Pending {
  id: number;
  settle(drawing: Drawing): void;
}

interface Reply {
  id: number;
  svg?: string;
  error?: string;
}

/** Text kept of earlier drawings: the graph before a pass is the graph after the last one. */
const cacheBytes = 24_000_000;

export class LayoutEngine {
  private worker: Worker | undefined;
  private pending: Pending | undefined;
  private counter = 0;
  private cache = new Map<string, string>();
  private cached = 0;

  /** Draws one graph. Only one drawing is under way at a time: a second call cancels the first. */
  draw(dot: string, seconds: number): Promise<Drawing> {
    this.cancel();
    const known = this.cache.get(dot);
    if (known !== undefined) {
      this.remember(dot, known);
      return Promise.resolve({ kind: "svg", svg: known });
    }
    let worker: Worker;
    try {
      worker = this.worker ??= this.start();
    } catch (error) {
      return Promise.resolve({ kind: "error", message: `the drawing worker did not start: ${reason(error)}` });
    }
    return new Promise((resolve) => {
      this.counter += 1;
      const timer = setTimeout(() => {
        this.stopWorker();
        pending.settle({ kind: "timeout", seconds });
      }, seconds * 1000);
      const pending: Pending = {
        id: this.counter,
        settle: (drawing) => {
          clearTimeout(timer);
          if (this.pending === pending) this.pending = undefined;
          if (drawing.kind === "svg") this.remember(dot, drawing.svg);
          resolve(drawing);
        },
      };
      this.pending = pending;
      worker.postMessage({ id: pending.id, dot });
    });
  }

  /** Stops what is under way. */
  cancel(): void {
    if (!this.pending) return;
    this.stopWorker();
    this.pending.settle({ kind: "cancelled" });
  }

  dispose(): void {
    this.cancel();
    this.stopWorker();
    this.cache.clear();
    this.cached = 0;
  }

  private start(): Worker {
    const url = URL.createObjectURL(new Blob([workerSource], { type: "text/javascript" }));
    const worker = new Worker(url);
    worker.onmessage = (event: MessageEvent<Reply>) => {
      URL.revokeObjectURL(url);
      const { id, svg, error } = event.data;
      if (this.pending?.id !== id) return;
      if (svg !== undefined) this.pending.settle({ kind: "svg", svg });
      else this.fail(error ?? "no reason given");
    };
    worker.onerror = (event) => {
      event.preventDefault();
      this.fail(event.message || "the drawing worker stopped");
    };
    return worker;
  }

  /** After an error the WebAssembly memory cannot be trusted: the next drawing gets a fresh worker. */
  private fail(cause: string): void {
    this.stopWorker();
    const message = /call stack|out of bounds|out of memory|unreachable/i.test(cause)
      ? `the graph is too deep or too large for Graphviz (${cause.trim()})`
      : cause.trim();
    this.pending?.settle({ kind: "error", message });
  }

  private stopWorker(): void {
    this.worker?.terminate();
    this.worker = undefined;
  }

  private remember(dot: string, svg: string): void {
    if (this.cache.delete(dot)) this.cached -= dot.length + svg.length;
    this.cache.set(dot, svg);
    this.cached += dot.length + svg.length;
    for (const [oldDot, oldSvg] of this.cache) {
      if (this.cached <= cacheBytes || this.cache.size === 1) break;
      this.cache.delete(oldDot);
      this.cached -= oldDot.length + oldSvg.length;
    }
  }
}
