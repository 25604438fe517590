//! What the forecasts rest on: the themes of a sample of customers, and the why of the most valuable ones.

use guike_core::Seed;
use guike_explain::Interval;

use super::by_value;
use crate::explain::{At, explain_run};
use crate::report::view::{Bilingual, Driver, Drivers, Part, Why, WhyTop};
use crate::report::why;
use crate::run::Findings;

/// Customers whose forecasts are explained one by one.
const TOLD: usize = 3;
/// Below this there is nobody to compare with.
const NEEDED: u64 = 2;

/// An explanation that fails costs its part of the page, and not the run.
pub(super) fn drivers(f: &Findings, seed: Seed) -> Part<Drivers> {
    let found = f.rfm.len() as u64;
    if found < NEEDED {
        return Part::Missing(Why::TooFewCustomers { found, needed: NEEDED });
    }
    let top: Vec<u32> = by_value(f, TOLD).into_iter().map(|i| f.rfm.customer_idx[i]).collect();
    let (shop, top) = match explain_run(f, &top, seed) {
        Ok(found) => found,
        Err(e) => {
            let why = Bilingual::new(format!("Not shown: {e}."), format!("未显示：{e}。"));
            return Part::Missing(Why::Because(why));
        }
    };
    if shop.themes.iter().all(|t| t.spend == 0.0) {
        return Part::Missing(Why::Because(Bilingual::new(
            "Not shown: the model expects the same of every customer.",
            "未显示：该模型对每位顾客的预期相同。",
        )));
    }
    let at = At { cutoff: f.cutoff, horizon_days: f.horizon.days(), currency: f.log.currency().map(str::to_owned) };
    let themes = shop.themes.iter().map(|t| {
        let (lo, hi) = ((t.spend - 1.96 * t.spend_error).max(0.0), t.spend + 1.96 * t.spend_error);
        Driver {
            name: why::theme_name(t.theme),
            weight: Interval { mid: t.spend, lo, hi },
            shade: t.shade.clone(),
            customers: t.customers.iter().map(|(add, v)| (*add, Some(*v).filter(|v| v.is_finite()))).collect(),
        }
    });
    let top = top.into_iter().map(|t| WhyTop {
        id: f.log.customer_ids()[t.customer as usize].clone(),
        expected: t.expected,
        base: t.base,
        parts: t.themes.iter().map(|s| (why::most_telling(&at, s), s.spend)).collect(),
    });
    Part::Here(Drivers { n_customers: shop.explained as u64, themes: themes.collect(), top: top.collect() })
}
