// What the pages load: htmx for parts of a page that the server answers anew, and the charts.
// No page needs it: without a script every link and form still works, and every chart has its table.
import htmx from "htmx.org/dist/htmx.esm.js";
import { drawAll, redrawAll } from "./charts.js";

// the pages' policy forbids inline styles and compiled text, which htmx can do without
htmx.config.includeIndicatorStyles = false;
htmx.config.allowEval = false;
htmx.config.selfRequestsOnly = true;
htmx.config.historyCacheSize = 0; // pages hold customers: nothing of them stays in the browser's storage

const dark = matchMedia("(prefers-color-scheme: dark)");
dark.addEventListener("change", redrawAll);

// forms that answer while one types have a button only for readers without a script
for (const button of document.querySelectorAll("[data-without-script]")) button.hidden = true;

// a range and its number say the same
document.addEventListener("input", (event) => {
  const field = event.target;
  const twin = field.dataset && field.dataset.twin && document.getElementById(field.dataset.twin);
  if (twin && twin.value !== field.value) twin.value = field.value;
});

document.addEventListener("click", (event) => {
  const save = event.target.closest("[data-save]");
  if (save) saveTable(save);
  if (event.target.closest("[data-print]")) print();
});

/** Saves a chart's table as CSV; cells that a spreadsheet would run as formulas are marked as text. */
function saveTable(button) {
  const table = document.getElementById(button.dataset.save);
  const cell = (node) => {
    const text = node.textContent.trim();
    const safe = /^[=+\-@\t\r]/.test(text) && !/^[+-]?[\d.,]+$/.test(text) ? "'" + text : text;
    return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const rows = [...table.rows].map((row) => [...row.cells].map(cell).join(","));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(["\ufeff" + rows.join("\n") + "\n"], { type: "text/csv" }));
  link.download = button.dataset.name + ".csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

drawAll(document);
document.addEventListener("htmx:afterSettle", (event) => drawAll(event.detail.target));
