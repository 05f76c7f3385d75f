// Builds the two widgets, each into one self-contained ES module that needs no network at run time.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import esbuild from "esbuild";
import { inlineWorkers } from "./inline_worker.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const out = here("../workbench/ui/static");
const limit = 300_000;

const notice = {
  pass_list: "/*! Paddle Inference Workbench, pass list. Apache-2.0. */",
  graph_view: "/*! Paddle Inference Workbench, graph view. Apache-2.0. */",
};

for (const name of ["pass_list", "graph_view"]) {
  const file = `${out}/${name}.js`;
  await esbuild.build({
    entryPoints: [here(`src/${name}.ts`)],
    outfile: file,
    bundle: true,
    format: "esm",
    target: "es2022",
    platform: "browser",
    minify: true,
    charset: "utf8",
    legalComments: "eof",
    loader: { ".css": "text" },
    banner: { js: notice[name] },
    plugins: [inlineWorkers()],
  });
  const text = await readFile(file);
  const packed = gzipSync(text).length;
  console.log(`${name}.js  ${(text.length / 1000).toFixed(0)} kB, ${(packed / 1000).toFixed(0)} kB compressed`);
  if (packed > limit) throw new Error(`${name}.js is over ${limit} bytes compressed`);
}
