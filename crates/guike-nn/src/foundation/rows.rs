//! What the model is told about one customer: hand-made aggregates of her purchase days, as numbers of moderate size.
//!
//! Times go in as logarithms of days and money as logarithms relative to the shop's median purchase day, so that a grocer
//! and a furniture shop, yuan and pounds, look alike where they are alike.

use super::scene::Scene;

/// Windows back from the anchor whose purchase days are counted.
const WINDOWS: [i32; 8] = [7, 14, 28, 56, 91, 182, 364, 728];
/// Days of a year, for the calendar: 1970 began with one, and the rest drifts by less than a day in a century.
pub(super) const YEAR_DAYS: f64 = 365.242_5;

/// Names of the numbers, in their order.
pub const ROW_FEATURES: [&str; 41] = [
    "repeats",
    "recency",
    "age",
    "span",
    "recency_of_age",
    "one_time",
    "mean_gap",
    "recency_over_mean_gap",
    "gap_variation",
    "last_gap",
    "longest_gap",
    "recency_surprise",
    "days_7",
    "days_14",
    "days_28",
    "days_56",
    "days_91",
    "days_182",
    "days_364",
    "days_728",
    "days_same_quarter_last_year",
    "first_seen",
    "first_seen_share",
    "spend_mean",
    "spend_last",
    "spend_first",
    "spend_spread",
    "spend_largest",
    "spend_total",
    "spend_91",
    "spend_364",
    "spend_trend",
    "rank_repeats",
    "rank_recency",
    "rank_spend",
    "first_sine",
    "first_cosine",
    "last_sine",
    "last_cosine",
    "gap_trend",
    "mean_gap_in_shop",
];

/// ln(1 + x).
fn log(x: f64) -> f32 {
    x.max(0.0).ln_1p() as f32
}

/// Sine and cosine of the place in the year.
pub(super) fn calendar(day: i32, harmonic: f64) -> (f32, f32) {
    let (sin, cos) = (std::f64::consts::TAU * harmonic * f64::from(day) / YEAR_DAYS).sin_cos();
    (sin as f32, cos as f32)
}

/// Mean and standard deviation from sums.
pub(super) fn spread(sum: f64, squares: f64, n: f64) -> (f64, f64) {
    let mean = sum / n;
    (mean, (squares / n - mean * mean).max(0.0).sqrt())
}

/// Describes a customer as of the scene's anchor.
///
/// # Shapes
/// `day` and `spend`: her purchase days up to the anchor, at least one; `out`: [`ROW_FEATURES`]
pub(super) fn describe(day: &[i32], spend: &[f32], scene: &Scene, out: &mut [f32]) {
    let n = day.len();
    let (first, last) = (day[0], day[n - 1]);
    let anchor = scene.anchor;
    let (age, recency, span) = (f64::from(anchor - first), f64::from(anchor - last), f64::from(last - first));
    let repeats = (n - 1) as f64;
    let (mut gap_sum, mut gap_squares, mut longest) = (0.0, 0.0, 0.0_f64);
    for pair in day.windows(2) {
        let gap = f64::from(pair[1] - pair[0]);
        let l = gap.ln_1p();
        gap_sum += l;
        gap_squares += l * l;
        longest = longest.max(gap);
    }
    let mean_gap = if n > 1 { span / repeats } else { 0.0 };
    // of gaps one has seen few: the shop's typical gap counts as one more
    let (log_gap, gap_sd) = spread(gap_sum + scene.log_gap, gap_squares + scene.log_gap.powi(2), repeats + 1.0);
    let usual = (gap_sd.powi(2) * repeats + scene.log_gap_sd.powi(2)) / (repeats + 1.0);
    let surprise = (recency.ln_1p() - log_gap) / (usual.sqrt() + 0.2);
    let since = |days: i32| n - day.partition_point(|&d| d <= anchor - days);
    let last_year = day.partition_point(|&d| d <= anchor - 364 + 91) - day.partition_point(|&d| d <= anchor - 364);
    let relative = |s: f32| scene.relative(s);
    let (mut log_sum, mut log_squares, mut total, mut largest) = (0.0, 0.0, 0.0, f64::NEG_INFINITY);
    for &s in spend {
        let r = relative(s);
        log_sum += r;
        log_squares += r * r;
        total += f64::from(s);
        largest = largest.max(r);
    }
    let (_, spend_sd) = spread(log_sum, log_squares, n as f64);
    let typical = scene.log_spend.exp();
    let mean_spend = scene.relative((total / n as f64) as f32);
    let spent_since = |days: i32| {
        let from = n - since(days);
        spend[from..].iter().map(|&s| f64::from(s)).sum::<f64>() / typical
    };
    let recent = spend[n.saturating_sub(3)..].iter().map(|&s| relative(s)).sum::<f64>() / n.min(3) as f64;
    let recent_gap = if n > 3 { f64::from(day[n - 1] - day[n - 4]) / 3.0 } else { mean_gap };
    let (first_sin, first_cos) = calendar(first, 1.0);
    let (last_sin, last_cos) = calendar(last, 1.0);
    let counts = WINDOWS.map(|w| log(since(w) as f64));
    let head = [
        log(repeats),
        log(recency),
        log(age),
        log(span),
        (recency / age.max(1.0)) as f32,
        f32::from(u8::from(n == 1)),
        log(mean_gap),
        if n > 1 { log(recency) - log(mean_gap) } else { 0.0 },
        if n > 2 { gap_sd as f32 } else { -0.5 },
        if n > 1 { log(f64::from(day[n - 1] - day[n - 2])) } else { 0.0 },
        log(longest),
        surprise.clamp(-4.0, 4.0) as f32,
    ];
    let tail = [
        log(last_year as f64),
        log(f64::from(first - scene.start)),
        (f64::from(first - scene.start) / scene.history_days()) as f32,
        mean_spend as f32,
        relative(spend[n - 1]) as f32,
        relative(spend[0]) as f32,
        if n > 1 { spend_sd as f32 } else { -0.5 },
        largest as f32,
        log(total / typical),
        log(spent_since(91)),
        log(spent_since(364)),
        (recent - log_sum / n as f64) as f32,
        scene.repeats.rank(repeats as f32),
        scene.recency.rank(recency as f32),
        scene.spend.rank(mean_spend as f32),
        first_sin,
        first_cos,
        last_sin,
        last_cos,
        if n > 3 { log(recent_gap) - log(mean_gap) } else { 0.0 },
        if n > 1 { (mean_gap.ln_1p() - scene.log_gap) as f32 } else { 0.0 },
    ];
    out[..12].copy_from_slice(&head);
    out[12..20].copy_from_slice(&counts);
    out[20..].copy_from_slice(&tail);
}

/// How many numbers each event is described by.
pub(super) const EVENT_FEATURES: usize = 6;

/// Describes the events of a customer, oldest first; `from` is the first that counts.
///
/// # Shapes
/// pushes [`EVENT_FEATURES`] numbers per event to `out` and the time since the event before, in log days, to `since`
pub(super) fn describe_events(
    day: &[i32],
    spend: &[f32],
    from: usize,
    scene: &Scene,
    out: &mut Vec<f32>,
    since: &mut Vec<f32>,
) {
    for i in from..day.len() {
        let gap = if i > 0 { f64::from(day[i] - day[i - 1]) } else { 0.0 };
        let (sin, cos) = calendar(day[i], 1.0);
        let log_gap = log(gap);
        out.extend([
            log_gap,
            if i > 0 { (f64::from(log_gap) - scene.log_gap) as f32 } else { 0.0 },
            f32::from(u8::from(i == 0)),
            scene.relative(spend[i]) as f32,
            sin,
            cos,
        ]);
        since.push(months(gap));
    }
}

/// Days in the unit of the recurrence's forgetting.
pub(super) fn months(days: f64) -> f32 {
    (days / 30.0) as f32
}
