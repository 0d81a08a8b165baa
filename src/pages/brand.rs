//! The colours of an organization, so that texts on them and in them can be read (WCAG 2.2, 1.4.3 and 1.4.11).

/// A colour: red, green, blue.
type Rgb = [u8; 3];

/// The card that text stands on, in the light and in the dark scheme; see `app.css`.
const LIGHT: Rgb = [255, 255, 255];
const DARK: Rgb = [0x20, 0x1f, 0x1d];
/// The contrast of text, with some more for what browsers round.
const READABLE: f64 = 4.6;
/// The part of the brand in the tint of `app.css`.
const TINT: f64 = 0.13;

/// The style sheet of a colour, `rrggbb`; `None` if it is none.
pub fn style_sheet(color: &str) -> Option<String> {
    let brand = parse(color)?;
    let scheme = |card: Rgb, towards: Rgb| {
        let ink = ink(brand, card, towards);
        format!("--brand:{};--on-brand:{};--brand-ink:{}", hex(brand), hex(on(brand)), hex(ink))
    };
    let (light, dark) = (scheme(LIGHT, [0; 3]), scheme(DARK, [255; 3]));
    Some(format!(":root{{{light}}}\n@media (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"))
}

fn parse(color: &str) -> Option<Rgb> {
    if color.len() != 6 || !color.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let part = |at: usize| u8::from_str_radix(color.get(at..at + 2)?, 16).ok();
    Some([part(0)?, part(2)?, part(4)?])
}

fn hex([red, green, blue]: Rgb) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// The relative luminance of WCAG 2.
fn luminance(color: Rgb) -> f64 {
    let [red, green, blue] = color.map(|part| {
        let part = f64::from(part) / 255.0;
        if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

fn contrast(one: Rgb, other: Rgb) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// So much of `other` in `one`.
fn mix(one: Rgb, other: Rgb, part: f64) -> Rgb {
    let mixed = |a: u8, b: u8| (f64::from(a) * (1.0 - part) + f64::from(b) * part).round() as u8;
    [mixed(one[0], other[0]), mixed(one[1], other[1]), mixed(one[2], other[2])]
}

/// White or black, which can be read better. One of them always has a contrast of 4.58 or more.
fn on(brand: Rgb) -> Rgb {
    let (white, black) = ([255; 3], [0; 3]);
    if contrast(brand, white) >= contrast(brand, black) { white } else { black }
}

/// The brand as text: darker or lighter until it can be read on the card and on its tint.
fn ink(brand: Rgb, card: Rgb, towards: Rgb) -> Rgb {
    let tint = mix(card, brand, TINT);
    (0..=20)
        .map(|step| mix(brand, towards, f64::from(step) / 20.0))
        .find(|ink| contrast(*ink, card) >= READABLE && contrast(*ink, tint) >= READABLE)
        .unwrap_or(towards)
}
