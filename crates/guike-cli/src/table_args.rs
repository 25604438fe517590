//! Flags of the commands on tables: train, predict, tune, explain, simulate.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::args::{Budget, DataFlags, ForecastFlags, Language, Log, Output, Threads};

/// `guike train`.
#[derive(Debug, Args)]
pub(crate) struct Train {
    /// The table: CSV (also gzip or zstd), Parquet, JSON Lines or XLSX, one row per case.
    pub(crate) table: PathBuf,
    /// Folder for the results; appears only when everything is complete.
    #[arg(long, default_value = "guike-model")]
    pub(crate) out: PathBuf,
    /// Keep the model in this workspace instead, as the next version of `--name`; made where there is none.
    #[arg(long, value_name = "FOLDER", conflicts_with = "out", requires = "name")]
    pub(crate) workspace: Option<PathBuf>,
    /// What the model is called in the workspace.
    #[arg(long, requires = "workspace")]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) learn: Learn,
    #[command(flatten)]
    pub(crate) read: Read,
    #[command(flatten)]
    pub(crate) threads: Threads,
    #[command(flatten)]
    pub(crate) language: Language,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// What to learn and how.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Learning")]
pub(crate) struct Learn {
    /// Column to predict.
    #[arg(long, value_name = "COLUMN", required_unless_present = "settings")]
    pub(crate) target: Option<String>,
    /// Settings file, as `guike tune` and `guike train` write it; flags win over it.
    #[arg(long, value_name = "FILE")]
    pub(crate) settings: Option<PathBuf>,
    /// `auto` (the default), or one learner's name (see `guike models`).
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// What the target is; default found out from its cells.
    #[arg(long, value_enum)]
    pub(crate) task: Option<Task>,
    /// Of two classes, the one asked about; default by its name, else the rarer one.
    #[arg(long, value_name = "CLASS")]
    pub(crate) positive: Option<String>,
    /// Folds of the cross-validation; default 5.
    #[arg(long, value_name = "N")]
    pub(crate) folds: Option<usize>,
    /// Share of the rows kept apart for the final figures; default 0.2, and 0 keeps none.
    #[arg(long, value_name = "SHARE")]
    pub(crate) test: Option<f64>,
    /// What a false alarm costs, default 1; with --cost-fn it sets the threshold.
    #[arg(long, value_name = "COST")]
    pub(crate) cost_fp: Option<f64>,
    /// What a missed case costs, default 1.
    #[arg(long, value_name = "COST")]
    pub(crate) cost_fn: Option<f64>,
    /// From which probability a row is called positive; default by the costs.
    #[arg(long, value_name = "PROBABILITY")]
    pub(crate) threshold: Option<f64>,
    /// Where tiers of predictions begin, the best first; default at shares of the rows.
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', allow_negative_numbers = true)]
    pub(crate) tier_borders: Vec<f64>,
    /// How much to try; default standard.
    #[arg(long, value_enum)]
    pub(crate) budget: Option<Budget>,
    /// How numbers are put on one scale, for learners that need it; default auto.
    #[arg(long, value_enum)]
    pub(crate) scaling: Option<Scaling>,
    /// Length of a step of `--model logistic-gradient-descent`; default 0.01.
    #[arg(long, value_name = "RATE")]
    pub(crate) learning_rate: Option<f64>,
    /// Steps of `--model logistic-gradient-descent`; default 1000.
    #[arg(long, value_name = "N")]
    pub(crate) iterations: Option<usize>,
    /// Columns not to learn from; repeat or separate by commas.
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub(crate) drop: Vec<String>,
    /// Columns to learn from although they look like ids.
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub(crate) keep: Vec<String>,
    /// Columns of numbers that are codes of groups.
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub(crate) category: Vec<String>,
    /// Column of dates: the test rows are then the newest, and every fold learns only from older rows.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) cutoff_column: Option<String>,
    /// Column of groups, such as a customer with several rows: no group is learned from and judged at once.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) group: Option<String>,
    /// Root of all randomness; default 1.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
}

/// How to read the table; everything is guessed where it is not given.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Reading the table")]
pub(crate) struct Read {
    /// Text encoding: utf-8, gbk, latin-1 …
    #[arg(long)]
    pub(crate) encoding: Option<String>,
    /// Delimiter: one character, `tab` or `space`.
    #[arg(long, value_name = "CHARACTER")]
    pub(crate) delimiter: Option<String>,
    /// Worksheet of a workbook, or table of a database.
    #[arg(long, visible_alias = "table")]
    pub(crate) sheet: Option<String>,
    /// Query whose rows are the table.
    #[arg(long, value_name = "SELECT")]
    pub(crate) query: Option<String>,
    /// How dates are written, where the file leaves it open: ymd, dmy, mdy …
    #[arg(long, value_name = "FORMAT")]
    pub(crate) date_format: Option<String>,
}

/// `guike cluster`.
#[derive(Debug, Args)]
pub(crate) struct Cluster {
    /// The table: CSV (also gzip or zstd), Parquet, JSON Lines or XLSX, one row per case.
    pub(crate) table: PathBuf,
    /// What a cluster is.
    #[arg(long, value_enum, default_value_t = Method::KMeans)]
    pub(crate) method: Method,
    /// Columns to compare rows by; default every column of numbers that does not name the rows.
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub(crate) columns: Vec<String>,
    /// Columns not to compare rows by.
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub(crate) drop: Vec<String>,
    /// Number of clusters; default the best of 2 to 10.
    #[arg(long, value_name = "N")]
    pub(crate) k: Option<usize>,
    /// What the clouds of `--method mixture` may look like.
    #[arg(long, value_enum, default_value_t = Clouds::Full)]
    pub(crate) covariance: Clouds,
    /// Within which distance rows are neighbours, for `--method dbscan`; default found from the distances.
    #[arg(long, value_name = "DISTANCE", allow_negative_numbers = true)]
    pub(crate) radius: Option<f64>,
    /// How many neighbours make a dense place, for `--method dbscan`; default twice the number of columns.
    #[arg(long, value_name = "N")]
    pub(crate) min_points: Option<usize>,
    /// How numbers are put on one scale.
    #[arg(long, value_enum, default_value_t = Scaling::Auto)]
    pub(crate) scaling: Scaling,
    /// Folder for the results; appears only when everything is complete.
    #[arg(long, default_value = "guike-clusters")]
    pub(crate) out: PathBuf,
    /// Root of all randomness.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    #[command(flatten)]
    pub(crate) read: Read,
    #[command(flatten)]
    pub(crate) threads: Threads,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// `guike tune`.
#[derive(Debug, Subcommand)]
pub(crate) enum Tune {
    /// Search better hyper-parameters for a table with a column to predict.
    #[command(after_help = "Examples:\n  guike tune table churn.csv --target churn --out tuned\n  \
        guike train churn.csv --settings tuned/settings.toml\n  \
        guike tune table churn.csv --target churn --model boosting --trials 200")]
    Table {
        /// The table, as for `guike train`.
        table: PathBuf,
        /// Folder for the results; appears only when everything is complete.
        #[arg(long, default_value = "guike-tuned")]
        out: PathBuf,
        #[command(flatten)]
        learn: Box<Learn>,
        #[command(flatten)]
        read: Read,
        #[command(flatten)]
        how: TuneHow,
    },
    /// Search better hyper-parameters for the learners on an order log.
    #[command(after_help = "Examples:\n  guike tune log orders.csv --horizon 90d --out tuned\n  \
        guike run orders.csv --config tuned/settings.toml")]
    // the flags of a log are a group called `Log` already
    #[command(name = "log")]
    OrderLog {
        #[command(flatten)]
        log: Log,
        /// Folder for the results; appears only when everything is complete.
        #[arg(long, default_value = "guike-tuned")]
        out: PathBuf,
        #[command(flatten)]
        data: Box<DataFlags>,
        #[command(flatten)]
        forecast: Box<ForecastFlags>,
        /// Draws; default 60, or 200 with --budget thorough.
        #[arg(long, value_name = "N")]
        trials: Option<usize>,
        #[command(flatten)]
        output: Output,
    },
}

/// How much to try, and how to print it.
#[derive(Debug, Clone, Args)]
pub(crate) struct TuneHow {
    /// Draws; default 20, 60 or 200 by --budget.
    #[arg(long, value_name = "N")]
    pub(crate) trials: Option<usize>,
    #[command(flatten)]
    pub(crate) threads: Threads,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// `guike predict`.
#[derive(Debug, Args)]
pub(crate) struct Predict {
    /// The model.json of an earlier `guike train`, its folder, or a model that LightGBM saved as text.
    pub(crate) model: PathBuf,
    /// The rows to predict, with the columns the model was trained on; `-` for standard input.
    pub(crate) table: PathBuf,
    /// The CSV file to write; default standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Write these columns of the rows before the predictions (`all`, `none`, or names with commas between them), row by row
    /// as they come: UTF-8 CSV with commas and decimal points, or JSON Lines, which stay JSON Lines. A cell that does not fit
    /// its column is an error then.
    #[arg(long, value_name = "COLUMNS", conflicts_with_all = ["format", "out"])]
    pub(crate) keep: Option<String>,
    #[command(flatten)]
    pub(crate) read: Read,
    #[command(flatten)]
    pub(crate) threads: Threads,
    /// How to print, without --out.
    #[arg(long, value_enum, default_value_t = crate::args::Format::Csv)]
    pub(crate) format: crate::args::Format,
}

/// `guike export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The model.json of an earlier `guike train`, its folder, or a model that LightGBM saved as text; for a database the folder
    /// of a `guike run`.
    #[arg(value_name = "MODEL_OR_FOLDER")]
    pub(crate) model: PathBuf,
    /// `onnx`, or the address of a database: preparation, learner and calibration as one graph, or the customers of a run as rows.
    #[arg(long, value_name = "onnx|ADDRESS")]
    pub(crate) to: String,
    /// The table or collection to write; made where it is not there, and rows of the same customers are replaced.
    #[arg(long, value_name = "NAME", default_value = guike::sources::RESULTS_TABLE)]
    pub(crate) table: String,
    /// The file to write; default beside the model.json, as model.onnx.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// `guike simulate`.
#[derive(Debug, Subcommand)]
pub(crate) enum Simulate {
    /// A table of customers with age, income, purchase frequency, amount and category, and whether they are of high value.
    #[command(after_help = "Example:\n  guike simulate customers --n 1000 --out customers.csv")]
    Customers {
        /// Number of customers.
        #[arg(long, default_value_t = 1_000)]
        n: usize,
        /// What makes a customer one of high value.
        #[arg(long, value_enum, default_value_t = Label::Drawn)]
        label: Label,
        /// Root of all randomness.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// The CSV file to write; default standard output.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Rows like those of a table of yours, of customers who do not exist.
    #[command(after_help = "Example:\n  guike simulate like customers.csv --target churn --out nobody.csv")]
    Like {
        /// The table: CSV (also gzip or zstd), Parquet, JSON Lines or XLSX, one row per case.
        table: PathBuf,
        /// The CSV file to write.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Rows to draw; default as many as the table has.
        #[arg(long, value_name = "N")]
        n: Option<usize>,
        /// The column that is to be predicted from the rows: how well that goes is compared with the real ones.
        #[arg(long, value_name = "COLUMN")]
        target: Option<String>,
        /// Steps of learning.
        #[arg(long, default_value_t = 4_000, value_name = "N")]
        steps: u64,
        /// Root of all randomness.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        #[command(flatten)]
        read: Read,
        #[command(flatten)]
        threads: Threads,
    },
    /// The order log of a shop, with who its customers are in a file of its own.
    Shop(crate::simulate_commands::SimulateShop),
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Task {
    Regression,
    Classification,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Method {
    /// Rows around a centre.
    #[value(name = "k-means")]
    KMeans,
    /// Rows that were merged, the most alike first (Ward's hierarchical clustering).
    Ward,
    /// Clouds of a mixture of Gaussians, with the probability that a row belongs to its own.
    Mixture,
    /// Rows that lie densely; the others are noise.
    Dbscan,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Clouds {
    /// Each its own ellipsoid, in any direction.
    Full,
    /// All the same ellipsoid.
    Tied,
    /// Each its own ellipsoid along the axes.
    Diagonal,
    /// Each its own ball.
    Spherical,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Scaling {
    /// By column: the logarithm where values are skewed and not negative, then as standard.
    Auto,
    /// Mean 0, standard deviation 1.
    Standard,
    /// From 0 to 1.
    MinMax,
    /// By median and quartiles, for columns with outliers.
    Robust,
    /// The logarithm where no value is negative, then as standard.
    Log,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Label {
    /// Chance, by a logistic function of the other columns.
    Drawn,
    /// The amount above its median: a leak, to see whether it is noticed.
    Amount,
}
