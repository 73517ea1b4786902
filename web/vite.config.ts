import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { gzipSync } from "fflate";
import { defineConfig, type Plugin } from "vite";

const VERSION = /__version__ = "(.+)"/.exec(readFileSync("../src/lookonce/__init__.py", "utf8"))![1];
const DCM2NIIX = `${import.meta.dirname}/node_modules/@niivue/dcm2niix/dist/dcm2niix.jpeg`;
const IN_WORKERS = ["@niivue/dcm2niix", "fast-png", "fflate", "iobuffer", "onnxruntime-web", "tiff"];
const WEIGHTS = "../src/lookonce/weights";
const RUNTIME = "node_modules/onnxruntime-web/dist";

/**
 * Put ONNX Runtime's WebAssembly beside the page, packed: a quarter of the size, and the page unpacks it itself, so any
 * server of static files will do. Packed by a library of the lock file, so that the same sources give the same bytes.
 */
function runtimeFiles(): Plugin {
  return {
    name: "runtime-files",
    generateBundle() {
      for (const variant of ["ort-wasm-simd-threaded", "ort-wasm-simd-threaded.jspi"]) {
        const [glue, binary] = [".mjs", ".wasm"].map((ending) => readFileSync(`${RUNTIME}/${variant}${ending}`));
        this.emitFile({ type: "asset", fileName: `runtime/${variant}.mjs`, source: glue });
        const packed = gzipSync(binary, { level: 9, mtime: 0 });
        this.emitFile({ type: "asset", fileName: `runtime/${variant}.wasm.gz`, source: packed });
      }
    },
  };
}

/** Name the libraries in the workers with their licences: Vite's own list is of the page alone. */
function workerLicenses(): Plugin {
  return {
    name: "worker-licenses",
    generateBundle() {
      const parts = IN_WORKERS.map((name) => {
        const { version, license } = JSON.parse(readFileSync(`node_modules/${name}/package.json`, "utf8"));
        const text = `node_modules/${name}/LICENSE`;
        return `## ${name} - ${version} (${license})\n${existsSync(text) ? `\n${readFileSync(text, "utf8")}` : ""}`;
      });
      this.emitFile({ type: "asset", fileName: "licenses-workers.md", source: parts.join("\n") });
    },
  };
}

/** Let the page offer the networks for pictures that the package comes with, and no others. */
function offeredNetworks(): Plugin {
  const cards = readdirSync(WEIGHTS).filter((name) => name.endsWith(".json"));
  const names = cards
    .filter((name) => JSON.parse(readFileSync(`${WEIGHTS}/${name}`, "utf8")).task === "masks")
    .map((name) => name.replace(".json", ""))
    .filter((name) => existsSync(`${WEIGHTS}/${name}.onnx`));
  return {
    name: "offered-networks",
    transformIndexHtml: (html) => html.replace('data-pictures=""', `data-pictures="${names.sort().join(" ")}"`),
  };
}

/** Leave with the page a digest of what it was built from, by which a test sees that it is not out of date. */
function sourceDigest(): Plugin {
  return {
    name: "source-digest",
    generateBundle() {
      const digest = createHash("sha256").update(VERSION);
      const sources = readdirSync("src", { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => `${entry.parentPath}/${entry.name}`);
      for (const name of [...sources, "index.html", "package-lock.json", "vite.config.ts"].sort()) {
        digest.update(`${name}\n`).update(readFileSync(name));
      }
      this.emitFile({ type: "asset", fileName: "sources.sha256", source: digest.digest("hex") + "\n" });
    },
  };
}

export default defineConfig({
  // Every address is relative, so that the page may lie in any folder of a server.
  base: "./",
  define: { __VERSION__: JSON.stringify(VERSION) },
  plugins: [offeredNetworks(), runtimeFiles(), workerLicenses(), sourceDigest()],
  resolve: {
    conditions: ["onnxruntime-web-use-extern-wasm", "module", "browser", "import"],
    alias: [
      // Codecs of a format that NiiVue reads and this page does not open: a megabyte and a half.
      { find: /^numcodecs\/(blosc|lz4|zstd)$/, replacement: `${import.meta.dirname}/src/page/absent.ts` },
      // The package hands on its own worker alone; see src/dicom/worker.ts.
      { find: /^dcm2niix-module\.wasm/, replacement: `${DCM2NIIX}.wasm` },
      { find: /^dcm2niix-module$/, replacement: `${DCM2NIIX}.js` },
    ],
  },
  worker: { format: "es" },
  build: {
    outDir: "../src/lookonce/server/page",
    emptyOutDir: true,
    target: "es2022",
    // The page's policy allows no code from data URLs.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // The page hands on other people's code, whose licences ask to be named.
    license: { fileName: "licenses.md" },
    chunkSizeWarningLimit: 4000,
  },
});
