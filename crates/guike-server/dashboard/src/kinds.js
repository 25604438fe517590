// One function per kind of chart: from what the server found to what ECharts draws. They know shapes and colours, no data.

const LINE = 1.4;

function axes(c) {
  const label = { color: c.quiet, fontSize: 11 };
  return {
    category: { axisLine: { lineStyle: { color: c.line } }, axisTick: { show: false }, axisLabel: label },
    value: {
      axisLine: { show: false },
      axisTick: { show: false },
      axisLabel: label,
      splitLine: { lineStyle: { color: c.grid } },
    },
    name: (text, gap) => ({
      name: text, nameLocation: "middle", nameGap: gap, nameTextStyle: { color: c.quiet, fontSize: 11 },
    }),
  };
}

/** Lines from low to high with short ends; `across` where the interval lies along the x axis. */
function whiskers(rows, c, across, size) {
  return {
    type: "custom",
    silent: true,
    z: 5,
    data: rows.filter((r) => Number.isFinite(r[1]) && Number.isFinite(r[2])),
    encode: across ? { x: [1, 2], y: 0 } : { x: 0, y: [1, 2] },
    renderItem(_, api) {
      const at = (v) => api.coord(across ? [v, api.value(0)] : [api.value(0), v]);
      const [a, b] = [at(api.value(1)), at(api.value(2))];
      const end = ([x, y]) => (across ? [[x, y - size], [x, y + size]] : [[x - size, y], [x + size, y]]);
      const line = ([p, q]) => ({
        type: "line",
        shape: { x1: p[0], y1: p[1], x2: q[0], y2: q[1] },
        style: { stroke: c.ink, lineWidth: LINE },
      });
      return { type: "group", children: [line([a, b]), line(end(a)), line(end(b))] };
    },
  };
}

/** Spend per period that happened, then what is expected per period with its interval. */
function trend(d, { c, say, narrow }) {
  const a = axes(c);
  const labels = [...d.labels, d.next];
  const bars = d.values.map((v, i) => ({
    value: v,
    itemStyle: { color: c.s3, opacity: d.complete[i] ? 1 : 0.5, borderRadius: [2, 2, 0, 0] },
  }));
  bars.push({ value: d.mid, itemStyle: { color: c.s1, borderRadius: [2, 2, 0, 0] } });
  return {
    grid: { left: 4, right: 8, top: 14, bottom: 6 },
    xAxis: { type: "category", data: labels, ...a.category, axisLabel: { ...a.category.axisLabel, hideOverlap: true, interval: narrow ? "auto" : undefined } },
    yAxis: { type: "value", splitNumber: 4, ...a.value, axisLabel: { ...a.value.axisLabel, formatter: (v) => say(v, "money") } },
    tooltip: {
      trigger: "axis",
      axisPointer: { type: "shadow", shadowStyle: { color: c.tint, opacity: 0.6 } },
      formatter: ([p]) => {
        const range = p.dataIndex === d.values.length ? `\n${say(d.lo, "money")} – ${say(d.hi, "money")}` : "";
        return `${p.name}\n${say(p.value, "money")}${range}`;
      },
    },
    series: [
      { type: "bar", data: bars, barCategoryGap: "28%", barMaxWidth: 56 },
      whiskers([[labels.length - 1, d.lo, d.hi]], c, false, 5),
      {
        // between what happened and what is expected
        type: "custom",
        silent: true,
        data: [[labels.length - 1, 0]],
        renderItem(params, api) {
          const x = api.coord([labels.length - 1, 0])[0] - api.size([1, 0])[0] / 2;
          const { y, height } = params.coordSys;
          return { type: "line", shape: { x1: x, y1: y, x2: x, y2: y + height }, style: { stroke: c.quiet, lineWidth: 1, lineDash: [4, 4] } };
        },
      },
    ],
  };
}

/** Customers to the left, value to the right, a tier per row. */
function pyramid(d, { c, say, narrow }) {
  const a = axes(c);
  const most = Math.max(...d.rows.flatMap((r) => [r.customers, r.value])) * 1.38;
  const side = (name, color, sign, of) => ({
    name,
    type: "bar",
    stack: "both",
    barWidth: "62%",
    itemStyle: { color, borderRadius: sign < 0 ? [2, 0, 0, 2] : [0, 2, 2, 0] },
    label: {
      show: true,
      position: sign < 0 ? "left" : "right",
      color: c.ink,
      fontSize: 11,
      formatter: (p) => say(Math.abs(p.value), "percent"),
    },
    data: d.rows.map((r) => sign * of(r)),
  });
  return {
    grid: { left: 4, right: 4, top: 4, bottom: 4 },
    xAxis: { type: "value", min: -most, max: most, show: false },
    yAxis: {
      type: "category",
      inverse: true,
      data: d.rows.map((r) => r.name),
      ...a.category,
      axisLine: { show: false },
      axisLabel: { color: c.ink, fontSize: narrow ? 11 : 12 },
    },
    tooltip: {
      trigger: "axis",
      axisPointer: { type: "shadow", shadowStyle: { color: c.tint, opacity: 0.6 } },
      formatter: (ps) => [ps[0].name, ...ps.map((p) => `${p.seriesName}: ${say(Math.abs(p.value), "percent")}`)].join("\n"),
    },
    series: [side(d.left, c.s3, -1, (r) => r.customers), side(d.right, c.s1, 1, (r) => r.value)],
  };
}

/** Cells in rows and columns, the darker the more; `cells` are [column, row, level 0–1 or null, text …]. */
function heat(d, { c, narrow }) {
  const a = axes(c);
  const cells = d.cells.map(([x, y, level, ...text]) => ({ value: [x, y, level === null ? -1 : level], text }));
  return {
    grid: { left: d.yName ? 26 : 4, right: 4, top: 4, bottom: d.xName ? 26 : 6 },
    xAxis: { type: "category", data: d.x, ...a.category, axisLine: { show: false }, ...(d.xName ? a.name(d.xName, 26) : {}) },
    yAxis: {
      type: "category", inverse: true, data: d.y, ...a.category, axisLine: { show: false }, ...(d.yName && !narrow ? a.name(d.yName, 24) : {}),
    },
    tooltip: { trigger: "item", formatter: (p) => cells[p.dataIndex].text.filter(Boolean).join("\n") },
    series: [
      {
        type: "custom",
        data: cells.map((cell) => cell.value),
        renderItem(params, api) {
          const [w, h] = api.size([1, 1]);
          const [x, y] = api.coord([api.value(0), api.value(1)]);
          const level = api.value(2);
          const [fill, ink] = level < 0 ? [c.raised, c.quiet] : c.ramp[Math.round(Math.min(1, level) * 8)];
          const lines = cells[params.dataIndex].text.slice(0, h < 40 || w < 52 ? 1 : 2);
          const fits = w > 26 ? lines : [];
          const text = fits.map((line, i) => ({
            type: "text",
            silent: true,
            style: {
              text: line,
              x,
              y: y + (i - (fits.length - 1) / 2) * 15,
              align: "center",
              verticalAlign: "middle",
              fill: ink,
              font: `${i === 0 ? 600 : 400} ${narrow ? 10 : i === 0 ? 12 : 11}px ${c.font}`,
            },
          }));
          const shape = { x: x - w / 2 + 1, y: y - h / 2 + 1, width: w - 2, height: h - 2, r: 2 };
          return { type: "group", children: [{ type: "rect", shape, style: { fill } }, ...text] };
        },
      },
    ],
  };
}

/** Areas by size, the darker the higher the level. */
function treemap(d, { c, say }) {
  const all = d.items.reduce((sum, item) => sum + item.value, 0);
  const data = d.items.map((item) => {
    const [color, ink] = c.ramp[Math.round(Math.min(1, item.level) * 8)];
    return {
      name: item.name,
      value: item.value,
      item,
      itemStyle: { color },
      // a name that does not fit is in the tip and in the table
      label: { color: ink, show: item.value > all * 0.03 },
    };
  });
  return {
    tooltip: { trigger: "item", formatter: (p) => (p.data && p.data.item ? `${p.name}\n${p.data.item.text}` : "") },
    series: [
      {
        type: "treemap",
        data,
        left: 0, right: 0, top: 0, bottom: 0,
        roam: false,
        nodeClick: false,
        breadcrumb: { show: false },
        itemStyle: { borderColor: c.paper, borderWidth: 0, gapWidth: 2 },
        label: {
          show: true,
          fontSize: 12,
          lineHeight: 17,
          overflow: "truncate",
          formatter: (p) => `{b|${p.name}}\n${say(p.value, d.measure)}`,
          rich: { b: { fontWeight: 600, fontSize: 12, lineHeight: 18 } },
        },
      },
    ],
  };
}

/** Counts by class. */
function bars(d, { c, say }) {
  const a = axes(c);
  return {
    grid: { left: 4, right: 8, top: 12, bottom: d.xName ? 24 : 6 },
    xAxis: {
      type: "category",
      data: d.labels,
      ...a.category,
      axisLabel: { ...a.category.axisLabel, hideOverlap: true },
      ...(d.xName ? a.name(d.xName, 26) : {}),
    },
    yAxis: { type: "value", splitNumber: 3, ...a.value, axisLabel: { ...a.value.axisLabel, formatter: (v) => say(v, d.measure) } },
    tooltip: {
      trigger: "axis",
      axisPointer: { type: "shadow", shadowStyle: { color: c.tint, opacity: 0.6 } },
      formatter: ([p]) => `${d.ranges ? d.ranges[p.dataIndex] : p.name}\n${say(p.value, d.measure)}`,
    },
    series: [
      {
        type: "bar",
        barCategoryGap: d.gap || "8%",
        data: d.values.map((v, i) => ({
          value: v,
          itemStyle: { color: d.marked && d.marked.includes(i) ? c.s2 : d.first_apart && i === 0 ? c.s3 : c.s1, borderRadius: [2, 2, 0, 0] },
        })),
      },
    ],
  };
}

/** Names from the top down with a value and its interval: bars from zero, or dots where zero means nothing. */
function rank(d, { c, say, narrow, width }) {
  const a = axes(c);
  const names = d.items.map((i) => i.name);
  const dots = d.style === "dots";
  const ends = d.items.flatMap((i) => [i.lo ?? i.value, i.hi ?? i.value]).filter(Number.isFinite);
  const spread = Math.max(...ends) - Math.min(...ends) || 1;
  const color = (i) => (i.marked ? c.s1 : i.yardstick ? c.s3 : dots ? c.quiet : c.s1);
  return {
    grid: { left: 4, right: dots ? 12 : 40, top: 4, bottom: d.xName ? 26 : 6 },
    xAxis: {
      type: "value",
      ...(d.max ? { max: d.max, interval: d.max / 4 } : {}),
      ...(dots ? { min: Math.min(...ends) - spread * 0.06, max: Math.max(...ends) + spread * 0.06 } : {}),
      splitNumber: 4,
      ...a.value,
      axisLabel: { ...a.value.axisLabel, hideOverlap: true, showMinLabel: !dots, showMaxLabel: !dots, formatter: (v) => say(v, d.measure) },
      ...(d.xName ? a.name(d.xName, 26) : {}),
    },
    yAxis: {
      type: "category",
      inverse: true,
      data: names,
      ...a.category,
      axisLine: { show: false },
      axisLabel: {
        color: (_, i) => (d.items[i].marked ? c.accent : c.ink),
        fontSize: narrow ? 11 : 12,
        width: Math.min(230, Math.round(width * (narrow ? 0.36 : 0.42))),
        overflow: "truncate",
      },
    },
    tooltip: {
      trigger: "item",
      formatter: (p) => {
        const i = d.items[p.dataIndex];
        const range = Number.isFinite(i.lo) ? `\n${say(i.lo, d.measure)} – ${say(i.hi, d.measure)}` : "";
        return `${i.name}\n${say(i.value, d.measure)}${range}`;
      },
    },
    series: [
      dots
        ? {
            type: "scatter",
            symbolSize: 10,
            data: d.items.map((i, k) => ({
              value: [i.value, k],
              itemStyle: { color: i.yardstick ? c.paper : color(i), borderColor: color(i), borderWidth: 1.6 },
            })),
            z: 6,
          }
        : {
            type: "bar",
            barMaxWidth: 18,
            barCategoryGap: "38%",
            data: d.items.map((i) => ({ value: i.value, itemStyle: { color: color(i), borderRadius: [0, 2, 2, 0] } })),
          },
      whiskers(d.items.map((i, k) => [k, i.lo, i.hi]), c, true, 4),
    ],
  };
}

/** Curves over a common axis; a dashed one says what chance would give. */
function curves(d, { c, say, narrow }) {
  const a = axes(c);
  const color = { main: c.s1, other: c.s2, third: c.s4, chance: c.quiet, faint: c.s3 };
  [8, 6, 5, 4, 2, 2].forEach((shade, rank) => (color["r" + rank] = c.ramp[shade][0]));
  // what lies between the ends of a band
  const band = (s) => ({
    type: "custom",
    silent: true,
    clip: true,
    z: 1,
    data: [s.band[0].slice(0, 2)],
    renderItem(_, api) {
      const upper = s.band.map(([x, , hi]) => api.coord([x, hi]));
      const lower = s.band.map(([x, lo]) => api.coord([x, lo])).reverse();
      return { type: "polygon", shape: { points: [...upper, ...lower] }, style: { fill: color[s.role] || c.s1, opacity: 0.1 } };
    },
  });
  const axis = (of, gap) => ({
    type: "value",
    min: of.min,
    max: of.max,
    splitNumber: 4,
    ...(of.max === 1 && of.min === 0 ? { interval: 0.25 } : of.step ? { interval: of.step } : {}),
    ...a.value,
    axisLabel: { ...a.value.axisLabel, hideOverlap: true, formatter: (v) => say(v, of.measure) },
    ...(of.name ? a.name(of.name, gap) : {}),
  });
  return {
    grid: { left: d.y.name && !narrow ? 26 : 4, right: 14, top: 10, bottom: 26 },
    xAxis: { ...axis(d.x, 26), splitLine: { show: false }, axisLine: { show: true, lineStyle: { color: c.line } } },
    yAxis: axis(narrow ? { ...d.y, name: undefined } : d.y, 40),
    tooltip: {
      trigger: "item",
      formatter: (p) => `${p.seriesName}\n${say(p.value[0], d.x.measure)} → ${say(p.value[1], d.y.measure)}`,
    },
    series: [...d.series.filter((s) => s.band && s.band.length).map(band), ...d.series.map((s) => ({
      name: s.name,
      type: "line",
      data: s.points,
      step: s.step ? "end" : undefined,
      showSymbol: Boolean(s.dots),
      symbolSize: s.role === "point" ? 11 : 5,
      silent: s.role === "chance",
      lineStyle: {
        color: color[s.role] || c.s1,
        width: s.role === "chance" ? 1 : s.role === "faint" ? 1.3 : s.dots ? 3 : 2,
        type: s.role === "chance" ? [4, 4] : "solid",
        opacity: s.role === "point" ? 0 : 1,
      },
      itemStyle: { color: s.role === "point" ? c.s2 : color[s.role] || c.s1 },
      areaStyle: s.area ? { color: c.s1, opacity: 0.08 } : undefined,
      z: s.role === "point" ? 6 : 3,
    }))],
  };
}

/** A row of dots per name: how far each lies to the left or right, the darker the higher its level; null levels are grey. */
function swarm(d, { c, say, narrow, width }) {
  const a = axes(c);
  const ends = d.rows.flatMap((r) => r.dots.map(([x]) => x));
  const spread = Math.max(0, ...ends) - Math.min(0, ...ends) || 1;
  const data = d.rows.flatMap((row, at) => {
    const taken = new Map();
    return row.dots.map(([x, level]) => {
      // dots that would lie upon each other stand above and below the line in turn
      const bin = Math.round((x / spread) * (narrow ? 24 : 60));
      const n = taken.get(bin) || 0;
      taken.set(bin, n + 1);
      const off = Math.ceil(n / 2) * 0.13 * (n % 2 ? 1 : -1);
      const fill = level === null ? c.line : c.ramp[2 + Math.round(level * 6)][0];
      return { value: [x, at + Math.max(-0.42, Math.min(0.42, off))], row, itemStyle: { color: fill } };
    });
  });
  return {
    grid: { left: 4, right: 14, top: 4, bottom: 26 },
    xAxis: {
      type: "value", splitNumber: 4, ...a.value, ...a.name(d.xName, 26),
      axisLabel: { ...a.value.axisLabel, hideOverlap: true, formatter: (v) => say(v, d.measure) },
    },
    yAxis: {
      type: "value",
      inverse: true,
      min: -0.5,
      max: d.rows.length - 0.5,
      interval: 0.5,
      axisLine: { show: false },
      axisTick: { show: false },
      splitLine: { show: false },
      axisLabel: {
        color: c.ink,
        fontSize: narrow ? 11 : 12,
        width: Math.min(200, Math.round(width * 0.36)),
        overflow: "break",
        formatter: (v) => (Number.isInteger(v) && d.rows[v] ? d.rows[v].name : ""),
      },
    },
    tooltip: { trigger: "item", formatter: (p) => `${p.data.row.name}\n${say(p.value[0], d.measure)}` },
    series: [
      {
        type: "scatter",
        symbolSize: 9,
        data,
        itemStyle: { borderColor: c.paper, borderWidth: 0.8 },
        markLine: {
          silent: true, symbol: "none", label: { show: false }, lineStyle: { color: c.line, type: "solid" }, data: [{ xAxis: 0 }],
        },
      },
    ],
  };
}

/** Two numbers of each, as dots. */
function dots(d, { c, say, narrow }) {
  const a = axes(c);
  const axis = (of, gap) => ({
    type: "value", scale: true, splitNumber: 4, ...a.value, ...(of.name ? a.name(of.name, gap) : {}),
    axisLabel: { ...a.value.axisLabel, hideOverlap: true, formatter: (v) => say(v, of.measure) },
  });
  return {
    grid: { left: d.y.name && !narrow ? 26 : 4, right: 14, top: 10, bottom: 26 },
    xAxis: { ...axis(d.x, 26), splitLine: { show: false }, axisLine: { show: true, lineStyle: { color: c.line } } },
    yAxis: axis(narrow ? { ...d.y, name: undefined } : d.y, 44),
    tooltip: { trigger: "item", formatter: (p) => `${say(p.value[0], d.x.measure)} → ${say(p.value[1], d.y.measure)}` },
    series: [
      {
        type: "scatter",
        symbolSize: 9,
        itemStyle: { color: c.s1, opacity: 0.75, borderColor: c.paper, borderWidth: 0.8 },
        data: d.points,
        markLine: {
          silent: true, symbol: "none", label: { show: false }, lineStyle: { color: c.line, type: "solid" }, data: [{ yAxis: 0 }],
        },
      },
    ],
  };
}

/** What happened per group with its interval, and what was predicted. */
function pairs(d, { c, say }) {
  const a = axes(c);
  return {
    grid: { left: 4, right: 8, top: 12, bottom: 26 },
    xAxis: { type: "category", data: d.labels, ...a.category, ...a.name(d.xName, 26) },
    yAxis: { type: "value", splitNumber: 4, ...a.value, axisLabel: { ...a.value.axisLabel, formatter: (v) => say(v, d.measure) } },
    tooltip: {
      trigger: "axis",
      axisPointer: { type: "shadow", shadowStyle: { color: c.tint, opacity: 0.6 } },
      formatter: (ps) => {
        const i = ps[0].dataIndex;
        return `${d.labels[i]}\n${d.actualName}: ${say(d.actual[i], d.measure)}\n${d.predictedName}: ${say(d.predicted[i], d.measure)}`;
      },
    },
    series: [
      { type: "bar", barCategoryGap: "34%", itemStyle: { color: c.s3, borderRadius: [2, 2, 0, 0] }, data: d.actual },
      whiskers(d.labels.map((_, i) => [i, d.lo[i], d.hi[i]]), c, false, 4),
      { type: "scatter", symbolSize: 9, itemStyle: { color: c.s1, borderColor: c.paper, borderWidth: 1.5 }, data: d.predicted, z: 6 },
    ],
  };
}

/** From a base by parts to a total. */
function waterfall(d, { c, say, narrow, width }) {
  const a = axes(c);
  const color = (s) => (s.role === "part" ? (s.to >= s.from ? c.s1 : c.s2) : c.s3);
  const ends = d.steps.flatMap((s) => [s.from, s.to]);
  const [low, high] = [Math.min(0, ...ends), Math.max(0, ...ends)];
  const room = (high - low || 1) * 0.16;
  return {
    grid: { left: 4, right: 8, top: 4, bottom: 6 },
    xAxis: {
      type: "value",
      min: low < 0 ? low - room : 0,
      max: high + room,
      splitNumber: 4,
      ...a.value,
      axisLabel: { ...a.value.axisLabel, hideOverlap: true, showMaxLabel: false, formatter: (v) => say(v, d.measure) },
    },
    yAxis: {
      type: "category",
      inverse: true,
      data: d.steps.map((s) => s.name),
      ...a.category,
      axisLine: { show: false },
      axisLabel: { color: c.ink, width: Math.min(250, Math.round(width * (narrow ? 0.4 : 0.44))), overflow: "break", fontSize: narrow ? 11 : 12, lineHeight: 15 },
    },
    tooltip: { trigger: "item", formatter: (p) => `${d.steps[p.dataIndex].name}\n${d.steps[p.dataIndex].text}` },
    series: [
      {
        type: "custom",
        data: d.steps.map((s, i) => [i, s.from, s.to]),
        encode: { x: [1, 2], y: 0 },
        renderItem(params, api) {
          const step = d.steps[params.dataIndex];
          const [p, q] = [api.coord([api.value(1), api.value(0)]), api.coord([api.value(2), api.value(0)])];
          const h = Math.min(22, api.size([0, 1])[1] * 0.58);
          const [x, w] = [Math.min(p[0], q[0]), Math.max(1.5, Math.abs(q[0] - p[0]))];
          const positive = step.to >= step.from;
          const children = [
            { type: "rect", shape: { x, y: p[1] - h / 2, width: w, height: h, r: 2 }, style: { fill: color(step) } },
            {
              type: "text",
              silent: true,
              style: {
                text: step.text,
                x: positive ? x + w + 6 : x - 6,
                y: p[1],
                align: positive ? "left" : "right",
                verticalAlign: "middle",
                fill: c.ink,
                font: `${step.role === "part" ? 400 : 600} 11px ${c.font}`,
              },
            },
          ];
          if (params.dataIndex + 1 < d.steps.length) {
            const y2 = api.coord([api.value(2), api.value(0) + 1])[1];
            children.push({
              type: "line",
              silent: true,
              shape: { x1: q[0], y1: p[1] + h / 2, x2: q[0], y2: y2 - h / 2 },
              style: { stroke: c.line, lineWidth: 1 },
            });
          }
          return { type: "group", children };
        },
      },
    ],
  };
}

/** Intervals of one or a few quantities: a thick inner one, a thin outer one, mean and median. */
function ranges(d, { c, say }) {
  const a = axes(c);
  return {
    grid: { left: 8, right: 16, top: 8, bottom: 6 },
    xAxis: {
      type: "value", min: 0, splitNumber: 5, ...a.value,
      axisLabel: { ...a.value.axisLabel, hideOverlap: true, formatter: (v) => say(v, d.measure) },
    },
    yAxis: { type: "category", data: [""], ...a.category, axisLine: { show: false } },
    tooltip: { trigger: "item", formatter: () => d.text.join("\n") },
    series: [
      {
        type: "custom",
        data: [[0, d.outer[0], d.outer[1]]],
        encode: { x: [1, 2], y: 0 },
        renderItem(_, api) {
          const x = (v) => api.coord([v, 0])[0];
          const y = api.coord([0, 0])[1];
          const bar = (from, to, h, fill, opacity) => ({
            type: "rect",
            shape: { x: x(from), y: y - h / 2, width: Math.max(1.5, x(to) - x(from)), height: h, r: 2 },
            style: { fill, opacity },
          });
          const children = [bar(...d.outer, 10, c.s1, 0.22), bar(...d.inner, 22, c.s1, 0.5)];
          children.push({
            type: "rect", shape: { x: x(d.median) - 1, y: y - 15, width: 2, height: 30 }, style: { fill: c.ink },
          });
          children.push({
            type: "circle", shape: { cx: x(d.mid), cy: y, r: 6 }, style: { fill: c.paper, stroke: c.ink, lineWidth: 1.6 },
          });
          return { type: "group", children };
        },
      },
    ],
  };
}

/** Who moved from which tier to which. */
function sankey(d, { c, say, narrow }) {
  const node = (n) => ({
    name: n.name,
    depth: n.side,
    itemStyle: { color: c.ramp[Math.max(2, 7 - n.rank)][0], borderWidth: 0 },
    label: { position: n.side === 0 ? "right" : "left", formatter: n.label },
  });
  return {
    tooltip: {
      trigger: "item",
      formatter: (p) => (p.dataType === "edge" ? p.data.text : d.nodes.find((n) => n.name === p.name).label),
    },
    series: [
      {
        type: "sankey",
        left: 2, right: 2, top: 14, bottom: 6,
        nodeWidth: 12,
        nodeGap: 10,
        draggable: false,
        layoutIterations: 0,
        emphasis: { focus: "adjacency" },
        label: { color: c.ink, fontSize: narrow ? 10 : 12 },
        lineStyle: { color: c.s1, opacity: 0.22, curveness: 0.5 },
        data: d.nodes.map(node),
        links: d.links.map((l) => ({
          ...l,
          text: `${l.text}: ${say(l.value, "count")}`,
          lineStyle: l.turn > 0 ? { color: c.s1, opacity: 0.5 } : l.turn < 0 ? { color: c.s2, opacity: 0.45 } : {},
        })),
      },
    ],
  };
}

/** Questions from left to right, and the groups that they lead to; the darker, the higher the group's number. */
function tree(d, { c, say, narrow }) {
  const values = d.nodes.filter((n) => n.leaf).map((n) => n.value);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const fill = (n) => c.ramp[high > low ? 1 + Math.round((7 * (n.value - low)) / (high - low)) : 4];
  const size = narrow ? 10 : 12;
  return {
    grid: { left: 0, right: 0, top: 0, bottom: 0 },
    xAxis: { show: false, min: 0, max: 1 },
    yAxis: { show: false, min: 0, max: 1 },
    tooltip: {
      trigger: "item",
      formatter: (p) => {
        const n = d.nodes[p.dataIndex];
        return [n.text, `${say(n.value, d.measure)} · ${n.share}`].filter(Boolean).join("\n");
      },
    },
    series: [
      {
        type: "custom",
        data: d.nodes.map((_, i) => [i, 0]),
        encode: { x: [], y: [] },
        renderItem(p, api) {
          const n = d.nodes[p.dataIndex];
          const [step, line] = [api.getWidth() / (d.depth + 1), api.getHeight() / d.rows];
          const gap = narrow ? 22 : 40;
          const [wide, tall] = [step - gap, Math.min(line - 6, narrow ? 52 : 44)];
          const [x, y] = [n.depth * step + (n.depth ? gap / 2 : 0), (n.row + 0.5) * line];
          const [paper, ink] = n.leaf ? fill(n) : [c.raised, c.ink];
          const children = (n.parts || []).map((row) => {
            const [to, bend] = [(n.depth + 1) * step + gap / 2, x + wide + gap / 3];
            const end = (row + 0.5) * line;
            return {
              type: "polyline",
              shape: { points: [[x + wide, y], [bend, y], [bend, end], [to, end]] },
              style: { fill: "none", stroke: c.line, lineWidth: 1.5 },
            };
          });
          children.push({
            type: "rect",
            shape: { x, y: y - tall / 2, width: wide, height: tall, r: 4 },
            style: { fill: paper, stroke: n.leaf ? paper : c.line, lineWidth: 1 },
          });
          const text = n.leaf ? `${say(n.value, d.measure)}\n${n.share}` : n.text;
          children.push({
            type: "text",
            style: {
              text, x: x + wide / 2, y, align: "center", verticalAlign: "middle", fill: ink, fontSize: size,
              fontFamily: c.font, width: wide - 8, overflow: "break", lineHeight: size + 3, fontWeight: n.leaf ? 600 : 400,
            },
          });
          if (n.answer) {
            children.push({
              type: "text",
              style: { text: n.answer, x: x - 3, y: y - 3, align: "right", verticalAlign: "bottom", fill: c.quiet, fontSize: 10, fontFamily: c.font },
            });
          }
          return { type: "group", children };
        },
      },
    ],
  };
}

export const kinds = {
  trend, pyramid, heat, treemap, bars, rank, curves, pairs, waterfall, ranges, sankey, swarm, dots, tree,
};
