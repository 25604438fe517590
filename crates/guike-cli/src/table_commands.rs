//! The commands on tables: flags to settings, one call of the façade, and what to print.

use std::path::{Path, PathBuf};

use guike::table::batch::{self, Keep};
use guike::table::cluster::{ClusterMethod, ClusterSettings, ClusterSummary, Covariance};
use guike::table::score::Scorer;
use guike::table::synthetic::{Imitated, Imitation, TabularGan};
use guike::table::{
    ExportFormat, Label, Predictions, ReadOptions, ScalingChoice, TableSettings, TaskChoice, TrainSummary,
};
use guike::{Error, Language};
use guike_core::Seed;
use serde_json::{Value, json};

use crate::args::Format;
use crate::commands::{self, table_file};
use crate::progress::Bar;
use crate::show::{self, Rows};
use crate::table_args::{self as args, Cluster, Export, Learn, Predict, Read, Simulate, Train};
use crate::workspace_commands;

/// `guike train`.
pub(crate) fn train(flags: &Train, language: Language, bar: &Bar, quiet: bool) -> Result<(), Error> {
    let settings = settings(&flags.learn, &flags.read)?;
    let table = table_file(&flags.table, &settings.read, bar)?;
    let ended = guike::in_pool(flags.threads.threads, || match (&flags.workspace, &flags.name) {
        (Some(workspace), Some(name)) => {
            let place = workspace_commands::place(workspace, name)?;
            let (summary, version) = guike::workspace::train(&place, &table, &settings, language, bar)?;
            Ok((summary, Some(version)))
        }
        _ => Ok((guike::table::train(&table, &flags.out, &settings, language, bar)?, None)),
    });
    bar.finish();
    let (summary, version): (TrainSummary, _) = ended?;
    standings(&summary).print(flags.output.format);
    if !quiet {
        tell(&summary);
        version.iter().for_each(workspace_commands::tell_version);
    }
    Ok(())
}

/// `guike predict`.
pub(crate) fn predict(flags: &Predict, bar: &Bar, quiet: bool) -> Result<(), Error> {
    let read = options(&flags.read)?;
    if let Some(keep) = &flags.keep {
        return predict_rows(flags, keep, &read, bar);
    }
    let table = table_file(&flags.table, &read, bar)?;
    let predictions = guike::in_pool(flags.threads.threads, || guike::table::predict(&flags.model, &table, &read, bar));
    bar.finish();
    let predictions = predictions?;
    if !quiet {
        predictions.notes.iter().for_each(|n| show::message(&format!("note: {n}")));
    }
    match &flags.out {
        Some(out) => {
            predictions.write_csv(out)?;
            if !quiet {
                show::message(&format!("wrote {} predictions to {}", predictions.n_rows(), out.display()));
            }
        }
        None => print_predictions(&predictions, flags.format),
    }
    Ok(())
}

/// `guike predict --keep`: row by row, as a server answers a batch.
fn predict_rows(flags: &Predict, keep: &str, read: &ReadOptions, bar: &Bar) -> Result<(), Error> {
    if guike::sources::is_database(&flags.table.to_string_lossy()) {
        return Err(Error::Config {
            what: "--keep".to_owned(),
            value: keep.to_owned(),
            rule: "rows of a file are kept as they stand; leave --keep out for a database".to_owned(),
        });
    }
    if *read != ReadOptions::default() {
        return Err(Error::Config {
            what: "--keep".to_owned(),
            value: keep.to_owned(),
            rule: "rows are read as they come, with commas and decimal points; leave out how to read them".to_owned(),
        });
    }
    let scorer = Scorer::open(&flags.model)?;
    let table = table_file(&flags.table, read, bar)?;
    bar.finish();
    batch::predict_file(&scorer, &table, Keep::parse(keep), &mut std::io::stdout().lock())?;
    Ok(())
}

fn print_predictions(predictions: &Predictions, format: Format) {
    let (columns, rows) = predictions.cells();
    Rows { columns, rows }.print(format);
}

/// `guike export`.
pub(crate) fn export(flags: &Export, bar: &Bar, quiet: bool) -> Result<(), Error> {
    if flags.to != "onnx" {
        let (address, password) = (PathBuf::from(&flags.to), commands::password()?);
        let written =
            guike::sources::export_results(&flags.model, &address, Some(&flags.table), password.as_deref(), bar);
        bar.finish();
        let written = written?;
        if !quiet {
            show::message(&format!("wrote {} customers into {}/{}", written.rows, written.place, written.table));
        }
        return Ok(());
    }
    let written = guike::table::export(&flags.model, ExportFormat::Onnx, flags.out.as_deref())?;
    if !quiet {
        show::message(&format!("wrote {}", written.display()));
    }
    Ok(())
}

/// `guike cluster`.
pub(crate) fn cluster(flags: &Cluster, bar: &Bar, quiet: bool) -> Result<(), Error> {
    let settings = ClusterSettings {
        method: match flags.method {
            args::Method::KMeans => ClusterMethod::KMeans,
            args::Method::Ward => ClusterMethod::Ward,
            args::Method::Mixture => ClusterMethod::Mixture,
            args::Method::Dbscan => ClusterMethod::Dbscan,
        },
        columns: flags.columns.clone(),
        drop: flags.drop.clone(),
        k: flags.k,
        covariance: match flags.covariance {
            args::Clouds::Full => Covariance::Full,
            args::Clouds::Tied => Covariance::Tied,
            args::Clouds::Diagonal => Covariance::Diagonal,
            args::Clouds::Spherical => Covariance::Spherical,
        },
        radius: flags.radius,
        min_points: flags.min_points,
        scaling: flags.scaling.into(),
        seed: Seed(flags.seed),
        read: options(&flags.read)?,
    };
    let table = table_file(&flags.table, &settings.read, bar)?;
    let summary =
        guike::in_pool(flags.threads.threads, || guike::table::cluster::cluster(&table, &flags.out, &settings, bar));
    bar.finish();
    let ClusterSummary { out, columns, rows, figures, notes } = summary?;
    Rows { columns, rows }.print(flags.output.format);
    if !quiet {
        notes.iter().for_each(|n| show::message(&format!("note: {n}")));
        show::message(&figures);
        show::message(&format!("wrote {}", out.display()));
    }
    Ok(())
}

impl From<args::Scaling> for ScalingChoice {
    fn from(scaling: args::Scaling) -> ScalingChoice {
        match scaling {
            args::Scaling::Auto => ScalingChoice::Auto,
            args::Scaling::Standard => ScalingChoice::Standard,
            args::Scaling::MinMax => ScalingChoice::MinMax,
            args::Scaling::Robust => ScalingChoice::Robust,
            args::Scaling::Log => ScalingChoice::Log,
        }
    }
}

/// `guike simulate`.
pub(crate) fn simulate(what: &Simulate, bar: &Bar, quiet: bool) -> Result<(), Error> {
    let (n, label, seed, out) = match what {
        Simulate::Customers { n, label, seed, out } => (n, label, seed, out),
        Simulate::Like { table, out, n, target, steps, seed, read, threads } => {
            let target = target.clone().unwrap_or_default();
            let what = Imitation {
                settings: TableSettings { target, read: options(read)?, ..TableSettings::default() },
                rows: *n,
                gan: TabularGan { steps: *steps, ..TabularGan::default() },
                seed: Seed(*seed),
            };
            let table = table_file(table, &what.settings.read, bar)?;
            let imitated = guike::in_pool(threads.threads, || guike::table::synthetic::imitate(&table, &what, bar));
            bar.finish();
            let imitated = imitated?;
            guike::table::write_table_csv(&imitated.table, out)?;
            if !quiet {
                tell_imitated(&imitated, out);
            }
            return Ok(());
        }
        Simulate::Shop(flags) => return crate::simulate_commands::shop(flags, bar, quiet),
    };
    let label = match label {
        args::Label::Drawn => Label::Drawn,
        args::Label::Amount => Label::Amount,
    };
    let table = guike::table::simulate_customers(*n, label, Seed(*seed))?;
    match out {
        Some(out) => {
            guike::table::write_table_csv(&table, out)?;
            if !quiet {
                show::message(&format!("wrote {n} customers to {}", out.display()));
            }
        }
        None => {
            let (columns, rows) = guike::table::table_cells(&table);
            Rows { columns, rows }.print(Format::Csv);
        }
    }
    Ok(())
}

/// What rows of nobody are worth.
fn tell_imitated(imitated: &Imitated, out: &Path) {
    let Imitated { table, learned, apart, left_out, distances, usefulness } = imitated;
    show::message(&format!("wrote {} rows of nobody to {}", table.n_rows(), out.display()));
    show::message(&format!("learned from {learned} rows; {apart} were kept apart to judge by"));
    for (name, why) in left_out {
        show::message(&format!("column `{name}` is not imitated: {why}"));
    }
    show::message(&format!(
        "the nearest row that was learned from lies {:.3} away, typically, and {:.3} from a real row kept apart; {:.1} % come \
         nearer than the nearest 5 % of those do",
        distances.synthetic,
        distances.held_out,
        100.0 * distances.too_near
    ));
    if let Some(u) = usefulness {
        show::message(&format!(
            "predicting `{}` of the rows kept apart: {} {:.3} by a model of the real rows, {:.3} by one of the imitations",
            u.target, u.name, u.real, u.synthetic
        ));
    }
}

/// The settings file, where there is one, then flags over it.
pub(crate) fn settings(learn: &Learn, read: &Read) -> Result<TableSettings, Error> {
    let mut s = match &learn.settings {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|e| Error::ConfigFile { path: path.clone(), reason: e.to_string() })?;
            TableSettings::from_toml(&text, path)?
        }
        None => TableSettings::default(),
    };
    fn over<T: Clone>(setting: &mut T, flag: &Option<T>) {
        if let Some(flag) = flag {
            setting.clone_from(flag);
        }
    }
    fn one<T: Clone>(setting: &mut Option<T>, flag: &Option<T>) {
        if flag.is_some() {
            setting.clone_from(flag);
        }
    }
    over(&mut s.target, &learn.target);
    over(&mut s.model, &learn.model);
    over(&mut s.folds, &learn.folds);
    over(&mut s.test, &learn.test);
    over(&mut s.cost_fp, &learn.cost_fp);
    over(&mut s.cost_fn, &learn.cost_fn);
    over(&mut s.budget, &learn.budget.map(Into::into));
    over(&mut s.learning_rate, &learn.learning_rate);
    over(&mut s.iterations, &learn.iterations);
    over(&mut s.seed, &learn.seed.map(Seed));
    over(&mut s.scaling, &learn.scaling.map(Into::into));
    one(&mut s.task, &learn.task.map(task));
    one(&mut s.positive, &learn.positive);
    one(&mut s.threshold, &learn.threshold);
    one(&mut s.time, &learn.cutoff_column);
    one(&mut s.group, &learn.group);
    for (setting, flag) in
        [(&mut s.drop, &learn.drop), (&mut s.keep, &learn.keep), (&mut s.categories, &learn.category)]
    {
        if !flag.is_empty() {
            setting.clone_from(flag);
        }
    }
    if !learn.tier_borders.is_empty() {
        s.tier_borders.clone_from(&learn.tier_borders);
    }
    let given = options(read)?;
    one(&mut s.read.encoding, &given.encoding);
    one(&mut s.read.delimiter, &given.delimiter);
    one(&mut s.read.sheet, &given.sheet);
    one(&mut s.read.query, &given.query);
    one(&mut s.read.date_format, &given.date_format);
    s.validate()?;
    Ok(s)
}

fn task(flag: args::Task) -> TaskChoice {
    match flag {
        args::Task::Regression => TaskChoice::Regression,
        args::Task::Classification => TaskChoice::Classification,
    }
}

fn options(read: &Read) -> Result<guike::table::ReadOptions, Error> {
    Ok(guike::table::ReadOptions {
        encoding: read.encoding.clone(),
        delimiter: read.delimiter.clone(),
        sheet: read.sheet.clone(),
        query: read.query.clone(),
        date_format: read.date_format.as_deref().map(guike::date_format).transpose()?,
        ..guike::table::ReadOptions::default()
    })
}

/// The candidates side by side.
fn standings(summary: &TrainSummary) -> Rows {
    let metrics = &summary.metrics;
    let mut columns = vec!["model".to_owned()];
    columns.extend(metrics.iter().map(|m| (*m).to_owned()));
    columns.extend(["extra_loss", "extra_lo", "extra_hi", "note"].map(str::to_owned));
    let rows = summary
        .candidates
        .iter()
        .map(|c| {
            let mut row: Vec<Value> = vec![json!(c.name)];
            row.extend(metrics.iter().map(|m| json!(c.scores.get(*m))));
            row.extend([json!(c.extra.map(|e| e.mid)), json!(c.extra.map(|e| e.lo)), json!(c.extra.map(|e| e.hi))]);
            row.push(json!(match (&c.failure, c.chosen) {
                (Some(why), _) => why.clone(),
                (None, true) => "chosen".to_owned(),
                (None, false) => String::new(),
            }));
            row
        })
        .collect();
    Rows { columns, rows }
}

fn tell(s: &TrainSummary) {
    for warning in &s.warnings {
        show::message(&format!("warning: {warning}"));
    }
    for note in &s.notes {
        show::message(&format!("note: {note}"));
    }
    show::message(&format!("chosen: {} — {}", s.chosen, s.why));
    if let Some(test) = &s.test {
        show::message(&format!("on {} rows that took no part: {test}", s.test_rows));
    }
    show::message(&format!("open {}", s.out.join("report.html").display()));
}
