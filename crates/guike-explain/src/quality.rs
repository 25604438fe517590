//! What became of every row: kept and dropped by reason.

use crate::plot::{Frame, SMALL, TEXT};
use crate::text::{count, fit, percent, width};

/// Rows dropped for one reason.
#[derive(Debug, Clone, PartialEq)]
pub struct Dropped {
    /// The reason in words.
    pub reason: String,
    /// Rows.
    pub rows: u64,
}

/// Draws one bar of all rows, kept and dropped, and below it one bar per reason, all in shares of the rows read.
///
/// The bars of the reasons share a scale of their own, because they would vanish beside the rows kept.
pub fn quality(kept: u64, dropped: &[Dropped], frame: &Frame<'_>) -> String {
    const ROW: f64 = 25.0;
    let lang = frame.lang;
    let n_dropped: u64 = dropped.iter().map(|d| d.rows).sum();
    let read = kept + n_dropped;
    if read == 0 {
        return frame.empty();
    }
    let share = |rows: u64| rows as f64 / read as f64;
    let shown: Vec<&Dropped> = dropped.iter().filter(|d| d.rows > 0).collect();
    let reasons =
        shown.iter().map(|d| format!("{} {}", d.reason, count(d.rows))).collect::<Vec<_>>().join(lang.pick(", ", "，"));
    let desc = lang.pick(
        format!(
            "{} rows read: {} kept ({}), {} dropped{}{reasons}.",
            count(read),
            count(kept),
            percent(share(kept)),
            count(n_dropped),
            if reasons.is_empty() { "" } else { ": " }
        ),
        format!(
            "读入 {} 行：保留 {} 行（{}），剔除 {} 行{}{reasons}。",
            count(read),
            count(kept),
            percent(share(kept)),
            count(n_dropped),
            if reasons.is_empty() { "" } else { "：" }
        ),
    );

    let top = frame.head() + 22.0;
    let list_top = top + 44.0;
    let height = if shown.is_empty() { top + 26.0 } else { list_top + ROW * shown.len() as f64 + 2.0 };
    let mut svg = frame.begin(height, &desc);
    let split = (frame.width * share(kept)).clamp(0.0, frame.width);
    svg.text(0.0, top - 8.0, "b", &format!("{} {}", lang.pick("kept", "保留"), percent(share(kept))));
    if n_dropped > 0 {
        let text = format!("{} {}", lang.pick("dropped", "剔除"), percent(share(n_dropped)));
        svg.text(frame.width, top - 8.0, "b e", &text);
    }
    svg.tag("rect").area(0.0, top, split, 22.0).attr("rx", "2").class("f1").close();
    // each reason is a slice of the rest, alternating shades so that neighbours stay apart
    let mut from = split;
    for (i, d) in shown.iter().enumerate() {
        let wide = frame.width * share(d.rows);
        svg.tag("rect")
            .area(from, top, wide.max(0.4) - if wide > 4.0 { 1.0 } else { 0.0 }, 22.0)
            .class(if i % 2 == 0 { "f2" } else { "f2 soft" })
            .tip(&format!("{}: {}", d.reason, count(d.rows)));
        from += wide;
    }
    let names = (shown.iter().map(|d| width(&d.reason, TEXT)).fold(0.0, f64::max) + 12.0).min(frame.width * 0.42);
    let number = |d: &Dropped| format!("{} ({})", count(d.rows), percent(share(d.rows)));
    let numbers = shown.iter().map(|d| width(&number(d), SMALL)).fold(0.0, f64::max) + 10.0;
    let most = shown.iter().map(|d| d.rows).max().unwrap_or(1).max(1) as f64;
    for (i, d) in shown.iter().enumerate() {
        let y = list_top + ROW * i as f64;
        svg.text(0.0, y + 15.0, "", &fit(&d.reason, TEXT, names - 8.0));
        let length = ((frame.width - names - numbers) * d.rows as f64 / most).max(1.5);
        svg.tag("rect").area(names, y + 5.0, length, ROW - 11.0).attr("rx", "1.5").class("f2").close();
        svg.text(names + length + 7.0, y + 15.0, "m s", &number(d));
    }
    svg.finish()
}
