//! The drawing core: writes elements with compact numbers and escaped text, and closes what it opened.

use crate::text::Lang;

/// A text that is safe inside HTML and SVG text and double-quoted attributes. Control characters that XML forbids vanish.
///
/// ```
/// assert_eq!(guike_explain::escape("a<b & \"c\"\u{0}"), "a&lt;b &amp; &quot;c&quot;");
/// ```
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' | '\r' => out.push(' '),
            c if c < ' ' || ('\u{7f}'..='\u{9f}').contains(&c) || c == '\u{fffe}' || c == '\u{ffff}' => {}
            c => out.push(c),
        }
    }
    out
}

/// Appends a coordinate with at most one decimal; what is not finite becomes 0 (charts leave such data out before).
pub(crate) fn push_number(out: &mut String, value: f64) {
    use std::fmt::Write as _;
    let tenths = if value.is_finite() { (value.clamp(-1e7, 1e7) * 10.0).round() as i64 } else { 0 };
    let sign = if tenths < 0 { "-" } else { "" };
    let (whole, tenth) = (tenths.abs() / 10, tenths.abs() % 10);
    let written = match (whole, tenth) {
        (_, 0) => write!(out, "{sign}{whole}"),
        (0, _) => write!(out, "{sign}.{tenth}"),
        _ => write!(out, "{sign}{whole}.{tenth}"),
    };
    written.expect("writing to a String cannot fail");
}

/// An SVG being written.
#[derive(Debug)]
pub(crate) struct Svg {
    out: String,
    open: Vec<&'static str>,
}

impl Svg {
    /// A picture of this size; `title` is its accessible name and `desc` says in words what it shows.
    pub(crate) fn new(width: f64, height: f64, lang: Lang, title: &str, desc: &str) -> Svg {
        let mut out = String::from("<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"gk\" role=\"img\" lang=\"");
        out.push_str(lang.tag());
        out.push_str("\" viewBox=\"0 0 ");
        push_number(&mut out, width);
        out.push(' ');
        push_number(&mut out, height);
        out.push_str("\"><title>");
        out.push_str(&escape(title));
        out.push_str("</title><desc>");
        out.push_str(&escape(desc));
        out.push_str("</desc>");
        Svg { out, open: vec!["svg"] }
    }

    /// Begins an element; see [`Tag`] for how it goes on.
    pub(crate) fn tag(&mut self, name: &'static str) -> Tag<'_> {
        self.out.push('<');
        self.out.push_str(name);
        Tag { svg: self, name }
    }

    /// Opens a group of this class.
    pub(crate) fn group(&mut self, class: &str) {
        self.tag("g").class(class).begin();
    }

    /// Closes the innermost open element.
    pub(crate) fn end(&mut self) {
        let name = self.open.pop().expect("every end has its begin");
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
    }

    /// A rectangle.
    pub(crate) fn rect(&mut self, x: f64, y: f64, w: f64, h: f64, class: &str) {
        self.tag("rect").area(x, y, w, h).class(class).close();
    }

    /// A straight line.
    pub(crate) fn line(&mut self, from: (f64, f64), to: (f64, f64), class: &str) {
        let mut p = Path::default();
        p.move_to(from.0, from.1);
        p.line_to(to.0, to.1);
        self.path(&p, class);
    }

    /// A path.
    pub(crate) fn path(&mut self, path: &Path, class: &str) {
        self.tag("path").attr("d", &path.0).class(class).close();
    }

    /// A disc.
    pub(crate) fn circle(&mut self, x: f64, y: f64, r: f64, class: &str) {
        self.tag("circle").num("cx", x).num("cy", y).num("r", r).class(class).close();
    }

    /// A text whose base line starts (class `c`: is centred, `e`: ends) at the point.
    pub(crate) fn text(&mut self, x: f64, y: f64, class: &str, text: &str) {
        self.tag("text").num("x", x).num("y", y).class(class).text(text);
    }

    /// A horizontal whisker with end caps.
    pub(crate) fn whisker_x(&mut self, y: f64, from: f64, to: f64, class: &str) {
        let mut p = Path::default();
        p.move_to(from, y);
        p.line_to(to, y);
        for x in [from, to] {
            p.move_to(x, y - 4.0);
            p.line_to(x, y + 4.0);
        }
        self.path(&p, class);
    }

    /// A vertical whisker with end caps of half-width `cap`.
    pub(crate) fn whisker_y(&mut self, x: f64, from: f64, to: f64, cap: f64, class: &str) {
        let mut p = Path::default();
        p.move_to(x, from);
        p.line_to(x, to);
        for y in [from, to] {
            p.move_to(x - cap, y);
            p.line_to(x + cap, y);
        }
        self.path(&p, class);
    }

    /// The finished text.
    pub(crate) fn finish(mut self) -> String {
        self.end();
        assert!(self.open.is_empty(), "a group was left open");
        self.out
    }
}

/// An element whose start tag is being written; one of the last four methods ends it.
#[must_use = "an element must be closed"]
pub(crate) struct Tag<'a> {
    svg: &'a mut Svg,
    name: &'static str,
}

impl Tag<'_> {
    /// An attribute with a number.
    pub(crate) fn num(self, name: &str, value: f64) -> Self {
        self.svg.out.push(' ');
        self.svg.out.push_str(name);
        self.svg.out.push_str("=\"");
        push_number(&mut self.svg.out, value);
        self.svg.out.push('"');
        self
    }

    /// An attribute with a text.
    pub(crate) fn attr(self, name: &str, value: &str) -> Self {
        self.svg.out.push(' ');
        self.svg.out.push_str(name);
        self.svg.out.push_str("=\"");
        self.svg.out.push_str(&escape(value));
        self.svg.out.push('"');
        self
    }

    /// The class, left out where it is empty.
    pub(crate) fn class(self, class: &str) -> Self {
        if class.is_empty() { self } else { self.attr("class", class) }
    }

    /// Corner and size of a rectangle; a negative size becomes zero.
    pub(crate) fn area(self, x: f64, y: f64, w: f64, h: f64) -> Self {
        self.num("x", x).num("y", y).num("width", w.max(0.0)).num("height", h.max(0.0))
    }

    /// Ends an element without content.
    pub(crate) fn close(self) {
        self.svg.out.push_str("/>");
    }

    /// Ends it with this text inside.
    pub(crate) fn text(self, text: &str) {
        self.svg.out.push('>');
        self.svg.out.push_str(&escape(text));
        self.svg.out.push_str("</");
        self.svg.out.push_str(self.name);
        self.svg.out.push('>');
    }

    /// Ends it with a `<title>` inside, which browsers show under the pointer.
    pub(crate) fn tip(self, tip: &str) {
        self.svg.out.push_str("><title>");
        self.svg.out.push_str(&escape(tip));
        self.svg.out.push_str("</title></");
        self.svg.out.push_str(self.name);
        self.svg.out.push('>');
    }

    /// Leaves it open for children until [`Svg::end`].
    pub(crate) fn begin(self) {
        self.svg.out.push('>');
        self.svg.open.push(self.name);
    }
}

/// The `d` of a path, with absolute coordinates.
#[derive(Debug, Default)]
pub(crate) struct Path(String);

impl Path {
    fn pair(&mut self, command: char, x: f64, y: f64) {
        self.0.push(command);
        push_number(&mut self.0, x);
        self.0.push(' ');
        push_number(&mut self.0, y);
    }

    pub(crate) fn move_to(&mut self, x: f64, y: f64) {
        self.pair('M', x, y);
    }

    pub(crate) fn line_to(&mut self, x: f64, y: f64) {
        self.pair('L', x, y);
    }

    /// A point: with round caps, a stroke of no length is a disc, in a third of a circle element's bytes.
    pub(crate) fn dot(&mut self, x: f64, y: f64) {
        self.pair('M', x, y);
        self.0.push_str("h0");
    }

    pub(crate) fn close(&mut self) {
        self.0.push('z');
    }

    /// A line through points.
    pub(crate) fn through(points: impl IntoIterator<Item = (f64, f64)>) -> Path {
        let mut path = Path::default();
        for (i, (x, y)) in points.into_iter().enumerate() {
            path.pair(if i == 0 { 'M' } else { 'L' }, x, y);
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compact() {
        for (value, text) in
            [(0.0, "0"), (-0.01, "0"), (0.5, ".5"), (-0.55, "-.6"), (12.04, "12"), (3.15, "3.2"), (f64::NAN, "0")]
        {
            let mut out = String::new();
            push_number(&mut out, value);
            assert_eq!(out, text, "{value}");
        }
    }

    #[test]
    fn an_element_left_open_is_closed_and_text_is_escaped() {
        let mut svg = Svg::new(10.0, 20.0, Lang::Zh, "a<b", "c&d");
        svg.group("q1");
        svg.text(1.0, 2.0, "", "x>y");
        svg.end();
        assert_eq!(
            svg.finish(),
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"gk\" role=\"img\" lang=\"zh\" viewBox=\"0 0 10 20\">\
             <title>a&lt;b</title><desc>c&amp;d</desc><g class=\"q1\"><text x=\"1\" y=\"2\">x&gt;y</text></g></svg>"
        );
    }
}
