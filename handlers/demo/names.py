"""Names of people and firms; made up by combination, so that nobody is meant."""


def _listed(names: str) -> tuple[str, ...]:
    return tuple(names.split(","))


def _first_names(women: str, men: str) -> tuple[tuple[str, str], ...]:
    return (*((name, "f") for name in _listed(women)), *((name, "m") for name in _listed(men)))


# First name, gender.
FIRST_PT = _first_names(
    women=(
        "Ana,Maria,Júlia,Beatriz,Letícia,Larissa,Camila,Fernanda,Patrícia,Débora,Cláudia,Luíza,Mônica,Vitória,Helena,"
        "Lívia,Heloísa,Alícia,Cecília,Antônia,Joana,Isabela,Gabriela,Renata,Simone,Tânia,Verônica,Sônia,Raquel,"
        "Rosângela,Márcia,Aline,Bruna,Carolina,Daniela,Elisângela,Flávia,Giovana,Jéssica,Kátia,Lorena,Michele,"
        "Natália,Priscila,Sabrina,Tatiane,Vanessa,Yasmin"
    ),
    men=(
        "João,José,Antônio,Luís,Márcio,Sérgio,Fábio,Flávio,Cláudio,Vinícius,Matheus,Lucas,Gabriel,Rafael,Thiago,"
        "Felipe,Bruno,Caio,Davi,Eduardo,Otávio,Murilo,Henrique,Gustavo,Leonardo,Rodrigo,Marcelo,Ricardo,Paulo,Pedro,"
        "André,César,Estêvão,Inácio,Júlio,Mário,Moisés,Rômulo,Valdir,Wellington,Anderson,Diego,Everton,Guilherme,"
        "Heitor,Igor,Jonas,Renan"
    ),
)

LAST_PT = _listed(
    "Silva,Souza,Oliveira,Santos,Pereira,Lima,Carvalho,Ferreira,Rodrigues,Almeida,Costa,Gomes,Martins,Araújo,"
    "Barbosa,Ribeiro,Alves,Cardoso,Rocha,Dias,Moreira,Nunes,Teixeira,Corrêa,Mendes,Cavalcanti,Monteiro,Freitas,"
    "Vieira,Brandão,Magalhães,Guimarães,Falcão,Assunção,Conceição,Simões,Leão,Galvão,Aragão,Sampaio,Peçanha,"
    "Gonçalves,Mourão,Antunes,Azevedo,Batista,Bezerra,Campos,Coutinho,Duarte,Esteves,Figueiredo,Furtado,Lacerda,"
    "Macedo,Nogueira,Paiva,Queiroz,Rezende,Sá,Tavares,Uchôa,Valença,Xavier,Pacheco,Prado,Siqueira,Toledo"
)

FIRST_EN = _first_names(
    women="Emily,Sarah,Grace,Olivia,Megan,Hannah,Chloe,Rachel,Laura,Alice,Sophie,Nora,Abigail,Zoe",
    men="James,Daniel,Oliver,Ethan,Ryan,Thomas,Jack,Henry,Adam,Peter,Samuel,Owen,Patrick,Liam",
)

LAST_EN = _listed(
    "Smith,Walker,Johnson,Taylor,Brown,Wilson,Clarke,Harris,Cooper,Bennett,Murphy,O'Neill,Reed,Foster,Hughes,"
    "Collins,Parker,Turner,Morgan,Ellis,Shaw,Webb,Price,Barker"
)

COMPANIES = _listed(
    "Casa Aurora,Lojas Ipê,Magazine Jacarandá,Vitrine do Lar,Ponto Araucária,Casa & Cia Mantiqueira,"
    "Empório Cerrado,Lojas Sabiá,Nova Estação Móveis,Center Lar Guará"
)

# DDD, city, a district: codes that are in use.
CITIES: tuple[tuple[str, str, str], ...] = (
    ("11", "São Paulo", "Vila Mariana"),
    ("11", "Guarulhos", "Macedo"),
    ("13", "Santos", "Gonzaga"),
    ("16", "Ribeirão Preto", "Jardim Paulista"),
    ("19", "Campinas", "Cambuí"),
    ("21", "Rio de Janeiro", "Tijuca"),
    ("21", "Niterói", "Icaraí"),
    ("27", "Vitória", "Jardim da Penha"),
    ("31", "Belo Horizonte", "Savassi"),
    ("34", "Uberlândia", "Santa Mônica"),
    ("41", "Curitiba", "Água Verde"),
    ("43", "Londrina", "Gleba Palhano"),
    ("47", "Joinville", "América"),
    ("48", "Florianópolis", "Trindade"),
    ("51", "Porto Alegre", "Moinhos de Vento"),
    ("61", "Brasília", "Asa Norte"),
    ("62", "Goiânia", "Setor Bueno"),
    ("65", "Cuiabá", "Goiabeiras"),
    ("71", "Salvador", "Pituba"),
    ("81", "Recife", "Boa Viagem"),
    ("83", "João Pessoa", "Manaíra"),
    ("84", "Natal", "Ponta Negra"),
    ("85", "Fortaleza", "Aldeota"),
    ("91", "Belém", "Nazaré"),
    ("92", "Manaus", "Adrianópolis"),
    ("98", "São Luís", "Renascença"),
)

# Names that the standards keep free, so that no letter ever arrives anywhere.
MAIL_DOMAINS = ("example.com", "example.org", "example.net", "correio.example", "empresa.example")
