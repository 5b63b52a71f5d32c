"""The lists of known sources: what they must know, in which order they are asked, and that their rows are sound."""

import csv
from collections import Counter
from importlib.resources import files

import pytest

from identity.channel import classify
from identity.hosts import host_name, parents
from identity.lists import find_source

LISTS = ["ai_assistants", "video", "shops", "social", "search", "mail"]


def rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(files("identity.data").joinpath(f"{name}.csv").read_text(encoding="utf-8").splitlines()))


@pytest.mark.parametrize(
    ("referrer", "source", "channel"),
    [
        # AI assistants come first: they live on the hosts of search engines and networks.
        ("https://chatgpt.com/", "chatgpt", "AI Assistant"),
        ("https://chat.openai.com/", "chatgpt", "AI Assistant"),
        ("https://www.perplexity.ai/", "perplexity", "AI Assistant"),
        ("https://you.com/", "you", "AI Assistant"),
        ("https://claude.ai/", "claude", "AI Assistant"),
        ("https://copilot.microsoft.com/", "copilot", "AI Assistant"),
        ("https://gemini.google.com/", "gemini", "AI Assistant"),
        ("https://x.com/i/grok", "grok", "AI Assistant"),
        ("https://x.com/i/grok/share?id=1", "grok", "AI Assistant"),
        ("https://x.com/i/grokking", "twitter", "Organic Social"),
        ("https://x.com/someone", "twitter", "Organic Social"),
        ("https://www.bing.com/chat?q=1", "copilot", "AI Assistant"),
        ("https://www.phind.com/", "phind", "AI Assistant"),
        # Video before social, shops before search.
        ("https://www.youtube.com/", "youtube", "Organic Video"),
        ("https://youtu.be/x", "youtube", "Organic Video"),
        ("android-app://com.google.android.youtube/", "youtube", "Organic Video"),
        ("https://www.twitch.tv/", "twitch", "Organic Video"),
        ("https://vimeo.com/1", "vimeo", "Organic Video"),
        ("https://www.google.com/shopping/product/1", "google shopping", "Organic Shopping"),
        ("https://shopping.google.de/", "google shopping", "Organic Shopping"),
        ("https://www.google.com/shoppinglist", "google", "Organic Search"),
        ("https://www.amazon.com/", "amazon", "Organic Shopping"),
        ("https://www.amazon.co.jp/", "amazon", "Organic Shopping"),
        ("https://www.ebay.com.au/", "ebay", "Organic Shopping"),
        # Social networks, their short hosts, mobile hosts and apps.
        ("https://l.facebook.com/l.php?u=1", "facebook", "Organic Social"),
        ("https://lm.facebook.com/", "facebook", "Organic Social"),
        ("android-app://com.facebook.katana", "facebook", "Organic Social"),
        ("https://l.instagram.com/", "instagram", "Organic Social"),
        ("https://t.co/x", "twitter", "Organic Social"),
        ("https://lnkd.in/x", "linkedin", "Organic Social"),
        ("android-app://com.linkedin.android/", "linkedin", "Organic Social"),
        ("https://out.reddit.com/", "reddit", "Organic Social"),
        ("https://old.reddit.com/r/x", "reddit", "Organic Social"),
        ("https://www.tiktok.com/", "tiktok", "Organic Social"),
        ("https://pin.it/x", "pinterest", "Organic Social"),
        ("https://www.pinterest.co.uk/", "pinterest", "Organic Social"),
        ("https://web.telegram.org/", "telegram", "Organic Social"),
        ("https://t.me/x", "telegram", "Organic Social"),
        ("https://web.whatsapp.com/", "whatsapp", "Organic Social"),
        ("https://bsky.app/", "bluesky", "Organic Social"),
        ("https://www.threads.com/", "threads", "Organic Social"),
        ("https://news.ycombinator.com/item?id=1", "hacker news", "Organic Social"),
        # Search, in every country, and its special searches.
        ("https://www.google.com/", "google", "Organic Search"),
        ("https://www.google.com.", "google", "Organic Search"),
        ("http://www.google.de/search", "google", "Organic Search"),
        ("https://www.google.co.uk/", "google", "Organic Search"),
        ("https://www.google.com.br/", "google", "Organic Search"),
        ("https://google.ad/", "google", "Organic Search"),
        ("android-app://com.google.android.googlequicksearchbox/", "google", "Organic Search"),
        ("https://www.google.de/imgres?q=1", "google images", "Organic Search"),
        ("https://images.google.fr/", "google images", "Organic Search"),
        ("https://news.google.com/", "google news", "Organic Search"),
        ("https://scholar.google.com/", "google scholar", "Organic Search"),
        ("https://www.bing.com/", "bing", "Organic Search"),
        ("https://cn.bing.com/", "bing", "Organic Search"),
        ("https://www.bing.com/images/search?q=1", "bing images", "Organic Search"),
        ("https://duckduckgo.com/", "duckduckgo", "Organic Search"),
        ("https://html.duckduckgo.com/", "duckduckgo", "Organic Search"),
        ("https://uk.search.yahoo.com/", "yahoo", "Organic Search"),
        ("https://r.search.yahoo.com/", "yahoo", "Organic Search"),
        ("https://yandex.com.tr/", "yandex", "Organic Search"),
        ("https://www.baidu.com/", "baidu", "Organic Search"),
        ("https://m.search.naver.com/", "naver", "Organic Search"),
        ("https://search.brave.com/", "brave", "Organic Search"),
        ("https://www.ecosia.org/", "ecosia", "Organic Search"),
        ("https://www.startpage.com/", "startpage", "Organic Search"),
        ("https://www.qwant.com/", "qwant", "Organic Search"),
        ("https://kagi.com/", "kagi", "Organic Search"),
        # Mail comes last, and a search company's mail is not its search.
        ("https://mail.google.com/mail/u/0/", "gmail", "Email"),
        ("https://outlook.live.com/", "outlook", "Email"),
        ("https://outlook.office.com/", "outlook", "Email"),
        ("https://nam02.safelinks.protection.outlook.com/", "outlook", "Email"),
        ("https://mail.yahoo.com/", "yahoo mail", "Email"),
        ("https://mail.yandex.ru/", "yandex mail", "Email"),
        ("https://mail.proton.me/", "proton mail", "Email"),
        ("https://www.icloud.com/mail", "icloud mail", "Email"),
        ("https://www.icloud.com/photos", "icloud.com", "Referral"),
        # What only looks like a listed host.
        ("https://docs.google.com/", "docs.google.com", "Referral"),
        ("https://notfacebook.com/", "notfacebook.com", "Referral"),
        ("https://google.com.evil.example/", "google.com.evil.example", "Referral"),
        ("https://google.example/", "google.example", "Referral"),
        ("https://evil.example/x.com/i/grok", "evil.example", "Referral"),
    ],
)
def test_a_known_referrer_has_its_plain_name_and_channel(referrer: str, source: str, channel: str) -> None:
    answer = classify("https://shop.example/", referrer)
    assert (answer["source"], answer["channel"]) == (source, channel)


@pytest.mark.parametrize(
    ("words", "source"),
    [
        ("FB", "facebook"),
        ("Facebook Ads", "facebook"),
        ("insta", "instagram"),
        ("x", "twitter"),
        ("X.com", "twitter"),
        ("adwords", "google"),
        ("Google-Ads", "google"),
        ("bing_ads", "bing"),
        ("ddg", "duckduckgo"),
        ("linked-in", "linkedin"),
        ("Hacker News", "hacker news"),
        ("chat_gpt", "chatgpt"),
        ("x.com/i/grok/", "grok"),
        ("http://www.reddit.com", "reddit"),
    ],
)
def test_a_source_in_somebodys_own_words_is_found(words: str, source: str) -> None:
    listing = find_source(words)
    assert listing is not None
    assert listing.source == source


@pytest.mark.parametrize("words", ["", "-", " ", "newsletter", "shop.example", "facebookish", "a/b", "x" * 5000])
def test_other_words_are_nobodys(words: str) -> None:
    assert find_source(words) is None


@pytest.mark.parametrize("name", LISTS)
def test_an_address_stands_for_one_source_in_a_list(name: str) -> None:
    counts = Counter(row["address"] for row in rows(name))
    assert [address for address, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("name", [*LISTS, "referral_exclusions"])
def test_addresses_are_written_as_they_are_looked_up(name: str) -> None:
    for row in rows(name):
        host = row["address"].partition("/")[0]
        assert host_name(host.replace("{}", "de")) == host.replace("{}", "de"), row
        assert not host.startswith("www."), row
        assert not row["address"].endswith("/"), row
        if "." not in host:
            assert not set(host) & set(" _-"), row


@pytest.mark.parametrize("name", LISTS)
def test_sources_are_plain_names_in_lower_case(name: str) -> None:
    for row in rows(name):
        assert row["source"] == row["source"].lower().strip() != "", row


def test_a_source_stands_on_one_list_only() -> None:
    lists_of = Counter(source for name in LISTS for source in {row["source"] for row in rows(name)})
    assert [source for source, count in lists_of.items() if count > 1] == []


@pytest.mark.parametrize("name", [name for name in LISTS if name != "search"])
def test_no_row_repeats_what_a_shorter_host_of_its_source_covers(name: str) -> None:
    sources = {row["address"]: row["source"] for row in rows(name)}
    for address, source in sources.items():
        if "/" not in address:
            above = [host for host in list(parents(address))[1:] if "." in host]
            assert all(sources.get(host) != source for host in above), address


@pytest.mark.parametrize("name", LISTS)
def test_rows_are_sorted_so_that_a_change_shows_as_one_line(name: str) -> None:
    assert [tuple(row.values()) for row in rows(name)] == sorted(tuple(row.values()) for row in rows(name))
