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
    ] {
        assert!(Name::<100>::parse(link).is_err(), "{link}");
    }
    for name in
        ["Dr. Smith", "Dr.Smith", "St.Pauli", "J.Lo", "3.5 Minutes", "A/B", "me@home", "No. 1", "…", "Co."]
    {
        assert!(Name::<100>::parse(name).is_ok(), "{name}");
    }
}
