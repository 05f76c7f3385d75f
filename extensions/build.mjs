// Builds the two widgets, each into one self-contained ES module that needs no network at run time.
import { stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import esbuild from "esbuild";
import { inlineWorkers } from "./inline_worker.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const out = here("../workbench/ui/static");
const limit = 1_400_000;

const notice = {
  pass_list: "/*! Paddle Inference Workbench, pass list. Apache-2.0. */",
  graph_view: `/*! Paddle Inference Workbench, graph view. Apache-2.0.
 * Contains @hpcc-js/wasm-graphviz (Apache-2.0) and, compiled to WebAssembly, Graphviz (Eclipse Public
 * License 2.0), Expat (MIT) and fzstd (MIT). Sources and licences: extensions/THIRD_PARTY.md. */`,
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
  const { size } = await stat(file);
  console.log(`${name}.js  ${(size / 1000).toFixed(0)} kB`);
  if (size > limit) throw new Error(`${name}.js is over ${limit} bytes`);
}
