//! Colours, once: CSS custom properties for light and dark, and the rules that give a chart's classes their look.
//!
//! The pair of series colours (blue-green and ochre) and the single-hue ramp stay apart under the common colour-vision
//! deficiencies; the third series is a grey. Text on every step of the ramp reaches the contrast of 4.5 that WCAG 2 asks for,
//! in both themes; a test computes it.

use std::fmt::Write as _;

/// Light paper or dark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// Dark text on light paper.
    Light,
    /// Light text on dark paper.
    Dark,
}

/// Number of steps of the sequential ramp.
pub const STEPS: usize = 9;

/// Named colours of one theme.
#[derive(Debug, Clone, Copy)]
struct Palette {
    /// Page, raised surface, ink, quiet ink, hairline, grid.
    base: [(&'static str, &'static str); 6],
    /// Accent for text and links, its tint as a background, warning text and its tint.
    accents: [(&'static str, &'static str); 4],
    /// Series fills and strokes.
    series: [&'static str; 4],
    /// Sequential ramp from little to much.
    ramp: [&'static str; STEPS],
    /// First step of the ramp whose text changes to the opposite ink.
    flip: usize,
    /// Ink before and from `flip` on.
    on_ramp: [&'static str; 2],
}

const LIGHT: Palette = Palette {
    base: [
        ("paper", "#ffffff"),
        ("raised", "#f5f8f9"),
        ("ink", "#16222d"),
        ("quiet", "#566472"),
        ("line", "#d3dbe1"),
        ("grid", "#e8edf0"),
    ],
    accents: [("accent", "#0a5f76"), ("tint", "#e9f3f5"), ("warn", "#8a4b08"), ("warn-tint", "#fdf3e4")],
    series: ["#0e738d", "#d07d1c", "#a3afb9", "#7a5195"],
    ramp: ["#f0f6f7", "#d9e9ed", "#b9d7de", "#93bfcb", "#68a4b5", "#357b93", "#1c657e", "#0d4e66", "#06384c"],
    flip: 5,
    on_ramp: ["#16222d", "#ffffff"],
};

const DARK: Palette = Palette {
    base: [
        ("paper", "#10171d"),
        ("raised", "#172129"),
        ("ink", "#e6ecf0"),
        ("quiet", "#9dabb7"),
        ("line", "#33414d"),
        ("grid", "#212d36"),
    ],
    accents: [("accent", "#74c3d6"), ("tint", "#152b34"), ("warn", "#eab36a"), ("warn-tint", "#2e2415")],
    series: ["#3f9db6", "#e19a44", "#66747f", "#b18bcb"],
    ramp: ["#18242c", "#1b323d", "#1d4250", "#1f5364", "#236579", "#4b91a7", "#6cacbf", "#97c8d6", "#cae5ec"],
    flip: 5,
    on_ramp: ["#e6ecf0", "#0c1318"],
};

fn palette(theme: Theme) -> &'static Palette {
    match theme {
        Theme::Light => &LIGHT,
        Theme::Dark => &DARK,
    }
}

/// The custom properties of a theme, as declarations to put into any rule.
///
/// `--gk-paper`, `raised`, `ink`, `quiet`, `line`, `grid`, `accent`, `tint`, `warn`, `warn-tint`, series `--gk-s1` …
/// `s4`, ramp `--gk-q0` … `q8` with the text on it `--gk-t0` … `t8`.
///
/// ```
/// use guike_explain::theme::{variables, Theme};
/// assert!(variables(Theme::Dark).contains("--gk-paper:#10171d;"));
/// ```
pub fn variables(theme: Theme) -> String {
    let p = palette(theme);
    let mut css = String::new();
    let mut put =
        |name: &str, value: &str| write!(css, "--gk-{name}:{value};").expect("writing to a String cannot fail");
    for (name, value) in p.base.iter().chain(&p.accents) {
        put(name, value);
    }
    for (i, value) in p.series.iter().enumerate() {
        put(&format!("s{}", i + 1), value);
    }
    for (i, value) in p.ramp.iter().enumerate() {
        put(&format!("q{i}"), value);
        put(&format!("t{i}"), p.on_ramp[usize::from(i >= p.flip)]);
    }
    css
}

/// The rules for the classes that charts use; needs [`variables`] on an ancestor.
pub fn chart_css() -> String {
    let mut css = String::from(
        ".gk{display:block;width:100%;height:auto;overflow:visible;font-family:system-ui,-apple-system,\"Segoe UI\",\
         \"PingFang SC\",\"Hiragino Sans GB\",\"Microsoft YaHei\",\"Noto Sans CJK SC\",\"Noto Sans SC\",sans-serif;\
         font-size:12px;font-variant-numeric:tabular-nums}\
         .gk text{fill:var(--gk-ink)}.gk .m{fill:var(--gk-quiet)}.gk .b{font-weight:600}.gk .h{font-size:14px;font-weight:600}\
         .gk .s{font-size:11px}.gk .xs{font-size:10px}.gk .c{text-anchor:middle}.gk .e{text-anchor:end}\
         .gk .ac{fill:var(--gk-accent)}\
         .gk path{fill:none}.gk .g{stroke:var(--gk-grid)}.gk .ax{stroke:var(--gk-line)}\
         .gk .wh{stroke:var(--gk-ink);stroke-width:1.4}.gk .dash{stroke:var(--gk-quiet);stroke-dasharray:4 4}\
         .gk .ring{fill:var(--gk-paper);stroke:var(--gk-quiet);stroke-width:1.6}\
         .gk .none{stroke:var(--gk-s3)}.gk .solid{stroke-dasharray:none}.gk .thin{stroke:var(--gk-quiet);opacity:.4}.gk .card{fill:var(--gk-raised);stroke:var(--gk-line)}\
         .gk .dots{stroke-linecap:round}.gk .track{fill:var(--gk-grid)}\
         .gk .halo{stroke:var(--gk-paper);stroke-width:3px;paint-order:stroke;stroke-linejoin:round}\
         .gk .pick{stroke:var(--gk-accent);stroke-width:1.5}\
         .gk .soft{opacity:.55}.gk .veil{opacity:.16}",
    );
    let mut rule = |text: String| css.push_str(&text);
    for i in 1..=4 {
        rule(format!(".gk .f{i}{{fill:var(--gk-s{i})}}.gk .l{i}{{stroke:var(--gk-s{i});stroke-width:2}}"));
    }
    for i in 0..STEPS {
        rule(format!(
            ".gk .q{i} rect,.gk rect.q{i}{{fill:var(--gk-q{i})}}.gk .q{i} text{{fill:var(--gk-t{i})}}.gk path.q{i}{{stroke:var(--gk-q{i})}}"
        ));
    }
    css
}

/// The class of the ramp's step for a level from 0 (little) to 1 (much).
pub(crate) fn ramp_class(level: f64) -> &'static str {
    const NAMES: [&str; STEPS] = ["q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "q8"];
    let level = if level.is_finite() { level.clamp(0.0, 1.0) } else { 0.0 };
    NAMES[(level * (STEPS - 1) as f64).round() as usize]
}

/// A chart as a file of its own: the same picture with its style inside, light or dark as the reader's system asks.
///
/// ```
/// use guike_explain::{theme, gain, Frame, Lang};
/// let svg = gain::gain(&[2.0, 1.0], &[1.0, 0.0], &Frame::new(Lang::En, "Gain", "customers", "value"));
/// assert!(theme::standalone(&svg).contains("@media(prefers-color-scheme:dark)"));
/// ```
pub fn standalone(svg: &str) -> String {
    let style = format!(
        "<style>.gk{{{}background:var(--gk-paper)}}@media(prefers-color-scheme:dark){{.gk{{{}}}}}{}</style>",
        variables(Theme::Light),
        variables(Theme::Dark),
        chart_css()
    );
    match svg.find("</desc>") {
        Some(at) => {
            let at = at + "</desc>".len();
            format!("{}{style}{}", &svg[..at], &svg[at..])
        }
        None => svg.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance and contrast as WCAG 2.2 defines them.
    fn contrast(a: &str, b: &str) -> f64 {
        let luminance = |hex: &str| {
            let channel = |at: usize| {
                let c = f64::from(u8::from_str_radix(&hex[at..at + 2], 16).expect("two hex digits")) / 255.0;
                if c <= 0.040_45 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
            };
            0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
        };
        let (x, y) = (luminance(a), luminance(b));
        (x.max(y) + 0.05) / (x.min(y) + 0.05)
    }

    #[test]
    fn text_can_be_read_on_every_surface_of_both_themes() {
        for theme in [Theme::Light, Theme::Dark] {
            let p = palette(theme);
            let get = |name| p.base.iter().chain(&p.accents).find(|(n, _)| *n == name).expect("a named colour").1;
            for text in ["ink", "quiet", "accent", "warn"] {
                for surface in ["paper", "raised", "tint", "warn-tint"] {
                    let c = contrast(get(text), get(surface));
                    assert!(c >= 4.5, "{theme:?}: {text} on {surface} has contrast {c:.2}");
                }
            }
            for (i, step) in p.ramp.iter().enumerate() {
                let c = contrast(step, p.on_ramp[usize::from(i >= p.flip)]);
                assert!(c >= 4.5, "{theme:?}: text on step {i} has contrast {c:.2}");
            }
        }
    }

    #[test]
    fn marks_stand_out_from_the_paper() {
        for theme in [Theme::Light, Theme::Dark] {
            let p = palette(theme);
            for s in [0, 1, 3] {
                assert!(contrast(p.series[s], p.base[0].1) >= 3.0, "{theme:?}: series {}", s + 1);
            }
        }
    }
}
