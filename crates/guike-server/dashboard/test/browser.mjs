// Looks at every page in a real browser: `node test/browser.mjs GUIKE FOLDER` makes a shop and a model with this binary in
// FOLDER and serves them; an address in place of GUIKE looks at a server that is already there.
// Every page × 2 languages × 2 themes: nothing serious from axe, nothing on the console, no request to another host,
// every chart drawn, within the weight. Screenshots go to FOLDER. What is wrong is printed, and the exit code is 1.
import { spawn, spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { chromium } from "playwright-core";
import { provider } from "./provider.mjs";

const [guike, folder] = process.argv.slice(2);
const executablePath = process.env.GUIKE_CHROMIUM || "/usr/bin/chromium";
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PAGES = ["/", "/customers", "/customers/:first", "/customers/:first/why", "/audiences", "/tiers", "/rfm", "/quality", "/explain", "/retention", "/drift", "/jobs", "/models", "/models/:first"];
const MOST_BYTES = 500_000;
await rm(folder, { recursive: true, force: true });
await mkdir(folder, { recursive: true });

/** Runs guike in the folder; its output, or the end of everything. */
function run(...args) {
  const { status, stdout, stderr } = spawnSync(guike, args, { cwd: folder, encoding: "utf8", maxBuffer: 1 << 26 });
  if (status !== 0) throw new Error(`guike ${args.join(" ")} ended with ${status}: ${stderr}`);
  return stdout;
}

/** A shop with earlier runs to compare with, and a model of a table, served on a free port. */
async function serve() {
  run("demo", "--out", "demo");
  const log = "demo/orders.csv.gz";
  const until = (day, ...more) =>
    run("run", log, "--workspace", "shop", "--cutoff", day, "--horizon", "90d", "--budget", "fast", ...more);
  until("1997-07-02");
  until("1997-08-31");
  until("1997-09-30", "--previous", "shop/runs/0002/tiers.csv");
  run("models", "promote", "shop", "3", "--workspace", "shop", "--force", "--reason", "to look at it");
  await writeFile(`${folder}/customers.csv`, run("simulate", "customers", "--n", "600", "--seed", "1"));
  run("train", "customers.csv", "--target", "value", "--out", "value-model");
  const server = await listen("shop", "value-model", "--orders", "demo/orders.csv.gz");
  const body = await readFile(`${folder}/customers.csv`);
  const asked = await fetch(server.origin + "/v1/jobs?kind=train&name=offers&target=value&model=decision-tree", {
    method: "POST", body, headers: { "content-type": "text/csv" },
  });
  if (!asked.ok) throw new Error(`a job was answered with ${asked.status}: ${await asked.text()}`);
  let job = await asked.json();
  for (let i = 0; i < 300 && ["queued", "running"].includes(job.state); i++) {
    await new Promise((later) => setTimeout(later, 100));
    job = await (await fetch(`${server.origin}/v1/jobs/${job.id}`)).json();
  }
  if (job.state !== "done") throw new Error(`the job is ${job.state}: ${job.trouble}`);
  return server;
}

/** A server of these things, on a free port where they name none. */
async function listen(...what) {
  const where = what.includes("--addr") ? [] : ["--addr", "127.0.0.1:0"];
  const server = spawn(guike, ["serve", ...what, ...where], { cwd: folder });
  const origin = await new Promise((found, failed) => {
    let said = "";
    server.stderr.on("data", (text) => {
      said += text;
      const at = /at (http:\/\/[\d.:]+)/.exec(said);
      if (at) found(at[1]);
    });
    server.on("exit", () => failed(new Error(said)));
  });
  // what the next server needs (its audit log, its port) is free only when this one has ended
  const ended = new Promise((done) => server.on("exit", done));
  return { origin, end: () => (server.kill(), ended) };
}
const server = guike.startsWith("http") ? { origin: guike, end() {} } : await serve();
const { origin } = server;
process.on("exit", () => server.end());

const wrong = [];
let weight = 0;
const is = (fact, what) => fact || wrong.push(what);
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });

async function open(options, of = origin) {
  // axe is put into the page by the browser itself, past the page's policy, which stays as it is for the page's own code
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const seen = { bytes: 0 };
  page.on("console", (m) => ["error", "warning"].includes(m.type()) && wrong.push(`${page.url()}: console: ${m.text()}`));
  page.on("pageerror", (e) => wrong.push(`${page.url()}: ${e.message}`));
  page.on("request", (r) => {
    const url = r.url();
    is(url.startsWith(of) || /^(data|blob):/.test(url), `${page.url()}: asked ${url}`);
  });
  page.on("requestfinished", async (r) => {
    const size = await r.sizes().catch(() => null);
    if (size) seen.bytes += size.responseBodySize + size.responseHeadersSize;
  });
  return { context, page, seen };
}

/** The charts that are not drawn: no canvas, or one of a single colour. */
const blank = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll("[data-chart]")].filter((box) => {
      const canvas = box.querySelector("canvas");
      if (!canvas || !canvas.width || !canvas.height) return true;
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      const colours = new Set();
      for (let i = 0; i < data.length && colours.size < 3; i += 4 * 7) {
        if (data[i + 3] > 0) colours.add((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]);
      }
      return colours.size < 2;
    }).map((box) => box.dataset.chart),
  );

async function accessible(page, name) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  for (const v of violations.filter((v) => ["serious", "critical"].includes(v.impact))) {
    wrong.push(`${name}: axe ${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(" | ")}`);
  }
}

// which customer and which model there are
const finder = await open({});
const firstLink = async (path, start) => {
  await finder.page.goto(origin + path);
  return finder.page.locator(`main a[href^="${start}"]`).first().getAttribute("href");
};
const first = await firstLink("/customers", "/customers/");
const links = { "/customers/:first": first, "/customers/:first/why": `${first}/why`, "/models/:first": await firstLink("/models", "/models/") };
await finder.context.close();

for (const lang of ["en", "zh"]) {
  for (const theme of ["light", "dark"]) {
    const { context, page, seen } = await open({ colorScheme: theme, locale: lang === "en" ? "en-GB" : "zh-CN" });
    for (const path of PAGES) {
      const name = `${path.replace(/\W+/g, "-").replace(/^-|-$/g, "") || "overview"}-${lang}-${theme}`;
      seen.bytes = 0;
      const response = await page.goto(origin + (links[path] || path), { waitUntil: "load" });
      is(response.status() === 200, `${name}: status ${response.status()}`);
      is((await page.getAttribute("html", "lang")).startsWith(lang), `${name}: not in ${lang}`);
      for (const chart of await blank(page)) wrong.push(`${name}: chart ${chart} is blank`);
      const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      is(over <= 0, `${name}: ${over} pixels too wide`);
      await accessible(page, name);
      weight = Math.max(weight, seen.bytes);
      is(seen.bytes <= MOST_BYTES, `${name}: ${seen.bytes} bytes`);
      await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
    }
    await context.close();
  }
}

// on a phone nothing is cut off
{
  const { context, page } = await open({ viewport: { width: 360, height: 740 }, deviceScaleFactor: 2 });
  for (const path of PAGES) {
    await page.goto(origin + (links[path] || path), { waitUntil: "load" });
    const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    is(over <= 0, `phone ${path}: ${over} pixels too wide`);
    for (const chart of await blank(page)) wrong.push(`phone ${path}: chart ${chart} is blank`);
    await page.screenshot({ path: `${folder}/phone-${path.replace(/\W+/g, "-") || "overview"}.png`, fullPage: true });
  }
  await context.close();
}

// what one does there
{
  const { context, page } = await open({ acceptDownloads: true });
  await page.goto(origin + "/");
  await page.keyboard.press("Tab");
  is(await page.evaluate(() => document.activeElement.className === "skip"), "the first stop of the keyboard is no way past the navigation");
  await page.keyboard.press("Enter");
  is(await page.evaluate(() => location.hash === "#main"), "the way past the navigation leads nowhere");

  await page.locator("summary").first().click();
  is(await page.locator("details table").first().isVisible(), "a chart's table does not open");
  const [table] = await Promise.all([page.waitForEvent("download"), page.locator("[data-save]").first().click()]);
  is((await readFile(await table.path(), "utf8")).trim().split("\n").length > 2, "a chart's table is saved without rows");

  await page.goto(origin + "/customers");
  const all = await page.locator("#results [role=status]").innerText();
  const id = await page.locator("#results tbody th a").nth(1).innerText();
  await page.fill("#prefix", id);
  await page.waitForFunction((before) => document.querySelector("#results [role=status]").innerText !== before, all);
  is(page.url().includes("prefix="), "a search is not in the address");
  is((await page.locator("#results tbody tr").count()) < 50, "a search finds everybody");
  const [file] = await Promise.all([page.waitForEvent("download"), page.locator("#results a[download]").first().click()]);
  is((await readFile(await file.path(), "utf8")).includes(id), "the exported file lacks who was found");

  await page.fill("#audience", "who was found");
  await Promise.all([page.waitForURL("**/audiences"), page.locator(".keep button").click()]);
  is((await page.locator("tbody th").innerText()) === "who was found", "a saved audience is not in the list");
  await accessible(page, "audiences with one");
  await page.screenshot({ path: `${folder}/audience.png`, fullPage: true });
  // an audience opens as its filter
  await Promise.all([page.waitForURL(/customers\?prefix=/), page.locator("tbody th a").click()]);
  await page.goto(origin + "/audiences");
  await page.locator("tbody button").click();
  await page.locator("tbody").waitFor({ state: "detached" });

  await page.goto(origin + "/tiers");
  const before = await page.locator("#preview").innerText();
  await page.fill("#from1", "0.001");
  await page.waitForFunction((b) => document.querySelector("#preview").innerText !== b, before);
  is(page.url().includes("from1=0.001"), "borders are not in the address");
  await accessible(page, "tiers with other borders");

  await page.goto(origin + links["/models/:first"]);
  await page.fill(".try input >> nth=0", "30");
  await page.locator("form[method=post] button").click();
  await page.locator(".lead[role=status]").waitFor();
  is((await blank(page)).length === 0, "the reasons are not drawn");
  await page.screenshot({ path: `${folder}/tried.png`, fullPage: true });
  await accessible(page, "a model that was tried");

  if (!guike.startsWith("http")) {
    await page.goto(origin + "/jobs");
    await page.locator("button.main").click();
    await page.locator("#jobs progress").waitFor();
    await accessible(page, "a job that runs");
    await page.screenshot({ path: `${folder}/job-runs.png`, fullPage: true });
    await page.locator("#jobs button").first().click();
    // the list asks for itself anew until nothing goes on
    await page.waitForFunction(() => !document.querySelector("#jobs progress, #jobs button"));
  }

  await page.goto(origin + "/rfm");
  await page.locator(".choice a", { hasText: "中文" }).click();
  is((await page.getAttribute("html", "lang")) === "zh-CN", "the language does not change");
  await page.locator(".choice a", { hasText: "深色" }).click();
  await page.goto(origin + "/rfm");
  is((await page.getAttribute("html", "data-theme")) === "dark", "the colours are not kept");
  is((await page.getAttribute("html", "lang")) === "zh-CN", "the language is not kept");
  await context.close();
}

// who may ask, and who did: with users, a key and a log
if (!guike.startsWith("http")) {
  const password = "correct horse battery";
  for (const [name, role] of [["root", "admin"], ["ute", "auditor"]]) {
    const added = spawnSync(guike, ["users", "add", "users.json", name, "--role", role], { cwd: folder, input: password + "\n" });
    is(added.status === 0, `guike users add ${name} ended with ${added.status}`);
  }
  run("keys", "add", "keys.json", "crm", "--scope", "read");
  const guarded = await listen("value-model", "--users", "users.json", "--keys", "keys.json");
  process.on("exit", () => guarded.end());
  for (const name of ["root", "ute"]) {
    for (const lang of ["en", "zh"]) {
      for (const theme of ["light", "dark"]) {
        const { context, page } = await open({ colorScheme: theme, locale: lang === "en" ? "en-GB" : "zh-CN" }, guarded.origin);
        await page.goto(guarded.origin + "/admin");
        await page.fill("#name", name);
        await page.fill("#password", password);
        await page.locator("form button").click();
        await page.locator("main h1").waitFor();
        is(page.url().endsWith("/admin"), `${name} is sent to ${page.url()}`);
        if (name === "root" && lang === "en" && theme === "light") {
          await page.fill("#key-name", "till");
          await page.check("[name=scope-predict]");
          await page.locator("form:has(#key-name) button").click();
          is((await page.locator("code.once").innerText()).startsWith("guike_"), "a key is not shown to who makes it");
        }
        const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        is(over <= 0, `admin of ${name}: ${over} pixels too wide`);
        await accessible(page, `admin-${name}-${lang}-${theme}`);
        await page.screenshot({ path: `${folder}/admin-${name}-${lang}-${theme}.png`, fullPage: true });
        await context.close();
      }
    }
  }
  await guarded.end();
}

// through an identity provider and back, in a real browser with its own rules for cookies
if (!guike.startsWith("http")) {
  const there = await provider("guike-client");
  const port = await new Promise((free) => {
    const socket = createServer().listen(0, "127.0.0.1", () => {
      const { port } = socket.address();
      socket.close(() => free(port));
    });
  });
  const at = `http://localhost:${port}`;
  const here = await listen(
    "value-model", "--users", "users.json", "--addr", `127.0.0.1:${port}`, "--oidc-issuer", there.issuer, "--oidc-client", "guike-client",
    "--oidc-origin", at, "--oidc-role-claim", "groups", "--oidc-role", "shop-heads=admin",
  );
  process.on("exit", () => here.end());
  for (const lang of ["en", "zh"]) {
    for (const theme of ["light", "dark"]) {
      const context = await browser.newContext({ colorScheme: theme, locale: lang === "en" ? "en-GB" : "zh-CN", javaScriptEnabled: theme === "light" });
      const page = await context.newPage();
      const shot = async (name) => {
        if (theme === "light") await accessible(page, `${name}-${lang}`);
        await page.screenshot({ path: `${folder}/${name}-${lang}-${theme}.png`, fullPage: true });
      };
      const press = async () => {
        await page.locator("a.button").click();
        await Promise.all([page.waitForURL(`${at}/**`), page.locator("button").click()]);
      };
      await page.goto(`${at}/admin`);
      is(page.url() === `${at}/login?next=%2Fadmin`, `somebody without a session is at ${page.url()}`);
      await shot("login");
      there.groups = ["nobody"];
      await press();
      is((await page.locator("[role=alert]").count()) === 1, "who has no role is not told so");
      await shot("login-without-role");
      there.groups = ["shop-heads"];
      // under another name of this machine, the login goes on under the right one
      await page.goto(`http://127.0.0.1:${port}/login?next=%2Fadmin`);
      await page.locator("a.button").click();
      is(page.url().startsWith(`${at}/login?next=%2Fadmin`), `the other name leads to ${page.url()}`);
      await press();
      is(page.url() === `${at}/admin`, `the login ends at ${page.url()}`);
      is((await page.locator(".who span").innerText()).includes("oidc~mei"), "the page does not say who is logged in");
      await page.locator(".who button").click();
      await page.waitForURL(`${at}/login?out=true`);
      await shot("logged-out");
      await page.locator("a.button").click();
      is(page.url().startsWith(`${there.issuer}/end?client_id=guike-client`), `the logout leads to ${page.url()}`);
      await context.close();
    }
  }
  await here.end();
  there.end();
}

await browser.close();
server.end();
for (const line of wrong) console.error(line);
console.log(`${PAGES.length} pages, heaviest ${weight} bytes, ${wrong.length} wrong`);
process.exitCode = wrong.length > 0 ? 1 : 0;
