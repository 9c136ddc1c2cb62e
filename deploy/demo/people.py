"""Invented people for the demo and for load: the same seed gives the same people, on every machine.

They keep clear of real people: resident IDs are of region 999999, which is not assigned; e-mail addresses are at
example.org; telephone numbers lie in ranges kept free for fiction or not in use; the bank codes are nines; card numbers
begin as published test cards do. Names, numbers and situations are put together by chance.
"""

import math
import random
import struct
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from stdnum import iban, luhn
from stdnum.cn import ric

MAX_COUNT = 50_000
"""The most people a seed makes: the German telephone numbers for fiction end there."""

_WITH_FACE = (0, 51)  # of each hundred people: one Chinese, one European
_FACE = struct.Struct("<512f")
_TEST_CARDS = ("411111", "555555", "424242", "510510")
_LATIN = str.maketrans("ł ", "l-", "'")  # what NFKD leaves whole, and what has no place in an address
_FIRST_BIRTHDAY = date(1945, 1, 1)
_BIRTHDAYS = 22_000  # to March 2005
_ORDERS = 999
# One prime a use, so that the numbers of one person don't look alike.
_RESIDENT_ID, _PHONE, _ACCOUNT, _CARD = 982_451_653, 961_748_941, 941_083_981, 920_419_813


@dataclass(frozen=True, slots=True)
class Person:
    """One invented person; every text is a well-formed value of its data class.

    Attributes:
        subject_id: what a backend would call the person.
        name: data class person_name.
        resident_id: data class cn_resident_id; Chinese people only.
        phone: data class phone, E.164.
        email: data class email.
        bank_account: data class bank_account: digits for Chinese people, else an IBAN.
        card: data class payment_card.
        note: data class free_text: what a clerk wrote down about the person's situation.
        face: data class face_template: 512 little-endian float32 of length 1; two people in a hundred.
    """

    subject_id: str
    name: str
    resident_id: str | None
    phone: str
    email: str
    bank_account: str
    card: str
    note: str
    face: bytes | None


@dataclass(frozen=True, slots=True)
class _Nation:
    given: tuple[str, ...]
    family: tuple[str, ...]
    iban: str  # country and a format for the account: no bank has a code of nines
    phones: tuple[tuple[str, int], ...]  # prefix, digits that follow
    notes: tuple[str, ...]


_CHINESE_FAMILY = (
    ("王", "wang"), ("李", "li"), ("张", "zhang"), ("刘", "liu"), ("陈", "chen"), ("杨", "yang"), ("赵", "zhao"),
    ("黄", "huang"), ("周", "zhou"), ("吴", "wu"), ("徐", "xu"), ("孙", "sun"), ("胡", "hu"), ("朱", "zhu"),
    ("高", "gao"), ("林", "lin"), ("何", "he"), ("郭", "guo"), ("马", "ma"), ("罗", "luo"), ("梁", "liang"),
    ("宋", "song"), ("郑", "zheng"), ("谢", "xie"), ("韩", "han"), ("唐", "tang"), ("冯", "feng"), ("董", "dong"),
    ("欧阳", "ouyang"), ("司马", "sima"),
)  # fmt: skip
_CHINESE_GIVEN = (
    ("伟", "wei"), ("芳", "fang"), ("娜", "na"), ("敏", "min"), ("静", "jing"), ("丽", "li"), ("强", "qiang"),
    ("磊", "lei"), ("洋", "yang"), ("勇", "yong"), ("艳", "yan"), ("杰", "jie"), ("娟", "juan"), ("涛", "tao"),
    ("明", "ming"), ("超", "chao"), ("霞", "xia"), ("平", "ping"), ("刚", "gang"), ("桂英", "guiying"),
    ("小明", "xiaoming"), ("秀兰", "xiulan"), ("建华", "jianhua"), ("志强", "zhiqiang"), ("雨欣", "yuxin"),
    ("子涵", "zihan"), ("浩然", "haoran"), ("思远", "siyuan"), ("梓萱", "zixuan"), ("国栋", "guodong"),
)  # fmt: skip
_CHINESE_NOTES = (
    "{name}因手术住院，申请提前支取住房公积金，请在工作日下午联系。",
    "{name}来电称手机丢失，要求更换绑定号码{phone}，已核对身份。",
    "{name}刚换工作，社保关系正在转移，材料邮寄到单位前台。",
    "{name}投诉退款迟到，要求退回尾号{last4}的账户。",
    "{name}的母亲代为办理，已提交授权委托书，等待复核。",
)
_NATIONS = (
    _Nation(
        ("Anna", "Jürgen", "Käthe", "Lukas", "Mia", "Björn", "Sören", "Heike", "Günter", "Zoë", "Hans-Peter", "Ursula"),
        ("Schmidt", "Müller", "Groß", "Schäfer", "Köhler", "Weiß", "von der Heide", "Jäger", "Böhm", "Krüger"),
        "DE99999999{:010}",
        (("+493023125", 3), ("+496990009", 3), ("+494066969", 3), ("+492214710", 3), ("+498999998", 3)),
        (
            "{name} ist nach der Trennung umgezogen und bittet, nur noch an {email} zu schreiben.",
            "{name} hat die Rate nicht gezahlt, weil das Konto {last4} gepfändet ist; Stundung bis März vereinbart.",
            "{name} ist seit der Operation krankgeschrieben und möchte den Vertrag ruhen lassen.",
        ),
    ),
    _Nation(
        ("Camille", "Zoé", "François", "Hélène", "Anaïs", "Jean-Luc", "Chloé", "Rémi", "Benoît", "Léa", "Noël", "Inès"),
        ("Lefèvre", "Dubois", "Gauthier", "Béranger", "d'Aubigné", "Lenoir", "Lemaître", "Moreau", "Rousseau"),
        "FR9999999999{:011}99",
        (("+33199", 6), ("+33639", 6)),
        (
            "{name} demande un étalement de sa facture après la perte de son emploi.",
            "{name} signale un débit inconnu sur la carte finissant par {card4} et attend un rappel au {phone}.",
            "{name} souhaite que sa fille puisse gérer le compte pendant son hospitalisation.",
        ),
    ),
    _Nation(
        ("Łukasz", "Agnieszka", "Małgorzata", "Paweł", "Jędrzej", "Żaneta", "Krzysztof", "Zofia", "Wojciech", "Róża"),
        ("Kowalczyk", "Wiśniewska", "Wójcik", "Dąbrowski", "Zieliński", "Łukaszewicz", "Śliwa", "Żak", "Ćwik"),
        "PL99999999{:016}",
        (("+48310", 6),),
        (
            "{name} prosi o zwrot na rachunek kończący się na {last4}, bo poprzednie konto zostało zamknięte.",
            "{name} zgłasza zmianę nazwiska po ślubie i prosi o nową kartę.",
            "{name} opiekuje się chorym ojcem i prosi o kontakt wyłącznie wieczorem.",
        ),
    ),
    _Nation(
        ("José", "María", "Íñigo", "Begoña", "Álvaro", "Lucía", "Ramón", "Inmaculada", "Ángel", "Nuño", "Sofía", "Raúl"),
        ("García Núñez", "Muñoz", "Peña Ibáñez", "Fernández", "Martín", "Jiménez Solé", "López", "Ordóñez", "Rodríguez"),
        "ES99999999{:012}",
        (("+34599", 6),),
        (
            "{name} pide aplazar el pago porque está de baja médica desde enero.",
            "{name} ha perdido el acceso a {email} y quiere cambiar la dirección.",
            "{name} reclama un cargo duplicado en la tarjeta terminada en {card4}.",
        ),
    ),
    _Nation(
        ("Niccolò", "Giulia", "Mattia", "Ilaria", "Giosuè", "Chiara", "Lorenzo", "Bettina", "Dario", "Noemi", "Tommaso"),
        ("Rossi", "D'Angelo", "Ferrè", "Lo Presti", "Bianchi", "De Luca", "Nicolosi", "Conti", "Galli", "Mancuso"),
        "ITX9999999999{:012}",
        (("+39305", 7),),
        (
            "{name} segnala che il bonifico sul conto {last4} non è arrivato e chiede di richiamare.",
            "{name} chiede la cancellazione del profilo dopo la fine del contratto di lavoro.",
            "{name} ha bisogno delle ricevute per una causa davanti al tribunale.",
        ),
    ),
)


def people(seed: int, count: int) -> Iterator[Person]:
    """The first ``count`` invented people of a seed: in turn one Chinese, one European.

    Person n of a seed is the same whatever the count. Resident IDs, telephone numbers, e-mail addresses, bank accounts
    and cards are all different.

    Raises:
        ValueError: more than MAX_COUNT people.
    """
    if count > MAX_COUNT:
        raise ValueError(f"at most {MAX_COUNT} people")
    rng = random.Random(seed)  # noqa: S311 - repeatable on purpose; nothing here is secret
    start = rng.randrange(10**9)
    for number in range(count):
        make = _european if number % 2 else _chinese
        yield make(rng, start, number)


def _chinese(rng: random.Random, start: int, number: int) -> Person:
    (family, family_latin), (given, given_latin) = rng.choice(_CHINESE_FAMILY), rng.choice(_CHINESE_GIVEN)
    return _person(
        rng,
        start,
        number,
        name=family + given,
        latin=f"{given_latin}.{family_latin}",
        resident_id=_resident_id(_scatter(_RESIDENT_ID, start + number, _BIRTHDAYS * _ORDERS)),
        # No operator has numbers that begin with 154.
        phone=f"+86154{_scatter(_PHONE, start + number, 10**8):08}",
        bank_account=f"9999{_scatter(_ACCOUNT, start + number, 10**15):015}",
        notes=_CHINESE_NOTES,
    )


def _european(rng: random.Random, start: int, number: int) -> Person:
    turn, nation = divmod(number // 2, len(_NATIONS))
    of = _NATIONS[nation]
    given, family = rng.choice(of.given), rng.choice(of.family)
    return _person(
        rng,
        start,
        number,
        name=f"{given} {family}",
        latin=f"{_ascii(given)}.{_ascii(family)}",
        resident_id=None,
        phone=_phone(of.phones, start + turn),
        bank_account=_iban(of.iban.format(_scatter(_ACCOUNT, start + number, 10**9))),
        notes=of.notes,
    )


def _person(
    rng: random.Random,
    start: int,
    number: int,
    *,
    name: str,
    latin: str,
    resident_id: str | None,
    phone: str,
    bank_account: str,
    notes: tuple[str, ...],
) -> Person:
    email = f"{latin}.{number:05}@example.org"
    card = _card(start + number)
    words = {"name": name, "phone": phone, "email": email, "last4": bank_account[-4:], "card4": card[-4:]}
    return Person(
        subject_id=f"customer-{number:06}",
        name=name,
        resident_id=resident_id,
        phone=phone,
        email=email,
        bank_account=bank_account,
        card=card,
        note=rng.choice(notes).format(**words),
        face=_face(rng) if number % 100 in _WITH_FACE else None,
    )


def _scatter(prime: int, number: int, size: int) -> int:
    """A place below ``size``: consecutive numbers have different places, since none of our primes divides our sizes."""
    return number * prime % size


def _resident_id(place: int) -> str:
    day, order = divmod(place, _ORDERS)
    born = _FIRST_BIRTHDAY + timedelta(days=day)
    digits = f"999999{born:%Y%m%d}{order + 1:03}"
    return digits + str(ric.calc_check_digit(digits + "0"))


def _phone(ranges: tuple[tuple[str, int], ...], number: int) -> str:
    within, which = divmod(number, len(ranges))
    prefix, digits = ranges[which]
    return f"{prefix}{_scatter(_PHONE, within, 10**digits):0{digits}}"


def _iban(account: str) -> str:
    country, bban = account[:2], account[2:]
    return f"{country}{iban.calc_check_digits(f'{country}00{bban}')}{bban}"


def _card(number: int) -> str:
    digits = f"{_TEST_CARDS[number % len(_TEST_CARDS)]}{_scatter(_CARD, number, 10**9):09}"
    return digits + str(luhn.calc_check_digit(digits))


def _ascii(name: str) -> str:
    plain = name.lower().replace("ß", "ss").translate(_LATIN)
    return "".join(character for character in unicodedata.normalize("NFKD", plain) if character.isascii())


def _face(rng: random.Random) -> bytes:
    numbers = [rng.gauss(0.0, 1.0) for _ in range(512)]
    length = math.hypot(*numbers)
    return _FACE.pack(*(number / length for number in numbers))
