//! `guike tune`: flags to settings, one call of the façade, and what to print.

use guike::Error;
use guike::table::TuneBudget;
use guike::tune::{LogTuning, TuneSummary};
use serde_json::{Value, json};

use crate::commands;
use crate::progress::Bar;
use crate::show::{self, Rows};
use crate::table_args::Tune;
use crate::table_commands;

/// `guike tune table` and `guike tune log`.
pub(crate) fn tune(what: &Tune, bar: &Bar, quiet: bool) -> Result<(), Error> {
    let (summary, format) = match what {
        Tune::Table { table, out, learn, read, how } => {
            let settings = table_commands::settings(learn, read)?;
            let budget = TuneBudget { trials: how.trials };
            let table = commands::table_file(table, &settings.read, bar)?;
            let tune = || guike::table::tune(&table, out, &settings, budget, bar);
            (guike::in_pool(how.threads.threads, tune), how.output.format)
        }
        Tune::OrderLog { log, out, data, forecast, trials, output } => {
            let settings = commands::settings(data, Some(forecast))?;
            let asked = LogTuning { settings: &settings, budget: TuneBudget { trials: *trials } };
            let log = commands::files(&log.log, &settings.data.read, bar)?;
            let tune = || guike::tune::log(&log, out, &asked, bar);
            (guike::in_pool(forecast.threads.threads, tune), output.format)
        }
    };
    bar.finish();
    let summary = summary?;
    trials(&summary).print(format);
    if !quiet {
        tell(&summary);
    }
    Ok(())
}

fn trials(summary: &TuneSummary) -> Rows {
    let columns = ["trial", "learner", "settings", "folds", "loss", "end"].map(str::to_owned).to_vec();
    let rows = summary
        .trials
        .iter()
        .map(|t| -> Vec<Value> {
            vec![json!(t.trial), json!(t.learner), json!(t.values), json!(t.folds), json!(t.loss), json!(t.end)]
        })
        .collect();
    Rows { columns, rows }
}

fn tell(s: &TuneSummary) {
    for note in &s.notes {
        show::message(&format!("note: {note}"));
    }
    let of = |name: &str, a: &guike::tune::OneAnswer| {
        let values: Vec<String> = a.values.iter().map(|(k, v)| format!("{k}={v}")).collect();
        let values = if values.is_empty() { "as it comes".to_owned() } else { values.join(" ") };
        show::message(&format!(
            "{name}: {} {values} — loss {:.5} in the search, {:.5} on what was kept apart",
            a.learner, a.loss_in_search, a.loss_apart
        ));
    };
    of("default", &s.proposal.default);
    of("found", &s.proposal.tuned);
    show::message(&format!("{}: {}", if s.proposal.proposed { "better" } else { "not better" }, s.proposal.why));
    show::message(&format!("settings to use: {}", s.out.join(guike::tune::file_names::SETTINGS_TOML).display()));
}
