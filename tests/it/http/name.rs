//! Names: what mail programs would turn into a link is none.

use appointd::http::name::Name;

#[test]
fn name_with_a_link_is_refused() {
    for link in [
        "http://x",
        "see HTTPS://evil.example",
        "www.evil.example",
        "evil.com",
        "(evil.com)",
        "evil.com!",
        "evil.com/win?x=1",
        "evil.com:80",
        "a@evil.museum",
        "bücher.de",
        "evil.cloud free money",
        "evil.sh",
        "go to evil.page",
        "evil.zip",
        "evil.id",
        "EVIL.PAGE",
        "evil.photography",
        "ｅｖｉｌ．ｃｏｍ",
        "evil。com",
        "evil.xn--p1ai",
        "пример.рф",
        "t.me/evil",
        "T.Me/evil",
        "dr.evil.page",
        "evil.s.page",
        "www.node.js.org",
        "node.io",
        "ASP.NET",
        "evil.med.",
        "dr.med",
        "med.page.",
        "evil.eu",
        "evil.uk",
    ] {
        assert!(Name::<100>::parse(link).is_err(), "{link}");
    }
    for name in [
        "Dr. Smith",
        "Dr.Smith",
        "St. Mary",
        "St.Pauli",
        "J.Lo",
        "J.R.R.Tolkien",
        "A.B. Clinic",
        "Weber & Co.KG",
        "3.5 Minutes",
        "1.5h Yoga",
        "Mon-Fri 9.00am",
        "A/B",
        "me@home",
        "No. 1",
        "No.1",
        "e.V.",
        "Wait...what",
        "…",
        "Co.",
        "Node.js",
        "Vue.js and Three.JS",
        "Dr.med. Huber",
        "Dr.rer.nat. Weber",
        "Prof.Dr.med.dent. Klein",
        "Dipl.-Ing. Groß",
    ] {
        assert!(Name::<100>::parse(name).is_ok(), "{name}");
    }
}

#[test]
fn name_of_marks_and_characters_without_a_glyph_is_refused() {
    for invisible in [
        "\u{1d159}",
        "\u{301}",
        "\u{301}\u{302}",
        " \u{1d173}\u{20e3}",
        "\u{3164}",
        "\u{200d}",
        "\u{2800}",
        "\u{17b4}",
    ] {
        assert!(Name::<100>::parse(invisible).is_err(), "{}", invisible.escape_unicode());
    }
    for name in ["e\u{301}", "\u{928}\u{93f}", "\u{1d15f}", "☕"] {
        assert!(Name::<100>::parse(name).is_ok(), "{}", name.escape_unicode());
    }
}
