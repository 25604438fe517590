//! Customers who do not exist: a conditional generative adversarial network for tables.
//!
//! The one idea: a generator draws rows from noise, a critic scores how real rows look, and each learns from the other
//! (Goodfellow et al. 2014) by the Wasserstein distance with a penalty on the critic's slope (Gulrajani et al. 2017). Tables
//! need three things more (Xu et al. 2019, "Modeling tabular data using conditional GAN"): numbers as a mode of a mixture and a
//! place within it, rare categories asked for as often as their logarithm, and a critic that sees several rows at once, so that
//! a generator which always says the same is found out (Lin et al. 2018).
//!
//! The slope of a critic with rectified units is the way back through its layers with the units that were on, so its penalty
//! needs no second differentiation: the way back is itself a row of linear maps on the tape.
//!
//! What comes out resembles the table and copies no row on purpose. It is not differentially private: whoever publishes it
//! should look at the distances to real rows, which [`nearest()`] gives.

mod columns;
mod nearest;
mod net;

use guike_core::{FitContext, FitError, Seed, Table};
use rand::RngExt;
use rand_distr::{Distribution, Gumbel, StandardNormal};

use crate::optimizer::AdamW;
use crate::params::Params;
use crate::tape::{Tape, Workspace};
use columns::Coding;
use net::{Critic, Generator};

pub use nearest::{Distances, nearest};

const NAME: &str = "tabular-gan";
/// Fewest rows to learn from.
const LEAST_ROWS: usize = 100;
/// How soft drawn categories are while learning.
const TEMPERATURE: f32 = 0.2;
/// Weight of the penalty on the critic's slope.
const PENALTY: f32 = 10.0;

/// How to learn.
///
/// Counterpart: `CTGAN` of the Synthetic Data Vault.
///
/// ```
/// use guike_core::{Column, FitContext, Quiet, Seed, Table};
/// use guike_nn::gan::TabularGan;
/// let age: Vec<f64> = (0..200).map(|i| 20.0 + f64::from(i % 50)).collect();
/// let table = Table::new(vec![Column::numeric("age", age)]).unwrap();
/// let gan = TabularGan { steps: 50, ..TabularGan::default() };
/// let synthesizer = gan.fit(&table, &FitContext { seed: Seed(1), progress: &Quiet }).unwrap();
/// let rows = synthesizer.sample(10, Seed(2));
/// assert_eq!((rows.n_rows(), rows.columns()[0].name.as_str()), (10, "age"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TabularGan {
    /// Steps of critic and generator, in turns.
    pub steps: u64,
    /// Rows per step; a multiple of `pack`.
    pub batch: usize,
    /// Rows that the critic sees at once.
    pub pack: usize,
    /// Numbers of noise a row is made of.
    pub noise: usize,
    /// Numbers of each hidden layer.
    pub width: usize,
    /// Learning rate.
    pub rate: f32,
}

impl Default for TabularGan {
    fn default() -> TabularGan {
        TabularGan { steps: 4_000, batch: 240, pack: 8, noise: 64, width: 128, rate: 4e-4 }
    }
}

/// A generator that has learned a table.
#[derive(Debug)]
pub struct Synthesizer {
    coding: Coding,
    params: Params,
    generator: Generator,
    noise: usize,
}

impl TabularGan {
    /// Learns a table.
    ///
    /// # Errors
    /// [`FitError::TooLittle`] for fewer than 100 rows or no column, [`FitError::Invalid`] for settings that cannot be, and
    /// [`FitError::Cancelled`].
    pub fn fit(&self, table: &Table, cx: &FitContext<'_>) -> Result<Synthesizer, FitError> {
        cx.progress.check()?;
        let whole = self.pack > 0 && self.batch > 0 && self.batch.is_multiple_of(self.pack);
        if !whole || self.noise == 0 || self.width == 0 {
            return Err(FitError::Invalid {
                learner: NAME,
                what: "batch, pack, noise and width".to_owned(),
                value: format!("{}, {}, {} and {}", self.batch, self.pack, self.noise, self.width),
                rule: "all must be at least 1, and batch a multiple of pack".to_owned(),
            });
        }
        if table.n_rows() < LEAST_ROWS || table.columns().is_empty() {
            return Err(FitError::TooLittle {
                learner: NAME,
                needs: format!("a column and {LEAST_ROWS} rows"),
                found: format!("are {} columns and {} rows", table.columns().len(), table.n_rows()),
            });
        }
        let coding = Coding::of(table, cx.seed.derive("modes"));
        if coding.width() == 0 {
            return Err(FitError::TooLittle {
                learner: NAME,
                needs: "a column that can be imitated".to_owned(),
                found: "are only columns with a value of their own in nearly every row, as identifiers have".to_owned(),
            });
        }
        let rows = coding.encode(table, cx.seed.derive("encode"));
        let mut params = Params::default();
        let (width, wish) = (coding.width(), coding.wish_width());
        let generator = Generator::new(&mut params, self.noise + wish, self.width, width, cx.seed.derive("generator"));
        let own = 0..params.tensors.len();
        let critic = Critic::new(&mut params, self.pack * (width + wish), self.width, cx.seed.derive("critic"));
        let others = own.end..params.tensors.len();
        let optimizer = AdamW { beta1: 0.5, beta2: 0.9, decay: 1e-3, clip: 1e6, ..AdamW::default() };
        let zeros = vec![0.0; params.len()];
        let mut moments = [zeros.clone(), zeros.clone()];
        let mut gradient = zeros;
        let mut ws = Workspace::default();
        for step in 0..self.steps {
            if step.is_multiple_of(64) {
                cx.progress.check()?;
                cx.progress.advance(64.min(self.steps - step));
            }
            // steady, then down to nothing over the last half, so that the end does not depend on the last few steps
            let rate = self.rate * (2.0 * (1.0 - step as f32 / self.steps as f32)).min(1.0);
            for turn in 0..2 {
                let seed = cx.seed.derive("step").at(step).at(turn);
                gradient.fill(0.0);
                let batch = Batch::draw(&coding, &rows, self, seed);
                let which = if turn == 0 {
                    self.criticise(&params, &generator, &critic, &coding, &batch, &mut ws, &mut gradient);
                    others.clone()
                } else {
                    self.generate(&params, &generator, &critic, &coding, &batch, &mut ws, &mut gradient);
                    own.clone()
                };
                optimizer.step_some(&mut params, which, &mut gradient, &mut moments, (step, rate));
            }
        }
        Ok(Synthesizer { coding, params, generator, noise: self.noise })
    }

    /// The critic's turn: what it says of real rows up, of generated ones down, its slope between them to 1.
    #[allow(clippy::too_many_arguments)]
    fn criticise(
        &self,
        params: &Params,
        generator: &Generator,
        critic: &Critic,
        coding: &Coding,
        batch: &Batch,
        ws: &mut Workspace,
        gradient: &mut [f32],
    ) {
        let packs = self.batch / self.pack;
        let width = coding.width() + coding.wish_width();
        let fake = {
            let mut tape = Tape::new(params, ws);
            let said = batch.generated(&mut tape, generator, coding);
            batch.with_wish(tape.value(said), coding)
        };
        let real = batch.with_wish(&batch.real, coding);
        let mut between = vec![0.0; real.len()];
        let each = self.pack * width;
        for (p, &share) in batch.shares.iter().enumerate() {
            for i in p * each..(p + 1) * each {
                between[i] = share * real[i] + (1.0 - share) * fake[i];
            }
        }
        let mut tape = Tape::new(params, ws);
        let [of_real, of_fake] = [&real, &fake].map(|rows| {
            let x = tape.input(packs, each, |v| v.copy_from_slice(rows));
            critic.say(&mut tape, x).0
        });
        let x = tape.input(packs, each, |v| v.copy_from_slice(&between));
        let (_, on) = critic.say(&mut tape, x);
        let slope = critic.slope(&mut tape, packs, &on);
        let share = 1.0 / packs as f32;
        let mut d_slope = tape.value(slope).to_vec();
        for row in d_slope.chunks_exact_mut(each) {
            let length = row.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-6);
            let scale = 2.0 * PENALTY * (length - 1.0) / length * share;
            row.iter_mut().for_each(|x| *x *= scale);
        }
        let (up, down) = (vec![-share; packs], vec![share; packs]);
        tape.backward(&[(of_real, &up), (of_fake, &down), (slope, &d_slope)], gradient);
    }

    /// The generator's turn: what the critic says of its rows up, and the categories that were asked for.
    #[allow(clippy::too_many_arguments)]
    fn generate(
        &self,
        params: &Params,
        generator: &Generator,
        critic: &Critic,
        coding: &Coding,
        batch: &Batch,
        ws: &mut Workspace,
        gradient: &mut [f32],
    ) {
        let packs = self.batch / self.pack;
        let width = coding.width() + coding.wish_width();
        let mut tape = Tape::new(params, ws);
        let logits = batch.logits(&mut tape, generator, coding);
        let rows = batch.soften(&mut tape, logits, coding);
        let rows = if coding.wish_width() > 0 {
            let wish = tape.input(self.batch, coding.wish_width(), |v| v.copy_from_slice(&batch.wish));
            tape.beside(rows, wish)
        } else {
            rows
        };
        let packed = tape.reshape(rows, packs, self.pack * width);
        let (said, _) = critic.say(&mut tape, packed);
        let mut d_logits = vec![0.0; self.batch * coding.width()];
        batch.asked(tape.value(logits), coding, 1.0 / self.batch as f32, &mut d_logits);
        let up = vec![-1.0 / packs as f32; packs];
        tape.backward(&[(said, &up), (logits, &d_logits)], gradient);
    }
}

/// What one turn is about.
struct Batch {
    rows: usize,
    noise: Vec<f32>,
    gumbel: Vec<f32>,
    /// The category asked for of each row, one-hot over all categorical columns.
    wish: Vec<f32>,
    /// Where it stands: column of the coding and place in its block; `None` without categorical columns.
    wished: Vec<Option<(usize, usize)>>,
    /// Real rows with these categories.
    real: Vec<f32>,
    /// Places between real and generated, per pack.
    shares: Vec<f32>,
}

impl Batch {
    fn draw(coding: &Coding, rows: &columns::Encoded, gan: &TabularGan, seed: Seed) -> Batch {
        let n = gan.batch;
        let mut rng = seed.rng();
        let noise = (0..n * gan.noise).map(|_| StandardNormal.sample(&mut rng)).collect();
        let flat = Gumbel::new(0.0_f32, 1.0).expect("a scale of 1");
        let gumbel = (0..n * coding.width()).map(|_| flat.sample(&mut rng)).collect();
        let (mut wish, mut wished, mut real) =
            (vec![0.0; n * coding.wish_width()], Vec::with_capacity(n), Vec::with_capacity(n * coding.width()));
        for row in 0..n {
            let asked = coding.ask(&mut rng);
            let from = match asked {
                Some(asked) => {
                    wish[row * coding.wish_width() + coding.wish_place(asked)] = 1.0;
                    rows.with(asked, &mut rng)
                }
                None => rng.random_range(0..rows.len()),
            };
            wished.push(asked);
            real.extend_from_slice(rows.row(from));
        }
        let shares = (0..n / gan.pack).map(|_| rng.random()).collect();
        Batch { rows: n, noise, gumbel, wish, wished, real, shares }
    }

    fn logits(&self, tape: &mut Tape<'_>, generator: &Generator, coding: &Coding) -> crate::tape::Var {
        let noise = tape.input(self.rows, self.noise.len() / self.rows, |v| v.copy_from_slice(&self.noise));
        let x = if coding.wish_width() > 0 {
            let wish = tape.input(self.rows, coding.wish_width(), |v| v.copy_from_slice(&self.wish));
            tape.beside(noise, wish)
        } else {
            noise
        };
        generator.say(tape, x)
    }

    /// Rows from logits: places within modes by tanh, modes and categories drawn softly (Jang, Gu & Poole 2017).
    fn soften(&self, tape: &mut Tape<'_>, logits: crate::tape::Var, coding: &Coding) -> crate::tape::Var {
        let sharp = coding.sharpness(1.0 / TEMPERATURE);
        let by_row = |v: &mut [f32]| v.chunks_exact_mut(sharp.len()).for_each(|row| row.copy_from_slice(&sharp));
        let drawn = tape.input(self.rows, coding.width(), |v| {
            for (row, gumbel) in v.chunks_exact_mut(sharp.len()).zip(self.gumbel.chunks_exact(sharp.len())) {
                // where nothing is drawn, nothing is added
                row.iter_mut().zip(gumbel).zip(&sharp).for_each(|((v, g), s)| *v = if *s > 1.0 { *g } else { 0.0 });
            }
        });
        let x = tape.add(logits, drawn);
        let x = tape.times(x, by_row);
        tape.blocks(x, coding.blocks())
    }

    fn generated(&self, tape: &mut Tape<'_>, generator: &Generator, coding: &Coding) -> crate::tape::Var {
        let logits = self.logits(tape, generator, coding);
        self.soften(tape, logits, coding)
    }

    /// Rows beside what was asked for.
    fn with_wish(&self, rows: &[f32], coding: &Coding) -> Vec<f32> {
        let (width, wish) = (coding.width(), coding.wish_width());
        let mut both = Vec::with_capacity(self.rows * (width + wish));
        for row in 0..self.rows {
            both.extend_from_slice(&rows[row * width..][..width]);
            both.extend_from_slice(&self.wish[row * wish..][..wish]);
        }
        both
    }

    /// Adds the gradient of the cross-entropy of the categories that were asked for.
    fn asked(&self, logits: &[f32], coding: &Coding, weight: f32, d_logits: &mut [f32]) {
        let width = coding.width();
        for (row, asked) in self.wished.iter().enumerate() {
            let Some((column, place)) = *asked else { continue };
            let own = coding.block_of(column);
            let logits = &logits[row * width..][own.clone()];
            let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let sum: f32 = logits.iter().map(|z| (z - most).exp()).sum();
            for (i, (d, z)) in d_logits[row * width..][own].iter_mut().zip(logits).enumerate() {
                *d += weight * ((z - most).exp() / sum - f32::from(u8::from(i == place)));
            }
        }
    }
}

impl Synthesizer {
    /// Names of columns that were left out, and why: what tells single rows apart is not imitated.
    pub fn left_out(&self) -> &[(String, String)] {
        self.coding.left_out()
    }

    /// Draws rows; the same seed gives the same rows, and more rows begin with the same ones.
    pub fn sample(&self, n: usize, seed: Seed) -> Table {
        const TOGETHER: usize = 256;
        let (width, wish) = (self.coding.width(), self.coding.wish_width());
        let mut ws = Workspace::default();
        let mut rows = Vec::with_capacity(n.div_ceil(TOGETHER) * TOGETHER * width);
        for part in 0..n.div_ceil(TOGETHER) {
            let mut rng = seed.derive("sample").at(part as u64).rng();
            let mut inputs = vec![0.0; TOGETHER * (self.noise + wish)];
            for row in inputs.chunks_exact_mut(self.noise + wish) {
                row[..self.noise].iter_mut().for_each(|x| *x = StandardNormal.sample(&mut rng));
                if let Some(asked) = self.coding.ask_as_often_as_seen(&mut rng) {
                    row[self.noise + self.coding.wish_place(asked)] = 1.0;
                }
            }
            let mut tape = Tape::new(&self.params, &mut ws);
            let x = tape.input(TOGETHER, self.noise + wish, |v| v.copy_from_slice(&inputs));
            let logits = self.generator.say(&mut tape, x);
            rows.extend_from_slice(tape.value(logits));
        }
        rows.truncate(n * width);
        self.coding.decode(&rows, seed.derive("draw"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use guike_core::{Column, ColumnData, Quiet};

    /// Spend goes with the segment.
    fn table() -> Table {
        let codes: Vec<u32> = (0..600).map(|i| u32::from(i % 4 == 0)).collect();
        let spend = codes.iter().enumerate().map(|(i, &c)| 10.0 + 90.0 * f64::from(c) + (i * 37 % 100) as f64 / 10.0);
        let levels = vec!["many".to_owned(), "few".to_owned()];
        Table::new(vec![
            Column::numeric("spend", spend.collect()),
            Column { name: "segment".to_owned(), data: ColumnData::Categorical { codes: codes.clone(), levels } },
        ])
        .expect("a table")
    }

    fn means(table: &Table) -> [f64; 2] {
        let spend = table.column("spend").and_then(Column::as_numeric).expect("numbers");
        let ColumnData::Categorical { codes, .. } = &table.column("segment").expect("there").data else {
            panic!("names")
        };
        [0, 1].map(|segment| {
            let own: Vec<f64> = spend.iter().zip(codes).filter(|(_, c)| **c == segment).map(|(s, _)| *s).collect();
            assert!(own.len() > 50, "segment {segment} has {} rows", own.len());
            own.iter().sum::<f64>() / own.len() as f64
        })
    }

    #[test]
    fn what_goes_together_in_the_table_goes_together_in_the_imitation() {
        let gan = TabularGan { steps: 500, batch: 64, width: 48, noise: 16, rate: 1e-3, ..TabularGan::default() };
        let fit = |seed| gan.fit(&table(), &FitContext { seed: Seed(seed), progress: &Quiet }).expect("rows enough");
        let drawn = fit(1).sample(600, Seed(2));
        let ([many, few], [real_many, real_few]) = (means(&drawn), means(&table()));
        // a short training: most of the difference, and on the right side
        assert!(few - many > 0.4 * (real_few - real_many), "{many} {few}");
        assert_eq!(fit(1).sample(600, Seed(2)), drawn, "the same seed gives the same rows");
        assert_ne!(fit(1).sample(600, Seed(3)), drawn);
        let part = fit(1).sample(50, Seed(2));
        let first = |t: &Table| t.column("spend").and_then(Column::as_numeric).expect("numbers")[..50].to_vec();
        assert_eq!(first(&part), first(&drawn), "more rows begin with the same ones");
    }

    #[test]
    fn what_cannot_be_learned_is_refused_in_words() {
        let cx = FitContext { seed: Seed(1), progress: &Quiet };
        let few = Table::new(vec![Column::numeric("x", vec![1.0; 20])]).expect("a table");
        let refused = TabularGan::default().fit(&few, &cx).expect_err("too few rows").to_string();
        assert!(refused.contains("100 rows") && refused.contains("20"), "{refused}");
        let odd = TabularGan { batch: 10, pack: 3, ..TabularGan::default() };
        assert!(odd.fit(&table(), &cx).expect_err("a batch of whole packs").to_string().contains("multiple"));
    }
}
