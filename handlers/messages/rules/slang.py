"""Words that belong to chats and sales talk: known, and never an error."""

import re

# A list of words is read as one, hence the strings.
_PORTUGUESE = """
    vc vcs cê ce ocê blz blza obg obgd obgda brigado brigada brigadão vlw valeu flw falou pq pqe tb tbm tbem tmb hj
    amn amnh dps qdo qnd qto qts qtos qq qqr qlqr oq q k n ñ ñão nn ss s d p pra pro pras pros prum ta tá to tô tava
    tavam tamo né ne eh aki ae aê aee aew opa eita oxe oxi uai ué aff affs hmm hm hum uhum aham ahã ah ih oh ok oks
    okay okey okk oki vdd ngm nda gnt gnte migo miga bb mor add zap whats wpp insta face bora beleza bele mano mana
    brother show top tops tmj msm msma msg msgs mto mta mtos mtas mt td tds tdo cmg ctg sdds bjs bjo bjos bj abs abç
    abçs att pfv pfvr pfvor pls plis fds pdc num numa dum duma vamo vambora peraí pera perai peraê xau tchau hein hem
    vixe vish nossa caraca mds oie oiê oii oi olar alô alo iae eae fala demorou suave descontinho rapidinho pouquinho
    prontinho minutinho vo fechô partiu fmz firmeza tipo aprox qtd qtde und unid pç pçs cx hrs hr min mins seg ter qua
    qui sex sab dom jan fev mar abr mai jun jul ago set out nov dez kg km cm mm ml gb mb hd tv tvs cpf cnpj cep rg pix
    nf nfe sku crm fone cel tel ref obs qr qrcode pdv pet pets
"""
_ENGLISH = """
    np asap thx thnx thks tks ty tysm pls plz plss u ur urs r y ya yall idk imo imho fyi btw lol lmao omg brb gonna
    wanna gotta kinda sorta dunno lemme gimme cuz coz cause til ok okay okie oki k kk yep yeah yea yup nope nah hey
    hiya heya tho thru tmrw tmr tom msg msgs dm dms pm app apps info pic pics vid vids ppl bc b n nd w wo wk wks mo yr
    yrs hr hrs min mins sec secs acct accts num conf approx etc vs eta aww woohoo yay hmm hm ugh oops rn rly srsly gud
    nite cya ttyl em cmon sup yo bro sis hun luv xoxo xx cheers shoutout delish
"""
# Loan words and brands that dictionaries lack and people write in lower case.
_LOANS = """
    whatsapp spotify ebay imac instagram facebook youtube google gmail hotmail tiktok linkedin telegram netflix uber
    ifood iphone ipad samsung sony philips philco xiaomi motorola apple lg dell lenovo asus acer nokia toshiba
    panasonic electrolux brastemp consul bosch mercadopago paypal nubank itau bradesco santander sedex xbox
    playstation nintendo wifi wi-fi bluetooth ethernet hdmi usb ssd led oled qled lcd smart smartphone smartphones
    smartwatch notebook notebooks tablet tablets app apps site sites online offline link links login chat chatbot
    e-mail email emails feedback post posts story stories reels live lives follow-up followup lead leads delivery
    cashback voucher black friday blu-ray subwoofer home-theater codec codecs streaming desktop mouse headset webcam
    backup download upload software softwares hardware upgrade update checklist check-in checkout check-out coworking
    drive-thru username drone fitness fashion look looks jeans blazer cropped legging plus size kit kits combo combos
    promo promos bivolt reagendar reagendamento motoboy boleto boletos
"""

CHAT = frozenset(f"{_PORTUGUESE} {_ENGLISH} {_LOANS}".split())

_LAUGHTER = re.compile(r"k{2,}|(?:rs)+s*|e?l?aiá")
_LAUGHED = frozenset("haeiu")
_DRAWN_OUT = re.compile(r"(.)\1\1")


def is_chat(word: str) -> bool:
    """Tell whether *word* (in lower case) is chat language: slang, laughter, or drawn out ("oiii")."""
    if word in CHAT or _LAUGHTER.fullmatch(word) or _DRAWN_OUT.search(word):
        return True
    return word.count("h") > 1 and _LAUGHED.issuperset(word)
