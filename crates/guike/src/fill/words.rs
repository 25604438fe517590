//! Names and sentences about data and models in both languages.

use guike_data::quality::Reason;
use guike_decide::RfmGroup;

use crate::combination;
use crate::learners;
use crate::report::view::Bilingual;

/// A reason why rows were dropped.
pub(super) fn reason(r: Reason) -> Bilingual {
    let zh = match r {
        Reason::CellCount => "列数与表头不符",
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

/// Remarks are written where they arise, in English.
pub(super) fn note(text: &str) -> Bilingual {
    Bilingual::same(text)
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
