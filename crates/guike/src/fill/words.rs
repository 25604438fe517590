//! Names and sentences about data and models in both languages.

use guike_data::quality::Reason;
use guike_decide::RfmGroup;

use crate::combination;
use crate::learners;
use crate::report::view::Bilingual;
use crate::value;

/// A reason why rows were dropped.
pub(super) fn reason(r: Reason) -> Bilingual {
    let zh = match r {
        Reason::CellCount => "列数与表头不符",
        Reason::RepeatedHeader => "重复的表头",
        Reason::TotalLine => "合计行",
        Reason::MissingCustomer => "缺少客户",
        Reason::MissingTime => "缺少时间",
        Reason::UnparsableTime => "时间格式不符",
        Reason::MissingAmount => "缺少金额",
        Reason::UnparsableAmount => "金额不是数字",
        Reason::OtherCurrency => "其他货币",
        Reason::FutureTime => "时间在未来",
        Reason::NotCompleted => "订单未完成",
        Reason::TestOrder => "测试订单",
        Reason::NonGoods => "非商品",
        Reason::ZeroAmount => "金额为零",
        Reason::ExactDuplicate => "完全重复",
        Reason::CancelledPurchase => "购买后全部取消",
        Reason::Cancellation => "取消单，已与购买抵消",
        Reason::Refund => "退款，已从购买中扣除",
    };
    Bilingual::new(r.words(), zh)
}

/// What a column was taken for.
pub(super) fn role(role: &str) -> Bilingual {
    let zh = match role {
        "customer" => "客户",
        "time" => "时间",
        "clock" => "时刻",
        "amount" => "金额",
        "price" => "单价",
        "quantity" => "数量",
        "order" => "订单",
        "item" => "商品",
        "category" => "品类",
        "kind" => "行为类型",
        "status" => "订单状态",
        "currency" => "货币",
        other => other,
    };
    Bilingual::new(role, zh)
}

/// English patterns of remarks and their Chinese wording; `{}` stands for what varies.
const REMARKS: &[(&str, &str)] = &[
    (
        "the history is too short to test {} days ahead; candidates are tested {} days ahead",
        "历史太短，无法回测未来 {} 天；候选模型按 {} 天回测",
    ),
    (
        "label windows of the anchors overlap, so their scores are not independent",
        "各历史截止日的检验窗口有重叠，因此它们的得分并不独立",
    ),
    (
        "one anchor or more lies whole years before the cutoff and so faces the same season",
        "有历史截止日恰在整年之前，因此面对同样的季节",
    ),
    (
        "{} days of history are too few for a backtest; it needs {} days before and {} days after an anchor",
        "{} 天的历史不足以回测；历史截止日之前需要 {} 天，之后需要 {} 天",
    ),
    ("nobody is in {}: too few customers or too many equal values", "{} 等级没有客户：客户太少或相同数值太多"),
    (
        "no drop-out was detected: customers differ in how often they buy, but none was seen to leave ({})",
        "没有发现流失：客户购买频率不同，但未见有人离开（{}）",
    ),
    ("the rate of leaving does not measurably differ between customers ({})", "客户之间的流失速度没有可测的差异（{}）"),
    ("how often customers buy does not measurably differ between them ({})", "客户之间的购买频率没有可测的差异（{}）"),
    (
        "{} customers with zero mean spend are left out of the spend model's fit ({})",
        "{} 位平均消费为零的客户未参与金额模型的拟合（{}）",
    ),
    (
        "candidates were compared and fitted on {} customers, drawn by the seed (--learn-from); all customers are forecast",
        "候选模型在按种子抽取的 {} 位客户上比较并拟合（--learn-from）；所有客户均有预测",
    ),
    ("{} could not be used: {}", "{} 无法使用：{}"),
    ("left out of the average: {}", "未计入平均：{}"),
    ("exact duplicates dropped: rows carry an order id", "完全重复的行已删除：各行带有订单号"),
    ("exact duplicates dropped: rows carry a time of day", "完全重复的行已删除：各行带有具体时刻"),
    (
        "exact duplicates kept: rows have neither an order id nor a time of day, so two equal purchases on one day look the \
         same",
        "完全重复的行已保留：各行既无订单号也无时刻，同一天两次相同的购买看起来一样",
    ),
    (
        "a cancellation on the day of its purchase undoes it (of the last purchase of a customer's first day only the \
         money); a later one is a refund on its own day",
        "当日取消的购买视为未发生（客户首日的最后一笔只清零金额）；之后的取消在其当日记为退款",
    ),
    ("refunds are events of their own; spend is what was paid", "退款单独成为事件；消费为实付金额"),
    ("purchases of amount zero kept", "金额为零的购买已保留"),
    ("purchases of amount zero dropped: the amount is price × quantity", "金额为零的购买已删除：金额为单价 × 数量"),
    ("test orders dropped", "测试订单已删除"),
    ("items that are not goods kept and counted", "非商品项目已保留并计数"),
    ("rows after {} dropped", "{} 之后的行已删除"),
    ("rows in the future dropped", "未来日期的行会被删除"),
    (
        "the log was written by `guike import` and is not cleaned a second time; rows, columns and rules are those of that \
         import",
        "该日志由 guike import 写出，不再重复清洗；行数、列与规则均为当时导入的记录",
    ),
    ("times of day beside the days of {}", "{} 的日期旁的时刻列"),
    ("sheets not read: {}; --sheet names another than {}", "未读取的工作表：{}；可用 --sheet 指定 {} 以外的工作表"),
    ("tables not read: {}; --sheet names another than {}", "未读取的表：{}；可用 --sheet 指定 {} 以外的表"),
    ("{} has a header and no rows", "{} 只有表头，没有数据行"),
    ("not read, because no table by name: {}", "按文件名不是表格，未读取：{}"),
    (
        "{} and {} both have rows from {} to {}, and duplicates are kept: a row that stands in both counts twice; {} under \
         [data.clean] drops it",
        "{} 与 {} 都含 {} 至 {} 的行，且重复行被保留：同时出现在两个文件中的行会计两次；可在 [data.clean] 下设 {} 删除",
    ),
    (
        "the foundation model's last step was fitted in {} steps: loss on the newest anchor, the level apart, {} before, {} after",
        "基础模型的最后一层拟合了 {} 步：最新截止日上的损失（不计总量）由 {} 变为 {}",
    ),
    (
        "the foundation model was left as it is: the history is too short for two anchors, one to learn from and one to judge by",
        "基础模型保持原样：历史太短，不足以有两个截止日（一个用于学习，一个用于评判）",
    ),
    (
        "the foundation model was left as it is: fitting its last step to earlier anchors did not help on the newest",
        "基础模型保持原样：按更早的截止日拟合最后一层，在最新截止日上没有帮助",
    ),
    (
        "{}: {} networks of {} numbers learned from {} customers at earlier anchors, {} passes each",
        "{}：{} 个各有 {} 个参数的网络，从更早截止日的 {} 位客户学习，各 {} 遍",
    ),
    ("its name says so, more plainly than {}", "由列名得知，比 {} 更明确"),
    ("its name says so", "由列名得知"),
];

/// A remark in both languages; one that the table does not know stays English.
pub(super) fn note(text: &str) -> Bilingual {
    let zh = REMARKS.iter().find_map(|(en, zh)| {
        let found = captured(en, text)?;
        Some(zh.split("{}").enumerate().fold(String::new(), |out, (i, part)| {
            let before = if i == 0 { "" } else { found.get(i - 1).copied().unwrap_or_default() };
            out + before + part
        }))
    });
    Bilingual::new(text, zh.unwrap_or_else(|| text.to_owned()))
}

/// What stands in the places of a pattern, or `None` when the text does not fit it.
fn captured<'a>(pattern: &str, text: &'a str) -> Option<Vec<&'a str>> {
    let mut parts = pattern.split("{}");
    let mut rest = text.strip_prefix(parts.next()?)?;
    let mut found = Vec::new();
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        let at = if part.is_empty() && parts.peek().is_none() { rest.len() } else { rest.find(part)? };
        found.push(&rest[..at]);
        rest = &rest[at + part.len()..];
    }
    rest.is_empty().then_some(found)
}

/// A model's name for people.
pub(super) fn model(name: &str) -> Bilingual {
    let (count, spend) = name.split_once('+').unwrap_or((name, ""));
    let plain = match count {
        "zero" => Some(("zero", "零预测")),
        "repeat-last-window" => Some(("repeat the last window", "重复上一窗口")),
        "historical-rate" => Some(("historical rate", "历史平均速率")),
        "rfm-score" => Some(("RFM score", "RFM 评分")),
        n if n == combination::NAME => Some(("average of models", "模型平均")),
        n if n == value::BLEND => Some(("blend of models and learners", "模型与学习器的加权平均")),
        "boosting" => Some(("boosted trees", "提升树")),
        "boosting-on-prior" => Some(("boosted trees that correct the average", "修正模型平均的提升树")),
        "two-stage" => Some(("chance of buying × spend of buyers", "购买概率 × 购买者消费")),
        "extra-trees" => Some(("extremely randomised trees", "极端随机树")),
        "foundation" => Some(("foundation model", "基础模型")),
        "foundation-adapted" => Some(("foundation model, adapted", "适配后的基础模型")),
        "mlp-ziln" => Some(("perceptron, log-normal spend", "感知机（对数正态金额）")),
        "mlp-quantile" => Some(("perceptron, quantiles of spend", "感知机（金额分位数）")),
        "convolutional" => Some(("convolutional network", "卷积网络")),
        "recurrent" => Some(("recurrent network", "循环网络")),
        "transformer" => Some(("transformer", "Transformer 网络")),
        _ => None,
    };
    if let Some((en, zh)) = plain {
        return Bilingual::new(en, zh);
    }
    let count = match count {
        "nbd" => "NBD",
        "bg-nbd" => "BG/NBD",
        "mbg-nbd" => "MBG/NBD",
        "pareto-nbd" => "Pareto/NBD",
        "bg-cnbd-k" => "BG/CNBD-k",
        "mbg-cnbd-k" => "MBG/CNBD-k",
        other => other,
    };
    match spend {
        "gamma-gamma" => Bilingual::new(format!("{count}, repeat spend"), format!("{count}，复购金额")),
        "gamma-gamma-all" => Bilingual::new(format!("{count}, all spend"), format!("{count}，全部金额")),
        _ => Bilingual::same(count),
    }
}

/// A model's idea in half a sentence.
pub(super) fn idea(name: &str) -> Bilingual {
    let en = learners::describe().into_iter().find(|l| l.name == name).map_or("", |l| l.idea);
    let zh = match name.split('+').next().unwrap_or(name) {
        "zero" => "没有人再次购买：任何模型都必须胜过它",
        "repeat-last-window" => "同样长度的上一窗口会重演",
        "historical-rate" => "每位客户按至今的平均速率继续",
        "rfm-score" => "与从前同样 RFM 得分的客户之后的表现一样",
        "nbd" => "客户各按自己稳定的速率随机购买，从不流失",
        "bg-nbd" => "每次购买后都可能永久流失",
        "mbg-nbd" => "同 BG/NBD，且首次购买后也可能流失",
        "pareto-nbd" => "任何时刻都可能流失",
        "bg-cnbd-k" => "同 BG/NBD，购买间隔更有规律",
        "mbg-cnbd-k" => "同 MBG/NBD，购买间隔更有规律",
        combination::NAME => "BG/NBD、MBG/NBD、Pareto/NBD 与两种金额模型的简单平均",
        value::BLEND => "模型平均与各学习器的加权平均，权重由更早截止日的表现得出",
        "boosting" => "在更早截止日的特征上学习的提升树，Tweedie 偏差",
        "boosting-on-prior" => "只学习对模型平均的修正的提升树",
        "two-stage" => "购买概率乘以购买者的消费，两者都由提升树学习",
        "extra-trees" => "在特征上生长的极端随机树",
        "foundation" => "见过大量模拟店铺的网络直接读取本店历史，不作任何拟合",
        "foundation-adapted" => "同上，最后一层按本店更早的截止日拟合（仅当在最新截止日上有益时）",
        "mlp-ziln" => "在更早截止日的汇总指标上训练的多层感知机：是否购买，以及对数正态的金额",
        "mlp-quantile" => "同上，金额用七个分位数与均值表示",
        "convolutional" => "同 mlp-ziln，并对最近 52 周做卷积",
        "recurrent" => "同 mlp-ziln，并用门控循环单元读取购买日",
        "transformer" => "同 mlp-ziln，并用因果自注意力读取购买日",
        _ => "",
    };
    Bilingual::new(en, zh)
}

/// Who the members of an RFM group are and what helps.
pub(super) fn group(g: RfmGroup) -> Bilingual {
    let (en, zh) = match g {
        RfmGroup::Champions => (
            "Bought recently, often and for much: thank them, show new goods first, ask for reviews.",
            "最近、常来、花得多：表达感谢，新品优先，请他们评价。",
        ),
        RfmGroup::Loyal => (
            "Come often and spend well: offer membership and better goods.",
            "经常购买、消费良好：邀请入会，推荐升级商品。",
        ),
        RfmGroup::PotentialLoyalists => (
            "Recent buyers with more than one order: recommend what goes with it, offer a loyalty programme.",
            "近期多次购买：推荐搭配商品，邀请加入忠诚计划。",
        ),
        RfmGroup::New => {
            ("Bought for the first time just now: make the second purchase easy.", "刚刚首次购买：让第二次购买更容易。")
        }
        RfmGroup::Promising => (
            "Recent, with little spend so far: build the habit with small offers.",
            "近期购买但消费不多：用小优惠培养习惯。",
        ),
        RfmGroup::NeedAttention => {
            ("Middling in everything: a timely offer can tip them to loyal.", "各方面居中：及时的优惠可使其转为忠诚。")
        }
        RfmGroup::AboutToSleep => {
            ("Less and less recent: remind them of what they liked.", "越来越久未购买：用他们喜欢的商品提醒。")
        }
        RfmGroup::AtRisk => {
            ("Once good customers, long silent: win them back in person.", "曾经的好客户，久未购买：主动挽回。")
        }
        RfmGroup::CannotLose => {
            ("Spent most and are silent: call them, hear what went wrong.", "曾经消费最多而沉默：亲自联系，了解原因。")
        }
        RfmGroup::Hibernating => ("Long ago and little: only cheap reminders.", "很久以前且消费少：只做低成本提醒。"),
        RfmGroup::Lost => ("Longest silent, least spend: leave them be.", "沉默最久、消费最少：不必投入。"),
    };
    Bilingual::new(en, zh)
}

/// How the forecast is made.
pub(super) fn steps() -> Vec<Bilingual> {
    vec![
        Bilingual::new(
            "All purchases of a customer on one calendar day count as one purchase day.",
            "同一客户同一天的所有购买计为一个购买日。",
        ),
        Bilingual::new(
            "Every candidate is fitted as of earlier cutoffs and compared with what then happened; nothing after a cutoff is \
             seen by it.",
            "每个候选模型都在更早的截止日拟合，并与之后的实际情况比较；截止日之后的数据一概不可见。",
        ),
        Bilingual::new(
            "The chosen model is fitted again on everything known at the cutoff.",
            "选定的模型用截止日前的全部数据重新拟合。",
        ),
        Bilingual::new(
            "Its level is corrected by what earlier windows, or the same season of earlier years, showed; its intervals are \
             widened until they would have held at the latest earlier cutoff.",
            "其总水平按此前窗口（或往年同季）的表现校正；区间按最近一次历史截止日的实际覆盖情况校准。",
        ),
        Bilingual::new("Customers are placed in tiers by the forecast.", "按预测将客户划入等级。"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remarks_are_worded_in_chinese_with_their_numbers() {
        let n = note("the history is too short to test 273 days ahead; candidates are tested 136 days ahead");
        assert_eq!(n.zh, "历史太短，无法回测未来 273 天；候选模型按 136 天回测");
        assert_eq!(note("rows after 2026-11-24 dropped").zh, "2026-11-24 之后的行已删除");
        assert_eq!(note("left out of the average: it failed").zh, "未计入平均：it failed");
    }

    #[test]
    fn every_learner_is_known_by_name_and_idea_in_chinese() {
        let is_chinese = |text: &str| text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
        for learner in learners::describe() {
            assert!(is_chinese(&idea(learner.name).zh), "{} has no idea in Chinese", learner.name);
            // probability models are called by the names of their papers
            let by_paper = learner.name.contains("nbd");
            assert!(by_paper || is_chinese(&model(learner.name).zh), "{} has no Chinese name", learner.name);
        }
        let said =
            "recurrent: 4 networks of 60740 numbers learned from 5612 customers at earlier anchors, 4 to 9 passes each";
        assert!(is_chinese(&note(said).zh) && note(said).zh.contains("60740"), "{}", note(said).zh);
    }

    #[test]
    fn an_unknown_remark_stays_as_it_is() {
        assert_eq!(note("something new").zh, "something new");
    }
}
