//! The network: rows of customers, the shop around them, labelled examples to look at, and a rate curve for each.

use guike_core::Seed;
use serde::{Deserialize, Serialize};

use super::context::{Context, LABEL_FEATURES};
use super::outlook::{OUTPUTS, SEASON};
use crate::layers::{Adder, Block, as_it_is};
use crate::params::{ParamId, Params, Start};
use crate::tape::{Tape, Var};
use crate::told::{EVENT_FEATURES, Pieces, ROW_FEATURES, Rows, SCENE_FEATURES, Scene};

/// Numbers of a row once they are cut into pieces.
const PIECED: usize = Pieces::EACH * ROW_FEATURES.len();

/// Sizes of the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetConfig {
    /// Numbers per customer inside; a multiple of `heads`.
    pub width: usize,
    /// Residual blocks before looking at the examples.
    pub encoder_blocks: usize,
    /// Times the examples are looked at, each followed by a block.
    pub looks: usize,
    /// Heads of each look.
    pub heads: usize,
    /// Numbers of the recurrent state.
    pub state: usize,
    /// Whether the aggregates are told; they always are, except to measure what they are worth.
    pub aggregates: bool,
    /// Whether the events are told.
    pub events: bool,
    /// Whether there are examples to look at.
    #[serde(default = "yes")]
    pub context: bool,
}

/// Networks of before could not do without.
fn yes() -> bool {
    true
}

impl NetConfig {
    /// The size that ships with the command: 317,120 parameters.
    pub fn nano() -> NetConfig {
        NetConfig {
            width: 96,
            encoder_blocks: 2,
            looks: 2,
            heads: 4,
            state: 32,
            aggregates: true,
            events: true,
            context: true,
        }
    }

    /// About 4.5 million parameters.
    pub fn small() -> NetConfig {
        NetConfig { width: 288, encoder_blocks: 4, looks: 4, heads: 8, state: 96, ..NetConfig::nano() }
    }

    /// About 46 million parameters.
    pub fn base() -> NetConfig {
        NetConfig { width: 768, encoder_blocks: 6, looks: 6, heads: 12, state: 256, ..NetConfig::nano() }
    }
}

impl NetConfig {
    /// Whether there can be such a network.
    ///
    /// # Errors
    /// The rule that is broken, in words.
    pub fn validate(&self) -> Result<(), String> {
        let whole = |name: &str, value: usize, least: usize, most: usize| match (least..=most).contains(&value) {
            true => Ok(()),
            false => Err(format!("`{name}` is {value}; it must lie between {least} and {most}")),
        };
        whole("width", self.width, 8, 4096)?;
        whole("encoder_blocks", self.encoder_blocks, 0, 64)?;
        whole("looks", self.looks, 1, 64)?;
        whole("heads", self.heads, 1, 256)?;
        whole("state", self.state, 1, 4096)?;
        match self.width % self.heads {
            0 => Ok(()),
            _ => Err(format!("`width` is {} and `heads` is {}; heads must divide the width", self.width, self.heads)),
        }
    }
}

/// One look at the examples.
#[derive(Debug, Clone, Copy)]
struct Look {
    norm: [ParamId; 2],
    query: ParamId,
    key: ParamId,
    value: ParamId,
    out: ParamId,
    block: Block,
}

#[derive(Debug, Clone)]
struct Layout {
    row: [ParamId; 2],
    gate: [ParamId; 2],
    event: [ParamId; 2],
    decay: ParamId,
    memory: ParamId,
    scene: [[ParamId; 2]; 2],
    encoder: Vec<Block>,
    label: [ParamId; 2],
    example: Block,
    example_norm: [ParamId; 2],
    nobody: ParamId,
    looks: Vec<Look>,
    last_norm: [ParamId; 2],
    head: [ParamId; 2],
    season: [ParamId; 2],
}

/// A network: sizes, parameters, and the edges of the pieces that numbers are cut into.
#[derive(Debug, Clone)]
pub struct Net {
    /// Its sizes.
    pub config: NetConfig,
    /// What is learned.
    pub params: Params,
    /// The pieces that numbers of rows are cut into; read off shops before training.
    pub(super) pieces: Pieces,
    layout: Layout,
}

/// Keys and values of the examples, for each look.
pub(super) type Examples = Vec<(Var, Var)>;

impl Net {
    /// A network that has learned nothing.
    pub(crate) fn new(config: NetConfig, pieces: Pieces, seed: Seed) -> Net {
        assert_eq!(pieces.numbers(), ROW_FEATURES.len(), "pieces of all numbers");
        let mut params = Params::default();
        let mut add = Adder { params: &mut params, seed: seed.derive("net") };
        let (d, s) = (config.width, config.state);
        let row = add.linear("row", PIECED, d, 1.0);
        let gate = add.linear("events.gate", EVENT_FEATURES, s, 1.0);
        let event = add.linear("events.value", EVENT_FEATURES, s, 1.0);
        let decay = add.params.add("events.decay", 1, s, Start::Constant(0.0), seed);
        // memories of a week to two years, in months
        let range = add.params.tensor(decay).range();
        for (i, at) in range.enumerate() {
            add.params.values[at] = 1.4 - 4.5 * i as f32 / (s - 1).max(1) as f32;
        }
        let memory = add.matrix("events.out", s, d, 0.5);
        let scene = [add.linear("scene.in", SCENE_FEATURES, d, 1.0), add.linear("scene.out", d, d, 0.5)];
        let encoder = (0..config.encoder_blocks).map(|i| add.block(&format!("encoder.{i}"), d)).collect();
        let label = add.linear("label", LABEL_FEATURES, d, 1.0);
        let example = add.block("example", d);
        let example_norm = add.norm("example.last", d);
        let nobody = add.params.add("nobody", 1, d, Start::Constant(0.0), seed);
        let looks = (0..config.looks)
            .map(|i| {
                let name = |part: &str| format!("look.{i}.{part}");
                Look {
                    norm: add.norm(&name("norm"), d),
                    query: add.matrix(&name("query"), d, d, 1.0),
                    key: add.matrix(&name("key"), d, d, 1.0),
                    value: add.matrix(&name("value"), d, d, 1.0),
                    out: add.matrix(&name("out"), d, d, 0.3),
                    block: add.block(&name("block"), d),
                }
            })
            .collect();
        let last_norm = add.norm("last", d);
        let head = add.linear("head", d, OUTPUTS, 0.2);
        let season = add.linear("season", d, SEASON, 0.2);
        let layout = Layout {
            row,
            gate,
            event,
            decay,
            memory,
            scene,
            encoder,
            label,
            example,
            example_norm,
            nobody,
            looks,
            last_norm,
            head,
            season,
        };
        Net { config, params, pieces, layout }
    }

    /// Sixteen hexadecimal digits that tell weights apart.
    pub fn fingerprint(&self) -> String {
        let mut hasher = xxhash_rust::xxh3::Xxh3::new();
        self.pieces.0.iter().chain(&self.params.values).for_each(|x| hasher.update(&x.to_le_bytes()));
        format!("{:016x}", hasher.digest())
    }

    /// Shops as of anchors: n scenes → n × width.
    pub(super) fn scenes(&self, tape: &mut Tape<'_>, scenes: &[&Scene]) -> Var {
        let x = tape.input(scenes.len(), SCENE_FEATURES, |v| {
            for (row, scene) in v.chunks_exact_mut(SCENE_FEATURES).zip(scenes) {
                row.copy_from_slice(&scene.features);
            }
        });
        let [first, second] = self.layout.scene;
        let h = tape.linear(x, first[0], Some(first[1]));
        let h = tape.gelu(h);
        tape.linear(h, second[0], Some(second[1]))
    }

    /// The season that a shop expects after its anchor: 1 × [`SEASON`] logarithms.
    pub(super) fn season(&self, tape: &mut Tape<'_>, scene: Var) -> Var {
        let [w, b] = self.layout.season;
        tape.linear(scene, w, Some(b))
    }

    /// Customers before they look at the examples. `runs`: (rows, scene) one after the other.
    pub(super) fn encode(&self, tape: &mut Tape<'_>, rows: &Rows, scenes: Var, runs: &[(u32, u32)]) -> Var {
        let l = &self.layout;
        let n = rows.len();
        let x = tape.input(n, PIECED, |v| {
            if self.config.aggregates {
                self.pieces.code(&rows.features, v);
            }
        });
        let mut h = tape.linear(x, l.row[0], Some(l.row[1]));
        if self.config.events {
            let events = tape.input(rows.since.len(), EVENT_FEATURES, |v| v.copy_from_slice(&rows.events));
            let gate = tape.linear(events, l.gate[0], Some(l.gate[1]));
            let value = tape.linear(events, l.event[0], Some(l.event[1]));
            let state = tape.scan(gate, value, l.decay, &rows.offsets, &rows.since, &rows.idle);
            let memory = tape.linear(state, l.memory, None);
            h = tape.add(h, memory);
        }
        h = tape.add_groups(h, scenes, runs);
        for block in &l.encoder {
            h = block.over(tape, h, &mut as_it_is);
        }
        h
    }

    /// What there is to look at: encoded customers of the context with what they did, and one that stands for nobody.
    pub(super) fn tokens(&self, tape: &mut Tape<'_>, encoded: Option<Var>, context: &Context) -> Var {
        let l = &self.layout;
        let nobody = tape.param(l.nobody);
        // a value of its own, so that its gradient is gathered like any other
        let nobody = tape.rows(nobody, 0, 1);
        let mut tokens = nobody;
        if let Some(encoded) = encoded.filter(|_| self.config.context) {
            let labels = tape.input(context.rows.len(), LABEL_FEATURES, |v| v.copy_from_slice(&context.labels));
            let labels = tape.linear(labels, l.label[0], Some(l.label[1]));
            let h = tape.add(encoded, labels);
            let h = l.example.over(tape, h, &mut as_it_is);
            tokens = tape.stack(nobody, h);
        }
        tape.norm(tokens, l.example_norm[0], l.example_norm[1])
    }

    /// Keys and values of what there is to look at, for each look.
    pub(super) fn looks_at(&self, tape: &mut Tape<'_>, tokens: Var) -> Examples {
        self.layout
            .looks
            .iter()
            .map(|look| (tape.linear(tokens, look.key, None), tape.linear(tokens, look.value, None)))
            .collect()
    }

    /// Encoded customers after they have looked at these examples: n × width.
    pub(super) fn consider(&self, tape: &mut Tape<'_>, encoded: Var, examples: &[(Var, Var)]) -> Var {
        let l = &self.layout;
        let mut h = encoded;
        for (look, &(key, value)) in l.looks.iter().zip(examples) {
            let x = tape.norm(h, look.norm[0], look.norm[1]);
            let query = tape.linear(x, look.query, None);
            let found = tape.attend(query, key, value, self.config.heads);
            let found = tape.linear(found, look.out, None);
            h = tape.add(h, found);
            h = look.block.over(tape, h, &mut as_it_is);
        }
        tape.norm(h, l.last_norm[0], l.last_norm[1])
    }

    /// What the network says of customers who have looked: n × outputs.
    pub(super) fn say(&self, tape: &mut Tape<'_>, considered: Var) -> Var {
        let [w, b] = self.layout.head;
        tape.linear(considered, w, Some(b))
    }

    /// Where the parameters of the last step lie, which adaptation may change: those of [`Net::say`] and [`Net::season`].
    pub(super) fn last_step(&self) -> Vec<std::ops::Range<usize>> {
        let l = &self.layout;
        [l.head, l.season].as_flattened().iter().map(|&id| self.params.tensor(id).range()).collect()
    }
}
