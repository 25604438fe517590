//! Where to draw the line: what comes of every threshold of a probability, and what mistakes cost.
//!
//! The one idea: counts per threshold were kept by the run; threshold and costs are parameters of the address, and the server
//! says what they mean.

use askama::Template;
use guike::board::Call as Threshold;
use guike::report::text::{count, grouped, percent};
use guike::report::words::{self as w, Word};
use serde_json::json;

use super::frame::Page;
use super::show::{Chart, Grid};
use super::words as own;

/// What the address may say about it.
pub(super) const ASKED: [&str; 3] = ["threshold", "alarm", "miss"];

/// Outcomes at every threshold.
pub(super) struct Calling<'a> {
    /// From the highest threshold down.
    pub(super) calls: &'a [Threshold],
    /// Those with the outcome, and all.
    pub(super) positive: u64,
    pub(super) all: u64,
    /// The class that is called, where it is not buyers.
    pub(super) class: Option<&'a str>,
    /// Where the threshold is when nothing is asked.
    pub(super) usual: f64,
}

/// What is asked.
struct Asked {
    threshold: f64,
    alarm: f64,
    miss: f64,
}

/// What comes of a threshold.
#[derive(Clone, Copy)]
struct Outcome {
    from: f64,
    hits: u64,
    alarms: u64,
    misses: u64,
    rest: u64,
}

impl Outcome {
    fn cost(&self, asked: &Asked) -> f64 {
        self.alarms as f64 * asked.alarm + self.misses as f64 * asked.miss
    }
}

#[derive(Template)]
#[template(path = "calling.html", escape = "html")]
struct Html {
    path: String,
    lead: String,
    threshold: (String, String),
    alarm: (String, String),
    miss: (String, String),
    show: String,
    wrong: Option<String>,
    says: String,
    best: String,
    use_best: Option<(String, String)>,
    head: [String; 2],
    rows: [(String, String, String); 2],
    caption: String,
}

impl Calling<'_> {
    fn at(&self, threshold: f64) -> Outcome {
        let call = self.calls.iter().take_while(|c| c.from >= threshold).last();
        let (hits, alarms) = call.map_or((0, 0), |c| (c.hits, c.alarms));
        self.outcome(threshold, hits, alarms)
    }

    fn outcome(&self, from: f64, hits: u64, alarms: u64) -> Outcome {
        let negative = self.all - self.positive;
        Outcome {
            from,
            hits,
            alarms,
            misses: self.positive.saturating_sub(hits),
            rest: negative.saturating_sub(alarms),
        }
    }

    /// The threshold whose mistakes cost least; calling nobody is one, too.
    fn cheapest(&self, asked: &Asked) -> Outcome {
        let nobody = self.outcome(1.0, 0, 0);
        let each = self.calls.iter().map(|c| self.outcome(c.from, c.hits, c.alarms));
        each.fold(nobody, |best, o| if o.cost(asked) < best.cost(asked) { o } else { best })
    }

    fn asked(&self, page: &Page<'_>) -> Option<Asked> {
        let number = |name: &str, usual: f64, most: f64| match page.query.get(name).map(str::trim) {
            None | Some("") => Some(usual),
            Some(text) => text.parse().ok().filter(|v: &f64| (0.0..=most).contains(v)),
        };
        Some(Asked {
            threshold: number("threshold", self.usual * 100.0, 100.0)? / 100.0,
            alarm: number("alarm", 1.0, 1e12)?,
            miss: number("miss", 1.0, 1e12)?,
        })
    }

    /// The form with what the threshold means.
    pub(super) fn form(&self, page: &Page<'_>) -> String {
        let read = self.asked(page);
        let is_wrong = read.is_none();
        let asked = read.unwrap_or(Asked { threshold: self.usual, alarm: 1.0, miss: 1.0 });
        let (o, best) = (self.at(asked.threshold), self.cheapest(&asked));
        let called = o.hits + o.alarms;
        let share =
            |part: u64, whole: u64| if whole > 0 { percent(part as f64 / whole as f64) } else { "–".to_owned() };
        let says = page.fill_html(
            own::CALL_SAYS,
            &[
                ("threshold", percent(asked.threshold)),
                ("called", count(called)),
                ("hits", count(o.hits)),
                ("all", count(self.positive)),
                ("recall", share(o.hits, self.positive)),
                ("precision", share(o.hits, called)),
                ("cost", grouped(o.cost(&asked), 0)),
            ],
        );
        let typed = |name: &str, usual: f64| page.query.get(name).map_or_else(|| plain(usual), str::to_owned);
        // down to the next kept digit, so that the threshold itself is still reached
        let found = (best.from * 1e4).floor() / 100.0;
        let link = format!("{}?threshold={found}&alarm={}&miss={}#calling", page.reader.path, asked.alarm, asked.miss);
        let html = Html {
            path: page.reader.path.clone(),
            lead: match self.class {
                Some(class) => page.fill(own::CALL_LEAD_MODEL, &[("class", class.to_owned())]),
                None => page.say(own::CALL_LEAD),
            },
            threshold: (page.say(own::THRESHOLD), typed("threshold", self.usual * 100.0)),
            alarm: (page.say(own::COST_ALARM), typed("alarm", 1.0)),
            miss: (page.say(own::COST_MISS), typed("miss", 1.0)),
            show: page.say(own::APPLY),
            wrong: is_wrong.then(|| page.say(own::CALL_WRONG)),
            says,
            best: page.fill_html(
                own::CALL_BEST,
                &[("threshold", percent(best.from)), ("cost", grouped(best.cost(&asked), 0))],
            ),
            use_best: (best.cost(&asked) < o.cost(&asked)).then(|| (link, page.say(own::CALL_USE))),
            head: [page.say(own::CALLED_YES), page.say(own::CALLED_NO)],
            rows: [
                (page.say(own::WAS_YES), count(o.hits), count(o.misses)),
                (page.say(own::WAS_NO), count(o.alarms), count(o.rest)),
            ],
            caption: page.say(own::CALL),
        };
        html.render().expect("a String takes every page")
    }

    /// Hits against false alarms, and precision against hits, with the threshold that is asked for.
    pub(super) fn charts(
        &self,
        page: &Page<'_>,
        roc: (String, guike::report::page::Text),
        axes: [Word; 2],
    ) -> Vec<Chart> {
        let (p, n) = (self.positive as f64, (self.all - self.positive) as f64);
        if p == 0.0 || n == 0.0 || self.calls.is_empty() {
            return Vec::new();
        }
        let chosen = self.at(self.asked(page).map_or(self.usual, |a| a.threshold));
        let rates = |hits: u64, alarms: u64| [alarms as f64 / n, hits as f64 / p];
        let precision = |hits: u64, alarms: u64| [hits as f64 / p, hits as f64 / (hits + alarms).max(1) as f64];
        let mut curve = vec![[0.0, 0.0]];
        curve.extend(self.calls.iter().map(|c| rates(c.hits, c.alarms)));
        let precise: Vec<[f64; 2]> =
            self.calls.iter().filter(|c| c.hits > 0).map(|c| precision(c.hits, c.alarms)).collect();
        let axis = |name: Word| json!({ "name": page.say(name), "min": 0, "max": 1, "measure": "percent" });
        let point =
            |at: [f64; 2]| json!({ "name": page.say(own::THRESHOLD), "role": "point", "dots": true, "points": [at] });
        let chance =
            |points: [[f64; 2]; 2]| json!({ "name": page.say(own::CHANCE), "role": "chance", "points": points });
        let main = |points: &[[f64; 2]]| json!({ "name": page.say(w::MODEL), "role": "main", "points": points });
        let data = json!({
            "kind": "curves", "x": axis(axes[0]), "y": axis(axes[1]),
            "series": [chance([[0.0, 0.0], [1.0, 1.0]]), main(&curve), point(rates(chosen.hits, chosen.alarms))],
        });
        let mut table = Grid::new(vec![(page.say(axes[0]), false), (page.say(axes[1]), true)]);
        for alarms in [0.05, 0.1, 0.2, 0.3, 0.5] {
            let at = curve[curve.partition_point(|c| c[0] <= alarms).saturating_sub(1)];
            table.row(vec![percent(alarms), percent(at[1])]);
        }
        let keys =
            || vec![("line", page.say(w::MODEL)), ("dot2", page.say(own::THRESHOLD)), ("dash", page.say(own::CHANCE))];
        let roc = Chart::new("roc", roc.0, &roc.1, page.lang, &data).keys(keys()).table(table);
        let hits_name = if self.class.is_some() { own::PR_X_MODEL } else { own::PR_X };
        let mut series = vec![chance([[0.0, p / (p + n)], [1.0, p / (p + n)]]), main(&precise)];
        if chosen.hits > 0 {
            series.push(point(precision(chosen.hits, chosen.alarms)));
        }
        let data = json!({ "kind": "curves", "x": axis(hits_name), "y": axis(own::PR_Y), "series": series });
        let mut table = Grid::new(vec![(page.say(hits_name), false), (page.say(own::PR_Y), true)]);
        for hits in [0.1, 0.25, 0.5, 0.75, 0.9] {
            if let Some(at) = precise.iter().find(|c| c[0] >= hits) {
                table.row(vec![percent(hits), percent(at[1])]);
            }
        }
        let title = match self.class {
            Some(class) => page.fill(own::PR_MODEL, &[("class", class.to_owned())]),
            None => page.say(own::PR),
        };
        let caption = own::PR_CAPTION.text();
        vec![roc, Chart::new("precision", title, &caption, page.lang, &data).keys(keys()).table(table)]
    }

    /// The area under the curve of hits against false alarms.
    pub(super) fn area(&self) -> f64 {
        let (p, n) = (self.positive as f64, (self.all - self.positive) as f64);
        let mut last = (0.0, 0.0);
        self.calls.iter().fold(0.0, |sum, c| {
            let now = (c.alarms as f64 / n, c.hits as f64 / p);
            let more = (now.0 - last.0) * (now.1 + last.1) / 2.0;
            last = now;
            sum + more
        })
    }
}

/// A number as a form shows it.
fn plain(v: f64) -> String {
    let text = format!("{v:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calling(calls: &[Threshold]) -> Calling<'_> {
        Calling { calls, positive: 10, all: 30, class: None, usual: 0.5 }
    }

    #[test]
    fn a_threshold_calls_those_who_reach_it() {
        let calls = [
            Threshold { from: 0.8, hits: 4, alarms: 1 },
            Threshold { from: 0.4, hits: 8, alarms: 6 },
            Threshold { from: 0.1, hits: 10, alarms: 20 },
        ];
        let c = calling(&calls);
        let at = |t| (c.at(t).hits, c.at(t).alarms, c.at(t).misses, c.at(t).rest);
        assert_eq!(at(0.9), (0, 0, 10, 20));
        assert_eq!(at(0.8), (4, 1, 6, 19));
        assert_eq!(at(0.5), (4, 1, 6, 19));
        assert_eq!(at(0.0), (10, 20, 0, 0));
        let asked = |alarm, miss| Asked { threshold: 0.5, alarm, miss };
        assert_eq!(c.cheapest(&asked(1.0, 1.0)).from, 0.8, "7 mistakes, as many as 8 at 0.4 less one");
        assert_eq!(c.cheapest(&asked(1.0, 100.0)).from, 0.1);
        assert_eq!(c.cheapest(&asked(100.0, 1.0)).hits, 0, "calling nobody");
        assert!((c.area() - 0.79).abs() < 1e-12, "{}", c.area());
    }
}
