/**
 * What is measured inside the pages, ours and Netron's alike: runs before any script of theirs.
 *
 * A graph is shown when the frame after the one that drew it begins, so drawing it counts whole.
 */
(() => {
  /** Questions to workers and their answers: both sides lay out in one. */
  const layouts = [];
  window.Worker = class extends Worker {
    constructor(...args) {
      super(...args);
      this.addEventListener("message", ({ data }) => {
        const last = layouts.at(-1);
        if (last) Object.assign(last, { answered: performance.now(), own: data?.ms });
      });
    }

    postMessage(...args) {
      layouts.push({ asked: performance.now() });
      super.postMessage(...args);
    }
  };

  const frame = () => new Promise((resolve) => requestAnimationFrame(() => resolve(performance.now())));

  // Ours

  let view = null;
  const pictures = [];
  new PerformanceObserver((list) => {
    for (const entry of list.getEntriesByName("pwb-painted"))
      for (const resolve of pictures.splice(0)) resolve(entry.startTime);
  }).observe({ type: "mark" });

  const picture = () =>
    new Promise((resolve, reject) => {
      pictures.push(resolve);
      setTimeout(() => reject(new Error(document.querySelector(".pwb")?.innerText.slice(0, 300))), 120_000);
    });

  async function timed(action) {
    layouts.length = 0;
    const waiting = picture();
    const start = performance.now();
    action();
    const painted = await waiting;
    const shown = await frame();
    const { asked, answered, own } = layouts.at(-1);
    return { all: shown - start, before: asked - start, layout: answered - asked, own, after: shown - answered, painted: painted - start };
  }

  /** Shows a saved view in a fresh element. */
  async function show(address) {
    const [{ page }, data] = await Promise.all([import("/graph_view.js"), fetch(address).then((answer) => answer.json())]);
    view?.dispose();
    document.body.replaceChildren();
    await frame();
    const element = document.body.appendChild(document.createElement("div"));
    const times = await timed(() => {
      page(element, data);
      view = element.graphView;
    });
    return { ...times, nodes: view.picture.count };
  }

  /** Where the nodes are on the screen, but for removed ones: those make room for what replaces them. */
  function places() {
    const { picture, board } = view;
    const shown = [...picture.visible.nodes.entries()].filter(([, { mark }]) => mark !== 2);
    return new Map(
      shown.map(([node, { key }]) => {
        const { x, y } = board.camera.toScreen(picture.box(node));
        return [key, [x, y]];
      }),
    );
  }

  /** Goes to a stage. How many of the nodes that are in both pictures moved? */
  async function stage(number) {
    const before = places();
    const times = await timed(() => view.stage(number));
    let stayed = 0;
    let moved = 0;
    const shifts = new Set();
    for (const [key, [x, y]] of places()) {
      const old = before.get(key);
      if (!old) continue;
      stayed += 1;
      if (Math.abs(old[0] - x) < 0.5 && Math.abs(old[1] - y) < 0.5) continue;
      moved += 1;
      shifts.add(`${Math.round(x - old[0])} ${Math.round(y - old[1])}`);
    }
    // One shift of all of them is the eye that moved, many are a new layout.
    return { ...times, number, stayed, moved, shifts: shifts.size };
  }

  // Frames

  /** The time between the beginnings of frames in each of which `draw` is called. */
  async function frames(count, draw) {
    const times = [];
    for (let at = 0; at <= count; at++) {
      times.push(await frame());
      await draw(at);
    }
    return times.slice(1).map((time, at) => time - times[at]);
  }

  const looks = {
    fit: (camera) => camera.fitAll(),
    middle: (camera) => {
      camera.fitAll();
      camera.zoomTo(Math.sqrt(camera.zoom));
    },
    // Just above where a picture of the whole stands for the nodes: the most boxes and edges at once.
    boxes: (camera) => camera.zoomTo(0.06),
    actual: (camera) => camera.zoomTo(1),
  };

  /** Moves the view every frame, and redraws an empty canvas of its size as often: one after the other. */
  async function move(how, zooming, count) {
    const { board } = view;
    const { camera, canvas } = board;
    const empty = document.body.appendChild(document.createElement("canvas"));
    Object.assign(empty, { width: canvas.width, height: canvas.height });
    empty.style.cssText = `display: block; width: ${canvas.clientWidth}px; height: ${canvas.clientHeight}px`;
    const context = empty.getContext("2d", { alpha: false });
    looks[how](camera);
    camera.centre({ x: camera.graph.width / 2, y: camera.graph.height / 2, width: 0, height: 0 });
    const { zoom } = camera;
    // The first frame makes images that all others use: a person waits for it once.
    await new Promise((resolve) => board.painted(resolve));
    const first = board.paintMs;
    const scripts = [];
    const turn = (at) => (at % 30 < 15 ? 1 : -1);
    const ours = await frames(count, (at) => {
      if (zooming) camera.zoomTo(camera.zoom * (turn(at) > 0 ? 1.04 : 1 / 1.04));
      else camera.move(7 * turn(at), -23 * turn(at));
      board.painted(() => scripts.push(board.paintMs));
    });
    const theirs = await frames(count, (at) => {
      context.fillStyle = at % 2 ? "#fff" : "#fefefe";
      context.fillRect(0, 0, empty.width, empty.height);
    });
    empty.remove();
    const seen = view.picture.nodesIn(camera.seen).length;
    return { ours, theirs, scripts, first, zoom, seen };
  }

  // Netron

  const drawnNodes = () => document.querySelectorAll("#origin #nodes > *").length;
  // Netron gives its page this class when it takes the spinner away.
  const ready = () => document.body.classList.contains("default") && drawnNodes() > 0;

  /** From when Netron has the model to when its graph is on the screen. */
  async function netron() {
    const drawn = await new Promise((resolve) => {
      const check = () => {
        if (!ready()) return;
        observer.disconnect();
        resolve(performance.now());
      };
      const observer = new MutationObserver(check);
      observer.observe(document.body, { attributes: true });
      check();
    });
    await frame();
    const shown = await frame();
    const { asked, answered } = layouts.at(-1) ?? {};
    const model = performance.getEntriesByType("resource").find(({ name }) => new URL(name).pathname.startsWith("/data/"));
    return { all: shown - model.responseEnd, layout: answered - asked, drawn, navigation: shown, nodes: drawnNodes() };
  }

  // Netron takes eval away, by which Playwright asks a page.
  const own = window.eval;
  Object.defineProperty(window, "eval", { get: () => own, set: () => undefined });

  // Netron refuses to start half a year after its release. Its page alone has a date.
  addEventListener("DOMContentLoaded", () => {
    const date = document.querySelector("meta[name=date]");
    if (!date) return;
    date.content = new Date().toISOString().slice(0, 19).replace("T", " ");
    netron().then(
      (times) => Object.assign(measure, { times }),
      (error) => Object.assign(measure, { problem: String(error) }),
    );
  });

  /** What Netron's page says: a limit that passed counts only if it is really still at work. */
  const state = () => ({
    ready: ready(),
    classes: document.body.className,
    message: document.querySelector("#message-text")?.innerText ?? "",
    asked: layouts.length,
  });

  const measure = (window.measure = { show, stage, move, state });
})();
