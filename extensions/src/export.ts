/** A drawing as a file that looks the same outside the notebook. */
import { s } from "./dom";
import type { Drawn } from "./drawing";

/** Properties that the style sheet sets on parts of a drawing, and what they are without one. */
const painted: Record<string, string> = {
  fill: "",
  "fill-opacity": "1",
  stroke: "",
  "stroke-width": "1px",
  "stroke-dasharray": "none",
  opacity: "1",
  "paint-order": "normal",
};
const lettering: Record<string, string> = { "font-family": "", "font-weight": "400" };
const largestSide = 12_000;
const largestArea = 80_000_000;

/** The drawing as a stand-alone SVG in the colours it has on screen, on an opaque sheet. */
export function standaloneSvg(drawn: Drawn, background: string): SVGSVGElement {
  const { width, height } = drawn.size;
  const plain = colourReader();
  const content = drawn.content.cloneNode(true) as SVGGElement;
  const shown = [drawn.content, ...drawn.content.querySelectorAll("*")];
  const copies = [content, ...content.querySelectorAll("*")];
  shown.forEach((element, i) => {
    const target = copies[i]!;
    if (/^(path|polygon|polyline|ellipse|circle|rect|line|text)$/.test(target.localName)) {
      const style = getComputedStyle(element);
      const properties = target.localName === "text" ? { ...painted, ...lettering } : painted;
      for (const [name, usual] of Object.entries(properties)) {
        const value = style.getPropertyValue(name);
        if (value === usual) target.removeAttribute(name);
        else target.setAttribute(name, name === "fill" || name === "stroke" ? plain(value) : value);
      }
    }
    const { id } = (target as SVGElement).dataset;
    if (id) target.setAttribute("id", id);
    target.removeAttribute("data-id");
    target.removeAttribute("data-name");
  });
  return s(
    "svg",
    {
      xmlns: "http://www.w3.org/2000/svg",
      width: `${width}pt`,
      height: `${height}pt`,
      viewBox: `0 0 ${width} ${height}`,
    },
    s("rect", { width, height, fill: plain(background) }),
    content,
  );
}

export function svgBlob(svg: SVGSVGElement): Blob {
  return new Blob([new XMLSerializer().serializeToString(svg)], { type: "image/svg+xml" });
}

/** At twice its natural size, less where a browser's canvas could not hold it. */
export async function pngBlob(svg: SVGSVGElement, { width, height }: Drawn["size"]): Promise<Blob> {
  const scale = Math.min(
    (2 * 4) / 3,
    largestSide / width,
    largestSide / height,
    Math.sqrt(largestArea / (width * height)),
  );
  const url = URL.createObjectURL(svgBlob(svg));
  try {
    const image = new Image();
    await new Promise((resolve, reject) => {
      image.onload = resolve;
      image.onerror = () => reject(new Error("the browser could not read the drawing"));
      image.src = url;
    });
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(width * scale));
    canvas.height = Math.max(1, Math.round(height * scale));
    canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/png"));
    if (!blob) throw new Error("the drawing is too large for a picture");
    return blob;
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** Colours in the two forms every reader of SVG knows, whatever function the style sheet used. */
function colourReader(): (colour: string) => string {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const known = new Map<string, string>();
  return (colour) => {
    if (colour === "none" || !context) return colour;
    let result = known.get(colour);
    if (result === undefined) {
      context.clearRect(0, 0, 1, 1);
      context.fillStyle = colour;
      context.fillRect(0, 0, 1, 1);
      const [r, g, b, a = 255] = context.getImageData(0, 0, 1, 1).data;
      result =
        a === 0 ? "none" : a === 255 ? `rgb(${r},${g},${b})` : `rgba(${r},${g},${b},${(a / 255).toFixed(3)})`;
      known.set(colour, result);
    }
    return result;
  };
}
