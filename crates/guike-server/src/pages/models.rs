//! `GET /models`, `GET /models/{name}`: models of tables: how good they are, what they lean on, and a form to try them.

use guike::report::page::Text;
use guike::report::text::{count, percent};
use guike::report::words as w;
use guike::table::explain::Outline;
use guike::table::{Outcome, figure_keys, figure_words};
use guike::workspace::Stage;
use guike_guard::{Action, Resource};
use serde_json::{Value, json};

use super::calling::{self, Calling};
use super::frame::Page;
use super::outline::{self, Said};
use super::quality::score;
use super::show::{Block, Chart, Figure, Grid, escaped};
use super::{trying, words as own};
use crate::app::{Answer, App, Call};
use crate::model_file;
use crate::problem::Problem;
use crate::served::{ServedModel, encoded};

/// Figures that are shown large.
const LARGE: usize = 4;

/// `GET /models`, and `GET /` where no results of a run are served.
pub(super) fn all(app: &App, call: &Call) -> Result<Answer, Problem> {
    let page = Page::open(app, call, &[])?;
    let title = page.say(own::MODELS);
    if app.served.models.is_empty() {
        let blocks = vec![Block::Missing { html: page.html(own::NO_MODELS) }];
        return Ok(page.answer(&title, None, blocks));
    }
    let head = [w::MODEL, own::PREDICTS, own::LEARNER, own::COLUMNS, own::SCORES_OF, own::VERSION];
    let mut table = Grid::new(head.iter().enumerate().map(|(i, word)| (page.say(*word), i == 3)).collect());
    for m in &app.served.models {
        let keys = figure_keys(m.scorer.outcome());
        let found = keys.iter().find_map(|key| Some((figure_words(key).0, held_out(m)?[*key].as_f64()?)));
        let good = found.map_or_else(|| "–".to_owned(), |(name, v)| format!("{} {}", name.pick(page.lang), score(v)));
        table.row_html(vec![
            format!("<a href=\"/models/{}\">{}</a>", escaped(&encoded(&m.name)), escaped(&m.name)),
            escaped(m.scorer.target()),
            escaped(m.scorer.learner()),
            count(m.scorer.inputs().len() as u64),
            escaped(&good),
            escaped(&m.version),
        ]);
    }
    let blocks = vec![Block::Lead { html: page.html(own::MODELS_LEAD), is_first: true }, Block::Grid(table)];
    Ok(page.answer(&title, None, blocks))
}

/// The figures on rows that the model had not seen: those kept apart, else those out of fold.
fn held_out(m: &ServedModel) -> Option<&Value> {
    let e = m.evaluation.as_ref()?;
    [&e["test"]["values"], &e["cross_validated"]["values"]].into_iter().find(|v| v.is_object())
}

/// `GET /models/{name}`.
pub(super) fn one(app: &App, call: &Call) -> Result<Answer, Problem> {
    let page = Page::open(app, call, &calling::ASKED)?;
    let m = app.model(call.param("name"))?;
    let tried = trying::form(&page, m, &[]);
    Ok(shown(page, app, m, vec![tried]))
}

/// The page of a model, with what was tried.
pub(super) fn shown(page: Page<'_>, app: &App, m: &ServedModel, tried: Vec<Block>) -> Answer {
    let mut blocks = vec![about(&page, m)];
    // who may only try it does not get it
    if page.who.may(Resource::Models, Action::Read) {
        blocks.push(Block::Heading(page.say(own::VERSIONS)));
        blocks.extend(versions(&page, app, m));
    }
    blocks.push(Block::Heading(page.say(own::TRY)));
    blocks.push(Block::Prose { html: format!("<span class=\"quiet\">{}</span>", page.html(own::TRY_LEAD)) });
    blocks.extend(tried);
    if let Some(e) = &m.evaluation {
        blocks.push(Block::Heading(page.say(own::SCORES_OF)));
        blocks.extend(figures(&page, m, e));
    }
    let mut charts: Vec<Chart> = m
        .evaluation
        .iter()
        .flat_map(|e| [losses(&page, e), importance(&page, e), outlined(&page, m, e)])
        .flatten()
        .collect();
    let class = class_of(m);
    let calling = m.outcomes.as_ref().zip(class).map(|(o, class)| Calling {
        calls: &o.calls,
        positive: o.positive,
        all: o.rows,
        class: Some(class),
        usual: m.scorer.threshold(),
    });
    let calling = calling.filter(|c| c.positive > 0 && c.positive < c.all);
    if let Some(c) = &calling {
        let name = c.class.unwrap_or_default().to_owned();
        let title = page.fill(own::ROC_MODEL, &[("class", name)]);
        let caption = page.filled(own::ROC_MODEL_CAPTION, &[("auc", percent(c.area()))]);
        charts.extend(c.charts(&page, (title, caption), [own::ROC_MODEL_X, own::ROC_MODEL_Y]));
    }
    if !charts.is_empty() {
        blocks.push(Block::Charts(charts));
    }
    if let Some(c) = &calling {
        blocks.push(Block::Heading(page.say(own::CALL)));
        blocks.push(Block::Part { html: c.form(&page) });
    }
    let back = Some(("/models".to_owned(), page.say(own::BACK_MODELS)));
    page.answer(&m.name, back, blocks)
}

/// The name of the positive class of two.
pub(super) fn class_of(m: &ServedModel) -> Option<&str> {
    match m.scorer.outcome() {
        Outcome::Classification { classes, positive: Some(p) } => classes.get(*p).map(String::as_str),
        _ => None,
    }
}

fn about(page: &Page<'_>, m: &ServedModel) -> Block {
    let classes = match m.scorer.outcome() {
        Outcome::Regression => None,
        Outcome::Classification { classes, .. } => Some(classes.join(" · ")),
    };
    let columns: Vec<&str> = m.scorer.inputs().iter().map(|c| c.name.as_str()).collect();
    let mut list = String::from("<dl class=\"facts-list\">");
    let mut put = |name: w::Word, value: &str| {
        list += &format!("<dt>{}</dt><dd>{}</dd>", page.html(name), escaped(value));
    };
    put(own::PREDICTS, m.scorer.target());
    if let Some(classes) = classes {
        put(own::CLASSES, &classes);
    }
    put(own::LEARNER, m.scorer.learner());
    put(own::COLUMNS, &columns.join(" · "));
    put(own::VERSION, &m.version);
    Block::Part { html: list + "</dl>" }
}

/// What is kept of this name, each version with its file for other programs.
fn versions(page: &Page<'_>, app: &App, m: &ServedModel) -> Vec<Block> {
    let head = [own::VERSION, own::STAGE, own::LEARNER, own::MADE_AT, own::MODEL_FILE];
    let mut table = Grid::new(head.iter().map(|word| (page.say(*word), false)).collect());
    let link = |version: &str| {
        let label = page.fill(own::MODEL_FILE_OF, &[("n", version.to_owned())]);
        let to = escaped(&model_file::address(&m.name, version));
        format!("<a href=\"{to}\" download aria-label=\"{}\">model.json</a>", escaped(&label))
    };
    let none = || page.html(own::NO_MODEL_FILE);
    let kept = app.served.kept.as_ref().filter(|_| m.stage.is_some());
    for v in kept.iter().flat_map(|kept| kept.versions_of(&m.name)) {
        let stage = match v.stage {
            Stage::Candidate => own::CANDIDATE,
            Stage::Champion => own::CHAMPION,
            Stage::Archived => own::ARCHIVED,
        };
        table.row_html(vec![
            v.number.to_string(),
            page.html(stage),
            escaped(v.card["learner"].as_str().unwrap_or("–")),
            escaped(&v.created.to_string().chars().take(16).collect::<String>()),
            link(&v.number.to_string()),
        ]);
    }
    if kept.is_none() {
        let file = if m.file.is_some() { link(&m.version) } else { none() };
        table.row_html(vec![
            escaped(&m.version),
            page.html(own::OF_A_FOLDER),
            escaped(m.scorer.learner()),
            "–".to_owned(),
            file,
        ]);
    }
    table.rows.reverse();
    let about = Block::Prose { html: format!("<span class=\"quiet\">{}</span>", page.html(own::MODEL_FILE_ABOUT)) };
    vec![Block::Grid(table), about]
}

/// The figures, the telling ones large, all of them in a table with their meaning.
fn figures(page: &Page<'_>, m: &ServedModel, e: &Value) -> Vec<Block> {
    let (apart, folds) = (&e["test"]["values"], &e["cross_validated"]["values"]);
    let main = if apart.is_object() { (apart, own::KEPT_APART) } else { (folds, own::OUT_OF_FOLD) };
    let keys = figure_keys(m.scorer.outcome());
    let detail = page.say(main.1);
    let large = keys.iter().filter_map(|key| {
        Some(Figure::new(figure_words(key).0.pick(page.lang), &score(main.0[*key].as_f64()?), &detail))
    });
    let head = [w::SCORE, own::OUT_OF_FOLD, own::KEPT_APART, w::MEANING];
    let mut table = Grid::new(head.iter().enumerate().map(|(i, word)| (page.say(*word), i == 1 || i == 2)).collect());
    let shown = |v: &Value| v.as_f64().map_or_else(|| "–".to_owned(), score);
    for key in keys {
        let (name, meaning) = figure_words(key);
        let cells = [name.pick(page.lang), &shown(&folds[*key]), &shown(&apart[*key]), meaning.pick(page.lang)];
        table.row(cells.map(str::to_owned).into());
    }
    let mut blocks = vec![Block::Tiles(large.take(LARGE).collect(), false)];
    let leaks: Vec<&str> = e["leaks"].as_array().into_iter().flatten().filter_map(|l| l["column"].as_str()).collect();
    if !leaks.is_empty() {
        let html = format!("{}: {}", page.html(own::LEAKS), escaped(&leaks.join(", ")));
        blocks.push(Block::Warning { html });
    }
    blocks.push(Block::Grid(table));
    blocks
}

/// The loss of every learner that was tried.
fn losses(page: &Page<'_>, e: &Value) -> Option<Chart> {
    let tried: Vec<&Value> = e["candidates"].as_array()?.iter().filter(|c| c["loss"].is_number()).collect();
    let best = tried.iter().filter_map(|c| c["loss"].as_f64()).fold(f64::INFINITY, f64::min);
    let items: Vec<Value> = tried
        .iter()
        .map(|c| {
            let end = |name: &str| c["extra"][name].as_f64().filter(|_| c["chosen"] != true).map(|v| best + v);
            json!({
                "name": c["name"], "value": c["loss"], "lo": end("lo"), "hi": end("hi"),
                "marked": c["chosen"], "yardstick": c["yardstick"],
            })
        })
        .collect();
    if items.len() < 2 {
        return None;
    }
    let mut table = Grid::new(vec![(page.say(own::LEARNER), false), (page.say(own::LOSS), true)]);
    for c in &tried {
        let loss = c["loss"].as_f64().map_or_else(|| "–".to_owned(), score);
        table.row(vec![c["name"].as_str().unwrap_or_default().to_owned(), loss]);
    }
    let data = json!({ "kind": "rank", "style": "dots", "measure": "plain", "items": items });
    let caption: Text = own::LOSS_CAPTION.text();
    let keys = vec![("dot", page.say(own::MARK_CHOSEN)), ("ring", page.say(w::YARDSTICK))];
    Some(Chart::new("losses", page.say(own::LOSS), &caption, page.lang, &data).keys(keys).table(table))
}

/// The model as a small tree.
fn outlined(page: &Page<'_>, m: &ServedModel, e: &Value) -> Option<Chart> {
    let of = serde_json::from_value::<Outline>(e["outline"].clone()).ok()?;
    let class = m.scorer.outcome().classes();
    // of many classes it is one that is most probable on average, which the file does not name
    let (mean, measure) = match (class_of(m), class.is_empty()) {
        (Some(class), _) => (page.fill(own::OUTLINE_CHANCE, &[("class", class.to_owned())]), "percent"),
        (None, true) => (format!("{} · {}", m.scorer.target(), page.say(own::OUTLINE_MEAN)), "plain"),
        (None, false) => return None,
    };
    let number = |v: f64| if measure == "percent" { percent(v) } else { score(v) };
    let said = Said {
        title: own::OUTLINE_MODEL,
        mean,
        measure,
        number: &number,
        column: &str::to_owned,
        is_whole: &|_| false,
    };
    outline::chart(page, &of, &said)
}

/// How much worse the model does without each column.
fn importance(page: &Page<'_>, e: &Value) -> Option<Chart> {
    let columns = e["importance"].as_array().filter(|c| !c.is_empty())?;
    let of = |c: &Value, name: &str| c["loss"][name].as_f64();
    let item = |c: &Value| json!({ "name": c["column"], "value": of(c, "mid"), "lo": of(c, "lo"), "hi": of(c, "hi") });
    let items: Vec<Value> = columns.iter().map(item).collect();
    let interval = page.fill(w::INTERVAL, &[("level", "95%".to_owned())]);
    let mut table =
        Grid::new(vec![(page.say(w::COLUMN), false), (page.say(own::IMPORTANCE_X), true), (interval, true)]);
    for c in columns {
        let shown = |name: &str| of(c, name).map_or_else(|| "–".to_owned(), score);
        let range = format!("{} – {}", shown("lo"), shown("hi"));
        table.row(vec![c["column"].as_str().unwrap_or_default().to_owned(), shown("mid"), range]);
    }
    let data = json!({ "kind": "rank", "style": "bar", "measure": "plain", "items": items });
    let caption: Text = own::IMPORTANCE_CAPTION.text();
    let height = if items.len() > 12 { "h5" } else { "h3" };
    Some(
        Chart::new("importance", page.say(own::IMPORTANCE), &caption, page.lang, &data)
            .unit(page.say(own::IMPORTANCE_X))
            .height(height)
            .table(table),
    )
}
