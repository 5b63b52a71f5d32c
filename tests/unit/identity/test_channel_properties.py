"""What holds for any url and referrer whatever: nothing raises, and neither case nor order of parameters matters."""

from hypothesis import given
from hypothesis import strategies as st

from identity.channel import arrive, classify
from identity.channel_group import channel_of
from schemas.click_ids import CLICK_IDS

CHANNELS = {
    "Direct", "Internal", "Cross-network", "Paid Shopping", "Paid Search", "Paid Social", "Paid Video", "Display",
    "Paid Other", "Organic Shopping", "Organic Social", "Organic Video", "AI Assistant", "Organic Search", "Email",
    "Affiliates", "Referral", "Audio", "SMS", "Mobile Push Notifications", "Unassigned",
}  # fmt: skip
UTM = ["utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term"]

pieces = st.sampled_from(
    ["https", "://", "www.", "google", ".com", ".de", "x.com/i/grok", "?", "&", "=", "#", "%", "%00", "%ff", "[", "]", "@",
     ":", "/", "\\", ";", "utm_source", "utm_medium", "gclid", "fbclid", "ü", "android-app", " ", ".", "shop.example"]
)  # fmt: skip
texts = st.one_of(st.none(), st.text(), st.lists(pieces).map("".join), st.from_regex(r"\Ahttps?://.*"))
words = st.text("abcXYZ019.-_ üß", min_size=1, max_size=12).map(lambda text: text.strip().replace(" ", "+") or "a")
parameters = st.dictionaries(st.sampled_from([*UTM, *CLICK_IDS, "page", "q", "id"]), words, max_size=8)
referrers = st.sampled_from([None, "https://www.google.com/", "https://partner.example/", "https://shop.example/a"])


def url(items: list[tuple[str, str]]) -> str:
    return "https://shop.example/?" + "&".join(f"{name}={value}" for name, value in items)


@given(texts, texts, st.lists(st.text(), max_size=3))
def test_no_text_is_refused(page: str | None, referrer: str | None, own_domains: list[str]) -> None:
    answer = classify(page, referrer, own_domains)
    assert answer["channel"] in CHANNELS
    assert answer["source"]
    assert answer["medium"]
    assert not any("\0" in value for value in answer.values() if value)


@given(parameters, referrers, st.randoms(use_true_random=False))
def test_the_order_of_different_parameters_does_not_matter(
    chosen: dict[str, str], referrer: str | None, random: object
) -> None:
    items = list(chosen.items())
    random.shuffle(items)  # type: ignore[attr-defined]  # hypothesis' seeded random.Random
    assert arrive(url(items), referrer) == arrive(url(list(chosen.items())), referrer)


@given(parameters, referrers)
def test_the_case_of_parameter_names_does_not_matter(chosen: dict[str, str], referrer: str | None) -> None:
    shouted = [(name.upper(), value) for name, value in chosen.items()]
    assert arrive(url(shouted), referrer) == arrive(url(list(chosen.items())), referrer)


@given(parameters, referrers)
def test_the_answer_follows_from_source_medium_and_campaign(chosen: dict[str, str], referrer: str | None) -> None:
    source = arrive(url(list(chosen.items())), referrer).source
    assert source.channel in {"Internal", channel_of(source.source, source.medium, source.campaign)}


@given(parameters, referrers)
def test_a_hit_with_a_source_of_its_own_is_neither_direct_nor_internal(
    chosen: dict[str, str], referrer: str | None
) -> None:
    arrival = arrive(url(list(chosen.items())), referrer)
    assert arrival.own == (arrival.source.channel not in {"Direct", "Internal"})
    assert arrival.internal == (referrer == "https://shop.example/a")
