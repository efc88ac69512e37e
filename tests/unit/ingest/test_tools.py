"""Exports of product research tools other than Keepa, with invented products in the shape of the real files."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from pipeline.errors import DumpError

BLACK_BOX = (
    "URL,Image URL,ASIN,Title,Brand,Fulfillment,Category,BSR,UPC,GTIN,EAN,ISBN,Subcategory,Subcategory BSR,Price,Price Trend (90 days) (%),"
    "Parent Level Sales,ASIN Sales,Sales Trend (90 days) (%),Parent Level Revenue,ASIN Revenue,Review Count,Frequently Returned Item Badge,"
    "Reviews Rating,Seller,Seller Country/Region,Number of Active Sellers,Last Year Sales,Sales Year Over Year (%),Size Tier,Length,Width,"
    "Height,Weight,Storage Fee (Jan - Sep),Storage Fee (Oct - Dec),Best Sales Period,Listing Age (Months),Number of Images,"
    "Variation Count,Sales to Reviews\n"
)
BLACK_BOX_ROWS = (
    'https://x/1,https://x/i,B0INV00001,"Nestora Under-Shelf Basket, 4 Pack",Nestora,FBA,Home & Kitchen,4182,400000001012,02000000001012,'
    '2000000001012,-,"Baskets, Bins & Containers",79,24.99,-3,"1,449","1,162",12,"36,210.51",29038.38,426,-,4.5,Sample Store,US,1,'
    '"10,800",33,Large Standard-Size,11.2,7.4,3.1,2.16,0.11,0.34,Q4,17,7,2,2.73\n'
    "https://x/2,https://x/i,B0INV00002,Pawluma Dog Leash Wall Hook,,MFN,Pet Supplies,N/A,,,,,Leashes,-,19.5,,300,-,,5850,-,5,Yes,3.4,-,"
    "CN,3,N/A,N/A,Small Standard-Size,,,,0.7 lb,,,,2,5,1,\n"
)
BLACK_BOX_ZH = (
    "URL,图片 URL,ASIN,产品标题,品牌,配送方式,类目,BSR,UPC,GTIN,EAN,ISBN,子类目,子类目BSR,价格,价格趋势（90 天） (%),父级销量,ASIN 销量,"
    "销量趋势（90 天） (%),父级收入,ASIN 收入,评论数量,评论评分,第三方卖家,卖家国家/地区,跃卖家数量,去年销量,销量年同比 (%),尺寸分级,"
    "长度,宽度,高度,重量,仓储费用 (1 月 - 9 月),仓储费用 (10 月 - 12 月),最佳销售期,年龄（月）,图片的数量,变体数量,销量评论比\n"
)
BLACK_BOX_ZH_ROW = (
    'https://x/1,https://x/i,B0INV00001,"Nestora Basket, 4 Pack",Nestora,FBA,Home & Kitchen,4182,400000001012,02000000001012,2000000001012,'
    '-,Baskets,79,24.99,-3,"1,449","1,162",12,"36,210.51",29038.38,426,4.5,Sample Store,US,1,"10,800",33,Large Standard-Size,11.2,7.4,3.1,'
    "2.16,0.11,0.34,Q4,17,7,2,2.73\n"
)
XRAY_2023 = (
    "Product Details,ASIN,URL,ImageURL,Images,Brand,Price {},Sales,Revenue,BSR,Fees {},Active Sellers #,Ratings,Review Count,Images,"
    "Review velocity,Buy Box,Category,Size Tier,Fulfillment,Dimensions,Weight,Creation Date\n"
    "Nestora Basket,B0INV00001,https://x,https://x/i,,Nestora,{},5210,5991500,9,361.4,2,3.7,1804,7,41,Sample Retail,Home & Kitchen,"
    "Heavy and Bulky,FBA,3.2x1.8x4.4,0.31,2023-05-09 00:00:00\n"
)
XRAY_2026 = (
    "Display Order,Product Details,ASIN,URL,Image URL,Brand,Price  {},Parent Level Sales,ASIN Sales,Recent Purchases,Parent Level Revenue,"
    "ASIN Revenue,Title Char. Count,BSR,Seller Country/Region,Fees  {},Active Sellers,Ratings,Review Count,Images,Review velocity,Buy Box,"
    "Category,Size Tier,Fulfillment,Dimensions,Weight,ABA Most Clicked,Creation Date,Sponsored,Best Seller,Seller Age (mo),Seller\n"
)
XRAY_2026_ROWS = (
    '3.,"Nestora Basket, 4 Pack",B0INV00001,https://x,https://x/i,Nestora,"24,99",1\u00a0449,1\u00a0162,800,"36\u00a0210,51",'
    '"29\u00a0038,38",34,4\u00a0182,US,"8,3",1,"4,5",1\u00a0426,7,22,Sample Store,Home & Kitchen,Large Standard-Size,FBA,'
    '"11,20 x 3,10 x 7,40 in","2,16",#1,"Jul 9, 2024",,No,17,Sample Store\n'
    '3.1.,"Nestora Basket, 2 Pack",B0INV00009,https://x,https://x/i,Nestora,20,1\u00a0449,287,N/A,"36\u00a0210,51",5\u00a0740,34,'
    '4\u00a0182,N/A,"6,1",1,"4,5",1\u00a0426,6,9,Sample Store,Home & Kitchen,Large Standard-Size,FBA,"11,20 x 1,60 x 7,40 in","1,1",N/A,'
    '"Oct 3, 2024",,No,16,Sample Store\n'
)
SPRITE = (
    "图片,ASIN,SKU,详细参数,品牌,品牌链接,商品标题,商品详情页链接,商品主图,父ASIN,类目路径,大类目,大类BSR,大类BSR增长数,大类BSR增长率,"
    "小类目,小类BSR,月销量,销量环比增长率,销量同比增长率,月销售额({0}),子体销量,子体销售额({0}),变体数,价格({0}),prime价格({0}),Coupon,"
    'Q&A,评分数,"月新增\n评分数",评分,留评率,FBA({0}),毛利率,评级,上架时间,上架天数,配送方式,买家运费({0}),LQS,卖家数,BuyBox卖家,'
    "商品重量,商品重量（单位换算）,重量,重量\n"
    ',B0INV00001,4 Pack,,Nestora,,"Nestora Basket, 4 Pack",https://x,,B0INV000P1,"Home & Kitchen:Storage & Organization:Baskets, Bins",'
    'Home & Kitchen,4182,-120,-2.8%,Baskets,79,"1,449",12%,-12.5%,36210.51,1162,29038.38,2,24.99,,,,426,22,4.5,1.5%,5.42,63%,,2024-08-22,'
    "823,FBA,,,1,Sample Store,2.16 pounds,980 g,,\n"
    ",B0INV00002,,,,,Pawluma Hook,,,,,Pet Supplies,,,,,,N/A,,,,,,,,,,,,,4,,,,,2026-09-01,,FBM,,,,,,,,\n"
)
SCOUT = (
    '"Export time: 9/14/2026, 10:05:51 AM","","#","Product Name","Brand","Price","Mo. Sales","D. Sales","Mo. Revenue","Date First Available",'
    '"Net","Rating Number","Rating","Fees","Rank","Category","ASIN","Link"\n'
    '"Search Term: storage basket","","1","Nestora Basket","Nestora","$24.99","1162","38","$29038","12/16/2024","$13.35","426","4.5","$11.64",'
    '"4182","Home & Kitchen","B0INV00001","https://x"\n'
    '"Average Sales: 1,104","","2","Pawluma Hook","Generic","$6.5","...","...","...","...","$-1.23","5","","$7.72","","...","B0INV00002",""\n'
    '"Average Price: $21.80","","","","","","","","","","","","","","","","",""'
)


def test_black_box_takes_the_products_own_sales_and_no_weight_without_a_unit(read):
    got = read("\ufeff" + BLACK_BOX + BLACK_BOX_ROWS)
    one, two = got.rows
    assert got.report.source == "helium10-black-box" and got.aside == []
    assert (one["price_cents"], one["monthly_sold"], one["sales_rank"], one["return_flag"]) == (2499, 1162, 4182, None)
    assert one["gtin"] == "2000000001012 400000001012" and one["package_weight_g"] is None
    assert (two["price_cents"], two["monthly_sold"], two["sales_rank"], two["return_flag"]) == (1950, None, None, "high")
    assert two["package_weight_g"] == pytest.approx(0.7 * 453.59237)
    assert "Weight: 1 cells not understood, taken as missing" in got.report.warnings


def test_black_box_with_chinese_headers_says_the_same(read):
    row = read(BLACK_BOX_ZH + BLACK_BOX_ZH_ROW).rows[0]
    wanted = read(BLACK_BOX + BLACK_BOX_ROWS).rows[0]
    for name in (
        "product_id",
        "price_cents",
        "monthly_sold",
        "sales_rank",
        "rating",
        "rating_count",
        "gtin",
        "category_path",
        "offer_count",
    ):
        assert row[name] == wanted[name]
    assert row["source"] == "helium10-black-box-zh"


@pytest.mark.parametrize(("sign", "cell"), [("$", "1150"), ("US$", "1,150.00"), ("USD", "$1150")])
def test_xray_of_2023_holds_one_header_twice_and_names_the_currency_in_another(read, sign, cell):
    got = read(XRAY_2023.format(sign, sign, f'"{cell}"'))
    row = got.rows[0]
    assert (row["price_cents"], row["currency"], row["monthly_sold"], row["listed_since"]) == (115000, "USD", 5210, date(2023, 5, 9))


def test_xray_in_a_currency_that_is_not_the_marketplaces_is_set_aside(read, context):
    got = read(XRAY_2023.format("£", "£", "1150"), plan=replace(context, declared={"helium10-xray": {"marketplace": "US"}}))
    assert [row["kind"] for row in got.aside] == ["currency"]
    assert read(XRAY_2023.format("£", "£", "1150")).rows[0]["marketplace"] == "UK"
    yen = read(XRAY_2023.format("¥", "¥", "1150"), plan=replace(context, declared={"helium10-xray": {"marketplace": "US"}}))
    assert [row["kind"] for row in yen.aside] == ["currency"]


def test_xray_in_rupees_is_refused_until_the_plan_knows_them(read, context):
    content = XRAY_2023.format("₹", "₹", '"1,13,529.90"')
    with pytest.raises(DumpError, match="currency 'INR' is not in the plan"):
        read(content)
    plan = replace(context, currencies={**context.currencies, "INR": 2}, marketplaces={**context.marketplaces, "IN": "INR"})
    row = read(content, plan=plan).rows[0]
    assert (row["price_cents"], row["marketplace"]) == (11352990, "IN")


def test_xray_with_decimal_commas_is_read_when_the_plan_says_so_and_never_by_guess(read, context):
    content = XRAY_2026.format("USD", "USD") + XRAY_2026_ROWS
    got = read(content, plan=replace(context, declared={"helium10-xray": {"decimal": ","}}))
    assert [(r["price_cents"], r["monthly_sold"], r["rating"], r["rating_count"]) for r in got.rows] == [
        (2499, 800, 4.5, 1426),
        (2000, 287, 4.5, 1426),
    ]
    assert got.rows[0]["listed_since"] == date(2024, 7, 9)
    assert [row["kind"] for row in read(content).aside] == ["value", "value"]


def test_recent_purchases_with_a_plus_are_a_lower_bound(read):
    row = XRAY_2026_ROWS.splitlines()[0].replace(",800,", ',"5,000+",').replace('"24,99"', "24.99").replace('"4,5"', "4.5")
    assert read(XRAY_2026.format("$", "$") + row + "\n").rows[0]["monthly_sold"] == 5000


@pytest.mark.parametrize(("sign", "market", "currency"), [("$", "US", "USD"), ("£", "UK", "GBP"), ("€", "DE", "EUR")])
def test_sellersprite_names_the_currency_in_its_headers(read, context, sign, market, currency):
    plan = replace(context, declared={"sellersprite": {"marketplace": market}})
    got = read("\ufeff" + SPRITE.format(sign), plan=plan)
    one, two = got.rows
    assert got.report.source == "sellersprite" and got.report.header == 2
    assert (one["price_cents"], one["currency"], one["monthly_sold"], one["package_weight_g"]) == (2499, currency, 1162, 980)
    assert one["category_path"] == "Home & Kitchen > Storage & Organization > Baskets, Bins" and one["parent_id"] == "B0INV000P1"
    assert (two["price_cents"], two["category_path"], two["monthly_sold"]) == (None, "Pet Supplies", None)


def test_jungle_scouts_bar_of_notes_is_no_column_and_no_record(read):
    got = read("\ufeff" + SCOUT)
    one, two = got.rows
    assert (one["price_cents"], one["monthly_sold"], one["listed_since"]) == (2499, 1162, date(2024, 12, 16))
    assert (two["price_cents"], two["monthly_sold"], two["brand"], two["category_path"]) == (650, None, "Generic", None)
    assert got.report.non_records == {"side_note": 1} and got.aside == []


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("Keyword Phrase,Search Volume,Position (Rank)\nbasket,380,4\n", "Helium 10 Cerebro or Magnet"),
        ("Keyword,30-Day Search Volume (Exact),30 Day Trend\nbasket,380,4%\n", "Jungle Scout Keyword Scout"),
        ("JUNGLESCOUT KEYWORD SCOUT CSV EXPORT\nReport Generated at: 2026-09-14\n", "Jungle Scout Keyword Scout"),
    ],
)
def test_a_keyword_export_is_refused_by_its_name(read, content, name):
    with pytest.raises(DumpError, match=f"dump.csv: {name}.*holds search terms and no products; export products instead"):
        read(content)
