"""The workbook's sheets and the seller's own columns, in English and Chinese; `decide` finds them again in either language."""

from __future__ import annotations

SHEETS = {
    "list": "List",
    "live": "Live, failing",
    "review": "Review",
    "source": "Sourcing",
    "miss": "Near misses",
    "reasons": "Reasons",
    "run": "Run",
}
MARKETPLACE, PRODUCT = "Marketplace", "Product ID"
JUDGED = "Judged as of"
# The seller's own columns: name in decisions.csv, heading, kind, width in characters.
OWN_COLUMNS = (
    ("decision", "Your decision", "entry", 13),
    ("note", "Your note", "entry", 30),
    ("quoted_cost", "Quoted cost", "money", 11),
    ("quote_valid_until", "Quote valid until", "date", 12),
    ("skip_until", "Skip until", "date", 12),
)
WORKBOOK: dict[str, str] = {
    "List": "清单",
    "Live, failing": "在售不合格",
    "Review": "待复核",
    "Sourcing": "待找货源",
    "Near misses": "险些入选",
    "Run": "运行",
    "Marketplace": "站点",
    "Product ID": "商品编号",
    "Your decision": "您的决定",
    "Quoted cost": "报价成本",
    "Quote valid until": "报价有效期至",
    "Skip until": "跳过至",
    "one of {words}": "可填：{words}",
    "Pick one, or leave it empty.": "选一个，或留空。",
    "Pay at most, CNY": "最高采购价（人民币）",
    "What would let it pass": "怎样才能入选",
    "Rank change": "名次变化",
    "Ask": "要询问的",
    "Products waiting": "等待的商品数",
    "{words}: type only in the coloured columns, then run: shortlist decide --from shortlist.xlsx": "{words}：只填写着色的列，然后运行 shortlist decide --from shortlist.xlsx",
    "Your decisions": "您的决定",
    "Prices": "售价走势",
    "Price, 180 days": "近 180 天售价",
    "Rule": "规则",
    "Fact": "项目",
    "Value": "值",
}
