// `import source from "./x.worker.ts?inline"` gives the worker, bundled, as text: it is started from a Blob,
// so that a widget stays one file. The same for esbuild (the build) and for Vite (the tests).
import path from "node:path";
import esbuild from "esbuild";

const suffix = "?inline";

async function bundle(file) {
  const result = await esbuild.build({
    entryPoints: [file],
    bundle: true,
    write: false,
    format: "iife",
    target: "es2022",
    platform: "browser",
    minify: true,
    charset: "utf8",
    legalComments: "inline",
  });
  return result.outputFiles[0].text;
}

export function inlineWorkers() {
  return {
    name: "inline-worker",
    setup(build) {
      build.onResolve({ filter: /\.worker\.ts\?inline$/ }, (args) => ({
        path: path.resolve(args.resolveDir, args.path.slice(0, -suffix.length)),
        namespace: "inline-worker",
      }));
      build.onLoad({ filter: /.*/, namespace: "inline-worker" }, async (args) => ({
        contents: await bundle(args.path),
        loader: "text",
      }));
    },
  };
}

export function inlineWorkersForVite() {
  return {
    name: "inline-worker",
    enforce: "pre",
    async load(id) {
      if (!id.endsWith(`.worker.ts${suffix}`)) return null;
      return `export default ${JSON.stringify(await bundle(id.slice(0, -suffix.length)))}`;
    },
  };
}
