//! `GET /explain`: what the forecasts rest on.

use guike::board::OUTLINED;
use guike::report::text::{count, percent};
use guike::report::told;
use guike::report::view::Driver;
use guike::report::words as w;
use serde_json::json;

use super::frame::Page;
use super::outline::{self, Said};
use super::show::{Block, Chart, Grid};
use super::words as own;
use crate::app::{Answer, App, Call};
use crate::problem::Problem;

/// Charts of what the forecast does with the features of the leading themes.
const FOLLOWED: [&str; 2] = ["follows-1", "follows-2"];

/// `GET /explain`.
pub(super) fn answer(app: &App, call: &Call) -> Result<Answer, Problem> {
    let page = Page::open(app, call, &[])?;
    page.run()?;
    let mut blocks = Vec::new();
    match page.view() {
        Err(missing) => blocks.push(missing),
        Ok(view) => match told::part(&view.drivers) {
            Err(why) => blocks.push(Block::Missing { html: why.html_in(page.lang) }),
            Ok(of) => {
                blocks.push(Block::Lead { html: page.html(own::WHY_LEAD), is_first: true });
                let item = |d: &Driver| {
                    json!({
                        "name": d.name.pick(page.lang), "value": d.weight.mid, "lo": d.weight.lo, "hi": d.weight.hi,
                    })
                };
                let items: Vec<_> = of.themes.iter().map(item).collect();
                let data = json!({
                    "kind": "rank", "style": "bar", "measure": "money", "xName": page.say(w::DRIVERS_X), "items": items,
                });
                let chart = Chart::told("drivers", &told::drivers(view, of), page.lang, &data)
                    .unit(page.money_axis(w::DRIVERS_X))
                    .keys(vec![("whisker", page.fill(w::INTERVAL, &[("level", "95%".to_owned())]))])
                    .wide();
                let mut charts = vec![chart];
                let dotted: Vec<&Driver> = of.themes.iter().filter(|t| !t.customers.is_empty()).collect();
                if !dotted.is_empty() {
                    charts.push(swarm(&page, &dotted));
                    charts.extend(
                        dotted
                            .iter()
                            .filter_map(|t| Some((*t, t.shade.as_deref()?)))
                            .take(FOLLOWED.len())
                            .zip(FOLLOWED)
                            .map(|((theme, feature), id)| follows(&page, id, theme, feature)),
                    );
                }
                charts.extend(outlined(&page));
                blocks.push(Block::Charts(charts));
                if dotted.is_empty() {
                    blocks.push(Block::Missing { html: page.html(own::NO_SWARM) });
                }
                blocks.push(Block::Prose { html: page.html(own::WHY_HOW) });
                blocks.push(Block::Prose { html: page.html(own::WHY_ONE) });
            }
        },
    }
    let title = page.say(w::DRIVERS);
    Ok(page.answer(&title, None, blocks))
}

/// The forecast of spend as a small tree.
fn outlined(page: &Page<'_>) -> Option<Chart> {
    let of = page.run().ok()?.results.board()?.outline.as_ref()?;
    let words = [own::FACT_RECENCY, own::FACT_ORDERS, own::FACT_SPEND, own::FACT_TENURE];
    let column = |name: &str| {
        OUTLINED.iter().zip(words).find(|(key, _)| **key == name).map_or_else(|| name.to_owned(), |(_, w)| page.say(w))
    };
    let said = Said {
        title: own::OUTLINE_SPEND,
        mean: page.money_axis(own::OUTLINE_MEAN_SPEND),
        measure: "money",
        number: &|v| page.money().full(v),
        column: &column,
        is_whole: &|name| name != "spend_mean",
    };
    outline::chart(page, of, &said)
}

/// What every theme adds for the customers of the sample.
fn swarm(page: &Page<'_>, themes: &[&Driver]) -> Chart {
    let row = |t: &&Driver| {
        // levels are ranks among those whose value is known
        let mut known: Vec<f64> = t.customers.iter().filter_map(|c| c.1).collect();
        known.sort_by(f64::total_cmp);
        let level = |v: f64| known.partition_point(|k| *k < v) as f64 / (known.len() - 1).max(1) as f64;
        let dots: Vec<_> = t.customers.iter().map(|(add, v)| json!([add, v.map(level)])).collect();
        json!({ "name": t.name.pick(page.lang), "dots": dots })
    };
    let rows: Vec<_> = themes.iter().map(row).collect();
    let data = json!({ "kind": "swarm", "measure": "money", "xName": page.say(own::SWARM_X), "rows": rows });
    let mut table = Grid::new(vec![
        (page.say(w::DRIVERS), false),
        (page.say(own::SWARM_SHARE), true),
        (page.say(own::SWARM_MEAN), true),
        (page.say(own::SWARM_LOWERS), true),
    ]);
    for t in themes {
        let mean = |of: &dyn Fn(f64) -> bool| {
            let those: Vec<f64> = t.customers.iter().map(|c| c.0).filter(|v| of(*v)).collect();
            (those.len(), those.iter().sum::<f64>() / those.len().max(1) as f64)
        };
        let ((up, raised), (_, lowered)) = (mean(&|v| v > 0.0), mean(&|v| v < 0.0));
        let share = percent(up as f64 / t.customers.len() as f64);
        table.row(vec![t.name.pick(page.lang).to_owned(), share, page.short(raised), page.short(lowered.abs())]);
    }
    let shades: Vec<String> =
        themes.iter().filter_map(|t| Some(format!("{} – {}", t.name.pick(page.lang), t.shade.as_ref()?))).collect();
    let n = themes.first().map_or(0, |t| t.customers.len());
    let with = [("n", count(n as u64)), ("shades", shades.join(page.lang.pick("; ", "；")))];
    let caption = page.filled(own::SWARM_CAPTION, &with);
    Chart::new("swarm", page.say(own::SWARM), &caption, page.lang, &data)
        .unit(page.money_axis(own::SWARM_X))
        .wide()
        .height(if themes.len() > 6 { "h5" } else { "h4" })
        .table(table)
}

/// What a theme adds, by its feature.
fn follows(page: &Page<'_>, id: &'static str, theme: &Driver, feature: &str) -> Chart {
    let mut points: Vec<(f64, f64)> = theme.customers.iter().filter_map(|(add, v)| Some(((*v)?, *add))).collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let data = json!({
        "kind": "dots", "points": points,
        "x": { "name": feature, "measure": "number" },
        "y": { "name": page.say(own::SWARM_X), "measure": "money" },
    });
    let mut table = Grid::new(vec![(feature.to_owned(), false), (page.say(own::SWARM_X), true)]);
    for (value, add) in &points {
        table.row(vec![value.to_string(), page.money().full(*add)]);
    }
    let with = [("theme", theme.name.pick(page.lang).to_owned()), ("feature", feature.to_owned())];
    let (title, caption) = (page.fill(own::DEPENDS, &with[..1]), page.filled(own::DEPENDS_CAPTION, &with[1..]));
    Chart::new(id, title, &caption, page.lang, &data).unit(page.money_axis(own::SWARM_X)).table(table)
}
