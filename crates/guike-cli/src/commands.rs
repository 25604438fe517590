//! One function per command: flags to settings, one call of the façade, and what to print.

use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use guike::workspace::EventsToKeep;
use guike::{Error, ForecastTable, Language, LogFile, LogFiles, RunSummary, Settings};
use serde_json::{Value, json};

use crate::args::{Args, Command, DataFlags, Explain, ForecastFlags, Format, Lang, TierCount, Told};
use crate::audit_commands;
use crate::database_commands;
use crate::doctor;
use crate::ingest_command;
use crate::pretrain_commands;
use crate::progress::Bar;
use crate::run_command;
use crate::serve_commands;
use crate::shell;
use crate::show::{self, Parts, Rows};
use crate::table_commands;
use crate::tune_commands;
use crate::user_commands;
use crate::workspace_commands;

/// Settings file that is read when it is there.
pub(crate) const CONFIG_FILE: &str = "guike.toml";

/// Does what was asked.
///
/// # Errors
/// The façade's.
pub(crate) fn dispatch(args: Args) -> Result<(), Error> {
    let bar = Bar::new(args.quiet);
    let quiet = args.quiet;
    match args.command {
        Command::Demo { out, run, language } => {
            let language = language_of(language.lang);
            let summary = guike::in_pool(run.threads, || guike::demo(&out, language, &bar));
            bar.finish();
            tell(&summary?, quiet);
        }
        Command::Run(flags) => run_command::run(*flags, &bar, quiet)?,
        Command::Refresh(flags) => run_command::refresh(*flags, &bar, quiet)?,
        Command::Import { log, out, data } => {
            let settings = settings(&data, None)?;
            let quality = guike::import_to(&files(&log.log, &settings.data.read, &bar)?, &out, &settings, &bar);
            bar.finish();
            let quality = quality?;
            if !quiet {
                show::message(&format!(
                    "kept {} of {} rows; wrote {}",
                    quality.rows_kept,
                    quality.rows_read,
                    out.display()
                ));
            }
        }
        Command::Ingest(flags) => ingest_command::ingest(&flags, quiet)?,
        Command::Sync(flags) => database_commands::sync(flags, &bar, quiet)?,
        Command::Profile { log, data, output } => {
            let settings = settings(&data, None)?;
            let profile = guike::profile(&files(&log.log, &settings.data.read, &bar)?, &settings, &bar);
            bar.finish();
            print_profile(&profile?, output.format);
        }
        Command::Features { list: true, output, .. } => list_features(output.format),
        Command::Features { log, out, only, memory, data, cutoff, horizon, threads, .. } => {
            let settings = settings(&data, None)?;
            let Some(out) = out else {
                return Err(Error::Internal("clap let a missing --out pass".to_owned()));
            };
            let log = files(&log, &settings.data.read, &bar)?;
            let request = guike::FeatureRequest { only, cutoff, horizon, memory_limit: bytes("--memory", &memory)? };
            let written = guike::in_pool(threads.threads, || guike::features_to(&log, &out, &settings, &request, &bar));
            bar.finish();
            let (rows, columns) = written?;
            if !quiet {
                show::message(&format!("wrote {rows} customers × {columns} features to {}", out.display()));
            }
        }
        Command::Evaluate { log, data, forecast, output } => {
            let settings = settings(&data, Some(&forecast))?;
            let log = files(&log.log, &settings.data.read, &bar)?;
            let selection = guike::in_pool(forecast.threads.threads, || guike::evaluate(&log, &settings, &bar));
            bar.finish();
            print_standings(&selection?, output.format, quiet);
        }
        Command::Forecast { log, model_dir, cutoff, horizon, data, output } => {
            let settings = settings(&data, None)?;
            let log = files(&log.log, &settings.data.read, &bar)?;
            let table = guike::forecast_with(&log, &model_dir, cutoff, horizon, &settings, &bar);
            bar.finish();
            // a forecast goes into other programs: CSV is the readable default here
            let format = if output.format == Format::Table { Format::Csv } else { output.format };
            print_forecasts(&table?, format)?;
        }
        Command::Train(flags) => table_commands::train(&flags, language_of(flags.language.lang), &bar, quiet)?,
        Command::Cluster(flags) => table_commands::cluster(&flags, &bar, quiet)?,
        Command::Tune(what) => tune_commands::tune(&what, &bar, quiet)?,
        Command::Pretrain(flags) => pretrain_commands::pretrain(&flags, &bar, quiet)?,
        Command::Predict(flags) => table_commands::predict(&flags, &bar, quiet)?,
        Command::Keys(what) => serve_commands::keys(&what, quiet)?,
        Command::Audit(what) => audit_commands::audit(&what, quiet)?,
        Command::Users(what) => user_commands::users(&what, quiet)?,
        Command::Serve(flags) => serve_commands::serve(*flags, &bar, quiet)?,
        Command::Export(flags) => table_commands::export(&flags, &bar, quiet)?,
        Command::Explain(flags) => explain(&flags, &bar, quiet)?,
        Command::Simulate(what) => table_commands::simulate(&what, &bar, quiet)?,
        Command::Models(models) => match &models.what {
            None => list_models(models.output.format),
            Some(what) => workspace_commands::models(what, quiet)?,
        },
        Command::Backup { workspace, folder, events, without_events } => {
            let events = match &events {
                _ if without_events => EventsToKeep::Without,
                Some(log) => EventsToKeep::At(log),
                None => EventsToKeep::Noted,
            };
            workspace_commands::backup(&workspace, &folder, events, quiet)?;
        }
        Command::Restore { backup, workspace } => workspace_commands::restore(&backup, &workspace, quiet)?,
        Command::Doctor(flags) => doctor::doctor(&flags, &bar)?,
        Command::Completions(flags) => shell::completions(&flags),
        Command::Man(flags) => shell::man_pages(&flags, quiet)?,
        Command::Config { config } => {
            let flags = DataFlags { config, ..DataFlags::default() };
            show::data(&settings(&flags, None)?.to_toml()?);
        }
    }
    Ok(())
}

/// Customers whose rows are made and printed together.
const PRINTED: usize = 1 << 14;

fn print_forecasts(table: &ForecastTable, format: Format) -> Result<(), Error> {
    let mut parts = Parts::begin(table.columns()?, format);
    for from in (0..table.len()).step_by(PRINTED) {
        parts.append(table.rows(from..table.len().min(from + PRINTED))?);
    }
    parts.end();
    Ok(())
}

/// `guike explain`.
fn explain(flags: &Explain, bar: &Bar, quiet: bool) -> Result<(), Error> {
    let settings = settings(&flags.data_flags, None)?;
    let question = guike::explain::Question {
        who: flags.who.clone(),
        row: flags.row,
        of_row: guike::explain::OfRow {
            lime: flags.lime,
            actionable: flags.actionable.clone(),
            goal: flags.goal.clone(),
        },
        cutoff: flags.cutoff,
        horizon: flags.horizon,
    };
    let data = files(std::slice::from_ref(&flags.data), &settings.data.read, bar)?;
    let found = guike::in_pool(flags.threads.threads, || {
        guike::explain::explain(&flags.model, &data, &question, &settings, bar)
    });
    bar.finish();
    let found = found?;
    let language = language_of(flags.language.lang);
    if let Some(out) = &flags.out {
        found.write_page(language, out)?;
        if !quiet {
            show::message(&format!("open {}", out.display()));
        }
    }
    match flags.format {
        Told::Text => show::data(&found.text(language)),
        Told::Json => show::data(&format!("{:#}\n", json!(found))),
    }
    Ok(())
}

/// The variable with the password of a database, and the one with the name of a file that holds it.
const PASSWORD: &str = "GUIKE_DB_PASSWORD";
const PASSWORD_FILE: &str = "GUIKE_DB_PASSWORD_FILE";

/// The password of a database, from outside the command line, which others see.
pub(crate) fn password() -> Result<Option<String>, Error> {
    if let Ok(password) = std::env::var(PASSWORD) {
        return Ok(Some(password));
    }
    let Some(file) = std::env::var_os(PASSWORD_FILE) else { return Ok(None) };
    let read = fs::read_to_string(&file).map_err(|e| Error::Config {
        what: PASSWORD_FILE.to_owned(),
        value: file.to_string_lossy().into_owned(),
        rule: format!("it names the file that holds the password, which cannot be read ({e})"),
    });
    read.map(|text| Some(text.trim_end_matches(['\n', '\r']).to_owned()))
}

/// The log's files, or the rows of a database; `-` is standard input.
pub(crate) fn files(paths: &[PathBuf], read: &guike::ReadOptions, bar: &Bar) -> Result<LogFiles, Error> {
    let is_stdin = |p: &PathBuf| p.as_os_str() == "-";
    if !paths.iter().any(is_stdin) {
        return guike::sources::open_log(paths, read, password()?.as_deref(), bar);
    }
    let stdin = std::io::stdin();
    let mistake = |rule: &str| Error::Config { what: "LOG".to_owned(), value: "-".to_owned(), rule: rule.to_owned() };
    if paths.len() > 1 {
        return Err(mistake(
            "standard input is a whole log by itself; put the files together before it, or name them all",
        ));
    }
    if stdin.is_terminal() {
        return Err(mistake("standard input is a terminal; pipe a log into it, or name a file"));
    }
    Ok(LogFiles::of_stream(&mut stdin.lock(), "standard input")?)
}

/// The one file of a table, or a table of a database; `-` is standard input.
pub(crate) fn table_file(path: &Path, read: &guike::ReadOptions, bar: &Bar) -> Result<LogFile, Error> {
    if path.as_os_str() == "-" {
        let stdin = files(&[path.to_owned()], read, bar)?;
        return stdin.single().cloned().ok_or_else(|| Error::Internal("a stream is one file".to_owned()));
    }
    guike::sources::open_table(path, read, password()?.as_deref(), bar)
}

/// `guike.toml`, then flags over it.
pub(crate) fn settings(data: &DataFlags, forecast: Option<&ForecastFlags>) -> Result<Settings, Error> {
    let file = match &data.config {
        Some(path) => Some(path.clone()),
        None => Some(PathBuf::from(CONFIG_FILE)).filter(|p| p.is_file()),
    };
    let said = match file {
        Some(path) => {
            let text = fs::read_to_string(&path)
                .map_err(|e| Error::ConfigFile { path: path.clone(), reason: e.to_string() })?;
            Settings::from_toml(&text, &path)?
        }
        None => Settings::default(),
    };
    overlaid(said, data, forecast)
}

/// These settings, overlaid by the flags.
///
/// # Errors
/// [`Error::Config`] for a flag that cannot be.
pub(crate) fn overlaid(mut s: Settings, data: &DataFlags, forecast: Option<&ForecastFlags>) -> Result<Settings, Error> {
    let read = &mut s.data.read;
    for (setting, flag) in [
        (&mut read.customer, &data.customer),
        (&mut read.time, &data.time),
        (&mut read.clock, &data.clock),
        (&mut read.amount, &data.amount),
        (&mut read.price, &data.price),
        (&mut read.quantity, &data.quantity),
        (&mut read.order, &data.order),
        (&mut read.item, &data.item),
        (&mut read.category, &data.category),
        (&mut read.kind, &data.kind),
        (&mut read.status, &data.status),
        (&mut read.currency_column, &data.currency_column),
        (&mut read.delimiter, &data.delimiter),
        (&mut read.sheet, &data.sheet),
        (&mut read.query, &data.query),
        (&mut read.unwind, &data.unwind),
        (&mut read.encoding, &data.encoding),
        (&mut read.currency, &data.currency),
    ] {
        if flag.is_some() {
            setting.clone_from(flag);
        }
    }
    if let Some(format) = &data.date_format {
        read.date_format = Some(guike::date_format(format)?);
    }
    read.decimal = data.decimal.map(Into::into).or(read.decimal);
    read.header = data.header.or(read.header);
    read.title_lines = data.title_lines.or(read.title_lines);
    if data.customers.is_some() {
        s.customers.clone_from(&data.customers);
    }
    // the present moment, so that rows from the future are noticed
    s.data.now = s.data.now.or_else(now);
    if let Some(f) = forecast {
        let to = &mut s.forecast;
        to.horizon = f.horizon.or(to.horizon);
        to.cutoff = f.cutoff.or(to.cutoff);
        to.learn_from = f.learn_from.unwrap_or(to.learn_from);
        to.seed = f.seed.map_or(to.seed, guike_core::Seed);
        if let Some(budget) = f.budget {
            to.budget = budget.into();
        }
        if let Some(model) = &f.model {
            to.model.clone_from(model);
        }
        if let Some(method) = f.tier_method.and_then(|m| m.to_possible_value()) {
            s.tier_by(method.get_name())?;
        }
        match f.tiers {
            None => {}
            Some(TierCount::Given(n)) => s.tiers.tiers = n,
            Some(TierCount::Auto) => s.find_number_of_tiers()?,
        }
    }
    s.validate()?;
    Ok(s)
}

/// Now, as a civil moment of the shop; a day ahead, because its clock may be ahead of ours.
pub(crate) fn now() -> Option<guike_core::Timestamp> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(guike_core::Timestamp(i64::try_from(since.as_secs()).ok()? + guike_core::SECONDS_PER_DAY))
}

pub(crate) fn language_of(flag: Option<Lang>) -> Language {
    match flag {
        Some(Lang::Zh) => Language::Chinese,
        Some(Lang::En) => Language::English,
        None => {
            let named =
                ["LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(|v| std::env::var(v).ok().filter(|s| !s.is_empty()));
            if named.is_some_and(|l| l.to_ascii_lowercase().starts_with("zh")) {
                Language::Chinese
            } else {
                Language::English
            }
        }
    }
}

/// `512MiB`, `1GiB`, `2000000000`, as the value of this flag.
pub(crate) fn bytes(flag: &str, text: &str) -> Result<u64, Error> {
    let t = text.trim();
    let split = t.find(|c: char| !c.is_ascii_digit()).unwrap_or(t.len());
    let unit: Option<u64> = match t[split..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => Some(1),
        "k" | "kib" => Some(1 << 10),
        "m" | "mib" => Some(1 << 20),
        "g" | "gib" => Some(1 << 30),
        _ => None,
    };
    t[..split].parse::<u64>().ok().zip(unit).and_then(|(n, u)| n.checked_mul(u)).ok_or_else(|| Error::Config {
        what: flag.to_owned(),
        value: text.to_owned(),
        rule: "write a number and KiB, MiB or GiB, for example `512MiB`".to_owned(),
    })
}

/// The summary of a run, in words, on standard error.
pub(crate) fn tell(s: &RunSummary, quiet: bool) {
    if quiet {
        return;
    }
    let money = |x: f64| grouped(x.round());
    let currency = s.currency.as_deref().map_or_else(String::new, |c| format!(" {c}"));
    let mut lines = vec![
        format!("kept {} of {} rows", grouped(s.rows[1] as f64), grouped(s.rows[0] as f64)),
        format!(
            "{} customers with orders up to {} are expected to spend {}{currency} in the next {} days",
            grouped(s.customers as f64),
            s.cutoff,
            money(s.total.expected),
            s.horizon.days()
        ),
        format!(
            "  (80 % interval {} to {}); about {} of them will buy",
            money(s.total.lower),
            money(s.total.upper),
            grouped(s.total.active.round())
        ),
        format!("model: {} — {}", s.model, s.why),
    ];
    for (name, n, share) in &s.tiers {
        lines.push(format!("  {name:<10} {:>9} customers  {:>3.0} % of the value", grouped(*n as f64), 100.0 * share));
    }
    if let Some(h) = &s.holdout {
        lines.push(format!(
            "checked against the {} days after the cutoff: forecast/actual total {}, normalised Gini {}, AUC of p_active {}",
            h.days,
            figure(h.scores.bias),
            figure(h.scores.gini_norm),
            figure(h.scores.auc_p)
        ));
    }
    lines.extend(s.notes.iter().map(|n| format!("note: {n}")));
    lines.push(format!("open {}", s.out.join("report.html").display()));
    lines.push(format!("or look around in it: guike serve {}", s.out.display()));
    for l in lines {
        show::message(&l);
    }
}

fn figure(x: Option<f64>) -> String {
    x.map_or_else(|| "–".to_owned(), |v| format!("{v:.3}"))
}

/// Digits in groups of three.
fn grouped(x: f64) -> String {
    let digits = format!("{:.0}", x.abs());
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(c);
    }
    if x < 0.0 { format!("-{out}") } else { out }
}

fn names(columns: &[&str]) -> Vec<String> {
    columns.iter().map(|&c| c.to_owned()).collect()
}

fn list_features(format: Format) {
    let rows = guike::catalogue()
        .into_iter()
        .map(|d| vec![json!(d.name), json!(d.theme), json!(d.unit), json!(d.null_rule), json!(d.description)])
        .collect();
    Rows { columns: names(&["name", "theme", "unit", "missing", "description"]), rows }.print(format);
}

/// What may be tuned: `learning_rate 0.01 to 0.2 (log); …`.
fn space(of: &[guike::tune::Knob]) -> String {
    of.iter().map(|k| format!("{} {}", k.name, k.range.words())).collect::<Vec<_>>().join("; ")
}

fn list_models(format: Format) {
    let from_logs = guike::describe_learners().into_iter().map(|l| {
        let tuned = if guike::learners::reads_features(l.name) { space(guike::learners::HEADS) } else { String::new() };
        vec![json!(l.name), json!("order log"), json!(l.parameters), json!(l.idea), json!(l.source), json!(tuned)]
    });
    let from_tables = guike::table::learners::ALL.iter().map(|l| {
        vec![json!(l.name), json!("table"), Value::Null, json!(l.idea), json!(l.source), json!(space(l.space))]
    });
    let rows = from_logs.chain(from_tables).collect();
    Rows { columns: names(&["name", "learns_from", "parameters", "idea", "source", "tuned"]), rows }.print(format);
}

fn print_standings(selection: &guike::Selection, format: Format, quiet: bool) {
    let mean = |s: &guike::Standing, of: fn(&guike::Scores) -> Option<f64>| {
        let values: Vec<f64> = s.scores.iter().filter_map(of).collect();
        if values.is_empty() { Value::Null } else { json!(values.iter().sum::<f64>() / values.len() as f64) }
    };
    let rows = selection
        .standings
        .iter()
        .map(|s| {
            let extra = s.against_leader;
            vec![
                json!(s.name),
                json!(s.loss),
                json!(extra.map(|i| i.lo)),
                json!(extra.map(|i| i.hi)),
                mean(s, |x| x.gini_norm),
                mean(s, |x| x.bias),
                mean(s, |x| x.auc_p),
                json!(s.failure),
            ]
        })
        .collect();
    let columns = names(&["candidate", "loss", "extra_lo", "extra_hi", "gini", "bias", "auc", "failure"]);
    Rows { columns, rows }.print(format);
    if !quiet {
        show::message(&format!("chosen: {} — {}", selection.selected, selection.text_en));
    }
}

fn print_profile(profile: &guike::Profile, format: Format) {
    match format {
        Format::Json => show::data(&format!("{:#}\n", json!(profile))),
        Format::Csv | Format::Table => {
            let rows = profile.lines().into_iter().map(|(k, v)| vec![json!(k), json!(v)]).collect();
            Rows { columns: names(&["what", "value"]), rows }.print(format);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        for (x, text) in [(0.0, "0"), (999.0, "999"), (1000.0, "1,000"), (-1_234_567.0, "-1,234,567")] {
            assert_eq!(grouped(x), text);
        }
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(bytes("--memory", "512MiB").ok(), Some(512 << 20));
        assert_eq!(bytes("--memory", "1 gib").ok(), Some(1 << 30));
        assert!(bytes("--memory", "lots").is_err());
    }
}
