//! The page and the words about an explanation of an order log's forecasts: one customer's, or the whole shop's.

use askama::Template;
use guike_explain::beeswarm::{Swarm, beeswarm};
use guike_explain::importance::{Importance, importance};
use guike_explain::text::{count, grouped, percent};
use guike_explain::waterfall::{Step, waterfall};
use guike_explain::{Frame, Interval, Lang, Measure};

use super::page::{Block, Figure, Section, Table, Text, Tile, numbers, words};
use super::plain::plain;
use super::told::{CustomerStory, StoryPart, StoryStep};
use super::view::Bilingual;
use super::why_table;
use super::words::{self as w, Word, word};
use super::{Head, Html, ReportError};
use crate::explain::{At, CustomerExplanation, Explanation, Fact, Found, ShopExplanation, ThemeShare};
use crate::run::Language;

/// Parts below this share of the largest are only in the table.
const LEAST_TOLD: f64 = 0.02;

/// The explanation as plain text.
pub(crate) fn text(e: &Explanation, language: Language) -> String {
    plain(&sections(e), language.lang())
}

/// The explanation as a page.
pub(crate) fn page(e: &Explanation, language: Language) -> Result<String, ReportError> {
    let title = match &e.found {
        Found::Customer { why, .. } => {
            word("Why customer {id} is expected to spend what she is", "为什么预计顾客 {id} 会这样消费")
                .with(&[("id", Text::same(&why.customer))])
        }
        Found::Shop { .. } => word("What the forecasts lean on", "预测的依据").text(),
        Found::Row { about, why } => {
            word("Why {target} of row {row} is predicted so", "为什么这样预测第 {row} 行的 {target}")
                .with(&[("target", why_table::target(about)), ("row", why_table::name(why))])
        }
        Found::Table { about, .. } => word("What the predictions of {target} lean on", "预测 {target} 的依据")
            .with(&[("target", why_table::target(about))]),
    };
    let mut facts = Vec::new();
    match &e.found {
        Found::Customer { at, .. } | Found::Shop { at, .. } => facts.extend([
            (w::LOG.text(), Text::same(&e.source)),
            (w::KNOWN_UNTIL.text(), Text::same(at.cutoff.to_string())),
            (w::LOOKS_AHEAD.text(), word("{n} days", "{n} 天").with(&[("n", Text::same(at.horizon_days.to_string()))])),
        ]),
        Found::Row { .. } | Found::Table { .. } => {
            facts.push((word("Table", "数据表").text(), Text::same(&e.source)));
        }
    }
    facts.push((word("Model", "模型").text(), Text::same(&e.model)));
    let version = env!("CARGO_PKG_VERSION");
    let head = Head { lang: language.lang(), source: &e.source, version, title, facts };
    Ok(Html::new(head, sections(e)).render()?)
}

fn sections(e: &Explanation) -> Vec<Section> {
    match &e.found {
        Found::Customer { at, why } => {
            vec![customer(at, why), alike(at, why), what_if(at, why), method(why.background, why.exact, why.calls)]
        }
        Found::Shop { at, why } => vec![shop(at, why), method(why.background, why.exact, 0)],
        Found::Row { about, why } => why_table::row(about, why),
        Found::Table { about, why } => why_table::all(about, why),
    }
}

fn money(at: &At) -> Measure<'_> {
    Measure::Money(at.currency.as_deref())
}

fn short(at: &At, value: f64) -> Text {
    Text::each(|lang| money(at).short(value, lang))
}

/// With its sign, as something that is added.
pub(super) fn signed(measure: Measure<'_>, value: f64) -> Text {
    Text::each(|lang| {
        let text = measure.short(value, lang);
        if value > 0.0 && text.chars().any(|c| c.is_ascii_digit() && c != '0') { format!("+{text}") } else { text }
    })
}

/// A probability's change, in points of a hundred.
fn points(value: f64) -> Text {
    let text = grouped(value * 100.0, 1);
    Text::same(if value > 0.0 && text != "0.0" { format!("+{text}") } else { text })
}

/// What a theme is called.
fn theme(name: &str) -> Word {
    match name {
        "recency" => word("last purchase", "最近购买"),
        "frequency" => word("how often", "购买频率"),
        "tenure" => word("how long a customer", "客龄"),
        "spend" => word("how much money", "消费金额"),
        "rhythm" => word("rhythm and trend", "节奏与趋势"),
        "calendar" => word("days, season", "日期与季节"),
        "assortment" => word("what is bought", "购买品类"),
        "refunds" => word("refunds", "退款"),
        "behaviour" => word("other behaviour", "其他行为"),
        _ => word("attributes", "顾客属性"),
    }
}

/// What is known, beside the median of the shop.
fn said(at: &At, fact: &Fact) -> Text {
    let number = |v: f64| Text::same(grouped(v, usize::from(v.fract().abs() > 1e-9)));
    let as_money = |v: f64| short(at, v);
    let (wording, print): (Word, &dyn Fn(f64) -> Text) = match fact.feature.as_str() {
        "recency_days" => (word("last bought {v} days ago", "上次购买在 {v} 天前"), &number),
        "orders" => (word("bought on {v} days", "有 {v} 个购买日"), &number),
        "tenure_days" => (word("first bought {v} days ago", "首次购买在 {v} 天前"), &number),
        "spend_mean" => (word("spends {v} per purchase day", "每个购买日消费 {v}"), &as_money),
        "gap_mean" => (word("{v} days between purchases", "平均每 {v} 天购买一次"), &number),
        "year_ago_orders" => {
            (word("bought on {v} days of the same weeks last year", "去年同期有 {v} 个购买日"), &number)
        }
        "items" => (word("bought {v} different items", "买过 {v} 种商品"), &number),
        "categories" => (word("bought from {v} categories", "涉及 {v} 个品类"), &number),
        "quantity_mean" => (word("{v} pieces per purchase day", "每个购买日 {v} 件"), &number),
        "refunds" => (word("{v} refunds", "{v} 次退款"), &number),
        "view_events_28d" => (word("{v} views in 28 days", "28 天内浏览 {v} 次"), &number),
        "login_events_28d" => (word("{v} log-ins in 28 days", "28 天内登录 {v} 次"), &number),
        _ => (word("{feature} is {v}", "{feature} 为 {v}"), &number),
    };
    let feature = ("feature", Text::same(&fact.feature));
    match (fact.value, &fact.category) {
        (Some(v), _) => {
            let mut parts = vec![wording.with(&[("v", print(v)), feature])];
            if let Some(m) = fact.median {
                parts.push(word("(median {m})", "（中位数 {m}）").with(&[("m", print(m))]));
            }
            Text::sentences(&parts)
        }
        (None, Some(category)) => wording.with(&[("v", Text::same(category)), feature]),
        (None, None) if fact.feature == "gap_mean" => {
            word("bought on one day only, so there is no rhythm yet", "只有一个购买日，尚无节奏可言").text()
        }
        (None, None) => word("{feature} is not known", "{feature} 未知").with(&[feature]),
    }
}

/// A theme's most telling fact, or its name.
fn told(at: &At, share: &ThemeShare) -> Text {
    share.facts.first().map_or_else(|| theme(share.theme).text(), |f| said(at, f))
}

/// The same for other pages.
pub(crate) fn most_telling(at: &At, share: &ThemeShare) -> Bilingual {
    told(at, share).0
}

/// What a theme is called, for other pages.
pub(crate) fn theme_name(name: &str) -> Bilingual {
    theme(name).text().0
}

fn customer(at: &At, why: &CustomerExplanation) -> Section {
    let days = ("days", Text::same(at.horizon_days.to_string()));
    let lead = vec![
        word(
            "In the next {days} days customer {id} is expected to spend **{spend}** (80% interval {lo} to {hi}) and buys at least once with a probability of **{p}**.",
            "未来 {days} 天，预计顾客 {id} 消费 **{spend}**（80% 区间 {lo} 至 {hi}），至少购买一次的概率为 **{p}**。",
        )
        .with(&[
            days,
            ("id", Text::same(&why.customer)),
            ("spend", short(at, why.expected.spend)),
            ("lo", short(at, why.spend_interval[0])),
            ("hi", short(at, why.spend_interval[1])),
            ("p", Text::same(percent(why.expected.p_active))),
        ]),
        word(
            "A customer of this shop is expected to spend {base} on average; the difference is made up as follows.",
            "本店顾客平均预计消费 {base}；两者之差由以下部分构成。",
        )
        .with(&[("base", short(at, why.base.spend))]),
    ];
    let largest = why.themes.iter().map(|t| t.spend.abs()).fold(0.0, f64::max);
    let mut blocks = vec![Block::Tiles(tiles(at, why))];
    for (heading, sign) in
        [(word("What lifts the forecast", "推高预测的因素"), 1.0), (word("What lowers it", "拉低预测的因素"), -1.0)]
    {
        let parts: Vec<&ThemeShare> =
            why.themes.iter().filter(|t| t.spend * sign > LEAST_TOLD * largest && t.spend != 0.0).collect();
        if parts.is_empty() {
            continue;
        }
        blocks.push(Block::Heading(heading.text()));
        blocks.extend(parts.iter().map(|t| {
            Block::Prose(
                word("{what}: **{amount}**", "{what}：**{amount}**")
                    .with(&[("what", told(at, t)), ("amount", signed(money(at), t.spend))]),
            )
        }));
    }
    blocks.push(Block::Figures(vec![parts(at, why)]));
    Section { id: "answer", title: w::ANSWER.text(), lead, blocks }
}

/// The same for a page that draws its own pictures and says itself who the customer is.
pub(super) fn story(at: &At, why: &CustomerExplanation) -> CustomerStory {
    let step = |name: Text, from: f64, to: f64, role, amount: Text| StoryStep { name, from, to, role, amount };
    let [begin, end] = ENDS;
    let mut steps = vec![step(begin.text(), 0.0, why.base.spend, "base", short(at, why.base.spend))];
    let mut sum = why.base.spend;
    for t in &why.themes {
        steps.push(step(theme(t.theme).text(), sum, sum + t.spend, "part", signed(money(at), t.spend)));
        sum += t.spend;
    }
    steps.push(step(end.text(), 0.0, why.expected.spend, "total", short(at, why.expected.spend)));
    let mut lead = vec![
        word(
            "In the {days} days after {cutoff}, **{spend}** is expected (80% interval {lo} to {hi}), and at least one purchase with a probability of **{p}**; of the average customer of this shop, {base}.",
            "自 {cutoff} 起的 {days} 天内，预计消费 **{spend}**（80% 区间 {lo} 至 {hi}），至少购买一次的概率为 **{p}**；本店顾客平均为 {base}。",
        )
        .with(&[
            ("days", Text::same(at.horizon_days.to_string())),
            ("cutoff", Text::same(at.cutoff.to_string())),
            ("spend", short(at, why.expected.spend)),
            ("lo", short(at, why.spend_interval[0])),
            ("hi", short(at, why.spend_interval[1])),
            ("p", Text::same(percent(why.expected.p_active))),
            ("base", short(at, why.base.spend)),
        ]),
    ];
    if let Some(most) = why.themes.first().filter(|t| t.spend != 0.0) {
        lead.push(
            word("Most telling: {what}: **{amount}**.", "影响最大：{what}：**{amount}**。")
                .with(&[("what", told(at, most)), ("amount", signed(money(at), most.spend))]),
        );
    }
    let section = what_if(at, why);
    let (mut table, mut notes) = (None, Vec::new());
    for block in section.blocks {
        match block {
            Block::Table(t) => table = Some(t),
            Block::Note(_, text) => notes.push(text),
            _ => {}
        }
    }
    let what_if = StoryPart { title: section.title, lead: section.lead, table, notes };
    CustomerStory { lead, parts: parts(at, why).into(), steps, what_if }
}

/// What the first and the last step are called.
const ENDS: [Word; 2] = [word("average customer", "平均顾客"), word("this customer", "这位顾客")];

fn tiles(at: &At, why: &CustomerExplanation) -> Vec<Tile> {
    let mut tiles = vec![
        Tile {
            name: w::EXPECTED_SPEND.text(),
            value: short(at, why.expected.spend),
            detail: word("the average customer: {base}", "平均顾客：{base}")
                .with(&[("base", short(at, why.base.spend))]),
        },
        Tile {
            name: word("Buys at least once", "至少购买一次").text(),
            value: Text::same(percent(why.expected.p_active)),
            detail: word("the average customer: {base}", "平均顾客：{base}")
                .with(&[("base", Text::same(percent(why.base.p_active)))]),
        },
    ];
    if let Some(s) = &why.standing {
        tiles.push(Tile {
            name: w::TIER.text(),
            value: Text(Bilingual::new(&s.tier.en, &s.tier.zh)),
            detail: match &s.next {
                Some(next) => word("next: {tier}", "上一层：{tier}")
                    .with(&[("tier", Text(Bilingual::new(&next.tier.en, &next.tier.zh)))]),
                None => word("the best there is", "已是最高层级").text(),
            },
        });
    }
    tiles
}

fn parts(at: &At, why: &CustomerExplanation) -> Figure {
    let title = word("From the average customer to this one", "从平均顾客到这位顾客");
    let [begin, end] = ENDS;
    let draw = |width: f64| {
        move |lang: Lang| {
            let steps: Vec<Step> = why
                .themes
                .iter()
                .map(|t| Step { name: theme(t.theme).pick(lang).to_owned(), amount: t.spend })
                .collect();
            let x = w::EXPECTED_SPEND.pick(lang);
            let frame = Frame::new(lang, title.pick(lang), x, "").measuring(money(at)).wide(width);
            waterfall(why.base.spend, &steps, begin.pick(lang), end.pick(lang), &frame)
        }
    };
    let mut table = Table::new(vec![
        words(word("Theme", "主题").text()),
        words(word("What is known", "已知情况").text()),
        numbers(word("Expected spend", "预期消费").text()),
        numbers(word("Points of probability", "概率（百分点）").text()),
    ]);
    let row = |name: Text, spend: f64, p: f64| vec![name, Text::default(), short(at, spend), Text::same(percent(p))];
    table.marked_row(row(begin.text(), why.base.spend, why.base.p_active), true);
    for t in &why.themes {
        let known: Vec<Text> = t.facts.iter().map(|f| said(at, f)).collect();
        let known =
            Text::each(|lang| known.iter().map(|k| k.pick(lang)).collect::<Vec<_>>().join(lang.pick(", ", "，")));
        table.row(vec![theme(t.theme).text(), known, signed(money(at), t.spend), points(t.p_active)]);
    }
    table.marked_row(row(end.text(), why.expected.spend, why.expected.p_active), true);
    let caption = word(
        "Each bar is what one theme adds when the model learns it about this customer, on average over all orders of learning (Shapley value). Bars add up exactly.",
        "每一条表示模型得知该主题的信息后预测的变化，对所有得知顺序取平均（沙普利值）。各条之和恰为差额。",
    );
    Figure::new(title.text(), draw(480.0), caption.text()).wide(draw(860.0)).table(table)
}

fn alike(at: &At, why: &CustomerExplanation) -> Section {
    let mut table = Table::new(vec![
        words(word("Customer", "顾客").text()),
        numbers(word("Last bought, days ago", "上次购买（天前）").text()),
        numbers(word("Purchase days", "购买日").text()),
        numbers(word("Customer for, days", "客龄（天）").text()),
        numbers(word("Per purchase day", "每购买日消费").text()),
        numbers(w::EXPECTED_SPEND.text()),
        numbers(word("Buys", "购买概率").text()),
    ]);
    for a in &why.alike {
        table.row(vec![
            Text::same(&a.customer),
            Text::same(grouped(a.recency_days, 0)),
            Text::same(a.purchase_days.to_string()),
            Text::same(grouped(a.tenure_days, 0)),
            short(at, a.spend_mean),
            short(at, a.expected.spend),
            Text::same(percent(a.expected.p_active)),
        ]);
    }
    let block = if why.alike.is_empty() {
        Block::Missing(word("Not shown: there is no other customer.", "未显示：没有其他顾客。").text())
    } else {
        Block::Table(table)
    };
    let lead = word(
        "The nearest of the sampled customers by recency, frequency, tenure and money per purchase day.",
        "抽样顾客中，在最近购买、购买频率、客龄和单次金额上与其最接近的几位。",
    );
    let title = word("Customers like this one", "相似的顾客").text();
    Section { id: "alike", title, lead: vec![lead.text()], blocks: vec![block] }
}

fn what_if(at: &At, why: &CustomerExplanation) -> Section {
    let title = word("What would move the forecast", "什么会改变预测").text();
    let id = "what-if";
    if why.what_if.is_empty() {
        let text = word("Not shown: the customer has not spent anything yet.", "未显示：这位顾客尚无消费。").text();
        return Section { id, title, lead: Vec::new(), blocks: vec![Block::Missing(text)] };
    }
    let tier = |t: &guike_decide::TierName| Text(Bilingual::new(&t.en, &t.zh));
    let mut lead = Vec::new();
    if let Some(s) = &why.standing {
        let now = ("now", tier(&s.tier));
        lead.push(match &s.next {
            None => word("Tier now: {now}, the best there is.", "目前层级：{now}，已是最高层级。").with(&[now]),
            Some(next) => match next.order {
                Some(order) => word(
                    "Tier now: {now}. One order of about **{order}** today would be enough for {next} or better.",
                    "目前层级：{now}。今天一笔约 **{order}** 的订单即可达到“{next}”或更高层级。",
                )
                .with(&[now, ("order", short(at, order)), ("next", tier(&next.tier))]),
                None => word(
                    "Tier now: {now}. No single order of up to 20 times the usual size would reach {next}.",
                    "目前层级：{now}。单笔订单即使达到平时的 20 倍，也不足以升至“{next}”。",
                )
                .with(&[now, ("next", tier(&next.tier))]),
            },
        });
    }
    let mut head = vec![
        words(word("One order more today", "今天再下一单").text()),
        numbers(w::EXPECTED_SPEND.text()),
        numbers(word("Change", "变化").text()),
        numbers(word("Buys", "购买概率").text()),
    ];
    let with_tier = why.standing.is_some();
    if with_tier {
        head.push(words(w::TIER.text()));
    }
    let mut table = Table::new(head);
    for c in &why.what_if {
        let size = word("of {order}, {times} × the usual", "{order}，平时的 {times} 倍")
            .with(&[("order", short(at, c.order)), ("times", Text::same(c.times_usual.to_string()))]);
        let mut cells = vec![
            size,
            short(at, c.expected.spend),
            signed(money(at), c.expected.spend - why.expected.spend),
            Text::same(percent(c.expected.p_active)),
        ];
        if with_tier {
            cells.push(c.tier.as_ref().map_or_else(Text::default, tier));
        }
        table.row(cells);
    }
    let note = word(
        "This is what the model would say of a customer who ordered by herself. An order that a discount brought forward says less about the months after it.",
        "这是顾客自发下单时模型的判断。若订单由折扣提前促成，它对此后几个月的说明力会弱一些。",
    );
    Section { id, title, lead, blocks: vec![Block::Table(table), Block::Note(false, note.text())] }
}

fn shop(at: &At, why: &ShopExplanation) -> Section {
    let lead = word(
        "Over {n} of {all} customers, the forecasts lean most on **{first}**: it moves a forecast by {amount} on average, up or down. The average forecast is {base}.",
        "在 {all} 位顾客中抽取的 {n} 位上，预测最倚重**{first}**：平均使预测上下变动 {amount}。预测的平均值为 {base}。",
    )
    .with(&[
        ("n", Text::same(count(why.explained as u64))),
        ("all", Text::same(count(why.customers as u64))),
        ("first", why.themes.first().map_or_else(Text::default, |t| theme(t.theme).text())),
        ("amount", short(at, why.themes.first().map_or(0.0, |t| t.spend))),
        ("base", short(at, why.base.spend)),
    ]);
    let bars_title = word("Themes by importance", "各主题的重要性");
    let effect = word("mean change of a forecast, up or down", "预测的平均变动（不分方向）");
    let bars = |lang: Lang| {
        let rows: Vec<Importance> = why
            .themes
            .iter()
            .map(|t| Importance {
                name: theme(t.theme).pick(lang).to_owned(),
                weight: Interval {
                    mid: t.spend,
                    lo: (t.spend - 1.96 * t.spend_error).max(0.0),
                    hi: t.spend + 1.96 * t.spend_error,
                },
            })
            .collect();
        importance(&rows, &Frame::new(lang, bars_title.pick(lang), effect.pick(lang), "").measuring(money(at)))
    };
    let mut table = Table::new(vec![
        words(word("Theme", "主题").text()),
        numbers(word("Mean change of expected spend", "预期消费的平均变动").text()),
        numbers(word("of the probability, points", "概率的平均变动（百分点）").text()),
    ]);
    for t in &why.themes {
        let p = Text::same(grouped(100.0 * t.p_active, 1));
        table.row(vec![theme(t.theme).text(), short(at, t.spend), p]);
    }
    let swarm_title = word("Theme by theme, customer by customer", "逐主题、逐顾客");
    let swarm = |width: f64| {
        move |lang: Lang| {
            let rows: Vec<Swarm> = why
                .themes
                .iter()
                .map(|t| Swarm {
                    name: theme(t.theme).pick(lang).to_owned(),
                    effects: t.customers.iter().map(|c| c.0).collect(),
                    values: t.customers.iter().map(|c| c.1).collect(),
                })
                .collect();
            let x = word("added to the expected spend", "对预期消费的增减").pick(lang);
            beeswarm(&rows, &Frame::new(lang, swarm_title.pick(lang), x, "").measuring(money(at)).wide(width))
        }
    };
    let shades = Text::each(|lang| {
        let one = |t: &crate::explain::ThemeImportance| {
            t.shade.as_ref().map(|s| format!("{} – {s}", theme(t.theme).pick(lang)))
        };
        why.themes.iter().filter_map(one).collect::<Vec<_>>().join(lang.pick("; ", "；"))
    });
    let caption = word(
        "Each dot is a customer; dots to the right raise her forecast. Shades compare customers by: {shades}. Grey has no value.",
        "每个点是一位顾客；越靠右越推高其预测。深浅按以下特征比较：{shades}。灰色为无取值。",
    )
    .with(&[("shades", shades)]);
    let bars = Figure::new(
        bars_title.text(),
        bars,
        word(
            "How far one theme moves a forecast on average, with the 95% interval of that mean over customers.",
            "每个主题平均使预测变动多少，附该均值在顾客间的 95% 区间。",
        )
        .text(),
    )
    .table(table);
    let swarm = Figure::new(swarm_title.text(), swarm(480.0), caption).wide(swarm(860.0));
    let blocks = vec![Block::Figures(vec![bars, swarm])];
    Section { id: "answer", title: w::ANSWER.text(), lead: vec![lead], blocks }
}

fn method(background: usize, exact: bool, calls: usize) -> Section {
    let how = word(
        "The whole saved model was asked about hybrids of the customer and {n} others drawn by chance: some themes from her, the rest from one of them. A theme's part is its Shapley value over these answers.",
        "以这位顾客与随机抽取的 {n} 位顾客的混合体（部分主题取自她，其余取自对方）询问整个已保存的模型；各主题的份额是由这些回答算得的沙普利值。",
    )
    .with(&[("n", Text::same(background.to_string()))]);
    let sure = match (exact, calls) {
        (true, 0) => word("Every coalition of themes was asked.", "所有主题组合均已询问。").text(),
        (true, n) => word(
            "Every coalition of themes was asked ({n} questions), so the parts are exact for these {k} others; with other ones they would be a little different.",
            "所有主题组合均已询问（共 {n} 次），因此相对于这 {k} 位顾客的份额是精确的；换一批顾客会略有不同。",
        )
        .with(&[("n", Text::same(count(n as u64))), ("k", Text::same(background.to_string()))]),
        (false, _) => word(
            "There are too many themes to ask every coalition, so permutations were drawn.",
            "主题过多，无法询问所有组合，因此抽取了若干排列。",
        )
        .text(),
    };
    let not = word(
        "It says what the model leans on. It does not say what causes what, and parts that move together (often and much) share their effect.",
        "它说明模型依据什么，而不说明因果；相互关联的主题（如频率与金额）会分摊彼此的影响。",
    );
    let blocks = vec![Block::Prose(how), Block::Prose(sure), Block::Prose(not.text())];
    Section { id: "method", title: word("How to read this", "如何解读").text(), lead: Vec::new(), blocks }
}
