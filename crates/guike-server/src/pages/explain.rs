//! `GET /explain`: what the forecasts rest on.

use guike::report::told;
use guike::report::words as w;
use serde_json::json;

use super::frame::Page;
use super::show::{Block, Chart};
use super::words as own;
use crate::app::{Answer, App, Call};
use crate::problem::Problem;

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
                let item = |d: &guike::report::view::Driver| {
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
                blocks.push(Block::Charts(vec![chart]));
                blocks.push(Block::Prose { html: page.html(own::WHY_HOW) });
                blocks.push(Block::Prose { html: page.html(own::WHY_ONE) });
            }
        },
    }
    let title = page.say(w::DRIVERS);
    Ok(page.answer(&title, None, blocks))
}
