//! What words in cells mean: kinds of event, states of an order, tests, totals, cancellations.
//!
//! Words are compared without case, spaces and punctuation, in English and Chinese; a word that is not known means nothing.

use guike_core::EventKind;

/// What a word in a kind column means.
pub(crate) fn kind_of(cell: &[u8]) -> Option<EventKind> {
    let word = std::str::from_utf8(cell).ok()?.trim().to_lowercase();
    let word: String = word.chars().filter(|c| c.is_alphanumeric()).collect();
    Some(match word.as_str() {
        "purchase" | "purchased" | "buy" | "bought" | "order" | "ordered" | "sale" | "sales" | "transaction"
        | "paid" | "pay" | "checkout" | "placeorder" | "购买" | "下单" | "支付" | "付款" | "成交" | "交易" | "消费"
        | "销售" => EventKind::Purchase,
        "refund" | "refunded" | "return" | "returned" | "chargeback" | "退款" | "退货" | "退单" => {
            EventKind::Refund
        }
        "view" | "pv" | "click" | "pageview" | "browse" | "detail" | "viewitem" | "productview" | "impression"
        | "浏览" | "点击" | "查看" | "访问" => EventKind::View,
        "cart" | "addtocart" | "addcart" | "basket" | "加购" | "加入购物车" | "购物车" | "加购物车" => {
            EventKind::Cart
        }
        "fav" | "favorite" | "favourite" | "collect" | "wishlist" | "addtowishlist" | "like" | "收藏" | "关注" => {
            EventKind::Favourite
        }
        "login" | "signin" | "logon" | "open" | "visit" | "sessionstart" | "登录" | "登陆" | "打开" => {
            EventKind::Login
        }
        "message" | "chat" | "inquiry" | "enquiry" | "consult" | "complaint" | "contact" | "咨询" | "留言" | "客服"
        | "投诉" => EventKind::Message,
        "payment" | "bill" | "billpayment" | "recharge" | "topup" | "repayment" | "缴费" | "充值" | "还款" => {
            EventKind::Payment
        }
        "removefromcart" | "removecart" | "search" | "share" | "review" | "comment" | "搜索" | "分享" | "评论" => {
            EventKind::Other
        }
        _ => return None,
    })
}

/// What a word in a status column means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Completed,
    NotCompleted,
    Refunded,
}

pub(crate) fn status_of(cell: &[u8]) -> Option<Status> {
    let word = std::str::from_utf8(cell).ok()?.trim().to_lowercase();
    let word: String = word.chars().filter(|c| c.is_alphanumeric()).collect();
    Some(match word.as_str() {
        "completed" | "complete" | "paid" | "shipped" | "delivered" | "fulfilled" | "success" | "succeeded"
        | "successful" | "done" | "closedwon" | "processing" | "invoiced" | "approved" | "ok" | "partiallypaid"
        | "已完成" | "交易成功" | "交易完成" | "已付款" | "已支付" | "支付成功" | "已发货" | "已签收" | "已收货"
        | "待发货" | "待收货" | "完成" | "成功" | "买家已付款" | "卖家已发货" => Status::Completed,
        "cancelled" | "canceled" | "cancel" | "void" | "voided" | "failed" | "failure" | "declined" | "expired"
        | "unpaid" | "pending" | "pendingpayment" | "unavailable" | "created" | "rejected" | "abandoned" | "已取消"
        | "取消" | "交易关闭" | "已关闭" | "关闭" | "未付款" | "未支付" | "待付款" | "待支付" | "支付失败" | "失败"
        | "等待买家付款" => Status::NotCompleted,
        "refunded" | "refund" | "returned" | "return" | "已退款" | "退款" | "退款成功" | "已退货" | "退货" => {
            Status::Refunded
        }
        _ => return None,
    })
}

/// Whether an id is somebody's test: `TEST`, `test001`, `测试`.
pub(crate) fn is_test(id: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(id) else { return false };
    let Some(head) = text.get(..4) else { return false };
    if head.eq_ignore_ascii_case("test") {
        return text[4..].bytes().all(|b| b.is_ascii_digit() || matches!(b, b'_' | b'-' | b' ' | b'#'));
    }
    text.starts_with("测试")
}

/// Whether a cell says that its row adds up others: `合计`, `Total`, `Grand Total:`.
pub(crate) fn is_total(cell: &[u8]) -> bool {
    if cell.len() > 64 || cell.first().is_some_and(u8::is_ascii_digit) {
        return false;
    }
    let Ok(text) = std::str::from_utf8(cell) else { return false };
    let word = crate::names::squeeze(text);
    matches!(word.as_str(), "total" | "totals" | "grandtotal" | "subtotal" | "sum" | "summe" | "gesamt")
        || ["合计", "总计", "小计", "共计", "总和", "合計", "總計"].iter().any(|w| word.starts_with(w))
}

/// Whether a cell of the column `name` says nothing about the column: a repeated header, or a word for totals.
pub(crate) fn is_label(cell: &[u8], name: &str) -> bool {
    (!cell.is_empty() && cell.trim_ascii() == name.as_bytes()) || is_total(cell)
}

/// Whether an order id is `C` and digits.
pub(crate) fn is_cancellation(id: &[u8]) -> bool {
    matches!(id, [b'C' | b'c', rest @ ..] if !rest.is_empty() && rest.iter().all(u8::is_ascii_digit))
}
