//! Every sentence of the report, in English and Chinese side by side.
//!
//! Other pages speak of the same things in the same words, so they are open to them. `{name}` is a place to fill, `**…**` is bold. A test holds that both wordings fill the same places.

use guike_explain::Lang;

use super::page::{BOLD, Text};
use super::view::Bilingual;

/// A wording in both languages.
#[derive(Debug, Clone, Copy)]
pub struct Word {
    /// English.
    pub en: &'static str,
    /// Simplified Chinese.
    pub zh: &'static str,
}

/// A wording that only one page needs.
pub const fn word(en: &'static str, zh: &'static str) -> Word {
    Word { en, zh }
}

impl Word {
    /// The word as a text.
    pub fn text(self) -> Text {
        self.with(&[])
    }

    /// The wording in one language, for charts.
    pub fn pick(self, lang: Lang) -> &'static str {
        lang.pick(self.en, self.zh)
    }

    /// The sentence with its places filled.
    pub fn with(self, fill: &[(&str, Text)]) -> Text {
        let one = |lang: Lang| {
            let mut text = String::new();
            for (i, part) in self.pick(lang).split("**").enumerate() {
                if i > 0 {
                    text.push(BOLD[usize::from(i % 2 == 0)]);
                }
                text.push_str(&filled(part, fill, lang));
            }
            text
        };
        Text(Bilingual::new(one(Lang::En), one(Lang::Zh)))
    }
}

/// One pass from left to right, so that a filled-in text is never searched for places itself.
fn filled(pattern: &str, fill: &[(&str, Text)], lang: Lang) -> String {
    let mut out = String::new();
    let mut rest = pattern;
    while let Some(start) = rest.find('{') {
        let Some(length) = rest[start..].find('}') else { break };
        let name = &rest[start + 1..start + length];
        let value = fill.iter().find(|(n, _)| *n == name).map(|(_, v)| v.pick(lang));
        assert!(value.is_some(), "nothing fills {{{name}}} in `{pattern}`");
        out.push_str(&rest[..start]);
        out.push_str(value.unwrap_or_default());
        rest = &rest[start + length + 1..];
    }
    out.push_str(rest);
    out
}

macro_rules! words {
    ($($name:ident $en:literal $zh:literal)*) => {
        $(#[doc = $en] pub const $name: Word = Word { en: $en, zh: $zh };)*
        #[cfg(test)]
        pub(super) const ALL: &[(&str, Word)] = &[$((stringify!($name), $name)),*];
    };
}

words! {
    // the page
    REPORT "Customer value report" "客户价值报告"
    LOG "Order log" "订单日志"
    KNOWN_UNTIL "Known until" "数据截至"
    LOOKS_AHEAD "Looks ahead" "预测期"
    DAYS_UNTIL "{n} days, to {day}" "{n} 天，至 {day}"
    SKIP "Skip to the answer" "跳到结论"
    LANGUAGE "Language" "语言"
    THEME "Colours" "配色"
    AUTO "Auto" "自动"
    LIGHT "Light" "浅色"
    DARK "Dark" "深色"
    CONTENTS "Contents" "目录"
    AS_TABLE "View as table" "以表格查看"
    FOOTER "Made by Guike {version}. This page is complete in itself: it loads nothing and sends nothing." "由贵客 Guike {version} 生成。本页自成一体：不加载任何外部内容，也不发送任何数据。"

    // why a part is missing
    WHY_FEW "Not shown: this needs at least {needed} customers, and there are {found}." "未显示：至少需要 {needed} 位顾客，目前只有 {found} 位。"
    WHY_SHORT "Not shown: this needs at least {needed} days of history, and there are {found}." "未显示：至少需要 {needed} 天的历史，目前只有 {found} 天。"
    WHY_OFF "Not shown: switched off in the configuration." "未显示：已在配置中关闭。"
    WHY_NO_VALUE "Not shown: no customer is expected to spend anything." "未显示：预计没有顾客会消费。"

    // 1 the answer
    ANSWER "The answer" "结论"
    ANSWER_SPEND "In the next {days} days your **{n}** customers are expected to spend **{spend}**, with {level} probability between {lo} and {hi}." "未来 {days} 天，您的 **{n}** 位顾客预计共消费 **{spend}**，有 {level} 的可能落在 {lo} 至 {hi} 之间。"
    ANSWER_BUYERS "About **{buyers}** customers ({share}) will buy at least once." "预计约 **{buyers}** 位顾客（{share}）会至少购买一次。"
    ANSWER_TOP "The top tier, {tier}, is {customers} of customers and holds **{value}** of the expected value." "最高层级“{tier}”占顾客的 {customers}，却占预期价值的 **{value}**。"
    ANSWER_UP "That is {change} more than the {past} these customers spent in the {days} days before." "这比同一批顾客在此前 {days} 天的 {past} 多 {change}。"
    ANSWER_DOWN "That is {change} less than the {past} these customers spent in the {days} days before: customers leave, and this forecast counts no newcomers." "这比同一批顾客在此前 {days} 天的 {past} 少 {change}：老顾客会流失，而本预测不计入新顾客。"
    ANSWER_LEVEL "That is about what these customers spent in the {days} days before ({past})." "这与同一批顾客在此前 {days} 天的消费（{past}）大致相当。"
    TILE_VALUE "Expected value" "预期价值"
    TILE_VALUE_DETAIL "{level} interval {lo} – {hi}" "{level} 区间 {lo} – {hi}"
    TILE_BUYERS "Customers who will buy" "预计购买的顾客"
    TILE_BUYERS_DETAIL "{share} of all; {orders} purchase days" "占全部的 {share}；{orders} 个购买日"
    TILE_TOP "Held by the top tier" "最高层级占比"
    TILE_TOP_DETAIL "{tier}: {n} customers" "{tier}：{n} 位顾客"
    TILE_RISK "Value at risk" "有流失风险的价值"
    TILE_RISK_DETAIL "{n} good customers gone quiet" "{n} 位优质顾客趋于沉默"
    NO_RISK "none found" "未发现"
    NO_RISK_DETAIL "no good customer has gone quiet" "没有优质顾客趋于沉默"
    FIRST "What to do first" "先做什么"
    DO_KEEP "Look after your {tier} customers" "守住“{tier}”顾客"
    DO_KEEP_WHY "{n} customers, {share} of the expected value, on average {each} each. Give them service and early access rather than discounts: they buy anyway." "{n} 位顾客，占预期价值的 {share}，人均 {each}。与其打折，不如给服务和优先权：他们本来就会买。"
    DO_WIN "Win back the {n} good customers who have gone quiet" "挽回 {n} 位趋于沉默的优质顾客"
    DO_WIN_WHY "They spent {past} in the window before and are expected to spend {expected}; each buys again with a probability below {p}. A personal message now costs less than a new customer later." "他们此前同期消费 {past}，预计未来只有 {expected}；每人再次购买的概率低于 {p}。现在一条有针对性的消息，比日后获取新客更省。"
    DO_SECOND "Ask {n} one-time buyers for a second purchase" "促成 {n} 位单次顾客的第二次购买"
    DO_SECOND_WHY "{share} of your customers have bought exactly once. The second purchase is the step after which customers tend to stay." "{share} 的顾客只买过一次。第二次购买往往是顾客留下来的转折点。"
    DO_SPARE "Spend little on {tier} customers" "少在“{tier}”顾客上花钱"
    DO_SPARE_WHY "{n} customers hold only {share} of the expected value. Cheap channels such as e-mail are enough." "{n} 位顾客仅占预期价值的 {share}。用低成本渠道（如短信、邮件）即可。"
    HISTORY "Spend: what happened and what to expect" "消费：已发生与预期"
    HISTORY_Y "spend per month" "每月消费"
    HISTORY_CAPTION "Bars up to the dashed line are what all customers spent, {first} to {last}. After it, what today's customers are expected to spend; customers who join later are not in it." "虚线之前是全部顾客的实际消费（{first} 至 {last}）；之后是现有顾客的预期消费，不含之后加入的新顾客。"
    HISTORY_CAPTION_EMPTY "What today's customers are expected to spend." "现有顾客的预期消费。"
    PER_MONTH "next {n} d, per month" "未来 {n} 天（月均）"
    MONTH "Month" "月份"
    ACTUAL "Actual" "实际"
    EXPECTED "Expected" "预测"
    LOWER "Lower end" "下限"
    UPPER "Upper end" "上限"
    LOG_UNIT " (the log names no currency)" "（日志未注明货币）"

    // 2 tiers
    TIERS "Tiers" "客户分层"
    TIERS_LEAD "{tier} customers are {customers} of all and hold {value} of the value expected in the next {days} days." "“{tier}”顾客占全部的 {customers}，占未来 {days} 天预期价值的 {value}。"
    PYRAMID "Customers against value" "人数与价值"
    PYRAMID_CAPTION "Left: how many customers. Right: how much of the expected value they hold." "左侧为顾客人数占比，右侧为其占预期价值的比例。"
    TIER "Tier" "层级"
    CUSTOMERS "Customers" "顾客数"
    CUSTOMERS_TITLE "Customers" "顾客"
    SHARE_CUSTOMERS "Share of customers" "顾客占比"
    EXPECTED_SPEND "Expected spend" "预期消费"
    SHARE_VALUE "Share of value" "价值占比"
    PER_CUSTOMER "Per customer" "人均"
    ORDERS_EACH "Purchase days each" "人均购买日"
    P_ACTIVE "Will buy" "购买概率"
    STARTS_AT "Starts at" "起点"
    HOW_CUT "How the tiers were cut" "分层方法"
    SILHOUETTE "How far the tiers lie apart: silhouette {value} (1 is perfectly apart, 0 not at all)." "层级间的分离程度：轮廓系数 {value}（1 为完全分离，0 为不分离）。"
    STABILITY "How firmly customers sit in them: {value} keep their tier when the data are resampled." "层级的稳定程度：对数据重抽样后，{value} 的顾客层级不变。"
    LORENZ "How concentrated the value is" "价值的集中程度"
    LORENZ_X "share of customers" "顾客占比"
    LORENZ_Y "share of expected value" "预期价值占比"
    LORENZ_CAPTION "The most valuable 20% of customers hold {top} of the expected value. The further the curve hangs below the diagonal, the more depends on few." "最有价值的 20% 顾客占预期价值的 {top}。曲线越低于对角线，价值越集中于少数人。"
    SPREAD "How value is spread over customers" "价值在顾客间的分布"
    SPREAD_X "expected spend per customer, next {days} days (each step multiplies)" "未来 {days} 天人均预期消费（对数刻度）"
    SPREAD_Y "customers" "顾客数"
    SPREAD_CAPTION "Half of all customers are expected to spend less than {median}." "半数顾客的预期消费低于 {median}。"
    MIGRATION "Who moved since the previous run" "较上次的层级变动"
    MIGRATION_X "tier now" "现在的层级"
    MIGRATION_Y "tier before" "之前的层级"
    MIGRATION_CAPTION "Each row shows where the customers of a former tier are now; outlined cells stayed." "每行表示原层级的顾客现在所处的层级；带边框者未变。"
    TOP_SHARE "Most valuable" "最有价值的"
    OF_VALUE "hold of the value" "占价值"

    // 3 who
    WHO "Who they are" "他们是谁"
    WHO_LEAD "By how recently and how often they bought, {best} customers are in the best class of both." "按最近购买与购买频率划分，有 {best} 位顾客两项均为最佳。"
    RFM "Recency and frequency" "最近购买与购买频率"
    RFM_X "how often they bought →" "购买频率 →"
    RFM_Y "↑ how recently they bought" "↑ 最近一次购买"
    RFM_CAPTION "Each cell: number of customers, and their share of the expected value (the colour)." "每格：顾客人数，及其占预期价值的比例（颜色）。"
    RECENCY "Recency class" "最近购买等级"
    FREQUENCY "Frequency {n}" "频率 {n}"
    GROUP_IS "Who they are and what helps" "特点与建议"
    GROUPS "Named groups" "客群"
    GROUP "Group" "客群"
    TOP_CUSTOMERS "Most valuable customers" "最有价值的顾客"
    TOP_CUSTOMERS_NOTE "The first {n} by expected spend. Every customer is in forecasts.csv." "按预期消费排列的前 {n} 位。全部顾客见 forecasts.csv。"
    CUSTOMER "Customer" "顾客"
    INTERVAL "{level} interval" "{level} 区间"
    SO_FAR "Spent so far" "累计消费"
    PURCHASE_DAYS "Purchase days" "购买日数"
    LAST_PURCHASE "Last purchase" "最近购买"
    WHY_TOP "Why the first of them" "为什么是前几位"
    WHY_TOP_ONE "**{id}** is expected to spend **{expected}**, where the average customer of the comparison has {base}: {parts}." "预计 **{id}** 消费 **{expected}**，对照顾客平均为 {base}：{parts}。"
    WHY_TOP_PART "{what} **{amount}**" "{what} **{amount}**"
    WHY_TOP_REST "all else **{amount}**" "其余 **{amount}**"
    WHY_TOP_NOTE "The command guike explain says the same of every customer, with more of it." "用命令 guike explain 可查看任一顾客的完整说明。"
    NO_TOP "No customer is expected to buy." "预计没有顾客会购买。"

    // 4 how sure
    SURE "How sure we are" "把握有多大"
    SURE_LEAD "We forecast the {days} days after {cutoff} from what was known that day, and compared with what then happened: **{predicted}** predicted, **{actual}** actual, off by {off}." "我们以 {cutoff} 当天所知预测其后 {days} 天，再与实际对照：预测 **{predicted}**，实际 **{actual}**，偏差 {off}。"
    SURE_NO_LEAD "The forecast could not be tested against the past, so read its numbers as a first estimate." "无法用历史检验本预测，请将其视为初步估计。"
    CHOSEN "The model used is **{name}** ({about})." "采用的模型是 **{name}**（{about}）。"
    CHOSEN_PLAIN "The model used is **{name}**." "采用的模型是 **{name}**。"
    WHY_BEST "It scored best of {n} candidates by {metric} over {anchors} earlier dates." "在 {anchors} 个历史时点上，它的{metric}在 {n} 个候选中最好。"
    WHY_SIMPLER "{best} scored slightly better by {metric}, but not by more than chance explains; {name} is the simpler of the two, so it was preferred." "{best} 的{metric}略好，但差距不超出偶然；{name} 更简单，因此优先采用。"
    WHY_ONLY "It was the only candidate that could be fitted to these data." "它是唯一能拟合这些数据的候选模型。"
    WHY_ASKED "It was asked for in the configuration." "由配置指定。"
    CANDIDATES "Candidates" "候选模型"
    CANDIDATES_CAPTION "{meaning} {direction} Whiskers: 95% intervals. Rings are yardsticks that a model must beat." "{meaning}{direction}横线为 95% 区间；空心圆是模型应当超过的基准。"
    HIGHER "Further right is better." "越靠右越好。"
    LOWER_BETTER "Further left is better." "越靠左越好。"
    MODEL "Model" "模型"
    YARDSTICK "yardstick" "基准"
    CHOSEN_MARK "chosen" "入选"
    DECILES "Predicted against actual, by group" "分组预测与实际"
    DECILES_X "groups of customers, lowest to highest forecast" "按预测值从低到高分组"
    DECILES_Y "mean spend per customer" "人均消费"
    DECILES_CAPTION "Customers in {n} groups by forecast. The closer the discs to the tops of the bars, the better; whiskers are 95% intervals of the actual mean." "按预测值把顾客分为 {n} 组。圆点越接近柱顶越好；竖线是实际均值的 95% 区间。"
    GROUP_NO "Group" "组"
    COURSE "Cutoff by cutoff" "逐个截止日"
    COURSE_X "earlier cutoffs, the latest on the right" "历史截止日（右侧为最近）"
    COURSE_Y "spend of all customers" "全部顾客的消费"
    COURSE_CAPTION "The chosen model at every earlier cutoff, as it would have forecast the {days} days after it, before its level is corrected. A disc above its bar promised too much." "入选模型在各历史截止日对其后 {days} 天的预测（未校正总水平）。圆点高于柱顶表示预测偏高。"
    COURSE_CUSTOMERS "Customers known" "已知顾客"
    RATIO "Forecast / actual" "预测／实际"
    GINI "Normalised Gini" "归一化基尼"
    AUC "AUC of the chance to buy" "购买概率 AUC"
    PREDICTED "Predicted" "预测"
    GAIN "Finding the valuable customers" "找出高价值顾客"
    GAIN_X "share of customers, highest forecast first" "顾客占比（预测值由高到低）"
    GAIN_Y "share of actual spend" "实际消费占比"
    GAIN_CAPTION "Contacting only the 20% with the highest forecasts would have reached {share} of what was actually spent." "只联系预测值最高的 20% 顾客，即可覆盖实际消费的 {share}。"
    SCATTER "Customer by customer" "逐位顾客对照"
    SCATTER_X "predicted spend (each step multiplies)" "预测消费（对数刻度）"
    SCATTER_Y "actual spend" "实际消费"
    SCATTER_CAPTION "One customer's purchases are mostly chance, so single customers scatter widely even when groups and totals are right." "单个顾客的购买多属偶然，因此即使分组与总量准确，个体仍会大幅散布。"
    ROC "Telling buyers from non-buyers" "区分会买与不会买"
    ROC_X "false alarms: share of non-buyers" "误报率（未购买者）"
    ROC_Y "hits: share of buyers" "命中率（购买者）"
    ROC_CAPTION "Given one customer who bought and one who did not, the forecast ranks them rightly with probability {auc}." "任取一位购买者与一位未购买者，预测将二者正确排序的概率为 {auc}。"
    SCORES "Scores of the chosen model" "入选模型的得分"
    SCORE "Score" "指标"
    VALUE "Value" "数值"
    MEANING "What it tells" "含义"
    COVERAGE_ROW "Within the {level} interval" "落在 {level} 区间内"
    COVERAGE_MEANING "Share of customers whose actual spend lay in their interval; about {expected} is right." "实际消费落在各自区间内的顾客比例；接近 {expected} 为佳。"
    COVERAGE_ZEROS "That is more than {level} because nobody spends less than nothing: where an interval begins at zero, no one can fall below it." "高于 {level}，因为消费不会低于零：区间从零开始的顾客不可能落在区间之下。"
    COVERAGE_OFF "{below} spent less than their interval and {above} spent more: customers have changed since the earlier cutoff at which the intervals were set." "{below} 的顾客消费低于区间，{above} 高于区间：自设定区间的历史截止日以来，顾客的行为已经改变。"
    DRIVERS "What the forecast rests on" "预测依据"
    DRIVERS_BARS "Groups of facts by importance" "各组信息的重要性"
    DRIVERS_X "mean change of a forecast, up or down" "预测的平均变动（不分方向）"
    DRIVERS_CAPTION "How far each group of facts moves a forecast on average (Shapley values over {n} customers drawn by chance, with 95% intervals)." "各组信息平均使预测变动多少（随机抽取 {n} 位顾客的沙普利值，附 95% 区间）。"
    SCATTER_RANGE "Predicted spend" "预测消费"
    SCATTER_NONE "Spent nothing" "未消费"
    MEAN_PREDICTED "Mean predicted" "预测均值"
    MEAN_ACTUAL "Mean actual" "实际均值"
    FEATURE "Group of facts" "信息组"

    // 5 cohorts
    COHORTS "Do customers stay?" "顾客会留下吗？"
    COHORTS_LEAD "Of the customers who first bought in the same month, {first} bought again one month later and {last} {n} months later, on average." "同月首购的顾客中，平均有 {first} 在 1 个月后再次购买，{last} 在 {n} 个月后购买。"
    COHORT_PICTURE "Customers who bought again, percent" "复购顾客比例（%）"
    COHORT_X "months after the first purchase" "首购后的月数"
    COHORT_Y "month of first purchase (customers)" "首购月份（顾客数）"
    COHORT_CAPTION "Read along a row to follow one group; read down a column to see whether newer groups stay better." "横看追踪同一群顾客；纵看比较新老顾客群的留存。"
    COHORT "Cohort" "同期群"
    COHORTS_NONE "Not shown: customers began within one month, so there is nothing to compare." "未显示：顾客均在同一个月内开始购买，无从比较。"

    // 6 data
    QUALITY "The data" "数据质量"
    QUALITY_LEAD "{read} rows read = {kept} kept + {dropped} dropped. {customers} customers with {days} purchase days, {first} to {last}." "读入 {read} 行 = 保留 {kept} 行 + 剔除 {dropped} 行。{first} 至 {last}，{customers} 位顾客，{days} 个购买日。"
    QUALITY_PICTURE "What became of every row" "每一行的去向"
    QUALITY_CAPTION "Every row is accounted for; dropped rows and their first examples are also in quality.json." "每一行都有去向；剔除的行及示例见 quality.json。"
    QUALITY_CLEAN "No row was dropped." "没有剔除任何行。"
    REASON "Reason" "原因"
    ROWS "Rows" "行数"
    SHARE "Share" "占比"
    EXAMPLES "First examples" "示例"
    KEPT "Kept" "保留"
    MAPPING "Which column was taken for what" "列的识别"
    ROLE "Meaning" "含义"
    COLUMN "Column in the log" "日志中的列"
    HOW "Found by" "识别方式"
    NOTES "Good to know" "须知"
    WARNING "Please check" "请核对"

    // 7 method
    METHOD "Method and settings" "方法与设置"
    METHOD_HOW "How it was done" "做法"
    SETTINGS "Settings" "设置"
    FACT "Item" "项目"
    VERSION "Guike version" "Guike 版本"
    SEED "Seed" "随机种子"
    CUTOFF "Cutoff" "截止日"
    HORIZON "Horizon" "预测期"
    N_DAYS "{n} days" "{n} 天"
    COMMAND "Command" "命令"
    CONFIG "Configuration in force" "生效的配置"
    GLOSSARY "Glossary" "术语"
    REPEATABLE "The same log, settings and seed give the same numbers, bit for bit." "相同的日志、设置与种子得到逐位相同的结果。"
    G_CUTOFF "Cutoff" "截止日"
    G_CUTOFF_IS "The last day that is known. Forecasts use nothing after it." "已知数据的最后一天；预测不使用其后的任何信息。"
    G_HORIZON "Horizon" "预测期"
    G_HORIZON_IS "The number of days after the cutoff that the forecast looks at." "截止日之后预测所覆盖的天数。"
    G_DAY "Purchase day" "购买日"
    G_DAY_IS "All purchases of a customer on one calendar day count as one." "同一顾客同一天的所有购买计为一次。"
    G_SPEND "Expected spend" "预期消费"
    G_SPEND_IS "The mean of what a customer may spend within the horizon, zero included. Sums over customers are meaningful; a single customer may spend far more or nothing." "顾客在预测期内可能消费的均值，含不消费的可能。对一群顾客求和才有意义；单个顾客可能远高于此或为零。"
    G_INTERVAL "Interval" "区间"
    G_INTERVAL_IS "A range that holds what happens with the stated probability, set so that it would have done so in the past." "以所述概率包含实际结果的范围，并按历史表现校准。"
    G_ACTIVE "Probability to buy" "购买概率"
    G_ACTIVE_IS "The chance of at least one purchase within the horizon." "预测期内至少购买一次的可能性。"
    G_TIER "Tier" "层级"
    G_TIER_IS "An ordered class of customers, the most valuable on top." "按价值排序的顾客类别，最有价值者在上。"
    G_RISK "Value at risk" "有流失风险的价值"
    G_RISK_IS "What customers in the upper quarter by past spend bought before, where their probability to buy again is low." "此前消费居前四分之一、而再次购买概率低的顾客，其过去的消费额。"
    G_RFM "RFM" "RFM"
    G_RFM_IS "Recency (how recently), frequency (how often) and monetary value (how much) of a customer's purchases." "最近购买（Recency）、购买频率（Frequency）与消费金额（Monetary）。"
    G_BACKTEST "Backtest" "回测"
    G_BACKTEST_IS "A forecast made as of an earlier day and compared with what then happened." "站在过去某日作预测，再与其后的实际比较。"
    G_GINI "Gini coefficient" "基尼系数"
    G_GINI_IS "0 when all customers are worth the same, near 1 when one holds everything." "人人价值相同时为 0，价值集中于一人时接近 1。"
    G_AUC "AUC" "AUC"
    G_AUC_IS "The chance that a customer who bought had been given a higher probability than one who did not." "购买者的预测概率高于未购买者的可能性。"
    G_COHORT "Cohort" "同期群"
    G_COHORT_IS "Customers who first bought in the same month." "同月首次购买的顾客。"
}

/// The glossary, in the order it is printed.
pub const GLOSSARY_ENTRIES: [(Word, Word); 14] = [
    (G_CUTOFF, G_CUTOFF_IS),
    (G_HORIZON, G_HORIZON_IS),
    (G_DAY, G_DAY_IS),
    (G_SPEND, G_SPEND_IS),
    (G_INTERVAL, G_INTERVAL_IS),
    (G_ACTIVE, G_ACTIVE_IS),
    (G_TIER, G_TIER_IS),
    (G_RISK, G_RISK_IS),
    (G_RFM, G_RFM_IS),
    (G_BACKTEST, G_BACKTEST_IS),
    (G_GINI, G_GINI_IS),
    (G_AUC, G_AUC_IS),
    (G_COHORT, G_COHORT_IS),
    (
        YARDSTICK,
        Word {
            en: "A simple rule, such as repeating the last window, that a model must beat to be worth using.",
            zh: "简单规则（如沿用上一窗口的数值）；模型须胜过它才值得使用。",
        },
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn places(text: &str) -> Vec<&str> {
        let mut names: Vec<&str> = text.split('{').skip(1).filter_map(|t| t.split('}').next()).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn both_wordings_fill_the_same_places_and_close_their_bold() {
        for (name, word) in ALL {
            assert_eq!(places(word.en), places(word.zh), "{name}");
            for text in [word.en, word.zh] {
                assert_eq!(text.matches("**").count() % 2, 0, "{name}: {text}");
                assert!(!text.is_empty(), "{name}");
            }
        }
    }

    #[test]
    fn a_filled_in_text_is_not_filled_again() {
        let word = Word { en: "{a} and **{b}**", zh: "{a}与**{b}**" };
        let text = word.with(&[("a", Text::same("{b}")), ("b", Text::same("<i>"))]);
        assert_eq!(
            text.html(),
            "<span lang=\"en\">{b} and <b>&lt;i&gt;</b></span><span lang=\"zh\">{b}与<b>&lt;i&gt;</b></span>"
        );
    }
}
