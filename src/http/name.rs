//! Names, and other texts of an organization that its e-mails contain: strangers get these, so they must not contain
//! links.

use std::ops::Deref;

use poem_openapi::registry::MetaSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use super::{
    schema::{schema_type, serde_error},
    values::{Text, from_column},
};

/// A name, or another text that e-mails contain: 1 to `MAX` characters, at least one of them visible, without web or
/// e-mail addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Name<const MAX: usize>(Text<1, MAX>);

impl<const MAX: usize> Name<MAX> {
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = Text::parse(text)?;
        match has_link(&text) {
            true => Err(serde_error(
                "invalid_value",
                "expected no web or e-mail address, and a space after a full stop",
            )),
            false => Ok(Self(text)),
        }
    }
}

impl<const MAX: usize> Deref for Name<MAX> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for Name<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}

from_column!(Name<MAX>, |name| Self::parse(name).ok(), [const MAX: usize]);
schema_type!([const MAX: usize] Name<MAX>, "name", MetaSchema {
    min_length: Some(1),
    max_length: Some(MAX),
    pattern: Some(Text::<1, MAX>::pattern()),
    ..MetaSchema::new("string")
});

/// Words before a full stop that no space has to follow in names: "Dr.Smith", "Weber & Co.KG". So it is with a single
/// letter: "J.R.R.Tolkien".
const ABBREVIATIONS: [&str; 10] = ["co", "dr", "fr", "mr", "mrs", "ms", "mt", "prof", "st", "ste"];

/// Ends of academic titles, of which only such may stand before: "Dr.med. Huber", "Dr.rer.nat.". Some are top-level
/// domains, but the hosts that can be written with these few words are few, and a full stop ends a title.
const DEGREES: [&str; 16] = [
    "dent", "dipl", "habil", "ing", "jur", "mag", "med", "mult", "nat", "oec", "phil", "pol", "rer", "theol",
    "univ", "vet",
];

/// The top-level domains of two letters: the codes of ISO 3166-1 and its reserved ones that are used or may be. There
/// will be no others (ICANN keeps all pairs of letters for countries), so "Node.js" is no host.
const COUNTRIES: &str = "\
    ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bl bm bn bo bq br bs \
    bt bv bw by bz ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg \
    eh er es et eu fi fj fk fm fo fr ga gb gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn \
    hr ht hu id ie il im in io iq ir is it je jm jo jp ke kg kh ki km kn kp kr kw ky kz la lb lc li lk \
    lr ls lt lu lv ly ma mc md me mf mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx my mz na nc ne nf \
    ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw sa sb sc sd \
    se sg sh si sj sk sl sm sn so sr ss st su sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw \
    tz ua ug uk um us uy uz va vc ve vg vi vn vu wf ws xk ye yt za zm zw";

fn separates(c: char) -> bool {
    c.is_whitespace() || "()<>[]{}\"'`,;|".contains(c)
}

/// Whether mail programs would turn a part of the text into a link that leads somewhere. They know many top-level
/// domains, and new ones come every year, so the form decides: three letters or more after a full stop without a space,
/// or two that are a country.
fn has_link(text: &str) -> bool {
    let words: Vec<&str> = text.split(separates).filter(|word| !is_abbreviated(word)).collect();
    // As browsers read host names: full-width characters and other full stops are what they look like.
    let (read, _) = idna::domain_to_unicode(&words.join(" "));
    read.contains("://") || read.split(separates).any(is_link)
}

/// Whether a word is an abbreviation and a name: "St.Pauli"; or a title: "Dr.med.".
fn is_abbreviated(word: &str) -> bool {
    let degree = |part: &str| DEGREES.iter().any(|known| part.eq_ignore_ascii_case(known));
    if let Some(title) = word.strip_suffix('.')
        && title
            .split('.')
            .all(|part| degree(part) || part.eq_ignore_ascii_case("dr") || part.eq_ignore_ascii_case("prof"))
    {
        return true;
    }
    let Some((before, name)) = word.trim_end_matches(['.', '!', ':']).rsplit_once('.') else {
        return false;
    };
    let is_short = |part: &str| {
        part.chars().count() == 1 || ABBREVIATIONS.iter().any(|known| part.eq_ignore_ascii_case(known))
    };
    before.split('.').all(is_short)
        && name.chars().next().is_some_and(char::is_uppercase)
        && name.chars().all(|c| c.is_alphabetic() || c == '-')
}

fn is_link(word: &str) -> bool {
    let host = word.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default().trim_end_matches(['.', '!']);
    let Some((label, end)) = host.rsplit_once('.') else {
        return false;
    };
    let is_country = || COUNTRIES.split(' ').any(|country| end.eq_ignore_ascii_case(country));
    label.ends_with(char::is_alphanumeric)
        && end.chars().count() > 1
        && (end.len() != 2 || is_country())
        && end.chars().all(|c| c.is_alphabetic() || !c.is_ascii())
}
