//! Who reads a page: the language and the colours, from the address, a cookie, or what the browser asks for.

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use guike::report::Lang;

use crate::oidc::BACK;
use crate::query::decoded;

const LANG_COOKIE: &str = "guike_lang";
const THEME_COOKIE: &str = "guike_theme";
/// Seconds that the choice of a language or of colours is kept.
const YEAR: u32 = 31_536_000;

/// Colours of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Theme {
    /// What the reader's system asks for.
    Auto,
    Light,
    Dark,
}

impl Theme {
    pub(super) const ALL: [Theme; 3] = [Theme::Auto, Theme::Light, Theme::Dark];

    pub(super) fn name(self) -> &'static str {
        match self {
            Theme::Auto => "auto",
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }

    fn named(name: &str) -> Option<Theme> {
        Theme::ALL.into_iter().find(|t| t.name() == name)
    }
}

/// Who reads a page.
#[derive(Debug, Clone)]
pub(crate) struct Reader {
    pub(super) lang: Lang,
    pub(super) theme: Theme,
    pub(super) path: String,
    /// What follows the `?`, without language and colours.
    pub(super) query: String,
    /// What was chosen in the address, to be kept.
    chosen: [Option<(&'static str, &'static str)>; 2],
}

impl Reader {
    pub(crate) fn of(parts: &Parts) -> Reader {
        let query = parts.uri.query().unwrap_or_default();
        let of_pair = |pair: &str, name: &str| pair.strip_prefix(name)?.strip_prefix('=').and_then(decoded);
        let asked = |name: &str| query.split('&').find_map(|pair| of_pair(pair, name));
        let asked_lang = asked("lang").and_then(|l| lang_of(&l));
        let asked_theme = asked("theme").and_then(|t| Theme::named(&t));
        let kept_lang = cookie(&parts.headers, LANG_COOKIE).and_then(lang_of);
        let kept_theme = cookie(&parts.headers, THEME_COOKIE).and_then(Theme::named);
        let is_choice = |pair: &&str| !pair.is_empty() && !pair.starts_with("lang=") && !pair.starts_with("theme=");
        Reader {
            lang: asked_lang.or(kept_lang).unwrap_or_else(|| preferred(&parts.headers)),
            theme: asked_theme.or(kept_theme).unwrap_or(Theme::Auto),
            path: parts.uri.path().to_owned(),
            query: match parts.uri.path() {
                // what an identity provider sends back is repeated in no link
                BACK => String::new(),
                _ => query.split('&').filter(is_choice).collect::<Vec<_>>().join("&"),
            },
            chosen: [asked_lang.map(|l| (LANG_COOKIE, l.tag())), asked_theme.map(|t| (THEME_COOKIE, t.name()))],
        }
    }

    /// The language to answer in.
    pub(crate) fn lang(&self) -> Lang {
        self.lang
    }

    /// Whether a page is wanted and not an answer for a program.
    pub(crate) fn wants_page(headers: &HeaderMap) -> bool {
        headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("text/html"))
    }

    /// The cookies that keep what was chosen.
    pub(super) fn cookies(&self) -> impl Iterator<Item = HeaderValue> {
        self.chosen.iter().flatten().map(|(name, value)| {
            let text = format!("{name}={value}; Path=/; Max-Age={YEAR}; SameSite=Lax; HttpOnly");
            HeaderValue::from_str(&text).expect("letters and signs of a header")
        })
    }

    /// This page with another parameter.
    pub(super) fn with(&self, name: &str, value: &str) -> String {
        let more = if self.query.is_empty() { "" } else { "&" };
        format!("{}?{}{more}{name}={value}", self.path, self.query)
    }
}

fn lang_of(tag: &str) -> Option<Lang> {
    Lang::ALL.into_iter().find(|l| l.tag() == tag)
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(header::COOKIE).into_iter().filter_map(|v| v.to_str().ok());
    all.flat_map(|v| v.split(';')).find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// The first of the browser's languages that the pages speak, by weight and then by order; English without one.
fn preferred(headers: &HeaderMap) -> Lang {
    let text = headers.get(header::ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let mut best: Option<(f32, Lang)> = None;
    for part in text.split(',') {
        let mut pieces = part.trim().split(';');
        let tag = pieces.next().unwrap_or_default().to_ascii_lowercase();
        let weight = pieces.find_map(|p| p.trim().strip_prefix("q=")?.parse().ok()).unwrap_or(1.0_f32);
        let Some(lang) = lang_of(tag.split('-').next().unwrap_or_default()) else { continue };
        if weight > 0.0 && best.is_none_or(|(w, _)| weight > w) {
            best = Some((weight, lang));
        }
    }
    best.map_or(Lang::En, |(_, lang)| lang)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(address: &str, headers: &[(&str, &str)]) -> Reader {
        let mut request = axum::http::Request::builder().uri(address);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Reader::of(&request.body(()).expect("a request").into_parts().0)
    }

    #[test]
    fn the_address_comes_before_the_cookie_and_the_cookie_before_the_browser() {
        let zh = ("accept-language", "fr, zh-CN;q=0.9, en;q=0.8");
        assert_eq!(reader("/", &[zh]).lang, Lang::Zh);
        assert_eq!(reader("/", &[zh, ("cookie", "a=b; guike_lang=en; guike_theme=dark")]).lang, Lang::En);
        assert_eq!(reader("/", &[("cookie", "guike_theme=dark")]).theme, Theme::Dark);
        let asked = reader("/tiers?from1=2&lang=zh&theme=light", &[("cookie", "guike_lang=en; guike_theme=dark")]);
        assert_eq!((asked.lang, asked.theme, asked.query.as_str()), (Lang::Zh, Theme::Light, "from1=2"));
        assert_eq!(asked.with("lang", "en"), "/tiers?from1=2&lang=en");
        assert_eq!(asked.cookies().count(), 2);
        for nonsense in ["", "*", "de;q=1", "zh;q=0", ";;;,,"] {
            assert_eq!(reader("/?lang=xx", &[("accept-language", nonsense)]).lang, Lang::En, "{nonsense}");
        }
    }
}
