// Builds dist/ from src/: one script, one style sheet, both packed. `--check` compares instead of writing.
import { readFile, writeFile, mkdir } from "node:fs/promises";
import { gunzipSync, gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = new URL(".", import.meta.url);
const banner =
  "/* Guike, Apache-2.0. Contains Apache ECharts and zrender (Apache-2.0 and BSD-3-Clause), tslib (0BSD) and htmx (0BSD): " +
  "see NOTICE. */";

const { outputFiles } = await build({
  absWorkingDir: here.pathname,
  entryPoints: ["src/app.js", "src/app.css"],
  bundle: true,
  minify: true,
  write: false,
  outdir: "dist",
  format: "iife",
  target: ["es2020", "chrome100", "firefox100", "safari15"],
  charset: "utf8",
  legalComments: "none",
  banner: { js: banner },
});

const check = process.argv.includes("--check");
if (!check) await mkdir(new URL("dist/", here), { recursive: true });
let stale = 0;
for (const { path, contents } of outputFiles) {
  // only packed: every browser unpacks, and a client that says nothing of encodings takes any (RFC 9110, 12.5.3)
  const file = new URL("dist/" + path.split("/").pop() + ".gz", here);
  const packed = gzipSync(contents, { level: 9 });
  if (!check) {
    await writeFile(file, packed);
    console.log(`${path.split("/").pop()}: ${contents.length} bytes, ${packed.length} packed`);
    continue;
  }
  // packed bytes may differ between versions of zlib, what is in them may not
  const committed = await readFile(file).then(gunzipSync, () => Buffer.alloc(0));
  if (!committed.equals(contents)) {
    console.error(`${file.pathname} is not what src/ gives; run \`npm ci && npm run build\` in crates/guike-server/dashboard`);
    stale += 1;
  }
}
process.exitCode = stale > 0 ? 1 : 0;
