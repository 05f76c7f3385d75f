/**
 * Graphviz's SVG, made safe. Labels and attributes in it come from model files, so nothing is trusted: a new tree
 * is built from the elements and attributes on two short lists, and all else is left behind.
 */

const elements = new Set([
  "svg",
  "g",
  "path",
  "polygon",
  "polyline",
  "ellipse",
  "circle",
  "rect",
  "line",
  "text",
  "tspan",
  "title",
  "defs",
  "linearGradient",
  "radialGradient",
  "stop",
]);

const attributes = new Set([
  "d",
  "points",
  "x",
  "y",
  "dx",
  "dy",
  "cx",
  "cy",
  "rx",
  "ry",
  "r",
  "x1",
  "y1",
  "x2",
  "y2",
  "width",
  "height",
  "viewBox",
  "transform",
  "fill",
  "fill-opacity",
  "stroke",
  "stroke-width",
  "stroke-opacity",
  "stroke-dasharray",
  "opacity",
  "text-anchor",
  "text-decoration",
  "baseline-shift",
  "font-size",
  "font-weight",
  "font-style",
  "font-family",
  "offset",
  "stop-color",
  "stop-opacity",
  "gradientUnits",
  "gradientTransform",
]);

const svgNamespace = "http://www.w3.org/2000/svg";
const xlinkNamespace = "http://www.w3.org/1999/xlink";

export class NotSvg extends Error {}

/**
 * Reads SVG text into a safe tree.
 *
 * Graphviz's ids are kept as `data-id`, because both panes and other views on the page have an `op0`, too. Links are
 * unwrapped; the tooltip of a node's link takes the place of its `<title>`, whose own text goes to `data-name`.
 */
export function cleanSvg(text: string): SVGSVGElement {
  const parsed = new DOMParser().parseFromString(text, "image/svg+xml");
  const root = parsed.documentElement;
  if (root.localName !== "svg" || root.namespaceURI !== svgNamespace || parsed.querySelector("parsererror")) {
    throw new NotSvg("Graphviz gave something that is not an SVG");
  }
  return copy(root, null) as SVGSVGElement;
}

function copy(source: Element, parent: Element | null): Element {
  const target = document.createElementNS(svgNamespace, source.localName);
  parent?.append(target);
  for (const { name, value } of source.attributes) {
    if (name === "id") target.setAttribute("data-id", value);
    else if (name === "class") copyClasses(target, value);
    else if (attributes.has(name) && harmless(value)) target.setAttribute(name, value);
  }
  copyChildren(source, target);
  return target;
}

function copyChildren(source: Element, target: Element): void {
  for (const child of source.childNodes) {
    if (child.nodeType === Node.TEXT_NODE || child.nodeType === Node.CDATA_SECTION_NODE) {
      const inText =
        target.localName === "text" || target.localName === "tspan" || target.localName === "title";
      if (inText) target.append((child as Text).data);
      continue;
    }
    if (!(child instanceof Element) || child.namespaceURI !== svgNamespace) continue;
    if (child.localName === "a") unwrap(child, target);
    else if (child.localName === "title") addTitle(target, child.textContent);
    else if (child.localName !== "svg" && elements.has(child.localName)) copy(child, target);
  }
}

function unwrap(link: Element, target: Element): void {
  const tooltip = link.getAttributeNS(xlinkNamespace, "title");
  const owner = target.closest(".node, .edge, .cluster");
  if (tooltip && owner) addTitle(owner, tooltip);
  copyChildren(link, target);
}

function addTitle(target: Element, text: string): void {
  const old = target.querySelector(":scope > title");
  if (old) {
    old.textContent = text;
    return;
  }
  if (text) target.setAttribute("data-name", text);
  const title = document.createElementNS(svgNamespace, "title");
  title.textContent = text;
  target.prepend(title);
}

/** Plain words only: a class such as `jp-Dialog` would bring the host page's style with it. */
function copyClasses(target: Element, value: string): void {
  for (const name of value.split(/\s+/)) if (/^[a-z][a-z0-9_]*$/i.test(name)) target.classList.add(name);
}

/** No reference to anything outside, and none inside either: ids are not kept. */
function harmless(value: string): boolean {
  return !/url\s*\(|javascript:|data:|&|</i.test(value);
}
