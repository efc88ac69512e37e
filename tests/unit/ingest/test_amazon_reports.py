"""Amazon's reports to a seller, with invented orders in the shape of the real files."""

from __future__ import annotations

from datetime import date, datetime

import pytest

RETURNS = (
    "return-date,order-id,sku,asin,fnsku,product-name,quantity,fulfillment-center-id,detailed-disposition,reason,status,"
    "license-plate-number,customer-comments\n"
    "2026-06-03T23:12:44-07:00,111-0000001-0000001,NS-104,B0INV00001,X00INV0001,Nestora Basket,1,ABC1,SELLABLE,UNWANTED_ITEM,"
    "Unit returned to inventory,LPN000001,\n"
    "06/05/2026,111-0000002-0000002,PW-2,B0INV00002,X00INV0002,Pawluma Hook,2,ABC1,CUSTOMER_DAMAGED,DEFECTIVE,Reimbursed,LPN000002,"
    '"Arrived broken, scratched"\n'
)
MERCHANT = (
    "Order ID	Order date	Return request date	Return request status	Amazon RMA ID	Merchant RMA ID	Label type	Label cost"
    "	Currency code	Return carrier	Tracking ID	Label to be paid by	A-to-Z Claim	Is prime	ASIN	Merchant SKU	Item Name"
    "	Return quantity	Return Reason	In policy	Return type	Resolution	Invoice number	Return delivery date	Order Amount"
    "	Order quantity	SafeT Action reason	SafeT claim id	SafeT claim state	SafeT claim creation time"
    "	SafeT claim reimbursement amount	Refunded Amount{}\n"
    "111-0000001-0000001	02-Aug-2026	14-Aug-2026	Approved	D0inventRMA		AmazonPrePaidLabel	6.35	USD	UPS"
    "	1ZINVENT0001	Seller	N	N	B0INV00001	NS-104	Nestora Basket	1	UNWANTED_ITEM	Y	C-Returns	StandardRefund"
    "		20-Aug-2026	24.99	1						24.99{}\n"
)
LISTINGS = (
    "item-name	item-description	listing-id	seller-sku	price	quantity	open-date	image-url	item-is-marketplace"
    "	product-id-type	zshop-shipping-fee	item-note	item-condition	zshop-category1	zshop-browse-path	zshop-storefront-feature"
    "	asin1	asin2	asin3	will-ship-internationally	expedited-shipping	zshop-boldface	product-id	bid-for-featured-placement"
    "	add-delete	pending-quantity	fulfillment-channel	merchant-shipping-group	status\n"
    "Nestora Café Basket		0101INV0001	NS-104	24.99	13	2026-01-20 08:00:00 PST		y	1			11"
    "				B0INV00001						B0INV00001			0	DEFAULT	Migrated Template	Active\n"
    'Kritzli 12" Globe		0101INV0003	00123		0	20-Jan-26		y	1			11'
    "				B0INV00003						B0INV00003			0	DEFAULT	Migrated Template	Inactive"
)
FEES = (
    "sku	fnsku	asin	amazon-store	product-name	product-group	brand	fulfilled-by	your-price	sales-price	longest-side"
    "	median-side	shortest-side	length-and-girth	unit-of-dimension	item-package-weight	unit-of-weight	product-size-tier	currency"
    "	estimated-fee-total	estimated-referral-fee-per-unit	estimated-variable-closing-fee	estimated-order-handling-fee-per-order"
    "	estimated-pick-pack-fee-per-unit	estimated-weight-handling-fee-per-unit	expected-fulfillment-fee-per-unit"
    "	estimated-future-fee (Current Selling on Amazon + Future Fulfillment fees)	estimated-future-order-handling-fee-per-order"
    "	estimated-future-pick-pack-fee-per-unit	estimated-future-weight-handling-fee-per-unit	expected-future-fulfillment-fee-per-unit\n"
    "NS-104	X00INV0001	B0INV00001	US	Nestora Basket	Home	Nestora	Amazon	24.99	24.99	11.20	7.40	3.10	32.20"
    "	inches	2.16	pounds	UsLargeStandardSize	USD	9.67	3.75	0.00	--	--	--	5.92	--	--	--	--	--\n"
)
ECONOMICS = (
    "Amazon store,Start date,End date,Parent ASIN,ASIN,FNSKU,MSKU,Currency code,Average sales price,Units sold,Units returned,Net units sold,"
    "Sales,Net sales,Base fulfillment fee per unit,Referral fee total,Net proceeds total\n"
    "US,07/01/2026,07/31/2026,B0INV000P1,B0INV00001,,NS-104,USD,24.99,100,6,94,2499.00,2349.06,5.92,375.00,526.93\n"
    "US,07/01/2026,07/31/2026,B0INV00003,B0INV00003,,KZ-1,USD,,0,0,0,0,0,,,-0.25\n"
)


@pytest.mark.parametrize("separator", [",", "\t"])
def test_fba_returns_are_return_lines_of_their_orders(read, separator):
    content = RETURNS if separator == "," else RETURNS.replace(",", "\t")
    got = read(content)
    assert [(r["order_id"], r["product_id"], r["ordered_at"], r["quantity"], r["is_return"]) for r in got.rows] == [
        ("111-0000001-0000001", "B0INV00001", datetime(2026, 6, 4, 6, 12, 44), 1, True),
        ("111-0000002-0000002", "B0INV00002", datetime(2026, 6, 5), 2, True),
    ]
    assert {row["source"] for row in got.rows} == {"amazon-fba-returns"} and "customer-comments" in got.report.unused


@pytest.mark.parametrize("more", ["", "\tOrder Item ID"])
def test_merchant_returns_of_32_and_33_columns_are_return_lines(read, more):
    row = read(MERCHANT.format(more, "\t00000000000001" if more else "")).rows[0]
    assert (row["order_id"], row["product_id"], row["is_return"], row["currency"]) == ("111-0000001-0000001", "B0INV00001", True, "USD")
    assert (row["ordered_at"], row["quantity"]) == (datetime(2026, 8, 14), 1)


def test_a_listings_report_says_what_is_listed_already(read):
    line = LISTINGS.replace('12" ', "12 ").encode("cp1252")
    got = read(line, "listings.txt")
    assert [(r["product_id"], r["own_sku"], r["listed_price_cents"], r["listed_on"]) for r in got.rows] == [
        ("B0INV00001", "NS-104", 2499, date(2026, 1, 20)),
        ("B0INV00003", "00123", None, None),
    ]
    assert (got.report.encoding, got.report.warnings) == ("cp1252", ["open-date: 1 cells not understood, taken as missing"])


def test_a_fee_preview_says_what_is_listed_and_no_fee(read):
    row = read(FEES).rows[0]
    assert (row["product_id"], row["own_sku"], row["listed_price_cents"], row["marketplace"]) == ("B0INV00001", "NS-104", 2499, "US")
    assert row["source"] == "amazon-fee-preview"


def test_sku_economics_count_sold_and_returned_units_of_a_month(read):
    got = read(ECONOMICS)
    assert [(r["product_id"], r["sold_orders"], r["returned_orders"], r["sold_units"], r["returned_units"]) for r in got.rows] == [
        ("B0INV00001", 100, 6, 100, 6),
        ("B0INV00003", 0, 0, 0, 0),
    ]
    assert {(r["period_start"], r["period_end"]) for r in got.rows} == {(date(2026, 7, 1), date(2026, 7, 31))}


def test_an_american_months_day_is_never_a_month(read):
    got = read(ECONOMICS.replace("07/31/2026", "31/07/2026", 1))
    assert [row["column"] for row in got.aside] == ["End date"] and len(got.rows) == 1
