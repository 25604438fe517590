//! Everything that is answered as JSON, as types: what goes out is decided here and not by what we keep inside.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::shape::{Nullable, NumberOrText, shaped};

shaped! {
    /// Whether the process lives or takes requests.
    Status {
        /// `ok` or `ready`.
        status: &'static str,
    }

    /// What a model says of a customer.
    Prediction {
        /// The class that is called, or the number.
        predicted: NumberOrText,
        /// The probability of that class.
        probability: Option<f64>,
        /// The probability of every class.
        probabilities: Option<BTreeMap<String, f64>>,
        /// In which tier of the predictions of training it stands; left out for several classes, and by models that were saved
        /// without tiers.
        tier: Option<String>,
        /// Where the truth is to be expected, or between which two calibrations the probability lies; left out by models that
        /// were saved without.
        interval: Option<IntervalView>,
        /// Columns whose category training saw too seldom or not at all.
        unknown_categories: Option<Vec<String>>,
        /// By how much each column lifts or lowers it, when asked.
        reasons: Option<ReasonsView>,
    }

    /// An interval of a number or of a probability.
    IntervalView {
        /// Which share of the truth it is to hold; left out for that of a probability.
        level: Option<f64>,
        /// Its lower end.
        lower: f64,
        /// Its upper end.
        upper: f64,
    }

    /// Why a model says it: `base` and the amounts add up to its output before calibration.
    ReasonsView {
        /// The class that is told about.
        class: Option<String>,
        /// In what the amounts add up: `log_odds`, `probability`, `score`, `number` or `log_number`.
        unit: String,
        /// What is expected of a row of which nothing is known.
        base: f64,
        /// The columns, largest amount first.
        parts: Vec<Part>,
    }

    /// What one column adds.
    Part {
        /// The column.
        column: String,
        /// What it adds.
        amount: f64,
    }

    /// What is wrong, as problem details (RFC 9457).
    ProblemView {
        /// Where the code is explained.
        r#type: String,
        /// The problem in general.
        title: String,
        /// The HTTP status.
        status: u16,
        /// The problem here: thing, rule and way out.
        detail: String,
        /// What is wrong, for programs; the same in later versions.
        code: String,
        /// The row of the body that it is about, from 1.
        row: Option<usize>,
        /// The column that it is about.
        column: Option<String>,
        /// The id of the request in the access log.
        request_id: String,
        /// The detail again, where the Open Inference Protocol wants it.
        error: Option<String>,
    }

    /// Events that are on disk.
    EventsTaken {
        /// How many.
        events: usize,
        /// Whether they are since the same was said before under the same key.
        repeated: bool,
    }

    /// The saved audiences.
    Audiences {
        /// By name.
        audiences: Vec<AudienceLine>,
    }

    /// A saved audience.
    AudienceLine {
        /// Its name.
        name: String,
        /// Its filter, as it stands after the `?` of `/v1/customers`; without `prefix` for who may not know ids.
        filter: String,
        /// When it was saved, at Greenwich.
        created: String,
        /// The user or key that saved it.
        by: String,
    }

    /// A saved audience, and who answers to it in the run that is served.
    AudienceView {
        /// Its name.
        name: String,
        /// Its filter, as it stands after the `?` of `/v1/customers`; without `prefix` for who may not know ids.
        filter: String,
        /// When it was saved, at Greenwich.
        created: String,
        /// The user or key that saved it.
        by: String,
        /// How many customers answer to it.
        customers: usize,
        /// What they are expected to spend within the horizon, in currency units.
        expected_spend: f64,
        /// A page of them.
        members: Vec<CustomerView>,
        /// The cursor of the next page; not there on the last one.
        next: Option<String>,
    }

    /// An audience is not kept any more.
    AudienceDeleted {
        /// Always.
        deleted: bool,
    }

    /// All models.
    Models {
        /// Those of tables first; `POST /predict` asks the first of them.
        models: Vec<ModelLine>,
    }

    /// A model in one line.
    ModelLine {
        /// The name of its folder.
        name: String,
        /// Its number in the workspace, else the beginning of its checksum: another version is another model.
        version: String,
        /// `champion`, where a workspace is served.
        stage: Option<&'static str>,
        /// `table` for a model of `guike train`, `orders` for the forecasts of a `guike run`.
        kind: &'static str,
        /// What it learned with.
        learner: String,
    }

    /// A model.
    ModelView {
        /// The name of its folder.
        name: String,
        /// Its number in the workspace, else the beginning of its checksum: another version is another model.
        version: String,
        /// `champion`, where a workspace is served.
        stage: Option<&'static str>,
        /// `table` for a model of `guike train`, `orders` for the forecasts of a `guike run`.
        kind: &'static str,
        /// What it learned with.
        learner: String,
        /// The column that a model of a table predicts.
        target: Option<String>,
        /// The columns that it reads.
        inputs: Option<Vec<InputView>>,
        /// Its classes, in the order of their probabilities.
        classes: Option<Vec<String>>,
        /// Of two classes, the one asked about.
        positive: Option<String>,
        /// From which probability the positive class is called.
        threshold: Option<f64>,
        /// In which tiers its predictions stand, the best or most probable first; left out where it has none.
        tiers: Option<Vec<TierBorder>>,
        /// How good it is: what `evaluation.json` beside it holds.
        evaluation: Option<Value>,
    }

    /// A tier of a model's predictions.
    TierBorder {
        /// As answers call it.
        tier: String,
        /// Its name.
        name: String,
        /// Its Chinese name.
        name_zh: String,
        /// The number, or the probability of the positive class, from which it begins; the last tier has none.
        at_least: Option<f64>,
    }

    /// Every version that the workspace keeps of a name, and what was decided about it.
    Versions {
        /// The versions, the oldest first.
        versions: Vec<VersionView>,
        /// The decisions, the oldest first.
        decisions: Vec<DecisionView>,
    }

    /// A version that a workspace keeps.
    VersionView {
        /// Its name.
        name: String,
        /// Its number.
        version: String,
        /// `candidate`, `champion` or `archived`.
        stage: &'static str,
        /// `table` for a model of `guike train`, `orders` for a `guike run`.
        kind: &'static str,
        /// What it learned with.
        learner: Value,
        /// When it was registered.
        created: String,
        /// Of all its files.
        checksum: String,
        /// Fingerprint of what it was learned from.
        data: String,
        /// The champion when it was registered.
        follows: Option<String>,
        /// How good it is.
        metrics: Value,
        /// Where it comes from: rows, seed, cutoff and horizon, version of Guike.
        lineage: Value,
    }

    /// Something that was decided about a name.
    DecisionView {
        /// When.
        at: String,
        /// `first`, `promote`, `rollback`, `archive` or `remove`.
        action: &'static str,
        /// About which version.
        version: String,
        /// The champion before.
        before: Option<String>,
        /// Why.
        reason: String,
        /// Whether against the figures, or without any.
        forced: bool,
        /// On what figures.
        figures: Value,
    }

    /// Every run that the workspace keeps.
    Runs {
        /// The runs, by name and then by number.
        runs: Vec<VersionView>,
    }

    /// A column that a model reads.
    InputView {
        /// Its name.
        name: String,
        /// `number`, `category` or `date`.
        kind: &'static str,
        /// The categories with a meaning of their own; all others share one.
        categories: Option<Vec<String>>,
        /// How dates are written.
        format: Option<String>,
    }

    /// The shop in a few numbers.
    Summary {
        /// Customers who bought before the cutoff.
        customers: usize,
        /// The last day that was known.
        cutoff: Value,
        /// How far ahead, in days.
        horizon_days: Value,
        /// The chosen model.
        model: Value,
        /// Why it was chosen.
        why: Value,
        /// Expected spend of all, its 80 % interval, and how many will buy.
        total: Value,
        /// The forecast against what happened afterwards, where the log goes on.
        holdout: Value,
        /// What a reader should know.
        notes: Value,
        /// The tiers, best first.
        tiers: Vec<TierLine>,
    }

    /// A tier in one line.
    TierLine {
        /// Its key.
        tier: Value,
        /// Its English name.
        name: Value,
        /// Its Chinese name.
        name_zh: Value,
        /// Number of customers.
        customers: Value,
        /// Share of all customers.
        share_customers: Value,
        /// Expected spend of all of them.
        value_total: Value,
        /// Share of all expected spend.
        share_value: Value,
        /// The sum of expected spend times the chance of no purchase.
        value_at_risk: Value,
    }

    /// The tiers with their rule and analysis: what `tiers.json` holds.
    Tiers {
        /// How tiers were to be made.
        plan: Value,
        /// The rule that was found.
        rule: Value,
        /// Size, value and risk of every tier, best first.
        tiers: Value,
        /// How far apart the tiers are.
        silhouette: Value,
        /// How many customers keep their tier on resampled data.
        stability: Value,
        /// Customers who would have changed tier and are held by the margin.
        held_by_margin: Value,
        /// Who moved since the run before.
        migration: Value,
        /// What a reader should know.
        notes: Value,
    }

    /// A page of customers.
    Customers {
        /// Those of this page, in the order asked for.
        customers: Vec<CustomerView>,
        /// What to send as `cursor` for the next page; left out on the last one.
        next: Option<String>,
    }

    /// A customer as the files of the run have her.
    CustomerView {
        /// As the log writes it.
        customer_id: String,
        /// Key of the tier.
        tier: String,
        /// The last day that is known of her: the run's, or of what was told of her since.
        as_of: String,
        /// Expected purchase days within the horizon.
        expected_orders: Nullable,
        /// Expected spend within the horizon.
        expected_spend: Nullable,
        /// Half of such customers spend less.
        median_spend: Nullable,
        /// Lower end of the 90 % interval of spend.
        spend_p05: Nullable,
        /// Lower end of the 80 % interval of spend.
        spend_p10: Nullable,
        /// Upper end of the 80 % interval of spend.
        spend_p90: Nullable,
        /// Upper end of the 90 % interval of spend.
        spend_p95: Nullable,
        /// Probability of a purchase within the horizon.
        p_active: Nullable,
        /// By then the next purchase has come with probability ½; null where it may never come.
        next_order_days: Nullable,
        /// Days from the last purchase to the cutoff.
        days_since_last_order: Nullable,
        /// Purchase days up to the cutoff.
        purchase_days: Nullable,
        /// Spend up to the cutoff.
        spend_so_far: Nullable,
        /// Recency, frequency and money, each from 1 to 5, best 555.
        rfm_score: String,
        /// The named group of that score.
        rfm_group: String,
    }

    /// What one customer did, and what is expected of her.
    CustomerHistory {
        /// As the log writes it.
        customer_id: String,
        /// The last day that is known of her.
        as_of: String,
        /// Her purchase days, the first first.
        purchases: Vec<PurchaseView>,
        /// From that day on, up to the horizon.
        ahead: Vec<AheadView>,
    }

    /// What was bought on a day.
    PurchaseView {
        /// The day.
        day: String,
        /// What was spent.
        spend: f64,
    }

    /// What is expected until a day.
    AheadView {
        /// Days after the last known one.
        days: usize,
        /// Expected spend until then.
        expected_spend: f64,
        /// Lower end of its 80 % interval.
        spend_p10: f64,
        /// Upper end of its 80 % interval.
        spend_p90: f64,
        /// Probability of a purchase until then.
        p_active: f64,
    }

    /// Why a customer's forecast is what it is: `base` and the themes add up to what is expected.
    ExplanationView {
        /// As the log writes it.
        customer_id: String,
        /// The model.
        model: String,
        /// The last day that is known of her.
        as_of: String,
        /// How far ahead.
        horizon_days: usize,
        /// What is expected of her.
        expected: ExpectedView,
        /// Lower end of the 80 % interval of spend.
        spend_p10: f64,
        /// Upper end of the 80 % interval of spend.
        spend_p90: f64,
        /// What is expected on average of those she is compared with.
        base: ExpectedView,
        /// How many those are.
        compared_with: usize,
        /// Whether every coalition of themes was asked.
        exact: bool,
        /// The parts, largest first.
        themes: Vec<ThemeView>,
        /// Customers like her.
        alike: Vec<AlikeView>,
        /// Key of her tier by the borders of the run.
        tier: Option<String>,
        /// Key of the next better tier.
        next_tier: Option<String>,
        /// The smallest order that was tried and reaches it.
        next_tier_order: Option<f64>,
        /// One more order today, of several sizes.
        what_if: Vec<WhatIfView>,
    }

    /// What is expected of a customer within the horizon.
    ExpectedView {
        /// Spend.
        expected_spend: f64,
        /// Purchase days.
        expected_orders: f64,
        /// Probability of a purchase.
        p_active: f64,
    }

    /// What one theme adds.
    ThemeView {
        /// Its name.
        theme: &'static str,
        /// Added to the expected spend.
        expected_spend: f64,
        /// Standard error of that; 0 where every coalition was asked.
        standard_error: f64,
        /// Added to the probability of a purchase.
        p_active: f64,
        /// What is known of her under this theme.
        facts: Vec<FactView>,
    }

    /// One thing that is known of a customer.
    FactView {
        /// Name of the feature or attribute.
        feature: String,
        /// Its value.
        value: Option<f64>,
        /// Its category, where it has one.
        category: Option<String>,
        /// The median over a sample of the shop's customers.
        median: Option<f64>,
    }

    /// A customer who is much the same.
    AlikeView {
        /// As the log writes it.
        customer_id: String,
        /// Days from her last purchase.
        days_since_last_order: f64,
        /// Her purchase days.
        purchase_days: usize,
        /// Her mean spend per purchase day.
        spend_mean: f64,
        /// What is expected of her.
        expected: ExpectedView,
    }

    /// What would be expected after one more order today.
    WhatIfView {
        /// Size of the order.
        order: f64,
        /// The same in multiples of her mean order.
        times_usual: f64,
        /// What is expected then.
        expected: ExpectedView,
        /// Key of the tier then.
        tier: Option<String>,
    }
}
