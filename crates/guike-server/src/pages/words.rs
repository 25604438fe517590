//! What the pages say beyond the report's words, in English and Chinese side by side.

macro_rules! words {
    ($($name:ident $en:literal $zh:literal)*) => {
        $(pub(super) const $name: guike::report::words::Word = guike::report::words::word($en, $zh);)*
        #[cfg(test)]
        pub(super) const ALL: &[(&str, guike::report::words::Word)] = &[$((stringify!($name), $name)),*];
    };
}
pub(super) use words;

words! {
    // around every page
    SKIP "Skip to the content" "跳到正文"
    PAGES "Pages" "页面"
    OVERVIEW "Overview" "概览"
    RFM "RFM" "RFM 分析"
    RFM_TITLE "Recency, frequency and money" "最近购买、频率与金额"
    QUALITY "How sure we are" "把握有多大"
    EXPLAIN "Why" "预测依据"
    RETENTION "Retention" "留存"
    MODELS "Models" "模型"
    SOURCE "Order log" "订单日志"
    LOG_OUT "Log out" "退出登录"
    SAVE "Save as CSV" "另存为 CSV"
    SAVE_OF "Save as CSV: {what}" "另存为 CSV：{what}"
    TABLE_OF "The numbers of “{what}”" "“{what}”的数据"
    FOOTER "Guike {version}. Made from the files of this run on this machine; nothing was sent anywhere." "贵客 Guike {version}。由本机的运行结果生成，未向任何地方发送数据。"
    NO_SCRIPT "The charts need a script that is switched off in this browser; the tables below each of them hold the same numbers." "图表需要脚本，而此浏览器已停用脚本；每幅图下方的表格含有相同的数据。"
    OLD_RUN "This run was made by an earlier version of Guike, which kept less. Run guike run again to see the rest of this page." "这次运行由较早版本的 Guike 完成，保存的内容较少。请重新运行 guike run 以查看本页其余部分。"
    NO_RUN "No results of a run are served. Start the server with the folder of guike run: guike serve shop" "服务器未加载运行结果。请用 guike run 的结果文件夹启动：guike serve shop"
    GO_HOME "Back to the overview" "返回概览"
    PROBLEM_ID "Request {id}" "请求编号 {id}"

    // overview
    FRESHNESS "How fresh it is" "数据的新旧"
    FRESH "The data end on {day}, {n} days ago; the forecast looks ahead to {until}." "数据截至 {day}（{n} 天前），预测至 {until}。"
    FRESH_TODAY "The data end on {day}; the forecast looks ahead to {until}." "数据截至 {day}，预测至 {until}。"
    STALE "The forecast window ended on {until}. Run again with newer orders: what is shown here is history." "预测期已于 {until} 结束。请用更新的订单重新运行：这里显示的已是历史。"
    BEST "Most valuable customers" "最有价值的顾客"
    ALL_CUSTOMERS "All customers" "全部顾客"
    SURE_LINK "How sure we are" "把握有多大"

    // customers
    SEARCH "Id begins with" "顾客号开头"
    PURPOSE "What for" "用途"
    NO_PURPOSE "none: by pseudonyms" "无：显示化名"
    P_SERVICE "service" "客户服务"
    P_MARKETING "marketing" "营销"
    P_RETENTION "retention" "挽留"
    P_CREDIT "credit" "信用"
    P_FRAUD "fraud" "反欺诈"
    P_SUBJECT "the customer asks" "客户本人要求"
    P_QUALITY "data quality" "数据质量"
    GROUP_ALL "All groups" "全部客群"
    TIER_ALL "All tiers" "全部层级"
    APPLY "Show" "显示"
    FOUND "**{n}** of {all} customers, expected to spend **{spend}**" "{all} 位顾客中的 **{n}** 位，预计共消费 **{spend}**"
    FOUND_ALL "**{n}** customers, expected to spend **{spend}**" "**{n}** 位顾客，预计共消费 **{spend}**"
    FOUND_NONE "No customer is like that. Ids are compared as the log writes them, with leading zeros and in the same case." "没有符合条件的顾客。顾客号按日志原样比较，区分前导零与大小写。"
    EXPORT "Save these {n} as" "将这 {n} 位另存为"
    BOUNDS "From … to …" "数值范围"
    AT_LEAST "{what}: at least" "{what}：不低于"
    AT_MOST "{what}: at most" "{what}：不高于"
    BOUND_NEXT "Days to the next purchase" "距下次购买天数"
    BOUND_ACTIVE "Probability to buy (0 to 1)" "购买概率（0 至 1）"
    BOUND_ORDERS "Expected purchase days" "预期购买日"
    NEXT "Next page" "下一页"
    FIRST_PAGE "First page" "第一页"
    DAYS_SINCE "Days since last purchase" "距上次购买天数"
    NEXT_ORDER "Next purchase" "下次购买"
    EVEN_ODDS "by then with even odds;" "届时有五成可能；"
    ORDERS_AHEAD "{n} purchase days expected" "预期 {n} 个购买日"
    DAYS_BEFORE "{n} days before the data end" "数据截止前 {n} 天"
    DAYS_SO_FAR "on {n} purchase days" "{n} 个购买日"
    RFM_ABOUT "recency, frequency, money; 5 is best" "最近、频率、金额；5 为最佳"
    NEXT_NEVER "may never come" "可能不再购买"
    SORTED_BY "Sort by {what}" "按{what}排序"
    CLEAR "Clear filters" "清除筛选"

    // audiences
    AUDIENCES "Audiences" "人群"
    AUDIENCE "Audience" "人群"
    AUDIENCES_LEAD "Filters of customers that were saved under a name. Each is asked anew of the run that is served, so that it is never out of date." "以名称保存的顾客筛选条件。每次查看都按当前结果重新计算，因此不会过时。"
    NO_AUDIENCES "None is saved yet. Filter customers and save the filter there." "尚未保存任何人群。请在顾客页筛选后保存。"
    NO_AUDIENCES_HERE "A filter is kept in a workspace, and a folder is served here. Start the server with a workspace to save audiences: guike run orders.csv --workspace my-shop, guike serve my-shop" "筛选条件保存在工作区中，而此处加载的是文件夹。如要保存人群，请以工作区启动服务器：guike run orders.csv --workspace my-shop，guike serve my-shop"
    AUDIENCE_NAME "Save this filter as an audience called" "将此筛选保存为人群，名称"
    KEEP "Save" "保存"
    FILTER "Filter" "筛选条件"
    SAVED_BY "Saved by" "保存者"
    SAVE_AS "Save as" "另存为"
    DELETE "Delete" "删除"
    DELETE_ONE "Delete the audience {name}" "删除人群 {name}"

    // one customer
    BACK "All customers" "全部顾客"
    CUSTOMER_LEAD "In the {days} days after {cutoff} this customer is expected to spend **{spend}**, with 80% probability between {lo} and {hi}, and buys at least once with a probability of **{p}**." "自 {cutoff} 起的 {days} 天内，预计该顾客消费 **{spend}**，有 80% 的可能在 {lo} 至 {hi} 之间；至少购买一次的概率为 **{p}**。"
    FORECAST_RANGE "What the spend may be" "可能的消费"
    FORECAST_RANGE_CAPTION "The dark band holds what is spent with 80% probability, the pale one with 90%. The ring is the mean, which totals are made of; the line is the median: half of such customers spend less." "深色带为 80% 区间，浅色带为 90% 区间。圆圈为均值（总量由此相加），竖线为中位数：半数此类顾客消费更少。"
    SPEND_AHEAD "spend in the next {days} days" "未来 {days} 天的消费"
    MEDIAN "Median" "中位数"
    MEAN "Mean" "均值"
    PLACE "Among all customers" "在全部顾客中"
    PLACE_CAPTION "Share of the other customers who stand below, in each of these." "在各项上低于该顾客的其他顾客所占比例。"
    PLACE_X "share of customers below" "低于该顾客的比例"
    PLACE_RECENCY "How recently: {n} days ago" "最近购买：{n} 天前"
    PLACE_FREQUENCY "How often: {n} purchase days" "购买频率：{n} 个购买日"
    PLACE_MONEY "Spent so far: {spend}" "累计消费：{spend}"
    PLACE_VALUE "Expected to spend: {spend}" "预期消费：{spend}"
    ALIKE "Customers much like this one" "相似的顾客"
    ALIKE_NOTE "Nearest by recency, purchase days and mean spend so far." "按最近购买、购买日数与平均消费最接近。"
    NO_CUSTOMER "No such customer" "没有这位顾客"
    SINCE_RUN "This is as of {day}: something was told of this customer since the run." "以 {day} 为准：本次运行之后收到了这位顾客的新记录。"
    WHY_LINK "Why this forecast, and what would move it" "为什么是这个预测，什么会改变它"
    WHY_TITLE "Why {id} is expected to spend this" "为什么预计 {id} 会这样消费"
    BACK_TO "Customer {id}" "顾客 {id}"
    NO_LOG "What this customer bought day by day is not shown: the run kept no log. Run guike run again without --without-log." "未显示逐日购买记录：本次运行未保存日志。请去掉 --without-log 重新运行 guike run。"
    STILL_READING "What this customer bought day by day is still being read; load the page again in a moment." "逐日购买记录仍在读取，请稍后刷新页面。"
    WHY_ONE "Why a single customer's forecast is what it is stands on the page of that customer." "单个顾客的预测依据见该顾客的页面。"
    NO_WHAT_IF "Not shown: the customer has not spent anything yet." "未显示：这位顾客尚无消费。"
    COURSE "Spend so far and ahead" "已消费与预期消费"
    COURSE_CAPTION "What was spent, added up purchase day by purchase day, and from the last known day on what is expected to come on top, with its 80% interval." "按购买日累计的消费；自数据截止日起为预期新增消费及其 80% 区间。"
    SPENT_LINE "Spent" "已消费"
    LOWER_END "Lower end of the interval" "区间下限"
    UPPER_END "Upper end of the interval" "区间上限"
    DAYS_FROM "days before and after {day}" "距 {day} 的天数"
    SPEND_ADDED "spend, added up" "累计消费"
    SPENT_THEN "Spend" "消费"
    DAY "Day" "日期"
    UNTIL "expected until {day}" "预期至 {day}"
    BY_THEN "Has bought again by then" "届时已再次购买"
    BY_THEN_CAPTION "The probability of at least one purchase from the last known day until then; what is missing to 100% is the chance that she has stayed away." "自数据截止日起至该日至少购买一次的概率；与 100% 的差即仍未购买的可能。"
    BOUGHT_BY "has bought" "已购买"
    DAYS_AHEAD "days ahead" "未来天数"

    // tiers
    MOVED_CAPTION "Tiers before on the left, now on the right; the wider a band, the more customers." "左侧为之前的层级，右侧为现在的层级；色带越宽，顾客越多。"
    MOVED_UP "moved up" "上升"
    MOVED_DOWN "moved down" "下降"
    EDIT "What other borders would change" "调整分界的影响"
    EDIT_LEAD "Move a border and see who would change tier and what they are worth. Nothing is saved; to use it, run again with these values in guike.toml." "移动分界，查看哪些顾客会换层级及其价值。此处不保存；如要采用，请在 guike.toml 中写入这些数值后重新运行。"
    STARTS "{tier} starts at" "“{tier}”起点"
    PREVIEW "Preview" "预览"
    RESET "Back to the run's borders" "恢复为运行时的分界"
    NO_CHANGE "With these borders nobody moves." "按此分界没有顾客变动。"
    MOVES "**{n}** customers ({share}) would move: {up} up, {down} down. They are expected to spend **{spend}**." "**{n}** 位顾客（{share}）将变动：{up} 位上升，{down} 位下降；预计共消费 **{spend}**。"
    BORDER_ORDER "Borders must fall from tier to tier: {tier} starts at {value}, which is not below the tier above it." "分界须逐级降低：“{tier}”的起点 {value} 不低于上一层级。"
    BORDER_NUMBER "The border of {tier} must be a number of at least 0." "“{tier}”的分界须为不小于 0 的数。"
    NOW "Now" "现在"
    THEN "Then" "调整后"
    CHANGE "Change" "变化"
    THEN_VALUE "Share of value then" "调整后价值占比"
    NO_EDIT "These tiers are clusters of several facts and have no border to move." "这些层级由多项指标聚类而成，没有可移动的分界。"
    INDICATOR "Borders are values of {what}." "分界为{what}的数值。"
    I_ORDERS "expected purchase days" "预期购买日"
    I_ACTIVE "probability to buy" "购买概率"
    MATRIX "Who would move where" "变动去向"
    FROM_TO "from ↓ to →" "从 ↓ 到 →"
    AT_RISK "Value at risk" "有流失风险的价值"
    AT_RISK_NOTE "Value at risk: each customer's expected spend times her probability not to buy, added up." "有流失风险的价值：每位顾客的预期消费乘以不购买的概率之和。"

    // rfm
    RFM_TREE "Groups by expected spend" "各客群的预期消费"
    RFM_TREE_CAPTION "The larger the area, the more the group is expected to spend; the stronger the colour, the likelier its customers buy." "面积越大，预期消费越多；颜色越强，购买可能性越高。"
    HIST_RECENCY "How long ago the last purchase was" "距上次购买的时间"
    HIST_RECENCY_X "days" "天"
    HIST_FREQUENCY "How often customers bought" "购买频率"
    HIST_FREQUENCY_X "purchase days" "购买日数"
    HIST_MONEY "What customers spent so far" "累计消费"
    HIST_MONEY_X "spent so far (each step multiplies)" "累计消费（对数刻度）"
    HIST_SPREAD_X "expected spend (each step multiplies)" "预期消费（对数刻度）"
    HIST_CAPTION "Half of all customers are below {median}." "半数顾客低于 {median}。"
    RANGE "Range" "范围"

    // quality
    CHANCES "Probabilities against what happened" "概率与实际"
    CHANCES_CAPTION "Customers in groups by their probability to buy. Where the discs meet the tops of the bars, 30% means 30%." "按购买概率分组。圆点与柱顶重合，则 30% 的概率就是 30%。"
    CHANCES_Y "share that bought" "实际购买比例"
    BOUGHT "Bought" "实际购买"
    PR "Calling buyers: how many calls are right" "识别购买者：判断的准确度"
    PR_X "hits: share of buyers called" "命中率（购买者）"
    PR_MODEL "Calling “{class}”: how many calls are right" "识别“{class}”：判断的准确度"
    PR_X_MODEL "hits: share of the class called" "命中率（该类）"
    PR_Y "precision: share of calls that are right" "精确率"
    PR_CAPTION "Call more customers and more of the calls are wrong; the dot is the threshold chosen below." "判为购买者的越多，误判越多；圆点为下方选定的阈值。"
    CALL "Where to draw the line" "阈值与代价"
    CALL_LEAD "Whoever has a probability of at least the threshold is called a buyer. Say what a mistake costs and see what each threshold would have meant at the earlier cutoff." "概率不低于阈值者判为“会购买”。填写误判的代价，查看在历史截止日上各阈值的结果。"
    CALL_LEAD_MODEL "Rows with a probability of at least the threshold are called “{class}”. Say what a mistake costs and see what each threshold means." "概率不低于阈值的行判为“{class}”。填写误判的代价，查看各阈值的结果。"
    THRESHOLD "Threshold (percent)" "阈值（%）"
    COST_ALARM "Cost of a false alarm" "误报的代价"
    COST_MISS "Cost of a miss" "漏报的代价"
    CALLED_YES "Called" "判为是"
    CALLED_NO "Not called" "判为否"
    WAS_YES "Was so" "实际为是"
    WAS_NO "Was not" "实际为否"
    CALL_SAYS "At {threshold}: {called} called, {hits} of {all} found ({recall}), {precision} of the calls right; mistakes cost **{cost}**." "阈值 {threshold}：判为是 {called}，找出 {all} 中的 {hits}（{recall}），判断正确率 {precision}；误判代价 **{cost}**。"
    CALL_BEST "Cheapest at {threshold}: **{cost}**." "代价最低的阈值为 {threshold}：**{cost}**。"
    CALL_USE "Use it" "采用"
    CALL_WRONG "The threshold is a percentage from 0 to 100, and costs are numbers from 0 up." "阈值为 0 至 100 的百分比，代价为不小于 0 的数。"
    GAIN_MODEL "this forecast" "本预测"
    CHANCE "chance" "随机"
    MARK_CHOSEN "chosen" "入选"

    // why
    WHY_LEAD "What the model looks at when it forecasts, taken over a sample of customers." "模型预测时所依据的信息（在抽样顾客上汇总）。"
    WHY_HOW "A group of facts matters as much as a forecast changes when these facts are swapped for another customer's. It says what the model leans on, and not what would happen if one of them were changed." "某组信息的重要性，即把该组信息换成另一位顾客的信息时预测的变动。它说明模型依据什么，而不是改变它会带来什么结果。"

    // retention
    CURVES "Retention over the months" "逐月留存"
    CURVES_CAPTION "Each line is a month's new customers; the thick one is the average over all that are shown." "每条线为同月的新顾客；粗线为所示各群的平均。"
    AVERAGE "average" "平均"
    MONTHS_AFTER "months after the first purchase" "首购后的月数"
    BOUGHT_AGAIN "bought again" "再次购买"

    // models
    MODELS_LEAD "Models of tables that this server answers with." "本服务器提供的表格模型。"
    NO_MODELS "No model of a table is served. Start the server with a folder of guike train: guike serve value-model" "服务器未加载表格模型。请用 guike train 的结果文件夹启动：guike serve value-model"
    PREDICTS "Predicts" "预测"
    LEARNER "Learner" "学习器"
    COLUMNS "Columns" "列"
    CLASSES "Classes" "类别"
    VERSION "Version" "版本"
    TRY "Try it" "试一试"
    TRY_LEAD "Fill in what is known; leave empty what is not. Nothing is kept." "填写已知的内容，未知的留空。不会保存。"
    PREDICT "Predict" "预测"
    SAYS "The model says **{answer}**" "模型的回答：**{answer}**"
    SAYS_P "The model says **{answer}**, with a probability of **{p}**" "模型的回答：**{answer}**，概率 **{p}**"
    REASONS "Why" "原因"
    REASONS_CAPTION "From the average over all rows, what each column adds to the answer for “{class}”, in {unit}." "从全体平均出发，各列对“{class}”的贡献（单位：{unit}）。"
    REASONS_CAPTION_NUMBER "From the average over all rows, what each column adds to the answer." "从全体平均出发，各列对结果的贡献。"
    NO_REASONS "This model cannot tell its reasons by itself; the command guike explain compares a row with others." "该模型无法自行说明原因；可用命令 guike explain 与其他行比较。"
    BASE "average" "平均"
    ANSWER "answer" "结果"
    KNOWN_NOT "not known" "未知"
    WRONG_NUMBER "`{column}` needs a number, such as 12.5" "“{column}”须为数字，例如 12.5"
    WRONG_DATE "`{column}` needs a date in the form {format}" "“{column}”须为 {format} 格式的日期"
    NEVER_SEEN "“{column}”: training saw this group too seldom or not at all; it is treated as any other such group." "“{column}”：训练时很少或从未见过该类别，按其他罕见类别处理。"
    IMPORTANCE "What it leans on" "依据"
    IMPORTANCE_X "loss without the column, beside the loss with it" "去掉该列后增加的损失"
    IMPORTANCE_CAPTION "How much worse the model does when a column is shuffled, with 95% intervals. Columns near zero could be left out." "打乱某列后模型变差多少，附 95% 区间。接近零的列可以省去。"
    LOSS "Loss of every learner" "各学习器的损失"
    LOSS_CAPTION "Out of fold; further left is better. Rings are yardsticks that a model must beat; whiskers are 95% intervals of the difference to the best." "交叉验证所得；越靠左越好。空心圆为模型应胜过的基准；横线为与最佳者之差的 95% 区间。"
    SCORES_OF "How good it is" "效果"
    OUT_OF_FOLD "Out of fold" "交叉验证"
    KEPT_APART "Rows kept apart" "留出样本"
    ROC_MODEL "Telling “{class}” from the rest" "区分“{class}”与其余"
    ROC_MODEL_CAPTION "Given one row of the class and one that is not, the model ranks them rightly with probability {auc}. Predictions out of fold." "任取一个该类与一个非该类的样本，模型将二者正确排序的概率为 {auc}（交叉验证预测）。"
    ROC_MODEL_X "false alarms: share of the rest" "误报率（其余）"
    ROC_MODEL_Y "hits: share of the class" "命中率（该类）"
    LEAKS "Suspected leaks" "疑似泄漏"
    BACK_MODELS "All models" "全部模型"
}

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
        for (name, word) in ALL.iter().chain(crate::pages::words_running::ALL) {
            assert_eq!(places(word.en), places(word.zh), "{name}");
            for text in [word.en, word.zh] {
                assert!(!text.is_empty() && text.matches("**").count() % 2 == 0, "{name}: {text}");
            }
        }
    }
}
