//! Every flag of every command, with the help a person reads.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use guike_core::{Day, Horizon};

/// What every customer will be worth, how sure that is, why, and what to do about it.
#[derive(Debug, Parser)]
#[command(name = "guike", version, arg_required_else_help = true, max_term_width = 100)]
#[command(after_help = "Start with:\n  guike demo                     real customers, from the log to the report\n  \
    guike run orders.csv           the same with your own orders\n\nData goes to standard output, messages to standard error. \
    Exit codes: 0 done, 1 internal, 2 wrong flag or setting,\n3 the log cannot be read or does not support an answer, 4 not found, \
    5 damaged file, 6 not allowed, 7 busy, 130 stopped.")]
pub(crate) struct Args {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Say nothing on standard error but errors.
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Forecast real customers that are built in, end to end.
    #[command(after_help = "Example:\n  guike demo\n  guike demo --out my-demo")]
    Demo {
        /// Folder for the results.
        #[arg(long, default_value = "guike-demo")]
        out: PathBuf,
        #[command(flatten)]
        run: Threads,
        #[command(flatten)]
        language: Language,
    },
    /// The main job: read an order log, choose a model by backtest, forecast and tier every customer, write a report.
    #[command(after_help = "Examples:\n  guike run orders.csv\n  guike run orders.xlsx --horizon 6m --out results\n  \
        guike run log.csv.gz --cutoff 1997-09-30 --horizon 273d --customer id --time date --amount value\n  \
        guike run orders-2023.csv orders-2024.csv          several exports of one shop are one log\n  \
        guike run exports/ --out results                   every table in the folder\n  \
        guike run orders.csv --workspace my-shop           a version that `guike serve my-shop` serves\n  \
        mysql shop -e 'select …' | guike run -             standard input, whatever its format")]
    Run(Box<crate::run_command::RunFlags>),
    /// The main job once more, with the events behind the log that a server took since.
    #[command(after_help = "Examples:\n  guike refresh orders.csv --events events.log --workspace my-shop\n  \
        guike refresh orders.csv --events events.log --out results")]
    Refresh(Box<crate::run_command::RefreshFlags>),
    /// Read and clean a log into one sorted Parquet file.
    #[command(after_help = "Examples:\n  guike import orders.csv --out orders.parquet\n  \
        guike import postgres://reader@db.shop/erp --table orders --out orders.parquet")]
    Import {
        #[command(flatten)]
        log: Log,
        /// The Parquet file to write.
        #[arg(long)]
        out: PathBuf,
        #[command(flatten)]
        data: DataFlags,
    },
    /// Keep a copy of a table in a database up to date, reading only what is new; `guike run` takes the copy as a log.
    #[command(after_help = "Examples:\n  \
        guike sync mysql://reader@db.shop/erp --table orders --watermark updated_at --into orders.parquet\n  \
        guike sync postgres://reader@db.shop/erp --table order_lines --watermark id --into lines.parquet\n  \
        guike sync mongodb://reader@db.shop/shop --table orders --watermark _id --unwind lines --into orders.parquet")]
    Sync(crate::database_commands::SyncFlags),
    /// Take events from a stream, a JSON object a line, such as a consumer of a message broker prints; `guike refresh` reads them.
    #[command(after_help = "Example:\n  \
        kcat -C -b broker -t orders -J | jq -c '.payload + {partition, offset}' | guike ingest - --events events.log --key partition,offset")]
    Ingest(crate::ingest_command::Ingest),
    /// Say what a log holds: columns found, rows kept and dropped, customers, days, amounts.
    #[command(after_help = "Example:\n  guike profile orders.csv --format json")]
    Profile {
        #[command(flatten)]
        log: Log,
        #[command(flatten)]
        data: DataFlags,
        #[command(flatten)]
        output: Output,
    },
    /// Compute every customer's features, or list them.
    #[command(
        after_help = "Examples:\n  guike features --list\n  guike features orders.parquet --out features.parquet"
    )]
    Features {
        /// The order log, as for `guike run`.
        #[arg(value_name = "LOG", required_unless_present = "list")]
        log: Vec<PathBuf>,
        /// Print the catalogue of features instead.
        #[arg(long)]
        list: bool,
        /// The Parquet file to write.
        #[arg(long, required_unless_present = "list")]
        out: Option<PathBuf>,
        /// Only these features, separated by commas; default all.
        #[arg(long, value_delimiter = ',', value_name = "NAMES")]
        only: Vec<String>,
        /// Row data held in memory before spilling to disk.
        #[arg(long, default_value = "512MiB", value_name = "SIZE")]
        memory: String,
        #[command(flatten)]
        data: DataFlags,
        /// Last day that is known; default the log's last day.
        #[arg(long, value_name = "DAY")]
        cutoff: Option<Day>,
        /// Horizon, for the features that look at the same period a year earlier.
        #[arg(long, default_value = "90d")]
        horizon: Horizon,
        #[command(flatten)]
        threads: Threads,
        #[command(flatten)]
        output: Output,
    },
    /// Backtest every candidate and print how they compare, without writing forecasts.
    #[command(after_help = "Example:\n  guike evaluate orders.csv --horizon 90d --format csv")]
    Evaluate {
        #[command(flatten)]
        log: Log,
        #[command(flatten)]
        data: DataFlags,
        #[command(flatten)]
        forecast: ForecastFlags,
        #[command(flatten)]
        output: Output,
    },
    /// Forecast with a model that an earlier run saved.
    #[command(after_help = "Example:\n  guike forecast new-orders.csv --model-dir guike-out/model > forecasts.csv")]
    Forecast {
        #[command(flatten)]
        log: Log,
        /// What an earlier `guike run` wrote: its folder, or the `model` folder in it.
        #[arg(long, value_name = "DIR")]
        model_dir: PathBuf,
        /// Last day that is known; default the log's last day.
        #[arg(long, value_name = "DAY")]
        cutoff: Option<Day>,
        /// How far ahead; default the horizon the model was chosen for.
        #[arg(long)]
        horizon: Option<Horizon>,
        #[command(flatten)]
        data: DataFlags,
        #[command(flatten)]
        output: Output,
    },
    /// Learn from a table with a column to predict: compare learners, choose by evidence, explain, save the model.
    #[command(after_help = "Examples:\n  guike train customers.csv --target value\n  \
        guike train churn.csv.gz --target churn --positive Yes --cost-fn 5 --drop total_charges --out churn-model\n  \
        guike train houses.parquet --target price --model boosting")]
    Train(Box<crate::table_args::Train>),
    /// Search better hyper-parameters; goes on where it was stopped, and says whether they gained anything.
    #[command(subcommand)]
    Tune(crate::table_args::Tune),
    /// Train the foundation model on simulated shops, and on real logs if you like; goes on where it was stopped.
    #[command(after_help = "Examples:\n  guike pretrain --out weights\n  \
        guike pretrain --size small --steps 100000 --out small\n  \
        guike pretrain --without dormant,bursty --steps 4000 --out ablation")]
    Pretrain(Box<crate::pretrain_commands::Pretrain>),
    /// Predict new rows with a model of `guike train`.
    #[command(after_help = "Examples:\n  guike predict guike-model/model.json new.csv > predictions.csv\n  \
        guike predict guike-model new.csv --out predictions.csv")]
    Predict(crate::table_args::Predict),
    /// Answer over HTTP: predictions with models of `guike train`, and the customers of a folder of `guike run`.
    #[command(
        after_help = "Examples:\n  guike serve value-model\n  guike serve value-model guike-out --keys keys.json --addr 0.0.0.0:5000\n  \
        guike serve my-shop                                 the champions of a workspace\n  \
        curl http://127.0.0.1:5000/predict --json '{\"age\":30,\"income\":60000}'"
    )]
    Serve(Box<crate::serve_commands::Serve>),
    /// Make, list and revoke the keys with which programs ask `guike serve`.
    #[command(subcommand)]
    Keys(crate::serve_commands::Keys),
    /// Verify and show the record of who did what, which `guike serve --audit` writes.
    #[command(subcommand)]
    Audit(crate::audit_commands::Audit),
    /// Add, list and change the persons who may log in to `guike serve --users`.
    #[command(subcommand)]
    Users(crate::user_commands::Users),
    /// Write a model of `guike train` in a form that other programs run, or the customers of a `guike run` into a database.
    #[command(after_help = "Examples:\n  guike export guike-model --to onnx --out model.onnx\n  \
        guike export guike-out --to mysql://writer@db.shop/crm --table customer_value")]
    Export(crate::table_args::Export),
    /// Find rows of a table that are alike: k-means, Ward's clustering, a mixture of Gaussians, or dense places.
    #[command(after_help = "Examples:\n  guike cluster customers.csv --columns income,frequency\n  \
        guike cluster customers.csv --method mixture --k 4 --out segments\n  \
        guike cluster visits.parquet --method dbscan --min-points 10")]
    Cluster(Box<crate::table_args::Cluster>),
    /// Say why: what lifts and lowers one customer's forecast or one row's prediction, or what the model leans on in all.
    #[command(after_help = EXPLAIN_HELP)]
    Explain(Box<Explain>),
    /// Make data whose truth is known.
    #[command(subcommand)]
    Simulate(crate::table_args::Simulate),
    /// List the models Guike can learn, or look after the models and runs that a workspace keeps.
    #[command(after_help = "Examples:\n  guike models --format json\n  guike models list --workspace my-shop\n  \
        guike models promote value-model 2 --workspace my-shop")]
    Models(crate::workspace_args::Models),
    /// Copy a workspace as it is now into a new folder, while others use it.
    #[command(after_help = "Examples:\n  guike backup my-shop my-shop-2026-11-27\n  \
        guike backup my-shop my-shop-2026-11-27 --events events.log")]
    Backup {
        /// The workspace.
        workspace: PathBuf,
        /// The folder to make.
        folder: PathBuf,
        /// File of the events that belong to it; default the one with which it was served or run last.
        #[arg(long, value_name = "FILE", conflicts_with = "without_events")]
        events: Option<PathBuf>,
        /// Leave the events out.
        #[arg(long)]
        without_events: bool,
    },
    /// Make a workspace from a backup, with the events beside it.
    #[command(after_help = "Example:\n  guike restore my-shop-2026-11-27 my-shop")]
    Restore {
        /// The folder that `guike backup` made.
        backup: PathBuf,
        /// The workspace to make.
        workspace: PathBuf,
    },
    /// Say whether this build, this machine and folders of results are sound.
    Doctor(crate::doctor::Doctor),
    /// Print what a shell needs to complete commands and flags.
    Completions(crate::shell::Completions),
    /// Write the manual pages.
    Man(crate::shell::ManPages),
    /// Print the settings a run would use, as guike.toml.
    #[command(after_help = "Example:\n  guike config > guike.toml")]
    Config {
        /// Read this file first; default `guike.toml` beside you, if there is one.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

const EXPLAIN_HELP: &str = "Examples, after `guike run`:
  guike explain guike-out orders.csv              what the forecasts of a shop lean on
  guike explain guike-out orders.csv C00017       why one customer's forecast is what it is
  guike explain guike-out orders.csv C00017 --lang zh --out why.html
Examples, after `guike train`:
  guike explain guike-model customers.csv         what the model leans on
  guike explain guike-model customers.csv --row 12 --out why.html
  guike explain guike-model customers.csv --row 12 --lime
  guike explain guike-model customers.csv --row 12 --actionable visits:up,plan --goal high
  zcat customers.csv.gz | guike explain lightgbm.txt -";

/// `guike explain`: the kind of the model says how the data are read.
#[derive(Debug, ClapArgs)]
pub(crate) struct Explain {
    /// What an earlier `guike run` or `guike train` saved (its folder, or the model.json), or a model that LightGBM saved as
    /// text.
    pub(crate) model: PathBuf,
    /// The order log or the table; `-` for standard input.
    pub(crate) data: PathBuf,
    /// Whom to explain: a customer's id, or a row's where the table has an id column; without it the model in all.
    pub(crate) who: Option<String>,
    /// A row of the table by its number, from 1.
    #[arg(long, value_name = "N", conflicts_with = "who")]
    pub(crate) row: Option<usize>,
    /// Beside the parts of a row of a table, the straight line that follows the model around it (LIME), how stable it is,
    /// and where the two disagree.
    #[arg(long)]
    pub(crate) lime: bool,
    /// The smallest change of these columns that takes a row of a table to another prediction; `visits:up` and `age:down`
    /// go one way only.
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub(crate) actionable: Vec<String>,
    /// Where that change should lead: a class, a number, or of two classes a probability of the one asked about; default the
    /// most probable class but the one predicted.
    #[arg(long, value_name = "GOAL", requires = "actionable", allow_hyphen_values = true)]
    pub(crate) goal: Option<String>,
    /// Also write a page with pictures, in both languages.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// How to print.
    #[arg(long, value_enum, default_value_t = Told::Text)]
    pub(crate) format: Told,
    #[command(flatten)]
    pub(crate) language: Language,
    /// Last day of the log that is known; default its last day.
    #[arg(long, value_name = "DAY")]
    pub(crate) cutoff: Option<Day>,
    /// How far ahead; default the horizon the model was chosen for.
    #[arg(long)]
    pub(crate) horizon: Option<Horizon>,
    #[command(flatten)]
    pub(crate) data_flags: DataFlags,
    #[command(flatten)]
    pub(crate) threads: Threads,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Told {
    Text,
    Json,
}

/// Where the orders are.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Log {
    /// The order log: CSV (also gzip or zstd), Parquet, JSON Lines or XLSX; several files with the same columns, a folder of
    /// them, or `-` for standard input.
    #[arg(value_name = "LOG", required = true)]
    pub(crate) log: Vec<PathBuf>,
}

/// How to read the log; everything is guessed where it is not given.
#[derive(Debug, Clone, Default, ClapArgs)]
#[command(next_help_heading = "Reading the log")]
pub(crate) struct DataFlags {
    /// Settings file; default `guike.toml` beside you, if there is one.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Column of the customer.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) customer: Option<String>,
    /// Column of the date or time.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) time: Option<String>,
    /// Column of the time of day, when the date stands in a column of its own.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) clock: Option<String>,
    /// Column of the amount paid; `none` for a log without money.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) amount: Option<String>,
    /// Column of the unit price, when there is no amount.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) price: Option<String>,
    /// Column of the quantity.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) quantity: Option<String>,
    /// Column of the order number.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) order: Option<String>,
    /// Column of the item.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) item: Option<String>,
    /// Column of the category.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) category: Option<String>,
    /// Column of the kind of event (purchase, view, cart …).
    #[arg(long, value_name = "COLUMN")]
    pub(crate) kind: Option<String>,
    /// Column that says whether the order went through (paid, cancelled …).
    #[arg(long, value_name = "COLUMN")]
    pub(crate) status: Option<String>,
    /// Column of the currency code.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) currency_column: Option<String>,
    /// How dates are written, where the file leaves it open: ymd, dmy, mdy …
    #[arg(long, value_name = "FORMAT")]
    pub(crate) date_format: Option<String>,
    /// Decimal sign, where the file leaves it open.
    #[arg(long, value_enum)]
    pub(crate) decimal: Option<Decimal>,
    /// Delimiter of a text table: one character, tab or space.
    #[arg(long, value_name = "CHARACTER")]
    pub(crate) delimiter: Option<String>,
    /// Whether a line names the columns; without names they are column_1, column_2 …
    #[arg(long, value_name = "YES|NO", value_parser = yes_or_no)]
    pub(crate) header: Option<bool>,
    /// Lines above the table that hold a title.
    #[arg(long, value_name = "N")]
    pub(crate) title_lines: Option<u32>,
    /// Sheet of a workbook, or table of a database; default the first that holds a log, and all sheets with the same columns.
    #[arg(long, value_name = "NAME", visible_alias = "table")]
    pub(crate) sheet: Option<String>,
    /// Query whose rows are the log, instead of a table.
    #[arg(long, value_name = "SELECT")]
    pub(crate) query: Option<String>,
    /// Array of a collection whose elements are rows of their own, such as the lines of orders.
    #[arg(long, value_name = "FIELD")]
    pub(crate) unwind: Option<String>,
    /// Text encoding: utf-8, gbk, latin-1 …
    #[arg(long)]
    pub(crate) encoding: Option<String>,
    /// Keep only rows of this currency.
    #[arg(long)]
    pub(crate) currency: Option<String>,
    /// File of customer attributes (age, city …), with the customer's column.
    #[arg(long, value_name = "FILE")]
    pub(crate) customers: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Decimal {
    Point,
    Comma,
}

impl From<Decimal> for guike::DecimalSign {
    fn from(decimal: Decimal) -> guike::DecimalSign {
        match decimal {
            Decimal::Point => guike::DecimalSign::Point,
            Decimal::Comma => guike::DecimalSign::Comma,
        }
    }
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "yes" | "true" => Ok(true),
        "no" | "false" => Ok(false),
        _ => Err("write yes or no".to_owned()),
    }
}

/// What to forecast and how.
#[derive(Debug, Clone, Default, ClapArgs)]
#[command(next_help_heading = "Forecast")]
pub(crate) struct ForecastFlags {
    /// How far ahead: `90d`, `39w`, `6m`, `1y`; default 90 days, or half of a shorter history.
    #[arg(long)]
    pub(crate) horizon: Option<Horizon>,
    /// Last day that is known; later rows are used only to check the forecast. Default the log's last day.
    #[arg(long, value_name = "DAY")]
    pub(crate) cutoff: Option<Day>,
    /// `auto`, or one model's name (see `guike models`).
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// How much to try: probability models only, learners on features too (the default), or larger ones.
    #[arg(long, value_enum)]
    pub(crate) budget: Option<Budget>,
    /// Most customers to learn from: of a shop that has more, so many are drawn by the seed, and all are forecast. Default
    /// 100,000.
    #[arg(long, value_name = "N")]
    pub(crate) learn_from: Option<usize>,
    /// Number of tiers, 2–10, or `auto`: as many as the clouds of a mixture describe the customers by best.
    #[arg(long, value_name = "N", value_parser = tier_count)]
    pub(crate) tiers: Option<TierCount>,
    /// How tiers are made: by share of value (the default), share of customers, natural breaks, or clustering.
    #[arg(long, value_enum)]
    pub(crate) tier_method: Option<TierMethod>,
    /// Root of all randomness.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    #[command(flatten)]
    pub(crate) threads: Threads,
}

/// How many tiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TierCount {
    Given(usize),
    Auto,
}

fn tier_count(text: &str) -> Result<TierCount, String> {
    match text {
        "auto" => Ok(TierCount::Auto),
        number => number.parse().map(TierCount::Given).map_err(|_| "give 2 to 10, or auto".to_owned()),
    }
}

/// The ways of tiering that need nothing more to be said; thresholds stand in `guike.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TierMethod {
    ValueShare,
    Quantiles,
    NaturalBreaks,
    #[value(name = "k-means")]
    KMeans,
    Hierarchical,
    Mixture,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Budget {
    Fast,
    Standard,
    Thorough,
}

impl From<Budget> for guike::Budget {
    fn from(budget: Budget) -> guike::Budget {
        match budget {
            Budget::Fast => guike::Budget::Fast,
            Budget::Standard => guike::Budget::Standard,
            Budget::Thorough => guike::Budget::Thorough,
        }
    }
}

#[derive(Debug, Clone, Default, ClapArgs)]
pub(crate) struct Threads {
    /// Threads to use; the results are the same at any number. Default all cores.
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
}

#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Language {
    /// Language the report opens in; default from the environment.
    #[arg(long, value_enum)]
    pub(crate) lang: Option<Lang>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Lang {
    En,
    Zh,
}

#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Output {
    /// How to print.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Table,
    Json,
    Csv,
}
