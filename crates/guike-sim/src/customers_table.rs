//! The textbook table: customers with age, income, purchase frequency, amount and category, labelled high or low value.
//!
//! The one idea: the label is drawn from a probability that is known, so that a classifier can be held against the best
//! that is possible and not only against another classifier. With [`Label::Amount`] the label is nothing but a threshold
//! on a column of the table, which is a leak that a careful tool must notice.

use guike_core::{Column, ColumnData, Seed, Table};
use rand::{Rng, RngExt};
use rand_distr::{Distribution, Gamma, LogNormal, Normal};
use serde::{Deserialize, Serialize};

use crate::error::SimError;

/// What makes a customer one of high value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Label {
    /// Chance: P(high) is a logistic function of the other columns ([`CustomersTable::p_high`]).
    #[default]
    Drawn,
    /// `amount` above its median: the label is a column of the table in disguise.
    Amount,
}

/// The table and what nobody outside a simulation knows.
#[derive(Debug, Clone, PartialEq)]
pub struct CustomersTable {
    /// `customer_id`, `age`, `income`, `purchase_frequency`, `amount`, `category`, `value`.
    pub table: Table,
    /// The true probability of `high` per row; 0 or 1 with [`Label::Amount`].
    pub p_high: Vec<f64>,
}

/// Categories with their shares and what buying them does to the odds of high value.
const CATEGORIES: [(&str, f64, f64); 5] = [
    ("books", 0.20, -0.4),
    ("clothing", 0.30, 0.0),
    ("electronics", 0.20, 0.7),
    ("groceries", 0.20, -0.2),
    ("sports", 0.10, 0.3),
];

impl CustomersTable {
    /// `n` customers; the first thousand are the same whatever `n`, except for a label by [`Label::Amount`].
    ///
    /// # Units  age in years, income per month and amount per year in currency units, frequency in purchases per year
    ///
    /// # Errors
    /// [`SimError`] for fewer than 2 customers.
    ///
    /// # Example
    /// ```
    /// use guike_core::Seed;
    /// use guike_sim::{CustomersTable, Label};
    /// let t = CustomersTable::simulate(1_000, Label::Drawn, Seed(1)).unwrap();
    /// assert_eq!((t.table.n_rows(), t.table.columns().len()), (1_000, 7));
    /// assert!(CustomersTable::simulate(1, Label::Drawn, Seed(1)).is_err());
    /// ```
    pub fn simulate(n: usize, label: Label, seed: Seed) -> Result<CustomersTable, SimError> {
        if n < 2 {
            return Err(SimError { name: "n", value: n as f64, rule: "at least 2" });
        }
        let seed = seed.derive("customers-table");
        let customers: Vec<Customer> = (0..n).map(|i| Customer::draw(&mut seed.at(i as u64).rng())).collect();
        let p_high: Vec<f64> = match label {
            Label::Drawn => customers.iter().map(Customer::p_high).collect(),
            Label::Amount => {
                let mut sorted: Vec<f64> = customers.iter().map(|c| c.amount).collect();
                sorted.sort_by(f64::total_cmp);
                let median = sorted[n / 2];
                customers.iter().map(|c| f64::from(u8::from(c.amount >= median))).collect()
            }
        };
        let high = customers.iter().zip(&p_high).map(|(c, &p)| u32::from(c.luck >= p)).collect();
        let number = |name: &str, of: fn(&Customer) -> f64| Column::numeric(name, customers.iter().map(of).collect());
        let named = |name: &str, codes: Vec<u32>, levels: Vec<String>| Column {
            name: name.to_owned(),
            data: ColumnData::Categorical { codes, levels },
        };
        let columns = vec![
            named("customer_id", (0..n as u32).collect(), (1..=n).map(|i| format!("C{i:06}")).collect()),
            number("age", |c| c.age),
            number("income", |c| c.income),
            number("purchase_frequency", |c| c.frequency),
            number("amount", |c| c.amount),
            named(
                "category",
                customers.iter().map(|c| c.category as u32).collect(),
                CATEGORIES.map(|c| c.0.to_owned()).to_vec(),
            ),
            named("value", high, vec!["high".to_owned(), "low".to_owned()]),
        ];
        Ok(CustomersTable { table: Table::new(columns).expect("seven names, one length"), p_high })
    }
}

#[derive(Debug)]
struct Customer {
    age: f64,
    income: f64,
    frequency: f64,
    amount: f64,
    category: usize,
    /// Uniform on 0..1: of high value when below the probability.
    luck: f64,
}

impl Customer {
    fn draw(rng: &mut impl Rng) -> Customer {
        let age = Normal::new(42.0_f64, 13.0).expect("a spread above 0").sample(rng).clamp(18.0, 80.0).round();
        // income rises to the middle of life and falls after it
        let peak = 1.0 - ((age - 48.0) / 40.0_f64).powi(2) * 0.6;
        let income = (LogNormal::new(8.6_f64, 0.4).expect("a spread above 0").sample(rng) * peak).max(1_500.0).round();
        let frequency = Gamma::new(2.2_f64, 5.0).expect("parameters above 0").sample(rng).round().max(1.0);
        let basket = LogNormal::new(4.0_f64, 0.5).expect("a spread above 0").sample(rng) * (income / 5_400.0).powf(0.4);
        let amount = (frequency * basket * 100.0).round() / 100.0;
        let at = rng.random::<f64>();
        let shares = CATEGORIES.iter().scan(0.0, |sum, c| {
            *sum += c.1;
            Some(*sum)
        });
        let category = shares.take_while(|&upper| at >= upper).count().min(CATEGORIES.len() - 1);
        Customer { age, income, frequency, amount, category, luck: rng.random() }
    }

    /// The truth behind the label.
    fn p_high(&self) -> f64 {
        let middle_age = 1.0 - ((self.age - 45.0) / 18.0).powi(2);
        let odds = 1.5 * (self.frequency / 10.0).ln()
            + 1.3 * (self.income / 5_000.0).ln()
            + 1.0 * (self.amount / 550.0).ln()
            + 0.3 * middle_age
            + CATEGORIES[self.category].2
            - 0.1;
        1.0 / (1.0 + (-odds).exp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn high(t: &CustomersTable) -> Vec<bool> {
        match &t.table.column("value").expect("there").data {
            ColumnData::Categorical { codes, .. } => codes.iter().map(|&c| c == 0).collect(),
            ColumnData::Numeric(_) => panic!("value is a category"),
        }
    }

    #[test]
    fn labels_come_as_often_as_their_probability_says() {
        let t = CustomersTable::simulate(20_000, Label::Drawn, Seed(3)).expect("simulated");
        let n_high = high(&t).iter().filter(|&&h| h).count() as f64;
        let expected: f64 = t.p_high.iter().sum();
        let sd = t.p_high.iter().map(|p| p * (1.0 - p)).sum::<f64>().sqrt();
        assert!((n_high - expected).abs() < 4.0 * sd, "{n_high} against {expected} ± {sd}");
        assert!((0.35..0.65).contains(&(expected / 20_000.0)), "{expected}");
    }

    #[test]
    fn the_first_customers_do_not_depend_on_how_many_follow() {
        let few = CustomersTable::simulate(100, Label::Drawn, Seed(1)).expect("simulated");
        let many = CustomersTable::simulate(500, Label::Drawn, Seed(1)).expect("simulated");
        let income =
            |t: &CustomersTable| t.table.column("income").and_then(|c| c.as_numeric()).expect("there").to_vec();
        assert_eq!(income(&few), income(&many)[..100]);
        assert_eq!(high(&few), high(&many)[..100]);
    }

    #[test]
    fn a_label_by_amount_is_a_threshold() {
        let t = CustomersTable::simulate(1_000, Label::Amount, Seed(1)).expect("simulated");
        let amount = t.table.column("amount").and_then(|c| c.as_numeric()).expect("there");
        let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
        for (&a, h) in amount.iter().zip(high(&t)) {
            if h { least = least.min(a) } else { most = most.max(a) }
        }
        assert!(most < least, "{most} {least}");
    }
}
