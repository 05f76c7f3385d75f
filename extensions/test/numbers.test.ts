import { expect, it } from "vitest";
import { shortNumber } from "../src/graph/numbers";

it.each([
  [0.06454599999999999, "0.06455"],
  [0.1 + 0.2, "0.3"],
  [-0.0012345678, "-0.001235"],
  [1.5e-7, "1.5e-7"],
  [12.34567, "12.35"],
  [12345.67, "12,350"],
  [802816, "802,816"],
  [-999999, "-999,999"],
  [999999.5, "1e6"],
  [1234567, "1.235e6"],
  [1e16 + 2, "1e16"],
  [0, "0"],
  [-0, "0"],
  [Infinity, "Infinity"],
  [NaN, "NaN"],
  [Number.MAX_VALUE, "1.7976931348623157e308"],
])("%d is shown as %s", (value, shown) => {
  expect(shortNumber(value)).toBe(shown);
});
