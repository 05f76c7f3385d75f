/** Numbers as they are shown, alike in the legend, the tip and the panel. */

const digits = 4;

/** Four digits; whole numbers under a million exactly, and powers of ten where there would be many zeros. */
export function shortNumber(value: number): string {
  const size = Math.abs(value);
  if (!Number.isFinite(value)) return String(value);
  if (size === 0) return "0";
  if (Number.isInteger(value) && size < 1e6) return value.toLocaleString("en");
  if (size < 0.001 || size >= 1e6) return power(value);
  const rounded = Number(value.toPrecision(digits));
  return Math.abs(rounded) >= 1e6 ? power(value) : rounded.toLocaleString("en", { maximumFractionDigits: 20 });
}

function power(value: number): string {
  const rounded = Number(value.toPrecision(digits));
  // The largest of all numbers rounds up to none.
  return (Number.isFinite(rounded) ? rounded : value).toExponential().replace("e+", "e");
}
