// Numbers as the server writes them: three digits with k/M/B or 万/亿, money with its sign, shares as percent.
const EN = [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"], [1, ""]];
const ZH = [[1e12, "万亿"], [1e8, "亿"], [1e4, "万"], [1, ""]];

function significant(value, digits) {
  return Number(value.toPrecision(digits));
}

function compact(value, units) {
  if (!Number.isFinite(value)) return "–";
  const size = significant(Math.abs(value), 3);
  const [unit, name] = units.find(([u]) => size >= u) || [1, ""];
  const text = significant(size / unit, 3).toLocaleString("en", { maximumSignificantDigits: 4 });
  return (value < 0 ? "−" : "") + text + name;
}

/** A function that says a number of this measure: `money`, `percent`, `count` or `number`. */
export function formatter(lang, sign) {
  const units = lang.startsWith("zh") ? ZH : EN;
  return (value, measure) => {
    if (value === null || value === undefined || !Number.isFinite(value)) return "–";
    if (measure === "percent") return significant(value * 100, 3).toLocaleString("en") + "%";
    if (measure === "count") return Math.round(value).toLocaleString("en");
    if (measure === "plain") return significant(value, 3).toString();
    const text = compact(value, units);
    if (measure !== "money") return text;
    return text.startsWith("−") ? "−" + sign + text.slice(1) : sign + text;
  };
}
