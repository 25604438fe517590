//! Networks and trainings as files of weights, and back to the same bits.

use guike_core::Seed;

use super::net::{Net, NetConfig};
use super::train::{TrainConfig, Trainer};
use crate::told::{Pieces, ROW_FEATURES};
use crate::weights::{Weights, WeightsError};

const EDGES: &str = "edges";
const CONFIG: &str = "guike.network";
const TRAINING: &str = "guike.training";
const STEP: &str = "guike.step";
const SEED: &str = "guike.seed";
const KIND: &str = "guike.kind";
/// Grows when rows, scenes or outputs change their meaning.
const FORMAT: &str = "foundation-1";

fn told<T: serde::de::DeserializeOwned>(weights: &Weights, key: &str) -> Result<T, WeightsError> {
    let text = weights.about.get(key).ok_or_else(|| WeightsError::Layout(format!("`{key}` is missing")))?;
    serde_json::from_str(text).map_err(|e| WeightsError::Layout(format!("`{key}`: {e}")))
}

fn tell<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("plain data")
}

impl Net {
    /// As a file of weights.
    pub fn to_weights(&self) -> Weights {
        let mut weights = Weights::default();
        weights.about.insert(KIND.to_owned(), FORMAT.to_owned());
        weights.about.insert(CONFIG.to_owned(), tell(&self.config));
        weights.arrays.push((EDGES.to_owned(), vec![self.pieces.0.len()], self.pieces.0.clone()));
        for t in &self.params.tensors {
            weights.arrays.push((t.name.clone(), vec![t.rows, t.cols], self.params.values[t.range()].to_vec()));
        }
        weights
    }

    /// From a file of weights.
    ///
    /// # Errors
    /// [`WeightsError`] when they are of something else.
    pub fn from_weights(weights: &Weights) -> Result<Net, WeightsError> {
        let kind = weights.about.get(KIND).map_or("unknown", String::as_str);
        if kind != FORMAT {
            return Err(WeightsError::Layout(format!("they are of kind `{kind}`, and this version reads `{FORMAT}`")));
        }
        let config: NetConfig = told(weights, CONFIG)?;
        config.validate().map_err(WeightsError::Layout)?;
        let edges = weights.array(EDGES, Net::edges_len())?.to_vec();
        let mut net = Net::new(config, Pieces(edges), Seed(0));
        for i in 0..net.params.tensors.len() {
            let tensor = net.params.tensors[i].clone();
            let values = weights.array(&tensor.name, tensor.rows * tensor.cols)?;
            net.params.values[tensor.range()].copy_from_slice(values);
        }
        Ok(net)
    }

    /// Numbers that a row's pieces have as edges.
    fn edges_len() -> usize {
        ROW_FEATURES.len() * (Pieces::EACH + 1)
    }
}

impl Trainer {
    /// Everything needed to go on as if it had never stopped.
    pub fn save(&self) -> Weights {
        let mut weights = self.net.to_weights();
        for (key, value) in
            [(TRAINING, tell(&self.config)), (STEP, self.step.to_string()), (SEED, self.seed.0.to_string())]
        {
            weights.about.insert(key.to_owned(), value);
        }
        let [mean, square] = &self.moments;
        for (name, values) in [("adam.mean", mean), ("adam.square", square), ("average", &self.averaged)] {
            weights.arrays.push((name.to_owned(), vec![values.len()], values.clone()));
        }
        weights
    }

    /// Goes on where it was saved.
    ///
    /// # Errors
    /// [`WeightsError`] when these are no training's.
    pub fn resume(weights: &Weights) -> Result<Trainer, WeightsError> {
        let net = Net::from_weights(weights)?;
        let n = net.params.len();
        let array = |name: &str| weights.array(name, n).map(<[f32]>::to_vec);
        let (moments, averaged) = ([array("adam.mean")?, array("adam.square")?], array("average")?);
        let config: TrainConfig = told(weights, TRAINING)?;
        Ok(Trainer::at(net, config, Seed(told(weights, SEED)?), told(weights, STEP)?, moments, averaged))
    }
}
