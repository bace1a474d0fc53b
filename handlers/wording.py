"""The sentences about a comparison in each language a tenant may choose: data, and how numbers are written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from handlers.answers import duration
from handlers.case_mix import Kind
from handlers.messages.quality import Language
from handlers.pairwise import Dimension

_SWAPPED = str.maketrans(",.", ".,")


@dataclass(frozen=True, slots=True)
class Wording:
    """One language; what stands in braces is filled in."""

    has_decimal_comma: bool
    dimensions: Mapping[Dimension, str]
    kinds: Mapping[Kind, str]
    last_of_list: str
    interval: str
    percentage_points: str
    points: str

    winner: str
    no_leader: str
    no_winner: str
    leads: str
    but_behind: str
    undecided: str

    is_ahead: str
    ahead_of: str
    nobody_leads: str
    chance: str
    not_compared: str
    recurs: str
    few_cases: str
    few_in: str
    no_person: str
    mix: str
    unscored: str
    methods: str
    no_causes: str

    analyzing: str
    advancing: str
    comparing: str

    def number(self, value: float, decimals: int = 0) -> str:
        """Write a number; one too small to show is told from 0."""
        shown = round(value, decimals)
        if value and not shown:
            return f"< {self.number(10.0**-decimals, decimals)}"
        text = f"{shown:,.{decimals}f}"
        return text.translate(_SWAPPED) if self.has_decimal_comma else text

    def percent(self, share: float) -> str:
        """Write a share in percent."""
        return f"{self.number(100 * share, 1)} %"

    def value(self, dimension: Dimension, value: float) -> str:
        """Write a figure of a dimension, rounded as the fields of the answer are."""
        value = round(value, 4)
        if dimension == "response_time":
            return f"{self.number(value, 1)} s" if 0 < value < 1 else duration(value)
        return self.number(value, 1) if dimension == "quality" else self.percent(value)

    def gap(self, dimension: Dimension, value: float) -> str:
        """Write how far apart two figures are."""
        if dimension == "response_time":
            return self.value(dimension, value)
        if dimension == "quality":
            return self.points.format(self.number(value, 2))
        return self.percentage_points.format(self.number(100 * value, 2))

    def listed(self, items: Sequence[str]) -> str:
        """Write a list as a sentence has it."""
        return self.last_of_list.join(filter(None, [", ".join(items[:-1]), *items[-1:]]))


_PORTUGUESE = Wording(
    has_decimal_comma=True,
    dimensions={
        "conversion_rate": "taxa de conversão",
        "response_time": "tempo de resposta (mediana)",
        "satisfaction": "satisfação",
        "resolution_rate": "taxa de resolução",
        "quality": "qualidade das mensagens (0 a 10)",
    },
    kinds={"channel": "canal", "pipeline": "funil"},
    last_of_list=" e ",
    interval="{low} a {high}",
    percentage_points="{} p.p.",
    points="{} pontos",
    winner="{winner} está à frente no conjunto: na frente em {dimensions}, atrás em nenhuma dimensão.",
    no_leader="Não há vencedor: em nenhuma dimensão alguém está à frente de todos os outros além do acaso.",
    no_winner="Não há vencedor no conjunto: {leaders}.",
    leads="{name} está na frente em {dimensions}",
    but_behind="{leads}, mas atrás em {dimensions}",
    undecided="Sem decisão: {dimensions}.",
    is_ahead="{dimension}: {name} ({figure}) está à frente de {others}.",
    ahead_of="{name} ({figure}; diferença de {gap}, intervalo de {level}: {interval})",
    nobody_leads="{dimension}: ninguém está à frente de todos os outros.",
    chance="{dimension}: sem decisão entre {names}; as diferenças podem ser acaso.",
    not_compared="{dimension}: sem comparação; menos de dois agentes têm {least} casos ou mais.",
    recurs="O que mais se repete nas mensagens avaliadas de {name}: {what} (em {messages} de {n}; por exemplo, na "
    "mensagem {message_id}).",
    few_cases="Com menos de {least} casos, e por isso fora das decisões: {cases}.",
    few_in="{name} em {dimension} (n = {n})",
    no_person="{name} não é uma pessoa: tempo de resposta, satisfação e resolução só se creditam a pessoas.",
    mix="Os contatos diferem por {kind}: {more_share} dos de {more} e {less_share} dos de {less} são de um mesmo "
    "{kind}; parte das diferenças pode vir daí.",
    unscored="Qualidade fora da comparação: nenhuma mensagem de {names} foi avaliada.",
    methods="Qualidade fora da comparação: nem todas as mensagens foram avaliadas pelo mesmo método.",
    no_causes="São diferenças, não causas: os números não dizem por que ocorrem.",
    analyzing="Analisando {name} ({i} de {n})",
    advancing="Analisando {name} ({i} de {n}): {done} de {total} mensagens processadas",
    comparing="Comparando {n} agentes",
)

_ENGLISH = Wording(
    has_decimal_comma=False,
    dimensions={
        "conversion_rate": "conversion rate",
        "response_time": "response time (median)",
        "satisfaction": "satisfaction",
        "resolution_rate": "resolution rate",
        "quality": "message quality (0 to 10)",
    },
    kinds={"channel": "channel", "pipeline": "pipeline"},
    last_of_list=" and ",
    interval="{low} to {high}",
    percentage_points="{} pp",
    points="{} points",
    winner="{winner} is ahead on the whole: in front in {dimensions}, behind in no dimension.",
    no_leader="No winner: in no dimension is anybody ahead of all others beyond chance.",
    no_winner="No winner on the whole: {leaders}.",
    leads="{name} is in front in {dimensions}",
    but_behind="{leads}, but behind in {dimensions}",
    undecided="Undecided: {dimensions}.",
    is_ahead="{dimension}: {name} ({figure}) is ahead of {others}.",
    ahead_of="{name} ({figure}; a difference of {gap}, {level} interval: {interval})",
    nobody_leads="{dimension}: nobody is ahead of all others.",
    chance="{dimension}: undecided between {names}; chance may have made the differences.",
    not_compared="{dimension}: not compared; fewer than two agents have {least} cases or more.",
    recurs="What recurs most in the judged messages of {name}: {what} (in {messages} of {n}; message {message_id}, for "
    "example).",
    few_cases="Fewer than {least} cases, and so no part in decisions: {cases}.",
    few_in="{name} in {dimension} (n = {n})",
    no_person="{name} is no person: response time, satisfaction and resolution are credited to people only.",
    mix="The contacts differ by {kind}: {more_share} of those of {more} and {less_share} of those of {less} are of the "
    "same {kind}; part of the differences may come from that.",
    unscored="Quality is left out: no message of {names} was scored.",
    methods="Quality is left out: not all messages were scored by the same method.",
    no_causes="These are differences, not causes: the figures do not say why they occur.",
    analyzing="Analyzing {name} ({i} of {n})",
    advancing="Analyzing {name} ({i} of {n}): {done} of {total} messages processed",
    comparing="Comparing {n} agents",
)

WORDING: Mapping[Language, Wording] = {"pt-BR": _PORTUGUESE, "en": _ENGLISH}
