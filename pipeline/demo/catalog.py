"""The invented market's goods: departments, category paths, words for titles, brands.

Plain facts, no logic but cutting the tables below into arrays. Paths are Amazon's real ones, titles and small brands are made
up, famous names stand only where a product is meant to be a known brand. Traps are from `docs/` on categories: dog coats are
no apparel, food boxes are no food, a smartwatch under Clothing is electronics.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product as combinations

import numpy as np
import numpy.typing as npt

DEPARTMENTS = ("other", "electronics", "food", "apparel", "powered", "animal_food", "luggage")
BRAND_STATES = ("known", "unknown", "generic", "missing")
GENERIC_TOKENS = ("Generic", "Generic", "Generic", "Generic", "Unbranded", "No Brand")
COLOURS = ("Gray", "White", "Black", "Natural", "Sage Green", "Navy", "Sand", "Terracotta", "Sky Blue", "Rose")
PACKS = (2, 3, 4, 5, 6, 8, 10, 12)

# Mean and strength of the true return rate: priors of the return study, three quarters of Amazon's published thresholds.
RETURN_PRIORS = {
    "grocery": (0.022, 40.0),
    "toys": (0.035, 40.0),
    "beauty": (0.041, 40.0),
    "home": (0.061, 40.0),
    "alike": (0.061, 20.0),
    "electronics": (0.084, 40.0),
    "bags": (0.096, 40.0),
    "apparel": (0.25, 40.0),
}

# Rate up to the first edge, up to the second, above (edges in cents, inclusive): enough for Keepa's effective `Referral Fee %`.
REFERRAL = {
    "clothing_accessories": (0.05, 1500, 0.10, 2000, 0.17),
    "baby": (0.08, 1000, 0.15, 1000, 0.15),
    "beauty_health_personal_care": (0.08, 1000, 0.15, 1000, 0.15),
    "grocery_gourmet": (0.08, 1500, 0.15, 1500, 0.15),
    "consumer_electronics": (0.08, 0, 0.08, 0, 0.08),
}
REFERRAL_ELSE = (0.15, 0, 0.15, 0, 0.15)

# style: adjectives; materials; features; known brands
_STYLES = {
    "home": (
        "Stackable|Slim|Large|Foldable|Minimalist|Woven|Adjustable|Compact",
        "Bamboo|Cotton Rope|Felt|Acrylic|Metal Wire|Seagrass|Linen|Rubberwood",
        'with Handles|with Labels|Space Saving|Non-Slip Base|for Closet and Shelf|16" Wide|Easy Assembly|for Small Spaces',
        "Rubbermaid|Sterilite|mDesign",
    ),
    "kitchen": (
        "Airtight|Nonstick|Deep|Everyday|Compact|Reusable|Rustic|Modern",
        "Silicone|Glass|Bamboo|Acacia Wood|Stoneware|Stainless Steel|Ceramic|Cork",
        'Dishwasher Safe|with Lids|Leakproof|BPA Free|for Pantry|12" Long|Heat Resistant|for Meal Prep',
        "Pyrex|KitchenAid|OXO",
    ),
    "gift": (
        "Funny|Engraved|Handmade|Vintage|Personalized|Tiny|Cheerful|Elegant",
        "Wooden|Resin|Ceramic|Brass|Glass|Felt|Stone|Paper",
        "for Mom|for Grandpa|Housewarming|for Teachers|with Gift Box|for Desk or Shelf|for Book Lovers|Keepsake",
        "Disney|Yankee Candle",
    ),
    "pet": (
        "Durable|Washable|Cozy|Interactive|Reflective|Portable|Chew Resistant|Elevated",
        "Nylon|Canvas|Plush|Rope|Rubber|Sherpa|Bamboo|Mesh",
        "for Small Dogs|for Indoor Cats|Machine Washable|with Pocket|for Puppies|Non-Slip|Easy to Clean|for Travel",
        "KONG|PetSafe",
    ),
    "office": (
        "Dotted|Slim|Undated|Tiered|Rotating|Weekly|Professional|Minimal",
        "Kraft Paper|Mesh|Leatherette|Bamboo|Acrylic|Cork|Cardstock|Steel",
        "A5|for Desk|with Drawer|120 gsm|for Planning|with Tabs|for Home Office|Letter Size",
        "Moleskine|Sharpie|Post-it",
    ),
    "garden": (
        "Heavy Duty|Hanging|Expandable|Rust Proof|Galvanized|Self Watering|Tall|Decorative",
        "Steel|Terracotta|Coconut Coir|Cedar|Burlap|Resin|Copper|Mesh",
        "for Raised Beds|for Balcony|with Drainage|for Seedlings|Weatherproof|for Climbing Plants|36 Inch|with Stakes",
        "Fiskars|Scotts",
    ),
    "sport": (
        "Quick Dry|Extra Thick|Lightweight|Training|Beginner|Adjustable|Non-Slip|Portable",
        "Latex|TPE|Cork|Nylon|Foam|Natural Rubber|Aluminum|Canvas",
        "with Carry Strap|for Home Gym|for Yoga|for Camping|with Storage Bag|for Beach|for Kids and Adults|72 Inch",
        "Wilson|Coleman|Spalding",
    ),
    "toy": (
        "Magnetic|Giant|Classic|Educational|Colorful|Travel|Creative|Wooden",
        "Wood|Foam|Cardboard|Plush|Felt|Silicone|Birch|Cotton",
        "for Ages 3 and Up|STEM|for Toddlers|Montessori|Party Favor|for Family Night|120 Pieces|Classroom",
        "LEGO|Hasbro|Mattel|Fisher-Price",
    ),
    "tool": (
        "Magnetic|Heavy Duty|Precision|Wall Mounted|Folding|Self Adhesive|Locking|Compact",
        "Steel|Aluminum|Nylon|Brass|Hardwood|Zinc|Rubber|Fiberglass",
        'for Garage|No Drill|with Case|Rust Resistant|for Woodworking|1/4"|with Screws|Load Rated',
        "Stanley|DeWalt|Bosch",
    ),
    "baby": (
        "Soft|Breathable|Waterproof|Gentle|Washable|Cute|Foldable|Hooded",
        "Organic Cotton|Muslin|Silicone|Bamboo|Fleece|Terry|Wooden|Cotton",
        "for Newborns|for Crib|Unisex|for Travel|BPA Free|for Nursery|with Clips|for Toddlers",
        "Graco|Chicco",
    ),
    "beauty": (
        "Gentle|Natural|Travel|Professional|Deep Cleansing|Vegan|Exfoliating|Satin",
        "Konjac|Bamboo|Jade|Silicone|Cotton|Boar Bristle|Sisal|Rose Quartz",
        "for Sensitive Skin|for Face|with Pouch|Reusable|for Curly Hair|Rice Water|for Men and Women|Fragrance Free",
        "Nivea|Maybelline",
    ),
    "craft": (
        "Assorted|Beginner|Premium|Fine Tip|Pastel|Self Healing|Hand Dyed|Metallic",
        "Acrylic|Wool|Canvas|Paper|Wood|Felt|Polymer Clay|Glass",
        "for Adults|for Scrapbooking|with Instructions|for Beginners|with Storage Case|Odorless|for Card Making|24 Colors",
        "Crayola|Cricut",
    ),
    "electronics": (
        "Wireless|Bluetooth|Fast Charging|Noise Cancelling|Portable|USB-C|Smart|4K",
        "20W|5.3|10000mAh|HDMI|2-in-1|LED|Braided|Waterproof",
        "for iPhone and Android|with Microphone|Touch Control|with Case|for Laptop|Long Battery Life|Gen 2|with Remote",
        "Sony|Samsung|Logitech|Anker|Garmin",
    ),
    "food": (
        "Organic|Gluten Free|Dark Roast|Spicy|Crunchy|Sugar Free|Artisan|Raw",
        "Honey|Almond|Sea Salt|Chocolate|Maple|Coconut|Ginger|Chili",
        "16 oz|Non GMO|Resealable Bag|Vegan|Individually Wrapped|Kosher|Small Batch|High Protein",
        "Nestle|Lindt|Heinz",
    ),
    "apparel": (
        "Men's|Women's|Casual|Slim Fit|Oversized|Lightweight|Classic|Athletic",
        "Cotton|Fleece|Denim|Merino|Linen|Knit|Jersey|Twill",
        "Long Sleeve|Regular Fit|with Pockets|Plus Size|Crew Neck|Quick Dry|Stretch|for Winter",
        "Nike|Adidas|Levi's|Puma|Under Armour|The North Face",
    ),
    "powered": (
        "Electric|Rechargeable|Automatic|Mini|Plug-in|Battery Operated|Cordless|Dimmable",
        "Stainless Steel|Glass|Silver|White|Retro|Compact|Warm White|Dual",
        "with Timer|1200W|110V|with Remote|Quiet|for Kitchen|for Bedroom|with Adapter",
        "Ninja|Philips|Cuisinart",
    ),
    "animal_food": (
        "Grain Free|Natural|Crunchy|Soft|Limited Ingredient|Freeze Dried|Premium|No Mess",
        "Chicken|Salmon|Beef|Turkey|Duck|Sunflower|Peanut|Pumpkin",
        "5 lb Bag|for Adult Dogs|for Kittens|for Wild Birds|Small Breed|High Protein|No Fillers|Training Size",
        "Purina|Blue Buffalo",
    ),
    "luggage": (
        "Expandable|Water Resistant|Carry-On|Lightweight|Roll Top|Everyday|School|Packable",
        "Nylon|Polyester|Canvas|Hardshell|Recycled|Oxford|Vegan Leather|Ripstop",
        "with Laptop Sleeve|20 Inch|for Travel|with Wheels|for Women|for Hiking|30L|Airline Approved",
        "Samsonite|JanSport",
    ),
}

# weight | department | style | return prior | fee category | path | nouns | median price USD | grams | unit: p may be a pack
_LINES = """
4.0|other|home|home|home_kitchen|Home & Kitchen > Storage & Organization > Drawer Organizers|Drawer Organizer;Drawer Divider;Desk Drawer Tray|26|520|p
4.0|other|home|home|home_kitchen|Home & Kitchen > Storage & Organization > Baskets, Bins & Containers|Storage Basket;Storage Bin;Closet Cube|28|760|p
2.5|other|home|home|home_kitchen|Home & Kitchen > Storage & Organization > Clothing & Closet Storage > Shoe Racks|Shoe Rack;Shoe Cabinet;Boot Tray|34|1900|
2.0|other|home|home|home_kitchen|Home & Kitchen > Storage & Organization > Clothing & Closet Storage > Hangers|Trouser Hanger;Scarf Hanger;Coat Hangers|23|640|p
2.0|other|home|home|home_kitchen|Home & Kitchen > Bath > Bathroom Accessories > Shower Caddies|Shower Caddy;Corner Shelf;Bath Tray|29|900|
2.0|other|home|home|home_kitchen|Home & Kitchen > Bedding > Blankets & Throws|Throw Blanket;Sofa Throw|33|980|
1.8|other|home|home|home_kitchen|Home & Kitchen > Home Décor Products > Window Treatments > Curtain Tiebacks|Curtain Tieback;Curtain Holder|21|180|p
3.0|other|kitchen|home|home_kitchen|Home & Kitchen > Kitchen & Dining > Storage & Organization > Food Storage|Food Storage Container;Bread Box;Cereal Jar|29|1100|p
2.5|other|kitchen|home|home_kitchen|Home & Kitchen > Kitchen & Dining > Dining & Entertaining > Serveware|Serving Tray;Snack Bowl;Coffee Mug Stand|31|850|p
2.0|other|kitchen|home|home_kitchen|Home & Kitchen > Kitchen & Dining > Kitchen Utensils & Gadgets|Utensil Holder;Baking Mat;Spice Rack|24|430|p
2.5|other|gift|home|home_kitchen|Home & Kitchen > Home Décor Products > Decorative Accessories > Figurines|Figurine;Desk Ornament;Keepsake Box|27|420|
2.0|other|gift|home|home_kitchen|Home & Kitchen > Home Décor Products > Candles & Holders > Candleholders|Candle Holder;Tealight Holder|25|500|p
1.8|other|gift|toys|toys_games|Toys & Games > Novelty & Gag Toys > Gag Toys & Practical Jokes|Desk Gag Gift;Joke Box;Puzzle Box|22|300|
1.5|other|gift|alike|home_kitchen|Handmade Products > Home & Kitchen > Artwork|Wall Sign;Name Plaque;Photo Frame|32|610|
3.5|other|pet|alike|pet_supplies|Pet Supplies > Dogs > Collars, Harnesses & Leashes > Leashes|Dog Leash;Dog Harness;Leash Holder|24|280|
2.5|other|pet|alike|pet_supplies|Pet Supplies > Dogs > Apparel & Accessories > Sweaters|Dog Sweater;Dog Raincoat|23|210|
3.0|other|pet|alike|pet_supplies|Pet Supplies > Cats > Toys > Catnip Toys|Cat Toy;Cat Tunnel;Scratching Pad|21|350|p
2.0|other|pet|alike|pet_supplies|Pet Supplies > Dogs > Beds & Furniture > Beds|Pet Bed;Crate Mat|38|1500|
1.5|other|pet|alike|pet_supplies|Pet Supplies > Cats > Feeding & Watering Supplies > Bowls|Feeding Bowl;Slow Feeder;Bowl Stand|24|620|p
3.5|other|office|alike|office_products|Office Products > Office & School Supplies > Desk Accessories & Workspace Organizers|Desk Organizer;Pen Holder;Monitor Riser|28|740|
2.5|other|office|alike|office_products|Office Products > Office & School Supplies > Paper > Notebooks & Writing Pads|Notebook;Planner;Journal|22|390|p
3.0|other|garden|alike|lawn_garden|Patio, Lawn & Garden > Gardening & Lawn Care > Pots, Planters & Container Accessories|Planter;Plant Stand;Hanging Basket|32|1300|p
2.0|other|garden|alike|lawn_garden|Patio, Lawn & Garden > Gardening & Lawn Care > Plant Support Structures > Trellises|Garden Trellis;Plant Support;Tomato Cage|30|1200|p
1.5|other|garden|alike|lawn_garden|Patio, Lawn & Garden > Backyard Birding & Wildlife > Birds > Bird Houses|Bird House;Bird Bath;Bee Hotel|31|1000|
3.0|other|sport|alike|sports_outdoors|Sports & Outdoors > Exercise & Fitness > Yoga > Mats|Yoga Mat;Exercise Mat;Yoga Block|29|1100|
2.5|other|sport|alike|sports_outdoors|Sports & Outdoors > Outdoor Recreation > Camping & Hiking > Camp Kitchen|Camp Mess Kit;Camp Stool;Dry Sack|31|870|p
1.5|other|sport|alike|sports_outdoors|Sports & Outdoors > Exercise & Fitness > Strength Training Equipment > Resistance Bands|Resistance Bands;Loop Bands|22|340|p
3.0|other|toy|toys|toys_games|Toys & Games > Building Toys > Building Sets|Building Set;Block Set;Marble Run|32|900|
2.5|other|toy|toys|toys_games|Toys & Games > Puzzles > Jigsaw Puzzles|Jigsaw Puzzle;Peg Puzzle;Floor Puzzle|24|600|
1.5|other|toy|toys|toys_games|Toys & Games > Dress Up & Pretend Play > Pretend Play > Kitchen Toys|Play Food Set;Tea Party Set|27|700|
3.0|other|tool|alike|tools_home_improvement|Tools & Home Improvement > Hardware > Hooks|Wall Hook Rail;Utility Hook;Tool Hanger|23|480|p
2.0|other|tool|alike|tools_home_improvement|Tools & Home Improvement > Power & Hand Tools > Hand Tools > Clamps|Bar Clamp;Corner Clamp;Marking Gauge|29|950|p
1.5|other|tool|alike|automotive_powersports|Automotive > Interior Accessories > Consoles & Organizers|Trunk Organizer;Seat Gap Filler|27|830|
2.5|other|baby|alike|baby|Baby Products > Nursery > Bedding > Blankets & Swaddling|Swaddle Blanket;Baby Blanket|26|320|p
1.5|other|baby|alike|baby|Baby Products > Feeding > Bibs & Burp Cloths|Feeding Bib;Burp Cloth|19|200|p
2.5|other|beauty|beauty|beauty_health_personal_care|Beauty & Personal Care > Tools & Accessories > Bath Brushes, Sponges & Scrubbers|Bath Brush;Face Sponge;Body Scrubber|17|160|p
2.0|other|beauty|beauty|beauty_health_personal_care|Beauty & Personal Care > Hair Care > Hair Accessories|Hair Brush;Hair Towel;Bath Bomb Gift Tray|19|220|p
2.0|other|craft|alike|home_kitchen|Arts, Crafts & Sewing > Needlework > Embroidery > Kits|Embroidery Kit;Punch Needle Kit|25|350|
1.5|other|craft|alike|home_kitchen|Arts, Crafts & Sewing > Painting, Drawing & Art Supplies > Painting > Paint Brushes|Brush Set;Paint Pen Set|22|260|p
1.6|electronics|electronics|electronics|electronics_accessories|Electronics > Headphones, Earbuds & Accessories > Headphones & Earbuds > Earbud Headphones|Earbuds;Headphones|36|190|
1.4|electronics|electronics|electronics|consumer_electronics|Electronics > Portable Audio & Video > Portable Speakers & Docks|Bluetooth Speaker;Shower Speaker|39|620|
1.6|electronics|electronics|electronics|electronics_accessories|Cell Phones & Accessories > Accessories > Chargers & Power Adapters|Phone Charger;Power Bank;Charging Cable|26|170|p
1.0|electronics|electronics|electronics|electronics_accessories|Cell Phones & Accessories > Cases, Holsters & Sleeves > Basic Cases|Phone Case;Screen Protector|19|90|p
0.9|electronics|electronics|electronics|video_games_accessories|Video Games > PC > Accessories > Gaming Keyboards|Gaming Keyboard;Gaming Mouse|42|750|
0.6|electronics|electronics|electronics|consumer_electronics|Sports & Outdoors > Sports > Cycling > Electronics & Gadgets > GPS Units|GPS Bike Computer|68|180|
0.5|electronics|electronics|electronics|consumer_electronics|Clothing, Shoes & Jewelry > Women > Watches > Smartwatches|Smartwatch|55|130|
1.7|food|food|grocery|grocery_gourmet|Grocery & Gourmet Food > Snack Foods > Bars > Granola & Trail Mix Bars|Granola Bars;Trail Mix|24|700|p
1.5|food|food|grocery|grocery_gourmet|Grocery & Gourmet Food > Beverages > Coffee, Tea & Cocoa > Coffee|Coffee Beans;Ground Coffee|22|480|p
1.2|food|food|grocery|grocery_gourmet|Grocery & Gourmet Food > Candy & Chocolate > Chocolate > Bars|Chocolate Bar;Candy Box|21|430|p
1.0|food|food|grocery|beauty_health_personal_care|Health & Household > Vitamins, Minerals & Supplements > Vitamins|Vitamin Gummies;Protein Powder|28|380|
0.6|food|food|grocery|baby|Baby Products > Feeding > Baby Foods > Cereal|Baby Cereal;Toddler Milk|23|520|p
1.8|apparel|apparel|apparel|clothing_accessories|Clothing, Shoes & Jewelry > Men > Clothing > Shirts > T-Shirts|T-Shirt;Polo Shirt|24|240|
1.6|apparel|apparel|apparel|clothing_accessories|Clothing, Shoes & Jewelry > Women > Clothing > Dresses|Summer Dress;Midi Dress|36|340|
1.2|apparel|apparel|apparel|clothing_accessories|Clothing, Shoes & Jewelry > Men > Shoes > Athletic|Running Sneakers;Training Shoes|54|900|
1.4|apparel|apparel|apparel|clothing_accessories|Clothing, Shoes & Jewelry > Women > Clothing > Socks & Hosiery > Casual Socks|Ankle Socks;Wool Socks|18|190|p
0.9|powered|powered|home|appliances_compact|Home & Kitchen > Kitchen & Dining > Small Appliances > Blenders|Personal Blender;Milk Frother|39|1600|
0.8|powered|powered|alike|tools_home_improvement|Tools & Home Improvement > Lighting & Ceiling Fans > Novelty Lighting > String Lights|String Lights;LED Strip|24|420|
0.5|powered|toy|toys|toys_games|Toys & Games > Remote & App Controlled Figures & Robots > Robots|Remote Control Robot|37|620|
0.6|animal_food|animal_food|alike|pet_supplies|Pet Supplies > Dogs > Treats > Cookies, Biscuits & Snacks|Dog Treats;Dog Biscuits|19|680|p
0.5|animal_food|animal_food|alike|lawn_garden|Patio, Lawn & Garden > Backyard Birding & Wildlife > Birds > Food > Bird Seed|Bird Seed;Suet Cakes|26|2300|
0.6|luggage|luggage|bags|backpacks_handbags_luggage|Clothing, Shoes & Jewelry > Luggage & Travel Gear > Backpacks|Travel Backpack;School Backpack|38|870|
0.5|luggage|luggage|bags|backpacks_handbags_luggage|Clothing, Shoes & Jewelry > Luggage & Travel Gear > Luggage > Carry-Ons|Carry-On Suitcase|74|3100|
"""  # noqa: E501 -- a table reads best one row a line

# Where a harmless product lands when somebody filed it wrongly.
ODD_PATHS = (
    "Electronics > Accessories & Supplies > Cord Management",
    "Grocery & Gourmet Food > Pantry Staples",
    "Clothing, Shoes & Jewelry > Novelty & More",
    "Video Games > Legacy Systems",
)

_BRAND_STARTS = "Nesto|Pawlu|Krit|Brixo|Lumav|Tavi|Ostre|Quill|Fenna|Gribo|Hollu|Ivaro|Juvi|Kelpo|Mossa|Nubli|Orvi|Plenta|Rusko"
_BRAND_ENDS = "ra|ma|zli|wick|velle|nest|do|ly|tto|field|mond|sa|kin|brook|via|lo|que|ster"
# Trade mark style of many marketplace sellers: random letters, legally a brand all the same.
_LETTER_BRANDS = "BQZVORT|XJINDA|ZLTKEEP|CVNDRO|DZQHOM|PVYRKL|QJTWEN|VXOMBI|WZGARD|HJKPLO|KQBTON|YRZDEL"


@dataclass(frozen=True)
class Pools:
    """Lists of unequal length laid end to end: the words of list i stand from `start[i]` on, `size[i]` of them."""

    words: tuple[str, ...]
    start: npt.NDArray[np.int64]
    size: npt.NDArray[np.int64]

    def pick(self, owner: npt.NDArray[np.int64], share: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """Positions in `words`: for each owner the word at that share (0..1) of its list."""
        return self.start[owner] + np.minimum((share * self.size[owner]).astype(np.int64), self.size[owner] - 1)


@dataclass(frozen=True)
class Catalogue:
    """The tables above as arrays, one entry a product line."""

    weight: npt.NDArray[np.float64]
    department: npt.NDArray[np.int64]
    path: tuple[str, ...]
    fee_category: tuple[str, ...]
    median_cents: npt.NDArray[np.float64]
    grams: npt.NDArray[np.float64]
    has_packs: npt.NDArray[np.bool_]
    return_mean: npt.NDArray[np.float64]
    return_strength: npt.NDArray[np.float64]
    nouns: Pools
    adjectives: Pools
    materials: Pools
    features: Pools
    known_brands: Pools
    small_brands: tuple[str, ...]


def _pools(lists: list[list[str]]) -> Pools:
    size = np.array([len(words) for words in lists], dtype=np.int64)
    return Pools(tuple(word for words in lists for word in words), np.cumsum(size) - size, size)


def _of_lines(rows: list[list[str]], part: int) -> Pools:
    return _pools([_STYLES[row[2]][part].split("|") for row in rows])


def load_catalogue() -> Catalogue:
    """Cut the tables of this file into arrays; the same on every call."""
    rows = [line.split("|") for line in _LINES.strip().splitlines()]
    priors = [RETURN_PRIORS[row[3]] for row in rows]
    small = [a + b for a, b in combinations(_BRAND_STARTS.split("|"), _BRAND_ENDS.split("|"))]
    return Catalogue(
        weight=np.array([float(row[0]) for row in rows]),
        department=np.array([DEPARTMENTS.index(row[1]) for row in rows], dtype=np.int64),
        path=tuple(row[5] for row in rows),
        fee_category=tuple(row[4] for row in rows),
        median_cents=np.array([100.0 * float(row[7]) for row in rows]),
        grams=np.array([float(row[8]) for row in rows]),
        has_packs=np.array([row[9] == "p" for row in rows]),
        return_mean=np.array([mean for mean, _ in priors]),
        return_strength=np.array([strength for _, strength in priors]),
        nouns=_pools([row[6].split(";") for row in rows]),
        adjectives=_of_lines(rows, 0),
        materials=_of_lines(rows, 1),
        features=_of_lines(rows, 2),
        known_brands=_of_lines(rows, 3),
        small_brands=tuple(small + _LETTER_BRANDS.split("|")),
    )
