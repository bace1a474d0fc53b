"""Slips of English grammar that patterns tell with few false alarms."""

from handlers.messages.rules.slips import HEAVY, LIGHT, Rule, one_of, rule

# Where a clause begins, so that "does she like" and "let it go" are not taken for "she like" and "it go".
_CLAUSE = r"(?:^|(?<=[.!?;,:\n])|(?<=\bbecause )|(?<=\bbut )|(?<=\bso )|(?<=\bthat )|(?<=\bthink )|(?<=\bsays ))\s*"
_OWNED = one_of(
    "order account package parcel payment money address name number email phone card invoice details request refund"
    " product item items tracking warranty booking reservation subscription delivery cart receipt"
)
_THAN = r"(?:the|a|an|my|your|our|their|his|her|this|that|these|any|what|i|you|it|other|expected|usual|\d+)"
_SINGULAR = one_of("product item order price picture photo option model condition value question document")
_PLURAL = one_of("products items orders prices pictures photos options models conditions values questions documents")
_COUNT = one_of("two three four five six seven ten many several few")
_UNIT = one_of("day item unit installment instalment month hour week minute order option product")
# "Two day" is wrong before these, but not in "a two day trial".
_ENDS = r"(?= (?:to|for|and|or|from|of|in|with|after|before|left|ago|until)\b|[.,!?]|$)"
_COUNTED = one_of("orders items products people customers options problems questions units days")
_PAST = one_of("went came got received had was sent saw told gave made found took bought paid has arrived asked wanted")
_SENT_TO = one_of("hear see meet receive help work serve talk speak assist welcome")
_BARE = one_of(
    "dont doesnt didnt cant couldnt wouldnt shouldnt isnt arent wasnt werent hasnt havent hadnt youre theyre thats"
    " whats theres ive youve weve youll theyll itll wont"
)
_NOT_AFTER_A = r"(?!one|once|oui|(?:and|are|at|as|is|if|it|in|on|or|of|an|all|i|em|ele|ela|es|ou)\b|eu|ewe)"

RULES: tuple[Rule, ...] = (
    rule(
        "confusion",
        "“Their” é posse; aqui é “there” ou “they're”.",
        "“Their” is possessive; here it is “there” or “they're”.",
        r"\btheir (?:is|are|was|were|isn't|aren't|will be|has been|have been)\b",
        r"\bover their\b(?= (?:is|and|at|to)\b|[.!?,])",
        r"\btheir (?:going to|not|all set|very|still|already|coming|waiting|sending|working|looking)\b",
    ),
    rule(
        "confusion",
        "Posse se escreve “their”.",
        "Possession is written “their”.",
        rf"\bthey're (?:own|{_OWNED})\b",
        r"(?<!is )(?<!are )(?<!was )(?<!out )(?<!in )(?<!over )\bthere (?:own|refund|parcel|invoice)\b",
    ),
    rule(
        "confusion",
        "“Your” é posse; aqui é “you're”.",
        "“Your” is possessive; here it is “you're”.",
        r"\byour (?:going to|doing|getting|looking for|able|not|the|a|an|sure|gonna|so|all set|waiting|having)\b",
        r"\byour welcome\b(?! \w*(?:kit|mail|message|pack|gift|bonus|letter|drink|home|offer))",
        r"\byour right\b(?=[.!?,]|$)",
    ),
    rule(
        "confusion",
        "“You're” é “you are”; posse é “your”.",
        "“You're” is “you are”; possession is “your”.",
        rf"\byou're {_OWNED}\b(?! (?:taker|manager))",
    ),
    rule(
        "confusion",
        "“Its” é posse; aqui é “it's”.",
        "“Its” is possessive; here it is “it's”.",
        r"\bits (?=(?:a|an|the|not|been|going|just|ok|okay|too|really|gonna|fine|because|my|our|your)\b)",
        r"\bits (?=(?:in stock|out of stock|sold out|available|possible|important|safe|true|always|never|still)\b)",
        weight=LIGHT,
    ),
    rule(
        "confusion",
        "Posse se escreve “its”.",
        "Possession is written “its”.",
        r"\bit's own\b",
    ),
    rule(
        "confusion",
        "A forma é “have”: “could have”.",
        "The form is “have”: “could have”.",
        r"\b(?:could|should|would|must|might) of\b(?! course)",
        weight=HEAVY,
    ),
    rule(
        "confusion",
        "Comparação se faz com “than”.",
        "Comparisons take “than”.",
        r"\b(?:more|less|better|cheaper|faster|bigger|rather|lower|higher|easier|worse|smaller|larger) "
        rf"(?P<slip>then) {_THAN}\b",
    ),
    rule(
        "confusion",
        "“Demais” se escreve “too”.",
        "“Excessively” is written “too”.",
        r"\b(?:is|are|was|were|it's|its|that's|way|far|be|not|a bit) "
        r"(?P<slip>to) (?:much|many|late|expensive|small|big|long|slow|high|low|heavy|soon|far)\b",
    ),
    rule(
        "confusion",
        "O verbo é “lose”.",
        "The verb is “lose”.",
        r"\b(?:don't|not|will|you'll|to|would|won't) (?P<slip>loose) (?:your|my|the|it|money|any|this|that|out)\b",
    ),
    rule(
        "agreement",
        "A terceira pessoa pede “does”, “has” ou o s: “she likes”.",
        "The third person takes “does”, “has” or an s: “she likes”.",
        _CLAUSE + r"(?P<slip>(?:he|she|it) (?:have|go|want|need|like|come|are|cost|arrive|include|work))\b",
        r"\b(?:he|she|it) don't\b",
        weight=HEAVY,
    ),
    rule(
        "agreement",
        "O verbo não concorda com o sujeito.",
        "The verb does not agree with its subject.",
        r"\b(?:I|you|we|they) (?:doesn't|does not)\b",
        r"(?:^|(?<=[.!?,;] )|(?<=\bthat )|(?<=\bif )|(?<=\byeah )|(?<=\byes ))(?:you|we|they) (?:was|is|has)\b",
        r"(?<!and )\bI (?:has|is)\b",
        weight=HEAVY,
    ),
    rule(
        "agreement",
        "O sujeito está no plural: “people are”, “there are”.",
        "The subject is plural: “people are”, “there are”.",
        r"\b(?:people|customers|clients) (?:is|was|has)\b",
        r"\bthere is (?:many|several|two|three|four|five|some \w+s|a lot of \w+s)\b",
    ),
    rule(
        "agreement",
        "Singular e plural não combinam.",
        "Singular and plural do not match.",
        rf"\bthis {_PLURAL}\b",
        rf"\bthese {_SINGULAR}\b",
        rf"\b(?:a|an|every|each|another) (?:{_PLURAL}|customers|days)\b",
    ),
    rule(
        "agreement",
        "O número pede o plural: “two days”.",
        "The number asks for a plural: “two days”.",
        rf"(?<![\d.,/:#$£€])\b(?:[2-9]|[1-9]\d|{_COUNT}) (?:business |working )?{_UNIT}\b{_ENDS}",
    ),
    rule(
        "agreement",
        "“Many” é para o que se conta, “much” para o resto.",
        "“Many” is for what is counted, “much” for the rest.",
        rf"\bmuch {_COUNTED}\b",
        r"\bmany (?:information|money|furniture|equipment|stock)\b",
    ),
    rule(
        "word_choice",
        "Em inglês a palavra não tem plural: “information”.",
        "The word has no plural: “information”.",
        r"\b(?:informations|advices|equipments|furnitures|feedbacks|softwares|luggages|homeworks)\b",
    ),
    rule(
        "word_choice",
        "Antes de som de vogal se usa “an”, de consoante “a”.",
        "Before the sound of a vowel it is “an”, of a consonant “a”.",
        rf"(?<![\w'¤-])a (?={_NOT_AFTER_A}[aeio][a-z]+\b)",
        r"(?<![\w'¤-])a (?=un(?!i)[a-z]{2,}|up[a-z]|ur[a-z]|ultra|umbr)",
        r"\ban (?-i:(?=[bcdfgjklmnpqrtvwyz][a-z]*[aeiou][a-z]*\b|s[a-z]*[aeiou][a-z]{2,}\b))",
        r"\ban (?=uni(?!n|m)|use[rd]?\b|usual|one\b|euro)",
        weight=LIGHT,
    ),
    rule(
        "verb_form",
        "Depois de “do” e “did” o verbo fica na forma básica: “didn't get”.",
        "After “do” and “did” the verb keeps its plain form: “didn't get”.",
        rf"\b(?:did(?:n't| not| you| he| she| it| they| we)|does(?:n't| not)|don't|do you) {_PAST}\b",
        weight=HEAVY,
    ),
    rule(
        "verb_form",
        "O tempo composto pede o particípio: “have seen”.",
        "The perfect takes the participle: “have seen”.",
        r"\b(?:have|has|had|'ve|haven't|hasn't) (?:went|saw|did|gave|took|ate|wrote|spoke|broke|chose)\b",
    ),
    rule(
        "verb_form",
        "Depois de “can”, “will” e “must” o verbo fica na forma básica.",
        "After “can”, “will” and “must” the verb keeps its plain form.",
        r"\b(?:must|should|may|might) to (?!be sure)[a-z]+\b",
        r"\b(?:can|could|will|would|must|should|may) (?:sends|goes|helps|gets|makes|arrives|has|is|does|checks)\b",
    ),
    rule(
        "verb_form",
        "Depois de “look forward to” vem -ing: “hearing”.",
        "“Look forward to” takes -ing: “hearing”.",
        rf"\blook(?:ing)? forward to {_SENT_TO}\b",
    ),
    rule(
        "verb_form",
        "A expressão não se diz assim em inglês.",
        "The phrase is not said this way in English.",
        r"\b(?:I am|I'm|we are|we're) agree\b",
        r"\b(?:thanks you|explain (?:me|you|us)|depends? of|discuss about|awaiting for|can able|suppose to)\b",
        r"\b(?:return back|between you and I|make a question|I am having \d+ years)\b",
    ),
    rule(
        "apostrophe",
        "Falta o apóstrofo: “don't”.",
        "The apostrophe is missing: “don't”.",
        rf"\b{_BARE}\b",
        r"\blets (?=(?:go|see|do|talk|check|take|get|know|try|start|make)\b)",
        weight=LIGHT,
    ),
    rule(
        "repetition",
        "Palavra repetida.",
        "A word stands twice.",
        r"\b(the|a|an|to|of|in|and|for|with|you|your|our|we|are|on|at|it|my|this|be|will|from|have|please) \1\b(?!-)",
    ),
)
