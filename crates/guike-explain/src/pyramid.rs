//! The tier pyramid: how many customers each tier has, against how much of the value it holds.

use crate::plot::{Frame, Key, TEXT, legend, max_of};
use crate::text::{fit, percent, width};

/// A tier, from the top down.
#[derive(Debug, Clone, PartialEq)]
pub struct Tier {
    /// Name.
    pub name: String,
    /// Customers in it.
    pub n_customers: u64,
    /// Value it holds, in currency units.
    pub value: f64,
}

/// Draws customers to the left and value to the right of the tier names, as shares of all.
pub fn pyramid(tiers: &[Tier], frame: &Frame<'_>) -> String {
    let row_height = (300.0 / tiers.len().max(1) as f64).clamp(34.0, 54.0);
    let lang = frame.lang;
    let n: u64 = tiers.iter().map(|t| t.n_customers).sum();
    if n == 0 {
        return frame.empty();
    }
    let total: f64 = tiers.iter().map(|t| t.value).filter(|v| v.is_finite()).sum();
    let of_customers = |t: &Tier| t.n_customers as f64 / n as f64;
    let of_value = |t: &Tier| if total > 0.0 && t.value.is_finite() { (t.value / total).max(0.0) } else { 0.0 };
    let (customers, value) = (lang.pick("share of customers", "顾客占比"), lang.pick("share of value", "价值占比"));
    let desc = tiers
        .iter()
        .map(|t| {
            lang.pick(
                format!("{}: {} of customers, {} of value", t.name, percent(of_customers(t)), percent(of_value(t))),
                format!("{}：顾客占 {}，价值占 {}", t.name, percent(of_customers(t)), percent(of_value(t))),
            )
        })
        .collect::<Vec<_>>()
        .join(lang.pick("; ", "；"))
        + lang.pick(".", "。");

    let names = tiers.iter().map(|t| width(&t.name, TEXT) * 1.06).fold(40.0, f64::max).min(frame.width * 0.3) + 24.0;
    // a percent sign beyond a full bar needs this much
    let number = 46.0;
    let half = (frame.width - names) / 2.0;
    let longest = max_of(tiers.iter().flat_map(|t| [of_customers(t), of_value(t)]), 0.01);
    let length = |share: f64| (half - number) * share / longest;
    let top = frame.head() + 26.0;
    let mut svg = frame.begin(top + row_height * tiers.len() as f64 + 2.0, &desc);
    legend(&mut svg, &[(Key::Box("f3"), customers), (Key::Box("f1"), value)], 0.0, frame.width, frame.head() + 8.0);
    for (i, tier) in tiers.iter().enumerate() {
        let y = top + row_height * i as f64;
        let middle = y + row_height / 2.0;
        let (a, b) = (length(of_customers(tier)), length(of_value(tier)));
        let tip = |what: &str, share: f64| format!("{}: {} {what}", tier.name, percent(share));
        svg.tag("rect")
            .area(half - a, y + 6.0, a.max(1.0), row_height - 12.0)
            .attr("rx", "2")
            .class("f3")
            .tip(&tip(customers, of_customers(tier)));
        svg.tag("rect")
            .area(half + names, y + 6.0, b.max(1.0), row_height - 12.0)
            .attr("rx", "2")
            .class("f1")
            .tip(&tip(value, of_value(tier)));
        svg.text(half - a - 6.0, middle + 4.0, "e", &percent(of_customers(tier)));
        svg.text(half + names + b + 6.0, middle + 4.0, "b", &percent(of_value(tier)));
        svg.text(half + names / 2.0, middle + 4.0, "b c", &fit(&tier.name, TEXT, names - 12.0));
    }
    svg.finish()
}
