//! Facts about the finished page.

use guike_explain::Lang;

use super::{render, sample};

/// The first thing that is wrong with the nesting of elements, if any.
fn nesting_flaw(html: &str) -> Option<String> {
    const VOID: [&str; 4] = ["meta", "link", "input", "!doctype"];
    let mut open: Vec<&str> = Vec::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        let end = start + rest[start..].find('>')?;
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        let name = tag.trim_start_matches('/').split(' ').next().unwrap_or("");
        if name == "style" || name == "script" {
            rest = &rest[rest.find("</")?..];
            if tag.starts_with('/') {
                open.pop();
            } else {
                open.push(name);
            }
        } else if tag.starts_with('/') {
            let last = open.pop();
            if last != Some(name) {
                return Some(format!("</{name}> closes {last:?}"));
            }
        } else if !tag.ends_with('/') && !VOID.contains(&name) {
            open.push(name);
        }
    }
    (!open.is_empty()).then(|| format!("left open: {open:?}"))
}

fn pages() -> Vec<(&'static str, String)> {
    vec![
        ("shop", render(&sample::shop(Lang::En)).expect("renders")),
        ("shop zh", render(&sample::shop(Lang::Zh)).expect("renders")),
        ("tiny", render(&sample::tiny(Lang::Zh)).expect("renders")),
    ]
}

#[test]
fn the_page_is_whole_and_loads_nothing() {
    for (name, html) in pages() {
        assert_eq!(nesting_flaw(&html), None, "{name}");
        let local = html.replace("http://www.w3.org/2000/svg", "");
        for outside in ["http://", "https://", "src=\"", "@import", "url("] {
            assert!(!local.contains(outside), "{name} has {outside}");
        }
        assert!(
            !html.contains("NaN") && !html.contains(|c| ('\u{e000}'..='\u{e003}').contains(&c)) && !html.contains("**"),
            "{name}"
        );
    }
}

#[test]
fn a_large_shop_makes_a_page_under_400_kb() {
    for (name, html) in pages() {
        assert!(html.len() < 400_000, "{name}: {} bytes", html.len());
    }
}

#[test]
fn the_language_asked_for_is_checked_first_and_the_other_is_there_too() {
    let html = render(&sample::shop(Lang::Zh)).expect("renders");
    assert!(html.contains("<html lang=\"zh\">") && html.contains("id=\"lang-zh\" aria-label=\"中文\" checked"));
    assert!(html.contains("Customer value report") && html.contains("客户价值报告"));
}

#[test]
fn names_from_the_log_are_text_and_never_markup() {
    let html = render(&sample::tiny(Lang::En)).expect("renders");
    assert!(!html.contains("<b>小店</b>"));
    assert!(html.contains("&lt;b&gt;小店&lt;/b&gt; &amp; Co.csv"));
}

#[test]
fn a_missing_part_says_why_in_both_languages() {
    let html = render(&sample::tiny(Lang::En)).expect("renders");
    assert!(html.contains("at least 20 customers, and there are 3"));
    assert!(html.contains("至少需要 60 天的历史，目前只有 14 天"));
    assert!(html.contains("could not be tested against the past"));
}

#[test]
fn headings_go_down_one_step_at_a_time() {
    for (name, html) in pages() {
        let levels: Vec<u32> =
            html.match_indices("<h").filter_map(|(i, _)| html[i + 2..].chars().next()?.to_digit(10)).collect();
        assert_eq!(levels.iter().filter(|l| **l == 1).count(), 1, "{name}");
        assert!(levels.windows(2).all(|w| w[1] <= w[0] + 1), "{name}: {levels:?}");
    }
}

#[test]
fn every_chart_has_words() {
    let html = render(&sample::shop(Lang::En)).expect("renders");
    let charts = html.matches("role=\"img\"").count();
    assert!(charts >= 24, "{charts}");
    assert_eq!(html.matches("<desc>").count(), charts);
    assert!(!html.contains("<desc></desc>") && !html.contains("<title></title>"));
}

#[test]
fn the_same_view_gives_the_same_bytes() {
    assert_eq!(render(&sample::shop(Lang::En)).expect("renders"), render(&sample::shop(Lang::En)).expect("renders"));
}
