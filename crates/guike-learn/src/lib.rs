//! Classical learners: the baselines every forecast must beat, learners on tables, and clustering.
//!
//! The one idea: simple methods, done exactly and deterministically, with published definitions and golden values from the
//! field's standard implementations.
//!
//! * [`baseline`]: zero, repeat the last window, historical rate, RFM score.
//! * [`boosting`], [`forest`], [`neighbours`], [`svm`]: learners on tables, behind the one contract of [`tabular`]; [`value`]
//!   makes forecasts of customers from them.
//! * [`linear`]: least squares, generalised linear models and logistic regression, as [`tabular`] learners.
//! * [`kmeans`], [`hierarchical`], [`mixture`], [`dbscan`], [`mod@jenks`]: clustering of points ([`Points`]) and of one column; [`mod@silhouette`] says how
//!   well clusters are apart, [`scaler`] puts columns on one scale first.
//! * [`target_encoding`]: categories as the mean labels of earlier rows.
//!
//! This crate does no input or output and keeps no state; randomness comes from a seed that is handed in.

pub mod baseline;
pub mod bins;
pub mod boosting;
pub mod dbscan;
pub mod forest;
pub mod hierarchical;
pub mod jenks;
pub mod kmeans;
mod linalg;
pub mod linear;
pub mod mixture;
pub mod neighbours;
mod points;
pub mod scaler;
pub mod silhouette;
pub mod svm;
pub mod tabular;
pub mod target_encoding;
pub mod value;

pub use baseline::{HistoricalRate, RepeatLastWindow, RfmScore, Zero};
pub use dbscan::{DbScan, DbScanFit};
pub use forest::{DecisionTree, ExtraTrees, RandomForest, TreesModel};
pub use hierarchical::{Dendrogram, Hierarchical, Linkage};
pub use jenks::{Breaks, jenks};
pub use kmeans::{KMeans, KMeansFit};
pub use linear::{GeneralisedLinear, LinearModel, LinearRegression, LogisticRegression};
pub use mixture::{Covariance, GaussianMixture, Mixture, MixtureFit};
pub use neighbours::{KNearestNeighbours, NeighboursModel};
pub use points::Points;
pub use scaler::{ColumnScale, Scaler, Scaling};
pub use silhouette::{silhouette, simplified_silhouette};
pub use svm::{KernelSvm, LinearSvm, SvmModel};
pub use tabular::{ColumnKind, Examples, Linear, Link, Machines, TabularLearner, TabularModel, Task, Wants};
pub use target_encoding::{TargetEncoder, TargetEncoding};
