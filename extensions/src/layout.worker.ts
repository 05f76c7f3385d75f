/** Runs Graphviz off the page's thread. One message in, one message out, in order. */
import { Graphviz } from "@hpcc-js/wasm-graphviz";

interface Request {
  id: number;
  dot: string;
}

const scope = self as unknown as { postMessage(message: unknown): void; onmessage: unknown };
const loading = Graphviz.load();

/**
 * Graphviz measures a font it does not know as if it were Times, which is narrower than what the view draws with.
 * Inside a quoted string the quotes would have backslashes, so only the attribute is found.
 */
function measurable(dot: string): string {
  return dot.replaceAll(/\bfontname="sans-serif"(?=[\s,;\]])/g, "fontname=Helvetica");
}

scope.onmessage = async (event: MessageEvent<Request>) => {
  const { id, dot } = event.data;
  try {
    const graphviz = await loading;
    scope.postMessage({ id, svg: graphviz.layout(measurable(dot), "svg", "dot") });
  } catch (error) {
    scope.postMessage({ id, error: error instanceof Error ? error.message : String(error) });
  }
};
