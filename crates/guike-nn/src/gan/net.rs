//! Generator and critic.

use guike_core::Seed;

use crate::layers::Adder;
use crate::params::{ParamId, Params};
use crate::tape::{Tape, Var};

/// Slope of the critic's rectified units where they are off.
const LEAK: f32 = 0.2;

/// Two hidden layers, each of which passes on what it was given beside what it made of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Generator {
    layers: [[ParamId; 2]; 2],
    norms: [[ParamId; 2]; 2],
    out: [ParamId; 2],
}

impl Generator {
    pub(super) fn new(params: &mut Params, inputs: usize, width: usize, outputs: usize, seed: Seed) -> Generator {
        let mut add = Adder { params, seed };
        Generator {
            layers: [
                add.linear("generator.0", inputs, width, 1.0),
                add.linear("generator.1", inputs + width, width, 1.0),
            ],
            norms: [add.norm("generator.0.norm", width), add.norm("generator.1.norm", width)],
            out: add.linear("generator.out", inputs + 2 * width, outputs, 1.0),
        }
    }

    /// Logits of rows: n × inputs → n × outputs.
    pub(super) fn say(&self, tape: &mut Tape<'_>, x: Var) -> Var {
        let mut h = x;
        for (layer, norm) in self.layers.iter().zip(&self.norms) {
            let made = tape.linear(h, layer[0], Some(layer[1]));
            let made = tape.norm(made, norm[0], norm[1]);
            let made = tape.gelu(made);
            h = tape.beside(made, h);
        }
        tape.linear(h, self.out[0], Some(self.out[1]))
    }
}

/// Two hidden layers of leaky rectified units (Maas, Hannun & Ng 2013), and one number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Critic {
    layers: [[ParamId; 2]; 2],
    out: [ParamId; 2],
}

impl Critic {
    pub(super) fn new(params: &mut Params, inputs: usize, width: usize, seed: Seed) -> Critic {
        let mut add = Adder { params, seed };
        Critic {
            layers: [add.linear("critic.0", inputs, width, 1.4), add.linear("critic.1", width, width, 1.4)],
            out: add.linear("critic.out", width, 1, 1.0),
        }
    }

    /// How real packs of rows look, n × 1, and the slopes of the units of each layer.
    pub(super) fn say(&self, tape: &mut Tape<'_>, x: Var) -> (Var, [Vec<f32>; 2]) {
        let mut h = x;
        let slopes = self.layers.map(|layer| {
            let sum = tape.linear(h, layer[0], Some(layer[1]));
            let slopes: Vec<f32> = tape.value(sum).iter().map(|&v| if v > 0.0 { 1.0 } else { LEAK }).collect();
            h = tape.times(sum, |by| by.copy_from_slice(&slopes));
            slopes
        });
        (tape.linear(h, self.out[0], Some(self.out[1])), slopes)
    }

    /// The derivative of what is said by the inputs, where units have these slopes: n × inputs.
    pub(super) fn slope(&self, tape: &mut Tape<'_>, n: usize, slopes: &[Vec<f32>; 2]) -> Var {
        let one = tape.input(n, 1, |v| v.fill(1.0));
        let mut back = tape.linear_back(one, self.out[0]);
        for (layer, slopes) in self.layers.iter().zip(slopes).rev() {
            back = tape.times(back, |by| by.copy_from_slice(slopes));
            back = tape.linear_back(back, layer[0]);
        }
        back
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tape::Workspace;

    #[test]
    fn the_slope_is_the_derivative_of_what_the_critic_says() {
        let mut params = Params::default();
        let critic = Critic::new(&mut params, 4, 8, Seed(3));
        let at = |x: &[f32]| {
            let mut ws = Workspace::default();
            let mut tape = Tape::new(&params, &mut ws);
            let v = tape.input(1, 4, |v| v.copy_from_slice(x));
            let (said, on) = critic.say(&mut tape, v);
            let slope = critic.slope(&mut tape, 1, &on);
            (f64::from(tape.value(said)[0]), tape.value(slope).to_vec())
        };
        let x = [0.3, -0.7, 1.1, 0.4];
        let (_, slope) = at(&x);
        for i in 0..4 {
            let moved = |by: f32| {
                let mut x = x;
                x[i] += by;
                at(&x).0
            };
            let rise = (moved(1e-2) - moved(-1e-2)) / 2e-2;
            assert!((rise - f64::from(slope[i])).abs() < 1e-3, "{i}: {rise} {}", slope[i]);
        }
    }
}
