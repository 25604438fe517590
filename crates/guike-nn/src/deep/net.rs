//! The networks: aggregates cut into pieces, a reader of the history beside them, residual blocks, and what is said.

use guike_core::Seed;
use serde::{Deserialize, Serialize};

use super::fit::DeepConfig;
use super::lessons::{Told, WEEK_FEATURES, WEEKS};
use super::value::ValueHead;
use crate::descend::Dropout;
use crate::layers::{Adder, Block};
use crate::params::{ParamId, Params};
use crate::tape::{Tape, Var};
use crate::told::{EVENT_FEATURES, Pieces, ROW_FEATURES};

/// How a history is read, beside the aggregates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// Not at all: a multi-layer perceptron on the aggregates.
    Aggregates,
    /// Two layers of convolution over the last 52 weeks.
    Convolution,
    /// A gated recurrent unit over the last 64 purchase days.
    Recurrence,
    /// Two layers of causal self-attention over them.
    Attention,
}

/// Numbers per event: those of every reader of events, and how long ago it was.
const EVENT: usize = EVENT_FEATURES + 1;
/// Numbers inside a reader.
const STATE: usize = 32;
/// The first convolution sees five weeks, the second three groups of four.
const FIRST: [usize; 2] = [2, 2];
const GROUP: usize = 4;
const SECOND: [usize; 2] = [1, 1];
const GROUPS: usize = WEEKS / GROUP;
const HEADS: usize = 2;
const LAYERS: usize = 2;

#[derive(Debug, Clone)]
enum Reader {
    None,
    Convolution { first: [ParamId; 2], second: [ParamId; 2], out: ParamId },
    Recurrence { gates: [ParamId; 2], hidden: ParamId, out: ParamId },
    Attention { event: [ParamId; 2], layers: Vec<Attention>, out: ParamId },
}

#[derive(Debug, Clone, Copy)]
struct Attention {
    norm: [ParamId; 2],
    parts: [ParamId; 3],
    out: ParamId,
    block: Block,
}

/// Where the parts of a network lie among its parameters.
#[derive(Debug, Clone)]
pub(super) struct DeepNet {
    row: [ParamId; 2],
    reader: Reader,
    blocks: Vec<Block>,
    last: [ParamId; 2],
    head: [ParamId; 2],
}

impl Reader {
    fn new(reading: Reading, width: usize, add: &mut Adder<'_>) -> Reader {
        match reading {
            Reading::Aggregates => Reader::None,
            Reading::Convolution => {
                let [one, two] = [FIRST, SECOND].map(|[before, after]| before + 1 + after);
                Reader::Convolution {
                    first: add.linear("weeks.first", one * WEEK_FEATURES, STATE, 1.4),
                    second: add.linear("weeks.second", two * STATE, STATE, 1.4),
                    out: add.matrix("weeks.out", GROUPS * STATE, width, 0.3),
                }
            }
            Reading::Recurrence => Reader::Recurrence {
                gates: add.linear("events.gates", EVENT, 3 * STATE, 1.0),
                hidden: add.matrix("events.hidden", STATE, 3 * STATE, 0.7),
                out: add.matrix("events.out", STATE, width, 0.5),
            },
            Reading::Attention => Reader::Attention {
                event: add.linear("events.in", EVENT, STATE, 1.0),
                layers: (0..LAYERS)
                    .map(|i| {
                        let name = |part: &str| format!("events.{i}.{part}");
                        Attention {
                            norm: add.norm(&name("norm"), STATE),
                            parts: ["query", "key", "value"].map(|p| add.matrix(&name(p), STATE, STATE, 1.0)),
                            out: add.matrix(&name("out"), STATE, STATE, 0.3),
                            block: add.block(&name("block"), STATE),
                        }
                    })
                    .collect(),
                out: add.matrix("events.out", STATE, width, 0.5),
            },
        }
    }
}

impl DeepNet {
    /// A network that has learned nothing: it says the naive forecast, nearly.
    pub(super) fn new(reading: Reading, head: ValueHead, config: &DeepConfig, seed: Seed) -> (DeepNet, Params) {
        let mut params = Params::default();
        let mut add = Adder { params: &mut params, seed };
        let width = config.width;
        let row = add.linear("row", Pieces::EACH * ROW_FEATURES.len(), width, 1.0);
        let reader = Reader::new(reading, width, &mut add);
        let blocks = (0..config.blocks).map(|i| add.block(&format!("block.{i}"), width)).collect();
        let last = add.norm("last", width);
        let head = add.linear("head", width, head.outputs(), 0.1);
        (DeepNet { row, reader, blocks, last, head }, params)
    }

    /// What the network says of these customers: n × outputs.
    pub(super) fn say(&self, tape: &mut Tape<'_>, told: &Told, pieces: &Pieces, dropout: Option<Dropout>) -> Var {
        let mut drop_some = Dropout::of(dropout);
        let n = told.len();
        let x = tape.input(n, Pieces::EACH * ROW_FEATURES.len(), |v| pieces.code(&told.rows.features, v));
        let x = drop_some(tape, x);
        let mut h = tape.linear(x, self.row[0], Some(self.row[1]));
        if let Some(read) = self.read(tape, told, &mut drop_some) {
            h = tape.add(h, read);
        }
        for block in &self.blocks {
            h = block.over(tape, h, &mut drop_some);
        }
        let h = tape.norm(h, self.last[0], self.last[1]);
        tape.linear(h, self.head[0], Some(self.head[1]))
    }

    /// What the reader makes of the histories: n × width.
    fn read(
        &self,
        tape: &mut Tape<'_>,
        told: &Told,
        dropout: &mut impl FnMut(&mut Tape<'_>, Var) -> Var,
    ) -> Option<Var> {
        let n = told.len();
        let rows = &told.rows;
        match &self.reader {
            Reader::None => None,
            Reader::Convolution { first, second, out } => {
                let weeks = tape.input(n * WEEKS, WEEK_FEATURES, |v| v.copy_from_slice(&told.weeks));
                let every = |each: usize, count: usize| (0..=count).map(|i| (i * each) as u32).collect::<Vec<u32>>();
                let h = tape.neighbours(weeks, &every(WEEKS, n), FIRST[0], FIRST[1]);
                let h = tape.linear(h, first[0], Some(first[1]));
                let h = tape.gelu(h);
                let h = tape.mean_of_runs(h, &every(GROUP, n * GROUPS));
                let h = tape.neighbours(h, &every(GROUPS, n), SECOND[0], SECOND[1]);
                let h = tape.linear(h, second[0], Some(second[1]));
                let h = tape.gelu(h);
                let h = tape.reshape(h, n, GROUPS * STATE);
                let h = dropout(tape, h);
                Some(tape.linear(h, *out, None))
            }
            Reader::Recurrence { gates, hidden, out } => {
                let events = self.events(tape, told);
                let gates = tape.linear(events, gates[0], Some(gates[1]));
                let states = tape.gru(gates, *hidden, &rows.offsets);
                let h = tape.last_of_runs(states, &rows.offsets);
                Some(tape.linear(h, *out, None))
            }
            Reader::Attention { event, layers, out } => {
                let events = self.events(tape, told);
                let mut h = tape.linear(events, event[0], Some(event[1]));
                for layer in layers {
                    let x = tape.norm(h, layer.norm[0], layer.norm[1]);
                    let [q, k, v] = layer.parts.map(|p| tape.linear(x, p, None));
                    let seen = tape.attend_back(q, k, v, HEADS, &rows.offsets);
                    let seen = tape.linear(seen, layer.out, None);
                    h = tape.add(h, seen);
                    h = layer.block.over(tape, h, dropout);
                }
                let h = tape.last_of_runs(h, &rows.offsets);
                Some(tape.linear(h, *out, None))
            }
        }
    }

    /// Events with how long ago each was: events × [`EVENT`].
    fn events(&self, tape: &mut Tape<'_>, told: &Told) -> Var {
        let rows = &told.rows;
        tape.input(rows.since.len(), EVENT, |v| {
            for (customer, &idle) in rows.idle.iter().enumerate() {
                let mut ago = idle;
                for e in (rows.offsets[customer] as usize..rows.offsets[customer + 1] as usize).rev() {
                    let out = &mut v[e * EVENT..][..EVENT];
                    out[..EVENT_FEATURES].copy_from_slice(&rows.events[e * EVENT_FEATURES..][..EVENT_FEATURES]);
                    out[EVENT_FEATURES] = ago.max(0.0).ln_1p();
                    ago += rows.since[e];
                }
            }
        })
    }
}
