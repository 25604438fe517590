// Finds the charts of a page and draws them: a box with `data-chart` beside a script element that holds its data.
// Colours come from the page's custom properties, so that charts and words share one palette in both themes.
import * as echarts from "echarts/core";
import { BarChart, CustomChart, LineChart, SankeyChart, ScatterChart, TreemapChart } from "echarts/charts";
import { GridComponent, MarkLineComponent, TooltipComponent } from "echarts/components";
import { CanvasRenderer } from "echarts/renderers";
import { kinds } from "./kinds.js";
import { formatter } from "./numbers.js";

echarts.use([
  BarChart, CustomChart, LineChart, SankeyChart, ScatterChart, TreemapChart,
  GridComponent, MarkLineComponent, TooltipComponent, CanvasRenderer,
]);

const drawn = new Map();
const resized = new ResizeObserver((entries) => {
  for (const entry of entries) drawn.get(entry.target)?.resize();
});

function palette() {
  const style = getComputedStyle(document.documentElement);
  const color = (name) => style.getPropertyValue("--gk-" + name).trim();
  const ramp = [...Array(9).keys()].map((i) => [color("q" + i), color("t" + i)]);
  const names = ["paper", "raised", "ink", "quiet", "line", "grid", "accent", "tint", "s1", "s2", "s3", "s4", "warn"];
  return { ...Object.fromEntries(names.map((n) => [n, color(n)])), ramp, font: style.getPropertyValue("--font").trim() };
}

function draw(box) {
  const data = JSON.parse(document.getElementById(box.dataset.chart).textContent);
  const root = document.documentElement;
  const context = {
    c: palette(),
    say: formatter(root.lang, root.dataset.sign || ""),
    narrow: box.clientWidth < 480,
    width: box.clientWidth,
  };
  let chart = drawn.get(box);
  if (!chart) {
    chart = echarts.init(box, null, { renderer: "canvas" });
    drawn.set(box, chart);
    resized.observe(box);
    // the box is one picture for a screen reader; the table below holds its numbers
    for (const inner of box.children) inner.setAttribute("aria-hidden", "true");
  }
  const option = kinds[data.kind](data, context);
  chart.setOption(
    {
      animation: false,
      textStyle: { fontFamily: context.c.font, fontSize: 12, color: context.c.ink },
      tooltip: {
        renderMode: "richText", // drawn on the canvas: the page's policy allows no inline style
        confine: true,
        backgroundColor: context.c.paper,
        borderColor: context.c.line,
        textStyle: { color: context.c.ink, fontSize: 12 },
        ...option.tooltip,
      },
      ...Object.fromEntries(Object.entries(option).filter(([name]) => name !== "tooltip")),
    },
    true,
  );
  box.dataset.drawn = "true";
}

/** Draws the charts within an element, and forgets those that left the page. */
export function drawAll(root) {
  for (const [box, chart] of drawn) {
    if (!box.isConnected) {
      resized.unobserve(box);
      chart.dispose();
      drawn.delete(box);
    }
  }
  for (const box of root.querySelectorAll("[data-chart]")) draw(box);
}

/** Draws every chart anew, in the colours of now. */
export function redrawAll() {
  for (const box of drawn.keys()) draw(box);
}

addEventListener("beforeprint", () => {
  for (const chart of drawn.values()) chart.resize();
});
