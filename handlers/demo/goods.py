"""What is sold and what a conversation speaks of: products, prices, days, places, made-up documents."""

from collections.abc import Callable
from functools import cache

from handlers.demo.chance import stream
from handlers.demo.names import CITIES

# Name in Portuguese, its gender, name in English, usual price in reais.
PRODUCTS: tuple[tuple[str, str, str, int], ...] = (
    ("notebook de 15 polegadas", "m", "15-inch laptop", 3499),
    ("smart TV de 50 polegadas", "f", "50-inch smart TV", 2399),
    ("geladeira frost free", "f", "frost-free fridge", 3199),
    ("ar-condicionado de 12.000 BTUs", "m", "12,000 BTU air conditioner", 2149),
    ("máquina de lavar de 11 kg", "f", "11 kg washing machine", 1899),
    ("fogão de 5 bocas", "m", "5-burner stove", 1299),
    ("micro-ondas de 32 litros", "m", "32-litre microwave", 699),
    ("cafeteira expresso", "f", "espresso machine", 549),
    ("robô aspirador", "m", "robot vacuum", 1199),
    ("colchão queen", "m", "queen mattress", 1799),
    ("sofá retrátil de 3 lugares", "m", "3-seat recliner sofa", 2599),
    ("mesa de jantar de 6 lugares", "f", "6-seat dining table", 1699),
    ("cadeira gamer", "f", "gaming chair", 899),
    ("monitor de 27 polegadas", "m", "27-inch monitor", 1249),
    ("impressora multifuncional", "f", "all-in-one printer", 779),
    ("fone bluetooth", "m", "bluetooth headset", 249),
    ("celular de 128 GB", "m", "128 GB phone", 1599),
    ("tablet de 10 polegadas", "m", "10-inch tablet", 1349),
    ("caixa de som portátil", "f", "portable speaker", 399),
    ("bicicleta elétrica", "f", "electric bike", 5890),
    ("esteira ergométrica", "f", "treadmill", 2790),
    ("lava-louças de 8 serviços", "f", "8-setting dishwasher", 1999),
    ("purificador de água", "m", "water purifier", 649),
    ("air fryer de 5 litros", "f", "5-litre air fryer", 379),
    ("guarda-roupa de 6 portas", "m", "6-door wardrobe", 1449),
    ("cooktop de indução", "m", "induction cooktop", 1149),
    ("adega climatizada", "f", "wine cooler", 1089),
    ("kit de câmeras de segurança", "m", "security camera kit", 859),
    ("painel para TV", "m", "TV wall panel", 599),
    ("escrivaninha com gavetas", "f", "desk with drawers", 489),
)

DAYS_PT = ("segunda-feira", "terça-feira", "quarta-feira", "quinta-feira", "sexta-feira")
DAYS_EN = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
COLOURS = (("preto", "black"), ("branco", "white"), ("cinza", "grey"), ("inox", "steel"), ("azul", "blue"))

# Numbers from manuals of forms, and some that no check digit allows: nobody's.
CPFS = (
    "123.456.789-09",
    "111.111.111-11",
    "529.982.247-25",
    "000.000.000-00",
    "12345678909",
    "987.654.321-99",
    "222.333.444-00",
    "11122233344",
    "999.888.777-66",
)


def money(cents: int, language: str) -> str:
    """Write an amount: R$ 1.299,90 in Portuguese, R$ 1,299.90 in English."""
    text = f"{cents // 100:,}.{cents % 100:02}"
    if language == "pt":
        text = text.translate({ord(","): ".", ord("."): ","})
    return f"R$ {text}"


@cache
def offers(language: str) -> tuple[dict[str, str], ...]:
    """Give what a conversation may turn on, every product at six prices, as slots of the phrases."""
    draw = stream("offers").random
    return tuple(
        _offer(
            product,
            90 + int(draw() * 26),
            90 + int(draw() * 7),
            (3, 6, 10, 10, 12)[int(draw() * 5)],
            language,
        )
        for product in PRODUCTS
        for _ in range(6)
    )


def _offer(product: tuple[str, str, str, int], level: int, cash: int, times: int, language: str) -> dict[str, str]:
    name_pt, gender, name_en, usual = product
    price = usual * level // 1000 * 1000 + 990
    if language == "en":
        name, the, of, this = name_en, "the", "of the", "this"
    else:
        name, the, of, this = name_pt, *(("a", "da", "essa") if gender == "f" else ("o", "do", "esse"))
    return {
        "price": money(price, language),
        "cash": money(price * cash // 100 // 10 * 10, language),
        "off": str(100 - cash),
        "times": str(times),
        "part": money(-(-price // times), language),
        "bid": money(price * 86 // 100 // 1000 * 1000, language),
        "plan": money(usual * 12 // 1000 * 1000 + 990, language),
        "the": f"{the} {name}",
        "The": f"{the.capitalize()} {name}",
        "of": f"{of} {name}",
        "this": f"{this} {name}",
        "This": f"{this.capitalize()} {name}",
    }


@cache
def circumstances(language: str) -> tuple[dict[str, str], ...]:
    """Give days, places and documents that a conversation may mention, as slots of the phrases."""
    draw = stream("circumstances").random
    return tuple(_circumstance(language, lambda n: int(draw() * n)) for _ in range(400))


def _circumstance(language: str, below: Callable[[int], int]) -> dict[str, str]:
    ddd, city, district = CITIES[below(len(CITIES))]
    day = below(5)
    colour = COLOURS[below(len(COLOURS))]
    near = 1 + below(5)
    hour = 9 + below(9)
    english = language == "en"
    return {
        "city": city,
        "district": district,
        "day": (DAYS_EN if english else DAYS_PT)[day],
        "days": f"{near} to {near + 2}" if english else f"{near} a {near + 2}",
        "hour": f"{hour % 12 or 12} {'am' if hour < 12 else 'pm'}" if english else f"{hour}h",
        "colour": colour[english],
        "freight": money((19 + below(130)) * 100 + 90, language),
        "cep": f"{10 + below(88)}{below(1000):03}-{below(1000):03}",
        "order": str(10_000 + below(90_000)),
        "people": str(2 + below(5)),
        "month": str(3 + below(10)),
        "cpf": CPFS[below(len(CPFS))],
        "mobile": _mobile(ddd, f"90{below(1000):03}", f"{below(10_000):04}", below(4)),
        "mail": f"cliente{below(10_000)}@example.com",
    }


def _mobile(ddd: str, head: str, tail: str, style: int) -> str:
    """Write a number as people do; in a range that no mobile network gives out."""
    return (f"({ddd}) {head}-{tail}", f"+55 {ddd} {head}-{tail}", f"{ddd}{head}{tail}", f"{ddd} {head} {tail}")[style]
