//! The colours of organizations.

use appointd::pages::brand::style_sheet;

fn luminance(color: &str) -> f64 {
    let part = |at: usize| {
        let part = f64::from(u8::from_str_radix(&color[at..at + 2], 16).expect("a part")) / 255.0;
        if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
}

fn contrast(one: &str, other: &str) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn texts_in_and_on_the_color_of_an_organization_can_be_read() {
    for color in ["ffdd00", "ffffff", "000000", "777777", "0f766e", "ff00aa"] {
        let sheet = style_sheet(color).expect("a style sheet");
        let values = |name: &str| -> Vec<String> {
            sheet.split(&format!("--{name}:")).skip(1).map(|rest| rest[..7].to_owned()).collect()
        };
        for (ink, card) in values("brand-ink").iter().zip(["#ffffff", "#201f1d"]) {
            assert!(contrast(ink, card) >= 4.5, "{color}: {ink} on {card}");
        }
        for (brand, on) in values("brand").iter().zip(values("on-brand")) {
            assert!(contrast(brand, &on) >= 4.5, "{color}: {on} on {brand}");
        }
    }
    assert!(style_sheet("ffdd0").is_none() && style_sheet("url(x)").is_none());
}
