/** The entry of the graph explorer: in a notebook, and in a page of its own. */
import { GraphView } from "./graph/view";
import type { GraphViewTraits, RenderContext } from "./types";

declare global {
  interface HTMLElement {
    /** The view drawn into this element: for tests and measurements. */
    graphView?: GraphView;
  }
}

export function render({ model, el }: RenderContext<GraphViewTraits>): () => void {
  const view = new GraphView(model, el);
  el.graphView = view;
  return () => {
    delete el.graphView;
    view.dispose();
  };
}

export { page } from "./graph/page";

export default { render };
